//! The model fidelity: overlay and broadcast machines that exchange typed messages, for scale.
//!
//! Links have the delays of the wire fidelity and stand after one round trip; there are no bytes, no cryptography and
//! no flow control. Two dials that cross become one link, that of the smaller number. A link that an end has not
//! needed for [`IDLE`], and over which nothing came meanwhile, is closed by that end. When a node dies, every peer
//! learns that its link broke after one delay; later dials and messages to it are refused after a round trip, or
//! vanish.

mod digest;
mod links;
mod node;
mod size;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pleach_core::{Instant, broadcast, overlay};

use crate::clock;
use crate::digest::Digest;
use crate::graph::Graph;
use crate::latency::Latency;
use crate::net::DeadDials;
use crate::network::{Network, Tally};
use crate::queue::Calendar;
use crate::record::{Record, message_of};
use crate::scenario::Broadcast;
use links::Phase;
use node::{Buffers, Configs, In, Node, Out};

/// How long a link that its own node does not need stays open.
pub const IDLE: Duration = Duration::from_secs(10);

/// A network of model nodes.
#[derive(Debug)]
pub struct Model {
    nodes: Vec<Option<Box<Node>>>,
    queue: Calendar<Happening>,
    now: Instant,
    seed: u64,
    latency: Latency,
    dead_dials: DeadDials,
    configs: Configs,
    record: Record,
    digest: Digest,
    tally: Tally,
    serial: u64,
    buffers: Buffers,
    outputs: Vec<Out>,
}

/// What travels between two nodes.
#[derive(Debug)]
enum Parcel {
    Overlay(Box<overlay::Message<u32>>),
    Broadcast(broadcast::Message),
}

/// What waits in the queue. `serial` tells the links of one pair apart.
#[derive(Debug)]
enum Happening {
    Wake {
        node: u32,
    },
    Message {
        from: u32,
        to: u32,
        serial: u64,
        parcel: Parcel,
    },
    Dial {
        from: u32,
        to: u32,
        serial: u64,
    },
    Accepted {
        at: u32,
        by: u32,
        serial: u64,
    },
    /// A link is gone, or a dial failed.
    Gone {
        at: u32,
        peer: u32,
        serial: u64,
    },
    /// Look whether this end still needs its link.
    Idle {
        at: u32,
        peer: u32,
        serial: u64,
    },
    /// A node that said goodbye stops.
    Stop {
        node: u32,
    },
}

impl Model {
    /// An empty network.
    #[must_use]
    pub fn new(scenario: &Broadcast, seed: u64, latency: Latency) -> Self {
        let overlay = overlay::Config { network_size: scenario.nodes.into(), ..overlay::Config::default() };
        let broadcast = broadcast::Config::default();
        Self {
            nodes: Vec::with_capacity(scenario.nodes as usize),
            queue: Calendar::new(),
            now: Instant::ORIGIN,
            seed,
            latency,
            dead_dials: scenario.dead_dials,
            configs: Configs { overlay: Arc::new(overlay), broadcast: Arc::new(broadcast) },
            record: Record::default(),
            digest: Digest::default(),
            tally: Tally { complaints: Some(0), stale: Some(0), ..Tally::default() },
            serial: 0,
            buffers: Buffers::default(),
            outputs: Vec::new(),
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Wake { node } => self.wake(node),
            Happening::Message { from, to, serial, parcel } => self.receive(from, to, serial, parcel),
            Happening::Dial { from, to, serial } => self.dialled(from, to, serial),
            Happening::Accepted { at, by, serial } => self.accepted(at, by, serial),
            Happening::Gone { at, peer, serial } => self.gone(at, peer, serial),
            Happening::Idle { at, peer, serial } => self.close_if_idle(at, peer, serial),
            Happening::Stop { node } => self.kill(node),
        }
    }

