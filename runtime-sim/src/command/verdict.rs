//! What is said of a run: its exit code, and why it failed.

use super::exit::Exit;
use super::output::{Failure, Members, members};
use super::report;
use pleach_sim::run::Outcome;

/// Said where a scenario has no bound for such a run: that it was as expected would promise too much.
pub(super) const UNJUDGED: &str =
    "note: nothing was expected: no bound of the scenario applies to such a run\n";

/// What the exit code says of a run. Without an outcome a machine has panicked.
pub(super) const fn judge(outcome: Option<&Outcome>) -> Exit {
    match outcome {
        None => Exit::Panic,
        Some(outcome) if !outcome.broken.is_empty() => Exit::Safety,
        Some(outcome) if !outcome.missed.is_empty() => Exit::Liveness,
        Some(_) => Exit::Done,
    }
}

/// Why a run failed, with the line that repeats it; none if it did not fail.
pub(super) fn failure(outcome: Option<&Outcome>, replay: String) -> Option<Failure> {
    let exit = judge(outcome);
    let code = match exit {
        Exit::Done => return None,
        Exit::Safety => "safety",
        Exit::Liveness => "expectation",
        Exit::Panic | Exit::Usage | Exit::Config => "panic",
    };
    Some(Failure { exit, code, message: report::reasons(outcome).join("; "), hint: replay })
}

/// The members of a run's line: how it ended, its figures, and why it failed if it did.
pub(super) fn members(outcome: Option<&Outcome>, failure: Option<&Failure>) -> Members {
    let exit = judge(outcome);
    let mut members = members! {
        "ok": exit == Exit::Done,
        "exit": exit.code(),
        "expectations": outcome.map(|outcome| outcome.expectations),
        "summary": outcome.map(|outcome| &outcome.summary),
    };
    if let Some(failure) = failure {
        members.extend(members! { "error": failure.error() });
    }
    members
}
