//! When a machine is woken.

use pleach_core::Instant;

/// The one wake-up in the queue that counts for a machine. Others that were pushed for it find nothing set for their
/// instant, and are ignored.
#[derive(Clone, Copy, Debug)]
pub struct Alarm(Instant);

impl Alarm {
    /// Nothing is set.
    pub const OFF: Self = Self(Instant::FAR_FUTURE);

    /// Sees to it that a machine with this deadline wakes exactly then: returns when to push a wake-up, if one is needed.
    /// An earlier one that is set already will look again.
    #[must_use]
    pub fn set(&mut self, deadline: Option<Instant>) -> Option<Instant> {
        let due = deadline.filter(|due| *due < self.0)?;
        self.0 = due;
        Some(due)
    }

    /// Whether a wake-up that comes `now` counts. Nothing is set then.
    #[must_use]
    pub fn rings(&mut self, now: Instant) -> bool {
        let rings = self.0 <= now;
        if rings {
            *self = Self::OFF;
        }
        rings
    }
}
