//! The upgrade, its deadlines, signs of life, and the end.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::super::*;
use super::pair::{DIALLER, LISTENER, Pair, keypair, names};
use crate::link::How;
use crate::machine::Machine;

#[test]
fn s2_two_channels_agree_however_bytes_are_cut() {
    for seed in 0..20 {
        let mut pair = Pair::new(seed);
        pair.describe(DIALLER, "one");
        pair.describe(LISTENER, "two");
        for side in [DIALLER, LISTENER] {
            pair.input(side, Input::Start);
        }
        pair.run();
        for (side, other) in [(DIALLER, "two"), (LISTENER, "one")] {
            let peer = pair.sides[1 - side].peer;
            let said = &pair.sides[side].said;
            assert_eq!(said[..2], [Output::Authenticated { peer }, Output::Ready], "seed {seed}");
            assert!(said.iter().any(|output| matches!(output, Output::RoundTrip(_))));
            let identified = said
                .iter()
                .find_map(|output| if let Output::Identified(info) = output { Some(info) } else { None });
            let info = identified.unwrap();
            assert_eq!(info.agent_version.as_deref(), Some(other));
            let served = [identify::PROTOCOL, identify::PUSH_PROTOCOL, ping::PROTOCOL, "/echo/1", "/other/1"];
            assert_eq!(info.protocols, names(&served));
        }
    }
}

#[test]
fn s3_another_peer_than_expected_is_refused_before_we_name_ourselves() {
    let mut pair = Pair::with(1, Config::default(), Some(keypair(7).peer_id()));
    for side in [DIALLER, LISTENER] {
        pair.input(side, Input::Start);
    }
    pair.run();
    assert_eq!(pair.sides[DIALLER].said, [Output::Closed(Cause::WrongPeer(keypair(LISTENER).peer_id()))]);
    assert!(pair.sides[LISTENER].said.is_empty(), "it learnt nothing");
}

#[test]
fn t35_a_link_to_ourselves_closes() {
    let mut pair = Pair::with(1, Config::default(), None);
    let twin = Arc::new(Local::new(&keypair(LISTENER), &mut pair.rng));
    pair.sides[DIALLER].channel =
        Channel::new(Arc::new(Config::default()), twin, Role::Dialler, None, Arc::from(Vec::new()));
    for side in [DIALLER, LISTENER] {
        pair.input(side, Input::Start);
    }
    pair.run();
    assert_eq!(pair.closed(DIALLER), Some(Cause::Myself));
}

#[test]
fn t19_the_upgrade_deadline_is_not_renewed_by_bytes() {
    for side in [DIALLER, LISTENER] {
        let mut pair = Pair::new(1);
        pair.input(side, Input::Start);
        let line = b"\x13/multistream/1.0.0\n\x05/tls\n\x05/tls\n";
        for byte in line.iter().take(9) {
            pair.pass(Duration::from_millis(1100));
            pair.input(side, Input::Received(Bytes::copy_from_slice(&[*byte])));
        }
        assert_eq!(pair.closed(side), None);
        pair.pass(Duration::from_millis(100));
        assert_eq!(pair.closed(side), Some(Cause::TimedOut(Waiting::Upgrade)));
    }
}

#[test]
fn s3_the_handshake_has_five_seconds_of_its_own() {
    let mut pair = Pair::new(1);
    pair.input(LISTENER, Input::Start);
    pair.input(LISTENER, Input::Received(Bytes::from_static(b"\x13/multistream/1.0.0\n\x07/noise\n\x00")));
    pair.pass(Duration::from_micros(4_999_999));
    assert_eq!(pair.closed(LISTENER), None);
    pair.pass(Duration::from_micros(1));
    assert_eq!(pair.closed(LISTENER), Some(Cause::TimedOut(Waiting::Handshake)));
}

#[test]
fn s2_1_garbage_before_encryption_closes_without_a_word() {
    for (bytes, close) in [
        (&[b'G'; 80][..], true),
        (b"\xff\xff\xff\xff\xff", true),
        (b"\x13/multistream/1.0.0\n\x03xyz", true),
        (b"\x13/multistream/1.0.0\n\x05/tls\n", false),
    ] {
        let mut pair = Pair::new(1);
        pair.input(LISTENER, Input::Start);
        pair.sides[LISTENER].wire.clear();
        pair.input(LISTENER, Input::Received(Bytes::copy_from_slice(bytes)));
        let cause = pair.closed(LISTENER);
        assert_eq!(cause.is_some_and(|cause| cause.violation().is_some()), close, "{bytes:?}");
        assert_eq!(pair.sides[LISTENER].wire.is_empty(), close);
        assert!(cause.is_none_or(|cause| cause.how() == How::Abort));
    }
}

