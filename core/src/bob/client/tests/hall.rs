//! Section 5: the table of the client, row by row.

use alloc::vec;
use alloc::vec::Vec;

use super::{Desk, HOST, Host, PASSWORD, US, accepted, registered, said_hello};
use crate::bob::client::{Command, Event};
use crate::bob::packet::{Body, Packet, RelayFailure, SpokeFailure, Uid};
use crate::bob::peer::tests::bench::{identity, packet};
use crate::bob::peer::tests::world::takes;
use crate::bob::peer::{self, HALL, Stage};

fn reports(said: &[Packet], failure: RelayFailure) {
    assert_eq!(said, [packet(0, Body::RelayFailure(failure))]);
}

#[test]
fn section_5_says_hello() {
    said_hello(takes(PASSWORD));
}

#[test]
fn section_5_03_its_identity_is_stored() {
    let mut desk = said_hello(takes(PASSWORD));
    assert_eq!(desk.packet(0, Body::ClientIdentity { identity: identity(US) }), []);
    assert_eq!(desk.events(), [Event::Known { identity: identity(US) }, Event::Stage(Stage::WaitPeer)]);
}

#[test]
fn section_5_04_is_answered_with_07() {
    let mut desk = registered();
    let host = Host::friend(1);
    let said = desk.packets(&[host.announcement()]);
    assert!(matches!(said.as_slice(), [Packet { uid: Uid(1), body: Body::ClientShare { identity: us, .. } }]
        if *us == identity(US)));
    assert_eq!(desk.events(), [Event::Servers { present: 1, failed: 0 }, Event::Stage(Stage::Authenticate)]);
}

#[test]
fn section_5_04_with_a_bad_public_is_answered_with_0d_03() {
    let mut desk = registered();
    // Version, key derivation, count 0, count above a million, cipher, hash.
    for (at, byte) in [(1, 2), (3, 1), (11, 0), (8, 1), (13, 7), (17, 3)] {
        let mut public = Host::friend(1).public.encode();
        public[at] = byte;
        let announcement = Body::NewServer { server: Uid(1), public, identity: identity(HOST) };
        let refusal = packet(1, Body::SpokeFailure(SpokeFailure::InvalidPublic));
        assert_eq!(desk.packet(0, announcement), [refusal], "byte {at}");
    }
    assert_eq!(desk.machine.stats().publics_refused, 6);
    assert_eq!(desk.events(), []);
}

#[test]
fn section_5_06_that_is_right_is_answered_with_05() {
    let mut desk = registered();
    Host::friend(1).proven(&mut desk);
}

#[test]
fn section_5_06_of_a_stranger_is_reported() {
    let mut desk = registered();
    let mut host = Host::friend(1);
    let said = desk.packets(&[host.announcement()]);
    let Packet { body, .. } = host.answer(&mut desk, &said);
    reports(&desk.packet(2, body), RelayFailure::InvalidServer(Uid(2)));
}

#[test]
fn section_5_06_that_is_wrong_is_answered_with_0d_and_the_server_forgotten() {
    let mut desk = registered();
    let mut host = Host::stranger(1);
    let said = desk.packets(&[host.announcement()]);
    let answer = host.answer(&mut desk, &said);
    desk.events();
    let refusal = packet(1, Body::SpokeFailure(SpokeFailure::InvalidClientValidator));
    assert_eq!(desk.packets(core::slice::from_ref(&answer)), [refusal]);
    assert_eq!(desk.events(), [Event::Servers { present: 0, failed: 1 }, Event::Stage(Stage::WaitPeer)]);
    reports(&desk.packets(&[answer]), RelayFailure::InvalidServer(Uid(1)));
}

#[test]
fn section_5_06_with_a_bad_share_is_answered_with_0d_00() {
    let mut desk = registered();
    let mut host = Host::friend(1);
    let said = desk.packets(&[host.announcement()]);
    let mut answer = host.answer(&mut desk, &said);
    if let Body::ServerShare { share, .. } = &mut answer.body {
        *share = [2; 32];
    }
    assert_eq!(desk.packets(&[answer]), [packet(1, Body::SpokeFailure(SpokeFailure::NotInSubgroup))]);
}

#[test]
fn section_5_08_of_whom_it_knows_asks_the_person() {
    let mut desk = registered();
    let mut host = Host::friend(1);
    host.proven(&mut desk);
    desk.events();
    assert_eq!(desk.packet(1, Body::Agreement), []);
    let offered = Event::Offered { server: Uid(1), identity: identity(HOST) };
    assert_eq!(desk.events(), [offered, Event::Stage(Stage::Confirm)]);
    assert_eq!(desk.packet(1, Body::Agreement), [], "said twice, asked once");
    assert_eq!(desk.events(), []);
}

#[test]
fn section_5_08_of_others_is_reported() {
    let mut desk = registered();
    desk.packets(&[Host::friend(1).announcement()]);
    for uid in [1, 2] {
        reports(&desk.packet(uid, Body::Agreement), RelayFailure::NoHandshake(Uid(uid)));
    }
}

