//! Repair and lost neighbours (`overlay` 5.4, 6.7, 6.13).

use alloc::vec::Vec;
use core::time::Duration;

use super::bench::*;
use super::network::contact;
use crate::machine::Machine;
use crate::overlay::{Config, Event, Input, Output, Priority};

/// A = 6 with neighbours 1..=6 and passive peers 20..32.
fn settled() -> Bench {
    let mut bench = Bench::new(6, 36);
    for peer in 1..=6 {
        bench.befriend(peer);
    }
    for by in 1..=4 {
        bench.remember(by, by * 3 + 17..by * 3 + 20);
    }
    assert_eq!(bench.passive().len(), 12);
    bench
}

#[test]
fn r5_4_a_lost_link_is_replaced_at_once() {
    let mut bench = settled();
    let outputs = bench.give(Input::Disconnected { peer: 1 });
    assert_eq!(dialled(&outputs).len(), 1);
    assert!((20..32).contains(&dialled(&outputs)[0]));
}

#[test]
fn r5_4_three_requests_in_flight_but_a_when_starved() {
    let mut bench = Bench::new(12, 72);
    for peer in 1..=12 {
        bench.befriend(peer);
    }
    for by in 1..=12 {
        bench.remember(by, by * 3 + 17..by * 3 + 20);
    }
    for peer in 1..=6 {
        bench.give(Input::Disconnected { peer });
    }
    assert_eq!(bench.pending().len(), 3);
    bench.give(Input::Disconnected { peer: 7 });
    assert_eq!((bench.active().len(), bench.pending().len()), (5, 7));
}

#[test]
fn r5_4_refused_dials_and_silent_ones_alike_lead_to_the_next_candidate() {
    let mut bench = settled();
    let mut tried = dialled(&bench.give(Input::Disconnected { peer: 1 }));
    for round in 0..11 {
        let last = *tried.last().unwrap();
        let outputs = if round % 2 == 0 {
            bench.give(Input::DialFailed { peer: last })
        } else {
            bench.wait(Duration::from_secs(5))
        };
        assert_eq!(released(&outputs), [last]);
        tried.extend(dialled(&outputs));
    }
    tried.sort_unstable();
    assert_eq!(tried, (20..32).collect::<Vec<_>>());
}

#[test]
fn r5_4_high_only_without_neighbours() {
    let mut bench = Bench::new(6, 36);
    bench.befriend(1);
    bench.remember(1, [20]);
    let outputs = bench.give(Input::Connected { peer: 20, dialled: true });
    assert!(matches!(neighbors(&outputs)[..], [(20, Priority::Low, _)]));
    bench.hear(20, disconnect(true, 1));
    bench.hear(1, disconnect(false, 1));
    let outputs = bench.wait(Duration::from_secs(35));
    assert_eq!(neighbors(&outputs).first().map(|ask| (ask.0, ask.1)), Some((20, Priority::High)));
}

#[test]
fn r5_4_the_deadline_follows_the_slowest_answer() {
    let mut bench = settled();
    let peer = dialled(&bench.give(Input::Disconnected { peer: 1 }))[0];
    bench.wait(Duration::from_millis(500));
    bench.give(Input::Connected { peer, dialled: true });
    let next = dialled(&bench.hear(peer, disconnect(true, 1)))[0];
    assert_eq!(released(&bench.wait(Duration::from_millis(1999))), []);
    assert_eq!(released(&bench.wait(Duration::from_millis(1))), [next]);
}

#[test]
fn r5_4_a_verified_peer_is_preferred_and_has_two_chances() {
    let mut bench = settled();
    bench.give(Input::Connected { peer: 25, dialled: true });
    bench.give(Input::Disconnected { peer: 25 });
    assert_eq!(dialled(&bench.give(Input::Disconnected { peer: 1 })), [25]);
    let outputs = bench.give(Input::DialFailed { peer: 25 });
    assert!(bench.passive().contains(&25));
    let unverified = dialled(&outputs)[0];
    bench.befriend(40);
    bench.give(Input::DialFailed { peer: unverified });
    assert!(!bench.passive().contains(&unverified));
    bench.wait(Duration::from_secs(35));
    assert_eq!(dialled(&bench.give(Input::Disconnected { peer: 2 })), [25]);
    bench.give(Input::DialFailed { peer: 25 });
    assert!(!bench.passive().contains(&25));
}

#[test]
fn r5_4_a_request_given_up_is_cancelled_so_that_no_half_link_stays() {
    let mut bench = settled();
    let peer = dialled(&bench.give(Input::Disconnected { peer: 1 }))[0];
    bench.give(Input::Connected { peer, dialled: true });
    assert_eq!(disconnects(&bench.wait(Duration::from_secs(5))), [(peer, true, None)]);
}

#[test]
fn r5_4_with_nobody_left_it_joins_again() {
    let mut bench = Bench::new(6, 36);
    bench.give(Input::Join { bootstrap: [contact(9)].to_vec() });
    bench.give(Input::DialFailed { peer: 9 });
    bench.befriend(1);
    bench.remember(1, [20]);
    bench.wait(Duration::from_secs(10));
    let outputs = bench.give(Input::Disconnected { peer: 1 });
    let mut dials = dialled(&outputs);
    dials.extend(dialled(&bench.wait(Duration::from_secs(31))));
    assert!(dials.contains(&9), "{dials:?}");
}

