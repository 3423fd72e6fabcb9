//! A connection: two ends, each with what it still has to send and what it has not yet read.

use std::collections::VecDeque;
use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use pleach_core::link::{Cause, How, LinkId};
use pleach_core::rng::below;
use rand_core::Rng;

use super::segment::Segment;

/// Bytes that may be on their way or unread at the other end, as with a socket buffer.
const WINDOW: usize = 64 * 1024;

/// An end of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Side {
    Dialler,
    Acceptor,
}

impl Side {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Dialler => Self::Acceptor,
            Self::Acceptor => Self::Dialler,
        }
    }
}

#[derive(Debug)]
pub(super) struct Connection {
    dialler: End,
    acceptor: End,
}

impl Connection {
    /// A connection that `node` is dialling as `link`, from its address `local` to the address `remote`.
    pub(super) fn new(node: u32, link: LinkId, local: SocketAddr, remote: SocketAddr) -> Self {
        Self { dialler: End::new(node, Some(link), local), acceptor: End::new(u32::MAX, None, remote) }
    }

    pub(super) const fn end(&self, side: Side) -> &End {
        match side {
            Side::Dialler => &self.dialler,
            Side::Acceptor => &self.acceptor,
        }
    }

    pub(super) const fn end_mut(&mut self, side: Side) -> &mut End {
        match side {
            Side::Dialler => &mut self.dialler,
            Side::Acceptor => &mut self.acceptor,
        }
    }
}

/// One end, from the view of its own host.
#[derive(Debug)]
pub(super) struct End {
    pub(super) node: u32,
    /// The id that its machine knows it by; none until it was accepted.
    pub(super) link: Option<LinkId>,
    pub(super) local: SocketAddr,
    phase: Phase,
    /// What the machine wants to send and the window does not yet permit.
    unsent: BytesMut,
    in_flight: usize,
    ending: Ending,
    /// The other end was told that nothing more comes.
    finish_sent: bool,
    /// The time that the rest may take to leave is running.
    waits: bool,
    paused: bool,
    /// What arrived while paused, or before all of that was read.
    unread: VecDeque<Bytes>,
    /// The peer finished behind what is unread.
    finish_unread: bool,
    /// The machine was told that the peer finished.
    finish_told: bool,
    /// The machine resumed: what is unread is to be read.
    resumed: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    /// Not yet open.
    Opening,
    Open,
    /// The machine asked for the end; nothing more is told but `Closed`.
    Closing,
    /// It was told `Closed`.
    Closed,
}

/// How far our half is closed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ending {
    No,
    /// After what is unsent.
    Finish,
    /// After what is unsent, and the whole link with it.
    Flush,
    Abort,
    Done,
}

/// What an end has to put on its way.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    pub(super) pieces: Vec<Bytes>,
    pub(super) written: usize,
    pub(super) finish: bool,
    pub(super) reset: bool,
    pub(super) closed: bool,
    /// Unread bytes that nobody will read any more: the other end may send as many.
    pub(super) dropped: usize,
    /// The end closes once the rest has left, which may not take for ever.
    pub(super) waits: bool,
    /// There is something unread to be read.
    pub(super) resumed: bool,
}

/// What follows from a segment.
#[derive(Debug)]
pub(super) struct Reaction {
    pub(super) tell: Tell,
    /// Bytes that were read: the other end may send as many more.
    pub(super) read: usize,
    /// There is room again.
    pub(super) flush: bool,
    /// The other end is reset: something came to an end that is closed, or this one gives up.
    pub(super) reset: bool,
}

/// What the machine is told.
#[derive(Debug)]
pub(super) enum Tell {
    Nothing,
    Opened,
    Received(Bytes),
    Finished,
    Written(usize),
    Closed(Cause),
}

impl End {
    fn new(node: u32, link: Option<LinkId>, local: SocketAddr) -> Self {
        Self {
            node,
            link,
            local,
            phase: Phase::Opening,
            unsent: BytesMut::new(),
            in_flight: 0,
            ending: Ending::No,
            finish_sent: false,
            waits: false,
            paused: false,
            unread: VecDeque::new(),
            finish_unread: false,
            finish_told: false,
            resumed: false,
        }
    }

    pub(super) const fn accept(&mut self, link: LinkId) {
        self.link = Some(link);
        self.phase = Phase::Open;
    }

    /// The dial was refused here: there is no link, and never will be.
    pub(super) const fn refuse(&mut self) {
        self.phase = Phase::Closed;
    }

    pub(super) fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    pub(super) fn send(&mut self, bytes: &[u8]) {
        if self.ending == Ending::No {
            self.unsent.extend_from_slice(bytes);
        }
    }

    pub(super) fn finish(&mut self) {
        if self.ending == Ending::No {
            self.ending = Ending::Finish;
        }
    }

    pub(super) fn close(&mut self, how: How) {
        if self.phase == Phase::Closed || self.ending == Ending::Abort {
            return;
        }
        // A dial that is given up has nothing to flush.
        self.ending = match how {
            How::Flush if self.phase != Phase::Opening => Ending::Flush,
            How::Flush | How::Abort => Ending::Abort,
        };
        self.phase = Phase::Closing;
    }

    pub(super) const fn pause(&mut self) {
        self.paused = true;
    }

