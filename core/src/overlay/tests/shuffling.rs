//! Shuffles and the passive view (`overlay` 4.6 to 4.8, 6.12).

use alloc::vec::Vec;
use core::time::Duration;

use super::bench::*;
use super::network::{Peer, contact};
use crate::overlay::{Config, Input, Message, Output, Priority, Violation};

fn shuffle(ttl: u32, origin: Peer, nodes: impl IntoIterator<Item = Peer>, nonce: u64) -> Message<Peer> {
    let nodes = nodes.into_iter().map(contact).collect();
    Message::Shuffle { ttl, origin: contact(origin), nodes, nonce: Some(nonce) }
}

fn reply(nodes: impl IntoIterator<Item = Peer>, nonce: Option<u64>) -> Message<Peer> {
    Message::ShuffleReply { nodes: nodes.into_iter().map(contact).collect(), nonce }
}

/// A = 4, full with 1..=4.
fn full(passive: usize) -> Bench {
    let mut bench = Bench::new(4, passive);
    for peer in 1..=4 {
        bench.befriend(peer);
    }
    bench
}

/// How exactly the time of a shuffle is seen.
const STEP: Duration = Duration::from_millis(10);

/// Waits for our own shuffle.
fn own_shuffle(bench: &mut Bench) -> (Peer, u32, Vec<Peer>, Option<u64>) {
    loop {
        if let Some(shuffle) = shuffles(&bench.wait(STEP)).pop() {
            return shuffle;
        }
    }
}

#[test]
fn r4_6_the_sample_is_half_passive_without_target_and_self() {
    let mut bench = full(24);
    bench.remember(1, 20..44);
    let (to, ttl, nodes, nonce) = own_shuffle(&mut bench);
    assert_eq!((ttl, nonce.is_some(), nodes.len()), (4, true, 8));
    assert_eq!(nodes.iter().filter(|peer| **peer >= 20).count(), 5);
    assert!(!nodes.contains(&to) && !nodes.contains(&ME));
}

#[test]
fn a_joiner_shuffles_soon_and_ever_later_until_it_has_a_reserve() {
    let pauses = |bench: &mut Bench| -> Vec<u128> {
        let mut last = bench.now;
        let mut pause = || {
            own_shuffle(bench);
            bench.now.since(core::mem::replace(&mut last, bench.now)).as_millis()
        };
        (0..7).map(|_| pause()).collect()
    };
    let joined = || {
        let mut bench = Bench::new(4, 24);
        bench.give(Input::Join { bootstrap: [contact(1)].to_vec() });
        bench.give(Input::Connected { peer: 1, dialled: true });
        bench.hear(1, neighbor(1, Priority::Low, 1));
        bench
    };
    let lonely = pauses(&mut joined());
    let within = |nominal: u128| nominal * 9 / 10..=nominal * 11 / 10 + STEP.as_millis();
    let [first, later] = [0..=500 + STEP.as_millis(), within(15_000)];
    let expected = [first, within(1000), within(2000), within(4000), within(8000), later.clone(), later];
    assert!(lonely.iter().zip(&expected).all(|(pause, range)| range.contains(pause)), "{lonely:?}");
    let mut bench = joined();
    bench.remember(1, 20..26);
    let (_, usual) = (own_shuffle(&mut bench), pauses(&mut bench));
    assert!(usual.iter().all(|pause| within(15_000).contains(pause)), "{usual:?}");
}

#[test]
fn r4_6_shuffles_come_every_15_s_with_jitter_and_skip_an_empty_view() {
    let mut bench = Bench::new(4, 24);
    assert_eq!(sent(&bench.wait(Duration::from_secs(60))), []);
    bench.befriend(1);
    let mut last = None;
    let mut distinct = alloc::collections::BTreeSet::new();
    for _ in 0..10 {
        own_shuffle(&mut bench);
        if let Some(last) = last.replace(bench.now) {
            let pause = bench.now.since(last).as_millis();
            assert!((13_490..=16_510).contains(&pause), "{pause}");
            distinct.insert(pause);
        }
    }
    assert!(distinct.len() > 5);
}

#[test]
fn r4_7_a_walk_of_4_has_4_receivers() {
    let mut bench = full(24);
    let mut receivers = 1;
    let mut ttl = 4;
    loop {
        let outputs = bench.hear(1, shuffle(ttl, 9, [20], u64::from(ttl)));
        let Some((to, next, nodes, _)) = shuffles(&outputs).pop() else { break };
        assert!((2..=4).contains(&to) && nodes == [20]);
        assert_eq!(next, ttl - 1);
        ttl = next;
        receivers += 1;
    }
    assert_eq!(receivers, 4);
    assert_eq!(shuffles(&bench.hear(1, shuffle(60_000, 9, [20], 99)))[0].1, 3);
}

