//! What goes out on one stream of a link: the stream itself, and what waits for it.

use alloc::vec::Vec;

use bytes::Bytes;

use super::topics::Name;
use crate::broadcast::Announcement;
use crate::channel::StreamId;
use crate::queue::{self, Class, Outgoing};
use crate::time::Instant;

/// As much is handed to the channel at once; the rest waits here, where it can still be shed.
const IN_FLIGHT_MAX: usize = 64 * 1024;

/// One outbound stream, opened by us and only written on.
#[derive(Debug)]
pub(super) struct Outbox {
    state: State,
    waiting: Outgoing<Frame>,
    in_flight: usize,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Closed,
    Opening,
    Open(StreamId),
    /// The peer does not speak the protocol: nothing is sent, and we do not ask again.
    Refused,
}

/// A frame with its prefix.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) bytes: Bytes,
    /// What to announce instead, should the frame have to be shed.
    pub(super) announcement: Option<(Name, Announcement)>,
}

impl Outbox {
    pub(super) const fn new(limits: queue::Config) -> Self {
        Self { state: State::Closed, waiting: Outgoing::new(limits), in_flight: 0 }
    }

    /// Queues a frame; returns those that had to be shed.
    pub(super) fn push(&mut self, now: Instant, class: Class, frame: Frame) -> Vec<Frame> {
        if self.state == State::Refused {
            return Vec::new();
        }
        let size = frame.bytes.len();
        self.waiting.push(now, class, size, frame).into_iter().map(|(_, frame)| frame).collect()
    }

    /// Takes what waits, for another link to the same peer.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (Class, Frame)> + use<> {
        self.waiting.drain()
    }

    /// The next bytes to send and the stream for them, while not too much is on its way.
    pub(super) fn next(&mut self) -> Option<(StreamId, Bytes)> {
        let State::Open(stream) = self.state else { return None };
        if self.in_flight >= IN_FLIGHT_MAX {
            return None;
        }
        let frame = self.waiting.pop()?;
        self.in_flight = self.in_flight.saturating_add(frame.bytes.len());
        Some((stream, frame.bytes))
    }

    /// So many bytes were taken by the carrier.
    pub(super) const fn sent(&mut self, count: usize) {
        self.in_flight = self.in_flight.saturating_sub(count);
    }

    /// Whether a stream must be asked for; it then counts as asked for.
    pub(super) fn ask(&mut self) -> bool {
        let ask = self.state == State::Closed;
        if ask {
            self.state = State::Opening;
        }
        ask
    }

    pub(super) const fn opened(&mut self, stream: StreamId) {
        self.state = State::Open(stream);
        self.in_flight = 0;
    }

    /// The stream is gone; it may be asked for again.
    pub(super) const fn lost(&mut self) {
        self.state = State::Closed;
        self.in_flight = 0;
    }

    /// The peer refused the protocol.
    pub(super) fn refused(&mut self) {
        self.state = State::Refused;
        self.waiting.clear();
    }

    /// Notes the end of a stream; says whether it was this one. It may then be asked for again.
    pub(super) fn close(&mut self, stream: StreamId) -> bool {
        let closed = self.state == State::Open(stream);
        if closed {
            self.lost();
        }
        closed
    }

    /// Whether `stream` is the one that is written on.
    pub(super) fn is(&self, stream: StreamId) -> bool {
        self.state == State::Open(stream)
    }

    /// Whether more may be produced for it: it is open and nothing waits.
    pub(super) fn is_writable(&self) -> bool {
        matches!(self.state, State::Open(_)) && self.in_flight < IN_FLIGHT_MAX && self.waiting.is_empty()
    }

    pub(super) const fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// How many bytes wait here, those handed to the channel not counted.
    #[cfg(test)]
    pub(super) const fn waiting_bytes(&self) -> usize {
        self.waiting.bytes()
    }

    pub(super) const fn full_since(&self) -> Option<Instant> {
        self.waiting.full_since()
    }
}
