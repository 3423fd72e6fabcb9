//! The streams of an established link: replaced, reopened, refused, full.

use alloc::vec::Vec;
use core::time::Duration;

use bytes::{Bytes, BytesMut};

use super::super::{Input, Output};
use super::SECOND;
use super::network::*;
use super::raw::{hello, rpcs};
use crate::broadcast;
use crate::channel;
use crate::heads::Announced;
use crate::mesh::establishment::{self, Message};
use crate::mesh::heads as wire;
use crate::mesh::rpc::{self, Action};
use crate::mesh::{Command, Config, Event};
use crate::overlay::{self, Contact, DownReason};

fn prune(topic: &str) -> Bytes {
    rpc::encode_frame(topic, &Action::Broadcast(broadcast::Message::Prune)).unwrap()
}

#[test]
fn an_unknown_topic_is_answered_once_a_minute_and_the_link_stays() {
    let mut network = Network::of_members(1, 1);
    network.add_raw(&[rpc::PROTOCOL]);
    let (link, _) = network.raw_establish(1, 0);
    let stream = network.raw_open(1, link, rpc::PROTOCOL).unwrap();
    for _ in 0..5 {
        network.raw_send(1, link, stream, prune("nowhere"));
        network.run(SECOND);
    }
    let ours = network.raw_accepted(1, link, rpc::PROTOCOL)[0];
    let goodbye = overlay::Message::Disconnect { alive: false, epoch: None, backoff_s: None };
    let goodbye = Action::Overlay(goodbye);
    let heard = rpcs(&network.raw_received(1, link, ours));
    assert_eq!(
        heard.iter().map(|rpc| (&*rpc.topic, &rpc.action)).collect::<Vec<_>>(),
        [("nowhere", &goodbye)]
    );
    assert_eq!(network.node(0).stats().unknown_topics, 5);
    assert_eq!(network.links(0).len(), 1);
    assert_eq!(network.node(0).book.points(id(1), network.now), 0);
    // Not idle yet, and told again after a minute.
    network.run(Duration::from_secs(50));
    let (link, _) = network.raw_establish(1, 0);
    let stream = network.raw_open(1, link, rpc::PROTOCOL).unwrap();
    network.run(10 * SECOND);
    network.raw_send(1, link, stream, prune("nowhere"));
    network.run(SECOND);
    let ours = network.raw_accepted(1, link, rpc::PROTOCOL)[0];
    assert_eq!(rpcs(&network.raw_received(1, link, ours)).len(), 1);
}

#[test]
fn a_lost_gossip_stream_is_opened_again_after_a_second() {
    let mut network = Network::of_members(2, 1);
    network.add_raw(&[rpc::PROTOCOL]);
    let (link, _) = network.raw_establish(1, 0);
    let ours = network.raw_accepted(1, link, rpc::PROTOCOL);
    assert_eq!(ours.len(), 1);
    network.raw_input(1, link, channel::Input::Reset { stream: ours[0] });
    network.run(SECOND / 2);
    assert_eq!(network.raw_accepted(1, link, rpc::PROTOCOL).len(), 1);
    network.run(SECOND);
    assert_eq!(network.raw_accepted(1, link, rpc::PROTOCOL).len(), 2);
}

#[test]
fn o3_1_a_later_inbound_stream_replaces_the_earlier() {
    let mut network = Network::of_members(3, 1);
    network.add_raw(&[rpc::PROTOCOL]);
    let (link, _) = network.raw_establish(1, 0);
    let first = network.raw_open(1, link, rpc::PROTOCOL).unwrap();
    let second = network.raw_open(1, link, rpc::PROTOCOL).unwrap();
    network.raw_send(1, link, first, prune("nowhere"));
    network.run(SECOND);
    assert_eq!(network.node(0).stats().unknown_topics, 0);
    network.raw_send(1, link, second, prune("nowhere"));
    network.run(SECOND);
    assert_eq!(network.node(0).stats().unknown_topics, 1);
}

