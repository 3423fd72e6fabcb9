//! A small deterministic network of overlays: fixed latency per pair, ordered links, dials that are refused or never
//! answered. Every invariant of `overlay` 6 that one node can show is asserted after each step.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::machine::{At, Context, Machine};
use crate::overlay::{Config, Contact, Event, Input, Message, Output, Overlay};
use crate::rng;
use crate::time::{Instant, WallTime};

pub(super) type Peer = u32;

/// After a release the link closes this much later unless it is held again.
const GRACE: Duration = Duration::from_millis(200);

pub(super) fn contact(peer: Peer) -> Contact<Peer> {
    Contact { peer, addresses: [Bytes::copy_from_slice(&peer.to_be_bytes())].to_vec() }
}

/// What dials to dead nodes get.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Dead {
    Refuse,
    Silent,
}

#[derive(Clone, Debug)]
enum Step {
    Input(Peer, Input<Peer>),
    Timeout(Peer),
    Message { from: Peer, to: Peer, connection: u64, message: Message<Peer> },
    DialArrives { from: Peer, to: Peer },
    DialAnswered { from: Peer, to: Peer, connection: u64 },
    LinkBroke { at: Peer, with: Peer, connection: u64 },
    CloseUnheld { at: Peer, with: Peer },
}

pub(super) struct Node {
    pub(super) overlay: Overlay<Peer>,
    pub(super) alive: bool,
    held: BTreeSet<Peer>,
    neighbors: BTreeSet<Peer>,
    wake: Option<Instant>,
}

pub(super) struct Network {
    pub(super) now: Instant,
    pub(super) nodes: BTreeMap<Peer, Node>,
    pub(super) dead: Dead,
    pub(super) messages: u64,
    pub(super) dials: u64,
    pub(super) changes: u64,
    config: Arc<Config>,
    rng: ChaCha8Rng,
    queue: BTreeMap<(Instant, u64), Step>,
    serial: u64,
    /// (one end, other end) -> the connection that this end believes in.
    up: BTreeMap<(Peer, Peer), u64>,
    /// The nodes below this one and the others cannot reach one another.
    split: Option<Peer>,
    /// Share of messages, in percent, that come twice, the second time late.
    pub(super) duplicates: u64,
}

impl Network {
    pub(super) fn new(config: Config, seed: u64) -> Self {
        Self {
            now: Instant::ORIGIN,
            nodes: BTreeMap::new(),
            dead: Dead::Refuse,
            messages: 0,
            dials: 0,
            changes: 0,
            config: Arc::new(config),
            rng: ChaCha8Rng::seed_from_u64(seed),
            queue: BTreeMap::new(),
            serial: 0,
            up: BTreeMap::new(),
            split: None,
            duplicates: 0,
        }
    }

    /// `count` nodes that join 1 ms apart through the first `contacts`.
    pub(super) fn grown(config: Config, seed: u64, count: u32, contacts: u32) -> Self {
        let mut network = Self::new(config, seed);
        let bootstrap: Vec<_> = (0..contacts).map(contact).collect();
        for peer in 0..count {
            network.run_until(Instant::from_micros(u64::from(peer) * 1000));
            network.add(peer, bootstrap.clone());
        }
        network
    }

    pub(super) fn add(&mut self, peer: Peer, bootstrap: Vec<Contact<Peer>>) {
        let wall = WallTime::from_unix_ms(1_800_000_000_000 + self.now.as_micros() / 1000);
        let overlay = Overlay::new(Arc::clone(&self.config), peer, wall);
        let node =
            Node { overlay, alive: true, held: BTreeSet::new(), neighbors: BTreeSet::new(), wake: None };
        self.nodes.insert(peer, node);
        self.input(peer, Input::Addresses(contact(peer).addresses));
        self.input(peer, Input::Join { bootstrap });
    }