    fn wake(&mut self, number: u32) {
        let at = clock::at(self.now, 0);
        let Some(node) = live(&mut self.nodes, number) else { return };
        if !node.alarm.rings(self.now) {
            return;
        }
        let calls = node.handle_timeout(at, &mut self.buffers, &mut self.outputs);
        if calls > 0 {
            self.digest.event(self.now, number, 7, calls);
        }
        self.carry_out(number, calls);
    }

    fn feed(&mut self, number: u32, input: In) {
        let at = clock::at(self.now, 0);
        let Some(node) = live(&mut self.nodes, number) else { return };
        let calls = node.handle(at, input, &mut self.buffers, &mut self.outputs);
        self.carry_out(number, calls);
    }

    fn carry_out(&mut self, number: u32, calls: u64) {
        self.tally.events += calls;
        let mut outputs = std::mem::take(&mut self.outputs);
        for output in outputs.drain(..) {
            match output {
                Out::Send { to, parcel } => self.send(number, to, parcel),
                Out::Hold { peer } => self.hold(number, peer, true),
                Out::Release { peer } => self.hold(number, peer, false),
                Out::Dial { peer } => self.dial(number, peer),
                Out::Delivered { hop, payload } => {
                    let message = message_of(&payload).unwrap_or(u32::MAX);
                    self.digest.event(self.now, number, 8, u64::from(message) << 32 | u64::from(hop));
                    self.record.delivered(self.now, number, hop, &payload);
                }
                Out::Complaint => one_more(&mut self.tally.complaints),
                Out::Accused { peer, rule } => self.accused(number, peer, &rule),
            }
        }
        self.outputs = outputs;
        self.arm(number);
    }

    fn accused(&mut self, by: u32, peer: u32, rule: &str) {
        let ms = self.now.as_micros() / 1000;
        self.tally.accused += 1;
        self.tally
            .first_accusation
            .get_or_insert_with(|| format!("node {by} accuses node {peer} at {ms} ms: {rule}"));
    }

    fn arm(&mut self, number: u32) {
        let Some(node) = live(&mut self.nodes, number) else { return };
        if let Some(due) = node.alarm.set(node.poll_timeout()) {
            self.queue.push(due.max(self.now), Happening::Wake { node: number });
        }
    }

    fn send(&mut self, from: u32, to: u32, parcel: Parcel) {
        let link = live(&mut self.nodes, from).and_then(|node| node.links.get(to).copied());
        let Some(link) = link.filter(|link| link.phase == Phase::Up) else {
            one_more(&mut self.tally.stale);
            return;
        };
        match &parcel {
            Parcel::Broadcast(message @ broadcast::Message::Payload { .. }) => {
                self.record.payloads.add(size::of_broadcast(message));
            }
            Parcel::Broadcast(message) => self.record.control.add(size::of_broadcast(message)),
            Parcel::Overlay(message) => self.record.control.add(size::of_overlay(message)),
        }
        self.later(from, to, Happening::Message { from, to, serial: link.serial, parcel });
    }

    fn receive(&mut self, from: u32, to: u32, serial: u64, parcel: Parcel) {
        let Some(node) = live(&mut self.nodes, to) else {
            return self.answer_for_the_dead(to, from, serial);
        };
        // What was sent on a link that is closed at this end is lost; its end has been told.
        let Some(link) =
            node.links.get_mut(from).filter(|link| link.phase == Phase::Up && link.serial == serial)
        else {
            return;
        };
        link.used = self.now;
        self.digest.event(self.now, to, parcel.kind(), from.into());
        parcel.fold(&mut self.digest);
        let input = match parcel {
            Parcel::Overlay(message) => In::Overlay(overlay::Input::Message { from, message: *message }),
            Parcel::Broadcast(message) => {
                if let broadcast::Message::Payload { payload, .. } = &message {
                    self.record.received(payload);
                }
                In::Broadcast(broadcast::Input::Message { from, message })
            }
        };
        self.feed(to, input);
    }

