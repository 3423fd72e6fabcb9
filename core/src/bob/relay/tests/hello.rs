//! 6.1 to 6.3: hellos, uids, announcements.

use alloc::vec::Vec;

use super::super::{Departure, Event, Port, Role};
use super::scene::{Person, Scene, announced, encoded, of_relay};
use crate::bob::Identity;
use crate::bob::packet::{Body, PUBLIC_LEN, Packet, Uid};
use crate::link::{Address, How};

fn server_hello(byte: u8) -> Body {
    Body::HelloAsServer { public: [byte; PUBLIC_LEN] }
}

fn servers_in(packets: &[Packet]) -> Vec<Uid> {
    let servers = packets.iter().filter_map(|packet| match packet.body {
        Body::NewServer { server, .. } => Some(server),
        _ => None,
    });
    servers.collect()
}

#[test]
fn a_relay_opens_both_ports() {
    let scene = Scene::new();
    let ports = scene.events.iter().map(|event| match event {
        Event::Listening { port, address: Address::Socket(_) } => *port,
        other => panic!("{other:?}"),
    });
    assert_eq!(ports.collect::<Vec<_>>(), [Port::Handshake, Port::Room]);
}

#[test]
fn rule_6_1_the_identity_is_the_address_that_the_relay_sees() {
    let mut scene = Scene::new();
    for (remote, name) in
        [("9.8.7.6:5", "9.8.7.6:5"), ("[::1]:4000", "::1:4000"), ("[::ffff:9.8.7.6]:7", "9.8.7.6:7")]
    {
        let link = scene.open_from(Port::Handshake, remote.parse().unwrap());
        scene.say(link, Uid::RELAY, Body::HelloAsClient);
        let identity = Identity::new(name.into()).unwrap();
        assert_eq!(scene.hears(link), [of_relay(Body::ClientIdentity { identity })]);
    }
}

#[test]
fn rule_6_2_a_client_is_answered_and_told_of_all_servers() {
    let mut scene = Scene::new();
    let servers = [scene.server([1, 1, 1, 1]), scene.server([1, 1, 1, 2])];
    let link = scene.open(Port::Handshake, [2, 2, 2, 2]);
    scene.say(link, Uid::RELAY, Body::HelloAsClient);
    let heard = scene.hears(link);
    assert!(matches!(heard[0].body, Body::ClientIdentity { .. }), "the answer comes first");
    assert_eq!(heard[1..], servers.each_ref().map(|server| announced(server, [7; PUBLIC_LEN])));
}

#[test]
fn rule_6_2_a_server_is_answered_and_announced_to_all_clients() {
    let mut scene = Scene::new();
    let clients = [scene.client([1, 1, 1, 1]), scene.client([1, 1, 1, 2])];
    let link = scene.open(Port::Handshake, [2, 2, 2, 2]);
    scene.say(link, Uid::RELAY, server_hello(9));
    let [Packet { body: Body::ServerIdentity { identity }, .. }] = &scene.hears(link)[..] else {
        panic!("a server hears its name only");
    };
    let server = Person { link, uid: Uid(3), name: identity.clone() };
    for client in clients {
        assert_eq!(scene.hears(client.link), [announced(&server, [9; PUBLIC_LEN])]);
    }
    assert_eq!(
        scene.events.last(),
        Some(&Event::Registered { uid: Uid(3), role: Role::Server, identity: identity.clone() })
    );
}

#[test]
fn rule_6_2_a_repeated_hello_keeps_the_uid_and_the_last_public_counts() {
    let mut scene = Scene::new();
    let (server, client) = (scene.server([1, 1, 1, 1]), scene.client([1, 1, 1, 2]));
    scene.hears(client.link);
    scene.say(server.link, Uid::RELAY, server_hello(9));
    let identity = server.name.clone();
    assert_eq!(scene.hears(server.link), [of_relay(Body::ServerIdentity { identity })]);
    assert_eq!(scene.hears(client.link), [announced(&server, [9; PUBLIC_LEN])]);
    let late = scene.client([1, 1, 1, 3]);
    scene.say(late.link, Uid::RELAY, Body::HelloAsClient);
    let identity = late.name.clone();
    let again = [of_relay(Body::ClientIdentity { identity }), announced(&server, [9; PUBLIC_LEN])];
    assert_eq!(scene.hears(late.link), again);
    assert_eq!(scene.stats().registered, 3);
}

#[test]
fn rule_6_2_a_hello_of_the_other_role_is_ignored() {
    let mut scene = Scene::new();
    let (server, client) = (scene.server([1, 1, 1, 1]), scene.client([1, 1, 1, 2]));
    scene.say(server.link, Uid::RELAY, Body::HelloAsClient);
    scene.say(client.link, Uid::RELAY, server_hello(9));
    assert!(scene.hears(server.link).is_empty() && scene.hears(client.link).is_empty());
    assert_eq!(scene.stats().hellos_ignored, 2);
    assert!(scene.is_open(server.link) && scene.is_open(client.link));
}

