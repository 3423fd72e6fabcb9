//! Who is let in (`mesh` E3): registration, privileged peers, the word of the application.

use alloc::vec::Vec;

use bytes::Bytes;

use super::SECOND;
use super::network::*;
use super::raw::{hello, messages};
use crate::admission;
use crate::channel::StreamId;
use crate::link::LinkId;
use crate::mesh::establishment::{self, Hello, Message, Motive};
use crate::mesh::{Command, Config, Event, Registration};

/// A node that asks its application, and a hand-made peer that has said HELLO to it, twenty times or once.
fn asking() -> (Network, LinkId, StreamId) {
    let mut network = Network::new(10);
    network.add(Config { registration: Registration::Query, ..native(0, &[]) });
    network.subscribe(0, "t");
    network.add_raw(&[]);
    let link = network.raw_dial(1, 0);
    let stream = network.raw_open(1, link, establishment::PROTOCOL).unwrap();
    network.raw_send(1, link, stream, hello("pleach").to_frame());
    network.run(SECOND);
    assert_eq!(network.count(0, |event| *event == Event::Registration { peer: id(1) }), 1);
    (network, link, stream)
}

#[test]
fn e3_a_registered_peer_is_let_in_when_the_application_says_so() {
    let (mut network, link, stream) = asking();
    network.command(0, Command::Registered { peer: id(1), registered: true });
    network.run(SECOND);
    let heard = messages(&network.raw_received(1, link, stream));
    assert_eq!(heard[1..], [Message::Ack { version: 1 }]);
}

#[test]
fn e3_an_unregistered_peer_is_refused_with_motive_4() {
    let (mut network, link, stream) = asking();
    network.command(0, Command::Registered { peer: id(1), registered: false });
    network.run(SECOND);
    let heard = messages(&network.raw_received(1, link, stream));
    assert_eq!(heard[1..], [Message::Nack { motive: Motive::Registration, alternatives: Vec::new() }]);
    assert!(network.links(0).is_empty());
}

#[test]
fn e1_an_unanswered_question_closes_the_link_after_ten_seconds() {
    let (mut network, _, _) = asking();
    network.run(8 * SECOND);
    assert_eq!(network.links(0).len(), 1);
    network.run(3 * SECOND);
    assert!(network.links(0).is_empty());
    assert_eq!(network.node(0).stats().handshakes_timed_out, 1);
}

#[test]
fn an_answer_before_the_question_admits_nobody() {
    let mut network = Network::new(11);
    network.add(Config { registration: Registration::Query, ..native(0, &[]) });
    network.add_raw(&[]);
    network.raw_dial(1, 0);
    network.command(0, Command::Registered { peer: id(1), registered: true });
    assert_eq!(network.node(0).admission.admitted(), 0);
}

/// Host 0 with one place and a privileged peer, host 2; the hand-made host 1 has the place.
fn privileged() -> (Network, LinkId, StreamId) {
    let mut network = Network::new(16);
    let admission = admission::Config { links_max: 1, outgoing_reserved: 0, ..admission::Config::default() };
    network.add(Config { admission, privileged: Vec::from([id(2)]), ..native(0, &[]) });
    network.subscribe(0, "t");
    network.add_raw(&[]);
    network.add_raw(&[]);
    let (link, stream) = network.raw_establish(1, 0);
    assert_eq!(network.count(0, |event| *event == Event::PeerUp { peer: id(1) }), 1);
    (network, link, stream)
}

#[test]
fn e3_a_privileged_peer_takes_the_place_of_another_which_hears_bye_7() {
    let (mut network, link, stream) = privileged();
    network.raw_establish(2, 0);
    let heard = messages(&network.raw_received(1, link, stream));
    assert_eq!(heard.last(), Some(&Message::Bye { motive: Motive::Quota }));
    assert_eq!(network.count(0, |event| *event == Event::PeerDown { peer: id(1) }), 1);
    assert_eq!(network.count(0, |event| *event == Event::PeerUp { peer: id(2) }), 1);
    // And nobody takes it from a privileged peer.
    let (link, stream) = network.raw_establish(1, 0);
    let heard = messages(&network.raw_received(1, link, stream));
    assert!(matches!(heard.last(), Some(Message::Nack { motive: Motive::Quota, .. })), "{heard:?}");
    assert_eq!(network.count(0, |event| matches!(event, Event::PeerDown { .. })), 1);
}

