//! Randomness by purpose: every domain and node draws from a stream of its own, so that one more draw in one place
//! shifts nothing elsewhere.

use std::convert::Infallible;

use rand_chacha::ChaCha8Rng;
use rand_core::{SeedableRng, TryCryptoRng, TryRng};

/// What a stream is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Domain {
    /// Who joins through whom.
    Topology,
    /// Who publishes what.
    Workload,
    /// Delays and the places where streams are cut.
    Link,
    /// Who dies, and when.
    Churn,
    /// What a machine draws.
    Machine,
    /// Keys of simulated identities.
    Identity,
    /// What is sampled for the report; draws here change nothing in the run.
    Measure,
}

/// The stream of `domain` and `node` in the run of `seed`: unpredictable, for machines that make keys and for draws
/// that are few.
#[must_use]
pub fn stream(seed: u64, domain: Domain, node: u32) -> ChaCha8Rng {
    let mut hasher = blake3::Hasher::new_derive_key("pleach-sim 2026 rng stream");
    hasher.update(&seed.to_le_bytes()).update(&[domain as u8]).update(&node.to_le_bytes());
    ChaCha8Rng::from_seed(*hasher.finalize().as_bytes())
}

/// A generator of 16 bytes, for hundreds of thousands of machines that need good statistics and no secrecy.
///
/// It is marked as cryptographic only because machines ask for such a generator. It is predictable, and must never
/// leave the simulator.
#[derive(Debug)]
pub struct Small {
    counter: u64,
    key: u64,
}

impl Small {
    /// The small stream of `domain` and `node` in the run of `seed`.
    #[must_use]
    pub fn new(seed: u64, domain: Domain, node: u32) -> Self {
        let key = mix(mix(seed ^ 0x9e37_79b9_7f4a_7c15) ^ (u64::from(node) << 8) ^ domain as u64);
        Self { counter: 0, key }
    }
}

impl TryRng for Small {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let word = self.try_next_u64()? >> 32;
        Ok(u32::try_from(word).unwrap_or_default())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.counter = self.counter.wrapping_add(0x9e37_79b9_7f4a_7c15);
        Ok(mix(mix(self.counter) ^ self.key))
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        for chunk in dst.chunks_mut(8) {
            let word = self.try_next_u64()?.to_le_bytes();
            for (to, from) in chunk.iter_mut().zip(word) {
                *to = from;
            }
        }
        Ok(())
    }
}

impl TryCryptoRng for Small {}

/// Spreads every bit of `word` over the whole result: the finalizer of splitmix64, a bijection.
#[must_use]
pub const fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests;
