//! Joining, delivering, and links between nodes.

use super::SECOND;
use super::network::*;
use crate::mesh::{Command, Event};

#[test]
fn two_nodes_join_by_address_alone_and_deliver_once() {
    let mut network = Network::of_members(1, 2);
    network
        .until(5 * SECOND, |network| (0..2).all(|host| network.node(host).neighbors("t").eq([id(1 - host)])));
    network.publish(0, "t", b"hello");
    network.run(5 * SECOND);
    assert_eq!(network.delivered(1, b"hello"), 1);
    assert_eq!(network.delivered(0, b"hello"), 0);
    let author = |event: &Event| matches!(event, Event::Message { author, .. } if *author == Some(id(0)));
    assert_eq!(network.count(1, author), 1);
}

#[test]
fn a_message_is_relayed_by_a_third() {
    let mut network = Network::new(2);
    for host in 0..3 {
        network.add(native(host, if host == 0 { &[] } else { &[0] }));
        network.subscribe(host, "t");
    }
    network.until(10 * SECOND, |network| (0..3).all(|host| network.node(host).neighbors("t").count() == 2));
    // 1 and 2 lose sight of each other; what 1 says reaches 2 over 0, once.
    network.command(1, Command::Ban { token: 9, peer: id(2), lifetime: None });
    network.run(SECOND);
    network.publish(1, "t", b"relayed");
    network.run(5 * SECOND);
    assert_eq!(network.delivered(0, b"relayed"), 1);
    assert_eq!(network.delivered(2, b"relayed"), 1);
}

#[test]
fn e4_crossed_dials_end_with_one_link_and_no_flapping() {
    for seed in 0..8 {
        let mut network = Network::new(seed);
        network.add(native(0, &[1]));
        network.add(native(1, &[0]));
        (0..2).for_each(|host| network.subscribe(host, "t"));
        network.run(30 * SECOND);
        for host in 0..2 {
            assert_eq!(network.links(host).len(), 1, "seed {seed}");
            assert_eq!(network.count(host, |event| matches!(event, Event::PeerUp { .. })), 1, "seed {seed}");
            assert_eq!(
                network.count(host, |event| matches!(event, Event::PeerDown { .. })),
                0,
                "seed {seed}"
            );
            assert!(network.node(host).neighbors("t").eq([id(1 - host)]), "seed {seed}");
        }
    }
}

#[test]
fn dialling_ourselves_ends_without_a_word() {
    // A name behind which we are ourselves: nothing tells before the handshake does.
    let mut network = Network::new(3);
    network.add(crate::mesh::Config { listen: alloc::vec![], ..native(0, &[]) });
    network.hosts[0].force_listen();
    network.command(0, Command::Bootstrap { address: address(0), peer: None });
    network.run(2 * SECOND);
    assert_eq!(network.node(0).stats().dials, 1);
    assert_eq!(network.node(0).stats().links_established, 0);
    assert_eq!(network.count(0, |event| matches!(event, Event::PeerUp { .. })), 0);
    assert!(network.links(0).is_empty());
    assert_eq!(network.node(0).book.offenders(), 0);
}

#[test]
fn a_listener_that_is_not_open_yet_holds_back_the_join() {
    let mut network = Network::of_members(4, 1);
    let listen = alloc::vec![address(1)];
    let bootstrap = alloc::vec![(address(0), Some(id(0)))];
    network.add(crate::mesh::Config { listen, bootstrap, ..native(1, &[]) });
    network.subscribe(1, "t");
    // The driver has not answered: nothing is dialled.
    assert_eq!(network.node(1).stats().dials, 0);
    network.run(5 * SECOND);
    assert!(network.node(1).neighbors("t").eq([id(0)]));
    // And 0 knows where to reach 1.
    let place = network.node(0).book.places(id(1)).next().map(|place| place.route);
    assert_eq!(place, Some(crate::peers::Route::Direct(socket(1))));
}

