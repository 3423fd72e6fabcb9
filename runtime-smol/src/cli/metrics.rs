//! `/metrics`: the text format of Prometheus, written from snapshots.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use pleach_smol::driver::{Stats, View};

use super::peer::{self, Figures, Node};

/// One metric: its type, what it says, and its values by labels.
struct Family {
    kind: &'static str,
    help: String,
    samples: Vec<(String, u64)>,
}

/// Metrics by name.
#[derive(Default)]
struct Page {
    families: BTreeMap<String, Family>,
}

/// The metrics of a running node.
pub(crate) fn render(view: &View<'_, Node>) -> String {
    let mut page = Page::default();
    let build = format!("version=\"{}\",commit=\"{}\"", env!("CARGO_PKG_VERSION"), env!("PLEACH_COMMIT"));
    page.add("pleach_build_info", "gauge", "The version that runs.", &build, 1);
    page.driver(&view.stats);
    page.gauge("pleach_queue_bytes", "Bytes that wait for slow peers.", NET, view.queued_bytes);
    for (direction, links) in [("out", view.links_dialled), ("in", view.links_accepted)] {
        page.gauge("pleach_links", "Links that are open.", &labels("direction", direction), links);
    }
    page.node(&peer::figures(view.machine));
    page.text()
}

const NET: &str = "net=\"mesh\"";

fn labels(name: &str, value: &str) -> String {
    format!("{NET},{name}=\"{value}\"")
}

impl Page {
    fn add(&mut self, name: &str, kind: &'static str, help: &str, labels: &str, value: u64) {
        let fresh = || Family { kind, help: help.to_owned(), samples: Vec::new() };
        self.families.entry(name.to_owned()).or_insert_with(fresh).samples.push((labels.to_owned(), value));
    }

    fn shed(&mut self, limit: &str, value: u64) {
        let help = "What was refused, dropped or closed, by the limit that asked for it.";
        self.add("pleach_shed_total", "counter", help, &labels("limit", limit), value);
    }

    fn driver(&mut self, stats: &Stats) {
        for (direction, value) in [("out", stats.links_dialled), ("in", stats.links_accepted)] {
            let labels = labels("direction", direction);
            self.add("pleach_links_opened_total", "counter", "Links that were opened.", &labels, value);
        }
        self.add("pleach_links_closed_total", "counter", "Links that were closed.", NET, stats.links_closed);
        for (result, value) in [("opened", stats.links_dialled), ("failed", stats.dials_failed)] {
            let labels = labels("result", result);
            self.add("pleach_dial_attempts_total", "counter", "Dials, by what came of them.", &labels, value);
        }
        self.add(
            "pleach_received_bytes_total",
            "counter",
            "Bytes read from peers.",
            NET,
            stats.received_bytes,
        );
        self.add("pleach_sent_bytes_total", "counter", "Bytes written to peers.", NET, stats.sent_bytes);
        self.shed("queued_bytes_max", stats.queue_exceeded);
        self.shed("flush_timeout", stats.flush_expired);
        self.shed("descriptors", stats.accept_paused.saturating_add(stats.descriptors_exhausted));
        self.shed("questions_max", stats.questions_refused);
        self.shed("events_max", stats.reading_held);
    }

    fn gauge(&mut self, name: &str, help: &str, labels: &str, value: usize) {
        self.add(name, "gauge", help, labels, u64::try_from(value).unwrap_or(u64::MAX));
    }

    fn node(&mut self, figures: &Figures) {
        for (view, peers) in [("active", figures.active), ("passive", figures.passive)] {
            self.gauge("pleach_overlay_peers", "Peers in the views.", &labels("view", view), peers);
        }
        self.gauge("pleach_heads", "Nodes whose HEAD is known, our own included.", NET, figures.heads);
        for (machine, name, value) in &figures.counters {
            self.counter(machine, name, *value);
        }
    }

    /// A counter of a machine: under the name that operators know where there is one.
    fn counter(&mut self, machine: &str, name: &str, value: u64) {
        let handshakes = "Handshakes, by what came of them.";
        match (machine, name) {
            ("mesh", "handshakes") => {
                self.add("pleach_handshakes_total", "counter", handshakes, &labels("result", "done"), value);
            }
            ("mesh", "handshakes_timed_out") => {
                self.add(
                    "pleach_handshakes_total",
                    "counter",
                    handshakes,
                    &labels("result", "timed-out"),
                    value,
                );
            }
            ("broadcast", "duplicates") => {
                let help = "Payloads that arrived though they were known.";
                self.add("pleach_broadcast_redundant_total", "counter", help, NET, value);
            }
            _ if name.contains("shed") || name.ends_with("limited") => {
                self.shed(&format!("{machine}.{name}"), value);
            }
            _ => {
                let help = format!("The counter {name} of the machine {machine}.");
                self.add(&format!("pleach_{machine}_{name}_total"), "counter", &help, NET, value);
            }
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (name, Family { kind, help, samples }) in &self.families {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (labels, value) in samples {
                let _ = writeln!(text, "{name}{{{labels}}} {value}");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_help_type_and_a_fitting_name() {
        let mut page = Page::default();
        page.driver(&Stats::default());
        let counters = vec![
            ("mesh", "handshakes", 3),
            ("broadcast", "delivered", 2),
            ("broadcast", "duplicates", 1),
            ("mesh", "frames_shed", 4),
            ("overlay", "stale", 5),
        ];
        page.node(&Figures { active: 3, passive: 4, heads: 6, counters });
        let text = page.text();
        let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        for sample in &samples {
            let (name, _) = sample.split_once('{').unwrap();
            assert_eq!(text.matches(&format!("# HELP {name} ")).count(), 1, "{name}");
            let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
            assert_eq!(text.matches(&format!("# TYPE {name} {kind}\n")).count(), 1, "{name}");
        }
        for expected in [
            "pleach_shed_total{net=\"mesh\",limit=\"mesh.frames_shed\"} 4",
            "pleach_overlay_peers{net=\"mesh\",view=\"active\"} 3",
            "pleach_broadcast_delivered_total{net=\"mesh\"} 2",
            "pleach_overlay_stale_total{net=\"mesh\"} 5",
            "pleach_broadcast_redundant_total{net=\"mesh\"} 1",
        ] {
            assert!(samples.contains(&expected), "{expected} is missing in\n{text}");
        }
    }
}
