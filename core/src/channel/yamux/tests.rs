use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use proptest::prelude::*;

use super::*;

const NOW: Instant = Instant::from_micros(1_000_000);

fn listener() -> Multiplexer {
    Multiplexer::new(Config::default(), Role::Listener)
}

fn header(kind: Kind, flags: Flags, stream: u32, length: u32) -> Vec<u8> {
    Header { kind, flags, stream, length }.encode().to_vec()
}

fn data(flags: Flags, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap();
    [header(Kind::Data, flags, stream, length), payload.to_vec()].concat()
}

fn update(flags: Flags, stream: u32, credit: u32) -> Vec<u8> {
    header(Kind::WindowUpdate, flags, stream, credit)
}

fn feed_at(mux: &mut Multiplexer, now: Instant, bytes: &[u8]) -> Result<Vec<Event>, YamuxError> {
    let mut bytes = Bytes::copy_from_slice(bytes);
    let mut events = Vec::new();
    while let Some(event) = mux.next_event(now, &mut bytes)? {
        events.push(event);
    }
    assert!(bytes.is_empty());
    Ok(events)
}

fn feed(mux: &mut Multiplexer, bytes: &[u8]) -> Result<Vec<Event>, YamuxError> {
    feed_at(mux, NOW, bytes)
}

fn control(mux: &mut Multiplexer) -> Vec<Header> {
    core::iter::from_fn(|| mux.pull_control()).map(|frame| Header::decode(&frame).unwrap()).collect()
}

/// All data frames that are pulled with unlimited room: header and payload.
fn pulled(mux: &mut Multiplexer) -> Vec<(Header, Vec<u8>)> {
    let mut frames = Vec::new();
    loop {
        let mut out = Vec::new();
        if mux.pull_data(usize::MAX, &mut |part| out.extend_from_slice(part)).is_none() {
            return frames;
        }
        let (head, payload) = out.split_first_chunk().unwrap();
        frames.push((Header::decode(head).unwrap(), payload.to_vec()));
    }
}

#[test]
fn s2_2_headers_have_the_published_bytes() {
    let bytes = [0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0];
    assert_eq!(update(Flags::SYN, 1, 0), bytes);
    assert_eq!(
        Header::decode(&bytes),
        Ok(Header { kind: Kind::WindowUpdate, flags: Flags::SYN, stream: 1, length: 0 })
    );
    for (position, error) in [(0, HeaderError::BadVersion), (1, HeaderError::BadKind)] {
        let mut bad = bytes;
        bad[position] = 4;
        assert_eq!(Header::decode(&bad), Err(error));
        assert_eq!(feed(&mut listener(), &bad), Err(YamuxError::Header(error)));
    }
}

#[test]
fn s2_2_a_stream_opens_with_data_or_credit_and_is_acknowledged_by_the_first_frame() {
    let mut mux = listener();
    let events = feed(&mut mux, &[data(Flags::SYN, 1, b"hi"), update(Flags::SYN, 3, 5)].concat());
    let received = Event::Received { stream: 1, bytes: Bytes::from_static(b"hi") };
    assert_eq!(events, Ok(vec![Event::Opened(1), received, Event::Opened(3)]));
    mux.send(1, Bytes::from_static(b"yes"));
    let frames = pulled(&mut mux);
    assert_eq!(frames[0].0, Header { kind: Kind::Data, flags: Flags::ACK, stream: 1, length: 3 });
    mux.send(1, Bytes::from_static(b"more"));
    assert_eq!(pulled(&mut mux)[0].0.flags, Flags::NONE, "once");
}

