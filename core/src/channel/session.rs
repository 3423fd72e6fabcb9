//! A link that is ready: its streams, their negotiation, the services of the channel itself, and signs of life.

mod secure;
mod services;
mod streams;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

pub(super) use secure::Secure;
use services::{Reading, Services};

use super::machine::noise;
use super::multistream::{Negotiation, Progress};
use super::ping::Echo;
use super::yamux::{self, Event, GoAway, Multiplexer};
use super::{
    Cause, Config, Input, OpenError, Output, Role, Stats, StreamId, Violation, Waiting, identify, ping,
};
use crate::deadline::Deadlines;
use crate::machine::Context;
use crate::stats::count;
use crate::time::Instant;

/// The state of a ready link.
pub(super) struct Session {
    config: Arc<Config>,
    protocols: Arc<[String]>,
    secure: Secure,
    mux: Multiplexer,
    uses: BTreeMap<u32, Use>,
    /// Streams of the peer whose protocol is not agreed on.
    negotiating: usize,
    services: Services,
    deadlines: Deadlines<Timer>,
    /// When the peer last gave a byte.
    heard: Instant,
    /// When the probe that is out was sent, and how many were.
    probed: Option<Instant>,
    probes: u32,
    stats: Stats,
}

/// What a stream is used for.
enum Use {
    /// We have proposed protocols.
    Proposing(Box<Negotiation>, Purpose),
    /// The peer is proposing.
    Answering(Box<Negotiation>),
    /// It is the parent's. So many bytes of the negotiation are still queued before what the parent sends.
    Application { ahead: usize },
    /// The peer tells what it is.
    Hearing(Box<Reading>),
    /// We tell what we are: all is queued.
    Telling,
    /// The peer pings.
    Echoing(Echo),
}

/// What we open a stream for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Purpose {
    Application { token: u64 },
    Identify,
    Push,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Timer {
    KeepAlive,
    PartialMessage,
    Identify,
    Push,
    Stream(u32),
}

impl Session {
    pub(super) fn new(
        config: Arc<Config>,
        protocols: Arc<[String]>,
        role: Role,
        secure: Secure,
        now: Instant,
    ) -> Self {
        let mux = Multiplexer::new(config.yamux, role);
        let services = Services::new(&config, secure.peer());
        Self {
            config,
            protocols,
            secure,
            mux,
            uses: BTreeMap::new(),
            negotiating: 0,
            services,
            deadlines: Deadlines::new(),
            heard: now,
            probed: None,
            probes: 0,
            stats: Stats::ZERO,
        }
    }

    /// Asks at once what the peer is, and how far away.
    pub(super) fn begin(&mut self, cx: &mut Context<'_, Output>) {
        self.identify(cx);
        self.probe(cx.now());
    }

    /// Takes bytes of the carrier.
    pub(super) fn receive(
        &mut self,
        mut bytes: Bytes,
        room: usize,
        cx: &mut Context<'_, Output>,
    ) -> Result<(), Cause> {
        self.heard = cx.now();
        let between = !self.secure.is_partial();
        while let Some(plaintext) = self.secure.open_next(&mut bytes)? {
            self.receive_plaintext(plaintext, room, cx)?;
        }
        let begun = self.secure.take_completed() || between;
        if !self.secure.is_partial() {
            self.deadlines.remove(&Timer::PartialMessage);
        } else if begun {
            let by = cx.now() + self.config.partial_message_timeout;
            self.deadlines.set(Timer::PartialMessage, Some(by));
        }
        Ok(())
    }

    /// Takes bytes of the multiplexer. Answers go out as long as there is `room` for them.
    pub(super) fn receive_plaintext(
        &mut self,
        mut plaintext: Bytes,
        room: usize,
        cx: &mut Context<'_, Output>,
    ) -> Result<(), Cause> {
        let length = plaintext.len();
        while let Some(event) = self.mux.next_event(cx.now(), &mut plaintext).map_err(yamux_violation)? {
            match event {
                Event::Opened(id) => self.on_opened(id, cx.now())?,
                Event::Received { stream, bytes } => self.on_received(stream, detached(bytes, length), cx)?,
                Event::Finished(id) => self.on_finished(id, cx)?,
                Event::Reset(id) => self.on_reset(id, cx),
                Event::Pong => self.on_pong(cx),
                Event::GoneAway(GoAway::Normal) => {}
                Event::GoneAway(code) => return Err(Cause::GoneAway(code)),
                Event::Answer => {}
            }
            if self.mux.owes_answers() {
                self.put_control(room)?;
            }
        }
        Ok(())
    }

    pub(super) fn open(&mut self, token: u64, protocols: Vec<String>, cx: &mut Context<'_, Output>) {
        if let Err(cause) = self.propose(Purpose::Application { token }, protocols, cx.now()) {
            cx.emit(Output::OpenFailed { token, cause });
        }
    }

    /// What the parent does with its own streams.
    pub(super) fn command(&mut self, input: Input) {
        match input {
            Input::Send { stream: StreamId(id), bytes } if self.is_application(id) => {
                self.mux.send(id, bytes)
            }
            Input::Finish { stream: StreamId(id) } if self.is_application(id) => self.mux.finish(id),
            Input::Reset { stream: StreamId(id) } if self.is_application(id) => self.reset(id),
            Input::Consumed { stream: StreamId(id), count } if self.is_application(id) => {
                self.mux.consumed(id, count);
            }
            Input::Start
            | Input::Received(_)
            | Input::Written(_)
            | Input::Finished
            | Input::Open { .. }
            | Input::Send { .. }
            | Input::Finish { .. }
            | Input::Reset { .. }
            | Input::Consumed { .. }
            | Input::Describe(_)
            | Input::Close(_) => {}
        }
    }

