//! The machine of the side that sends.

use alloc::boxed::Box;
use core::convert::Infallible;
use core::fmt;

use bytes::Bytes;

use super::api::{Command, Event, Failure, Sent};
use super::clients::{Clients, Outcome};
use super::config::{Config, ConfigError};
use super::transfer::Sending;
use crate::bob::Identity;
use crate::bob::channel::CLOSE;
use crate::bob::packet::{Body, Packet, Uid};
use crate::bob::peer::{self, News, Stage, Way, Word};
use crate::bob::public::{Cipher, Public};
use crate::bob::spoke::{Deriving, Keys, Verifier};
use crate::deadline::earliest;
use crate::link;
use crate::machine::{Context, Machine};
use crate::stats::{count, count_by};
use crate::time::Instant;

crate::counters! {
    /// What a server has met and shed.
    pub struct Stats {
        /// Handshakes that failed.
        failed,
        /// Clients that have proven to know the password.
        agreed,
        /// Handshakes that were not answered: too many of their address have failed, before or while they waited; or
        /// there is no room for another address, as at all that are remembered somebody waits.
        cut_off,
        /// Clients forgotten for want of room.
        clients_shed,
        /// Clients with an identity that cannot name a room.
        unroutable,
        /// Packets that are not for a server.
        unexpected,
        /// Bytes of content dropped: more than was announced.
        excess,
    }
}

/// The side that sends a file.
pub struct Server {
    config: Config,
    way: Way,
    state: State,
    /// How it ended, until that is said.
    result: Option<Result<Sent, Failure>>,
    /// When there is something to do: what `poll_timeout` says.
    deadline: Option<Instant>,
    /// The latest moment seen (L5).
    latest: Instant,
    stats: Stats,
}

enum State {
    New,
    /// The password is turned into what handshakes need.
    Deriving(Deriving),
    Registration(Box<Registration>),
    /// On the way to the room, with what was agreed on.
    Meeting(Public, Keys),
    Sending(Box<Sending>),
    Over,
}

/// Registered at a relay, or about to be.
struct Registration {
    verifier: Verifier,
    us: Option<Identity>,
    clients: Clients,
    /// Handshakes that may still be answered in this call.
    responses: usize,
}

type Input = link::Input<Command>;
type Output = link::Output<Event>;
type Cx<'a> = Context<'a, Output>;

/// Iterations of the own derivation in one call: some milliseconds.
const ITERATIONS_PER_CALL: u32 = 16_384;

