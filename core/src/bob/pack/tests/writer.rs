use bytes::BytesMut;

use super::super::{Compression, WriteError, Writer};
use super::{CONTENT_MAX, EXAMPLE, content, entries, name_of, packed, read, written};

#[test]
fn s9_a_small_file_has_the_bytes_of_the_original_program() {
    let pack = written(b"example", 13, Compression::Level4, [b"Hello World!\n".as_slice()].into_iter());
    assert_eq!(pack, EXAMPLE);
}

#[test]
fn s9_without_compression_there_are_stored_blocks() {
    let expected: &[u8] = b"PACK\0\0\0\x02\0\0\0\x02\
        \x47\x78\x01\x01\x07\x00\xf8\xffexample\x0b\xc0\x02\xed\
        \x33\x78\x01\x01\x03\x00\xfc\xffabc\x02\x4d\x01\x27";
    let pack = written(b"example", 3, Compression::None, [b"abc".as_slice()].into_iter());
    assert_eq!(pack.get(..expected.len()), Some(expected));
    assert_eq!(pack.len(), expected.len() + 20);
}

#[test]
fn s9_both_entries_are_zlib_streams_of_the_announced_size() {
    for compression in [Compression::None, Compression::Level4] {
        for length in [0, 1, 15, 16, 2047, 2048, 65_535, 65_536, 200_000] {
            let content = content(length);
            let expected = [(4, b"file".to_vec()), (3, content.clone())];
            assert!(entries(&packed(&content, compression)) == expected, "{length} bytes, {compression:?}");
        }
    }
}

#[test]
fn how_content_is_cut_does_not_show() {
    let content = content(100_000);
    for compression in [Compression::None, Compression::Level4] {
        let whole = packed(&content, compression);
        for size in [1, 7, 32_767, 65_535, 65_536] {
            assert_eq!(whole, written(b"file", content.len(), compression, content.chunks(size)));
        }
    }
}

#[test]
fn what_is_written_is_appended() {
    let mut out = BytesMut::from(b"before".as_slice());
    let mut writer = Writer::new(&name_of(b"example"), 13, Compression::Level4);
    writer.write(b"Hello World!\n", &mut out).unwrap();
    writer.finish(&mut out).unwrap();
    assert_eq!(out.strip_prefix(b"before"), Some(EXAMPLE));
}

#[test]
fn more_or_less_content_than_announced_is_refused_and_changes_nothing() {
    let mut writer = Writer::new(&name_of(b"example"), 13, Compression::Level4);
    let mut out = BytesMut::new();
    assert_eq!(writer.write(&[0; 14], &mut out), Err(WriteError::TooMuch(13)));
    writer.write(b"Hello ", &mut out).unwrap();
    let before = out.clone();
    assert_eq!(writer.remaining(), 7);
    assert_eq!(writer.finish(&mut out), Err(WriteError::TooLittle(7)));
    assert_eq!(writer.write(&[0; 8], &mut out), Err(WriteError::TooMuch(7)));
    assert_eq!(out, before);
    writer.write(b"World!\n", &mut out).unwrap();
    assert_eq!(writer.write(b"x", &mut out), Err(WriteError::TooMuch(0)));
    writer.finish(&mut out).unwrap();
    assert_eq!(out, EXAMPLE);
    assert_eq!(writer.finish(&mut out), Err(WriteError::Finished));
    assert_eq!(writer.write(b"", &mut out), Err(WriteError::Finished));
    assert_eq!(out, EXAMPLE);
}

#[test]
fn s10_files_around_the_size_of_a_record_come_back() {
    for compression in [Compression::None, Compression::Level4] {
        for length in [0, 1, 32_767, 32_768, 65_535, 65_536, 70_000] {
            let content = content(length);
            let pack = packed(&content, compression);
            for size in [1, 1000, 32_767, pack.len()] {
                let read = read(CONTENT_MAX, pack.chunks(size));
                assert_eq!(read.name, Some(name_of(b"file")));
                assert_eq!(read.size, Some(u64::try_from(length).unwrap()));
                assert!(read.content == content, "{length} bytes, {compression:?}, in pieces of {size}");
                assert_eq!(read.end, Ok(pack.last_chunk().copied()));
            }
        }
    }
}
