//! Signed peer records: a peer's own word on its addresses, in the signed envelope of libp2p (`connectivity` 4, 7.6).

use alloc::vec::Vec;
use core::fmt;

use bytes::BufMut;

use super::ADDRESSES_MAX;
use crate::identity::{Keypair, PeerId, PublicKey};
use crate::wire::multiaddr::Multiaddr;
use crate::wire::protobuf::{Fields, ProtobufError, put_bytes, put_varint};
use crate::wire::varint;

/// The addresses of a peer, as it signed them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerRecord {
    /// Who, and who signed.
    pub peer: PeerId,
    /// Grows with each record of the peer.
    pub sequence: u64,
    /// Where it can be dialled; at most [`ADDRESSES_MAX`] are read.
    pub addresses: Vec<Multiaddr>,
}

/// Why a record was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RecordError {
    /// No envelope, or no record in it.
    Malformed(ProtobufError),
    /// Something else is in the envelope.
    WrongType,
    /// The signer's key is not an Ed25519 key, the peer id malformed, or the two differ.
    WrongPeer,
    /// The signature does not verify.
    BadSignature,
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed(error) => return error.fmt(f),
            Self::WrongType => "an envelope holds no peer record",
            Self::WrongPeer => "a peer record is not about its signer",
            Self::BadSignature => "the signature of a peer record does not verify",
        })
    }
}

impl core::error::Error for RecordError {}

impl From<ProtobufError> for RecordError {
    fn from(error: ProtobufError) -> Self {
        Self::Malformed(error)
    }
}

impl PeerRecord {
    /// What the signature is for.
    pub const DOMAIN: &[u8] = b"libp2p-peer-record";
    /// The type of the payload: these two bytes as they are, not a varint.
    pub const PAYLOAD_TYPE: [u8; 2] = [0x03, 0x01];

    /// Verifies an envelope and reads the record in it: by an Ed25519 key, and about that key's peer.
    pub fn open(envelope: &[u8]) -> Result<Self, RecordError> {
        let (mut key, mut kind, mut payload, mut signature) = (&[][..], &[][..], &[][..], &[][..]);
        for field in Fields::new(envelope) {
            match field? {
                (1, value) => key = value.bytes()?,
                (2, value) => kind = value.bytes()?,
                (3, value) => payload = value.bytes()?,
                (5, value) => signature = value.bytes()?,
                _ => {}
            }
        }
        if kind != Self::PAYLOAD_TYPE {
            return Err(RecordError::WrongType);
        }
        let key = PublicKey::from_protobuf(key).ok_or(RecordError::WrongPeer)?;
        let record = Self::decode(payload)?;
        if record.peer != PeerId::from(key) {
            return Err(RecordError::WrongPeer);
        }
        let signature = signature.try_into().map_err(|_| RecordError::BadSignature)?;
        if key.verify(&signed_bytes(payload), signature) {
            Ok(record)
        } else {
            Err(RecordError::BadSignature)
        }
    }

    /// The record in an envelope signed by `identity`, whose peer it must be about to be believed.
    #[must_use]
    pub fn seal(&self, identity: &Keypair) -> Vec<u8> {
        let mut payload = Vec::new();
        self.encode(&mut payload);
        let mut envelope = Vec::new();
        put_bytes(1, &identity.public().to_protobuf(), &mut envelope);
        put_bytes(2, &Self::PAYLOAD_TYPE, &mut envelope);
        put_bytes(3, &payload, &mut envelope);
        put_bytes(5, &identity.sign(&signed_bytes(&payload)), &mut envelope);
        envelope
    }

    /// Writes the payload alone.
    pub fn encode(&self, out: &mut impl BufMut) {
        put_bytes(1, &self.peer.to_bytes(), out);
        put_varint(2, self.sequence, out);
        for address in &self.addresses {
            let mut info = Vec::new();
            put_bytes(1, address.as_bytes(), &mut info);
            put_bytes(3, &info, out);
        }
    }

    /// Reads the payload alone. Addresses that do not decode are left out.
    pub fn decode(payload: &[u8]) -> Result<Self, RecordError> {
        let (mut peer, mut sequence, mut addresses) = (None, 0, Vec::new());
        for field in Fields::new(payload) {
            match field? {
                (1, value) => peer = PeerId::from_bytes(value.bytes()?),
                (2, value) => sequence = value.varint()?,
                (3, value) if addresses.len() < ADDRESSES_MAX => {
                    addresses.extend(address_of(value.bytes()?)?)
                }
                _ => {}
            }
        }
        Ok(Self { peer: peer.ok_or(RecordError::WrongPeer)?, sequence, addresses })
    }
}

fn address_of(info: &[u8]) -> Result<Option<Multiaddr>, ProtobufError> {
    let mut address = None;
    for field in Fields::new(info) {
        if let (1, value) = field? {
            address = Multiaddr::try_from(value.bytes()?).ok();
        }
    }
    Ok(address)
}

/// Domain, type and payload, each behind its length.
fn signed_bytes(payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in [PeerRecord::DOMAIN, &PeerRecord::PAYLOAD_TYPE, payload] {
        varint::write(u64::try_from(part.len()).unwrap_or(u64::MAX), &mut bytes);
        bytes.extend_from_slice(part);
    }
    bytes
}
