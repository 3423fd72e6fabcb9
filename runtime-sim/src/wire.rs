//! The wire fidelity: whole nodes that exchange the real bytes over simulated streams.
//!
//! [`Wire`] turns any machine of the link vocabulary into a [`Network`] for the workloads; a [`Plug`] says how such a
//! node is built, told to publish, and read.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use pleach_core::link::{Input, Output};
use pleach_core::{Instant, Machine};

use crate::digest::Digest;
use crate::graph::Graph;
use crate::latency::Latency;
use crate::net::{Net, Observer, Stop, address};
use crate::network::{Network, Tally};
use crate::record::{Cost, Record};
use crate::scenario::Broadcast;

/// How long a node that leaves has for its goodbyes.
const GOODBYE: Duration = Duration::from_secs(2);

/// What the workloads need to know of a kind of node.
pub trait Plug {
    /// What the node is told.
    type Command;
    /// What it reports.
    type Event;
    /// What only its embedder can answer.
    type Question;
    /// Such an answer.
    type Answer;
    /// The node.
    type Node: Machine<Input = Input<Self::Command, Self::Answer>, Output = Output<Self::Event, Self::Question>>;

    /// Node `number` of the run of `seed`: it listens at `listen`, joins through `contacts`, and tells nodes' keys from
    /// their numbers and back as the plug decides.
    fn build(&mut self, seed: u64, number: u32, listen: SocketAddr, contacts: &[SocketAddr]) -> Self::Node;

    /// What a node is told first, such as to subscribe to the topic.
    fn start(&self) -> Vec<Self::Command>;

    /// To publish a payload.
    fn publish(&self, payload: Bytes) -> Self::Command;

    /// To say goodbye.
    fn leave(&self) -> Self::Command;

    /// What an event means.
    fn observe(&self, event: Self::Event) -> Observed;

    /// The answer to a question of `node`; `None` never answers.
    fn answer(&mut self, node: u32, question: Self::Question) -> Option<Self::Answer>;

    /// The numbers of the neighbours in the topic.
    fn neighbours(&self, node: &Self::Node) -> Vec<u32>;

    /// What the node has counted.
    fn figures(&self, node: &Self::Node) -> Figures;

    /// `Amin` and `A`.
    fn capacity(&self, node: &Self::Node) -> (usize, usize);

    /// Whether every one of these nodes, all alive, holds the newest HEAD of every other, unless it is too young at `now`
    /// to have come; none without HEADs.
    fn heads_converged(&self, nodes: &[&Self::Node], now: Instant) -> Option<bool>;
}

/// What an event means to a workload.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Observed {
    /// A payload of another node arrived for the first time.
    Delivered {
        /// Transmissions behind it.
        hop: u32,
        /// The payload as it was published.
        payload: Bytes,
    },
    /// A peer was banned.
    Banned,
    /// Nothing that matters here.
    Nothing,
}

/// What a node has counted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Figures {
    /// Payload messages received, duplicates included.
    pub payloads_received: u64,
    /// Payload messages sent.
    pub payloads: Cost,
    /// Other messages of the topic sent.
    pub control: Cost,
    /// Channel handshakes completed.
    pub handshakes: u64,
    /// Links in use without a handshake: so many at least.
    pub unprotected: u64,
    /// Messages given up.
    pub lost: u64,
}

impl Figures {
    const fn add(&mut self, other: &Self) {
        self.payloads_received += other.payloads_received;
        self.payloads.messages += other.payloads.messages;
        self.payloads.bytes += other.payloads.bytes;
        self.control.messages += other.control.messages;
        self.control.bytes += other.control.bytes;
        self.handshakes += other.handshakes;
        self.unprotected += other.unprotected;
        self.lost += other.lost;
    }
}

/// A network of whole nodes.
pub struct Wire<P: Plug> {
    net: Net<P::Node>,
    ears: Ears<P>,
    seed: u64,
    nodes: u32,
    /// Nodes that said goodbye and stop then.
    leaving: Vec<(Instant, u32)>,
    /// What nodes that are gone had counted.
    gone: Figures,
    /// Payload messages that were attributed to a broadcast.
    attributed: u64,
}

struct Ears<P> {
    plug: P,
    record: Record,
    /// Of deliveries, of which the network's own digest holds only that something was reported.
    delivered: Digest,
    banned: u64,
}

