//! What the specification leaves to us, as far as the hall is concerned.

use std::format;

use super::{Guest, PASSWORD, registered, registered_with, said_hello};
use crate::bob::packet::{
    Body, DecodeError, POINT_LEN, PUBLIC_LEN, RelayFailure, SpokeFailure, Uid, VALIDATOR_LEN,
};
use crate::bob::peer::tests::bench::{Act, identity, packet};
use crate::bob::peer::tests::world::sends;
use crate::bob::peer::{self, HALL, ROOM, Stage};
use crate::bob::server::{Config, ConfigError, Event, Server};
use crate::link::How;

const GUEST: &str = "198.51.100.2:5000";
const OTHER: &str = "203.0.113.9:6000";

#[test]
fn choice_keys_are_kept_for_each_client() {
    for first in [2, 3] {
        let (mut desk, public) = registered();
        Guest::friend(2, GUEST, public).agrees(&mut desk);
        Guest::friend(3, OTHER, public).agrees(&mut desk);
        desk.events();
        assert_eq!(desk.packet(first, Body::Accepted), []);
        let name = if first == 2 { GUEST } else { OTHER };
        assert_eq!(desk.events().first(), Some(&Event::Accepted { identity: identity(name) }));
        assert_eq!(desk.goes_to_room(), [name.as_bytes(), b"\n"].concat());
    }
}

#[test]
fn choice_keys_stay_while_another_run_begins() {
    let (mut desk, public) = registered();
    let mut guest = Guest::friend(2, GUEST, public);
    guest.agrees(&mut desk);
    let again = guest.share(&mut desk);
    desk.packets(&[again]);
    assert_eq!(desk.packet(2, Body::Accepted), []);
    assert_eq!(desk.machine.stage(), Some(Stage::Meet));
}

#[test]
fn choice_keys_go_with_another_run_that_fails() {
    for is_share in [true, false] {
        let (mut desk, public) = registered();
        let mut guest = Guest::friend(2, GUEST, public);
        guest.agrees(&mut desk);
        if is_share {
            let bad = Body::ClientShare { share: [2; POINT_LEN], identity: identity(GUEST) };
            let failure = Body::SpokeFailure(SpokeFailure::NotInSubgroup);
            assert_eq!(desk.packet(2, bad), [packet(2, failure)]);
        } else {
            let again = guest.share(&mut desk);
            desk.packets(&[again]);
            let wrong = Body::ClientValidator { validator: [9; VALIDATOR_LEN] };
            let failure = Body::SpokeFailure(SpokeFailure::InvalidServerValidator);
            assert_eq!(desk.packet(2, wrong), [packet(2, failure)]);
        }
        let failure = RelayFailure::NoHandshake(Uid(2));
        assert_eq!(desk.packet(2, Body::Accepted), [packet(0, Body::RelayFailure(failure))]);
        assert_eq!(desk.machine.stage(), Some(Stage::WaitPeer));
    }
}

#[test]
fn choice_packets_that_are_not_for_a_server_are_dropped_and_the_link_goes_on() {
    let (mut desk, public) = registered();
    let name = || identity(GUEST);
    let share = || Body::ClientShare { share: [0; POINT_LEN], identity: name() };
    let wrong = [
        packet(0, Body::HelloAsServer { public: [0; PUBLIC_LEN] }),
        packet(0, Body::HelloAsClient),
        packet(0, Body::ClientIdentity { identity: name() }),
        packet(0, Body::NewServer { server: Uid(3), public: [0; PUBLIC_LEN], identity: name() }),
        packet(3, Body::ServerShare { share: [0; POINT_LEN], validator: [0; VALIDATOR_LEN] }),
        packet(3, Body::Agreement),
        packet(0, Body::RelayFailure(RelayFailure::NoHandshake(Uid(3)))),
        packet(0, Body::Done),
        // From the relay what only clients say, and from clients what only the relay says.
        packet(0, share()),
        packet(0, Body::ClientValidator { validator: [0; VALIDATOR_LEN] }),
        packet(0, Body::Accepted),
        packet(0, Body::Refused),
        packet(0, Body::SpokeFailure(SpokeFailure::NotInSubgroup)),
        packet(3, Body::ServerIdentity { identity: name() }),
        packet(3, Body::Closed { peer: Uid(2) }),
        packet(3, Body::Timeout),
    ];
    assert_eq!(desk.packets(&wrong), []);
    assert_eq!(desk.events(), []);
    assert_eq!(desk.machine.stats().unexpected, u64::try_from(wrong.len()).unwrap());
    Guest::friend(2, GUEST, public).agrees(&mut desk);
}

