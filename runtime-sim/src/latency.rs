//! Delays between nodes: fixed for each directed pair, uniform over a range, computed instead of stored.

use std::time::Duration;

use crate::rng::{Domain, mix};

/// The delays of a run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Latency {
    key: u64,
    least: u64,
    span: u64,
}

impl Latency {
    /// Delays from `least` to `most`, both included, drawn from the link domain of `seed`.
    #[must_use]
    pub fn new(seed: u64, least: Duration, most: Duration) -> Self {
        let micros = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let key = mix(mix(seed) ^ Domain::Link as u64);
        Self { key, least: micros(least), span: micros(most.saturating_sub(least)).saturating_add(1) }
    }

    /// How long anything takes from one node to the other.
    #[must_use]
    pub fn between(&self, from: u32, to: u32) -> Duration {
        let word = mix(self.key ^ (u64::from(from) << 32 | u64::from(to)));
        // The high half of the product is uniform below the span, as the word is uniform.
        let offset = (u128::from(word) * u128::from(self.span)) >> 64;
        Duration::from_micros(self.least.saturating_add(u64::try_from(offset).unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_fixed_uniform_and_differ_by_direction() {
        let latency = Latency::new(1, Duration::from_millis(10), Duration::from_millis(50));
        let mut below_middle = 0;
        for from in 0..100 {
            for to in 0..100 {
                let delay = latency.between(from, to);
                assert_eq!(delay, latency.between(from, to));
                assert!((10_000..=50_000).contains(&delay.as_micros()));
                below_middle += u32::from(delay.as_micros() < 30_000);
            }
        }
        assert!((4_700..5_300).contains(&below_middle), "{below_middle} of 10000 below the middle");
        assert_ne!(latency.between(1, 2), latency.between(2, 1));
        let fixed = Latency::new(1, Duration::from_millis(5), Duration::from_millis(5));
        assert_eq!(fixed.between(0, 1), Duration::from_millis(5));
    }
}
