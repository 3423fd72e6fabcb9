//! Peers without our establishment: strangers in `native`, members in `solcial`.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::SECOND;
use super::network::*;
use super::raw::rpcs;
use crate::admission;
use crate::broadcast::{self, Id, Verdict};
use crate::channel::{self, identify, ping};
use crate::link::LinkId;
use crate::mesh::establishment;
use crate::mesh::rpc::{self, Action};
use crate::mesh::{Command, Config, Event, Registration};
use crate::overlay::{self, Contact};
use crate::wire::multiaddr::Multiaddr;

#[test]
fn e8_a_peer_that_answers_na_is_a_stranger() {
    let mut network = Network::new(1);
    network.add_raw(&[rpc::PROTOCOL]);
    network.add(native(1, &[0]));
    network.subscribe(1, "t");
    network.run(5 * SECOND);
    assert_eq!(network.node(1).stats().strangers, 1);
    assert_eq!(network.count(1, |event| matches!(event, Event::PeerUp { .. })), 0);
    assert_eq!(network.links(1).len(), 1);
    let link = *network.raw(0).links.keys().next().unwrap();
    assert!(network.raw_accepted(0, link, rpc::PROTOCOL).is_empty());
    // Nobody uses the link. It is not dialled again while it stands.
    network.run(Duration::from_secs(50));
    assert_eq!(network.node(1).stats().strangers, 1);
    network.run(10 * SECOND);
    assert!(!network.raw(0).links[&link].open);
}

#[test]
fn e8_a_peer_that_dials_and_does_not_begin_is_a_stranger() {
    let mut network = Network::of_members(2, 1);
    network.add_raw(&[rpc::PROTOCOL]);
    let link = network.raw_dial(1, 0);
    let stream = network.raw_open(1, link, rpc::PROTOCOL).unwrap();
    network.run(3 * SECOND);
    assert_eq!(network.node(0).stats().strangers, 0);
    network.run(2 * SECOND);
    assert_eq!(network.node(0).stats().strangers, 1);
    // The overlay is not for it.
    assert!(network.raw_was_reset(1, link, stream));
    assert_eq!(network.links(0).len(), 1);
    network.run(60 * SECOND);
    assert!(network.links(0).is_empty());
}

/// A node, and a hand-made stranger with a link to it.
fn stranger(seed: u64) -> (Network, LinkId) {
    let mut network = Network::of_members(seed, 1);
    network.add_raw(&[]);
    let link = network.raw_dial(1, 0);
    network.run(5 * SECOND);
    assert_eq!(network.node(0).stats().strangers, 1);
    (network, link)
}

#[test]
fn e8_a_ping_stream_keeps_a_strangers_link() {
    let (mut network, link) = stranger(5);
    let first = network.raw_open(1, link, ping::PROTOCOL).unwrap();
    network.run(200 * SECOND);
    assert_eq!(network.links(0).len(), 1);
    network.raw_send(1, link, first, Bytes::from_static(&[7; ping::LENGTH]));
    network.run(SECOND);
    assert_eq!(network.raw_received(1, link, first), [7; ping::LENGTH]);
    let second = network.raw_open(1, link, ping::PROTOCOL).unwrap();
    network.raw_input(1, link, channel::Input::Finish { stream: first });
    network.run(100 * SECOND);
    assert_eq!(network.links(0).len(), 1, "there is another");
    network.raw_input(1, link, channel::Input::Reset { stream: second });
    network.run(59 * SECOND);
    assert_eq!(network.links(0).len(), 1);
    network.run(2 * SECOND);
    assert!(network.links(0).is_empty());
}

#[test]
fn e8_identify_streams_keep_no_stranger() {
    let (mut network, link) = stranger(6);
    for _ in 0..10 {
        network.raw_open(1, link, identify::PROTOCOL).unwrap();
        network.run(5 * SECOND);
    }
    assert_eq!(network.links(0).len(), 1);
    network.run(5 * SECOND);
    assert!(network.links(0).is_empty());
}

/// A node with these places, and so many hand-made strangers that have dialled it.
fn strangers(admission: admission::Config, count: usize) -> Network {
    let mut network = Network::new(12);
    network.add(Config { admission, ..native(0, &[]) });
    network.subscribe(0, "t");
    for host in 1..=count {
        network.add_raw(&[]);
        network.raw_dial(host, 0);
    }
    network.run(6 * SECOND);
    network
}

