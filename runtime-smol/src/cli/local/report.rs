//! What came of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use super::ledger::Tally;
use super::topology::Topology;
use crate::cli::error::{Exit, Failure};

/// Nodes named in a failure.
const NAMED_MAX: usize = 5;

/// The figures of a run.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) nodes: usize,
    pub(super) live: BTreeSet<usize>,
    pub(super) killed: usize,
    pub(super) topology: Topology,
    pub(super) active_capacity: usize,
    pub(super) tally: Tally,
    /// Nodes that miss something they are owed, with how much.
    pub(super) lacking: BTreeMap<usize, usize>,
    pub(super) duplicates: u64,
    pub(super) forged: u64,
    pub(super) refused: u64,
    pub(super) latencies: Option<[Duration; 3]>,
    pub(super) heads_converged: bool,
    pub(super) forming: Option<Duration>,
    pub(super) healing: Option<Duration>,
    pub(super) handshakes: u64,
    pub(super) redundant: u64,
    pub(super) took: Duration,
}

impl Report {
    /// Why the run counts as failed, if it does.
    pub(super) fn failure(&self) -> Option<Failure> {
        let failure = |code, what| Some(Failure::new(Exit::Failed, code, what));
        if self.tally.missing > 0 {
            let named =
                self.lacking.iter().take(NAMED_MAX).map(|(node, count)| format!("node {node} lacks {count}"));
            let named = named.collect::<Vec<_>>().join(", ");
            let more = if self.lacking.len() > NAMED_MAX { ", .." } else { "" };
            let what = format!("{} deliveries are missing: {named}{more}", self.tally.missing);
            return failure("not-delivered", what);
        }
        if self.forged + self.refused > 0 {
            let what =
                format!("{} deliveries of what nobody sent, {} commands refused", self.forged, self.refused);
            return failure("not-clean", what);
        }
        None
    }

    /// Delivered of expected, in millionths.
    fn reliability(&self) -> f64 {
        if self.tally.expected == 0 {
            return 1.0;
        }
        let millionths = self.tally.delivered.saturating_mul(1_000_000) / self.tally.expected;
        f64::from(u32::try_from(millionths).unwrap_or(u32::MAX)) / 1_000_000.0
    }

    /// The summary of the last JSON line.
    pub(super) fn to_json(&self) -> Value {
        let (active_min, active_max) = self.topology.view_sizes();
        let delivery =
            self.latencies.map(|[p50, p99, max]| json!({"p50": ms(p50), "p99": ms(p99), "max": ms(max)}));
        json!({
            "nodes": self.nodes,
            "live": self.live.len(),
            "killed": self.killed,
            "components": self.topology.components(),
            "asymmetric_links": self.topology.asymmetric_links(),
            "active_min": active_min,
            "active_max": active_max,
            "active_capacity": self.active_capacity,
            "reliability": self.reliability(),
            "delivered": self.tally.delivered,
            "expected": self.tally.expected,
            "missing": self.tally.missing,
            "duplicates": self.duplicates,
            "redundant": self.redundant,
            "heads_converged": self.heads_converged,
            "forming_ms": self.forming.map(ms),
            "healing_ms": self.healing.map(ms),
            "delivery_ms": delivery,
            "handshakes": self.handshakes,
            "took_ms": ms(self.took),
        })
    }

    /// The report for people.
    pub(super) fn lines(&self) -> Vec<String> {
        let (active_min, active_max) = self.topology.view_sizes();
        let time = |time: Option<Duration>| {
            time.map_or_else(|| "not in time".to_owned(), |time| format!("{:.1} s", time.as_secs_f64()))
        };
        let mut lines = vec![
            format!("nodes       {}, {} of them killed, {} live", self.nodes, self.killed, self.live.len()),
            format!("formed      {}", time(self.forming)),
        ];
        if self.killed > 0 {
            lines.push(format!("healed      {}", time(self.healing)));
        }
        lines.push(format!(
            "overlay     {} components, {} asymmetric links, views of {active_min} to {active_max} (at most {})",
            self.topology.components(),
            self.topology.asymmetric_links(),
            self.active_capacity,
        ));
        lines.push(format!(
            "heads       {}",
            if self.heads_converged { "every node has those of all others" } else { "not everywhere" }
        ));
        lines.push(format!(
            "delivered   {} of {} (reliability {:.6}), {} twice",
            self.tally.delivered,
            self.tally.expected,
            self.reliability(),
            self.duplicates,
        ));
        if let Some([p50, p99, max]) = self.latencies {
            lines.push(format!("delivery    p50 {} ms, p99 {} ms, max {} ms", ms(p50), ms(p99), ms(max)));
        }
        lines.push(format!("handshakes  {}", self.handshakes));
        if self.failure().is_none() {
            lines.push("ok          every live node has everything it is owed".to_owned());
        }
        lines
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
