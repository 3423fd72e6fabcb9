//! Establishment of links (`mesh` 2): who is refused, and who stays without.

use alloc::vec::Vec;
use core::net::Ipv4Addr;
use core::net::SocketAddr;

use bytes::Bytes;

use super::SECOND;
use super::network::*;
use super::raw::{hello, messages};
use crate::admission;
use crate::identity::Keypair;
use crate::mesh::establishment::{self, Alternative, Message, Motive};
use crate::mesh::{Command, Config, Event, rpc};
use crate::wire::multiaddr::Multiaddr;

#[test]
fn e3_another_network_is_refused_with_motive_2() {
    let mut network = Network::of_members(1, 1);
    network.add_raw(&[]);
    let link = network.raw_dial(1, 0);
    let stream = network.raw_open(1, link, establishment::PROTOCOL).unwrap();
    network.raw_send(1, link, stream, hello("elsewhere").to_frame());
    network.run(SECOND);
    let heard = messages(&network.raw_received(1, link, stream));
    assert_eq!(heard, [hello("pleach"), Message::Nack { motive: Motive::Network, alternatives: Vec::new() }]);
    assert!(network.links(0).is_empty());
}

#[test]
fn e5_a_peer_of_another_network_is_left_alone_for_ten_minutes() {
    let mut network = Network::of_members(2, 1);
    network.add(Config { network: "elsewhere".into(), ..native(1, &[0]) });
    network.subscribe(1, "t");
    // Either may be the first to try again.
    let dials = |network: &Network| network.node(0).stats().dials + network.node(1).stats().dials;
    network.run(590 * SECOND);
    assert_eq!(dials(&network), 1);
    network.run(90 * SECOND);
    assert_eq!(dials(&network), 2);
}

#[test]
fn e5_a_peer_that_dialled_us_and_refuses_us_is_left_alone_too() {
    let mut network = Network::of_members(13, 1);
    network.add_raw(&[]);
    let link = network.raw_dial(1, 0);
    let stream = network.raw_open(1, link, establishment::PROTOCOL).unwrap();
    network.raw_send(1, link, stream, hello("pleach").to_frame());
    let nack = Message::Nack { motive: Motive::Application, alternatives: Vec::new() };
    network.raw_send(1, link, stream, nack.to_frame());
    network.run(SECOND);
    assert_eq!(network.node(0).stats().nacks_received, 1);
    network.command(0, Command::Bootstrap { address: address(1), peer: Some(id(1)) });
    network.run(590 * SECOND);
    assert_eq!(network.node(0).stats().dials, 0);
    network.run(90 * SECOND);
    assert!(network.node(0).stats().dials > 0);
}

/// A node whose application wants a peer that has just dialled and refused it for this reason; so many seconds after
/// the refusal.
fn after_refusal(refusal: Motive, seconds: u32) -> Network {
    let mut network = Network::of_members(20, 1);
    network.add_raw(&[]);
    let link = network.raw_dial(1, 0);
    let stream = network.raw_open(1, link, establishment::PROTOCOL).unwrap();
    network.raw_send(1, link, stream, hello("pleach").to_frame());
    let nack = Message::Nack { motive: refusal, alternatives: Vec::new() };
    network.raw_send(1, link, stream, nack.to_frame());
    network.until(SECOND, |network| network.node(0).stats().nacks_received == 1);
    let refused = network.now;
    network.run(SECOND / 2);
    network.command(0, Command::Bootstrap { address: address(1), peer: Some(id(1)) });
    network.run((refused + SECOND * seconds).since(network.now));
    network
}

#[test]
fn e5_a_peer_that_is_full_is_left_alone_for_thirty_seconds() {
    let network = after_refusal(Motive::Quota, 29);
    assert!(network.node(0).book.places(id(1)).count() == 1 && network.node(0).stats().dials == 0);
    let may_dial = |second| !network.node(0).book.candidates(id(1), network.now + SECOND * second).is_empty();
    assert!(!may_dial(0) && may_dial(1));
    assert!(after_refusal(Motive::Quota, 60).node(0).stats().dials > 0);
    // Nobody is left alone for being a duplicate or shutting down.
    for motive in [Motive::Duplicate, Motive::ShuttingDown] {
        assert!(after_refusal(motive, 5).node(0).stats().dials > 0);
    }
}

