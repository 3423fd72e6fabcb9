//! The machine of the side that receives.

use alloc::boxed::Box;
use core::fmt;

use super::api::{Command, Event, Failure};
use super::config::Config;
use super::servers::{Gone, Partner, Servers};
use super::transfer::{Cut, Receiving, Step};
use crate::bob::Identity;
use crate::bob::channel::CLOSE;
use crate::bob::pack::PackError;
use crate::bob::packet::{Body, Packet, Uid};
use crate::bob::peer::{self, FAILING, News, Stage, Way};
use crate::deadline::earliest;
use crate::link;
use crate::machine::{Context, Machine};
use crate::stats::{count, count_by};
use crate::time::Instant;

crate::counters! {
    /// What a client has met and shed.
    pub struct Stats {
        /// Servers that have the password.
        offered,
        /// Announcements that cannot be taken.
        publics_refused,
        /// Servers left out: they and others ask for too many iterations.
        left_out,
        /// Servers left out for want of room.
        servers_shed,
        /// Servers with an identity that cannot name a room.
        unroutable,
        /// Packets that are not for a client.
        unexpected,
        /// Streams that ended inside a record.
        torn,
    }
}

/// The side that receives a file.
pub struct Client {
    config: Config,
    way: Way,
    state: State,
    /// How it ended, until that is said.
    result: Option<Result<(), Failure>>,
    /// When there is something to do: what `poll_timeout` says.
    deadline: Option<Instant>,
    /// The latest moment seen (L5).
    latest: Instant,
    stats: Stats,
}

enum State {
    New,
    Registration(Registration),
    /// On the way to the room.
    Meeting(Partner),
    Receiving(Box<Receiving>),
    Over,
}

/// Registered at a relay, or about to be.
#[derive(Debug)]
struct Registration {
    us: Option<Identity>,
    servers: Servers,
    /// What the application was told of them.
    told: (usize, u64),
}

type Input = link::Input<Command>;
type Output = link::Output<Event>;
type Cx<'a> = Context<'a, Output>;

