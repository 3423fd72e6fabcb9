//! The one timer of a runtime, set to the earliest of all deadlines.

use std::future::Future;
use std::pin::Pin;
use std::task::Context;

use pleach_core::time::{Clock, Instant};

/// A timer on the clock of a runtime. Moving it to where it stands already costs nothing.
#[derive(Debug)]
pub(super) struct Timer {
    clock: Clock,
    timer: async_io::Timer,
    deadline: Option<Instant>,
}

impl Timer {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, timer: async_io::Timer::never(), deadline: None }
    }

    /// Sets, moves or stops the timer. The task of `cx` is woken when it fires, at once if it is late.
    pub(super) fn set(&mut self, deadline: Option<Instant>, cx: &mut Context<'_>) {
        if self.deadline != deadline {
            self.deadline = deadline;
            match deadline.and_then(|deadline| self.clock.to_std(deadline)) {
                Some(at) => self.timer.set_at(at),
                None => self.timer = async_io::Timer::never(),
            }
        }
        if Pin::new(&mut self.timer).poll(cx).is_ready() {
            self.deadline = None;
            cx.waker().wake_by_ref();
        }
    }
}
