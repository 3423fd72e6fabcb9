//! What runs on the hosts: the relay, honest people, hostile programs.

use std::collections::BTreeMap;

use bytes::Bytes;
use pleach_core::bob::relay::{self, Relay};
use pleach_core::bob::{client, server};
use pleach_core::link::{self, LinkId, Via};
use pleach_core::rng::below;
use pleach_core::{Context, Instant, Machine};

use super::hostile::Hostile;
use super::people::{Receiver, Sender};
use crate::net::adapt::{lift, lower};

/// What a host hears.
pub(super) type Input = link::Input<Order>;
/// What it wants done.
pub(super) type Output = link::Output<Report>;

/// What somebody is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Order {
    /// Call it off.
    Cancel,
}

/// What a host reports.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Report {
    /// The relay.
    Relay(relay::Event),
    /// Somebody who sends.
    Sender(server::Event),
    /// Somebody who receives.
    Receiver(client::Event),
    /// Somebody has refused an offer.
    Refused,
    /// Somebody has received a file, and kept it.
    Kept {
        /// Its name.
        name: Vec<u8>,
        /// Its content.
        content: Bytes,
    },
}

/// What runs on a host.
#[derive(Debug)]
pub(super) enum Actor {
    /// The relay.
    Relay(Box<Relay>),
    /// A relay that changes what it copies.
    Liar(Box<Liar>),
    /// Somebody who sends.
    Sender(Box<Sender>),
    /// Somebody who receives.
    Receiver(Box<Receiver>),
    /// Somebody who breaks the protocol.
    Hostile(Box<Hostile>),
}

impl Actor {
    /// The relay, if it is one.
    #[must_use]
    pub(super) fn relay(&self) -> Option<&Relay> {
        match self {
            Self::Relay(relay) => Some(relay),
            Self::Liar(liar) => Some(&liar.relay),
            Self::Sender(_) | Self::Receiver(_) | Self::Hostile(_) => None,
        }
    }
}

impl Machine for Actor {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, input: Input, cx: &mut Context<'_, Output>) {
        match self {
            Self::Relay(relay) => {
                if let Some(input) = lower(input, |Order::Cancel| None) {
                    cx.scope(|output| lift(output, Report::Relay), |cx| relay.handle(input, cx));
                }
            }
            Self::Liar(liar) => liar.handle(input, cx),
            Self::Sender(sender) => sender.handle(input, cx),
            Self::Receiver(receiver) => receiver.handle(input, cx),
            Self::Hostile(hostile) => hostile.handle(input, cx),
        }
    }

    fn handle_timeout(&mut self, cx: &mut Context<'_, Output>) {
        match self {
            Self::Relay(relay) => {
                cx.scope(|output| lift(output, Report::Relay), |cx| relay.handle_timeout(cx));
            }
            Self::Liar(liar) => liar.handle_timeout(cx),
            Self::Sender(sender) => sender.handle_timeout(cx),
            Self::Receiver(receiver) => receiver.handle_timeout(cx),
            Self::Hostile(hostile) => hostile.handle_timeout(cx),
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Relay(relay) => relay.poll_timeout(),
            Self::Liar(liar) => liar.relay.poll_timeout(),
            Self::Sender(sender) => sender.poll_timeout(),
            Self::Receiver(receiver) => receiver.poll_timeout(),
            Self::Hostile(hostile) => hostile.poll_timeout(),
        }
    }
}

/// A relay that flips one bit in each direction of each room, early enough for the smallest file.
#[derive(Debug)]
pub(super) struct Liar {
    relay: Relay,
    /// For each link to a room: bytes sent so far, and the bit that is flipped.
    rooms: BTreeMap<LinkId, (u64, u64)>,
}

/// Bytes of the relay's own answer, which is no lie.
const ANSWER: u64 = 2;
/// Bytes behind it of which one is changed: the smallest file sends more.
const CHANGED_WITHIN: u64 = 64;

impl Liar {
    /// That relay, but for the truth.
    #[must_use]
    pub(super) const fn new(relay: Relay) -> Self {
        Self { relay, rooms: BTreeMap::new() }
    }

    fn run(&mut self, cx: &mut Context<'_, Output>, act: impl FnOnce(&mut Relay, &mut RelayContext<'_>)) {
        let mut outputs = Vec::new();
        cx.capture(&mut outputs, |cx| act(&mut self.relay, cx));
        for output in outputs {
            let output = if let link::Output::Send { link, bytes } = output {
                let bytes = self.lie(link, bytes);
                link::Output::Send { link, bytes }
            } else {
                output
            };
            cx.emit(lift(output, Report::Relay));
        }
    }

    fn lie(&mut self, link: LinkId, bytes: Bytes) -> Bytes {
        let Some((sent, bit)) = self.rooms.get_mut(&link) else { return bytes };
        let place = (*bit / 8).checked_sub(*sent).and_then(|place| usize::try_from(place).ok());
        *sent += bytes.len() as u64;
        let mut bytes = Vec::from(bytes);
        if let Some(byte) = place.and_then(|place| bytes.get_mut(place)) {
            *byte ^= 1 << (*bit % 8);
        }
        bytes.into()
    }
}

type RelayContext<'a> = Context<'a, relay::Output>;

impl Machine for Liar {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, input: Input, cx: &mut Context<'_, Output>) {
        if let link::Input::Opened { link, via: Via::Accepted { listener }, .. } = &input
            && *listener == super::ROOM_LISTENER
        {
            let bit = ANSWER * 8 + below(cx.rng(), CHANGED_WITHIN * 8);
            self.rooms.insert(*link, (0, bit));
        }
        if let link::Input::Closed { link, .. } = &input {
            self.rooms.remove(link);
        }
        if let Some(input) = lower(input, |Order::Cancel| None) {
            self.run(cx, |relay, cx| relay.handle(input, cx));
        }
    }

    fn handle_timeout(&mut self, cx: &mut Context<'_, Output>) {
        self.run(cx, |relay, cx| relay.handle_timeout(cx));
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.relay.poll_timeout()
    }
}
