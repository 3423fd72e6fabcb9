//! The passive view, back-offs and lost neighbours (`overlay` 4.8, 6.8, 6.13).

use alloc::vec::Vec;
use core::fmt::Debug;
use core::time::Duration;

use bytes::Bytes;

use super::{Contact, Output, Overlay};
use crate::machine::Context;
use crate::rng;
use crate::stats::count;
use crate::time::Instant;

/// What is known of a passive peer.
#[derive(Clone, Debug)]
pub(super) struct Candidate<P> {
    /// The newest addresses heard.
    pub(super) addresses: Vec<Bytes>,
    /// Whether it was a neighbour, or a dial of ours to it succeeded (T-45).
    pub(super) verified: bool,
    /// Requests in a row that it did not answer.
    pub(super) failures: u8,
    /// Who named it.
    pub(super) source: P,
}

impl<P> Candidate<P> {
    pub(super) const fn verified(addresses: Vec<Bytes>, source: P) -> Self {
        Self { addresses, verified: true, failures: 0, source }
    }

    pub(super) const fn unverified(addresses: Vec<Bytes>, source: P) -> Self {
        Self { addresses, verified: false, failures: 0, source }
    }

    /// A dial to it succeeded.
    pub(super) const fn reached(&mut self) {
        self.verified = true;
    }
}

/// A neighbour that was lost without a word.
#[derive(Clone, Debug)]
pub(super) struct Lost<P> {
    pub(super) peer: P,
    pub(super) addresses: Vec<Bytes>,
    pub(super) until: Instant,
}

impl<P: Copy + Ord + Debug> Overlay<P> {
    /// Merges a sample into the passive view; what was `sent` to the other side makes room first.
    pub(super) fn merge(
        &mut self,
        nodes: Vec<Contact<P>>,
        mut sent: Vec<P>,
        source: P,
        cx: &mut Context<'_, Output<P>>,
    ) {
        let mut named = self.named_by(source);
        for contact in nodes {
            if self.refresh_candidate(&contact) {
                continue;
            }
            while self.passive.len() >= self.capacity.passive {
                let Some(given) = sent.pop() else { break };
                self.passive.remove(&given);
            }
            self.learn(contact, source, &mut named, cx);
        }
        self.unsettled = true;
    }

    /// Puts one peer into the passive view.
    pub(super) fn add_passive(&mut self, contact: Contact<P>, source: P, cx: &mut Context<'_, Output<P>>) {
        if !self.refresh_candidate(&contact) {
            let mut named = self.named_by(source);
            self.learn(contact, source, &mut named, cx);
        }
    }

    /// Inserts a peer that is new here; what one sender named stays within its share (T-45).
    fn learn(&mut self, contact: Contact<P>, source: P, named: &mut usize, cx: &mut Context<'_, Output<P>>) {
        if *named >= (self.capacity.passive / self.config.passive_share.max(1)).max(1) {
            self.evict_named_by(source, cx);
        } else {
            *named += 1;
        }
        let contact = self.bounded(contact);
        let mut candidate = Candidate::unverified(contact.addresses, source);
        candidate.verified = self.was_dialled(&contact.peer);
        self.keep(contact.peer, candidate, cx);
    }

    fn named_by(&self, source: P) -> usize {
        self.passive.iter().filter(|(_, candidate)| candidate.source == source).count()
    }

    /// Inserts, with room made at random if need be; unverified peers go first.
    pub(super) fn keep(&mut self, peer: P, candidate: Candidate<P>, cx: &mut Context<'_, Output<P>>) {
        if peer == self.me || self.capacity.passive == 0 {
            return;
        }
        if !self.passive.contains(&peer) {
            while self.passive.len() >= self.capacity.passive {
                self.evict_passive(cx);
            }
        }
        self.passive.insert(peer, candidate);
    }

    /// Shrinks the passive view to its capacity.
    pub(super) fn trim_passive(&mut self, cx: &mut Context<'_, Output<P>>) {
        while self.passive.len() > self.capacity.passive {
            self.evict_passive(cx);
        }
    }