#[test]
fn s2_2_ours_open_with_data_and_close_with_an_empty_frame_or_on_data() {
    let mut mux = Multiplexer::new(Config::default(), Role::Dialler);
    let id = mux.open(Bytes::from_static(b"first")).unwrap();
    assert_eq!((id, mux.open(Bytes::new())), (1, Ok(3)));
    assert_eq!(
        pulled(&mut mux),
        [(Header { kind: Kind::Data, flags: Flags::SYN, stream: 1, length: 5 }, b"first".to_vec())]
    );
    mux.finish(1);
    assert_eq!(pulled(&mut mux)[0].0, Header { kind: Kind::Data, flags: Flags::FIN, stream: 1, length: 0 });
    mux.send(3, Bytes::from_static(b"all"));
    mux.finish(3);
    // The end was asked for before the frame left, so it rides on it.
    assert_eq!(pulled(&mut mux)[0].0.flags, Flags::SYN | Flags::FIN);
    mux.send(3, Bytes::from_static(b"behind the end"));
    assert!(pulled(&mut mux).is_empty());
}

#[test]
fn s2_2_credit_bounds_what_is_sent_and_a_syn_adds_to_the_window() {
    let mut mux = listener();
    feed(&mut mux, &update(Flags::SYN, 1, 1000)).unwrap();
    mux.send(1, vec![7; 300_000].into());
    let window = usize::try_from(WINDOW).unwrap();
    let total = |mux: &mut Multiplexer| pulled(mux).iter().map(|(_, payload)| payload.len()).sum::<usize>();
    assert_eq!(total(&mut mux), window + 1000);
    feed(&mut mux, &update(Flags::NONE, 1, 10)).unwrap();
    assert_eq!(total(&mut mux), 10);
}

#[test]
fn t39_credit_sums_are_checked_also_that_of_the_syn() {
    for (credit, fits) in
        [(u32::MAX - WINDOW - 1, true), (u32::MAX - WINDOW, true), (u32::MAX - WINDOW + 1, false)]
    {
        let mut on_syn = listener();
        assert_eq!(feed(&mut on_syn, &update(Flags::SYN, 1, credit)).is_ok(), fits, "{credit}");
        assert_eq!(on_syn.len(), usize::from(fits), "no stream is created");
        let mut later = listener();
        feed(&mut later, &update(Flags::SYN, 1, 0)).unwrap();
        assert_eq!(feed(&mut later, &update(Flags::NONE, 1, credit)).is_ok(), fits, "{credit}");
    }
    assert_eq!(feed(&mut listener(), &update(Flags::SYN, 1, u32::MAX)), Err(YamuxError::CreditOverflow));
}

#[test]
fn t39_data_beyond_the_credit_is_a_violation_before_the_body() {
    for (length, fits) in [(WINDOW - 1, true), (WINDOW, true), (WINDOW + 1, false), (u32::MAX, false)] {
        for first in [true, false] {
            let mut mux = listener();
            if !first {
                feed(&mut mux, &update(Flags::SYN, 1, 0)).unwrap();
            }
            let flags = if first { Flags::SYN } else { Flags::NONE };
            let result = feed(&mut mux, &header(Kind::Data, flags, 1, length));
            assert_eq!(result.is_ok(), fits, "{length} with SYN {first}");
            assert_eq!(mux.len(), usize::from(fits || !first));
        }
    }
    // In two frames.
    let mut mux = listener();
    feed(&mut mux, &data(Flags::SYN, 1, &[0; 200_000])).unwrap();
    assert_eq!(feed(&mut mux, &header(Kind::Data, Flags::NONE, 1, 62_145)), Err(YamuxError::WindowExceeded));
}

#[test]
fn t39_impossible_stream_ids_are_violations_and_create_nothing() {
    let cases: [(&str, Vec<u8>); 9] = [
        ("wrong parity", update(Flags::SYN, 2, 0)),
        ("reused", update(Flags::SYN, 5, 0)),
        ("smaller", update(Flags::SYN, 3, 0)),
        ("zero", update(Flags::SYN, 0, 0)),
        ("data on zero", data(Flags::NONE, 0, b"x")),
        ("theirs, never opened", data(Flags::NONE, 7, b"x")),
        ("ours, never opened", update(Flags::NONE, 4, 1)),
        ("ping with an id", header(Kind::Ping, Flags::SYN, 1, 0)),
        ("goaway with an id", header(Kind::GoAway, Flags::NONE, 1, 0)),
    ];
    for (what, frame) in cases {
        let mut mux = listener();
        feed(&mut mux, &update(Flags::SYN, 5, 0)).unwrap();
        assert_eq!(mux.open(Bytes::new()), Ok(2));
        assert_eq!(feed(&mut mux, &frame), Err(YamuxError::BadStream), "{what}");
        assert_eq!(mux.len(), 2, "{what}");
    }
}

