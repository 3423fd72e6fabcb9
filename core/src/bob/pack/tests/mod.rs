//! One test a rule of `bob-relay` 9, by part.
#![allow(clippy::arithmetic_side_effects)] // Nobody else's numbers.

mod name;
mod reader;
mod streams;
mod writer;

use alloc::vec;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};
use miniz_oxide::deflate::compress_to_vec_zlib;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_COMPUTE_ADLER32, TINFL_FLAG_PARSE_ZLIB_HEADER, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use sha1::{Digest, Sha1};

use super::*;

/// The pack that the original program sends for the file `example` of "Hello World!\n".
const EXAMPLE: &[u8] = b"PACK\0\0\0\x02\0\0\0\x02\
    \x47\x78\x5e\x4b\xad\x48\xcc\x2d\xc8\x49\x05\x00\x0b\xc0\x02\xed\
    \x3d\x78\x5e\xf3\x48\xcd\xc9\xc9\x57\x08\xcf\x2f\xca\x49\x51\xe4\x02\x00\x20\x91\x04\x48\
    \xb1\xe3\x68\x19\xef\x2b\xcd\xc9\xe5\xbe\xfb\x3d\xaf\xae\xe1\x9e\xd2\x66\x46\xcb";

const CONTENT_MAX: u64 = 1 << 20;

fn name_of(bytes: &[u8]) -> Name {
    Name::try_from(bytes).unwrap()
}

/// Bytes without a pattern that repeats within a window, some of which compress.
fn content(length: usize) -> Vec<u8> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        u8::try_from(state >> 24).unwrap()
    };
    (0..length).map(|at| if at % 3 == 0 { next() } else { b'.' }).collect()
}

/// What the writer makes of content that comes in pieces.
fn written<'a>(
    name: &[u8],
    size: usize,
    compression: Compression,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> Vec<u8> {
    let mut writer = Writer::new(&name_of(name), u64::try_from(size).unwrap(), compression);
    let mut out = BytesMut::new();
    for piece in pieces {
        writer.write(piece, &mut out).unwrap();
    }
    let sha1 = writer.finish(&mut out).unwrap();
    assert!(out.ends_with(&sha1));
    out.to_vec()
}

fn packed(content: &[u8], compression: Compression) -> Vec<u8> {
    written(b"file", content.len(), compression, [content].into_iter())
}

/// Type and content of each entry, as another decoder reads them.
fn entries(pack: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let flags =
        TINFL_FLAG_PARSE_ZLIB_HEADER | TINFL_FLAG_COMPUTE_ADLER32 | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let mut rest = &pack[HEAD_LENGTH..pack.len() - SHA1_LENGTH];
    let mut entries = Vec::new();
    while let [first, ..] = rest {
        let head = rest.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
        let size = rest[1..head].iter().rev().fold(0, |size, byte| (size << 7) | usize::from(byte & 0x7f));
        let mut content = vec![0; (size << 4) | usize::from(first & 0xf)];
        let (status, taken, written) =
            decompress(&mut DecompressorOxide::new(), &rest[head..], &mut content, 0, flags);
        assert_eq!((status, written), (TINFLStatus::Done, content.len()));
        entries.push(((first >> 4) & 7, content));
        rest = &rest[head + taken..];
    }
    entries
}

/// A pack put together by hand: entries of type, declared size and zlib stream, and the SHA-1 that fits.
fn pack_of(head: &[u8], entries: &[(u8, u64, &[u8])]) -> Vec<u8> {
    let mut pack = BytesMut::from(head);
    for (kind, size, stream) in entries {
        entry::encode(*kind, *size, &mut pack);
        pack.extend_from_slice(stream);
    }
    let sha1 = Sha1::digest(&pack);
    pack.extend_from_slice(&sha1);
    pack.to_vec()
}

/// A pack of which the content is this zlib stream.
fn pack_with(size: u64, stream: &[u8]) -> Vec<u8> {
    let name = compress_to_vec_zlib(b"file", 6);
    pack_of(&HEAD, &[(entry::TAG, 4, &name), (entry::BLOB, size, stream)])
}

/// What a reader made of a stream.
#[derive(Debug, Eq, PartialEq)]
struct Read {
    name: Option<Name>,
    size: Option<u64>,
    content: Vec<u8>,
    /// The SHA-1, if it came to the end; none if it wants more.
    end: Result<Option<[u8; SHA1_LENGTH]>, PackError>,
}

/// Feeds pieces, and checks the order of the events.
fn read<'a>(content_max: u64, pieces: impl Iterator<Item = &'a [u8]>) -> Read {
    let mut reader = Reader::new(content_max);
    let mut read = Read { name: None, size: None, content: Vec::new(), end: Ok(None) };
    for piece in pieces {
        let mut bytes = Bytes::copy_from_slice(piece);
        loop {
            assert_eq!(reader.is_complete(), matches!(read.end, Ok(Some(_))));
            match reader.next_event(&mut bytes) {
                Ok(Some(event)) => read.on_event(event),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(reader.next_event(&mut bytes), Err(error), "it stays refused");
                    read.end = Err(error);
                    return read;
                }
            }
        }
        assert!(bytes.is_empty(), "all has been taken");
    }
    read
}

impl Read {
    fn on_event(&mut self, event: Event) {
        assert_eq!(self.end, Ok(None), "nothing comes behind the end");
        match event {
            Event::Name(name) => {
                assert_eq!(self.size, None);
                assert_eq!(self.name.replace(name), None);
            }
            Event::Size(size) => {
                assert!(self.name.is_some());
                assert_eq!(self.size.replace(size), None);
            }
            Event::Content(piece) => {
                assert!((1..=PIECE_MAX).contains(&piece.len()));
                self.content.extend_from_slice(&piece);
                assert!(u64::try_from(self.content.len()).unwrap() <= self.size.unwrap());
            }
            Event::Complete { sha1 } => {
                assert_eq!(u64::try_from(self.content.len()).unwrap(), self.size.unwrap());
                self.end = Ok(Some(sha1));
            }
        }
    }
}

fn read_whole(pack: &[u8]) -> Read {
    read(CONTENT_MAX, [pack].into_iter())
}

/// Why a pack is refused, the same byte by byte.
fn refused(pack: &[u8]) -> PackError {
    let whole = read_whole(pack);
    assert_eq!(whole, read(CONTENT_MAX, pack.chunks(1)));
    whole.end.expect_err("it is refused")
}
