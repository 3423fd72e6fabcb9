//! A small deterministic network of whole nodes, and of hand-made peers that speak the channel and nothing more.
//!
//! Links are byte streams in order, cut anywhere, with a latency. Dials to nowhere are refused, links can be reset, and a
//! host can stop to read or fall silent.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::super::{Input, Node, Output};
use super::raw::Raw;
use crate::identity::{Keypair, PeerId};
use crate::link::{Address, Cause, How, LinkId, ListenerId, Question, Via};
use crate::machine::{At, Driver};
use crate::mesh::{Command, Config, Event, Snapshot};
use crate::time::{Instant, WallTime};

/// One way.
const LATENCY: Duration = Duration::from_millis(20);
const WALL: u64 = 1_790_000_000_000;

pub(super) struct Network {
    pub(super) hosts: Vec<Host>,
    pub(super) now: Instant,
    /// Hosts whose received bytes stay with the sender, unwritten.
    pub(super) stalled: BTreeSet<usize>,
    /// Hosts to which dials and bytes are lost.
    pub(super) silent: BTreeSet<usize>,
    queue: BTreeMap<(Instant, u64), (usize, LinkId, Arrival)>,
    next_serial: u64,
    rng: ChaCha8Rng,
    seed: u64,
}

pub(super) struct Host {
    pub(super) kind: Kind,
    pub(super) address: SocketAddr,
    listens: bool,
    fails: bool,
    ends: BTreeMap<LinkId, End>,
    next_accepted: u64,
}

pub(super) enum Kind {
    Node(Box<Member>),
    Raw(Box<Raw>),
}

pub(super) struct Member {
    pub(super) driver: Driver<Node, ChaCha8Rng>,
    pub(super) outputs: Vec<Output>,
    pub(super) stored: BTreeMap<String, Bytes>,
}

/// One end of a link.
struct End {
    other: (usize, LinkId),
    /// Nothing arrives at the other end before this.
    arrives: Instant,
    paused: bool,
    inbox: VecDeque<Arrival>,
    /// What a stalled receiver has not taken.
    unwritten: Vec<Bytes>,
}

#[derive(Clone, Debug)]
enum Arrival {
    Input(Input),
    Pump,
}

pub(super) fn keypair(host: usize) -> Keypair {
    Keypair::from_seed(&[u8::try_from(host).unwrap() + 1; 32])
}

pub(super) fn id(host: usize) -> PeerId {
    keypair(host).peer_id()
}

pub(super) fn socket(host: usize) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(10, 0, u8::try_from(host).unwrap() + 1, 1), 4000))
}

pub(super) fn address(host: usize) -> Address {
    Address::Socket(socket(host))
}

/// The `native` preset for a small network, joining through these hosts, whose ids are not known.
pub(super) fn native(host: usize, bootstrap: &[usize]) -> Config {
    Config {
        listen: alloc::vec![address(host)],
        bootstrap: bootstrap.iter().map(|host| (address(*host), None)).collect(),
        network_size: 16,
        ..Config::native()
    }
}

impl Host {
    /// Dials to the host reach it, though it has asked for no listener.
    pub(super) const fn force_listen(&mut self) {
        self.listens = true;
    }

    pub(super) const fn fail_listeners(&mut self) {
        self.fails = true;
    }
}