#[test]
fn t38_seventeen_proposals_before_encryption_close_the_link() {
    let mut pair = Pair::new(1);
    pair.input(LISTENER, Input::Start);
    let mut line = bytes::BytesMut::new();
    multistream::encode(multistream::HEADER, &mut line);
    for number in 0..17 {
        multistream::encode(&format!("/unknown/{number}"), &mut line);
    }
    pair.input(LISTENER, Input::Received(line.freeze()));
    let expected = Violation::Multistream(multistream::MultistreamError::TooManyProposals);
    assert_eq!(pair.closed(LISTENER), Some(Cause::Violation(expected)));
}

#[test]
fn s2_a_dialler_whose_peer_knows_no_noise_gives_up() {
    let mut pair = Pair::new(1);
    pair.input(DIALLER, Input::Start);
    pair.input(DIALLER, Input::Received(Bytes::from_static(b"\x13/multistream/1.0.0\n\x03na\n")));
    assert_eq!(pair.closed(DIALLER), Some(Cause::Unsupported));
}

#[test]
fn t32_the_first_message_that_does_not_authenticate_closes() {
    let mut pair = Pair::ready(1);
    pair.input(DIALLER, Input::Open { token: 1, protocols: names(&["/echo/1"]) });
    let last = pair.sides[DIALLER].wire.len() - 1;
    pair.sides[DIALLER].wire[last] ^= 1;
    pair.run();
    let cause = pair.closed(LISTENER);
    assert_eq!(cause, Some(Cause::Violation(Violation::Noise(noise::NoiseError::BadTag))));
    assert_eq!(cause.unwrap().how(), How::Abort);
}

#[test]
fn s10_a_partial_message_has_thirty_seconds_that_bytes_do_not_renew() {
    let mut pair = Pair::ready(1);
    pair.input(DIALLER, Input::Received(Bytes::from_static(&[0, 40, 1])));
    for _ in 0..29 {
        pair.pass(Duration::from_secs(1));
        pair.input(DIALLER, Input::Received(Bytes::from_static(&[7])));
        pair.sides[DIALLER].wire.clear();
    }
    assert_eq!(pair.closed(DIALLER), None);
    pair.now += Duration::from_secs(1);
    pair.timeout(DIALLER);
    assert_eq!(pair.closed(DIALLER), Some(Cause::TimedOut(Waiting::Message)));
}

#[test]
fn s2_2_an_idle_link_is_probed_and_one_that_answers_stays() {
    let mut pair = Pair::ready(1);
    pair.take(DIALLER, |_| true);
    pair.pass(Duration::from_secs(3600));
    assert_eq!(pair.closed(DIALLER), None);
    let probes = pair.take(DIALLER, |output| matches!(output, Output::RoundTrip(_)));
    assert!((50..=120).contains(&probes.len()), "{}", probes.len());
}

#[test]
fn t26_a_link_that_does_not_answer_closes_after_45_seconds() {
    let mut pair = Pair::ready(1);
    let start = pair.now;
    while pair.closed(DIALLER).is_none() {
        let at = pair.sides[DIALLER].channel.poll_timeout().unwrap();
        pair.now = at;
        pair.timeout(DIALLER);
    }
    assert_eq!(pair.closed(DIALLER), Some(Cause::TimedOut(Waiting::KeepAlive)));
    assert_eq!(pair.now.since(start), Duration::from_secs(45));
}

#[test]
fn l4_an_early_timeout_does_nothing() {
    let mut pair = Pair::ready(1);
    let mut twin = Pair::ready(1);
    for _ in 0..10 {
        pair.timeout(DIALLER);
    }
    assert!(pair.sides[DIALLER].said.is_empty() && pair.sides[DIALLER].wire.is_empty());
    for pair in [&mut pair, &mut twin] {
        pair.pass(Duration::from_secs(700));
    }
    assert_eq!(pair.sides[DIALLER].said, twin.sides[DIALLER].said);
}

