//! Shuffles: random walks that exchange samples of the views (`overlay` 4.6, 4.7, 6.12, 6.14).

use alloc::vec::Vec;
use core::fmt::Debug;
use core::time::Duration;

use super::conduct::Limited;
use super::links::Errand;
use super::{Config, Contact, Message, Output, Overlay, Violation};
use crate::bounded::Recent;
use crate::deadline::earliest;
use crate::machine::Context;
use crate::rng;
use crate::stats::{count, count_by};
use crate::time::Instant;

/// A SHUFFLE may come from a peer that is no neighbour this often (6.12).
const PROBE_INTERVAL: Duration = Duration::from_secs(60);
/// So long after a DISCONNECT its sender's sample is welcome (6.14).
const PARTING: Duration = Duration::from_secs(2);

/// Shuffles under way.
#[derive(Clone, Debug)]
pub(super) struct Shuffling<P> {
    outstanding: Option<Outstanding<P>>,
    /// By nonce: from whom a walk came to us.
    paths: Recent<u64, P>,
    /// Who evicted us a moment ago.
    parting: Option<(P, Instant)>,
    /// How long after the next shuffle the one after it is due, at most the period of the configuration.
    pace: Duration,
}

/// Our own shuffle that awaits its reply.
#[derive(Clone, Debug)]
struct Outstanding<P> {
    nonce: u64,
    to: P,
    sent: Vec<P>,
    until: Instant,
}

impl<P: Copy + Ord + Debug> Shuffling<P> {
    pub(super) const fn new(config: &Config) -> Self {
        Self {
            outstanding: None,
            paths: Recent::new(config.paths_max, config.shuffle_lifetime),
            parting: None,
            pace: config.shuffle_period,
        }
    }

    /// Forgets ways back that have expired.
    pub(super) fn expire(&mut self, now: Instant) {
        self.paths.expire(now);
    }
}

impl<P: Copy + Ord + Debug> Overlay<P> {
    /// A node that has just joined shuffles soon, as it knows nobody but its neighbours yet.
    pub(super) fn shuffle_soon(&mut self, cx: &mut Context<'_, Output<P>>) {
        let soon = self.config.shuffle_first_within;
        self.shuffling.pace = soon;
        self.timers.shuffle = earliest(self.timers.shuffle, Some(self.offset(soon, cx)));
    }

    /// When to shuffle after this time: until there is a reserve for every neighbour, sooner than usual.
    pub(super) fn shuffle_period(&mut self) -> Duration {
        let period = self.config.shuffle_period;
        let doubled = self.shuffling.pace.saturating_mul(2).min(period);
        self.shuffling.pace = if self.passive.len() < self.capacity.active { doubled } else { period };
        self.shuffling.pace
    }

    /// 4.6: starts a walk at a random neighbour.
    pub(super) fn shuffle(&mut self, cx: &mut Context<'_, Output<P>>) {
        let rank = rng::index(cx.rng(), self.active.len());
        if let Some((to, _)) = rank.and_then(|rank| self.active.at(rank)) {
            self.send_shuffle(to, cx);
        }
    }

    /// 6.12: starts a walk at a bootstrap node or a passive peer that was reached before.
    pub(super) fn probe_islands(&mut self, cx: &mut Context<'_, Output<P>>) {
        if self.active.is_empty() {
            return;
        }
        let known = |peer: &P| self.active.contains(peer) || self.pending.contains(peer);
        let mut places: Vec<Contact<P>> =
            self.joining.bootstrap.iter().filter(|contact| !known(&contact.peer)).cloned().collect();
        if places.is_empty() || rng::below(cx.rng(), 2) == 0 {
            let verified = self.passive.iter().filter(|(_, candidate)| candidate.verified);
            let reserve: Vec<Contact<P>> = verified
                .map(|(peer, candidate)| Contact { peer, addresses: candidate.addresses.clone() })
                .collect();
            if !reserve.is_empty() {
                places = reserve;
            }
        }
        if let Some(contact) = rng::pick(cx.rng(), &places) {
            self.visit(contact, Some(Errand::Shuffle), cx);
        }
    }

