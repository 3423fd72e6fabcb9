use alloc::vec;

use bytes::Bytes;

use super::*;
use crate::wire::cbor::CborError;

const NETWORK: &str = "pleach";
const NOW: WallTime = WallTime::from_unix_ms(1_800_000_000_000);

fn key() -> Arc<Keypair> {
    Arc::new(Keypair::from_seed(&[7; 32]))
}

fn rules() -> HeadRules {
    HeadRules::new(NETWORK, key(), 3, "pleach", "0.1.0").unwrap()
}

fn own(height: u64) -> Own {
    Own { height, tip: Tip::from_slice(&[9; 16]).unwrap(), free_member_rooms: 5, free_mirror_rooms: 4 }
}

fn signed() -> Head {
    rules().own_head(&own(2), None, NOW)
}

/// The frame of `heads`, without its prefix.
fn frame_of(heads: &[Announced<Head>]) -> Bytes {
    let mut frame = encode_frame(heads);
    let mut reader = crate::wire::Reader::new(&frame);
    let length = varint::read(&mut reader).unwrap();
    frame.split_off(frame.len() - usize::try_from(length).unwrap())
}

#[test]
fn a_frame_survives() {
    let heads = vec![Announced { head: signed(), step: 0 }, Announced { head: signed(), step: 255 }];
    assert_eq!(decode_frame(&frame_of(&heads)), Ok(Some(heads)));
}

#[test]
fn the_largest_frame_fits() {
    let body = encode(|out| {
        out.array(11)?.u64(1)?.u32(u32::MAX)?.bytes(&key().peer_id().to_bytes())?.u64(u64::MAX)?;
        out.bytes(&[0; 64])?.str(&"s".repeat(32))?.str(&"v".repeat(16))?.u16(u16::MAX)?.u16(u16::MAX)?;
        out.u64(u64::MAX)?.bytes(&[0; 321])?.ok()
    });
    assert_eq!(body.len(), BODY_MAX);
    let head = Head::from_parts(&body, [0; 64]).unwrap();
    let heads = vec![Announced { head, step: 255 }; HEADS_MAX];
    let frame = frame_of(&heads);
    assert!(frame.len() <= FRAME_MAX);
    assert_eq!(decode_frame(&frame), Ok(Some(heads)));
}

#[test]
fn a_frame_holds_1_to_64() {
    let one = Announced { head: signed(), step: 1 };
    assert_eq!(decode_frame(&frame_of(&[])), Err(Malformed::Length));
    assert!(decode_frame(&frame_of(&vec![one.clone(); 64])).is_ok());
    assert_eq!(decode_frame(&frame_of(&vec![one; 65])), Err(Malformed::Length));
}

#[test]
fn unknown_numbers_and_further_elements_are_ignored() {
    assert_eq!(decode_frame(&[0x82, 0x05, 0xf6]), Ok(None));
    let head = signed();
    let frame = encode(|out| {
        out.array(3)?
            .u8(0)?
            .array(1)?
            .array(4)?
            .bytes(head.body())?
            .bytes(head.signature())?
            .u8(4)?
            .str("more")?;
        out.array(0)?.ok()
    });
    assert_eq!(decode_frame(&frame), Ok(Some(vec![Announced { head, step: 4 }])));
}

#[test]
fn malformed_frames_are_refused_wherever_they_are_cut() {
    let frame = frame_of(&[Announced { head: signed(), step: 1 }]);
    for end in 0..frame.len() {
        assert_eq!(decode_frame(&frame[..end]), Err(Malformed::Cbor(CborError::Short)), "{end}");
    }
    assert!(decode_frame(&[&frame[..], &[0]].concat()).is_err());
    assert_eq!(decode_frame(&[0x80]), Err(Malformed::Cbor(CborError::TooFew)));
}

#[test]
fn h2_members_of_a_body_are_checked() {
    let fields = signed().fields().clone();
    let body = |form: u64, peer: &[u8], tip: &[u8], software: &str, version: &str| {
        encode(|out| {
            out.array(10)?.u64(form)?.u32(3)?.bytes(peer)?.u64(2)?.bytes(tip)?.str(software)?.str(version)?;
            out.u16(1)?.u16(2)?.u64(3)?.ok()
        })
    };
    let peer = fields.peer.to_bytes();
    assert!(Fields::from_body(&body(1, &peer, &[0; 64], "s", "v")).is_ok());
    assert_eq!(Fields::from_body(&body(2, &peer, &[], "s", "v")), Err(Malformed::Range));
    assert_eq!(Fields::from_body(&body(1, &peer[1..], &[], "s", "v")), Err(Malformed::PeerId));
    assert_eq!(Fields::from_body(&body(1, &peer, &[0; 65], "s", "v")), Err(Malformed::Length));
    assert_eq!(Fields::from_body(&body(1, &peer, &[], "", "v")), Err(Malformed::Length));
    assert_eq!(Fields::from_body(&body(1, &peer, &[], "s", "")), Err(Malformed::Length));
    assert_eq!(Fields::from_body(&body(1, &peer, &[], &"s".repeat(33), "v")), Err(Malformed::Length));
    assert_eq!(Fields::from_body(&body(1, &peer, &[], "s", &"v".repeat(17))), Err(Malformed::Length));
    assert_eq!(Fields::from_body(&[0; 513]), Err(Malformed::Length));
}

