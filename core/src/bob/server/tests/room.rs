//! Section 7: the room, as a server meets it.

use core::time::Duration;

use super::{Desk, PASSWORD, accepted, said_hello};
use crate::bob::peer::tests::bench::Act;
use crate::bob::peer::tests::world::sends;
use crate::bob::peer::{self, HALL, ROOM, Stage};
use crate::bob::server::{Event, Failure, Server};
use crate::link::{Cause, How};

/// A server that has sent its line.
fn in_room() -> Desk {
    let (mut desk, _) = accepted(sends(PASSWORD, b"beech"));
    desk.goes_to_room();
    desk.acts();
    desk
}

fn failed(desk: &mut Desk) -> Failure {
    let events = desk.events();
    let [Event::Ended(Err(failure))] = events.as_slice() else { panic!("{events:?}") };
    *failure
}

#[test]
fn section_7_nothing_is_sent_before_00() {
    let mut desk = in_room();
    assert_eq!(desk.sent(ROOM), b"");
    assert_eq!(desk.events(), []);
    desk.hears(ROOM, b"0");
    assert_eq!(desk.events(), []);
    desk.hears(ROOM, b"0");
    assert_eq!(desk.events(), [Event::Stage(Stage::Transfer), Event::Wanted { bytes: 5 }]);
}

#[test]
fn section_7_the_answers_of_a_room() {
    for (answer, failure) in [
        ("01", peer::Failure::RoomTimedOut),
        ("02", peer::Failure::RoomUnknown),
        ("03", peer::Failure::RelayProtocol),
        ("1", peer::Failure::RoomTimedOut),
        ("\u{0}0", peer::Failure::RelayProtocol),
    ] {
        let mut desk = in_room();
        desk.hears(ROOM, answer.as_bytes());
        // Half an answer, and then the end.
        desk.finished(ROOM);
        assert_eq!(failed(&mut desk), failure, "{answer}");
        assert_eq!(desk.acts(), [Act::Close(ROOM, How::Abort)]);
    }
}

#[test]
fn section_7_a_room_that_closes_without_an_answer_has_waited_for_the_other() {
    let mut desk = in_room();
    desk.finished(ROOM);
    assert_eq!(failed(&mut desk), peer::Failure::RoomTimedOut);
    let mut desk = in_room();
    desk.closed(ROOM, Cause::Finished);
    assert_eq!(failed(&mut desk), peer::Failure::RoomTimedOut);
}

#[test]
fn each_step_of_the_way_fails_by_name() {
    let hall = || {
        let mut desk = Desk::new(Server::new(sends(PASSWORD, b"beech")).unwrap());
        desk.events();
        desk
    };
    let mut desk = hall();
    desk.closed(HALL, Cause::Refused);
    assert_eq!(failed(&mut desk), peer::Failure::Relay(Cause::Refused));

    let mut desk = said_hello(sends(PASSWORD, b"beech")).0;
    desk.events();
    desk.closed(HALL, Cause::Reset);
    assert_eq!(failed(&mut desk), peer::Failure::RelayClosed);

    let (mut desk, _) = accepted(sends(PASSWORD, b"beech"));
    desk.closed(ROOM, Cause::Unreachable);
    assert_eq!(failed(&mut desk), peer::Failure::Room(Cause::Unreachable));

    let mut desk = in_room();
    desk.closed(ROOM, Cause::Reset);
    assert_eq!(failed(&mut desk), peer::Failure::Room(Cause::Reset));

    let mut desk = in_room();
    desk.hears(ROOM, b"00");
    desk.events();
    desk.closed(ROOM, Cause::Reset);
    assert_eq!(failed(&mut desk), peer::Failure::Interrupted);
}

#[test]
fn each_step_of_the_way_has_its_time() {
    let second = Duration::from_secs(1);
    let mut desk = Desk::new(Server::new(sends(PASSWORD, b"beech")).unwrap());
    desk.events();
    desk.advance(second * 29);
    assert_eq!(desk.events(), []);
    desk.advance(second);
    assert_eq!(failed(&mut desk), peer::Failure::Relay(Cause::TimedOut), "the dial");

    let (mut desk, _) = said_hello(sends(PASSWORD, b"beech"));
    desk.events();
    desk.advance(second * 60);
    assert_eq!(failed(&mut desk), peer::Failure::Relay(Cause::TimedOut), "the answer to the hello");

    let (mut desk, _) = super::registered();
    desk.advance(second * 100_000);
    assert_eq!(desk.events(), [], "the relay's patience decides");

    let mut config = sends(PASSWORD, b"beech");
    config.relay.wait_timeout = Some(second * 7);
    let (mut desk, _) = super::registered_with(config);
    desk.advance(second * 7);
    assert_eq!(failed(&mut desk), peer::Failure::TimedOut, "unless there is a limit");

    let (mut desk, _) = accepted(sends(PASSWORD, b"beech"));
    desk.advance(second * 30);
    assert_eq!(failed(&mut desk), peer::Failure::Room(Cause::TimedOut), "the dial of the room");

    let mut desk = in_room();
    desk.advance(second * 60);
    assert_eq!(failed(&mut desk), peer::Failure::RoomTimedOut, "the room's answer");
}
