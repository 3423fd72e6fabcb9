//! The machine of one link: the upgrade, the carrier, and the session above.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use core::fmt;

use bytes::{Bytes, BytesMut};
use rand_core::CryptoRng;

use super::multistream::{MultistreamError, Negotiation, Progress};
use super::noise::{Frames, Handshake, NoiseError, Payload, StaticKey, Step};
use super::session::{Secure, Session};
use super::{
    Cause, Config, Input, NOISE, OpenError, Output, Role, Stats, Violation, Waiting, YAMUX, identify,
};
use crate::deadline::earliest;
use crate::identity::{Keypair, PeerId, PublicKey};
use crate::link::How;
use crate::machine::{Context, Machine};
use crate::stats::{count, count_by};
use crate::time::Instant;

/// Who we are on all links: built once a node.
#[derive(Debug)]
pub struct Local {
    static_key: Arc<StaticKey>,
    identity: PublicKey,
}

impl Local {
    /// Makes the static key of this process and signs it.
    pub fn new(identity: &Keypair, rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        Self {
            static_key: Arc::new(StaticKey::generate(identity, &[YAMUX], rng)),
            identity: identity.public(),
        }
    }

    /// For a peer that names no muxer in its handshake.
    #[cfg(test)]
    pub(super) fn without_muxers(identity: &Keypair, rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        Self { static_key: Arc::new(StaticKey::generate(identity, &[], rng)), identity: identity.public() }
    }

    /// Our peer id.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.identity.into()
    }

    /// Our identity key.
    #[must_use]
    pub const fn identity(&self) -> &PublicKey {
        &self.identity
    }
}

/// The machine of one link.
pub struct Channel {
    config: Arc<Config>,
    local: Arc<Local>,
    role: Role,
    expected: Option<PeerId>,
    /// What we accept streams of.
    protocols: Arc<[String]>,
    /// What we tell of ourselves, until there is a session that tells it.
    description: Option<Box<identify::Info>>,
    phase: Phase,
    upgrade_by: Option<Instant>,
    handshake_by: Option<Instant>,
    /// Bytes that the carrier was given and has not reported as written.
    unwritten: usize,
    paused: bool,
    /// The latest moment seen (L5).
    latest: Instant,
    stats: Stats,
}

enum Phase {
    Idle,
    /// multistream: Noise.
    Securing(Box<Negotiation>),
    Shaking(Box<Handshake>, Frames),
    /// multistream inside Noise: yamux.
    Choosing(Box<Secure>, Box<Negotiation>),
    Open(Box<Session>),
    Closed,
}

impl Phase {
    const fn name(&self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Securing(_) => "securing",
            Self::Shaking(..) => "handshake",
            Self::Choosing(..) => "choosing",
            Self::Open(_) => "open",
            Self::Closed => "closed",
        }
    }
}

impl Channel {
    /// The machine of a link on which we play `role`. A dialler that knows whom it dialled gives `expected`.
    /// `protocols` are those whose streams we accept, besides identify, push and ping, which are served here.
    #[must_use]
    pub const fn new(
        config: Arc<Config>,
        local: Arc<Local>,
        role: Role,
        expected: Option<PeerId>,
        protocols: Arc<[String]>,
    ) -> Self {
        Self {
            config,
            local,
            role,
            expected,
            protocols,
            description: None,
            phase: Phase::Idle,
            upgrade_by: None,
            handshake_by: None,
            unwritten: 0,
            paused: false,
            latest: Instant::ORIGIN,
            stats: Stats::ZERO,
        }
    }

    /// Whether it has ended.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// Bytes that the carrier was given and has not reported as written.
    #[must_use]
    pub const fn unwritten(&self) -> usize {
        self.unwritten
    }

    /// How many streams there are, of both sides and of all uses.
    #[must_use]
    pub fn open_streams(&self) -> usize {
        if let Phase::Open(session) = &self.phase { session.open_streams() } else { 0 }
    }

    /// Whether a stream other than identify's is open: one of the parent's, or a ping of the peer's. Looks at every
    /// stream.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        if let Phase::Open(session) = &self.phase { session.is_in_use() } else { false }
    }

    /// What was seen and shed.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut stats = self.stats;
        if let Phase::Open(session) = &self.phase {
            stats.add(&session.stats());
        }
        stats
    }
}

