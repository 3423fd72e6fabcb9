//! The machine: known peers and bans behind one door.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::fmt::Debug;
use core::time::Duration;

use super::ban::Bans;
use super::known::{Known, Rank};
use super::place::{Place, Surroundings};
use super::record::{BanRecord, PeerRecord};
use super::{Config, Input, Kind, Offence, Output, RecordError, Source};
use crate::deadline::{Deadlines, earliest};
use crate::machine::{At, Context, Machine};
use crate::stats::{count, count_by};
use crate::time::Instant;

crate::counters! {
    /// What the book has shed, and whom it has banned.
    pub struct Stats {
        /// Places that peers told of and that must not be dialled.
        refused_places,
        /// Places with no or too long an address.
        bad_places,
        /// Places beyond the limit of a peer.
        shed_places,
        /// Peers that were not entered, as everybody in the table was worth more.
        refused_peers,
        /// Peers forgotten for want of room.
        shed_peers,
        /// Good peers taken out of the store for want of room.
        shed_stored,
        /// Offenders whose points were forgotten for want of room.
        shed_offenders,
        /// Bans forgotten for want of room.
        shed_bans,
        /// Wishes not to be dialled that were forgotten for want of room.
        shed_refrains,
        /// Bans for a while.
        bans_temporary,
        /// Bans for good.
        bans_permanent,
        /// Dials that failed.
        dial_failures,
    }
}

/// The book of known peers, bans and misbehaviour points.
#[derive(Clone, Debug)]
pub struct Book<P> {
    config: Config,
    surroundings: Surroundings,
    known: Known<P>,
    bans: Bans<P>,
    /// Until when peers wish not to be dialled, known or not.
    refrains: Deadlines<P>,
    /// Peers with a record in the store, by the order in which they were last seen.
    stored: BTreeSet<(u64, P)>,
    next_serial: u64,
    /// The latest moment seen (L5).
    latest: Instant,
    stats: Stats,
}

