//! Joining through bootstrap nodes, JOIN and FORWARD_JOIN (`overlay` 4.1 to 4.3), and leaving (6.14).

use alloc::vec::Vec;
use core::fmt::Debug;
use core::time::Duration;

use bytes::Bytes;
use rand_core::Rng;

use super::conduct::Limited;
use super::links::Errand;
use super::passive::Candidate;
use super::{Config, Contact, DownReason, Event, Message, Output, Overlay, Priority, Violation};
use crate::machine::Context;
use crate::rng;
use crate::stats::{count, count_by};
use crate::time::Instant;

/// Where we join, and how far that has come.
#[derive(Clone, Debug)]
pub(super) struct Joining<P> {
    /// Shuffled anew when all had their turn.
    pub(super) bootstrap: Vec<Contact<P>>,
    next: usize,
    /// The parent said `Join`.
    pub(super) started: bool,
    /// Bootstrap nodes that this round has not tried.
    left: usize,
    /// When the latest round began.
    latest: Option<Instant>,
    /// Who has our latest JOIN.
    through: Option<P>,
    wait: Duration,
    /// We asked around without a neighbour, and none was won since.
    seeking: bool,
    /// The parent was asked in this round.
    parent_asked: bool,
    confirmations: u32,
}

impl<P: Copy + Ord + Debug> Joining<P> {
    pub(super) const fn new(config: &Config) -> Self {
        Self {
            bootstrap: Vec::new(),
            next: 0,
            started: false,
            left: 0,
            latest: None,
            through: None,
            wait: config.join_retry_min,
            seeking: false,
            parent_asked: false,
            confirmations: 0,
        }
    }

    pub(super) fn forget(&mut self, peer: &P) {
        self.bootstrap.retain(|contact| contact.peer != *peer);
    }

    /// Whether a JOIN of ours may be on its way through the network.
    pub(super) fn is_recent(&self, now: Instant, span: Duration) -> bool {
        !self.bootstrap.is_empty() && self.latest.is_some_and(|latest| now.since(latest) < span)
    }

    /// The next bootstrap node, in random order, none twice before all had their turn.
    fn next(&mut self, rng: &mut (impl Rng + ?Sized)) -> Option<Contact<P>> {
        if self.next >= self.bootstrap.len() {
            let all = self.bootstrap.len();
            rng::choose_to_front(rng, &mut self.bootstrap, all);
            self.next = 0;
        }
        let contact = self.bootstrap.get(self.next).cloned();
        self.next = self.next.saturating_add(1);
        contact
    }
}

impl<P: Copy + Ord + Debug> Overlay<P> {
    /// Starts, or takes a hint for repair.
    pub(super) fn start(&mut self, bootstrap: Vec<Contact<P>>, cx: &mut Context<'_, Output<P>>) {
        let mut news = false;
        for contact in bootstrap {
            let contact = self.bounded(contact);
            let known = &mut self.joining.bootstrap;
            if contact.peer == self.me {
                continue;
            }
            if let Some(same) = known.iter_mut().find(|known| known.peer == contact.peer) {
                *same = contact;
            } else if known.len() < self.config.bootstrap_max {
                known.push(contact);
                news = true;
            } else {
                count(&mut self.stats.bootstrap_shed);
            }
        }
        if news {
            self.joining.next = self.joining.bootstrap.len();
            self.rejoin_now();
        }
        if !self.joining.started {
            self.joining.started = true;
            self.start_timers(cx);
        }
        self.refilling |= !self.active.is_empty();
        self.unsettled = true;
    }

    pub(super) fn on_addresses(&mut self, addresses: Vec<Bytes>) {
        let own = Contact { peer: self.me, addresses };
        let first = self.addresses.is_none();
        self.addresses = Some(self.bounded(own).addresses);
        if first {
            self.rejoin_now();
        }
    }