/// A JOIN of host 1 of so many bytes, most of them in a field that nobody knows.
fn join_of(size: usize) -> Bytes {
    let peer = Contact { peer: id(1), addresses: Vec::new() };
    let join = Action::Overlay(overlay::Message::Join { ttl: 3, peer, nonce: Some(7) });
    let mut body = BytesMut::from(&*rpc::encode("t", &join));
    // Tag, and a length of three bytes.
    let padding = alloc::vec![0; size - body.len() - 4];
    crate::wire::protobuf::put_bytes(15, &padding, &mut body);
    assert_eq!(body.len(), size);
    crate::wire::frame::with_varint(&body)
}

#[test]
fn o1_a_membership_message_over_64_kib_is_not_taken_up() {
    let mut network = Network::of_members(11, 1);
    network.add_raw(&[rpc::PROTOCOL]);
    let (link, _) = network.raw_establish(1, 0);
    let stream = network.raw_open(1, link, rpc::PROTOCOL).unwrap();
    network.raw_send(1, link, stream, join_of(65_537));
    network.run(SECOND);
    assert_eq!(network.node(0).stats().membership_oversize, 1);
    assert_eq!(network.node(0).totals().overlay.joins_received, 0);
    // Who passes on what others named may come to send one: it is not blamed.
    assert_eq!(network.node(0).book.points(id(1), network.now), 0);
    network.raw_send(1, link, stream, join_of(65_536));
    network.run(SECOND);
    assert_eq!(network.node(0).stats().membership_oversize, 1);
    assert!(network.node(0).neighbors("t").eq([id(1)]));
}

/// A frame for a topic that host 0 does not have.
fn large_frame() -> Bytes {
    let payload = Bytes::from(alloc::vec![1; 50_000]);
    let message = broadcast::Message::Payload { id: broadcast::Id::of(&payload), hop: 1, payload };
    rpc::encode_frame("nowhere", &Action::Broadcast(message)).unwrap()
}

#[test]
fn o1_of_too_many_unfinished_frames_the_one_that_has_waited_longest_goes() {
    let mut network = Network::new(12);
    network.add(Config { partial_frames_max: 100_000, ..native(0, &[]) });
    network.subscribe(0, "t");
    let (begin, rest) = (large_frame().slice(..40_000), large_frame().slice(40_000..));
    let mut streams = Vec::new();
    for host in 1..=4 {
        network.add_raw(&[rpc::PROTOCOL]);
        let (link, _) = network.raw_establish(host, 0);
        streams.push((host, link, network.raw_open(host, link, rpc::PROTOCOL).unwrap()));
    }
    let send = |network: &mut Network, peer: usize, bytes: &Bytes| {
        let (host, link, stream) = streams[peer - 1];
        network.raw_send(host, link, stream, bytes.clone());
        network.run(SECOND);
    };
    let reset = |network: &mut Network| -> Vec<usize> {
        let mut was_reset = streams.clone();
        was_reset.retain(|(host, link, stream)| network.raw_was_reset(*host, *link, *stream));
        was_reset.into_iter().map(|(host, ..)| host).collect()
    };
    send(&mut network, 1, &begin);
    send(&mut network, 2, &begin);
    // The first is finished, and another begins.
    send(&mut network, 1, &rest);
    send(&mut network, 1, &begin);
    assert_eq!(reset(&mut network), []);
    send(&mut network, 3, &begin);
    assert_eq!(reset(&mut network), [2]);
    assert_eq!(network.node(0).stats().partial_frames_shed, 1);
    assert_eq!(network.node(0).book.points(id(2), network.now), 0);
    // What has ended with its link is not counted.
    network.reset(0, 1);
    send(&mut network, 4, &begin);
    assert_eq!(reset(&mut network), [2]);
    send(&mut network, 3, &rest);
    assert_eq!(network.node(0).stats().unknown_topics, 2);
}

