//! The table itself.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::fmt::Debug;
use core::net::IpAddr;

use super::waiting::Waiting;
use super::{Config, Decision, Direction, Duplicates, Evicted, Level, Reason};
use crate::bounded::{Bucket, Recent};
use crate::ip::{Class, Prefix};
use crate::link::LinkId;
use crate::stats::count;
use crate::time::Instant;

crate::counters! {
    /// What the table has decided. Refusals and evictions by [`Reason`].
    pub struct Stats {
        /// Links entered.
        opened,
        /// Links admitted.
        admitted,
        /// Refused: our own key.
        refused_own,
        /// Refused: too many from one address in a short time.
        refused_rate,
        /// Refused: level too low.
        refused_level,
        /// Refused: another link to the peer stays.
        refused_duplicate,
        /// Refused: too many links into one range.
        refused_range,
        /// Refused: no place.
        refused_quota,
        /// Refused: shutting down.
        refused_shutting_down,
        /// Evicted before their key was proven.
        evicted_handshake,
        /// Evicted while waiting for admission.
        evicted_pending,
        /// Evicted by another link to the same peer.
        evicted_duplicate,
        /// Evicted by a link of a higher level.
        evicted_quota,
        /// Addresses whose rate was forgotten early.
        shed_rates,
    }
}

/// A link at the moment when it opens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Opening {
    /// Which.
    pub link: LinkId,
    /// The address of the other end; none if it has none (a circuit, a name).
    pub remote: Option<IpAddr>,
    /// Whether its carrier is a stream of another link.
    pub relayed: bool,
}

/// All links of a node, from their opening to their end.
#[derive(Clone, Debug)]
pub struct Table<P> {
    config: Config,
    own: P,
    shutting_down: bool,
    next_serial: u64,
    links: BTreeMap<LinkId, Link<P>>,
    unauthenticated: Waiting,
    loopback: Waiting,
    pending: Waiting,
    by_peer: BTreeMap<P, BTreeSet<LinkId>>,
    /// Admitted incoming links, the one to be evicted first in front; siblings left out.
    incoming: BTreeSet<(Level, u64, LinkId)>,
    /// Admitted links, by range; exempt ones left out.
    ranges: BTreeMap<Prefix, usize>,
    admitted: usize,
    strangers: usize,
    rates: Recent<Prefix, Bucket>,
    stats: Stats,
}

#[derive(Clone, Copy, Debug)]
struct Link<P> {
    serial: u64,
    direction: Direction,
    remote: Option<IpAddr>,
    relayed: bool,
    peer: Option<P>,
    /// Since admission.
    level: Option<Level>,
    established: bool,
}

impl<P: Copy + Debug + Ord> Table<P> {
    /// No links yet; `own` is our own id.
    #[must_use]
    pub fn new(config: Config, own: P) -> Self {
        let refilled = config.incoming_interval.saturating_mul(config.incoming_burst);
        Self {
            rates: Recent::new(config.incoming_addresses_max, refilled),
            config,
            own,
            shutting_down: false,
            next_serial: 0,
            links: BTreeMap::new(),
            unauthenticated: Waiting::default(),
            loopback: Waiting::default(),
            pending: Waiting::default(),
            by_peer: BTreeMap::new(),
            incoming: BTreeSet::new(),
            ranges: BTreeMap::new(),
            admitted: 0,
            strangers: 0,
            stats: Stats::default(),
        }
    }

    /// A link came in. At most one other, which has not proven its key, is evicted for it.
    pub fn accept(&mut self, now: Instant, opening: Opening) -> Decision {
        if self.shutting_down {
            return self.refuse(opening.link, Reason::ShuttingDown);
        }
        if !self.is_within_rate(now, opening.remote) {
            return self.refuse(opening.link, Reason::Rate);
        }
        let exempt = self.is_exempt(opening.remote);
        let evicted = self.handshake_to_evict(opening.remote).map(|link| self.evict(link, Reason::Handshake));
        let places =
            if exempt { self.config.unauthenticated_loopback_max } else { self.config.unauthenticated_max };
        if places == 0 {
            return self.refuse(opening.link, Reason::Quota);
        }
        let serial = self.enter(opening, Direction::Incoming);
        self.waiting(exempt).insert(serial, opening.link, opening.remote);
        Decision::Accept { evicted: evicted.into_iter().collect() }
    }

