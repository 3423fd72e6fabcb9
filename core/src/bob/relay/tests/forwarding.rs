//! 6.4 to 6.6: what peers say to one another.

use super::super::{Departure, Event};
use super::scene::{Scene, announced, answer, closed, encoded, of_relay, share_of};
use crate::bob::Identity;
use crate::bob::packet::{Body, PUBLIC_LEN, Packet, RelayFailure, SpokeFailure, Uid};
use crate::link::How;

fn from(uid: Uid, body: Body) -> [Packet; 1] {
    [Packet { uid, body }]
}

#[test]
fn rule_6_4_packets_go_to_the_other_role_with_the_senders_uid() {
    let mut scene = Scene::new();
    let (server, client) = (scene.server([1, 1, 1, 1]), scene.client([1, 1, 1, 2]));
    let failure = || Body::SpokeFailure(SpokeFailure::InvalidClientValidator);
    for body in [share_of(&client.name), Body::ClientValidator { validator: [0; 64] }, failure()] {
        scene.say(client.link, server.uid, body.clone());
        assert_eq!(scene.hears(server.link), from(client.uid, body));
    }
    for body in [answer(), Body::Agreement, failure()] {
        scene.say(server.link, client.uid, body.clone());
        assert_eq!(scene.hears(client.link), from(server.uid, body));
    }
    assert_eq!(scene.stats().forwarded, 6);
}

#[test]
fn rule_6_4_who_has_not_said_hello_is_not_heard() {
    let mut scene = Scene::new();
    let (server, client) = (scene.server([1, 1, 1, 1]), scene.client([1, 1, 1, 2]));
    let link = scene.open(super::super::Port::Handshake, [1, 1, 1, 3]);
    scene.say(link, server.uid, share_of(&client.name));
    scene.say(link, client.uid, Body::Agreement);
    assert!(scene.hears(server.link).is_empty() && scene.hears(client.link).is_empty());
    assert_eq!(scene.stats().dropped_unregistered, 2);
    assert!(scene.is_open(link));
}

#[test]
fn rule_6_4_a_role_may_not_say_everything() {
    let mut scene = Scene::new();
    let (server, client) = (scene.server([1, 1, 1, 1]), scene.client([1, 1, 1, 2]));
    for body in [answer(), Body::Agreement] {
        scene.say(client.link, server.uid, body);
    }
    let of_client =
        [share_of(&client.name), Body::ClientValidator { validator: [0; 64] }, Body::Accepted, Body::Refused];
    for body in of_client {
        scene.say(server.link, client.uid, body);
    }
    let identity = || server.name.clone();
    let of_relay = [
        Body::ServerIdentity { identity: identity() },
        Body::ClientIdentity { identity: identity() },
        Body::NewServer { server: Uid(1), public: [0; PUBLIC_LEN], identity: identity() },
        Body::Closed { peer: Uid(1) },
        Body::Done,
        Body::Timeout,
    ];
    for body in of_relay {
        scene.say(server.link, client.uid, body.clone());
        scene.say(client.link, server.uid, body.clone());
        scene.say(client.link, Uid::RELAY, body);
    }
    assert!(scene.hears(server.link).is_empty() && scene.hears(client.link).is_empty());
    assert_eq!(scene.stats().dropped_direction, 2 + 4 + 18);
    assert!(scene.is_open(server.link) && scene.is_open(client.link));
}

#[test]
fn rule_6_4_unknown_destinations_and_uid_0_are_dropped() {
    let mut scene = Scene::new();
    let client = scene.client([1, 1, 1, 2]);
    for uid in [Uid::RELAY, Uid(9), Uid(0xffff)] {
        scene.say(client.link, uid, Body::ClientValidator { validator: [0; 64] });
    }
    assert_eq!(scene.stats().dropped_unknown, 3);
    assert!(scene.is_open(client.link));
}