impl<P: Plug> Wire<P> {
    /// An empty network.
    #[must_use]
    pub fn new(plug: P, scenario: &Broadcast, seed: u64, latency: Latency) -> Self {
        // Whoever delivers a message has passed it on at once, or is answered once more.
        let round_trip = Duration::from_millis(scenario.latency_max_ms) * 2;
        Self {
            net: Net::new(seed, latency, scenario.dead_dials),
            ears: Ears { plug, record: Record::blind(round_trip), delivered: Digest::default(), banned: 0 },
            seed,
            nodes: 0,
            leaving: Vec::new(),
            gone: Figures::default(),
            attributed: 0,
        }
    }

    fn live(&self) -> impl Iterator<Item = &P::Node> {
        (0..self.nodes).filter_map(|node| self.net.machine(node))
    }

    fn figures(&self) -> Figures {
        let mut total = self.gone;
        for node in self.live() {
            total.add(&self.ears.plug.figures(node));
        }
        total
    }

    /// Takes what nodes have counted into the record; payloads belong to the latest broadcast.
    fn settle(&mut self) {
        let figures = self.figures();
        self.ears.record.received_latest(figures.payloads_received - self.attributed);
        self.attributed = figures.payloads_received;
        self.ears.record.control = figures.control;
        self.ears.record.payloads = figures.payloads;
    }

    fn stop(&mut self, node: u32) {
        if let Some(machine) = self.net.machine(node) {
            let figures = self.ears.plug.figures(machine);
            self.gone.add(&figures);
            self.net.stop(node, Stop::Crash);
        }
    }
}

impl<P: Plug> Network for Wire<P> {
    fn run_until(&mut self, until: Instant) {
        while let Some((at, node)) = self.leaving.first().copied().filter(|(at, _)| *at <= until) {
            self.leaving.remove(0);
            self.net.run_until(at, &mut self.ears);
            self.stop(node);
        }
        self.net.run_until(until, &mut self.ears);
        self.settle();
    }

    fn join(&mut self, contacts: &[u32]) {
        let contacts: Vec<_> = contacts.iter().map(|contact| address(*contact)).collect();
        let machine = self.ears.plug.build(self.seed, self.nodes, address(self.nodes), &contacts);
        let node = self.net.add(machine, 0);
        self.nodes = node + 1;
        for command in self.ears.plug.start() {
            self.net.command(node, command);
        }
    }

    fn leave(&mut self, node: u32) {
        self.net.command(node, self.ears.plug.leave());
        self.leaving.push((self.net.now() + GOODBYE, node));
    }

    fn crash(&mut self, nodes: &[u32]) {
        nodes.iter().for_each(|node| self.stop(*node));
    }

    fn publish(&mut self, node: u32, payload: Bytes) {
        self.net.command(node, self.ears.plug.publish(payload));
    }

    fn graph(&self) -> Graph {
        let views = (0..self.nodes)
            .map(|node| self.net.machine(node).map(|machine| self.ears.plug.neighbours(machine)));
        let views: Vec<_> = views.collect();
        let alive = views.iter().map(Option::is_some).collect();
        Graph::new(views.into_iter().map(Option::unwrap_or_default).collect(), alive)
    }

    fn record(&self) -> &Record {
        &self.ears.record
    }

    fn record_mut(&mut self) -> &mut Record {
        &mut self.ears.record
    }

    fn tally(&self) -> Tally {
        let figures = self.figures();
        let totals = self.net.totals();
        let live: Vec<_> = self.live().collect();
        let mut digest = self.net.digest();
        digest.include(&self.ears.delivered);
        Tally {
            events: totals.events,
            handshakes: Some(figures.handshakes),
            unprotected: figures.unprotected,
            heads_converged: self.ears.plug.heads_converged(&live, self.net.now()),
            digest,
            capacity: live.first().map(|node| self.ears.plug.capacity(node)).unwrap_or_default(),
            // Nodes keep their rate limits to themselves.
            complaints: None,
            accused: self.ears.banned,
            first_accusation: None,
            lost: figures.lost,
            // A link may close while its machine sends: that is no mistake of the machine.
            stale: None,
        }
    }
}

impl<P: Plug> Observer<P::Event, P::Answer, P::Question> for Ears<P> {
    fn event(&mut self, at: Instant, node: u32, event: P::Event) {
        match self.plug.observe(event) {
            Observed::Delivered { hop, payload } => {
                self.delivered.event(at, node, 0, hop.into());
                self.delivered.bytes(&payload);
                self.record.delivered(at, node, hop, &payload);
            }
            Observed::Banned => self.banned += 1,
            Observed::Nothing => {}
        }
    }

    fn asked(&mut self, _at: Instant, node: u32, question: P::Question) -> Option<P::Answer> {
        self.plug.answer(node, question)
    }
}

#[cfg(test)]
mod tests;
