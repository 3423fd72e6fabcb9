//! Ed25519 keys and the one signature check of the whole suite.

use alloc::vec::Vec;
use core::fmt;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use rand_core::CryptoRng;

use super::PeerId;

/// An Ed25519 public key as it travels: 32 bytes that need not be a point of the curve.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PublicKey(pub [u8; 32]);

impl PublicKey {
    /// Whether `signature` over `message` is by this key: strict (canonical scalar, no small-order key or commitment,
    /// cofactorless). A key that is no point of the curve verifies nothing.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        VerifyingKey::from_bytes(&self.0)
            .is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
    }

    /// The libp2p protobuf form, 36 bytes: `08 01 12 20 || key`.
    #[must_use]
    pub const fn to_protobuf(&self) -> [u8; 36] {
        let mut bytes = [0; 36];
        let (head, tail) = bytes.split_at_mut(4);
        head.copy_from_slice(&[0x08, 0x01, 0x12, 0x20]);
        tail.copy_from_slice(&self.0);
        bytes
    }

    /// Reads exactly the form of [`PublicKey::to_protobuf`]; other key types and sizes give none, unparsed (T-36).
    #[must_use]
    pub fn from_protobuf(bytes: &[u8]) -> Option<Self> {
        bytes.strip_prefix(&[0x08, 0x01, 0x12, 0x20])?.try_into().ok().map(Self)
    }
}

/// An Ed25519 key pair. The secret half is wiped when dropped and shown nowhere.
#[derive(Clone)]
pub struct Keypair {
    secret: SigningKey,
}

impl Keypair {
    /// A new key pair.
    pub fn generate(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        let pair = Self::from_seed(&seed);
        zeroize::Zeroize::zeroize(&mut seed);
        pair
    }

    /// The key pair of a 32-byte seed.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self { secret: SigningKey::from_bytes(seed) }
    }

    /// Reads the libp2p private key protobuf of files: `08 01 12 40 || seed || public key`. None if it has another
    /// form or the halves do not belong together.
    #[must_use]
    pub fn from_protobuf(bytes: &[u8]) -> Option<Self> {
        let pair: &[u8; 64] = bytes.strip_prefix(&[0x08, 0x01, 0x12, 0x40])?.try_into().ok()?;
        SigningKey::from_keypair_bytes(pair).ok().map(|secret| Self { secret })
    }

    /// The libp2p private key protobuf, 68 bytes, for files; never sent. Wipes itself when dropped.
    #[must_use]
    pub fn to_protobuf(&self) -> zeroize::Zeroizing<Vec<u8>> {
        let mut bytes = zeroize::Zeroizing::new(Vec::with_capacity(68));
        bytes.extend_from_slice(&[0x08, 0x01, 0x12, 0x40]);
        bytes.extend_from_slice(self.secret.as_bytes());
        bytes.extend_from_slice(&self.public().0);
        bytes
    }

    /// Signs `message`. Every use has a prefix of its own, so that no signature counts for another protocol.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.secret.sign(message).to_bytes()
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.secret.verifying_key().to_bytes())
    }

    /// The peer id of the public half.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        PeerId::from(self.public())
    }
}

impl fmt::Debug for Keypair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keypair").field("peer_id", &self.peer_id()).finish_non_exhaustive()
    }
}
