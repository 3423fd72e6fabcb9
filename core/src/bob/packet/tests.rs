use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

use super::*;

fn identity(text: &'static str) -> Identity {
    Identity::new(Bytes::from_static(text.as_bytes())).unwrap()
}

/// One packet of each kind, their fixed parts full of NULs.
fn one_of_each() -> Vec<Packet> {
    let name = || identity("::1:4000");
    let bodies = [
        Body::HelloAsServer { public: [0; PUBLIC_LEN] },
        Body::HelloAsClient,
        Body::ServerIdentity { identity: name() },
        Body::ClientIdentity { identity: identity("") },
        Body::NewServer { server: Uid(0xffff), public: [0; PUBLIC_LEN], identity: name() },
        Body::ClientValidator { validator: [0; VALIDATOR_LEN] },
        Body::ServerShare { share: [0; POINT_LEN], validator: [0; VALIDATOR_LEN] },
        Body::ClientShare { share: [0; POINT_LEN], identity: name() },
        Body::Agreement,
        Body::Closed { peer: Uid(0xab) },
        Body::Accepted,
        Body::Refused,
        Body::RelayFailure(RelayFailure::NoAgreement(Uid::RELAY)),
        Body::SpokeFailure(SpokeFailure::InvalidSecret),
        Body::Done,
        Body::Timeout,
    ];
    (0..).zip(bodies).map(|(uid, body)| Packet { uid: Uid(uid), body }).collect()
}

fn encode(packets: &[Packet]) -> Bytes {
    let mut out = BytesMut::new();
    packets.iter().for_each(|packet| packet.encode(&mut out).unwrap());
    out.freeze()
}

/// Packets of a stream that comes in pieces, and how it ended.
fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Packet>, Result<bool, DecodeError>) {
    let (mut decoder, mut packets) = (Decoder::new(), Vec::new());
    for piece in pieces {
        let mut bytes = Bytes::copy_from_slice(piece);
        loop {
            match decoder.next(&mut bytes) {
                Ok(Some(packet)) => packets.push(packet),
                Ok(None) => break,
                Err(error) => return (packets, Err(error)),
            }
        }
        assert!(bytes.is_empty(), "all has been taken");
    }
    (packets, Ok(decoder.is_inside_packet()))
}

fn decode_whole(bytes: &[u8]) -> (Vec<Packet>, Result<bool, DecodeError>) {
    decode(core::iter::once(bytes))
}

fn fails(bytes: &[u8]) -> DecodeError {
    decode_whole(bytes).1.unwrap_err()
}

#[test]
fn section_2_kinds_are_numbered_from_00_to_0f() {
    let kinds: Vec<_> = one_of_each().iter().map(|packet| packet.body.kind()).collect();
    assert_eq!(kinds, (0..16).collect::<Vec<u8>>());
}

#[test]
fn section_2_uid_and_kind_are_written_in_lower_case() {
    assert_eq!(encode(&[Packet { uid: Uid(211), body: Body::Agreement }]), "00d308");
    assert_eq!(encode(&[Packet { uid: Uid(0xabcd), body: Body::Refused }]), "abcd0b");
}

#[test]
fn section_2_digits_are_read_in_both_cases() {
    assert_eq!(decode_whole(b"aBcD0A").0, [Packet { uid: Uid(0xabcd), body: Body::Accepted }]);
    assert_eq!(decode_whole(b"000009ABcd").0, [Packet::of_relay(Body::Closed { peer: Uid(0xabcd) })]);
}

#[test]
fn section_2_any_cut_gives_the_same_packets() {
    let packets = one_of_each();
    let stream = encode(&packets);
    for size in 1..=stream.len() {
        assert_eq!(decode(stream.chunks(size)), (packets.clone(), Ok(false)), "pieces of {size}");
    }
    for cut in 0..stream.len() {
        let (front, back) = stream.split_at(cut);
        assert_eq!(decode([front, back].into_iter()).0, packets, "cut at {cut}");
    }
}

#[test]
fn section_2_a_stream_that_stops_inside_a_packet_is_no_error() {
    let packets = one_of_each();
    for packet in &packets {
        let stream = encode(core::slice::from_ref(packet));
        for cut in 1..stream.len() {
            assert_eq!(decode_whole(&stream[..cut]), (Vec::new(), Ok(true)), "{packet:?} cut at {cut}");
        }
    }
}

#[test]
fn section_2_what_is_not_hexadecimal_is_named() {
    for header in [b"00g008", b"+00108", b" 00108", b"00010G", b"zzzzzz"] {
        assert_eq!(fails(header), DecodeError::Header);
    }
    assert_eq!(fails(b"0000090g00"), DecodeError::Uid);
    assert_eq!(fails(b"00000cCg000"), DecodeError::Uid);
    let announced = [b"0000040z7a".as_slice(), &[0; PUBLIC_LEN], b"a:1\0"].concat();
    assert_eq!(fails(&announced), DecodeError::NewServer);
}

#[test]
fn section_2_other_kinds_and_failures_are_refused() {
    assert_eq!(fails(b"000110"), DecodeError::Kind(0x10));
    assert_eq!(fails(b"0001ff"), DecodeError::Kind(0xff));
    assert_eq!(fails(b"00000cX0001"), DecodeError::Failure);
    assert_eq!(fails(b"00010d\x05"), DecodeError::Failure);
    assert_eq!(
        decode_whole(b"00000cN0000").0,
        [Packet::of_relay(Body::RelayFailure(RelayFailure::NoAgreement(Uid::RELAY)))],
        "upstream writes it and cannot read it",
    );
}

#[test]
fn section_2_an_identity_ends_within_255_bytes() {
    let stream = |length: usize| [b"000002".as_slice(), &std::vec![b'a'; length], b"\0"].concat();
    let (packets, end) = decode_whole(&stream(255));
    assert_eq!((packets.len(), end), (1, Ok(false)));
    assert_eq!(fails(&stream(256)), DecodeError::TooLong);
    assert_eq!(decode(stream(256).chunks(1)).1, Err(DecodeError::TooLong));
    // Known before the NUL comes: nothing waits for ever.
    assert_eq!(fails(&stream(256)[..6 + 256]), DecodeError::TooLong);
    assert_eq!(decode_whole(&stream(255)[..6 + 255]).1, Ok(true));
}

#[test]
fn section_2_no_identity_over_53_bytes_is_written() {
    let packet = |length: usize| {
        let identity = Identity::new(Bytes::from(std::vec![b'a'; length])).unwrap();
        Packet::of_relay(Body::ServerIdentity { identity })
    };
    let mut out = BytesMut::new();
    assert_eq!(packet(53).encode(&mut out), Ok(()));
    assert_eq!(out.len(), 6 + 53 + 1);
    assert_eq!(packet(54).encode(&mut out), Err(IdentityError::TooLong));
    assert_eq!(out.len(), 6 + 53 + 1, "nothing was written");
}

#[test]
fn section_2_the_longest_packet_has_102_bytes() {
    let longest = one_of_each().iter().map(|packet| encode(core::slice::from_ref(packet)).len()).max();
    assert_eq!(longest, Some(Packet::WRITTEN_MAX));
    assert_eq!(Packet::WRITTEN_MAX, 102);
}

#[test]
fn after_an_error_the_stream_stays_malformed() {
    let mut decoder = Decoder::new();
    assert_eq!(decoder.next(&mut Bytes::from_static(b"zzzzzz")), Err(DecodeError::Header));
    assert_eq!(decoder.next(&mut Bytes::from_static(b"000108")), Err(DecodeError::Header));
    assert!(!decoder.is_inside_packet());
}