#[test]
fn r4_7_the_last_hop_answers_and_merges() {
    let mut bench = full(24);
    bench.remember(1, 20..26);
    let outputs = bench.hear(2, shuffle(1, 2, [20, 30], 5));
    let [(2, ref nodes, Some(5))] = replies(&outputs)[..] else { panic!("{outputs:?}") };
    assert_eq!(nodes.len(), 4);
    assert!(nodes.iter().all(|peer| (21..26).contains(peer)));
    assert!(bench.passive().contains(&30));
}

#[test]
fn r4_7_the_reply_travels_over_a_temporary_connection() {
    let mut bench = full(24);
    bench.remember(1, 20..24);
    let outputs = bench.hear(1, shuffle(1, 9, [30], 5));
    assert_eq!((dialled(&outputs), sent(&outputs).len()), ([9].to_vec(), 0));
    let outputs = bench.give(Input::Connected { peer: 9, dialled: true });
    assert!(matches!(replies(&outputs)[..], [(9, _, Some(5))]));
    assert_eq!(released(&bench.wait(Duration::from_millis(9_999))), []);
    assert_eq!(released(&bench.wait(Duration::from_millis(1))), [9]);
}

#[test]
fn r4_7_an_unreachable_origin_gets_its_reply_along_the_walk() {
    let mut bench = full(24);
    bench.hear(1, shuffle(1, 9, [30], 5));
    let outputs = bench.give(Input::DialFailed { peer: 9 });
    assert!(matches!(replies(&outputs)[..], [(1, _, Some(5))]));
    assert_eq!(released(&outputs), [9]);
    // A hop on the way passes it back, once.
    bench.hear(2, shuffle(3, 9, [30], 6));
    assert_eq!(replies(&bench.hear(3, reply([40], Some(6)))), [(2, [40].to_vec(), Some(6))]);
    assert_eq!(replies(&bench.hear(3, reply([40], Some(6)))), []);
    bench.hear(2, shuffle(3, 9, [30], 7));
    bench.wait(Duration::from_secs(10));
    assert_eq!(replies(&bench.hear(3, reply([40], Some(7)))), []);
}

#[test]
fn r3_2_a_walk_without_nonce_is_given_one_and_its_reply_finds_the_way_back() {
    let plain =
        |ttl| Message::Shuffle { ttl, origin: contact(9), nodes: [contact(30)].to_vec(), nonce: None };
    let mut bench = full(24);
    let [(_, 2, _, Some(nonce))] = shuffles(&bench.hear(2, plain(3)))[..] else { panic!() };
    assert_eq!(replies(&bench.hear(3, reply([40], Some(nonce)))), [(2, [40].to_vec(), Some(nonce))]);
    // The last hop derives it as well.
    bench.hear(1, plain(1));
    assert!(
        matches!(replies(&bench.give(Input::DialFailed { peer: 9 }))[..], [(1, _, Some(same))] if same == nonce)
    );
}

#[test]
fn r4_7_own_walks_and_those_of_strangers_are_dropped() {
    let mut bench = full(24);
    assert_eq!(bench.hear(1, shuffle(4, ME, [30], 5)), []);
    bench.connect(9);
    assert_eq!(disconnects(&bench.hear(9, shuffle(4, 8, [30], 5))), [(9, true, None)]);
    assert_eq!(bench.passive(), []);
}

#[test]
fn r4_7_only_the_first_reply_with_our_nonce_counts() {
    let mut bench = full(24);
    let (_, _, _, nonce) = own_shuffle(&mut bench);
    bench.connect(9);
    bench.hear(9, reply([30], Some(nonce.unwrap() ^ 1)));
    bench.hear(9, reply([31], None));
    assert_eq!(bench.passive(), []);
    bench.hear(9, reply([32], nonce));
    bench.hear(9, reply([33], nonce));
    assert_eq!(bench.passive(), [32]);
    assert_eq!(bench.overlay.stats().replies_unasked, 3);
    let (_, _, _, nonce) = own_shuffle(&mut bench);
    bench.wait(Duration::from_secs(10));
    bench.hear(9, reply([34], nonce));
    assert_eq!(bench.passive(), [32]);
}

