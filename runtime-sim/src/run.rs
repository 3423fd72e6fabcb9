//! Runs a scenario of any kind and compares its figures with what is expected.

use std::fmt;

use serde::Serialize;

use crate::scenario::{Miss, Scenario};
use crate::{bob, broadcast, summary};

/// How far a run has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Progress {
    /// What is going on.
    pub stage: Stage,
    /// Simulated milliseconds since the start.
    pub done_ms: u64,
    /// Simulated milliseconds of the whole run.
    pub of_ms: u64,
}

/// What is going on in a run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage {
    /// Nodes join, and the overlay settles.
    WarmUp,
    /// This message was published.
    Broadcast(u32),
    /// So many people have come.
    Arrivals(u32),
    /// Nothing is started any more.
    Drain,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WarmUp => f.write_str("warm-up"),
            Self::Broadcast(number) => write!(f, "broadcast {number}"),
            Self::Arrivals(number) => write!(f, "{number} arrived"),
            Self::Drain => f.write_str("drain"),
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome<S = Summary> {
    /// The figures.
    pub summary: S,
    /// Promises that must hold in every run and were broken.
    pub broken: Vec<String>,
    /// How many expectations of the scenario applied.
    pub expectations: usize,
    /// Those that were missed.
    pub missed: Vec<Miss>,
}

/// The figures of a run, by the kind of its scenario.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Summary {
    /// Of broadcasts.
    Broadcast(Box<summary::Summary>),
    /// Of file transfers through a relay of Bob's.
    BobRelay(Box<bob::Summary>),
}

impl<S> Outcome<S> {
    /// Whether everything was as expected.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        self.broken.is_empty() && self.missed.is_empty()
    }

    /// The same with other figures.
    fn map<T>(self, figures: impl FnOnce(S) -> T) -> Outcome<T> {
        let Self { summary, broken, expectations, missed } = self;
        Outcome { summary: figures(summary), broken, expectations, missed }
    }
}

impl Summary {
    /// Leaves out what was measured of the process, which several runs share.
    pub fn forget_memory(&mut self) {
        match self {
            Self::Broadcast(summary) => summary.bytes_per_node = None,
            Self::BobRelay(_) => {}
        }
    }
}

/// Runs a scenario with a seed. The same two give the same outcome, real time and memory aside.
pub fn run(scenario: &Scenario, seed: u64, watch: &mut dyn FnMut(Progress)) -> Outcome {
    let started = std::time::Instant::now();
    let per_second = |events: u64| {
        let elapsed = started.elapsed().as_micros().max(1);
        u64::try_from(u128::from(events) * 1_000_000 / elapsed).ok()
    };
    match scenario {
        Scenario::Broadcast(scenario) => broadcast::run(scenario, seed, watch).map(|mut summary| {
            summary.events_per_second = per_second(summary.events);
            Summary::Broadcast(Box::new(summary))
        }),
        Scenario::BobRelay(scenario) => bob::run(scenario, seed, watch).map(|mut summary| {
            summary.events_per_second = per_second(summary.events);
            Summary::BobRelay(Box::new(summary))
        }),
    }
}