#[test]
fn s2_2_frames_for_streams_that_are_no_more_are_ignored() {
    let mut mux = listener();
    feed(&mut mux, &update(Flags::SYN, 5, 0)).unwrap();
    mux.reset(5);
    assert_eq!(
        control(&mut mux),
        [Header { kind: Kind::WindowUpdate, flags: Flags::RST, stream: 5, length: 0 }]
    );
    let late = [
        data(Flags::NONE, 5, b"late"),
        update(Flags::NONE, 5, 9),
        data(Flags::FIN, 3, b"never opened, but smaller"),
        update(Flags::RST, 99, 0),
        update(Flags::RST, 4, 0),
        header(Kind::Ping, Flags::ACK, 0, 77),
    ];
    assert_eq!(feed(&mut mux, &late.concat()), Ok(vec![]));
    assert_eq!(mux.stats().late, 5);
}

#[test]
fn s2_2_a_reset_in_the_middle_of_a_frame_drops_the_rest() {
    let mut mux = listener();
    let frame = data(Flags::SYN, 1, b"0123456789");
    feed(&mut mux, &frame[..17]).unwrap();
    mux.reset(1);
    assert_eq!(feed(&mut mux, &frame[17..]), Ok(vec![]));
    assert_eq!(feed(&mut mux, &update(Flags::SYN, 3, 0)), Ok(vec![Event::Opened(3)]));
}

#[test]
fn s2_2_halves_close_one_by_one_and_then_nothing_is_left() {
    for ours_first in [true, false] {
        let mut mux = listener();
        feed(&mut mux, &update(Flags::SYN, 1, 0)).unwrap();
        for step in 0..2 {
            if ours_first == (step == 0) {
                mux.finish(1);
                assert_eq!(pulled(&mut mux).len(), 1);
            } else {
                let last =
                    [Event::Received { stream: 1, bytes: Bytes::from_static(b"bye") }, Event::Finished(1)];
                assert_eq!(feed(&mut mux, &data(Flags::FIN, 1, b"bye")), Ok(last.to_vec()));
            }
        }
        assert!(mux.is_empty() && mux.ready.is_empty() && mux.owing.is_empty() && mux.unacknowledged == 0);
    }
}

#[test]
fn s2_2_data_behind_the_end_is_a_violation() {
    let mut mux = listener();
    feed(&mut mux, &update(Flags::SYN | Flags::FIN, 1, 0)).unwrap();
    assert_eq!(feed(&mut mux, &update(Flags::NONE, 1, 5)), Ok(vec![]), "credit is not data");
    assert_eq!(feed(&mut mux, &data(Flags::FIN, 1, b"")), Ok(vec![]), "told twice");
    assert_eq!(feed(&mut mux, &data(Flags::NONE, 1, b"x")), Err(YamuxError::DataAfterFinish));
}

#[test]
fn t41_only_reading_returns_credit_at_half_a_window() {
    let mut mux = listener();
    feed(&mut mux, &data(Flags::SYN, 1, &[0; 200_000])).unwrap();
    assert!(control(&mut mux).is_empty(), "not when received");
    mux.consumed(1, 131_071);
    assert!(control(&mut mux).is_empty());
    mux.consumed(1, 1);
    let expected = Header { kind: Kind::WindowUpdate, flags: Flags::ACK, stream: 1, length: 131_072 };
    assert_eq!(control(&mut mux), [expected]);
    // More than was received cannot be consumed.
    mux.consumed(1, usize::MAX);
    assert!(control(&mut mux).is_empty(), "68928 is less than half");
    feed(&mut mux, &data(Flags::NONE, 1, &[0; 193_216])).unwrap();
    assert_eq!(feed(&mut mux, &data(Flags::NONE, 1, b"x")), Err(YamuxError::WindowExceeded));
}

