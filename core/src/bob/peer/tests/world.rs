//! Servers, clients and a relay in memory: everything between them is cut at random places.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;
use std::vec;

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::bob::pack::Name;
use crate::bob::peer;
use crate::bob::peer::ROOM;
use crate::bob::relay::{self, Relay};
use crate::bob::{Client, Password, Server, client, server};
use crate::link::{Address, Cause, How, Input, LinkId, ListenerId, Output, Via};
use crate::machine::{At, Context, Machine};
use crate::rng::below;
use crate::time::Instant;

const HANDSHAKE_PORT: u16 = 9000;
const ROOM_PORT: u16 = 9001;

pub(in crate::bob) fn port(number: u16) -> Address {
    Address::Socket(SocketAddr::from(([192, 0, 2, 1], number)))
}

pub(in crate::bob) fn relay() -> peer::RelayAccess {
    peer::RelayAccess::new(port(HANDSHAKE_PORT), port(ROOM_PORT))
}

fn new_relay() -> Relay {
    Relay::new(relay::Config::new(port(HANDSHAKE_PORT), port(ROOM_PORT)))
}

pub(in crate::bob) fn sends(password: &str, content: &[u8]) -> server::Config {
    let name = Name::try_from(b"hedge.txt".as_slice()).unwrap();
    let size = u64::try_from(content.len()).unwrap();
    server::Config::new(relay(), Password::new(password.as_bytes().to_vec()), name, size)
}

pub(in crate::bob) fn takes(password: &str) -> client::Config {
    client::Config::new(relay(), Password::new(password.as_bytes().to_vec()))
}

/// What the person at a client does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::bob) enum Mind {
    Accepts,
    Refuses,
    Waits,
}

enum Actor {
    Server { machine: Box<Server>, content: Bytes, events: Vec<server::Event> },
    Client { machine: Box<Client>, mind: Mind, reads: bool, events: Vec<client::Event> },
}

struct Peer {
    actor: Actor,
    address: SocketAddr,
    /// Links that stand, and whether they are paused.
    links: BTreeMap<LinkId, bool>,
    /// Bytes on their way to it, by link; behind them, the end.
    inbox: VecDeque<Piece>,
}

enum Piece {
    Bytes(LinkId, Bytes),
    End(LinkId),
}

/// A link of a peer.
type Place = (usize, LinkId);

/// Changes bytes that the relay forwards in a room to a peer; empty bytes are lost.
type Tamper = Box<dyn FnMut(usize, Bytes) -> Bytes>;

pub(in crate::bob) struct World {
    pub(in crate::bob) now: Instant,
    rng: ChaCha8Rng,
    peers: Vec<Peer>,
    relay: Relay,
    /// Links of the relay, and whose they are.
    places: BTreeMap<LinkId, Place>,
    /// Links that the relay does not read.
    paused: BTreeSet<LinkId>,
    next_link: u64,
    /// Bytes on their way to the relay; behind them, the end.
    outbox: VecDeque<(Place, Option<Bytes>)>,
    pub(in crate::bob) tamper: Option<Tamper>,
    /// The longest piece that is delivered at once.
    pub(in crate::bob) piece_max: u64,
}

impl World {
    pub(in crate::bob) fn new(seed: u64) -> Self {
        let mut world = Self {
            now: Instant::from_micros(1_000_000),
            rng: ChaCha8Rng::seed_from_u64(seed),
            peers: Vec::new(),
            relay: new_relay(),
            places: BTreeMap::new(),
            paused: BTreeSet::new(),
            next_link: LinkId::ACCEPTED,
            outbox: VecDeque::new(),
            tamper: None,
            piece_max: 1000,
        };
        world.call_relay(None);
        world
    }

    pub(in crate::bob) fn server(&mut self, config: server::Config, content: &[u8]) -> usize {
        let machine = Box::new(Server::new(config).unwrap());
        let content = Bytes::copy_from_slice(content);
        self.add(Actor::Server { machine, content, events: Vec::new() })
    }

    pub(in crate::bob) fn client(&mut self, config: client::Config, mind: Mind) -> usize {
        self.add(Actor::Client {
            machine: Box::new(Client::new(config)),
            mind,
            reads: true,
            events: Vec::new(),
        })
    }

    fn add(&mut self, actor: Actor) -> usize {
        let index = self.peers.len();
        let host = u8::try_from(index + 1).unwrap();
        let address = SocketAddr::from(([198, 51, 100, host], 4000));
        let peer = Peer { actor, address, links: BTreeMap::new(), inbox: VecDeque::new() };
        self.peers.push(peer);
        self.wake(index);
        index
    }