    pub(super) const fn resume(&mut self) {
        self.paused = false;
        self.resumed = true;
    }

    /// Takes what may be put on its way now.
    pub(super) fn flush(&mut self, cuts: &mut impl Rng) -> Outgoing {
        let resumed = std::mem::take(&mut self.resumed) && self.has_unread();
        let mut out = Outgoing { resumed, ..Outgoing::default() };
        if self.phase == Phase::Opening || self.phase == Phase::Closed {
            return out;
        }
        if self.ending == Ending::Abort {
            self.unsent.clear();
            self.ending = Ending::Done;
            out.reset = true;
            out.closed = true;
            return out;
        }
        if self.phase == Phase::Closing {
            // A socket that is closed over unread bytes resets, and the peer could lose what was sent last.
            out.dropped = self.unread.drain(..).map(|bytes| bytes.len()).sum();
        }
        let room = WINDOW.saturating_sub(self.in_flight).min(self.unsent.len());
        if room > 0 {
            self.in_flight += room;
            out.written = room;
            cut(self.unsent.split_to(room).freeze(), cuts, &mut out.pieces);
        }
        if self.unsent.is_empty() && matches!(self.ending, Ending::Finish | Ending::Flush) {
            out.finish = !std::mem::replace(&mut self.finish_sent, true);
            out.closed = self.ending == Ending::Flush;
            self.ending = Ending::Done;
        }
        if self.ending == Ending::Done && self.finish_told && self.phase == Phase::Open {
            self.phase = Phase::Closing;
            out.closed = true;
        }
        out.waits = self.ending == Ending::Flush && !std::mem::replace(&mut self.waits, true);
        out
    }

    /// Takes a segment that arrived.
    pub(super) fn take(&mut self, what: Segment) -> Reaction {
        let mut reaction = Reaction { tell: Tell::Nothing, read: 0, flush: false, reset: false };
        match what {
            Segment::Accepted if self.phase == Phase::Opening => {
                self.phase = Phase::Open;
                reaction.flush = true;
                reaction.tell = Tell::Opened;
            }
            Segment::Accepted | Segment::Open => reaction.reset = true,
            Segment::Bytes(_) if self.phase == Phase::Closed => reaction.reset = true,
            // Read and dropped, so that the other end can close as well.
            Segment::Bytes(bytes) if self.phase == Phase::Closing => reaction.read = bytes.len(),
            Segment::Bytes(bytes) if self.paused || self.has_unread() => self.unread.push_back(bytes),
            Segment::Bytes(bytes) => {
                reaction.read = bytes.len();
                reaction.tell = Tell::Received(bytes);
            }
            Segment::Resumed if self.paused || self.phase != Phase::Open => {}
            Segment::Resumed => {
                if let Some(bytes) = self.unread.pop_front() {
                    reaction.read = bytes.len();
                    reaction.tell = Tell::Received(bytes);
                } else if std::mem::take(&mut self.finish_unread) {
                    self.finish_told = true;
                    reaction.tell = Tell::Finished;
                }
                self.resumed = true;
                reaction.flush = true;
            }
            Segment::Read(count) => {
                self.in_flight = self.in_flight.saturating_sub(count);
                reaction.flush = !self.unsent.is_empty();
            }
            Segment::Finish if self.phase != Phase::Open => {}
            Segment::Finish if self.paused || self.has_unread() => self.finish_unread = true,
            Segment::Finish => {
                self.finish_told = true;
                reaction.flush = true;
                reaction.tell = Tell::Finished;
            }
            Segment::Refused => reaction.tell = self.shut(Cause::Refused),
            Segment::Reset => reaction.tell = self.shut(Cause::Reset),
            Segment::Closed(cause) => reaction.tell = self.shut(cause),
            Segment::Overdue if self.phase == Phase::Closing && self.ending == Ending::Flush => {
                reaction.reset = true;
                reaction.tell = self.shut(Cause::TimedOut);
            }
            Segment::Overdue => {}
            Segment::Written(count) if self.phase == Phase::Open => reaction.tell = Tell::Written(count),
            Segment::Written(_) => {}
        }
        reaction
    }

    fn has_unread(&self) -> bool {
        !self.unread.is_empty() || self.finish_unread
    }

    fn shut(&mut self, cause: Cause) -> Tell {
        if self.phase == Phase::Closed {
            return Tell::Nothing;
        }
        self.phase = Phase::Closed;
        self.unsent = BytesMut::new();
        self.unread = VecDeque::new();
        Tell::Closed(cause)
    }
}

/// Cuts what left in one go where a real network might: mostly nowhere, sometimes once, now and then byte by byte.
fn cut(mut bytes: Bytes, rng: &mut impl Rng, pieces: &mut Vec<Bytes>) {
    match below(rng, 64) {
        0 => {
            for _ in 0..8 {
                if bytes.len() > 1 {
                    pieces.push(bytes.split_to(1));
                }
            }
        }
        1..16 if bytes.len() > 1 => {
            let place = 1 + below(rng, bytes.len() as u64 - 1);
            pieces.push(bytes.split_to(usize::try_from(place).unwrap_or(1)));
        }
        _ => {}
    }
    pieces.push(bytes);
}
