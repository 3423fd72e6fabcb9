//! One run: exploring it, repeating it, thinning it.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use pleach_core::{At, Context, Instant, Machine, WallTime};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng, TryCryptoRng, TryRng};

use super::{Breach, Law, Subject, Tally, secrets};
use crate::allocations;
use crate::choices::Choices;

/// The monotonic clock starts here, so that it can go back.
const START: Instant = Instant::from_micros(3_600_000_000);
const WALL_START: u64 = 1_800_000_000_000;
const YEAR_MS: u64 = 365 * 24 * 3_600_000;
/// `Debug` of the whole machine is long: it is read at every so many steps.
const STATE_READ_EVERY: usize = 16;

/// One call of the machine; without an input, `handle_timeout`.
struct Step<I> {
    at: At,
    input: Option<I>,
    /// Before the latest moment that the machine has seen.
    back: bool,
    /// A timeout before the deadline.
    early: bool,
}

/// What was done, and what came of each step.
pub(super) struct Record<S: Subject> {
    steps: Vec<Step<S::Input>>,
    outcomes: Vec<Outcome<S::Output>>,
}

#[derive(Debug, PartialEq)]
struct Outcome<O> {
    outputs: Vec<O>,
    drawn: u64,
}

/// A machine with its generator, which counts what is drawn.
struct Actor<S: Subject> {
    machine: S::Machine,
    rng: Counted,
}

struct Counted {
    rng: ChaCha8Rng,
    drawn: u64,
}

