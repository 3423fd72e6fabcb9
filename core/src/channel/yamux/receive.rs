//! What comes from the peer: headers, bodies, and what they do to the table of streams.

use bytes::Bytes;

use super::frame::{Flags, GoAway, HEADER_LENGTH, Header, Kind};
use super::stream::Stream;
use super::{Body, Event, Multiplexer, WINDOW, YamuxError, reset_of};
use crate::stats::count;
use crate::time::Instant;

impl Multiplexer {
    pub(super) fn read_header(&mut self, bytes: &mut Bytes) -> Option<[u8; HEADER_LENGTH]> {
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

    pub(super) fn on_body(&mut self, body: Body, bytes: &mut Bytes) -> Option<Event> {
        let piece = bytes.split_to(usize::try_from(body.left).unwrap_or(usize::MAX).min(bytes.len()));
        let length = u32::try_from(piece.len()).unwrap_or(u32::MAX);
        self.body = Some(Body { left: body.left.saturating_sub(length), ..body });
        let stream = self.streams.get_mut(&body.stream)?;
        stream.received(length);
        Some(Event::Received { stream: body.stream, bytes: piece })
    }

    pub(super) fn on_body_end(&mut self, body: Body) -> Option<Event> {
        let stream =
            self.streams.get_mut(&body.stream).filter(|stream| body.finish && !stream.is_peer_finished())?;
        stream.peer_finished();
        self.owing.remove(&body.stream);
        self.remove_if_over(body.stream);
        Some(Event::Finished(body.stream))
    }

    pub(super) fn on_header(&mut self, now: Instant, header: Header) -> Result<Option<Event>, YamuxError> {
        self.empty_frames = if self.does_nothing(header) { self.empty_frames.saturating_add(1) } else { 0 };
        if self.empty_frames > self.config.empty_frames_max {
            return Err(YamuxError::TooManyEmptyFrames);
        }
        match (header.kind, header.stream) {
            (Kind::Ping, 0) => Ok(self.on_ping(header)),
            (Kind::GoAway, 0) => {
                let again = self.repeats_goodbye(header);
                self.gone_away = true;
                Ok((!again).then_some(Event::GoneAway(GoAway::of(header.length))))
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

    /// Whether a frame changes nothing: no payload, credit, answer or end that is new. A question is something, and so is
    /// an opening, even where it is refused: these have limits of their own. So is payload for a stream that is no more:
    /// a whole window of it may have been on its way.
    fn does_nothing(&self, header: Header) -> bool {
        let has = |flags| header.flags.contains(flags);
        match header.kind {
            Kind::Ping if has(Flags::SYN) => false,
            Kind::Ping => !has(Flags::ACK) || self.ping != Some(header.length),
            Kind::GoAway => self.repeats_goodbye(header),
            Kind::Data | Kind::WindowUpdate if has(Flags::SYN) => false,
            Kind::Data if header.length > 0 && !has(Flags::RST) => false,
            Kind::Data | Kind::WindowUpdate => {
                let told = self.streams.get(&header.stream).filter(|_| !self.was_never_open(header.stream));
                told.is_none_or(|stream| {
                    let ends = has(Flags::RST) || has(Flags::FIN) && !stream.is_peer_finished();
                    header.length == 0 && !ends && !stream.is_unanswered()
                })
            }
        }
    }

    /// Whether this says goodbye in peace once more.
    fn repeats_goodbye(&self, header: Header) -> bool {
        self.gone_away && GoAway::of(header.length) == GoAway::Normal
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
        let told = !self.was_never_open(id);
        if !told && !reset {
            return Err(YamuxError::BadStream);
        }
        let stream = self.streams.get_mut(&id).filter(|_| told);
        // Payload for no stream must not reach one that gets the id before all of it has come.
        self.body = Some(Body { stream: if stream.is_some() { id } else { 0 }, left: data, finish });
        let Some(stream) = stream else {
            count(&mut self.stats.late);
            return Ok(None);
        };
        if stream.take_answer() {
            self.unanswered = self.unanswered.saturating_sub(1);
        }
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

    /// Resets a stream for what the peer did with it. One of the peer's counts as reset at once, as if the peer had done
    /// it (T-40), and its reset as an answer that waits (T-12).
    pub(in crate::channel) fn refuse(&mut self, id: u32, now: Instant) -> Result<(), YamuxError> {
        if self.is_ours(id) {
            self.reset(id);
        } else if self.remove(id).is_some() {
            self.take_reset(now)?;
            self.answer(reset_of(id))?;
        }
        Ok(())
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
