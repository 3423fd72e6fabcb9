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
use pleach_smol::store::Store;
use pleach_smol::{Options, Runtime};
use rand_core::UnwrapErr;
use serde::{Deserialize, Serialize};
use smol::{Executor, Task};

use super::error::{Exit, Failure};
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
    let (handle, runtime) = Runtime::new(node, store, options)
        .map_err(|error| Failure::new(Exit::Local, "no-entropy", format!("no entropy: {error}")))?;
    Ok((handle, executor.spawn(runtime.run())))
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
pub(crate) struct HeadRow {
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
pub(crate) fn heads(node: &Node) -> Vec<HeadRow> {
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

/// The gauges and counters of `node`, over all topics.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    /// Peers in the active views.
    pub(crate) active: usize,
    /// Peers in the passive views.
    pub(crate) passive: usize,
    /// Rows of the HEAD table.
    pub(crate) heads: usize,
    /// Every counter, with the machine that keeps it.
    pub(crate) counters: Vec<(&'static str, &'static str, u64)>,
}

/// The figures of `node`.
pub(crate) fn figures(node: &Node) -> Figures {
    let mut figures = Figures {
        heads: node.heads().count(),
        counters: node.totals().iter().collect(),
        ..Figures::default()
    };
    for topic in node.topics() {
        if let Some(overlay) = node.overlay_of(topic) {
            figures.active += overlay.active().count();
            figures.passive += overlay.passive().count();
        }
    }
    figures
}
