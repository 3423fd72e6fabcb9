//! What becomes of a HEAD that was received.

use alloc::vec::Vec;

use super::machine::Cx;
use super::table::{Entry, Source};
use super::{Admission, Announced, Event, Heads, Output, Rules, Stats, Untimely, Violation};
use crate::stats::{count, count_by};
use crate::time::Instant;

/// A verified HEAD on its way into the table.
#[derive(Clone, Debug)]
pub(super) struct Candidate<P, K, H> {
    key: K,
    announced: Announced<H>,
    owner: P,
    source: Source<P>,
    expires: Instant,
}

pub(super) type CandidateOf<R> = Candidate<<R as Rules>::Peer, <R as Rules>::Key, <R as Rules>::Head>;

/// What is to be done with a HEAD, as far as can be said without its signature.
enum Judgement {
    /// Count it.
    Ignore(fn(&mut Stats) -> &mut u64),
    /// It is the HEAD that is held, signature included, with a smaller step.
    Shorten,
    /// Look at its signature, then do this.
    Verify(Purpose),
}

#[derive(Clone, Copy)]
enum Purpose {
    /// It is the HEAD that is held under another signature, with a smaller step.
    Shorten,
    /// It is new or newer.
    Replace,
    /// It is our own, newer than we know.
    Recover,
}

/// Whether HEADs of an owner are spread.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Standing {
    Admitted,
    Refused,
    Unknown,
}

impl<R: Rules> Heads<R> {
    pub(super) fn on_received(&mut self, from: R::Peer, heads: Vec<Announced<R::Head>>, cx: Cx<'_, '_, R>) {
        count_by(&mut self.stats.received, heads.len());
        let Some(serial) = self.links.get(&from).map(|link| link.serial) else {
            count_by(&mut self.stats.unlinked, heads.len());
            return;
        };
        for mut announced in heads {
            announced.step = announced.step.min(R::STEP_MAX);
            if let Err(violation) = self.receive(Source { peer: from, serial }, announced, cx) {
                cx.emit(Output::Violation { peer: from, violation });
                return;
            }
        }
    }

    /// The answer about an owner: what waited for it is taken or dropped, what is held is spread or removed (H6).
    pub(super) fn on_admitted(&mut self, peer: R::Peer, admitted: bool, cx: Cx<'_, '_, R>) {
        let now = cx.now();
        let before = self.standing(peer, now);
        if self.answers.insert(now, peer, admitted).is_some() {
            count(&mut self.stats.answers_shed);
        }
        let waiting: Vec<R::Key> = self
            .waiting
            .iter(now)
            .filter(|(_, candidate)| candidate.owner == peer)
            .map(|(key, _)| key.clone())
            .collect();
        for key in waiting {
            if let Some(candidate) = self.waiting.remove(&key) {
                self.take_or_drop(candidate, admitted, cx);
            }
        }
        if admitted {
            self.spread_direct(peer, now);
        } else if before == Standing::Admitted {
            self.withdraw(peer);
        }
    }

    fn receive(
        &mut self,
        source: Source<R::Peer>,
        announced: Announced<R::Head>,
        cx: Cx<'_, '_, R>,
    ) -> Result<(), Violation> {
        let now = cx.now();
        let lifetime = match self.rules.lifetime(&announced.head, cx.wall()) {
            Ok(lifetime) => lifetime,
            Err(untimely) => {
                count(match untimely {
                    Untimely::Early => &mut self.stats.early,
                    Untimely::Late => &mut self.stats.late,
                });
                return Ok(());
            }
        };
        let key = self.rules.key(&announced.head);
        let owner = self.rules.owner(&announced.head);
        self.note_owner(source.peer, owner, &key);
        let purpose = match self.judge(source.peer, &key, &announced, now) {
            Judgement::Ignore(counter) => {
                count(counter(&mut self.stats));
                return Ok(());
            }
            Judgement::Shorten => {
                self.shorten(&key, source, announced.step, now);
                return Ok(());
            }
            Judgement::Verify(purpose) => purpose,
        };
        count(&mut self.stats.verified);
        if !self.rules.verify(&announced.head) {
            count(&mut self.stats.wrong_signature);
            return Err(Violation::WrongSignature);
        }
        match purpose {
            Purpose::Shorten => self.shorten(&key, source, announced.step, now),
            Purpose::Recover => self.recover(announced.head, cx),
            Purpose::Replace => {
                let candidate = Candidate { key, announced, owner, source, expires: now + lifetime };
                self.admit(candidate, cx);
            }
        }
        Ok(())
    }

