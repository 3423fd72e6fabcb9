//! Payloads: published, received, validated, delivered and relayed (`broadcast` 4.1, 4.2, 5, 7).

use alloc::vec::Vec;
use core::fmt::Debug;

use bytes::Bytes;

use super::machine::{Broadcast, Timer};
use super::missing::Announcer;
use super::store::Serial;
use super::validation::Waiting;
use super::{Event, Id, Ids, Message, Outcome, Output, Scope, Verdict, Violation};
use crate::machine::Context;
use crate::stats::{count, count_by};

impl<P: Copy + Ord + Debug> Broadcast<P> {
    /// 4.1 and 7.
    pub(super) fn publish(
        &mut self,
        token: u64,
        payload: Bytes,
        scope: Scope,
        cx: &mut Context<'_, Output<P>>,
    ) {
        let id = Id::of(&payload);
        let outcome = match scope {
            _ if payload.len() > self.config.publish_max => Outcome::TooLarge,
            Scope::Neighbours => self.publish_to_neighbours(id, payload, cx),
            Scope::Swarm if self.store.find(self.now, &id, &self.config).is_some() => Outcome::AlreadySeen,
            Scope::Swarm if self.validating.contains(&id) => Outcome::AlreadySeen,
            // Under another id, which only opaque ids allow.
            Scope::Swarm if self.contents.contains(self.now, &id) => Outcome::AlreadySeen,
            Scope::Swarm => self.publish_to_swarm(id, payload, cx),
        };
        if matches!(outcome, Outcome::Sent | Outcome::NoNeighbours) {
            count(&mut self.stats.published);
        }
        cx.emit(Output::Event(Event::Published { token, id, outcome }));
    }

    fn publish_to_swarm(&mut self, id: Id, payload: Bytes, cx: &mut Context<'_, Output<P>>) -> Outcome {
        let announcers = self.forget_missing(&id);
        if self.config.ids == Ids::Opaque && self.contents.insert(self.now, id, ()).is_some() {
            count(&mut self.stats.memory_shed);
        }
        self.relay((id, 0), None, payload, &announcers, cx);
        if self.peers.is_empty() { Outcome::NoNeighbours } else { Outcome::Sent }
    }

    fn publish_to_neighbours(&mut self, id: Id, payload: Bytes, cx: &mut Context<'_, Output<P>>) -> Outcome {
        let peers: Vec<P> = self.peers.iter().filter(|peer| peer.extended).map(|peer| peer.id).collect();
        if peers.is_empty() {
            return Outcome::NoNeighbours;
        }
        self.send(peers, Message::Payload { id, hop: 0, payload }, cx);
        Outcome::Sent
    }

    /// 4.2.
    pub(super) fn on_payload(
        &mut self,
        from: P,
        (id, hop): (Id, u32),
        payload: Bytes,
        cx: &mut Context<'_, Output<P>>,
    ) {
        let extended = self.peers.get(&from).map(|peer| peer.extended);
        if extended.is_none() && !self.is_awaited(&from, &id) {
            self.stranger(from, cx);
            return;
        }
        count(&mut self.stats.payloads_received);
        count_by(&mut self.stats.payload_bytes_received, payload.len());
        if payload.len() > self.config.receive_max {
            self.violation(from, Violation::Oversize, cx);
        } else if hop == 0 && extended == Some(true) {
            self.on_direct(from, id, payload, cx);
        } else if let Some(serial) = self.store.find(self.now, &id, &self.config) {
            self.on_duplicate(from, id, hop.max(1), serial, cx);
        } else if self.validating.contains(&id) {
            self.on_copy(from, (id, hop.max(1)), &payload, cx);
        } else {
            self.on_new(from, (id, hop.max(1)), payload, cx);
        }
    }

    /// 4.2.3: the link is not needed, unless we asked for this copy ourselves.
    fn on_duplicate(&mut self, from: P, id: Id, hop: u32, serial: Serial, cx: &mut Context<'_, Output<P>>) {
        count(&mut self.stats.duplicates);
        self.measure(&from, hop, serial);
        self.unneeded(from, id, cx);
    }

    /// Makes the sender of a superfluous copy lazy and tells it so.
    fn unneeded(&mut self, from: P, id: Id, cx: &mut Context<'_, Output<P>>) {
        if self.asked.remove(&(from, id)).is_some() {
            return;
        }
        let Some(peer) = self.peers.get_mut(&from) else { return };
        if !peer.eager && self.now < peer.prune_again {
            return;
        }
        peer.eager = false;
        peer.prune_again = self.now + self.config.prune_interval;
        self.send_to(from, Message::Prune, cx);
    }

