//! The handshake of a mesh link, as [`crate::session::Session`] runs it (`mesh` 2): the upgrade of its channel, then
//! HELLO, the node's decision, and an ACK or NACK from each side.
//!
//! Where a network requires no establishment (the `solcial` preset), an upgraded channel suffices.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::FRAME_MAX;
use super::message::{ADDRESSES_MAX, ALTERNATIVES_MAX, Alternative, Hello, Message, Motive};
use crate::identity::PeerId;
use crate::identity::stamp::Stamp;
use crate::machine::Context;
use crate::session::{Handshake, Step};

/// The version of `mesh` that is spoken.
pub const VERSION: u64 = 1;
/// HELLO is due so long after the stream is open (E1).
const HELLO_WITHIN: Duration = Duration::from_secs(5);
/// The peer's answer is due so long after both HELLOs (E1).
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Points for a message out of place (E6).
const POINTS: u32 = 10;

/// What a node says in its HELLO and demands of others.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Whether links are established by HELLO and ACK at all.
    pub required: bool,
    /// The network's name.
    pub network: String,
    /// Our proof of work, if there is one.
    pub stamp: Option<Stamp>,
    /// Bits of work demanded of a peer; 0 demands no stamp.
    pub difficulty: u32,
    /// For the peer's application, at most 1024 bytes.
    pub metadata: Bytes,
}

/// What the handshake is told by the layers of its link.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Heard {
    /// The peer has proven its key.
    Authenticated(PeerId),
    /// Streams can be opened.
    Ready,
    /// The stream of the establishment is open, whoever opened it.
    StreamOpen,
    /// A frame on it, without prefix.
    Frame(Bytes),
    /// The peer ended it.
    StreamEnded,
    /// The peer does not speak the protocol, or has not begun in time (E8).
    NotSpoken,
}

/// What the handshake wants done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Wanted {
    /// Open the stream of the establishment: we are the initiator.
    OpenStream,
    /// Send this frame on it.
    Send(Bytes),
    /// The peer refused us for this reason, and names others (E5).
    Refused {
        /// Why.
        motive: Motive,
        /// Whom to try instead, unverified.
        alternatives: Vec<Alternative>,
    },
    /// We refuse the peer for what its HELLO says: it would refuse us alike, or is of no use.
    Unfit(Motive),
    /// The peer is about to close the link. One that is called a duplicate stays as long as its streams take (E4): it is
    /// the node's to close.
    Bye(Motive),
    /// A message of a number that we do not know: to be counted.
    Ignore,
}

/// Why we refuse, and whom the peer may try instead.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// Why.
    pub motive: Motive,
    /// What is beyond 99, or a frame, and addresses beyond 8, are cut off.
    pub alternatives: Vec<Alternative>,
}

impl From<Motive> for Refusal {
    fn from(motive: Motive) -> Self {
        Self { motive, alternatives: Vec::new() }
    }
}

/// The handshake of one link.
#[derive(Debug)]
pub struct Establishment {
    terms: Arc<Terms>,
    initiator: bool,
    peer: Option<PeerId>,
    /// What the peer said of itself.
    hello: Option<Hello>,
    stream: bool,
    sent_answer: bool,
    acknowledged: bool,
    /// The peer has sent NACK: no ACK may follow (E6).
    refused: bool,
}

type Cx<'a, 'b> = &'a mut Context<'b, Step<PeerId, Wanted>>;

impl Establishment {
    /// For a link that we dialled (`initiator`) or accepted.
    #[must_use]
    pub const fn new(terms: Arc<Terms>, initiator: bool) -> Self {
        Self {
            terms,
            initiator,
            peer: None,
            hello: None,
            stream: false,
            sent_answer: false,
            acknowledged: false,
            refused: false,
        }
    }

    /// What the peer said of itself, once it did.
    #[must_use]
    pub const fn hello(&self) -> Option<&Hello> {
        self.hello.as_ref()
    }

    fn ready(&self, cx: Cx<'_, '_>) {
        if !self.terms.required {
            if let Some(peer) = self.peer {
                cx.emit(Step::Identified(peer));
            }
        } else if self.initiator {
            cx.emit(Step::Emit(Wanted::OpenStream));
        }
    }

    fn stream_open(&mut self, cx: Cx<'_, '_>) {
        self.stream = true;
        let Terms { network, stamp, metadata, .. } = &*self.terms;
        let hello = Hello {
            network: network.clone(),
            lowest: VERSION,
            highest: VERSION,
            stamp: *stamp,
            metadata: metadata.clone(),
        };
        send(&Message::Hello(hello), cx);
        cx.emit(Step::Stage(HELLO_WITHIN));
    }

    fn on_frame(&mut self, frame: &Bytes, cx: Cx<'_, '_>) {
        match Message::from_frame(frame) {
            Ok(Some(Message::Hello(hello))) => self.on_hello(hello, cx),
            Ok(Some(Message::Ack { version })) => self.on_ack(version, cx),
            Ok(Some(Message::Nack { motive, alternatives })) => {
                self.refused = true;
                cx.emit(Step::Emit(Wanted::Refused { motive, alternatives }));
                cx.emit(Step::Refused);
            }
            Ok(Some(Message::Bye { motive })) => {
                cx.emit(Step::Emit(Wanted::Bye(motive)));
                if motive != Motive::Duplicate {
                    cx.emit(Step::Refused);
                }
            }
            Ok(None) => cx.emit(Step::Emit(Wanted::Ignore)),
            // Without this stream there is no establishment: its end is the link's.
            Err(_) => cx.emit(Step::Violation(POINTS)),
        }
    }

