//! 7.1 to 7.4: the secure rooms.

use alloc::vec;

use super::super::{Event, Input, Port};
use super::scene::{Person, Scene, line};
use super::{SECOND, TIMEOUT};
use crate::bob::packet::Body;
use crate::link::{Cause, How, LinkId};

const CLIENT: [u8; 4] = [2, 2, 2, 2];
const SERVER: [u8; 4] = [3, 3, 3, 3];

/// Both in their room, and `00` heard.
fn in_room(scene: &mut Scene) -> (Person, Person, LinkId, LinkId) {
    let (client, server) = scene.pair(CLIENT, SERVER);
    let of_client = scene.names(CLIENT, &server.name);
    let of_server = scene.names(SERVER, &client.name);
    for link in [of_client, of_server] {
        assert_eq!(scene.hears_bytes(link), b"00".as_slice());
    }
    (client, server, of_client, of_server)
}

#[test]
fn rule_7_1_each_names_the_other() {
    let mut scene = Scene::new();
    let (client, server) = scene.pair(CLIENT, SERVER);
    let first = scene.names(SERVER, &client.name);
    assert_eq!(scene.hears_bytes(first).len(), 0, "a valid first peer waits without an answer");
    let second = scene.names(CLIENT, &server.name);
    for link in [first, second] {
        assert_eq!(scene.hears_bytes(link), b"00".as_slice());
        assert!(scene.is_open(link));
    }
    let opened = Event::RoomOpened { client: client.uid, server: server.uid };
    assert_eq!(scene.events.last(), Some(&opened));
    assert_eq!(scene.stats().rooms_met, 1);
}

#[test]
fn rule_7_1_a_line_may_come_in_pieces() {
    let mut scene = Scene::new();
    let (client, server) = scene.pair(CLIENT, SERVER);
    for (name, ip) in [(&client.name, SERVER), (&server.name, CLIENT)] {
        let link = scene.open(Port::Room, ip);
        for byte in line(name) {
            assert_eq!(scene.hears_bytes(link).len(), 0);
            scene.bytes(link, &[byte]);
        }
    }
    assert_eq!(scene.stats().rooms_met, 1);
}

#[test]
fn rule_7_1_who_names_what_is_named_already_is_told_02() {
    let mut scene = Scene::new();
    let (client, server) = scene.pair(CLIENT, SERVER);
    let first = scene.names(CLIENT, &server.name);
    let second = scene.names(CLIENT, &server.name);
    assert_eq!(scene.hears_bytes(second), b"02".as_slice());
    assert!(!scene.is_open(second) && scene.is_open(first));
    let other = scene.names(SERVER, &client.name);
    assert_eq!(scene.hears_bytes(other), b"00".as_slice());
}

#[test]
fn rule_7_2_what_names_no_room_is_told_02() {
    let mut scene = Scene::new();
    for named in [b"not-a-peer\n".as_slice(), b"\n", b"\0\n"] {
        let link = scene.open(Port::Room, CLIENT);
        scene.bytes(link, named);
        assert_eq!(scene.hears_bytes(link), b"02".as_slice());
        assert_eq!(scene.closed.get(&link), Some(&How::Flush));
    }
    assert_eq!(scene.stats().lines_unknown, 3);
}

#[test]
fn rule_7_2_a_line_ends_within_100_bytes() {
    let mut scene = Scene::new();
    let link = scene.open(Port::Room, CLIENT);
    scene.bytes(link, &[b'x'; 99]);
    assert!(scene.is_open(link));
    scene.bytes(link, b"\n");
    assert_eq!((scene.stats().lines_too_long, scene.stats().lines_unknown), (0, 1));
    for pieces in [vec![&[b'x'; 100][..]], vec![&[b'x'; 99], b"x\n"], vec![&[b'x'; 120]]] {
        let link = scene.open(Port::Room, CLIENT);
        pieces.iter().for_each(|piece| scene.bytes(link, piece));
        assert_eq!(scene.hears_bytes(link), b"02".as_slice());
    }
    assert_eq!(scene.stats().lines_too_long, 3);
}

#[test]
fn rule_7_2_without_a_line_in_time_it_is_01() {
    let mut scene = Scene::new();
    let silent = scene.open(Port::Room, CLIENT);
    let slow = scene.open(Port::Room, CLIENT);
    scene.wait(TIMEOUT - SECOND);
    scene.bytes(slow, b"half");
    assert!(scene.is_open(silent) && scene.is_open(slow));
    scene.wait(SECOND);
    for link in [silent, slow] {
        assert_eq!(scene.hears_bytes(link), b"01".as_slice());
        assert_eq!(scene.closed.get(&link), Some(&How::Flush));
    }
}