impl Machine for Channel {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, input: Input, cx: &mut Context<'_, Output>) {
        if self.is_closed() {
            return;
        }
        let cx = &mut cx.not_before(&mut self.latest);
        let result = match input {
            Input::Start => self.start(cx),
            Input::Received(bytes) => {
                count_by(&mut self.stats.bytes_received, bytes.len());
                self.receive(bytes, cx)
            }
            Input::Written(written) => {
                self.unwritten = self.unwritten.saturating_sub(written);
                Ok(())
            }
            Input::Finished => Err(self.ended()),
            Input::Describe(info) => self.describe(info, cx),
            Input::Close(how) => Err(Cause::Closed(how)),
            Input::Open { token, protocols } => {
                match &mut self.phase {
                    Phase::Open(session) => session.open(token, protocols, cx),
                    Phase::Idle
                    | Phase::Securing(_)
                    | Phase::Shaking(..)
                    | Phase::Choosing(..)
                    | Phase::Closed => {
                        cx.emit(Output::OpenFailed { token, cause: OpenError::NotReady });
                    }
                }
                Ok(())
            }
            Input::Send { .. } | Input::Finish { .. } | Input::Reset { .. } | Input::Consumed { .. } => {
                if let Phase::Open(session) = &mut self.phase {
                    session.command(input);
                }
                Ok(())
            }
        };
        self.conclude(result, cx);
    }

    fn handle_timeout(&mut self, cx: &mut Context<'_, Output>) {
        let now = cx.now().max(self.latest);
        if self.poll_timeout().is_none_or(|at| at > now) {
            return;
        }
        let cx = &mut cx.not_before(&mut self.latest);
        let due = |by: Option<Instant>| by.is_some_and(|at| at <= now);
        let result = if due(self.upgrade_by) {
            Err(Cause::TimedOut(Waiting::Upgrade))
        } else if due(self.handshake_by) {
            Err(Cause::TimedOut(Waiting::Handshake))
        } else if let Phase::Open(session) = &mut self.phase {
            session.handle_timeout(cx)
        } else {
            Ok(())
        };
        self.conclude(result, cx);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Open(session) => session.poll_timeout(),
            Phase::Idle | Phase::Closed => None,
            Phase::Securing(_) | Phase::Shaking(..) | Phase::Choosing(..) => {
                earliest(self.upgrade_by, self.handshake_by)
            }
        }
    }
}

/// The upgrade.
impl Channel {
    fn start(&mut self, cx: &mut Context<'_, Output>) -> Result<(), Cause> {
        if matches!(self.phase, Phase::Idle) {
            self.upgrade_by = Some(cx.now() + self.config.upgrade_timeout);
            let mut out = BytesMut::new();
            self.phase = Phase::Securing(Box::new(negotiation(self.role, NOISE, &mut out)));
            self.transmit(out.freeze(), cx);
        }
        Ok(())
    }

    /// Takes bytes through the phases: what is left over by one belongs to the next.
    fn receive(&mut self, mut bytes: Bytes, cx: &mut Context<'_, Output>) -> Result<(), Cause> {
        while !bytes.is_empty() {
            let room = self.control_room();
            match &mut self.phase {
                Phase::Idle | Phase::Closed => return Ok(()),
                Phase::Securing(negotiation) => {
                    let mut out = BytesMut::new();
                    let progress =
                        negotiation.receive(core::mem::take(&mut bytes), |name| name == NOISE, &mut out);
                    self.transmit(out.freeze(), cx);
                    match progress.map_err(violation)? {
                        Progress::Pending => {}
                        Progress::Declined => return Err(Cause::Unsupported),
                        Progress::Agreed { rest, .. } => {
                            bytes = rest;
                            self.shake(cx)?;
                        }
                    }
                }
                Phase::Shaking(handshake, frames) => {
                    let max = handshake.message_max();
                    if let Some(message) = frames.next_frame_within(max, &mut bytes).map_err(noise)? {
                        let payload = handshake.read(message).map_err(noise)?;
                        self.on_handshake_message(payload, cx)?;
                    }
                }
                Phase::Choosing(secure, negotiation) => {
                    let Some(plaintext) = secure.open_next(&mut bytes)? else { continue };
                    let mut out = BytesMut::new();
                    let progress = negotiation.receive(plaintext, |name| name == YAMUX, &mut out);
                    secure.put(&out)?;
                    match progress.map_err(violation)? {
                        Progress::Pending => {}
                        Progress::Declined => return Err(Cause::Unsupported),
                        Progress::Agreed { rest, .. } => self.ready(rest, cx)?,
                    }
                }
                Phase::Open(session) => session.receive(core::mem::take(&mut bytes), room, cx)?,
            }
        }
        Ok(())
    }

