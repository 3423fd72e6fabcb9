//! Who is let in (T-11, T-14, T-20, T-23, T-66).

use super::super::{Occupancy, Port};
use super::SECOND;
use super::scene::Scene;
use crate::bob::packet::{Body, Uid};
use crate::link::{Address, How, LinkId, ListenerId, Via};

#[test]
fn t66_limit_unregistered_links_at_its_edge() {
    let mut scene = Scene::with(|config| config.admission.incoming_burst = u32::MAX);
    let open = |scene: &mut Scene, number: u8, port| scene.open(port, [number / 64 + 1, number, 1, 1]);
    let links: alloc::vec::Vec<LinkId> = (0..=255)
        .map(|number| open(&mut scene, number, if number % 2 == 0 { Port::Handshake } else { Port::Room }))
        .collect();
    assert!(links.iter().all(|link| scene.is_open(*link)));
    let crowd = scene.open(Port::Handshake, [1, 0, 1, 2]);
    assert_eq!(scene.closed.get(&links[0]), Some(&How::Abort), "the oldest of the largest range goes");
    assert!(scene.is_open(crowd));
    assert_eq!(scene.stats().evicted, 1);
    // Who has said hello stays.
    scene.say(crowd, Uid::RELAY, Body::HelloAsClient);
    for last in 3..=250 {
        scene.open(Port::Handshake, [7, 7, 7, last]);
    }
    assert!(scene.is_open(crowd));
}

#[test]
fn limit_links_per_address_at_its_edge() {
    let mut scene = Scene::with(|config| config.per_address_max = 3);
    let (one, _) = (scene.client([1, 1, 1, 1]), scene.server([1, 1, 1, 1]));
    scene.open(Port::Room, [1, 1, 1, 1]);
    let refused = scene.open(Port::Handshake, [1, 1, 1, 1]);
    assert_eq!(scene.closed.get(&refused), Some(&How::Abort));
    assert_eq!(scene.stats().refused, 1);
    assert!(scene.open_is_accepted([1, 1, 1, 2]));
    scene.leave(one.link);
    assert!(scene.open_is_accepted([1, 1, 1, 1]), "a link that is gone makes place");
    for _ in 0..5 {
        assert!(scene.open_is_accepted([127, 0, 0, 1]), "loopback is exempt");
    }
}

#[test]
fn limit_links_in_all_at_its_edge() {
    let mut scene = Scene::with(|config| config.admission.links_max = 2);
    let (one, _) = (scene.client([1, 1, 1, 1]), scene.server([1, 1, 1, 2]));
    let third = scene.open(Port::Handshake, [1, 1, 1, 3]);
    scene.say(third, Uid::RELAY, Body::HelloAsClient);
    assert_eq!(scene.closed.get(&third), Some(&How::Abort));
    assert_eq!((scene.stats().refused, scene.stats().registered), (1, 2));
    scene.leave(one.link);
    scene.client([1, 1, 1, 4]);
}

#[test]
fn limit_links_in_all_counts_for_rooms_too() {
    let mut scene = Scene::with(|config| config.admission.links_max = 2);
    let (client, server) = scene.pair([2, 2, 2, 2], [3, 3, 3, 3]);
    let first = scene.names([2, 2, 2, 2], &server.name);
    scene.client([4, 4, 4, 4]);
    let second = scene.names([3, 3, 3, 3], &client.name);
    assert!(!scene.is_open(first) && !scene.is_open(second));
    assert_eq!((scene.relay.occupancy().rooms, scene.stats().rooms_unmet), (0, 1));
}

#[test]
fn limit_links_in_all_counts_for_the_first_in_a_room_too() {
    let mut scene = Scene::with(|config| config.admission.links_max = 2);
    let (_, server) = scene.pair([2, 2, 2, 2], [3, 3, 3, 3]);
    [4, 5].into_iter().for_each(|last| drop(scene.client([4, 4, 4, last])));
    let first = scene.names([2, 2, 2, 2], &server.name);
    assert!(!scene.is_open(first));
    assert_eq!((scene.relay.occupancy().rooms, scene.stats().rooms_unmet), (0, 1));
}

#[test]
fn t23_limit_on_the_rate_of_an_address() {
    let mut scene = Scene::with(|config| config.per_address_max = usize::MAX);
    for _ in 0..256 {
        let link = scene.open(Port::Handshake, [1, 1, 1, 1]);
        scene.leave(link);
    }
    assert_eq!(scene.stats().refused, 0);
    assert!(!scene.open_is_accepted([1, 1, 1, 1]));
    assert_eq!(scene.relay.admission().refused_rate, 1);
    scene.wait(SECOND);
    assert!(scene.open_is_accepted([1, 1, 1, 1]));
}

#[test]
fn links_that_are_not_of_this_relay_are_refused() {
    let mut scene = Scene::new();
    let name = Address::Name { host: "somewhere".into(), port: 1 };
    let socket = Address::Socket("1.1.1.1:1".parse().unwrap());
    let accepted = |listener| Via::Accepted { listener: ListenerId(listener) };
    let odd = [(accepted(0), name), (accepted(2), socket.clone()), (Via::Dialled, socket.clone())];
    for (number, (via, remote)) in (5000..).zip(odd) {
        let link = LinkId(number);
        scene.input(super::super::Input::Opened { link, via, local: socket.clone(), remote });
        assert_eq!(scene.closed.get(&link), Some(&How::Abort));
    }
    assert_eq!((scene.stats().refused, scene.relay.occupancy().links), (3, 0));
}

#[test]
fn t14_after_all_links_have_closed_the_tables_are_empty() {
    let mut scene = Scene::new();
    for round in 0..20 {
        let (client, server) = scene.pair([2, 2, 2, round], [3, 3, 3, round]);
        let lonely = [scene.client([4, 4, 4, round]), scene.server([4, 4, 5, round])];
        let rooms =
            [scene.names([2, 2, 2, round], &server.name), scene.names([3, 3, 3, round], &client.name)];
        scene.bytes(rooms[0], b"hello");
        scene.leave(rooms[usize::from(round % 2)]);
        lonely.iter().for_each(|peer| scene.leave(peer.link));
        let (_, server) = scene.pair([2, 2, 3, round], [3, 3, 4, round]);
        let alone = scene.names([2, 2, 3, round], &server.name);
        scene.leave(alone);
        scene.open(Port::Handshake, [5, 5, 5, round]);
        let half = scene.open(Port::Room, [5, 5, 5, round]);
        scene.bytes(half, b"half a li");
    }
    scene.wait(SECOND * 3600);
    assert_eq!(scene.relay.occupancy(), Occupancy::default());
    assert_eq!(crate::Machine::poll_timeout(&scene.relay), None);
    assert!(scene.relay.addresses.is_empty() && scene.relay.peers.is_empty());
}

impl Scene {
    /// Whether a new link is let in.
    fn open_is_accepted(&mut self, ip: [u8; 4]) -> bool {
        let link = self.open(Port::Handshake, ip);
        self.is_open(link)
    }
}
