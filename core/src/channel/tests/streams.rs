//! Streams of the parent: opening, flow, back-pressure, limits.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::super::*;
use super::pair::{DIALLER, LISTENER, Pair, names};

#[test]
fn s2_2_bulk_arrives_whole_and_in_order_in_both_directions() {
    let mut pair = Pair::ready(3);
    let (a, b) = (pair.open(DIALLER), pair.open(LISTENER));
    assert_eq!((a.0 % 2, b.0 % 2), (1, 0), "ids of the dialler are odd");
    let content: Vec<u8> = (0..3_000_000u32).map(|index| u8::try_from(index % 251).unwrap()).collect();
    for (side, stream) in [(DIALLER, a), (LISTENER, b), (LISTENER, a)] {
        pair.send(side, stream, &content);
        pair.input(side, Input::Finish { stream });
    }
    pair.run();
    for (side, stream) in [(LISTENER, a), (DIALLER, b), (DIALLER, a)] {
        assert_eq!(pair.received(side, stream), content);
        assert!(pair.sides[side].said.contains(&Output::Finished { stream }));
    }
    for (side, streams) in [(DIALLER, 1), (LISTENER, 2)] {
        let sent = pair.take(side, |output| matches!(output, Output::Sent { .. }));
        let sum = |output: &Output| if let Output::Sent { count, .. } = output { *count } else { 0 };
        assert_eq!(
            sent.iter().map(sum).sum::<usize>(),
            streams * content.len(),
            "negotiation is not counted"
        );
    }
}

#[test]
fn s2_1_the_peer_chooses_among_proposals_or_declines() {
    let mut pair = Pair::ready(1);
    pair.input(DIALLER, Input::Open { token: 1, protocols: names(&["/new/2", "/other/1"]) });
    pair.input(DIALLER, Input::Open { token: 2, protocols: names(&["/nobody/1"]) });
    pair.input(DIALLER, Input::Open { token: 3, protocols: Vec::new() });
    pair.run();
    let said =
        pair.take(DIALLER, |output| matches!(output, Output::Opened { .. } | Output::OpenFailed { .. }));
    assert_eq!(said.len(), 3);
    assert!(
        said.iter().any(
            |output| matches!(output, Output::Opened { token: 1, protocol, .. } if protocol == "/other/1")
        )
    );
    for token in [2, 3] {
        assert!(said.contains(&Output::OpenFailed { token, cause: OpenError::Unsupported }));
    }
}

#[test]
fn streams_before_ready_fail_at_once() {
    let mut pair = Pair::new(1);
    pair.input(DIALLER, Input::Open { token: 9, protocols: names(&["/echo/1"]) });
    assert_eq!(pair.sides[DIALLER].said, [Output::OpenFailed { token: 9, cause: OpenError::NotReady }]);
}

#[test]
fn s2_1_an_open_without_answer_times_out() {
    let mut pair = Pair::ready(1);
    pair.input(DIALLER, Input::Open { token: 1, protocols: names(&["/echo/1"]) });
    pair.sides[DIALLER].wire.clear();
    pair.now += Duration::from_secs(10);
    pair.timeout(DIALLER);
    assert_eq!(pair.sides[DIALLER].said, [Output::OpenFailed { token: 1, cause: OpenError::TimedOut }]);
    assert_eq!(pair.sides[DIALLER].channel.stats().streams_timed_out, 1);
}

#[test]
fn t41_credit_returns_only_when_the_parent_has_read() {
    let mut pair = Pair::ready(2);
    pair.consume = false;
    let stream = pair.open(DIALLER);
    pair.send(DIALLER, stream, &vec![1; 1_000_000]);
    pair.run();
    let window = usize::try_from(yamux::WINDOW).unwrap();
    // The negotiation of the stream was read by the channel itself, which did not yet return its credit.
    let first = pair.received(LISTENER, stream).len();
    assert_eq!(first, window - 20 - 9);
    pair.input(LISTENER, Input::Consumed { stream, count: window / 2 - 30 });
    pair.run();
    assert_eq!(pair.received(LISTENER, stream).len(), 0, "less than half");
    pair.input(LISTENER, Input::Consumed { stream, count: 1 });
    pair.run();
    assert_eq!(pair.received(LISTENER, stream).len(), window / 2);
    // Nobody gets credit for what was never received.
    pair.input(LISTENER, Input::Consumed { stream, count: usize::MAX });
    pair.run();
    assert_eq!(pair.received(LISTENER, stream).len(), window);
}

