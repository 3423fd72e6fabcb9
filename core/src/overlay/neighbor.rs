//! NEIGHBOR and DISCONNECT (`overlay` 4.4, 4.5, 6.3).

use core::fmt::Debug;
use core::time::Duration;

use super::conduct::Limited;
use super::passive::Candidate;
use super::{Contact, DownReason, Message, Output, Overlay, Priority, Violation};
use crate::machine::Context;
use crate::stats::count;

impl<P: Copy + Ord + Debug> Overlay<P> {
    pub(super) fn on_neighbor(
        &mut self,
        from: P,
        peer: Contact<P>,
        priority: Priority,
        epoch: Option<u64>,
        ask: bool,
        cx: &mut Context<'_, Output<P>>,
    ) {
        if peer.peer != from {
            self.impersonated(from, cx);
            return;
        }
        // Who is pending or active was asked about before.
        if self.pending.get(&from).is_some_and(|request| !request.checking) {
            let contact = self.bounded(peer);
            self.accepted(from, contact.addresses, epoch, cx);
        } else if let Some(neighbor) = self.active.get_mut(&from) {
            if neighbor.is_stale(epoch) {
                count(&mut self.stats.stale);
                return;
            }
            neighbor.epoch = epoch.unwrap_or(0);
            self.confirm(from, cx);
        } else if ask {
            self.park(from, from, Message::Neighbor { peer, priority, epoch }, cx);
        } else {
            self.on_request(peer, priority, epoch, cx);
        }
    }

    /// Tells a neighbour that it is one, unless it was told a moment ago.
    pub(super) fn confirm(&mut self, peer: P, cx: &mut Context<'_, Output<P>>) {
        let interval = self.config.confirmation_interval;
        let told = self.active.get(&peer).and_then(|neighbor| neighbor.told);
        if told.is_none_or(|told| cx.now().since(told) >= interval) {
            self.send_neighbor(peer, Priority::Low, cx);
        }
    }

    fn on_request(
        &mut self,
        peer: Contact<P>,
        priority: Priority,
        epoch: Option<u64>,
        cx: &mut Context<'_, Output<P>>,
    ) {
        let from = peer.peer;
        let contact = self.bounded(peer);
        let full = self.active.len() >= self.capacity.active;
        let mut high = full && priority == Priority::High;
        if high && !self.allow(from, Limited::High, self.config.high_interval, cx.now()) {
            count(&mut self.stats.highs_limited);
            self.report(from, Violation::RateExceeded, cx);
            high = false;
        }
        if !full || (high && self.make_room(from, cx)) {
            self.activate(from, contact.addresses, epoch, false, cx);
            self.start_link(from, Priority::Low, cx);
            return;
        }
        let (what, backoff) = if high {
            (Limited::RefusalOfHigh, self.config.eviction_backoff)
        } else {
            (Limited::Refusal, self.config.refusal_backoff)
        };
        self.add_passive(contact, from, cx);
        if !self.refuse(from, what, true, Some(backoff), cx) && !self.is_plain(&from) {
            self.report(from, Violation::RateExceeded, cx);
        }
    }

    pub(super) fn on_disconnect(
        &mut self,
        from: P,
        alive: bool,
        epoch: Option<u64>,
        backoff_s: Option<u32>,
        cx: &mut Context<'_, Output<P>>,
    ) {
        let asked_for = Duration::from_secs(u64::from(backoff_s.unwrap_or(0)));
        if self.pending.contains(&from) {
            self.refused(from, alive, asked_for, cx);
        } else if let Some(neighbor) = self.active.get(&from) {
            if neighbor.is_stale(epoch) {
                count(&mut self.stats.stale);
                return;
            }
            let reason = if alive { DownReason::Evicted } else { DownReason::Left };
            let Some(neighbor) = self.deactivate(from, reason, cx) else { return };
            if alive {
                self.keep(from, Candidate::verified(neighbor.addresses, from), cx);
                self.back_off(from, asked_for.max(self.config.eviction_backoff), cx);
                self.expect_parting_sample(from, cx.now());
            }
            self.release_unused(from, cx);
        } else if !alive {
            self.passive.remove(&from);
        }
    }

    /// Answers a stranger's message that only a neighbour may send.
    pub(super) fn turn_away(&mut self, peer: P, cx: &mut Context<'_, Output<P>>) {
        count(&mut self.stats.strangers);
        self.refuse(peer, Limited::TurningAway, true, None, cx);
    }

    /// DISCONNECT as an answer, for each reason at most once in an interval; false if it was not sent.
    pub(super) fn refuse(
        &mut self,
        peer: P,
        what: Limited,
        alive: bool,
        backoff: Option<Duration>,
        cx: &mut Context<'_, Output<P>>,
    ) -> bool {
        let plain = self.is_plain(&peer);
        let interval = if plain { self.config.plain_refusal_interval } else { self.config.refusal_interval };
        let allowed = self.allow(peer, what, interval, cx.now());
        if allowed {
            self.send_disconnect(peer, alive, backoff, cx);
        } else {
            count(&mut self.stats.refusals_limited);
        }
        allowed
    }

    /// A plain peer, which cannot read a back-off, is told that we are gone (3.3 d).
    pub(super) fn send_disconnect(
        &mut self,
        to: P,
        alive: bool,
        backoff: Option<Duration>,
        cx: &mut Context<'_, Output<P>>,
    ) {
        let alive = alive && !self.is_plain(&to);
        let backoff_s = backoff.map(|backoff| u32::try_from(backoff.as_secs()).unwrap_or(u32::MAX));
        self.send(to, Message::Disconnect { alive, epoch: Some(self.epoch), backoff_s }, cx);
    }
}
