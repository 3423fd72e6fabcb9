//! Nodes of the mesh for the wire fidelity: whole [`Node`]s, native preset, every one with a key of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use pleach_core::broadcast::Scope;
use pleach_core::identity::{Keypair, PeerId};
use pleach_core::link::Address;
use pleach_core::mesh::{Command, Config, Event, Node, Snapshot};
use rand_core::Rng;

use crate::clock;
use crate::record::Cost;
use crate::rng::{Domain, stream};
use crate::wire::{Figures, Observed, Plug};

/// The topic of the run.
const TOPIC: &str = "/pleach/main";

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
        let start = clock::at(pleach_core::Instant::ORIGIN, 0);
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
            // A node counts the handshake of a link before it can count the link as established.
            unprotected: stats.links_established.saturating_sub(stats.handshakes),
            lost: stats.lost,
        }
    }

    fn capacity(&self, node: &Node) -> (usize, usize) {
        let capacity = node.overlay_of(TOPIC).map(|overlay| overlay.capacity());
        capacity.map_or((0, 0), |capacity| (capacity.starved, capacity.active))
    }

    fn heads_converged(&self, nodes: &[&Node]) -> Option<bool> {
        let live: BTreeSet<PeerId> = nodes.iter().map(|node| node.id()).collect();
        let holds_all = |node: &&Node| {
            let known: BTreeSet<PeerId> = node.heads().map(|row| row.head.key().peer).collect();
            live.is_subset(&known)
        };
        Some(nodes.iter().all(holds_all))
    }
}

#[cfg(test)]
mod tests;