impl Network {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            hosts: Vec::new(),
            now: Instant::from_micros(1_000_000),
            stalled: BTreeSet::new(),
            silent: BTreeSet::new(),
            queue: BTreeMap::new(),
            next_serial: 0,
            rng: ChaCha8Rng::seed_from_u64(seed),
            seed,
        }
    }

    /// Hosts 0, 1, .. in the `native` preset, each joining through host 0 and subscribed to topic `t`.
    pub(super) fn of_members(seed: u64, count: usize) -> Self {
        let mut network = Self::new(seed);
        for host in 0..count {
            network.add(native(host, if host == 0 { &[] } else { &[0] }));
            network.subscribe(host, "t");
        }
        network
    }

    pub(super) fn at(&self) -> At {
        At { now: self.now, wall: WallTime::from_unix_ms(WALL + self.now.as_micros() / 1000) }
    }

    pub(super) fn add(&mut self, config: Config) -> usize {
        self.add_with(config, &Snapshot::default())
    }

    pub(super) fn add_with(&mut self, config: Config, snapshot: &Snapshot) -> usize {
        let host = self.hosts.len();
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed * 1000 + u64::try_from(host).unwrap());
        let node = Node::new(config, keypair(host), snapshot, self.at(), &mut rng).unwrap();
        let member = Member { driver: Driver::new(node, rng), outputs: Vec::new(), stored: BTreeMap::new() };
        self.push(Kind::Node(Box::new(member)), false)
    }

    /// A hand-made peer that accepts streams of these protocols.
    pub(super) fn add_raw(&mut self, protocols: &[&str]) -> usize {
        let host = self.hosts.len();
        self.push(Kind::Raw(Box::new(Raw::new(keypair(host), protocols))), true)
    }

    fn push(&mut self, kind: Kind, listens: bool) -> usize {
        let host = self.hosts.len();
        self.hosts.push(Host {
            kind,
            address: socket(host),
            listens,
            fails: false,
            ends: BTreeMap::new(),
            next_accepted: LinkId::ACCEPTED,
        });
        host
    }

    pub(super) fn member(&self, host: usize) -> &Member {
        match &self.hosts[host].kind {
            Kind::Node(member) => member,
            Kind::Raw(_) => panic!("host {host} is hand-made"),
        }
    }

    pub(super) fn node(&self, host: usize) -> &Node {
        self.member(host).driver.machine()
    }

    pub(super) fn events(&self, host: usize) -> Vec<Event> {
        let event =
            |output: &Output| if let Output::Event(event) = output { Some(event.clone()) } else { None };
        self.member(host).outputs.iter().filter_map(event).collect()
    }

    pub(super) fn count(&self, host: usize, wanted: impl Fn(&Event) -> bool) -> usize {
        self.events(host).iter().filter(|event| wanted(event)).count()
    }

    /// How often this payload was delivered.
    pub(super) fn delivered(&self, host: usize, content: &[u8]) -> usize {
        self.count(host, |event| matches!(event, Event::Message { payload, .. } if payload == content))
    }

    /// Open links of a host.
    pub(super) fn links(&self, host: usize) -> Vec<LinkId> {
        self.hosts[host].ends.keys().copied().collect()
    }

    pub(super) fn snapshot(&self, host: usize) -> Snapshot {
        Snapshot { records: self.member(host).stored.clone().into_iter().collect() }
    }

    pub(super) fn command(&mut self, host: usize, command: Command) {
        self.input(host, Input::Command(command));
    }

    pub(super) fn subscribe(&mut self, host: usize, topic: &str) {
        self.command(host, Command::Subscribe { token: 0, topic: topic.into() });
    }

    pub(super) fn publish(&mut self, host: usize, topic: &str, content: &[u8]) {
        let payload = Bytes::copy_from_slice(content);
        let scope = crate::broadcast::Scope::Swarm;
        self.command(host, Command::Publish { token: 1, topic: topic.into(), payload, scope });
    }

    /// Resets all links between two hosts.
    pub(super) fn reset(&mut self, one: usize, other: usize) {
        let between = |(link, end): (&LinkId, &End)| (end.other.0 == other).then_some(*link);
        let links: Vec<_> = self.hosts[one].ends.iter().filter_map(between).collect();
        links.into_iter().for_each(|link| self.reset_link(one, link));
    }

    /// Resets one link of a host.
    pub(super) fn reset_link(&mut self, host: usize, link: LinkId) {
        let (other, remote) = self.hosts[host].ends[&link].other;
        self.closed(host, link, Cause::Reset);
        self.closed(other, remote, Cause::Reset);
    }

    /// Lets a stalled host read on.
    pub(super) fn unstall(&mut self, host: usize) {
        self.stalled.remove(&host);
        for sender in 0..self.hosts.len() {
            let to_host = |(link, end): (&LinkId, &mut End)| {
                (end.other.0 == host).then(|| (*link, core::mem::take(&mut end.unwritten)))
            };
            let waiting: Vec<_> = self.hosts[sender].ends.iter_mut().filter_map(to_host).collect();
            for (link, pieces) in waiting {
                pieces.into_iter().for_each(|bytes| self.transmit(sender, link, &bytes));
            }
        }
    }

    /// Takes what a stalled host has not read of a link, from the host at its other end.
    pub(super) fn take_unread(&mut self, host: usize, link: LinkId) -> Vec<Bytes> {
        let (other, remote) = self.hosts[host].ends[&link].other;
        core::mem::take(&mut self.hosts[other].ends.get_mut(&remote).unwrap().unwritten)
    }

    pub(super) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        while self.step(end) {}
        self.now = end;
    }

    /// Runs until this holds, at most so long; panics otherwise.
    pub(super) fn until(&mut self, limit: Duration, holds: impl Fn(&Self) -> bool) {
        let end = self.now + limit;
        while !holds(self) {
            assert!(self.step(end), "not within {limit:?}");
        }
    }

    fn step(&mut self, end: Instant) -> bool {
        let timeout = |host: &Host| match &host.kind {
            Kind::Node(member) => member.driver.poll_timeout(),
            Kind::Raw(raw) => raw.poll_timeout(),
        };
        let due =
            self.hosts.iter().enumerate().filter_map(|(index, host)| Some((timeout(host)?, index))).min();
        let next = self.queue.first_key_value().map(|((at, _), _)| *at);
        let Some(at) = crate::deadline::earliest(next, due.map(|(at, _)| at)).filter(|at| *at <= end) else {
            return false;
        };
        self.now = self.now.max(at);
        if next.is_some_and(|next| due.is_none_or(|(due, _)| next <= due)) {
            let (_, (host, link, arrival)) = self.queue.pop_first().unwrap();
            self.arrive(host, link, arrival);
        } else if let Some((_, host)) = due {
            self.timeout(host);
        }
        true
    }

    fn timeout(&mut self, host: usize) {
        let at = self.at();
        match &mut self.hosts[host].kind {
            Kind::Node(member) => {
                member.driver.handle_timeout(at);
                let next = member.driver.poll_timeout();
                assert!(next.is_none_or(|next| next > at.now), "L3: {next:?} at {at:?}");
            }
            Kind::Raw(raw) => raw.handle_timeout(at),
        }
        self.outputs(host);
    }

    /// Calls `handle_timeout`, due or not.
    pub(super) fn early_timeout(&mut self, host: usize) {
        self.timeout(host);
    }

    pub(super) fn input(&mut self, host: usize, input: Input) {
        let at = self.at();
        match &mut self.hosts[host].kind {
            Kind::Node(member) => member.driver.handle(at, input),
            Kind::Raw(raw) => raw.handle(at, input),
        }
        self.outputs(host);
    }

    /// Carries out what a host wants done.
    pub(super) fn outputs(&mut self, host: usize) {
        loop {
            let output = match &mut self.hosts[host].kind {
                Kind::Node(member) => {
                    let output = member.driver.poll_output();
                    member.outputs.extend(output.clone());
                    output
                }
                Kind::Raw(raw) => raw.outputs.pop_front(),
            };
            let Some(output) = output else { return };
            self.output(host, output);
        }
    }

    fn output(&mut self, host: usize, output: Output) {
        match output {
            Output::Listen { listener, .. } if self.hosts[host].fails => {
                let cause = Cause::AddressInUse;
                self.later(host, LinkId(0), Arrival::Input(Input::ListenFailed { listener, cause }));
            }
            Output::Listen { listener, .. } => {
                self.hosts[host].listens = true;
                let local = Address::Socket(self.hosts[host].address);
                self.later(host, LinkId(0), Arrival::Input(Input::Listening { listener, local }));
            }
            Output::Unlisten { .. } => self.hosts[host].listens = false,
            Output::Dial { link, address, .. } => self.dial(host, link, &address),
            Output::Send { link, bytes } => self.transmit(host, link, &bytes),
            Output::Close { link, how } => self.close(host, link, how),
            Output::Pause { link } => self.pause(host, link, true),
            Output::Resume { link } => self.pause(host, link, false),
            Output::Query { question: Question::Store { key, value }, .. } => {
                let Kind::Node(member) = &mut self.hosts[host].kind else { return };
                match value {
                    Some(value) => member.stored.insert(key, value),
                    None => member.stored.remove(&key),
                };
            }
            Output::Event(_) | Output::Query { .. } => {}
            Output::Finish { .. } | Output::Message { .. } | Output::Datagram { .. } => {
                panic!("a node of the mesh does not say {output:?}")
            }
        }
    }

    fn dial(&mut self, host: usize, link: LinkId, address: &Address) {
        let Some(there) = self.hosts.iter().position(|there| Address::Socket(there.address) == *address)
        else {
            return self.later(host, link, Arrival::Input(Input::Closed { link, cause: Cause::Refused }));
        };
        if self.silent.contains(&there) {
            return;
        }
        if !self.hosts[there].listens {
            return self.later(host, link, Arrival::Input(Input::Closed { link, cause: Cause::Refused }));
        }
        let accepted = LinkId(self.hosts[there].next_accepted);
        self.hosts[there].next_accepted += 1;
        let local = SocketAddr::new(self.hosts[host].address.ip(), 50_000);
        let (local, remote) = (Address::Socket(local), address.clone());
        self.end(host, link, (there, accepted));
        self.end(there, accepted, (host, link));
        let via = Via::Accepted { listener: ListenerId(0) };
        let opened = Input::Opened { link: accepted, via, local: remote.clone(), remote: local.clone() };
        self.later(there, accepted, Arrival::Input(opened));
        self.later(host, link, Arrival::Input(Input::Opened { link, via: Via::Dialled, local, remote }));
    }

    fn end(&mut self, host: usize, link: LinkId, other: (usize, LinkId)) {
        let end =
            End { other, arrives: self.now, paused: false, inbox: VecDeque::new(), unwritten: Vec::new() };
        self.hosts[host].ends.insert(link, end);
    }

    fn transmit(&mut self, host: usize, link: LinkId, bytes: &Bytes) {
        let Some(end) = self.hosts[host].ends.get_mut(&link) else { return };
        let (there, remote) = end.other;
        if self.stalled.contains(&there) {
            return end.unwritten.push(bytes.clone());
        }
        let mut rest = bytes.clone();
        while !rest.is_empty() {
            let most = u64::try_from(rest.len()).unwrap();
            let piece = rest.split_to(usize::try_from(self.rng.next_u64() % most + 1).unwrap());
            if !self.silent.contains(&there) && !self.silent.contains(&host) {
                self.send(host, link, Arrival::Input(Input::Received { link: remote, bytes: piece }));
            }
        }
        let written = Input::Written { link, count: bytes.len() };
        self.schedule(self.now, (host, link, Arrival::Input(written)));
    }

    fn close(&mut self, host: usize, link: LinkId, how: How) {
        if !self.hosts[host].ends.contains_key(&link) {
            // A dial that is given up, or a link whose end is on its way.
            return;
        }
        let (_, remote) = self.hosts[host].ends[&link].other;
        let cause = if how == How::Flush { Cause::Finished } else { Cause::Reset };
        if how == How::Flush {
            self.send(host, link, Arrival::Input(Input::Finished { link: remote }));
        }
        self.send(host, link, Arrival::Input(Input::Closed { link: remote, cause }));
        self.hosts[host].ends.remove(&link);
        self.schedule(self.now, (host, link, Arrival::Input(Input::Closed { link, cause: Cause::Finished })));
    }

    fn closed(&mut self, host: usize, link: LinkId, cause: Cause) {
        if self.hosts[host].ends.remove(&link).is_some() {
            self.input(host, Input::Closed { link, cause });
        }
    }

    fn pause(&mut self, host: usize, link: LinkId, paused: bool) {
        if let Some(end) = self.hosts[host].ends.get_mut(&link) {
            end.paused = paused;
            self.schedule(self.now, (host, link, Arrival::Pump));
        }
    }

    /// To the other end, behind what was sent before.
    fn send(&mut self, host: usize, link: LinkId, arrival: Arrival) {
        let now = self.now;
        let Some(end) = self.hosts[host].ends.get_mut(&link) else { return };
        end.arrives = end.arrives.max(now + LATENCY);
        let (at, (there, remote)) = (end.arrives, end.other);
        self.schedule(at, (there, remote, arrival));
    }

    fn later(&mut self, host: usize, link: LinkId, arrival: Arrival) {
        self.schedule(self.now + LATENCY, (host, link, arrival));
    }

    fn schedule(&mut self, at: Instant, what: (usize, LinkId, Arrival)) {
        self.queue.insert((at, self.next_serial), what);
        self.next_serial += 1;
    }

    fn arrive(&mut self, host: usize, link: LinkId, arrival: Arrival) {
        let Arrival::Input(input) = arrival else { return self.pump(host, link) };
        let of_stream = matches!(input, Input::Received { .. } | Input::Finished { .. });
        match (self.hosts[host].ends.get_mut(&link), &input) {
            (Some(end), _) if of_stream => {
                end.inbox.push_back(Arrival::Input(input));
                self.pump(host, link);
            }
            (None, _) if of_stream => {}
            (Some(_), Input::Closed { cause, .. }) => self.closed(host, link, *cause),
            (_, _) => self.input(host, input),
        }
    }

    fn pump(&mut self, host: usize, link: LinkId) {
        while let Some(end) = self.hosts[host].ends.get_mut(&link).filter(|end| !end.paused) {
            let Some(Arrival::Input(input)) = end.inbox.pop_front() else { return };
            self.input(host, input);
        }
    }
}
