//! Two links to one peer: what waits on the one that goes is sent on the one that stays.

use alloc::vec::Vec;

use super::SECOND;
use super::network::*;
use super::raw::rpcs;
use crate::broadcast;
use crate::link::LinkId;
use crate::mesh::Event;
use crate::mesh::establishment::{Message, Motive};
use crate::mesh::rpc::{self, Action};
use crate::mesh::signed::Signed;
use crate::overlay::{self, Contact};

/// So many payloads of 60 000 bytes are published: what does not fit the window of a stream waits in the node.
const PUBLISHED: u8 = 10;

/// Host 0, a node, and host 1, its hand-made neighbour, which has stopped to read; the payloads wait.
fn full_link(seed: u64) -> (Network, LinkId) {
    let mut network = Network::of_members(seed, 1);
    network.add_raw(&[rpc::PROTOCOL]);
    let (link, _) = network.raw_establish(1, 0);
    let stream = network.raw_open(1, link, rpc::PROTOCOL).unwrap();
    let peer = Contact { peer: id(1), addresses: Vec::new() };
    let join = Action::Overlay(overlay::Message::Join { ttl: 3, peer, nonce: Some(7) });
    network.raw_send(1, link, stream, rpc::encode_frame("t", &join).unwrap());
    network.run(SECOND);
    assert!(network.node(0).neighbors("t").eq([id(1)]));
    network.raw(1).reads = false;
    for number in 0..PUBLISHED {
        network.publish(0, "t", &alloc::vec![number; 60_000]);
    }
    network.run(SECOND);
    assert!(waiting(&network) > 100_000);
    network.raw(1).reads = true;
    (network, link)
}

/// Bytes that wait for host 1 in host 0.
fn waiting(network: &Network) -> usize {
    network.node(0).links.values().map(|link| link.gossip.waiting_bytes()).sum()
}

/// The numbers of the payloads that came whole on the streams of a link, in order.
fn numbers(network: &mut Network, link: LinkId) -> Vec<u8> {
    let streams = network.raw_accepted(1, link, rpc::PROTOCOL);
    let bytes = streams.into_iter().map(|stream| network.raw_received(1, link, stream));
    let heard: Vec<_> = bytes.collect::<Vec<_>>().iter().flat_map(|bytes| rpcs(bytes)).collect();
    let number = |rpc: &rpc::Rpc| match &rpc.action {
        Action::Broadcast(broadcast::Message::Payload { payload, .. }) => {
            Signed::read(payload).map(|signed| signed.content[0])
        }
        _ => None,
    };
    heard.iter().filter_map(number).collect()
}

#[test]
fn e4_what_waits_on_a_replaced_link_goes_out_on_its_successor() {
    let (mut network, first) = full_link(1);
    // In the same direction the newer link stays.
    let (second, _) = network.raw_establish(1, 0);
    network.publish(0, "t", &[PUBLISHED]);
    network.run(SECOND);
    assert_eq!(waiting(&network), 0);
    let (before, after) = (numbers(&mut network, first), numbers(&mut network, second));
    assert!(before.starts_with(&[0, 1]) && after.ends_with(&[PUBLISHED]), "{before:?}, {after:?}");
    // What was handed to the channel stays behind: at most 64 KiB and a frame, until the peer reads there again.
    let (last, next) = (usize::from(*before.last().unwrap()), usize::from(after[0]));
    assert!((last + 1..=last + 3).contains(&next), "{before:?}, {after:?}");
    assert!(after.windows(2).all(|pair| pair[0] + 1 == pair[1]), "in order, and each once: {after:?}");
    network.run(10 * SECOND);
    assert_eq!(network.links(0).len(), 1);
    assert_eq!(network.count(0, |event| matches!(event, Event::PeerDown { .. })), 0);
}

#[test]
fn e4_what_waits_on_a_successor_that_dies_goes_out_on_the_link_before() {
    let (mut network, first) = full_link(2);
    let (second, _) = network.raw_establish(1, 0);
    let before = numbers(&mut network, first);
    network.raw(1).reads = false;
    for number in 0..PUBLISHED {
        network.publish(0, "t", &alloc::vec![100 + number; 60_000]);
    }
    network.run(SECOND / 2);
    assert!(waiting(&network) > 100_000);
    let there = numbers(&mut network, second);
    network.raw(1).reads = true;
    network.reset_link(1, second);
    // The first link still lingers, and its stream is read again.
    let stream = network.raw_accepted(1, first, rpc::PROTOCOL)[0];
    network.raw_input(1, first, crate::channel::Input::Consumed { stream, count: 200_000 });
    network.run(SECOND);
    assert_eq!(waiting(&network), 0);
    let moved = numbers(&mut network, first).split_off(before.len());
    assert!(moved.ends_with(&[100 + PUBLISHED - 2, 100 + PUBLISHED - 1]), "{moved:?}");
    let mut heard = [before, moved, there].concat();
    heard.sort_unstable();
    let once = heard.len();
    heard.dedup();
    assert_eq!(heard.len(), once, "nothing came twice");
}

#[test]
fn e4_a_link_that_the_peer_calls_a_duplicate_lingers_until_the_other_stands() {
    let mut network = Network::of_members(3, 1);
    network.add_raw(&[rpc::PROTOCOL]);
    let (link, session) = network.raw_establish(1, 0);
    let stream = network.raw_open(1, link, rpc::PROTOCOL).unwrap();
    let peer = Contact { peer: id(1), addresses: Vec::new() };
    let join = Action::Overlay(overlay::Message::Join { ttl: 3, peer, nonce: Some(7) });
    network.raw_send(1, link, session, Message::Bye { motive: Motive::Duplicate }.to_frame());
    network.raw_send(1, link, stream, rpc::encode_frame("t", &join).unwrap());
    network.run(SECOND);
    assert!(network.node(0).neighbors("t").eq([id(1)]), "what comes behind is heard");
    let ours = network.raw_accepted(1, link, rpc::PROTOCOL)[0];
    assert!(!rpcs(&network.raw_received(1, link, ours)).is_empty(), "and answered");
    network.raw_establish(1, 0);
    network.run(5 * SECOND);
    assert_eq!(network.links(0).len(), 1);
    assert_eq!(network.count(0, |event| matches!(event, Event::PeerDown { .. })), 0);
    // No goodbye answers a goodbye.
    let said = super::raw::messages(&network.raw_received(1, link, session));
    assert!(!said.iter().any(|message| matches!(message, Message::Bye { .. })), "{said:?}");
}

#[test]
fn e4_a_lone_link_that_the_peer_calls_a_duplicate_closes_after_five_seconds() {
    let mut network = Network::of_members(4, 1);
    network.add_raw(&[rpc::PROTOCOL]);
    let (link, session) = network.raw_establish(1, 0);
    network.raw_send(1, link, session, Message::Bye { motive: Motive::Duplicate }.to_frame());
    network.run(5 * SECOND);
    assert_eq!(network.links(0).len(), 1);
    network.run(SECOND);
    assert!(network.links(0).is_empty());
    assert_eq!(network.node(0).stats().byes_received, 1);
}
