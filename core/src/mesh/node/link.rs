//! One link: its channel, its session, and what its streams are for.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

use super::outbox::Outbox;
use crate::channel::{Channel, StreamId};
use crate::identity::PeerId;
use crate::link::Address;
use crate::mesh::establishment::Establishment;
use crate::queue;
use crate::session::Session;
use crate::wire::frame::{Deframer, FrameError};

/// One link and everything that goes with it when it closes.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) channel: Channel,
    pub(super) session: Session<Establishment, Accepted>,
    /// Whether we dialled it: then we are the initiator of the handshake.
    pub(super) dialled: bool,
    pub(super) remote: Address,
    /// Who is at the other end, once it has proven that.
    pub(super) peer: Option<PeerId>,
    /// Whether the application is being asked about what the peer said of itself.
    pub(super) asked: bool,
    /// Whether messages of the overlay may be sent and taken.
    pub(super) established: bool,
    /// Of a plain peer: whether it has a stream open that keeps the link (`mesh` E8); none of other links.
    pub(super) stranger: Option<bool>,
    /// The stream of the establishment, for both directions.
    pub(super) session_stream: Option<StreamId>,
    pub(super) gossip: Outbox,
    pub(super) heads: Outbox,
    pub(super) inbound: BTreeMap<StreamId, Inbound>,
}

/// A stream that the peer opened.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) stream: StreamId,
    pub(super) protocol: String,
}

/// What an inbound stream is for.
#[derive(Debug)]
pub(super) enum Inbound {
    /// Establishment frames.
    Session(Deframer),
    /// Overlay and broadcast frames.
    Gossip(Deframer),
    /// HEADs frames.
    Heads(Deframer),
    /// It came before the link was established: its bytes wait.
    Held { bytes: BytesMut, finished: bool },
}

impl Link {
    pub(super) const fn new(
        channel: Channel,
        session: Session<Establishment, Accepted>,
        dialled: bool,
        remote: Address,
        limits: queue::Config,
    ) -> Self {
        Self {
            channel,
            session,
            dialled,
            remote,
            peer: None,
            asked: false,
            established: false,
            stranger: None,
            session_stream: None,
            gossip: Outbox::new(limits),
            heads: Outbox::new(limits),
            inbound: BTreeMap::new(),
        }
    }

    /// Takes a piece of an inbound stream and cuts it into frames; an error ends the stream.
    pub(super) fn frames(&mut self, stream: StreamId, piece: Bytes) -> (Vec<Bytes>, Option<FrameError>) {
        let deframer = match self.inbound.get_mut(&stream) {
            Some(Inbound::Session(deframer) | Inbound::Gossip(deframer) | Inbound::Heads(deframer)) => {
                deframer
            }
            Some(Inbound::Held { .. }) | None => return (Vec::new(), None),
        };
        deframer.push(piece);
        let mut frames = Vec::new();
        loop {
            match deframer.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => return (frames, None),
                Err(error) => return (frames, Some(error)),
            }
        }
    }

    /// How many bytes of streams wait for the link to be established.
    pub(super) fn held_bytes(&self) -> usize {
        let held = |inbound: &Inbound| match inbound {
            Inbound::Held { bytes, .. } => bytes.len(),
            Inbound::Session(_) | Inbound::Gossip(_) | Inbound::Heads(_) => 0,
        };
        self.inbound.values().map(held).sum()
    }
}
