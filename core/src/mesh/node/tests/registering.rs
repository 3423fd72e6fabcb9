//! Registration as the application knows it (`identity-and-content` 2.1).

use alloc::vec::Vec;
use core::time::Duration;

use super::SECOND;
use super::network::*;
use super::raw::{head_of, messages};
use crate::channel::StreamId;
use crate::heads::Announced;
use crate::link::LinkId;
use crate::mesh::establishment::{Message, Motive};
use crate::mesh::heads;
use crate::mesh::rpc::{self, Action};
use crate::mesh::{Command, Config, Event, Registration};
use crate::overlay::{self, Contact};

/// The `solcial` preset without a word from its application.
fn solcial() -> Config {
    Config { listen: Vec::from([address(0)]), network_size: 16, ..Config::solcial() }
}

/// Host 0 of this configuration, and so many hand-made peers that have not dialled it yet.
fn network(config: Config, peers: usize) -> Network {
    let mut network = Network::new(30);
    network.add(config);
    network.subscribe(0, "t");
    (0..peers).for_each(|_| {
        network.add_raw(&[rpc::PROTOCOL]);
    });
    network
}

fn asked(network: &Network, host: usize) -> usize {
    network.count(0, |event| *event == Event::Registration { peer: id(host) })
}

fn is_up(network: &Network, host: usize) -> bool {
    let ups = network.count(0, |event| *event == Event::PeerUp { peer: id(host) });
    ups > network.count(0, |event| *event == Event::PeerDown { peer: id(host) })
}

fn say(network: &mut Network, host: usize, registered: bool) {
    network.command(0, Command::Registered { peer: id(host), registered });
}

/// A hand-made peer becomes a neighbour.
fn join(network: &mut Network, host: usize, link: LinkId) -> StreamId {
    let stream = network.raw_open(host, link, rpc::PROTOCOL).unwrap();
    let peer = Contact { peer: id(host), addresses: Vec::new() };
    let join = Action::Overlay(overlay::Message::Join { ttl: 3, peer, nonce: Some(7) });
    network.raw_send(host, link, stream, rpc::encode_frame("t", &join).unwrap());
    network.run(SECOND);
    assert!(network.node(0).neighbors("t").eq([id(host)]));
    stream
}

#[test]
fn identity_2_1_while_the_chain_is_unavailable_new_peers_wait_for_30_s() {
    let mut network = network(solcial(), 1);
    network.raw_dial(1, 0);
    network.run(28 * SECOND);
    assert_eq!(network.links(0).len(), 1);
    assert_eq!(asked(&network, 1), 6, "every five seconds");
    network.run(2 * SECOND);
    assert!(network.links(0).is_empty());
    assert!(!is_up(&network, 1));
    assert_eq!(network.node(0).stats().handshakes_timed_out, 1);
    network.run(5 * SECOND);
    assert_eq!(network.node(0).stats().registrations_unanswered, 6);
    network.run(60 * SECOND);
    assert_eq!(asked(&network, 1), 6, "nobody waits any more");
}

#[test]
fn identity_2_1_a_late_answer_lets_the_waiting_peer_in() {
    let mut network = network(solcial(), 1);
    network.raw_dial(1, 0);
    network.run(27 * SECOND);
    say(&mut network, 1, true);
    assert!(is_up(&network, 1));
}

#[test]
fn identity_2_1_one_question_a_peer_is_in_flight() {
    let mut network = network(solcial(), 1);
    network.raw_dial(1, 0);
    network.raw_dial(1, 0);
    assert_eq!(asked(&network, 1), 1);
}

#[test]
fn identity_2_1_questions_beyond_those_in_flight_queue_and_beyond_the_queue_are_refused() {
    let config = Config { registration_questions_max: 2, registration_queue_max: 1, ..solcial() };
    let mut network = network(config, 4);
    for host in 1..=4 {
        network.raw_dial(host, 0);
    }
    assert_eq!((1..=4).map(|host| asked(&network, host)).collect::<Vec<_>>(), [1, 1, 0, 0]);
    assert_eq!(network.links(0).len(), 3, "the fourth is refused");
    let stats = network.node(0).stats();
    assert_eq!((stats.registrations_queued, stats.registrations_refused), (1, 1));
    say(&mut network, 1, true);
    assert_eq!(asked(&network, 3), 1, "an answer makes room");
    say(&mut network, 3, true);
    assert!(is_up(&network, 1) && is_up(&network, 3));
    network.raw_dial(4, 0);
    assert_eq!(asked(&network, 4), 1);
}

