//! The probes of `reference-results` 4 that concern membership, a hostile neighbour (`overlay` 10.6), and random
//! inputs (`overlay` 10.1, 10.4).

use alloc::vec::Vec;
use core::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::bench::*;
use super::network::{Network, Peer, contact};
use crate::machine::Machine;
use crate::overlay::{Capacity, Config, Contact, DownReason, Input, Message, Output, Priority};
use crate::rng;

#[test]
fn probe_1_a_join_between_two_fresh_nodes_leaves_nothing_pending() {
    let never = Duration::from_secs(10_000);
    let config = Config { shuffle_period: never, shuffle_first_within: never, ..Config::default() };
    let mut network = Network::new(config, 1);
    network.add(0, Vec::new());
    network.add(1, [contact(0)].to_vec());
    network.run(Duration::from_secs(1));
    // JOIN, then NEIGHBOR; the joiner's answer tells the contact that the link stands.
    assert_eq!(network.messages, 3);
    for peer in 0..2 {
        assert_eq!((network.overlay(peer).pending().count(), network.overlay(peer).active().count()), (0, 1));
    }
}

#[test]
fn probe_2_the_link_is_released_once_by_this_topic_and_never_closed() {
    let mut bench = Bench::new(4, 8);
    bench.befriend(1);
    let outputs = bench.hear(1, disconnect(true, 1));
    assert_eq!(outputs.iter().filter(|output| **output == Output::Release { peer: 1 }).count(), 1);
}

#[test]
fn probe_4_a_join_about_ourselves_is_dropped() {
    let mut bench = Bench::new(4, 8);
    bench.befriend(1);
    for ttl in 0..5 {
        assert_eq!(bench.hear(1, forward_join(ttl, ME, u64::from(ttl))), []);
    }
}

#[test]
fn probe_8_a_large_shuffle_and_a_huge_ttl_are_cut() {
    let mut bench = Bench::new(4, 24);
    bench.befriend(1);
    bench.befriend(2);
    let nodes = (100..200).map(contact).collect::<Vec<_>>();
    let shuffle = Message::Shuffle { ttl: 60_000, origin: contact(1), nodes, nonce: Some(1) };
    let [(2, 3, ref nodes, _)] = shuffles(&bench.hear(1, shuffle))[..] else { panic!() };
    assert_eq!(nodes.len(), 64);
}

#[test]
fn probe_11_twenty_joins_of_strangers_cost_no_neighbour() {
    let mut bench = Bench::new(5, 30);
    for peer in 1..=5 {
        bench.befriend(peer);
    }
    for peer in 20..40 {
        bench.connect(peer);
        assert_eq!(went_down(&bench.hear(peer, join(peer, 1))), []);
    }
    assert_eq!(bench.active(), [1, 2, 3, 4, 5]);
}

#[test]
fn probe_13_every_loss_is_repaired() {
    let mut bench = Bench::new(5, 30);
    for peer in 1..=5 {
        bench.befriend(peer);
    }
    for by in 1..=4 {
        bench.remember(by, by * 5 + 15..by * 5 + 20);
    }
    for (lost, requests) in [(1, 1), (2, 2), (3, 3)] {
        bench.give(Input::Disconnected { peer: lost });
        assert!(bench.pending().len() >= requests);
    }
}

fn coin(rng: &mut ChaCha8Rng) -> bool {
    rng::below(rng, 2) == 0
}

