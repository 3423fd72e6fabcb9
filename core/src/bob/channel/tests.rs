use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};
use chacha20poly1305::ChaCha20Poly1305;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};

use super::cipher::RecordCipher;
use super::*;

const CIPHERS: [Cipher; 3] = [Cipher::Aes256Gcm, Cipher::Aes256Ccm, Cipher::ChaCha20Poly1305];

fn key() -> [u8; 64] {
    core::array::from_fn(|at| u8::try_from(at).unwrap())
}

fn pair(cipher: Cipher) -> (Sealer, Opener) {
    (Sealer::new(cipher, &key()), Opener::new(cipher, &key()))
}

fn seal(sealer: &mut Sealer, plaintext: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    sealer.seal(plaintext, &mut out).unwrap();
    out.to_vec()
}

/// A record that a writer of ours would not write.
fn empty_record(number: u64) -> Vec<u8> {
    let tag = RecordCipher::new(Cipher::Aes256Gcm, &key(), number).seal(&mut []).unwrap();
    [&[0, 0], &tag[..]].concat()
}

fn data(bytes: &[u8]) -> Opened {
    Opened::Data(Bytes::copy_from_slice(bytes))
}

/// All that comes out of a stream that ends, cut into pieces.
fn open(opener: &mut Opener, stream: &[u8], size: usize) -> Vec<Opened> {
    let mut all = Vec::new();
    for piece in stream.chunks(size) {
        let mut piece = Bytes::copy_from_slice(piece);
        all.extend(core::iter::from_fn(|| opener.open(&mut piece)));
        assert!(piece.is_empty());
    }
    all.extend(opener.end_of_stream());
    assert!(opener.is_over());
    all
}

#[test]
fn s8_a_record_is_length_ciphertext_and_tag() {
    for cipher in CIPHERS {
        let (mut sealer, mut opener) = pair(cipher);
        let sealed = [seal(&mut sealer, b"one"), seal(&mut sealer, b"two")];
        for sealed in &sealed {
            assert_eq!((sealed.len(), &sealed[..2]), (2 + 3 + 16, &[0, 3][..]));
        }
        assert_ne!(sealed[0][2..], *b"one");
        assert_eq!(open(&mut opener, &sealed.concat(), 1), [data(b"one"), data(b"two"), Opened::End]);
    }
}

#[test]
fn s8_each_direction_has_its_key_and_cipher() {
    let keys = Keys::from_bytes([key(), [7; 64]]);
    let ciphers = [Cipher::Aes256Gcm, Cipher::ChaCha20Poly1305];
    let (mut server, mut from_client) = of_server(&keys, ciphers);
    let (mut client, mut from_server) = of_client(&keys, ciphers);
    let (forth, back) = (seal(&mut server, b"file"), seal(&mut client, b"thanks"));
    assert_eq!(forth, seal(&mut Sealer::new(Cipher::Aes256Gcm, &key()), b"file"));
    assert_eq!(back, seal(&mut Sealer::new(Cipher::ChaCha20Poly1305, &[7; 64]), b"thanks"));
    assert_eq!(open(&mut from_server, &forth, 9), [data(b"file"), Opened::End]);
    assert_eq!(open(&mut from_client, &back, 9), [data(b"thanks"), Opened::End]);
    let (_, mut reflected) = of_server(&keys, ciphers);
    assert_eq!(open(&mut reflected, &forth, 9), [Opened::Corrupted]);
}