#[test]
fn t40_unacknowledged_streams_are_bounded() {
    for (count, refused) in [(255, 0), (256, 0), (257, 1)] {
        let mut mux = listener();
        let syns: Vec<u8> = (0..count).flat_map(|index| update(Flags::SYN, 2 * index + 1, 0)).collect();
        feed(&mut mux, &syns).unwrap();
        let resets = control(&mut mux);
        assert_eq!((resets.len(), mux.stats().refused), (refused, u64::try_from(refused).unwrap()));
        assert!(resets.iter().all(|header| header.flags == Flags::RST));
    }
}

#[test]
fn t40_streams_in_all_are_bounded() {
    let mut mux = listener();
    for index in 0..511 {
        feed(&mut mux, &update(Flags::SYN, 2 * index + 1, 0)).unwrap();
        mux.send(2 * index + 1, Bytes::from_static(b"x"));
        pulled(&mut mux);
    }
    assert_eq!(mux.open(Bytes::new()), Ok(2));
    assert_eq!(mux.open(Bytes::new()), Err(OpenError::TooMany));
    feed(&mut mux, &data(Flags::SYN, 1023, b"refused, and its bytes skipped")).unwrap();
    assert_eq!((mux.len(), mux.stats().refused), (512, 1));
}

#[test]
fn t40_rapid_resets_close_and_a_slow_pace_does_not() {
    let pair =
        |index: u32| [data(Flags::SYN, 2 * index + 1, b"x"), update(Flags::RST, 2 * index + 1, 0)].concat();
    let mut mux = listener();
    for index in 0..100 {
        feed(&mut mux, &pair(index)).unwrap();
    }
    assert!(mux.is_empty());
    assert_eq!(feed(&mut mux, &pair(100)), Err(YamuxError::RapidReset));

    let mut mux = listener();
    for index in 0..1000 {
        let now = NOW + Duration::from_millis(10) * index;
        feed_at(&mut mux, now, &pair(index)).unwrap();
    }
    // In one frame.
    let mut mux = listener();
    for index in 0..100 {
        feed(&mut mux, &update(Flags::SYN | Flags::RST, 2 * index + 1, 0)).unwrap();
    }
    assert_eq!(feed(&mut mux, &update(Flags::SYN | Flags::RST, 999, 0)), Err(YamuxError::RapidReset));
}

#[test]
fn t12_answers_that_wait_are_bounded() {
    let config = Config { streams_max: 0, ..Config::default() };
    let mut mux = Multiplexer::new(config, Role::Listener);
    for index in 0..64 {
        assert_eq!(feed(&mut mux, &update(Flags::SYN, 2 * index + 1, 0)), Ok(vec![Event::Answer]));
    }
    assert_eq!(feed(&mut mux, &update(Flags::SYN, 1001, 0)), Err(YamuxError::TooManyAnswers));
}

#[test]
fn t42_one_pong_for_each_value_and_eight_in_all() {
    let mut mux = listener();
    let pings: Vec<u8> =
        (0..100_000).flat_map(|value| header(Kind::Ping, Flags::SYN, 0, value / 2)).collect();
    assert_eq!(feed(&mut mux, &pings).unwrap().len(), 8);
    let pongs = control(&mut mux);
    let expected: Vec<Header> =
        (0..8).map(|length| Header { kind: Kind::Ping, flags: Flags::ACK, stream: 0, length }).collect();
    assert_eq!(pongs, expected);
    assert_eq!(mux.stats().pings_shed, 100_000 - 16);
    assert_eq!(feed(&mut mux, &header(Kind::Ping, Flags::SYN, 0, 3)), Ok(vec![Event::Answer]), "again");
}