fn open_links(network: &mut Network, host: usize) -> usize {
    network.raw(host).links.values().filter(|link| link.open).count()
}

#[test]
fn e8_strangers_have_a_quota_of_their_own() {
    let admission = admission::Config { strangers_max: 2, ..admission::Config::default() };
    let mut network = strangers(admission, 4);
    let open: Vec<usize> = (1..=4).map(|host| open_links(&mut network, host)).collect();
    assert_eq!(open.iter().sum::<usize>(), 2, "{open:?}");
    assert_eq!(network.node(0).admission.admitted(), 2);
    // It keeps no member out.
    network.add_raw(&[]);
    network.raw_establish(5, 0);
    assert_eq!(network.count(0, |event| *event == Event::PeerUp { peer: id(5) }), 1);
}

#[test]
fn e8_the_quota_of_strangers_is_the_lowest() {
    let admission = admission::Config { links_max: 1, outgoing_reserved: 0, ..admission::Config::default() };
    let mut network = strangers(admission, 1);
    assert_eq!(open_links(&mut network, 1), 1);
    network.add_raw(&[]);
    network.raw_establish(2, 0);
    assert_eq!(network.count(0, |event| *event == Event::PeerUp { peer: id(2) }), 1);
    assert_eq!(open_links(&mut network, 1), 0, "the stranger has made room");
}

#[test]
fn e8_a_stranger_cannot_begin_the_establishment_any_more() {
    let (mut network, link) = stranger(7);
    let stream = network.raw_open(1, link, establishment::PROTOCOL).unwrap();
    network.run(SECOND);
    assert!(network.raw_was_reset(1, link, stream));
    network.run(60 * SECOND);
    assert!(network.links(0).is_empty());
}

#[test]
fn e8_only_a_peer_that_answers_na_is_a_stranger() {
    let mut network = Network::new(8);
    network.add_raw(&[establishment::PROTOCOL]);
    // It kills every stream before it has answered.
    network.raw(0).config = Arc::new(channel::Config { negotiating_max: 0, ..channel::Config::default() });
    network.add(native(1, &[0]));
    network.subscribe(1, "t");
    network.run(2 * SECOND);
    assert_eq!(network.node(1).stats().handshakes, 1);
    assert_eq!(network.node(1).stats().strangers, 0);
    assert!(network.links(1).is_empty());
}

fn contact(host: usize) -> Contact<crate::identity::PeerId> {
    Contact { peer: id(host), addresses: Vec::from([Bytes::from(Multiaddr::tcp(socket(host)).to_bytes())]) }
}

/// A `solcial` node, and a hand-made peer with a stream to it.
fn solcial() -> (Network, LinkId, channel::StreamId) {
    let mut network = Network::new(3);
    let listen = alloc::vec![address(0)];
    network.add(Config { listen, registration: Registration::Open, network_size: 16, ..Config::solcial() });
    network.subscribe(0, "t");
    network.add_raw(&[rpc::PROTOCOL]);
    let link = network.raw_dial(1, 0);
    let stream = network.raw_open(1, link, rpc::PROTOCOL).unwrap();
    (network, link, stream)
}

#[test]
fn a_plain_peer_is_a_member_of_solcial() {
    let (mut network, link, stream) = solcial();
    assert_eq!(network.count(0, |event| *event == Event::PeerUp { peer: id(1) }), 1);
    let join = Action::Overlay(overlay::Message::Join { ttl: 3, peer: contact(1), nonce: None });
    network.raw_send(1, link, stream, rpc::encode_frame("t", &join).unwrap());
    network.run(SECOND);
    assert!(network.node(0).neighbors("t").eq([id(1)]));
    let ours = network.raw_accepted(1, link, rpc::PROTOCOL)[0];
    let heard = rpcs(&network.raw_received(1, link, ours));
    assert!(matches!(heard[0].action, Action::Overlay(overlay::Message::Neighbor { .. })), "{heard:?}");
}

