//! NEIGHBOR, DISCONNECT and the invariants of links (`overlay` 4.4, 4.5, 5.1 to 5.3, 6.1 to 6.11).

use alloc::vec::Vec;
use core::time::Duration;

use super::bench::*;
use super::network::contact;
use crate::overlay::{Config, DownReason, Input, Message, Output, Priority, Violation};

/// Full with 1..=4, all linked some time ago.
fn full() -> Bench {
    let mut bench = Bench::new(4, 40);
    for peer in 1..=4 {
        bench.befriend(peer);
    }
    bench.wait(Duration::from_secs(6));
    bench
}

#[test]
fn r4_4_an_answer_is_not_answered() {
    let mut bench = Bench::new(4, 8);
    bench.befriend(1);
    bench.hear(1, forward_join(1, 9, 1));
    bench.give(Input::Connected { peer: 9, dialled: true });
    let outputs = bench.hear(9, neighbor(9, Priority::Low, 1));
    assert_eq!((went_up(&outputs), sent(&outputs)), ([9].to_vec(), Vec::new()));
    assert_eq!(bench.pending(), []);
}

#[test]
fn r4_4_a_low_acceptance_that_finds_the_view_full_is_declined() {
    let mut bench = Bench::new(2, 8);
    bench.befriend(1);
    bench.hear(1, forward_join(1, 9, 1));
    bench.give(Input::Connected { peer: 9, dialled: true });
    bench.befriend(2);
    let outputs = bench.hear(9, neighbor(9, Priority::Low, 1));
    assert_eq!(disconnects(&outputs), [(9, true, None)]);
    // It may have joined a moment ago and know nobody else: it is told of some.
    assert_eq!(replies(&outputs), [(9, [1, 2].to_vec(), None)]);
    assert_eq!((bench.active(), bench.passive()), ([1, 2].to_vec(), [9].to_vec()));
}

#[test]
fn r4_4_a_neighbour_that_asks_again_is_answered_once_in_five_seconds() {
    let mut bench = Bench::new(4, 8);
    bench.befriend(1);
    assert_eq!(bench.hear(1, neighbor(1, Priority::Low, 2)), []);
    bench.wait(Duration::from_secs(5));
    let outputs = bench.hear(1, neighbor(1, Priority::Low, 3));
    assert!(matches!(neighbors(&outputs)[..], [(1, Priority::Low, _)]));
    assert_eq!(outputs.len(), 1);
    assert_eq!(bench.hear(1, neighbor(1, Priority::Low, 4)), []);
}

#[test]
fn r4_4_low_needs_a_free_place_and_pending_requests_do_not_count() {
    let mut bench = Bench::new(3, 8);
    bench.befriend(1);
    bench.hear(1, forward_join(1, 8, 1));
    bench.hear(1, forward_join(1, 9, 2));
    assert_eq!(bench.pending(), [8, 9]);
    bench.befriend(2);
    bench.befriend(3);
    bench.connect(4);
    let outputs = bench.hear(4, neighbor(4, Priority::Low, 1));
    assert_eq!(disconnects(&outputs), [(4, true, Some(30))]);
    assert!(bench.passive().contains(&4));
}

#[test]
fn r4_4_high_evicts_but_not_a_fresh_neighbour_if_possible() {
    let mut bench = full();
    bench.connect(5);
    let outputs = bench.hear(5, neighbor(5, Priority::High, 1));
    assert_eq!(went_up(&outputs), [5]);
    let [(first, DownReason::Evicted)] = went_down(&outputs)[..] else { panic!("{outputs:?}") };
    bench.connect(6);
    let outputs = bench.hear(6, neighbor(6, Priority::High, 1));
    let [(second, DownReason::Evicted)] = went_down(&outputs)[..] else { panic!("{outputs:?}") };
    assert!((1..=4).contains(&first) && (1..=4).contains(&second));
}