    pub(in crate::bob) fn server_events(&self, index: usize) -> &[server::Event] {
        let Actor::Server { events, .. } = &self.peers[index].actor else { panic!("{index} is a client") };
        events
    }

    pub(in crate::bob) fn client_events(&self, index: usize) -> &[client::Event] {
        let Actor::Client { events, .. } = &self.peers[index].actor else { panic!("{index} is a server") };
        events
    }

    /// How it ended.
    pub(in crate::bob) fn sent(&self, index: usize) -> Option<Result<server::Sent, server::Failure>> {
        self.server_events(index).iter().find_map(|event| match event {
            server::Event::Ended(result) => Some(*result),
            _ => None,
        })
    }

    /// How it ended.
    pub(in crate::bob) fn received(&self, index: usize) -> Option<Result<(), client::Failure>> {
        self.client_events(index).iter().find_map(|event| match event {
            client::Event::Ended(result) => Some(*result),
            _ => None,
        })
    }

    /// What has come.
    pub(in crate::bob) fn content(&self, index: usize) -> Vec<u8> {
        let pieces = self.client_events(index).iter().filter_map(|event| match event {
            client::Event::Content { bytes } => Some(bytes.as_ref()),
            _ => None,
        });
        pieces.collect::<Vec<_>>().concat()
    }

    /// Whether the application of a client takes content.
    pub(in crate::bob) fn reads(&mut self, index: usize, whether: bool) {
        let Actor::Client { reads, .. } = &mut self.peers[index].actor else { panic!("{index} is a server") };
        *reads = whether;
    }

    pub(in crate::bob) fn tell_server(&mut self, index: usize, command: server::Command) {
        self.call(index, Some(Told::Server(command)));
    }

    pub(in crate::bob) fn tell_client(&mut self, index: usize, command: client::Command) {
        self.call(index, Some(Told::Client(command)));
    }

    /// The relay is gone: all links are reset.
    pub(in crate::bob) fn relay_dies(&mut self) {
        self.outbox.clear();
        self.places.clear();
        self.relay = new_relay();
        self.call_relay(None);
        for index in 0..self.peers.len() {
            self.peers[index].inbox.clear();
            for link in self.peers[index].links.keys().copied().collect::<Vec<_>>() {
                self.closes(index, link, Cause::Reset);
            }
        }
        self.outbox.clear();
    }

    /// Carries until nothing moves, without time.
    pub(in crate::bob) fn run(&mut self) {
        while self.step() {}
    }

    /// One piece is delivered somewhere. False: nothing moves.
    pub(in crate::bob) fn step(&mut self) -> bool {
        let is_read = |place: &Place| self.relay_link(*place).is_none_or(|link| !self.paused.contains(&link));
        if let Some(at) = self.outbox.iter().position(|(place, _)| is_read(place)) {
            let (place, bytes) = self.outbox.remove(at).unwrap();
            self.relay_hears(place, bytes);
            return true;
        }
        let ready: Vec<usize> = (0..self.peers.len()).filter(|index| self.can_receive(*index)).collect();
        if ready.is_empty() {
            return false;
        }
        let chosen = below(&mut self.rng, u64::try_from(ready.len()).unwrap());
        self.deliver(ready[usize::try_from(chosen).unwrap()]);
        true
    }