impl Client {
    /// A client that has not begun.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            way: Way::new(config.relay.clone()),
            config,
            state: State::New,
            result: None,
            deadline: Some(Instant::ORIGIN),
            latest: Instant::ORIGIN,
            stats: Stats::default(),
        }
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
            let servers = Servers::new(&self.config);
            self.state = State::Registration(Registration { us: None, servers, told: (0, 0) });
            self.way.start(cx);
        }
    }

    fn on_news(&mut self, news: News<PackError>, cx: &mut Cx<'_>) {
        match news {
            News::Reached => self.way.hall.say(Uid::RELAY, Body::HelloAsClient),
            News::Packets => self.read_packets(cx),
            News::Met(bytes) => {
                if let State::Meeting(partner) = &self.state {
                    self.state = State::Receiving(Box::new(Receiving::new(&self.config, partner)));
                }
                self.on_bytes(bytes, cx);
            }
            News::Bytes(bytes) => self.on_bytes(bytes, cx),
            News::Written(_) => {}
            News::Finished | News::Lost => {
                if let State::Receiving(receiving) = &mut self.state {
                    receiving.cut();
                }
                self.consume(cx);
            }
            News::Failed(failure) => self.on_failure(failure, cx),
            News::Left => self.say_end(cx),
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
        let State::Registration(Registration { us, servers, .. }) = &mut self.state else { return };
        let (door, is_relay) = (&mut self.way.hall, uid == Uid::RELAY);
        let gone = match body {
            Body::ClientIdentity { identity } if is_relay => return self.on_identity(identity, cx),
            Body::NewServer { .. } if is_relay && us.is_none() => {
                return self.end(Err(peer::Failure::RelayProtocol), None, cx);
            }
            Body::NewServer { server, public, identity } if is_relay && server != Uid::RELAY => {
                servers.announced(server, &public, identity, door, &mut self.stats).map(|gone| (server, gone))
            }
            Body::ServerShare { share, validator } if !is_relay => {
                if let Some(us) = us {
                    servers.answered(uid, &share, &validator, us, door, cx.now());
                }
                None
            }
            Body::Agreement if !is_relay => {
                if let Some(identity) = servers.agreed(uid, door) {
                    count(&mut self.stats.offered);
                    cx.emit(Output::Event(Event::Offered { server: uid, identity }));
                }
                None
            }
            Body::SpokeFailure(_) if !is_relay => servers.fails(uid).map(|gone| (uid, gone)),
            Body::Closed { peer: Uid::RELAY } if is_relay => {
                return self.end(Err(peer::Failure::RelayClosed), None, cx);
            }
            Body::Closed { peer } if is_relay => servers.forget(peer).map(|gone| (peer, gone)),
            Body::Timeout if is_relay => return self.end(Err(peer::Failure::TimedOut), None, cx),
            Body::Done if is_relay => {
                if let Some(partner) = servers.done(door) {
                    self.way.meet(partner.identity.clone(), cx);
                    self.state = State::Meeting(partner);
                }
                return;
            }
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
        if let Some((server, Gone::Withdrawn)) = gone {
            cx.emit(Output::Event(Event::Withdrawn { server }));
        }
    }

    fn on_identity(&mut self, identity: Identity, cx: &mut Cx<'_>) {
        let State::Registration(registration) = &mut self.state else { return };
        if !identity.is_writable() {
            // Every handshake would have to say it.
            return self.end(Err(peer::Failure::RelayProtocol), None, cx);
        }
        if registration.us.as_ref() != Some(&identity) {
            registration.us = Some(identity.clone());
            cx.emit(Output::Event(Event::Known { identity }));
        }
        self.way.registered(cx);
    }

    fn on_bytes(&mut self, bytes: bytes::Bytes, cx: &mut Cx<'_>) {
        let State::Receiving(receiving) = &mut self.state else { return };
        receiving.receive(bytes);
        let stall = cx.now() + self.config.relay.stall_timeout;
        if !receiving.is_ending() {
            self.way.await_until(Some(stall));
        }
        self.consume(cx);
    }

    /// Hands over what has come, as far as it is wanted.
    fn consume(&mut self, cx: &mut Cx<'_>) {
        while let State::Receiving(receiving) = &mut self.state {
            let Some(step) = receiving.next() else { break };
            let event = match step {
                Step::File { name, size } => Event::File { name, size },
                Step::Content(bytes) => Event::Content { bytes },
                Step::Complete { sha1 } => {
                    self.way.enter(Stage::Verify, cx);
                    Event::Complete { sha1 }
                }
                Step::Cut(Cut::Announced) => {
                    // Whether it was the server or the relay, the next bytes or the end of the stream tell.
                    self.way.await_until(Some(cx.now() + self.config.relay.leave_timeout));
                    break;
                }
                Step::Cut(Cut::GivenUp) => {
                    return self.end(Err(peer::Failure::PartnerGaveUp), Some(&CLOSE), cx);
                }
                Step::Cut(cut @ (Cut::Broken | Cut::Torn)) => {
                    count_by(&mut self.stats.torn, usize::from(cut == Cut::Torn));
                    return self.end(Err(peer::Failure::Interrupted), Some(&CLOSE), cx);
                }
                Step::Corrupted => return self.end(Err(peer::Failure::Corrupted), Some(FAILING), cx),
                Step::Bad(error) => {
                    return self.end(Err(peer::Failure::Other(error)), Some(FAILING), cx);
                }
            };
            cx.emit(Output::Event(event));
        }
        self.pace(cx);
    }

    /// Reads only as fast as content is taken, and waits for the server only while it is read.
    fn pace(&mut self, cx: &mut Cx<'_>) {
        let State::Receiving(receiving) = &self.state else { return };
        let is_full = receiving.is_full() && !receiving.is_complete();
        self.way.pause(is_full, cx);
        if is_full || receiving.is_complete() {
            self.way.await_until(None);
        }
    }

    fn on_taken(&mut self, bytes: usize, cx: &mut Cx<'_>) {
        let State::Receiving(receiving) = &mut self.state else { return };
        let was_full = receiving.is_full();
        receiving.taken(bytes);
        if was_full && !receiving.is_full() {
            self.way.await_until(Some(cx.now() + self.config.relay.stall_timeout));
            self.consume(cx);
        }
    }

    fn on_kept(&mut self, cx: &mut Cx<'_>) {
        if matches!(&self.state, State::Receiving(receiving) if receiving.is_complete()) {
            self.way.enter(Stage::Finish, cx);
            self.end(Ok(()), Some(&CLOSE), cx);
        }
    }

    fn on_failure(&mut self, failure: Failure, cx: &mut Cx<'_>) {
        match &self.state {
            // The room may still be open: only one that has the file says the word of the end.
            State::Receiving(receiving) if receiving.is_ending() => {
                self.end(Err(peer::Failure::Interrupted), Some(FAILING), cx);
            }
            State::Receiving(_) => self.end(Err(failure), Some(FAILING), cx),
            State::New | State::Registration(_) | State::Meeting(_) | State::Over => {
                self.end(Err(failure), None, cx)
            }
        }
    }

    fn end(&mut self, result: Result<(), Failure>, word: Option<&'static [u8]>, cx: &mut Cx<'_>) {
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
        match (command, &mut self.state) {
            (Command::Accept { server }, State::Registration(registration)) => {
                registration.servers.accept(server, &mut self.way.hall, cx.now());
            }
            (Command::Refuse { server }, State::Registration(registration)) => {
                registration.servers.refuse(server, &mut self.way.hall);
            }
            (Command::Taken { bytes }, _) => self.on_taken(bytes, cx),
            (Command::Kept, _) => self.on_kept(cx),
            (Command::Cancel, _) if self.way.is_leaving() => {}
            (Command::Cancel, _) => self.end(Err(peer::Failure::Cancelled), Some(FAILING), cx),
            // Asked about a server that is not there any more.
            (Command::Accept { .. } | Command::Refuse { .. }, _) => {}
        }
    }

    /// Goes on with what is not bound to an input, and finds out when to go on.
    fn settle(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        let soon = now.next();
        let mut due = None;
        if let State::Registration(registration) = &mut self.state
            && let Some(us) = &registration.us
        {
            if let Some(server) = registration.servers.give_up(now) {
                cx.emit(Output::Event(Event::Withdrawn { server }));
            }
            registration.servers.lose_patience(now);
            let mut budget = self.config.derivation.iterations_per_call.max(1);
            registration.servers.derive(us, &mut budget, &mut self.way.hall, now, cx.rng());
            // While too much waits to leave, we will hear when it has left.
            let goes_on = registration.servers.is_deriving() && !self.way.hall.is_choked();
            due = earliest(goes_on.then_some(soon), registration.servers.patience_ends());
            registration.tell(&mut self.way, cx);
        }
        self.way.flush(cx);
        self.deadline = earliest(due, self.way.deadline()).map(|at| at.max(soon));
    }
}

impl Registration {
    /// Tells the application what is new.
    fn tell(&mut self, way: &mut Way, cx: &mut Cx<'_>) {
        let census = self.servers.census();
        let (present, failed) = census;
        if core::mem::replace(&mut self.told, census) != census {
            cx.emit(Output::Event(Event::Servers { present, failed }));
        }
        let stage = if self.servers.has_offer() {
            Stage::Confirm
        } else if self.servers.is_authenticating() {
            Stage::Authenticate
        } else {
            Stage::WaitPeer
        };
        way.enter(stage, cx);
    }
}

impl Machine for Client {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, input: Input, cx: &mut Cx<'_>) {
        if self.way.is_left() {
            return;
        }
        let cx = &mut cx.not_before(&mut self.latest);
        self.begin(cx);
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
        self.begin(cx);
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
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
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
            Self::Registration(registration) => registration.fmt(f),
            Self::Meeting(_) => f.write_str("Meeting"),
            Self::Receiving(receiving) => receiving.fmt(f),
            Self::Over => f.write_str("Over"),
        }
    }
}