    /// A link that we dialled stands. The number of dials under way is the dialler's limit.
    pub fn dialled(&mut self, opening: Opening) {
        self.enter(opening, Direction::Outgoing);
    }

    /// The other end of the link has proven to be `peer`. Our own key is refused; admission is still to be asked for.
    pub fn authenticated(&mut self, link: LinkId, peer: P) -> Decision {
        let Some(entry) = self.links.get(&link).copied() else { return Decision::Refuse(Reason::Forgotten) };
        if peer == self.own && !self.config.siblings {
            return self.refuse(link, Reason::Own);
        }
        if entry.peer == Some(peer) {
            return Decision::ACCEPT;
        }
        if entry.level.is_some() {
            return self.refuse(link, Reason::Forgotten);
        }
        self.leave(link);
        let evicted =
            if entry.direction == Direction::Incoming && self.pending.len() >= self.config.pending_max {
                self.pending.oldest_of_largest().map(|oldest| self.evict(oldest, Reason::Handshake))
            } else {
                None
            };
        self.links.insert(link, Link { peer: Some(peer), ..entry });
        self.by_peer.entry(peer).or_default().insert(link);
        if entry.direction == Direction::Incoming {
            self.pending.insert(entry.serial, link, entry.remote);
        }
        Decision::Accept { evicted: evicted.into_iter().collect() }
    }

    /// Whether [`Table::admit`] would admit the link now. Nothing is counted or changed.
    pub fn check(&self, link: LinkId, level: Level) -> Result<(), Reason> {
        let Some((entry, peer)) = self.links.get(&link).and_then(|entry| Some((entry, entry.peer?))) else {
            return Err(Reason::Forgotten);
        };
        if entry.level.is_some() || peer == self.own {
            return Ok(());
        }
        self.decide(link, entry, peer, level).map(|_| ())
    }

    /// May the link take part, at this level? Asked again of an admitted link it only changes the level.
    pub fn admit(&mut self, link: LinkId, level: Level) -> Decision {
        let Some((entry, peer)) = self.links.get(&link).and_then(|entry| Some((*entry, entry.peer?))) else {
            return Decision::Refuse(Reason::Forgotten);
        };
        if entry.level.is_some() {
            self.set_level(link, level);
            return Decision::ACCEPT;
        }
        let decided = if peer == self.own { Ok(Vec::new()) } else { self.decide(link, &entry, peer, level) };
        match decided {
            Ok(evicted) => {
                let evicted = evicted.into_iter().map(|(link, reason)| self.evict(link, reason)).collect();
                self.leave(link);
                self.links.insert(link, Link { level: Some(level), ..entry });
                self.join(link);
                count(&mut self.stats.admitted);
                Decision::Accept { evicted }
            }
            Err(reason) => self.refuse(link, reason),
        }
    }

    /// The handshake of an admitted link is complete.
    pub fn established(&mut self, link: LinkId) {
        if let Some(entry) = self.links.get_mut(&link) {
            entry.established = entry.level.is_some();
        }
    }

    /// The worth of an admitted link changed. Nobody is refused or evicted for it.
    pub fn set_level(&mut self, link: LinkId, level: Level) {
        let Some(entry) = self.links.get(&link).copied() else { return };
        if entry.level.is_some() {
            self.leave(link);
            self.links.insert(link, Link { level: Some(level), ..entry });
            self.join(link);
        }
    }

