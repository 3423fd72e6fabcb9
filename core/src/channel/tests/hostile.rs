//! Peers that are authenticated and then misbehave, or merely do less than we do.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::{Bytes, BytesMut};

use super::super::yamux::{Flags, GoAway, Header, Kind, YamuxError};
use super::super::*;
use super::raw::{Raw, bare, frame};
use crate::link::How;
use crate::machine::Machine;

const HEADER_LINE: &[u8] = b"\x13/multistream/1.0.0\n";

fn told(name: &str) -> Vec<u8> {
    let mut out = BytesMut::from(HEADER_LINE);
    multistream::encode(name, &mut out);
    out.to_vec()
}

#[test]
fn s2_1_data_behind_a_single_proposal_is_taken() {
    let mut raw = Raw::dial();
    raw.open(1, &["/echo/1"], b"early");
    let stream = StreamId(1);
    let accepted = Output::Accepted { stream, protocol: "/echo/1".into() };
    assert_eq!(raw.said, [accepted, Output::Received { stream, bytes: Bytes::from_static(b"early") }]);
    assert_eq!(raw.answers(1), (told("/echo/1"), false));
}

#[test]
fn s2_1_header_and_echo_leave_in_one_frame_that_acknowledges() {
    let mut raw = Raw::dial();
    raw.frames();
    raw.open(1, &["/unknown", "/echo/1"], b"");
    let frames = raw.frames();
    let [(header, body)] = &frames[..] else { panic!("{frames:?}") };
    assert_eq!(header.flags, Flags::ACK);
    assert_eq!(body[..], [HEADER_LINE, b"\x03na\n\x08/echo/1\n"].concat());
}

#[test]
fn t17_the_pieces_of_one_message_share_no_buffer() {
    for (small, large) in [(5, 60_000), (2048, 60_000), (2049, 60_000), (20_000, 40_000), (29_000, 30_000)] {
        let mut raw = Raw::dial();
        raw.open(1, &["/echo/1"], b"");
        raw.said.clear();
        let body = [small, large].map(|length| frame(Kind::Data, Flags::NONE, 1, &vec![1; length]));
        raw.plaintext(&body.concat());
        let [Output::Received { bytes: first, .. }, Output::Received { bytes: second, .. }] = &raw.said[..]
        else {
            panic!("{:?}", raw.said)
        };
        assert_eq!((first.len(), second.len()), (small, large));
        assert!(first.is_unique() && second.is_unique(), "{small} is alone in its buffer, and so is {large}");
    }
}

#[test]
fn s2_3_pings_are_echoed_on_two_streams_at_most() {
    let mut raw = Raw::dial();
    for id in [1, 3] {
        raw.open(id, &[ping::PROTOCOL], &[7; 32]);
        assert_eq!(raw.answers(id), ([told(ping::PROTOCOL), vec![7; 32]].concat(), false));
    }
    raw.open(5, &[ping::PROTOCOL], &[7; 32]);
    assert!(raw.answers(5).1);
    assert_eq!(raw.channel.stats().streams_refused, 1);
    // One more once one has ended.
    raw.plaintext(&bare(Kind::Data, Flags::FIN, 1, 0));
    raw.open(7, &[ping::PROTOCOL], &[8; 32]);
    assert!(!raw.answers(7).1);
}

#[test]
fn s2_3_a_pinger_that_does_not_read_is_held_by_its_window() {
    let mut raw = Raw::dial();
    raw.open(1, &[ping::PROTOCOL], b"");
    raw.reads = false;
    let window = usize::try_from(yamux::WINDOW).unwrap();
    let used = told(ping::PROTOCOL).len();
    for _ in 0..(window - used) / 32 {
        raw.plaintext(&frame(Kind::Data, Flags::NONE, 1, &[9; 32]));
    }
    assert_eq!(raw.closed(), None);
    raw.plaintext(&frame(Kind::Data, Flags::NONE, 1, &[9; 32]));
    assert_eq!(raw.closed(), Some(Cause::Violation(Violation::Yamux(YamuxError::WindowExceeded))));
}