/// Everything a neighbour can say, with extreme fields.
fn hostile(rng: &mut ChaCha8Rng, from: Peer) -> Message<Peer> {
    let extremes = [0, 1, 2, 3, 4, u32::MAX - 1, u32::MAX];
    let ttl = *rng::pick(rng, &extremes).unwrap();
    let who = |rng: &mut ChaCha8Rng| {
        let known = [ME, from, 1, 2, 3, u32::MAX];
        if coin(rng) { *rng::pick(rng, &known).unwrap() } else { rng.next_u32() % 5000 }
    };
    let count = if rng.next_u32() % 64 == 1 { 10_000 } else { rng.next_u32() % 8 };
    let record = |rng: &mut ChaCha8Rng| Contact {
        addresses: (0..rng.next_u32() % 12).flat_map(|peer| contact(peer).addresses).collect(),
        peer: who(rng),
    };
    let nonce = [None, Some(0), Some(u64::MAX), Some(rng.next_u64())][rng.next_u32() as usize % 4];
    let nodes = |rng: &mut ChaCha8Rng| (0..count).map(|_| record(rng)).collect();
    let honest = coin(rng);
    let mut peer = record(rng);
    if honest {
        peer.peer = from;
    }
    match rng.next_u32() % 6 {
        0 => Message::Join { ttl, peer, nonce },
        1 => Message::ForwardJoin { ttl, peer, nonce },
        2 => {
            let priority = if coin(rng) { Priority::High } else { Priority::Low };
            Message::Neighbor { peer, priority, epoch: nonce }
        }
        3 => Message::Disconnect { alive: coin(rng), epoch: nonce, backoff_s: Some(ttl) },
        4 => Message::Shuffle { ttl, origin: peer, nodes: nodes(rng), nonce },
        _ => Message::ShuffleReply { nodes: nodes(rng), nonce },
    }
}

/// `requests` is A (5.4), or the largest A that the instance was given: a smaller one cancels nothing.
fn assert_bounded(bench: &Bench, requests: usize) {
    let overlay = &bench.overlay;
    let capacity = overlay.capacity();
    assert!(overlay.pending().count() <= requests);
    assert!(overlay.backoffs.len() <= 4 * capacity.passive);
    assert!(overlay.joins.len() <= 4096 && overlay.conduct.len() <= 256);
    assert!(overlay.lost.len() <= 2 * capacity.active);
    assert!(overlay.temporary.len() <= 16);
    assert!(overlay.evictions.len() <= capacity.active / 2);
}

#[test]
fn r10_6_a_hostile_neighbour_gains_nothing() {
    for (plain_peers, check_registration) in [(false, false), (true, false), (false, true), (true, true)] {
        let config = Config { network_size: 50, plain_peers, check_registration, ..Config::default() };
        let mut bench = Bench::with(config);
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        for peer in 1..=4 {
            bench.connect(peer);
            bench.hear(peer, neighbor(peer, Priority::Low, 1));
            bench.give(Input::Registered { peer, registered: true });
        }
        for _ in 0..3000 {
            let outputs = if bench.overlay.held().any(|peer| peer == 66) {
                bench.hear(66, hostile(&mut rng, 66))
            } else {
                bench.connect(66);
                bench.hear(66, neighbor(66, Priority::High, u64::MAX))
            };
            assert!(!dialled(&outputs).contains(&ME));
            assert!(dialled(&outputs).len() <= 1 + bench.overlay.capacity().active);
            for peer in dialled(&outputs) {
                bench.give(Input::DialFailed { peer });
            }
            for output in &outputs {
                if let Output::CheckRegistered { peer } = output {
                    bench.give(Input::Registered { peer: *peer, registered: peer % 3 != 0 });
                }
            }
            bench.wait(Duration::from_millis(u64::from(rng.next_u32() % 300)));
            assert_bounded(&bench, 7);
        }
    }
}

/// The largest network that a random input tells of.
const NODES_MAX: u64 = 199;

/// A random input of any kind.
fn any_input(rng: &mut ChaCha8Rng) -> Input<Peer> {
    let peer = rng.next_u32() % 12;
    match rng.next_u32() % 25 {
        0 => Input::Join { bootstrap: (0..rng.next_u32() % 4).map(contact).collect() },
        1 => Input::Addresses(contact(ME).addresses),
        2 => Input::NetworkSize(u64::from(rng.next_u32()) % (NODES_MAX + 1)),
        3..=6 => Input::Connected { peer, dialled: coin(rng) },
        7 => Input::Disconnected { peer },
        8 => Input::DialFailed { peer },
        9 => Input::Unresponsive { peer },
        10 => Input::Registered { peer, registered: coin(rng) },
        11 => Input::Banned { peer },
        12 => Input::Stranger { peer },
        13 => Input::Misbehaved { peer },
        14 => Input::Extended { peer },
        _ => Input::Message { from: peer, message: hostile(rng, peer) },
    }
}

