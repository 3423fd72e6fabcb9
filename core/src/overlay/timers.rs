//! When something is due, and what is done then.

use core::fmt::Debug;
use core::time::Duration;

use super::{Output, Overlay};
use crate::deadline::earliest;
use crate::machine::Context;
use crate::rng;
use crate::time::Instant;

/// The deadlines of an instance that do not belong to a peer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Timers {
    /// The earliest of all deadlines, those of peers included.
    pub(super) next: Option<Instant>,
    pub(super) shuffle: Option<Instant>,
    pub(super) refresh: Option<Instant>,
    pub(super) island: Option<Instant>,
    pub(super) join: Option<Instant>,
    pub(super) patience: Option<Instant>,
    pub(super) confirm: Option<Instant>,
    pub(super) lost: Option<Instant>,
    pub(super) tick: Option<Instant>,
}

impl<P: Copy + Ord + Debug> Overlay<P> {
    /// Starts what is periodic, at random offsets, so that nodes which start together do not act together (T-69).
    pub(super) fn start_timers(&mut self, cx: &mut Context<'_, Output<P>>) {
        self.timers.shuffle = Some(self.offset(self.config.shuffle_period, cx));
        self.timers.refresh = Some(self.offset(self.config.refresh_period, cx));
        self.timers.island = Some(self.offset(self.config.island_period, cx));
    }

    /// Does all that is due.
    pub(super) fn on_due(&mut self, cx: &mut Context<'_, Output<P>>) {
        let now = cx.now();
        while let Some(peer) = self.pending.find(|request| request.deadline <= now) {
            self.request_expired(peer, cx);
        }
        while let Some(peer) = self.temporary.find(|temporary| temporary.until <= now) {
            self.end_visit(peer, cx);
        }
        self.expire_parked(now);
        if self.config.plain_peers {
            self.ask_silent(cx);
        }
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if due(self.timers.shuffle) {
            let period = self.shuffle_period();
            self.timers.shuffle = Some(self.period(period, cx));
            self.shuffle(cx);
        }
        if due(self.timers.refresh) {
            self.timers.refresh = Some(self.period(self.config.refresh_period, cx));
            self.refresh(cx);
            self.joins.expire(now);
            self.conduct.expire(now);
            self.shuffling.expire(now);
            self.backoffs.retain(|until| *until > now);
        }
        if due(self.timers.island) {
            self.timers.island = Some(self.period(self.config.island_period, cx));
            self.probe_islands(cx);
        }
        if due(self.timers.join) {
            self.timers.join = None;
            if self.is_stranded() {
                self.join_round(cx);
            }
        }
        if due(self.timers.patience) {
            self.ask_around(cx);
        }
        if due(self.timers.confirm) {
            self.confirm_join(cx);
        }
        if due(self.timers.lost) {
            self.timers.lost = None;
            self.try_lost(cx);
        }
        if due(self.timers.tick) {
            self.timers.tick = None;
            self.trim_active(cx);
            self.insist(cx);
            self.unsettled = true;
        }
    }

    /// Ends every call: repairs if something changed, and finds the next deadline.
    pub(super) fn settle(&mut self, cx: &mut Context<'_, Output<P>>) {
        if self.closed {
            return;
        }
        if self.unsettled {
            self.unsettled = false;
            self.repair(cx);
            self.seek(cx);
        }
        if self.lost.is_empty() {
            self.timers.lost = None;
        } else if self.timers.lost.is_none() {
            self.timers.lost = Some(self.period(self.config.lost_period, cx));
        }
        self.timers.next = self.next_deadline();
    }

    /// `wait` from `now`, but never `now` itself.
    pub(super) fn after(&self, wait: Duration, now: Instant) -> Instant {
        (now + wait).max(now.next())
    }

    pub(super) fn jitter(&self, wait: Duration, cx: &mut Context<'_, Output<P>>) -> Duration {
        rng::jitter(cx.rng(), wait, self.config.jitter_percent)
    }

    fn period(&self, period: Duration, cx: &mut Context<'_, Output<P>>) -> Instant {
        self.after(self.jitter(period, cx), cx.now())
    }

    /// Some time within `period`.
    pub(super) fn offset(&self, period: Duration, cx: &mut Context<'_, Output<P>>) -> Instant {
        self.after(rng::up_to(cx.rng(), period), cx.now())
    }

    fn next_deadline(&self) -> Option<Instant> {
        let timers = &self.timers;
        let own = [
            timers.shuffle,
            timers.refresh,
            timers.island,
            timers.join,
            timers.patience,
            timers.confirm,
            timers.lost,
            timers.tick,
            self.parking.next(),
        ];
        let requests = self.pending.iter().map(|(_, request)| request.deadline);
        let visits = self.temporary.iter().map(|(_, temporary)| temporary.until);
        let next = own.into_iter().flatten().chain(requests).chain(visits).min();
        if self.config.plain_peers {
            earliest(next, self.links.iter().filter_map(|(_, link)| link.silent_until).min())
        } else {
            next
        }
    }
}
