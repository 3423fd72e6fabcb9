//! T-34: what servers may cost.

use alloc::vec::Vec;
use core::time::Duration;

use bytes::BytesMut;

use super::{HOST, Host, PASSWORD, registered, registered_with};
use crate::bob::client::{Config, Derivation, Event};
use crate::bob::packet::{Body, Packet, SpokeFailure, Uid};
use crate::bob::peer::HALL;
use crate::bob::peer::tests::bench::packet;
use crate::bob::peer::tests::world::takes;
use crate::machine::Machine;

fn costing(uid: u16, count: u32) -> Host {
    Host::costing(uid, HOST, PASSWORD, count)
}

/// Whom it has sent its share.
fn shares(said: &[Packet]) -> Vec<u16> {
    let shares = said.iter().filter(|packet| matches!(packet.body, Body::ClientShare { .. }));
    shares.map(|packet| packet.uid.0).collect()
}

#[test]
fn t_34_hostile_counts_do_not_delay_an_honest_server() {
    let mut desk = registered();
    let mut announcements: Vec<_> = (1..=100).map(|uid| costing(uid, 1_000_000).announcement()).collect();
    announcements.push(Host::friend(200).announcement());
    assert_eq!(shares(&desk.packets(&announcements)), [200], "in the same call");
    // And while it works on the expensive ones.
    for _ in 0..10 {
        desk.now = desk.machine.poll_timeout().unwrap();
        desk.wake();
    }
    assert_eq!(shares(&desk.packets(&[Host::friend(201).announcement()])), [201]);
}

#[test]
fn t_34_the_cheapest_are_tried_first() {
    let mut desk = registered();
    let counts = [(1, 5000), (2, 16), (3, 4000), (4, 6000), (5, 16)];
    let announcements: Vec<_> = counts.map(|(uid, count)| costing(uid, count).announcement()).into();
    let mut order = shares(&desk.packets(&announcements));
    assert_eq!(order, [2, 5]);
    desk.advance(Duration::from_millis(1));
    order.extend(shares(&desk.said()));
    assert_eq!(order, [2, 5, 3, 1, 4]);
    let rest = desk.now + Duration::from_secs(59);
    assert!(desk.machine.poll_timeout().is_some_and(|at| at > rest), "all is done but for the answers");
}

#[test]
fn t_34_the_work_of_one_call_is_bounded() {
    let derivation = Derivation { iterations_per_call: 100, ..Derivation::default() };
    let mut desk = registered_with(Config { derivation, ..takes(PASSWORD) });
    // 4 x 100 iterations: four calls.
    let mut bytes = BytesMut::new();
    costing(1, 100).announcement().encode(&mut bytes).unwrap();
    desk.hears(HALL, &bytes);
    let mut calls = 1;
    while desk.sent(HALL).is_empty() {
        desk.now = desk.machine.poll_timeout().unwrap();
        desk.wake();
        calls += 1;
    }
    assert_eq!(calls, 4);
}

#[test]
fn t_34_servers_beyond_the_total_are_left_out_and_cheap_ones_never() {
    let derivation = Derivation { iterations_max: 8_000_000, ..Derivation::default() };
    let mut desk = registered_with(Config { derivation, ..takes(PASSWORD) });
    let announcements: Vec<_> = (1..=5).map(|uid| costing(uid, 1_000_000).announcement()).collect();
    desk.packets(&announcements);
    assert_eq!(desk.machine.stats().left_out, 3);
    assert!(desk.events().contains(&Event::Servers { present: 2, failed: 0 }));
    // One that goes does not give its iterations back: another could come in its place for ever.
    desk.packet(0, Body::Closed { peer: Uid(1) });
    desk.packets(&[costing(6, 1_000_000).announcement()]);
    assert_eq!(desk.machine.stats().left_out, 4);
    assert_eq!(shares(&desk.packets(&[costing(7, 1024).announcement()])), [7]);
}

#[test]
fn choice_counts_below_a_limit_may_be_refused() {
    let derivation = Derivation { count_min: 16, count_max: 1000, ..Derivation::default() };
    let mut desk = registered_with(Config { derivation, ..takes(PASSWORD) });
    let refused = |uid| packet(uid, Body::SpokeFailure(SpokeFailure::InvalidPublic));
    for (uid, count) in [(1, 1), (2, 15), (3, 1001), (4, 1_000_000)] {
        assert_eq!(desk.packets(&[costing(uid, count).announcement()]), [refused(uid)]);
    }
    for (uid, count) in [(5, 16), (6, 1000)] {
        assert_eq!(shares(&desk.packets(&[costing(uid, count).announcement()])), [uid]);
    }
}

#[test]
fn a_server_that_goes_is_worked_on_no_more() {
    let mut desk = registered();
    desk.packets(&[costing(1, 1_000_000).announcement()]);
    assert!(desk.machine.poll_timeout().is_some());
    desk.packet(0, Body::Closed { peer: Uid(1) });
    assert_eq!(desk.machine.poll_timeout(), None);
}