#[test]
fn r10_1_random_inputs_keep_every_invariant_and_the_contract() {
    for seed in 0..24 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let config = Config {
            network_size: 20,
            plain_peers: seed % 2 == 0,
            check_registration: seed % 4 < 2,
            ..Config::default()
        };
        let mut bench = Bench::raw(config);
        let mut parent = Parent::default();
        for _ in 0..1000 {
            let input = any_input(&mut rng);
            parent.heard(&input);
            let outputs = bench.give(input);
            parent.obey(&outputs);
            let outputs = bench.wait(Duration::from_millis(u64::from(rng.next_u32() % 700)));
            parent.obey(&outputs);
            assert_eq!(bench.active(), parent.neighbors.iter().copied().collect::<Vec<_>>());
            assert_eq!(
                bench.overlay.held().collect::<Vec<_>>(),
                parent.held.iter().copied().collect::<Vec<_>>()
            );
            assert!(
                parent.neighbors.is_subset(&parent.connected) && parent.neighbors.is_subset(&parent.held)
            );
            assert_bounded(&bench, Capacity::of(NODES_MAX, &bench.overlay.config).active);
        }
        parent.obey(&bench.give(Input::Leave));
        assert!(parent.held.is_empty() && parent.neighbors.is_empty());
        assert_eq!(bench.overlay.poll_timeout(), None);
    }
}

#[test]
fn r6_16_an_idle_instance_is_small() {
    let size = size_of::<crate::overlay::Overlay<[u8; 32]>>();
    assert!(size <= 2048, "{size}");
}

#[test]
fn r10_4_same_seed_same_trace_and_an_early_timeout_changes_nothing() {
    let run = |early: bool| {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let mut bench = Bench::with(Config { network_size: 20, ..Config::default() });
        let mut trace = Vec::new();
        for _ in 0..1500 {
            trace.push(bench.give(any_input(&mut rng)));
            if early {
                assert_eq!(bench.time_out_early(), []);
            }
            trace.push(bench.wait(Duration::from_millis(u64::from(rng.next_u32() % 700))));
        }
        trace
    };
    assert!(run(false) == run(true));
}

/// What a parent knows from the outputs alone.
#[derive(Default)]
struct Parent {
    connected: alloc::collections::BTreeSet<Peer>,
    held: alloc::collections::BTreeSet<Peer>,
    neighbors: alloc::collections::BTreeSet<Peer>,
}

impl Parent {
    fn heard(&mut self, input: &Input<Peer>) {
        if let Input::Connected { peer, .. } = input
            && *peer != ME
        {
            self.connected.insert(*peer);
        }
        if let Input::Disconnected { peer } | Input::Banned { peer } = input {
            self.connected.remove(peer);
        }
    }

    fn obey(&mut self, outputs: &[Output<Peer>]) {
        for output in outputs {
            match output {
                Output::Send { to, .. } => assert!(self.connected.contains(to), "{to} is not connected"),
                Output::Hold { peer } => assert!(self.held.insert(*peer)),
                Output::Release { peer } => assert!(self.held.remove(peer)),
                Output::Dial { peer, .. } => {
                    assert!(self.held.contains(peer) && !self.connected.contains(peer) && *peer != ME);
                }
                Output::CheckRegistered { .. }
                | Output::Violation { .. }
                | Output::Event(crate::overlay::Event::Stranded) => {}
                Output::Event(crate::overlay::Event::NeighborUp { peer }) => {
                    assert!(self.neighbors.insert(*peer))
                }
                Output::Event(crate::overlay::Event::NeighborDown { peer, reason }) => {
                    assert!(self.neighbors.remove(peer));
                    assert!(*reason != DownReason::Banned || !self.connected.contains(peer));
                }
            }
        }
    }
}