/// Host 0 has one place, which host 1 takes.
fn full_network() -> Network {
    let mut network = Network::new(3);
    let admission = admission::Config { links_max: 1, outgoing_reserved: 0, ..admission::Config::default() };
    network.add(Config { admission, ..native(0, &[]) });
    network.subscribe(0, "t");
    network.add(native(1, &[0]));
    network.subscribe(1, "t");
    network.run(10 * SECOND);
    assert!(network.node(0).neighbors("t").eq([id(1)]));
    network
}

#[test]
fn e5_a_full_node_names_others_that_listen() {
    let mut network = full_network();
    network.add_raw(&[]);
    let link = network.raw_dial(2, 0);
    let stream = network.raw_open(2, link, establishment::PROTOCOL).unwrap();
    network.raw_send(2, link, stream, hello("pleach").to_frame());
    network.run(SECOND);
    let heard = messages(&network.raw_received(2, link, stream));
    let addresses = Vec::from([Bytes::from(Multiaddr::tcp(socket(1)).to_bytes())]);
    let alternatives = Vec::from([Alternative { peer: id(1), addresses }]);
    assert_eq!(heard[1..], [Message::Nack { motive: Motive::Quota, alternatives }]);
}

#[test]
fn e5_a_refused_node_joins_through_an_alternative() {
    let mut network = full_network();
    network.add(native(2, &[0]));
    network.subscribe(2, "t");
    network.run(20 * SECOND);
    assert!(network.node(2).stats().nacks_received >= 1);
    assert_eq!(network.node(2).book.places(id(1)).count(), 1);
    assert!(network.node(2).neighbors("t").eq([id(1)]));
    assert!(network.node(1).neighbors("t").any(|peer| peer == id(2)));
}

#[test]
fn t_51_a_topic_with_nobody_to_ask_is_told_of_those_known_from_hearsay() {
    let mut network = full_network();
    network.add(native(2, &[0]));
    network.run(5 * SECOND);
    // Its one place to join through is not dialled for 30 s, but has named another.
    assert!(network.node(2).stats().nacks_received >= 1);
    network.subscribe(2, "t");
    network.until(5 * SECOND, |network| network.node(2).neighbors("t").eq([id(1)]));
}

#[test]
fn t_51_two_that_have_only_each_other_ask_those_known_from_hearsay() {
    let mut network = Network::new(5);
    network.add_raw(&[establishment::PROTOCOL]);
    network.add(native(1, &[]));
    network.add(native(2, &[1]));
    network.add(native(3, &[]));
    (1..4).for_each(|host| network.subscribe(host, "t"));
    network.until(20 * SECOND, |network| network.node(1).neighbors("t").eq([id(2)]));
    // 1 is told of 3 when it needs nobody, and cannot join where it was told.
    network.command(1, Command::Bootstrap { address: address(0), peer: None });
    let addresses = Vec::from([Bytes::from(Multiaddr::tcp(socket(3)).to_bytes())]);
    let alternatives = Vec::from([Alternative { peer: id(3), addresses }]);
    answer(&mut network, &[Message::Nack { motive: Motive::Quota, alternatives }]);
    network.until(60 * SECOND, |network| network.node(3).neighbors("t").any(|peer| peer == id(1)));
}

/// A node that dials the hand-made host 0, which has answered its HELLO with its own and these.
fn answered(messages: &[Message]) -> Network {
    let mut network = Network::new(4);
    network.add_raw(&[establishment::PROTOCOL]);
    network.add(native(1, &[0]));
    network.subscribe(1, "t");
    answer(&mut network, messages);
    network
}

/// The hand-made host 0, which is being dialled, answers with its HELLO and these.
fn answer(network: &mut Network, messages: &[Message]) {
    network.run(SECOND);
    let link = *network.raw(0).links.keys().next().unwrap();
    let stream = network.raw_accepted(0, link, establishment::PROTOCOL)[0];
    let frames: Vec<_> = messages.iter().map(Message::to_frame).collect();
    network.raw_send(0, link, stream, hello("pleach").to_frame());
    network.raw_send(0, link, stream, Bytes::from(frames.concat()));
    network.run(SECOND);
}