#[test]
fn identity_2_1_a_question_without_an_answer_makes_room_for_the_next() {
    let mut network = network(Config { registration_questions_max: 1, ..solcial() }, 2);
    network.raw_dial(1, 0);
    network.raw_dial(2, 0);
    network.run(SECOND);
    assert_eq!((asked(&network, 1), asked(&network, 2)), (1, 0));
    network.run(3 * SECOND);
    assert_eq!((asked(&network, 1), asked(&network, 2)), (1, 1));
    network.run(5 * SECOND);
    assert_eq!((asked(&network, 1), asked(&network, 2)), (2, 1), "in turn");
}

#[test]
fn identity_2_1_a_native_peer_beyond_the_queue_hears_motive_7() {
    let registration = Registration::Query;
    let config =
        Config { registration, registration_questions_max: 0, registration_queue_max: 0, ..native(0, &[]) };
    let mut network = network(config, 1);
    let (link, stream) = network.raw_establish(1, 0);
    let heard = messages(&network.raw_received(1, link, stream));
    assert_eq!(heard[1..], [Message::Nack { motive: Motive::Quota, alternatives: Vec::new() }]);
}

/// A `native` node with four questions at once, and a registered hand-made peer that names so many others in HEADs.
fn naming(others: usize) -> (Network, LinkId) {
    let registration = Registration::Query;
    let config = Config {
        registration,
        registration_questions_max: 4,
        registration_queue_max: 1,
        registration_named_max: 8,
        registration_timeout: 60 * SECOND,
        ..native(0, &[])
    };
    let mut network = network(config, 0);
    (1..=5).for_each(|_| {
        network.add_raw(&[rpc::PROTOCOL, heads::PROTOCOL]);
    });
    say(&mut network, 1, true);
    let (link, _) = network.raw_establish(1, 0);
    let stream = network.raw_open(1, link, heads::PROTOCOL).unwrap();
    let head = |host| Announced { head: head_of(host, &network, 1), step: 1 };
    let frame = heads::encode_frame(&(100..100 + others).map(head).collect::<Vec<_>>());
    network.raw_send(1, link, stream, frame);
    network.run(SECOND / 2);
    (network, link)
}

/// How many of the hosts 100 and on were asked about.
fn named(network: &Network) -> usize {
    let named = |event: &Event| (100..120).any(|host| *event == Event::Registration { peer: id(host) });
    network.count(0, named)
}

#[test]
fn identity_2_1_peers_that_others_name_take_half_of_the_places_and_wait_behind_links() {
    let (mut network, _) = naming(12);
    assert_eq!(named(&network), 2);
    let stats = network.node(0).stats();
    assert_eq!((stats.registrations_queued, stats.registrations_named_shed), (8, 2));
    for host in [2, 3, 4] {
        network.raw_establish(host, 0);
    }
    assert_eq!((asked(&network, 2), asked(&network, 3), asked(&network, 4)), (1, 1, 0));
    say(&mut network, 2, true);
    assert_eq!((asked(&network, 4), named(&network)), (1, 2), "who has a link has its turn first");
    for host in [3, 4] {
        say(&mut network, host, true);
    }
    assert_eq!(named(&network), 2, "the two are not answered");
    say(&mut network, 100, true);
    assert_eq!(named(&network), 3);
    assert_eq!(network.node(0).stats().registrations_refused, 0);
}

#[test]
fn identity_2_1_a_peer_that_was_named_before_does_not_wait_with_those_once_it_has_a_link() {
    let (mut network, link) = naming(12);
    let stream = network.raw_open(1, link, heads::PROTOCOL).unwrap();
    say(&mut network, 100, true);
    say(&mut network, 101, true);
    let head = Announced { head: head_of(5, &network, 1), step: 1 };
    network.raw_send(1, link, stream, heads::encode_frame(&[head]));
    network.run(SECOND / 2);
    assert_eq!(asked(&network, 5), 0);
    network.raw_establish(5, 0);
    assert_eq!(asked(&network, 5), 1);
}

/// A minute for an hour and ten for the day.
fn hasty() -> Config {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    // Who is lost is not looked for: that would be one more reason to ask.
    let overlay = overlay::Config { lost_lifetime: Duration::ZERO, ..solcial().overlay };
    Config { registered_lifetime: minutes(1), registered_grace: minutes(10), overlay, ..solcial() }
}

