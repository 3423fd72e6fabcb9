//! How large the views are for a network of a given size (`overlay` 1, 1.1), in integers.

use super::Config;

/// The sizes of the two views.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Capacity {
    /// A: neighbours at most; round(log2 N + 1), within 2..=`active_max`.
    pub active: usize,
    /// Amin: with fewer neighbours than this an instance is starved and asks for more; max(1, A / 2).
    pub starved: usize,
    /// P: passive peers at most; 6 * A.
    pub passive: usize,
}

impl Capacity {
    /// The sizes for `network_size` nodes; what the configuration sets explicitly stays as set.
    #[must_use]
    pub fn of(network_size: u64, config: &Config) -> Self {
        let computed = active_for(network_size).clamp(2, config.active_max.max(2));
        let active = config.active_capacity.unwrap_or(computed).max(1);
        Self {
            active,
            starved: config.starved_below.unwrap_or(active / 2).clamp(1, active),
            passive: config.passive_capacity.unwrap_or_else(|| active.saturating_mul(6)),
        }
    }
}

/// round(log2 N + 1): with f = floor(log2 N) it is f + 1, and one more when N * N >= 2^(2f + 1).
fn active_for(network_size: u64) -> usize {
    let nodes = u128::from(network_size.max(2));
    let floor = nodes.ilog2();
    let rounds_up = nodes * nodes >= 1_u128 << (2 * floor + 1);
    usize::try_from(floor).unwrap_or(usize::MAX) + 1 + usize::from(rounds_up)
}
