//! Section 7: the room, as a client meets it. What both peers have in common is tested with the server.

use super::{Desk, PASSWORD, accepted};
use crate::bob::client::Event;
use crate::bob::peer::tests::bench::Act;
use crate::bob::peer::tests::world::takes;
use crate::bob::peer::{self, ROOM, Stage};
use crate::link::{Cause, How};

fn in_room() -> Desk {
    let (mut desk, _) = accepted(takes(PASSWORD));
    desk.goes_to_room();
    desk.acts();
    desk
}

#[test]
fn section_7_the_answers_of_a_room() {
    for (answer, failure) in [("01", peer::Failure::RoomTimedOut), ("02", peer::Failure::RoomUnknown)] {
        let mut desk = in_room();
        desk.hears(ROOM, answer.as_bytes());
        assert_eq!(desk.events(), [Event::Ended(Err(failure))]);
        assert_eq!(desk.acts(), [Act::Close(ROOM, How::Abort)]);
    }
    let mut desk = in_room();
    desk.hears(ROOM, b"00");
    assert_eq!(desk.events(), [Event::Stage(Stage::Transfer)]);
    assert_eq!(desk.sent(ROOM), b"", "it says nothing before the end");
}

#[test]
fn section_7_a_room_that_breaks_is_named() {
    let mut desk = in_room();
    desk.closed(ROOM, Cause::Reset);
    assert_eq!(desk.events(), [Event::Ended(Err(peer::Failure::Room(Cause::Reset)))]);
    let mut desk = in_room();
    desk.finished(ROOM);
    assert_eq!(desk.events(), [Event::Ended(Err(peer::Failure::RoomTimedOut))]);
}
