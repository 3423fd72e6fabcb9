//! Sections 8 and 9: how it ends.

use core::time::Duration;

use bytes::Bytes;

use super::transfer::together;
use super::{Desk, PASSWORD, registered};
use crate::bob::peer::tests::bench::Act;
use crate::bob::peer::tests::world::sends;
use crate::bob::peer::{self, HALL, ROOM, Stage};
use crate::bob::server::{Command, Event, Failure, Sent, Server};
use crate::link::{Cause, How};
use crate::machine::Machine;

const CLOSE: &[u8] = &[0xff; 4];

/// A server that has sent all, of which this much has not left.
fn all_sent(unwritten: usize) -> Desk {
    let (mut desk, _) = together(sends(PASSWORD, b"beech"));
    desk.command(Command::Content { bytes: Bytes::from_static(b"beech") });
    let sent = desk.sent(ROOM).len();
    desk.written(ROOM, sent - unwritten);
    desk.events();
    desk
}

/// It says the same, and ends so, once that has left.
fn ends_politely(desk: &mut Desk, result: Result<Sent, Failure>) {
    assert_eq!(desk.acts(), [Act::Send(ROOM, Bytes::from_static(CLOSE)), Act::Close(ROOM, How::Flush)]);
    assert!(desk.events().iter().all(|event| *event == Event::Stage(Stage::Finish)));
    desk.closed(ROOM, Cause::Finished);
    assert_eq!(desk.events(), [Event::Ended(result)]);
    assert_eq!(desk.machine.poll_timeout(), None);
}

#[test]
fn section_9_the_relays_end_after_all_was_sent_is_a_success() {
    let mut desk = all_sent(0);
    desk.hears(ROOM, CLOSE);
    assert_eq!(desk.events(), []);
    desk.finished(ROOM);
    ends_politely(&mut desk, Ok(Sent { confirmed: false }));
}

#[test]
fn section_9_a_client_that_says_the_end_itself_confirms() {
    for cut in 0..8 {
        let mut desk = all_sent(0);
        let (front, back) = [0xff; 8].split_at(cut);
        desk.hears(ROOM, front);
        desk.hears(ROOM, back);
        ends_politely(&mut desk, Ok(Sent { confirmed: true }));
    }
}

#[test]
fn section_9_the_end_of_the_stream_is_not_awaited_for_ever() {
    let mut desk = all_sent(0);
    desk.hears(ROOM, CLOSE);
    desk.advance(Duration::from_secs(5));
    ends_politely(&mut desk, Ok(Sent { confirmed: false }));
}

#[test]
fn section_9_the_end_before_all_has_left_is_a_failure() {
    let mut desk = all_sent(1);
    desk.hears(ROOM, CLOSE);
    desk.finished(ROOM);
    ends_politely(&mut desk, Err(peer::Failure::Interrupted));

    // The link breaks behind the marker: what had not left is not sent.
    let mut desk = all_sent(1);
    desk.hears(ROOM, CLOSE);
    desk.closed(ROOM, Cause::Reset);
    assert_eq!(desk.events(), [Event::Ended(Err(peer::Failure::Interrupted))]);

    let (mut desk, _) = together(sends(PASSWORD, b"beech"));
    desk.events();
    desk.hears(ROOM, &[0xff; 8]);
    ends_politely(&mut desk, Err(peer::Failure::PartnerGaveUp));
}

#[test]
fn section_9_who_confirms_has_it() {
    let mut desk = all_sent(1);
    desk.hears(ROOM, &[0xff; 8]);
    ends_politely(&mut desk, Ok(Sent { confirmed: true }));
}

#[test]
fn section_9_a_data_record_of_the_client_is_corrupted() {
    for bytes in [[0, 1], [0x7f, 0xff], [0, 0], [0x80, 1], [0xff, 0xfe]] {
        let mut desk = all_sent(0);
        desk.hears(ROOM, &bytes);
        ends_politely(&mut desk, Err(peer::Failure::Corrupted));
    }
}

#[test]
fn a_client_that_says_80_00_has_failed() {
    let mut desk = all_sent(0);
    desk.hears(ROOM, &[0x80]);
    desk.hears(ROOM, &[0x00]);
    ends_politely(&mut desk, Err(peer::Failure::PartnerGaveUp));
}

#[test]
fn section_7_a_link_that_ends_without_a_word_is_interrupted() {
    let mut desk = all_sent(0);
    desk.finished(ROOM);
    assert_eq!(desk.events(), [Event::Ended(Err(peer::Failure::Interrupted))]);
    assert_eq!(desk.acts(), [Act::Close(ROOM, How::Abort)]);
}

#[test]
fn it_can_be_called_off_at_any_time() {
    let cancelled = [Event::Ended(Err(peer::Failure::Cancelled))];
    let mut desk = Desk::new(Server::new(sends(PASSWORD, b"beech")).unwrap());
    desk.events();
    desk.command(Command::Cancel);
    assert_eq!(desk.events(), cancelled);
    assert_eq!(desk.acts(), [Act::Dial(HALL), Act::Close(HALL, How::Abort)]);

    let (mut desk, _) = registered();
    desk.acts();
    desk.command(Command::Cancel);
    assert_eq!(desk.events(), cancelled);
    assert_eq!(desk.acts(), [Act::Close(HALL, How::Abort)]);

    let mut desk = all_sent(1);
    desk.command(Command::Cancel);
    ends_politely(&mut desk, Err(peer::Failure::Cancelled));
}

#[test]
fn the_last_words_have_their_time() {
    let mut desk = all_sent(1);
    desk.command(Command::Cancel);
    desk.acts();
    desk.advance(Duration::from_secs(5));
    assert_eq!(desk.acts(), [Act::Close(ROOM, How::Abort)]);
    assert_eq!(desk.events(), [Event::Ended(Err(peer::Failure::Cancelled))]);
}

#[test]
fn l7_after_the_end_it_is_silent() {
    let (mut desk, _) = registered();
    desk.command(Command::Cancel);
    desk.events();
    desk.acts();
    desk.hears(HALL, b"00000f");
    desk.opens(ROOM);
    desk.command(Command::Content { bytes: Bytes::from_static(b"beech") });
    desk.closed(HALL, Cause::Finished);
    desk.wake();
    assert_eq!((desk.events(), desk.acts()), (alloc::vec![], alloc::vec![]));
    assert_eq!(desk.machine.poll_timeout(), None);
}
