//! What is counted while a network runs: who delivered which message, when, after how many hops, and what it cost.

use std::time::Duration;

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
    /// Where copies are booked on the latest message: how long after a delivery others of the same message may come.
    straggle: Option<Duration>,
    /// When any node delivered anything last.
    arrived: Instant,
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
    /// Some of these may be copies of another message, or the other way round.
    pub mixed: bool,
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

    /// Relative message redundancy; undefined below two holders, and unknown where copies are mixed.
    #[must_use]
    pub fn rmr(&self) -> Option<f64> {
        let holders = self.holders();
        (holders >= 2 && !self.mixed).then(|| self.received as f64 / (holders - 1) as f64 - 1.0)
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
    /// For a network that cannot look into what it carries: copies are booked on the latest message
    /// ([`Record::received_latest`]), and may come for so long after a delivery.
    #[must_use]
    pub fn blind(straggle: Duration) -> Self {
        Self { straggle: Some(straggle), ..Self::default() }
    }

    /// The next node joins; it counts in messages that are published at `counts_from` or later.
    pub fn joins(&mut self, counts_from: Instant) {
        self.counts_from.push(counts_from);
    }

    /// A message is published; messages are numbered from 0 in this order.
    pub fn published(&mut self, at: Instant, publisher: u32) {
        let under_way = self.straggle.is_some_and(|straggle| self.arrived + straggle > at);
        let before = self.messages.last_mut().filter(|_| under_way);
        let mixed = before.map(|before| before.mixed = true).is_some();
        let mut message =
            Message { published: at, publisher, received: 0, mixed, last: at, hops: 0, holders: Vec::new() };
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
        self.mix(at, payload);
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

    /// A delivery of a message that is not the latest shows that the copies of both are mixed, where all are booked on
    /// the latest.
    fn mix(&mut self, at: Instant, payload: &[u8]) {
        self.arrived = self.arrived.max(at);
        if self.straggle.is_none() {
            return;
        }
        let place = message_of(payload).and_then(|number| usize::try_from(number).ok());
        let since = place.and_then(|place| self.messages.get_mut(place..));
        if let Some([older, .., latest]) = since {
            older.mixed = true;
            latest.mixed = true;
        }
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
    fn copies_that_are_not_told_apart_make_no_redundancy() {
        let mut rng = stream(0, Domain::Workload, 0);
        let bytes: Vec<_> = (0..6).map(|number| payload(number, 8, &mut rng)).collect();
        let mut record = Record::blind(Duration::from_millis(100));
        let deliver = |record: &mut Record, number: usize, ms| {
            record.received_latest(1);
            record.delivered(at(ms), u32::try_from(ms).unwrap(), 1, &bytes[number]);
        };
        // The first has spread long before the second; the third comes while the second may still be under way.
        for (number, published) in [0, 1_000, 1_200, 5_000, 6_000, 7_000].into_iter().enumerate() {
            record.published(at(published), 0);
            deliver(&mut record, number, published + 150);
        }
        // The fourth reaches somebody once the sixth is out.
        deliver(&mut record, 3, 7_500);
        let known = record.messages().iter().map(|message| message.rmr().is_some());
        assert_eq!(known.collect::<Vec<_>>(), [true, false, false, false, true, false]);
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