    /// All the cheap questions, in the order of the module documentation.
    fn judge(
        &mut self,
        from: R::Peer,
        key: &R::Key,
        announced: &Announced<R::Head>,
        now: Instant,
    ) -> Judgement {
        let head = &announced.head;
        if *key == self.rules.own_key() {
            return match &self.own.latest {
                Some(known) if self.rules.order(head) <= self.rules.order(known) => {
                    Judgement::Ignore(|stats| &mut stats.known)
                }
                _ => Judgement::Verify(Purpose::Recover),
            };
        }
        match self.table.get(key) {
            Some(entry) if self.rules.order(head) <= self.rules.order(&entry.head) => {
                return self.judge_known(from, key, announced);
            }
            _ => {}
        }
        let waiting = self.waiting.get(now, key);
        if waiting.is_some_and(|other| self.rules.order(head) <= self.rules.order(&other.announced.head)) {
            return Judgement::Ignore(|stats| &mut stats.known);
        }
        if self.table.get(key).is_none() {
            if waiting.is_none() && self.has_used_up_new_keys(&from, now) {
                return Judgement::Ignore(|stats| &mut stats.new_keys_exceeded);
            }
            if self.is_older_than_all(head) {
                return Judgement::Ignore(|stats| &mut stats.older_than_all);
            }
        }
        let owner = self.rules.owner(head);
        let direct = from == owner && announced.step == 0;
        if !direct && self.standing(owner, now) == Standing::Refused {
            return Judgement::Ignore(|stats| &mut stats.not_admitted);
        }
        Judgement::Verify(Purpose::Replace)
    }

    /// A HEAD that is not newer than the one held: only a shorter way of the same is news (H3).
    fn judge_known(&mut self, from: R::Peer, key: &R::Key, announced: &Announced<R::Head>) -> Judgement {
        const IGNORE: Judgement = Judgement::Ignore(|stats| &mut stats.known);
        let Some(entry) = self.table.get(key) else { return IGNORE };
        if !self.rules.same(&announced.head, &entry.head) {
            return IGNORE;
        }
        if announced.step < entry.step {
            let verified = announced.head == entry.head;
            return if verified { Judgement::Shorten } else { Judgement::Verify(Purpose::Shorten) };
        }
        // The sender holds it too, and what we would send is no shorter way: it need not hear it from us.
        if announced.step <= entry.step.saturating_add(1)
            && let Some(link) = self.links.get_mut(&from)
        {
            link.changed.remove(key);
        }
        IGNORE
    }

    /// Whether a full table has no room for a HEAD as old as this.
    fn is_older_than_all(&self, head: &R::Head) -> bool {
        self.table.len() >= self.config.entries
            && self.first_to_go().is_none_or(|(oldest, _)| self.rules.issued(head) <= *oldest)
    }

    /// Remembers what a peer announces as its own: that stays in the table longest.
    fn note_owner(&mut self, from: R::Peer, owner: R::Peer, key: &R::Key) {
        if from == owner
            && let Some(link) = self.links.get_mut(&from)
            && link.own.len() < self.config.protected_per_link
        {
            link.own.insert(key.clone());
        }
    }

    fn standing(&self, owner: R::Peer, now: Instant) -> Standing {
        match (self.config.admission, self.answers.get(now, &owner)) {
            (_, Some(false)) => Standing::Refused,
            (Admission::Open, _) | (Admission::Ask, Some(true)) => Standing::Admitted,
            (Admission::Ask, None) => Standing::Unknown,
        }
    }