#[test]
fn section_5_the_person_accepts_0a_and_0e_finishes() {
    let (mut desk, _) = accepted(takes(PASSWORD));
    assert_eq!(desk.goes_to_room(), [HOST.as_bytes(), b"\n"].concat(), "one names the other peer");
}

#[test]
fn section_5_the_person_declines_0b_and_the_others_go_on() {
    let mut desk = registered();
    Host::friend(1).offers(&mut desk);
    desk.events();
    desk.command(Command::Refuse { server: Uid(1) });
    assert_eq!(desk.said(), [packet(1, Body::Refused)]);
    assert_eq!(desk.events(), [Event::Servers { present: 0, failed: 0 }, Event::Stage(Stage::WaitPeer)]);
    Host::friend(2).offers(&mut desk);
    desk.command(Command::Accept { server: Uid(2) });
    assert_eq!(desk.said(), [packet(2, Body::Accepted)]);
}

#[test]
fn section_5_0e_without_an_agreement_is_reported() {
    let mut desk = registered();
    reports(&desk.packet(0, Body::Done), RelayFailure::NoAgreement(Uid(0)));
    // Nor does the relay accept for the person.
    Host::friend(1).offers(&mut desk);
    reports(&desk.packet(0, Body::Done), RelayFailure::NoAgreement(Uid(0)));
}

#[test]
fn section_5_0d_and_09_forget_the_server() {
    let gone = Body::Closed { peer: Uid(1) };
    let failed = Body::SpokeFailure(SpokeFailure::InvalidServerValidator);
    for (goodbye, failed) in [(packet(0, gone), 0), (packet(1, failed), 1)] {
        let mut desk = registered();
        Host::friend(1).offers(&mut desk);
        desk.events();
        assert_eq!(desk.packets(&[goodbye]), []);
        let events = desk.events();
        assert_eq!(
            events,
            [
                Event::Withdrawn { server: Uid(1) },
                Event::Servers { present: 0, failed },
                Event::Stage(Stage::WaitPeer)
            ]
        );
        desk.command(Command::Accept { server: Uid(1) });
        desk.command(Command::Refuse { server: Uid(1) });
        assert_eq!(desk.said(), []);
    }
}

#[test]
fn section_5_0f_and_09_0000_end_it() {
    let gone = Body::Closed { peer: Uid::RELAY };
    for (body, failure) in [(Body::Timeout, peer::Failure::TimedOut), (gone, peer::Failure::RelayClosed)] {
        let mut desk = registered();
        desk.packet(0, body);
        assert_eq!(desk.events(), [Event::Ended(Err(failure))]);
    }
}

#[test]
fn section_5_the_end_of_the_stream_before_0e_is_an_error() {
    let mut desk = registered();
    Host::friend(1).offers(&mut desk);
    desk.command(Command::Accept { server: Uid(1) });
    desk.events();
    desk.finished(HALL);
    assert_eq!(desk.events(), [Event::Ended(Err(peer::Failure::RelayClosed))]);
}

#[test]
fn section_5_unread_bytes_are_kept_across_the_decision_and_accepted() {
    let mut desk = registered();
    let mut host = Host::friend(1);
    host.proven(&mut desk);
    let mut other = Host::stranger(2);
    // The question, and in the same read another server and half of its next packet.
    let mut bytes = bytes::BytesMut::new();
    packet(1, Body::Agreement).encode(&mut bytes).unwrap();
    other.announcement().encode(&mut bytes).unwrap();
    bytes.extend_from_slice(b"0000");
    desk.hears(HALL, &bytes);
    let said = desk.said();
    other.answer(&mut desk, &said);
    desk.command(Command::Accept { server: Uid(1) });
    assert_eq!(desk.said(), [packet(1, Body::Accepted)]);
    desk.hears(HALL, b"0e");
    assert_eq!(desk.machine.stage(), Some(Stage::Meet));
}

fn say_bytewise(desk: &mut Desk, packet: &Packet) -> Vec<Packet> {
    let (mut bytes, mut said) = (bytes::BytesMut::new(), vec![]);
    packet.encode(&mut bytes).unwrap();
    for byte in bytes {
        desk.hears(HALL, &[byte]);
        said.extend(desk.said());
    }
    said
}

#[test]
fn section_5_a_stream_cut_anywhere_says_the_same() {
    let mut desk = registered();
    let mut host = Host::friend(1);
    let said = say_bytewise(&mut desk, &host.announcement());
    let answer = host.answer(&mut desk, &said);
    assert!(matches!(
        say_bytewise(&mut desk, &answer)[..],
        [Packet { body: Body::ClientValidator { .. }, .. }]
    ));
    assert_eq!(say_bytewise(&mut desk, &packet(1, Body::Agreement)), []);
    desk.command(Command::Accept { server: Uid(1) });
    desk.said();
    say_bytewise(&mut desk, &packet(0, Body::Done));
    assert_eq!(desk.machine.stage(), Some(Stage::Meet));
}
