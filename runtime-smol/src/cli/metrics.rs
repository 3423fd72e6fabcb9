//! `/metrics`: the text format of Prometheus, written from snapshots.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use pleach_smol::LinkMachine;
use pleach_smol::driver::{Stats, View};
use serde_json::Value;

/// A machine that the admin pages can show.
pub(crate) trait Observed: LinkMachine {
    /// The label `net` of its metrics.
    const NET: &'static str;
    /// Paths of the pages that only this machine has.
    const PAGES: &'static [&'static str];

    /// Adds its gauges and counters.
    fn measure(&self, page: &mut Page);

    /// The page at one of [`Observed::PAGES`].
    fn page(&self, path: &str) -> Value;
}

/// One metric: its type, what it says, and its values by labels.
struct Family {
    kind: &'static str,
    help: String,
    samples: Vec<(String, u64)>,
}

/// Metrics by name.
pub(crate) struct Page {
    net: &'static str,
    families: BTreeMap<String, Family>,
}

/// The metrics of a running machine.
pub(crate) fn render<N: Observed>(view: &View<'_, N>) -> String {
    let mut page = Page::new(N::NET);
    let build = format!("version=\"{}\",commit=\"{}\"", env!("CARGO_PKG_VERSION"), env!("PLEACH_COMMIT"));
    page.add("pleach_build_info", "gauge", "The version that runs.", &build, 1);
    page.driver(&view.stats);
    page.gauge("pleach_queue_bytes", "Bytes that wait for slow peers.", None, view.queued_bytes);
    for (direction, links) in [("out", view.links_dialled), ("in", view.links_accepted)] {
        page.gauge("pleach_links", "Links that are open.", Some(("direction", direction)), links);
    }
    view.machine.measure(&mut page);
    page.text()
}

/// A label beside `net`, with its value.
type Label<'a> = Option<(&'a str, &'a str)>;

impl Page {
    const fn new(net: &'static str) -> Self {
        Self { net, families: BTreeMap::new() }
    }

    fn add(&mut self, name: &str, kind: &'static str, help: &str, labels: &str, value: u64) {
        let fresh = || Family { kind, help: help.to_owned(), samples: Vec::new() };
        self.families.entry(name.to_owned()).or_insert_with(fresh).samples.push((labels.to_owned(), value));
    }

    fn labels(&self, label: Label<'_>) -> String {
        let net = self.net;
        label.map_or_else(
            || format!("net=\"{net}\""),
            |(name, value)| format!("net=\"{net}\",{name}=\"{value}\""),
        )
    }

    /// What is there now.
    pub(crate) fn gauge(&mut self, name: &str, help: &str, label: Label<'_>, value: usize) {
        let labels = self.labels(label);
        self.add(name, "gauge", help, &labels, u64::try_from(value).unwrap_or(u64::MAX));
    }

    /// What has happened so far.
    pub(crate) fn counter(&mut self, name: &str, help: &str, label: Label<'_>, value: u64) {
        let labels = self.labels(label);
        self.add(name, "counter", help, &labels, value);
    }

    /// A counter that has no name of its own among the metrics.
    pub(crate) fn counter_of(&mut self, machine: &str, name: &str, value: u64) {
        let help = format!("The counter {name} of the machine {machine}.");
        self.counter(&format!("pleach_{machine}_{name}_total"), &help, None, value);
    }

    /// What a limit has cost somebody.
    pub(crate) fn shed(&mut self, limit: &str, value: u64) {
        let help = "What was refused, dropped or closed, by the limit that asked for it.";
        self.counter("pleach_shed_total", help, Some(("limit", limit)), value);
    }

    fn driver(&mut self, stats: &Stats) {
        for (direction, value) in [("out", stats.links_dialled), ("in", stats.links_accepted)] {
            let label = Some(("direction", direction));
            self.counter("pleach_links_opened_total", "Links that were opened.", label, value);
        }
        self.counter("pleach_links_closed_total", "Links that were closed.", None, stats.links_closed);
        for (result, value) in [("opened", stats.links_dialled), ("failed", stats.dials_failed)] {
            let label = Some(("result", result));
            self.counter("pleach_dial_attempts_total", "Dials, by what came of them.", label, value);
        }
        self.counter("pleach_received_bytes_total", "Bytes read from peers.", None, stats.received_bytes);
        self.counter("pleach_sent_bytes_total", "Bytes written to peers.", None, stats.sent_bytes);
        self.shed("queued_bytes_max", stats.queue_exceeded);
        self.shed("flush_timeout", stats.flush_expired);
        self.shed("descriptors", stats.accept_paused.saturating_add(stats.descriptors_exhausted));
        self.shed("questions_max", stats.questions_refused);
        self.shed("events_max", stats.reading_held);
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
pub(crate) mod tests {
    use super::*;

    /// What `measure` and the driver add, after checking that every metric has help, type and a fitting name.
    pub(crate) fn checked(net: &'static str, measure: impl FnOnce(&mut Page)) -> String {
        let mut page = Page::new(net);
        page.driver(&Stats::default());
        measure(&mut page);
        let text = page.text();
        for sample in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, _) = sample.split_once('{').unwrap();
            assert_eq!(text.matches(&format!("# HELP {name} ")).count(), 1, "{name}");
            let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
            assert_eq!(text.matches(&format!("# TYPE {name} {kind}\n")).count(), 1, "{name}");
            assert!(sample.contains(&format!("{{net=\"{net}\"")), "{sample}");
        }
        text
    }

    #[test]
    fn what_a_limit_sheds_is_one_metric_whatever_the_limit() {
        let text = checked("test", |page| page.shed("doors_max", 4));
        assert!(text.contains("\npleach_shed_total{net=\"test\",limit=\"doors_max\"} 4\n"), "{text}");
        assert!(text.contains("\npleach_shed_total{net=\"test\",limit=\"queued_bytes_max\"} 0\n"), "{text}");
    }
}
