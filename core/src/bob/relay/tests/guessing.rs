//! T-34: guessing of passwords through the relay.

use core::time::Duration;

use super::super::{Event, Guessing};
use super::SECOND;
use super::scene::{Person, Scene, answer, share_of};
use crate::bob::packet::{Body, SpokeFailure};

const GUESSER: [u8; 4] = [6, 6, 6, 6];

/// A client of this address tries; whether the server heard of it.
fn tries(scene: &mut Scene, ip: [u8; 4], server: &Person) -> (Person, bool) {
    let client = scene.client(ip);
    scene.hears(server.link);
    scene.say(client.link, server.uid, share_of(&client.name));
    let heard = !scene.hears(server.link).is_empty();
    (client, heard)
}

/// A handshake with another password.
fn fails(scene: &mut Scene, ip: [u8; 4], server: &Person) {
    let (client, heard) = tries(scene, ip, server);
    assert!(heard);
    scene.say(server.link, client.uid, answer());
    scene.say(client.link, server.uid, Body::SpokeFailure(SpokeFailure::InvalidClientValidator));
    scene.leave(client.link);
    scene.hears(server.link);
}

#[test]
fn t34_the_first_is_free_and_each_failure_doubles_the_wait() {
    let mut scene = Scene::new();
    let server = scene.server([1, 1, 1, 1]);
    fails(&mut scene, GUESSER, &server);
    for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
        let (client, heard) = tries(&mut scene, GUESSER, &server);
        assert!(!heard);
        let (address, server_uid) = (GUESSER.into(), server.uid);
        let failures = u32::try_from(scene.stats().guesses_failed).unwrap();
        let guessing = Event::Guessing { address, server: server_uid, failures };
        assert_eq!(scene.events.last(), Some(&guessing));
        scene.wait(SECOND * pause - Duration::from_micros(1));
        assert!(scene.hears(server.link).is_empty());
        scene.wait(Duration::from_micros(1));
        assert_eq!(scene.hears(server.link).len(), 1, "after {pause} s");
        scene.say(server.link, client.uid, answer());
        // The connection alone ends: a failure too.
        scene.leave(client.link);
        scene.hears(server.link);
    }
    assert_eq!((scene.stats().guesses_delayed, scene.stats().guesses_failed), (8, 9));
}

#[test]
fn t34_neither_other_addresses_nor_other_servers_wait() {
    let mut scene = Scene::new();
    let (server, other) = (scene.server([1, 1, 1, 1]), scene.server([1, 1, 1, 2]));
    fails(&mut scene, GUESSER, &server);
    assert!(!tries(&mut scene, GUESSER, &server).1);
    assert!(tries(&mut scene, [5, 5, 5, 5], &server).1, "it is not held against the server");
    assert!(tries(&mut scene, GUESSER, &other).1);
}

#[test]
fn t34_an_agreement_clears_and_what_was_not_answered_is_no_failure() {
    let mut scene = Scene::new();
    let server = scene.server([1, 1, 1, 1]);
    let (client, _) = tries(&mut scene, GUESSER, &server);
    scene.leave(client.link);
    let (client, heard) = tries(&mut scene, GUESSER, &server);
    assert!(heard, "the server had not answered: nothing was learnt");
    scene.say(server.link, client.uid, answer());
    scene.say(server.link, client.uid, Body::Agreement);
    scene.leave(client.link);
    assert!(tries(&mut scene, GUESSER, &server).1);
    assert_eq!(scene.stats().guesses_failed, 0);
}

#[test]
fn t34_a_server_that_leaves_is_nobodys_failure() {
    let mut scene = Scene::new();
    let server = scene.server([1, 1, 1, 1]);
    let (client, _) = tries(&mut scene, GUESSER, &server);
    scene.say(server.link, client.uid, answer());
    scene.leave(server.link);
    assert_eq!(scene.stats().guesses_failed, 0);
}