    /// 4.2.4: a copy of what waits for its verdict.
    fn on_copy(&mut self, from: P, (id, hop): (Id, u32), payload: &Bytes, cx: &mut Context<'_, Output<P>>) {
        let opaque = self.config.ids == Ids::Opaque;
        let sender_has_room = self.validating.sender_has_room(&from, &self.config);
        let Some(waiting) = self.validating.get_mut(&id) else { return };
        if waiting.payload != *payload {
            if opaque {
                count(&mut self.stats.conflicting_ids);
            } else {
                self.violation(from, Violation::WrongId, cx);
            }
            return;
        }
        match waiting.swarm {
            None if sender_has_room => {
                waiting.swarm = Some((from, hop));
                let announcers = self.forget_missing(&id);
                if let Some(waiting) = self.validating.get_mut(&id) {
                    waiting.announcers = announcers;
                }
            }
            None => count(&mut self.stats.validations_shed),
            Some((first, _)) => {
                count(&mut self.stats.duplicates);
                if first != from && !waiting.others.contains(&from) {
                    waiting.others.push(from);
                }
            }
        }
    }

    /// 4.2.2 and 4.2.5.
    fn on_new(&mut self, from: P, (id, hop): (Id, u32), payload: Bytes, cx: &mut Context<'_, Output<P>>) {
        let Some(content) = self.checked_content(from, id, &payload, cx) else { return };
        if self.is_replay((id, hop), from, &content) {
            self.forget_missing(&id);
            return;
        }
        if !self.config.validate {
            let announcers = self.forget_missing(&id);
            self.accept((id, hop), from, content, (payload, &[], &announcers), cx);
        } else if self.validating.has_room(&from, payload.len(), &self.config) {
            let announcers = self.forget_missing(&id);
            let swarm = Some((from, hop));
            self.validate(
                id,
                from,
                Waiting { payload, swarm, others: Vec::new(), announcers, direct: Vec::new() },
                cx,
            );
        } else {
            count(&mut self.stats.validations_shed);
        }
    }

    /// 2: a content that was accepted under another id; that one is remembered then, and nothing else done with it.
    fn is_replay(&mut self, stamped: (Id, u32), from: P, content: &Id) -> bool {
        let replay = self.contents.contains(self.now, content);
        if replay {
            count(&mut self.stats.replayed_contents);
            self.remember_only(stamped, from);
        }
        replay
    }

    /// 7: for neighbours only; neither deduplicated nor relayed.
    fn on_direct(&mut self, from: P, id: Id, payload: Bytes, cx: &mut Context<'_, Output<P>>) {
        if self.checked_content(from, id, &payload, cx).is_none() {
            return;
        }
        if !self.config.validate {
            self.deliver((id, 0), from, payload, cx);
            return;
        }
        let has_room = self.validating.sender_has_room(&from, &self.config);
        let whole = self.validating.has_room(&from, payload.len(), &self.config);
        match self.validating.get_mut(&id) {
            Some(waiting) if has_room && waiting.payload == payload => waiting.direct.push(from),
            None if whole => {
                let direct = Vec::from([from]);
                let waiting =
                    Waiting { payload, swarm: None, others: Vec::new(), announcers: Vec::new(), direct };
                self.validate(id, from, waiting, cx);
            }
            Some(_) | None => count(&mut self.stats.validations_shed),
        }
    }

    /// The hash of a payload, unless it is not its id, or is known as rejected: then its sender has been reported.
    fn checked_content(
        &mut self,
        from: P,
        id: Id,
        payload: &[u8],
        cx: &mut Context<'_, Output<P>>,
    ) -> Option<Id> {
        let content = Id::of(payload);
        let violation = if self.config.ids == Ids::Content && content != id {
            Violation::WrongId
        } else if self.rejected.contains(self.now, &content) {
            Violation::Rejected
        } else {
            return Some(content);
        };
        self.violation(from, violation, cx);
        None
    }

    fn validate(&mut self, id: Id, from: P, waiting: Waiting<P>, cx: &mut Context<'_, Output<P>>) {
        let payload = waiting.payload.clone();
        self.validating.insert(id, waiting);
        self.timers.set(Timer::Validation(id), Some(self.now + self.config.validation_timeout));
        cx.emit(Output::Validate { id, payload, from });
    }