    /// Nodes that are gone refuse what comes to them, or are silent.
    fn answer_for_the_dead(&mut self, dead: u32, to: u32, serial: u64) {
        if self.dead_dials == DeadDials::Refused {
            self.later(dead, to, Happening::Gone { at: to, peer: dead, serial });
        }
    }

    fn hold(&mut self, number: u32, peer: u32, held: bool) {
        let now = self.now;
        let Some(node) = live(&mut self.nodes, number) else { return };
        let Some(link) = node.links.entry(peer, now) else { return };
        link.held = held;
        if held {
            return;
        }
        link.used = now;
        match link.phase {
            // The dial is given up: should it succeed, the link is refused then.
            Phase::Dialling => link.phase = Phase::Down,
            Phase::Down => {}
            Phase::Up => {
                let serial = link.serial;
                self.queue.push(now + IDLE, Happening::Idle { at: number, peer, serial });
            }
        }
        node.links.forget_unused(peer);
    }

    fn dial(&mut self, number: u32, peer: u32) {
        let now = self.now;
        self.serial += 1;
        let serial = self.serial;
        let Some(node) = live(&mut self.nodes, number) else { return };
        let Some(link) = node.links.entry(peer, now) else { return };
        if link.phase == Phase::Down {
            link.phase = Phase::Dialling;
            link.serial = serial;
            self.later(number, peer, Happening::Dial { from: number, to: peer, serial });
        }
    }

    fn dialled(&mut self, from: u32, to: u32, serial: u64) {
        let now = self.now;
        let Some(node) = live(&mut self.nodes, to) else { return self.answer_for_the_dead(to, from, serial) };
        let Some(link) = node.links.entry(from, now) else { return };
        // Crossed dials: the smaller number's link is the one that both keep.
        let ours_wins = link.phase == Phase::Dialling && to < from;
        if link.phase == Phase::Up || ours_wins {
            return;
        }
        link.phase = Phase::Up;
        link.serial = serial;
        link.used = now;
        if !link.held {
            self.queue.push(now + IDLE, Happening::Idle { at: to, peer: from, serial });
        }
        self.later(to, from, Happening::Accepted { at: from, by: to, serial });
        self.digest.event(now, to, 1, from.into());
        self.feed(to, In::Overlay(overlay::Input::Connected { peer: from, dialled: false }));
    }

    fn accepted(&mut self, at: u32, by: u32, serial: u64) {
        let Some(node) = live(&mut self.nodes, at) else { return self.answer_for_the_dead(at, by, serial) };
        let waiting = |link: &&mut links::Link| link.phase == Phase::Dialling && link.serial == serial;
        let Some(link) = node.links.get_mut(by).filter(waiting) else {
            // Given up meanwhile.
            return self.later(at, by, Happening::Gone { at: by, peer: at, serial });
        };
        link.phase = Phase::Up;
        link.used = self.now;
        self.digest.event(self.now, at, 2, by.into());
        self.feed(at, In::Overlay(overlay::Input::Connected { peer: by, dialled: true }));
    }

    fn gone(&mut self, at: u32, peer: u32, serial: u64) {
        let Some(node) = live(&mut self.nodes, at) else { return };
        let Some(link) = node.links.get_mut(peer).filter(|link| link.serial == serial) else { return };
        let input = match std::mem::replace(&mut link.phase, Phase::Down) {
            Phase::Down => return,
            Phase::Dialling => overlay::Input::DialFailed { peer },
            Phase::Up => overlay::Input::Disconnected { peer },
        };
        node.links.forget_unused(peer);
        self.digest.event(self.now, at, 3, peer.into());
        self.feed(at, In::Overlay(input));
    }