/// A neighbour that was let in just now.
fn neighbour() -> (Network, LinkId) {
    let mut network = network(hasty(), 2);
    let link = network.raw_dial(1, 0);
    say(&mut network, 1, true);
    join(&mut network, 1, link);
    assert_eq!(asked(&network, 1), 1);
    (network, link)
}

#[test]
fn identity_2_1_a_linked_peer_is_asked_about_again_when_the_answer_is_old() {
    let (mut network, _) = neighbour();
    network.run(57 * SECOND);
    assert_eq!(asked(&network, 1), 1);
    network.run(2 * SECOND);
    assert_eq!(asked(&network, 1), 2);
    say(&mut network, 1, true);
    network.run(57 * SECOND);
    assert_eq!((asked(&network, 1), is_up(&network, 1)), (2, true));
    network.run(4 * SECOND);
    assert_eq!(asked(&network, 1), 3);
    // It is not registered any more: excluded, and not banned.
    say(&mut network, 1, false);
    network.run(SECOND);
    assert!(!is_up(&network, 1) && network.links(0).is_empty());
    assert_eq!(network.node(0).neighbors("t").count(), 0);
    assert_eq!(network.node(0).stats().bans, 0);
}

#[test]
fn identity_2_1_peers_admitted_before_stay_through_an_outage_as_long_as_its_grace() {
    let (mut network, _) = neighbour();
    network.run(596 * SECOND);
    assert!(is_up(&network, 1) && network.node(0).neighbors("t").eq([id(1)]));
    assert!(asked(&network, 1) > 5, "it is tried again: {}", asked(&network, 1));
    assert!(network.node(0).stats().registrations_prolonged > 5);
    // The end, and a last question.
    network.run(10 * SECOND);
    assert!(!is_up(&network, 1) && network.links(0).is_empty());
}

#[test]
fn identity_2_1_in_an_outage_who_was_admitted_before_comes_back_and_nobody_else_comes() {
    let (mut network, _) = neighbour();
    network.run(90 * SECOND);
    network.reset(0, 1);
    network.run(120 * SECOND);
    let link = network.raw_dial(1, 0);
    network.raw_dial(2, 0);
    assert!(!is_up(&network, 1), "it may be that there is an answer");
    network.run(5 * SECOND);
    assert!(is_up(&network, 1) && !is_up(&network, 2));
    join(&mut network, 1, link);
}

#[test]
fn identity_2_1_a_full_queue_does_not_keep_out_who_was_admitted_before() {
    let config = Config { registration_questions_max: 1, registration_queue_max: 0, ..hasty() };
    let mut network = network(config, 2);
    network.raw_dial(1, 0);
    say(&mut network, 1, true);
    network.reset(0, 1);
    network.run(90 * SECOND);
    network.raw_dial(2, 0);
    network.raw_dial(1, 0);
    assert_eq!((asked(&network, 1), asked(&network, 2)), (1, 1));
    assert!(is_up(&network, 1) && !is_up(&network, 2));
}

#[test]
fn identity_2_1_who_is_excluded_hears_disconnect_and_bye_4() {
    let mut network = network(Config { registration: Registration::Query, ..native(0, &[]) }, 1);
    say(&mut network, 1, true);
    let (link, session) = network.raw_establish(1, 0);
    join(&mut network, 1, link);
    say(&mut network, 1, false);
    network.run(SECOND);
    let heard = messages(&network.raw_received(1, link, session));
    assert_eq!(heard.last(), Some(&Message::Bye { motive: Motive::Registration }));
    let gossip = network.raw_accepted(1, link, rpc::PROTOCOL)[0];
    let heard = super::raw::rpcs(&network.raw_received(1, link, gossip));
    let last = heard.last().map(|rpc| &rpc.action);
    assert!(matches!(last, Some(Action::Overlay(overlay::Message::Disconnect { .. }))), "{heard:?}");
    assert!(network.links(0).is_empty());
}

#[test]
fn nothing_is_left_of_questions_and_peers_that_are_gone() {
    let (mut network, _) = neighbour();
    network.raw_dial(2, 0);
    network.reset(0, 1);
    network.reset(0, 2);
    network.run(20 * SECOND);
    let timers = alloc::format!("{:?}", network.node(0).timers);
    assert!(!timers.contains("Registered") && !timers.contains("Questions"), "{timers}");
}
