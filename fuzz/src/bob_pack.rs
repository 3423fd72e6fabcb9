//! The pack that carries a file of Bob.

use bytes::{BufMut, Bytes, BytesMut};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_HAS_MORE_INPUT, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use pleach_core::bob::pack::{Compression, Event, Name, PIECE_MAX, PackError, Reader, Writer};
use simd_adler32::adler32;

use crate::wire::frugal;

/// Of a file, in bytes. A stream of the fuzzer's size inflates to more.
const CONTENT_MAX: usize = 1 << 20;

/// `bob::pack`: a pack as it comes, the deflate stream in one, and content that goes into one.
pub fn pack(data: &[u8]) {
    frugal(data, || drain(data));
    let whole = read([data].into_iter());
    let size = data.len().checked_rem(97).unwrap_or(0).saturating_add(1);
    assert!(whole == read(data.chunks(1)), "byte by byte");
    assert!(whole == read(data.chunks(size)), "in pieces of {size}");
    as_name(data);
    as_deflate(data);
    as_content(data, size);
}

/// Reads and keeps nothing: what it takes does not depend on what the stream inflates to.
fn drain(data: &[u8]) {
    let mut reader = Reader::new(CONTENT_MAX as u64);
    let mut bytes = Bytes::copy_from_slice(data);
    while let Ok(Some(event)) = reader.next_event(&mut bytes) {
        if let Event::Content(piece) = event {
            assert!((1..=PIECE_MAX).contains(&piece.len()));
        }
    }
}

/// What a reader made of a stream: content without its cuts, and how it ended.
type Read = (Option<Name>, Option<u64>, Vec<u8>, Result<bool, PackError>);

fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Read {
    let mut reader = Reader::new(CONTENT_MAX as u64);
    let (mut name, mut size, mut content) = (None, None, Vec::new());
    for piece in pieces {
        let mut bytes = Bytes::copy_from_slice(piece);
        loop {
            match reader.next_event(&mut bytes) {
                Ok(Some(Event::Name(found))) => name = Some(found),
                Ok(Some(Event::Size(found))) => size = Some(found),
                Ok(Some(Event::Content(piece))) => content.extend_from_slice(&piece),
                Ok(Some(Event::Complete { .. })) => assert_eq!(size, Some(content.len() as u64)),
                Ok(None) => break,
                Err(error) => return (name, size, content, Err(error)),
            }
        }
        assert!(bytes.is_empty(), "all has been taken");
    }
    assert!(content.len() <= CONTENT_MAX);
    (name, size, content, Ok(reader.is_complete()))
}

/// A name is refused, or travels.
fn as_name(data: &[u8]) {
    let Ok(name) = Name::try_from(data) else { return };
    assert_eq!(name.as_bytes(), data);
    let mut writer = Writer::new(&name, 0, Compression::None);
    let mut out = BytesMut::new();
    assert!(writer.finish(&mut out).is_ok());
    assert_eq!(read([&*out].into_iter()), (Some(name), Some(0), Vec::new(), Ok(true)));
}

/// The content of an otherwise good pack, inflated by another decoder: it says the same.
fn as_deflate(data: &[u8]) {
    let mut content = vec![0; 32 * 1024];
    let flags = TINFL_FLAG_HAS_MORE_INPUT | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let (status, taken, written) = decompress(&mut DecompressorOxide::new(), data, &mut content, 0, flags);
    content.truncate(written);
    let done = status == TINFLStatus::Done;
    let (size, stream) =
        if done { (written, data.get(..taken).unwrap_or_default()) } else { (CONTENT_MAX, data) };
    let pack = with_stream(size as u64, stream, adler32(&content.as_slice()));
    let (_, _, found, end) = read(pack.chunks(data.len().max(1)));
    if done {
        assert!(found == content && end == Ok(false), "all but the SHA-1: {end:?}");
    } else if status == TINFLStatus::Failed {
        assert!(matches!(end, Err(PackError::BadDeflate | PackError::Quiet)), "{end:?}");
    }
}

/// A pack up to the end of this stream of content.
fn with_stream(size: u64, deflate: &[u8], adler32: u32) -> BytesMut {
    let mut pack = BytesMut::new();
    if let Ok(name) = Name::try_from(b"x".as_slice()) {
        let mut writer = Writer::new(&name, size, Compression::None);
        assert!(writer.write(&[], &mut pack).is_ok());
    }
    // Without the head of the stored block that the writer has started.
    pack.truncate(pack.len().saturating_sub(5));
    pack.extend_from_slice(deflate);
    pack.put_u32(adler32);
    pack
}

/// What is written is read.
fn as_content(data: &[u8], size: usize) {
    let Ok(name) = Name::try_from(b"x".as_slice()) else { return };
    for compression in [Compression::None, Compression::Level4] {
        let mut writer = Writer::new(&name, data.len() as u64, compression);
        let mut out = BytesMut::new();
        for piece in data.chunks(size) {
            assert!(writer.write(piece, &mut out).is_ok());
        }
        assert!(writer.finish(&mut out).is_ok());
        let (_, _, content, end) = read(out.chunks(size));
        assert!(content == data && end == Ok(true), "{compression:?}: {end:?}");
    }
}
