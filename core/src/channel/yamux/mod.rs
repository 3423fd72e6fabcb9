//! yamux 1.0.0: many streams over one connection, each with its own flow control (`connectivity` 2.2).
//!
//! [`Multiplexer`] holds no bytes of the peer: [`Multiplexer::next_event`] cuts what came into events, one at a time,
//! and the payload of an event is a view of the input. Credit returns to the peer only when the application says that
//! it has read ([`Multiplexer::consumed`]), so a stream that nobody reads costs at most one window.
//!
//! What is to be sent is pulled: [`Multiplexer::pull_control`] first (answers, resets, credit), then
//! [`Multiplexer::pull_data`], round robin over the streams, as long as the connection has room.

mod api;
mod frame;
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
    unacknowledged: usize,
    /// Streams that have a data frame to send, and the one that was served last.
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
    /// the first bytes that are sent.
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
        let later = self.ready.range((Bound::Excluded(self.served), Bound::Unbounded)).next();
        let id = *later.or_else(|| self.ready.first())?;
        self.served = id;
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
        for stream in self.ready.iter().filter_map(|id| self.streams.get(id)) {
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

/// Receiving.
impl Multiplexer {
    fn read_header(&mut self, bytes: &mut Bytes) -> Option<[u8; HEADER_LENGTH]> {
        let missing = self.header.get_mut(self.header_filled..)?;
        let piece = bytes.split_to(missing.len().min(bytes.len()));
        missing.get_mut(..piece.len())?.copy_from_slice(&piece);
        self.header_filled = self.header_filled.saturating_add(piece.len());
        if self.header_filled < HEADER_LENGTH {
            return None;
        }
        self.header_filled = 0;
        Some(self.header)
    }

    fn on_body(&mut self, body: Body, bytes: &mut Bytes) -> Option<Event> {
        let piece = bytes.split_to(usize::try_from(body.left).unwrap_or(usize::MAX).min(bytes.len()));
        let length = u32::try_from(piece.len()).unwrap_or(u32::MAX);
        self.body = Some(Body { left: body.left.saturating_sub(length), ..body });
        let stream = self.streams.get_mut(&body.stream)?;
        stream.received(length);
        Some(Event::Received { stream: body.stream, bytes: piece })
    }

    fn on_body_end(&mut self, body: Body) -> Option<Event> {
        let stream =
            self.streams.get_mut(&body.stream).filter(|stream| body.finish && !stream.is_peer_finished())?;
        stream.peer_finished();
        self.owing.remove(&body.stream);
        self.remove_if_over(body.stream);
        Some(Event::Finished(body.stream))
    }

    fn on_header(&mut self, now: Instant, header: Header) -> Result<Option<Event>, YamuxError> {
        let idle = header.flags == Flags::NONE && header.length == 0;
        match header.kind {
            Kind::Data | Kind::WindowUpdate if idle => {
                self.empty_frames = self.empty_frames.saturating_add(1);
                if self.empty_frames > self.config.empty_frames_max {
                    return Err(YamuxError::TooManyEmptyFrames);
                }
            }
            Kind::Data | Kind::WindowUpdate | Kind::Ping | Kind::GoAway => self.empty_frames = 0,
        }
        match (header.kind, header.stream) {
            (Kind::Ping, 0) => Ok(self.on_ping(header)),
            (Kind::GoAway, 0) => {
                self.gone_away = true;
                Ok(Some(Event::GoneAway(GoAway::of(header.length))))
            }
            (Kind::Ping | Kind::GoAway, _) | (Kind::Data | Kind::WindowUpdate, 0) => {
                Err(YamuxError::BadStream)
            }
            (Kind::Data | Kind::WindowUpdate, _) if header.flags.contains(Flags::SYN) => {
                self.on_syn(now, header)
            }
            (Kind::Data | Kind::WindowUpdate, _) => self.on_frame(now, header),
        }
    }

    fn on_ping(&mut self, header: Header) -> Option<Event> {
        if header.flags.contains(Flags::SYN) {
            if self.pongs.contains(&header.length) {
                return None;
            }
            if self.pongs.len() >= self.config.pongs_max {
                count(&mut self.stats.pings_shed);
                return None;
            }
            self.pongs.push_back(header.length);
            return Some(Event::Answer);
        }
        if header.flags.contains(Flags::ACK) && self.ping == Some(header.length) {
            self.ping = None;
            return Some(Event::Pong);
        }
        None
    }

    /// Everything is checked before the stream exists (T-15, T-39).
    fn on_syn(&mut self, now: Instant, header: Header) -> Result<Option<Event>, YamuxError> {
        let id = header.stream;
        if self.is_ours(id) || id <= self.peer_last {
            return Err(YamuxError::BadStream);
        }
        let (data, credit) = match header.kind {
            Kind::Data => (header.length, WINDOW),
            Kind::WindowUpdate | Kind::Ping | Kind::GoAway => {
                (0, WINDOW.checked_add(header.length).ok_or(YamuxError::CreditOverflow)?)
            }
        };
        let mut stream = Stream::new(Flags::ACK, credit);
        if !stream.announce(data) {
            return Err(YamuxError::WindowExceeded);
        }
        self.peer_last = id;
        let reset = header.flags.contains(Flags::RST);
        let full = self.streams.len() >= self.config.streams_max
            || self.unacknowledged >= self.config.unacknowledged_max;
        self.body = Some(Body { stream: id, left: data, finish: header.flags.contains(Flags::FIN) });
        if reset || full {
            self.take_reset(now)?;
        }
        if reset {
            return Ok(None);
        }
        if full {
            count(&mut self.stats.refused);
            return self.answer(reset_of(id)).map(Some);
        }
        self.unacknowledged = self.unacknowledged.saturating_add(1);
        self.streams.insert(id, stream);
        count(&mut self.stats.accepted);
        Ok(Some(Event::Opened(id)))
    }

    fn on_frame(&mut self, now: Instant, header: Header) -> Result<Option<Event>, YamuxError> {
        let id = header.stream;
        let reset = header.flags.contains(Flags::RST);
        let finish = header.flags.contains(Flags::FIN);
        let data = if header.kind == Kind::Data { header.length } else { 0 };
        if data > WINDOW {
            return Err(YamuxError::WindowExceeded);
        }
        self.body = Some(Body { stream: id, left: data, finish });
        let Some(stream) = self.streams.get_mut(&id) else {
            if !reset && self.was_never_open(id) {
                return Err(YamuxError::BadStream);
            }
            count(&mut self.stats.late);
            return Ok(None);
        };
        if reset {
            self.remove(id);
            if !self.is_ours(id) {
                self.take_reset(now)?;
            }
            return Ok(Some(Event::Reset(id)));
        }
        if header.kind == Kind::Data {
            if stream.is_peer_finished() && data > 0 {
                return Err(YamuxError::DataAfterFinish);
            }
            if !stream.announce(data) {
                return Err(YamuxError::WindowExceeded);
            }
        } else if !stream.grant(header.length) {
            return Err(YamuxError::CreditOverflow);
        }
        self.note_ready(id);
        Ok(None)
    }

    fn take_reset(&mut self, now: Instant) -> Result<(), YamuxError> {
        if self.resets.take(now) { Ok(()) } else { Err(YamuxError::RapidReset) }
    }

    fn answer(&mut self, header: Header) -> Result<Event, YamuxError> {
        if self.answers >= self.config.answers_max {
            return Err(YamuxError::TooManyAnswers);
        }
        self.answers = self.answers.saturating_add(1);
        self.control.push_back(header);
        Ok(Event::Answer)
    }
}

/// The table of streams.
impl Multiplexer {
    const fn is_ours(&self, id: u32) -> bool {
        match self.role {
            Role::Dialler => id % 2 == 1,
            Role::Listener => id.is_multiple_of(2),
        }
    }

    fn was_never_open(&self, id: u32) -> bool {
        if self.is_ours(id) { self.next_id.is_some_and(|next| id >= next) } else { id > self.peer_last }
    }

    fn note_ready(&mut self, id: u32) {
        if self.streams.get(&id).is_some_and(Stream::is_ready) {
            self.ready.insert(id);
        } else {
            self.ready.remove(&id);
        }
    }

    /// The flags of the first frame of a stream; none later.
    fn greet(&mut self, id: u32) -> Flags {
        let flags = self.streams.get_mut(&id).map_or(Flags::NONE, Stream::take_greeting);
        if flags == Flags::ACK {
            self.unacknowledged = self.unacknowledged.saturating_sub(1);
        }
        flags
    }

    fn remove_if_over(&mut self, id: u32) {
        if self.streams.get(&id).is_some_and(Stream::is_over) {
            self.remove(id);
        }
    }

    fn remove(&mut self, id: u32) -> Option<Stream> {
        let stream = self.streams.remove(&id)?;
        if stream.greeting() == Some(Flags::ACK) {
            self.unacknowledged = self.unacknowledged.saturating_sub(1);
        }
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