#[test]
fn t_51_a_stranded_node_asks_whom_else_its_parent_knows() {
    let mut bench = Bench::new(2, 3);
    let stranded = |outputs: &[Output<_>]| {
        outputs.iter().filter(|output| **output == Output::Event(Event::Stranded)).count()
    };
    bench.befriend(1);
    bench.befriend(2);
    assert_eq!(stranded(&bench.wait(Duration::from_secs(60))), 0);
    bench.give(Input::Disconnected { peer: 1 });
    let outputs = bench.give(Input::Disconnected { peer: 2 });
    // The lost ones are tried; when they are gone for good, it asks again and again, ever later.
    let mut outputs = [outputs, bench.wait(Duration::from_secs(30))].concat();
    assert!((1..=4).contains(&stranded(&outputs)), "{outputs:?}");
    outputs = bench.give(Input::Known { contacts: (10..20).chain([ME]).map(contact).collect() });
    // As many as the passive view holds are taken; until there is a neighbour, as many are asked as make Amin.
    assert_eq!(dialled(&outputs), bench.pending());
    assert_eq!((bench.pending().len(), bench.passive().len()), (1, 2));
    let peer = bench.pending()[0];
    let outputs = bench.give(Input::Connected { peer, dialled: true });
    assert!(matches!(neighbors(&outputs)[..], [(to, Priority::High, _)] if to == peer));
    assert_eq!(went_up(&bench.hear(peer, neighbor(peer, Priority::Low, 1))), [peer]);
}

#[test]
fn r6_7_a_starved_node_asks_high_after_three_refusals() {
    let mut bench = Bench::new(8, 48);
    bench.befriend(1);
    bench.befriend(2);
    for by in 1..=2 {
        bench.remember(by, by * 10 + 10..by * 10 + 20);
    }
    let mut urgent = Vec::new();
    for _ in 0..6 {
        let Some(peer) = bench.pending().first().copied() else { break };
        urgent
            .extend(neighbors(&bench.give(Input::Connected { peer, dialled: true })).iter().map(|ask| ask.1));
        bench.hear(peer, disconnect(true, 1));
    }
    assert_eq!(urgent[..3], [Priority::Low; 3]);
    assert!(urgent.contains(&Priority::High), "{urgent:?}");
}

#[test]
fn r4_4_nobody_is_asked_high_more_often_than_it_allows() {
    let mut bench = Bench::new(4, 8);
    bench.befriend(1);
    // The only one there is, and it is full.
    bench.hear(1, disconnect(true, 1));
    let (mut last, mut highs, mut lows) = (None, 0, 0);
    for _ in 0..3000 {
        let mut outputs = bench.wait(Duration::from_millis(200));
        if dialled(&outputs) == [1] {
            outputs.extend(bench.give(Input::Connected { peer: 1, dialled: true }));
        }
        for (_, priority, _) in neighbors(&outputs) {
            if priority == Priority::High {
                assert!(last.is_none_or(|last| bench.now.since(last) >= Config::default().high_interval));
                last = Some(bench.now);
                highs += 1;
            } else {
                lows += 1;
            }
            bench.hear(1, disconnect(true, 1));
        }
    }
    assert!(highs > 5 && lows > 0, "{highs} {lows}");
}

#[test]
fn r6_13_a_lost_neighbour_is_tried_once_a_minute_and_found_again() {
    let mut bench = Bench::new(4, 0);
    for peer in 1..=4 {
        bench.befriend(peer);
    }
    bench.give(Input::Disconnected { peer: 1 });
    bench.give(Input::Disconnected { peer: 2 });
    let mut tries = 0;
    for _ in 0..10 {
        for peer in dialled(&bench.wait(Duration::from_secs(60))) {
            assert!(peer < 3);
            tries += 1;
            bench.give(Input::DialFailed { peer });
        }
    }
    assert!((9..=11).contains(&tries), "{tries}");
    let peer = loop {
        if let Some(peer) = dialled(&bench.wait(Duration::from_secs(1))).pop() {
            break peer;
        }
    };
    let outputs = bench.give(Input::Connected { peer, dialled: true });
    assert!(matches!(neighbors(&outputs)[..], [(_, Priority::High, _)]));
    bench.hear(peer, neighbor(peer, Priority::Low, 1));
    assert_eq!(dialled(&bench.wait(Duration::from_secs(600))), []);
}

#[test]
fn r6_13_at_most_2a_lost_neighbours_for_24_h() {
    let mut bench = Bench::with(Config {
        active_capacity: Some(2),
        lost_period: Duration::from_secs(100_000),
        ..Config::default()
    });
    for peer in 1..=9 {
        bench.befriend(peer);
        bench.give(Input::Disconnected { peer });
    }
    bench.befriend(50);
    assert_eq!(bench.overlay.stats().lost_shed, 5);
    assert_eq!(dialled(&bench.wait(Duration::from_secs(120_000))), []);
}

#[test]
fn r1_an_idle_instance_has_no_tick() {
    let mut bench = settled();
    let mut wakes = 0;
    let end = bench.now + Duration::from_secs(600);
    while let Some(at) = bench.overlay.poll_timeout().filter(|at| *at < end) {
        bench.wait(at.since(bench.now));
        wakes += 1;
    }
    assert!(wakes < 70, "{wakes}");
}
