//! Peers that break the protocol, each in a way of its own. All of them go on for as long as they are let, dial again
//! when they are thrown out, and keep a few links open at once.

mod guess;
mod program;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use pleach_core::bob::Identity;
use pleach_core::bob::packet::{Body, Decoder, Packet, Uid};
use pleach_core::link::{Address, From, LinkId, Output as Link, Role};
use pleach_core::rng::up_to;
use pleach_core::{Context, Instant, Machine};

use super::actor::{Input, Output};
use super::{HANDSHAKE, ROOM};
use guess::Guess;
pub(in crate::bob) use program::Program;

/// Between two deeds, at least.
const PACE: Duration = Duration::from_millis(100);
/// Drawn on top of it.
const PACE_SPREAD: Duration = Duration::from_millis(400);
/// Dials at once.
const DIALS: usize = 6;
/// Names that are remembered.
const NAMES: usize = 64;

type Cx<'a> = Context<'a, Output>;

/// A peer that breaks the protocol.
#[derive(Debug)]
pub(super) struct Hostile {
    program: Program,
    next: Option<Instant>,
    next_link: u64,
    links: BTreeMap<LinkId, Wire>,
    heard: Heard,
}

/// What it has learnt.
#[derive(Debug, Default)]
struct Heard {
    /// Servers that were announced, with their parameters.
    servers: BTreeMap<Uid, (Identity, [u8; 34])>,
    /// What anybody but itself is called.
    names: Vec<Identity>,
}

/// A link of its own.
#[derive(Debug)]
struct Wire {
    is_room: bool,
    is_open: bool,
    decoder: Decoder,
    /// Deeds done on it so far.
    deeds: u32,
    /// What the relay calls us there.
    us: Option<Identity>,
    guesses: BTreeMap<Uid, Guess>,
}

impl Hostile {
    /// One that runs this program.
    #[must_use]
    pub(super) const fn new(program: Program) -> Self {
        let heard = Heard { servers: BTreeMap::new(), names: Vec::new() };
        Self { program, next: Some(Instant::ORIGIN), next_link: 0, links: BTreeMap::new(), heard }
    }

    fn dial(&mut self, is_room: bool, cx: &mut Cx<'_>) {
        let link = LinkId(self.next_link);
        self.next_link += 1;
        let wire = Wire {
            is_room,
            is_open: false,
            decoder: Decoder::new(),
            deeds: 0,
            us: None,
            guesses: BTreeMap::new(),
        };
        self.links.insert(link, wire);
        let address = Address::Socket(if is_room { ROOM } else { HANDSHAKE });
        cx.emit(Link::Dial { link, address, from: From::Anywhere, role: Role::Dialler });
    }

    /// How many links it has to that port.
    fn count(&self, is_room: bool) -> usize {
        self.links.values().filter(|wire| wire.is_room == is_room).count()
    }

    fn read(&mut self, link: LinkId, mut bytes: Bytes, cx: &mut Cx<'_>) {
        while let Some(wire) = self.links.get_mut(&link).filter(|wire| !wire.is_room) {
            let Ok(Some(packet)) = wire.decoder.next(&mut bytes) else { return };
            self.hear(link, packet, cx);
        }
    }

    fn hear(&mut self, link: LinkId, Packet { uid, body }: Packet, cx: &mut Cx<'_>) {
        let Some(wire) = self.links.get_mut(&link) else { return };
        if let Body::ServerIdentity { identity } | Body::ClientIdentity { identity } = &body {
            wire.us = Some(identity.clone());
        } else if let Body::NewServer { server, public, identity } = &body {
            self.heard.servers.insert(*server, (identity.clone(), *public));
            self.heard.name(identity);
        } else if let Body::ClientShare { identity, .. } = &body {
            self.heard.name(identity);
        } else if let Body::Closed { peer } = &body {
            self.heard.servers.remove(peer);
        }
        self.program.answers(link, wire, &self.heard, uid, &body, cx);
    }
}

impl Heard {
    /// Keeps the latest names.
    fn name(&mut self, name: &Identity) {
        if !self.names.contains(name) {
            if self.names.len() >= NAMES {
                self.names.remove(0);
            }
            self.names.push(name.clone());
        }
    }
}

impl Machine for Hostile {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, input: Input, cx: &mut Cx<'_>) {
        if let Input::Opened { link, .. } = input {
            if let Some(wire) = self.links.get_mut(&link) {
                wire.is_open = true;
                self.program.begins(link, wire, &self.heard, cx);
            }
        } else if let Input::Received { link, bytes } = input {
            self.read(link, bytes, cx);
        } else if let Input::Closed { link, .. } = input {
            self.links.remove(&link);
        } else if let Input::Finished { link } = input {
            cx.emit(Link::Close { link, how: pleach_core::link::How::Abort });
        }
    }

    fn handle_timeout(&mut self, cx: &mut Cx<'_>) {
        self.next = Some(cx.now() + PACE + up_to(cx.rng(), PACE_SPREAD));
        for is_room in [false, true] {
            let missing = self.program.links(is_room).saturating_sub(self.count(is_room));
            (0..missing.min(DIALS)).for_each(|_| self.dial(is_room, cx));
        }
        for (link, wire) in self.links.iter_mut().filter(|(_, wire)| wire.is_open) {
            self.program.acts(*link, wire, &self.heard, cx);
            wire.deeds = wire.deeds.saturating_add(1);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }
}

/// Sends raw bytes.
fn send(link: LinkId, bytes: impl Into<Bytes>, cx: &mut Cx<'_>) {
    cx.emit(Link::Send { link, bytes: bytes.into() });
}

/// Sends a packet.
fn say(link: LinkId, uid: Uid, body: Body, cx: &mut Cx<'_>) {
    let mut bytes = BytesMut::new();
    // A name that is too long to be written is not said.
    if Packet::encode(&Packet { uid, body }, &mut bytes).is_ok() {
        send(link, bytes, cx);
    }
}

/// Random bytes.
fn random<const N: usize>(cx: &mut Cx<'_>) -> [u8; N] {
    let mut bytes = [0; N];
    cx.rng().fill_bytes(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests;
