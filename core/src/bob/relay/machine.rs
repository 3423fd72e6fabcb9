//! The machine: links, timers, shutting down.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::net::SocketAddr;

use super::announce::Servers;
use super::config::Config;
use super::guesses::Guesses;
use super::link::{Hall, Link, State};
use super::room::Room;
use super::stats::Stats;
use super::{Command, Cx, Departure, Event, Input, Output, Port};
use crate::admission::{self, Decision, Level, Opening};
use crate::bob::Identity;
use crate::bob::packet::{Decoder, Packet, Uid};
use crate::deadline::Deadlines;
use crate::ip::{Class, Prefix};
use crate::link::{Address, How, LinkId, ListenerId, Via};
use crate::machine::{Context, Machine};
use crate::relay::{self, Meeting, Rendezvous};
use crate::stats::count;
use crate::time::Instant;

/// A relay. A machine: see [`crate::machine`] for how to run it.
#[derive(Debug)]
pub struct Relay {
    pub(super) config: Config,
    phase: Phase,
    pub(super) links: BTreeMap<LinkId, Link>,
    admission: admission::Table<LinkId>,
    /// All links by address.
    pub(super) addresses: BTreeSet<(Prefix, LinkId)>,

    /// Registered peers.
    pub(super) peers: BTreeMap<Uid, LinkId>,
    pub(super) clients: BTreeSet<LinkId>,
    pub(super) servers: Servers,
    pub(super) last_uid: Uid,
    pub(super) guesses: Guesses,
    /// Shares of clients that wait, by client and server.
    pub(super) delayed: BTreeMap<(LinkId, Uid), Packet>,

    pub(super) meetings: Rendezvous<Identity>,
    pub(super) rooms: BTreeMap<Meeting, Room>,

    pub(super) timers: Deadlines<Timer>,
    /// Links that are to be given up before the call returns.
    doomed: VecDeque<(LinkId, Departure)>,
    /// When the first timer is due: kept, as drivers ask often.
    due: Option<Instant>,
    /// The latest moment seen (L5).
    latest: Instant,
    pub(super) stats: Stats,
}

/// What a relay holds at the moment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Occupancy {
    /// Links of both ports, those that are closing included.
    pub links: usize,
    /// Registered servers.
    pub servers: usize,
    /// Registered clients.
    pub clients: usize,
    /// Rooms, open and in use.
    pub rooms: usize,
    /// Handshakes that wait, as their address has guessed wrong.
    pub delayed: usize,
    /// Pairs and addresses whose failures are remembered. They outlive the links, for a while.
    pub guesses: usize,
}

/// Whatever a relay waits for. The order decides between equal instants.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Timer {
    /// The relay has not begun.
    Start,
    /// A link has had its time, to do something or to close.
    Link(LinkId),
    /// A client's share may go to a server.
    Delayed(LinkId, Uid),
    /// A meeting has had its time.
    Meetings,
    /// A room in use is looked after.
    Room(Meeting),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    /// The first call opens the ports.
    New,
    Running,
    Stopping,
    Stopped,
}

impl Port {
    const ALL: [Self; 2] = [Self::Handshake, Self::Room];

    const fn listener(self) -> ListenerId {
        match self {
            Self::Handshake => ListenerId(0),
            Self::Room => ListenerId(1),
        }
    }

    fn of(listener: ListenerId) -> Option<Self> {
        Self::ALL.into_iter().find(|port| port.listener() == listener)
    }
}

