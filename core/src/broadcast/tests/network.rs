//! A deterministic network on a fixed random regular graph, with a latency of 10 to 50 ms for each link.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use crate::broadcast::{Broadcast, Config, Event, Id, Input, Message, Output, Scope};
use crate::machine::{At, Context, Machine};
use crate::time::{Instant, WallTime};
use crate::{deadline::Deadlines, rng};

pub(super) struct Network {
    pub(super) nodes: Vec<Broadcast<u32>>,
    pub(super) now: Instant,
    pub(super) links: BTreeMap<(u32, u32), Duration>,
    flying: BTreeMap<(Instant, u64), (u32, Input<u32>)>,
    wakes: Deadlines<u32>,
    sent: u64,
    rng: ChaCha8Rng,
    pub(super) round: Round,
}

/// What was seen since the last publication.
#[derive(Clone, Debug, Default)]
pub(super) struct Round {
    pub(super) payloads: usize,
    pub(super) control: BTreeMap<&'static str, usize>,
    pub(super) delivered: BTreeMap<(u32, Id), u32>,
    pub(super) started: Instant,
    pub(super) last: Duration,
    pub(super) deepest: u32,
}

impl Round {
    pub(super) fn rmr(&self) -> f64 {
        self.payloads as f64 / self.delivered.len() as f64 - 1.0
    }

    pub(super) fn control(&self, kind: &str) -> usize {
        self.control.get(kind).copied().unwrap_or(0)
    }
}