    /// Do not ask this peer for so long.
    pub(super) fn back_off(&mut self, peer: P, lasting: Duration, cx: &mut Context<'_, Output<P>>) {
        let now = cx.now();
        let lasting = rng::jitter(cx.rng(), lasting.min(self.config.backoff_max), self.config.jitter_percent);
        let until = (now + lasting).max(self.backoffs.get(&peer).copied().unwrap_or_default());
        let limit = self.capacity.passive.saturating_mul(4).max(1);
        if !self.backoffs.contains(&peer) && self.backoffs.len() >= limit {
            self.backoffs.retain(|until| *until > now);
            if self.backoffs.len() >= limit
                && let Some((peer, _)) = self.backoffs.iter().min_by_key(|(_, until)| **until)
            {
                self.backoffs.remove(&peer);
                count(&mut self.stats.backoffs_shed);
            }
        }
        self.backoffs.insert(peer, until);
    }

    pub(super) fn is_backed_off(&self, peer: &P, now: Instant) -> bool {
        self.backoffs.get(peer).is_some_and(|until| *until > now)
    }

    /// A random passive peer that may be asked now; one that was reached before if there is one.
    pub(super) fn candidate(&self, cx: &mut Context<'_, Output<P>>) -> Option<P> {
        let now = cx.now();
        let free = |verified: bool| {
            self.passive.iter().filter(move |(peer, candidate)| {
                candidate.verified == verified && !self.is_backed_off(peer, now)
            })
        };
        for verified in [true, false] {
            if let Some(rank) = rng::index(cx.rng(), free(verified).count()) {
                return free(verified).nth(rank).map(|(peer, _)| peer);
            }
        }
        None
    }

    pub(super) fn remember_lost(&mut self, peer: P, addresses: Vec<Bytes>, now: Instant) {
        let limit = self.capacity.active.saturating_mul(2);
        while self.lost.len() >= limit.max(1) {
            self.lost.remove(0);
            count(&mut self.stats.lost_shed);
        }
        self.lost.push(Lost { peer, addresses, until: now + self.config.lost_lifetime });
    }

    /// A random lost neighbour that has not expired and may be asked now.
    pub(super) fn pick_lost(&mut self, cx: &mut Context<'_, Output<P>>) -> Option<Lost<P>> {
        let now = cx.now();
        self.lost.retain(|lost| lost.until > now);
        let askable = |lost: &&Lost<P>| {
            !self.active.contains(&lost.peer)
                && !self.pending.contains(&lost.peer)
                && !self.is_backed_off(&lost.peer, now)
        };
        let rank = rng::index(cx.rng(), self.lost.iter().filter(askable).count())?;
        self.lost.iter().filter(askable).nth(rank).cloned()
    }

    /// True if nothing is to be added: it is us, a neighbour, pending, or known, with its addresses replaced.
    pub(super) fn refresh_candidate(&mut self, contact: &Contact<P>) -> bool {
        let peer = contact.peer;
        if peer == self.me || self.active.contains(&peer) || self.pending.contains(&peer) {
            return true;
        }
        if !self.passive.contains(&peer) {
            return false;
        }
        let fresh = self.bounded(contact.clone()).addresses;
        if let Some(candidate) = self.passive.get_mut(&peer)
            && !fresh.is_empty()
        {
            candidate.addresses = fresh;
        }
        true
    }

    fn evict_passive(&mut self, cx: &mut Context<'_, Output<P>>) {
        let unverified = self.passive.iter().filter(|(_, candidate)| !candidate.verified).count();
        let victim = if let Some(rank) = rng::index(cx.rng(), unverified) {
            let mut eligible = self.passive.iter().filter(|(_, candidate)| !candidate.verified);
            eligible.nth(rank).map(|(peer, _)| peer)
        } else {
            rng::index(cx.rng(), self.passive.len())
                .and_then(|rank| self.passive.at(rank))
                .map(|(peer, _)| peer)
        };
        if let Some(victim) = victim {
            self.passive.remove(&victim);
            count(&mut self.stats.passive_shed);
        }
    }

    fn evict_named_by(&mut self, source: P, cx: &mut Context<'_, Output<P>>) {
        let named = || self.passive.iter().filter(|(_, candidate)| candidate.source == source);
        let victim = rng::index(cx.rng(), named().count()).and_then(|rank| named().nth(rank));
        if let Some((victim, _)) = victim {
            self.passive.remove(&victim);
            count(&mut self.stats.passive_shed);
        }
    }
}
