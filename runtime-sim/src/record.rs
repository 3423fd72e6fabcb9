//! What is counted while a network runs: who delivered which message, when, after how many hops, and what it cost.

use bytes::{BufMut, Bytes, BytesMut};
use pleach_core::Instant;
use rand_core::Rng;

use crate::clock::millis;

/// The payload of message `number`: its number, then random bytes up to `size` (8 at least).
pub fn payload(number: u32, size: usize, rng: &mut impl Rng) -> Bytes {
    let mut bytes = BytesMut::zeroed(size.max(8));
    rng.fill_bytes(&mut bytes);
    if let Some(mut head) = bytes.get_mut(..8) {
        head.put_u64_le(u64::from(number));
    }
    bytes.freeze()
}

/// The number of the message that this payload belongs to.
#[must_use]
pub fn message_of(payload: &[u8]) -> Option<u32> {
    let head = payload.first_chunk::<8>()?;
    u32::try_from(u64::from_le_bytes(*head)).ok()
}

/// Everything that was counted.
#[derive(Clone, Debug, Default)]
pub struct Record {
    messages: Vec<Message>,
    /// From when on each node counts.
    counts_from: Vec<Instant>,
    /// Deliveries at settled nodes by delay in whole milliseconds.
    delays: Vec<u64>,
    /// Messages of any kind that are not payloads, sent.
    pub control: Cost,
    /// Payloads sent.
    pub payloads: Cost,
    /// A payload that one node delivered twice: never allowed.
    pub delivered_twice: u64,
    /// A delivery of something that nobody published: never allowed.
    pub unknown: u64,
}

/// How much was sent.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Cost {
    /// Messages.
    pub messages: u64,
    /// Their encoded size.
    pub bytes: u64,
}

impl Cost {
    /// One message more.
    pub const fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes as u64;
    }

    /// What was added since `earlier`.
    #[must_use]
    pub const fn since(&self, earlier: &Self) -> Self {
        Self { messages: self.messages - earlier.messages, bytes: self.bytes - earlier.bytes }
    }
}

/// One broadcast.
#[derive(Clone, Debug)]
pub struct Message {
    /// When it was published.
    pub published: Instant,
    /// By whom.
    pub publisher: u32,
    /// Copies of the payload that reached any node.
    pub received: u64,
    /// When a settled node delivered it last.
    pub last: Instant,
    /// Transmissions behind that last delivery; the most of them, if several were the last.
    pub hops: u32,
    /// One bit for each node that has it, the publisher included.
    holders: Vec<u64>,
}

impl Message {
    /// Whether `node` has it.
    #[must_use]
    pub fn has(&self, node: u32) -> bool {
        self.holders.get(node as usize / 64).is_some_and(|word| word >> (node % 64) & 1 == 1)
    }

    /// How many nodes have it, the publisher included.
    #[must_use]
    pub fn holders(&self) -> u64 {
        self.holders.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// Relative message redundancy; undefined below two holders.
    #[must_use]
    pub fn rmr(&self) -> Option<f64> {
        let holders = self.holders();
        (holders >= 2).then(|| self.received as f64 / (holders - 1) as f64 - 1.0)
    }

    /// Milliseconds from publication to the last delivery.
    #[must_use]
    pub const fn last_ms(&self) -> u64 {
        millis(self.published, self.last)
    }

    /// Notes a holder; whether it is a new one.
    fn hold(&mut self, node: u32) -> bool {
        let index = node as usize / 64;
        if self.holders.len() <= index {
            self.holders.resize(index + 1, 0);
        }
        let Some(word) = self.holders.get_mut(index) else { return false };
        let bit = 1 << (node % 64);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }
}

impl Record {
    /// The next node joins; it counts in messages that are published at `counts_from` or later.
    pub fn joins(&mut self, counts_from: Instant) {
        self.counts_from.push(counts_from);
    }

    /// A message is published; messages are numbered from 0 in this order.
    pub fn published(&mut self, at: Instant, publisher: u32) {
        let mut message =
            Message { published: at, publisher, received: 0, last: at, hops: 0, holders: Vec::new() };
        message.hold(publisher);
        self.messages.push(message);
    }

    /// A copy of a payload reached a node.
    pub fn received(&mut self, payload: &[u8]) {
        if let Some(message) = self.find(payload) {
            message.received += 1;
        }
    }

    /// So many copies of the latest message reached nodes: for networks that cannot look into what they carry.
    pub fn received_latest(&mut self, copies: u64) {
        if let Some(message) = self.messages.last_mut() {
            message.received += copies;
        }
    }