/// The heights of HEADs of host 0 that the hand-made host 1 has read on these streams.
fn heights(network: &mut Network, link: crate::link::LinkId) -> Vec<u64> {
    let streams = network.raw_accepted(1, link, wire::PROTOCOL);
    let mut heights = Vec::new();
    for stream in streams {
        let bytes = network.raw_received(1, link, stream);
        let mut frames =
            crate::wire::frame::Deframer::new(crate::wire::frame::Prefix::Varint, wire::FRAME_MAX);
        frames.push(Bytes::from(bytes));
        while let Ok(Some(frame)) = frames.next_frame() {
            let heads: Vec<Announced<wire::Head>> = wire::decode_frame(&frame).unwrap().unwrap();
            heights.extend(heads.iter().map(|row| row.head.fields().height));
        }
    }
    heights
}

#[test]
fn h5_heads_go_on_after_their_stream_was_lost() {
    let mut network = Network::of_members(4, 1);
    network.add_raw(&[rpc::PROTOCOL, wire::PROTOCOL]);
    let (link, _) = network.raw_establish(1, 0);
    network.run(SECOND);
    assert_eq!(heights(&mut network, link), [0]);
    // A frame is on its way that will never be read.
    network.stalled.insert(1);
    network.command(0, Command::OwnHead { height: 1, tip: Bytes::new() });
    network.run(SECOND);
    let stream = network.raw_accepted(1, link, wire::PROTOCOL)[0];
    network.raw_input(1, link, channel::Input::Reset { stream });
    network.run(SECOND / 2);
    network.unstall(1);
    network.run(5 * SECOND);
    assert_eq!(network.raw_accepted(1, link, wire::PROTOCOL).len(), 2);
    network.command(0, Command::OwnHead { height: 2, tip: Bytes::new() });
    network.run(5 * SECOND);
    assert_eq!(heights(&mut network, link).last(), Some(&2));
}

#[test]
fn h5_heads_move_to_the_link_that_stays() {
    let mut network = Network::of_members(5, 1);
    network.add_raw(&[rpc::PROTOCOL, wire::PROTOCOL]);
    network.raw_establish(1, 0);
    // In the same direction the newer link stays.
    let (second, _) = network.raw_establish(1, 0);
    network.run(6 * SECOND);
    assert_eq!(network.links(0).len(), 1);
    assert_eq!(network.count(0, |event| matches!(event, Event::PeerDown { .. })), 0);
    network.command(0, Command::OwnHead { height: 3, tip: Bytes::new() });
    network.run(2 * SECOND);
    assert_eq!(heights(&mut network, second).last(), Some(&3));
}

#[test]
fn h5_a_stream_for_heads_that_opens_on_a_link_that_has_ended_carries_nothing() {
    let mut network = Network::of_members(10, 1);
    network.add_raw(&[rpc::PROTOCOL, wire::PROTOCOL]);
    let links = [network.raw_dial(1, 0), network.raw_dial(1, 0)];
    let sessions = links.map(|link| network.raw_open(1, link, establishment::PROTOCOL).unwrap());
    let gossip = network.raw_open(1, links[0], rpc::PROTOCOL).unwrap();
    // The peer establishes both links, becomes a neighbour, and agrees to no stream of ours.
    network.stalled.insert(1);
    let peer = Contact { peer: id(1), addresses: Vec::new() };
    let join = Action::Overlay(overlay::Message::Join { ttl: 3, peer, nonce: Some(7) });
    network.raw_send(1, links[0], gossip, rpc::encode_frame("t", &join).unwrap());
    for (link, session) in links.into_iter().zip(sessions) {
        network.raw_send(1, link, session, hello("pleach").to_frame());
        network.raw_send(1, link, session, Message::Ack { version: 1 }.to_frame());
        network.run(SECOND / 2);
    }
    assert_eq!(network.node(0).stats().links_established, 2);
    assert!(network.node(0).neighbors("t").eq([id(1)]));
    // On the first, which lingers, it says HELLO again, and right behind that it agrees.
    let at = network.at();
    let unread = network.take_unread(1, links[0]);
    let raw = network.raw(1);
    raw.channel(
        at,
        links[0],
        channel::Input::Send { stream: sessions[0], bytes: hello("pleach").to_frame() },
    );
    for bytes in unread {
        raw.handle(at, Input::Received { link: links[0], bytes });
    }
    let sent = raw.outputs.drain(..).filter_map(|output| match output {
        Output::Send { bytes, .. } => Some(bytes),
        _ => None,
    });
    let bytes = sent.collect::<Vec<_>>().concat().into();
    let first = network.links(0)[0];
    network.input(0, Input::Received { link: first, bytes });
    network.run(SECOND);
    assert_eq!(network.links(0).len(), 1);
    assert!(network.node(0).peers[&id(1)].heads.is_none(), "no link carries HEADs");
    network.unstall(1);
    network.run(2 * SECOND);
    assert_eq!(heights(&mut network, links[1]), [0], "the other link does");
}