#[test]
fn rule_6_4_a_destination_of_the_wrong_role_is_dropped() {
    let mut scene = Scene::new();
    let (server, client) = (scene.server([1, 1, 1, 1]), scene.client([1, 1, 1, 2]));
    let (other_server, other_client) = (scene.server([1, 1, 1, 3]), scene.client([1, 1, 1, 4]));
    scene.hears(client.link);
    for to in [server.uid, other_server.uid] {
        scene.say(server.link, to, Body::Agreement);
    }
    for to in [client.uid, other_client.uid] {
        scene.say(client.link, to, share_of(&client.name));
    }
    for link in [server.link, client.link, other_server.link, other_client.link] {
        assert_eq!(scene.hears(link), []);
    }
    assert_eq!(scene.stats().dropped_role, 4);
}

#[test]
fn rule_6_4_a_share_has_to_show_its_own_identity() {
    let foreign = Identity::new("9.9.9.9:9".into()).unwrap();
    let mut scene = Scene::new();
    let (server, client) = (scene.server([1, 1, 1, 1]), scene.client([1, 1, 1, 2]));
    scene.say(client.link, server.uid, share_of(&foreign));
    assert_eq!(scene.hears(server.link), []);
    assert_eq!(scene.stats().dropped_identity, 1);

    let mut scene = Scene::with(|config| config.own_identity_only = false);
    let (server, client) = (scene.server([1, 1, 1, 1]), scene.client([1, 1, 1, 2]));
    scene.say(client.link, server.uid, share_of(&foreign));
    assert_eq!(scene.hears(server.link), from(client.uid, share_of(&foreign)));
    // One that could not be passed on is dropped in any case.
    let long = [
        encoded(server.uid, Body::HelloAsClient)[..4].to_vec(),
        b"07".to_vec(),
        [3; 32 + 200].to_vec(),
        [0].to_vec(),
    ];
    scene.bytes(client.link, &long.concat());
    assert_eq!(scene.hears(server.link), []);
    assert_eq!(scene.stats().dropped_identity, 1);
    assert!(scene.is_open(client.link));
}

#[test]
fn rule_6_4_a_failure_parts_the_two() {
    let mut scene = Scene::new();
    let (server, client) = (scene.server([1, 1, 1, 1]), scene.client([1, 1, 1, 2]));
    scene.say(client.link, server.uid, Body::SpokeFailure(SpokeFailure::InvalidPublic));
    scene.hears(server.link);
    scene.leave(server.link);
    assert_eq!(scene.hears(client.link), [], "it is no candidate any more");
    let again = scene.server([1, 1, 1, 3]);
    assert_eq!(scene.hears(client.link), [announced(&again, [7; PUBLIC_LEN])]);
    scene.leave(client.link);
    assert_eq!(scene.hears(again.link), closed(client.uid));
}

#[test]
fn rule_6_4_what_peers_report_is_counted() {
    let mut scene = Scene::new();
    let client = scene.client([1, 1, 1, 2]);
    for failure in [RelayFailure::InvalidServer(Uid(1)), RelayFailure::NoAgreement(Uid::RELAY)] {
        scene.say(client.link, Uid::RELAY, Body::RelayFailure(failure));
    }
    assert_eq!(scene.stats().reported, 2);
    assert!(scene.is_open(client.link));
}

#[test]
fn rule_6_5_an_acceptance_makes_a_pair() {
    let mut scene = Scene::new();
    let (server, client) = (scene.server([1, 1, 1, 1]), scene.client([1, 1, 1, 2]));
    scene.agree(&client, &server);
    scene.say(client.link, server.uid, Body::Accepted);
    assert_eq!(scene.hears(server.link), from(client.uid, Body::Accepted));
    assert_eq!(scene.hears(client.link), [of_relay(Body::Done)]);
    for link in [server.link, client.link] {
        assert_eq!(scene.closed.get(&link), Some(&How::Flush));
    }
    let paired = [(client.uid, Departure::Paired), (server.uid, Departure::Paired)];
    assert_eq!(scene.departures(), paired);
    assert_eq!(scene.events.last(), Some(&Event::Agreed { client: client.uid, server: server.uid }));
    assert_eq!(scene.relay.occupancy().rooms, 1);
    assert_eq!((scene.relay.occupancy().clients, scene.relay.occupancy().servers), (0, 0));
}