#[test]
fn t42_one_ping_of_ours_at_a_time_and_only_its_answer_counts() {
    let mut mux = listener();
    mux.ping(1);
    mux.ping(2);
    assert_eq!(control(&mut mux), [Header { kind: Kind::Ping, flags: Flags::SYN, stream: 0, length: 1 }]);
    let pong = |value| header(Kind::Ping, Flags::ACK, 0, value);
    assert_eq!(feed(&mut mux, &pong(2)), Ok(vec![]));
    assert_eq!(feed(&mut mux, &[pong(1), pong(1)].concat()), Ok(vec![Event::Pong]));
}

#[test]
fn s11_frames_that_do_nothing_are_bounded_in_a_row() {
    let empty = [data(Flags::NONE, 1, b""), update(Flags::NONE, 1, 0)].concat();
    let mut mux = listener();
    feed(&mut mux, &update(Flags::SYN, 1, 0)).unwrap();
    feed(&mut mux, &empty.repeat(500)).unwrap();
    feed(&mut mux, &data(Flags::NONE, 1, b"x")).unwrap();
    feed(&mut mux, &empty.repeat(500)).unwrap();
    assert_eq!(feed(&mut mux, &empty), Err(YamuxError::TooManyEmptyFrames));
}

#[test]
fn s2_2_goaway_ends_opening() {
    let mut mux = listener();
    let events = feed(&mut mux, &header(Kind::GoAway, Flags::NONE, 0, 0));
    assert_eq!(events, Ok(vec![Event::GoneAway(GoAway::Normal)]));
    assert_eq!(mux.open(Bytes::new()), Err(OpenError::GoneAway));
    for (code, expected) in
        [(1, GoAway::ProtocolError), (2, GoAway::InternalError), (9, GoAway::InternalError)]
    {
        assert_eq!(GoAway::of(code), expected);
    }
}

#[test]
fn a_stream_reset_before_it_was_told_just_vanishes() {
    let mut mux = listener();
    let id = mux.open(Bytes::from_static(b"first")).unwrap();
    mux.reset(id);
    assert!(control(&mut mux).is_empty() && pulled(&mut mux).is_empty() && mux.is_empty());
}

#[test]
fn ids_end_and_are_never_reused() {
    let mut mux = listener();
    mux.next_id = Some(u32::MAX - 1);
    assert_eq!(mux.open(Bytes::new()), Ok(u32::MAX - 1));
    assert_eq!(mux.open(Bytes::new()), Err(OpenError::TooMany));
}

#[test]
fn t39_our_ids_rise_on_the_wire() {
    let mut mux = listener();
    let (empty, full) = (mux.open(Bytes::new()), mux.open(Bytes::from_static(b"first")));
    assert_eq!((empty, full), (Ok(2), Ok(4)));
    let heads: Vec<Header> = pulled(&mut mux).into_iter().map(|(header, _)| header).collect();
    let head = |stream, length| Header { kind: Kind::Data, flags: Flags::SYN, stream, length };
    assert_eq!(heads, [head(2, 0), head(4, 5)], "the lower one goes first, with nothing in it");
    // Also where the streams that are served in turn have come to higher ids.
    feed(&mut mux, &update(Flags::SYN, 7, 0)).unwrap();
    mux.send(7, Bytes::from_static(b"turn"));
    pulled(&mut mux);
    for id in [6, 8, 10] {
        assert_eq!(mux.open(Bytes::from_static(b"first")), Ok(id));
    }
    let ids: Vec<u32> = pulled(&mut mux).iter().map(|(header, _)| header.stream).collect();
    assert_eq!(ids, [6, 8, 10]);
}