#[test]
fn o3_3_c_a_message_of_a_plain_stranger_is_heard_once_it_is_a_neighbour() {
    let (mut network, link, stream) = solcial();
    let payload = Bytes::from_static(b"plain words");
    let message = broadcast::Message::Payload { id: Id([5; 16]), hop: 1, payload: payload.clone() };
    network.raw_send(1, link, stream, rpc::encode_frame("t", &Action::Broadcast(message)).unwrap());
    network.run(SECOND);
    assert!(network.node(0).neighbors("t").eq([id(1)]));
    let asked = Event::Validate { topic: "t".into(), id: Id([5; 16]), from: id(1), payload };
    assert_eq!(network.count(0, |event| *event == asked), 1);
    network.command(0, Command::Verdict { topic: "t".into(), id: Id([5; 16]), verdict: Verdict::Accept });
    network.run(SECOND);
    assert_eq!(network.delivered(0, b"plain words"), 1);
}

#[test]
fn m1_a_solcial_node_takes_part_in_the_topics_of_the_seed_from_the_start() {
    let mut network = Network::new(10);
    let listen = alloc::vec![address(0)];
    network.add(Config { listen, registration: Registration::Open, network_size: 16, ..Config::solcial() });
    network.run(SECOND);
    let seed = ["/solcial/content", "/solcial/keyexchange", "/solcial/public", "/solcial/sync"];
    assert!(network.node(0).topics().eq(seed));
    network.add_raw(&[rpc::PROTOCOL]);
    let link = network.raw_dial(1, 0);
    let stream = network.raw_open(1, link, rpc::PROTOCOL).unwrap();
    let join = Action::Overlay(overlay::Message::Join { ttl: 3, peer: contact(1), nonce: None });
    network.raw_send(1, link, stream, rpc::encode_frame("/solcial/public", &join).unwrap());
    network.run(SECOND);
    assert!(network.node(0).neighbors("/solcial/public").eq([id(1)]));
    network.command(0, Command::Leave { token: 3, topic: "/solcial/sync".into() });
    assert_eq!(network.node(0).topics().count(), 3);
}

#[test]
fn a_topic_that_the_configuration_names_twice_is_one() {
    let mut network = Network::new(11);
    network.add(Config { topics: ["u", "u"].map(Into::into).into(), ..native(0, &[]) });
    network.run(SECOND);
    assert!(network.node(0).topics().eq(["u"]));
    assert_eq!(network.count(0, |event| matches!(event, Event::Done { .. })), 0);
}

#[test]
fn registration_is_asked_for_and_lets_a_plain_peer_in() {
    let mut network = Network::new(4);
    network.add(Config { listen: alloc::vec![address(0)], ..Config::solcial() });
    network.subscribe(0, "t");
    network.add_raw(&[rpc::PROTOCOL]);
    network.raw_dial(1, 0);
    assert_eq!(network.count(0, |event| *event == Event::Registration { peer: id(1) }), 1);
    assert_eq!(network.count(0, |event| matches!(event, Event::PeerUp { .. })), 0);
    network.command(0, Command::Registered { peer: id(1), registered: true });
    assert_eq!(network.count(0, |event| *event == Event::PeerUp { peer: id(1) }), 1);
}

#[test]
fn o7_5_the_ban_comes_first_then_authorisation_then_the_body_then_the_topic() {
    let mut network = Network::new(13);
    network.add(Config { listen: alloc::vec![address(0)], ..Config::solcial() });
    network.subscribe(0, "t");
    network.add_raw(&[rpc::PROTOCOL]);
    let link = network.raw_dial(1, 0);
    let stream = network.raw_open(1, link, rpc::PROTOCOL).unwrap();
    network.raw_send(1, link, stream, Bytes::from_static(&[2, 0xff, 0xff]));
    network.run(SECOND);
    assert_eq!(network.node(0).stats().frames_malformed, 0, "not authorised yet");
    network.command(0, Command::Registered { peer: id(1), registered: true });
    network.run(SECOND);
    assert_eq!(network.node(0).stats().frames_malformed, 1);
    // An unknown topic, and an id of two bytes.
    let graft = Bytes::from_static(b"\x0f\x0a\x07nowhere\x62\x04\x12\x02\x01\x01");
    let stream = network.raw_open(1, link, rpc::PROTOCOL).unwrap();
    network.raw_send(1, link, stream, graft.clone());
    network.run(SECOND);
    assert_eq!((network.node(0).stats().frames_malformed, network.node(0).stats().unknown_topics), (2, 0));
    network.command(0, Command::Ban { token: 5, peer: id(1), lifetime: None });
    network.run(SECOND);
    let link = network.raw_dial(1, 0);
    if let Some(stream) = network.raw_open(1, link, rpc::PROTOCOL) {
        network.raw_send(1, link, stream, graft);
    }
    network.run(SECOND);
    assert!(network.links(0).is_empty());
    assert_eq!(network.count(0, |event| matches!(event, Event::Registration { .. })), 1);
    assert_eq!(network.node(0).stats().frames_malformed, 2);
}