#[test]
fn r4_7_more_than_ten_unasked_replies_a_minute_are_a_violation() {
    let mut bench = full(24);
    for _ in 0..10 {
        assert_eq!(bench.hear(1, reply([30], Some(1))), []);
    }
    let outputs = bench.hear(1, reply([30], Some(1)));
    assert_eq!(outputs, [Output::Violation { peer: 1, violation: Violation::UnaskedReplies }]);
}

#[test]
fn r4_8_known_peers_are_refreshed_and_others_never_stored() {
    let mut bench = full(24);
    bench.remember(1, [20, ME, 1, 2, 20]);
    assert_eq!(bench.passive(), [20]);
    let mut newer = contact(20);
    newer.addresses = [bytes::Bytes::from_static(b"new")].to_vec();
    bench.hear(1, Message::Shuffle { ttl: 1, origin: contact(1), nodes: [newer].to_vec(), nonce: Some(9) });
    let outputs = bench.hear(2, disconnect(false, 1));
    assert!(
        outputs
            .iter()
            .any(|output| matches!(output, Output::Dial { peer: 20, addresses } if addresses[0] == "new"))
    );
}

#[test]
fn r4_8_what_was_sent_makes_room_first() {
    let mut bench = full(24);
    for by in 1..=4 {
        bench.remember(by, by * 6 + 14..by * 6 + 20);
    }
    assert_eq!(bench.passive().len(), 24);
    let (_, _, sample, nonce) = own_shuffle(&mut bench);
    let given: Vec<Peer> = sample.into_iter().filter(|peer| *peer >= 20).collect();
    assert!(given.len() >= 4);
    bench.connect(9);
    bench.hear(9, reply(60..63, nonce));
    let gone: Vec<Peer> = (20..44).filter(|peer| !bench.passive().contains(peer)).collect();
    assert!(gone.len() == 3 && gone.iter().all(|peer| given.contains(peer)), "{gone:?} {given:?}");
}

#[test]
fn r4_8_unverified_peers_are_evicted_before_verified_ones() {
    let mut bench = full(8);
    bench.remember(1, [20]);
    bench.give(Input::Connected { peer: 20, dialled: true });
    for source in 2..=4 {
        for round in 0..20 {
            bench.remember(source, [100 * source + round]);
        }
    }
    assert!(bench.passive().contains(&20));
    assert!(bench.passive().len() <= 8 && bench.overlay.stats().passive_shed >= 53);
}

#[test]
fn t45_one_sender_fills_a_quarter_of_the_passive_view_and_2a_entries_are_read() {
    let mut bench = full(24);
    bench.remember(1, 100..200);
    assert_eq!(bench.passive().len(), 6);
    assert_eq!(bench.overlay.stats().nodes_shed, 36 + 56);
    for round in 0..10 {
        bench.remember(1, 200 + 10 * round..206 + 10 * round);
    }
    assert_eq!(bench.passive().len(), 6);
}

#[test]
fn r6_12_every_five_minutes_a_shuffle_goes_elsewhere() {
    let config = Config {
        active_capacity: Some(2),
        shuffle_period: Duration::from_secs(100_000),
        ..Config::default()
    };
    let mut bench = Bench::with(config);
    bench.befriend(1);
    bench.befriend(2);
    bench.give(Input::Join { bootstrap: [contact(9)].to_vec() });
    let mut probes = 0;
    for _ in 0..2000 {
        for peer in dialled(&bench.wait(Duration::from_secs(1))) {
            assert_eq!(peer, 9);
            let outputs = bench.give(Input::Connected { peer, dialled: true });
            assert!(matches!(shuffles(&outputs)[..], [(9, 4, _, Some(_))]));
            bench.give(Input::Disconnected { peer });
            probes += 1;
        }
    }
    assert!((6..=8).contains(&probes), "{probes}");
}

#[test]
fn r6_12_such_a_shuffle_is_taken_from_a_stranger_once_a_minute() {
    let mut bench = full(24);
    bench.connect(9);
    assert_eq!(shuffles(&bench.hear(9, shuffle(4, 9, [30], 1))).len(), 1);
    assert_eq!(disconnects(&bench.hear(9, shuffle(4, 9, [30], 2))), [(9, true, None)]);
    bench.wait(Duration::from_secs(60));
    assert_eq!(shuffles(&bench.hear(9, shuffle(4, 9, [30], 3))).len(), 1);
}
