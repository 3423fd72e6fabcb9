//! The wire fidelity: whole nodes of the mesh that exchange the real bytes, with real cryptography.

use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use pleach_core::broadcast::Scope;
use pleach_core::identity::{Keypair, PeerId};
use pleach_core::link::Address;
use pleach_core::mesh::{Command, Config, Event, Node, Snapshot};
use pleach_core::Instant;
use rand_core::Rng;

use crate::clock;
use crate::graph::Graph;
use crate::latency::Latency;
use crate::net::{self, Net, Observer, Stop};
use crate::network::{Network, Tally};
use crate::record::{Cost, Record};
use crate::rng::{Domain, stream};
use crate::scenario::Scenario;

/// The topic of the run.
const TOPIC: &str = "/pleach/main";

/// A network of whole nodes in one topic.
#[derive(Debug)]
pub struct Wire {
    net: Net<Node>,
    ids: Vec<PeerId>,
    /// What each node had counted when it was last looked at: what the dead have counted stays.
    seen: Vec<Seen>,
    watcher: Watcher,
    network_size: u64,
    seed: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    received: u64,
    control: Cost,
    payloads: Cost,
    handshakes: u64,
    established: u64,
}

#[derive(Debug, Default)]
struct Watcher {
    record: Record,
    accused: u64,
    first_accusation: Option<String>,
}

impl Observer<Event, std::convert::Infallible, std::convert::Infallible> for Watcher {
    fn event(&mut self, at: Instant, node: u32, event: Event) {
        match event {
            Event::Message { hop, payload, .. } => self.record.delivered(at, node, hop, &payload),
            Event::Banned { peer, .. } => {
                self.accused += 1;
                let ms = at.as_micros() / 1000;
                self.first_accusation.get_or_insert_with(|| format!("node {node} bans {peer} at {ms} ms"));
            }
            Event::Listening { .. }
            | Event::ListenFailed { .. }
            | Event::Done { .. }
            | Event::Validate { .. }
            | Event::Registration { .. }
            | Event::PeerUp { .. }
            | Event::PeerDown { .. }
            | Event::NeighborUp { .. }
            | Event::NeighborDown { .. }
            | Event::Head { .. }
            | Event::Stopped => {}
        }
    }

    fn asked(
        &mut self,
        _at: Instant,
        _node: u32,
        question: std::convert::Infallible,
    ) -> Option<std::convert::Infallible> {
        match question {}
    }
}

impl Wire {
    /// An empty network.
    #[must_use]
    pub fn new(scenario: &Scenario, seed: u64, latency: Latency) -> Self {
        Self {
            net: Net::new(seed, latency, scenario.dead_dials.into()),
            ids: Vec::new(),
            seen: Vec::new(),
            watcher: Watcher::default(),
            network_size: scenario.nodes.into(),
            seed,
        }
    }

    fn node(&self, number: usize) -> Option<&Node> {
        self.net.machine(u32::try_from(number).ok()?)
    }

    fn number_of(&self, peer: PeerId) -> Option<u32> {
        let found = self.ids.iter().position(|id| *id == peer)?;
        u32::try_from(found).ok()
    }

    /// Adds what nodes have counted since the last look to the record.
    fn look(&mut self) {
        for number in 0..self.ids.len() {
            let Some(now) = self.node(number).map(counted) else { continue };
            let Some(before) = self.seen.get_mut(number) else { continue };
            let before = std::mem::replace(before, now);
            let record = &mut self.watcher.record;
            record.received_lately(now.received - before.received);
            add(&mut record.control, now.control.since(&before.control));
            add(&mut record.payloads, now.payloads.since(&before.payloads));
        }
    }

    /// Whether every live node holds a HEAD of every other.
    fn heads_converged(&self) -> bool {
        let live: Vec<&Node> = (0..self.ids.len()).filter_map(|number| self.node(number)).collect();
        let holds_all = |node: &&Node| {
            let known: std::collections::BTreeSet<PeerId> = node.heads().map(|row| row.head.key().peer).collect();
            live.iter().all(|other| known.contains(&other.id()))
        };
        live.iter().all(holds_all)
    }
}

