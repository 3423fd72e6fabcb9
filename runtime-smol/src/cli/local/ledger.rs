//! Who published what, and who got it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bytes::Bytes;

/// Every message of a run, and its deliveries.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    messages: Vec<Message>,
    by_payload: BTreeMap<Bytes, usize>,
    /// Deliveries of a message that the node had already.
    pub(super) duplicates: u64,
    /// Deliveries of what nobody published, or in another author's name.
    pub(super) forged: u64,
}

/// When a message is published.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Era {
    BeforeKill,
    AfterHealing,
}

#[derive(Debug)]
struct Message {
    publisher: usize,
    era: Era,
    at: Instant,
    /// How long it took, by node.
    delivered: BTreeMap<usize, Duration>,
}

/// How complete the deliveries are, over the nodes that live.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Tally {
    /// Over all messages, the nodes other than the publisher.
    pub(super) expected: u64,
    /// Of these, done.
    pub(super) delivered: u64,
    /// Of the messages that must arrive (all after healing, those of live publishers before), missing deliveries.
    pub(super) missing: u64,
}

impl Ledger {
    /// A message was published.
    pub(super) fn sent(&mut self, publisher: usize, era: Era, payload: Bytes, at: Instant) {
        self.by_payload.insert(payload, self.messages.len());
        self.messages.push(Message { publisher, era, at, delivered: BTreeMap::new() });
    }

    /// A message arrived at `node`, in the name of `author`.
    pub(super) fn arrived(&mut self, node: usize, author: Option<usize>, payload: &[u8], at: Instant) {
        let message = self.by_payload.get(payload).and_then(|index| self.messages.get_mut(*index));
        match message {
            Some(message) if author == Some(message.publisher) && node != message.publisher => {
                let took = at.saturating_duration_since(message.at);
                if message.delivered.insert(node, took).is_some() {
                    self.duplicates += 1;
                }
            }
            _ => self.forged += 1,
        }
    }

    /// The tally over `live` nodes.
    pub(super) fn tally(&self, live: &BTreeSet<usize>) -> Tally {
        let mut tally = Tally::default();
        for message in &self.messages {
            let owed = live.iter().filter(|node| **node != message.publisher).count() as u64;
            let got = message.delivered.keys().filter(|node| live.contains(node)).count() as u64;
            tally.expected += owed;
            tally.delivered += got;
            if message.era == Era::AfterHealing || live.contains(&message.publisher) {
                tally.missing += owed - got;
            }
        }
        tally
    }

    /// Messages that arrived at `node`.
    pub(super) fn received(&self, node: usize) -> usize {
        self.messages.iter().filter(|message| message.delivered.contains_key(&node)).count()
    }

    /// How long deliveries took: median, 99th percentile, longest. None if there were none.
    pub(super) fn latencies(&self) -> Option<[Duration; 3]> {
        let mut all: Vec<Duration> =
            self.messages.iter().flat_map(|message| message.delivered.values().copied()).collect();
        all.sort_unstable();
        let at = |percent: usize| all.get((all.len().saturating_sub(1) * percent).div_ceil(100)).copied();
        Some([at(50)?, at(99)?, at(100)?])
    }

    /// Nodes that miss something they are owed, with how much.
    pub(super) fn lacking(&self, live: &BTreeSet<usize>) -> BTreeMap<usize, usize> {
        let mut lacking = BTreeMap::new();
        let owed = |message: &&Message| message.era == Era::AfterHealing || live.contains(&message.publisher);
        for message in self.messages.iter().filter(owed) {
            for node in live.iter().filter(|node| **node != message.publisher) {
                if !message.delivered.contains_key(node) {
                    *lacking.entry(*node).or_insert(0) += 1;
                }
            }
        }
        lacking
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger() -> (Ledger, Instant) {
        let (mut ledger, now) = (Ledger::default(), Instant::now());
        ledger.sent(0, Era::BeforeKill, Bytes::from("a"), now);
        ledger.sent(2, Era::BeforeKill, Bytes::from("b"), now);
        ledger.sent(1, Era::AfterHealing, Bytes::from("c"), now);
        (ledger, now)
    }

    #[test]
    fn expected_are_all_messages_at_live_nodes_other_than_the_publisher() {
        let (mut ledger, now) = ledger();
        // Node 2 was killed: it counts as a publisher and not as a receiver.
        let live = BTreeSet::from([0, 1, 3]);
        assert_eq!(ledger.tally(&live), Tally { expected: 2 + 3 + 2, delivered: 0, missing: 4 });
        ledger.arrived(1, Some(0), b"a", now);
        ledger.arrived(3, Some(0), b"a", now);
        ledger.arrived(2, Some(0), b"a", now);
        ledger.arrived(0, Some(1), b"c", now);
        assert_eq!(ledger.tally(&live), Tally { expected: 7, delivered: 3, missing: 1 });
        assert_eq!(ledger.lacking(&live), BTreeMap::from([(3, 1)]));
        ledger.arrived(3, Some(1), b"c", now);
        assert_eq!(ledger.tally(&live).missing, 0, "what the killed node published may be missing");
    }

    #[test]
    fn second_deliveries_and_forgeries_are_told() {
        let (mut ledger, now) = ledger();
        ledger.arrived(1, Some(0), b"a", now);
        ledger.arrived(1, Some(0), b"a", now);
        ledger.arrived(1, Some(3), b"b", now);
        ledger.arrived(1, None, b"b", now);
        ledger.arrived(1, Some(0), b"unheard of", now);
        ledger.arrived(0, Some(0), b"a", now);
        assert_eq!((ledger.duplicates, ledger.forged), (1, 4));
    }

    #[test]
    fn latencies_are_ordered() {
        let (mut ledger, now) = ledger();
        assert_eq!(ledger.latencies(), None);
        for (node, ms) in [(1, 30), (2, 10), (3, 20)] {
            ledger.arrived(node, Some(0), b"a", now + Duration::from_millis(ms));
        }
        assert_eq!(ledger.latencies().unwrap().map(|took| took.as_millis()), [20, 30, 30]);
    }
}