#[test]
fn rule_6_3_uids_count_up_from_1_for_both_roles() {
    let mut scene = Scene::new();
    let uids = [
        scene.server([1, 1, 1, 1]).uid,
        scene.client([1, 1, 1, 2]).uid,
        scene.client([1, 1, 1, 3]).uid,
        scene.server([1, 1, 1, 4]).uid,
    ];
    assert_eq!(uids, [1, 2, 3, 4].map(Uid));
}

#[test]
fn rule_6_3_uids_of_those_who_left_come_again_after_ffff_and_those_in_use_are_skipped() {
    let mut scene = Scene::new();
    let first = scene.client([1, 1, 1, 1]);
    let second = scene.client([1, 1, 1, 2]);
    let third = scene.client([1, 1, 1, 3]);
    scene.leave(second.link);
    assert_eq!(scene.client([1, 1, 1, 4]).uid, Uid(4), "not used again at once");
    scene.relay.last_uid = Uid(0xfffe);
    let last = scene.server([1, 1, 1, 5]);
    assert_eq!((first.uid, third.uid, last.uid), (Uid(1), Uid(3), Uid(0xffff)));
    assert_eq!(scene.client([1, 1, 1, 6]).uid, Uid(2));
    assert_eq!(scene.client([1, 1, 1, 7]).uid, Uid(5));
    // Uid ffff is a peer like others.
    let client = scene.client([1, 1, 1, 8]);
    scene.hears(last.link);
    scene.say(client.link, last.uid, Body::SpokeFailure(crate::bob::packet::SpokeFailure::InvalidPublic));
    assert_eq!(scene.hears(last.link).len(), 1);
}

#[test]
fn rule_6_3_without_a_free_uid_the_link_is_closed() {
    let mut scene = Scene::new();
    let link = scene.open(Port::Handshake, [1, 1, 1, 1]);
    for uid in 1..=u16::MAX {
        scene.relay.peers.insert(Uid(uid), link);
    }
    let late = scene.open(Port::Handshake, [1, 1, 1, 2]);
    scene.say(late, Uid::RELAY, Body::HelloAsClient);
    assert_eq!(scene.closed.get(&late), Some(&How::Flush));
    assert_eq!(scene.stats().uids_exhausted, 1);
}

#[test]
fn limit_hello_repeats_at_its_edge() {
    let mut scene = Scene::new();
    let client = scene.client([1, 1, 1, 1]);
    for _ in 0..8 {
        scene.say(client.link, Uid::RELAY, Body::HelloAsClient);
    }
    assert_eq!(scene.hears(client.link).len(), 8);
    scene.say(client.link, Uid::RELAY, Body::HelloAsClient);
    assert!(!scene.is_open(client.link));
    assert_eq!(scene.stats().hellos_excessive, 1);
    assert_eq!(scene.departures(), [(client.uid, Departure::Violation)]);
}

#[test]
fn rule_6_9_announcements_wait_outside_the_queue() {
    let mut scene = Scene::with(|config| config.per_address_max = usize::MAX);
    let servers: Vec<Uid> = (0..1000).map(|_| scene.server([127, 0, 0, 1]).uid).collect();
    let link = scene.open(Port::Handshake, [2, 2, 2, 2]);
    scene.deaf.insert(link);
    scene.say(link, Uid::RELAY, Body::HelloAsClient);
    let queued = scene.unwritten[&link];
    assert!((32 << 10..(32 << 10) + 102 + 20).contains(&queued), "{queued} bytes are queued");
    let mut told = servers_in(&scene.hears(link));
    assert!(told.len() < 600);
    scene.reads(link);
    told.extend(servers_in(&scene.hears(link)));
    assert_eq!(told, servers, "each once, in order");
    assert_eq!(scene.stats().announced, 1000);
    assert!(scene.is_open(link));
}

#[test]
fn rule_6_9_a_server_that_left_before_it_was_announced_is_not_mentioned() {
    let mut scene = Scene::with(|config| config.announced_bytes_max = 1);
    let (one, two) = (scene.server([1, 1, 1, 1]), scene.server([1, 1, 1, 2]));
    let link = scene.open(Port::Handshake, [2, 2, 2, 2]);
    scene.deaf.insert(link);
    scene.bytes(link, &encoded(Uid::RELAY, Body::HelloAsClient));
    // The name alone fills what announcements may take.
    assert_eq!(servers_in(&scene.hears(link)), []);
    scene.leave(one.link);
    assert_eq!(scene.hears(link), []);
    scene.reads(link);
    assert_eq!(servers_in(&scene.hears(link)), [two.uid]);
}