#[test]
fn r4_4_high_counts_as_low_when_repeated_within_30_s() {
    let mut bench = full();
    bench.connect(5);
    bench.hear(5, neighbor(5, Priority::High, 1));
    assert_eq!(went_down(&bench.hear(5, disconnect(true, 1))), [(5, DownReason::Evicted)]);
    bench.befriend(7);
    bench.wait(Duration::from_secs(11));
    let outputs = bench.hear(5, neighbor(5, Priority::High, 2));
    assert_eq!((went_up(&outputs), bench.overlay.stats().highs_limited), (Vec::new(), 1));
    bench.wait(Duration::from_secs(20));
    assert_eq!(went_up(&bench.hear(5, neighbor(5, Priority::High, 3))), [5]);
}

#[test]
fn r4_4_anothers_name_is_a_violation() {
    let mut bench = Bench::new(4, 8);
    bench.connect(1);
    let outputs = bench.hear(1, neighbor(2, Priority::High, 1));
    assert_eq!(outputs, [Output::Violation { peer: 1, violation: Violation::Impersonation }]);
}

#[test]
fn r4_5_a_refusal_keeps_the_peer_in_reserve_and_goes_on_at_once() {
    let mut bench = Bench::new(4, 40);
    bench.befriend(1);
    bench.remember(1, [8, 9]);
    let [asked] = bench.pending()[..] else { panic!() };
    bench.give(Input::Connected { peer: asked, dialled: true });
    let outputs = bench.hear(asked, disconnect(true, 1));
    assert_eq!(released(&outputs), [asked]);
    assert_eq!((bench.pending(), bench.passive()), ([17 - asked].to_vec(), [asked].to_vec()));
}

#[test]
fn r4_5_alive_decides_between_reserve_and_oblivion_and_nothing_is_answered() {
    let mut bench = Bench::new(4, 8);
    for peer in 1..=3 {
        bench.befriend(peer);
    }
    let outputs = bench.hear(1, disconnect(true, 1));
    assert_eq!((went_down(&outputs), sent(&outputs).len()), ([(1, DownReason::Evicted)].to_vec(), 0));
    let outputs = bench.hear(2, disconnect(false, 1));
    assert_eq!((went_down(&outputs), sent(&outputs).len()), ([(2, DownReason::Left)].to_vec(), 0));
    assert_eq!(bench.passive(), [1]);
    assert_eq!(bench.hear(1, disconnect(false, 1)), []);
    assert_eq!(bench.passive(), []);
}

#[test]
fn r5_2_an_unreachable_peer_never_holds_a_place() {
    let mut bench = Bench::new(4, 40);
    bench.befriend(1);
    bench.remember(1, [8]);
    assert_eq!((bench.pending(), bench.active()), ([8].to_vec(), [1].to_vec()));
    let outputs = bench.give(Input::DialFailed { peer: 8 });
    assert_eq!((released(&outputs), went_up(&outputs)), ([8].to_vec(), Vec::new()));
    assert_eq!((bench.pending(), bench.passive()), (Vec::new(), Vec::new()));
}

#[test]
fn r5_5_an_unresponsive_neighbour_counts_as_lost() {
    let mut bench = Bench::new(4, 8);
    bench.befriend(1);
    let outputs = bench.give(Input::Unresponsive { peer: 1 });
    assert_eq!((went_down(&outputs), released(&outputs)), ([(1, DownReason::Lost)].to_vec(), [1].to_vec()));
}

#[test]
fn b8_6_a_neighbour_that_misbehaved_is_left_alone() {
    let mut bench = Bench::new(4, 8);
    bench.befriend(1);
    let outputs = bench.give(Input::Misbehaved { peer: 1 });
    assert_eq!(disconnects(&outputs), [(1, true, Some(60))]);
    assert_eq!((went_down(&outputs), released(&outputs)), ([(1, DownReason::Local)].to_vec(), [1].to_vec()));
    // It is in no list from which neighbours are chosen, and is not asked when others name it.
    assert_eq!(bench.give(Input::Misbehaved { peer: 1 }), []);
    bench.befriend(2);
    bench.hear(2, forward_join(1, 1, 1));
    assert_eq!((bench.pending(), bench.passive()), (Vec::new(), [1].to_vec()));
    assert_eq!(neighbors(&bench.wait(Duration::from_secs(50))), []);
    bench.wait(Duration::from_secs(20));
    bench.hear(2, forward_join(1, 1, 2));
    assert_eq!(bench.pending(), [1]);
}

