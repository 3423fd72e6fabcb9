use alloc::vec::Vec;

use super::*;

const NETWORK: &str = "pleach";
const TOPIC: &str = "news";
const NOW: WallTime = WallTime::from_unix_ms(1_800_000_000_000);

fn pair() -> Keypair {
    Keypair::from_seed(&[7; 32])
}

fn sealed() -> Bytes {
    Signed::seal(&pair(), NETWORK, TOPIC, NOW, 3, b"content")
}

fn open(payload: &Bytes) -> Result<Signed, Refusal> {
    Signed::open(payload, NETWORK, TOPIC, NOW)
}

/// A payload of this body, with the right signature.
fn signed(body: &[u8]) -> Bytes {
    let signature = pair().sign(&signed_bytes(NETWORK, TOPIC, body));
    Bytes::from(encode(|to| to.array(2)?.bytes(body)?.bytes(&signature)?.ok()))
}

fn body(form: u64, author: &[u8], further: bool) -> Vec<u8> {
    encode(|to| {
        to.array(if further { 6 } else { 5 })?.u64(form)?.bytes(author)?.u64(NOW.unix_ms())?.u64(3)?;
        to.bytes(b"content")?;
        if further {
            to.str("of a newer version")?;
        }
        Ok(())
    })
}

#[test]
fn what_is_sealed_is_opened() {
    let content = Bytes::from_static(b"content");
    let expected = Signed { author: pair().peer_id(), issued: NOW, sequence: 3, content };
    assert_eq!(open(&sealed()), Ok(expected.clone()));
    assert_eq!(Signed::read(&sealed()), Some(expected));
    let empty = Signed::seal(&pair(), NETWORK, TOPIC, NOW, 0, b"");
    assert_eq!(open(&empty).map(|signed| signed.content), Ok(Bytes::new()));
}

#[test]
fn every_time_makes_another_message() {
    assert_ne!(
        sealed(),
        Signed::seal(&pair(), NETWORK, TOPIC, NOW + Duration::from_millis(1), 3, b"content")
    );
    assert_ne!(sealed(), Signed::seal(&pair(), NETWORK, TOPIC, NOW, 4, b"content"));
}

#[test]
fn a_flipped_bit_is_refused_wherever_it_is() {
    for index in 0..sealed().len() {
        for bit in 0..8 {
            let mut payload = sealed().to_vec();
            payload[index] ^= 1 << bit;
            assert!(open(&Bytes::from(payload)).is_err(), "bit {bit} of byte {index}");
        }
    }
}

#[test]
fn another_topic_network_or_author_has_not_signed_it() {
    assert_eq!(Signed::open(&sealed(), NETWORK, "old", NOW), Err(Refusal::BadSignature));
    assert_eq!(Signed::open(&sealed(), "other", TOPIC, NOW), Err(Refusal::BadSignature));
    // The border between the two names is signed too.
    assert_eq!(Signed::open(&sealed(), "pleachn", "ews", NOW), Err(Refusal::BadSignature));
    let another = Keypair::from_seed(&[8; 32]).peer_id().to_bytes();
    assert_eq!(open(&signed(&body(1, &another, false))), Err(Refusal::BadSignature));
}

#[test]
fn t49_old_messages_and_those_of_the_future_are_out_of_time() {
    let at = |now| Signed::open(&sealed(), NETWORK, TOPIC, now).map(|_| ());
    let millisecond = Duration::from_millis(1);
    let ahead = WallTime::from_unix_ms(NOW.unix_ms() - u64::try_from(AGE_MAX.as_millis()).unwrap());
    assert_eq!(at(NOW + AGE_MAX), Ok(()));
    assert_eq!(at(NOW + AGE_MAX + millisecond), Err(Refusal::OutOfTime));
    assert_eq!(at(ahead), Ok(()));
    assert_eq!(at(WallTime::from_unix_ms(ahead.unix_ms() - 1)), Err(Refusal::OutOfTime));
    // Whoever repeats it after everybody has forgotten its id gets no further.
    assert!(AGE_MAX < crate::broadcast::Config::default().seen_lifetime);
}

#[test]
fn bodies_may_grow_and_other_forms_are_nobodys_fault() {
    let author = pair().peer_id().to_bytes();
    assert_eq!(open(&signed(&body(1, &author, false))), open(&sealed()));
    assert_eq!(open(&signed(&body(1, &author, true))), open(&sealed()));
    assert_eq!(open(&signed(&body(2, &author, false))), Err(Refusal::Malformed));
    assert_eq!(open(&signed(&body(1, &author[1..], false))), Err(Refusal::Malformed));
    let mut trailing = body(1, &author, false);
    trailing.push(0);
    assert_eq!(open(&signed(&trailing)), Err(Refusal::Malformed));
}

#[test]
fn what_is_no_signed_payload_is_malformed() {
    let payload = sealed();
    for cut in 0..payload.len() {
        assert_eq!(open(&payload.slice(..cut)), Err(Refusal::Malformed), "{cut}");
    }
    let mut trailing = payload.to_vec();
    trailing.push(0);
    assert_eq!(open(&Bytes::from(trailing)), Err(Refusal::Malformed));
    let short =
        encode(|to| to.array(2)?.bytes(&body(1, &pair().peer_id().to_bytes(), false))?.bytes(&[0; 63])?.ok());
    assert_eq!(open(&Bytes::from(short)), Err(Refusal::Malformed));
}
