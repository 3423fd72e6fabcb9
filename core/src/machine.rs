//! The one trait of every protocol here, the context it is lent, and a small pull façade for embedders.
//!
//! A [`Machine`] is a plain value: it is handed an input, or told that its deadline has passed, and answers with
//! outputs. It owns no socket, thread, clock or entropy; a [`Context`] lends those for one call.
//!
//! # Laws
//!
//! Every machine of this crate obeys them, and a checker runs them on each with random inputs:
//!
//! | law | promise |
//! |---|---|
//! | L1 | same construction, inputs and random stream: same outputs, byte for byte |
//! | L2 | no input sequence panics, overflows, or allocates beyond the limits of the configuration |
//! | L3 | after `handle_timeout` at `now`, `poll_timeout` is `None` or later than `now` |
//! | L4 | an early `handle_timeout` does nothing at all; a late one acts once |
//! | L5 | time that goes backwards counts as no progress |
//! | L6 | outputs per call are bounded by a documented function of input size, links and configuration |
//! | L7 | after its closing output a machine is silent for ever and has no deadline |
//! | L8 | `Debug` of inputs, outputs and states shows no secret |
//! | L9 | `poll_timeout` is cheap: drivers call it after every event |

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use rand_core::CryptoRng;

use crate::time::{Instant, WallTime};

/// A protocol state machine. The module documentation lists the laws it obeys.
pub trait Machine {
    /// What happened to it.
    type Input;
    /// What it wants done.
    type Output;

    /// Takes one input and emits what follows from it.
    fn handle(&mut self, input: Self::Input, cx: &mut Context<'_, Self::Output>);

    /// Does what has become due. Called early it does nothing (L4).
    fn handle_timeout(&mut self, cx: &mut Context<'_, Self::Output>);

    /// When [`Machine::handle_timeout`] is next due. May change after every call of the two methods above.
    #[must_use]
    fn poll_timeout(&self) -> Option<Instant>;
}

/// Where outputs go. `Vec` and `VecDeque` are sinks; a fixed queue is not, as a failing push would lose outputs.
pub trait Sink<O> {
    /// Takes one output.
    fn put(&mut self, output: O);
}

impl<O> Sink<O> for Vec<O> {
    fn put(&mut self, output: O) {
        self.push(output);
    }
}

impl<O> Sink<O> for VecDeque<O> {
    fn put(&mut self, output: O) {
        self.push_back(output);
    }
}

/// The two clocks at the moment of a call.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct At {
    /// Monotonic time since an origin that the driver chose.
    pub now: Instant,
    /// Unix time; only protocols that sign or check dates look at it.
    pub wall: WallTime,
}

/// What a machine is lent for one call: both clocks, a generator, and a place for its outputs.
pub struct Context<'a, O> {
    at: At,
    rng: &'a mut dyn CryptoRng,
    sink: &'a mut dyn Sink<O>,
}

impl<'a, O> Context<'a, O> {
    /// A context for one call.
    pub fn new(at: At, rng: &'a mut dyn CryptoRng, sink: &'a mut dyn Sink<O>) -> Self {
        Self { at, rng, sink }
    }

    /// Hands an output to the driver or the parent.
    pub fn emit(&mut self, output: O) {
        self.sink.put(output);
    }

    /// The generator: the only source of randomness a machine has.
    pub fn rng(&mut self) -> &mut dyn CryptoRng {
        self.rng
    }

    /// Runs a child whose outputs are wrapped into the parent's by `lift`, which needs no state.
    pub fn scope<C, R>(&mut self, lift: impl FnMut(C) -> O, run: impl FnOnce(&mut Context<'_, C>) -> R) -> R {
        let mut lifted = Lifted { lift, sink: &mut *self.sink };
        run(&mut Context { at: self.at, rng: &mut *self.rng, sink: &mut lifted })
    }

    /// Runs a child whose outputs are collected, to be routed by the parent.
    pub fn capture<C, R>(&mut self, outputs: &mut Vec<C>, run: impl FnOnce(&mut Context<'_, C>) -> R) -> R {
        run(&mut Context { at: self.at, rng: &mut *self.rng, sink: outputs })
    }

    /// The same, but never earlier than `latest`, which follows: how a machine that reads `now` in many places takes
    /// time that goes back as no progress (L5).
    pub fn not_before<'b>(&'b mut self, latest: &mut Instant) -> Context<'b, O> {
        *latest = self.at.now.max(*latest);
        Context { at: At { now: *latest, ..self.at }, rng: &mut *self.rng, sink: &mut *self.sink }
    }

    /// Both clocks.
    #[must_use]
    pub const fn at(&self) -> At {
        self.at
    }

    /// Monotonic time.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.at.now
    }

    /// Unix time, for dates that are signed or checked; never for timers.
    #[must_use]
    pub const fn wall(&self) -> WallTime {
        self.at.wall
    }
}

struct Lifted<'a, F, O> {
    lift: F,
    sink: &'a mut dyn Sink<O>,
}

impl<C, O, F: FnMut(C) -> O> Sink<C> for Lifted<'_, F, O> {
    fn put(&mut self, output: C) {
        self.sink.put((self.lift)(output));
    }
}

/// A machine with its queue of outputs and its generator: the surface for embedders and foreign callers.
///
/// After every `handle` or `handle_timeout`, take outputs until [`Driver::poll_output`] is `None`, then sleep until
/// [`Driver::poll_timeout`] or the next event.
#[derive(Debug)]
pub struct Driver<M: Machine, R> {
    machine: M,
    rng: R,
    outputs: VecDeque<M::Output>,
    latest: Instant,
}

impl<M: Machine, R: CryptoRng> Driver<M, R> {
    /// Takes a machine and the generator that it will draw from.
    pub const fn new(machine: M, rng: R) -> Self {
        Self { machine, rng, outputs: VecDeque::new(), latest: Instant::ORIGIN }
    }

    /// Feeds one input. A `now` earlier than the latest seen is taken as that one.
    pub fn handle(&mut self, at: At, input: M::Input) {
        let at = self.clamp(at);
        self.machine.handle(input, &mut Context::new(at, &mut self.rng, &mut self.outputs));
    }

    /// Tells the machine the time; does nothing before its deadline.
    pub fn handle_timeout(&mut self, at: At) {
        let at = self.clamp(at);
        self.machine.handle_timeout(&mut Context::new(at, &mut self.rng, &mut self.outputs));
    }

    /// The next output, in order.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<M::Output> {
        self.outputs.pop_front()
    }

    /// When [`Driver::handle_timeout`] is next due. May change after every call above.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.machine.poll_timeout()
    }

    /// The machine itself, for its statistics and views.
    pub const fn machine(&self) -> &M {
        &self.machine
    }

    fn clamp(&mut self, at: At) -> At {
        self.latest = self.latest.max(at.now);
        At { now: self.latest, wall: at.wall }
    }
}

#[cfg(test)]
mod tests;
