//! Requests for links, and repair of the active view (`overlay` 5.2, 5.4, 6.13).

use alloc::vec::Vec;
use core::fmt::Debug;
use core::time::Duration;

use bytes::Bytes;

use super::conduct::Limited;
use super::passive::Candidate;
use super::{Output, Overlay, Priority};
use crate::machine::Context;
use crate::rng;
use crate::stats::count;
use crate::time::Instant;

/// A peer that was asked for a link.
#[derive(Clone, Debug)]
pub(super) struct Request<P> {
    priority: Priority,
    since: Instant,
    pub(super) deadline: Instant,
    /// NEIGHBOR was sent.
    pub(super) asked: bool,
    /// Waiting to hear whether the peer is registered; not dialled yet.
    pub(super) checking: bool,
    /// What the passive view knew of it.
    pub(super) candidate: Candidate<P>,
}

/// How long the last eight answers to requests took, in milliseconds; 0 = none yet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Answers {
    times: [u16; 8],
    next: usize,
    /// LOW requests refused since the last neighbour was won or HIGH was refused.
    pub(super) refusals: usize,
}

impl Answers {
    fn record(&mut self, took: Duration) {
        if let Some(slot) = self.times.get_mut(self.next) {
            *slot = u16::try_from(took.as_millis()).unwrap_or(u16::MAX).max(1);
        }
        self.next = (self.next + 1) % self.times.len();
    }

    fn slowest(&self) -> Option<Duration> {
        let slowest = self.times.iter().copied().max().filter(|slowest| *slowest > 0)?;
        Some(Duration::from_millis(u64::from(slowest)))
    }
}

impl<P: Copy + Ord + Debug> Overlay<P> {
    /// Asks `peer`, which has no back-off, for a link; `addresses` are where it is if the passive view knows none.
    pub(super) fn request(
        &mut self,
        peer: P,
        addresses: &[Bytes],
        priority: Priority,
        cx: &mut Context<'_, Output<P>>,
    ) {
        if peer == self.me || self.active.contains(&peer) || self.pending.contains(&peer) {
            return;
        }
        if self.pending.len() >= self.capacity.active {
            count(&mut self.stats.requests_shed);
            return;
        }
        let mut candidate =
            self.passive.remove(&peer).unwrap_or_else(|| Candidate::unverified(Vec::new(), peer));
        if !addresses.is_empty() {
            candidate.addresses = addresses.to_vec();
        }
        candidate.verified |= self.was_dialled(&peer);
        let checking = self.config.check_registration;
        let deadline = self.after(self.request_deadline(), cx.now());
        let request = Request { priority, since: cx.now(), deadline, asked: false, checking, candidate };
        self.pending.insert(peer, request);
        count(&mut self.stats.requests_started);
        if checking {
            self.check(peer, cx);
        } else {
            self.approach(peer, cx);
        }
    }

    /// Dials, or says what is to be said if the connection stands.
    pub(super) fn approach(&mut self, peer: P, cx: &mut Context<'_, Output<P>>) {
        let Some(request) = self.pending.get_mut(&peer) else { return };
        request.checking = false;
        let addresses: Vec<Bytes> = if self.links.get(&peer).is_some_and(|link| link.connected) {
            Vec::new()
        } else {
            request.candidate.addresses.clone()
        };
        self.hold(peer, &addresses, cx);
        if self.is_connected(&peer) {
            self.ask(peer, cx);
        }
    }

    /// Sends the NEIGHBOR of a request.
    pub(super) fn ask(&mut self, peer: P, cx: &mut Context<'_, Output<P>>) {
        let Some(request) = self.pending.get_mut(&peer).filter(|request| !request.asked) else { return };
        request.asked = true;
        let mut priority = request.priority;
        // It would take one that comes sooner as LOW, and count it against us (4.4); on the way they may move closer.
        let interval = self.config.high_interval.saturating_mul(11) / 10;
        if priority == Priority::High && !self.allow(peer, Limited::AskedHigh, interval, cx.now()) {
            priority = Priority::Low;
        }
        if let Some(request) = self.pending.get_mut(&peer) {
            request.priority = priority;
        }
        self.start_link(peer, priority, cx);
    }

    /// The request was accepted: by NEIGHBOR, or by whatever shows that a plain peer believes in the link (3.3 a).
    pub(super) fn accepted(
        &mut self,
        peer: P,
        addresses: Vec<Bytes>,
        epoch: Option<u64>,
        cx: &mut Context<'_, Output<P>>,
    ) {
        let Some(request) = self.pending.get(&peer) else { return };
        let (priority, since, asked) = (request.priority, request.since, request.asked);
        self.answers.record(cx.now().since(since));
        let room = self.active.len() < self.capacity.active
            || (priority == Priority::High && self.make_room(peer, cx));
        if !room {
            // It may have nobody else, and knows by our request alone that there is a network.
            self.send_disconnect(peer, true, None, cx);
            self.send_parting_sample(peer, cx);
            if let Some(request) = self.pending.remove(&peer) {
                self.keep(peer, request.candidate, cx);
            }
            self.release_unused(peer, cx);
            return;
        }
        count(&mut self.stats.requests_accepted);
        if self.lost.iter().any(|lost| lost.peer == peer) {
            // One link across a healed partition is enough: shuffles carry on from there.
            self.lost = Vec::new();
        }
        self.activate(peer, addresses, epoch, true, cx);
        if !asked {
            self.start_link(peer, Priority::Low, cx);
        } else if let Some(neighbor) = self.active.get_mut(&peer) {
            neighbor.told = Some(since);
        }
    }