#[test]
fn s4_identify_is_answered_and_closed() {
    let mut raw = Raw::dial();
    raw.open(1, &[identify::PROTOCOL], b"");
    let frames = raw.frames();
    let (last, body) = frames.iter().rfind(|(header, _)| header.stream == 1).unwrap();
    assert!(last.flags.contains(Flags::FIN));
    let message = &body[told(identify::PROTOCOL).len()..];
    assert_eq!(usize::from(message[0]), message.len() - 1);
    let info = identify::Info::decode(&message[1..]).unwrap();
    assert_eq!(info.protocols.last().unwrap(), "/echo/1");
    raw.plaintext(&bare(Kind::Data, Flags::FIN, 1, 0));
    assert_eq!(raw.channel.open_streams(), 1, "only our own question is left");
}

#[test]
fn s2_2_a_peer_without_identify_and_ping_stays() {
    let mut raw = Raw::dial();
    // Our question on stream 2 is declined, as an episub-only node does.
    let answer = [HEADER_LINE, b"\x03na\n"].concat();
    raw.plaintext(&frame(Kind::Data, Flags::ACK, 2, &answer));
    let hours = raw.now + Duration::from_secs(7200);
    let mut questions = 0;
    while raw.now < hours {
        for (header, _) in raw.frames() {
            questions += usize::from(header.kind == Kind::Data);
            if header.kind == Kind::Ping {
                raw.plaintext(&bare(Kind::Ping, Flags::ACK, 0, header.length));
            }
        }
        raw.now = raw.channel.poll_timeout().unwrap();
        raw.timeout();
    }
    assert_eq!(questions, 1, "asked once, not again");
    assert_eq!(raw.closed(), None);
}

#[test]
fn s4_a_push_is_merged_and_too_long_a_message_is_not_read() {
    let mut raw = Raw::dial();
    let push = identify::Info { agent_version: Some("pusher".into()), ..identify::Info::default() };
    raw.open(1, &[identify::PUSH_PROTOCOL], &push.to_frame());
    assert_eq!(raw.said, [Output::Identified(push.into())]);
    for (length, fits) in [(8191u16, true), (8192, true), (8193, false)] {
        let mut raw = Raw::dial();
        let prefix = [u8::try_from(length & 0x7f).unwrap() | 0x80, u8::try_from(length >> 7).unwrap()];
        raw.open(1, &[identify::PUSH_PROTOCOL], &prefix);
        assert_eq!(raw.answers(1).1, !fits, "{length}");
        assert_eq!(raw.channel.stats().identify_refused == 0, fits);
        assert_eq!(raw.closed(), None);
    }
}

#[test]
fn t38_a_bad_negotiation_costs_the_stream_only() {
    let mut raw = Raw::dial();
    let many: Vec<_> = (0..17).map(|number| format!("/unknown/{number}")).collect();
    let many: Vec<&str> = many.iter().map(|name| &name[..]).collect();
    raw.open(1, &many, b"");
    assert!(raw.answers(1).1);
    raw.plaintext(&frame(Kind::Data, Flags::SYN, 3, b"\x05nope\n"));
    assert!(raw.answers(3).1);
    assert_eq!((raw.channel.stats().streams_malformed, raw.closed()), (2, None));
}

#[test]
fn s2_1_a_negotiation_that_drips_times_out() {
    let mut raw = Raw::dial();
    // Not together with our own question, whose time ends too.
    raw.pass_until(raw.now + Duration::from_secs(3));
    raw.plaintext(&frame(Kind::Data, Flags::SYN, 1, b"\x13"));
    let start = raw.now;
    let reset = |raw: &mut Raw| raw.frames().iter().any(|(header, _)| *header == reset_of(1));
    for (second, byte) in (1..10).zip(b"/multistr") {
        raw.pass_until(start + Duration::from_secs(second));
        raw.plaintext(&frame(Kind::Data, Flags::NONE, 1, &[*byte]));
        assert!(!reset(&mut raw), "after {second} s");
    }
    raw.pass_until(start + Duration::from_micros(9_999_999));
    assert!(!reset(&mut raw));
    raw.pass_until(start + Duration::from_secs(10));
    assert!(reset(&mut raw), "bytes renewed nothing");
    assert_eq!(raw.closed(), None);
}

const fn reset_of(stream: u32) -> Header {
    Header { kind: Kind::WindowUpdate, flags: Flags::RST, stream, length: 0 }
}