#[test]
fn e3_others_than_privileged_peers_are_refused_with_motive_5_where_only_those_are_let_in() {
    let mut network = Network::new(17);
    network.add(Config { privileged: Vec::from([id(2)]), privileged_only: true, ..native(0, &[]) });
    network.subscribe(0, "t");
    for host in [1, 2] {
        network.add_raw(&[]);
        let (link, stream) = network.raw_establish(host, 0);
        let heard = messages(&network.raw_received(host, link, stream));
        let refused = Message::Nack { motive: Motive::PrivilegedOnly, alternatives: Vec::new() };
        assert_eq!(heard.last() == Some(&refused), host == 1, "{heard:?}");
    }
    assert_eq!(network.links(0).len(), 1);
    // A stranger is nobody privileged either.
    network.add_raw(&[]);
    network.raw_dial(3, 0);
    network.run(6 * SECOND);
    assert_eq!(network.links(0).len(), 1);
}

/// A full node that asks its application about metadata, and a privileged hand-made peer that has told some. Host 1,
/// which is nobody, has the only place.
fn told() -> (Network, LinkId, StreamId) {
    let mut network = Network::new(18);
    let admission = admission::Config { links_max: 1, outgoing_reserved: 0, ..admission::Config::default() };
    let privileged = Vec::from([id(2)]);
    network.add(Config { admission, privileged, ask_admission: true, ..native(0, &[]) });
    network.subscribe(0, "t");
    network.add_raw(&[]);
    network.add_raw(&[]);
    network.raw_establish(1, 0);
    network.command(0, Command::Admit { peer: id(1), admitted: true });
    network.run(SECOND);
    assert_eq!(network.count(0, |event| *event == Event::PeerUp { peer: id(1) }), 1);
    let link = network.raw_dial(2, 0);
    let stream = network.raw_open(2, link, establishment::PROTOCOL).unwrap();
    let Message::Hello(hello) = hello("pleach") else { panic!("no HELLO") };
    let hello = Hello { metadata: Bytes::from_static(b"let me in"), ..hello };
    network.raw_send(2, link, stream, Message::Hello(hello).to_frame());
    network.run(SECOND);
    let asked = Event::Admission { peer: id(2), metadata: Bytes::from_static(b"let me in") };
    assert_eq!(network.count(0, |event| *event == asked), 1);
    assert_eq!(network.count(0, |event| matches!(event, Event::PeerDown { .. })), 0, "nobody goes yet");
    (network, link, stream)
}

#[test]
fn e3_the_application_lets_a_peer_in_for_its_metadata() {
    let (mut network, link, stream) = told();
    network.command(0, Command::Admit { peer: id(2), admitted: true });
    network.run(SECOND);
    let heard = messages(&network.raw_received(2, link, stream));
    assert_eq!(heard[1..], [Message::Ack { version: 1 }]);
    assert_eq!(network.count(0, |event| *event == Event::PeerDown { peer: id(1) }), 1);
}

#[test]
fn e3_the_application_refuses_a_peer_for_its_metadata_with_motive_9_and_nobody_goes_for_it() {
    let (mut network, link, stream) = told();
    network.command(0, Command::Admit { peer: id(2), admitted: false });
    network.run(SECOND);
    let heard = messages(&network.raw_received(2, link, stream));
    assert_eq!(heard[1..], [Message::Nack { motive: Motive::Application, alternatives: Vec::new() }]);
    assert_eq!(network.links(0).len(), 1);
    assert_eq!(network.count(0, |event| matches!(event, Event::PeerDown { .. })), 0);
    // An answer that nobody waits for changes nothing.
    network.command(0, Command::Admit { peer: id(1), admitted: false });
    assert_eq!(network.links(0).len(), 1);
}

#[test]
fn e3_the_application_is_not_asked_about_a_peer_that_has_no_place() {
    let (mut network, _, _) = told();
    network.add_raw(&[]);
    let (link, stream) = network.raw_establish(3, 0);
    let heard = messages(&network.raw_received(3, link, stream));
    assert!(matches!(heard[1..], [Message::Nack { motive: Motive::Quota, .. }]), "{heard:?}");
    assert_eq!(network.count(0, |event| matches!(event, Event::Admission { .. })), 2);
}

#[test]
fn e1_an_application_that_is_silent_for_ten_seconds_closes_the_link() {
    let (mut network, _, _) = told();
    network.run(8 * SECOND);
    assert_eq!(network.links(0).len(), 2);
    network.run(2 * SECOND);
    assert_eq!(network.links(0).len(), 1);
    assert_eq!(network.node(0).stats().handshakes_timed_out, 1);
}