#[test]
fn t39_frames_for_a_stream_of_ours_that_was_not_told_are_for_none() {
    for frame in [data(Flags::NONE, 2, b"x"), update(Flags::NONE, 2, 1), data(Flags::ACK, 2, b"")] {
        let mut mux = listener();
        assert_eq!(mux.open(Bytes::from_static(b"first")), Ok(2));
        assert_eq!(feed(&mut mux, &frame), Err(YamuxError::BadStream));
    }
    let mut mux = listener();
    mux.open(Bytes::from_static(b"first")).unwrap();
    assert_eq!(feed(&mut mux, &data(Flags::RST, 2, b"skipped")), Ok(vec![]));
    assert_eq!((pulled(&mut mux).len(), mux.stats().late), (1, 1), "it is not killed");
}

#[test]
fn t40_ours_wait_until_the_peer_has_answered_earlier_ones() {
    let mut mux = listener();
    for _ in 0..300 {
        mux.open(Bytes::from_static(b"first")).unwrap();
    }
    let last = |mux: &mut Multiplexer| pulled(mux).last().map(|(header, _)| header.stream);
    assert_eq!(last(&mut mux), Some(512), "as many as need be taken");
    // Any frame is an answer, and so is an end, whoever makes it.
    feed(&mut mux, &[data(Flags::ACK, 2, b"x"), data(Flags::ACK, 2, b"x")].concat()).unwrap();
    assert_eq!(last(&mut mux), Some(514));
    feed(&mut mux, &update(Flags::RST, 4, 0)).unwrap();
    assert_eq!(last(&mut mux), Some(516));
    mux.reset(6);
    assert_eq!(last(&mut mux), Some(518));
    // One that was not told yet ends without a trace, and one that was answered makes room once.
    mux.reset(520);
    mux.reset(2);
    assert_eq!(last(&mut mux), None);
    let answers: Vec<u8> = (4..260).flat_map(|index| update(Flags::ACK, 2 * index, 0)).collect();
    feed(&mut mux, &answers).unwrap();
    assert_eq!(last(&mut mux), Some(600));
    assert_eq!(mux.unanswered, 40);
}

#[test]
fn t7_frames_without_effect_are_bounded_whatever_they_are() {
    let cases = [
        ("data without any", data(Flags::NONE, 1, b"")),
        ("credit of 0", update(Flags::NONE, 1, 0)),
        ("acknowledged again", data(Flags::ACK, 1, b"")),
        ("finished again", data(Flags::FIN, 3, b"")),
        ("reset of one that is no more", update(Flags::RST, 5, 0)),
        ("reset of one that is no more, with credit", update(Flags::RST, 5, 1)),
        ("reset of one that it was not told of", update(Flags::RST, 2, 0)),
        ("credit for one that is no more", update(Flags::NONE, 5, 1)),
        ("reset of one that never was", data(Flags::RST, 99, b"")),
        ("end of one that is no more", update(Flags::FIN, 5, 0)),
        ("an answer to no ping", header(Kind::Ping, Flags::ACK, 0, 7)),
        ("a ping that neither asks nor answers", header(Kind::Ping, Flags::NONE, 0, 7)),
        ("the same goodbye", header(Kind::GoAway, Flags::NONE, 0, 0)),
    ];
    let before = [
        update(Flags::SYN, 1, 0),
        update(Flags::SYN | Flags::FIN, 3, 0),
        update(Flags::SYN, 5, 0),
        header(Kind::GoAway, Flags::NONE, 0, 0),
        update(Flags::RST, 5, 0),
    ];
    let begun = || {
        let mut mux = listener();
        mux.open(Bytes::from_static(b"untold")).unwrap();
        feed(&mut mux, &before.concat()).unwrap();
        mux
    };
    for (what, frame) in &cases {
        let mut mux = begun();
        assert_eq!(feed(&mut mux, &frame.repeat(1000)), Ok(vec![]), "{what}");
        assert_eq!(feed(&mut mux, frame), Err(YamuxError::TooManyEmptyFrames), "{what}");
    }
    // They count together.
    let all: Vec<u8> = cases.iter().flat_map(|(_, frame)| frame.clone()).collect();
    assert_eq!(feed(&mut begun(), &all.repeat(101)), Err(YamuxError::TooManyEmptyFrames));
}