fn counted(node: &Node) -> Seen {
    let stats = node.stats();
    Seen {
        received: node.broadcast_of(TOPIC).map_or(0, |broadcast| broadcast.stats().payloads_received),
        control: Cost { messages: stats.control_sent, bytes: stats.control_bytes_sent },
        payloads: Cost { messages: stats.payloads_sent, bytes: stats.payload_bytes_sent },
        handshakes: stats.handshakes,
        established: stats.links_established,
    }
}

const fn add(cost: &mut Cost, more: Cost) {
    cost.messages += more.messages;
    cost.bytes += more.bytes;
}

impl Network for Wire {
    fn run_until(&mut self, until: Instant) {
        self.net.run_until(until, &mut self.watcher);
        self.look();
    }

    fn join(&mut self, contacts: &[u32]) {
        let number = u32::try_from(self.ids.len()).unwrap_or(u32::MAX);
        let mut rng = stream(self.seed, Domain::Topology, number.wrapping_add(1));
        let mut key = [0; 32];
        rng.fill_bytes(&mut key);
        let identity = Keypair::from_seed(&key);
        let contact = |contact: &u32| {
            let id = self.ids.get(*contact as usize).copied();
            (Address::Socket(net::address(*contact)), id)
        };
        let config = Config {
            listen: vec![Address::Socket(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0))],
            bootstrap: contacts.iter().map(contact).collect(),
            network_size: self.network_size,
            ..Config::native()
        };
        self.ids.push(identity.peer_id());
        self.seen.push(Seen::default());
        let at = clock::at(self.net.now(), 0);
        // The configuration is the preset with addresses: it is valid.
        let Ok(node) = Node::new(config, identity, &Snapshot::default(), at, &mut rng) else { return };
        let number = self.net.add(node, 0);
        self.net.command(number, Command::Subscribe { token: 0, topic: TOPIC.to_owned() });
    }

    fn leave(&mut self, node: u32) {
        self.net.command(node, Command::Shutdown);
    }

    fn crash(&mut self, nodes: &[u32]) {
        self.look();
        nodes.iter().for_each(|node| self.net.stop(*node, Stop::Crash));
    }

    fn publish(&mut self, node: u32, payload: Bytes) {
        let topic = TOPIC.to_owned();
        self.net.command(node, Command::Publish { token: 0, topic, payload, scope: Scope::Swarm });
    }

    fn graph(&self) -> Graph {
        let neighbours = |number: usize| {
            let node = self.node(number);
            node.into_iter().flat_map(|node| node.neighbors(TOPIC)).filter_map(|peer| self.number_of(peer)).collect()
        };
        let numbers = 0..self.ids.len();
        Graph::new(
            numbers.clone().map(neighbours).collect(),
            numbers.map(|number| self.node(number).is_some()).collect(),
        )
    }

    fn record(&self) -> &Record {
        &self.watcher.record
    }

    fn record_mut(&mut self) -> &mut Record {
        &mut self.watcher.record
    }

    fn tally(&self) -> Tally {
        let totals = self.net.totals();
        let handshakes: u64 = self.seen.iter().map(|seen| seen.handshakes).sum();
        let established: u64 = self.seen.iter().map(|seen| seen.established).sum();
        let capacity = (0..self.ids.len()).find_map(|number| self.node(number)?.overlay_of(TOPIC));
        let capacity = capacity.map(|overlay| overlay.capacity());
        let live = (0..self.ids.len()).filter_map(|number| self.node(number));
        Tally {
            events: totals.events,
            handshakes: Some(handshakes),
            // Each end of a link counts its own handshake before it can count the link.
            unprotected: established.saturating_sub(handshakes),
            heads_converged: Some(self.heads_converged()),
            digest: self.net.digest(),
            capacity: capacity.map_or((0, 0), |capacity| (capacity.starved, capacity.active)),
            accused: self.watcher.accused,
            first_accusation: self.watcher.first_accusation.clone(),
            lost: live.map(|node| node.stats().lost).sum(),
            stale: totals.stale,
        }
    }
}
