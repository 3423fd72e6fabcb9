//! One link: its channel, its session, and what its streams are for.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

use super::outbox::Outbox;
use crate::channel::{Channel, StreamId};
use crate::identity::PeerId;
use crate::link::{Address, LinkId};
use crate::mesh::establishment::Establishment;
use crate::queue;
use crate::session::Session;
use crate::time::Instant;
use crate::wire::frame::{Deframer, FrameError, Prefix};

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
    Session(Frames),
    /// Overlay and broadcast frames.
    Gossip(Frames),
    /// HEADs frames.
    Heads(Frames),
    /// It came before the link was established: its bytes wait.
    Held { bytes: BytesMut, finished: bool },
}

/// Cuts a stream into frames.
#[derive(Debug)]
pub(super) struct Frames {
    deframer: Deframer,
    /// When the frame began that is not finished.
    began: Instant,
}

/// What a piece of a stream has brought.
#[derive(Debug, Default)]
pub(super) struct Cut {
    pub(super) frames: Vec<Bytes>,
    /// It ends the stream.
    pub(super) error: Option<FrameError>,
    /// Bytes of an unfinished frame before.
    pub(super) held_before: usize,
    /// And now.
    pub(super) held: usize,
}

/// An unfinished frame; they are in the order in which they began.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Partial {
    began: Instant,
    pub(super) link: LinkId,
    pub(super) stream: StreamId,
    pub(super) bytes: usize,
}

impl Frames {
    /// For frames of at most `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { deframer: Deframer::new(Prefix::Varint, limit), began: Instant::ORIGIN }
    }

    fn cut(&mut self, piece: Bytes, now: Instant) -> Cut {
        let mut cut = Cut { held_before: self.deframer.buffered(), ..Cut::default() };
        self.deframer.push(piece);
        loop {
            match self.deframer.next_frame() {
                Ok(Some(frame)) => cut.frames.push(frame),
                Ok(None) => break,
                Err(error) => {
                    cut.error = Some(error);
                    break;
                }
            }
        }
        if cut.held_before == 0 || !cut.frames.is_empty() {
            self.began = now;
        }
        cut.held = self.deframer.buffered();
        cut
    }
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
    pub(super) fn cut(&mut self, stream: StreamId, piece: Bytes, now: Instant) -> Cut {
        match self.inbound.get_mut(&stream) {
            Some(Inbound::Session(frames) | Inbound::Gossip(frames) | Inbound::Heads(frames)) => {
                frames.cut(piece, now)
            }
            Some(Inbound::Held { .. }) | None => Cut::default(),
        }
    }

    /// The frames that are not finished, of this link called `link`.
    pub(super) fn partials(&self, link: LinkId) -> impl Iterator<Item = Partial> + '_ {
        self.inbound.iter().filter_map(move |(stream, inbound)| match inbound {
            Inbound::Session(frames) | Inbound::Gossip(frames) | Inbound::Heads(frames) => {
                let (began, stream, bytes) = (frames.began, *stream, frames.deframer.buffered());
                (bytes > 0).then_some(Partial { began, link, stream, bytes })
            }
            Inbound::Held { .. } => None,
        })
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