#[test]
fn choice_07_before_02_is_the_relays_fault() {
    let (mut desk, public) = said_hello(sends(PASSWORD, b"beech"));
    desk.events();
    let share = Guest::friend(2, GUEST, public).share(&mut desk);
    assert_eq!(desk.packets(&[share]), []);
    assert_eq!(desk.events(), [Event::Ended(Err(peer::Failure::RelayProtocol))]);
    assert_eq!(desk.acts(), [Act::Close(HALL, How::Abort)]);
}

#[test]
fn section_2_what_is_no_packet_ends_it() {
    let (mut desk, _) = registered();
    desk.hears(HALL, b"zzzzzz");
    assert_eq!(desk.events(), [Event::Ended(Err(peer::Failure::Malformed(DecodeError::Header)))]);
}

#[test]
fn section_7_an_identity_that_cannot_name_a_room_is_not_answered() {
    let (mut desk, public) = registered();
    for name in
        ["198.51.100.2:5000\n203.0.113.9:1", "a name that is much longer than fifty-three bytes, all of it:1"]
    {
        let share = Guest::friend(2, GUEST, public).share(&mut desk);
        let Body::ClientShare { share: x, .. } = &share.body else { continue };
        // We would not write such a packet: its bytes are put together here.
        desk.hears(HALL, &[b"000207".as_slice(), x, name.as_bytes(), b"\0"].concat());
        assert_eq!(desk.said(), []);
    }
    assert_eq!(desk.machine.stats().unroutable, 2);
}

#[test]
fn t_12_what_waits_to_leave_is_bounded() {
    let mut config = sends(PASSWORD, b"beech");
    config.relay.answers_max = 30;
    let (mut desk, _) = registered_with(config);
    desk.acts();
    let stranger = |uid| packet(uid, Body::Accepted);
    let mut bytes = bytes::BytesMut::new();
    (1..=10).for_each(|uid| stranger(uid).encode(&mut bytes).unwrap());
    desk.hears(HALL, &bytes);
    // 0c and eleven bytes each: the third is the one too many.
    let acts = desk.acts();
    let [Act::Send(HALL, said), Act::Pause(HALL)] = acts.as_slice() else { panic!("{acts:?}") };
    assert_eq!(said.len(), 33);
    let mut all = said.len();
    desk.written(HALL, said.len());
    while let [Act::Send(HALL, said), ..] | [Act::Resume(HALL), Act::Send(HALL, said), ..] =
        desk.acts().as_slice()
    {
        assert!(said.len() <= 33);
        all += said.len();
        desk.written(HALL, said.len());
    }
    assert_eq!(all, 110, "each is answered at last");
}

#[test]
fn a_configuration_out_of_its_ranges_is_refused() {
    for iterations in [0, 1_000_001] {
        let config = Config { iterations, ..sends(PASSWORD, b"beech") };
        assert_eq!(Server::new(config).err(), Some(ConfigError::Iterations));
    }
}

#[test]
fn t_33_passwords_and_keys_are_not_shown() {
    let (mut desk, public) = registered();
    let mut guest = Guest::friend(2, GUEST, public);
    guest.agrees(&mut desk);
    let mut shown = format!("{:?} {:?}", desk.machine, sends(PASSWORD, b"beech"));
    desk.packet(2, Body::Accepted);
    shown += &format!("{:?}", desk.machine);
    desk.goes_to_room();
    desk.hears(ROOM, b"00");
    shown += &format!("{:?}", desk.machine);
    assert!(!shown.contains(PASSWORD));
    let listed = format!("{:?}", PASSWORD.as_bytes());
    assert!(!shown.contains(listed.trim_matches(['[', ']'])));
    let keys = guest.keys.unwrap();
    for key in [keys.of_server(), keys.of_client()] {
        let listed = format!("{:?}", &key[..4]);
        assert!(!shown.contains(listed.trim_matches(['[', ']'])));
    }
}
