//! Bans and misbehaviour points.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::fmt::Debug;
use core::time::Duration;

use super::record::{BanRecord, End};
use super::{Config, Kind, Output, Stats};
use crate::deadline::{Deadlines, earliest};
use crate::machine::{At, Context};
use crate::stats::count;
use crate::time::{Instant, WallTime};

/// Who is banned, who was, and who is on the way.
#[derive(Clone, Debug)]
pub(super) struct Bans<P> {
    banned: BTreeMap<P, Ban>,
    /// What goes first when the table is full, in front.
    order: BTreeSet<(Weight, u64, P)>,
    next_serial: u64,
    /// When something about a ban changes: it ends, or an earlier one counts no more.
    changes: Deadlines<P>,
    /// When each offender will have no points.
    clean: Deadlines<P>,
    /// When a point for an exceeded rate was last given; offenders only.
    rated: BTreeMap<P, Instant>,
}

#[derive(Clone, Debug)]
struct Ban {
    serial: u64,
    until: Until,
    lifetime: Duration,
    /// Until when each ban for points counts towards the last one.
    counts_until: Vec<Instant>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Until {
    Past,
    At(Instant),
    Forever,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Weight {
    Past,
    Temporary,
    Permanent,
}

impl<P: Copy + Debug + Ord> Bans<P> {
    pub(super) const fn new() -> Self {
        Self {
            banned: BTreeMap::new(),
            order: BTreeSet::new(),
            next_serial: 0,
            changes: Deadlines::new(),
            clean: Deadlines::new(),
            rated: BTreeMap::new(),
        }
    }

    pub(super) fn is_banned(&self, peer: P, now: Instant) -> bool {
        self.banned.get(&peer).is_some_and(|ban| ban.is_in_force(now))
    }

    pub(super) fn iter(&self, now: Instant) -> impl Iterator<Item = (P, Option<Duration>)> + '_ {
        self.banned.iter().filter(move |(_, ban)| ban.is_in_force(now)).map(move |(peer, ban)| {
            match ban.until {
                Until::At(until) => (*peer, Some(until.since(now))),
                Until::Past | Until::Forever => (*peer, None),
            }
        })
    }

    pub(super) fn points(&self, config: &Config, peer: P, now: Instant) -> u32 {
        let left = self.clean.get(&peer).unwrap_or(now).since(now);
        let points = left.as_micros().div_ceil(config.decay.as_micros().max(1));
        u32::try_from(points).unwrap_or(u32::MAX)
    }

    pub(super) fn len(&self) -> usize {
        self.banned.len().saturating_add(self.clean.len())
    }

    /// Adds points; at the limit they become a ban.
    pub(super) fn blame(
        &mut self,
        config: &Config,
        stats: &mut Stats,
        peer: P,
        points: u32,
        cx: &mut Context<'_, Output<P>>,
    ) {
        let now = cx.now();
        if points == 0 || self.is_banned(peer, now) {
            return;
        }
        if self.points(config, peer, now).saturating_add(points) >= config.ban_points {
            return self.ban_for_points(config, stats, peer, cx);
        }
        let from = self.clean.get(&peer).unwrap_or(now).max(now);
        self.clean.set(peer, Some(from + config.decay.saturating_mul(points)));
        if self.clean.len() > config.offenders_max
            && let Some(cleanest) = self.clean.pop_due(Instant::FAR_FUTURE)
        {
            self.rated.remove(&cleanest);
            count(&mut stats.shed_offenders);
        }
    }

    /// One point, unless one was given for the same within the last second.
    pub(super) fn blame_rate(
        &mut self,
        config: &Config,
        stats: &mut Stats,
        peer: P,
        cx: &mut Context<'_, Output<P>>,
    ) {
        let now = cx.now();
        if self.rated.get(&peer).is_some_and(|last| now.since(*last) < Duration::from_secs(1)) {
            return;
        }
        self.blame(config, stats, peer, 1, cx);
        if self.clean.get(&peer).is_some() {
            self.rated.insert(peer, now);
        }
    }

    fn ban_for_points(
        &mut self,
        config: &Config,
        stats: &mut Stats,
        peer: P,
        cx: &mut Context<'_, Output<P>>,
    ) {
        let now = cx.now();
        let mut counts_until = self.banned.get(&peer).map(|ban| ban.counts_until.clone()).unwrap_or_default();
        counts_until.retain(|until| *until > now);
        counts_until.push(now + config.ban_window);
        let last = counts_until.len() >= config.bans_max.clamp(1, 16);
        let (until, lifetime) =
            if last { (Until::Forever, Duration::ZERO) } else { (Until::At(now + config.ban), config.ban) };
        self.pronounce(config, stats, peer, Ban { serial: 0, until, lifetime, counts_until }, cx);
    }

    /// Bans for a while or for good. Never shortens a ban that is in force.
    pub(super) fn ban(
        &mut self,
        config: &Config,
        stats: &mut Stats,
        peer: P,
        lifetime: Option<Duration>,
        cx: &mut Context<'_, Output<P>>,
    ) {
        let now = cx.now();
        let until = lifetime.map_or(Until::Forever, |lifetime| Until::At(now + lifetime));
        let before = self.banned.get(&peer);
        let stronger = match (before.map(|ban| ban.until), until) {
            (Some(Until::Forever), _) => false,
            (Some(Until::At(before)), Until::At(until)) => until > before && until > now,
            (_, Until::At(until)) => until > now,
            (_, Until::Forever | Until::Past) => true,
        };
        if stronger {
            let counts_until = before.map(|ban| ban.counts_until.clone()).unwrap_or_default();
            let ban = Ban { serial: 0, until, lifetime: lifetime.unwrap_or_default(), counts_until };
            self.pronounce(config, stats, peer, ban, cx);
        }
    }

    pub(super) fn unban(&mut self, peer: P, cx: &mut Context<'_, Output<P>>) {
        self.clean.remove(&peer);
        self.rated.remove(&peer);
        self.forget(peer, cx);
    }

    /// Ends what is over.
    pub(super) fn expire(&mut self, cx: &mut Context<'_, Output<P>>) {
        let now = cx.now();
        while let Some(peer) = self.clean.pop_due(now) {
            self.rated.remove(&peer);
        }
        while let Some(peer) = self.changes.pop_due(now) {
            let Some(mut ban) = self.take(peer) else { continue };
            ban.counts_until.retain(|until| *until > now);
            if matches!(ban.until, Until::At(until) if until <= now) {
                ban.until = Until::Past;
                cx.emit(Output::Unbanned { peer });
            }
            if ban.until == Until::Past && ban.counts_until.is_empty() {
                cx.emit(Output::Store { peer, kind: Kind::Ban, value: None });
            } else {
                self.put(peer, ban);
            }
        }
    }

    pub(super) fn next(&self) -> Option<Instant> {
        earliest(self.changes.next(), self.clean.next())
    }

    /// Takes up a ban from before a restart, clamped: no clock can make it longer than it was pronounced.
    pub(super) fn restore(&mut self, config: &Config, at: At, peer: P, record: &BanRecord) -> bool {
        let left = |until: WallTime, max: Duration| until.since(at.wall).min(max);
        let (until, lifetime) = match record.end {
            End::Past => (Until::Past, Duration::ZERO),
            End::Never => (Until::Forever, Duration::ZERO),
            End::At(until, lifetime_ms) => {
                let lifetime = Duration::from_millis(lifetime_ms);
                (Until::At(at.now + left(until, lifetime)), lifetime)
            }
        };
        let counts = record.counts_until.iter().map(|until| at.now + left(*until, config.ban_window));
        let counts_until = counts.filter(|until| *until > at.now).take(16).collect();
        let mut ban = Ban { serial: 0, until, lifetime, counts_until };
        if !ban.is_in_force(at.now) {
            ban.until = Until::Past;
        }
        let of_use = ban.until != Until::Past || !ban.counts_until.is_empty();
        let kept = of_use && self.banned.len() < config.banned_max;
        if kept {
            self.take(peer);
            self.put(peer, ban);
        }
        kept
    }

    fn pronounce(
        &mut self,
        config: &Config,
        stats: &mut Stats,
        peer: P,
        ban: Ban,
        cx: &mut Context<'_, Output<P>>,
    ) {
        self.clean.remove(&peer);
        self.rated.remove(&peer);
        self.take(peer);
        let lifetime = (ban.until != Until::Forever).then_some(ban.lifetime);
        count(if lifetime.is_some() { &mut stats.bans_temporary } else { &mut stats.bans_permanent });
        cx.emit(Output::Banned { peer, lifetime });
        cx.emit(Output::Store { peer, kind: Kind::Ban, value: Some(ban.record(cx.at()).encode()) });
        self.put(peer, ban);
        while self.banned.len() > config.banned_max {
            let Some((_, _, first)) = self.order.first().copied() else { break };
            count(&mut stats.shed_bans);
            self.forget(first, cx);
        }
    }

    fn forget(&mut self, peer: P, cx: &mut Context<'_, Output<P>>) {
        let Some(ban) = self.take(peer) else { return };
        if ban.until != Until::Past {
            cx.emit(Output::Unbanned { peer });
        }
        cx.emit(Output::Store { peer, kind: Kind::Ban, value: None });
    }

    fn put(&mut self, peer: P, ban: Ban) {
        let serial = self.next_serial;
        self.next_serial = serial.saturating_add(1);
        self.order.insert((ban.weight(), serial, peer));
        self.changes.set(peer, ban.next_change());
        self.banned.insert(peer, Ban { serial, ..ban });
    }

    fn take(&mut self, peer: P) -> Option<Ban> {
        let ban = self.banned.remove(&peer)?;
        self.order.remove(&(ban.weight(), ban.serial, peer));
        self.changes.remove(&peer);
        Some(ban)
    }
}

impl Ban {
    fn is_in_force(&self, now: Instant) -> bool {
        match self.until {
            Until::Past => false,
            Until::At(until) => until > now,
            Until::Forever => true,
        }
    }

    const fn weight(&self) -> Weight {
        match self.until {
            Until::Past => Weight::Past,
            Until::At(_) => Weight::Temporary,
            Until::Forever => Weight::Permanent,
        }
    }

    /// A ban for good never changes; another does when it ends, and when the last earlier ban counts no more.
    fn next_change(&self) -> Option<Instant> {
        match self.until {
            Until::Past => self.counts_until.iter().max().copied(),
            Until::At(until) => Some(until),
            Until::Forever => None,
        }
    }

    fn record(&self, at: At) -> BanRecord {
        let wall = |instant: Instant| at.wall + instant.since(at.now);
        let lifetime_ms = u64::try_from(self.lifetime.as_millis()).unwrap_or(u64::MAX);
        let end = match self.until {
            Until::Past => End::Past,
            Until::At(until) => End::At(wall(until), lifetime_ms),
            Until::Forever => End::Never,
        };
        BanRecord { end, counts_until: self.counts_until.iter().map(|until| wall(*until)).collect() }
    }
}
