//! What people read: the header, the table, a line for each run of a band.

mod bob_relay;
mod broadcast;

use serde::Serialize;
use serde_json::json;

use super::output::Members;
use pleach_sim::run::{Outcome, Summary};
use pleach_sim::scenario::Scenario;

/// What is about to run: everything that is needed to run it again.
pub(super) fn header(name: &str, scenario: &Scenario, seed: u64) -> String {
    let options = toml::to_string(scenario).unwrap_or_default();
    let options: Vec<_> =
        options.lines().filter(|line| !line.is_empty() && !line.starts_with("about")).collect();
    let version = env!("CARGO_PKG_VERSION");
    format!("pleach-sim {version}: {name}, seed {seed}\n{}\n{}\n", scenario.about(), options.join(", "))
}

/// Why a run failed. Without an outcome a machine has panicked.
pub(super) fn reasons(outcome: Option<&Outcome>) -> Vec<String> {
    let Some(outcome) = outcome else { return vec!["a machine panicked".to_owned()] };
    let missed = outcome.missed.iter().map(ToString::to_string);
    outcome.broken.iter().cloned().chain(missed).collect()
}

/// Why a run failed, and the line that repeats it.
pub(super) fn failure(outcome: Option<&Outcome>, replay: &str) -> String {
    let reasons: String = reasons(outcome).iter().map(|reason| format!("error: {reason}\n")).collect();
    format!("{reasons}  hint: repeat it with: {replay}\n")
}

/// All figures of a run.
pub(super) fn table(outcome: &Outcome) -> String {
    let rows = match &outcome.summary {
        Summary::Broadcast(summary) => broadcast::rows(summary),
        Summary::BobRelay(summary) => bob_relay::rows(summary),
    };
    let rows: Vec<_> = rows.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let text: String = rows.iter().map(|(name, value)| format!("{name:width$}  {value}\n")).collect();
    text + word(outcome, "as expected", "nothing was expected") + "\n"
}

/// What happened one by one in a run, as JSON lines: their type and their members.
pub(super) fn details(outcome: &Outcome) -> (&'static str, Vec<Members>) {
    match &outcome.summary {
        Summary::Broadcast(summary) => ("broadcast", summary.rounds.iter().map(members_of).collect()),
        Summary::BobRelay(summary) => ("transfer", summary.transfers.iter().map(members_of).collect()),
    }
}

#[allow(clippy::expect_used)] // A structure has members, whatever is in it.
fn members_of(structure: &impl Serialize) -> Members {
    serde_json::from_value(json!(structure)).expect("it is a structure")
}

/// The main figures of a run of a band.
pub(super) fn line(seed: u64, outcome: &Outcome) -> String {
    let word = word(outcome, "ok", "-");
    let figures = match &outcome.summary {
        Summary::Broadcast(summary) => broadcast::line(summary),
        Summary::BobRelay(summary) => bob_relay::line(summary),
    };
    format!("{seed:>6}  {word:6}  {figures}\n")
}

/// A run in a word or two; `unjudged` if the scenario expects nothing of such a run.
const fn word<'a>(outcome: &Outcome, good: &'a str, unjudged: &'a str) -> &'a str {
    match (outcome.is_good(), outcome.expectations) {
        (false, _) => "FAILED",
        (true, 0) => unjudged,
        (true, _) => good,
    }
}

/// A name and a figure; without the figure the row is left out.
type Row = (&'static str, String);

fn count(value: Option<u64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}