#[test]
fn r6_2_silent_neighbours_are_refreshed_with_the_present_epoch() {
    let mut bench = Bench::new(4, 8);
    bench.befriend(1);
    let refreshes = neighbors(&bench.wait(Duration::from_secs(190)));
    assert!((2..=3).contains(&refreshes.len()), "{refreshes:?}");
    assert!(refreshes.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn r6_2_a_stranger_is_told_that_there_is_no_link() {
    let mut bench = Bench::new(4, 8);
    bench.connect(1);
    assert_eq!(disconnects(&bench.give(Input::Stranger { peer: 1 })), [(1, true, None)]);
    let again = bench.give(Input::Stranger { peer: 1 });
    assert_eq!((disconnects(&again), bench.overlay.stats().refusals_limited), (Vec::new(), 1));
    bench.wait(Duration::from_secs(1));
    assert_eq!(disconnects(&bench.give(Input::Stranger { peer: 1 })).len(), 1);
}

#[test]
fn r6_3_stale_disconnect_is_ignored() {
    let mut bench = Bench::new(4, 8);
    bench.connect(1);
    bench.hear(1, neighbor(1, Priority::Low, 8));
    assert_eq!(bench.hear(1, disconnect(true, 7)), []);
    assert_eq!((bench.active(), bench.overlay.stats().stale), ([1].to_vec(), 1));
    assert_eq!(went_down(&bench.hear(1, disconnect(true, 8))).len(), 1);
}

#[test]
fn r6_3_the_epoch_advances_with_each_link_started_and_with_nothing_else() {
    let mut bench = Bench::new(4, 8);
    bench.connect(1);
    let first = neighbors(&bench.hear(1, neighbor(1, Priority::Low, 1)))[0].2;
    bench.connect(2);
    let second = neighbors(&bench.hear(2, neighbor(2, Priority::Low, 1)))[0].2;
    assert_eq!(second, first + 1);
    bench.wait(Duration::from_secs(5));
    assert_eq!(neighbors(&bench.hear(1, neighbor(1, Priority::Low, 2)))[0].2, second);
    let farewell = sent(&bench.give(Input::Leave));
    assert!(farewell.iter().all(
        |(_, message)| matches!(message, Message::Disconnect { epoch: Some(epoch), .. } if *epoch == second)
    ));
}

#[test]
fn r6_4_crossing_requests_make_one_link_and_no_answer() {
    let mut bench = Bench::new(4, 8);
    bench.befriend(1);
    bench.hear(1, forward_join(1, 9, 1));
    bench.give(Input::Connected { peer: 9, dialled: true });
    let outputs = bench.hear(9, neighbor(9, Priority::High, 1));
    assert_eq!((went_up(&outputs), sent(&outputs).len()), ([9].to_vec(), 0));
}

#[test]
fn r6_5_a_second_connection_changes_nothing() {
    let mut bench = Bench::new(4, 8);
    bench.befriend(1);
    assert_eq!(bench.give(Input::Connected { peer: 1, dialled: true }), []);
    assert_eq!(went_down(&bench.give(Input::Disconnected { peer: 1 })), [(1, DownReason::Lost)]);
    assert_eq!(bench.give(Input::Disconnected { peer: 1 }), []);
}

#[test]
fn r6_8_the_two_ends_of_an_evicted_link_leave_each_other_alone() {
    let mut bench = full();
    bench.connect(5);
    let outputs = bench.hear(5, neighbor(5, Priority::High, 1));
    let [(victim, true, Some(10))] = disconnects(&outputs)[..] else { panic!("{outputs:?}") };
    // A place becomes free; the victim is the only candidate, and is not asked back at once.
    assert_eq!(dialled(&bench.hear(5, disconnect(false, 1))), []);
    bench.wait(Duration::from_secs(8));
    assert_eq!(bench.pending(), []);
    let free = bench.active()[0];
    bench.wait(Duration::from_secs(4));
    bench.hear(free, disconnect(false, 9));
    assert_eq!(bench.pending(), [victim]);
}

#[test]
fn r6_8_a_peers_backoff_is_kept_but_not_for_ever() {
    let mut bench = Bench::new(4, 40);
    bench.befriend(1);
    bench.remember(1, [8]);
    bench.give(Input::Connected { peer: 8, dialled: true });
    bench.hear(8, Message::Disconnect { alive: true, epoch: Some(1), backoff_s: Some(u32::MAX) });
    assert_eq!(dialled(&bench.wait(Duration::from_secs(3200))), []);
    assert_eq!(bench.passive(), [8]);
    bench.wait(Duration::from_secs(800));
    assert!(bench.pending() == [8] || bench.overlay.stats().requests_started > 1);
}

#[test]
fn r6_9_we_ourselves_in_any_list_are_neither_dialled_nor_stored() {
    let mut bench = Bench::new(6, 36);
    bench.befriend(1);
    bench.befriend(2);
    let list = || [contact(ME), contact(ME)].to_vec();
    let shuffle =
        |origin| Message::Shuffle { ttl: 1, origin: contact(origin), nodes: list(), nonce: Some(1) };
    let mut outputs = bench.give(Input::Join { bootstrap: list() });
    for message in [forward_join(3, ME, 1), shuffle(1), shuffle(ME)] {
        outputs.extend(bench.hear(1, message));
    }
    // As a sample from who evicts us, and as the reply to our own shuffle.
    outputs.extend(bench.hear(2, disconnect(true, 1)));
    outputs.extend(bench.hear(2, Message::ShuffleReply { nodes: list(), nonce: None }));
    let (_, _, _, nonce) = loop {
        let said = bench.wait(Duration::from_millis(100));
        outputs.extend(said.iter().cloned());
        if let Some(shuffle) = shuffles(&said).pop() {
            break shuffle;
        }
    };
    outputs.extend(bench.hear(1, Message::ShuffleReply { nodes: list(), nonce }));
    assert_eq!(bench.overlay.stats().replies_merged, 1);
    outputs.extend(bench.give(Input::Connected { peer: ME, dialled: false }));
    outputs.extend(bench.give(Input::Disconnected { peer: 1 }));
    outputs.extend(bench.wait(Duration::from_secs(60)));
    assert!(!dialled(&outputs).contains(&ME) && sent(&outputs).iter().all(|(to, _)| *to != ME));
    assert!(
        !bench.passive().contains(&ME) && !bench.pending().contains(&ME) && !bench.active().contains(&ME)
    );
}

#[test]
fn r6_10_the_victim_is_a_random_neighbour() {
    let mut victims = alloc::collections::BTreeSet::new();
    let mut bench = full();
    for peer in 10..60 {
        bench.wait(Duration::from_secs(10));
        bench.connect(peer);
        let outputs = bench.hear(peer, neighbor(peer, Priority::High, 1));
        assert_eq!(bench.active().len(), 4);
        let before = bench.active();
        victims.extend(went_down(&outputs).iter().map(|(victim, _)| *victim));
        assert!(before.contains(&peer));
    }
    assert!(victims.len() > 25, "{victims:?}");
}

#[test]
fn r6_11_a_refusal_is_told_whatever_was_refused_a_moment_ago() {
    let mut bench = full();
    for peer in [5, 6] {
        bench.connect(peer);
        assert_eq!(went_up(&bench.hear(peer, neighbor(peer, Priority::High, 1))), [peer]);
    }
    // No more evictions for now. Who was refused LOW asks HIGH at its next tick.
    bench.connect(9);
    assert_eq!(disconnects(&bench.hear(9, neighbor(9, Priority::Low, 1))), [(9, true, Some(30))]);
    bench.wait(Duration::from_millis(900));
    let outputs = bench.hear(9, neighbor(9, Priority::High, 2));
    assert_eq!((disconnects(&outputs), outputs.len()), ([(9, true, Some(10))].to_vec(), 1));
    // Who was told that it is no neighbour asks to be one.
    bench.connect(8);
    assert_eq!(disconnects(&bench.give(Input::Stranger { peer: 8 })), [(8, true, None)]);
    let outputs = bench.hear(8, neighbor(8, Priority::Low, 1));
    assert_eq!((disconnects(&outputs), outputs.len()), ([(8, true, Some(30))].to_vec(), 1));
    // The same again within a second gets no answer (T-47).
    let outputs = bench.hear(8, neighbor(8, Priority::Low, 2));
    assert_eq!(outputs, [Output::Violation { peer: 8, violation: Violation::RateExceeded }]);
}

#[test]
fn r6_14_an_evicted_node_accepts_one_sample_from_its_evictor_only() {
    let mut bench = Bench::new(4, 40);
    for peer in 1..=3 {
        bench.befriend(peer);
    }
    let sample = |peers: core::ops::Range<u32>| Message::ShuffleReply {
        nodes: peers.map(contact).collect(),
        nonce: None,
    };
    bench.hear(1, disconnect(true, 1));
    bench.hear(2, sample(20..30));
    assert_eq!(bench.overlay.stats().replies_unasked, 1);
    bench.hear(1, sample(30..50));
    let known = bench.passive().len() + bench.pending().len();
    assert_eq!((known, bench.overlay.stats().nodes_shed), (5, 16));
    bench.hear(1, sample(60..62));
    assert_eq!(bench.overlay.stats().replies_unasked, 2);
}

#[test]
fn r6_14_an_evicted_neighbour_gets_a_sample() {
    let mut bench = full();
    bench.remember(1, 20..30);
    bench.connect(5);
    let outputs = bench.hear(5, neighbor(5, Priority::High, 1));
    let victim = went_down(&outputs)[0].0;
    let [(to, ref nodes, None)] = replies(&outputs)[..] else { panic!("{outputs:?}") };
    assert_eq!((to, nodes.len()), (victim, 4));
}

#[test]
fn r6_15_the_epoch_starts_above_that_of_an_earlier_run() {
    let mut early = Bench::new(4, 8);
    early.connect(1);
    let first = neighbors(&early.hear(1, neighbor(1, Priority::Low, 1)))[0].2;
    assert!(first > 1_800_000_000 * 1024 && first < 1_800_000_001 * 1024);
}

#[test]
fn r3_addresses_are_limited_one_by_one_and_the_newest_record_wins() {
    let mut bench = Bench::with(Config { active_capacity: Some(2), ..Config::default() });
    bench.befriend(1);
    bench.befriend(2);
    let long = bytes::Bytes::from(alloc::vec![1; 257]);
    let good = bytes::Bytes::from(alloc::vec![2; 256]);
    let mut record = contact(9);
    record.addresses = core::iter::once(long).chain(core::iter::repeat_n(good.clone(), 10)).collect();
    let shuffle =
        |record| Message::Shuffle { ttl: 1, origin: contact(1), nodes: [record].to_vec(), nonce: Some(1) };
    bench.hear(1, shuffle(record));
    assert_eq!(bench.overlay.stats().addresses_shed, 3);
    let outputs = bench.hear(1, disconnect(false, 1));
    let Some(Output::Dial { addresses, .. }) =
        outputs.iter().find(|output| matches!(output, Output::Dial { peer: 9, .. }))
    else {
        panic!("{outputs:?}")
    };
    assert_eq!(addresses[..], alloc::vec![good; 8]);
}
