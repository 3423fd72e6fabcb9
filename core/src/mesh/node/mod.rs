//! A node of the mesh: every capability composed behind the link vocabulary.
//!
//! # The way of a message
//!
//! ```text
//! Received ─▶ channel ─▶ stream ─▶ frame ─▶ rpc ─▶ overlay / broadcast of its topic ─▶ Send ─▶ frame ─▶ outbox ─▶ channel ─▶ Send
//!                                                        │ Event
//!                                                        ▼
//!                                                   application
//! ```
//!
//! No machine knows another. What one emits becomes a piece of work, routed by a plain match, and all work is done before
//! the call returns, in the order in which it arose. But what a channel reports, and each frame of a stream, waits until
//! nothing else is left to do: so the broadcast instance knows a neighbour that one frame has won before it is handed the
//! next frame (`broadcast` 8.15). Every piece concerns one link, topic or peer, and a machine answers an input with a
//! bounded number of outputs, so the work ends.

mod admitting;
mod commands;
mod dialling;
mod gossip;
mod heads;
mod link;
mod links;
mod offences;
mod outbox;
mod peers;
mod registration;
mod stats;
mod streams;
mod timers;
mod topics;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;

pub use heads::HeadRow;
use link::Link;
use peers::Peer;
pub use stats::{Stats, Totals};
use timers::Timer;
use topics::{Name, Topic};

use bytes::Bytes;

use super::config::{Config, ConfigError};
use super::establishment::{Terms, Wanted};
use super::heads::{Head, HeadRules, NodeKey};
use super::{Command, Event, Snapshot};
use crate::admission;
use crate::bounded::Recent;
use crate::channel::{self, StreamId};
use crate::deadline::Deadlines;
use crate::heads::Heads;
use crate::identity::{Keypair, PeerId};
use crate::link::{self as vocabulary, LinkId};
use crate::machine::{At, Context, Machine};
use crate::peers::{Book, dial::Dialler};
use crate::time::Instant;
use crate::{broadcast, overlay, session};

/// What a node hears.
pub type Input = vocabulary::Input<Command>;
/// What a node wants done.
pub type Output = vocabulary::Output<Event>;
type Cx<'a> = Context<'a, Output>;

/// A node of the mesh. A machine: see [`crate::machine`] for how to run it.
#[derive(Debug)]
pub struct Node {
    config: Arc<Config>,
    identity: Arc<Keypair>,
    me: PeerId,
    terms: Arc<Terms>,
    local: Arc<channel::Local>,
    protocols: Arc<[alloc::string::String]>,

    links: BTreeMap<LinkId, Link>,
    admission: admission::Table<PeerId>,
    peers: BTreeMap<PeerId, Peer>,
    book: Book<PeerId>,
    dialler: Dialler<dialling::Target>,
    dials: dialling::Dials,
    topics: BTreeMap<Name, Topic>,
    heads: Option<Heads<HeadRules>>,
    own: heads::OwnState,
    registrations: registration::Registrations,
    network_size: u64,
    overlay_config: Arc<overlay::Config>,
    broadcast_config: Arc<broadcast::Config>,
    channel_config: Arc<channel::Config>,
    listeners: commands::Listeners,
    /// Bytes of unfinished frames of all links, or more: those that are gone are taken off when it seems too much.
    partial_frames: usize,
    /// Peers that were told of late that a topic is not ours.
    told_unknown: Recent<PeerId, ()>,

    timers: Deadlines<Timer>,
    /// What has arisen, in order.
    work: VecDeque<Work>,
    /// What channels report, taken up one by one when nothing else is left to do.
    heard: VecDeque<Work>,
    next_query: u64,
    phase: Phase,
    /// The latest moment seen (L5).
    latest: Instant,
    stats: Stats,
    /// What links and topics that are gone have counted.
    ended: Totals,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    /// Nothing has been done yet: the first call opens the listeners.
    New,
    Running,
    Stopping,
    Stopped,
}

/// An output of a child to be routed, or a frame to be read.
#[derive(Debug)]
enum Work {
    Channel(LinkId, channel::Output),
    Session(LinkId, session::Output<link::Accepted, Wanted, PeerId>),
    /// A frame of an inbound stream; none if what came is no frame.
    Frame(LinkId, StreamId, Option<Bytes>),
    /// The peer had ended a stream that was held.
    Ended(LinkId, StreamId),
    Overlay(Name, overlay::Output<PeerId>),
    Broadcast(Name, broadcast::Output<PeerId>),
    /// What a peer said that has become a neighbour by saying it.
    Adopted(Name, PeerId, broadcast::Message),
    Heads(crate::heads::Output<PeerId, NodeKey, Head>),
    Book(crate::peers::Output<PeerId>),
    Dialler(crate::peers::dial::Output<dialling::Target>),
}