    /// Time passes; machines act when they want to.
    pub(in crate::bob) fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        self.run();
        loop {
            let due = (0..self.peers.len()).filter_map(|index| Some((self.poll_timeout(index)?, index)));
            let of_relay = self.relay.poll_timeout().map(|at| (at, usize::MAX));
            let Some((at, index)) = due.chain(of_relay).min().filter(|(at, _)| *at <= end) else { break };
            self.now = self.now.max(at);
            if index == usize::MAX {
                self.call_relay(None);
            } else {
                self.wake(index);
            }
            self.run();
        }
        self.now = end;
    }

    fn poll_timeout(&self, index: usize) -> Option<Instant> {
        match &self.peers[index].actor {
            Actor::Server { machine, .. } => machine.poll_timeout(),
            Actor::Client { machine, .. } => machine.poll_timeout(),
        }
    }

    fn wake(&mut self, index: usize) {
        self.call(index, None);
    }

    fn can_receive(&self, index: usize) -> bool {
        let peer = &self.peers[index];
        peer.inbox.front().is_some_and(|piece| match piece {
            Piece::Bytes(link, _) | Piece::End(link) => peer.links.get(link) != Some(&true),
        })
    }

    fn deliver(&mut self, index: usize) {
        let piece = self.peers[index].inbox.pop_front().unwrap();
        match piece {
            Piece::Bytes(link, _) | Piece::End(link) if !self.peers[index].links.contains_key(&link) => {}
            Piece::Bytes(link, mut bytes) => {
                let length = u64::try_from(bytes.len()).unwrap();
                let cut = usize::try_from(1 + below(&mut self.rng, length.min(self.piece_max))).unwrap();
                let rest = bytes.split_off(cut.min(bytes.len()));
                if !rest.is_empty() {
                    self.peers[index].inbox.push_front(Piece::Bytes(link, rest));
                }
                if let Some(link) = self.relay_link((index, link)) {
                    self.call_relay(Some(Input::Written { link, count: bytes.len() }));
                }
                self.call(index, Some(Told::Link(Event::Received(link, bytes))));
            }
            Piece::End(link) => {
                self.call(index, Some(Told::Link(Event::Finished(link))));
                if self.peers[index].links.contains_key(&link) {
                    self.closes(index, link, Cause::Finished);
                }
            }
        }
    }

    fn relay_link(&self, place: Place) -> Option<LinkId> {
        self.places.iter().find(|(_, of)| **of == place).map(|(link, _)| *link)
    }

    fn relay_hears(&mut self, place: Place, bytes: Option<Bytes>) {
        let (index, own) = place;
        let Some(link) = self.relay_link(place) else { return };
        let Some(bytes) = bytes else { return self.call_relay(Some(Input::Finished { link })) };
        let count = bytes.len();
        self.call_relay(Some(Input::Received { link, bytes }));
        if self.peers[index].links.contains_key(&own) {
            self.call(index, Some(Told::Link(Event::Written(own, count))));
        }
    }

    fn call_relay(&mut self, input: Option<relay::Input>) {
        let at = At { now: self.now, ..At::default() };
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut outputs = Vec::new();
            let mut cx = Context::new(at, &mut self.rng, &mut outputs);
            match input {
                Some(input) => self.relay.handle(input, &mut cx),
                None => self.relay.handle_timeout(&mut cx),
            }
            for output in outputs {
                match output {
                    Output::Send { link, bytes } => self.relay_says(self.places[&link], bytes),
                    Output::Close { link, .. } => {
                        if let Some((to, own)) = self.places.remove(&link) {
                            self.peers[to].inbox.push_back(Piece::End(own));
                            inputs.push_back(Some(Input::Closed { link, cause: Cause::Finished }));
                        }
                    }
                    Output::Pause { link } => {
                        self.paused.insert(link);
                    }
                    Output::Resume { link } => {
                        self.paused.remove(&link);
                    }
                    Output::Event(_) | Output::Listen { .. } => {}
                    other => panic!("a relay does not want {other:?}"),
                }
            }
        }
    }

    fn relay_says(&mut self, (to, link): Place, mut bytes: Bytes) {
        if link == ROOM
            && bytes.as_ref() != b"00"
            && let Some(tamper) = &mut self.tamper
        {
            bytes = tamper(to, bytes);
        }
        if !bytes.is_empty() {
            self.peers[to].inbox.push_back(Piece::Bytes(link, bytes));
        }
    }

    fn closes(&mut self, index: usize, link: LinkId, cause: Cause) {
        if self.peers[index].links.remove(&link).is_some() {
            self.outbox.push_back(((index, link), None));
            self.call(index, Some(Told::Link(Event::Closed(link, cause))));
        }
    }

    fn call(&mut self, index: usize, told: Option<Told>) {
        let at = At { now: self.now, ..At::default() };
        let mut told = vec![told];
        while let Some(next) = told.pop() {
            let mut effects = Vec::new();
            match &mut self.peers[index].actor {
                Actor::Server { machine, content, events } => {
                    let mut outputs = Vec::new();
                    let mut cx = Context::new(at, &mut self.rng, &mut outputs);
                    match next {
                        None => machine.handle_timeout(&mut cx),
                        Some(Told::Server(command)) => machine.handle(Input::Command(command), &mut cx),
                        Some(Told::Link(event)) => machine.handle(event.input(), &mut cx),
                        Some(Told::Client(_)) => panic!("{index} is a server"),
                    }
                    for output in outputs {
                        if let Output::Event(event) = output {
                            if let server::Event::Wanted { bytes } = event {
                                let bytes = content.split_to(bytes);
                                told.insert(0, Some(Told::Server(server::Command::Content { bytes })));
                            }
                            events.push(event);
                        } else {
                            effects.push(Effect::of(output));
                        }
                    }
                }
                Actor::Client { machine, mind, reads, events } => {
                    let mut outputs = Vec::new();
                    let mut cx = Context::new(at, &mut self.rng, &mut outputs);
                    match next {
                        None => machine.handle_timeout(&mut cx),
                        Some(Told::Client(command)) => machine.handle(Input::Command(command), &mut cx),
                        Some(Told::Link(event)) => machine.handle(event.input(), &mut cx),
                        Some(Told::Server(_)) => panic!("{index} is a client"),
                    }
                    for output in outputs {
                        if let Output::Event(event) = output {
                            let answer = match &event {
                                client::Event::Offered { server, .. } => match mind {
                                    Mind::Accepts => Some(client::Command::Accept { server: *server }),
                                    Mind::Refuses => Some(client::Command::Refuse { server: *server }),
                                    Mind::Waits => None,
                                },
                                client::Event::Content { bytes } if *reads => {
                                    Some(client::Command::Taken { bytes: bytes.len() })
                                }
                                client::Event::Complete { .. } if *reads => Some(client::Command::Kept),
                                _ => None,
                            };
                            if let Some(answer) = answer {
                                told.insert(0, Some(Told::Client(answer)));
                            }
                            events.push(event);
                        } else {
                            effects.push(Effect::of(output));
                        }
                    }
                }
            }
            for effect in effects {
                self.on_effect(index, effect);
            }
        }
    }

    fn on_effect(&mut self, index: usize, effect: Effect) {
        match effect {
            Effect::Dial(own, to) => {
                self.peers[index].links.insert(own, false);
                let link = LinkId(self.next_link);
                self.next_link += 1;
                self.places.insert(link, (index, own));
                let via = Via::Accepted { listener: ListenerId(u32::from(to == port(ROOM_PORT))) };
                let remote = Address::Socket(self.peers[index].address);
                self.call_relay(Some(Input::Opened { link, via, local: to.clone(), remote }));
                self.call(index, Some(Told::Link(Event::Opened(own, to))));
            }
            Effect::Send(link, mut bytes) => {
                assert!(
                    self.peers[index].links.contains_key(&link),
                    "S-net: nothing is sent on a closed link"
                );
                while !bytes.is_empty() {
                    let length = u64::try_from(bytes.len()).unwrap();
                    let cut = usize::try_from(1 + below(&mut self.rng, length.min(self.piece_max))).unwrap();
                    let piece = bytes.split_to(cut.min(bytes.len()));
                    self.outbox.push_back(((index, link), Some(piece)));
                }
            }
            Effect::Close(link, How::Flush) => {
                self.outbox.push_back(((index, link), None));
                self.peers[index].links.remove(&link);
                // What is said at the end is awaited; what waits behind it in the outbox leaves.
                self.call(index, Some(Told::Link(Event::Closed(link, Cause::Finished))));
            }
            Effect::Close(link, How::Abort) => {
                self.outbox.retain(|(place, _)| *place != (index, link));
                self.closes(index, link, Cause::Finished);
            }
            Effect::Pause(link, paused) => {
                self.peers[index].links.insert(link, paused);
            }
        }
    }
}

