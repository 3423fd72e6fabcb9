//! 6.7 to 6.9: how a stay at the handshake port ends.

use super::super::{Departure, Event, Port};
use super::scene::{Scene, answer, closed, encoded, of_relay, share_of};
use super::{SECOND, TIMEOUT};
use crate::bob::packet::{Body, Packet, SpokeFailure, Uid};
use crate::link::{Cause, How, LinkId};

#[test]
fn rule_6_7_the_time_of_a_peer_counts_from_its_connection_and_is_not_renewed() {
    let mut scene = Scene::new();
    let server = scene.server([1, 1, 1, 1]);
    scene.wait(SECOND);
    let client = scene.client([1, 1, 1, 2]);
    scene.wait(TIMEOUT - SECOND - SECOND);
    scene.say(server.link, Uid::RELAY, Body::HelloAsServer { public: [1; 34] });
    scene.hears(server.link);
    scene.hears(client.link);
    assert!(scene.is_open(server.link));
    scene.wait(SECOND);
    assert_eq!(scene.hears(server.link), [of_relay(Body::Timeout)]);
    assert_eq!(scene.closed.get(&server.link), Some(&How::Flush));
    assert_eq!(scene.hears(client.link), closed(server.uid));
    assert!(scene.is_open(client.link));
    scene.wait(SECOND);
    assert_eq!(scene.hears(client.link), [of_relay(Body::Timeout)]);
    let over = [(server.uid, Departure::TimedOut), (client.uid, Departure::TimedOut)];
    assert_eq!(scene.departures(), over);
    assert_eq!(scene.stats().timed_out, 2);
}

#[test]
fn rule_6_7_who_never_says_hello_is_closed_without_a_word() {
    let mut scene = Scene::new();
    let link = scene.open(Port::Handshake, [1, 1, 1, 1]);
    scene.bytes(link, b"0000");
    scene.wait(TIMEOUT);
    assert_eq!(scene.hears(link), []);
    assert_eq!(scene.closed.get(&link), Some(&How::Flush));
    assert_eq!(scene.stats().silent, 1);
}

/// All the ways to go without a word.
fn ends(scene: &mut Scene, link: LinkId, how: usize) {
    match how {
        0 => scene.leave(link),
        1 => scene.input(super::super::Input::Closed { link, cause: Cause::Reset }),
        _ => scene.bytes(link, b"what?!"),
    }
}

#[test]
fn rule_6_8_who_goes_is_unregistered_at_once_and_candidates_are_told() {
    for how in 0..3 {
        let mut scene = Scene::new();
        let (server, client) = (scene.server([1, 1, 1, 1]), scene.client([1, 1, 1, 2]));
        let not_concerned = scene.server([1, 1, 1, 3]);
        scene.hears(client.link);
        scene.say(client.link, not_concerned.uid, Body::SpokeFailure(SpokeFailure::InvalidPublic));
        scene.hears(not_concerned.link);
        ends(&mut scene, client.link, how);
        assert_eq!(scene.hears(server.link), closed(client.uid), "{how}");
        assert_eq!(scene.hears(not_concerned.link), []);
        ends(&mut scene, server.link, how);
        let later = scene.open(Port::Handshake, [1, 1, 1, 4]);
        scene.say(later, Uid::RELAY, Body::HelloAsClient);
        assert_eq!(scene.hears(later).len(), 2, "its name, and the server that is left");
        let why = if how == 2 { Departure::Violation } else { Departure::Left };
        assert_eq!(scene.departures(), [(client.uid, why), (server.uid, why)]);
        assert_eq!(scene.stats().malformed, if how == 2 { 2 } else { 0 });
    }
}

#[test]
fn rule_6_8_a_server_with_a_share_is_told_of_the_departure_also_after_0b_which_it_never_hears() {
    for agrees in [false, true] {
        let mut scene = Scene::new();
        let (server, client) = (scene.server([1, 1, 1, 1]), scene.client([1, 1, 1, 2]));
        scene.say(client.link, server.uid, share_of(&client.name));
        scene.say(server.link, client.uid, answer());
        if agrees {
            scene.say(server.link, client.uid, Body::Agreement);
        }
        scene.say(client.link, server.uid, Body::Refused);
        scene.hears(server.link);
        scene.leave(client.link);
        assert_eq!(scene.hears(server.link), closed(client.uid));
    }
}

#[test]
fn rule_6_8_a_share_after_0d_is_one_more_reason_to_tell_the_server() {
    let failure = || Body::SpokeFailure(SpokeFailure::InvalidPublic);
    let mut scene = Scene::new();
    let (server, client) = (scene.server([1, 1, 1, 1]), scene.client([1, 1, 1, 2]));
    scene.say(client.link, server.uid, failure());
    scene.say(client.link, server.uid, share_of(&client.name));
    scene.say(server.link, client.uid, answer());
    scene.hears(server.link);
    scene.leave(client.link);
    assert_eq!(scene.hears(server.link), closed(client.uid));
    // But a failure that was heard, or said, is the end.
    for by_server in [false, true] {
        let client = scene.client([1, 1, 1, 3]);
        scene.say(client.link, server.uid, share_of(&client.name));
        let (from, to) = if by_server { (&server, &client) } else { (&client, &server) };
        scene.say(from.link, to.uid, failure());
        scene.hears(server.link);
        scene.leave(client.link);
        assert_eq!(scene.hears(server.link), []);
    }
}