    /// The link is gone.
    pub fn closed(&mut self, link: LinkId) {
        self.leave(link);
        self.links.remove(&link);
    }

    /// From now on nothing is accepted or admitted.
    pub const fn shut(&mut self) {
        self.shutting_down = true;
    }

    /// Free places for incoming links: `free mirror rooms` of a HEAD (`mesh` H7).
    #[must_use]
    pub fn free_places(&self) -> usize {
        let incoming = self.incoming_max().saturating_sub(self.incoming.len());
        incoming.min(self.config.links_max.saturating_sub(self.admitted))
    }

    /// Those, and the places held by incoming links of the lowest level: `free member rooms` of a HEAD.
    #[must_use]
    pub fn free_places_for_members(&self) -> usize {
        let first = |level| (level, 0, LinkId(0));
        let lowest = self.incoming.range(..first(Level(Level::STRANGER.0.saturating_add(1)))).count();
        self.free_places().saturating_add(lowest)
    }

    /// The peer at the other end, once proven.
    #[must_use]
    pub fn peer(&self, link: LinkId) -> Option<P> {
        self.links.get(&link)?.peer
    }

    /// Who dialled the link.
    #[must_use]
    pub fn direction(&self, link: LinkId) -> Option<Direction> {
        self.links.get(&link).map(|entry| entry.direction)
    }

    /// The level of the link, once admitted.
    #[must_use]
    pub fn level(&self, link: LinkId) -> Option<Level> {
        self.links.get(&link)?.level
    }

    /// The established link to `peer`; the newest if there are several.
    #[must_use]
    pub fn link_to(&self, peer: P) -> Option<LinkId> {
        let established = self.links_of(peer).filter(|(_, entry)| entry.established);
        established.max_by_key(|(_, entry)| entry.serial).map(|(link, _)| link)
    }

