use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};
use miniz_oxide::deflate::compress_to_vec_zlib;
use proptest::prelude::*;

use super::super::{Compression, Event, HEAD, NameError, PackError, Reader, entry};
use super::{
    CONTENT_MAX, EXAMPLE, content, name_of, pack_of, pack_with, packed, read, read_whole, refused, written,
};

fn deflated(bytes: &[u8]) -> Vec<u8> {
    compress_to_vec_zlib(bytes, 6)
}

#[test]
fn s9_the_pack_of_the_original_program_is_read() {
    let read = read_whole(EXAMPLE);
    assert_eq!(read.name, Some(name_of(b"example")));
    assert_eq!(read.size, Some(13));
    assert_eq!(read.content, b"Hello World!\n");
    assert_eq!(read.end, Ok(EXAMPLE.last_chunk().copied()));
}

#[test]
fn t7_any_split_gives_the_same() {
    let small = packed(&content(40), Compression::None);
    for pack in [EXAMPLE, small.as_slice()] {
        let whole = read_whole(pack);
        assert!(matches!(whole.end, Ok(Some(_))));
        for first in 0..=pack.len() {
            let (one, rest) = pack.split_at(first);
            for second in 0..=rest.len() {
                let (two, three) = rest.split_at(second);
                assert_eq!(read(CONTENT_MAX, [one, two, three].into_iter()), whole, "{first}, {second}");
            }
        }
    }
}

#[test]
fn s9_what_follows_the_trailer_is_ignored() {
    let mut padded = BytesMut::from(EXAMPLE);
    padded.extend_from_slice(&[0x50; 0x7fff]);
    assert_eq!(read_whole(&padded), read_whole(EXAMPLE));
    assert_eq!(read(CONTENT_MAX, padded.chunks(1)), read_whole(EXAMPLE));
}

#[test]
fn s8_a_pack_that_is_cut_is_not_complete() {
    for length in 0..EXAMPLE.len() {
        assert_eq!(read_whole(&EXAMPLE[..length]).end, Ok(None), "{length}");
    }
}

#[test]
fn s9_no_flipped_bit_goes_unseen() {
    for bit in 0..EXAMPLE.len() * 8 {
        let mut pack = EXAMPLE.to_vec();
        pack[bit / 8] ^= 1 << (bit % 8);
        let whole = read_whole(&pack);
        assert!(!matches!(whole.end, Ok(Some(_))), "bit {bit}");
        assert_eq!(whole, read(CONTENT_MAX, pack.chunks(1)), "bit {bit}");
        if bit / 8 >= EXAMPLE.len() - 20 {
            assert_eq!(whole.end, Err(PackError::BadSha1));
        }
    }
}

#[test]
fn s9_magic_version_and_number_of_objects_are_checked() {
    assert_eq!(refused(b"PACKpackpack"), PackError::BadVersion(0x7061_636b));
    assert_eq!(refused(b"PICK\0\0\0\x02\0\0\0\x02"), PackError::BadMagic);
    assert_eq!(refused(b"PACK\0\0\0\x03\0\0\0\x02"), PackError::BadVersion(3));
    for objects in [0, 1] {
        assert_eq!(
            refused(&[b"PACK\0\0\0\x02\0\0\0", [objects].as_slice()].concat()),
            PackError::NoFile(objects.into())
        );
    }
}

#[test]
fn s9_a_folder_is_refused_with_advice() {
    assert_eq!(refused(b"PACK\0\0\0\x02\0\0\0\x03"), PackError::Folder(3));
    assert_eq!(refused(b"PACK\0\0\0\x02\xff\xff\xff\xff"), PackError::Folder(u32::MAX));
    let empty_folder = pack_of(&HEAD, &[(1, 30, &[]), (2, 0, &[])]);
    assert_eq!(refused(&empty_folder), PackError::Folder(2));
    assert!(PackError::Folder(3).to_string().contains("ask for an archive"));
}

