use alloc::format;
use alloc::string::ToString;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::stamp::{Search, Stamp};
use super::*;

const SEED: [u8; 32] = [0x42; 32];

#[test]
fn peer_id_survives_both_forms() {
    let id = Keypair::from_seed(&SEED).peer_id();
    assert_eq!(PeerId::from_bytes(&id.to_bytes()), Some(id));
    assert_eq!(id.to_string().parse(), Ok(id));
    assert!(id.to_string().starts_with("12D3KooW") && id.to_string().len() == 52);
}

#[test]
fn peer_id_is_read_from_cid_text_in_any_multibase() {
    let id = Keypair::from_seed(&SEED).peer_id();
    let cid = [&[0x01, 0x72][..], &id.to_bytes()].concat();
    for base in [multibase::Base::Base32Lower, multibase::Base::Base36Lower, multibase::Base::Base58Btc] {
        assert_eq!(multibase::encode(base, &cid).parse(), Ok(id));
    }
    let other_codec = [&[0x01, 0x70][..], &id.to_bytes()].concat();
    assert_eq!(
        multibase::encode(multibase::Base::Base32Lower, other_codec).parse::<PeerId>(),
        Err(ParsePeerIdError)
    );
    assert_eq!("1".repeat(1 << 20).parse::<PeerId>(), Err(ParsePeerIdError));
}

#[test]
fn keypair_survives_its_file_form_and_refuses_halves_that_do_not_match() {
    let pair = Keypair::from_seed(&SEED);
    let file = pair.to_protobuf();
    assert_eq!(Keypair::from_protobuf(&file).unwrap().public(), pair.public());
    let mut forged = file.to_vec();
    forged[67] ^= 1;
    assert!(Keypair::from_protobuf(&forged).is_none());
}

#[test]
fn signatures_are_strict() {
    let pair = Keypair::from_seed(&SEED);
    let signature = pair.sign(b"message");
    assert!(pair.public().verify(b"message", &signature));
    assert!(!pair.public().verify(b"massage", &signature));
    let small_order = PublicKey([0; 32]);
    assert!(!small_order.verify(b"message", &[0; 64]));
    let no_point = PublicKey([0x02; 32]);
    assert!(!no_point.verify(b"message", &signature));
}

#[test]
fn debug_shows_no_secret() {
    let text = format!("{:?}", Keypair::from_seed(&SEED));
    assert!(!text.contains("42, 42") && !text.contains("66, 66") && text.contains("12D3KooW"), "{text}");
}

#[test]
fn stamps_prove_their_work() {
    let key = [9; 32];
    let mut search = Search::new(key, 8, &mut ChaCha8Rng::seed_from_u64(5));
    let stamp = core::iter::repeat_with(|| search.step(64)).take(1000).flatten().next().unwrap();
    assert!(stamp.proves(&key, 8) && stamp.proves(&key, 0));
    assert!(!stamp.proves(&key, 256));
    assert!(!Stamp([1; 24]).proves(&[8; 32], 64));
}