    /// Kills without goodbye; survivors learn of broken links one latency later.
    pub(super) fn kill(&mut self, peer: Peer) {
        self.nodes.get_mut(&peer).unwrap().alive = false;
        let ends: Vec<_> =
            self.up.range((peer, 0)..=(peer, Peer::MAX)).map(|(ends, id)| (*ends, *id)).collect();
        for ((_, with), connection) in ends {
            self.up.remove(&(peer, with));
            self.after(self.latency(peer, with), Step::LinkBroke { at: with, with: peer, connection });
        }
    }

    /// Breaks one link; both ends learn of it.
    pub(super) fn break_link(&mut self, one: Peer, other: Peer) {
        for (at, with) in [(one, other), (other, one)] {
            if let Some(connection) = self.up.get(&(at, with)).copied() {
                self.after(Duration::from_millis(1), Step::LinkBroke { at, with, connection });
            }
        }
    }

    /// Cuts the network in two, or joins it again.
    pub(super) fn split(&mut self, at: Option<Peer>) {
        self.split = at;
        let links: Vec<_> = self.up.keys().copied().collect();
        for (one, other) in links {
            if self.is_split(one, other) {
                self.break_link(one, other);
            }
        }
    }

    /// Nodes that left are gone for good: their links close.
    pub(super) fn retire_closed(&mut self) {
        let closed: Vec<Peer> =
            self.alive().filter(|peer| self.overlay(*peer).poll_timeout().is_none()).collect();
        for peer in closed {
            self.kill(peer);
        }
    }

    pub(super) fn shuffles_sent(&self) -> u64 {
        self.alive().map(|peer| self.overlay(peer).stats().shuffles_sent).sum()
    }

    /// A random live node.
    pub(super) fn any(&mut self) -> Peer {
        let alive: Vec<Peer> = self.alive().collect();
        *rng::pick(&mut self.rng, &alive).unwrap()
    }

    /// Kills a random share.
    pub(super) fn kill_percent(&mut self, percent: usize) {
        let mut alive: Vec<Peer> = self.alive().collect();
        let count = alive.len() * percent / 100;
        rng::choose_to_front(&mut self.rng, &mut alive, count);
        for peer in alive.into_iter().take(count) {
            self.kill(peer);
        }
    }

    pub(super) fn run(&mut self, time: Duration) {
        self.run_until(self.now + time);
    }

    pub(super) fn run_until(&mut self, end: Instant) {
        while let Some(((at, _), _)) = self.queue.first_key_value() {
            if *at > end {
                break;
            }
            let ((at, _), step) = self.queue.pop_first().unwrap();
            self.now = at;
            self.step(step);
        }
        self.now = end;
    }

    pub(super) fn input(&mut self, peer: Peer, input: Input<Peer>) {
        self.step(Step::Input(peer, input));
    }

    pub(super) fn alive(&self) -> impl Iterator<Item = Peer> {
        self.nodes.iter().filter(|(_, node)| node.alive).map(|(peer, _)| *peer)
    }

    pub(super) fn overlay(&self, peer: Peer) -> &Overlay<Peer> {
        &self.nodes[&peer].overlay
    }

    /// Sizes of the connected components of live nodes, largest first; a link counts if either end has it.
    pub(super) fn components(&self) -> Vec<usize> {
        let mut links: BTreeMap<Peer, Vec<Peer>> = BTreeMap::new();
        for peer in self.alive() {
            for other in self.overlay(peer).active().filter(|other| self.nodes[other].alive) {
                links.entry(peer).or_default().push(other);
                links.entry(other).or_default().push(peer);
            }
        }
        let mut unseen: BTreeSet<Peer> = self.alive().collect();
        let mut sizes = Vec::new();
        while let Some(start) = unseen.pop_first() {
            let mut size = 0;
            let mut open = Vec::from([start]);
            while let Some(peer) = open.pop() {
                size += 1;
                open.extend(links.get(&peer).into_iter().flatten().filter(|other| unseen.remove(other)));
            }
            sizes.push(size);
        }
        sizes.sort_unstable_by(|one, other| other.cmp(one));
        sizes
    }