    /// Stranded: joins again (5.4), at most once in `join_retry_min`.
    pub(super) fn seek(&mut self, cx: &mut Context<'_, Output<P>>) {
        if !self.is_stranded() || !self.joining.started || self.addresses.is_none() {
            return;
        }
        if self.timers.join.is_none() {
            let pause = self.config.join_retry_min.saturating_add(self.late_by(self.config.join_retry_min));
            let earliest = self.joining.latest.map(|latest| latest + pause);
            match earliest.filter(|earliest| *earliest > cx.now()) {
                Some(earliest) => self.timers.join = Some(earliest),
                None => self.join_round(cx),
            }
        }
    }

    /// Without neighbours and requests; or starved and knowing nobody else, as the nodes of a small island are, who would
    /// otherwise wait for the others to find them (6.12).
    pub(super) const fn is_stranded(&self) -> bool {
        let starved = self.active.len() < self.capacity.starved && self.passive.is_empty();
        self.pending.is_empty() && (self.active.is_empty() || starved)
    }

    /// How much later than nominal a JOIN is repeated: the one before had to wait for its connection, and one that comes
    /// within `join_interval` of another is ignored.
    fn late_by(&self, wait: Duration) -> Duration {
        wait.saturating_mul(self.config.jitter_percent.min(100)) / 100
    }

    /// Tries one bootstrap node after the other until one is reached, and one lost neighbour. Asks the parent too, if an
    /// earlier round reached some who did not help.
    pub(super) fn join_round(&mut self, cx: &mut Context<'_, Output<P>>) {
        let share = self.late_by(self.joining.wait);
        let wait = self.joining.wait.saturating_add(share).saturating_add(rng::up_to(cx.rng(), share));
        self.timers.join = Some(self.after(wait, cx.now()));
        self.joining.wait = self.joining.wait.saturating_mul(2).min(self.config.join_retry_max);
        self.joining.latest = Some(cx.now());
        self.joining.left = self.joining.bootstrap.len();
        self.joining.parent_asked = false;
        if self.joining.seeking {
            self.ask_parent(cx);
        }
        self.join_next(cx);
        self.try_lost(cx);
    }

    fn ask_parent(&mut self, cx: &mut Context<'_, Output<P>>) {
        if !self.joining.parent_asked {
            self.joining.parent_asked = true;
            cx.emit(Output::Event(Event::Stranded));
        }
    }

    /// The parent knows these: no neighbour vouches for them, so they are candidates that we named ourselves.
    pub(super) fn on_known(&mut self, contacts: Vec<Contact<P>>, cx: &mut Context<'_, Output<P>>) {
        count_by(&mut self.stats.passive_shed, contacts.len().saturating_sub(self.capacity.passive));
        for contact in contacts.into_iter().take(self.capacity.passive) {
            if !self.refresh_candidate(&contact) {
                let contact = self.bounded(contact);
                self.keep(contact.peer, Candidate::unverified(contact.addresses, self.me), cx);
            }
        }
        self.joining.seeking |= self.active.is_empty();
        self.unsettled = true;
    }

    /// The bootstrap node was not reached: on to the next one at once.
    pub(super) fn join_failed(&mut self, cx: &mut Context<'_, Output<P>>) {
        if self.is_stranded() {
            self.join_next(cx);
        }
    }

    fn join_next(&mut self, cx: &mut Context<'_, Output<P>>) {
        while self.joining.left > 0 {
            self.joining.left = self.joining.left.saturating_sub(1);
            if self.join_through_next(cx) {
                return;
            }
        }
        self.ask_parent(cx);
    }

    fn join_through_next(&mut self, cx: &mut Context<'_, Output<P>>) -> bool {
        let Some(contact) = self.joining.next(cx.rng()) else { return false };
        !self.active.contains(&contact.peer) && self.visit(&contact, Some(Errand::Join), cx)
    }

    /// Joins once more, through another bootstrap node (6.12).
    pub(super) fn confirm_join(&mut self, cx: &mut Context<'_, Output<P>>) {
        self.timers.confirm = None;
        if self.joining.confirmations == 0 || self.addresses.is_none() {
            return;
        }
        self.joining.confirmations -= 1;
        self.join_through_next(cx);
        self.plan_confirmation(cx);
    }

