//! The figures of a finished run, by the definitions of the project's reference results.

use pleach_core::Instant;
use pleach_core::rng::choose_to_front;
use serde::{Serialize, Serializer};

use crate::graph::Graph;
use crate::network::Tally;
use crate::record::{Cost, Message, Record};
use crate::rng::{Domain, stream};
use crate::workload::Plan;

/// Nodes from which path lengths are measured.
const PATH_SAMPLES: usize = 16;

/// The figures of a run. What does not apply to it is absent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Nodes that ever joined.
    pub nodes: usize,
    /// Nodes alive at the end.
    pub live: usize,
    /// Components of the overlay at the end; only links that both ends know count.
    pub components: usize,
    /// Nodes in the largest component.
    pub largest_component: usize,
    /// Directed links whose other end does not know them.
    pub asymmetric_links: usize,
    /// Fewest neighbours of a live node.
    pub active_min: usize,
    /// Mean number of neighbours.
    #[serde(serialize_with = "six_decimals")]
    pub active_mean: f64,
    /// Most neighbours of a live node.
    pub active_max: usize,
    /// Neighbours below which a node looks for more: `Amin`.
    pub active_wanted: usize,
    /// Most neighbours that a node may have: `A`.
    pub active_capacity: usize,
    /// Mean shortest path, over samples.
    #[serde(serialize_with = "six_decimals")]
    pub path_mean: f64,
    /// Longest shortest path that was seen.
    pub path_max: u32,
    /// Deliveries that came about, of those expected, publishers counted as having delivered.
    #[serde(serialize_with = "six_decimals")]
    pub reliability: f64,
    /// The same for broadcasts 11 to 20 after the kill.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "six_decimals_if_any")]
    pub reliability_11_20: Option<f64>,
    /// The same for broadcasts 11 and later after the kill.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "six_decimals_if_any")]
    pub reliability_from_11: Option<f64>,
    /// The same for broadcasts 51 to 60 after the kill.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "six_decimals_if_any")]
    pub reliability_51_60: Option<f64>,
    /// Mean relative message redundancy; only at reliability 1. Over all copies at once where those of single messages
    /// are not told apart.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "six_decimals_if_any")]
    pub rmr: Option<f64>,
    /// The same over the last ten broadcasts; only if there were more than ten.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "six_decimals_if_any")]
    pub rmr_last10: Option<f64>,
    /// Mean last delivery hop; hop 1 was sent by the publisher.
    #[serde(serialize_with = "six_decimals")]
    pub ldh_mean: f64,
    /// Delays from publication to delivery.
    pub delivery_ms: Delays,
    /// The longest of those among the last ten broadcasts.
    pub last10_ms: u64,
    /// Last delivery of message 1, which floods an overlay without trees.
    pub flood_ms: u64,
    /// Deliveries at nodes alive at the end, other than the publisher.
    pub delivered: u64,
    /// What they should be.
    pub expected: u64,
    /// Payloads that arrived where they had been delivered already.
    pub duplicates: u64,
    /// Whether every node holds the newest HEAD of every other, unless it is too young to have come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heads_converged: Option<bool>,
    /// From the kill until the live nodes were one component. Looked at each 100 ms; from 2000 nodes on each
    /// 100 ms times their full thousands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healing_ms: Option<u64>,
    /// Messages other than payloads, membership included, during the broadcasts, for each broadcast.
    pub control_per_broadcast: u64,
    /// Their size.
    pub control_bytes_per_broadcast: u64,
    /// Payloads on the wire, for each broadcast.
    pub payload_bytes_per_broadcast: u64,
    /// Messages that some node gave up on.
    pub lost: u64,
    /// Times that a node went over a rate limit of another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub complaints: Option<u64>,
    /// Calls into nodes: inputs and deadlines.
    pub events: u64,
    /// The same for each second of real time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events_per_second: Option<u64>,
    /// Growth of resident memory for each node; none where the system does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_node: Option<u64>,
    /// Channel handshakes, counted at both ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handshakes: Option<u64>,
    /// The digest of the run.
    pub digest: String,
    /// Each broadcast.
    #[serde(skip)]
    pub rounds: Vec<Round>,
}

/// Delays in milliseconds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Delays {
    /// Half of all deliveries took no longer.
    pub p50: u64,
    /// 99 of 100 took no longer.
    pub p99: u64,
    /// The slowest.
    pub max: u64,
}

/// One broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Round {
    /// Its number, from 1.
    pub message: usize,
    /// Nodes that should have it, the publisher included.
    pub expected: u64,
    /// Those that have it.
    pub delivered: u64,
    /// Its relative message redundancy.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "six_decimals_if_any")]
    pub rmr: Option<f64>,
    /// Its last delivery hop.
    pub last_hop: u32,
    /// Its last delivery.
    pub last_ms: u64,
}

impl Round {
    fn reliability(&self) -> f64 {
        if self.expected == 0 { 1.0 } else { self.delivered as f64 / self.expected as f64 }
    }
}

/// What was seen of a run besides its record.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The overlay at the end.
    pub graph: Graph,
    /// When the live nodes were one component again.
    pub healed_at: Option<Instant>,
    /// Control traffic during the broadcasts.
    pub control: Cost,
    /// Payload traffic during the broadcasts.
    pub payloads: Cost,
    /// Figures of the network.
    pub tally: Tally,
}

