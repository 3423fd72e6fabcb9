//! Sections 8 and 9: how it ends.

use core::time::Duration;

use super::transfer::{fails, pack, records};
use super::{Desk, PASSWORD, content, registered, together};
use crate::bob::client::{Command, Config, Event};
use crate::bob::pack::Compression;
use crate::bob::peer::tests::bench::Act;
use crate::bob::peer::tests::world::takes;
use crate::bob::peer::{self, HALL, ROOM, Stage};
use crate::link::{Cause, How};
use crate::machine::Machine;

const CLOSE: &[u8] = &[0xff; 4];

/// A client that has all.
fn complete() -> Desk {
    let (mut desk, mut sealer) = together(takes(PASSWORD));
    desk.hears(ROOM, &records(&mut sealer, &pack(b"beech", Compression::None), 0x7fff).concat());
    assert!(matches!(desk.events().last(), Some(Event::Complete { .. })));
    desk
}

#[test]
fn section_9_the_file_is_kept_and_the_server_is_told() {
    let mut desk = complete();
    desk.command(Command::Kept);
    assert_eq!(desk.events(), [Event::Stage(Stage::Finish)]);
    assert_eq!(desk.sent(ROOM), CLOSE);
    assert_eq!(desk.acts(), [Act::Close(ROOM, How::Flush)]);
    desk.closed(ROOM, Cause::Finished);
    assert_eq!(desk.events(), [Event::Ended(Ok(()))]);
    assert_eq!(desk.machine.poll_timeout(), None);
}

#[test]
fn section_9_the_file_is_kept_though_the_link_is_gone() {
    let mut desk = complete();
    desk.hears(ROOM, CLOSE);
    desk.finished(ROOM);
    desk.closed(ROOM, Cause::Reset);
    assert_eq!(desk.events(), []);
    desk.command(Command::Kept);
    assert_eq!(desk.events(), [Event::Stage(Stage::Finish), Event::Ended(Ok(()))]);
}

#[test]
fn section_9_nothing_is_kept_before_it_is_complete() {
    let (mut desk, mut sealer) = together(takes(PASSWORD));
    let stream = records(&mut sealer, &pack(b"beech", Compression::None), 0x7fff).concat();
    desk.hears(ROOM, &stream[..10]);
    desk.command(Command::Kept);
    assert_eq!(desk.events(), []);
}

#[test]
fn the_server_is_told_when_the_file_cannot_be_kept() {
    let mut desk = complete();
    desk.command(Command::Cancel);
    fails(&mut desk, peer::Failure::Cancelled);
}

#[test]
fn section_9_the_end_before_the_end_of_the_file_is_a_failure() {
    let stream = pack(b"beech", Compression::None);
    for size in 1..stream.len() {
        let (mut desk, mut sealer) = together(takes(PASSWORD));
        let records = records(&mut sealer, &stream, size);
        let cut = records[..records.len() - 1].concat();
        if !cut.is_empty() {
            desk.hears(ROOM, &cut);
        }
        desk.hears(ROOM, CLOSE);
        desk.finished(ROOM);
        ends(&mut desk, peer::Failure::Interrupted);
    }
}

/// It answers the end, and ends so.
fn ends(desk: &mut Desk, failure: super::super::Failure) {
    assert_eq!(desk.sent(ROOM), CLOSE);
    assert_eq!(desk.acts(), [Act::Close(ROOM, How::Flush)]);
    desk.closed(ROOM, Cause::Finished);
    assert_eq!(desk.events().last(), Some(&Event::Ended(Err(failure))));
}

#[test]
fn a_server_that_says_the_end_itself_gave_up() {
    for cut in 0..8 {
        let (mut desk, _) = together(takes(PASSWORD));
        let (front, back) = [0xff; 8].split_at(cut);
        desk.hears(ROOM, front);
        desk.hears(ROOM, back);
        ends(&mut desk, peer::Failure::PartnerGaveUp);
    }
}

#[test]
fn the_end_of_the_stream_behind_the_end_is_not_awaited_for_ever() {
    let (mut desk, _) = together(takes(PASSWORD));
    desk.hears(ROOM, CLOSE);
    desk.advance(Duration::from_secs(4));
    desk.hears(ROOM, &[0xff]);
    desk.advance(Duration::from_secs(1));
    // The room is still open: the word of one that has the file would reach the server.
    fails(&mut desk, peer::Failure::Interrupted);
}

#[test]
fn choice_a_stream_that_ends_inside_a_record_is_interrupted_and_counted_apart() {
    let stream = pack(b"beech", Compression::None);
    // A record of 20 bytes has 38: of the second, none to all.
    for end in 38..=76 {
        let (mut desk, mut sealer) = together(takes(PASSWORD));
        let records = records(&mut sealer, &stream, 20).concat();
        desk.hears(ROOM, &records[..end]);
        if (39..70).contains(&end) {
            // So a relay says that the server is gone.
            desk.hears(ROOM, CLOSE);
        }
        desk.closed(ROOM, Cause::Reset);
        assert_eq!(desk.events().last(), Some(&Event::Ended(Err(peer::Failure::Interrupted))), "{end}");
        assert_eq!(desk.machine.stats().torn, u64::from(end > 38 && end < 76), "{end}");
    }
}

#[test]
fn what_came_before_the_link_broke_is_handed_over() {
    let (mut desk, mut sealer) = together(Config { untaken_max: 2, ..takes(PASSWORD) });
    let stream = records(&mut sealer, &pack(b"beech", Compression::None), 60).concat();
    desk.hears(ROOM, &stream);
    desk.closed(ROOM, Cause::Reset);
    let mut events = desk.events();
    while !matches!(events.last(), Some(Event::Complete { .. })) {
        desk.command(Command::Taken { bytes: 5 });
        let more = desk.events();
        assert!(!more.is_empty());
        events.extend(more);
    }
    assert_eq!(content(&events), b"beech");
    desk.command(Command::Kept);
    assert_eq!(desk.events().last(), Some(&Event::Ended(Ok(()))));
}

#[test]
fn it_can_be_called_off_at_any_time() {
    let cancelled = [Event::Ended(Err(peer::Failure::Cancelled))];
    let mut desk = registered();
    desk.acts();
    desk.command(Command::Cancel);
    assert_eq!(desk.events(), cancelled);
    assert_eq!(desk.acts(), [Act::Close(HALL, How::Abort)]);
    let (mut desk, _) = together(takes(PASSWORD));
    desk.command(Command::Cancel);
    fails(&mut desk, peer::Failure::Cancelled);
}

#[test]
fn l7_after_the_end_it_is_silent() {
    let mut desk = registered();
    desk.command(Command::Cancel);
    desk.events();
    desk.acts();
    desk.hears(HALL, b"00000f");
    desk.command(Command::Kept);
    desk.closed(HALL, Cause::Finished);
    desk.wake();
    assert_eq!((desk.events(), desk.acts()), (alloc::vec![], alloc::vec![]));
    assert_eq!(desk.machine.poll_timeout(), None);
}
