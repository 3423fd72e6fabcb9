//! identify as it is spoken on a link: what we tell, what the peer told, and when to ask or push again.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec;
use core::time::Duration;

use bytes::Bytes;

use super::super::identify::{self, Info};
use super::{Config, Context, OpenError, Output, Purpose, Session, Timer, Use};
use crate::bounded::Bucket;
use crate::identity::PeerId;
use crate::rng::jitter;
use crate::stats::count;
use crate::time::Instant;
use crate::wire::frame::{Deframer, Prefix};

/// The least time until something is done again, however short the configured one: the clock's step.
const SOON: Duration = Duration::from_micros(1);

/// What is known on both sides.
pub(super) struct Services {
    peer: PeerId,
    /// What the peer has told.
    known: Option<Box<Info>>,
    /// What we tell, as one frame that all streams share.
    described: Bytes,
    /// Whether that changed since it was told, and when it was last pushed.
    push_due: bool,
    pushed: Option<Instant>,
    /// Whether the peer declined these.
    no_identify: bool,
    no_push: bool,
    reads: Bucket,
}

impl Services {
    pub(super) const fn new(config: &Config, peer: PeerId) -> Self {
        Self {
            peer,
            known: None,
            described: Bytes::new(),
            push_due: false,
            pushed: None,
            no_identify: false,
            no_push: false,
            reads: Bucket::new(config.identify_burst, config.identify_refill),
        }
    }
}

/// A message that is being read.
pub(super) struct Reading {
    frames: Deframer,
    push: bool,
    done: bool,
}

impl Reading {
    /// The answer to our question.
    pub(super) fn answer() -> Self {
        Self { frames: Deframer::new(Prefix::Varint, identify::READ_MAX), push: false, done: false }
    }

    /// A push of the peer.
    pub(super) fn push() -> Self {
        Self { push: true, ..Self::answer() }
    }

    /// The message, once it is whole; an empty error if it never can be.
    pub(super) fn receive(&mut self, bytes: Bytes) -> Option<Result<Bytes, ()>> {
        if self.done {
            return None;
        }
        self.frames.push(bytes);
        let message = self.frames.next_frame().map_err(|_| ()).transpose();
        self.done = message.is_some();
        message
    }
}

impl Session {
    /// Asks what the peer is, and will ask again.
    pub(super) fn identify(&mut self, cx: &mut Context<'_, Output>) {
        if self.services.no_identify {
            return;
        }
        let again = jitter(cx.rng(), self.config.identify_interval, 10);
        // A failure to open is no failure of the link; the next turn tries again.
        let _ = self.propose(Purpose::Identify, vec![identify::PROTOCOL.into()], cx.now());
        let again = again.max(self.config.stream_timeout).max(SOON);
        self.deadlines.set(Timer::Identify, Some(cx.now() + again));
    }

    /// Remembers what we tell; pushes it if it changed after it could have been told.
    pub(in crate::channel) fn describe(&mut self, info: &Info, cx: &mut Context<'_, Output>) {
        let frame = info.to_frame();
        if frame == self.services.described {
            return;
        }
        let first = self.services.described.is_empty();
        self.services.described = frame;
        if !first {
            self.services.push_due = true;
            let by = self.services.pushed.map(|pushed| pushed + self.config.push_interval);
            match by.filter(|by| *by > cx.now()) {
                Some(by) => self.deadlines.set(Timer::Push, Some(by)),
                None => self.push(cx.now()),
            }
        }
    }

    pub(super) fn push(&mut self, now: Instant) {
        let takes = |info: &Info| info.protocols.iter().any(|name| name == identify::PUSH_PROTOCOL);
        let spoken = self.services.known.as_deref().is_none_or(takes) && !self.services.no_push;
        if !spoken || !self.services.push_due {
            return;
        }
        let opened = self.propose(Purpose::Push, vec![String::from(identify::PUSH_PROTOCOL)], now);
        if opened == Err(OpenError::TooMany) {
            // There may be room for its stream later.
            self.deadlines.set(Timer::Push, Some(now + self.config.push_interval.max(SOON)));
            return;
        }
        self.services.push_due = false;
        self.services.pushed = Some(now);
    }

    /// The peer does not speak identify, or not push: that is no failure.
    pub(super) fn not_spoken(&mut self, purpose: Purpose) {
        match purpose {
            Purpose::Identify => {
                self.services.no_identify = true;
                self.deadlines.remove(&Timer::Identify);
            }
            Purpose::Push => self.services.no_push = true,
            Purpose::Application { .. } => {}
        }
    }

    /// Tells what we are and closes our half.
    pub(super) fn tell(&mut self, id: u32) -> Use {
        self.mux.send(id, self.services.described.clone());
        self.mux.finish(id);
        Use::Telling
    }

    /// A message is whole: the stream has done its service.
    pub(super) fn on_identify_message(
        &mut self,
        id: u32,
        message: &Result<Bytes, ()>,
        cx: &mut Context<'_, Output>,
    ) {
        let Some(Use::Hearing(reading)) = self.uses.get(&id) else { return };
        let push = reading.push;
        if !self.services.reads.take(cx.now()) {
            count(&mut self.stats.identify_shed);
            return;
        }
        let info = message.as_ref().ok().and_then(|message| Info::decode(message).ok());
        let Some(mut info) = info.filter(|info| info.may_be_of(&self.services.peer)) else {
            count(&mut self.stats.identify_refused);
            self.reset(id);
            return;
        };
        count(&mut self.stats.identified);
        info.apply_record(&self.services.peer);
        let known = match self.services.known.take().filter(|_| push) {
            Some(mut known) => {
                known.merge(info);
                known
            }
            None => Box::new(info),
        };
        self.services.known = Some(known.clone());
        cx.emit(Output::Identified(known));
    }
}