    /// Directed links that the other end does not have.
    pub(super) fn asymmetric(&self) -> Vec<(Peer, Peer)> {
        let links = self.alive().flat_map(|peer| self.overlay(peer).active().map(move |other| (peer, other)));
        links
            .filter(|(peer, other)| !self.nodes[other].alive || !self.overlay(*other).is_active(peer))
            .collect()
    }

    /// Smallest, mean (in hundredths) and largest number of neighbours.
    pub(super) fn degrees(&self) -> (usize, usize, usize) {
        let degrees: Vec<usize> = self.alive().map(|peer| self.overlay(peer).active().count()).collect();
        let sum: usize = degrees.iter().sum();
        (*degrees.iter().min().unwrap(), sum * 100 / degrees.len(), *degrees.iter().max().unwrap())
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Input(peer, input) => self.drive(peer, Some(input)),
            Step::Timeout(peer) => {
                if self.nodes[&peer].wake == Some(self.now) {
                    self.drive(peer, None);
                }
            }
            Step::Message { from, to, connection, message } => {
                if self.up.get(&(to, from)) == Some(&connection) {
                    self.drive(to, Some(Input::Message { from, message }));
                }
            }
            Step::DialArrives { from, to } => self.dial_arrives(from, to),
            Step::DialAnswered { from, to, connection } => {
                if self.up.insert((from, to), connection).is_none() {
                    self.drive(from, Some(Input::Connected { peer: to, dialled: true }));
                }
            }
            Step::LinkBroke { at, with, connection } => {
                if self.up.get(&(at, with)) == Some(&connection) {
                    self.up.remove(&(at, with));
                    self.drive(at, Some(Input::Disconnected { peer: with }));
                }
            }
            Step::CloseUnheld { at, with } => {
                if !self.nodes[&at].held.contains(&with)
                    && let Some(connection) = self.up.remove(&(at, with))
                {
                    self.after(self.latency(at, with), Step::LinkBroke { at: with, with: at, connection });
                    self.drive(at, Some(Input::Disconnected { peer: with }));
                }
            }
        }
    }

    fn dial_arrives(&mut self, from: Peer, to: Peer) {
        let latency = self.latency(from, to);
        if self.is_split(from, to) || !self.nodes.get(&to).is_some_and(|node| node.alive) {
            if self.dead == Dead::Refuse {
                self.after(latency, Step::Input(from, Input::DialFailed { peer: to }));
            }
            return;
        }
        // Of crossed dials both ends keep the same connection.
        let existing = self.up.get(&(to, from)).or_else(|| self.up.get(&(from, to))).copied();
        self.serial += 1;
        let connection = existing.unwrap_or(self.serial);
        self.after(latency, Step::DialAnswered { from, to, connection });
        if self.up.insert((to, from), connection).is_none() {
            self.drive(to, Some(Input::Connected { peer: from, dialled: false }));
        }
    }

    fn drive(&mut self, peer: Peer, input: Option<Input<Peer>>) {
        let node = self.nodes.get_mut(&peer).unwrap();
        if !node.alive {
            return;
        }
        let mut outputs = Vec::new();
        let mut cx =
            Context::new(At { now: self.now, wall: WallTime::default() }, &mut self.rng, &mut outputs);
        let timeout = input.is_none();
        match input {
            Some(input) => node.overlay.handle(input, &mut cx),
            None => node.overlay.handle_timeout(&mut cx),
        }
        let next = node.overlay.poll_timeout();
        assert!(timeout <= next.is_none_or(|at| at > self.now), "{peer}: due at once");
        if node.wake != next {
            node.wake = next;
            if let Some(at) = next {
                self.push(at.max(self.now), Step::Timeout(peer));
            }
        }
        for output in outputs {
            self.carry_out(peer, output);
        }
        self.check(peer);
    }

    fn carry_out(&mut self, peer: Peer, output: Output<Peer>) {
        let now = self.now;
        let node = self.nodes.get_mut(&peer).unwrap();
        match output {
            Output::Send { to, message } => {
                let connection = *self
                    .up
                    .get(&(peer, to))
                    .unwrap_or_else(|| panic!("{peer} sends to {to}, not connected"));
                self.messages += 1;
                let latency = self.latency(peer, to);
                if rng::below(&mut self.rng, 100) < self.duplicates {
                    let late = latency + rng::up_to(&mut self.rng, Duration::from_secs(3));
                    let message = message.clone();
                    self.after(late, Step::Message { from: peer, to, connection, message });
                }
                self.after(latency, Step::Message { from: peer, to, connection, message });
            }
            Output::Hold { peer: with } => assert!(node.held.insert(with), "{peer} holds {with} twice"),
            Output::Dial { peer: to, .. } => {
                assert!(node.held.contains(&to), "{peer} dials {to}, which it does not hold");
                assert!(!self.up.contains_key(&(peer, to)), "{peer} dials {to}, connected");
                assert_ne!(peer, to, "{peer} dials itself");
                self.dials += 1;
                self.after(self.latency(peer, to), Step::DialArrives { from: peer, to });
            }
            Output::Release { peer: with } => {
                assert!(node.held.remove(&with), "{peer} releases {with}, which it does not hold");
                self.after(GRACE, Step::CloseUnheld { at: peer, with });
            }
            Output::CheckRegistered { peer: subject } => {
                self.push(now, Step::Input(peer, Input::Registered { peer: subject, registered: true }));
            }
            Output::Violation { .. } | Output::Event(Event::Stranded) => {}
            Output::Event(Event::NeighborUp { peer: with }) => {
                self.changes += 1;
                assert!(node.neighbors.insert(with), "{peer}: {with} up twice");
            }
            Output::Event(Event::NeighborDown { peer: with, .. }) => {
                self.changes += 1;
                assert!(node.neighbors.remove(&with), "{peer}: {with} down, but was not up");
            }
        }
    }

    /// 6.1 and the contract with the parent, at one node.
    fn check(&self, peer: Peer) {
        let node = &self.nodes[&peer];
        check_views(&node.overlay, peer);
        let active: BTreeSet<Peer> = node.overlay.active().collect();
        assert_eq!(active, node.neighbors, "{peer}: events differ from the view");
        for other in &active {
            assert!(
                node.held.contains(other) && self.up.contains_key(&(peer, *other)),
                "{peer}: {other} not linked"
            );
        }
        assert_eq!(node.overlay.held().collect::<BTreeSet<_>>(), node.held);
    }

    fn is_split(&self, one: Peer, other: Peer) -> bool {
        self.split.is_some_and(|at| (one < at) != (other < at))
    }

    fn latency(&self, one: Peer, other: Peer) -> Duration {
        let (low, high) = (u64::from(one.min(other)), u64::from(one.max(other)));
        let mixed =
            (low << 32 | high).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xbf58_476d);
        Duration::from_micros(10_000 + mixed % 40_000)
    }

    fn after(&mut self, wait: Duration, step: Step) {
        self.push(self.now + wait, step);
    }

    fn push(&mut self, at: Instant, step: Step) {
        self.serial += 1;
        self.queue.insert((at, self.serial), step);
    }
}

/// 6.1: disjoint views within their capacities; 6.9: never ourselves.
pub(super) fn check_views(overlay: &Overlay<Peer>, me: Peer) {
    let views: Vec<Peer> = overlay.active().chain(overlay.pending()).chain(overlay.passive()).collect();
    let distinct: BTreeSet<Peer> = views.iter().copied().collect();
    assert_eq!(distinct.len(), views.len(), "{me}: views overlap");
    assert!(!distinct.contains(&me), "{me} is in its own views");
    let capacity = overlay.capacity();
    assert!(overlay.active().count() <= capacity.active, "{me}: active view too large");
    assert!(overlay.passive().count() <= capacity.passive, "{me}: passive view too large");
}
