//! One run.

use std::io::IsTerminal;
use std::panic::{AssertUnwindSafe, catch_unwind};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use super::exit::Exit;
use super::output::{Output, error, say};
use super::{Progress, Which, report};
use pleach_sim::run::{self, Outcome, Stage};
use pleach_sim::scenario::Scenario;

/// Runs and reports.
pub(super) fn run(which: &Which, scenario: &Scenario, seed: u64, progress: Progress) -> Exit {
    let mut output = Output::new(which.json);
    let options = json!(scenario);
    output.json(&json!({
        "v": 1, "type": "start", "command": "run", "scenario": which.name, "seed": seed, "options": options,
    }));
    if !which.json {
        say(&report::header(&which.name, scenario, seed));
    }
    let mut meter = Meter::new(progress);
    let result = catch_unwind(AssertUnwindSafe(|| run::run(scenario, seed, &mut |now| meter.show(now))));
    meter.finish();
    let outcome = match result {
        Ok(outcome) => outcome,
        Err(_) => {
            let hint = format!("repeat it with: {}", which.replay(seed));
            return error(
                which.json,
                Exit::Panic,
                "panic",
                &format!("a machine panicked with seed {seed}"),
                &hint,
            );
        }
    };
    let (kind, details) = report::details(&outcome);
    for mut line in details {
        if let Value::Object(members) = &mut line {
            members.insert("v".into(), json!(1));
            members.insert("type".into(), json!(kind));
        }
        output.json(&line);
    }
    let exit = judge(&outcome);
    output.text(&report::table(&outcome));
    output.json(&end(&outcome, exit, &which.replay(seed)));
    if exit != Exit::Done {
        say(&report::failure(&outcome, &which.replay(seed)));
    }
    exit
}

/// What the exit code says of a run.
pub(super) const fn judge(outcome: &Outcome) -> Exit {
    if !outcome.broken.is_empty() {
        Exit::Safety
    } else if !outcome.missed.is_empty() {
        Exit::Liveness
    } else {
        Exit::Done
    }
}

/// The last JSON line.
fn end(outcome: &Outcome, exit: Exit, replay: &str) -> Value {
    let mut line = json!({
        "v": 1, "type": "end", "ok": exit == Exit::Done, "exit": exit.code(), "summary": outcome.summary,
    });
    if let (true, Value::Object(members)) = (exit != Exit::Done, &mut line) {
        let code = if exit == Exit::Safety { "safety" } else { "expectation" };
        let message = report::reasons(outcome).join("; ");
        members.insert("error".into(), json!({ "code": code, "message": message, "hint": replay }));
    }
    line
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
        let bar = match progress {
            Progress::Auto if std::io::stderr().is_terminal() => ProgressBar::new(0),
            Progress::Always => ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr()),
            Progress::Auto | Progress::Never | Progress::Lines => ProgressBar::hidden(),
        };
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {percent:>3}% {msg} ({elapsed})") {
            bar.set_style(style);
        }
        Self { bar, lines: progress == Progress::Lines, tenths: 0, length: 0 }
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
