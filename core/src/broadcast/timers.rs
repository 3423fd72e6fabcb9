//! What becomes due: GRAFTs, announcements, missed verdicts, and the sweep (`broadcast` 4.3, 4.7, 5.1).

use alloc::collections::BTreeMap;
use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Debug;

use super::machine::{Broadcast, Timer};
use super::missing::Missing;
use super::store::Serial;
use super::validation::Validating;
use super::{Announcement, Event, Id, Message, Output, Verdict};
use crate::deadline::Deadlines;
use crate::machine::Context;
use crate::stats::count;

impl<P: Copy + Ord + Debug> Broadcast<P> {
    pub(super) fn run_timers(&mut self, cx: &mut Context<'_, Output<P>>) {
        let mut grafts: BTreeMap<P, Vec<Id>> = BTreeMap::new();
        while let Some(timer) = self.timers.pop_due(self.now) {
            match timer {
                Timer::Missing(id) => self.search(id, &mut grafts, cx),
                Timer::Validation(id) => {
                    count(&mut self.stats.verdicts_missed);
                    self.on_verdict(id, Verdict::Ignore, cx);
                }
            }
        }
        for (peer, ids) in grafts {
            for ids in ids.chunks(self.config.graft_ids.max(1)) {
                self.send_to(peer, Message::Graft(ids.to_vec()), cx);
            }
        }
        if self.batch.is_some_and(|due| due <= self.now) {
            self.batch = None;
            self.announce(cx);
        }
        if self.sweep.is_some_and(|due| due <= self.now) {
            self.sweep_out();
        }
    }

    /// 4.3: asks the next announcer of a payload, or gives up.
    fn search(&mut self, id: Id, grafts: &mut BTreeMap<P, Vec<Id>>, cx: &mut Context<'_, Output<P>>) {
        let Some(entry) = self.missing.get_mut(&id) else { return };
        if let Some(silent) = entry.open.take() {
            self.fruitless(silent, cx);
        }
        let Some(entry) = self.missing.get_mut(&id) else { return };
        let next = if entry.attempts < self.config.graft_attempts { entry.next_to_ask() } else { None };
        let Some(peer) = next else {
            self.forget_missing(&id);
            count(&mut self.stats.lost);
            cx.emit(Output::Event(Event::Lost { id }));
            return;
        };
        entry.open = Some(peer);
        entry.attempts = entry.attempts.saturating_add(1);
        let retry = self.config.next_graft(entry.attempts);
        self.timers.set(Timer::Missing(id), Some(self.now + retry));
        if self.asked.insert(self.now, (peer, id), ()).is_some() {
            count(&mut self.stats.memory_shed);
        }
        self.schedule_sweep();
        self.set_eager(&peer, true);
        grafts.entry(peer).or_default().push(id);
    }

    /// 4.7: one IHAVE for each neighbour with something queued, the same one for all with the same queue.
    fn announce(&mut self, cx: &mut Context<'_, Output<P>>) {
        let mut groups: Vec<(VecDeque<Serial>, Vec<P>)> = Vec::new();
        for peer in self.peers.iter_mut().filter(|peer| !peer.queue.is_empty()) {
            let queue = core::mem::take(&mut peer.queue);
            match groups.iter_mut().find(|(other, _)| *other == queue) {
                Some((_, peers)) => peers.push(peer.id),
                None => groups.push((queue, vec![peer.id])),
            }
        }
        for (queue, peers) in groups {
            let held =
                queue.iter().rev().filter_map(|serial| self.store.payload(self.now, *serial, &self.config));
            let announcements: Vec<Announcement> =
                held.map(|(seen, _)| Announcement { id: seen.id, hop: seen.hop.saturating_add(1) }).collect();
            for part in announcements.chunks(self.config.ihave_ids.max(1)) {
                self.send(peers.clone(), Message::IHave(part.to_vec()), cx);
            }
        }
    }

    pub(super) fn start_batch(&mut self) {
        if self.batch.is_none() {
            self.batch = Some(self.now + self.config.batch);
        }
    }

    /// The sweep only gives memory back: whatever is expired is treated so before. It runs late on purpose, to find
    /// more than one entry.
    pub(super) fn schedule_sweep(&mut self) {
        if self.sweep.is_none() {
            let lifetime = self.config.cache_lifetime;
            self.sweep = Some(self.now + lifetime + lifetime / 4);
        }
    }

    fn sweep_out(&mut self) {
        let now = self.now;
        self.store.expire(now, &self.config);
        self.store.shrink();
        let next = [
            self.store.next_expiry(&self.config),
            self.timers.next(),
            self.asked.expire(now),
            self.served.expire(now),
            self.grafted.expire(now),
            self.swaps.expire(now),
            self.rejected.expire(now),
            self.contents.expire(now),
            self.promises.expire(now),
        ];
        self.departed.retain(|departed| departed.until > now);
        self.departed.shrink_to_fit();
        // Ordered maps keep a node when their last entry leaves.
        if self.timers.is_empty() {
            self.timers = Deadlines::new();
        }
        if self.missing.is_empty() {
            self.missing = Missing::new();
        }
        if self.validating.len() == 0 {
            self.validating = Validating::new();
        }
        // Lateness again, and never now.
        let slack = (self.config.cache_lifetime / 4).max(core::time::Duration::from_millis(1));
        self.sweep = next.into_iter().flatten().min().map(|next| next.max(now) + slack);
    }
}