enum Told {
    Server(server::Command),
    Client(client::Command),
    Link(Event),
}

enum Event {
    Opened(LinkId, Address),
    Received(LinkId, Bytes),
    Written(LinkId, usize),
    Finished(LinkId),
    Closed(LinkId, Cause),
}

impl Event {
    fn input<C>(self) -> Input<C> {
        match self {
            Self::Opened(link, remote) => Input::Opened { link, via: Via::Dialled, local: port(1), remote },
            Self::Received(link, bytes) => Input::Received { link, bytes },
            Self::Written(link, count) => Input::Written { link, count },
            Self::Finished(link) => Input::Finished { link },
            Self::Closed(link, cause) => Input::Closed { link, cause },
        }
    }
}

enum Effect {
    Dial(LinkId, Address),
    Send(LinkId, Bytes),
    Close(LinkId, How),
    Pause(LinkId, bool),
}

impl Effect {
    fn of<E: core::fmt::Debug>(output: Output<E>) -> Self {
        match output {
            Output::Dial { link, address, .. } => Self::Dial(link, address),
            Output::Send { link, bytes } => Self::Send(link, bytes),
            Output::Close { link, how } => Self::Close(link, how),
            Output::Pause { link } => Self::Pause(link, true),
            Output::Resume { link } => Self::Pause(link, false),
            other => panic!("a peer does not want {other:?}"),
        }
    }
}
