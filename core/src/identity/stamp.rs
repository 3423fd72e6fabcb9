//! Proof-of-work stamps: 24 bytes that cost their maker work and prove it cheaply (`tezos-p2p` 2).
//!
//! H = BLAKE2b-256(public key || stamp), read as a little-endian number, must have `difficulty` leading zero bits.

use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest};
use rand_core::CryptoRng;

/// A stamp for one public key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stamp(pub [u8; 24]);

impl Stamp {
    /// Whether the stamp proves `difficulty` bits of work for `key`; every stamp proves 0.
    #[must_use]
    pub fn proves(&self, key: &[u8; 32], difficulty: u32) -> bool {
        let digest: [u8; 32] = Blake2b::<U32>::new().chain_update(key).chain_update(self.0).finalize().into();
        leading_zero_bits(&digest) >= difficulty
    }
}

/// A search that can be done in steps, between other work.
#[derive(Clone, Debug)]
pub struct Search {
    key: [u8; 32],
    difficulty: u32,
    candidate: Stamp,
}

impl Search {
    /// Starts from a random stamp.
    pub fn new(key: [u8; 32], difficulty: u32, rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut candidate = [0; 24];
        rng.fill_bytes(&mut candidate);
        Self { key, difficulty, candidate: Stamp(candidate) }
    }

    /// Tries up to `attempts` stamps; the search goes on with the next call. Expect 2^difficulty attempts in all.
    pub fn step(&mut self, attempts: u64) -> Option<Stamp> {
        for _ in 0..attempts {
            if self.candidate.proves(&self.key, self.difficulty) {
                return Some(self.candidate);
            }
            increment(&mut self.candidate.0);
        }
        None
    }
}

/// Adds one to a big-endian number, wrapping.
fn increment(number: &mut [u8; 24]) {
    for byte in number.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            return;
        }
    }
}

fn leading_zero_bits(little_endian: &[u8; 32]) -> u32 {
    let mut bits = 0u32;
    for byte in little_endian.iter().rev() {
        bits = bits.saturating_add(byte.leading_zeros());
        if *byte != 0 {
            break;
        }
    }
    bits
}
