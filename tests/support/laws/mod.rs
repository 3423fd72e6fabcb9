//! The law checker: runs any machine on random inputs and says which of the laws L1..L9 it breaks.
//!
//! One run is decided by bytes (see [`Choices`]). It is played four times:
//!
//! 1. *explored*: steps are drawn while the machine runs; every call is checked for itself (L2 to L9);
//! 2. *repeated* on a second machine of the same construction: the same outputs and draws (L1), and memory within the
//!    subject's bound after every step (L2);
//! 3. *thinned*: once more without the timeouts that came early: the same outputs (L4);
//! 4. *raised*: once more with times that go back raised to the latest seen: the same outputs (L5).
//!
//! L9 is checked in two ways: here
//! `poll_timeout` may not allocate nor change its mind; `tests/floors` reads its source, which may not scan.

mod play;
mod secrets;

use std::collections::BTreeMap;
use std::fmt::{self, Debug};

use pleach_core::Machine;

use crate::choices::{Choices, random};

/// How to drive one machine, and what it promises. The value itself is the machine's surroundings: what it knows of
/// peers, open questions and so on, so that inputs are telling.
pub trait Subject: Sized {
    /// What the machine hears.
    type Input: Clone + Debug + PartialEq;
    /// What it says.
    type Output: Clone + Debug + PartialEq;
    /// The machine.
    type Machine: Machine<Input = Self::Input, Output = Self::Output> + Debug;

    /// Its name, for reports.
    const NAME: &'static str;
    /// Every name that [`Subject::input_name`] can give.
    const INPUTS: &'static [&'static str];
    /// Every name that [`Subject::output_name`] can give.
    const OUTPUTS: &'static [&'static str];
    /// Every state that [`Subject::state`] can see.
    const STATES: &'static [&'static str];

    /// Surroundings and machine. The same choices give the same.
    fn build(choices: &mut Choices<'_>) -> (Self, Self::Machine);

    /// The next input: mostly sensible, sometimes hostile.
    fn generate(&mut self, choices: &mut Choices<'_>) -> Self::Input;

    /// Takes note of what the machine said, to answer it later.
    fn observe(&mut self, output: &Self::Output);

    /// The name of the variant.
    fn input_name(input: &Self::Input) -> &'static str;

    /// The name of the variant.
    fn output_name(output: &Self::Output) -> &'static str;

    /// The state that the machine is in.
    fn state(&self, machine: &Self::Machine) -> &'static str;

    /// L6: the most outputs of one call, with this input or (none) of a timeout.
    fn outputs_max(&self, input: Option<&Self::Input>) -> usize;

    /// L2: the most bytes the machine may hold between calls, whatever it was fed.
    fn memory_max(&self) -> usize;

    /// L7: whether the machine is closed after this call.
    fn closes(_input: Option<&Self::Input>, _outputs: &[Self::Output]) -> bool {
        false
    }

    /// L8: what `Debug` must never show, in any of the usual encodings.
    fn secrets(&self) -> Vec<Vec<u8>> {
        Vec::new()
    }
}

/// Names the variants of an enum, each exactly once: a variant that is added and not named does not compile.
#[macro_export]
macro_rules! variants {
    ($list:ident, $name:ident($type:ty): $($pattern:pat => $text:literal),+ $(,)?) => {
        const $list: &'static [&'static str] = &[$($text),+];

        fn $name(value: &$type) -> &'static str {
            match value {
                $($pattern => $text,)+
            }
        }
    };
}

/// [`variants!`] of the inputs of a machine that speaks the link vocabulary: what it adds to those that are alike for all.
#[macro_export]
macro_rules! link_inputs {
    ($type:ty: $($pattern:pat => $text:literal),+ $(,)?) => {
        $crate::variants! { INPUTS, input_name($type):
            pleach_core::link::Input::Listening { .. } => "Listening",
            pleach_core::link::Input::ListenFailed { .. } => "ListenFailed",
            pleach_core::link::Input::Received { .. } => "Received",
            pleach_core::link::Input::Message { .. } => "Message",
            pleach_core::link::Input::Written { .. } => "Written",
            pleach_core::link::Input::Finished { .. } => "Finished",
            pleach_core::link::Input::Closed { .. } => "Closed",
            pleach_core::link::Input::Datagram { .. } => "Datagram",
            pleach_core::link::Input::AddressesChanged => "AddressesChanged",
            $($pattern => $text),+
        }
    };
}

/// A law of `pleach_core::machine`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Law {
    /// Repeatable.
    L1,
    /// No panic, bounded memory.
    L2,
    /// No busy loop.
    L3,
    /// Early timeouts do nothing, late ones act once.
    L4,
    /// Time that goes back is no progress.
    L5,
    /// Bounded outputs.
    L6,
    /// Silent once closed.
    L7,
    /// No secret in `Debug`.
    L8,
    /// `poll_timeout` is cheap.
    L9,
}

impl Law {
    /// All of them.
    pub const ALL: [Self; 9] =
        [Self::L1, Self::L2, Self::L3, Self::L4, Self::L5, Self::L6, Self::L7, Self::L8, Self::L9];
}

/// A law that was broken, and how.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Breach {
    /// Which.
    pub law: Law,
    /// At which step of the run.
    pub step: usize,
    /// What was seen.
    pub detail: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} broken at step {}: {}", self.law, self.step, self.detail)
    }
}

/// How often each input, output and state occurred.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Inputs by variant.
    pub inputs: BTreeMap<&'static str, u64>,
    /// Outputs by variant.
    pub outputs: BTreeMap<&'static str, u64>,
    /// States after each step.
    pub states: BTreeMap<&'static str, u64>,
    /// Steps in all.
    pub steps: u64,
    /// The most bytes that a machine held.
    pub memory: i64,
}

impl Tally {
    /// What never occurred, of all that should.
    #[must_use]
    pub fn missing<S: Subject>(&self) -> Vec<String> {
        let missing = |kind: &str, names: &[&'static str], seen: &BTreeMap<&'static str, u64>| {
            let absent = names.iter().filter(|name| !seen.contains_key(*name));
            absent.map(|name| format!("{kind} {name}")).collect::<Vec<_>>()
        };
        [
            missing("input", S::INPUTS, &self.inputs),
            missing("output", S::OUTPUTS, &self.outputs),
            missing("state", S::STATES, &self.states),
        ]
        .concat()
    }
}

/// Plays the run that `data` decides.
///
/// # Errors
/// The first breach of a law.
pub fn check<S: Subject>(data: &[u8], tally: &mut Tally) -> Result<(), Breach> {
    let record = play::explore::<S>(data, tally)?;
    play::repeat::<S>(data, &record, tally)?;
    play::thin::<S>(data, &record)?;
    play::raise::<S>(data, &record)
}

/// Plays `runs` random runs of `length` bytes, and demands that everything occurred.
///
/// # Panics
/// When a law is broken (with the seed that breaks it), or when a variant or state never occurred.
pub fn campaign<S: Subject>(runs: u64, length: usize) {
    let mut tally = Tally::default();
    for seed in 0..runs {
        // Short runs too: many states are left again in long ones.
        let length = if seed % 4 == 3 { length / 8 } else { length };
        let checked = check::<S>(&random(seed, length), &mut tally);
        let breach = checked.as_ref().map_or_else(ToString::to_string, |()| String::new());
        assert!(checked.is_ok(), "{}, seed {seed}, length {length}: {breach}", S::NAME);
    }
    let missing = tally.missing::<S>();
    assert!(missing.is_empty(), "{}: never occurred: {missing:?}\n{tally:#?}", S::NAME);
}
