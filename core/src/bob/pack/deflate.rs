//! Writing zlib streams: a head, deflate, Adler-32 (RFC 1950).

use alloc::boxed::Box;
use core::fmt;

use bytes::{BufMut, BytesMut};
use miniz_oxide::deflate::core::{
    CompressorOxide, TDEFLFlush, compress_to_output, create_comp_flags_from_zip_params,
};
use simd_adler32::Adler32;

/// The longest stored block.
const STORED_MAX: u16 = u16::MAX;

/// How content travels.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Compression {
    /// As it is, in stored blocks.
    None,
    /// Compressed by zlib's level 4, as the original program does. The default.
    #[default]
    Level4,
}

/// One zlib stream.
pub(super) struct Deflater {
    adler32: Adler32,
    body: Body,
}

enum Body {
    /// So many bytes are left behind the current block, and in it.
    Stored {
        behind: u64,
        block: u16,
    },
    Compressed(Box<CompressorOxide>),
}

impl Deflater {
    /// Starts a stream of `size` bytes of content.
    pub(super) fn new(size: u64, compression: Compression, out: &mut BytesMut) -> Self {
        let body = match compression {
            Compression::None => {
                out.put_slice(&[0x78, 0x01]);
                let mut behind = size;
                let block = start_block(&mut behind, out);
                Body::Stored { behind, block }
            }
            Compression::Level4 => {
                out.put_slice(&[0x78, 0x5e]);
                // No window bits: the deflate alone.
                Body::Compressed(Box::new(CompressorOxide::new(create_comp_flags_from_zip_params(4, 0, 0))))
            }
        };
        Self { adler32: Adler32::new(), body }
    }

    /// Writes content, in all no more than was announced.
    pub(super) fn write(&mut self, content: &[u8], out: &mut BytesMut) {
        self.adler32.write(content);
        match &mut self.body {
            Body::Stored { behind, block } => {
                let mut rest = content;
                while !rest.is_empty() {
                    if *block == 0 {
                        *block = start_block(behind, out);
                    }
                    let (piece, next) = rest.split_at_checked(usize::from(*block)).unwrap_or((rest, &[]));
                    out.put_slice(piece);
                    *block = block.saturating_sub(u16::try_from(piece.len()).unwrap_or(u16::MAX));
                    rest = next;
                }
            }
            Body::Compressed(compressor) => compress(compressor, content, TDEFLFlush::None, out),
        }
    }

    /// Ends the stream.
    pub(super) fn finish(&mut self, out: &mut BytesMut) {
        if let Body::Compressed(compressor) = &mut self.body {
            compress(compressor, &[], TDEFLFlush::Finish, out);
        }
        out.put_u32(self.adler32.finish());
    }
}

impl fmt::Debug for Deflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflater").finish_non_exhaustive()
    }
}

/// Starts a stored block, the last one if all that is left fits in; its length.
fn start_block(left: &mut u64, out: &mut BytesMut) -> u16 {
    let length = u16::try_from(*left).unwrap_or(STORED_MAX);
    *left = left.saturating_sub(u64::from(length));
    out.put_u8(u8::from(*left == 0));
    out.put_u16_le(length);
    out.put_u16_le(!length);
    length
}

fn compress(compressor: &mut CompressorOxide, content: &[u8], flush: TDEFLFlush, out: &mut BytesMut) {
    let _ = compress_to_output(compressor, content, flush, |bytes| {
        out.put_slice(bytes);
        true
    });
}
