//! Sizes of views, joining and leaving (`overlay` 1, 4.1 to 4.3, 6.6, 6.14).

use alloc::vec::Vec;
use core::time::Duration;

use super::bench::*;
use super::network::contact;
use crate::overlay::{Capacity, Config, DownReason, Input, Message, Output, Priority};

#[test]
fn r1_1_capacities_without_floating_point() {
    let config = Config::default();
    let expected = [
        (0, 2),
        (1, 2),
        (2, 2),
        (3, 3),
        (4, 3),
        (10, 4),
        (50, 7),
        (100, 8),
        (500, 10),
        (1000, 11),
        (5000, 13),
        (10_000, 14),
        (12_000, 15),
        (100_000, 18),
        (1_000_000, 21),
        (u64::MAX, 32),
    ];
    for (nodes, active) in expected {
        let capacity = Capacity::of(nodes, &config);
        assert_eq!(capacity.active, active, "N = {nodes}");
        assert_eq!((capacity.starved, capacity.passive), ((active / 2).max(1), active * 6));
    }
}

#[test]
fn r1_1_a_smaller_network_drops_one_neighbour_a_tick() {
    let mut bench = Bench::with(Config { network_size: 10_000, ..Config::default() });
    for peer in 1..=14 {
        bench.befriend(peer);
    }
    assert_eq!(went_down(&bench.give(Input::NetworkSize(1000))), []);
    let first = bench.wait(Duration::from_millis(1101));
    assert_eq!(went_down(&first).len(), 1);
    assert!(matches!(disconnects(&first)[..], [(_, true, Some(10))]));
    bench.wait(Duration::from_secs(5));
    assert_eq!(bench.active().len(), 11);
}

#[test]
fn r4_1_join_waits_for_an_address_then_dials_one_contact() {
    let mut bench = Bench::raw(Config::default());
    let bootstrap: Vec<_> = (1..=3).map(contact).collect();
    assert_eq!(bench.give(Input::Join { bootstrap }), []);
    let outputs = bench.give(Input::Addresses(contact(ME).addresses));
    let contact = dialled(&outputs)[0];
    assert_eq!(outputs.len(), 2);
    assert_eq!(outputs[0], Output::Hold { peer: contact });
    let outputs = bench.give(Input::Connected { peer: contact, dialled: true });
    assert!(
        matches!(&sent(&outputs)[..], [(to, Message::Join { ttl: 3, peer, nonce: Some(_) })] if *to == contact && peer.peer == ME)
    );
    assert!(released(&bench.wait(Duration::from_secs(10))).contains(&contact));
}

#[test]
fn r4_1_refused_contacts_are_followed_by_the_next_at_once_then_retried_ever_later() {
    let mut bench = Bench::raw(Config::default());
    bench.give(Input::Addresses(Vec::new()));
    let mut outputs = bench.give(Input::Join { bootstrap: (1..=3).map(contact).collect() });
    let mut tried = Vec::new();
    while let Some(peer) = dialled(&outputs).first().copied() {
        tried.push(peer);
        outputs = bench.give(Input::DialFailed { peer });
    }
    tried.sort_unstable();
    assert_eq!(tried, [1, 2, 3]);
    let mut waits = Vec::new();
    for _ in 0..6 {
        let start = bench.now;
        loop {
            let outputs = bench.wait(Duration::from_millis(100));
            let mut dials = dialled(&outputs);
            if dials.is_empty() {
                continue;
            }
            waits.push(bench.now.since(start).as_millis() / 1000);
            while let Some(peer) = dials.pop() {
                dials = dialled(&bench.give(Input::DialFailed { peer }));
            }
            break;
        }
    }
    for (wait, nominal) in waits.iter().zip([5, 10, 20, 40, 60, 60]) {
        assert!(*wait >= nominal && *wait * 10 <= nominal * 12 + 10, "{waits:?}");
    }
}

