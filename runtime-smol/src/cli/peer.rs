//! The node of the mesh as the command runs it: making one, starting it, and looking at it. Nothing else in the command
//! knows its inside.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use getrandom::SysRng;
use pleach_core::At;
use pleach_core::WallTime;
use pleach_core::identity::{Keypair, PeerId};
pub(crate) use pleach_core::mesh::Node;
use pleach_core::mesh::{Command, Config, Event, Snapshot};
use pleach_core::overlay::Overlay;
use pleach_smol::Options;
use pleach_smol::store::Store;
use rand_core::UnwrapErr;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use smol::{Executor, Task};

use super::error::{Exit, Failure};
use super::feed;
use super::metrics::{Observed, Page};
use super::output::{escape, hex, rfc3339};

/// The handle of a running node.
pub(crate) type Handle = pleach_smol::Handle<Node>;

/// The rules of a network.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Preset {
    /// Signed payloads, establishment, HEADs, open to everybody.
    #[default]
    Native,
    /// Solcial's: no signatures of ours, no HEADs; payloads and peers are judged by the application.
    Solcial,
}

/// The configuration of a node under `preset`, in this network or in the preset's.
pub(crate) fn config(preset: Preset, network: Option<&str>) -> Config {
    let base = match preset {
        Preset::Native => Config::native(),
        Preset::Solcial => Config::solcial(),
    };
    // The topics are the user's to name.
    Config { network: network.unwrap_or(&base.network).to_owned(), topics: Vec::new(), ..base }
}

/// Makes a node and runs it on `executor`. The task ends when the node has.
pub(crate) fn start(
    config: Config,
    identity: Keypair,
    store: Arc<dyn Store>,
    options: Options,
    executor: &Executor<'static>,
) -> Result<(Handle, Task<()>), Failure> {
    let snapshot = Snapshot { records: store.all()? };
    let at = At { wall: WallTime::of_system(), ..At::default() };
    let node = Node::new(config, identity, &snapshot, at, &mut UnwrapErr(SysRng))
        .map_err(|error| Failure::new(Exit::Config, "node-config", error.to_string()))?;
    feed::launch(node, store, options, executor)
}

/// The answer to what the node asks the application under the `solcial` preset: everything and everybody is welcome.
pub(crate) fn welcome(event: &Event) -> Option<Command> {
    match event {
        Event::Validate { topic, id, .. } => Some(Command::Verdict {
            topic: topic.clone(),
            id: *id,
            verdict: pleach_core::broadcast::Verdict::Accept,
        }),
        Event::Registration { peer } => Some(Command::Registered { peer: *peer, registered: true }),
        _ => None,
    }
}

/// What can be seen of a node in one topic.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observation {
    /// Its neighbours.
    pub(crate) active: Vec<PeerId>,
    /// How many it may have.
    pub(crate) active_capacity: usize,
    /// Nodes whose HEAD it has, its own left out.
    pub(crate) heads: Vec<PeerId>,
    /// Handshakes that it completed.
    pub(crate) handshakes: u64,
    /// Payloads that arrived though they were known.
    pub(crate) redundant: u64,
}

/// Looks at `node`.
pub(crate) fn observe(node: &Node, topic: &str) -> Observation {
    Observation {
        active: node.neighbors(topic).collect(),
        active_capacity: node.overlay_of(topic).map_or(0, Overlay::active_capacity),
        heads: node.heads().map(|row| row.head.fields().peer).filter(|peer| *peer != node.id()).collect(),
        handshakes: node.stats().handshakes,
        redundant: node.broadcast_of(topic).map_or(0, |broadcast| broadcast.stats().duplicates),
    }
}

/// One row of the HEAD table, as it is shown.
#[derive(Clone, Debug, Serialize)]
struct HeadRow {
    peer: String,
    node_id: u32,
    height: u64,
    tip_hex: String,
    software: String,
    version: String,
    issued: String,
    free_member_rooms: u16,
    free_mirror_rooms: u16,
    /// Its distance when it came; nobody signs it.
    step: u32,
}