#[test]
fn s8_the_other_ciphers_have_nonces_of_twelve_bytes() {
    let number = 0x0102_0304_0506_0708_u64;
    let record = seal(&mut Sealer::starting_at(Cipher::ChaCha20Poly1305, &key(), number), b"text");
    // The base is 20, 21, .. 2b; the number is XORed into its last eight bytes.
    let nonce = [0x20, 0x21, 0x22, 0x23, 0x25, 0x27, 0x25, 0x23, 0x2d, 0x2f, 0x2d, 0x23];
    let payload = Payload { msg: b"text", aad: &[0, 1, 0, 4] };
    let cipher = ChaCha20Poly1305::new_from_slice(&key()[..32]).unwrap();
    assert_eq!(record[2..], cipher.encrypt(&nonce.into(), payload).unwrap());

    let record = seal(&mut Sealer::starting_at(Cipher::Aes256Ccm, &key(), number), b"text");
    let payload = Payload { msg: b"text", aad: &[0, 1, 0, 4] };
    type Ccm = ccm::Ccm<aes_gcm::aes::Aes256, ccm::consts::U16, ccm::consts::U12>;
    let cipher = Ccm::new_from_slice(&key()[..32]).unwrap();
    assert_eq!(record[2..], cipher.encrypt(&nonce.into(), payload).unwrap());
}

#[test]
fn s8_writes_are_cut_and_never_joined() {
    let plaintext: Vec<u8> = (0..2 * PLAINTEXT_MAX + 5).map(|at| u8::try_from(at % 251).unwrap()).collect();
    for (length, records) in [
        (0, vec![]),
        (1, vec![1]),
        (PLAINTEXT_MAX, vec![PLAINTEXT_MAX]),
        (PLAINTEXT_MAX + 1, vec![PLAINTEXT_MAX, 1]),
        (2 * PLAINTEXT_MAX + 5, vec![PLAINTEXT_MAX, PLAINTEXT_MAX, 5]),
    ] {
        let (mut sealer, mut opener) = pair(Cipher::Aes256Gcm);
        let mut out = BytesMut::from(&b"before"[..]);
        sealer.seal(&plaintext[..length], &mut out).unwrap();
        let stream = out.strip_prefix(b"before").unwrap();
        let mut opened = open(&mut opener, stream, 10_000);
        assert_eq!(opened.pop(), Some(Opened::End));
        let mut rest = &plaintext[..length];
        let expected: Vec<_> =
            records.iter().map(|length| data(rest.split_off(..*length).unwrap())).collect();
        assert!(opened == expected && rest.is_empty(), "{length}");
    }
}

#[test]
fn s8_an_empty_record_is_data() {
    let (_, mut opener) = pair(Cipher::Aes256Gcm);
    let stream = [empty_record(0), empty_record(1)].concat();
    assert_eq!(open(&mut opener, &stream, 1), [data(b""), data(b""), Opened::End]);
}

#[test]
fn s8_close_ends_the_stream() {
    let (mut sealer, mut opener) = pair(Cipher::Aes256Gcm);
    let mut out = BytesMut::new();
    sealer.seal(b"last", &mut out).unwrap();
    let more = seal(&mut sealer, b"more");
    sealer.close(&mut out);
    assert_eq!(out[out.len() - 4..], [0xff; 4]);
    out.extend_from_slice(&more);
    assert_eq!(open(&mut opener, &out, 3), [data(b"last"), Opened::End]);
    assert_eq!(opener.open(&mut Bytes::from(more)), None, "what follows is dropped");

    let (_, mut opener) = pair(Cipher::Aes256Gcm);
    assert_eq!(opener.open(&mut Bytes::from_static(&[0xff])), None);
    assert_eq!(
        opener.open(&mut Bytes::from_static(&[0xff])),
        Some(Opened::End),
        "two bytes of it are enough"
    );
}

#[test]
fn s8_lengths_that_no_record_has() {
    for length in [0x8000, 0x8001, 0xfefe, 0xff00, 0xfffe_u16] {
        let (_, mut opener) = pair(Cipher::Aes256Gcm);
        assert_eq!(opener.open(&mut Bytes::copy_from_slice(&length.to_be_bytes())), Some(Opened::Corrupted));
        assert!(opener.is_over());
    }
}

#[test]
fn s8_the_end_of_the_stream_is_clean_only_after_a_record() {
    let stream = [empty_record(0), empty_record(1)].concat();
    for length in 0..=stream.len() {
        let (_, mut opener) = pair(Cipher::Aes256Gcm);
        let opened = open(&mut opener, &stream[..length], 7);
        let end = if length.is_multiple_of(18) { Opened::End } else { Opened::Corrupted };
        assert_eq!(opened.last(), Some(&end), "{length}");
        assert_eq!(opened.len(), length / 18 + 1);
    }
}