    pub(super) fn send_shuffle(&mut self, to: P, cx: &mut Context<'_, Output<P>>) {
        let nodes = self.sample(self.sample_max(), &[to], Share::Half, cx);
        let nonce = cx.rng().next_u64();
        let sent = nodes.iter().map(|contact| contact.peer).collect();
        let until = cx.now() + self.config.shuffle_lifetime;
        self.shuffling.outstanding = Some(Outstanding { nonce, to, sent, until });
        count(&mut self.stats.shuffles_sent);
        let (ttl, origin) = (self.config.shuffle_walk, self.own_contact());
        self.send(to, Message::Shuffle { ttl, origin, nodes, nonce: Some(nonce) }, cx);
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of the message, and how it came")]
    pub(super) fn on_shuffle(
        &mut self,
        from: P,
        ttl: u32,
        origin: Contact<P>,
        mut nodes: Vec<Contact<P>>,
        nonce: Option<u64>,
        ask: bool,
        cx: &mut Context<'_, Output<P>>,
    ) {
        let first = ask || !self.config.check_registration;
        if origin.peer == self.me {
            return;
        }
        if first && !self.active.contains(&from) {
            let probe = origin.peer == from && self.allow(from, Limited::Probe, PROBE_INTERVAL, cx.now());
            if !probe {
                self.turn_away(from, cx);
                return;
            }
        }
        count_by(&mut self.stats.nodes_shed, nodes.len().saturating_sub(self.config.shuffle_nodes_max));
        nodes.truncate(self.config.shuffle_nodes_max);
        let ttl = ttl.min(self.config.shuffle_walk);
        if ask {
            self.park(origin.peer, from, Message::Shuffle { ttl, origin, nodes, nonce }, cx);
            return;
        }
        let ttl = ttl.saturating_sub(1);
        let next = if ttl > 0 { self.next_hop([from, origin.peer], cx) } else { None };
        if let Some(next) = next {
            if let Some(nonce) = nonce.filter(|nonce| !self.shuffling.paths.contains(cx.now(), nonce))
                && self.shuffling.paths.insert(cx.now(), nonce, from).is_some()
            {
                count(&mut self.stats.paths_shed);
            }
            count(&mut self.stats.shuffles_forwarded);
            self.send(next, Message::Shuffle { ttl, origin, nodes, nonce }, cx);
        } else {
            self.answer_shuffle(from, origin, nodes, nonce, cx);
        }
    }

    /// The walk ends here: a sample in return, and a merge.
    fn answer_shuffle(
        &mut self,
        from: P,
        origin: Contact<P>,
        mut nodes: Vec<Contact<P>>,
        nonce: Option<u64>,
        cx: &mut Context<'_, Output<P>>,
    ) {
        count(&mut self.stats.shuffles_answered);
        let origin = self.bounded(origin);
        // Who sends little has little: at least A in return lets a starved node find its way (our choice).
        let size = nodes.len().saturating_add(1).clamp(self.capacity.active, self.sample_max());
        let mut without: Vec<P> = nodes.iter().map(|contact| contact.peer).collect();
        without.push(origin.peer);
        without.sort_unstable();
        let reply = self.sample(size, &without, Share::Passive, cx);
        let sent: Vec<P> = reply.iter().map(|contact| contact.peer).collect();
        if self.is_connected(&origin.peer) {
            self.send(origin.peer, Message::ShuffleReply { nodes: reply, nonce }, cx);
        } else if self.can_visit(&origin.peer) {
            self.visit(&origin, Some(Errand::Reply { nodes: reply, nonce, via: from }), cx);
        } else {
            count(&mut self.stats.temporaries_shed);
            self.send(from, Message::ShuffleReply { nodes: reply, nonce }, cx);
        }
        self.cut(&mut nodes, self.sample_max());
        let source = origin.peer;
        nodes.push(origin);
        self.merge(nodes, sent, source, cx);
    }

    pub(super) fn on_shuffle_reply(
        &mut self,
        from: P,
        mut nodes: Vec<Contact<P>>,
        nonce: Option<u64>,
        ask: bool,
        cx: &mut Context<'_, Output<P>>,
    ) {
        let now = cx.now();
        let ours = self.shuffling.outstanding.as_ref().is_some_and(|shuffle| {
            let matches = nonce.map_or_else(|| self.is_plain(&shuffle.to), |nonce| nonce == shuffle.nonce);
            matches && shuffle.until > now
        });
        if ours {
            if ask && nonce.is_none() {
                self.park(from, from, Message::ShuffleReply { nodes, nonce }, cx);
            } else if let Some(shuffle) = self.shuffling.outstanding.take() {
                count(&mut self.stats.replies_merged);
                self.cut(&mut nodes, self.sample_max());
                self.merge(nodes, shuffle.sent, from, cx);
            }
        } else if let Some(previous) = nonce.and_then(|nonce| self.take_path(nonce, now)) {
            count(&mut self.stats.replies_relayed);
            self.cut(&mut nodes, self.config.shuffle_nodes_max);
            self.send(previous, Message::ShuffleReply { nodes, nonce }, cx);
        } else if nonce.is_none()
            && self.shuffling.parting.take_if(|(peer, until)| *peer == from && *until > now).is_some()
        {
            self.cut(&mut nodes, self.capacity.active);
            self.merge(nodes, Vec::new(), from, cx);
        } else {
            count(&mut self.stats.replies_unasked);
            if !self.allow_unasked(from, now) {
                self.report(from, Violation::UnaskedReplies, cx);
            }
        }
    }

    /// Gives a neighbour that is being evicted somewhere to go (6.14).
    pub(super) fn send_parting_sample(&mut self, to: P, cx: &mut Context<'_, Output<P>>) {
        if !self.config.parting_sample || !self.is_extended(&to) {
            return;
        }
        let nodes = self.sample(self.capacity.active, &[to], Share::Passive, cx);
        if !nodes.is_empty() {
            self.send(to, Message::ShuffleReply { nodes, nonce: None }, cx);
        }
    }

    pub(super) fn expect_parting_sample(&mut self, from: P, now: Instant) {
        self.shuffling.parting = Some((from, now + PARTING));
    }

    fn take_path(&mut self, nonce: u64, now: Instant) -> Option<P> {
        let previous = self.shuffling.paths.get(now, &nonce).copied()?;
        self.shuffling.paths.remove(&nonce);
        Some(previous)
    }

    /// A random neighbour other than these two.
    fn next_hop(&self, without: [P; 2], cx: &mut Context<'_, Output<P>>) -> Option<P> {
        let others = || self.active.keys().filter(|peer| !without.contains(peer));
        let rank = rng::index(cx.rng(), others().count())?;
        others().nth(rank)
    }

    const fn sample_max(&self) -> usize {
        self.capacity.active.saturating_mul(2)
    }

    fn cut(&mut self, nodes: &mut Vec<Contact<P>>, most: usize) {
        count_by(&mut self.stats.nodes_shed, nodes.len().saturating_sub(most));
        nodes.truncate(most);
    }

    /// Random peers of both views, those in `without` (sorted) left out.
    fn sample(
        &self,
        size: usize,
        without: &[P],
        share: Share,
        cx: &mut Context<'_, Output<P>>,
    ) -> Vec<Contact<P>> {
        let allowed = |peer: &P| without.binary_search(peer).is_err();
        let mut reserve: Vec<P> = self.passive.keys().filter(allowed).collect();
        let mut neighbors: Vec<P> = self.active.keys().filter(allowed).collect();
        let from_passive = match share {
            Share::Passive => size,
            // At least half; more where neighbours are fewer than the rest.
            Share::Half => size.saturating_sub(neighbors.len().min(size / 2)),
        }
        .min(reserve.len());
        let from_active = size.saturating_sub(from_passive).min(neighbors.len());
        rng::choose_to_front(cx.rng(), &mut reserve, from_passive);
        rng::choose_to_front(cx.rng(), &mut neighbors, from_active);
        let passive = reserve.iter().take(from_passive).filter_map(|peer| {
            let candidate = self.passive.get(peer)?;
            Some(Contact { peer: *peer, addresses: candidate.addresses.clone() })
        });
        let active = neighbors.iter().take(from_active).filter_map(|peer| {
            let neighbor = self.active.get(peer)?;
            Some(Contact { peer: *peer, addresses: neighbor.addresses.clone() })
        });
        passive.chain(active).collect()
    }
}

/// How much of a sample comes from the passive view.
#[derive(Clone, Copy, Debug)]
enum Share {
    /// All, as far as there is enough.
    Passive,
    /// At least half.
    Half,
}