#[test]
fn h7_a_refreshed_head_tells_the_rooms_that_are_free_then() {
    let mut network = Network::of_members(9, 2);
    network.run(5 * SECOND);
    let rooms = |network: &Network| {
        let row = network.node(1).heads().find(|row| row.head.fields().peer == id(0)).unwrap();
        (row.head.fields().free_member_rooms, row.head.fields().free_mirror_rooms)
    };
    assert_eq!(rooms(&network), (96, 96), "before anybody came");
    network.run(700 * SECOND);
    assert_eq!(rooms(&network), (95, 95), "host 1 came");
}

/// A hundred payloads of 60 KB, for a neighbour that does not read.
fn flood() -> Network {
    let mut network = Network::of_members(6, 2);
    network.run(5 * SECOND);
    network.stalled.insert(1);
    for number in 0..100u8 {
        network.publish(0, "t", &alloc::vec![number; 60_000]);
    }
    network
}

#[test]
fn b8_10_payloads_that_do_not_fit_are_announced_instead() {
    let mut network = flood();
    network.run(5 * SECOND);
    let shed = network.node(0).stats().frames_shed;
    assert!(shed > 20, "{shed}");
    let waiting = network.node(0).links.values().map(|link| link.gossip.waiting_bytes()).max();
    assert!(waiting.is_some_and(|bytes| bytes <= 4 << 20), "{waiting:?}");
    network.unstall(1);
    network.run(25 * SECOND);
    assert_eq!(network.node(1).stats().delivered, 100);
    assert!(network.node(1).neighbors("t").eq([id(0)]));
}

#[test]
fn b8_10_a_peer_that_does_not_read_for_ten_seconds_has_failed() {
    let mut network = flood();
    network.run(9 * SECOND);
    assert!(network.node(0).neighbors("t").eq([id(1)]));
    network.run(2 * SECOND);
    let lost = Event::NeighborDown { topic: "t".into(), peer: id(1), reason: DownReason::Lost };
    assert_eq!(network.count(0, |event| *event == lost), 1);
    assert_eq!(network.node(0).stats().links_congested, 1);
    // The link cannot be flushed: it is torn down.
    network.run(10 * SECOND);
    assert_eq!(network.count(0, |event| *event == Event::PeerDown { peer: id(1) }), 1);
}

#[test]
fn a_link_that_no_topic_needs_is_closed_after_a_minute() {
    let mut network = Network::new(7);
    network.add(native(0, &[]));
    network.add(native(1, &[0]));
    network.run(59 * SECOND);
    assert_eq!(network.links(1).len(), 1);
    network.run(5 * SECOND);
    assert!(network.links(0).is_empty() && network.links(1).is_empty());
}

#[test]
fn leaving_a_topic_says_goodbye_and_lets_the_link_go() {
    let mut network = Network::of_members(8, 2);
    network.run(5 * SECOND);
    network.command(0, Command::Leave { token: 3, topic: "t".into() });
    network.run(SECOND);
    let left = Event::NeighborDown { topic: "t".into(), peer: id(0), reason: DownReason::Left };
    assert_eq!(network.count(1, |event| *event == left), 1);
    assert_eq!(network.node(0).topics().count(), 0);
    network.run(3 * SECOND);
    assert!(network.links(0).is_empty());
}