impl<P: Copy + Debug + Ord> Book<P> {
    /// An empty book.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            surroundings: Surroundings::default(),
            known: Known::new(),
            bans: Bans::new(),
            refrains: Deadlines::new(),
            stored: BTreeSet::new(),
            next_serial: 0,
            latest: Instant::ORIGIN,
            stats: Stats::default(),
        }
    }

    /// Takes up one record from before a restart, before the first input. Says whether the record is of use still: one
    /// that is too old or has no room may be deleted.
    ///
    /// # Errors
    /// The record is malformed; nothing changed.
    pub fn restore(&mut self, at: At, peer: P, kind: Kind, value: &[u8]) -> Result<bool, RecordError> {
        match kind {
            Kind::Ban => {
                let record = BanRecord::decode(value)?;
                let kept = self.bans.restore(&self.config, at, peer, &record);
                if self.bans.is_banned(peer, at.now) {
                    self.known.remove(peer);
                    self.stored.retain(|(_, other)| *other != peer);
                }
                Ok(kept)
            }
            Kind::Peer => {
                let PeerRecord { seen, places } = PeerRecord::decode(value)?;
                let young = at.wall.since(seen) < self.config.verified_lifetime;
                let room = self.stored.len() < self.config.stored_max;
                let kept = young && room && !places.is_empty() && !self.bans.is_banned(peer, at.now);
                if kept {
                    for place in places.into_iter().take(self.config.places_max) {
                        self.known.connect(&self.config, &mut self.stats, at.now, peer, Some(place));
                    }
                    self.known.disconnect(&self.config, at.now, peer);
                    self.touch_stored(peer);
                }
                Ok(kept)
            }
        }
    }

    /// Whether the peer is banned at `now`.
    #[must_use]
    pub fn is_banned(&self, peer: P, now: Instant) -> bool {
        self.bans.is_banned(peer, now)
    }

    /// All bans in force, with what is left of them; none for those for good.
    pub fn bans(&self, now: Instant) -> impl Iterator<Item = (P, Option<Duration>)> + '_ {
        self.bans.iter(now)
    }

    /// Misbehaviour points of the peer at `now`.
    #[must_use]
    pub fn points(&self, peer: P, now: Instant) -> u32 {
        self.bans.points(&self.config, peer, now)
    }

    /// The places at which the peer may be dialled at `now`, the most trusted first: none if it is banned, wishes not to
    /// be dialled, or all its places are left alone for a while.
    #[must_use]
    pub fn candidates(&self, peer: P, now: Instant) -> Vec<Place> {
        let refrains = self.refrains.get(&peer).is_some_and(|until| until > now);
        if refrains || self.is_banned(peer, now) {
            Vec::new()
        } else {
            self.known.candidates(peer, &self.surroundings, now)
        }
    }

    /// When a place of the peer may be dialled again; none if it has none, or is banned.
    #[must_use]
    pub fn retry_at(&self, peer: P, now: Instant) -> Option<Instant> {
        let at = self.known.retry_at(peer).filter(|_| !self.is_banned(peer, now))?;
        Some(at.max(self.refrains.get(&peer).unwrap_or(Instant::ORIGIN)))
    }

    /// All places of the peer, whether or not they may be dialled.
    pub fn places(&self, peer: P) -> impl Iterator<Item = &Place> {
        self.known.places(peer)
    }

    /// Peers that we reached once and that are not linked now, those seen last first: whom to try when alone (T-51).
    pub fn verified(&self) -> impl Iterator<Item = P> + '_ {
        self.known.of_rank(Rank::Verified)
    }

    /// Peers that are known from hearsay only, those heard of last first.
    pub fn strangers(&self) -> impl Iterator<Item = P> + '_ {
        self.known.of_rank(Rank::Stranger)
    }

    /// Linked peers, those linked last first.
    pub fn connected(&self) -> impl Iterator<Item = P> + '_ {
        self.known.of_rank(Rank::Connected)
    }

    /// How many peers are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.len() == 0
    }

    /// How many peers are remembered for what they did: banned, banned a while ago, or with points.
    #[must_use]
    pub fn offenders(&self) -> usize {
        self.bans.len()
    }

    /// What we can dial.
    #[must_use]
    pub const fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    /// What was shed.
    #[must_use]
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    fn on_learned(
        &mut self,
        peer: P,
        mut places: Vec<Place>,
        source: Source<P>,
        cx: &mut Context<'_, Output<P>>,
    ) {
        if self.is_banned(peer, cx.now()) {
            return;
        }
        let before = places.len();
        places.retain(|place| (1..=self.config.address_bytes_max).contains(&place.address.len()));
        count_by(&mut self.stats.bad_places, before.saturating_sub(places.len()));
        if let Source::Peer { over, .. } = source {
            let before = places.len();
            places.retain(|place| self.surroundings.permits(&place.route, over));
            count_by(&mut self.stats.refused_places, before.saturating_sub(places.len()));
        }
        let displaced = self.known.learn(&self.config, &mut self.stats, cx.now(), peer, places, source);
        self.forget_stored(displaced, cx);
    }

    fn on_connected(&mut self, peer: P, place: Option<Place>, cx: &mut Context<'_, Output<P>>) {
        if self.is_banned(peer, cx.now()) {
            return;
        }
        let limit = self.config.address_bytes_max;
        let place = place.filter(|place| (1..=limit).contains(&place.address.len()));
        let reached = place.is_some();
        self.refrains.remove(&peer);
        let displaced = self.known.connect(&self.config, &mut self.stats, cx.now(), peer, place);
        self.forget_stored(displaced, cx);
        if reached {
            self.store(peer, cx);
        }
    }

    fn on_refrain(&mut self, peer: P, wait: Duration, now: Instant) {
        let until = now + wait.min(self.config.refrain_max);
        self.refrains.set(peer, (until > now && !self.is_banned(peer, now)).then_some(until));
        if self.refrains.len() > self.config.refrains_max {
            self.refrains.pop_due(Instant::FAR_FUTURE);
            count(&mut self.stats.shed_refrains);
        }
    }

    fn on_disconnected(&mut self, peer: P, cx: &mut Context<'_, Output<P>>) {
        if self.known.disconnect(&self.config, cx.now(), peer) {
            self.store(peer, cx);
        }
    }

    /// Keeps a good peer, and lets go of the one that was seen longest ago when there are too many.
    fn store(&mut self, peer: P, cx: &mut Context<'_, Output<P>>) {
        let places = self.known.verified_places(peer);
        if places.is_empty() || self.config.stored_max == 0 {
            return;
        }
        let value = PeerRecord { seen: cx.wall(), places }.encode();
        cx.emit(Output::Store { peer, kind: Kind::Peer, value: Some(value) });
        self.touch_stored(peer);
        while self.stored.len() > self.config.stored_max {
            let Some((_, oldest)) = self.stored.first().copied() else { break };
            count(&mut self.stats.shed_stored);
            self.forget_stored(Some(oldest), cx);
        }
    }

    fn touch_stored(&mut self, peer: P) {
        self.stored.retain(|(_, other)| *other != peer);
        self.stored.insert((self.next_serial, peer));
        self.next_serial = self.next_serial.saturating_add(1);
    }

    fn forget_stored(&mut self, peer: Option<P>, cx: &mut Context<'_, Output<P>>) {
        let Some(peer) = peer else { return };
        let before = self.stored.len();
        self.stored.retain(|(_, other)| *other != peer);
        if self.stored.len() < before {
            cx.emit(Output::Store { peer, kind: Kind::Peer, value: None });
        }
    }

    /// Runs what may ban the peer; a banned peer is not known any more.
    fn judge(
        &mut self,
        peer: P,
        cx: &mut Context<'_, Output<P>>,
        run: impl FnOnce(&mut Bans<P>, &Config, &mut Stats, &mut Context<'_, Output<P>>),
    ) {
        run(&mut self.bans, &self.config, &mut self.stats, cx);
        if self.bans.is_banned(peer, cx.now()) {
            self.known.remove(peer);
            self.refrains.remove(&peer);
            self.forget_stored(Some(peer), cx);
        }
    }
}