    /// A node delivered a payload.
    pub fn delivered(&mut self, at: Instant, node: u32, hop: u32, payload: &[u8]) {
        let counts_from = self.counts_from.get(node as usize).copied().unwrap_or_default();
        let Some(message) = self.find(payload) else {
            self.unknown += 1;
            return;
        };
        if !message.hold(node) {
            self.delivered_twice += 1;
            return;
        }
        if counts_from > message.published {
            return;
        }
        (message.last, message.hops) = (message.last, message.hops).max((at, hop));
        let delay = usize::try_from(millis(message.published, at)).unwrap_or(usize::MAX).min(1 << 22);
        if self.delays.len() <= delay {
            self.delays.resize(delay + 1, 0);
        }
        if let Some(count) = self.delays.get_mut(delay) {
            *count += 1;
        }
    }

    /// All messages, in order of publication.
    #[must_use]
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// The delay below which this share of all deliveries lies, in milliseconds; none without deliveries.
    #[must_use]
    pub fn delay_ms(&self, percent: u64) -> Option<u64> {
        let total: u64 = self.delays.iter().sum();
        let wanted = (total * percent).div_ceil(100).max(1);
        let mut seen = 0;
        for (delay, count) in (0..).zip(&self.delays) {
            seen += count;
            if seen >= wanted {
                return Some(delay);
            }
        }
        None
    }

    fn find(&mut self, payload: &[u8]) -> Option<&mut Message> {
        self.messages.get_mut(usize::try_from(message_of(payload)?).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Domain, stream};

    fn at(ms: u64) -> Instant {
        Instant::from_micros(ms * 1000)
    }

    #[test]
    fn a_payload_tells_its_number() {
        let mut rng = stream(0, Domain::Workload, 0);
        assert_eq!(payload(7, 64, &mut rng).len(), 64);
        assert_eq!(message_of(&payload(7, 64, &mut rng)), Some(7));
        assert_ne!(payload(7, 64, &mut rng), payload(7, 64, &mut rng));
        assert_eq!(message_of(b"short"), None);
    }

    #[test]
    fn redundancy_and_delays_follow_the_definitions() {
        let mut rng = stream(0, Domain::Workload, 0);
        let bytes = payload(0, 8, &mut rng);
        let mut record = Record::default();
        record.published(at(20_000), 3);
        assert_eq!(record.messages()[0].rmr(), None, "undefined for one holder");
        for (node, delay, hop) in [(0, 20, 1), (1, 40, 2), (200, 90, 3)] {
            record.received(&bytes);
            record.delivered(at(20_000 + delay), node, hop, &bytes);
        }
        record.received(&bytes);
        let message = &record.messages()[0];
        assert_eq!(message.holders(), 4);
        assert!((message.rmr().unwrap() - 1.0 / 3.0).abs() < 1e-9);
        assert_eq!((message.hops, message.last_ms()), (3, 90));
        assert!(message.has(200) && message.has(3) && !message.has(2));
        assert_eq!([50, 66, 67, 100].map(|share| record.delay_ms(share)), [40, 40, 90, 90].map(Some));
    }

    #[test]
    fn the_last_hop_is_that_of_the_last_delivery_not_the_longest_way() {
        let mut rng = stream(0, Domain::Workload, 0);
        let bytes = payload(0, 8, &mut rng);
        let mut record = Record::default();
        record.published(at(0), 0);
        for (node, delay, hop) in [(1, 20, 4), (2, 90, 2), (3, 40, 5)] {
            record.delivered(at(delay), node, hop, &bytes);
        }
        assert_eq!(record.messages()[0].hops, 2);
        // At the same time: the longest way, in whatever order they are seen.
        record.delivered(at(90), 4, 3, &bytes);
        record.delivered(at(90), 5, 1, &bytes);
        assert_eq!(record.messages()[0].hops, 3);
    }

    #[test]
    fn a_node_that_joined_late_counts_in_no_delay() {
        let mut rng = stream(0, Domain::Workload, 0);
        let bytes = payload(0, 8, &mut rng);
        let mut record = Record::default();
        [0, 0, 20_001].iter().for_each(|from| record.joins(at(*from)));
        record.published(at(20_000), 0);
        record.delivered(at(20_010), 1, 1, &bytes);
        record.delivered(at(29_000), 2, 9, &bytes);
        let message = &record.messages()[0];
        assert_eq!((message.holders(), message.hops, message.last_ms()), (3, 1, 10));
        assert_eq!(record.delay_ms(100), Some(10));
    }

    #[test]
    fn double_and_unknown_deliveries_are_noticed() {
        let mut rng = stream(0, Domain::Workload, 0);
        let mut record = Record::default();
        record.published(at(0), 0);
        let bytes = payload(0, 8, &mut rng);
        record.delivered(at(1), 1, 1, &bytes);
        record.delivered(at(2), 1, 1, &bytes);
        record.delivered(at(2), 0, 1, &bytes);
        record.delivered(at(2), 1, 1, &payload(1, 8, &mut rng));
        assert_eq!((record.delivered_twice, record.unknown), (2, 1));
    }
}
