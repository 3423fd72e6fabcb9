//! What the specification leaves to us, as far as the hall is concerned.

use alloc::vec::Vec;
use core::time::Duration;
use std::format;

use super::{HOST, Host, PASSWORD, US, registered, registered_with, said_hello};
use crate::bob::client::{Command, Config, Event};
use crate::bob::packet::{
    Body, DecodeError, POINT_LEN, PUBLIC_LEN, Packet, RelayFailure, SpokeFailure, Uid, VALIDATOR_LEN,
};
use crate::bob::peer::tests::bench::{Act, identity, packet};
use crate::bob::peer::tests::world::takes;
use crate::bob::peer::{self, HALL, ROOM, Stage};
use crate::link::How;

#[test]
fn choice_keys_are_kept_for_each_server_and_each_is_asked_about() {
    for chosen in [1, 2] {
        let mut desk = registered();
        let mut hosts = [Host::friend(1), Host::friend(2)];
        hosts.iter_mut().for_each(|host| host.offers(&mut desk));
        let offers = desk.events().into_iter().filter(|event| matches!(event, Event::Offered { .. })).count();
        assert_eq!(offers, 2);
        desk.command(Command::Accept { server: Uid(chosen) });
        assert_eq!(desk.said(), [packet(chosen, Body::Accepted)]);
        // One is enough.
        desk.command(Command::Accept { server: Uid(3 - chosen) });
        desk.command(Command::Accept { server: Uid(chosen) });
        desk.command(Command::Refuse { server: Uid(chosen) });
        assert_eq!(desk.said(), []);
        assert_eq!(desk.packet(0, Body::Done), []);
        assert_eq!(desk.machine.stage(), Some(Stage::Meet));
    }
}

#[test]
fn choice_packets_that_are_not_for_a_client_are_dropped_and_the_link_goes_on() {
    let mut desk = registered();
    let name = || identity(HOST);
    let share = || Body::ServerShare { share: [0; POINT_LEN], validator: [0; VALIDATOR_LEN] };
    let public = Host::friend(1).public.encode();
    let wrong = [
        packet(0, Body::HelloAsServer { public: [0; PUBLIC_LEN] }),
        packet(0, Body::HelloAsClient),
        packet(0, Body::ServerIdentity { identity: name() }),
        packet(3, Body::ClientValidator { validator: [0; VALIDATOR_LEN] }),
        packet(3, Body::ClientShare { share: [0; POINT_LEN], identity: name() }),
        packet(3, Body::Accepted),
        packet(3, Body::Refused),
        packet(0, Body::RelayFailure(RelayFailure::NoHandshake(Uid(3)))),
        // From the relay what only servers say, and from servers what only the relay says.
        packet(0, share()),
        packet(0, Body::Agreement),
        packet(0, Body::SpokeFailure(SpokeFailure::NotInSubgroup)),
        packet(3, Body::ClientIdentity { identity: name() }),
        packet(3, Body::NewServer { server: Uid(3), public, identity: name() }),
        packet(3, Body::Closed { peer: Uid(2) }),
        packet(3, Body::Done),
        packet(3, Body::Timeout),
        // The relay is no server.
        packet(0, Body::NewServer { server: Uid::RELAY, public, identity: name() }),
    ];
    assert_eq!(desk.packets(&wrong), []);
    assert_eq!(desk.events(), []);
    assert_eq!(desk.machine.stats().unexpected, u64::try_from(wrong.len()).unwrap());
    Host::friend(1).offers(&mut desk);
}

#[test]
fn choice_04_before_03_is_the_relays_fault() {
    let mut desk = said_hello(takes(PASSWORD));
    assert_eq!(desk.packets(&[Host::friend(1).announcement()]), []);
    assert_eq!(desk.events(), [Event::Ended(Err(peer::Failure::RelayProtocol))]);
    assert_eq!(desk.acts(), [Act::Close(HALL, How::Abort)]);
}

#[test]
fn section_2_what_is_no_packet_ends_it() {
    let mut desk = registered();
    desk.hears(HALL, b"000010");
    assert_eq!(desk.events(), [Event::Ended(Err(peer::Failure::Malformed(DecodeError::Kind(0x10))))]);
}

#[test]
fn section_2_an_identity_that_cannot_be_said_is_the_relays_fault() {
    let mut desk = said_hello(takes(PASSWORD));
    desk.hears(HALL, format!("000003{}\0", "1".repeat(54)).as_bytes());
    assert_eq!(desk.events(), [Event::Ended(Err(peer::Failure::RelayProtocol))]);
}

#[test]
fn section_7_a_server_that_cannot_be_named_to_a_room_is_left_out() {
    let mut desk = registered();
    for name in ["192.0.2.7:4000\n192.0.2.8", &"1".repeat(54)] {
        let public = Host::friend(1).public.encode();
        desk.hears(HALL, &[b"0000040001".as_slice(), &public, name.as_bytes(), b"\0"].concat());
        assert_eq!(desk.said(), []);
    }
    assert_eq!(desk.machine.stats().unroutable, 2);
}

#[test]
fn choice_a_server_announced_again_is_tried_again() {
    let mut desk = registered();
    let mut host = Host::stranger(1);
    let said = desk.packets(&[host.announcement()]);
    let answer = host.answer(&mut desk, &said);
    assert_eq!(desk.packets(&[answer]).len(), 1);
    Host::friend(1).offers(&mut desk);
    desk.events();
    // While it is asked about, too.
    let again = desk.packets(&[Host::friend(1).announcement()]);
    assert_eq!(again.len(), 1);
    assert_eq!(desk.events().first(), Some(&Event::Withdrawn { server: Uid(1) }));
}