#[test]
fn s2_2_a_goodbye_flushes_and_tells_the_peer() {
    let mut pair = Pair::ready(1);
    let stream = pair.open(DIALLER);
    pair.send(DIALLER, stream, &[5; 200_000]);
    pair.close(DIALLER, How::Flush);
    assert_eq!(pair.closed(DIALLER), Some(Cause::Closed(How::Flush)));
    pair.run();
    assert_eq!(pair.received(LISTENER, stream).len(), 200_000);
    pair.input(LISTENER, Input::Open { token: 2, protocols: names(&["/echo/1"]) });
    assert_eq!(
        pair.sides[LISTENER].said.last(),
        Some(&Output::OpenFailed { token: 2, cause: OpenError::GoneAway })
    );
    pair.input(LISTENER, Input::Finished);
    assert_eq!(pair.closed(LISTENER), Some(Cause::Finished));
}

#[test]
fn s12_12_an_end_without_goodbye_is_no_goodbye() {
    let mut pair = Pair::ready(1);
    pair.close(DIALLER, How::Abort);
    assert!(pair.sides[DIALLER].wire.is_empty());
    pair.input(LISTENER, Input::Finished);
    assert_eq!(pair.closed(LISTENER), Some(Cause::Ended));
}

#[test]
fn l7_a_closed_channel_is_silent() {
    let mut pair = Pair::ready(1);
    pair.close(DIALLER, How::Flush);
    pair.sides[DIALLER].said.clear();
    pair.sides[DIALLER].wire.clear();
    for input in [
        Input::Start,
        Input::Received(Bytes::from_static(b"x")),
        Input::Written(1),
        Input::Finished,
        Input::Open { token: 1, protocols: names(&["/echo/1"]) },
        Input::Close(How::Flush),
    ] {
        pair.input(DIALLER, input);
    }
    pair.timeout(DIALLER);
    assert!(pair.sides[DIALLER].said.is_empty() && pair.sides[DIALLER].wire.is_empty());
}

#[test]
fn t16_a_half_open_link_is_small() {
    assert!(size_of::<Channel>() <= 1024, "{}", size_of::<Channel>());
    assert!(size_of::<noise::Handshake>() <= 512, "{}", size_of::<noise::Handshake>());
}

#[test]
fn l8_debug_shows_no_secret() {
    let pair = Pair::ready(1);
    let shown = format!("{:?}", pair.sides[DIALLER].channel);
    assert_eq!(shown, "Channel { role: Dialler, phase: \"open\", unwritten: 0, paused: false, .. }");
}

#[test]
fn s2_4_without_inlined_muxers_yamux_is_negotiated_inside() {
    // A peer that sends no list: rust-libp2p.
    for side in [DIALLER, LISTENER] {
        let mut pair = Pair::new(4);
        let plain = Arc::new(Local::without_muxers(&keypair(side), &mut pair.rng));
        let role = if side == DIALLER { Role::Dialler } else { Role::Listener };
        let protocols: Arc<[_]> = names(&["/echo/1"]).into();
        pair.sides[side].channel = Channel::new(Arc::new(Config::default()), plain, role, None, protocols);
        let mut pair = pair.start();
        pair.open(DIALLER);
        pair.open(LISTENER);
    }
}

#[test]
fn t16_nothing_of_a_handshake_message_is_kept_that_cannot_be_one() {
    let begun = b"\x13/multistream/1.0.0\n\x07/noise\n";
    let third = u16::try_from(noise::HANDSHAKE_MESSAGE_MAX).unwrap();
    for (first, allowed) in [(31, true), (32, true), (33, false), (third, false), (u16::MAX - 1, false)] {
        let mut pair = Pair::new(1);
        pair.input(LISTENER, Input::Start);
        pair.input(LISTENER, Input::Received([&begun[..], &first.to_be_bytes()].concat().into()));
        let cause = Cause::Violation(Violation::Noise(noise::NoiseError::BadLength));
        assert_eq!(pair.closed(LISTENER), Some(cause).filter(|_| !allowed), "on the prefix: {first}");
    }
    // The answer, of which the payload has no length of its own.
    for (second, allowed) in [(third, true), (third + 1, false), (u16::MAX, false)] {
        let mut pair = Pair::new(1);
        pair.input(DIALLER, Input::Start);
        pair.input(DIALLER, Input::Received([&begun[..], &second.to_be_bytes()].concat().into()));
        let cause = Cause::Violation(Violation::Noise(noise::NoiseError::BadLength));
        assert_eq!(pair.closed(DIALLER), Some(cause).filter(|_| !allowed), "on the prefix: {second}");
    }
}
