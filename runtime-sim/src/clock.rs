//! The clocks of simulated nodes: one monotonic time for the run, a wall clock of its own for each node.

use std::time::Duration;

use pleach_core::{At, Instant, WallTime};

/// Wall time of the origin of every run: 2026-01-01T00:00:00Z.
pub const EPOCH: WallTime = WallTime::from_unix_ms(1_767_225_600_000);

/// What both clocks of a node show.
///
/// `wall_offset_ms` is how far its wall clock is off; monotonic time is the same everywhere.
#[must_use]
pub fn at(now: Instant, wall_offset_ms: i64) -> At {
    let right = EPOCH + Duration::from_micros(now.as_micros());
    At { now, wall: WallTime::from_unix_ms(right.unix_ms().saturating_add_signed(wall_offset_ms)) }
}

/// Whole milliseconds from `from` to `to`, rounded up.
#[must_use]
pub const fn millis(from: Instant, to: Instant) -> u64 {
    to.as_micros().saturating_sub(from.as_micros()).div_ceil(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_that_is_off_leaves_monotonic_time_alone() {
        let now = Instant::from_micros(1_500_000);
        assert_eq!(at(now, 0), At { now, wall: WallTime::from_unix_ms(1_767_225_601_500) });
        assert_eq!(at(now, -2_000), At { now, wall: WallTime::from_unix_ms(1_767_225_599_500) });
    }

    #[test]
    fn milliseconds_are_rounded_up() {
        assert_eq!(millis(Instant::from_micros(10), Instant::from_micros(1_010)), 1);
        assert_eq!(millis(Instant::from_micros(10), Instant::from_micros(1_011)), 2);
    }
}
