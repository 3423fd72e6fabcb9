//! From the transcript to the keys and validators (`bob-relay` 4.3).

use alloc::vec::Vec;
use core::fmt;

use blake2::digest::{Digest, KeyInit, Mac};
use blake2::{Blake2b512, Blake2bMac512};
use zeroize::{ZeroizeOnDrop, Zeroizing};

/// The protocol's version: little endian here, although big endian elsewhere.
const VERSION: [u8; 2] = [1, 0];
/// What every subkey is made for.
const CONTEXT: &[u8; 5] = b"SPOKE";

/// What both sides must agree on. Identities are hashed without lengths, the client's first; points as they were sent.
#[derive(Clone, Copy)]
pub struct Transcript<'a> {
    /// What the relay calls the client.
    pub client_identity: &'a [u8],
    /// What the relay calls the server.
    pub server_identity: &'a [u8],
    /// X: what the client sent.
    pub x: &'a [u8; 32],
    /// Y: what the server sent.
    pub y: &'a [u8; 32],
    /// Z: the key agreement of both random exponents.
    pub z: &'a [u8; 32],
    /// h_K: the third part of what was derived from the password.
    pub h_k: &'a [u8; 32],
    /// V: the key agreement of the server's random exponent with the password's.
    pub v: &'a [u8; 32],
}

impl Transcript<'_> {
    /// The bytes that are hashed.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let [client, server] = [self.client_identity, self.server_identity];
        let parts: [&[u8]; 8] = [&VERSION, client, server, self.x, self.y, self.z, self.h_k, self.v];
        // At its full length from the start: growing would leave copies behind.
        let length = parts.iter().map(|part| part.len()).sum();
        let mut bytes = Zeroizing::new(Vec::with_capacity(length));
        parts.iter().for_each(|part| bytes.extend_from_slice(part));
        bytes
    }

    /// The key above all others.
    #[must_use]
    pub fn main_key(&self) -> MainKey {
        MainKey::from_bytes(Blake2b512::digest(&*self.to_bytes()).into())
    }
}

impl fmt::Debug for Transcript<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transcript").finish_non_exhaustive()
    }
}

/// K: the hash of the transcript.
pub struct MainKey(Zeroizing<[u8; 64]>);

impl MainKey {
    /// The key of these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }

    /// K_n: 0 and 1 are the shared keys, 2 is the validator that the server sends, 3 that of the client.
    #[must_use]
    pub fn subkey(&self, number: u64) -> Zeroizing<[u8; 64]> {
        let mut mac = Blake2bMac512::new((&*self.0).into());
        mac.update(CONTEXT);
        mac.update(&[0; 11]);
        mac.update(&number.to_le_bytes());
        mac.update(&[0; 8]);
        Zeroizing::new(mac.finalize().into_bytes().into())
    }
}

impl ZeroizeOnDrop for MainKey {}

impl fmt::Debug for MainKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MainKey").finish_non_exhaustive()
    }
}
