//! Neighbours of the original library (`overlay` 3.3).

use alloc::vec::Vec;
use core::time::Duration;

use super::bench::*;
use super::network::{Peer, contact};
use crate::overlay::{Config, DownReason, Input, Message, Priority};

fn config() -> Config {
    Config { active_capacity: Some(4), plain_peers: true, ..Config::default() }
}

fn plain_neighbor(peer: Peer) -> Message<Peer> {
    Message::Neighbor { peer: contact(peer), priority: Priority::Low, epoch: None }
}

fn plain_forward_join(joiner: Peer) -> Message<Peer> {
    Message::ForwardJoin { ttl: 3, peer: contact(joiner), nonce: None }
}

fn plain_shuffle(origin: Peer) -> Message<Peer> {
    Message::Shuffle { ttl: 1, origin: contact(origin), nodes: [contact(30)].to_vec(), nonce: None }
}

/// One plain neighbour, and a request to 9 that was sent.
fn asked(config: Config) -> Bench {
    let mut bench = Bench::with(config);
    bench.connect(1);
    bench.hear(1, plain_neighbor(1));
    bench.hear(1, plain_forward_join(9));
    let outputs = bench.give(Input::Connected { peer: 9, dialled: true });
    assert_eq!(neighbors(&outputs).len(), 1);
    bench
}

#[test]
fn r3_3_a_anything_but_disconnect_accepts_a_request() {
    let spoken = [
        plain_neighbor(9),
        plain_forward_join(8),
        plain_shuffle(9),
        Message::ShuffleReply { nodes: Vec::new(), nonce: None },
    ];
    for message in spoken {
        assert_eq!(went_up(&asked(config()).hear(9, message)), [9]);
    }
    assert_eq!(went_up(&asked(config()).give(Input::Stranger { peer: 9 })), [9]);
    let mut refused = asked(config());
    refused.hear(9, Message::Disconnect { alive: true, epoch: None, backoff_s: None });
    assert_eq!((refused.active(), refused.pending()), ([1].to_vec(), Vec::new()));
}

#[test]
fn r3_3_a_so_does_the_deadline_while_the_connection_stands() {
    assert_eq!(went_up(&asked(config()).wait(Duration::from_secs(5))), [9]);
    let mut broken = asked(config());
    broken.give(Input::Disconnected { peer: 9 });
    assert_eq!(went_up(&broken.wait(Duration::from_secs(5))), []);
    assert_eq!(went_up(&asked(Config { plain_peers: false, ..config() }).wait(Duration::from_secs(5))), []);
}

#[test]
fn r3_3_a_a_peer_that_has_shown_our_fields_elsewhere_has_to_answer() {
    let mut bench = asked(config());
    bench.give(Input::Extended { peer: 9 });
    assert_eq!(went_up(&bench.wait(Duration::from_secs(5))), []);
    // What was said of a connection ends with it.
    bench.give(Input::Disconnected { peer: 9 });
    bench.give(Input::Extended { peer: 9 });
    bench.give(Input::Connected { peer: 9, dialled: true });
    assert!(bench.overlay.is_plain(&9));
}

#[test]
fn r3_3_b_a_silent_dialler_is_asked_after_two_seconds() {
    let mut bench = Bench::with(config());
    bench.connect(1);
    bench.hear(1, plain_neighbor(1));
    bench.remember(1, [20]);
    bench.give(Input::DialFailed { peer: 20 });
    for peer in 2..=4 {
        bench.befriend(peer);
    }
    bench.remember(1, [21, 22]);
    bench.give(Input::Disconnected { peer: 4 });
    while let Some(peer) = bench.pending().pop() {
        bench.give(Input::DialFailed { peer });
    }
    bench.remember(1, [23, 24]);
    bench.connect(23);
    bench.connect(24);
    bench.give(Input::Extended { peer: 24 });
    assert_eq!(neighbors(&bench.wait(Duration::from_millis(1999))), []);
    let outputs = bench.wait(Duration::from_millis(1));
    assert!(matches!(neighbors(&outputs)[..], [(23, Priority::Low, _)]));
}

#[test]
fn r3_3_e_but_not_on_a_topic_it_may_not_have() {
    let mut bench = Bench::with(config());
    bench.connect(9);
    assert_eq!(sent(&bench.wait(Duration::from_secs(10))), []);
}

#[test]
fn r3_3_c_who_behaves_like_a_neighbour_becomes_one_if_there_is_room() {
    let mut bench = Bench::with(config());
    bench.befriend(1);
    bench.befriend(2);
    bench.connect(8);
    let outputs = bench.hear(8, plain_forward_join(30));
    assert_eq!((went_up(&outputs), neighbors(&outputs).len()), ([8].to_vec(), 1));
    assert_eq!(forward_joins(&outputs).len(), 2);
    bench.connect(9);
    assert_eq!(went_up(&bench.give(Input::Stranger { peer: 9 })), [9]);
    bench.connect(10);
    let outputs = bench.give(Input::Stranger { peer: 10 });
    assert_eq!((went_up(&outputs), disconnects(&outputs)), (Vec::new(), [(10, false, None)].to_vec()));
}

#[test]
fn r3_3_d_refusals_and_evictions_say_gone_and_are_rare() {
    let mut bench = Bench::with(config());
    for peer in 1..=4 {
        bench.connect(peer);
        bench.hear(peer, plain_neighbor(peer));
    }
    bench.connect(9);
    assert_eq!(disconnects(&bench.hear(9, plain_neighbor(9))), [(9, false, Some(30))]);
    bench.wait(Duration::from_millis(9_900));
    assert_eq!(disconnects(&bench.hear(9, plain_neighbor(9))), []);
    bench.wait(Duration::from_millis(200));
    assert_eq!(disconnects(&bench.hear(9, plain_neighbor(9))).len(), 1);
    bench.connect(8);
    let outputs = bench.hear(8, neighbor(8, Priority::High, 1));
    let [(victim, DownReason::Evicted)] = went_down(&outputs)[..] else { panic!("{outputs:?}") };
    assert_eq!(disconnects(&outputs), [(victim, false, Some(10))]);
    assert_eq!(replies(&outputs), []);
}

#[test]
fn r4_7_a_reply_without_nonce_is_taken_after_a_shuffle_to_a_plain_neighbour() {
    for (config, merged) in [(config(), 1), (Config { plain_peers: false, ..config() }, 0)] {
        let mut bench = Bench::with(config);
        bench.connect(1);
        bench.hear(1, plain_neighbor(1));
        while shuffles(&bench.wait(Duration::from_millis(100))).is_empty() {}
        let reply = Message::ShuffleReply { nodes: [contact(30)].to_vec(), nonce: None };
        bench.hear(1, reply.clone());
        bench.hear(1, reply);
        assert_eq!(bench.overlay.stats().replies_merged, merged);
        assert_eq!(bench.overlay.stats().replies_unasked, 2 - merged);
    }
}
