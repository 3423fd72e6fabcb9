//! yamux 1.0.0: many streams over one connection, each with its own flow control (`connectivity` 2.2).
//!
//! [`Multiplexer`] holds no bytes of the peer: [`Multiplexer::next_event`] cuts what came into events, one at a time,
//! and the payload of an event is a view of the input. Credit returns to the peer only when the application says that
//! it has read ([`Multiplexer::consumed`]), so a stream that nobody reads costs at most one window.
//!
//! What is to be sent is pulled: [`Multiplexer::pull_control`] first (answers, resets, credit), then
//! [`Multiplexer::pull_data`], round robin over the streams, as long as the connection has room. A stream that we open
//! is told to the peer ahead of the turns: ids must rise on the wire, and streams that the peer need not take yet wait.

mod api;
mod frame;
mod receive;
mod stream;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use core::ops::Bound;

use bytes::Bytes;

pub use api::{Config, Event, OpenError, Stats, YamuxError};
pub use frame::{Flags, GoAway, HEADER_LENGTH, Header, HeaderError, Kind};
use stream::Stream;
pub use stream::WINDOW;

use crate::bounded::Bucket;
use crate::link::Role;
use crate::stats::count;
use crate::time::Instant;

/// One connection.
#[derive(Debug)]
pub struct Multiplexer {
    config: Config,
    role: Role,
    header: [u8; HEADER_LENGTH],
    header_filled: usize,
    body: Option<Body>,
    streams: BTreeMap<u32, Stream>,
    /// The id of the next stream that we open; none when they are used up.
    next_id: Option<u32>,
    /// The highest id that the peer has opened.
    peer_last: u32,
    /// Streams of the peer that we have not acknowledged.
    unacknowledged: usize,
    /// Streams of ours that the peer has not been told of. All up to `tell_up_to` are to be told, in the order
    /// of their ids.
    untold: BTreeSet<u32>,
    tell_up_to: u32,
    /// Streams of ours that it was told of and has not answered.
    unanswered: usize,
    /// Streams that the peer knows and that have a data frame to send, and the one that was served last.
    ready: BTreeSet<u32>,
    served: u32,
    /// Streams that owe credit.
    owing: BTreeSet<u32>,
    control: VecDeque<Header>,
    answers: usize,
    pongs: VecDeque<u32>,
    ping: Option<u32>,
    gone_away: bool,
    resets: Bucket,
    empty_frames: u32,
    stats: Stats,
}

/// The payload that is being received.
#[derive(Clone, Copy, Debug)]
struct Body {
    stream: u32,
    left: u32,
    finish: bool,
}

impl Multiplexer {
    /// A connection of which `role` is our side: the dialler's streams have odd ids.
    #[must_use]
    pub const fn new(config: Config, role: Role) -> Self {
        let resets = Bucket::new(config.reset_burst, config.reset_interval);
        Self {
            config,
            role,
            header: [0; HEADER_LENGTH],
            header_filled: 0,
            body: None,
            streams: BTreeMap::new(),
            next_id: Some(match role {
                Role::Dialler => 1,
                Role::Listener => 2,
            }),
            peer_last: 0,
            unacknowledged: 0,
            untold: BTreeSet::new(),
            tell_up_to: 0,
            unanswered: 0,
            ready: BTreeSet::new(),
            served: 0,
            owing: BTreeSet::new(),
            control: VecDeque::new(),
            answers: 0,
            pongs: VecDeque::new(),
            ping: None,
            gone_away: false,
            resets,
            empty_frames: 0,
            stats: Stats::ZERO,
        }
    }

    /// Takes bytes off the front of `bytes` until something has happened, and says what. None: all has been taken.
    pub fn next_event(&mut self, now: Instant, bytes: &mut Bytes) -> Result<Option<Event>, YamuxError> {
        loop {
            if let Some(body) = self.body {
                if body.left == 0 {
                    self.body = None;
                    match self.on_body_end(body) {
                        Some(event) => return Ok(Some(event)),
                        None => continue,
                    }
                }
                if bytes.is_empty() {
                    return Ok(None);
                }
                match self.on_body(body, bytes) {
                    Some(event) => return Ok(Some(event)),
                    None => continue,
                }
            }
            let Some(header) = self.read_header(bytes) else { return Ok(None) };
            if let Some(event) = self.on_header(now, Header::decode(&header)?)? {
                return Ok(Some(event));
            }
        }
    }