#[test]
fn h2_the_signature_is_over_network_and_body() {
    let head = signed();
    assert!(rules().verify(&head));
    assert!(!head.verify("pleacH") && !head.verify(""));
    let mut flipped = *head.signature();
    flipped[0] ^= 1;
    assert!(!Head::from_parts(head.body(), flipped).unwrap().verify(NETWORK));
    assert_eq!(&signed_bytes("ab", b"body")[..], b"\xffpleach/head/1\0\x02abbody");
}

#[test]
fn h2_dates_at_the_limits() {
    let dated = |ms: u64| {
        let fields = Fields { issued: WallTime::from_unix_ms(ms), ..signed().fields().clone() };
        rules().lifetime(&Head::sign(fields, NETWORK, &key()), NOW)
    };
    let day = 24 * 3600 * 1000;
    assert_eq!(dated(NOW.unix_ms() + 600_000), Ok(Duration::from_millis(day)));
    assert_eq!(dated(NOW.unix_ms() + 600_001), Err(Untimely::Early));
    assert_eq!(dated(u64::MAX), Err(Untimely::Early));
    assert_eq!(dated(NOW.unix_ms() - day), Ok(Duration::ZERO));
    assert_eq!(dated(NOW.unix_ms() - day - 1), Err(Untimely::Late));
    assert_eq!(dated(0), Err(Untimely::Late));
}

#[test]
fn h3_height_decides_before_the_date() {
    let rules = rules();
    let at = |height, ms| rules.own_head(&own(height), None, WallTime::from_unix_ms(ms));
    assert!(rules.order(&at(2, 1)) > rules.order(&at(1, 9)));
    assert!(rules.order(&at(2, 2)) > rules.order(&at(2, 1)));
}

#[test]
fn h7_the_own_head_is_newer_than_the_one_before() {
    let rules = rules();
    let first = rules.own_head(&own(5), None, NOW);
    let second = rules.own_head(&own(5), Some(&first), NOW);
    assert_eq!(second.fields().issued.unix_ms(), NOW.unix_ms() + 1);
    let third = rules.own_head(&Own::default(), Some(&second), NOW);
    assert_eq!((third.fields().height, third.fields().tip.len()), (5, 16), "continues from there");
    assert_eq!(third.fields().free_mirror_rooms, 0);
    assert!(rules.verify(&third));
    let far_ahead = rules.own_head(&own(5), None, NOW + Duration::from_secs(3600));
    let back = rules.own_head(&own(5), Some(&far_ahead), NOW);
    assert_eq!(back.fields().issued, NOW, "nobody took the one that was dated an hour ahead");
    assert!(!rules.is_change(&own(1), &Own { free_mirror_rooms: 9, ..own(1) }));
    assert!(
        rules.is_change(&own(1), &own(2)) && rules.is_change(&own(1), &Own { tip: Tip::new(), ..own(1) })
    );
}

#[test]
fn h9_a_step_beyond_255_reads_as_255() {
    let head = signed();
    let frame = encode(|out| {
        out.array(2)?
            .u8(0)?
            .array(1)?
            .array(3)?
            .bytes(head.body())?
            .bytes(head.signature())?
            .u64(u64::MAX)?
            .ok()
    });
    assert_eq!(decode_frame(&frame).unwrap().unwrap()[0].step, 255);
}

#[test]
fn rules_need_names_that_fit() {
    let rules = |software: &str, version: &str| HeadRules::new(NETWORK, key(), 0, software, version);
    assert!(rules(&"s".repeat(32), &"v".repeat(16)).is_some());
    assert!(rules("", "1").is_none() && rules("s", "").is_none());
    assert!(rules(&"s".repeat(33), "1").is_none() && rules("s", &"v".repeat(17)).is_none());
}

mod forwarding {
    //! The machine with the mesh's rules: one HEAD through three nodes.

    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::heads::{Config, Heads, Input, Output};
    use crate::machine::{At, Driver};
    use crate::time::Instant;

    fn node(seed: u8) -> (PeerId, Driver<Heads<HeadRules>, ChaCha8Rng>) {
        let key = Arc::new(Keypair::from_seed(&[seed; 32]));
        let rules = HeadRules::new(NETWORK, Arc::clone(&key), 0, "pleach", "1").unwrap();
        (key.peer_id(), Driver::new(Heads::new(Config::default(), rules), ChaCha8Rng::seed_from_u64(1)))
    }

    #[test]
    fn a_head_travels_verbatim_with_its_distance() {
        let at = |ms: u64| At { now: Instant::from_micros(ms * 1000), wall: NOW };
        let (alice, mut first) = node(1);
        let (bob, mut second) = node(2);
        let (carol, _) = node(3);
        first.handle(at(0), Input::LinkUp { peer: bob });
        second.handle(at(0), Input::LinkUp { peer: alice });
        second.handle(at(0), Input::LinkUp { peer: carol });
        first.handle(at(0), Input::Own(own(1)));
        first.handle_timeout(at(100));
        let Some(Output::Send { heads, .. }) = first.poll_output() else { panic!("nothing sent") };
        let heads = decode_frame(&frame_of(&heads)).unwrap().unwrap();
        second.handle(at(100), Input::Received { from: alice, heads: heads.clone() });
        assert!(matches!(second.poll_output(), Some(Output::Event(_))));
        second.handle_timeout(at(200));
        let onward = vec![Announced { head: heads[0].head.clone(), step: 1 }];
        assert_eq!(second.poll_output(), Some(Output::Send { to: carol, heads: onward }));
        assert_eq!(second.poll_output(), None, "not back to alice");
    }
}