#[test]
fn s9_a_tag_comes_first_and_then_a_blob() {
    let (name, body) = (deflated(b"file"), deflated(b"content"));
    for kind in [0, 2, 3, 5, 6, 7] {
        let pack = pack_of(&HEAD, &[(kind, 4, &name), (entry::BLOB, 7, &body)]);
        assert_eq!(refused(&pack), PackError::BadEntry(kind));
    }
    for kind in [0, 1, 2, 4, 5, 6, 7] {
        let pack = pack_of(&HEAD, &[(entry::TAG, 4, &name), (kind, 7, &body)]);
        assert_eq!(refused(&pack), PackError::BadEntry(kind));
    }
}

#[test]
fn t5_sizes_have_one_form_and_64_bits() {
    let with = |head: &[u8]| [HEAD.as_slice(), head].concat();
    // 7 in two bytes, and in three.
    assert_eq!(refused(&with(&[0xc7, 0x00])), PackError::BadSize);
    assert_eq!(refused(&with(&[0xc7, 0x80, 0x00])), PackError::BadSize);
    // A bit too many, and a byte.
    let nines = |last: &[u8]| with(&[&[0xcf], [0xff; 8].as_slice(), last].concat());
    assert_eq!(refused(&nines(&[0x10])), PackError::BadSize);
    assert_eq!(refused(&nines(&[0x8f, 0x01])), PackError::BadSize);
    assert_eq!(refused(&nines(&[0x0f])), PackError::Name(NameError::TooLong), "2^64 - 1");
}

#[test]
fn t2_a_declared_size_is_only_a_number() {
    for size in [0xffff, 0x7fff_ffff, 0xffff_ffff, 1 << 63, u64::MAX] {
        let pack = pack_with(size, &deflated(b"x"));
        let read = read(u64::MAX, [pack.as_slice()].into_iter());
        assert_eq!((read.size, read.content), (Some(size), b"x".to_vec()));
        assert_eq!(read.end, Err(PackError::BadLength));
    }
}

#[test]
fn s9_the_limit_of_the_content_holds_at_its_edge() {
    for limit in [0, 9, 10, 11] {
        let pack = pack_with(10, &deflated(&[7; 10]));
        let read = read(limit, [pack.as_slice()].into_iter());
        if limit < 10 {
            assert_eq!((read.size, read.end), (None, Err(PackError::TooLarge { size: 10, limit })));
        } else {
            assert_eq!((read.content, read.end), (vec![7; 10], Ok(pack.last_chunk().copied())));
        }
    }
}

#[test]
fn s9_declared_sizes_are_met_exactly() {
    let body = [7; 20_000];
    for stream in [deflated(&body), compress_to_vec_zlib(&body, 0)] {
        for size in [0, 1, 19_999, 20_001, 40_000] {
            let pack = pack_with(size, &stream);
            assert_eq!(refused(&pack), PackError::BadLength, "{size}");
            let handed_on = read_whole(&pack).content.len();
            assert_eq!(u64::try_from(handed_on).unwrap(), size.min(20_000));
        }
        assert!(matches!(read_whole(&pack_with(20_000, &stream)).end, Ok(Some(_))));
    }
    for size in [3, 5] {
        let pack = pack_of(&HEAD, &[(entry::TAG, size, &deflated(b"file"))]);
        assert_eq!(refused(&pack), PackError::BadLength, "a name of {size}");
    }
}

#[test]
fn s9_a_name_that_may_not_be_is_refused_with_its_reason() {
    let with = |name: &[u8]| {
        let length = u64::try_from(name.len()).unwrap();
        pack_of(&HEAD, &[(entry::TAG, length, &deflated(name)), (entry::BLOB, 1, &deflated(b"x"))])
    };
    let names: [(&[u8], NameError); 5] = [
        (b"", NameError::Empty),
        (b"..", NameError::Special),
        (b"../up", NameError::Separator),
        (b"a\x1b[2J", NameError::Control),
        (&[b'n'; 256], NameError::TooLong),
    ];
    for (name, error) in names {
        assert_eq!(refused(&with(name)), PackError::Name(error));
    }
    assert!(matches!(read_whole(&with(&[b'n'; 255])).end, Ok(Some(_))));
}

