//! Known peers and their places.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::fmt::Debug;
use core::time::Duration;

use rand_core::CryptoRng;

use super::place::{Place, Surroundings};
use super::{Config, Source, Stats};
use crate::deadline::Deadlines;
use crate::rng;
use crate::stats::count;
use crate::time::Instant;

/// The table of known peers.
#[derive(Clone, Debug)]
pub(super) struct Known<P> {
    peers: BTreeMap<P, Peer<P>>,
    /// What goes first when the table is full, in front.
    order: BTreeSet<(Rank, Instant, P)>,
    /// Strangers, by the peer that told of them.
    told: BTreeMap<P, BTreeSet<(Instant, P)>>,
    expiry: Deadlines<P>,
}

/// How well a peer is known.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Rank {
    /// From hearsay.
    Stranger,
    /// We reached it once at one of its places.
    Verified,
    /// It is linked.
    Connected,
}

#[derive(Clone, Debug)]
struct Peer<P> {
    connected: bool,
    seen: Instant,
    /// Who told of it first; none if the application did, or it connected by itself.
    source: Option<P>,
    places: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    place: Place,
    trust: Trust,
    heard: Instant,
    failures: u32,
    retry_at: Instant,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Trust {
    Hearsay,
    /// The peer itself said so, or the application.
    Own,
    /// We reached it there.
    Verified,
}

impl<P: Copy + Debug + Ord> Known<P> {
    pub(super) const fn new() -> Self {
        Self {
            peers: BTreeMap::new(),
            order: BTreeSet::new(),
            told: BTreeMap::new(),
            expiry: Deadlines::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.peers.len()
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.expiry.next()
    }

    /// Places that may be dialled now, those we trust most first.
    pub(super) fn candidates(&self, peer: P, surroundings: &Surroundings, now: Instant) -> Vec<Place> {
        let Some(known) = self.peers.get(&peer) else { return Vec::new() };
        let ready = known.places.iter().filter(|entry| entry.retry_at <= now);
        let mut ready: Vec<&Entry> =
            ready.filter(|entry| surroundings.can_dial(&entry.place.route)).collect();
        ready.sort_by_key(|entry| core::cmp::Reverse(entry.trust));
        ready.into_iter().map(|entry| entry.place.clone()).collect()
    }

    /// When the first of its places may be dialled; none if there is no place.
    pub(super) fn retry_at(&self, peer: P) -> Option<Instant> {
        self.peers.get(&peer)?.places.iter().map(|entry| entry.retry_at).min()
    }

    pub(super) fn places(&self, peer: P) -> impl Iterator<Item = &Place> {
        self.peers.get(&peer).into_iter().flat_map(|known| known.places.iter().map(|entry| &entry.place))
    }

    pub(super) fn verified_places(&self, peer: P) -> Vec<Place> {
        let entries = self.peers.get(&peer).into_iter().flat_map(|known| &known.places);
        let verified = entries.filter(|entry| entry.trust == Trust::Verified);
        verified.map(|entry| entry.place.clone()).collect()
    }

    /// Peers of a rank, those seen last first.
    pub(super) fn of_rank(&self, rank: Rank) -> impl Iterator<Item = P> + '_ {
        let from_rank = self.order.iter().rev().skip_while(move |(of, ..)| *of > rank);
        from_rank.take_while(move |(of, ..)| *of == rank).map(|(_, _, peer)| *peer)
    }

    /// Adds what somebody told. Returns a peer that had to go.
    pub(super) fn learn(
        &mut self,
        config: &Config,
        stats: &mut Stats,
        now: Instant,
        peer: P,
        places: Vec<Place>,
        source: Source<P>,
    ) -> Option<P> {
        if places.is_empty() {
            return None;
        }
        let (teller, trust) = match source {
            Source::Local => (None, Trust::Own),
            Source::Peer { peer: teller, .. } if teller == peer => (Some(teller), Trust::Own),
            Source::Peer { peer: teller, .. } => (Some(teller), Trust::Hearsay),
        };
        let displaced = match self.make_room(config, stats, peer, Rank::Stranger, teller) {
            Ok(displaced) => displaced,
            Err(NoRoom) => return None,
        };
        let mut known = self.take(peer).unwrap_or_else(|| Peer::new(now, teller));
        if known.rank() == Rank::Stranger {
            // Hearsay makes nobody fresher that we know ourselves.
            known.seen = now;
        }
        for place in places {
            known.add(config, stats, now, place, trust);
        }
        self.put(config, peer, known);
        displaced
    }

    /// A link to the peer is established. Returns a peer that had to go.
    pub(super) fn connect(
        &mut self,
        config: &Config,
        stats: &mut Stats,
        now: Instant,
        peer: P,
        place: Option<Place>,
    ) -> Option<P> {
        // Whoever comes in has verified nothing: it may only take a stranger's room.
        let rank = if place.is_some() { Rank::Verified } else { Rank::Stranger };
        let displaced = match self.make_room(config, stats, peer, rank, None) {
            Ok(displaced) => displaced,
            Err(NoRoom) => return None,
        };
        let mut known = self.take(peer).unwrap_or_else(|| Peer::new(now, None));
        known.connected = true;
        known.seen = now;
        if let Some(place) = place {
            known.add(config, stats, now, place, Trust::Verified);
        }
        self.put(config, peer, known);
        displaced
    }

    /// The last link is gone. Returns whether the peer is verified.
    pub(super) fn disconnect(&mut self, config: &Config, now: Instant, peer: P) -> bool {
        let Some(mut known) = self.take(peer) else { return false };
        known.connected = false;
        known.seen = now;
        for entry in known.places.iter_mut().filter(|entry| entry.trust == Trust::Verified) {
            entry.heard = now;
        }
        let verified = known.rank() == Rank::Verified;
        if !known.is_void() {
            self.put(config, peer, known);
        }
        verified
    }

