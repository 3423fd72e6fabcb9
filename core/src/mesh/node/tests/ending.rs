//! The end, and the laws.

use alloc::format;
use alloc::vec::Vec;

use super::super::Output;
use super::SECOND;
use super::network::*;
use crate::link::{How, LinkId};
use crate::machine::Machine;
use crate::mesh::{Command, Event, UsageError, rpc};
use crate::overlay::DownReason;

#[test]
fn a_shutdown_says_goodbye_and_ends_with_stopped() {
    let mut network = Network::of_members(1, 3);
    network.run(10 * SECOND);
    network.command(0, Command::Shutdown);
    network.run(SECOND);
    for host in 1..3 {
        let left = Event::NeighborDown { topic: "t".into(), peer: id(0), reason: DownReason::Left };
        assert_eq!(network.count(host, |event| *event == left), 1);
        assert_eq!(network.node(host).stats().byes_received, 1);
        assert_eq!(network.count(host, |event| *event == Event::PeerDown { peer: id(0) }), 1);
    }
    assert_eq!(network.member(0).outputs.last(), Some(&Output::Event(Event::Stopped)));
    assert!(network.member(0).outputs.iter().any(|output| matches!(output, Output::Unlisten { .. })));
}

#[test]
fn l7_a_stopped_node_is_silent() {
    let mut network = Network::of_members(2, 2);
    network.run(5 * SECOND);
    network.command(0, Command::Shutdown);
    network.run(10 * SECOND);
    let said = network.member(0).outputs.len();
    assert_eq!(network.member(0).driver.poll_timeout(), None);
    network.subscribe(0, "u");
    network.command(0, Command::Shutdown);
    network.run(100 * SECOND);
    assert_eq!(network.member(0).outputs.len(), said);
    assert_eq!(network.count(0, |event| *event == Event::Stopped), 1);
}

#[test]
fn a_shutdown_takes_five_seconds_where_peers_do_not_read() {
    let mut network = Network::of_members(3, 1);
    network.add_raw(&[rpc::PROTOCOL]);
    let (_, _) = network.raw_establish(1, 0);
    network.stalled.insert(1);
    network.command(0, Command::Shutdown);
    network.command(
        0,
        Command::Publish {
            token: 8,
            topic: "t".into(),
            payload: bytes::Bytes::new(),
            scope: crate::broadcast::Scope::Swarm,
        },
    );
    let refused = Event::Done { token: 8, result: Err(UsageError::ShuttingDown) };
    assert_eq!(network.count(0, |event| *event == refused), 1);
    network.run(6 * SECOND);
    assert_eq!(network.member(0).outputs.last(), Some(&Output::Event(Event::Stopped)));
    assert!(network.links(0).is_empty());
}

#[test]
fn a_shutdown_gives_up_dials() {
    let mut network = Network::of_members(4, 1);
    network.silent.insert(0);
    network.add(native(1, &[0]));
    network.run(SECOND);
    assert_eq!(network.node(1).stats().dials, 1);
    network.command(1, Command::Shutdown);
    let outputs = &network.member(1).outputs;
    assert!(outputs.contains(&Output::Close { link: LinkId(0), how: How::Abort }));
    assert_eq!(outputs.last(), Some(&Output::Event(Event::Stopped)));
}

#[test]
fn l1_the_same_seed_gives_the_same_outputs() {
    let run = || {
        let mut network = Network::of_members(5, 4);
        network.run(10 * SECOND);
        network.publish(2, "t", b"same");
        network.reset(0, 1);
        network.run(20 * SECOND);
        (0..4).map(|host| network.member(host).outputs.clone()).collect::<Vec<_>>()
    };
    assert!(run() == run());
}

#[test]
fn l4_an_early_timeout_does_nothing() {
    let quiet = |disturb: bool| {
        let mut network = Network::of_members(6, 2);
        for _ in 0..200 {
            network.run(SECOND / 20);
            for host in 0..2 {
                if disturb && network.member(host).driver.poll_timeout().is_none_or(|at| at > network.now) {
                    network.early_timeout(host);
                }
            }
        }
        (0..2).map(|host| network.member(host).outputs.clone()).collect::<Vec<_>>()
    };
    assert!(quiet(true) == quiet(false));
}

#[test]
fn t14_nothing_is_left_of_closed_links() {
    let mut network = Network::of_members(7, 1);
    network.run(SECOND);
    network.add_raw(&[rpc::PROTOCOL]);
    network.raw_dial(1, 0);
    for _ in 0..3 {
        let (link, _) = network.raw_establish(1, 0);
        network.raw_open(1, link, rpc::PROTOCOL);
        network.reset(0, 1);
    }
    network.add(native(2, &[0]));
    network.subscribe(2, "t");
    network.run(10 * SECOND);
    assert_eq!(network.node(0).links.len(), 1);
    network.command(2, Command::Shutdown);
    network.silent.insert(2);
    network.run(120 * SECOND);
    let node = network.node(0);
    assert!(node.links.is_empty() && node.peers.is_empty());
    assert_eq!(node.admission.len(), 0);
    assert!(!node.dials.has_any(), "{:?}", node.dials);
    assert!(node.dialler.is_empty());
    assert_eq!(node.overlay_of("t").map(|overlay| overlay.held().count()), Some(0));
    assert!(!format!("{:?}", node.timers).contains("LinkId"), "{:?}", node.timers);
    assert!(node.work.is_empty() && node.heard.is_empty());
    assert!(node.poll_timeout().is_some());
}