#[test]
fn r4_1_a_joiner_whom_nobody_asks_starts_a_shuffle_at_its_contact() {
    let mut bench = Bench::raw(Config::default());
    bench.give(Input::Addresses(contact(ME).addresses));
    bench.give(Input::Join { bootstrap: [contact(1)].to_vec() });
    bench.give(Input::Connected { peer: 1, dialled: true });
    assert_eq!(sent(&bench.wait(Duration::from_millis(999))), []);
    let outputs = shuffles(&bench.wait(Duration::from_millis(1)));
    let [(1, 4, nodes, nonce)] = &outputs[..] else { panic!("{outputs:?}") };
    assert_eq!(*nodes, []);
    // The end of the walk need not be the contact; whom it names is asked.
    bench.connect(7);
    let outputs = bench.hear(7, Message::ShuffleReply { nodes: [contact(8)].to_vec(), nonce: *nonce });
    assert_eq!(dialled(&outputs), [8]);
    assert_eq!(shuffles(&bench.wait(Duration::from_secs(4))), [], "once for each JOIN");
}

#[test]
fn r4_1_a_joiner_that_was_asked_starts_none() {
    let mut bench =
        Bench::raw(Config { shuffle_first_within: Duration::from_secs(100), ..Config::default() });
    bench.give(Input::Addresses(contact(ME).addresses));
    bench.give(Input::Join { bootstrap: [contact(1)].to_vec() });
    bench.give(Input::Connected { peer: 1, dialled: true });
    bench.connect(2);
    bench.hear(2, neighbor(2, Priority::Low, 1));
    assert_eq!(bench.active(), [2]);
    assert_eq!(shuffles(&bench.wait(Duration::from_secs(2))), []);
}

#[test]
fn r4_1_no_join_without_contacts_and_none_to_a_neighbour() {
    let mut bench = Bench::new(4, 8);
    assert!(dialled(&bench.wait(Duration::from_secs(100))).is_empty());
    bench.befriend(1);
    let outputs = bench.give(Input::Join { bootstrap: [contact(1), contact(ME)].to_vec() });
    assert_eq!(outputs, []);
}

#[test]
fn r4_2_step_1_a_starved_node_takes_the_joiner_and_passes_it_on() {
    let mut bench = Bench::new(6, 12);
    bench.connect(1);
    let outputs = bench.hear(1, join(1, 7));
    assert_eq!(went_up(&outputs), [1]);
    assert!(matches!(neighbors(&outputs)[..], [(1, Priority::Low, _)]));
    assert_eq!(forward_joins(&outputs), []);
    bench.connect(2);
    let outputs = bench.hear(2, join(2, 7));
    assert_eq!(went_up(&outputs), [2]);
    assert_eq!(forward_joins(&outputs), [(1, 3, 2)]);
}

#[test]
fn r4_2_steps_2_3_5_a_contact_only_passes_the_joiner_on() {
    let mut bench = Bench::new(6, 12);
    for peer in 1..=3 {
        bench.befriend(peer);
    }
    bench.connect(9);
    let outputs = bench.hear(9, join(9, 7));
    assert_eq!((went_up(&outputs), bench.passive()), (Vec::new(), [9].to_vec()));
    assert!(matches!(forward_joins(&outputs)[..], [(1..=3, 3, 9)]));
    assert!(outputs.contains(&Output::Hold { peer: 9 }));
    assert_eq!(released(&bench.wait(Duration::from_secs(9))), []);
    assert_eq!(released(&bench.wait(Duration::from_secs(1))), [9]);
}

#[test]
fn r4_2_a_join_in_anothers_name_is_a_violation() {
    let mut bench = Bench::new(6, 12);
    bench.connect(1);
    let outputs = bench.hear(1, join(2, 7));
    assert!(matches!(outputs[..], [Output::Violation { peer: 1, .. }]));
    assert_eq!(bench.active(), []);
}

