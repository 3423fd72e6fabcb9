//! Who is registered: what the application has said of it, and the questions to it (`identity-and-content` 2.1).

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use super::timers::Timer;
use super::{Cx, Node, Output};
use crate::bounded::{Keyed, Recent};
use crate::identity::PeerId;
use crate::link::LinkId;
use crate::mesh::establishment::Motive;
use crate::mesh::{Config, Event, Registration};
use crate::session::Closing;
use crate::stats::count;
use crate::time::Instant;
use crate::{heads, overlay};

/// Answers about registration, and the questions that are open.
#[derive(Debug)]
pub(super) struct Registrations {
    /// Kept for the whole grace.
    yes: Recent<PeerId, Yes>,
    no: Recent<PeerId, ()>,
    /// Questions that the application has, and when it is too late for an answer; in the order of that.
    asked: VecDeque<(Instant, PeerId)>,
    /// Questions that wait for a place among those.
    queued: Keyed<PeerId, ()>,
    queued_max: usize,
    /// Questions about peers that others name, which wait behind those.
    named: Keyed<PeerId, ()>,
    named_max: usize,
}

/// The application has said yes.
#[derive(Clone, Copy, Debug)]
struct Yes {
    /// It holds, and need not be asked for again.
    fresh: Instant,
    /// It holds as long as there is no newer answer.
    grace: Instant,
}

impl Registrations {
    pub(super) fn new(config: &Config) -> Self {
        let kept = config.registered_lifetime.max(config.registered_grace);
        Self {
            yes: Recent::new(config.registrations_max, kept),
            no: Recent::new(config.registrations_max, config.unregistered_lifetime),
            asked: VecDeque::new(),
            queued: Keyed::new(config.registration_queue_max),
            queued_max: config.registration_queue_max,
            named: Keyed::new(config.registration_named_max),
            named_max: config.registration_named_max,
        }
    }

    fn known(&self, peer: &PeerId, now: Instant) -> Option<bool> {
        if self.yes.get(now, peer).is_some_and(|yes| yes.fresh > now) {
            Some(true)
        } else {
            self.no.contains(now, peer).then_some(false)
        }
    }

    fn is_open(&self, peer: &PeerId) -> bool {
        self.asked.iter().any(|(_, asked)| asked == peer) || self.queued.get(peer).is_some()
    }

    fn close(&mut self, peer: &PeerId) {
        self.asked.retain(|(_, asked)| asked != peer);
        self.queued.remove(peer);
        self.named.remove(peer);
    }

    /// The peer to ask about next when there are `places`, with links first: whom others name anybody can make up, so the
    /// application is asked about those only while half of the places are free.
    fn next(&mut self, places: usize) -> Option<PeerId> {
        let queued = if self.asked.len() < places { self.queued.pop() } else { None };
        let next = queued.or_else(|| if self.has_place_for_named(places) { self.named.pop() } else { None });
        next.map(|(peer, ())| peer)
    }

    fn has_place_for_named(&self, places: usize) -> bool {
        self.asked.len() < places.div_ceil(2)
    }

    /// Keeps an answer. Whether another was forgotten for it.
    fn answer(&mut self, now: Instant, peer: PeerId, registered: bool, config: &Config) -> bool {
        if registered {
            self.no.remove(&peer);
            let fresh = now + config.registered_lifetime;
            let yes = Yes { fresh, grace: fresh.max(now + config.registered_grace) };
            self.yes.insert(now, peer, yes).is_some()
        } else {
            self.yes.remove(&peer);
            self.no.insert(now, peer, ()).is_some()
        }
    }

    /// Lets an earlier yes hold on for `span`, if its grace lasts.
    fn prolong(&mut self, now: Instant, peer: &PeerId, span: Duration) -> bool {
        let Some(yes) = self.yes.get_mut(now, peer).filter(|yes| yes.grace > now) else { return false };
        yes.fresh = yes.fresh.max(yes.grace.min(now + span));
        true
    }
}

impl Node {
    /// Whether a peer may take part; none if that is not known.
    pub(super) fn is_registered(&self, peer: PeerId, now: Instant) -> Option<bool> {
        match &self.config.registration {
            Registration::Open => Some(true),
            Registration::AllowList(peers) => Some(peers.contains(&peer)),
            Registration::Query => self.registrations.known(&peer, now),
        }
    }

    /// Asks the application about a peer that has a link, once at a time for each peer and about so many peers at once;
    /// the others wait. False if too many wait.
    pub(super) fn ask_registration(&mut self, peer: PeerId, cx: &mut Cx<'_>) -> bool {
        if self.registrations.is_open(&peer) {
            return true;
        }
        self.registrations.named.remove(&peer);
        if self.registrations.asked.len() < self.config.registration_questions_max {
            self.question(peer, cx);
        } else if self.registrations.queued.len() < self.registrations.queued_max {
            self.registrations.queued.push(peer, ());
            count(&mut self.stats.registrations_queued);
        } else {
            count(&mut self.stats.registrations_refused);
            return false;
        }
        true
    }