impl Node {
    /// A node that has not begun: its first input or time-out opens its listeners and dials.
    ///
    /// `snapshot` holds the records that an earlier run asked to be stored; `rng` is drawn from once, for the static
    /// key of the channels.
    pub fn new(
        config: Config,
        identity: Keypair,
        snapshot: &Snapshot,
        at: At,
        rng: &mut dyn rand_core::CryptoRng,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        let identity = Arc::new(identity);
        let me = identity.peer_id();
        let terms = Arc::new(Terms {
            required: config.establishment,
            network: config.network.clone(),
            stamp: config.stamp,
            difficulty: config.difficulty,
            metadata: config.metadata.clone(),
        });
        let heads = heads::machine(&config, &identity)?;
        let mut node = Self {
            local: Arc::new(channel::Local::new(&identity, rng)),
            protocols: streams::protocols(&config),
            admission: admission::Table::new(config.admission_config(), me),
            book: Book::new(config.peers),
            dialler: Dialler::new(config.dialling),
            dials: dialling::Dials::new(&config),
            told_unknown: Recent::new(config.told_unknown_max, config.told_unknown_interval),
            partial_frames: 0,
            links: BTreeMap::new(),
            peers: BTreeMap::new(),
            topics: BTreeMap::new(),
            heads,
            own: heads::OwnState::default(),
            registrations: registration::Registrations::new(&config),
            network_size: config.network_size,
            overlay_config: config.overlay_config(),
            broadcast_config: Arc::new(config.broadcast.clone()),
            channel_config: Arc::new(config.channel.clone()),
            listeners: commands::Listeners::default(),
            timers: Deadlines::new(),
            work: VecDeque::new(),
            heard: VecDeque::new(),
            next_query: 0,
            phase: Phase::New,
            latest: Instant::ORIGIN,
            stats: Stats::default(),
            ended: Totals::default(),
            config: Arc::new(config),
            identity,
            me,
            terms,
        };
        node.restore(snapshot, at);
        // The first time-out begins.
        node.timers.set(Timer::Start, Some(at.now));
        Ok(node)
    }

    /// Our own id.
    #[must_use]
    pub const fn id(&self) -> PeerId {
        self.me
    }

    /// Does the work that has arisen, and what arises from it.
    fn drain(&mut self, cx: &mut Cx<'_>) {
        while let Some(work) = self.work.pop_front().or_else(|| self.heard.pop_front()) {
            self.route(work, cx);
        }
    }

    fn route(&mut self, work: Work, cx: &mut Cx<'_>) {
        match work {
            Work::Channel(link, output) => self.on_channel(link, output, cx),
            Work::Session(link, output) => self.on_session(link, output, cx),
            Work::Frame(link, stream, Some(frame)) => self.on_frame(link, stream, &frame, cx),
            Work::Frame(link, stream, None) => self.bad_stream(link, stream, cx),
            Work::Ended(link, stream) => self.on_stream_end(link, stream, cx),
            Work::Overlay(topic, output) => self.on_overlay(&topic, output, cx),
            Work::Broadcast(topic, output) => self.on_broadcast(&topic, output, cx),
            Work::Adopted(topic, from, message) => {
                self.broadcast(&topic, broadcast::Input::Message { from, message }, cx);
            }
            Work::Heads(output) => self.on_heads(output, cx),
            Work::Book(output) => self.on_book(output, cx),
            Work::Dialler(output) => self.on_dialler(output, cx),
        }
    }

    fn on_timer(&mut self, timer: Timer, cx: &mut Cx<'_>) {
        match timer {
            Timer::Start => {}
            Timer::Channel(link) => self.channel_timeout(link, cx),
            Timer::Session(link) => self.session_timeout(link, cx),
            Timer::Silent(link) => self.handshake(link, super::establishment::Heard::NotSpoken, cx),
            Timer::Unneeded(link) => self.unneeded(link, cx),
            Timer::Reopen(link) => self.open_streams(link, cx),
            Timer::Congested(link) => self.congested(link, cx),
            Timer::Bootstrap => self.dial_bootstrap(cx),
            Timer::Questions => self.questions_timeout(cx),
            Timer::Registered(peer) => self.verify(peer, cx),
            Timer::Overlay(topic) => self.overlay_timeout(&topic, cx),
            Timer::Broadcast(topic) => self.broadcast_timeout(&topic, cx),
            Timer::Heads => self.heads_timeout(cx),
            Timer::Book => self.book_timeout(cx),
            Timer::Dialler => self.dialler_timeout(cx),
            Timer::Stop => self.stopped(cx),
        }
    }

    fn on_input(&mut self, input: Input, cx: &mut Cx<'_>) {
        match input {
            Input::Listening { listener, local } => self.listening(listener, local, cx),
            Input::ListenFailed { listener, cause } => self.listen_failed(listener, cause, cx),
            Input::Opened { link, via, local, remote } => self.link_opened(link, via, &local, remote, cx),
            Input::Received { link, bytes } => self.channel(link, channel::Input::Received(bytes), cx),
            Input::Written { link, count } => self.channel(link, channel::Input::Written(count), cx),
            Input::Finished { link } => self.channel(link, channel::Input::Finished, cx),
            Input::Closed { link, cause } => self.link_closed(link, cause, cx),
            Input::AddressesChanged => self.addresses_changed(cx),
            Input::Command(command) => self.command(command, cx),
            // Our links carry bytes, we open no datagram sockets, and what we ask to be stored needs no answer.
            Input::Message { .. } | Input::Datagram { .. } | Input::Answer { .. } => {}
        }
    }

    fn begin(&mut self, cx: &mut Cx<'_>) {
        if self.phase == Phase::New {
            self.phase = Phase::Running;
            self.timers.set(Timer::Start, None);
            self.open_listeners(cx);
            self.subscribe_configured(cx);
            self.dial_bootstrap(cx);
            self.say_own(cx);
        }
    }
}

impl Machine for Node {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, input: Input, cx: &mut Cx<'_>) {
        if self.phase == Phase::Stopped {
            return;
        }
        let cx = &mut cx.not_before(&mut self.latest);
        self.begin(cx);
        self.on_input(input, cx);
        self.drain(cx);
    }

    fn handle_timeout(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now().max(self.latest);
        if self.timers.next().is_none_or(|at| at > now) {
            return;
        }
        let cx = &mut cx.not_before(&mut self.latest);
        self.begin(cx);
        while let Some(timer) = self.timers.pop_due(cx.now()) {
            self.on_timer(timer, cx);
            self.drain(cx);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }
}

#[cfg(test)]
mod tests;
