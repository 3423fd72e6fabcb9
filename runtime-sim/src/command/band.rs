//! Many runs, a line each, in the order of their seeds.

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;

use serde_json::json;

use super::exit::Exit;
use super::output::{Output, say};
use super::{Which, report, single};
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
    output.json(&json!({
        "v": 1, "type": "start", "command": "band", "scenario": which.name,
        "seeds": [seeds.start, seeds.end], "options": json!(scenario),
    }));
    if !which.json {
        say(&report::header(&which.name, scenario, seeds.start));
    }
    let next = AtomicU64::new(seeds.start);
    let stop = AtomicBool::new(false);
    let (results, arriving) = mpsc::channel();
    let mut exit = Exit::Done;
    let mut runs = 0u64;
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
                if exit == Exit::Done || how.keep_going {
                    let told = tell(which, wanted, outcome.as_ref(), &mut output);
                    exit = if exit == Exit::Done { told } else { exit };
                    runs += 1;
                }
                wanted += 1;
            }
            if exit != Exit::Done && !how.keep_going {
                stop.store(true, Ordering::Relaxed);
            }
        }
    });
    output.json(&json!({
        "v": 1, "type": "end", "ok": exit == Exit::Done, "exit": exit.code(), "summary": { "runs": runs },
    }));
    exit
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

/// One line about a run; on a miss also the line that repeats it.
fn tell(which: &Which, seed: u64, outcome: Option<&Outcome>, output: &mut Output) -> Exit {
    let exit = outcome.map_or(Exit::Panic, single::judge);
    let summary = outcome.map(|outcome| &outcome.summary);
    output.json(&json!({
        "v": 1, "type": "run", "seed": seed, "ok": exit == Exit::Done, "exit": exit.code(), "summary": summary,
    }));
    match outcome {
        Some(outcome) => output.text(&report::line(seed, outcome)),
        None => output.text(&format!("{seed:>6}  could not be run, or panicked\n")),
    }
    if exit != Exit::Done {
        let replay = which.replay(seed);
        say(&outcome.map_or_else(
            || format!("repeat it with: {replay}\n"),
            |outcome| report::failure(outcome, &replay),
        ));
    }
    exit
}