    /// The request was refused: the next candidate has its turn.
    pub(super) fn refused(
        &mut self,
        peer: P,
        alive: bool,
        backoff: Duration,
        cx: &mut Context<'_, Output<P>>,
    ) {
        let Some(mut request) = self.pending.remove(&peer) else { return };
        request.candidate.failures = 0;
        self.answers.record(cx.now().since(request.since));
        self.answers.refusals = match request.priority {
            Priority::Low => self.answers.refusals.saturating_add(1),
            Priority::High => 0,
        };
        count(&mut self.stats.requests_refused);
        self.back_off(peer, backoff.max(self.config.refusal_backoff), cx);
        if alive {
            self.keep(peer, request.candidate, cx);
        }
        self.release_unused(peer, cx);
        self.unsettled = true;
    }

    /// The peer could not be reached, or did not answer in time.
    pub(super) fn request_failed(&mut self, peer: P, cx: &mut Context<'_, Output<P>>) {
        let Some(mut request) = self.pending.remove(&peer) else { return };
        count(&mut self.stats.requests_failed);
        if request.asked {
            // It may have accepted, and its answer is lost or late: let it not believe in a link.
            self.send_disconnect(peer, true, None, cx);
        }
        let candidate = &mut request.candidate;
        candidate.failures = candidate.failures.saturating_add(1);
        self.back_off(peer, self.config.refusal_backoff, cx);
        if request.candidate.verified && request.candidate.failures < self.config.failures_max {
            self.keep(peer, request.candidate, cx);
        }
        self.release_unused(peer, cx);
        self.unsettled = true;
    }

    pub(super) fn request_expired(&mut self, peer: P, cx: &mut Context<'_, Output<P>>) {
        let asked = self.pending.get(&peer).is_some_and(|request| request.asked);
        if asked && self.is_plain(&peer) && self.is_connected(&peer) {
            self.accepted(peer, Vec::new(), None, cx);
        } else {
            self.request_failed(peer, cx);
        }
    }

    /// Four times the slowest of the last answers, within the configured bounds.
    pub(super) fn request_deadline(&self) -> Duration {
        let longest = self.config.request_deadline_max;
        let shortest = self.config.request_deadline_min.min(longest);
        self.answers.slowest().map_or(longest, |slowest| slowest.saturating_mul(4).clamp(shortest, longest))
    }

    /// Fills the view (5.4). Sets the tick if that has to wait, or if the view is to be trimmed (1.1).
    pub(super) fn repair(&mut self, cx: &mut Context<'_, Output<P>>) {
        while self.wants_more() && self.pending.len() < self.requests_max() {
            let Some(peer) = self.candidate(cx) else {
                self.refilling = false;
                break;
            };
            let priority = self.urgency();
            self.request(peer, &[], priority, cx);
        }
        // Candidates that wait for their back-off, or too many neighbours: look again in a moment.
        let waiting = self.wants_more() && self.pending.is_empty() && !self.passive.is_empty();
        if !waiting && self.active.len() <= self.capacity.active {
            self.timers.tick = None;
        } else if self.timers.tick.is_none() {
            let tick = self.jitter(self.config.tick, cx);
            self.timers.tick = Some(self.after(tick, cx.now()));
        }
    }

    /// HIGH without neighbours (5.4), and when everybody seems to be full.
    fn urgency(&self) -> Priority {
        if self.active.is_empty() || self.is_rejected() { Priority::High } else { Priority::Low }
    }

    /// Starved, and LOW was refused several times in a row: the views are full everywhere, and LOW alone would leave
    /// this node below Amin for ever (6.7). Our choice: it may then ask HIGH, within the budgets of the others.
    fn is_rejected(&self) -> bool {
        let starved = self.active.len() + self.pending.len() < self.capacity.starved;
        starved && self.answers.refusals >= self.config.refusals_before_high
    }

    /// When the only candidates left refused LOW a moment ago, one of them a tick is asked HIGH in spite of that.
    pub(super) fn insist(&mut self, cx: &mut Context<'_, Output<P>>) {
        if !self.is_rejected() || !self.pending.is_empty() || self.candidate(cx).is_some() {
            return;
        }
        let rank = rng::index(cx.rng(), self.passive.len());
        if let Some((peer, _)) = rank.and_then(|rank| self.passive.at(rank)) {
            self.request(peer, &[], Priority::High, cx);
        }
    }

    const fn wants_more(&self) -> bool {
        let goal = if self.refilling { self.capacity.active } else { self.capacity.starved };
        self.active.len() + self.pending.len() < goal
    }

    fn requests_max(&self) -> usize {
        if self.active.len() < self.capacity.starved {
            self.capacity.active
        } else {
            self.config.requests_in_flight
        }
    }

    /// Asks one lost neighbour whether it is back (6.13). HIGH, as after a partition both halves are full.
    pub(super) fn try_lost(&mut self, cx: &mut Context<'_, Output<P>>) {
        let Some(lost) = self.pick_lost(cx) else { return };
        self.request(lost.peer, &lost.addresses, Priority::High, cx);
    }
}