    pub(super) fn handle_timeout(&mut self, cx: &mut Context<'_, Output>) -> Result<(), Cause> {
        while let Some(timer) = self.deadlines.pop_due(cx.now()) {
            match timer {
                Timer::KeepAlive => self.on_keep_alive(cx.now())?,
                Timer::PartialMessage => return Err(Cause::TimedOut(Waiting::Message)),
                Timer::Identify => self.identify(cx),
                Timer::Push => self.push(cx.now()),
                Timer::Stream(id) => {
                    count(&mut self.stats.streams_timed_out);
                    self.fail(id, OpenError::TimedOut, cx);
                }
            }
        }
        Ok(())
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// Seals what is to be sent: control frames first, then data in turns, as far as the carrier has room.
    pub(super) fn flush(&mut self, unwritten: usize, cx: &mut Context<'_, Output>) -> Result<Bytes, Cause> {
        let ahead = self.config.send_ahead;
        self.put_control(self.config.pause_at().saturating_sub(unwritten))?;
        self.secure.reserve(self.mux.sendable(ahead.saturating_sub(unwritten)));
        self.put_data(|pending| ahead.saturating_sub(unwritten).saturating_sub(pending), cx)?;
        self.secure.flush()
    }

    /// The last bytes: what can still be sent when we close in peace, and why we go.
    pub(super) fn goodbye(&mut self, cause: &Cause, cx: &mut Context<'_, Output>) -> Result<Bytes, Cause> {
        let code = if cause.violation().is_some() { GoAway::ProtocolError } else { GoAway::Normal };
        if code == GoAway::Normal {
            self.put_control(usize::MAX)?;
            self.put_data(|_| usize::MAX, cx)?;
        } else {
            self.mux = Multiplexer::new(self.config.yamux, Role::Dialler);
        }
        self.mux.go_away(code);
        self.put_control(usize::MAX)?;
        self.secure.flush()
    }

    pub(super) const fn is_gone_away(&self) -> bool {
        self.mux.is_gone_away()
    }

    pub(super) fn open_streams(&self) -> usize {
        self.mux.len().max(self.uses.len())
    }

    /// Streams whose protocol is not agreed on may be identify's.
    pub(super) fn is_in_use(&self) -> bool {
        self.uses.values().any(|use_| matches!(use_, Use::Application { .. } | Use::Echoing(_)))
    }

    pub(super) const fn stats(&self) -> Stats {
        let mux = self.mux.stats();
        let mut stats = self.stats;
        stats.streams_accepted = mux.accepted;
        stats.streams_opened = mux.opened;
        stats.streams_refused = stats.streams_refused.saturating_add(mux.refused);
        stats.pings_shed = mux.pings_shed;
        stats.late_frames = mux.late;
        stats
    }

    fn put_control(&mut self, room: usize) -> Result<(), Cause> {
        while self.secure.pending() < room {
            let Some(frame) = self.mux.pull_control() else { break };
            self.secure.put(&frame)?;
        }
        Ok(())
    }

    fn put_data(&mut self, room: impl Fn(usize) -> usize, cx: &mut Context<'_, Output>) -> Result<(), Cause> {
        loop {
            let Self { mux, secure, .. } = self;
            let room = room(secure.pending());
            let mut result = Ok(());
            let pulled = mux.pull_data(room, &mut |part| {
                if result.is_ok() {
                    result = secure.put(part);
                }
            });
            result?;
            let Some((id, count)) = pulled else { return Ok(()) };
            match self.uses.get_mut(&id) {
                Some(Use::Application { ahead }) => {
                    let negotiation = count.min(*ahead);
                    *ahead = ahead.saturating_sub(negotiation);
                    if count > negotiation {
                        cx.emit(Output::Sent {
                            stream: StreamId(id),
                            count: count.saturating_sub(negotiation),
                        });
                    }
                }
                // Pings are given credit as their echo leaves: what waits here is bounded by the window.
                Some(Use::Echoing(_)) => self.mux.consumed(id, count),
                _ => {}
            }
            self.forget_if_over(id);
        }
    }
}

/// Signs of life.
impl Session {
    fn probe(&mut self, now: Instant) {
        self.probes = self.probes.wrapping_add(1);
        self.mux.ping(self.probes);
        self.probed = Some(now);
        self.deadlines.set(Timer::KeepAlive, Some(now + self.config.keep_alive_answer));
    }

    fn on_pong(&mut self, cx: &mut Context<'_, Output>) {
        let now = cx.now();
        if let Some(probed) = self.probed.take() {
            cx.emit(Output::RoundTrip(now.since(probed)));
        }
        self.deadlines.set(Timer::KeepAlive, Some(now + self.config.keep_alive_idle));
    }

    /// Looks when the peer was last heard; every byte counts as a sign of life.
    fn on_keep_alive(&mut self, now: Instant) -> Result<(), Cause> {
        let by = match self.probed {
            Some(probed) => probed.max(self.heard) + self.config.keep_alive_answer,
            None => self.heard + self.config.keep_alive_idle,
        };
        match self.probed {
            _ if by > now => self.deadlines.set(Timer::KeepAlive, Some(by)),
            Some(_) => return Err(Cause::TimedOut(Waiting::KeepAlive)),
            None => self.probe(now),
        }
        Ok(())
    }
}

/// A piece of a message of `length` bytes, as it may be kept: a view, or a copy where it is less than half. A parent that
/// keeps a piece so never keeps more than twice its length (T-17).
fn detached(piece: Bytes, length: usize) -> Bytes {
    if piece.len() < length.div_ceil(2) { Bytes::copy_from_slice(&piece) } else { piece }
}

const fn yamux_violation(error: yamux::YamuxError) -> Cause {
    Cause::Violation(Violation::Yamux(error))
}
