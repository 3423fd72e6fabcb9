use alloc::format;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::*;
use crate::identity::Keypair;
use crate::link::Role;

fn pair() -> (Handshake, Handshake) {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut side = |role| {
        let identity = Keypair::generate(&mut rng);
        let local = Arc::new(StaticKey::generate(&identity, &["/yamux/1.0.0"], &mut rng));
        Handshake::new(role, local, &mut rng)
    };
    (side(Role::Dialler), side(Role::Listener))
}

fn body(framed: &[u8]) -> BytesMut {
    BytesMut::from(&framed[2..])
}

/// Runs a handshake in which `change` may alter each message.
fn run(mut change: impl FnMut(usize, &mut BytesMut)) -> Result<[(Sealer, Opener); 2], NoiseError> {
    let (mut dialler, mut listener) = pair();
    let mut message = body(&dialler.write()?);
    change(0, &mut message);
    listener.read(message)?;
    let mut message = body(&listener.write()?);
    change(1, &mut message);
    dialler.read(message)?;
    let mut message = body(&dialler.write()?);
    change(2, &mut message);
    listener.read(message)?;
    assert_eq!(dialler.hash(), listener.hash());
    Ok([dialler.split()?, listener.split()?])
}

fn frames(stream: &[u8], sizes: &[usize]) -> Vec<BytesMut> {
    let (mut frames, mut all, mut rest) = (Frames::new(), Vec::new(), stream);
    for size in sizes.iter().copied().chain([usize::MAX]) {
        let (piece, later) = rest.split_at(size.min(rest.len()));
        rest = later;
        let mut piece = Bytes::copy_from_slice(piece);
        while let Some(frame) = frames.next_frame(&mut piece) {
            all.push(frame);
        }
        assert!(piece.is_empty());
    }
    assert!(!frames.is_partial());
    all
}

#[test]
fn s3_both_directions_carry_messages() {
    let [(mut seal_a, mut open_a), (mut seal_b, mut open_b)] = run(|_, _| {}).unwrap();
    for (sealer, opener) in [(&mut seal_a, &mut open_b), (&mut seal_b, &mut open_a)] {
        for text in [&b"one"[..], b"two"] {
            sealer.put(text).unwrap();
            let sealed = sealer.flush().unwrap();
            assert_eq!(opener.open(body(&sealed)).unwrap(), text);
        }
        assert!(sealer.flush().unwrap().is_empty(), "nothing waits");
    }
}

#[test]
fn s3_sizes_on_the_wire() {
    let identity = Keypair::from_seed(&[1; 32]);
    let local = || Arc::new(StaticKey::from_secret(&identity, &[], &[2; 32]));
    let mut dialler = Handshake::with_ephemeral(Role::Dialler, local(), &[3; 32], &[]);
    let mut listener = Handshake::with_ephemeral(Role::Listener, local(), &[4; 32], &[]);
    let first = dialler.write().unwrap();
    listener.read(body(&first)).unwrap();
    let second = listener.write().unwrap();
    dialler.read(body(&second)).unwrap();
    let third = dialler.write().unwrap();
    assert_eq!([first.len(), second.len(), third.len()], [34, 202, 170]);
}

#[test]
fn s3_a_changed_bit_anywhere_ends_the_handshake() {
    for (number, length) in [(0, 32), (1, 200), (2, 168)] {
        for position in (0..length).step_by(7) {
            // The top bit of a point is ignored by X25519, but not by the transcript.
            let result = run(|at, message| {
                if at == number {
                    message[position] ^= 0x80;
                }
            });
            assert!(result.is_err(), "message {number}, byte {position}");
        }
    }
}

#[test]
fn s3_short_and_long_messages_end_the_handshake() {
    for number in 0..3 {
        for length in [0, 1, 31, 47, 79, 95].into_iter().take(if number == 0 { 3 } else { 6 }) {
            assert!(
                run(|at, message| if at == number {
                    message.truncate(length)
                })
                .is_err()
            );
        }
    }
    let long = run(|at, message| {
        if at == 0 {
            message.extend_from_slice(b"early")
        }
    });
    assert_eq!(long.unwrap_err(), NoiseError::UnexpectedPayload);
}

#[test]
fn t30_a_zero_agreement_ends_the_handshake() {
    // Points of small order: zero, one, and one of order 8.
    let mut order_eight = [0; 32];
    order_eight.copy_from_slice(&[
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda,
        0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
    ]);
    let mut one = [0; 32];
    one[0] = 1;
    for point in [[0; 32], one, order_eight] {
        let (_, mut listener) = pair();
        listener.read(BytesMut::from(&point[..])).unwrap();
        assert_eq!(listener.write().unwrap_err(), NoiseError::ZeroSecret);
    }
}

#[test]
fn t29_a_payload_of_another_handshake_does_not_count() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let (victim, thief) = (Keypair::generate(&mut rng), Keypair::generate(&mut rng));
    let honest = StaticKey::generate(&victim, &[], &mut rng);
    let mut stolen = StaticKey::generate(&thief, &[], &mut rng);
    stolen.payload = honest.payload.clone();
    let mut thief = Handshake::new(Role::Dialler, Arc::new(stolen), &mut rng);
    let local = Arc::new(StaticKey::generate(&victim, &[], &mut rng));
    let mut listener = Handshake::new(Role::Listener, local, &mut rng);
    listener.read(body(&thief.write().unwrap())).unwrap();
    thief.read(body(&listener.write().unwrap())).unwrap();
    let result = listener.read(body(&thief.write().unwrap()));
    assert_eq!(result.unwrap_err(), NoiseError::BadSignature);
}