fn strangers(count: u8) -> Vec<Alternative> {
    let alternative = |number: u8| {
        let address = SocketAddr::from((Ipv4Addr::new(9, 9, number, 1), 4000));
        let peer = Keypair::from_seed(&[100 + number; 32]).peer_id();
        Alternative { peer, addresses: Vec::from([Bytes::from(Multiaddr::tcp(address).to_bytes())]) }
    };
    (0..count).map(alternative).collect()
}

#[test]
fn e1_without_a_hello_the_link_closes_five_seconds_after_its_stream() {
    let mut network = Network::new(4);
    network.add_raw(&[establishment::PROTOCOL]);
    network.add(native(1, &[0]));
    network.run(5 * SECOND);
    assert_eq!(network.links(1).len(), 1);
    network.run(SECOND);
    assert!(network.links(1).is_empty());
    assert_eq!(network.node(1).stats().handshakes_timed_out, 1);
}

#[test]
fn e5_ten_alternatives_of_one_nack_are_taken() {
    let network = answered(&[Message::Nack { motive: Motive::Quota, alternatives: strangers(12) }]);
    let known = |other: &Alternative| network.node(1).book.places(other.peer).count() == 1;
    assert_eq!(strangers(12).iter().filter(|other| known(other)).count(), 10);
    assert_eq!(network.node(1).book.points(id(0), network.now), 0);
}

#[test]
fn e6_a_hundred_alternatives_are_an_offence() {
    let network = answered(&[Message::Nack { motive: Motive::Quota, alternatives: strangers(100) }]);
    assert_eq!(network.node(1).book.points(id(0), network.now), 10);
    assert!(network.links(1).is_empty());
}

#[test]
fn e6_a_second_hello_is_an_offence() {
    let network = answered(&[hello("pleach")]);
    assert_eq!(network.node(1).book.points(id(0), network.now), 10);
    assert!(network.links(1).is_empty());
}

#[test]
fn e6_an_ack_after_a_nack_is_an_offence() {
    let nack = Message::Nack { motive: Motive::Quota, alternatives: strangers(1) };
    let network = answered(&[nack, Message::Ack { version: 1 }]);
    assert_eq!(network.node(1).book.points(id(0), network.now), 10);
    assert_eq!(network.node(1).book.places(strangers(1)[0].peer).count(), 1, "the NACK was heard");
    assert!(network.links(1).is_empty());
}

#[test]
fn e6_a_second_hello_after_establishment_is_an_offence() {
    let mut network = Network::of_members(12, 1);
    network.add_raw(&[]);
    let (link, stream) = network.raw_establish(1, 0);
    network.raw_send(1, link, stream, hello("pleach").to_frame());
    network.run(SECOND);
    assert_eq!(network.node(0).book.points(id(1), network.now), 10);
    assert!(network.links(0).is_empty());
}

#[test]
fn e7_a_bye_ends_the_link() {
    let mut network = Network::of_members(5, 1);
    network.add_raw(&[rpc::PROTOCOL]);
    let (link, stream) = network.raw_establish(1, 0);
    assert_eq!(network.count(0, |event| *event == Event::PeerUp { peer: id(1) }), 1);
    network.raw_send(1, link, stream, Message::Bye { motive: Motive::ShuttingDown }.to_frame());
    network.run(SECOND);
    assert_eq!(network.node(0).stats().byes_received, 1);
    assert!(network.links(0).is_empty());
    assert_eq!(network.count(0, |event| *event == Event::PeerDown { peer: id(1) }), 1);
}

#[test]
fn e7_a_link_that_nobody_uses_says_bye_before_it_closes() {
    let mut network = Network::of_members(19, 1);
    network.add_raw(&[]);
    let (link, stream) = network.raw_establish(1, 0);
    network.run(58 * SECOND);
    assert_eq!(network.links(0).len(), 1);
    network.run(3 * SECOND);
    let heard = messages(&network.raw_received(1, link, stream));
    assert_eq!(heard.last(), Some(&Message::Bye { motive: Motive::Unspecified }));
    assert!(network.links(0).is_empty());
}

#[test]
fn unknown_session_messages_are_counted() {
    let mut network = Network::of_members(6, 1);
    network.add_raw(&[]);
    let (link, stream) = network.raw_establish(1, 0);
    // [77]
    network.raw_send(1, link, stream, Bytes::from_static(&[3, 0x81, 0x18, 77]));
    network.run(SECOND);
    assert_eq!(network.node(0).stats().unknown_messages, 1);
    assert_eq!(network.links(0).len(), 1);
}

