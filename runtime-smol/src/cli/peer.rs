//! The node of the mesh as the command runs it: making one, starting it, and looking at it. Nothing else in the command
//! knows its inside.

use std::sync::Arc;

use getrandom::SysRng;
use pleach_core::At;
use pleach_core::WallTime;
use pleach_core::identity::{Keypair, PeerId};
use pleach_core::mesh::{Command, Config, Event, Registration, Snapshot, Validation};
use pleach_smol::store::Store;
use pleach_smol::{Options, Runtime};
use rand_core::UnwrapErr;
use serde::{Deserialize, Serialize};
use smol::{Executor, Task};

use super::error::{Exit, Failure};
pub(crate) use super::stand_in::Node;

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

/// The configuration of a node under `preset`.
pub(crate) fn config(preset: Preset, network: &str) -> Config {
    let native = preset == Preset::Native;
    Config {
        network: network.to_owned(),
        node_id: 0,
        listen: Vec::new(),
        bootstrap: Vec::new(),
        establishment: native,
        heads: native,
        validation: if native { Validation::Signed } else { Validation::Application },
        registration: if native { Registration::Open } else { Registration::Query },
        network_size: 10_000,
    }
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
    let node = Node::new(config, identity, snapshot, at, &mut UnwrapErr(SysRng))
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
        active: node.neighbours(topic).collect(),
        active_capacity: node.active_capacity(topic),
        heads: node.heads().map(|head| head.peer).collect(),
        handshakes: node.stats().find(|(name, _)| *name == "handshakes").map_or(0, |(_, value)| value),
        redundant: node.stats().find(|(name, _)| *name == "duplicates").map_or(0, |(_, value)| value),
    }
}

/// One row of the HEAD table, as it is shown.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct HeadRow {
    peer: String,
    node_id: u32,
    height: u64,
    step: u8,
}

/// The HEAD table of `node`.
pub(crate) fn heads(node: &Node) -> Vec<HeadRow> {
    node.heads()
        .map(|head| HeadRow {
            peer: head.peer.to_string(),
            node_id: head.node,
            height: head.height,
            step: head.step,
        })
        .collect()
}

/// The gauges and counters of `node`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    /// Links by direction: dialled, accepted.
    pub(crate) links: [usize; 2],
    /// Overlay peers: active, passive.
    pub(crate) peers: [usize; 2],
    /// Every counter by its name.
    pub(crate) counters: Vec<(&'static str, u64)>,
}

/// The figures of `node`, over all topics.
pub(crate) fn figures(node: &Node) -> Figures {
    Figures { links: node.links(), peers: node.peers(), counters: node.stats().collect() }
}