    /// Links to `peer` whose key is proven, in whatever state: what a ban has to close.
    pub fn links_to(&self, peer: P) -> impl Iterator<Item = LinkId> + '_ {
        self.links_of(peer).map(|(link, _)| link)
    }

    /// How many links are in the table.
    #[must_use]
    pub fn len(&self) -> usize {
        self.links.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// How many links are admitted, siblings left out.
    #[must_use]
    pub const fn admitted(&self) -> usize {
        self.admitted
    }

    /// What was decided so far.
    #[must_use]
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    /// The one place where admission is decided, in the order of `mesh` E3: who goes for the link, or why it is refused.
    fn decide(
        &self,
        link: LinkId,
        new: &Link<P>,
        peer: P,
        level: Level,
    ) -> Result<Vec<(LinkId, Reason)>, Reason> {
        if level < self.config.level_min {
            return Err(Reason::Level);
        }
        let mut evicted = Vec::new();
        for (other, old) in self.links_of(peer).filter(|(other, _)| *other != link) {
            match self.duplicate(peer, old, new) {
                Duplicate::Both => {}
                Duplicate::OldStays => return Err(Reason::Duplicate),
                Duplicate::NewStays => evicted.push((other, Reason::Duplicate)),
            }
        }
        let going = |test: &dyn Fn(&Link<P>) -> bool| {
            evicted.iter().filter(|(link, _)| self.links.get(link).is_some_and(test)).count()
        };
        if let Some(range) = self.range_of(new) {
            let others = self.ranges.get(&range).copied().unwrap_or(0);
            if others.saturating_sub(going(&|old| self.range_of(old) == Some(range)))
                >= self.config.per_range_max
            {
                return Err(Reason::Range);
            }
        }
        let is_stranger = |old: &Link<P>| old.level == Some(Level::STRANGER);
        if level == Level::STRANGER
            && self.strangers.saturating_sub(going(&is_stranger)) >= self.config.strangers_max
        {
            return Err(Reason::Quota);
        }
        let incoming = self.incoming.len().saturating_sub(going(&|old| old.direction == Direction::Incoming));
        let full = self.admitted.saturating_sub(evicted.len()) >= self.config.links_max
            || (new.direction == Direction::Incoming && incoming >= self.incoming_max());
        if full {
            let mut candidates = self.incoming.iter().take_while(|(lowest, ..)| *lowest < level);
            let gone = |link: &LinkId| evicted.iter().any(|(other, _)| other == link);
            let victim = candidates.find(|(.., link)| !gone(link)).ok_or(Reason::Quota)?;
            evicted.push((victim.2, Reason::Quota));
        }
        if self.shutting_down { Err(Reason::ShuttingDown) } else { Ok(evicted) }
    }

    fn duplicate(&self, peer: P, old: &Link<P>, new: &Link<P>) -> Duplicate {
        let refuses_pending = self.config.duplicates == Duplicates::RefuseBoth;
        if old.level.is_none() && !refuses_pending {
            return Duplicate::Both;
        }
        let new_stays = match self.config.duplicates {
            Duplicates::Allow => return Duplicate::Both,
            Duplicates::KeepNew => true,
            Duplicates::KeepOld | Duplicates::RefuseBoth => false,
            Duplicates::SmallerInitiator if old.relayed != new.relayed => old.relayed,
            Duplicates::SmallerInitiator if old.direction == new.direction => old.serial < new.serial,
            Duplicates::SmallerInitiator => (new.direction == Direction::Outgoing) == (self.own < peer),
        };
        if new_stays { Duplicate::NewStays } else { Duplicate::OldStays }
    }

    const fn incoming_max(&self) -> usize {
        self.config.links_max.saturating_sub(self.config.outgoing_reserved)
    }

    fn links_of(&self, peer: P) -> impl Iterator<Item = (LinkId, &Link<P>)> {
        let links = self.by_peer.get(&peer).into_iter().flatten();
        links.filter_map(|link| self.links.get(link).map(|entry| (*link, entry)))
    }

    fn is_exempt(&self, remote: Option<IpAddr>) -> bool {
        !self.config.enforce_loopback && remote.is_some_and(|ip| Class::of(ip) == Class::Loopback)
    }

    fn is_within_rate(&mut self, now: Instant, remote: Option<IpAddr>) -> bool {
        let Some(remote) = remote.filter(|_| !self.is_exempt(remote)) else { return true };
        let source = Prefix::subscriber(remote);
        if let Some(bucket) = self.rates.get_mut(now, &source) {
            // Refreshed below only by being refilled: a source that keeps trying stays remembered as long as it is empty.
            let granted = bucket.take(now);
            let bucket = *bucket;
            if granted {
                self.rates.insert(now, source, bucket);
            }
            return granted;
        }
        let mut bucket = Bucket::new(self.config.incoming_burst, self.config.incoming_interval);
        let granted = bucket.take(now);
        if self.rates.insert(now, source, bucket).is_some() {
            count(&mut self.stats.shed_rates);
        }
        granted
    }

    fn handshake_to_evict(&self, remote: Option<IpAddr>) -> Option<LinkId> {
        if self.is_exempt(remote) {
            let full = self.loopback.len() >= self.config.unauthenticated_loopback_max;
            return if full { self.loopback.oldest_of_largest() } else { None };
        }
        let waiting = &self.unauthenticated;
        let crowded = remote.and_then(|remote| {
            let subscriber = self.config.unauthenticated_per_subscriber;
            let range = self.config.unauthenticated_per_range;
            let of_subscriber = waiting.oldest_of_full(remote, Prefix::subscriber, subscriber);
            of_subscriber.or_else(|| waiting.oldest_of_full(remote, Prefix::range, range))
        });
        let full = waiting.len() >= self.config.unauthenticated_max;
        crowded.or_else(|| if full { waiting.oldest_of_largest() } else { None })
    }

    const fn waiting(&mut self, exempt: bool) -> &mut Waiting {
        if exempt { &mut self.loopback } else { &mut self.unauthenticated }
    }

    fn range_of(&self, entry: &Link<P>) -> Option<Prefix> {
        entry.remote.filter(|_| !self.is_exempt(entry.remote)).map(Prefix::range)
    }

    fn enter(&mut self, opening: Opening, direction: Direction) -> u64 {
        let Opening { link, remote, relayed } = opening;
        self.closed(link);
        let serial = self.next_serial;
        self.next_serial = serial.saturating_add(1);
        let entry = Link { serial, direction, remote, relayed, peer: None, level: None, established: false };
        self.links.insert(link, entry);
        count(&mut self.stats.opened);
        serial
    }

    /// Counts an admitted link in every index.
    fn join(&mut self, link: LinkId) {
        let Some((entry, peer)) = self.links.get(&link).and_then(|entry| Some((*entry, entry.peer?))) else {
            return;
        };
        self.by_peer.entry(peer).or_default().insert(link);
        let Some(level) = entry.level.filter(|_| peer != self.own) else { return };
        self.admitted += 1;
        self.strangers += usize::from(level == Level::STRANGER);
        if entry.direction == Direction::Incoming {
            self.incoming.insert((level, entry.serial, link));
        }
        if let Some(range) = self.range_of(&entry) {
            *self.ranges.entry(range).or_default() += 1;
        }
    }

    /// Takes a link, in whatever state, out of every index.
    fn leave(&mut self, link: LinkId) {
        let Some(entry) = self.links.get(&link).copied() else { return };
        self.unauthenticated.remove(entry.serial);
        self.loopback.remove(entry.serial);
        self.pending.remove(entry.serial);
        let Some(peer) = entry.peer else { return };
        if let Some(links) = self.by_peer.get_mut(&peer) {
            links.remove(&link);
            if links.is_empty() {
                self.by_peer.remove(&peer);
            }
        }
        let Some(level) = entry.level.filter(|_| peer != self.own) else { return };
        self.admitted = self.admitted.saturating_sub(1);
        self.strangers = self.strangers.saturating_sub(usize::from(level == Level::STRANGER));
        self.incoming.remove(&(level, entry.serial, link));
        if let Some(range) = self.range_of(&entry)
            && let Some(links) = self.ranges.get_mut(&range)
        {
            *links = links.saturating_sub(1);
            if *links == 0 {
                self.ranges.remove(&range);
            }
        }
    }

    fn evict(&mut self, link: LinkId, reason: Reason) -> Evicted {
        let pending = self.peer(link).is_some();
        count(match reason {
            Reason::Duplicate => &mut self.stats.evicted_duplicate,
            Reason::Handshake if pending => &mut self.stats.evicted_pending,
            Reason::Handshake => &mut self.stats.evicted_handshake,
            Reason::Forgotten
            | Reason::Own
            | Reason::Rate
            | Reason::Level
            | Reason::Range
            | Reason::Quota
            | Reason::ShuttingDown => &mut self.stats.evicted_quota,
        });
        self.closed(link);
        Evicted { link, reason }
    }

    fn refuse(&mut self, link: LinkId, reason: Reason) -> Decision {
        let counter = match reason {
            Reason::Own => Some(&mut self.stats.refused_own),
            Reason::Rate => Some(&mut self.stats.refused_rate),
            Reason::Level => Some(&mut self.stats.refused_level),
            Reason::Duplicate => Some(&mut self.stats.refused_duplicate),
            Reason::Range => Some(&mut self.stats.refused_range),
            Reason::Quota => Some(&mut self.stats.refused_quota),
            Reason::ShuttingDown => Some(&mut self.stats.refused_shutting_down),
            Reason::Forgotten | Reason::Handshake => None,
        };
        counter.into_iter().for_each(count);
        self.closed(link);
        Decision::Refuse(reason)
    }
}

/// What two links to one peer come to.
enum Duplicate {
    Both,
    OldStays,
    NewStays,
}
