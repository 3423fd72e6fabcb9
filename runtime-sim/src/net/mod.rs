//! The wire driver: any machine that speaks the link vocabulary, on simulated hosts and byte streams.
//!
//! Links have a fixed delay for each directed pair of hosts, carry bytes in order, cut at random places, and stall
//! when the reader pauses. A dial to a host that is gone is refused, or never answered. Each host has one address per
//! listener, in a /24 of its own (`10.x.y.1`) or shared with others as behind a NAT, its own wall clock and its own
//! store. Hosts may run different machines: an enum that is a machine itself.
//!
//! Only byte streams are carried: datagrams and message links are counted as unsupported and go nowhere.

pub mod adapt;
mod arrivals;
mod connection;
mod digest;
mod host;
mod observe;
mod segment;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use pleach_core::link::{Address, Answer, Cause, Input, LinkId, ListenerId, Output, QueryId};
use pleach_core::{Context, Instant, Machine};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::latency::Latency;
use crate::queue::Calendar;
use crate::rng::{Domain, stream};
use connection::{Connection, Side};
use host::Host;
pub use host::address;
pub use observe::{Observer, Traffic};
use segment::Segment;

/// How long a link that was closed may take to send the rest, as in the driver of real sockets.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// What becomes of dials, bytes and ends that come to hosts that have crashed.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DeadDials {
    /// They are refused or reset, which is known after one round trip.
    #[default]
    Refused,
    /// Nothing ever answers: only deadlines of the other end help it.
    Silent,
}

/// How a host stops.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stop {
    /// Its links are reset at the other ends, one delay later.
    Crash,
    /// Its links stay open and say nothing more; whoever sends to it or dials it hears nothing, whatever becomes of
    /// other [`DeadDials`].
    Freeze,
}

/// What happened, over all hosts.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Totals {
    /// Calls into machines: inputs and deadlines.
    pub events: u64,
    /// Bytes that arrived.
    pub bytes: u64,
    /// Pieces in which they arrived.
    pub pieces: u64,
    /// Links that stood.
    pub opened: u64,
    /// Outputs about links that the machine was told are closed, or never had.
    pub stale: u64,
    /// Outputs that this driver does not serve.
    pub unsupported: u64,
}

/// The simulated network.
#[derive(Debug)]
pub struct Net<M: Machine> {
    queue: Calendar<Happening<M::Input>>,
    hosts: Vec<Host<M>>,
    listeners: BTreeMap<SocketAddr, (u32, ListenerId)>,
    connections: BTreeMap<u64, Connection>,
    latency: Latency,
    dead_dials: DeadDials,
    cuts: ChaCha8Rng,
    seed: u64,
    now: Instant,
    next_connection: u64,
    digest: Digest,
    totals: Totals,
}

/// What waits in the queue.
#[derive(Debug)]
enum Happening<I> {
    Wake(u32),
    /// Something for the machine itself: a command, an answer, a listener.
    Input(u32, I),
    Arrive {
        connection: u64,
        to: Side,
        what: Segment,
    },
}