    pub(super) fn send_join(&mut self, to: P, cx: &mut Context<'_, Output<P>>) {
        if self.active.contains(&to) {
            return;
        }
        self.joining.seeking |= self.active.is_empty();
        self.joining.through = Some(to);
        self.timers.patience = Some(self.after(self.config.join_patience, cx.now()));
        count(&mut self.stats.joins_sent);
        let nonce = Some(cx.rng().next_u64());
        self.send(to, Message::Join { ttl: self.config.join_walk, peer: self.own_contact(), nonce }, cx);
    }

    /// Nobody came. The walk is lost if it crosses an eviction, and where many join at once its places are taken: a
    /// shuffle from the same node brings a sample of peers to ask, and makes us known at its end (our choice).
    pub(super) fn ask_around(&mut self, cx: &mut Context<'_, Output<P>>) {
        self.timers.patience = None;
        let through = self.joining.through.take();
        if let Some(through) = through.filter(|peer| self.active.is_empty() && self.is_connected(peer)) {
            self.send_shuffle(through, cx);
        }
    }

    /// A neighbour was won.
    pub(super) fn joined(&mut self, cx: &mut Context<'_, Output<P>>) {
        self.timers.join = None;
        self.timers.patience = None;
        self.joining.wait = self.config.join_retry_min;
        self.joining.left = 0;
        if self.joining.seeking {
            self.joining.seeking = false;
            self.shuffle_soon(cx);
            self.joining.confirmations = self.config.join_confirmations;
            self.plan_confirmation(cx);
        }
    }

    fn plan_confirmation(&mut self, cx: &mut Context<'_, Output<P>>) {
        if self.joining.confirmations > 0 && self.joining.bootstrap.len() > 1 {
            let wait = rng::up_to(cx.rng(), self.config.join_confirmation_within);
            self.timers.confirm = Some(self.after(wait, cx.now()));
        }
    }

    fn rejoin_now(&mut self) {
        if self.active.is_empty() {
            self.timers.join = None;
            self.joining.latest = None;
            self.joining.wait = self.config.join_retry_min;
        }
        self.unsettled = true;
    }

    /// 4.2: pass the joiner on; take it only if we are starved ourselves or have nobody to pass it to.
    pub(super) fn on_join(
        &mut self,
        from: P,
        peer: Contact<P>,
        nonce: Option<u64>,
        ask: bool,
        cx: &mut Context<'_, Output<P>>,
    ) {
        if peer.peer != from {
            self.impersonated(from, cx);
            return;
        }
        if (ask || !self.config.check_registration)
            && !self.allow(from, Limited::Join, self.config.join_interval, cx.now())
        {
            count(&mut self.stats.joins_limited);
            self.report(from, Violation::RateExceeded, cx);
            return;
        }
        if ask {
            self.park(from, from, Message::Join { ttl: self.config.join_walk, peer, nonce }, cx);
            return;
        }
        count(&mut self.stats.joins_received);
        let joiner = self.bounded(peer);
        let alone = !self.active.keys().any(|peer| peer != from);
        let room = self.active.len() < self.capacity.active;
        if self.active.contains(&from) {
            self.confirm(from, cx);
        } else if room && (alone || self.active.len() < self.capacity.starved) {
            self.link(joiner.clone(), cx);
        } else {
            self.add_passive(joiner.clone(), from, cx);
            self.visit(&joiner, None, cx);
        }
        let message = Message::ForwardJoin { ttl: self.config.join_walk, peer: joiner, nonce };
        self.pass_on(message, 1, [from, from], cx);
    }

