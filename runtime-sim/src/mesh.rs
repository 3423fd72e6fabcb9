//! Nodes of the mesh for the wire fidelity: whole [`Node`]s, native preset, every one with a key of its own.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use pleach_core::broadcast::Scope;
use pleach_core::identity::{Keypair, PeerId};
use pleach_core::link::Address;
use pleach_core::mesh::{Command, Config, Event, Node, Snapshot};
use pleach_core::{Instant, WallTime};
use rand_core::Rng;

use crate::clock;
use crate::record::Cost;
use crate::rng::{Domain, stream};
use crate::wire::{Figures, Observed, Plug};

/// The topic of the run.
const TOPIC: &str = "/pleach/main";
/// How long a HEAD may be under way to everybody: some dozen hops, each with a delay and the wait for others that share
/// its frame.
const SPREAD: Duration = Duration::from_secs(10);

/// Builds and reads nodes of the mesh.
#[derive(Debug)]
pub struct Mesh {
    network_size: u64,
    ids: Vec<PeerId>,
    numbers: BTreeMap<PeerId, u32>,
    listening: BTreeMap<SocketAddr, PeerId>,
}

impl Mesh {
    /// For a network of about so many nodes.
    #[must_use]
    pub const fn new(network_size: u64) -> Self {
        Self { network_size, ids: Vec::new(), numbers: BTreeMap::new(), listening: BTreeMap::new() }
    }
}

impl Plug for Mesh {
    type Command = Command;
    type Event = Event;
    type Question = Infallible;
    type Answer = Infallible;
    type Node = Node;

    #[allow(clippy::expect_used)] // The configuration is the preset: it is valid.
    fn build(&mut self, seed: u64, number: u32, listen: SocketAddr, contacts: &[SocketAddr]) -> Node {
        let mut rng = stream(seed, Domain::Topology, number.wrapping_add(1));
        let mut key = [0; 32];
        rng.fill_bytes(&mut key);
        let identity = Keypair::from_seed(&key);
        let id = identity.peer_id();
        let contact =
            |contact: &SocketAddr| (Address::Socket(*contact), self.listening.get(contact).copied());
        let config = Config {
            listen: vec![Address::Socket(listen)],
            bootstrap: contacts.iter().map(contact).collect(),
            network_size: self.network_size,
            ..Config::native()
        };
        self.ids.push(id);
        self.numbers.insert(id, number);
        self.listening.insert(listen, id);
        let start = clock::at(Instant::ORIGIN, 0);
        Node::new(config, identity, &Snapshot::default(), start, &mut rng).expect("the preset is valid")
    }

    fn start(&self) -> Vec<Command> {
        vec![Command::Subscribe { token: 0, topic: TOPIC.to_owned() }]
    }

    fn publish(&self, payload: Bytes) -> Command {
        Command::Publish { token: 0, topic: TOPIC.to_owned(), payload, scope: Scope::Swarm }
    }

    fn leave(&self) -> Command {
        Command::Shutdown
    }

    fn observe(&self, event: Event) -> Observed {
        match event {
            Event::Message { hop, payload, .. } => Observed::Delivered { hop, payload },
            Event::Banned { .. } => Observed::Banned,
            Event::Listening { .. }
            | Event::ListenFailed { .. }
            | Event::Done { .. }
            | Event::Validate { .. }
            | Event::Registration { .. }
            | Event::Admission { .. }
            | Event::PeerUp { .. }
            | Event::PeerDown { .. }
            | Event::NeighborUp { .. }
            | Event::NeighborDown { .. }
            | Event::Head { .. }
            | Event::Stopped => Observed::Nothing,
        }
    }

    fn answer(&mut self, _node: u32, question: Infallible) -> Option<Infallible> {
        match question {}
    }

    fn neighbours(&self, node: &Node) -> Vec<u32> {
        node.neighbors(TOPIC).filter_map(|peer| self.numbers.get(&peer).copied()).collect()
    }

    fn figures(&self, node: &Node) -> Figures {
        let stats = node.stats();
        Figures {
            // A node that stops forgets the topic itself, not what was counted there.
            payloads_received: node.totals().broadcast.payloads_received,
            payloads: Cost { messages: stats.payloads_sent, bytes: stats.payload_bytes_sent },
            control: Cost { messages: stats.control_sent, bytes: stats.control_bytes_sent },
            handshakes: stats.handshakes,
            // A node counts the handshake of a link before it can count the link as established. One whose link comes to
            // nothing makes up for a link without one: there may be more.
            unprotected: stats.links_established.saturating_sub(stats.handshakes),
            lost: stats.lost,
        }
    }

    fn capacity(&self, node: &Node) -> (usize, usize) {
        let capacity = node.overlay_of(TOPIC).map(|overlay| overlay.capacity());
        capacity.map_or((0, 0), |capacity| (capacity.starved, capacity.active))
    }

    fn heads_converged(&self, nodes: &[&Node], now: Instant) -> Option<bool> {
        let own = nodes.iter().map(|node| known(node).find(|(of, _)| *of == node.id()));
        let own: Option<BTreeMap<_, _>> = own.collect();
        let now = clock::at(now, 0).wall;
        Some(own.is_some_and(|own| nodes.iter().all(|node| is_current(&known(node).collect(), &own, now))))
    }
}

/// Of two HEADs of a node the one with the greater height is newer, or that which was issued later.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Version {
    height: u64,
    issued: WallTime,
}

/// Of which nodes this one has HEADs, itself included.
fn known(node: &Node) -> impl Iterator<Item = (PeerId, Version)> {
    node.heads().map(|row| {
        let fields = row.head.fields();
        (fields.peer, Version { height: fields.height, issued: fields.issued })
    })
}

/// Whether a node that knows so much has the `own` HEAD of every node. One that is younger than [`SPREAD`] need not have
/// come: then an older one will do.
fn is_current<K: Ord>(known: &BTreeMap<K, Version>, own: &BTreeMap<K, Version>, now: WallTime) -> bool {
    own.iter().all(|(node, newest)| {
        known.get(node).is_some_and(|known| known >= newest || now.since(newest.issued) < SPREAD)
    })
}

#[cfg(test)]
mod tests;
