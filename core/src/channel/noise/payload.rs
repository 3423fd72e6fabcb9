//! What each side says inside the handshake: who it is, and which muxers it speaks.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use bytes::BufMut;

use crate::identity::{Keypair, PublicKey};
use crate::wire::protobuf::{Fields, ProtobufError, put_bytes};

/// The most muxers that are kept of a peer's list.
pub const MUXERS_MAX: usize = 16;

/// Stands before the static key in the signed bytes.
const PREFIX: &[u8; 24] = b"noise-libp2p-static-key:";

const IDENTITY_KEY: u32 = 1;
const IDENTITY_SIGNATURE: u32 = 2;
const EXTENSIONS: u32 = 4;
const STREAM_MUXERS: u32 = 2;

/// `NoiseHandshakePayload`. Tag 3, once early data, and certificate hashes are ignored when read and never written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Payload {
    /// The identity of the sender.
    pub identity: PublicKey,
    /// Its signature over the static key.
    pub signature: [u8; 64],
    /// The muxers of the sender, best first; empty if it sent none.
    pub stream_muxers: Vec<String>,
}

/// Why a payload was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PayloadError {
    /// No message.
    Malformed(ProtobufError),
    /// No identity key, or one of another type than Ed25519 (T-36).
    ForeignKey,
    /// No signature, or not of 64 bytes.
    BadSignatureLength,
}

impl fmt::Display for PayloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed(error) => return error.fmt(f),
            Self::ForeignKey => "the identity key of a Noise payload is not an Ed25519 key",
            Self::BadSignatureLength => "the signature of a Noise payload has a wrong length",
        })
    }
}

impl core::error::Error for PayloadError {}

impl From<ProtobufError> for PayloadError {
    fn from(error: ProtobufError) -> Self {
        Self::Malformed(error)
    }
}

impl Payload {
    /// The payload in which `identity` vouches for `static_key`.
    #[must_use]
    pub fn sign(identity: &Keypair, static_key: &[u8; 32], muxers: &[&str]) -> Self {
        Self {
            identity: identity.public(),
            signature: identity.sign(&Self::signed_bytes(static_key)),
            stream_muxers: muxers.iter().map(|muxer| (*muxer).to_owned()).collect(),
        }
    }

    /// Whether the identity vouches for `static_key`: the one of this very handshake.
    #[must_use]
    pub fn vouches_for(&self, static_key: &[u8; 32]) -> bool {
        self.identity.verify(&Self::signed_bytes(static_key), &self.signature)
    }

    /// What is signed: a prefix that no other use of the key has, and the static key.
    #[must_use]
    pub const fn signed_bytes(static_key: &[u8; 32]) -> [u8; 56] {
        let mut bytes = [0; 56];
        let (prefix, key) = bytes.split_at_mut(PREFIX.len());
        prefix.copy_from_slice(PREFIX);
        key.copy_from_slice(static_key);
        bytes
    }

    /// Reads a payload. At most [`MUXERS_MAX`] muxers are kept.
    pub fn decode(bytes: &[u8]) -> Result<Self, PayloadError> {
        let (mut key, mut signature) = (&[][..], &[][..]);
        let mut stream_muxers = Vec::new();
        for field in Fields::new(bytes) {
            match field? {
                (IDENTITY_KEY, value) => key = value.bytes()?,
                (IDENTITY_SIGNATURE, value) => signature = value.bytes()?,
                (EXTENSIONS, value) => decode_extensions(value.bytes()?, &mut stream_muxers)?,
                _ => {}
            }
        }
        Ok(Self {
            identity: PublicKey::from_protobuf(key).ok_or(PayloadError::ForeignKey)?,
            signature: signature.try_into().map_err(|_| PayloadError::BadSignatureLength)?,
            stream_muxers,
        })
    }

    /// Writes it in tag order; extensions only if there is a muxer.
    pub fn encode(&self, out: &mut impl BufMut) {
        put_bytes(IDENTITY_KEY, &self.identity.to_protobuf(), out);
        put_bytes(IDENTITY_SIGNATURE, &self.signature, out);
        if self.stream_muxers.is_empty() {
            return;
        }
        let mut extensions = Vec::new();
        for muxer in &self.stream_muxers {
            put_bytes(STREAM_MUXERS, muxer.as_bytes(), &mut extensions);
        }
        put_bytes(EXTENSIONS, &extensions, out);
    }
}

fn decode_extensions(bytes: &[u8], muxers: &mut Vec<String>) -> Result<(), ProtobufError> {
    for field in Fields::new(bytes) {
        if let (STREAM_MUXERS, value) = field? {
            let muxer = value.text()?;
            if muxers.len() < MUXERS_MAX {
                muxers.push(muxer.to_owned());
            }
        }
    }
    Ok(())
}