impl<C, A, E, Q, M> Net<M>
where
    M: Machine<Input = Input<C, A>, Output = Output<E, Q>>,
{
    /// An empty network.
    #[must_use]
    pub fn new(seed: u64, latency: Latency, dead_dials: DeadDials) -> Self {
        Self {
            queue: Calendar::new(),
            hosts: Vec::new(),
            listeners: BTreeMap::new(),
            connections: BTreeMap::new(),
            latency,
            dead_dials,
            cuts: stream(seed, Domain::Link, u32::MAX),
            seed,
            now: Instant::ORIGIN,
            next_connection: 0,
            digest: Digest::default(),
            totals: Totals::default(),
        }
    }

    /// Adds a host that runs `machine`, whose wall clock is off by so much, and wakes it. Returns its number: hosts
    /// are numbered from 0.
    pub fn add(&mut self, machine: M, wall_offset_ms: i64) -> u32 {
        let ip = host::ip(u32::try_from(self.hosts.len()).unwrap_or(u32::MAX));
        self.add_at(ip, machine, wall_offset_ms)
    }

    /// The same for a host behind the address of another one: whoever it dials sees that address, with other ports.
    /// Where there is no such host it gets an address of its own.
    pub fn add_behind(&mut self, neighbour: u32, machine: M, wall_offset_ms: i64) -> u32 {
        match self.hosts.get(neighbour as usize).map(|host| host.ip) {
            Some(ip) => self.add_at(ip, machine, wall_offset_ms),
            None => self.add(machine, wall_offset_ms),
        }
    }

    fn add_at(&mut self, ip: IpAddr, machine: M, wall_offset_ms: i64) -> u32 {
        let node = u32::try_from(self.hosts.len()).unwrap_or(u32::MAX);
        let rng = stream(self.seed, Domain::Machine, node);
        self.hosts.push(Host::new(machine, ip, rng, wall_offset_ms));
        self.digest.event(self.now, node, digest::STARTED, 0);
        self.arm(node);
        node
    }

    /// Hands a command to a machine at the present instant.
    pub fn command(&mut self, node: u32, command: C) {
        self.queue.push(self.now, Happening::Input(node, Input::Command(command)));
    }

    /// Stops a host for good.
    pub fn stop(&mut self, node: u32, how: Stop) {
        let Some(host) = self.hosts.get_mut(node as usize) else { return };
        host.stopped = Some(how);
        self.digest.event(self.now, node, digest::STOPPED, u64::from(how == Stop::Freeze));
        if how == Stop::Freeze {
            return;
        }
        let links: Vec<_> = host.links.values().copied().collect();
        for (connection, side) in links {
            self.transmit(connection, side, Segment::Reset);
        }
    }

    /// Runs until `until`, which is the present afterwards.
    pub fn run_until(&mut self, until: Instant, observer: &mut impl Observer<E, A, Q>) {
        while let Some((at, happening)) = self.queue.pop_until(until) {
            self.now = self.now.max(at);
            match happening {
                Happening::Wake(node) => self.wake(node, observer),
                Happening::Input(node, input) => {
                    digest::input(&mut self.digest, self.now, node, &input);
                    self.call(node, input, observer);
                }
                Happening::Arrive { connection, to, what } => self.arrive(connection, to, what, observer),
            }
        }
        self.now = self.now.max(until);
    }

    /// The present.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// The machine of a live host.
    #[must_use]
    pub fn machine(&self, node: u32) -> Option<&M> {
        self.hosts.get(node as usize).filter(|host| host.is_alive()).map(|host| &host.machine)
    }

    /// What a host has stored.
    #[must_use]
    pub fn stored(&self, node: u32) -> Option<&BTreeMap<String, Bytes>> {
        self.hosts.get(node as usize).map(|host| &host.store)
    }

    /// Whose address this is.
    #[must_use]
    pub fn owner(&self, address: SocketAddr) -> Option<u32> {
        self.listeners.get(&address).map(|(node, _)| *node)
    }

    /// What happened so far.
    #[must_use]
    pub const fn totals(&self) -> Totals {
        self.totals
    }

    /// The digest of everything so far.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    fn wake(&mut self, node: u32, observer: &mut impl Observer<E, A, Q>) {
        let now = self.now;
        let Some(host) = self.hosts.get_mut(node as usize).filter(|host| host.is_alive()) else { return };
        if !host.alarm.rings(now) {
            return;
        }
        if host.machine.poll_timeout().is_some_and(|due| due <= now) {
            let mut outputs = Vec::new();
            let at = crate::clock::at(now, host.wall_offset_ms);
            host.machine.handle_timeout(&mut Context::new(at, &mut host.rng, &mut outputs));
            self.digest.event(now, node, digest::WOKEN, 0);
            self.totals.events += 1;
            self.carry_out(node, outputs, observer);
        }
        self.arm(node);
    }

    fn call(&mut self, node: u32, input: Input<C, A>, observer: &mut impl Observer<E, A, Q>) {
        let now = self.now;
        let Some(host) = self.hosts.get_mut(node as usize).filter(|host| host.is_alive()) else { return };
        let mut outputs = Vec::new();
        let at = crate::clock::at(now, host.wall_offset_ms);
        host.machine.handle(input, &mut Context::new(at, &mut host.rng, &mut outputs));
        self.totals.events += 1;
        self.carry_out(node, outputs, observer);
        self.arm(node);
    }

    fn arm(&mut self, node: u32) {
        let Some(host) = self.hosts.get_mut(node as usize) else { return };
        if let Some(due) = host.alarm.set(host.machine.poll_timeout()) {
            self.queue.push(due.max(self.now), Happening::Wake(node));
        }
    }

    fn carry_out(&mut self, node: u32, outputs: Vec<Output<E, Q>>, observer: &mut impl Observer<E, A, Q>) {
        for output in outputs {
            match output {
                Output::Listen { listener, address } => self.listen(node, listener, &address),
                Output::Unlisten { listener } => self.listeners.retain(|_, owner| *owner != (node, listener)),
                Output::Dial { link, address, from: _, role: _ } => self.dial(node, link, &address),
                Output::Send { link, bytes } => {
                    if self.hosts.get(node as usize).is_some_and(|host| host.links.contains_key(&link)) {
                        observer.traffic(self.now, node, &Traffic::Sent { link, bytes: &bytes });
                    }
                    self.with(node, link, |end| end.send(&bytes));
                }
                Output::Finish { link } => self.with(node, link, connection::End::finish),
                Output::Close { link, how } => self.with(node, link, |end| end.close(how)),
                Output::Pause { link } => self.with(node, link, connection::End::pause),
                Output::Resume { link } => self.with(node, link, connection::End::resume),
                Output::Query { query, question } => self.ask(node, query, question, observer),
                Output::Event(event) => {
                    self.digest.event(self.now, node, digest::REPORTED, 0);
                    observer.event(self.now, node, event);
                }
                Output::Message { .. } | Output::Datagram { .. } => self.totals.unsupported += 1,
            }
        }
        self.flush(node);
    }

    fn listen(&mut self, node: u32, listener: ListenerId, wanted: &Address) {
        let Some(ip) = self.hosts.get(node as usize).map(|host| host.ip) else { return };
        let input = match host::bind(ip, listener, wanted) {
            Some(bound) if !self.listeners.contains_key(&bound) => {
                self.listeners.insert(bound, (node, listener));
                Input::Listening { listener, local: Address::Socket(bound) }
            }
            Some(_) => Input::ListenFailed { listener, cause: Cause::AddressInUse },
            None => Input::ListenFailed { listener, cause: Cause::Unsupported },
        };
        self.queue.push(self.now, Happening::Input(node, input));
    }

    fn dial(&mut self, node: u32, link: LinkId, address: &Address) {
        let id = self.next_connection;
        self.next_connection += 1;
        let target = match address {
            Address::Socket(socket) => Ok(*socket),
            Address::Name { .. } => Err(Cause::Unreachable),
            Address::WebSocket { .. } | Address::Onion { .. } => Err(Cause::Unsupported),
        };
        let Some(ip) = self.hosts.get(node as usize).map(|host| host.ip) else { return };
        let local = host::ephemeral(ip, id);
        // What is no socket address is not reached, and seen by nobody.
        let remote = target.unwrap_or(local);
        let owner = target.ok().and_then(|socket| self.listeners.get(&socket).copied());
        let mut connection = Connection::new(node, link, local, remote);
        if let Some((peer, _)) = owner {
            connection.end_mut(Side::Acceptor).node = peer;
        }
        self.connections.insert(id, connection);
        if let Some(host) = self.hosts.get_mut(node as usize) {
            host.links.insert(link, (id, Side::Dialler));
        }
        match (target, owner) {
            (Err(cause), _) => self.later(id, Side::Dialler, Duration::ZERO, Segment::Closed(cause)),
            (Ok(_), Some(_)) => self.transmit(id, Side::Dialler, Segment::Open),
            // An address that nobody ever had behaves as a host that is gone.
            (Ok(_), None) if self.dead_dials == DeadDials::Refused => {
                self.later(id, Side::Dialler, Duration::from_millis(50), Segment::Refused);
            }
            (Ok(_), None) => {}
        }
    }

    fn ask(
        &mut self,
        node: u32,
        query: QueryId,
        question: pleach_core::link::Question<Q>,
        observer: &mut impl Observer<E, A, Q>,
    ) {
        let Some(host) = self.hosts.get_mut(node as usize) else { return };
        let answer = match host.answer(question) {
            Ok(answer) => Some(answer),
            Err(other) => observer.asked(self.now, node, other).map(Answer::Other),
        };
        if let Some(answer) = answer {
            let at = self.now + host::STORE_DELAY;
            self.queue.push(at, Happening::Input(node, Input::Answer { query, answer }));
        }
    }

    fn with(&mut self, node: u32, link: LinkId, act: impl FnOnce(&mut connection::End)) {
        let place = self.hosts.get(node as usize).and_then(|host| host.links.get(&link).copied());
        match place.and_then(|(id, side)| Some((id, side, self.connections.get_mut(&id)?))) {
            Some((id, side, connection)) => {
                act(connection.end_mut(side));
                if let Some(host) = self.hosts.get_mut(node as usize)
                    && !host.touched.contains(&(id, side))
                {
                    host.touched.push((id, side));
                }
            }
            None => self.totals.stale += 1,
        }
    }

    /// Puts on its way what the machine's last call left at the ends that it touched.
    fn flush(&mut self, node: u32) {
        let Some(host) = self.hosts.get_mut(node as usize) else { return };
        for (id, side) in std::mem::take(&mut host.touched) {
            self.flush_end(id, side);
        }
    }

    fn flush_end(&mut self, id: u64, side: Side) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let outcome = connection.end_mut(side).flush(&mut self.cuts);
        for piece in outcome.pieces {
            self.transmit(id, side, Segment::Bytes(piece));
        }
        if outcome.finish {
            self.transmit(id, side, Segment::Finish);
        }
        if outcome.reset {
            self.transmit(id, side, Segment::Reset);
        }
        if outcome.dropped > 0 {
            self.transmit(id, side, Segment::Read(outcome.dropped));
        }
        if outcome.waits {
            self.later(id, side, FLUSH_TIMEOUT, Segment::Overdue);
        }
        if outcome.resumed {
            self.later(id, side, Duration::ZERO, Segment::Resumed);
        }
        if outcome.written > 0 {
            self.later(id, side, Duration::ZERO, Segment::Written(outcome.written));
        }
        if outcome.closed {
            self.later(id, side, Duration::ZERO, Segment::Closed(Cause::Finished));
        }
    }

    /// Sends a segment to the other end.
    fn transmit(&mut self, id: u64, from: Side, what: Segment) {
        let Some(connection) = self.connections.get(&id) else { return };
        let (here, there) = (connection.end(from).node, connection.end(from.other()).node);
        let delay = self.latency.between(here, there);
        self.queue.push(self.now + delay, Happening::Arrive { connection: id, to: from.other(), what });
    }

    fn later(&mut self, id: u64, to: Side, delay: Duration, what: Segment) {
        self.queue.push(self.now + delay, Happening::Arrive { connection: id, to, what });
    }
}

#[cfg(test)]
mod tests;