    /// Begins the handshake; the dialler speaks first.
    fn shake(&mut self, cx: &mut Context<'_, Output>) -> Result<(), Cause> {
        self.handshake_by = Some(cx.now() + self.config.handshake_timeout);
        let mut handshake = Handshake::new(self.role, Arc::clone(&self.local.static_key), cx.rng());
        if handshake.step() == Step::Write {
            let message = handshake.write().map_err(noise)?;
            self.transmit(message.freeze(), cx);
        }
        self.phase = Phase::Shaking(Box::new(handshake), Frames::new());
        Ok(())
    }

    /// The peer is checked before anything more is written.
    fn on_handshake_message(
        &mut self,
        payload: Option<Payload>,
        cx: &mut Context<'_, Output>,
    ) -> Result<(), Cause> {
        let peer = payload.as_ref().map(|payload| PeerId::from(payload.identity));
        if let Some(peer) = peer {
            if peer == self.local.peer_id() {
                return Err(Cause::Myself);
            }
            if self.expected.is_some_and(|expected| expected != peer) {
                return Err(Cause::WrongPeer(peer));
            }
        }
        let Phase::Shaking(mut handshake, _) = core::mem::replace(&mut self.phase, Phase::Closed) else {
            return Ok(());
        };
        if handshake.step() == Step::Write {
            let message = handshake.write().map_err(noise)?;
            self.transmit(message.freeze(), cx);
        }
        let (Step::Done, Some(peer), Some(payload)) = (handshake.step(), peer, payload) else {
            self.phase = Phase::Shaking(handshake, Frames::new());
            return Ok(());
        };
        self.handshake_by = None;
        count(&mut self.stats.handshakes);
        let (sealer, opener) = handshake.split().map_err(noise)?;
        let mut secure = Box::new(Secure::new(sealer, opener, peer, self.config.empty_messages_max));
        cx.emit(Output::Authenticated { peer });
        // Where both payloads name yamux, both sides know that it is agreed on.
        let names_yamux = |muxers: &[String]| muxers.iter().any(|muxer| muxer == YAMUX);
        let inlined = names_yamux(&payload.stream_muxers) && names_yamux(self.local.static_key.muxers());
        let mut out = BytesMut::new();
        let negotiation = Box::new(negotiation(self.role, YAMUX, &mut out));
        if !inlined {
            secure.put(&out)?;
        }
        self.phase = Phase::Choosing(secure, negotiation);
        if inlined { self.ready(Bytes::new(), cx) } else { Ok(()) }
    }

    fn ready(&mut self, rest: Bytes, cx: &mut Context<'_, Output>) -> Result<(), Cause> {
        let Phase::Choosing(secure, _) = core::mem::replace(&mut self.phase, Phase::Closed) else {
            return Ok(());
        };
        self.upgrade_by = None;
        cx.emit(Output::Ready);
        let (config, protocols) = (Arc::clone(&self.config), Arc::clone(&self.protocols));
        let mut session = Box::new(Session::new(config, protocols, self.role, *secure, cx.now()));
        let info = self.description.take().unwrap_or_default();
        session.describe(&self.complete(info), cx);
        session.begin(cx);
        let room = self.control_room();
        let result = session.receive_plaintext(rest, room, cx);
        self.phase = Phase::Open(session);
        result
    }

    fn describe(&mut self, info: Box<identify::Info>, cx: &mut Context<'_, Output>) -> Result<(), Cause> {
        let info = self.complete(info);
        match &mut self.phase {
            Phase::Open(session) => session.describe(&info, cx),
            Phase::Idle | Phase::Securing(_) | Phase::Shaking(..) | Phase::Choosing(..) | Phase::Closed => {
                self.description = Some(info);
            }
        }
        Ok(())
    }