#[test]
fn rule_7_2_the_end_of_the_stream_before_the_newline_is_02() {
    let mut scene = Scene::new();
    let link = scene.open(Port::Room, CLIENT);
    scene.bytes(link, b"half");
    scene.leave(link);
    assert_eq!(scene.hears_bytes(link), b"02".as_slice());
    assert!(!scene.is_open(link));
}

#[test]
fn rule_7_2_if_the_other_does_not_come_the_room_is_forgotten_without_a_code() {
    let mut scene = Scene::new();
    let (client, server) = scene.pair(CLIENT, SERVER);
    scene.wait(TIMEOUT - SECOND);
    let first = scene.names(CLIENT, &server.name);
    scene.wait(TIMEOUT - SECOND);
    assert!(scene.is_open(first));
    scene.wait(SECOND);
    assert_eq!(scene.hears_bytes(first).len(), 0);
    assert_eq!(scene.closed.get(&first), Some(&How::Flush));
    let unmet = Event::RoomClosed { client: client.uid, server: server.uid, bytes: 0 };
    assert_eq!(scene.events.last(), Some(&unmet));
    let late = scene.names(SERVER, &client.name);
    assert_eq!(scene.hears_bytes(late), b"02".as_slice());
    assert_eq!((scene.stats().rooms_unmet, scene.relay.occupancy().rooms), (1, 0));
}

#[test]
fn rule_7_2_a_room_to_which_nobody_comes_expires() {
    let mut scene = Scene::new();
    let (_, server) = scene.pair(CLIENT, SERVER);
    scene.wait(TIMEOUT);
    assert_eq!((scene.stats().rooms_unmet, scene.relay.occupancy().rooms), (1, 0));
    let late = scene.names(CLIENT, &server.name);
    assert_eq!(scene.hears_bytes(late), b"02".as_slice());
}

#[test]
fn rule_7_2_one_who_leaves_alone_ends_the_room() {
    for broken in [false, true] {
        let mut scene = Scene::new();
        let (client, server) = scene.pair(CLIENT, SERVER);
        let first = scene.names(CLIENT, &server.name);
        if broken {
            scene.input(Input::Closed { link: first, cause: Cause::Reset });
        } else {
            scene.leave(first);
        }
        assert_eq!(scene.hears_bytes(first).len(), 0);
        let late = scene.names(SERVER, &client.name);
        assert_eq!(scene.hears_bytes(late), b"02".as_slice());
        assert_eq!(scene.relay.occupancy().rooms, 0);
    }
}

#[test]
fn rule_7_2_bytes_before_00_are_lost_or_as_an_option_kept() {
    for early_bytes_max in [0, 10] {
        let mut scene = Scene::with(|config| config.early_bytes_max = early_bytes_max);
        let (client, server) = scene.pair(CLIENT, SERVER);
        let first = scene.open(Port::Room, CLIENT);
        scene.bytes(first, &[line(&server.name), b"one".to_vec()].concat());
        scene.bytes(first, b"two");
        let second = scene.open(Port::Room, SERVER);
        scene.bytes(second, &[line(&client.name), b"three".to_vec()].concat());
        if early_bytes_max == 0 {
            assert_eq!(scene.hears_bytes(first), b"00".as_slice());
            assert_eq!(scene.hears_bytes(second), b"00".as_slice());
            assert_eq!(scene.stats().early_bytes_lost, 11);
        } else {
            assert_eq!(scene.hears_bytes(first), b"00three".as_slice());
            assert_eq!(scene.hears_bytes(second), b"00onetwo".as_slice());
        }
    }
}

#[test]
fn limit_early_bytes_at_its_edge() {
    let mut scene = Scene::with(|config| config.early_bytes_max = 10);
    let (client, server) = scene.pair(CLIENT, SERVER);
    let first = scene.names(CLIENT, &server.name);
    scene.bytes(first, &[0; 10]);
    assert!(scene.is_open(first));
    scene.bytes(first, &[0]);
    assert!(!scene.is_open(first));
    assert_eq!(scene.stats().early_excessive, 1);
    let late = scene.names(SERVER, &client.name);
    assert_eq!(scene.hears_bytes(late), b"02".as_slice());
}