#[test]
fn r4_3_step_2_a_free_place_is_offered() {
    let mut bench = Bench::new(4, 8);
    bench.befriend(1);
    bench.befriend(2);
    let outputs = bench.hear(1, forward_join(1, 9, 5));
    assert_eq!(dialled(&outputs), [9]);
    assert_eq!(forward_joins(&outputs), []);
    let outputs = bench.give(Input::Connected { peer: 9, dialled: true });
    assert!(matches!(neighbors(&outputs)[..], [(9, Priority::Low, _)]));
    assert_eq!(went_up(&outputs), []);
    assert_eq!(went_up(&bench.hear(9, neighbor(9, Priority::Low, 3))), [9]);
}

#[test]
fn r4_3_step_3_only_the_first_hop_makes_room() {
    let mut bench = Bench::new(2, 8);
    bench.befriend(1);
    bench.befriend(2);
    assert_eq!(dialled(&bench.hear(1, forward_join(2, 8, 5))), []);
    assert_eq!(bench.passive(), [8]);
    assert_eq!(dialled(&bench.hear(1, forward_join(3, 9, 5))), [9]);
    let outputs = bench.give(Input::Connected { peer: 9, dialled: true });
    assert!(matches!(neighbors(&outputs)[..], [(9, Priority::High, _)]));
    let outputs = bench.hear(9, neighbor(9, Priority::Low, 3));
    assert_eq!((went_up(&outputs), went_down(&outputs).len(), bench.active().len()), ([9].to_vec(), 1, 2));
}

#[test]
fn r4_3_step_4_hops_are_3_2_1_to_at_most_fanout_neighbours() {
    let mut bench = Bench::new(8, 8);
    for peer in 1..=8 {
        bench.befriend(peer);
    }
    let outputs = bench.hear(1, forward_join(3, 9, 1));
    let passed = forward_joins(&outputs);
    assert_eq!(passed.len(), 4);
    assert!(passed.iter().all(|(to, ttl, joiner)| (2..=8).contains(to) && *ttl == 2 && *joiner == 9));
    assert_eq!(forward_joins(&bench.hear(1, forward_join(1, 9, 2))), []);
    assert_eq!(forward_joins(&bench.hear(1, forward_join(u32::MAX, 9, 3)))[0].1, 2);
}

#[test]
fn r4_3_all_neighbours_with_fanout_0() {
    let config = Config { active_capacity: Some(8), join_fanout: 0, ..Config::default() };
    let mut bench = Bench::with(config);
    for peer in 1..=8 {
        bench.befriend(peer);
    }
    assert_eq!(forward_joins(&bench.hear(1, forward_join(3, 9, 1))).len(), 7);
}

#[test]
fn r4_3_a_join_is_handled_once_and_only_from_neighbours() {
    let mut bench = Bench::new(8, 8);
    bench.befriend(1);
    bench.befriend(2);
    assert_eq!(forward_joins(&bench.hear(1, forward_join(3, 9, 1))).len(), 1);
    assert_eq!(bench.hear(2, forward_join(3, 9, 1)), []);
    assert_eq!(bench.overlay.stats().joins_repeated, 1);
    bench.connect(5);
    let outputs = bench.hear(5, forward_join(3, 7, 1));
    assert_eq!(disconnects(&outputs), [(5, true, None)]);
    assert_eq!(outputs.len(), 1);
    bench.wait(Duration::from_secs(60));
    assert_eq!(forward_joins(&bench.hear(2, forward_join(3, 9, 1))).len(), 1);
}