    fn close_if_idle(&mut self, at: u32, peer: u32, serial: u64) {
        let now = self.now;
        let Some(node) = live(&mut self.nodes, at) else { return };
        let Some(link) = node.links.get_mut(peer) else { return };
        if link.serial != serial || link.phase != Phase::Up || link.held {
            return;
        }
        let due = link.used + IDLE;
        if due > now {
            return self.queue.push(due, Happening::Idle { at, peer, serial });
        }
        self.later(at, peer, Happening::Gone { at: peer, peer: at, serial });
        self.gone(at, peer, serial);
    }

    fn kill(&mut self, number: u32) {
        let Some(node) = self.nodes.get_mut(number as usize).and_then(Option::take) else { return };
        self.tally.lost += node.broadcast.stats().lost;
        self.digest.event(self.now, number, 4, 0);
        for link in node.links.open() {
            let happening = Happening::Gone { at: link.peer, peer: number, serial: link.serial };
            self.later(number, link.peer, happening);
        }
    }

    fn later(&mut self, from: u32, to: u32, happening: Happening) {
        self.queue.push(self.now + self.latency.between(from, to), happening);
    }
}

impl Network for Model {
    fn run_until(&mut self, until: Instant) {
        while let Some((at, happening)) = self.queue.pop_until(until) {
            self.now = self.now.max(at);
            self.happen(happening);
        }
        self.now = self.now.max(until);
    }

    fn join(&mut self, contacts: &[u32]) {
        let number = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        let node = Node::new(&self.configs, number, self.seed, clock::at(self.now, 0));
        let capacity = node.overlay.capacity();
        self.tally.capacity = (capacity.starved, capacity.active);
        self.nodes.push(Some(Box::new(node)));
        self.digest.event(self.now, number, 5, contacts.len() as u64);
        contacts.iter().for_each(|contact| self.digest.word((*contact).into()));
        self.feed(number, In::Overlay(overlay::Input::Addresses(Vec::new())));
        let contact = |peer: &u32| overlay::Contact { peer: *peer, addresses: Vec::new() };
        let bootstrap = contacts.iter().map(contact).collect();
        self.feed(number, In::Overlay(overlay::Input::Join { bootstrap }));
    }

    fn leave(&mut self, node: u32) {
        self.digest.event(self.now, node, 9, 0);
        self.feed(node, In::Overlay(overlay::Input::Leave));
        // Time enough for the goodbyes to leave.
        self.queue.push(self.now + Duration::from_millis(1), Happening::Stop { node });
    }

    fn crash(&mut self, nodes: &[u32]) {
        nodes.iter().for_each(|node| self.kill(*node));
    }

    fn publish(&mut self, node: u32, payload: Bytes) {
        let scope = broadcast::Scope::Swarm;
        self.digest.event(self.now, node, 6, 0);
        self.digest.bytes(&payload);
        self.feed(node, In::Broadcast(broadcast::Input::Publish { token: 0, payload, scope }));
    }

    fn graph(&self) -> Graph {
        let neighbours = self.nodes.iter().map(|node| match node {
            Some(node) => node.overlay.active().collect(),
            None => Vec::new(),
        });
        Graph::new(neighbours.collect(), self.nodes.iter().map(Option::is_some).collect())
    }

    fn record(&self) -> &Record {
        &self.record
    }

    fn record_mut(&mut self) -> &mut Record {
        &mut self.record
    }

    fn tally(&self) -> Tally {
        let live = self.nodes.iter().flatten();
        let lost: u64 = live.map(|node| node.broadcast.stats().lost).sum();
        Tally { digest: self.digest, lost: self.tally.lost + lost, ..self.tally.clone() }
    }
}

/// Counts what this fidelity does count.
const fn one_more(count: &mut Option<u64>) {
    if let Some(count) = count {
        *count += 1;
    }
}

/// A node that is alive.
fn live(nodes: &mut [Option<Box<Node>>], number: u32) -> Option<&mut Node> {
    nodes.get_mut(number as usize)?.as_deref_mut()
}

#[cfg(test)]
mod tests;