    /// A dial failed: back-off with full jitter.
    pub(super) fn fail(
        &mut self,
        config: &Config,
        now: Instant,
        peer: P,
        address: &[u8],
        random: &mut dyn CryptoRng,
    ) {
        let Some(known) = self.peers.get_mut(&peer) else { return };
        let Some(entry) = known.places.iter_mut().find(|entry| entry.place.address == *address) else {
            return;
        };
        let bound = back_off(config, entry.failures);
        entry.failures = entry.failures.saturating_add(1);
        let spread = bound.saturating_sub(config.back_off_min) + Duration::from_micros(1);
        entry.retry_at = now + config.back_off_min.min(bound) + rng::up_to(random, spread);
    }

    pub(super) fn remove(&mut self, peer: P) -> bool {
        self.take(peer).is_some()
    }

    /// Forgets old places. Returns a peer that has none left, once for each call.
    pub(super) fn expire(&mut self, config: &Config, now: Instant) -> Option<P> {
        while let Some(peer) = self.expiry.pop_due(now) {
            let Some(mut known) = self.take(peer) else { continue };
            known.places.retain(|entry| entry.expires(config) > now);
            if known.is_void() {
                return Some(peer);
            }
            self.put(config, peer, known);
        }
        None
    }

    fn make_room(
        &mut self,
        config: &Config,
        stats: &mut Stats,
        peer: P,
        rank: Rank,
        teller: Option<P>,
    ) -> Result<Option<P>, NoRoom> {
        if self.peers.contains_key(&peer) {
            return Ok(None);
        }
        let share = teller.and_then(|teller| self.told.get(&teller));
        let of_teller = share.filter(|share| share.len() >= config.peers_per_source_max.max(1));
        let victim = match of_teller.and_then(BTreeSet::first) {
            Some((_, oldest)) => Some(*oldest),
            None if self.peers.len() < config.peers_max => return Ok(None),
            None => self.order.first().filter(|(lowest, ..)| *lowest <= rank).map(|(_, _, oldest)| *oldest),
        };
        let Some(victim) = victim.filter(|_| config.peers_max > 0) else {
            count(&mut stats.refused_peers);
            return Err(NoRoom);
        };
        count(&mut stats.shed_peers);
        self.take(victim);
        Ok(Some(victim))
    }

    fn put(&mut self, config: &Config, peer: P, known: Peer<P>) {
        self.order.insert((known.rank(), known.seen, peer));
        if let Some(teller) = known.teller() {
            self.told.entry(teller).or_default().insert((known.seen, peer));
        }
        self.expiry.set(peer, known.next_expiry(config));
        self.peers.insert(peer, known);
    }

    fn take(&mut self, peer: P) -> Option<Peer<P>> {
        let known = self.peers.remove(&peer)?;
        self.order.remove(&(known.rank(), known.seen, peer));
        if let Some(teller) = known.teller()
            && let Some(share) = self.told.get_mut(&teller)
        {
            share.remove(&(known.seen, peer));
            if share.is_empty() {
                self.told.remove(&teller);
            }
        }
        self.expiry.remove(&peer);
        Some(known)
    }
}

impl<P: Copy> Peer<P> {
    const fn new(now: Instant, source: Option<P>) -> Self {
        Self { connected: false, seen: now, source, places: Vec::new() }
    }

    fn rank(&self) -> Rank {
        if self.connected {
            Rank::Connected
        } else if self.places.iter().any(|entry| entry.trust == Trust::Verified) {
            Rank::Verified
        } else {
            Rank::Stranger
        }
    }

    /// Whose share it takes.
    fn teller(&self) -> Option<P> {
        self.source.filter(|_| self.rank() == Rank::Stranger)
    }

    /// Whether nothing is known of it that is worth its room.
    const fn is_void(&self) -> bool {
        self.places.is_empty() && !self.connected
    }

    fn next_expiry(&self, config: &Config) -> Option<Instant> {
        self.places.iter().map(|entry| entry.expires(config)).min()
    }

    fn add(&mut self, config: &Config, stats: &mut Stats, now: Instant, place: Place, trust: Trust) {
        if let Some(entry) = self.places.iter_mut().find(|entry| entry.place.address == place.address) {
            entry.heard = now;
            entry.trust = entry.trust.max(trust);
            if trust == Trust::Verified {
                entry.failures = 0;
                entry.retry_at = now;
                entry.place = place;
            }
            return;
        }
        if self.places.len() >= config.places_max {
            let lowest = self.places.iter().enumerate().min_by_key(|(_, entry)| (entry.trust, entry.heard));
            count(&mut stats.shed_places);
            match lowest.filter(|(_, entry)| entry.trust <= trust).map(|(index, _)| index) {
                Some(index) => self.places.remove(index),
                None => return,
            };
        }
        self.places.push(Entry { place, trust, heard: now, failures: 0, retry_at: now });
    }
}

impl Entry {
    fn expires(&self, config: &Config) -> Instant {
        let lifetime = if self.trust == Trust::Verified { config.verified_lifetime } else { config.lifetime };
        self.heard + lifetime
    }
}

/// The longest wait after so many earlier failures.
fn back_off(config: &Config, failures: u32) -> Duration {
    let growth = config.back_off_step.saturating_mul(failures.saturating_mul(failures));
    config.back_off.saturating_add(growth).min(config.back_off_max)
}

/// Everybody in the table is worth more.
struct NoRoom;
