//! What waits for one link, and when it may go.

use alloc::collections::{BTreeSet, VecDeque};
use core::time::Duration;

use super::Config;
use crate::bounded::Keyed;
use crate::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

/// How far the whole table has been sent to a new link (H5).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Progress<K> {
    /// Nothing yet.
    Start,
    /// Everything as young as this or younger.
    Down(u64, K),
    /// Everything.
    Done,
}

#[derive(Debug)]
pub(super) struct Link<K> {
    pub(super) serial: u64,
    /// Keys whose HEADs changed; the HEADs themselves are taken from the table when they go.
    pub(super) changed: Keyed<K, ()>,
    pub(super) progress: Progress<K>,
    /// Keys that the peer announced as its own, kept in the table longest.
    pub(super) own: BTreeSet<K>,
    /// A frame is on its way to the peer.
    pub(super) busy: bool,
    /// When what waits wants to go; none if nothing waits.
    pub(super) due: Option<Instant>,
    /// HEADs sent in the last second, frame by frame.
    sent: VecDeque<(Instant, usize)>,
}

impl<K: Clone + Ord> Link<K> {
    pub(super) const fn new(serial: u64, entries: usize) -> Self {
        Self {
            serial,
            changed: Keyed::new(entries),
            progress: Progress::Start,
            own: BTreeSet::new(),
            busy: false,
            due: None,
            sent: VecDeque::new(),
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.changed.is_empty() || self.progress != Progress::Done
    }

    /// Whether the transfer of the whole table has still to come to this place.
    pub(super) fn will_reach(&self, issued: u64, key: &K) -> bool {
        match &self.progress {
            Progress::Start => true,
            Progress::Down(to, last) => (issued, key) < (*to, last),
            Progress::Done => false,
        }
    }

    /// How many HEADs may go in one frame now.
    pub(super) fn allowance(&mut self, now: Instant, config: &Config) -> usize {
        while self.sent.front().is_some_and(|(at, _)| *at + SECOND <= now) {
            self.sent.pop_front();
        }
        let spent: usize = self.sent.iter().map(|(_, count)| count).sum();
        config.rate.saturating_sub(spent).min(config.frame)
    }

    pub(super) fn note_sent(&mut self, now: Instant, count: usize) {
        self.sent.push_back((now, count));
    }

    /// When more may go, after an allowance of nothing.
    pub(super) fn next_allowance(&self, now: Instant) -> Instant {
        self.sent.front().map_or_else(|| now.next(), |(at, _)| *at + SECOND)
    }
}