#[test]
fn rule_6_5_without_an_agreement_nothing_is_accepted() {
    let mut scene = Scene::new();
    let (server, client) = (scene.server([1, 1, 1, 1]), scene.client([1, 1, 1, 2]));
    let other = scene.client([1, 1, 1, 3]);
    scene.agree(&other, &server);
    scene.say(client.link, server.uid, Body::Accepted);
    assert_eq!(scene.hears(server.link), []);
    assert!(scene.is_open(server.link) && scene.is_open(client.link));
    assert_eq!(scene.stats().dropped_unagreed, 1);
    // Nor after a refusal, or a failure.
    scene.say(other.link, server.uid, Body::Refused);
    scene.say(other.link, server.uid, Body::Accepted);
    scene.agree(&client, &server);
    scene.say(server.link, client.uid, Body::SpokeFailure(SpokeFailure::InvalidServerValidator));
    scene.say(client.link, server.uid, Body::Accepted);
    assert_eq!(scene.stats().dropped_unagreed, 3);
    assert_eq!(scene.relay.occupancy().rooms, 0);
}

#[test]
fn rule_6_5_losers_are_told_only_as_an_option() {
    for tell_losers in [false, true] {
        let mut scene = Scene::with(|config| config.tell_losers = tell_losers);
        let (server, other_server) = (scene.server([1, 1, 1, 1]), scene.server([1, 1, 1, 2]));
        let (client, loser) = (scene.client([1, 1, 1, 3]), scene.client([1, 1, 1, 4]));
        scene.hears(loser.link);
        scene.agree(&loser, &server);
        scene.agree(&client, &server);
        scene.say(client.link, server.uid, Body::Accepted);
        scene.say(loser.link, server.uid, Body::Accepted);
        let (of_loser, of_server) = (scene.hears(loser.link), scene.hears(other_server.link));
        if tell_losers {
            assert_eq!((of_loser, of_server), (closed(server.uid), closed(client.uid)));
        } else {
            assert!(of_loser.is_empty() && of_server.is_empty());
        }
        assert!(scene.is_open(loser.link));
        assert_eq!(scene.stats().dropped_unknown, 1);
        // A later server in the same place is not taken for the first: nothing is left of it.
        let later = scene.server([1, 1, 1, 5]);
        scene.say(loser.link, later.uid, Body::Accepted);
        assert_eq!(scene.stats().dropped_unagreed, 1);
    }
}

#[test]
fn rule_6_5_what_follows_the_acceptance_in_one_read_is_not_looked_at() {
    let mut scene = Scene::new();
    let (server, client) = (scene.server([1, 1, 1, 1]), scene.client([1, 1, 1, 2]));
    scene.agree(&client, &server);
    let mut bytes = encoded(server.uid, Body::Accepted);
    bytes.extend(b"garbage!");
    scene.bytes(client.link, &bytes);
    assert_eq!(scene.stats().malformed, 0);
    assert_eq!(scene.hears(client.link), [of_relay(Body::Done)]);
}

#[test]
fn rule_6_6_a_refusal_stops_at_the_relay() {
    let mut scene = Scene::new();
    let (server, client) = (scene.server([1, 1, 1, 1]), scene.client([1, 1, 1, 2]));
    scene.agree(&client, &server);
    scene.say(client.link, server.uid, Body::Refused);
    assert_eq!(scene.hears(server.link), []);
    assert!(scene.is_open(server.link) && scene.is_open(client.link));
    scene.leave(server.link);
    assert_eq!(scene.hears(client.link), [], "they are no candidates any more");
}