#[test]
fn identity_2_1_registration_gates_protocols_and_not_connections() {
    let mut network = Network::new(9);
    network.add(Config { listen: alloc::vec![address(0)], ..Config::solcial() });
    network.subscribe(0, "t");
    network.add_raw(&[rpc::PROTOCOL]);
    let link = network.raw_dial(1, 0);
    let early = network.raw_open(1, link, rpc::PROTOCOL).unwrap();
    network.command(0, Command::Registered { peer: id(1), registered: false });
    network.run(SECOND);
    let late = network.raw_open(1, link, rpc::PROTOCOL).unwrap();
    network.run(SECOND);
    assert!(network.raw_was_reset(1, link, early) && network.raw_was_reset(1, link, late));
    assert_eq!(network.count(0, |event| matches!(event, Event::PeerUp { .. })), 0);
    let ping = network.raw_open(1, link, ping::PROTOCOL).unwrap();
    network.run(100 * SECOND);
    assert_eq!(network.links(0).len(), 1, "a stranger that pings");
    network.raw_input(1, link, channel::Input::Reset { stream: ping });
    network.run(61 * SECOND);
    assert!(network.links(0).is_empty());
    // It may have been registered by now.
    network.raw_dial(1, 0);
    assert_eq!(network.count(0, |event| *event == Event::Registration { peer: id(1) }), 2);
    network.command(0, Command::Registered { peer: id(1), registered: true });
    assert_eq!(network.count(0, |event| *event == Event::PeerUp { peer: id(1) }), 1);
}

/// The topics on which a hand-made peer has heard NEIGHBOR.
fn asked_on(network: &mut Network, host: usize, link: LinkId) -> Vec<String> {
    let ours = network.raw_accepted(host, link, rpc::PROTOCOL)[0];
    let heard = rpcs(&network.raw_received(host, link, ours));
    let asked = heard.into_iter().filter_map(|rpc| match rpc.action {
        Action::Overlay(overlay::Message::Neighbor { .. }) => Some(rpc.topic),
        _ => None,
    });
    asked.collect()
}

#[test]
fn o3_3_a_peer_that_has_shown_our_fields_on_one_topic_is_plain_on_none() {
    let mut network = Network::new(13);
    // It joins all the time: who dials it may be a consequence (3.3 b).
    let bootstrap = Vec::from([(address(7), Some(id(7)))]);
    let listen = alloc::vec![address(0)];
    let registration = Registration::Open;
    network.add(Config { listen, registration, bootstrap, network_size: 16, ..Config::solcial() });
    network.run(SECOND);
    for (host, nonce) in [(1, Some(5)), (2, None)] {
        network.add_raw(&[rpc::PROTOCOL]);
        let link = network.raw_dial(host, 0);
        let stream = network.raw_open(host, link, rpc::PROTOCOL).unwrap();
        let join = Action::Overlay(overlay::Message::Join { ttl: 3, peer: contact(host), nonce });
        network.raw_send(host, link, stream, rpc::encode_frame("/solcial/public", &join).unwrap());
        network.run(2 * SECOND);
        network.subscribe(0, if host == 1 { "one" } else { "two" });
        network.run(10 * SECOND);
        let mut asked = asked_on(&mut network, host, link);
        asked.sort_unstable();
        asked.dedup();
        let plain =
            ["/solcial/content", "/solcial/keyexchange", "/solcial/public", "/solcial/sync", "one", "two"];
        assert_eq!(asked, if host == 1 { &plain[2..3] } else { &plain[..] }, "host {host}");
    }
    assert!(network.node(0).neighbors("/solcial/public").eq([id(1), id(2)]));
    assert!(network.node(0).neighbors("/solcial/sync").eq([id(2)]), "it may believe in a link");
}
