//! Many runs, a line each, in the order of their seeds.

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;

use super::exit::Exit;
use super::output::{Failure, Output, members, say};
use super::{Which, report, verdict};
use pleach_sim::run::{self, Outcome};
use pleach_sim::scenario::Scenario;

/// How the runs of a band follow one another.
#[derive(Clone, Copy, Debug)]
pub(super) struct How {
    /// Runs at a time.
    pub(super) jobs: u16,
    /// Go on after a miss.
    pub(super) keep_going: bool,
}

/// Runs every seed, until one misses. The exit code is that of the first miss.
pub(super) fn run(which: &Which, scenario: &Scenario, seeds: Range<u64>, how: &How) -> Exit {
    let mut output = Output::new(which.json);
    output.json(
        "start",
        members! {
            "command": "band", "scenario": which.name, "seeds": [seeds.start, seeds.end], "options": scenario,
        },
    );
    if !which.json {
        say(&report::header(&which.name, scenario, seeds.start));
    }
    let next = AtomicU64::new(seeds.start);
    let stop = AtomicBool::new(false);
    let (results, arriving) = mpsc::channel();
    let mut told = Told { which, output, runs: 0, failed: None };
    std::thread::scope(|scope| {
        for _ in 0..how.jobs {
            let results = results.clone();
            scope.spawn(|| work(scenario, &seeds, &next, &stop, results));
        }
        drop(results);
        let mut waiting = BTreeMap::new();
        let mut wanted = seeds.start;
        for (seed, outcome) in arriving {
            waiting.insert(seed, outcome);
            while let Some(outcome) = waiting.remove(&wanted) {
                if told.failed.is_none() || how.keep_going {
                    told.tell(wanted, outcome.as_ref());
                }
                wanted += 1;
            }
            if told.failed.is_some() && !how.keep_going {
                stop.store(true, Ordering::Relaxed);
            }
        }
    });
    told.end(scenario)
}

fn work(
    scenario: &Scenario,
    seeds: &Range<u64>,
    next: &AtomicU64,
    stop: &AtomicBool,
    results: mpsc::Sender<(u64, Option<Outcome>)>,
) {
    while !stop.load(Ordering::Relaxed) {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= seeds.end {
            return;
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| run::run(scenario, seed, &mut |_| {})));
        // Memory is measured for the process, which several runs share.
        let outcome = outcome.ok().map(|mut outcome| {
            outcome.summary.forget_memory();
            outcome
        });
        if results.send((seed, outcome)).is_err() {
            return;
        }
    }
}

/// What was told of a band.
struct Told<'a> {
    which: &'a Which,
    output: Output,
    runs: u64,
    /// The first run that failed.
    failed: Option<Failure>,
}

impl Told<'_> {
    /// One line about a run; on a miss also why, and the line that repeats it.
    fn tell(&mut self, seed: u64, outcome: Option<&Outcome>) {
        self.runs += 1;
        let failure = verdict::failure(outcome, self.which.replay(seed));
        let mut members = verdict::members(outcome, failure.as_ref());
        members.extend(members! { "seed": seed });
        self.output.json("run", members);
        match outcome {
            Some(outcome) => self.output.text(&report::line(seed, outcome)),
            None => self.output.text(&format!("{seed:>6}  {:6}  a machine panicked\n", "FAILED")),
        }
        if let Some(failure) = failure {
            say(&report::failure(outcome, &failure.hint));
            self.failed.get_or_insert(failure);
        }
    }

    /// The last line. The exit code.
    fn end(mut self, scenario: &Scenario) -> Exit {
        let exit = self.failed.as_ref().map_or(Exit::Done, |failure| failure.exit);
        let mut members = match &self.failed {
            Some(failure) => failure.end(),
            None => members! { "ok": true, "exit": exit.code() },
        };
        members.extend(members! { "summary": members! { "runs": self.runs } });
        self.output.json("end", members);
        if self.failed.is_none() && scenario.bounds() == 0 {
            say(verdict::UNJUDGED);
        }
        exit
    }
}