#[test]
fn t34_a_second_share_on_one_connection_waits_too() {
    let mut scene = Scene::new();
    let server = scene.server([1, 1, 1, 1]);
    let (client, _) = tries(&mut scene, GUESSER, &server);
    scene.say(server.link, client.uid, answer());
    scene.say(client.link, server.uid, share_of(&client.name));
    assert_eq!(scene.hears(server.link), []);
    assert_eq!(scene.stats().guesses_failed, 1);
    scene.wait(SECOND);
    assert_eq!(scene.hears(server.link).len(), 1);
}

#[test]
fn t34_many_at_once_do_not_help() {
    let mut scene = Scene::new();
    let server = scene.server([1, 1, 1, 1]);
    let heard = (0..40).filter(|_| tries(&mut scene, GUESSER, &server).1).count();
    assert_eq!(heard, 16, "as many as may be under way");
    assert_eq!(scene.relay.occupancy().delayed, 24);
}

#[test]
fn t34_who_waits_for_the_crowd_is_counted_once() {
    let mut scene = Scene::new();
    let server = scene.server([1, 1, 1, 1]);
    let clients: alloc::vec::Vec<Person> = (0..17).map(|_| tries(&mut scene, GUESSER, &server).0).collect();
    scene.wait(SECOND * 30);
    let guessing = scene.events.iter().filter(|event| matches!(event, Event::Guessing { .. }));
    assert_eq!((guessing.count(), scene.stats().guesses_delayed), (1, 1));
    assert_eq!(scene.relay.occupancy().delayed, 1);
    // Another share in its place is no other wait.
    scene.say(clients[16].link, server.uid, share_of(&clients[16].name));
    assert_eq!((scene.stats().guesses_delayed, scene.relay.occupancy().delayed), (1, 1));
    scene.leave(clients[0].link);
    scene.hears(server.link);
    scene.wait(SECOND);
    assert_eq!(scene.hears(server.link).len(), 1);
    assert_eq!(scene.relay.occupancy().delayed, 0);
}

#[test]
fn t34_who_waits_when_its_address_is_cut_off_waits_no_more() {
    let mut scene = Scene::with(|config| {
        config.guessing.failures_max = 1;
        config.guessing.parallel_max = 1;
    });
    let server = scene.server([1, 1, 1, 1]);
    let (first, _) = tries(&mut scene, GUESSER, &server);
    scene.say(server.link, first.uid, answer());
    let (second, heard) = tries(&mut scene, GUESSER, &server);
    assert!(!heard);
    scene.leave(first.link);
    // Whether it asks again or is looked at again.
    scene.say(second.link, server.uid, share_of(&second.name));
    assert_eq!((scene.stats().guesses_cut, scene.relay.occupancy().delayed), (1, 0));
    scene.hears(server.link);
    scene.wait(SECOND * 60);
    assert_eq!(scene.hears(server.link), []);
}

#[test]
fn t34_after_too_many_failures_an_address_is_cut_off_from_the_server() {
    let mut scene = Scene::with(|config| config.guessing.failures_max = 3);
    let server = scene.server([1, 1, 1, 1]);
    for _ in 0..3 {
        fails(&mut scene, GUESSER, &server);
        scene.wait(SECOND * 60);
    }
    assert!(!tries(&mut scene, GUESSER, &server).1);
    assert_eq!((scene.stats().guesses_cut, scene.relay.occupancy().delayed), (1, 0));
    assert!(tries(&mut scene, [5, 5, 5, 5], &server).1);
}

#[test]
fn t34_failures_are_forgotten_after_a_while() {
    let mut scene = Scene::with(|config| {
        config.guessing.memory = SECOND * 100;
        config.guessing.failures_max = 1;
    });
    let server = scene.server([1, 1, 1, 1]);
    fails(&mut scene, GUESSER, &server);
    scene.wait(SECOND * 99);
    assert!(!tries(&mut scene, GUESSER, &server).1);
    scene.wait(SECOND);
    assert!(tries(&mut scene, GUESSER, &server).1);
}