#[test]
fn a_node_whose_listener_fails_joins_nevertheless() {
    let mut network = Network::of_members(5, 1);
    network.add(crate::mesh::Config { bootstrap: alloc::vec![(address(0), Some(id(0)))], ..native(1, &[]) });
    network.hosts[1].fail_listeners();
    network.subscribe(1, "t");
    network.run(5 * SECOND);
    assert!(network.node(1).neighbors("t").eq([id(0)]));
    assert_eq!(network.count(1, |event| matches!(event, Event::ListenFailed { .. })), 1);
}

#[test]
fn a_bootstrap_that_refuses_is_dialled_again_until_it_answers() {
    let mut network = Network::new(6);
    network.add(native(0, &[1]));
    network.subscribe(0, "t");
    network.run(60 * SECOND);
    assert!((3..=8).contains(&network.node(0).stats().dials), "{}", network.node(0).stats().dials);
    network.add(native(1, &[]));
    network.subscribe(1, "t");
    network.until(70 * SECOND, |network| network.node(0).neighbors("t").eq([id(1)]));
}

#[test]
fn a_silent_bootstrap_is_given_up_and_tried_again() {
    let mut network = Network::of_members(7, 1);
    network.silent.insert(0);
    network.add(native(1, &[0]));
    network.subscribe(1, "t");
    network.run(30 * SECOND);
    assert!(network.node(1).stats().dials >= 2);
    network.silent.remove(&0);
    network.until(60 * SECOND, |network| network.node(1).neighbors("t").eq([id(0)]));
}

#[test]
fn a_reset_link_is_lost_and_won_again() {
    let mut network = Network::of_members(8, 2);
    network.run(5 * SECOND);
    network.reset(0, 1);
    network.until(90 * SECOND, |network| (0..2).all(|host| network.node(host).neighbors("t").count() == 1));
    network.publish(0, "t", b"again");
    network.run(5 * SECOND);
    assert_eq!(network.delivered(1, b"again"), 1);
}

#[test]
fn a_silent_neighbour_is_lost() {
    let mut network = Network::of_members(9, 2);
    network.run(5 * SECOND);
    network.silent.insert(1);
    // Keep-alive: 30 s without a byte, then 15 s for an answer.
    network.until(60 * SECOND, |network| network.node(0).neighbors("t").count() == 0);
    assert_eq!(network.count(0, |event| matches!(event, Event::PeerDown { .. })), 1);
}

#[test]
fn a_publication_that_fits_no_frame_is_too_large() {
    let mut network = Network::of_members(10, 2);
    network.run(5 * SECOND);
    let largest = crate::mesh::rpc::payload_max("t");
    network.publish(0, "t", &alloc::vec![0; largest]);
    let outcome = |outcome| move |event: &Event| matches!(event, Event::Done { result: Ok(crate::mesh::Done::Published { outcome: of, .. }), .. } if *of == outcome);
    assert_eq!(network.count(0, outcome(crate::broadcast::Outcome::TooLarge)), 1);
    network.publish(0, "t", &alloc::vec![0; 1_023_000]);
    assert_eq!(network.count(0, outcome(crate::broadcast::Outcome::Sent)), 1);
    network.run(10 * SECOND);
    assert_eq!(network.node(1).stats().delivered, 1);
    assert_eq!(network.node(0).stats().messages_oversize, 0);
}

#[test]
fn t_51_a_node_whose_places_to_join_through_are_gone_finds_peers_of_an_earlier_run() {
    let mut network = Network::of_members(11, 3);
    network.until(10 * SECOND, |network| (0..3).all(|host| network.node(host).neighbors("t").count() == 2));
    // 1 has dialled 0. Nobody else is told of anybody now.
    let mut later = Network::new(12);
    later.add(native(0, &[]));
    later.add_with(native(1, &[]), &network.snapshot(1));
    (0..2).for_each(|host| later.subscribe(host, "t"));
    later.until(10 * SECOND, |later| later.node(1).neighbors("t").eq([id(0)]));
}
