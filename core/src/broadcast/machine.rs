//! The instance: its state, the dispatch of inputs, and what the handlers share.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Debug;

use bytes::Bytes;

use super::missing::Missing;
use super::peers::Peers;
use super::store::{Serial, Store};
use super::validation::Validating;
use super::{Config, Event, Id, Input, Message, Output, Stats, Violation};
use crate::bounded::Recent;
use crate::deadline::{Deadlines, earliest};
use crate::machine::{Context, Machine};
use crate::stats::{count, count_by};
use crate::time::Instant;

/// A timer of one payload.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Timer {
    /// Ask the next announcer.
    Missing(Id),
    /// The verdict has not come.
    Validation(Id),
}

/// A neighbour that left with GRAFTs open.
#[derive(Clone, Debug)]
pub(super) struct Departed<P> {
    pub(super) peer: P,
    pub(super) until: Instant,
    pub(super) ids: Vec<Id>,
}

/// The broadcast of one topic. See the module for its contract with the parent.
#[derive(Clone, Debug)]
pub struct Broadcast<P> {
    pub(super) config: Arc<Config>,
    /// The latest time seen: earlier ones count as this one (L5).
    pub(super) now: Instant,
    pub(super) peers: Peers<P>,
    pub(super) store: Store<P>,
    pub(super) missing: Missing<P>,
    pub(super) validating: Validating<P>,
    pub(super) timers: Deadlines<Timer>,
    /// When queued announcements are sent.
    pub(super) batch: Option<Instant>,
    /// When what has expired is swept out, at the latest.
    pub(super) sweep: Option<Instant>,
    /// GRAFTs that a neighbour has not answered: its payload may come after another's, and is no reason to prune.
    pub(super) asked: Recent<(P, Id), ()>,
    /// How often a payload was sent to a neighbour for its GRAFTs.
    pub(super) served: Recent<(P, Id), u8>,
    /// Ids grafted by a neighbour within a second.
    pub(super) grafted: Recent<P, u32>,
    /// GRAFTs of a neighbour's announcements that led to nothing.
    pub(super) promises: Recent<P, u32>,
    /// Rejected contents, by their hash.
    pub(super) rejected: Recent<Id, ()>,
    /// Contents delivered, by their hash; only where ids are opaque.
    pub(super) contents: Recent<Id, ()>,
    pub(super) departed: Vec<Departed<P>>,
    /// Pairs of links that replaced one another.
    pub(super) swaps: Recent<(P, P), ()>,
    /// Before this no link replaces another.
    pub(super) swap_again: Instant,
    /// The neighbour that delivered last.
    pub(super) supplier: Option<P>,
    pub(super) deepest: u32,
    pub(super) stats: Stats,
}

impl<P: Copy + Ord + Debug> Broadcast<P> {
    /// An instance without neighbours.
    #[must_use]
    pub fn new(config: Arc<Config>) -> Self {
        let second = core::time::Duration::from_secs(1);
        Self {
            now: Instant::ORIGIN,
            peers: Peers::new(),
            store: Store::new(),
            missing: Missing::new(),
            validating: Validating::new(),
            timers: Deadlines::new(),
            batch: None,
            sweep: None,
            asked: Recent::new(config.missing, config.cache_lifetime),
            served: Recent::new(config.cache_entries, config.cache_lifetime),
            grafted: Recent::new(config.peers_remembered, second),
            promises: Recent::new(config.peers_remembered, config.promise_window),
            rejected: Recent::new(config.rejects, config.reject_lifetime),
            contents: Recent::new(config.seen_max(), config.seen_for()),
            departed: Vec::new(),
            swaps: Recent::new(config.peers_remembered, config.optimise_pair_rest),
            swap_again: Instant::ORIGIN,
            supplier: None,
            deepest: 0,
            stats: Stats::default(),
            config,
        }
    }

    /// The neighbours that payloads are pushed to, in order.
    pub fn eager(&self) -> impl Iterator<Item = P> {
        self.peers.eager()
    }

    /// The neighbours that payloads are announced to, in order.
    pub fn lazy(&self) -> impl Iterator<Item = P> {
        self.peers.lazy()
    }

