use alloc::vec::Vec;
use core::time::Duration;

use super::*;
use crate::time::Instant;

const PATIENCE: Duration = Duration::from_secs(60);

fn at(seconds: u64) -> Instant {
    Instant::from_micros(seconds * 1_000_000)
}

fn rendezvous(meetings_max: usize) -> Rendezvous<&'static str> {
    Rendezvous::new(Config { meetings_max, patience: PATIENCE })
}

/// Opens a meeting; what ended for it.
fn open(
    table: &mut Rendezvous<&'static str>,
    seconds: u64,
    first: &'static str,
    second: &'static str,
) -> (Meeting, Vec<Ended>) {
    let mut ended = Vec::new();
    let meeting = table.open(at(seconds), first, second, |end| ended.push(end));
    (meeting, ended)
}

#[test]
fn each_comes_with_its_own_key_and_the_second_meets_the_first() {
    let mut table = rendezvous(4);
    let (meeting, ended) = open(&mut table, 0, "a", "b");
    assert_eq!(ended, []);
    assert_eq!((table.find(&"b"), table.find(&"c")), (Some((meeting, Side::Second)), None));
    assert_eq!(table.arrive(at(1), &"b"), Arrival::Waits { meeting, side: Side::Second });
    assert_eq!(table.arrive(at(2), &"a"), Arrival::Meets { meeting, side: Side::First });
}

#[test]
fn a_key_admits_once() {
    let mut table = rendezvous(4);
    let (meeting, _) = open(&mut table, 0, "a", "b");
    assert_eq!(table.arrive(at(1), &"a"), Arrival::Waits { meeting, side: Side::First });
    assert_eq!(table.arrive(at(1), &"a"), Arrival::Unknown, "the place is taken");
    assert_eq!(table.arrive(at(1), &"b"), Arrival::Meets { meeting, side: Side::Second });
    for key in ["a", "b"] {
        assert_eq!(table.arrive(at(1), &key), Arrival::Unknown, "used up");
    }
    assert!(table.is_empty());
    assert_eq!(table.deadline(), None);
}

#[test]
fn a_key_that_was_not_opened_leaves_no_trace() {
    let mut table = rendezvous(4);
    assert_eq!(table.arrive(at(0), &"x"), Arrival::Unknown);
    assert!(table.is_empty());
    assert_eq!(table.deadline(), None);
}

#[test]
fn patience_counts_from_the_opening_and_again_from_the_first_arrival() {
    let mut table = rendezvous(4);
    let (lonely, _) = open(&mut table, 0, "a", "b");
    let (waiting, _) = open(&mut table, 0, "c", "d");
    assert_eq!(table.deadline(), Some(at(60)));
    assert!(matches!(table.arrive(at(59), &"c"), Arrival::Waits { .. }));
    assert_eq!(table.arrive(at(60), &"a"), Arrival::Unknown, "too late, though nobody has looked yet");
    assert_eq!(table.pop_due(at(60)), Some(Ended { meeting: lonely, waits: None }));
    assert_eq!(table.pop_due(at(60)), None);
    assert_eq!(table.deadline(), Some(at(119)));
    let in_vain = Ended { meeting: waiting, waits: Some(Side::First) };
    assert_eq!(table.pop_due(at(119)), Some(in_vain));
    assert!(table.is_empty());
}

#[test]
fn one_who_leaves_ends_the_meeting() {
    let mut table = rendezvous(4);
    let (meeting, _) = open(&mut table, 0, "a", "b");
    table.arrive(at(1), &"a");
    assert_eq!(table.cancel(meeting), Some(Side::First));
    assert_eq!(table.cancel(meeting), None);
    assert_eq!(table.arrive(at(1), &"b"), Arrival::Unknown);
}

#[test]
fn beyond_the_limit_the_oldest_without_anybody_waiting_goes_first() {
    let mut table = rendezvous(2);
    let (first, _) = open(&mut table, 0, "a", "b");
    let (second, _) = open(&mut table, 0, "c", "d");
    table.arrive(at(1), &"b");
    let (_, ended) = open(&mut table, 2, "e", "f");
    assert_eq!(ended, [Ended { meeting: second, waits: None }]);
    assert_eq!(table.len(), 2);
    table.arrive(at(3), &"e");
    let (newest, ended) = open(&mut table, 4, "g", "h");
    assert_eq!(ended, [Ended { meeting: newest, waits: None }], "it is itself the one nobody waits at");
    assert!(matches!(table.arrive(at(5), &"a"), Arrival::Meets { meeting, .. } if meeting == first));
}