impl<P: Copy + Debug + Ord> Machine for Book<P> {
    type Input = Input<P>;
    type Output = Output<P>;

    fn handle(&mut self, input: Input<P>, cx: &mut Context<'_, Output<P>>) {
        let cx = &mut cx.not_before(&mut self.latest);
        match input {
            Input::Learned { peer, places, source } => self.on_learned(peer, places, source, cx),
            Input::Surroundings(surroundings) => self.surroundings = surroundings,
            Input::Connected { peer, place } => self.on_connected(peer, place, cx),
            Input::Disconnected { peer } => self.on_disconnected(peer, cx),
            Input::DialFailed { peer, address } => {
                count(&mut self.stats.dial_failures);
                self.known.fail(&self.config, cx.now(), peer, &address, cx.rng());
            }
            Input::Refrain { peer, wait } => self.on_refrain(peer, wait, cx.now()),
            Input::Offence { peer, offence } => {
                self.judge(peer, cx, |bans, config, stats, cx| match offence {
                    Offence::Points(points) => bans.blame(config, stats, peer, points, cx),
                    Offence::Rate => bans.blame_rate(config, stats, peer, cx),
                    Offence::Ban => bans.ban(config, stats, peer, None, cx),
                })
            }
            Input::Ban { peer, lifetime } => {
                self.judge(peer, cx, |bans, config, stats, cx| bans.ban(config, stats, peer, lifetime, cx));
            }
            Input::Unban { peer } => self.bans.unban(peer, cx),
        }
    }

    fn handle_timeout(&mut self, cx: &mut Context<'_, Output<P>>) {
        let early = self.poll_timeout().is_none_or(|due| due > cx.now().max(self.latest));
        if early {
            return;
        }
        let cx = &mut cx.not_before(&mut self.latest);
        self.bans.expire(cx);
        while self.refrains.pop_due(cx.now()).is_some() {}
        while let Some(peer) = self.known.expire(&self.config, cx.now()) {
            self.forget_stored(Some(peer), cx);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        earliest(self.refrains.next(), earliest(self.bans.next(), self.known.next()))
    }
}
