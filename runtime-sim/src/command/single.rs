//! One run.

use std::io::IsTerminal;
use std::panic::{AssertUnwindSafe, catch_unwind};

use indicatif::{ProgressBar, ProgressStyle};

use super::exit::Exit;
use super::output::{Output, members, say};
use super::{Progress, Which, report, verdict};
use pleach_sim::run::{self, Stage};
use pleach_sim::scenario::Scenario;

/// Runs and reports.
pub(super) fn run(which: &Which, scenario: &Scenario, seed: u64, progress: Progress) -> Exit {
    let mut output = Output::new(which.json);
    output.json(
        "start",
        members! { "command": "run", "scenario": which.name, "seed": seed, "options": scenario },
    );
    if !which.json {
        say(&report::header(&which.name, scenario, seed));
    }
    let mut meter = Meter::new(progress);
    let result = catch_unwind(AssertUnwindSafe(|| run::run(scenario, seed, &mut |now| meter.show(now))));
    meter.finish();
    let outcome = result.ok();
    if let Some(outcome) = &outcome {
        let (kind, details) = report::details(outcome);
        details.into_iter().for_each(|line| output.json(kind, line));
        output.text(&report::table(outcome));
    }
    let outcome = outcome.as_ref();
    let failure = verdict::failure(outcome, which.replay(seed));
    output.json("end", verdict::members(outcome, failure.as_ref()));
    if let Some(failure) = failure {
        say(&report::failure(outcome, &failure.hint));
    } else if which.json && scenario.bounds() == 0 {
        say(verdict::UNJUDGED);
    }
    verdict::judge(outcome)
}

/// Shows how far the run is.
struct Meter {
    bar: ProgressBar,
    lines: bool,
    tenths: u64,
    length: u64,
}

impl Meter {
    fn new(progress: Progress) -> Self {
        let (has_bar, lines) = progress.form(std::io::stderr().is_terminal());
        let bar = if has_bar { ProgressBar::new(0) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {percent:>3}% {msg} ({elapsed})") {
            bar.set_style(style);
        }
        Self { bar, lines, tenths: 0, length: 0 }
    }

    fn show(&mut self, now: run::Progress) {
        if self.length != now.of_ms {
            self.length = now.of_ms;
            self.bar.set_length(now.of_ms);
        }
        self.bar.set_position(now.done_ms);
        if !self.bar.is_hidden() {
            self.bar.set_message(name(now.stage));
        }
        let tenths = now.done_ms * 10 / now.of_ms.max(1);
        if self.lines && tenths > self.tenths {
            self.tenths = tenths;
            say(&format!("{:>3}% {}\n", tenths * 10, name(now.stage)));
        }
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn name(stage: Stage) -> String {
    stage.to_string()
}
