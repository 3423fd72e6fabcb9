//! `Noise_XX_25519_ChaChaPoly_SHA256` with the libp2p payload (`connectivity` 3).
//!
//! ```text
//! -> e                                       empty payload
//! <- e, ee, s, es                            payload of the responder
//! -> s, se                                   payload of the initiator
//! ```
//!
//! The payload carries the identity key of its sender and that key's signature over the static key of the handshake:
//! so a link belongs to a peer id. [`StaticKey`] is made once a process and shared by all links: a handshake then
//! costs one fixed-base and three variable-base multiplications a side, one verification, and no signing.
//!
//! Failures are silent towards the peer: the link is closed, and no error tells why.

mod handshake;
mod payload;
mod symmetric;
mod transport;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use rand_core::CryptoRng;
use x25519_dalek::{PublicKey as Point, StaticSecret};
use zeroize::Zeroizing;

pub use handshake::{Handshake, Step};
pub use payload::{MUXERS_MAX, Payload, PayloadError};
pub use transport::{Frames, Opener, PLAINTEXT_MAX, Sealer};

use crate::identity::Keypair;

/// The name of the protocol: exactly 32 bytes, hence its own initial hash.
pub const NAME: &[u8; 32] = b"Noise_XX_25519_ChaChaPoly_SHA256";
/// The longest Noise message, in bytes, its two bytes of length not counted.
pub const MESSAGE_MAX: usize = 65535;
/// The longest message of a handshake that is read, in bytes: a peer that has not proven who it is makes us keep no more
/// (T-16). Keys, signature and a few extensions take a few hundred.
pub const HANDSHAKE_MESSAGE_MAX: usize = 3072;
/// Bytes of a public key.
const KEY: usize = 32;
/// Bytes of an authentication tag.
const TAG: usize = 16;

/// Why a handshake or a transport message failed. The peer is at fault, except for [`NoiseError::Exhausted`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NoiseError {
    /// A message is shorter than its parts, or longer than it may be.
    BadLength,
    /// A tag does not verify.
    BadTag,
    /// A key agreement gave zero: the peer sent a point of small order.
    ZeroSecret,
    /// The first message carries a payload (a channel refuses it earlier, as [`Self::BadLength`]).
    UnexpectedPayload,
    /// The payload is malformed.
    BadPayload(PayloadError),
    /// The identity did not sign this static key.
    BadSignature,
    /// A message came, or was asked for, out of turn.
    OutOfTurn,
    /// The counter of a direction is used up.
    Exhausted,
}

impl fmt::Display for NoiseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadLength => "a Noise message has a wrong length",
            Self::BadTag => "a Noise message does not authenticate",
            Self::ZeroSecret => "a Noise key agreement gave zero",
            Self::UnexpectedPayload => "the first Noise message carries a payload",
            Self::BadPayload(error) => return error.fmt(f),
            Self::BadSignature => "the identity did not sign the static key",
            Self::OutOfTurn => "a Noise message is out of turn",
            Self::Exhausted => "the counter of a Noise direction is used up",
        })
    }
}

impl core::error::Error for NoiseError {}

impl From<PayloadError> for NoiseError {
    fn from(error: PayloadError) -> Self {
        Self::BadPayload(error)
    }
}

/// The static X25519 key of a process, and the payload in which the identity vouches for it.
pub struct StaticKey {
    secret: StaticSecret,
    public: [u8; 32],
    muxers: Vec<String>,
    payload: Bytes,
}

impl StaticKey {
    /// A fresh key, never stored and unrelated to the identity key that signs it. `muxers` are told to the peer inside
    /// the handshake, so that it needs no negotiation.
    pub fn generate(identity: &Keypair, muxers: &[&str], rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut secret = Zeroizing::new([0; 32]);
        rng.fill_bytes(secret.as_mut_slice());
        Self::from_secret(identity, muxers, &secret)
    }

    /// The key of a given secret: for test vectors.
    #[must_use]
    pub fn from_secret(identity: &Keypair, muxers: &[&str], secret: &[u8; 32]) -> Self {
        let (secret, public) = key_pair(secret);
        let signed = Payload::sign(identity, &public, muxers);
        let mut payload = Vec::new();
        signed.encode(&mut payload);
        Self { secret, public, muxers: signed.stream_muxers, payload: payload.into() }
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> &[u8; 32] {
        &self.public
    }

    /// The muxers that the payload names, best first.
    #[must_use]
    pub fn muxers(&self) -> &[String] {
        &self.muxers
    }

    /// The encoded payload.
    #[must_use]
    pub const fn payload(&self) -> &Bytes {
        &self.payload
    }
}

impl fmt::Debug for StaticKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticKey").finish_non_exhaustive()
    }
}

/// The public key is derived here, once, with the tables of the base point.
fn key_pair(secret: &[u8; 32]) -> (StaticSecret, [u8; 32]) {
    let secret = StaticSecret::from(*secret);
    let public = Point::from(&secret).to_bytes();
    (secret, public)
}

#[cfg(test)]
mod tests;