    /// Fills in what the channel knows itself.
    fn complete(&self, mut info: Box<identify::Info>) -> Box<identify::Info> {
        let key = self.local.identity.to_protobuf();
        info.public_key.get_or_insert_with(|| Bytes::copy_from_slice(&key));
        if info.protocols.is_empty() {
            let served = [identify::PROTOCOL, identify::PUSH_PROTOCOL, super::ping::PROTOCOL];
            info.protocols = served.iter().map(|name| String::from(*name)).collect();
            info.protocols.extend(self.protocols.iter().cloned());
        }
        info
    }
}

/// The carrier.
impl Channel {
    /// Flushes what the call has queued, or ends the link.
    fn conclude(&mut self, result: Result<(), Cause>, cx: &mut Context<'_, Output>) {
        // Looked at before waiting data takes the place of what was written: after that, `send_ahead` is unwritten again.
        let enough = self.unwritten <= self.config.resume_at();
        if let Err(cause) = result.and_then(|()| self.flush(cx)) {
            self.close(cause, cx);
            return;
        }
        if !self.paused && self.unwritten >= self.config.pause_at() {
            self.paused = true;
            count(&mut self.stats.pauses);
            cx.emit(Output::Pause);
        } else if self.paused && enough && self.unwritten < self.config.pause_at() {
            self.paused = false;
            cx.emit(Output::Resume);
        }
    }

    fn flush(&mut self, cx: &mut Context<'_, Output>) -> Result<(), Cause> {
        let unwritten = self.unwritten;
        let sealed = match &mut self.phase {
            Phase::Idle | Phase::Securing(_) | Phase::Shaking(..) | Phase::Closed => return Ok(()),
            Phase::Choosing(secure, _) => secure.flush()?,
            Phase::Open(session) => session.flush(unwritten, cx)?,
        };
        self.transmit(sealed, cx);
        Ok(())
    }

    fn transmit(&mut self, bytes: Bytes, cx: &mut Context<'_, Output>) {
        if !bytes.is_empty() {
            self.unwritten = self.unwritten.saturating_add(bytes.len());
            count_by(&mut self.stats.bytes_sent, bytes.len());
            cx.emit(Output::Send(bytes));
        }
    }

    fn control_room(&self) -> usize {
        self.config.pause_at().saturating_sub(self.unwritten)
    }

    /// Ends the link, with a goodbye where there is one to say.
    fn close(&mut self, cause: Cause, cx: &mut Context<'_, Output>) {
        self.stats = self.stats();
        self.stats.count_end(&cause);
        if let Phase::Open(mut session) = core::mem::replace(&mut self.phase, Phase::Closed)
            && cause.how() == How::Flush
            && let Ok(goodbye) = session.goodbye(&cause, cx)
        {
            self.transmit(goodbye, cx);
        }
        self.description = None;
        cx.emit(Output::Closed(cause));
    }

    fn ended(&self) -> Cause {
        match &self.phase {
            Phase::Open(session) if session.is_gone_away() => Cause::Finished,
            Phase::Open(_)
            | Phase::Idle
            | Phase::Securing(_)
            | Phase::Shaking(..)
            | Phase::Choosing(..)
            | Phase::Closed => Cause::Ended,
        }
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("role", &self.role)
            .field("phase", &self.phase.name())
            .field("unwritten", &self.unwritten)
            .field("paused", &self.paused)
            .finish_non_exhaustive()
    }
}

fn negotiation(role: Role, protocol: &str, out: &mut BytesMut) -> Negotiation {
    match role {
        Role::Dialler => Negotiation::dialler(vec![protocol.into()], out),
        Role::Listener => Negotiation::listener(out),
    }
}

const fn violation(error: MultistreamError) -> Cause {
    Cause::Violation(Violation::Multistream(error))
}

pub(super) const fn noise(error: NoiseError) -> Cause {
    match error {
        NoiseError::Exhausted => Cause::Exhausted,
        NoiseError::BadLength
        | NoiseError::BadTag
        | NoiseError::ZeroSecret
        | NoiseError::UnexpectedPayload
        | NoiseError::BadPayload(_)
        | NoiseError::BadSignature
        | NoiseError::OutOfTurn => Cause::Violation(Violation::Noise(error)),
    }
}
