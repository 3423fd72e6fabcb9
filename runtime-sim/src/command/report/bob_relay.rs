//! The figures of file transfers through a relay of Bob's.

use super::{Row, count};
use pleach_sim::bob::Summary;

/// All figures.
pub(super) fn rows(summary: &Summary) -> Vec<Row> {
    [people_rows(summary), relay_rows(summary), check_rows(summary)].concat()
}

/// The main figures, on one line.
pub(super) fn line(summary: &Summary) -> String {
    format!(
        "complete {:>3} of {:<3} undisturbed {:>3}  stopped {:>3}  squatted {:>2}  rooms {:>3}  wrong {:>5}  \
         slowest {:>6} ms  {}",
        summary.transfers_complete,
        summary.pairs,
        summary.undisturbed,
        summary.crashed + summary.frozen,
        summary.squatted,
        summary.rooms,
        summary.wrong_password,
        summary.complete_ms.max,
        summary.digest,
    )
}

fn people_rows(summary: &Summary) -> Vec<Row> {
    vec![
        (
            "pairs",
            format!(
                "{}, of which {} undisturbed ({} of them failed)",
                summary.pairs, summary.undisturbed, summary.undisturbed_failed
            ),
        ),
        (
            "transfers",
            format!(
                "{} complete, {} failed ({} of them kept, but not confirmed)",
                summary.transfers_complete, summary.transfers_failed, summary.unconfirmed
            ),
        ),
        (
            "  from when both had come",
            format!("p50 {} ms, slowest {} ms", summary.complete_ms.p50, summary.complete_ms.max),
        ),
        ("stopped", format!("{} crashed, {} frozen", summary.crashed, summary.frozen)),
        ("wrong passwords", summary.wrong_password.to_string()),
        ("offers refused", summary.refused.to_string()),
        ("hostile", format!("{}, {} of them heard", summary.hostile, summary.hostile_heard)),
        ("rooms with a stranger", summary.squatted.to_string()),
    ]
}

fn relay_rows(summary: &Summary) -> Vec<Row> {
    let of = |name: &str| summary.relay.get(name).copied().unwrap_or_default();
    let dropped = summary.relay.iter().filter(|(name, _)| name.starts_with("dropped_"));
    let dropped: u64 = dropped.map(|(_, count)| count).sum();
    vec![
        ("registered", of("registered").to_string()),
        ("packets", format!("{} forwarded, {dropped} dropped", of("forwarded"))),
        (
            "links",
            format!("{} opened, {} refused, {} malformed", of("opened"), of("refused"), of("malformed")),
        ),
        (
            "guesses",
            format!(
                "{} failed, {} delayed, {} cut off",
                of("guesses_failed"),
                of("guesses_delayed"),
                of("guesses_cut")
            ),
        ),
        ("rooms", format!("{}, {} bytes copied", summary.rooms, summary.bytes)),
    ]
}

fn check_rows(summary: &Summary) -> Vec<Row> {
    let checked = &summary.checked;
    vec![
        (
            "checked",
            format!(
                "{} packets, {} uids, {} waits, {} people, {} tables",
                checked.packets, checked.uids, checked.waits, checked.people, checked.tables
            ),
        ),
        (
            "  for secrets",
            format!(
                "{} bytes for {} secrets, {} of them keys",
                checked.searched_bytes, checked.secrets, checked.keys
            ),
        ),
        ("events", summary.events.to_string()),
        ("events per second", count(summary.events_per_second)),
        ("digest", summary.digest.clone()),
    ]
}