    /// Opens a stream whose first frame carries `first` as far as it fits. Empty, the stream is told to the peer with
    /// the first bytes that are sent, or ahead of a later stream. It waits while the peer has yet to answer as many as
    /// [`Config::unacknowledged_max`].
    pub fn open(&mut self, first: Bytes) -> Result<u32, OpenError> {
        if self.gone_away {
            return Err(OpenError::GoneAway);
        }
        let id = self
            .next_id
            .filter(|_| self.streams.len() < self.config.streams_max)
            .ok_or(OpenError::TooMany)?;
        self.next_id = id.checked_add(2);
        self.streams.insert(id, Stream::new(Flags::SYN, WINDOW));
        self.untold.insert(id);
        count(&mut self.stats.opened);
        self.send(id, first);
        Ok(id)
    }

    /// Queues bytes on a stream. Without effect on a stream that is closed or being closed.
    pub fn send(&mut self, id: u32, bytes: Bytes) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.send(bytes);
            self.note_ready(id);
        }
    }

    /// Closes our half of a stream behind what is queued.
    pub fn finish(&mut self, id: u32) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.finish();
            self.note_ready(id);
        }
    }

    /// Kills a stream; what is queued is lost. One that the peer has not heard of just vanishes.
    pub fn reset(&mut self, id: u32) {
        if let Some(stream) = self.remove(id)
            && stream.greeting() != Some(Flags::SYN)
        {
            self.control.push_back(reset_of(id));
        }
    }

    /// The application has read `count` more bytes of a stream.
    pub fn consumed(&mut self, id: u32, count: usize) {
        if self.streams.get_mut(&id).is_some_and(|stream| stream.consumed(count)) {
            self.owing.insert(id);
        }
    }

    /// Asks whether the peer lives. Without effect while an answer is awaited.
    pub fn ping(&mut self, value: u32) {
        if self.ping.is_none() {
            self.ping = Some(value);
            self.control.push_back(Header { kind: Kind::Ping, flags: Flags::SYN, stream: 0, length: value });
        }
    }

    /// Says why we end.
    pub fn go_away(&mut self, code: GoAway) {
        let header = Header { kind: Kind::GoAway, flags: Flags::NONE, stream: 0, length: code.code() };
        self.control.push_back(header);
    }

    /// Whether the peer is owed an answer: a pong, or a reset.
    #[must_use]
    pub fn owes_answers(&self) -> bool {
        self.answers > 0 || !self.pongs.is_empty()
    }

    /// The next frame without payload that is to be sent.
    pub fn pull_control(&mut self) -> Option<[u8; HEADER_LENGTH]> {
        if let Some(length) = self.pongs.pop_front() {
            return Some(Header { kind: Kind::Ping, flags: Flags::ACK, stream: 0, length }.encode());
        }
        if let Some(header) = self.control.pop_front() {
            self.answers = self.answers.min(self.control.len());
            return Some(header.encode());
        }
        while let Some(id) = self.owing.pop_first() {
            if let Some(stream) = self.streams.get_mut(&id) {
                let length = stream.take_returnable();
                let flags = self.greet(id);
                return Some(Header { kind: Kind::WindowUpdate, flags, stream: id, length }.encode());
            }
        }
        None
    }

    /// Writes the next data frame, of at most `room` bytes of payload, and says whose it was and how much. Streams
    /// take turns.
    pub fn pull_data(&mut self, room: usize, write: &mut dyn FnMut(&[u8])) -> Option<(u32, usize)> {
        if room == 0 {
            return None;
        }
        let id = match self.next_to_tell() {
            Some(id) => id,
            None => self.next_in_turn()?,
        };
        let mut flags = self.greet(id);
        let stream = self.streams.get_mut(&id)?;
        let payload = stream.sendable().min(self.config.frame_max.max(1)).min(room);
        let length = u32::try_from(payload).unwrap_or(u32::MAX);
        if stream.take_finish(payload) {
            flags = flags | Flags::FIN;
        }
        write(&Header { kind: Kind::Data, flags, stream: id, length }.encode());
        stream.take(length, write);
        self.note_ready(id);
        self.remove_if_over(id);
        Some((id, payload))
    }

    /// How many bytes of payload could be sent at once: a hint for buffers.
    #[must_use]
    pub fn sendable(&self, limit: usize) -> usize {
        let mut sum = 0usize;
        let to_tell = self.untold.range(..=self.tell_up_to).take(self.room_to_tell());
        for stream in to_tell.chain(&self.ready).filter_map(|id| self.streams.get(id)) {
            sum = sum.saturating_add(stream.sendable()).saturating_add(HEADER_LENGTH);
            if sum >= limit {
                return limit;
            }
        }
        sum
    }

    /// How many bytes of a stream wait to be sent.
    #[must_use]
    pub fn queued(&self, id: u32) -> usize {
        self.streams.get(&id).map_or(0, Stream::queued)
    }

    /// Whether a stream exists.
    #[must_use]
    pub fn contains(&self, id: u32) -> bool {
        self.streams.contains_key(&id)
    }

    /// How many streams there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.streams.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// Whether the peer takes no more streams.
    #[must_use]
    pub const fn is_gone_away(&self) -> bool {
        self.gone_away
    }

    /// What was seen and shed.
    #[must_use]
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }
}