#[test]
fn t32_a_changed_bit_anywhere_ends_the_stream() {
    for cipher in CIPHERS {
        let record = seal(&mut Sealer::new(cipher, &key()), b"text");
        for bit in 0..8 * record.len() {
            let mut changed = record.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            changed.extend_from_slice(&record);
            let opened = open(&mut Opener::new(cipher, &key()), &changed, usize::MAX);
            assert_eq!(opened, [Opened::Corrupted], "{cipher:?}, bit {bit}, and nothing after it");
        }
    }
}

#[test]
fn s8_records_replayed_reordered_or_left_out() {
    let mut sealer = Sealer::new(Cipher::Aes256Gcm, &key());
    let [first, second] = [b"1", b"2"].map(|text| seal(&mut sealer, text));
    for (stream, good) in [([&first, &first], 1), ([&second, &first], 0), ([&second, &second], 0)] {
        let (_, mut opener) = pair(Cipher::Aes256Gcm);
        let opened = open(&mut opener, &stream.map(Vec::as_slice).concat(), 5);
        assert_eq!((opened.len(), opened.last()), (good + 1, Some(&Opened::Corrupted)));
    }
}

#[test]
fn t31_the_counter_stops_before_its_end() {
    for cipher in CIPHERS {
        let mut sealer = Sealer::starting_at(cipher, &key(), u64::MAX - 1);
        let mut out = BytesMut::from(&b"before"[..]);
        assert_eq!(sealer.seal(&[0; PLAINTEXT_MAX + 1], &mut out), Err(Exhausted), "two records");
        assert_eq!(out, b"before"[..], "nothing is written");
        let last = seal(&mut sealer, b"last");
        assert_eq!(sealer.seal(b"x", &mut out), Err(Exhausted));
        assert_eq!(sealer.seal(b"", &mut out), Ok(()), "no record");
        assert_eq!(out, b"before"[..]);

        let mut opener = Opener::starting_at(cipher, &key(), u64::MAX - 1);
        let stream = [last.clone(), last].concat();
        assert_eq!(open(&mut opener, &stream, usize::MAX), [data(b"last"), Opened::Corrupted]);
    }
}

#[test]
fn t7_any_split_gives_the_same() {
    let mut sealer = Sealer::new(Cipher::Aes256Gcm, &key());
    let stream = [seal(&mut sealer, b"one"), seal(&mut sealer, b"two"), CLOSE.to_vec()].concat();
    let whole = open(&mut Opener::new(Cipher::Aes256Gcm, &key()), &stream, usize::MAX);
    assert_eq!(whole, [data(b"one"), data(b"two"), Opened::End]);
    for size in 1..stream.len() {
        assert_eq!(open(&mut Opener::new(Cipher::Aes256Gcm, &key()), &stream, size), whole, "{size}");
    }
}

#[test]
fn t2_no_more_than_one_record_is_held_back() {
    let (mut sealer, mut opener) = pair(Cipher::Aes256Gcm);
    let stream = Bytes::from(seal(&mut sealer, &[1; 3 * PLAINTEXT_MAX]));
    let mut piece = stream.slice(..stream.len() - 1);
    while opener.open(&mut piece).is_some() {
        assert!(opener.buffered() <= PLAINTEXT_MAX + TAG);
    }
    assert_eq!(opener.buffered(), PLAINTEXT_MAX + TAG);
    assert!(opener.open(&mut stream.slice(stream.len() - 1..)).is_some());
    assert_eq!(opener.buffered(), 0);
}

#[test]
fn t33_debug_shows_no_secret() {
    let shown = format!("{:?}", pair(Cipher::Aes256Gcm));
    assert_eq!(shown, "(Sealer { .. }, Opener { is_over: false, .. })");
}