#[test]
fn rule_7_2_a_room_is_used_once() {
    let mut scene = Scene::new();
    let (client, server, ..) = in_room(&mut scene);
    for (ip, name) in [(CLIENT, &server.name), (SERVER, &client.name)] {
        let late = scene.names(ip, name);
        assert_eq!(scene.hears_bytes(late), b"02".as_slice());
    }
}

#[test]
fn rule_7_3_bytes_are_copied_both_ways_unchanged() {
    let mut scene = Scene::new();
    let (.., client, server) = in_room(&mut scene);
    scene.bytes(client, b"hello");
    scene.bytes(client, b"\0\xff\n");
    scene.bytes(server, b"world");
    assert_eq!(scene.hears_bytes(server), b"hello\0\xff\n".as_slice());
    assert_eq!(scene.hears_bytes(client), b"world".as_slice());
    assert_eq!(scene.stats().copied, 13);
}

#[test]
fn rule_7_3_a_source_is_read_again_when_its_bytes_have_left() {
    let mut scene = Scene::new();
    let (.., client, server) = in_room(&mut scene);
    scene.deaf.insert(server);
    scene.bytes(client, &[1; (64 << 10) - 1]);
    assert!(scene.paused.is_empty());
    scene.bytes(client, &[1]);
    assert!(scene.paused.contains(&client));
    scene.bytes(server, b"the other way goes on");
    assert_eq!(scene.hears_bytes(client).len(), 21);
    assert!(!scene.paused.contains(&server));
    scene.reads(server);
    assert!(scene.paused.is_empty());
}

#[test]
fn rule_7_4_at_the_end_of_either_side_both_are_told() {
    for broken in [false, true] {
        let mut scene = Scene::new();
        let (of_client, of_server, client, server) = in_room(&mut scene);
        scene.bytes(server, b"hello");
        assert_eq!(scene.hears_bytes(client), b"hello".as_slice());
        if broken {
            scene.input(Input::Closed { link: client, cause: Cause::Reset });
        } else {
            scene.leave(client);
            assert_eq!(scene.hears_bytes(client), [0xff; 4].as_slice());
            assert_eq!(scene.closed.get(&client), Some(&How::Flush));
        }
        assert_eq!(scene.hears_bytes(server), [0xff; 4].as_slice());
        assert_eq!(scene.closed.get(&server), Some(&How::Flush));
        let closed = Event::RoomClosed { client: of_client.uid, server: of_server.uid, bytes: 5 };
        assert_eq!(scene.events.last(), Some(&closed));
        let occupancy = scene.relay.occupancy();
        assert_eq!((occupancy.rooms, occupancy.links), (0, 0));
    }
}

#[test]
fn rule_7_4_what_is_on_its_way_leaves_before_the_end() {
    let mut scene = Scene::new();
    let (.., client, server) = in_room(&mut scene);
    scene.deaf.insert(server);
    scene.bytes(client, b"last words");
    scene.leave(client);
    assert_eq!(scene.hears_bytes(server), b"last words\xff\xff\xff\xff".as_slice());
    assert_eq!(scene.closed.get(&server), Some(&How::Flush));
}

#[test]
fn t65_a_room_in_which_nothing_moves_ends() {
    let mut scene = Scene::new();
    let (.., client, server) = in_room(&mut scene);
    scene.wait(SECOND * 599);
    scene.bytes(client, b"x");
    scene.wait(SECOND * 599);
    assert!(scene.is_open(client) && scene.is_open(server));
    scene.wait(SECOND);
    assert!(!scene.is_open(client) && !scene.is_open(server));
    assert_eq!(scene.stats().rooms_idle, 1);
    assert_eq!(scene.hears_bytes(client), [0xff; 4].as_slice());
}

#[test]
fn t65_what_leaves_slowly_is_movement() {
    let mut scene = Scene::new();
    let (.., client, server) = in_room(&mut scene);
    scene.deaf.insert(server);
    scene.bytes(client, &[1; 64 << 10]);
    for _ in 0..10 {
        scene.wait(SECOND * 599);
        scene.input(Input::Written { link: server, count: 1 });
    }
    assert!(scene.is_open(server));
}

#[test]
fn t65_a_room_is_not_open_for_ever() {
    let mut scene = Scene::with(|config| config.room_lifetime = SECOND * 1000);
    let (.., client, server) = in_room(&mut scene);
    for _ in 0..9 {
        scene.wait(SECOND * 100);
        scene.bytes(client, b"x");
    }
    scene.wait(SECOND * 99);
    assert!(scene.is_open(client));
    scene.wait(SECOND);
    assert!(!scene.is_open(client) && !scene.is_open(server));
    assert_eq!(scene.stats().rooms_old, 1);
}