    fn admit(&mut self, candidate: CandidateOf<R>, cx: Cx<'_, '_, R>) {
        let now = cx.now();
        // One that waits has cost a signature and a question: it counts whatever the answer.
        if self.table.get(&candidate.key).is_none() && self.waiting.get(now, &candidate.key).is_none() {
            self.note_new_key(candidate.source.peer, now);
        }
        match self.standing(candidate.owner, now) {
            Standing::Admitted => self.take_or_drop(candidate, true, cx),
            Standing::Refused => self.take_or_drop(candidate, false, cx),
            Standing::Unknown => {
                let peer = candidate.owner;
                if self.waiting.insert(now, candidate.key.clone(), candidate).is_some() {
                    count(&mut self.stats.waiting_shed);
                }
                cx.emit(Output::CheckAdmitted { peer });
            }
        }
    }

    fn take_or_drop(&mut self, candidate: CandidateOf<R>, admitted: bool, cx: Cx<'_, '_, R>) {
        let direct = candidate.source.peer == candidate.owner && candidate.announced.step == 0;
        if !admitted && !direct {
            count(&mut self.stats.not_admitted);
            return;
        }
        let Candidate { key, announced: Announced { head, step }, source, expires, .. } = candidate;
        if self.table.get(&key).is_none() {
            self.make_room(&key);
        }
        let issued = self.rules.issued(&head);
        let entry = Entry { head: head.clone(), step, issued, spread: admitted, source: Some(source) };
        self.table.put(key.clone(), entry, Some(expires));
        count(&mut self.stats.replaced);
        self.announce(&key, cx.now());
        cx.emit(Output::Event(Event::Replaced { key, head, step }));
    }

    fn has_used_up_new_keys(&self, from: &R::Peer, now: Instant) -> bool {
        self.new_keys.get(now, from).is_some_and(|taken| *taken >= self.config.new_keys_per_hour)
    }

    fn note_new_key(&mut self, from: R::Peer, now: Instant) {
        match self.new_keys.get_mut(now, &from) {
            Some(taken) => *taken = taken.saturating_add(1),
            None => {
                if self.new_keys.insert(now, from, 1).is_some() {
                    count(&mut self.stats.new_keys_shed);
                }
            }
        }
    }

    fn shorten(&mut self, key: &R::Key, source: Source<R::Peer>, step: u32, now: Instant) {
        if let Some(entry) = self.table.get_mut(key) {
            entry.step = step;
            entry.source = Some(source);
            count(&mut self.stats.shortened);
            self.announce(key, now);
        }
    }

    /// A linked peer was admitted after its own HEADs had come: they are spread from now on.
    fn spread_direct(&mut self, peer: R::Peer, now: Instant) {
        let keys = self.links.get(&peer).map(|link| link.own.clone()).unwrap_or_default();
        for key in keys {
            let Some(entry) = self.table.get_mut(&key) else { continue };
            if !core::mem::replace(&mut entry.spread, true) {
                self.announce(&key, now);
            }
        }
    }

    /// A peer is admitted no more: its HEADs are spread no more, and stay only if it is linked itself.
    fn withdraw(&mut self, peer: R::Peer) {
        let of_peer: Vec<R::Key> = self
            .table
            .iter()
            .filter(|(_, entry)| entry.source.is_some() && self.rules.owner(&entry.head) == peer)
            .map(|(key, _)| key.clone())
            .collect();
        for key in of_peer {
            let direct = |source: &Source<R::Peer>| source.peer == peer && self.links.contains_key(&peer);
            match self.table.get_mut(&key) {
                Some(entry) if entry.step == 0 && entry.source.as_ref().is_some_and(direct) => {
                    entry.spread = false
                }
                _ => {
                    self.table.remove(&key);
                }
            }
            self.forget(&key);
        }
    }
}