/// The HEAD table of `node`, its own included.
fn heads(node: &Node) -> Vec<HeadRow> {
    let rows = node.heads().map(|row| {
        let fields = row.head.fields();
        let issued = Duration::from_millis(fields.issued.unix_ms());
        HeadRow {
            peer: fields.peer.to_string(),
            node_id: fields.node,
            height: fields.height,
            tip_hex: hex(&fields.tip),
            software: escape(fields.software.as_bytes()),
            version: escape(fields.version.as_bytes()),
            issued: rfc3339(SystemTime::UNIX_EPOCH + issued),
            free_member_rooms: fields.free_member_rooms,
            free_mirror_rooms: fields.free_mirror_rooms,
            step: row.step,
        }
    });
    rows.collect()
}

/// The gauges and counters of a node, over all topics.
#[derive(Clone, Debug, Default)]
struct Figures {
    /// Peers in the active views.
    active: usize,
    /// Peers in the passive views.
    passive: usize,
    /// Rows of the HEAD table.
    heads: usize,
    /// Every counter, with the machine that keeps it.
    counters: Vec<(&'static str, &'static str, u64)>,
}

impl Figures {
    fn of(node: &Node) -> Self {
        let mut figures =
            Self { heads: node.heads().count(), counters: node.totals().iter().collect(), ..Self::default() };
        for topic in node.topics() {
            if let Some(overlay) = node.overlay_of(topic) {
                figures.active += overlay.active().count();
                figures.passive += overlay.passive().count();
            }
        }
        figures
    }

    fn add_to(&self, page: &mut Page) {
        for (view, peers) in [("active", self.active), ("passive", self.passive)] {
            page.gauge("pleach_overlay_peers", "Peers in the views.", Some(("view", view)), peers);
        }
        page.gauge("pleach_heads", "Nodes whose HEAD is known, our own included.", None, self.heads);
        for (machine, name, value) in &self.counters {
            add_counter(page, machine, name, *value);
        }
    }
}

/// A counter of a machine: under the name that operators know where there is one.
fn add_counter(page: &mut Page, machine: &str, name: &str, value: u64) {
    let mut handshakes = |result| {
        let help = "Handshakes, by what came of them.";
        page.counter("pleach_handshakes_total", help, Some(("result", result)), value);
    };
    match (machine, name) {
        ("mesh", "handshakes") => handshakes("done"),
        ("mesh", "handshakes_timed_out") => handshakes("timed-out"),
        ("broadcast", "duplicates") => {
            let help = "Payloads that arrived though they were known.";
            page.counter("pleach_broadcast_redundant_total", help, None, value);
        }
        _ if name.contains("shed") || name.ends_with("limited") => {
            page.shed(&format!("{machine}.{name}"), value)
        }
        _ => page.counter_of(machine, name, value),
    }
}

impl Observed for Node {
    const NET: &'static str = "mesh";
    const PAGES: &'static [&'static str] = &["/v1/heads"];

    fn measure(&self, page: &mut Page) {
        Figures::of(self).add_to(page);
    }

    fn page(&self, _path: &str) -> Value {
        json!({"v": 1, "heads": heads(self)})
    }
}

#[cfg(test)]
mod tests {
    use super::super::metrics::tests::checked;
    use super::*;

    #[test]
    fn counters_have_the_names_that_operators_know() {
        let counters = vec![
            ("mesh", "handshakes", 3),
            ("broadcast", "delivered", 2),
            ("broadcast", "duplicates", 1),
            ("mesh", "frames_shed", 4),
            ("overlay", "stale", 5),
        ];
        let figures = Figures { active: 3, passive: 4, heads: 6, counters };
        let text = checked("mesh", |page| figures.add_to(page));
        for expected in [
            "pleach_shed_total{net=\"mesh\",limit=\"mesh.frames_shed\"} 4",
            "pleach_overlay_peers{net=\"mesh\",view=\"active\"} 3",
            "pleach_broadcast_delivered_total{net=\"mesh\"} 2",
            "pleach_overlay_stale_total{net=\"mesh\"} 5",
            "pleach_broadcast_redundant_total{net=\"mesh\"} 1",
        ] {
            assert!(text.lines().any(|line| line == expected), "{expected} is missing in\n{text}");
        }
    }
}