#[test]
fn r3_2_contacts_derive_the_same_nonce_for_a_join_without_one() {
    let plain = |joiner| Message::Join { ttl: 3, peer: contact(joiner), nonce: None };
    let passed_on = |neighbours: u32, joiner: u32| {
        let mut bench = Bench::new(8, 8);
        (1..=neighbours).for_each(|peer| bench.befriend(peer));
        // No two draw the same numbers.
        bench.wait(Duration::from_secs(20) * neighbours);
        bench.connect(joiner);
        let outputs = sent(&bench.hear(joiner, plain(joiner)));
        outputs.into_iter().find_map(|(_, message)| {
            if let Message::ForwardJoin { nonce, .. } = message { nonce } else { None }
        })
    };
    let nonce = passed_on(4, 9).unwrap();
    assert_eq!(passed_on(6, 9), Some(nonce));
    assert!(passed_on(6, 10).is_some_and(|other| other != nonce));
    // So does who hears of it through a plain peer, which passes no nonce on.
    let mut bench = Bench::new(8, 8);
    (1..=2).for_each(|peer| bench.befriend(peer));
    assert_eq!(forward_joins(&bench.hear(1, forward_join(3, 9, nonce))).len(), 1);
    let stripped = Message::ForwardJoin { ttl: 3, peer: contact(9), nonce: None };
    assert_eq!((bench.hear(2, stripped), bench.overlay.stats().joins_repeated), (Vec::new(), 1));
}

#[test]
fn r6_6_one_join_per_source_in_five_seconds() {
    let mut bench = Bench::new(6, 12);
    for peer in 1..=3 {
        bench.befriend(peer);
    }
    bench.connect(9);
    assert_eq!(forward_joins(&bench.hear(9, join(9, 1))).len(), 1);
    assert!(matches!(bench.hear(9, join(9, 2))[..], [Output::Violation { peer: 9, .. }]));
    bench.wait(Duration::from_secs(5));
    assert_eq!(forward_joins(&bench.hear(9, join(9, 3))).len(), 1);
    assert_eq!((bench.overlay.stats().joins_received, bench.overlay.stats().joins_limited), (2, 1));
}

#[test]
fn r6_6_evictions_for_others_stay_within_the_budget() {
    let mut bench = Bench::new(6, 40);
    for peer in 1..=6 {
        bench.befriend(peer);
    }
    bench.wait(Duration::from_secs(6));
    let mut evicted = 0;
    for peer in 10..30 {
        bench.connect(peer);
        let outputs = bench.hear(peer, neighbor(peer, Priority::High, 1));
        evicted += went_down(&outputs).len();
        if went_up(&outputs).is_empty() {
            assert_eq!(disconnects(&outputs), [(peer, true, Some(10))]);
        }
    }
    assert_eq!((evicted, bench.active().len()), (3, 6));
    assert_eq!(bench.active().iter().filter(|peer| **peer < 10).count(), 3);
}

#[test]
fn r6_12_a_join_is_confirmed_through_another_contact() {
    let mut bench = Bench::raw(Config::default());
    bench.give(Input::Addresses(contact(ME).addresses));
    let first = dialled(&bench.give(Input::Join { bootstrap: [contact(1), contact(2)].to_vec() }))[0];
    bench.give(Input::Connected { peer: first, dialled: true });
    bench.hear(first, neighbor(first, Priority::Low, 1));
    let second = 3 - first;
    while dialled(&bench.wait(Duration::from_millis(100))) != [second] {}
    let outputs = bench.give(Input::Connected { peer: second, dialled: true });
    assert!(matches!(sent(&outputs)[..], [(_, Message::Join { .. })]));
    assert_eq!(dialled(&bench.wait(Duration::from_secs(100))), []);
}

#[test]
fn r6_14_leaving_says_goodbye_and_is_the_end() {
    let mut bench = Bench::new(6, 12);
    bench.befriend(1);
    bench.befriend(2);
    let outputs = bench.give(Input::Leave);
    assert_eq!(disconnects(&outputs), [(1, false, None), (2, false, None)]);
    assert_eq!(went_down(&outputs), [(1, DownReason::Local), (2, DownReason::Local)]);
    assert_eq!(released(&outputs), [1, 2]);
    assert_eq!(bench.connect(3), []);
    assert_eq!(bench.give(Input::Join { bootstrap: [contact(1)].to_vec() }), []);
    assert_eq!(bench.wait(Duration::from_secs(1000)), []);
}
