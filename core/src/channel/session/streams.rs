//! The life of a stream: its opening, its negotiation, what it is used for, and its end.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

use super::services::Reading;
use super::{
    Cause, Context, Echo, Instant, Negotiation, OpenError, Output, Progress, Purpose, Session, StreamId,
    Timer, Use, identify, ping, yamux, yamux_violation,
};
use crate::channel::multistream;
use crate::stats::count;

impl Session {
    pub(super) fn propose(
        &mut self,
        purpose: Purpose,
        protocols: Vec<String>,
        now: Instant,
    ) -> Result<u32, OpenError> {
        if !is_proposable(&protocols) {
            return Err(OpenError::Unsupported);
        }
        let mut out = BytesMut::new();
        let negotiation = Negotiation::dialler(protocols, &mut out);
        let id = self.mux.open(out.freeze()).map_err(|error| match error {
            yamux::OpenError::TooMany => OpenError::TooMany,
            yamux::OpenError::GoneAway => OpenError::GoneAway,
        })?;
        self.uses.insert(id, Use::Proposing(Box::new(negotiation), purpose));
        self.deadlines.set(Timer::Stream(id), Some(now + self.config.stream_timeout));
        Ok(id)
    }

    pub(super) fn on_opened(&mut self, id: u32, now: Instant) -> Result<(), Cause> {
        if self.negotiating >= self.config.negotiating_max {
            count(&mut self.stats.streams_refused);
            return self.refuse(id, now);
        }
        let mut out = BytesMut::new();
        let negotiation = Negotiation::listener(&mut out);
        self.mux.send(id, out.freeze());
        self.uses.insert(id, Use::Answering(Box::new(negotiation)));
        self.negotiating = self.negotiating.saturating_add(1);
        self.deadlines.set(Timer::Stream(id), Some(now + self.config.stream_timeout));
        Ok(())
    }

    pub(super) fn on_received(
        &mut self,
        id: u32,
        bytes: Bytes,
        cx: &mut Context<'_, Output>,
    ) -> Result<(), Cause> {
        match self.uses.get_mut(&id) {
            Some(Use::Application { .. }) => cx.emit(Output::Received { stream: StreamId(id), bytes }),
            Some(Use::Proposing(..) | Use::Answering(_)) => return self.negotiate(id, bytes, cx),
            Some(Use::Hearing(reading)) => {
                let count = bytes.len();
                let message = reading.receive(bytes);
                self.mux.consumed(id, count);
                if let Some(message) = message {
                    self.on_identify_message(id, &message, cx);
                }
            }
            Some(Use::Echoing(echo)) => {
                let echo = echo.receive(&bytes);
                self.mux.send(id, echo);
            }
            Some(Use::Telling) | None => self.mux.consumed(id, bytes.len()),
        }
        Ok(())
    }

    fn negotiate(&mut self, id: u32, bytes: Bytes, cx: &mut Context<'_, Output>) -> Result<(), Cause> {
        let length = bytes.len();
        let protocols = &self.protocols;
        let mut out = BytesMut::new();
        let progress = match self.uses.get_mut(&id) {
            Some(Use::Answering(negotiation)) => {
                negotiation.receive(bytes, |name| accepts(protocols, name), &mut out)
            }
            Some(Use::Proposing(negotiation, _)) => negotiation.receive(bytes, |_| false, &mut out),
            Some(Use::Application { .. } | Use::Hearing(_) | Use::Telling | Use::Echoing(_)) | None => {
                return Ok(());
            }
        };
        self.mux.send(id, out.freeze());
        match progress {
            Ok(Progress::Pending) => self.mux.consumed(id, length),
            Ok(Progress::Declined) => self.fail(id, OpenError::Unsupported, cx),
            Ok(Progress::Agreed { protocol, rest }) => {
                self.mux.consumed(id, length.saturating_sub(rest.len()));
                self.on_agreed(id, protocol, cx)?;
                if !rest.is_empty() {
                    self.on_received(id, rest, cx)?;
                }
            }
            Err(error) => {
                count(&mut self.stats.streams_malformed);
                self.tell_failure(id, OpenError::Violation(error), cx);
                return self.refuse(id, cx.now());
            }
        }
        Ok(())
    }

    /// The stream has its protocol: it goes to the parent, or to a service of ours.
    fn on_agreed(&mut self, id: u32, protocol: String, cx: &mut Context<'_, Output>) -> Result<(), Cause> {
        let stream = StreamId(id);
        let use_ = match self.uses.remove(&id) {
            Some(Use::Proposing(_, Purpose::Application { token })) => {
                cx.emit(Output::Opened { token, stream, protocol });
                Use::Application { ahead: self.mux.queued(id) }
            }
            Some(Use::Proposing(_, Purpose::Identify)) => {
                self.mux.finish(id);
                Use::Hearing(Box::new(Reading::answer()))
            }
            Some(Use::Proposing(_, Purpose::Push)) => self.tell(id),
            Some(Use::Answering(_)) => {
                self.negotiating = self.negotiating.saturating_sub(1);
                let Some(use_) = self.serve(id, &protocol) else {
                    count(&mut self.stats.streams_refused);
                    return self.refuse(id, cx.now());
                };
                if matches!(use_, Use::Application { .. }) {
                    cx.emit(Output::Accepted { stream, protocol });
                }
                use_
            }
            Some(Use::Application { .. } | Use::Hearing(_) | Use::Telling | Use::Echoing(_)) | None => {
                return Ok(());
            }
        };
        if matches!(use_, Use::Application { .. } | Use::Echoing(_)) {
            self.deadlines.remove(&Timer::Stream(id));
        }
        self.uses.insert(id, use_);
        Ok(())
    }