impl Network {
    pub(super) fn new(seed: u64, size: u32, degree: u32, config: Config) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let config = Arc::new(config);
        let links = regular_graph(&mut rng, size, degree);
        let mut network = Self {
            nodes: (0..size).map(|_| Broadcast::new(Arc::clone(&config))).collect(),
            now: Instant::from_micros(1),
            links: BTreeMap::new(),
            flying: BTreeMap::new(),
            wakes: Deadlines::new(),
            sent: 0,
            rng,
            round: Round::default(),
        };
        for (one, other) in links {
            network.link(one, other);
        }
        network.run(Duration::from_secs(60));
        network
    }

    pub(super) fn link(&mut self, one: u32, other: u32) {
        let latency = Duration::from_micros(10_000 + rng::below(&mut self.rng, 40_001));
        self.links.insert((one.min(other), one.max(other)), latency);
        self.feed(one, Input::NeighborUp { peer: other, extended: true });
        self.feed(other, Input::NeighborUp { peer: one, extended: true });
    }

    pub(super) fn cut(&mut self, one: u32, other: u32) {
        self.links.remove(&(one.min(other), one.max(other)));
        self.feed(one, Input::NeighborDown { peer: other });
        self.feed(other, Input::NeighborDown { peer: one });
    }

    /// Publishes and runs for a while; what was seen in it.
    pub(super) fn publish(&mut self, node: u32, text: &str, span: Duration) -> Round {
        self.round = Round { started: self.now, ..Round::default() };
        let payload = Bytes::copy_from_slice(text.as_bytes());
        self.feed(node, Input::Publish { token: 0, payload, scope: Scope::Swarm });
        self.run(span);
        self.round.clone()
    }

    pub(super) fn random(&mut self) -> u32 {
        let size = self.nodes.len() as u64;
        u32::try_from(rng::below(&mut self.rng, size)).unwrap()
    }

    pub(super) fn random_link(&mut self) -> (u32, u32) {
        let links: Vec<_> = self.links.keys().copied().collect();
        *rng::pick(&mut self.rng, &links).unwrap()
    }

    pub(super) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            let flying = self.flying.first_key_value().map(|((at, _), _)| *at);
            let wake = self.wakes.next();
            let Some(next) = crate::deadline::earliest(flying, wake).filter(|next| *next <= end) else {
                break;
            };
            self.now = next;
            if flying == Some(next) {
                let (_, (node, input)) = self.flying.pop_first().unwrap();
                self.feed(node, input);
            } else if let Some(node) = self.wakes.pop_due(next) {
                self.call(node, |machine, cx| machine.handle_timeout(cx));
                let due = self.nodes[node as usize].poll_timeout();
                assert!(due.is_none_or(|due| due > next), "L3");
            }
        }
        self.now = end;
    }

    pub(super) fn feed(&mut self, node: u32, input: Input<u32>) {
        self.call(node, |machine, cx| machine.handle(input, cx));
    }

    fn call(&mut self, node: u32, run: impl FnOnce(&mut Broadcast<u32>, &mut Context<'_, Output<u32>>)) {
        let mut outputs = Vec::new();
        let at = At { now: self.now, wall: WallTime::default() };
        run(&mut self.nodes[node as usize], &mut Context::new(at, &mut self.rng, &mut outputs));
        self.wakes.set(node, self.nodes[node as usize].poll_timeout());
        for output in outputs {
            self.output(node, output);
        }
    }

    fn output(&mut self, node: u32, output: Output<u32>) {
        match output {
            Output::Send { peers, message } => {
                for peer in peers {
                    self.send(node, peer, message.clone());
                }
            }
            Output::Event(Event::Delivered { id, hop, .. }) => {
                let before = self.round.delivered.insert((node, id), hop);
                assert_eq!(before, None, "delivered twice");
                self.round.last = self.now.since(self.round.started);
                self.round.deepest = self.round.deepest.max(hop);
            }
            Output::Event(Event::Published { .. }) | Output::Stranger { .. } => {}
            other @ (Output::Event(Event::Lost { .. })
            | Output::Validate { .. }
            | Output::Violation { .. }) => {
                panic!("node {node}: {other:?}")
            }
        }
    }

    fn send(&mut self, from: u32, to: u32, message: Message) {
        let kind = match &message {
            Message::Payload { .. } => "payload",
            Message::IHave(_) => "ihave",
            Message::Prune => "prune",
            Message::Graft(ids) if ids.is_empty() => "empty graft",
            Message::Graft(_) => "graft",
            Message::NotHave(_) => "nothave",
        };
        if kind == "payload" {
            self.round.payloads += 1;
        } else {
            *self.round.control.entry(kind).or_default() += 1;
        }
        // A link that is gone loses what is sent over it.
        let Some(latency) = self.links.get(&(from.min(to), from.max(to))) else { return };
        self.sent += 1;
        self.flying.insert((self.now + *latency, self.sent), (to, Input::Message { from, message }));
    }

    /// Links that are eager at one end only.
    pub(super) fn one_sided(&self) -> usize {
        let eager: BTreeSet<(u32, u32)> = (0u32..)
            .zip(&self.nodes)
            .flat_map(|(node, machine)| machine.eager().map(move |peer| (node, peer)))
            .collect();
        eager.iter().filter(|(one, other)| !eager.contains(&(*other, *one))).count()
    }
}

/// Pairs up the ends of all links until no node has itself or another node twice.
fn regular_graph(rng: &mut ChaCha8Rng, size: u32, degree: u32) -> BTreeSet<(u32, u32)> {
    let mut ends: Vec<u32> = (0..size).flat_map(|node| (0..degree).map(move |_| node)).collect();
    let all = ends.len();
    rng::choose_to_front(rng, &mut ends, all);
    let mut links = BTreeSet::new();
    let mut attempts = 0;
    while ends.len() > 1 && attempts < 1000 {
        let mut left = Vec::new();
        for pair in ends.chunks(2) {
            match *pair {
                [one, other] if one != other && links.insert((one.min(other), one.max(other))) => {}
                _ => left.extend_from_slice(pair),
            }
        }
        // A few ends fit no more: break up an old link for each.
        if left.len() == ends.len() && !links.is_empty() {
            let at = rng::index(rng, links.len()).unwrap();
            let link = *links.iter().nth(at).unwrap();
            links.remove(&link);
            left.extend([link.0, link.1]);
        }
        let len = left.len();
        rng::choose_to_front(rng, &mut left, len);
        ends = left;
        attempts += 1;
    }
    links
}
