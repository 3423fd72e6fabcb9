//! Section 5: the table of the server, row by row.

use alloc::vec::Vec;
use core::time::Duration;

use bytes::BytesMut;

use super::{Desk, Guest, PASSWORD, US, accepted, registered, said_hello};
use crate::bob::packet::{Body, POINT_LEN, Packet, RelayFailure, SpokeFailure, Uid, VALIDATOR_LEN};
use crate::bob::peer::tests::bench::{identity, packet};
use crate::bob::peer::tests::world::sends;
use crate::bob::peer::{self, HALL, Stage};
use crate::bob::public::Cipher;
use crate::bob::server::{Config, Event};

const GUEST: &str = "198.51.100.2:5000";

#[test]
fn section_5_says_hello_with_its_parameters() {
    let (_, public) = said_hello(sends(PASSWORD, b"beech"));
    assert_eq!(public.count(), 16);
    assert_eq!(public.ciphers(), [Cipher::Aes256Gcm, Cipher::ChaCha20Poly1305]);
    let (_, other) = said_hello(Config { iterations: 20_000, ..sends(PASSWORD, b"beech") });
    assert_eq!(other.count(), 20_000, "derived in several calls");
}

#[test]
fn section_5_02_its_identity_is_stored() {
    let (mut desk, _) = said_hello(sends(PASSWORD, b"beech"));
    desk.events();
    assert_eq!(desk.packet(0, Body::ServerIdentity { identity: identity(US) }), []);
    assert_eq!(desk.events(), [Event::Known { identity: identity(US) }, Event::Stage(Stage::WaitPeer)]);
}

#[test]
fn section_5_07_is_answered_with_06() {
    let (mut desk, public) = registered();
    let mut guest = Guest::friend(2, GUEST, public);
    let share = guest.share(&mut desk);
    let answer = desk.packets(&[share]);
    let proof = guest.prove(&answer);
    assert!(matches!(proof.body, Body::ClientValidator { .. }), "the client finds it right");
    assert_eq!(desk.events(), [Event::Stage(Stage::Authenticate)]);
}

#[test]
fn section_5_07_with_a_bad_share_is_answered_with_0d() {
    let (mut desk, _) = registered();
    let bad = Body::ClientShare { share: [2; POINT_LEN], identity: identity(GUEST) };
    assert_eq!(desk.packet(2, bad), [packet(2, Body::SpokeFailure(SpokeFailure::NotInSubgroup))]);
    let unknown = desk.packet(2, Body::ClientValidator { validator: [0; VALIDATOR_LEN] });
    assert_eq!(unknown, [packet(0, Body::RelayFailure(RelayFailure::InvalidClient(Uid(2))))]);
}

#[test]
fn section_5_a_second_07_replaces_the_state() {
    let (mut desk, public) = registered();
    let mut guest = Guest::friend(2, GUEST, public);
    let first = guest.share(&mut desk);
    let old = desk.packets(&[first]);
    let old = guest.prove(&old);
    let second = guest.share(&mut desk);
    // The first counts as a guess, so the second waits.
    assert_eq!(desk.packets(&[second]), []);
    desk.advance(Duration::from_secs(1));
    let answer = desk.said();
    let proof = guest.prove(&answer);
    assert_ne!(old, proof);
    assert_eq!(desk.packets(&[proof]), [packet(2, Body::Agreement)]);
}

#[test]
fn section_5_05_of_a_stranger_is_reported() {
    let (mut desk, _) = registered();
    let said = desk.packet(0x2a, Body::ClientValidator { validator: [0; VALIDATOR_LEN] });
    let failure = RelayFailure::InvalidClient(Uid(0x2a));
    assert_eq!(said, [packet(0, Body::RelayFailure(failure))]);
}

#[test]
fn section_5_05_that_is_right_is_answered_with_08() {
    let (mut desk, public) = registered();
    Guest::friend(2, GUEST, public).agrees(&mut desk);
    let events = desk.events();
    assert_eq!(events.last(), Some(&Event::Stage(Stage::Confirm)));
    assert!(events.contains(&Event::Agreed { identity: identity(GUEST) }));
}