    /// Asks the application about a peer that others name. Where too many wait, what the question is for is forgotten in
    /// its time.
    fn ask_about_named(&mut self, peer: PeerId, cx: &mut Cx<'_>) {
        if self.registrations.is_open(&peer) || self.registrations.named.get(&peer).is_some() {
            return;
        }
        if self.registrations.has_place_for_named(self.config.registration_questions_max) {
            self.question(peer, cx);
        } else if self.registrations.named.len() < self.registrations.named_max {
            self.registrations.named.push(peer, ());
            count(&mut self.stats.registrations_queued);
        } else {
            count(&mut self.stats.registrations_named_shed);
        }
    }

    fn question(&mut self, peer: PeerId, cx: &mut Cx<'_>) {
        let patience = self.config.registration_timeout.max(Duration::from_millis(1));
        self.registrations.asked.push_back((cx.now() + patience, peer));
        self.await_answers();
        cx.emit(Output::Event(Event::Registration { peer }));
    }

    /// There may be a place for a question that waits.
    fn ask_next(&mut self, cx: &mut Cx<'_>) {
        while let Some(peer) = self.registrations.next(self.config.registration_questions_max) {
            self.question(peer, cx);
        }
        self.await_answers();
    }

    fn await_answers(&mut self) {
        let first = self.registrations.asked.front().map(|(until, _)| *until);
        self.timers.set(Timer::Questions, first);
    }

    pub(super) fn questions_timeout(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        let late = self.registrations.asked.iter().take_while(|(until, _)| *until <= now).count();
        let late: Vec<PeerId> = self.registrations.asked.drain(..late).map(|(_, peer)| peer).collect();
        // Who has waited is asked about first.
        self.ask_next(cx);
        for peer in late {
            count(&mut self.stats.registrations_unanswered);
            self.unanswered(peer, cx);
        }
    }

    /// There is no answer about a peer. Who was let in before stays on the earlier answer; a new one waits, and is asked
    /// about again.
    fn unanswered(&mut self, peer: PeerId, cx: &mut Cx<'_>) {
        if self.prolong_registration(peer, cx.now()) {
            self.spread_registered(peer, true, cx);
        } else if self.is_linked(peer) {
            self.spread_registered(peer, false, cx);
        } else {
            self.decide_waiting(peer, cx);
        }
    }

    /// Lets the earlier answer about a peer hold on, if there is one that is not too old.
    pub(super) fn prolong_registration(&mut self, peer: PeerId, now: Instant) -> bool {
        let holds = self.registrations.prolong(now, &peer, self.config.registered_retry);
        if holds {
            count(&mut self.stats.registrations_prolonged);
        }
        holds
    }

    /// An overlay or the table of HEADs asks about a peer.
    pub(super) fn check_registered(&mut self, peer: PeerId, cx: &mut Cx<'_>) {
        match self.is_registered(peer, cx.now()) {
            Some(registered) => self.tell_registered(peer, registered, cx),
            None if self.is_linked(peer) => {
                self.ask_registration(peer, cx);
            }
            None => self.ask_about_named(peer, cx),
        }
    }

    /// The application has answered.
    pub(super) fn registered(&mut self, peer: PeerId, registered: bool, cx: &mut Cx<'_>) {
        self.registrations.close(&peer);
        if self.registrations.answer(cx.now(), peer, registered, &self.config) {
            count(&mut self.stats.registrations_shed);
        }
        self.ask_next(cx);
        self.spread_registered(peer, registered, cx);
    }

    /// Whether a peer may take part is known now.
    fn spread_registered(&mut self, peer: PeerId, registered: bool, cx: &mut Cx<'_>) {
        self.decide_waiting(peer, cx);
        self.tell_registered(peer, registered, cx);
        if registered {
            self.watch_registration(peer, cx.now());
        } else if self.config.registration == Registration::Query && self.is_linked(peer) {
            self.exclude(peer, cx);
        }
    }

    fn tell_registered(&mut self, peer: PeerId, registered: bool, cx: &mut Cx<'_>) {
        self.overlays(&overlay::Input::Registered { peer, registered }, cx);
        self.heads_input(heads::Input::Admitted { peer, admitted: registered }, cx);
    }

    /// Who is not registered any more goes, after the overlays have taken their leave; it is not banned (`overlay` 7.2).
    fn exclude(&mut self, peer: PeerId, cx: &mut Cx<'_>) {
        self.drain(cx);
        let links: Vec<LinkId> =
            self.peers.get(&peer).map(|known| known.links().collect()).unwrap_or_default();
        for link in links {
            self.close(link, Some(Motive::Registration), Closing::Flush, cx);
        }
    }

    /// A linked peer is asked about again when the answer about it is old.
    pub(super) fn watch_registration(&mut self, peer: PeerId, now: Instant) {
        if self.config.registration != Registration::Query || !self.is_linked(peer) {
            return;
        }
        let soonest = now + self.config.registration_timeout.max(Duration::from_millis(1));
        let fresh = self.registrations.yes.get(now, &peer).map_or(soonest, |yes| yes.fresh.max(soonest));
        self.timers.set(Timer::Registered(peer), Some(fresh));
    }

    /// The answer about a linked peer is old.
    pub(super) fn verify(&mut self, peer: PeerId, cx: &mut Cx<'_>) {
        if self.is_registered(peer, cx.now()).is_some() {
            self.watch_registration(peer, cx.now());
        } else if !self.ask_registration(peer, cx) {
            self.unanswered(peer, cx);
        }
    }

    fn is_linked(&self, peer: PeerId) -> bool {
        self.peers.get(&peer).is_some_and(super::peers::Peer::is_linked)
    }
}
