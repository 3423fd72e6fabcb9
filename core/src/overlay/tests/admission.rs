//! Registration and bans (`overlay` 7).

use alloc::vec::Vec;
use core::time::Duration;

use super::bench::*;
use super::network::{Peer, contact};
use crate::overlay::{Config, DownReason, Input, Message, Output, Priority};

fn checking() -> Bench {
    Bench::with(Config { active_capacity: Some(6), check_registration: true, ..Config::default() })
}

fn answer(bench: &mut Bench, peer: Peer, registered: bool) -> Vec<Output<Peer>> {
    bench.give(Input::Registered { peer, registered })
}

fn admit(bench: &mut Bench, peer: Peer) {
    bench.connect(peer);
    let outputs = bench.hear(peer, neighbor(peer, Priority::Low, 1));
    assert_eq!(outputs, [Output::CheckRegistered { peer }]);
    assert_eq!(went_up(&answer(bench, peer, true)), [peer]);
}

#[test]
fn r7_1_senders_and_subjects_are_asked_about_once() {
    let mut bench = checking();
    admit(&mut bench, 1);
    admit(&mut bench, 2);
    bench.connect(8);
    assert_eq!(bench.hear(8, join(8, 1)), [Output::CheckRegistered { peer: 8 }]);
    assert_eq!(bench.hear(1, forward_join(2, 8, 2)), []);
    assert_eq!(forward_joins(&answer(&mut bench, 8, true)).len(), 2);
    let shuffle =
        Message::Shuffle { ttl: 4, origin: contact(9), nodes: [contact(30)].to_vec(), nonce: Some(1) };
    assert_eq!(bench.hear(1, shuffle), [Output::CheckRegistered { peer: 9 }]);
    assert_eq!(shuffles(&answer(&mut bench, 9, true)).len(), 1);
}

#[test]
fn r7_1_candidates_are_asked_about_when_promoted_not_when_stored() {
    let mut bench = checking();
    admit(&mut bench, 1);
    let shuffle =
        Message::Shuffle { ttl: 1, origin: contact(1), nodes: [contact(30)].to_vec(), nonce: Some(1) };
    bench.hear(1, shuffle);
    let outputs = answer(&mut bench, 1, true);
    assert!(outputs.contains(&Output::CheckRegistered { peer: 30 }) && dialled(&outputs).is_empty());
    assert_eq!(dialled(&answer(&mut bench, 30, true)), [30]);
    bench.give(Input::Connected { peer: 30, dialled: true });
    assert_eq!(went_up(&bench.hear(30, neighbor(30, Priority::Low, 1))), [30]);
}

#[test]
fn r7_1_at_most_64_messages_wait_for_5_s() {
    let mut bench = checking();
    for peer in 1..=70 {
        bench.connect(peer);
        bench.hear(peer, neighbor(peer, Priority::Low, 1));
    }
    assert_eq!(bench.overlay.stats().parked_shed, 6);
    bench.wait(Duration::from_secs(5));
    assert_eq!(bench.overlay.stats().parked_expired, 64);
    assert_eq!(answer(&mut bench, 1, true), []);
}

#[test]
fn r7_2_the_unregistered_are_turned_away_and_their_forwarders_not_blamed() {
    let mut bench = checking();
    admit(&mut bench, 1);
    bench.connect(8);
    bench.hear(8, join(8, 1));
    let outputs = answer(&mut bench, 8, false);
    assert_eq!((outputs.len(), disconnects(&outputs)), (1, [(8, false, None)].to_vec()));
    bench.hear(1, forward_join(3, 9, 1));
    assert_eq!(answer(&mut bench, 9, false), []);
    assert_eq!(bench.active(), [1]);
    let outputs = answer(&mut bench, 1, false);
    assert_eq!(
        (disconnects(&outputs), went_down(&outputs)),
        ([(1, false, None)].to_vec(), [(1, DownReason::Local)].to_vec())
    );
}

#[test]
fn r7_4_a_ban_removes_from_everything_without_a_word() {
    let mut bench = Bench::new(4, 24);
    bench.give(Input::Join { bootstrap: [contact(5)].to_vec() });
    bench.give(Input::DialFailed { peer: 5 });
    bench.befriend(1);
    bench.befriend(2);
    bench.remember(1, [20, 21]);
    let outputs = bench.give(Input::Banned { peer: 1 });
    assert_eq!(went_down(&outputs), [(1, DownReason::Banned)]);
    assert!(sent(&outputs).is_empty() && released(&outputs) == [1]);
    for peer in [5, 20, 21] {
        bench.give(Input::Banned { peer });
    }
    assert_eq!((bench.passive(), bench.pending(), bench.active()), (Vec::new(), Vec::new(), [2].to_vec()));
    assert_eq!(dialled(&bench.give(Input::Disconnected { peer: 2 })), []);
    let outputs = bench.wait(Duration::from_secs(100));
    assert!(dialled(&outputs).iter().all(|peer| *peer == 2), "{outputs:?}");
}