    /// Checks what a HELLO decides by itself, in the order of E3; the rest is the node's.
    fn on_hello(&mut self, hello: Hello, cx: Cx<'_, '_>) {
        let Some(peer) = self.peer.filter(|_| self.hello.is_none()) else {
            return cx.emit(Step::Violation(POINTS));
        };
        let spoken = VERSION.min(hello.highest);
        let proven = |stamp: Stamp| stamp.proves(&peer.public_key().0, self.terms.difficulty);
        let refused = if hello.network != self.terms.network {
            Some(Motive::Network)
        } else if spoken < VERSION.max(hello.lowest) {
            Some(Motive::Version)
        } else if self.terms.difficulty > 0 && !hello.stamp.is_some_and(proven) {
            Some(Motive::Stamp)
        } else {
            None
        };
        self.hello = Some(hello);
        if let Some(motive) = refused {
            self.refuse(motive.into(), cx);
            cx.emit(Step::Emit(Wanted::Unfit(motive)));
            return cx.emit(Step::Refused);
        }
        cx.emit(Step::Stage(ANSWER_WITHIN));
        cx.emit(Step::Identified(peer));
    }

    fn on_ack(&mut self, version: u64, cx: Cx<'_, '_>) {
        let in_place = self.hello.is_some() && !self.acknowledged && !self.refused;
        if !in_place || version != VERSION {
            return cx.emit(Step::Violation(POINTS));
        }
        self.acknowledged = true;
        if self.sent_answer {
            cx.emit(Step::Established);
        }
    }

    fn refuse(&mut self, mut refusal: Refusal, cx: Cx<'_, '_>) {
        self.sent_answer = true;
        fit(&mut refusal.alternatives);
        send(&Message::Nack { motive: refusal.motive, alternatives: refusal.alternatives }, cx);
    }
}

impl Handshake for Establishment {
    type Peer = PeerId;
    type Input = Heard;
    type Output = Wanted;
    type Motive = Refusal;

    fn start(&mut self, _cx: Cx<'_, '_>) {}

    fn handle(&mut self, input: Heard, cx: Cx<'_, '_>) {
        match input {
            Heard::Authenticated(peer) => self.peer = Some(peer),
            Heard::Ready => self.ready(cx),
            Heard::StreamOpen => self.stream_open(cx),
            Heard::Frame(frame) => self.on_frame(&frame, cx),
            // After BYE or NACK nothing else is expected; before, it is the end of the attempt.
            Heard::StreamEnded => cx.emit(Step::Refused),
            Heard::NotSpoken if !self.stream => cx.emit(Step::Stranger),
            Heard::NotSpoken => {}
        }
    }

    fn answer(&mut self, verdict: Result<(), Refusal>, cx: Cx<'_, '_>) {
        match verdict {
            Ok(()) if !self.terms.required => cx.emit(Step::Established),
            // Registration gates protocols, not connections (`identity-and-content` 2.1).
            Err(refusal) if !self.terms.required => {
                if refusal.motive == Motive::Registration {
                    cx.emit(Step::Stranger);
                }
            }
            Ok(()) => {
                self.sent_answer = true;
                send(&Message::Ack { version: VERSION }, cx);
                if self.acknowledged {
                    cx.emit(Step::Established);
                }
            }
            Err(refusal) => self.refuse(refusal, cx),
        }
    }

    fn close(&mut self, refusal: Refusal, cx: Cx<'_, '_>) {
        if self.stream && self.sent_answer {
            send(&Message::Bye { motive: refusal.motive }, cx);
        } else if self.stream {
            self.refuse(refusal, cx);
        }
    }

    fn idle() -> Option<Refusal> {
        Some(Motive::Unspecified.into())
    }

    fn size(input: &Heard) -> usize {
        match input {
            Heard::Frame(frame) => frame.len(),
            Heard::Authenticated(_)
            | Heard::Ready
            | Heard::StreamOpen
            | Heard::StreamEnded
            | Heard::NotSpoken => 0,
        }
    }
}

/// Cuts alternatives to what a NACK may hold, the frame limit included.
fn fit(alternatives: &mut Vec<Alternative>) {
    /// Heads of the frame, and of an alternative or an address: more than they ever take.
    const HEADS: usize = 8;
    let mut room = FRAME_MAX.saturating_sub(HEADS);
    let mut count = 0usize;
    for alternative in alternatives.iter_mut().take(ALTERNATIVES_MAX) {
        alternative.addresses.truncate(ADDRESSES_MAX);
        let addresses = alternative.addresses.iter();
        let size = addresses.fold(PeerId::LENGTH + HEADS, |sum, address| sum + address.len() + HEADS);
        let Some(rest) = room.checked_sub(size) else { break };
        room = rest;
        count += 1;
    }
    alternatives.truncate(count);
}

fn send(message: &Message, cx: Cx<'_, '_>) {
    cx.emit(Step::Emit(Wanted::Send(message.to_frame())));
}