impl Relay {
    /// A relay that has not begun: its first input or time-out opens its ports.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let meetings = relay::Config { meetings_max: config.rooms_max, patience: config.timeout };
        let mut relay = Self {
            phase: Phase::New,
            links: BTreeMap::new(),
            // No link that came in has this id.
            admission: admission::Table::new(config.admission, LinkId(0)),
            addresses: BTreeSet::new(),
            peers: BTreeMap::new(),
            clients: BTreeSet::new(),
            servers: Servers::default(),
            last_uid: Uid::RELAY,
            guesses: Guesses::new(config.guessing),
            delayed: BTreeMap::new(),
            meetings: Rendezvous::new(meetings),
            rooms: BTreeMap::new(),
            timers: Deadlines::new(),
            doomed: VecDeque::new(),
            due: Some(Instant::ORIGIN),
            latest: Instant::ORIGIN,
            stats: Stats::default(),
            config,
        };
        relay.timers.set(Timer::Start, relay.due);
        relay
    }

    /// What was done and shed so far.
    #[must_use]
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Who was let in so far, and who was not.
    #[must_use]
    pub const fn admission(&self) -> &admission::Stats {
        self.admission.stats()
    }

    /// What is held at the moment.
    #[must_use]
    pub fn occupancy(&self) -> Occupancy {
        Occupancy {
            links: self.links.len(),
            servers: self.servers.len(),
            clients: self.clients.len(),
            rooms: self.rooms.len(),
            delayed: self.delayed.len(),
            guesses: self.guesses.len(),
        }
    }

    /// Whether [`Event::Stopped`] was emitted.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.phase == Phase::Stopped
    }

    fn begin(&mut self, cx: &mut Cx<'_>) {
        if self.phase != Phase::New {
            return;
        }
        self.phase = Phase::Running;
        self.timers.remove(&Timer::Start);
        let addresses = [self.config.handshake.clone(), self.config.room.clone()];
        for (port, address) in Port::ALL.into_iter().zip(addresses) {
            cx.emit(Output::Listen { listener: port.listener(), address });
        }
    }

    fn opened(&mut self, id: LinkId, via: Via, remote: &Address, cx: &mut Cx<'_>) {
        count(&mut self.stats.opened);
        let port = if let Via::Accepted { listener } = via { Port::of(listener) } else { None };
        let remote = if let Address::Socket(remote) = remote { Some(*remote) } else { None };
        let (Some(port), Some(remote)) = (port, remote) else { return self.refuse(id, cx) };
        if self.phase != Phase::Running || self.links.contains_key(&id) || self.is_crowded(remote) {
            return self.refuse(id, cx);
        }
        let opening = Opening { link: id, remote: Some(remote.ip()), relayed: false };
        let Decision::Accept { evicted } = self.admission.accept(cx.now(), opening) else {
            return self.refuse(id, cx);
        };
        self.evict(&evicted, cx);
        let state = match port {
            Port::Handshake => State::Hall(Box::new(Hall { decoder: Decoder::new(), peer: None })),
            Port::Room => State::Line(Vec::new()),
        };
        let link = Link::new(remote, state);
        self.addresses.insert((link.subscriber(), id));
        self.links.insert(id, link);
        self.timers.set(Timer::Link(id), Some(cx.now() + self.config.timeout));
    }

    /// Whether as many links as permitted come from this address.
    fn is_crowded(&self, remote: SocketAddr) -> bool {
        let is_exempt = Class::of(remote.ip()) == Class::Loopback && !self.config.admission.enforce_loopback;
        let who = Prefix::subscriber(remote.ip());
        !is_exempt
            && self.links_of(who).take(self.config.per_address_max).count() >= self.config.per_address_max
    }

    pub(super) fn links_of(&self, who: Prefix) -> impl Iterator<Item = LinkId> + '_ {
        self.addresses.range((who, LinkId(0))..=(who, LinkId(u64::MAX))).map(|(_, id)| *id)
    }

    fn refuse(&mut self, id: LinkId, cx: &mut Cx<'_>) {
        count(&mut self.stats.refused);
        cx.emit(Output::Close { link: id, how: How::Abort });
    }

    fn evict(&mut self, evicted: &[admission::Evicted], cx: &mut Cx<'_>) {
        for gone in evicted {
            count(&mut self.stats.evicted);
            if self.links.get(&gone.link).is_some_and(|link| matches!(link.state, State::Closing)) {
                // It has been told to close, and takes its time.
                cx.emit(Output::Close { link: gone.link, how: How::Abort });
            }
            self.close(gone.link, How::Abort, cx);
        }
    }

    /// The link has said what it wants: it has a place among those who are admitted, or is closed.
    pub(super) fn admit(&mut self, id: LinkId, cx: &mut Cx<'_>) -> bool {
        for level in [None, Some(Level(1))] {
            let decision = match level {
                None => self.admission.authenticated(id, id),
                Some(level) => self.admission.admit(id, level),
            };
            match decision {
                Decision::Accept { evicted } => self.evict(&evicted, cx),
                Decision::Refuse(_) => {
                    count(&mut self.stats.refused);
                    self.close(id, How::Abort, cx);
                    return false;
                }
            }
        }
        true
    }

    /// Closes a link that is registered nowhere any more.
    pub(super) fn close(&mut self, id: LinkId, how: How, cx: &mut Cx<'_>) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if matches!(link.state, State::Closing) {
            return;
        }
        link.state = State::Closing;
        let until = cx.now() + self.config.linger;
        self.timers.set(Timer::Link(id), (how == How::Flush).then_some(until));
        cx.emit(Output::Close { link: id, how });
    }

    /// Gives up a link before this call returns.
    pub(super) fn doom(&mut self, id: LinkId, why: Departure) {
        self.doomed.push_back((id, why));
    }

    fn received(&mut self, id: LinkId, bytes: bytes::Bytes, cx: &mut Cx<'_>) {
        match self.links.get(&id).map(|link| &link.state) {
            Some(State::Hall(_)) => self.hall_received(id, bytes, cx),
            Some(State::Line(_)) => self.line_received(id, &bytes, cx),
            Some(State::Waiting { .. }) => self.early_received(id, &bytes, cx),
            Some(State::Copying(room)) => self.copy(*room, id, bytes, cx),
            Some(State::Closing) | None => {}
        }
    }

    /// The peer's half is closed, or (then the link is forgotten afterwards) all of it.
    fn ended(&mut self, id: LinkId, cx: &mut Cx<'_>) {
        match self.links.get(&id).map(|link| &link.state) {
            Some(State::Hall(_)) => self.depart(id, Departure::Left, cx),
            Some(State::Line(_)) => self.answer_line(id, super::room::UNKNOWN, cx),
            Some(State::Waiting { meeting, .. }) => self.leave_room(*meeting, cx),
            Some(State::Copying(room)) => self.close_room(*room, cx),
            Some(State::Closing) | None => {}
        }
    }

    fn closed(&mut self, id: LinkId, cx: &mut Cx<'_>) {
        // Whatever follows from the end is not for this link.
        let Some(link) = self.links.get(&id) else { return };
        let address = (link.subscriber(), id);
        let mut outputs = Vec::new();
        cx.capture(&mut outputs, |cx| self.ended(id, cx));
        let is_for_it = |output: &Output| matches!(output, Output::Send { link, .. } | Output::Close { link, .. } if *link == id);
        outputs.into_iter().filter(|output| !is_for_it(output)).for_each(|output| cx.emit(output));
        self.links.remove(&id);
        self.addresses.remove(&address);
        self.admission.closed(id);
        self.timers.remove(&Timer::Link(id));
    }

    fn link_due(&mut self, id: LinkId, cx: &mut Cx<'_>) {
        let Some(link) = self.links.get(&id) else { return };
        match &link.state {
            State::Hall(hall) if hall.peer.is_some() => self.depart(id, Departure::TimedOut, cx),
            State::Hall(_) => {
                count(&mut self.stats.silent);
                self.close(id, How::Flush, cx);
            }
            State::Line(_) => {
                count(&mut self.stats.silent);
                self.answer_line(id, super::room::TIMED_OUT, cx);
            }
            State::Closing => {
                count(&mut self.stats.lingered);
                cx.emit(Output::Close { link: id, how: How::Abort });
            }
            // The room has timers of its own.
            State::Waiting { .. } | State::Copying(_) => {}
        }
    }

    fn shut(&mut self, cx: &mut Cx<'_>) {
        if self.phase != Phase::Running {
            return;
        }
        self.phase = Phase::Stopping;
        self.admission.shut();
        for port in Port::ALL {
            cx.emit(Output::Unlisten { listener: port.listener() });
        }
        let all: Vec<LinkId> = self.links.keys().copied().collect();
        for id in all {
            match self.links.get(&id).map(|link| &link.state) {
                Some(State::Hall(hall)) if hall.peer.is_some() => self.depart(id, Departure::Shutdown, cx),
                Some(State::Copying(room)) => self.close_room(*room, cx),
                Some(State::Waiting { meeting, .. }) => self.leave_room(*meeting, cx),
                Some(State::Hall(_) | State::Line(_)) => self.close(id, How::Flush, cx),
                Some(State::Closing) | None => {}
            }
        }
    }

    /// Gives up what was doomed, and finds out when to wake up.
    fn settle(&mut self, cx: &mut Cx<'_>) {
        while let Some((id, why)) = self.doomed.pop_front() {
            self.depart(id, why, cx);
        }
        if self.phase == Phase::Stopping && self.links.is_empty() {
            self.phase = Phase::Stopped;
            self.timers = Deadlines::new();
            cx.emit(Output::Event(Event::Stopped));
        } else {
            self.timers.set(Timer::Meetings, self.meetings.deadline());
        }
        self.due = self.timers.next();
    }

    fn due(&mut self, timer: Timer, cx: &mut Cx<'_>) {
        match timer {
            Timer::Start => {}
            Timer::Link(id) => self.link_due(id, cx),
            Timer::Delayed(client, server) => self.try_again(client, server, cx),
            Timer::Meetings => self.meetings_due(cx),
            Timer::Room(room) => self.room_due(room, cx),
        }
    }

    fn listening(&self, listener: ListenerId, result: Result<Address, crate::link::Cause>, cx: &mut Cx<'_>) {
        let Some(port) = Port::of(listener) else { return };
        cx.emit(Output::Event(match result {
            Ok(address) => Event::Listening { port, address },
            Err(cause) => Event::ListenFailed { port, cause },
        }));
    }
}