impl Summary {
    /// Computes all figures.
    #[must_use]
    pub fn new(seed: u64, plan: &Plan, record: &Record, seen: &Seen) -> Self {
        let rounds: Vec<_> =
            (1..).zip(record.messages()).map(|(number, message)| round(number, message, plan)).collect();
        let components = seen.graph.components();
        let (active_min, active_max) = seen.graph.degrees();
        let paths = seen.graph.paths(&sample(seed, plan));
        let messages = rounds.len().max(1) as u64;
        let received: u64 = record.messages().iter().map(|message| message.received).sum();
        let first: u64 = record.messages().iter().map(|message| message.holders() - 1).sum();
        let after_kill = |from, to| plan.killed_at.and_then(|_| window(&rounds, from, to));
        let reliability = mean(rounds.iter().map(Round::reliability)).unwrap_or(1.0);
        let last10 = rounds.get(rounds.len().saturating_sub(10)..).unwrap_or_default();
        let last10_messages = record.messages().get(rounds.len().saturating_sub(10)..).unwrap_or_default();
        Self {
            nodes: plan.counts_from.len(),
            live: plan.alive.iter().filter(|alive| **alive).count(),
            components: components.len(),
            largest_component: components.first().copied().unwrap_or_default(),
            asymmetric_links: seen.graph.asymmetric(),
            active_min,
            active_mean: seen.graph.mean_degree(),
            active_max,
            active_wanted: seen.tally.capacity.0,
            active_capacity: seen.tally.capacity.1,
            path_mean: paths.mean,
            path_max: paths.max,
            reliability,
            reliability_11_20: after_kill(11, 20),
            reliability_from_11: after_kill(11, rounds.len()),
            reliability_51_60: after_kill(51, 60),
            rmr: redundancy(&rounds, record.messages()).or_else(|| overall(&rounds, received, first)),
            rmr_last10: (rounds.len() > 10).then(|| redundancy(last10, last10_messages)).flatten(),
            ldh_mean: mean(rounds.iter().map(|round| f64::from(round.last_hop))).unwrap_or_default(),
            delivery_ms: Delays {
                p50: record.delay_ms(50).unwrap_or_default(),
                p99: record.delay_ms(99).unwrap_or_default(),
                max: record.delay_ms(100).unwrap_or_default(),
            },
            last10_ms: last10.iter().map(|round| round.last_ms).max().unwrap_or_default(),
            flood_ms: rounds.first().map_or(0, |round| round.last_ms),
            delivered: rounds.iter().map(|round| round.delivered.saturating_sub(1)).sum(),
            expected: rounds.iter().map(|round| round.expected.saturating_sub(1)).sum(),
            duplicates: received.saturating_sub(first),
            heads_converged: seen.tally.heads_converged,
            healing_ms: plan
                .killed_at
                .zip(seen.healed_at)
                .map(|(killed, healed)| crate::clock::millis(killed, healed)),
            control_per_broadcast: seen.control.messages / messages,
            control_bytes_per_broadcast: seen.control.bytes / messages,
            payload_bytes_per_broadcast: seen.payloads.bytes / messages,
            lost: seen.tally.lost,
            complaints: seen.tally.complaints,
            events: seen.tally.events,
            events_per_second: None,
            bytes_per_node: None,
            handshakes: seen.tally.handshakes,
            digest: seen.tally.digest.to_string(),
            rounds,
        }
    }

    /// `ms` as a multiple of the flood time.
    #[must_use]
    pub fn per_flood(&self, ms: u64) -> Option<f64> {
        (self.flood_ms > 0).then(|| ms as f64 / self.flood_ms as f64)
    }
}

/// A message, seen by the nodes that had settled when it was published and are alive at the end. The publisher counts
/// as one of them, dead or alive.
fn round(number: usize, message: &Message, plan: &Plan) -> Round {
    let (mut expected, mut delivered) = (1, 1);
    for ((node, counts_from), alive) in (0u32..).zip(&plan.counts_from).zip(&plan.alive) {
        if *alive && node != message.publisher && *counts_from <= message.published {
            expected += 1;
            delivered += u64::from(message.has(node));
        }
    }
    let (rmr, last_hop, last_ms) = (message.rmr(), message.hops, message.last_ms());
    Round { message: number, expected, delivered, rmr, last_hop, last_ms }
}

/// Mean reliability of broadcasts `from` to `to`, both included, if there were so many.
fn window(rounds: &[Round], from: usize, to: usize) -> Option<f64> {
    mean(rounds.get(from - 1..to)?.iter().map(Round::reliability))
}

/// Mean redundancy, if every node has every message: it compares nothing otherwise. None where copies are mixed.
fn redundancy(rounds: &[Round], messages: &[Message]) -> Option<f64> {
    if !complete(rounds) || messages.iter().any(|message| message.mixed) {
        return None;
    }
    mean(rounds.iter().filter_map(|round| round.rmr))
}

/// Redundancy of all messages together, which holds whatever message a copy was of.
fn overall(rounds: &[Round], received: u64, first: u64) -> Option<f64> {
    (complete(rounds) && first > 0).then(|| received as f64 / first as f64 - 1.0)
}

fn complete(rounds: &[Round]) -> bool {
    rounds.iter().all(|round| round.delivered >= round.expected)
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0u32);
    for value in values {
        sum += value;
        count += 1;
    }
    (count > 0).then(|| sum / f64::from(count))
}

/// Live nodes from which paths are measured.
fn sample(seed: u64, plan: &Plan) -> Vec<u32> {
    let mut live: Vec<_> =
        (0u32..).zip(&plan.alive).filter_map(|(node, alive)| alive.then_some(node)).collect();
    choose_to_front(&mut stream(seed, Domain::Measure, 0), &mut live, PATH_SAMPLES);
    live.truncate(PATH_SAMPLES);
    live
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn six_decimals<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((value * 1e6).round() / 1e6)
}

fn six_decimals_if_any<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => six_decimals(value, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests;