#[test]
fn s10_negotiating_streams_are_bounded() {
    let mut raw = Raw::dial();
    for index in 0..129 {
        assert_eq!(raw.channel.stats().streams_refused, 0, "{index}");
        raw.plaintext(&bare(Kind::WindowUpdate, Flags::SYN, 2 * index + 1, 0));
    }
    assert_eq!(raw.channel.stats().streams_refused, 1);
    assert_eq!(raw.closed(), None);
    // A stream that has been agreed on makes room.
    raw.plaintext(&frame(Kind::Data, Flags::NONE, 1, &told("/echo/1")));
    raw.plaintext(&bare(Kind::WindowUpdate, Flags::SYN, 1001, 0));
    assert_eq!(raw.channel.stats().streams_refused, 1);
}

#[test]
fn t39_a_violation_is_told_with_goaway_1() {
    let mut raw = Raw::dial();
    raw.frames();
    raw.plaintext(&bare(Kind::WindowUpdate, Flags::SYN, 2, 0));
    let cause = raw.closed().unwrap();
    assert_eq!(cause, Cause::Violation(Violation::Yamux(YamuxError::BadStream)));
    assert_eq!(cause.how(), How::Flush);
    let goaway = raw.frames();
    assert_eq!((goaway.len(), goaway[0].0.kind, goaway[0].0.length), (1, Kind::GoAway, 1));
}

#[test]
fn s2_2_goaway_with_a_code_ends_the_link() {
    let mut raw = Raw::dial();
    raw.plaintext(&bare(Kind::GoAway, Flags::NONE, 0, 2));
    assert_eq!(raw.closed(), Some(Cause::GoneAway(GoAway::InternalError)));
}

#[test]
fn t12_a_flood_of_pings_unread_pauses_reading_and_stays_bounded() {
    let mut raw = Raw::dial();
    raw.reads = false;
    let config = Config::default();
    let limit = config.send_ahead + config.control_ahead;
    let mut paused = false;
    for value in 0..100_000u32 {
        raw.plaintext(&bare(Kind::Ping, Flags::SYN, 0, value));
        paused |= raw.said.contains(&Output::Pause);
        assert!(raw.channel.unwritten() <= limit + 100);
        raw.said.clear();
    }
    assert!(paused);
    let stats = raw.channel.stats();
    assert!(stats.pings_shed > 80_000, "{stats:?}");
    // It goes on when the carrier has written.
    raw.input(Input::Written(limit));
    assert_eq!(raw.said, [Output::Resume]);
}

/// Pings, whose answers nobody reads, until reading is paused.
fn fill_with_pongs(raw: &mut Raw) {
    for value in 0..100_000 {
        if raw.said.contains(&Output::Pause) {
            return;
        }
        raw.plaintext(&bare(Kind::Ping, Flags::SYN, 0, value));
    }
    panic!("reading goes on");
}

#[test]
fn s11_empty_messages_in_a_row_are_bounded() {
    let mut raw = Raw::dial();
    raw.empty_messages(1000);
    raw.plaintext(&bare(Kind::Ping, Flags::SYN, 0, 1));
    raw.empty_messages(1000);
    assert_eq!(raw.closed(), None);
    raw.empty_messages(1);
    assert_eq!(raw.closed(), Some(Cause::Violation(Violation::EmptyMessages)));
}

#[test]
fn t40_rapid_resets_of_negotiating_streams_close() {
    let mut raw = Raw::dial();
    for index in 0..101 {
        assert_eq!(raw.closed(), None, "{index}");
        raw.open(2 * index + 1, &["/echo/1"], b"");
        raw.plaintext(&bare(Kind::WindowUpdate, Flags::RST, 2 * index + 1, 0));
    }
    assert_eq!(raw.closed(), Some(Cause::Violation(Violation::Yamux(YamuxError::RapidReset))));
}

#[test]
fn t12_reading_is_resumed_while_data_waits() {
    for step in [1000, usize::MAX] {
        let mut raw = Raw::dial();
        raw.open(1, &["/echo/1"], b"");
        raw.plaintext(&bare(Kind::WindowUpdate, Flags::NONE, 1, 10_000_000));
        raw.reads = false;
        raw.input(Input::Send { stream: StreamId(1), bytes: vec![0; 10_000_000].into() });
        fill_with_pongs(&mut raw);
        // What the carrier gets rid of is replaced by data at once.
        let mut written = 0;
        while !raw.said.contains(&Output::Resume) && written < 1_000_000 {
            let count = raw.channel.unwritten().min(step);
            raw.input(Input::Written(count));
            written += count;
        }
        assert!(raw.said.contains(&Output::Resume), "in steps of {step}");
        assert!(written <= 2 * 128 * 1024 + 100, "{written}");
        assert!(raw.channel.unwritten() >= Config::default().send_ahead, "and data is sent on");
    }
}