impl Server {
    /// A server that has not begun.
    ///
    /// # Errors
    /// The configuration is out of its ranges.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self {
            way: Way::new(config.relay.clone()),
            config,
            state: State::New,
            result: None,
            deadline: Some(Instant::ORIGIN),
            latest: Instant::ORIGIN,
            stats: Stats::default(),
        })
    }

    /// How far it has come; none before it begins.
    #[must_use]
    pub const fn stage(&self) -> Option<Stage> {
        self.way.stage()
    }

    /// What it has met and shed.
    #[must_use]
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    fn begin(&mut self, cx: &mut Cx<'_>) {
        if matches!(self.state, State::New) {
            self.way.enter(Stage::Connect, cx);
            let mut salt = [0; 16];
            cx.rng().fill_bytes(&mut salt);
            let ciphers = [Cipher::Aes256Gcm, self.config.reverse_cipher];
            // The iterations were validated.
            if let Ok(public) = Public::new(self.config.iterations, ciphers, salt) {
                self.state = State::Deriving(Deriving::new(public, self.config.password.as_bytes()));
            }
        }
    }

    fn on_news(&mut self, news: News<Infallible>, cx: &mut Cx<'_>) {
        match news {
            News::Reached => self.say_hello(),
            News::Packets => self.read_packets(cx),
            News::Met(bytes) => {
                self.start_sending(cx);
                self.hear(&bytes, cx);
            }
            News::Bytes(bytes) => self.hear(&bytes, cx),
            News::Written(count) => self.on_written(count, cx),
            News::Finished | News::Lost => self.on_end_of_stream(cx),
            News::Failed(failure) => self.on_failure(failure, cx),
            News::Left => self.say_end(cx),
        }
    }

    fn say_hello(&mut self) {
        if let State::Registration(registration) = &self.state {
            let public = registration.verifier.public().encode();
            self.way.hall.say(Uid::RELAY, Body::HelloAsServer { public });
        }
    }

    fn read_packets(&mut self, cx: &mut Cx<'_>) {
        while matches!(self.state, State::Registration(_)) {
            match self.way.hall.next_packet() {
                Ok(Some(packet)) => self.on_packet(packet, cx),
                Ok(None) => return,
                Err(error) => return self.end(Err(peer::Failure::Malformed(error)), None, cx),
            }
        }
    }

    fn on_packet(&mut self, Packet { uid, body }: Packet, cx: &mut Cx<'_>) {
        let State::Registration(registration) = &mut self.state else { return };
        let (door, now, is_relay) = (&mut self.way.hall, cx.now(), uid == Uid::RELAY);
        let outcome = match body {
            Body::ServerIdentity { identity } if is_relay => return self.on_identity(identity, cx),
            Body::Closed { peer: Uid::RELAY } if is_relay => {
                return self.end(Err(peer::Failure::RelayClosed), None, cx);
            }
            Body::Timeout if is_relay => return self.end(Err(peer::Failure::TimedOut), None, cx),
            Body::ClientShare { .. } if !is_relay && registration.us.is_none() => {
                return self.end(Err(peer::Failure::RelayProtocol), None, cx);
            }
            Body::ClientShare { share, identity } if !is_relay => {
                registration.clients.try_begins(uid, share, identity, now, &mut self.stats)
            }
            Body::ClientValidator { validator } if !is_relay => {
                registration.clients.prove(uid, &validator, door, now)
            }
            Body::Accepted if !is_relay => registration.clients.accept(uid, door),
            Body::Refused | Body::SpokeFailure(_) if !is_relay => registration.clients.forget(uid, now),
            Body::Closed { peer } if is_relay => registration.clients.forget(peer, now),
            Body::HelloAsServer { .. }
            | Body::HelloAsClient
            | Body::ServerIdentity { .. }
            | Body::ClientIdentity { .. }
            | Body::NewServer { .. }
            | Body::ClientValidator { .. }
            | Body::ServerShare { .. }
            | Body::ClientShare { .. }
            | Body::Agreement
            | Body::Closed { .. }
            | Body::Accepted
            | Body::Refused
            | Body::RelayFailure(_)
            | Body::SpokeFailure(_)
            | Body::Done
            | Body::Timeout => return count(&mut self.stats.unexpected),
        };
        if let Some(outcome) = outcome {
            self.on_outcome(outcome, cx);
        }
        // In the order in which they came.
        self.answer(cx);
    }

    fn on_identity(&mut self, identity: Identity, cx: &mut Cx<'_>) {
        let State::Registration(registration) = &mut self.state else { return };
        if registration.us.as_ref() != Some(&identity) {
            registration.us = Some(identity.clone());
            cx.emit(Output::Event(Event::Known { identity }));
        }
        self.way.registered(cx);
    }

    fn on_outcome(&mut self, outcome: Outcome, cx: &mut Cx<'_>) {
        match outcome {
            Outcome::Failed { identity, failures, cut_off } => {
                count(&mut self.stats.failed);
                count_by(&mut self.stats.cut_off, cut_off);
                cx.emit(Output::Event(Event::WrongPassword { identity, failures }));
            }
            Outcome::Agreed(identity) => {
                count(&mut self.stats.agreed);
                cx.emit(Output::Event(Event::Agreed { identity }));
            }
            Outcome::Accepted(identity, keys) => {
                let State::Registration(registration) = core::mem::replace(&mut self.state, State::Over)
                else {
                    return;
                };
                cx.emit(Output::Event(Event::Accepted { identity: identity.clone() }));
                self.state = State::Meeting(*registration.verifier.public(), keys);
                self.way.meet(identity, cx);
            }
        }
    }

    /// Answers those whose turn it is, as many as one call may.
    fn answer(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        while let State::Registration(registration) = &mut self.state
            && let Registration { verifier, us: Some(us), clients, responses } = &mut **registration
            && *responses > 0
            && !self.way.hall.is_choked()
            && clients.has_turn(now)
        {
            *responses = responses.saturating_sub(1);
            if let Some(outcome) = clients.answer_next(verifier, us, &mut self.way.hall, now, cx.rng()) {
                self.on_outcome(outcome, cx);
            }
        }
    }

    /// Gives up those that were answered and are silent. While packets wait to be read, they may not be.
    fn give_up(&mut self, cx: &mut Cx<'_>) {
        while let State::Registration(registration) = &mut self.state
            && !self.way.hall.is_choked()
            && let Some(outcome) = registration.clients.give_up(&mut self.way.hall, cx.now())
        {
            self.on_outcome(outcome, cx);
        }
    }

    fn start_sending(&mut self, cx: &mut Cx<'_>) {
        if let State::Meeting(public, keys) = &self.state {
            self.state = State::Sending(Box::new(Sending::new(&self.config, public, keys)));
            self.produce(Bytes::new(), cx);
        }
    }

    /// Takes content, sends what becomes of it, and asks for more.
    fn produce(&mut self, content: Bytes, cx: &mut Cx<'_>) {
        let State::Sending(sending) = &mut self.state else { return };
        let was_idle = self.way.unwritten() == 0;
        let missing = usize::try_from(sending.missing()).unwrap_or(usize::MAX);
        count_by(&mut self.stats.excess, content.len().saturating_sub(missing));
        let content = content.get(..missing).unwrap_or(&content);
        sending.give(content, |records| self.way.send(records, cx));
        if let Some(bytes) = sending.want(self.way.unwritten()) {
            cx.emit(Output::Event(Event::Wanted { bytes }));
        }
        if was_idle {
            self.watch(cx);
        }
    }

    fn on_written(&mut self, count: usize, cx: &mut Cx<'_>) {
        let State::Sending(sending) = &mut self.state else { return };
        let bytes = sending.left(count);
        if bytes > 0 {
            cx.emit(Output::Event(Event::Sent { bytes }));
        }
        if sending.is_finished() && self.way.unwritten() == 0 {
            self.way.enter(Stage::Verify, cx);
        }
        self.produce(Bytes::new(), cx);
        self.watch(cx);
    }

    /// Something moved: how long until it has stalled.
    fn watch(&mut self, cx: &Cx<'_>) {
        let State::Sending(sending) = &self.state else { return };
        if sending.farewell.is_closed() {
            return;
        }
        self.way.await_until(match (self.way.unwritten(), sending.is_finished()) {
            (0, true) => Some(cx.now() + self.config.end_timeout),
            // It is the application's turn.
            (0, false) => None,
            _ => Some(cx.now() + self.config.relay.stall_timeout),
        });
    }

    /// What the client says: it can only be an end.
    fn hear(&mut self, bytes: &[u8], cx: &mut Cx<'_>) {
        let State::Sending(sending) = &mut self.state else { return };
        let was_closed = sending.farewell.is_closed();
        match sending.farewell.hear(bytes) {
            Word::Nothing => {}
            // Whether it was the client or the relay, the next bytes or the end of the stream tell.
            Word::Closed if was_closed => {}
            Word::Closed => self.way.await_until(Some(cx.now() + self.config.relay.leave_timeout)),
            Word::ClosedTwice => self.conclude(true, cx),
            Word::Failing => self.end(Err(peer::Failure::PartnerGaveUp), Some(&CLOSE), cx),
            Word::Record => self.end(Err(peer::Failure::Corrupted), Some(&CLOSE), cx),
        }
    }

    fn on_end_of_stream(&mut self, cx: &mut Cx<'_>) {
        let State::Sending(sending) = &self.state else { return };
        if sending.farewell.is_closed() {
            self.conclude(false, cx);
        } else {
            self.end(Err(peer::Failure::Interrupted), None, cx);
        }
    }

    fn on_failure(&mut self, failure: Failure, cx: &mut Cx<'_>) {
        if matches!(&self.state, State::Sending(sending) if sending.farewell.is_closed()) {
            self.conclude(false, cx);
        } else {
            self.end(Err(failure), None, cx);
        }
    }

    /// The client is gone; `said` is whether it said so itself.
    fn conclude(&mut self, said: bool, cx: &mut Cx<'_>) {
        let State::Sending(sending) = &self.state else { return };
        let result = match sending.is_finished() {
            true if said => Ok(Sent { confirmed: true }),
            // The relay took all, so the client may have it.
            true if self.way.unwritten() == 0 => Ok(Sent { confirmed: false }),
            _ if said => Err(peer::Failure::PartnerGaveUp),
            _ => Err(peer::Failure::Interrupted),
        };
        if result.is_ok() {
            self.way.enter(Stage::Finish, cx);
        }
        self.end(result, Some(&CLOSE), cx);
    }

    fn end(&mut self, result: Result<Sent, Failure>, word: Option<&'static [u8]>, cx: &mut Cx<'_>) {
        self.state = State::Over;
        self.result = Some(result);
        if !self.way.leave(word, cx) {
            self.say_end(cx);
        }
    }

    fn say_end(&mut self, cx: &mut Cx<'_>) {
        if let Some(result) = self.result.take() {
            cx.emit(Output::Event(Event::Ended(result)));
        }
    }

    fn on_command(&mut self, command: Command, cx: &mut Cx<'_>) {
        match command {
            Command::Content { bytes } => self.produce(bytes, cx),
            Command::Cancel if self.way.is_leaving() => {}
            Command::Cancel => self.end(Err(peer::Failure::Cancelled), Some(&CLOSE), cx),
        }
    }

    /// Goes on with what is not bound to an input, and finds out when to go on.
    fn settle(&mut self, cx: &mut Cx<'_>) {
        if let State::Deriving(deriving) = &mut self.state
            && let Some(secret) = deriving.advance(ITERATIONS_PER_CALL)
        {
            let clients = Clients::new(&self.config);
            let registration = Registration { verifier: secret.verifier(), us: None, clients, responses: 0 };
            self.state = State::Registration(Box::new(registration));
            self.way.start(cx);
        }
        self.give_up(cx);
        self.answer(cx);
        self.way.flush(cx);
        let soon = cx.now().next();
        let due = match &self.state {
            State::Deriving(_) => Some(soon),
            State::Registration(registration) => {
                if let Some(stage) = registration.stage() {
                    self.way.enter(stage, cx);
                }
                // Once there is room again, we hear of it.
                registration.clients.due().filter(|_| !self.way.hall.is_choked())
            }
            State::New | State::Meeting(..) | State::Sending(_) | State::Over => None,
        };
        self.deadline = earliest(due, self.way.deadline()).map(|at| at.max(soon));
    }

    fn prepare(&mut self, cx: &mut Cx<'_>) {
        self.begin(cx);
        if let State::Registration(registration) = &mut self.state {
            registration.responses = self.config.responses_per_call.max(1);
        }
    }
}