#[test]
fn t12_a_peer_that_does_not_read_costs_a_bounded_amount() {
    let mut pair = Pair::ready(2);
    let stream = pair.open(DIALLER);
    pair.written = false;
    pair.send(DIALLER, stream, &vec![1; 2_000_000]);
    let config = Config::default();
    let unwritten = pair.sides[DIALLER].channel.unwritten();
    assert!(unwritten >= config.send_ahead && unwritten <= config.send_ahead + 100, "{unwritten}");
    assert!(!pair.sides[DIALLER].said.contains(&Output::Pause), "data alone pauses nothing");
    // It goes on when the carrier has written.
    pair.written = true;
    pair.input(DIALLER, Input::Written(unwritten));
    pair.run();
    assert_eq!(pair.received(LISTENER, stream).len(), 2_000_000);
}

#[test]
fn s2_2_streams_take_turns() {
    let mut pair = Pair::ready(2);
    let (first, streams) = (pair.open(DIALLER), [0; 3].map(|_| pair.open(DIALLER)));
    pair.written = false;
    pair.send(DIALLER, first, &[1; 200_000]);
    for stream in streams {
        pair.send(DIALLER, stream, &[1; 100_000]);
    }
    pair.take(DIALLER, |_| true);
    let count = pair.sides[DIALLER].channel.unwritten();
    pair.input(DIALLER, Input::Written(count));
    let sent = pair.take(DIALLER, |output| matches!(output, Output::Sent { .. }));
    let stream =
        |output: &Output| if let Output::Sent { stream, .. } = output { Some(*stream) } else { None };
    let order: Vec<StreamId> = sent.iter().filter_map(stream).collect();
    let [a, b, c] = streams;
    assert_eq!(order[..8], [a, b, c, first, a, b, c, first]);
}

#[test]
fn s2_2_resets_and_finishes_are_told() {
    let mut pair = Pair::ready(2);
    let (a, b) = (pair.open(DIALLER), pair.open(LISTENER));
    pair.input(DIALLER, Input::Reset { stream: a });
    pair.input(LISTENER, Input::Finish { stream: b });
    pair.input(DIALLER, Input::Finish { stream: b });
    pair.run();
    assert_eq!(
        pair.take(LISTENER, |output| matches!(output, Output::Reset { .. })),
        [Output::Reset { stream: a }]
    );
    for side in [DIALLER, LISTENER] {
        let finished = pair.take(side, |output| matches!(output, Output::Finished { .. }));
        assert_eq!(finished, [Output::Finished { stream: b }]);
    }
    // What is over is over.
    pair.take(DIALLER, |_| true);
    for stream in [a, b, StreamId(77)] {
        pair.send(DIALLER, stream, b"late");
        pair.input(DIALLER, Input::Finish { stream });
        pair.input(DIALLER, Input::Reset { stream });
        pair.input(DIALLER, Input::Consumed { stream, count: 9 });
    }
    assert!(pair.sides[DIALLER].wire.is_empty() && pair.sides[DIALLER].said.is_empty());
}

#[test]
fn t40_more_streams_than_there_may_be_are_refused() {
    let mut pair = Pair::ready(2);
    for token in 0..600 {
        pair.input(DIALLER, Input::Open { token, protocols: names(&["/echo/1"]) });
        pair.run();
    }
    let opened = pair.take(DIALLER, |output| matches!(output, Output::Opened { .. })).len();
    let refused =
        pair.take(DIALLER, |output| matches!(output, Output::OpenFailed { cause: OpenError::TooMany, .. }));
    assert_eq!((opened, refused.len()), (512, 88));
    assert_eq!(pair.closed(LISTENER), None);
}

#[test]
fn t14_ten_thousand_streams_leave_nothing_behind() {
    let mut pair = Pair::ready(2);
    for number in 0..2_000u32 {
        let stream = pair.open(DIALLER);
        pair.send(DIALLER, stream, b"question");
        for side in [DIALLER, LISTENER] {
            pair.input(side, Input::Finish { stream });
        }
        pair.run();
        pair.take(DIALLER, |_| true);
        pair.take(LISTENER, |_| true);
        assert_eq!(pair.sides[DIALLER].channel.open_streams(), 0, "after {number}");
        assert_eq!(pair.sides[LISTENER].channel.open_streams(), 0, "after {number}");
    }
}