#[test]
fn rule_6_8_nothing_is_sent_to_a_link_that_is_gone() {
    let mut scene = Scene::new();
    let client = scene.client([1, 1, 1, 2]);
    scene.input(super::super::Input::Closed { link: client.link, cause: Cause::Reset });
    assert!(!scene.closed.contains_key(&client.link), "nor is it closed");
    assert_eq!(scene.relay.occupancy().links, 0);
}

#[test]
fn rule_6_9_a_peer_that_does_not_read_is_disconnected() {
    let mut scene = Scene::with(|config| {
        config.per_address_max = usize::MAX;
        config.queued_bytes_max = 1000;
    });
    let (server, bystander) = (scene.server([1, 1, 1, 1]), scene.server([1, 1, 1, 3]));
    scene.deaf.insert(server.link);
    let mut clients = 0_u8;
    while scene.is_open(server.link) {
        let client = scene.client([9, 9, 9, clients]);
        let room = 1000 - scene.unwritten.get(&server.link).copied().unwrap_or_default();
        let share = share_of(&client.name);
        let size = encoded(Uid(1), share.clone()).len();
        scene.say(client.link, server.uid, share);
        clients += 1;
        assert_eq!(scene.is_open(server.link), size <= room, "the limit is exact");
        let heard = scene.hears(client.link);
        let gone = Packet::of_relay(Body::Closed { peer: server.uid });
        assert_eq!(heard.contains(&gone), size > room);
    }
    assert!(clients > 15);
    assert_eq!(scene.closed.get(&server.link), Some(&How::Abort));
    assert_eq!(scene.departures(), [(server.uid, Departure::Slow)]);
    assert_eq!(scene.stats().slow, 1);
    assert!(scene.is_open(bystander.link));
}

#[test]
fn rule_6_9_one_peer_cannot_have_another_disconnected() {
    let mut scene = Scene::new();
    let (server, flooder) = (scene.server([1, 1, 1, 1]), scene.client([1, 1, 1, 2]));
    scene.deaf.insert(server.link);
    for _ in 0..2000 {
        scene.say(flooder.link, server.uid, Body::ClientValidator { validator: [0; 64] });
    }
    assert!(scene.is_open(server.link));
    // 70 bytes each: three are within 256.
    assert_eq!(scene.hears(server.link).len(), 3);
    assert_eq!(scene.stats().dropped_flooding, 1997);
    let honest = scene.client([1, 1, 1, 3]);
    scene.say(honest.link, server.uid, share_of(&honest.name));
    assert_eq!(scene.hears(server.link).len(), 1);
    scene.reads(server.link);
    scene.say(flooder.link, server.uid, Body::ClientValidator { validator: [0; 64] });
    assert_eq!(scene.hears(server.link).len(), 1);
}

#[test]
fn a_link_that_takes_too_long_to_close_is_aborted() {
    let mut scene = Scene::new();
    let client = scene.client([1, 1, 1, 2]);
    scene.deaf.insert(client.link);
    scene.say(client.link, Uid::RELAY, Body::HelloAsClient);
    scene.leave(client.link);
    assert_eq!(scene.closed.get(&client.link), Some(&How::Flush));
    scene.wait(SECOND * 10);
    assert_eq!(scene.closed.get(&client.link), Some(&How::Abort));
    assert_eq!((scene.stats().lingered, scene.relay.occupancy().links), (1, 0));
}

#[test]
fn a_relay_that_shuts_down_tells_its_peers_and_ends_when_all_links_have() {
    let mut scene = Scene::new();
    let (server, client) = (scene.server([1, 1, 1, 1]), scene.client([1, 1, 1, 2]));
    let silent = scene.open(Port::Handshake, [1, 1, 1, 3]);
    scene.hears(client.link);
    let (one, other) = scene.pair([2, 2, 2, 2], [3, 3, 3, 3]);
    scene.hears(client.link);
    scene.hears(server.link);
    let rooms = [scene.names([2, 2, 2, 2], &other.name), scene.names([3, 3, 3, 3], &one.name)];
    let lonely = scene.open(Port::Room, [1, 1, 1, 3]);
    scene.deaf.insert(client.link);
    scene.shut();
    for peer in [&server, &client] {
        assert_eq!(scene.hears(peer.link), closed(Uid::RELAY));
    }
    for room in rooms {
        assert_eq!(scene.hears_bytes(room), b"00\xff\xff\xff\xff".as_slice());
    }
    for link in [silent, lonely, server.link, client.link, rooms[0], rooms[1]] {
        assert_eq!(scene.closed.get(&link), Some(&How::Flush));
    }
    assert_ne!(scene.events.last(), Some(&Event::Stopped), "one link is still there");
    scene.shut();
    scene.wait(SECOND * 10);
    assert_eq!(scene.events.last(), Some(&Event::Stopped));
    assert!(scene.relay.is_stopped());
    assert_eq!(crate::Machine::poll_timeout(&scene.relay), None);
    let late = scene.open(Port::Handshake, [1, 1, 1, 9]);
    assert!(!scene.closed.contains_key(&late), "silent for ever");
}

#[test]
fn an_idle_relay_stops_at_once() {
    let mut scene = Scene::new();
    scene.shut();
    assert_eq!(scene.events.last(), Some(&Event::Stopped));
}