    /// What was counted.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.stats
    }

    /// Payloads announced and not here yet.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.missing.len()
    }

    /// Payloads waiting for a verdict.
    #[must_use]
    pub fn validating(&self) -> usize {
        self.validating.len()
    }

    /// Payloads held for GRAFTs, those included that expired and were not yet swept out.
    #[must_use]
    pub fn cached(&self) -> usize {
        self.store.payloads()
    }

    /// The most transmissions that any delivered payload had behind it.
    #[must_use]
    pub const fn deepest_hop(&self) -> u32 {
        self.deepest
    }

    pub(super) fn advance(&mut self, to: Instant) -> Instant {
        self.now = self.now.max(to);
        self.now
    }

    pub(super) fn send(&mut self, peers: Vec<P>, message: Message, cx: &mut Context<'_, Output<P>>) {
        if peers.is_empty() {
            return;
        }
        let copies = peers.len();
        match &message {
            Message::Payload { payload, .. } => {
                count_by(&mut self.stats.payloads_sent, copies);
                count_by(&mut self.stats.payload_bytes_sent, copies.saturating_mul(payload.len()));
            }
            Message::IHave(ids) => {
                count_by(&mut self.stats.ihaves_sent, copies);
                count_by(&mut self.stats.ids_announced, copies.saturating_mul(ids.len()));
            }
            Message::Prune => count_by(&mut self.stats.prunes_sent, copies),
            Message::Graft(_) => count_by(&mut self.stats.grafts_sent, copies),
            Message::NotHave(_) => count_by(&mut self.stats.not_haves_sent, copies),
        }
        cx.emit(Output::Send { peers, message });
    }

    pub(super) fn send_to(&mut self, peer: P, message: Message, cx: &mut Context<'_, Output<P>>) {
        self.send(vec![peer], message, cx);
    }

    pub(super) fn violation(&mut self, peer: P, violation: Violation, cx: &mut Context<'_, Output<P>>) {
        count(&mut self.stats.violations);
        cx.emit(Output::Violation { peer, violation });
    }

    pub(super) fn stranger(&mut self, peer: P, cx: &mut Context<'_, Output<P>>) {
        count(&mut self.stats.strangers);
        cx.emit(Output::Stranger { peer });
    }

    pub(super) fn deliver(
        &mut self,
        (id, hop): (Id, u32),
        from: P,
        payload: Bytes,
        cx: &mut Context<'_, Output<P>>,
    ) {
        count(&mut self.stats.delivered);
        self.deepest = self.deepest.max(hop);
        cx.emit(Output::Event(Event::Delivered { id, from, hop, payload }));
    }

    /// Queues an id for a neighbour's next announcements.
    pub(super) fn queue(&mut self, peer: &P, serial: Serial) {
        let Some(peer) = self.peers.get_mut(peer) else { return };
        count_by(&mut self.stats.queue_shed, peer.enqueue(serial, self.config.cache_entries));
        self.start_batch();
    }

    /// Links that replaced one another form a pair, whichever way round.
    pub(super) fn pair(one: P, other: P) -> (P, P) {
        (one.min(other), one.max(other))
    }
}

impl<P: Copy + Ord + Debug> Machine for Broadcast<P> {
    type Input = Input<P>;
    type Output = Output<P>;

    fn handle(&mut self, input: Input<P>, cx: &mut Context<'_, Output<P>>) {
        self.advance(cx.now());
        match input {
            Input::Publish { token, payload, scope } => self.publish(token, payload, scope, cx),
            Input::Message { from, message } => match message {
                Message::Payload { id, hop, payload } => self.on_payload(from, (id, hop), payload, cx),
                Message::IHave(announcements) => self.on_ihave(from, &announcements, cx),
                Message::Prune => self.on_prune(from),
                Message::Graft(ids) => self.on_graft(from, &ids, cx),
                Message::NotHave(ids) => self.on_not_have(from, &ids, cx),
            },
            Input::NeighborUp { peer, extended } => self.on_up(peer, extended),
            Input::NeighborDown { peer } => self.on_down(peer, cx),
            Input::Extended { peer } => {
                if let Some(peer) = self.peers.get_mut(&peer) {
                    peer.extended = true;
                }
            }
            Input::Verdict { id, verdict } => self.on_verdict(id, verdict, cx),
            Input::Shed { peer, announcements } => self.on_shed(peer, &announcements),
        }
    }

    fn handle_timeout(&mut self, cx: &mut Context<'_, Output<P>>) {
        let now = self.now.max(cx.now());
        if self.poll_timeout().is_some_and(|due| due <= now) {
            self.advance(now);
            self.run_timers(cx);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        earliest(self.timers.next(), earliest(self.batch, self.sweep))
    }
}