#[test]
fn t34_limit_waiting_at_its_edge() {
    let mut scene = Scene::with(|config| config.guessing.waiting_max = 2);
    let server = scene.server([1, 1, 1, 1]);
    fails(&mut scene, GUESSER, &server);
    let clients = [0, 1, 2].map(|_| tries(&mut scene, GUESSER, &server).0);
    assert_eq!((scene.relay.occupancy().delayed, scene.stats().guesses_dropped), (2, 1));
    // One that waits may think again; it takes no second place.
    scene.say(clients[0].link, server.uid, share_of(&clients[0].name));
    assert_eq!((scene.relay.occupancy().delayed, scene.stats().guesses_dropped), (2, 1));
    // What waits goes with its client, with its server, and when the two part.
    scene.leave(clients[0].link);
    assert_eq!(scene.relay.occupancy().delayed, 1);
    scene.say(clients[1].link, server.uid, Body::Refused);
    assert_eq!(scene.relay.occupancy().delayed, 0);
    tries(&mut scene, GUESSER, &server);
    assert_eq!(scene.relay.occupancy().delayed, 1);
    scene.leave(server.link);
    assert_eq!(scene.relay.occupancy().delayed, 0);
}

#[test]
fn t34_limit_pairs_remembered_at_its_edge() {
    let mut scene = Scene::with(|config| config.guessing.pairs_max = 2);
    let server = scene.server([1, 1, 1, 1]);
    for last in 1..=3 {
        fails(&mut scene, [6, 6, 6, last], &server);
    }
    assert_eq!(scene.stats().guesses_forgotten, 1);
    assert!(tries(&mut scene, [6, 6, 6, 1], &server).1, "the one that failed longest ago is forgotten");
    assert!(!tries(&mut scene, [6, 6, 6, 2], &server).1);
}

#[test]
fn t34_an_address_that_fails_everywhere_waits_everywhere() {
    let mut scene = Scene::with(|config| {
        config.guessing.burst = 3;
        config.guessing.interval = SECOND * 1000;
    });
    let servers = [1, 2, 3, 4, 5].map(|last| scene.server([1, 1, 1, last]));
    servers[..3].iter().for_each(|server| fails(&mut scene, GUESSER, server));
    fails(&mut scene, GUESSER, &servers[3]);
    assert!(!tries(&mut scene, GUESSER, &servers[4]).1);
    scene.wait(SECOND);
    assert_eq!(scene.hears(servers[4].link).len(), 1);
}

#[test]
fn t34_may_be_switched_off() {
    let mut scene = Scene::with(|config| {
        config.guessing = Guessing { pause: Duration::ZERO, ..Guessing::default() };
    });
    let server = scene.server([1, 1, 1, 1]);
    for _ in 0..50 {
        fails(&mut scene, GUESSER, &server);
    }
}

#[test]
fn t34_honest_crowds_behind_one_address_do_not_wait() {
    let mut scene = Scene::new();
    let clients: alloc::vec::Vec<Person> = (0..12).map(|_| scene.client(GUESSER)).collect();
    for number in 0..12 {
        // Each server is tried by all as it comes, and only one knows its password.
        let server = scene.server(GUESSER);
        for client in &clients {
            scene.say(client.link, server.uid, share_of(&client.name));
        }
        assert_eq!(scene.hears(server.link).len(), 12);
        for (place, client) in clients.iter().enumerate() {
            scene.say(server.link, client.uid, answer());
            if place == number {
                scene.say(server.link, client.uid, Body::Agreement);
            } else {
                scene.say(client.link, server.uid, Body::SpokeFailure(SpokeFailure::InvalidClientValidator));
            }
        }
    }
    assert_eq!((scene.stats().guesses_delayed, scene.stats().guesses_failed), (0, 132));
}
