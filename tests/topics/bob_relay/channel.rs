//! The records of the channel.

use bytes::{Bytes, BytesMut};
use pleach_core::bob::channel::{self, CLOSE, Opened, Opener, Sealer};
use pleach_core::bob::public::Cipher;
use pleach_core::bob::spoke::Keys;

use super::array;
use crate::harness::{Members, Topic, unhex};

pub(super) fn channel(topic: &mut Topic) {
    topic.file("channel.json", |topic, mut file| {
        let keys = [array(&mut file, "shared_key_0"), array(&mut file, "shared_key_1")];
        topic.cases(&mut file, "ciphers_in_upstream", |case| cipher(case, keys));
        topic.cases(&mut file, "gcm_streams", stream);
        topic.cases(&mut file, "gcm_sequences", |case| sequence(case, &keys[0]));
        topic.cases(&mut file, "gcm_reading", reading);
    });
}

/// A list of texts in hex.
fn list(case: &mut Members, name: &str) -> Vec<Vec<u8>> {
    let values = case.values(name);
    values.iter().map(|value| value.as_str().and_then(unhex).expect("bytes in hex")).collect()
}

fn seal(sealer: &mut Sealer, plaintext: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    sealer.seal(plaintext, &mut out).expect("the counter is not used up");
    out.freeze()
}

/// All that comes out of a stream, in pieces of `size` bytes, up to how it ends.
fn open(opener: &mut Opener, stream: &[u8], size: usize) -> (Vec<Bytes>, Opened) {
    let (mut data, mut how) = (Vec::new(), None);
    for piece in stream.chunks(size.max(1)) {
        let mut piece = Bytes::copy_from_slice(piece);
        while let Some(opened) = opener.open(&mut piece) {
            match opened {
                Opened::Data(bytes) => data.push(bytes),
                over @ (Opened::End | Opened::Corrupted) => {
                    assert_eq!(how.replace(over), None, "it is over once");
                }
            }
        }
        assert!(piece.is_empty());
    }
    let how = how.or_else(|| opener.end_of_stream()).expect("it is over");
    assert_eq!(opener.end_of_stream(), None);
    (data, how)
}

/// Both directions under each cipher; bytes are published of the one that the other implementation can do.
fn cipher(mut case: Members, keys: [[u8; 64]; 2]) {
    let name = case.text("cipher");
    let cipher = match name.as_str() {
        "aes-256-gcm" => Cipher::Aes256Gcm,
        "aes-256-ccm" => Cipher::Aes256Ccm,
        "chacha20-poly1305" => Cipher::ChaCha20Poly1305,
        other => panic!("an unknown cipher: {other}"),
    };
    let keys = Keys::from_bytes(keys);
    let published = case.bytes("bytes");
    let plaintext = if case.text("result") == "ok" {
        // The published record is one from the client.
        let (data, how) = open(&mut channel::of_server(&keys, [cipher; 2]).1, &published, usize::MAX);
        assert_eq!((data.len(), how), (1, Opened::End), "{name}");
        assert_eq!(seal(&mut channel::of_client(&keys, [cipher; 2]).0, &data[0]), published, "{name}");
        data[0].clone()
    } else {
        assert!(published.is_empty(), "{name}");
        Bytes::from_static(b"hello")
    };
    let (mut server, mut from_client) = channel::of_server(&keys, [cipher; 2]);
    let (mut client, mut from_server) = channel::of_client(&keys, [cipher; 2]);
    for (sealer, opener) in [(&mut server, &mut from_server), (&mut client, &mut from_client)] {
        let sealed = [seal(sealer, &plaintext), seal(sealer, &plaintext)];
        assert_ne!(sealed[0], sealed[1], "{name}: the counter counts");
        let opened = open(opener, &sealed.concat(), 5);
        assert_eq!(opened, (vec![plaintext.clone(), plaintext.clone()], Opened::End), "{name}");
    }
}