    /// 4.3: offer the joiner a link, and pass it on.
    pub(super) fn on_forward_join(
        &mut self,
        from: P,
        ttl: u32,
        peer: Contact<P>,
        nonce: Option<u64>,
        ask: bool,
        cx: &mut Context<'_, Output<P>>,
    ) {
        let joiner = peer.peer;
        if ask || !self.config.check_registration {
            if !self.active.contains(&from) {
                self.turn_away(from, cx);
                return;
            }
            if joiner == self.me {
                return;
            }
            if self.joins.contains(cx.now(), &(joiner, nonce)) {
                count(&mut self.stats.joins_repeated);
                return;
            }
            if self.joins.insert(cx.now(), (joiner, nonce), ()).is_some() {
                count(&mut self.stats.joins_shed);
            }
        }
        let ttl = ttl.min(self.config.join_walk);
        if ask {
            self.park(joiner, from, Message::ForwardJoin { ttl, peer, nonce }, cx);
            return;
        }
        let contact = self.bounded(peer);
        self.offer(ttl, &contact, from, cx);
        if ttl > 1 {
            let fanout = match self.config.join_fanout {
                0 => usize::MAX,
                fanout => fanout,
            };
            let message = Message::ForwardJoin { ttl: ttl - 1, peer: contact, nonce };
            self.pass_on(message, fanout, [from, joiner], cx);
        }
    }

    fn offer(&mut self, ttl: u32, contact: &Contact<P>, from: P, cx: &mut Context<'_, Output<P>>) {
        let joiner = contact.peer;
        if self.active.contains(&joiner) || self.pending.contains(&joiner) {
            return;
        }
        let busy = self.is_backed_off(&joiner, cx.now()) || self.pending.len() >= self.capacity.active;
        let free = self.active.len() + self.pending.len() < self.capacity.active;
        let first_hop = ttl == self.config.join_walk;
        if !busy && (free || (first_hop && self.may_evict(cx.now()))) {
            let priority = if free { Priority::Low } else { Priority::High };
            self.request(joiner, &contact.addresses, priority, cx);
        } else {
            self.add_passive(contact.clone(), from, cx);
        }
    }

    /// Sends to at most `fanout` random neighbours, those in `without` left out.
    fn pass_on(
        &mut self,
        message: Message<P>,
        fanout: usize,
        without: [P; 2],
        cx: &mut Context<'_, Output<P>>,
    ) {
        let mut others: Vec<P> = self.active.keys().filter(|peer| !without.contains(peer)).collect();
        rng::choose_to_front(cx.rng(), &mut others, fanout);
        for peer in others.into_iter().take(fanout) {
            self.send(peer, message.clone(), cx);
        }
    }

    /// 5.1: makes `contact` a neighbour and tells it so.
    pub(super) fn link(&mut self, contact: Contact<P>, cx: &mut Context<'_, Output<P>>) {
        let peer = contact.peer;
        self.activate(peer, contact.addresses, None, true, cx);
        self.start_link(peer, Priority::Low, cx);
    }

    /// 6.14: says goodbye and ends; nothing follows.
    pub(super) fn leave(&mut self, cx: &mut Context<'_, Output<P>>) {
        for peer in self.active.keys().collect::<Vec<P>>() {
            self.send_disconnect(peer, false, None, cx);
            self.deactivate(peer, DownReason::Local, cx);
        }
        let asked: Vec<P> =
            self.pending.iter().filter(|(_, request)| request.asked).map(|(peer, _)| peer).collect();
        for peer in asked {
            self.send_disconnect(peer, false, None, cx);
        }
        for peer in self.held().collect::<Vec<P>>() {
            cx.emit(Output::Release { peer });
        }
        *self = Self { closed: true, epoch: self.epoch, stats: self.stats, ..Self::empty(self) };
    }

    pub(super) fn impersonated(&mut self, peer: P, cx: &mut Context<'_, Output<P>>) {
        count(&mut self.stats.impersonations);
        cx.emit(Output::Violation { peer, violation: Violation::Impersonation });
    }

    fn empty(&self) -> Self {
        Self::new(alloc::sync::Arc::clone(&self.config), self.me, crate::time::WallTime::default())
    }
}