#[test]
fn a_second_session_stream_is_reset() {
    let mut network = Network::of_members(7, 1);
    network.add_raw(&[]);
    let (link, first) = network.raw_establish(1, 0);
    let second = network.raw_open(1, link, establishment::PROTOCOL).unwrap();
    network.run(SECOND);
    assert!(network.raw_was_reset(1, link, second));
    assert!(!network.raw_was_reset(1, link, first));
    assert_eq!(network.links(0).len(), 1);
}

#[test]
fn a_session_stream_of_the_peer_that_we_dialled_is_reset() {
    let mut network = Network::new(14);
    network.add_raw(&[establishment::PROTOCOL]);
    network.add(native(1, &[0]));
    network.run(SECOND);
    let link = *network.raw(0).links.keys().next().unwrap();
    assert_eq!(network.raw_accepted(0, link, establishment::PROTOCOL).len(), 1);
    let theirs = network.raw_open(0, link, establishment::PROTOCOL).unwrap();
    network.run(SECOND);
    assert!(network.raw_was_reset(0, link, theirs));
    assert_eq!(network.node(1).stats().streams_refused, 1);
    assert_eq!(network.links(1).len(), 1);
}

#[test]
fn a_bad_session_frame_costs_points_and_the_link() {
    let oversize = crate::wire::frame::with_varint(&[0; establishment::FRAME_MAX + 1]);
    let not_canonical = Bytes::from_static(&[4, 0x82, 0x01, 0x18, 0x01]);
    let trailing = Bytes::from_static(&[4, 0x82, 0x03, 0x00, 0x00]);
    for (frame, early) in
        [&oversize, &not_canonical, &trailing].into_iter().flat_map(|f| [(f, true), (f, false)])
    {
        let mut network = Network::of_members(15, 1);
        network.add_raw(&[]);
        let (link, stream) = if early {
            let link = network.raw_dial(1, 0);
            let stream = network.raw_open(1, link, establishment::PROTOCOL).unwrap();
            network.raw_send(1, link, stream, hello("pleach").to_frame());
            (link, stream)
        } else {
            network.raw_establish(1, 0)
        };
        network.raw_send(1, link, stream, frame.clone());
        network.run(SECOND);
        assert_eq!(network.node(0).book.points(id(1), network.now), 10, "{early}");
        assert!(network.links(0).is_empty(), "{early}");
    }
}

#[test]
fn e4_four_early_streams_are_held_and_the_fifth_is_reset() {
    let mut network = Network::of_members(8, 1);
    network.add_raw(&[rpc::PROTOCOL]);
    let link = network.raw_dial(1, 0);
    let streams: Vec<_> = (0..5).map(|_| network.raw_open(1, link, rpc::PROTOCOL).unwrap()).collect();
    let prune = rpc::Action::Broadcast(crate::broadcast::Message::Prune);
    network.raw_send(1, link, streams[3], rpc::encode_frame("nowhere", &prune).unwrap());
    network.run(SECOND / 2);
    let reset: Vec<_> =
        streams.iter().filter(|stream| network.raw_was_reset(1, link, **stream)).copied().collect();
    assert_eq!(reset, [streams[4]]);
    assert_eq!(network.node(0).stats().unknown_topics, 0);
    let stream = network.raw_open(1, link, establishment::PROTOCOL).unwrap();
    network.raw_send(1, link, stream, hello("pleach").to_frame());
    network.raw_send(1, link, stream, Message::Ack { version: 1 }.to_frame());
    network.run(SECOND);
    // What was held is heard now.
    assert_eq!(network.node(0).stats().unknown_topics, 1);
}

#[test]
fn e4_more_than_64_kib_are_not_held() {
    let mut network = Network::of_members(9, 1);
    network.add_raw(&[rpc::PROTOCOL]);
    let link = network.raw_dial(1, 0);
    let stream = network.raw_open(1, link, rpc::PROTOCOL).unwrap();
    network.raw_send(1, link, stream, Bytes::from(alloc::vec![0; 60 << 10]));
    network.run(SECOND);
    assert!(!network.raw_was_reset(1, link, stream));
    network.raw_send(1, link, stream, Bytes::from(alloc::vec![0; 10 << 10]));
    network.run(SECOND);
    assert!(network.raw_was_reset(1, link, stream));
}