/// What the application writes, and what a reader makes of it.
fn stream(mut case: Members) {
    let (name, key) = (case.text("name"), array::<64>(&mut case, "shared_key"));
    assert_eq!([case.bytes("key"), case.bytes("base_nonce")].concat(), key[..44], "{name}");
    let mut sealer = Sealer::new(Cipher::Aes256Gcm, &key);
    let writes = list(&mut case, "writes");
    let published = list(&mut case, "bytes_for_each_write");
    assert_eq!(writes.len(), published.len(), "{name}");
    for (write, published) in writes.iter().zip(&published) {
        assert!(seal(&mut sealer, write) == published, "{name}: a write of {} bytes", write.len());
    }
    let mut close = BytesMut::new();
    sealer.close(&mut close);
    assert_eq!(close, case.bytes("close"), "{name}");
    assert_eq!(CLOSE.as_slice(), case.bytes("receiver_answers_to_close"), "{name}");

    let stream = [published.concat(), close.to_vec()].concat();
    for size in [1, 17, 4096, usize::MAX] {
        let (data, how) = open(&mut Opener::new(Cipher::Aes256Gcm, &key), &stream, size);
        assert_eq!(how, Opened::End, "{name}");
        assert!(data.concat() == writes.concat(), "{name}");
        if case.names().iter().any(|name| name == "read_back_as") {
            assert_eq!(data, list(&mut case, "read_back_as"), "{name}");
        }
        if case.names().iter().any(|name| name == "read_back_lengths") {
            let published: Vec<_> = case.values("read_back_lengths").iter().map(|n| n.as_u64()).collect();
            let ours: Vec<_> = data.iter().map(|data| u64::try_from(data.len()).ok()).collect();
            assert_eq!(ours, published, "{name}");
        }
    }
}

/// One record of a given number.
fn sequence(mut case: Members, key: &[u8; 64]) {
    let (number, plaintext) = (case.number("sequence"), case.bytes("plaintext"));
    assert_eq!([&key[32..44], &number.to_be_bytes()].concat(), case.bytes("nonce"), "{number}");
    let length = u16::try_from(plaintext.len()).expect("a record").to_be_bytes();
    assert_eq!([&[0, 1], &length[..]].concat(), case.bytes("aad"), "{number}");
    let record = [&length[..], &case.bytes("ciphertext_and_tag")].concat();
    let cipher = Cipher::Aes256Gcm;
    assert_eq!(seal(&mut Sealer::starting_at(cipher, key, number), &plaintext), record, "{number}");
    let (data, how) = open(&mut Opener::starting_at(cipher, key, number), &record, usize::MAX);
    assert_eq!((data.concat(), how), (plaintext, Opened::End), "{number}");
}

/// Damaged streams.
fn reading(mut case: Members) {
    let (name, key) = (case.text("name"), array(&mut case, "shared_key"));
    let mut outcome = Members::new(name.clone(), case.value("outcome"));
    let mut stream = outcome.bytes("bytes");
    if outcome.names().iter().any(|name| name == "then_filler_bytes_7a") {
        let filler = outcome.number("then_filler_bytes_7a").try_into().expect("a number of bytes");
        stream.extend(std::iter::repeat_n(0x7a, filler));
    }
    let published = outcome.text("ends_with");
    let how = if case.names().iter().any(|name| name == "upstream_defect_or_laxity") {
        case.remark("upstream_defect_or_laxity");
        Opened::Corrupted
    } else {
        match published.as_str() {
            "end" => Opened::End,
            "corrupted" => Opened::Corrupted,
            other => panic!("{name}: an unknown end: {other}"),
        }
    };
    let data = list(&mut outcome, "data");
    for size in [1, 3, usize::MAX] {
        let ours = open(&mut Opener::new(Cipher::Aes256Gcm, &key), &stream, size);
        assert_eq!((&ours.0, &ours.1), (&data.iter().cloned().map(Bytes::from).collect(), &how), "{name}");
    }
}