impl Registration {
    /// How far it has come, once it is registered.
    fn stage(&self) -> Option<Stage> {
        self.us.as_ref()?;
        Some(if self.clients.has_agreement() {
            Stage::Confirm
        } else if self.clients.has_run() {
            Stage::Authenticate
        } else {
            Stage::WaitPeer
        })
    }
}

impl Machine for Server {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, input: Input, cx: &mut Cx<'_>) {
        if self.way.is_left() {
            return;
        }
        let cx = &mut cx.not_before(&mut self.latest);
        self.prepare(cx);
        if let link::Input::Command(command) = input {
            self.on_command(command, cx);
        } else if let Some(news) = self.way.on_input(input, cx) {
            self.on_news(news, cx);
        }
        self.settle(cx);
    }

    fn handle_timeout(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now().max(self.latest);
        if self.deadline.is_none_or(|at| at > now) {
            return;
        }
        let cx = &mut cx.not_before(&mut self.latest);
        self.prepare(cx);
        if self.way.deadline().is_some_and(|at| at <= now)
            && let Some(news) = self.way.on_timeout(cx)
        {
            self.on_news(news, cx);
        }
        self.settle(cx);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }
}

/// Without the password, keys and content.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("state", &self.state)
            .field("way", &self.way)
            .field("deadline", &self.deadline)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New => f.write_str("New"),
            Self::Deriving(deriving) => deriving.fmt(f),
            Self::Registration(registration) => registration.clients.fmt(f),
            Self::Meeting(..) => f.write_str("Meeting"),
            Self::Sending(sending) => sending.fmt(f),
            Self::Over => f.write_str("Over"),
        }
    }
}