#[test]
fn small_sends_of_one_turn_share_a_message() {
    let mut pair = Pair::ready(2);
    let stream = pair.open(DIALLER);
    pair.written = false;
    let ahead = Config::default().send_ahead;
    pair.send(DIALLER, stream, &vec![0; ahead]);
    let held = pair.sides[DIALLER].channel.unwritten();
    for _ in 0..100 {
        pair.send(DIALLER, stream, b"small");
    }
    assert_eq!(pair.sides[DIALLER].channel.unwritten(), held, "the carrier is full");
    let before = pair.sides[DIALLER].channel.stats().bytes_sent;
    pair.input(DIALLER, Input::Written(held));
    let sent = pair.sides[DIALLER].channel.stats().bytes_sent - before;
    assert!(sent < 500 + 200, "one frame, one message: {sent}");
}

#[test]
fn t39_streams_that_waited_for_room_are_told_in_order() {
    let mut pair = Pair::ready(2);
    let busy = pair.open(LISTENER);
    pair.written = false;
    pair.send(DIALLER, busy, &vec![1; 1_000_000]);
    for token in [1, 2] {
        pair.input(DIALLER, Input::Open { token, protocols: names(&["/echo/1"]) });
    }
    let unwritten = pair.sides[DIALLER].channel.unwritten();
    pair.input(DIALLER, Input::Written(unwritten));
    pair.written = true;
    pair.run();
    assert_eq!(pair.closed(LISTENER), None);
    let opened = pair.take(DIALLER, |output| matches!(output, Output::Opened { .. }));
    let [Output::Opened { stream: first, .. }, Output::Opened { stream: second, .. }] = opened[..] else {
        panic!("{opened:?}")
    };
    assert!(busy.0 > first.0 && second.0 > busy.0, "the turn stood between the two");
}

#[test]
fn t40_a_burst_of_opens_is_taken() {
    let mut pair = Pair::ready(2);
    for token in 0..400 {
        pair.input(DIALLER, Input::Open { token, protocols: names(&["/echo/1"]) });
    }
    // All in one read: not one of them can have been acknowledged before the last is seen.
    let burst = core::mem::take(&mut pair.sides[DIALLER].wire);
    pair.input(DIALLER, Input::Written(burst.len()));
    pair.input(LISTENER, Input::Received(burst.into()));
    pair.run();
    assert_eq!(pair.closed(LISTENER), None);
    assert_eq!(pair.take(DIALLER, |output| matches!(output, Output::Opened { .. })).len(), 400);
    assert_eq!(pair.sides[LISTENER].channel.stats().streams_refused, 0);
}

#[test]
fn t12_data_alone_pauses_nothing_whatever_the_limits() {
    for (send_ahead, control_ahead) in [(131_072, 0), (131_072, 1), (1_000_000, 0), (1, 0), (100_000, 30)] {
        let config = Config { send_ahead, control_ahead, ..Config::default() };
        let mut pair = Pair::with(2, config, None).start();
        let stream = pair.open(DIALLER);
        for side in [DIALLER, LISTENER] {
            pair.send(side, stream, &vec![1; 200_000]);
        }
        for _ in 0..100 {
            pair.carry(DIALLER);
            pair.carry(LISTENER);
        }
        for side in [DIALLER, LISTENER] {
            assert!(!pair.sides[side].said.contains(&Output::Pause), "{send_ahead} and {control_ahead}");
            assert!(!pair.received(side, stream).is_empty(), "{send_ahead} and {control_ahead}: data flows");
        }
    }
}

#[test]
fn s2_1_proposals_beyond_the_limits_fail_at_once() {
    let name = |length: usize| core::iter::repeat_n('x', length).collect::<String>();
    let many = |count: usize| (0..count).map(|number| alloc::format!("/{number}")).collect::<Vec<_>>();
    let longest = multistream::MESSAGE_MAX - 1;
    for (protocols, legal) in [
        (many(16), true),
        (many(17), false),
        (alloc::vec![name(longest)], true),
        (alloc::vec![name(longest + 1)], false),
    ] {
        let mut pair = Pair::ready(1);
        pair.input(DIALLER, Input::Open { token: 1, protocols });
        let failed = Output::OpenFailed { token: 1, cause: OpenError::Unsupported };
        assert_eq!(pair.sides[DIALLER].said.contains(&failed), !legal);
        pair.run();
        assert!(pair.sides[DIALLER].said.contains(&failed), "the peer knows none of them");
        assert_eq!(pair.closed(LISTENER), None);
    }
}