#[test]
fn t65_limit_room_bytes_at_its_edge() {
    let mut scene = Scene::with(|config| config.room_bytes_max = 10);
    let (.., client, server) = in_room(&mut scene);
    scene.bytes(client, &[1; 6]);
    scene.bytes(server, &[1; 4]);
    assert!(scene.is_open(client));
    scene.bytes(server, &[1]);
    assert!(!scene.is_open(client) && !scene.is_open(server));
    assert_eq!((scene.stats().rooms_full, scene.stats().copied), (1, 10));
}

#[test]
fn t65_limit_rooms_at_its_edge() {
    let mut scene = Scene::with(|config| config.rooms_max = 2);
    let pairs = [
        scene.pair([2, 2, 2, 1], [3, 3, 3, 1]),
        scene.pair([2, 2, 2, 2], [3, 3, 3, 2]),
        scene.pair([2, 2, 2, 3], [3, 3, 3, 3]),
    ];
    assert_eq!((scene.stats().rooms_shed, scene.relay.occupancy().rooms), (1, 2));
    let codes = pairs.map(|(client, server)| {
        let first = scene.names([2, 2, 2, 9], &server.name);
        scene.names([3, 3, 3, 9], &client.name);
        scene.hears_bytes(first)
    });
    assert_eq!(codes, [b"02".as_slice(), b"00", b"00"]);
}

#[test]
fn t65_limit_rooms_per_address_at_its_edge() {
    let mut scene = Scene::with(|config| config.rooms_per_address_max = 2);
    let (_, first) = scene.pair(CLIENT, [3, 3, 3, 1]);
    scene.pair([2, 2, 2, 9], CLIENT);
    let (client, server) = (scene.client(CLIENT), scene.server([3, 3, 3, 3]));
    scene.hears(client.link);
    scene.agree(&client, &server);
    scene.say(client.link, server.uid, Body::Accepted);
    assert_eq!(scene.stats().dropped_rooms, 1);
    assert!(scene.is_open(client.link) && scene.is_open(server.link), "only the acceptance is dropped");
    // A room that somebody has used up makes place.
    let link = scene.names(CLIENT, &first.name);
    scene.leave(link);
    scene.say(client.link, server.uid, Body::Accepted);
    assert!(!scene.is_open(client.link));
    scene.pair([2, 2, 2, 8], [3, 3, 3, 8]);
    assert_eq!(scene.stats().dropped_rooms, 1, "others have rooms of their own");
}

#[test]
fn t66_a_room_admits_only_from_the_address_of_the_partner_as_an_option() {
    for own_only in [false, true] {
        let mut scene = Scene::with(|config| config.room_from_own_address_only = own_only);
        let (client, server) = scene.pair(CLIENT, SERVER);
        let thief = scene.names([9, 9, 9, 9], &server.name);
        let heard = scene.hears_bytes(thief);
        if own_only {
            assert_eq!(heard, b"02".as_slice());
            assert_eq!(scene.stats().lines_foreign, 1);
            scene.names(CLIENT, &server.name);
            let last = scene.names(SERVER, &client.name);
            assert_eq!(scene.hears_bytes(last), b"00".as_slice());
        } else {
            assert_eq!(heard.len(), 0, "a third party can take the place, and gains nothing");
        }
    }
}

#[test]
fn a_peer_that_comes_from_the_same_port_again_gets_a_room_of_its_own() {
    let mut scene = Scene::new();
    let server = scene.server(SERVER);
    let remote = "2.2.2.2:77".parse().unwrap();
    for again in 0..2 {
        let other = if again == 0 { server.clone() } else { scene.server([3, 3, 3, 4]) };
        let link = scene.open_from(Port::Handshake, remote);
        scene.say(link, crate::bob::packet::Uid::RELAY, Body::HelloAsClient);
        let uid = *scene.relay.peers.iter().find(|(_, of)| **of == link).unwrap().0;
        let client = Person { link, uid, name: crate::bob::Identity::of(remote) };
        scene.hears(link);
        scene.agree(&client, &other);
        scene.say(link, other.uid, Body::Accepted);
        assert!(!scene.is_open(link));
    }
    assert_eq!((scene.stats().rooms_shed, scene.relay.occupancy().rooms), (1, 1));
}