#[test]
fn s3_messages_out_of_turn_are_refused() {
    let (mut dialler, mut listener) = pair();
    assert_eq!(dialler.read(BytesMut::new()).unwrap_err(), NoiseError::OutOfTurn);
    assert_eq!(listener.write().unwrap_err(), NoiseError::OutOfTurn);
    assert_eq!(dialler.split().unwrap_err(), NoiseError::OutOfTurn);
}

#[test]
fn t31_the_counter_stops_before_its_end_and_a_failure_does_not_advance_it() {
    let [(mut sealer, _), (_, mut opener)] = run(|_, _| {}).unwrap();
    sealer.put(b"honest").unwrap();
    let sealed = sealer.flush().unwrap();
    let mut forged = body(&sealed);
    forged[0] ^= 1;
    assert_eq!(opener.open(forged).unwrap_err(), NoiseError::BadTag);
    assert_eq!(opener.open(body(&sealed)).unwrap(), &b"honest"[..]);
    sealer.set_counter(u64::MAX - 1);
    sealer.put(b"last").unwrap();
    assert!(sealer.flush().is_ok());
    sealer.put(b"one too many").unwrap();
    assert_eq!(sealer.flush().unwrap_err(), NoiseError::Exhausted);
}

#[test]
fn s3_plaintexts_share_messages_and_long_ones_are_cut() {
    let [(mut sealer, _), (_, mut opener)] = run(|_, _| {}).unwrap();
    sealer.reserve(2 * PLAINTEXT_MAX);
    let plaintext: Vec<u8> =
        (0..2 * PLAINTEXT_MAX + 5).map(|index| u8::try_from(index % 251).unwrap()).collect();
    for piece in plaintext.chunks(1000) {
        sealer.put(piece).unwrap();
    }
    let sealed = sealer.flush().unwrap();
    let messages = frames(&sealed, &[1, 1, 1, 70_000]);
    let lengths: Vec<usize> = messages.iter().map(BytesMut::len).collect();
    assert_eq!(lengths, [MESSAGE_MAX, MESSAGE_MAX, 5 + TAG]);
    let opened: Vec<u8> = messages.into_iter().flat_map(|message| opener.open(message).unwrap()).collect();
    assert_eq!(opened, plaintext);
}

#[test]
fn s3_an_empty_message_is_legal_and_one_without_a_tag_is_not() {
    let [(mut sealer, _), (_, mut opener)] = run(|_, _| {}).unwrap();
    sealer.put(b"before").unwrap();
    sealer.put_empty().unwrap();
    let sealed = sealer.flush().unwrap();
    let messages = frames(&sealed, &[]);
    let opened: Vec<Bytes> = messages.into_iter().map(|message| opener.open(message).unwrap()).collect();
    assert_eq!(opened, [&b"before"[..], b""]);
    assert_eq!(opener.open(BytesMut::from(&[0; 15][..])).unwrap_err(), NoiseError::BadLength);
    assert_eq!(opener.open(BytesMut::new()).unwrap_err(), NoiseError::BadLength);
}

#[test]
fn t7_any_split_gives_the_same_frames() {
    let stream = [0, 3, 1, 2, 3, 0, 0, 0, 1, 9];
    for first in 0..stream.len() {
        for second in 0..stream.len() - first {
            assert_eq!(frames(&stream, &[first, second]), [&[1, 2, 3][..], &[], &[9]]);
        }
    }
}

#[test]
fn t2_an_announced_length_reserves_little() {
    let mut frames = Frames::new();
    assert!(frames.next_frame(&mut Bytes::from_static(&[0xff, 0xff, 1])).is_none());
    assert!(frames.reserved() <= 8192, "{}", frames.reserved());
    assert!(frames.is_partial());
}

#[test]
fn s3_payload_round_trip_and_extensions() {
    let identity = Keypair::from_seed(&[7; 32]);
    let payload = Payload::sign(&identity, &[9; 32], &["/yamux/1.0.0", "/mplex/6.7.0"]);
    let mut bytes = Vec::new();
    payload.encode(&mut bytes);
    // Early data of old, an unknown field, and a certificate hash are skipped.
    bytes.extend_from_slice(&[0x1a, 1, 0xff, 0x78, 5, 0x22, 3, 0x0a, 1, 0xff]);
    let decoded = Payload::decode(&bytes).unwrap();
    assert_eq!(decoded, payload);
    assert!(decoded.vouches_for(&[9; 32]));
    assert!(!decoded.vouches_for(&[8; 32]));
}

#[test]
fn t36_foreign_keys_are_refused_by_length() {
    let mut rsa = Vec::new();
    crate::wire::protobuf::put_bytes(1, &vec![8; 40_000], &mut rsa);
    assert_eq!(Payload::decode(&rsa), Err(PayloadError::ForeignKey));
    assert_eq!(Payload::decode(&[]), Err(PayloadError::ForeignKey));
}

#[test]
fn t11_muxers_are_bounded() {
    let identity = Keypair::from_seed(&[7; 32]);
    for count in [MUXERS_MAX - 1, MUXERS_MAX, MUXERS_MAX + 1] {
        let mut bytes = Vec::new();
        Payload::sign(&identity, &[9; 32], &vec!["/m"; count]).encode(&mut bytes);
        assert_eq!(Payload::decode(&bytes).unwrap().stream_muxers.len(), count.min(MUXERS_MAX));
    }
}

#[test]
fn t33_debug_shows_no_secret() {
    let identity = Keypair::from_seed(&[7; 32]);
    let key = Arc::new(StaticKey::from_secret(&identity, &[], &[0xab; 32]));
    let handshake = Handshake::with_ephemeral(Role::Dialler, Arc::clone(&key), &[0xcd; 32], &[]);
    let shown = format!("{handshake:?} {key:?}");
    assert_eq!(shown, "Handshake { role: Dialler, messages: 0, .. } StaticKey { .. }");
}