#[test]
fn t7_frames_with_an_effect_end_the_row() {
    let nothing = data(Flags::NONE, 1, b"").repeat(1000);
    let cases = [
        ("payload", data(Flags::NONE, 1, b"x")),
        ("late payload", data(Flags::NONE, 7, b"x")),
        ("credit", update(Flags::NONE, 1, 1)),
        ("end", data(Flags::FIN, 1, b"")),
        ("reset", update(Flags::RST, 3, 0)),
        ("open", update(Flags::SYN, 9, 0)),
        ("acknowledgement", update(Flags::ACK, 2, 0)),
        ("question", header(Kind::Ping, Flags::SYN, 0, 1)),
        ("answer", header(Kind::Ping, Flags::ACK, 0, 9)),
        ("goodbye", header(Kind::GoAway, Flags::NONE, 0, 0)),
    ];
    for (what, frame) in cases {
        let mut mux = listener();
        let before = [update(Flags::SYN, 1, 0), update(Flags::SYN, 3, 0), update(Flags::SYN, 7, 0)];
        feed(&mut mux, &before.concat()).unwrap();
        mux.reset(7);
        mux.open(Bytes::from_static(b"first")).unwrap();
        mux.ping(9);
        pulled(&mut mux);
        let row = [&nothing[..], &frame, &nothing].concat();
        assert!(feed(&mut mux, &row).is_ok(), "{what}");
    }
}

proptest! {
    #[test]
    fn t7_any_split_gives_the_same_events(
        sizes in prop::collection::vec(1usize..40, 0..60),
        lengths in prop::collection::vec(0usize..30, 1..12),
    ) {
        let mut stream = Vec::new();
        for (index, length) in lengths.iter().enumerate() {
            let id = u32::try_from(2 * index + 1).unwrap();
            let flags = if index % 3 == 0 { Flags::SYN | Flags::FIN } else { Flags::SYN };
            stream.extend(data(flags, id, &vec![7; *length]));
        }
        let summary = |events: Vec<Event>| {
            let mut opened = Vec::new();
            let mut bytes = BTreeMap::<u32, usize>::new();
            for event in events {
                if let Event::Received { stream, bytes: piece } = event {
                    *bytes.entry(stream).or_default() += piece.len();
                } else {
                    opened.push(event);
                }
            }
            (opened, bytes)
        };
        let whole = summary(feed(&mut listener(), &stream).unwrap());
        let (mut mux, mut events, mut rest) = (listener(), Vec::new(), &stream[..]);
        for size in sizes {
            let (piece, later) = rest.split_at(size.min(rest.len()));
            rest = later;
            events.extend(feed(&mut mux, piece).unwrap());
        }
        events.extend(feed(&mut mux, rest).unwrap());
        prop_assert_eq!(summary(events), whole);
    }

    #[test]
    fn t1_no_frames_panic_and_memory_follows_the_limits(
        frames in prop::collection::vec((0u8..5, 0u16..16, 0u32..12, prop_oneof![0u32..40, Just(WINDOW), Just(u32::MAX)]), 0..60)
    ) {
        let mut mux = listener();
        let _ = mux.open(Bytes::from_static(b"ours"));
        for (kind, flags, stream, length) in frames {
            let mut bytes = [&[0, kind][..], &flags.to_be_bytes(), &stream.to_be_bytes(), &length.to_be_bytes()].concat();
            if kind == 0 {
                bytes.resize(12 + usize::try_from(length.min(40)).unwrap(), 0);
            }
            if feed(&mut mux, &bytes).is_err() {
                return Ok(());
            }
            mux.consumed(stream, 10);
            control(&mut mux);
            pulled(&mut mux);
            prop_assert!(mux.len() <= mux.config.streams_max);
            let unacknowledged = mux.streams.values().filter(|one| one.greeting() == Some(Flags::ACK)).count();
            prop_assert_eq!(mux.unacknowledged, unacknowledged);
        }
    }
}