#[test]
fn section_5_05_that_is_wrong_is_answered_with_0d_and_the_client_forgotten() {
    let (mut desk, public) = registered();
    let mut guest = Guest::friend(2, GUEST, public);
    let share = guest.share(&mut desk);
    desk.packets(&[share]);
    desk.events();
    let wrong = || Body::ClientValidator { validator: [9; VALIDATOR_LEN] };
    let failure = Body::SpokeFailure(SpokeFailure::InvalidServerValidator);
    assert_eq!(desk.packet(2, wrong()), [packet(2, failure)]);
    let failed = Event::WrongPassword { identity: identity(GUEST), failures: 1 };
    assert_eq!(desk.events(), [failed, Event::Stage(Stage::WaitPeer)]);
    let said = desk.packet(2, wrong());
    let failure = RelayFailure::InvalidClient(Uid(2));
    assert_eq!(said, [packet(0, Body::RelayFailure(failure))]);
}

#[test]
fn section_5_0a_of_whom_it_agreed_with_finishes() {
    let (mut desk, public) = registered();
    Guest::friend(2, GUEST, public).agrees(&mut desk);
    desk.events();
    desk.packet(2, Body::Accepted);
    assert_eq!(desk.events(), [Event::Accepted { identity: identity(GUEST) }, Event::Stage(Stage::Meet)]);
    let line = desk.goes_to_room();
    assert_eq!(line, b"198.51.100.2:5000\n", "one names the other peer");
}

#[test]
fn section_5_0a_of_others_is_reported() {
    let (mut desk, public) = registered();
    let mut guest = Guest::friend(2, GUEST, public);
    let share = guest.share(&mut desk);
    desk.packets(&[share]);
    for uid in [2, 3] {
        let failure = RelayFailure::NoHandshake(Uid(uid));
        assert_eq!(desk.packet(uid, Body::Accepted), [packet(0, Body::RelayFailure(failure))]);
    }
}

#[test]
fn section_5_0b_0d_and_09_forget_the_client() {
    for goodbye in [
        packet(2, Body::Refused),
        packet(2, Body::SpokeFailure(SpokeFailure::InvalidClientValidator)),
        packet(0, Body::Closed { peer: Uid(2) }),
    ] {
        let (mut desk, public) = registered();
        Guest::friend(2, GUEST, public).agrees(&mut desk);
        assert_eq!(desk.packets(&[goodbye]), []);
        assert_eq!(desk.events().last(), Some(&Event::Stage(Stage::WaitPeer)));
        let failure = RelayFailure::NoHandshake(Uid(2));
        assert_eq!(desk.packet(2, Body::Accepted), [packet(0, Body::RelayFailure(failure))]);
    }
}

#[test]
fn section_5_0f_and_09_0000_end_it() {
    let gone = Body::Closed { peer: Uid::RELAY };
    for (body, failure) in [(Body::Timeout, peer::Failure::TimedOut), (gone, peer::Failure::RelayClosed)] {
        let (mut desk, _) = registered();
        desk.packet(0, body);
        assert_eq!(desk.events(), [Event::Ended(Err(failure))]);
        assert_eq!(desk.machine.stage(), Some(Stage::WaitPeer));
    }
}

#[test]
fn section_5_the_end_of_the_stream_before_0a_is_an_error() {
    let (mut desk, public) = registered();
    Guest::friend(2, GUEST, public).agrees(&mut desk);
    desk.events();
    desk.finished(HALL);
    assert_eq!(desk.events(), [Event::Ended(Err(peer::Failure::RelayClosed))]);
}

#[test]
fn section_5_what_comes_behind_0a_is_ignored() {
    let (mut desk, public) = registered();
    let mut guest = Guest::friend(2, GUEST, public);
    guest.agrees(&mut desk);
    desk.events();
    let share = guest.share(&mut desk);
    assert_eq!(desk.packets(&[packet(2, Body::Accepted), share, packet(0, Body::Timeout)]), []);
    assert_eq!(desk.events().last(), Some(&Event::Stage(Stage::Meet)));
}

#[test]
fn section_5_a_stream_cut_anywhere_says_the_same() {
    let (mut whole, _) = accepted(sends(PASSWORD, b"beech"));
    let line = whole.goes_to_room();
    let (mut desk, public) = registered();
    let mut guest = Guest::friend(2, GUEST, public);
    let mut said = Vec::new();
    let mut hears = |desk: &mut Desk, packet: Packet| {
        let mut bytes = BytesMut::new();
        packet.encode(&mut bytes).unwrap();
        said.clear();
        for byte in bytes {
            desk.hears(HALL, &[byte]);
            said.extend(desk.said());
        }
        said.clone()
    };
    let share = guest.share(&mut desk);
    let answer = hears(&mut desk, share);
    let proof = guest.prove(&answer);
    assert_eq!(hears(&mut desk, proof), [packet(2, Body::Agreement)]);
    hears(&mut desk, packet(2, Body::Accepted));
    assert_eq!(desk.goes_to_room(), line);
}