/// The table of streams.
impl Multiplexer {
    /// Whether an id is one that our side gives.
    pub(in crate::channel) const fn is_ours(&self, id: u32) -> bool {
        match self.role {
            Role::Dialler => id % 2 == 1,
            Role::Listener => id.is_multiple_of(2),
        }
    }

    /// Whether the peer cannot know of such a stream. One of ours that vanished untold is not told apart from one that
    /// ended.
    fn was_never_open(&self, id: u32) -> bool {
        if self.is_ours(id) {
            self.untold.contains(&id) || self.next_id.is_some_and(|next| id >= next)
        } else {
            id > self.peer_last
        }
    }

    fn note_ready(&mut self, id: u32) {
        let ready = self.streams.get(&id).is_some_and(Stream::is_ready);
        if self.untold.contains(&id) {
            if ready {
                self.tell_up_to = self.tell_up_to.max(id);
            }
        } else if ready {
            self.ready.insert(id);
        } else {
            self.ready.remove(&id);
        }
    }

    /// How many more streams the peer may be told of now: beyond that it would refuse them.
    fn room_to_tell(&self) -> usize {
        self.config.unacknowledged_max.max(1).saturating_sub(self.unanswered)
    }

    /// The next stream to open: the lowest, since an id that is not higher than all before breaks the protocol.
    fn next_to_tell(&self) -> Option<u32> {
        self.untold.first().copied().filter(|id| *id <= self.tell_up_to && self.room_to_tell() > 0)
    }

    /// The next stream that is served.
    fn next_in_turn(&mut self) -> Option<u32> {
        let later = self.ready.range((Bound::Excluded(self.served), Bound::Unbounded)).next();
        self.served = *later.or_else(|| self.ready.first())?;
        Some(self.served)
    }

    /// The flags of the first frame of a stream; none later.
    fn greet(&mut self, id: u32) -> Flags {
        let flags = self.streams.get_mut(&id).map_or(Flags::NONE, Stream::take_greeting);
        if flags == Flags::ACK {
            self.unacknowledged = self.unacknowledged.saturating_sub(1);
        }
        if flags == Flags::SYN {
            self.untold.remove(&id);
            self.unanswered = self.unanswered.saturating_add(1);
        }
        flags
    }

    fn remove_if_over(&mut self, id: u32) {
        if self.streams.get(&id).is_some_and(Stream::is_over) {
            self.remove(id);
        }
    }

    fn remove(&mut self, id: u32) -> Option<Stream> {
        let mut stream = self.streams.remove(&id)?;
        if stream.greeting() == Some(Flags::ACK) {
            self.unacknowledged = self.unacknowledged.saturating_sub(1);
        }
        if stream.take_answer() {
            self.unanswered = self.unanswered.saturating_sub(1);
        }
        self.untold.remove(&id);
        self.ready.remove(&id);
        self.owing.remove(&id);
        Some(stream)
    }
}

/// In the form that published implementations send.
const fn reset_of(id: u32) -> Header {
    Header { kind: Kind::WindowUpdate, flags: Flags::RST, stream: id, length: 0 }
}

#[cfg(test)]
mod tests;