#[test]
fn a_key_that_is_opened_again_ends_what_it_opened_before() {
    let mut table = rendezvous(4);
    let (before, _) = open(&mut table, 0, "a", "b");
    table.arrive(at(1), &"b");
    let (after, ended) = open(&mut table, 2, "c", "a");
    assert_eq!(ended, [Ended { meeting: before, waits: Some(Side::Second) }]);
    assert_eq!(table.arrive(at(3), &"b"), Arrival::Unknown);
    assert_eq!(table.arrive(at(3), &"a"), Arrival::Waits { meeting: after, side: Side::Second });
}

#[test]
fn without_room_every_meeting_ends_as_it_is_opened() {
    let mut table = rendezvous(0);
    let (meeting, ended) = open(&mut table, 0, "a", "b");
    assert_eq!(ended, [Ended { meeting, waits: None }]);
    assert!(table.is_empty());
}

const WINDOW: usize = 64 * 1024;

#[test]
fn pieces_are_copied_to_the_other_side_and_counted() {
    let mut pipe = Pipe::new(WINDOW, 'a', 'b');
    assert_eq!(pipe.copy('a', 5), Some(Copied { to: 'b', pause: false }));
    assert_eq!(pipe.copy('b', 7), Some(Copied { to: 'a', pause: false }));
    assert_eq!((pipe.copied(), pipe.in_flight('a'), pipe.in_flight('b')), (12, 7, 5));
    assert_eq!(pipe.copy('x', 7), None, "no link of this pipe");
    assert_eq!((pipe.copied(), pipe.links()), (12, ['a', 'b']));
}

#[test]
fn a_source_is_paused_at_the_window_and_resumed_when_half_of_it_is_free() {
    let mut pipe = Pipe::new(WINDOW, 'a', 'b');
    assert_eq!(pipe.copy('a', WINDOW - 1).map(|copied| copied.pause), Some(false));
    assert_eq!(pipe.copy('a', 1).map(|copied| copied.pause), Some(true));
    assert_eq!(pipe.copy('a', 9).map(|copied| copied.pause), Some(false), "it is paused already");
    assert_eq!(pipe.written('b', WINDOW / 2 + 8), None);
    assert_eq!(pipe.written('b', 1), Some('a'));
    assert_eq!(pipe.written('b', 1), None, "it is not paused any more");
}

#[test]
fn each_direction_has_a_window_of_its_own() {
    let mut pipe = Pipe::new(10, 'a', 'b');
    assert_eq!(pipe.copy('a', 10), Some(Copied { to: 'b', pause: true }));
    assert_eq!(pipe.copy('b', 9), Some(Copied { to: 'a', pause: false }));
    assert_eq!(pipe.written('a', 9), None, "what leaves towards a frees nothing of what a has sent");
    assert_eq!(pipe.written('b', 10), Some('a'));
}

#[test]
fn without_a_window_a_piece_is_read_after_the_one_before_has_left() {
    let mut pipe = Pipe::new(0, 'a', 'b');
    assert_eq!(pipe.copy('a', 1), Some(Copied { to: 'b', pause: true }));
    assert_eq!(pipe.written('b', 1), Some('a'));
}

#[test]
fn a_side_that_has_finished_sends_no_more_and_what_is_in_flight_still_leaves() {
    let mut pipe = Pipe::new(10, 'a', 'b');
    pipe.copy('a', 10);
    assert_eq!(pipe.finish('a'), Some('b'));
    assert_eq!(pipe.finish('a'), None, "it is no news");
    assert_eq!(pipe.copy('a', 1), None);
    assert_eq!(pipe.copied(), 10);
    assert_eq!(pipe.copy('b', 3), Some(Copied { to: 'a', pause: false }), "the other way goes on");
    assert_eq!(pipe.finish('b'), Some('a'));
    assert_eq!(pipe.written('a', 3), None);
    assert!(!pipe.is_over(), "ten bytes are in flight");
    assert_eq!(pipe.written('b', 10), None, "a side that has finished is not read again");
    assert!(pipe.is_over());
}

#[test]
fn counts_that_cannot_be_saturate() {
    let mut pipe = Pipe::new(10, 'a', 'b');
    pipe.copy('a', usize::MAX);
    pipe.copy('a', usize::MAX);
    assert_eq!(pipe.in_flight('b'), usize::MAX);
    assert_eq!(pipe.copied(), u64::MAX);
    assert_eq!(pipe.written('b', usize::MAX), Some('a'));
    assert_eq!(pipe.written('b', usize::MAX), None);
}