#[test]
fn section_6_5_a_room_that_is_not_opened_in_time_went_to_another_client() {
    let mut desk = registered();
    Host::friend(1).offers(&mut desk);
    desk.command(Command::Accept { server: Uid(1) });
    desk.said();
    desk.events();
    desk.advance(Duration::from_secs(59));
    assert_eq!(desk.events(), []);
    desk.advance(Duration::from_secs(1));
    assert_eq!(desk.events()[..1], [Event::Withdrawn { server: Uid(1) }]);
    Host::friend(2).offers(&mut desk);
    desk.command(Command::Accept { server: Uid(2) });
    assert_eq!(desk.said(), [packet(2, Body::Accepted)]);
}

#[test]
fn choice_a_server_that_is_silent_is_authenticated_no_more_and_may_still_answer() {
    let (almost, rest) = (Duration::from_secs(60) - Duration::from_micros(1), Duration::from_micros(1));
    let mut desk = registered();
    let mut host = Host::friend(1);
    let said = desk.packets(&[host.announcement()]);
    desk.events();
    desk.advance(almost);
    assert_eq!(desk.events(), []);
    desk.advance(rest);
    assert_eq!(desk.events(), [Event::Stage(Stage::WaitPeer)]);
    // Its relay, or it, may have let us wait in a line.
    let answer = host.answer(&mut desk, &said);
    let proof = desk.packets(&[answer]);
    assert!(matches!(proof[..], [Packet { body: Body::ClientValidator { .. }, .. }]));
    assert_eq!(desk.events(), [Event::Stage(Stage::Authenticate)]);
    desk.advance(almost);
    assert_eq!(desk.events(), []);
    desk.advance(rest);
    assert_eq!(desk.events(), [Event::Stage(Stage::WaitPeer)]);
    assert_eq!(desk.packet(1, Body::Agreement), []);
    assert_eq!(desk.events().last(), Some(&Event::Stage(Stage::Confirm)));
    desk.advance(Duration::from_secs(100_000));
    assert_eq!(desk.events(), [], "the person may think for long");
}

#[test]
fn an_accepted_server_that_goes_makes_room_for_another() {
    let mut desk = registered();
    Host::friend(1).offers(&mut desk);
    desk.command(Command::Accept { server: Uid(1) });
    desk.said();
    desk.packet(0, Body::Closed { peer: Uid(1) });
    assert_eq!(desk.packet(0, Body::Done).len(), 1, "0c: nothing is agreed on any more");
    Host::friend(2).offers(&mut desk);
    desk.command(Command::Accept { server: Uid(2) });
    assert_eq!(desk.said(), [packet(2, Body::Accepted)]);
}

#[test]
fn servers_are_bounded() {
    let mut desk = registered_with(Config { servers_max: 3, ..takes(PASSWORD) });
    let announcements: Vec<_> = (1..=5).map(|uid| Host::friend(uid).announcement()).collect();
    assert_eq!(desk.packets(&announcements).len(), 3);
    assert_eq!(desk.machine.stats().servers_shed, 2);
    desk.packet(0, Body::Closed { peer: Uid(2) });
    assert_eq!(desk.packets(&announcements[4..]).len(), 1);
}

#[test]
fn t_12_what_waits_to_leave_is_bounded() {
    let mut config = takes(PASSWORD);
    config.relay.answers_max = 100;
    let mut desk = registered_with(config);
    desk.acts();
    let mut bytes = bytes::BytesMut::new();
    (1..=9).for_each(|uid| Host::friend(uid).announcement().encode(&mut bytes).unwrap());
    desk.hears(HALL, &bytes);
    let (mut all, mut largest) = (0, 0);
    loop {
        desk.advance(Duration::from_secs(1));
        let said = desk.sent(HALL).len();
        if said == 0 {
            break;
        }
        (all, largest) = (all + said, largest.max(said));
        desk.written(HALL, said);
    }
    let share = 6 + 32 + US.len() + 1;
    assert_eq!(all, 9 * share, "each is answered at last");
    assert!(largest <= 100 + share, "{largest}");
    let acts = desk.acts();
    assert_eq!((acts.first(), acts.last()), (Some(&Act::Pause(HALL)), Some(&Act::Resume(HALL))));
}

#[test]
fn t_33_passwords_and_keys_are_not_shown() {
    let mut desk = registered();
    let mut host = Host::friend(1);
    host.offers(&mut desk);
    let mut shown = format!("{:?} {:?}", desk.machine, takes(PASSWORD));
    desk.command(Command::Accept { server: Uid(1) });
    desk.packet(0, Body::Done);
    shown += &format!("{:?}", desk.machine);
    desk.acts();
    desk.opens(ROOM);
    desk.hears(ROOM, b"00");
    shown += &format!("{:?}", desk.machine);
    assert!(!shown.contains(PASSWORD));
    let listed = format!("{:?}", PASSWORD.as_bytes());
    assert!(!shown.contains(listed.trim_matches(['[', ']'])));
    let keys = host.keys.unwrap();
    for key in [keys.of_server(), keys.of_client()] {
        let listed = format!("{:?}", &key[..4]);
        assert!(!shown.contains(listed.trim_matches(['[', ']'])));
    }
}