    /// 5.1 to 5.3.
    pub(super) fn on_verdict(&mut self, id: Id, verdict: Verdict, cx: &mut Context<'_, Output<P>>) {
        let Some(waiting) = self.validating.remove(&id) else {
            count(&mut self.stats.verdicts_stray);
            return;
        };
        self.timers.remove(&Timer::Validation(id));
        match verdict {
            Verdict::Accept => self.on_accepted(id, waiting, cx),
            Verdict::Ignore => {
                count(&mut self.stats.ignored);
                if let Some((from, hop)) = waiting.swarm {
                    self.remember_only((id, hop), from);
                }
            }
            Verdict::Reject => {
                count(&mut self.stats.rejected);
                let content = Id::of(&waiting.payload);
                // 8.7. Under an opaque id those who announced it may mean another content.
                self.forget_missing(&content);
                if self.rejected.insert(self.now, content, ()).is_some() {
                    count(&mut self.stats.memory_shed);
                }
                self.schedule_sweep();
                for sender in waiting.senders() {
                    self.violation(sender, Violation::Rejected, cx);
                }
            }
        }
    }

    fn on_accepted(&mut self, id: Id, waiting: Waiting<P>, cx: &mut Context<'_, Output<P>>) {
        for from in &waiting.direct {
            self.deliver((id, 0), *from, waiting.payload.clone(), cx);
        }
        let Some((from, hop)) = waiting.swarm else { return };
        if self.store.find(self.now, &id, &self.config).is_some() {
            return;
        }
        let content = if self.config.ids == Ids::Opaque { Id::of(&waiting.payload) } else { id };
        if self.is_replay((id, hop), from, &content) {
            return;
        }
        self.accept((id, hop), from, content, (waiting.payload, &waiting.others, &waiting.announcers), cx);
    }

    /// 4.2.5: a payload that is new and good.
    fn accept(
        &mut self,
        (id, hop): (Id, u32),
        from: P,
        content: Id,
        (payload, others, announcers): (Bytes, &[P], &[Announcer<P>]),
        cx: &mut Context<'_, Output<P>>,
    ) {
        if self.config.ids == Ids::Opaque && self.contents.insert(self.now, content, ()).is_some() {
            count(&mut self.stats.memory_shed);
        }
        self.asked.remove(&(from, id));
        self.supplier = Some(from);
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.eager = true;
            peer.distance = 0;
        }
        self.deliver((id, hop), from, payload.clone(), cx);
        // The further senders have it: they are made lazy first, so that nothing is pushed or announced to them.
        for other in others {
            self.unneeded(*other, id, cx);
        }
        let has_it =
            |peer: &P| others.contains(peer) || announcers.iter().any(|announcer| announcer.peer == *peer);
        let serial = self.relay_except((id, hop), Some(from), payload, has_it, cx);
        for announcer in announcers {
            self.measure(&announcer.peer, announcer.hop, serial);
            self.optimise(announcer.peer, announcer.hop, serial, cx);
        }
    }

    fn relay(
        &mut self,
        stamped: (Id, u32),
        from: Option<P>,
        payload: Bytes,
        announcers: &[Announcer<P>],
        cx: &mut Context<'_, Output<P>>,
    ) {
        let has_it = |peer: &P| announcers.iter().any(|announcer| announcer.peer == *peer);
        self.relay_except(stamped, from, payload, has_it, cx);
    }

    /// Remembers and keeps a payload, pushes it to the eager and queues it for the lazy who do not have it.
    fn relay_except(
        &mut self,
        (id, hop): (Id, u32),
        from: Option<P>,
        payload: Bytes,
        has_it: impl Fn(&P) -> bool,
        cx: &mut Context<'_, Output<P>>,
    ) -> Serial {
        let serial = self.store.insert(self.now, (id, hop), from, Some(payload.clone()), &self.config);
        self.schedule_sweep();
        let mut eager = Vec::with_capacity(self.peers.len());
        let mut queued = false;
        let limit = self.config.cache_entries;
        for peer in self.peers.iter_mut() {
            if Some(peer.id) == from || has_it(&peer.id) {
                continue;
            }
            if peer.eager {
                eager.push(peer.id);
            } else {
                queued = true;
                count_by(&mut self.stats.queue_shed, peer.enqueue(serial, limit));
            }
        }
        if queued {
            self.start_batch();
        }
        self.send(eager, Message::Payload { id, hop: hop.saturating_add(1), payload }, cx);
        serial
    }

    /// Remembers an id that is never to be fetched, delivered or relayed.
    fn remember_only(&mut self, stamped: (Id, u32), from: P) {
        if self.store.find(self.now, &stamped.0, &self.config).is_none() {
            self.store.insert(self.now, stamped, Some(from), None, &self.config);
            self.schedule_sweep();
        }
    }
}