impl TryRng for Counted {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.drawn += 1;
        Ok(self.rng.next_u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.drawn += 1;
        Ok(self.rng.next_u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.drawn += 1;
        self.rng.fill_bytes(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Counted {}

impl<S: Subject> Actor<S> {
    fn new(machine: S::Machine, seed: u64) -> Self {
        Self { machine, rng: Counted { rng: ChaCha8Rng::seed_from_u64(seed), drawn: 0 } }
    }

    /// Makes one call. A panic is the message in `Err`.
    fn call(&mut self, at: At, input: Option<S::Input>) -> Result<Outcome<S::Output>, String> {
        let before = self.rng.drawn;
        let mut outputs = Vec::new();
        let Self { machine, rng } = self;
        catch_unwind(AssertUnwindSafe(|| {
            let mut cx = Context::new(at, rng, &mut outputs);
            match input {
                Some(input) => machine.handle(input, &mut cx),
                None => machine.handle_timeout(&mut cx),
            }
        }))
        .map_err(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
        })?;
        Ok(Outcome { outputs, drawn: self.rng.drawn - before })
    }
}

/// Draws steps while the machine runs, and checks each call for itself.
pub(super) fn explore<S: Subject>(data: &[u8], tally: &mut Tally) -> Result<Record<S>, Breach> {
    let (mut choices, seed, mut subject, machine) = prepare::<S>(data);
    let mut actor = Actor::<S>::new(machine, seed);
    let mut record = Record { steps: Vec::new(), outcomes: Vec::new() };
    let mut clock = Clock { latest: START, wall: WALL_START };
    let mut closed = false;
    let watch = secrets::Watch::new(&subject.secrets());
    while !choices.is_exhausted() {
        let step = clock.next_step(&mut subject, &actor.machine, &mut choices);
        let number = record.steps.len();
        let breach = |law, detail| Breach { law, step: number, detail };
        let outcome = actor.call(step.at, step.input.clone()).map_err(|panic| {
            breach(if step.back { Law::L5 } else { Law::L2 }, format!("panicked: {panic}"))
        })?;
        let checked = check_call(&subject, &actor.machine, &step, &outcome)
            .and_then(|()| check_closed(closed, &actor.machine, &outcome))
            .and_then(|()| check_secrets::<S>(&watch, &actor.machine, &step, &outcome, number));
        checked.map_err(|(law, detail)| breach(law, detail))?;
        closed |= S::closes(step.input.as_ref(), &outcome.outputs);
        count(tally, &subject, &actor.machine, &step, &outcome);
        outcome.outputs.iter().for_each(|output| subject.observe(output));
        record.steps.push(step);
        record.outcomes.push(outcome);
    }
    Ok(record)
}

/// The same steps on a second machine: equal outputs and draws (L1), memory within bounds (L2).
pub(super) fn repeat<S: Subject>(data: &[u8], record: &Record<S>, tally: &mut Tally) -> Result<(), Breach> {
    assert!(allocations::counted(), "the test binary must install the counting allocator");
    let (_, seed, subject, machine) = prepare::<S>(data);
    let limit = i64::try_from(subject.memory_max()).unwrap_or(i64::MAX);
    let mut actor = Actor::<S>::new(machine, seed);
    let base = allocations::live();
    for (step, (call, expected)) in record.steps.iter().zip(&record.outcomes).enumerate() {
        let outcome = actor.call(call.at, call.input.clone());
        if outcome.as_ref() != Ok(expected) {
            let detail = format!("{expected:?}, and when repeated {outcome:?}");
            return Err(Breach { law: Law::L1, step, detail });
        }
        drop(outcome);
        let held = allocations::live() - base;
        tally.memory = tally.memory.max(held);
        if held > limit {
            let detail = format!("{held} bytes are held, the bound is {limit}");
            return Err(Breach { law: Law::L2, step, detail });
        }
    }
    Ok(())
}

/// The same steps, but times that go back are raised to the latest: equal outputs (L5).
pub(super) fn raise<S: Subject>(data: &[u8], record: &Record<S>) -> Result<(), Breach> {
    let (_, seed, _, machine) = prepare::<S>(data);
    let mut actor = Actor::<S>::new(machine, seed);
    let mut latest = Instant::ORIGIN;
    for (step, (call, expected)) in record.steps.iter().zip(&record.outcomes).enumerate() {
        // An early timeout leaves no trace (L4): it is no sight of the clock either.
        latest = if call.early { latest } else { latest.max(call.at.now) };
        let now = latest.max(call.at.now);
        let outcome = actor.call(At { now, ..call.at }, call.input.clone());
        if outcome.as_ref() != Ok(expected) {
            let detail =
                format!("{expected:?}, and when time stands still instead of going back {outcome:?}");
            return Err(Breach { law: Law::L5, step, detail });
        }
    }
    Ok(())
}

/// The same steps without the early timeouts: equal outputs (L4).
pub(super) fn thin<S: Subject>(data: &[u8], record: &Record<S>) -> Result<(), Breach> {
    let (_, seed, _, machine) = prepare::<S>(data);
    let mut actor = Actor::<S>::new(machine, seed);
    let all = record.steps.iter().zip(&record.outcomes).enumerate();
    for (step, (call, expected)) in all.filter(|(_, (call, _))| !call.early) {
        let outcome = actor.call(call.at, call.input.clone());
        if outcome.as_ref() != Ok(expected) {
            let detail = format!("{expected:?}, and without early timeouts {outcome:?}");
            return Err(Breach { law: Law::L4, step, detail });
        }
    }
    Ok(())
}

fn prepare<S: Subject>(data: &[u8]) -> (Choices<'_>, u64, S, S::Machine) {
    let mut choices = Choices::new(data);
    let seed = u64::from(choices.u16());
    let (subject, machine) = S::build(&mut choices);
    (choices, seed, subject, machine)
}

type Checked = Result<(), (Law, String)>;

fn check_call<S: Subject>(
    subject: &S,
    machine: &S::Machine,
    step: &Step<S::Input>,
    outcome: &Outcome<S::Output>,
) -> Checked {
    let ((deadline, again), used) = allocations::during(|| (machine.poll_timeout(), machine.poll_timeout()));
    if used.count > 0 || deadline != again {
        return Err((
            Law::L9,
            format!("poll_timeout allocated {} times, {deadline:?}, {again:?}", used.count),
        ));
    }
    if step.early && (!outcome.outputs.is_empty() || outcome.drawn > 0) {
        let law = if step.back { Law::L5 } else { Law::L4 };
        return Err((law, format!("an early timeout at {:?} did {outcome:?}", step.at.now)));
    }
    if step.input.is_none() && deadline.is_some_and(|deadline| deadline <= step.at.now) {
        let law = if step.back { Law::L5 } else { Law::L3 };
        return Err((law, format!("due at {deadline:?} after a timeout at {:?}", step.at.now)));
    }
    let (count, limit) = (outcome.outputs.len(), subject.outputs_max(step.input.as_ref()));
    if count > limit {
        return Err((Law::L6, format!("{count} outputs of {:?}, the bound is {limit}", step.input)));
    }
    Ok(())
}

fn check_closed<O: std::fmt::Debug>(
    closed: bool,
    machine: &impl Machine<Output = O>,
    outcome: &Outcome<O>,
) -> Checked {
    if closed && (!outcome.outputs.is_empty() || machine.poll_timeout().is_some()) {
        return Err((Law::L7, format!("closed, and yet {outcome:?}, due {:?}", machine.poll_timeout())));
    }
    Ok(())
}

fn check_secrets<S: Subject>(
    watch: &secrets::Watch,
    machine: &S::Machine,
    step: &Step<S::Input>,
    outcome: &Outcome<S::Output>,
    number: usize,
) -> Checked {
    if watch.is_idle() {
        return Ok(());
    }
    let state = if number.is_multiple_of(STATE_READ_EVERY) { format!("{machine:?}") } else { String::new() };
    let texts =
        [("an input", format!("{:?}", step.input)), ("an output", format!("{outcome:?}")), ("state", state)];
    match texts.iter().find(|(_, text)| watch.sees(text)) {
        Some((what, _)) => Err((Law::L8, format!("Debug of {what} shows a secret"))),
        None => Ok(()),
    }
}

fn count<S: Subject>(
    tally: &mut Tally,
    subject: &S,
    machine: &S::Machine,
    step: &Step<S::Input>,
    outcome: &Outcome<S::Output>,
) {
    tally.steps += 1;
    *tally.states.entry(subject.state(machine)).or_default() += 1;
    if let Some(input) = &step.input {
        *tally.inputs.entry(S::input_name(input)).or_default() += 1;
    }
    for output in &outcome.outputs {
        *tally.outputs.entry(S::output_name(output)).or_default() += 1;
    }
}

/// The time of the run: mostly forward, from deadline to deadline or in between, sometimes back.
struct Clock {
    latest: Instant,
    wall: u64,
}

impl Clock {
    fn next_step<S: Subject>(
        &mut self,
        subject: &mut S,
        machine: &S::Machine,
        choices: &mut Choices<'_>,
    ) -> Step<S::Input> {
        let deadline = machine.poll_timeout();
        let kind = choices.byte() % 32;
        let mut input = None;
        let now = match kind {
            0..20 => {
                self.forward(Duration::from_millis(choices.pick(&[0, 0, 0, 1, 7, 100, 1500]).unwrap_or(0)));
                input = Some(subject.generate(choices));
                self.latest
            }
            20..26 => {
                self.reach(deadline);
                self.latest
            }
            26 | 27 => {
                self.reach(deadline);
                self.forward(Duration::from_secs(choices.pick(&[1, 10, 100, 10_000]).unwrap_or(1)));
                self.latest
            }
            28 | 29 => {
                self.forward(Duration::from_millis(choices.pick(&[0, 1, 50]).unwrap_or(0)));
                self.latest
            }
            kind => {
                input = (kind == 30).then(|| subject.generate(choices));
                let back = Duration::from_millis(choices.pick(&[1, 1000, 60_000]).unwrap_or(1));
                // What is due at the latest moment may be done at an earlier one or not: both are no progress.
                let overdue = deadline.is_some_and(|deadline| deadline <= self.latest);
                if input.is_none() && overdue { self.latest } else { self.latest - back }
            }
        };
        self.wall = match choices.byte() {
            0 => self.wall.saturating_add(YEAR_MS),
            1 => self.wall.saturating_sub(YEAR_MS),
            step => self.wall.saturating_add(u64::from(step)),
        };
        let early = input.is_none() && deadline.is_none_or(|deadline| deadline > now);
        Step {
            at: At { now, wall: WallTime::from_unix_ms(self.wall) },
            input,
            back: now < self.latest,
            early,
        }
    }

    fn reach(&mut self, deadline: Option<Instant>) {
        self.latest = deadline.map_or(self.latest, |deadline| self.latest.max(deadline));
    }

    fn forward(&mut self, by: Duration) {
        self.latest += by;
    }
}
