//! What a new message costs a bare broadcast machine, beside the hash that no receiver can save.
//!
//! ```text
//! cargo bench -p pleach-core --bench broadcast [-- ROUNDS]
//! ```
//!
//! Target (`broadcast` 10): at least 1.8 million new 64-byte messages per second and core, hash included.
//!
//! A machine has five eager and nine lazy neighbours, as many as a network of ten thousand nodes wants. A message comes
//! every millisecond, from each eager neighbour in turn, and is delivered, relayed to four and announced to nine; due
//! announcements are part of the cost. One machine is *full*: it has the default configuration and remembers as many
//! ids (65 536) and payloads (8192) as that allows. The other is *small*: it remembers a thousand of each.
//!
//! Each round hashes a set of messages, then feeds the same set to both machines, so that all see the same clock rate and
//! neighbours on the computer that they run on. What counts is the ratio; the rates depend on what else it does.
#![allow(clippy::print_stdout, reason = "its output is its purpose")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant as Clock};

use bytes::Bytes;
use pleach_core::broadcast::{Broadcast, Config, Id, Input, Message, Output};
use pleach_core::{At, Context, Instant, Machine, WallTime};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

const EAGER: u32 = 5;
const LAZY: u32 = 9;
const PAYLOAD: usize = 64;
const SMALL: usize = 1000;
/// More than the ids that are remembered.
const WARM_UP: usize = 70_000;
/// About a millisecond of work, so that most rounds are not interrupted.
const PER_ROUND: usize = 1000;
const ROUNDS: usize = 501;
const INTERVAL: Duration = Duration::from_millis(1);

fn main() {
    let rounds = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(ROUNDS).max(1);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let small = Config { seen_entries: SMALL, cache_entries: SMALL, ..Config::default() };
    let mut nodes = [("full machine", Node::new(Config::default())), ("small machine", Node::new(small))];
    let first = messages(WARM_UP, &mut rng);
    nodes.iter_mut().for_each(|(_, node)| node.take_all(first.clone()));
    let mut hash = Vec::new();
    for _ in 0..rounds {
        let messages = messages(PER_ROUND, &mut rng);
        let started = Clock::now();
        hash_all(&messages);
        hash.push(nanos_each(started));
        for (_, node) in &mut nodes {
            let messages = messages.clone();
            let started = Clock::now();
            node.take_all(messages);
            node.nanos.push(nanos_each(started));
        }
    }
    println!("new messages of {PAYLOAD} bytes, hash included; medians of {rounds} rounds of {PER_ROUND}");
    report("bare hash", &hash, &hash);
    for (name, node) in &nodes {
        assert_eq!(node.delivered, WARM_UP + rounds * PER_ROUND, "every message is new");
        report(name, &node.nanos, &hash);
    }
}

fn report(name: &str, nanos: &[f64], hash: &[f64]) {
    let ratio = median(nanos.iter().zip(hash).map(|(nanos, hash)| nanos / hash).collect());
    let nanos = median(nanos.to_vec());
    println!("{name:<14} {ratio:6.2} hashes {nanos:6.0} ns {:7.2} M/s", 1000.0 / nanos);
}

/// A machine with its neighbours, and what lends it time and a sink.
struct Node {
    machine: Broadcast<u32>,
    rng: ChaCha8Rng,
    outputs: Vec<Output<u32>>,
    now: Instant,
    turn: u32,
    delivered: usize,
    /// Of each round, for each message.
    nanos: Vec<f64>,
}

impl Node {
    fn new(config: Config) -> Self {
        let mut node = Self {
            machine: Broadcast::new(Arc::new(config)),
            rng: ChaCha8Rng::seed_from_u64(0),
            outputs: Vec::new(),
            now: Instant::ORIGIN,
            turn: 0,
            delivered: 0,
            nanos: Vec::new(),
        };
        for peer in 0..EAGER + LAZY {
            node.feed(Input::NeighborUp { peer, extended: true });
            if peer >= EAGER {
                node.feed(Input::Message { from: peer, message: Message::Prune });
            }
        }
        node
    }

    // A name of its own in profiles.
    #[inline(never)]
    fn take_all(&mut self, messages: Vec<(Id, Bytes)>) {
        for (id, payload) in messages {
            self.now += INTERVAL;
            if self.machine.poll_timeout().is_some_and(|due| due <= self.now) {
                let at = At { now: self.now, wall: WallTime::default() };
                self.machine.handle_timeout(&mut Context::new(at, &mut self.rng, &mut self.outputs));
            }
            let from = self.turn;
            self.turn = (from + 1) % EAGER;
            self.feed(Input::Message { from, message: Message::Payload { id, hop: 3, payload } });
        }
    }

    fn feed(&mut self, input: Input<u32>) {
        let at = At { now: self.now, wall: WallTime::default() };
        self.machine.handle(input, &mut Context::new(at, &mut self.rng, &mut self.outputs));
        let events = self.outputs.iter().filter(|output| matches!(output, Output::Event(_)));
        self.delivered += events.count();
        self.outputs.clear();
    }
}

#[inline(never)]
fn hash_all(messages: &[(Id, Bytes)]) {
    for (id, payload) in messages {
        assert_eq!(Id::of(black_box(payload)), *id);
    }
}

/// Payloads that were not seen before, each with its id, cut out of one buffer as a decoder cuts them out of frames.
fn messages(count: usize, rng: &mut ChaCha8Rng) -> Vec<(Id, Bytes)> {
    let mut bytes = vec![0; count * PAYLOAD];
    rng.fill_bytes(&mut bytes);
    let mut rest = Bytes::from(bytes);
    let payloads = std::iter::repeat_with(|| rest.split_to(PAYLOAD)).take(count);
    payloads.map(|payload| (Id::of(&payload), payload)).collect()
}

fn nanos_each(started: Clock) -> f64 {
    started.elapsed().as_nanos() as f64 / PER_ROUND as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
