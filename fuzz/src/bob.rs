//! Decoders of Bob.

use bytes::{Bytes, BytesMut};
use pleach_core::bob::channel::{Opened, Opener, PLAINTEXT_MAX, Sealer};
use pleach_core::bob::public::{Cipher, Public};
use pleach_core::bob::spoke::group::Element;
use pleach_core::bob::spoke::{Failure, Verifier};
use pleach_tests::choices::Choices;

use crate::wire::frugal;

/// The first key of the published vectors, so that their streams open.
const KEY: [u8; 64] = [
    0xba, 0x93, 0x3b, 0x40, 0x1f, 0x12, 0xbd, 0x35, 0xce, 0x98, 0x8e, 0x46, 0x74, 0x03, 0xe1, 0xd7, 0xb3,
    0x61, 0xcf, 0xb8, 0x88, 0xec, 0x8f, 0x4e, 0xf1, 0x2b, 0xbc, 0x5c, 0xf3, 0xd9, 0xd2, 0x9e, 0xd0, 0xe5,
    0xed, 0x9f, 0xbf, 0x4b, 0x9d, 0x1a, 0xe2, 0x55, 0xf5, 0xb7, 0x09, 0xef, 0x61, 0xe6, 0x6f, 0x36, 0x52,
    0x02, 0xb6, 0xa8, 0x3f, 0x99, 0x41, 0xb3, 0x64, 0x76, 0x36, 0x84, 0x19, 0xd6,
];

/// What is read of a handshake: parameters, points, and a stored verifier.
pub fn public(data: &[u8]) {
    if let Ok(public) = frugal(data, || Public::decode(data)) {
        assert_eq!(public.encode(), data, "there is one encoding");
        assert_eq!(Public::new(public.count(), public.ciphers(), *public.salt()), Ok(public));
    }
    if let Some(point) = data.first_chunk().and_then(Element::decode) {
        assert_eq!(Element::decode(&point.encode()), Some(point));
    }
    match frugal(data, || Verifier::decode(data)) {
        Ok(verifier) => {
            let encoded = verifier.encode();
            let again = Verifier::decode(encoded.as_slice()).map(|again| *again.encode());
            assert_eq!(again, Ok(*encoded));
        }
        Err(failure) => assert_eq!(failure, Failure::InvalidSecret),
    }
}

/// Records: what comes out does not depend on cuts, and nothing comes out that was not sealed.
pub fn record(data: &[u8]) {
    let whole = open(data, data.len());
    assert_eq!(whole, open(data, 1), "byte by byte");
    assert_eq!(whole, open(data, 21), "in pieces");
    damaged(data);
}

/// The data of a stream, and how it ends.
fn open(stream: &[u8], size: usize) -> (Vec<Bytes>, Option<Opened>) {
    let mut opener = Opener::new(Cipher::Aes256Gcm, &KEY);
    let (mut data, mut end) = (Vec::new(), None);
    for piece in stream.chunks(size.max(1)) {
        let mut piece = Bytes::copy_from_slice(piece);
        while let Some(opened) = frugal(stream, || opener.open(&mut piece)) {
            match opened {
                Opened::Data(bytes) => {
                    assert_eq!(end, None, "nothing comes after the end");
                    data.push(bytes);
                }
                over @ (Opened::End | Opened::Corrupted) => {
                    assert_eq!(end.replace(over), None, "it ends once");
                }
            }
        }
        assert!(piece.is_empty(), "all has been taken");
    }
    assert_eq!(end.is_some(), opener.is_over());
    let end = end.or_else(|| opener.end_of_stream());
    (data, end)
}

/// Seals writes that the input chooses and flips one bit: all before it comes out, and nothing else.
fn damaged(data: &[u8]) {
    let mut choices = Choices::new(data);
    let mut sealer = Sealer::new(Cipher::Aes256Gcm, &KEY);
    let (mut stream, mut ends, mut writes) = (BytesMut::new(), Vec::new(), Vec::new());
    for _ in 0..choices.below(4) {
        let write = choices.content(PLAINTEXT_MAX);
        assert_eq!(sealer.seal(&write, &mut stream), Ok(()));
        if !write.is_empty() {
            writes.push(write);
            ends.push(stream.len());
        }
    }
    assert_eq!(open(&stream, stream.len()), (writes.clone(), Some(Opened::End)));
    let at = choices.below(stream.len());
    let bit = choices.byte() % 8;
    let Some(byte) = stream.get_mut(at) else { return };
    *byte ^= 1 << bit;
    let whole = ends.iter().filter(|end| **end <= at).count();
    writes.truncate(whole);
    let start = ends.get(..whole).and_then(<[usize]>::last).copied().unwrap_or_default();
    // The longest length is one bit away from the close marker, which is not authenticated.
    let is_close = stream.get(start..).unwrap_or_default().starts_with(&[0xff; 2]);
    let end = if is_close { Opened::End } else { Opened::Corrupted };
    assert_eq!(open(&stream, stream.len()), (writes, Some(end)));
}