impl Machine for Relay {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, input: Input, cx: &mut Cx<'_>) {
        if self.phase == Phase::Stopped {
            return;
        }
        let cx: &mut Context<'_, _> = &mut cx.not_before(&mut self.latest);
        self.begin(cx);
        match input {
            Input::Listening { listener, local } => self.listening(listener, Ok(local), cx),
            Input::ListenFailed { listener, cause } => self.listening(listener, Err(cause), cx),
            Input::Opened { link, via, remote, .. } => self.opened(link, via, &remote, cx),
            Input::Received { link, bytes } => self.received(link, bytes, cx),
            Input::Written { link, count } => self.written(link, count, cx),
            Input::Finished { link } => self.ended(link, cx),
            Input::Closed { link, .. } => self.closed(link, cx),
            Input::Command(Command::Shutdown) => self.shut(cx),
            // A relay has neither message links nor sockets for datagrams, and asks nothing.
            Input::Message { .. }
            | Input::Datagram { .. }
            | Input::AddressesChanged
            | Input::Answer { .. } => {}
        }
        self.settle(cx);
    }

    fn handle_timeout(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now().max(self.latest);
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        let cx: &mut Context<'_, _> = &mut cx.not_before(&mut self.latest);
        self.begin(cx);
        // What is set anew while timers run is later than now.
        while let Some(timer) = self.timers.pop_due(now) {
            self.due(timer, cx);
        }
        self.settle(cx);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }
}