#[test]
fn s10_a_message_without_content_ends_its_own_time_only() {
    // Nothing else is to end the link.
    let mut raw = Raw::with(Config { keep_alive_idle: Duration::from_secs(3600), ..Config::default() });
    raw.plaintext(&bare(Kind::Ping, Flags::ACK, 0, 1));
    let start = raw.now;
    let (first, second) = (raw.sealed_empty(1), raw.sealed_empty(1));
    raw.input(Input::Received(first.slice(..1)));
    raw.pass_until(start + Duration::from_secs(29));
    raw.input(Input::Received([&first[1..], &second[..1]].concat().into()));
    raw.pass_until(start + Duration::from_micros(58_999_999));
    assert_eq!(raw.closed(), None, "the second began 30 seconds ago");
    raw.pass_until(start + Duration::from_secs(59));
    assert_eq!(raw.closed(), Some(Cause::TimedOut(Waiting::Message)));
}

/// The frame that opens a stream of this id.
type Opening<'a> = &'a dyn Fn(u32) -> Vec<u8>;

/// Runs of streams that we end ourselves, for what the peer did with them.
#[test]
fn t40_streams_that_the_peer_makes_us_reset_count_as_rapid_resets() {
    let line = |name: &str| [HEADER_LINE, &told(name)[HEADER_LINE.len()..]].concat();
    let open = |body: &[u8], id: u32| frame(Kind::Data, Flags::SYN, id, body);
    let (pings, pushes) = (line(ping::PROTOCOL), line(identify::PUSH_PROTOCOL));
    let cases: [(&str, Opening<'_>, u32); 5] = [
        ("closed at once", &|id| bare(Kind::WindowUpdate, Flags::SYN | Flags::FIN, id, 0), 0),
        ("malformed", &|id| open(b"\x05nope\n", id), 0),
        ("never negotiated", &|id| bare(Kind::WindowUpdate, Flags::SYN, id, 0), 128),
        ("too many pings", &|id| open(&pings, id), 2),
        ("too many services", &|id| open(&pushes, id), 8),
    ];
    for (what, make, taken) in cases {
        for pace in [Duration::ZERO, Duration::from_millis(10)] {
            let mut raw = Raw::dial();
            for index in 0..taken + 100 {
                raw.plaintext(&make(2 * index + 1));
                assert_eq!(raw.closed(), None, "{what}, {index}");
                raw.now += pace;
            }
            raw.plaintext(&make(2001));
            let closed = Some(Cause::Violation(Violation::Yamux(YamuxError::RapidReset)));
            assert_eq!(raw.closed(), closed.filter(|_| pace.is_zero()), "{what}");
        }
    }
}

#[test]
fn t12_resets_that_the_peer_makes_us_send_wait_for_room() {
    let mut raw = Raw::dial();
    raw.reads = false;
    // In one read, and more than may wait: they go out as they are made.
    let many: Vec<u8> = (0..90)
        .flat_map(|index| bare(Kind::WindowUpdate, Flags::SYN | Flags::FIN, 2 * index + 1, 0))
        .collect();
    raw.plaintext(&many);
    assert_eq!(raw.closed(), None);
    // Once nothing more is taken by the carrier, as many may wait as any other answers.
    let room = raw.channel.unwritten();
    fill_with_pongs(&mut raw);
    assert!(raw.channel.unwritten() > room);
    raw.now += Duration::from_secs(1);
    for index in 100..165 {
        assert_eq!(raw.closed(), None, "{index}");
        raw.plaintext(&bare(Kind::WindowUpdate, Flags::SYN | Flags::FIN, 2 * index + 1, 0));
    }
    assert_eq!(raw.closed(), Some(Cause::Violation(Violation::Yamux(YamuxError::TooManyAnswers))));
}

#[test]
fn s10_what_we_ask_leaves_the_services_of_the_peer_alone() {
    let mut raw = Raw::with(Config { services_max: 1, ..Config::default() });
    // Our question on stream 2 is agreed on, and its answer awaited.
    raw.plaintext(&frame(Kind::Data, Flags::ACK, 2, &told(identify::PROTOCOL)));
    raw.open(1, &[identify::PROTOCOL], b"");
    assert!(!raw.answers(1).1);
    raw.open(3, &[identify::PROTOCOL], b"");
    assert!(raw.answers(3).1, "the first is not over");
}