    /// What a stream that the peer opened is used for; none if there are too many of its kind.
    fn serve(&mut self, id: u32, protocol: &str) -> Option<Use> {
        let is_service = |use_: &Use| matches!(use_, Use::Telling | Use::Hearing(_));
        let is_ping = |use_: &Use| matches!(use_, Use::Echoing(_));
        let theirs = || self.uses.iter().filter(|(id, _)| !self.mux.is_ours(**id));
        let count = |kind: &dyn Fn(&Use) -> bool| theirs().filter(|(_, use_)| kind(use_)).count();
        match protocol {
            ping::PROTOCOL => {
                (count(&is_ping) < self.config.pings_max).then(|| Use::Echoing(Echo::default()))
            }
            identify::PROTOCOL | identify::PUSH_PROTOCOL
                if count(&is_service) >= self.config.services_max =>
            {
                None
            }
            identify::PROTOCOL => Some(self.tell(id)),
            identify::PUSH_PROTOCOL => {
                self.mux.finish(id);
                Some(Use::Hearing(Box::new(Reading::push())))
            }
            _ => Some(Use::Application { ahead: self.mux.queued(id) }),
        }
    }

    pub(super) fn on_finished(&mut self, id: u32, cx: &mut Context<'_, Output>) -> Result<(), Cause> {
        match self.uses.get(&id) {
            Some(Use::Application { .. }) => cx.emit(Output::Finished { stream: StreamId(id) }),
            Some(Use::Proposing(..)) => self.fail(id, OpenError::Reset, cx),
            Some(Use::Answering(_)) => return self.refuse(id, cx.now()),
            Some(Use::Echoing(_)) => self.mux.finish(id),
            Some(Use::Hearing(_) | Use::Telling) | None => {}
        }
        self.forget_if_over(id);
        Ok(())
    }

    pub(super) fn on_reset(&mut self, id: u32, cx: &mut Context<'_, Output>) {
        match self.uses.get(&id) {
            Some(Use::Application { .. }) => cx.emit(Output::Reset { stream: StreamId(id) }),
            Some(Use::Proposing(..)) => self.fail(id, OpenError::Reset, cx),
            Some(Use::Answering(_) | Use::Hearing(_) | Use::Telling | Use::Echoing(_)) | None => {}
        }
        self.forget_if_over(id);
    }

    /// Gives a stream up, and says so where somebody waits for it.
    pub(super) fn fail(&mut self, id: u32, cause: OpenError, cx: &mut Context<'_, Output>) {
        self.tell_failure(id, cause, cx);
        self.reset(id);
    }

    /// Gives a stream up for what the peer did with it; a peer that makes us do so too often breaks the rules.
    fn refuse(&mut self, id: u32, now: Instant) -> Result<(), Cause> {
        let result = self.mux.refuse(id, now).map_err(yamux_violation);
        self.forget_if_over(id);
        result
    }

    fn tell_failure(&mut self, id: u32, cause: OpenError, cx: &mut Context<'_, Output>) {
        match self.uses.get(&id) {
            Some(Use::Proposing(_, Purpose::Application { token })) => {
                cx.emit(Output::OpenFailed { token: *token, cause });
            }
            Some(Use::Proposing(_, purpose)) if cause == OpenError::Unsupported => {
                let purpose = *purpose;
                self.not_spoken(purpose);
            }
            _ => {}
        }
    }

    pub(super) fn reset(&mut self, id: u32) {
        self.mux.reset(id);
        self.forget_if_over(id);
    }

    /// Nothing stays behind of a stream that the multiplexer no longer has.
    pub(super) fn forget_if_over(&mut self, id: u32) {
        if self.mux.contains(id) {
            return;
        }
        if let Some(Use::Answering(_)) = self.uses.remove(&id) {
            self.negotiating = self.negotiating.saturating_sub(1);
        }
        self.deadlines.remove(&Timer::Stream(id));
    }

    pub(super) fn is_application(&self, id: u32) -> bool {
        matches!(self.uses.get(&id), Some(Use::Application { .. }))
    }
}

fn accepts(protocols: &[String], name: &str) -> bool {
    matches!(name, identify::PROTOCOL | identify::PUSH_PROTOCOL | ping::PROTOCOL)
        || protocols.iter().any(|protocol| protocol == name)
}

/// Whether a negotiation can propose these: what is too much no peer would read.
fn is_proposable(protocols: &[String]) -> bool {
    !protocols.is_empty()
        && protocols.len() <= usize::from(multistream::PROPOSALS_MAX)
        && protocols.iter().all(|name| name.len() < multistream::MESSAGE_MAX)
}