#[test]
fn every_error_says_something_else() {
    let errors = [
        PackError::BadMagic,
        PackError::BadVersion(3),
        PackError::Folder(3),
        PackError::NoFile(1),
        PackError::BadEntry(5),
        PackError::BadSize,
        PackError::Name(NameError::Empty),
        PackError::Name(NameError::TooLong),
        PackError::Name(NameError::Special),
        PackError::Name(NameError::Separator),
        PackError::Name(NameError::Drive),
        PackError::Name(NameError::Control),
        PackError::Name(NameError::Ending),
        PackError::Name(NameError::Reserved),
        PackError::TooLarge { size: 11, limit: 10 },
        PackError::BadZlibHead,
        PackError::BadDeflate,
        PackError::BadAdler32,
        PackError::BadLength,
        PackError::Quiet,
        PackError::BadSha1,
    ];
    let mut texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert!(texts.iter().all(|text| text.starts_with(char::is_lowercase) && !text.ends_with('.')));
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), errors.len());
}

/// Back-pressure: what is not asked for is neither taken nor inflated.
#[test]
fn a_piece_at_a_time() {
    let bomb = pack_with(32 << 20, &compress_to_vec_zlib(&vec![0; 32 << 20], 9));
    assert!(bomb.len() < 33 * 1024);
    let (mut reader, mut bytes) = (Reader::new(u64::MAX), Bytes::from(bomb));
    let mut pieces = 0u32;
    loop {
        let before = bytes.len();
        match reader.next_event(&mut bytes).unwrap() {
            Some(Event::Content(piece)) => {
                pieces += 1;
                assert!(piece.len() <= 16 * 1024);
                assert!(before - bytes.len() < 200, "no more was taken than needed");
            }
            Some(Event::Complete { .. }) => break,
            Some(_) => {}
            None => panic!("all was there"),
        }
    }
    assert!(pieces >= 2048);
}

/// The hot path: content without compression is not copied.
#[test]
fn stored_content_is_a_view_of_the_input() {
    let pack = Bytes::from(packed(&content(1000), Compression::None));
    let (mut reader, mut bytes) = (Reader::new(CONTENT_MAX), pack.clone());
    while let Some(event) = reader.next_event(&mut bytes).unwrap() {
        if let Event::Content(piece) = event {
            assert!(pack.as_ptr_range().contains(&piece.as_ptr()));
            assert_eq!(piece, content(1000));
        }
    }
    assert!(reader.is_complete());
}

proptest! {
    #[test]
    fn what_was_written_is_read(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2000), 0..20),
        repeats in 1usize..40,
        compressed in any::<bool>(),
        size in 1usize..40_000,
    ) {
        let pieces: Vec<_> = pieces.iter().map(|piece| piece.repeat(repeats)).collect();
        let content = pieces.concat();
        let compression = if compressed { Compression::Level4 } else { Compression::None };
        let pack = written(b"file", content.len(), compression, pieces.iter().map(Vec::as_slice));
        let read = read(1 << 30, pack.chunks(size));
        prop_assert!(read.content == content);
        prop_assert_eq!(read.end, Ok(pack.last_chunk().copied()));
    }

    #[test]
    fn zlib_of_any_level_is_read(
        bytes in prop::collection::vec(any::<u8>(), 0..3000),
        repeats in 1usize..30,
        level in 0u8..=10,
        size in 1usize..5000,
    ) {
        let content = bytes.repeat(repeats);
        let pack = pack_with(u64::try_from(content.len()).unwrap(), &compress_to_vec_zlib(&content, level));
        let read = read(CONTENT_MAX, pack.chunks(size));
        prop_assert!(read.content == content);
        prop_assert_eq!(read.end, Ok(pack.last_chunk().copied()));
    }
}
