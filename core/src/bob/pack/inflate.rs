//! Reading zlib streams, piece by piece (RFC 1950, RFC 1951).

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::{fmt, mem};

use bytes::Bytes;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_HAS_MORE_INPUT, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, TINFL_LZ_DICT_SIZE, decompress_with_limit};
use simd_adler32::Adler32;

use super::error::PackError;
use super::input::{Gather, Input};

/// Bytes of the longest piece of content: a whole stored block.
pub const PIECE_MAX: usize = 65_535;

/// Of so many bytes of a zlib stream in a row (8192), content aside, at least one yields content. A stream of empty blocks
/// would otherwise never end (T-7).
pub const QUIET_MAX: usize = 8192;

/// Bytes that are inflated at a time; they are copied.
const INFLATED_MAX: usize = 16 * 1024;

/// How far back a match may lead.
const WINDOW: usize = TINFL_LZ_DICT_SIZE;

/// One zlib stream after the other.
///
/// Stored blocks are handed on as they are, as long as the stream consists of nothing else. From the first compressed
/// block on miniz_oxide reads it; what a match may refer to is kept for that case.
pub(super) struct Inflater {
    state: State,
    adler32: Adler32,
    /// The content before, a ring that is written at `position`. Allocated with the first content.
    window: Vec<u8>,
    position: usize,
    /// Whether the ring is full.
    wrapped: bool,
    decompressor: Option<Box<DecompressorOxide>>,
    /// Bytes since the last look at whether there was content, and whether there was.
    quiet: usize,
    fruitful: bool,
}

#[derive(Debug)]
enum State {
    Head(Gather<2>),
    /// At a block, on a byte boundary; all blocks before were stored.
    Block(Gather<5>),
    Stored {
        left: u16,
        last: bool,
    },
    Compressed,
    Adler32(Gather<4>),
    End,
}

/// What came of a stream.
#[derive(Debug)]
pub(super) enum Inflated {
    /// Content, never empty.
    Piece(Bytes),
    /// The stream is over.
    End,
    /// More input is needed.
    Starved,
}

impl Inflater {
    /// Before the first byte of a stream.
    pub(super) fn new() -> Self {
        Self {
            state: State::Head(Gather::new()),
            adler32: Adler32::new(),
            window: Vec::new(),
            position: 0,
            wrapped: false,
            decompressor: None,
            quiet: 0,
            fruitful: false,
        }
    }

    /// Before the first byte of another stream.
    pub(super) fn restart(&mut self) {
        let (window, decompressor) = (mem::take(&mut self.window), self.decompressor.take());
        *self = Self { window, decompressor, ..Self::new() };
    }

    /// Takes input until something has come of it.
    pub(super) fn next(&mut self, input: &mut Input<'_>) -> Result<Inflated, PackError> {
        loop {
            let starved = match &mut self.state {
                State::Head(gather) => match gather.read(input) {
                    Some(head) => {
                        check_head(head)?;
                        self.state = State::Block(Gather::new());
                        false
                    }
                    None => true,
                },
                State::Block(_) => self.on_block(input)?,
                State::Stored { left: 0, last } => {
                    self.state =
                        if *last { State::Adler32(Gather::new()) } else { State::Block(Gather::new()) };
                    false
                }
                State::Stored { .. } => match self.on_stored(input)? {
                    Some(piece) => return Ok(Inflated::Piece(piece)),
                    None => true,
                },
                State::Compressed => match self.on_compressed(input)? {
                    Some(piece) => return Ok(Inflated::Piece(piece)),
                    None => matches!(self.state, State::Compressed) && input.rest().is_empty(),
                },
                State::Adler32(gather) => match gather.read(input) {
                    Some(sum) if u32::from_be_bytes(sum) == self.adler32.finish() => {
                        self.state = State::End;
                        false
                    }
                    Some(_) => return Err(PackError::BadAdler32),
                    None => true,
                },
                State::End => return Ok(Inflated::End),
            };
            if starved {
                return Ok(Inflated::Starved);
            }
        }
    }

    /// The head of a block. Whether more input is needed.
    fn on_block(&mut self, input: &mut Input<'_>) -> Result<bool, PackError> {
        let State::Block(gather) = &mut self.state else { return Ok(false) };
        if gather.is_empty() {
            // A last block or not, then two bits of type: 0 is stored. The bits behind are padding.
            match input.rest().first() {
                None => return Ok(true),
                Some(first) if first & 0b110 != 0 => {
                    self.allocate();
                    self.decompressor.get_or_insert_default().init();
                    self.state = State::Compressed;
                    return Ok(false);
                }
                Some(_) => {}
            }
        }
        let Some([first, l0, l1, n0, n1]) = gather.read(input) else { return Ok(true) };
        let left = u16::from_le_bytes([l0, l1]);
        if left != !u16::from_le_bytes([n0, n1]) {
            return Err(PackError::BadDeflate);
        }
        self.state = State::Stored { left, last: first & 1 != 0 };
        self.note(5, 0)?;
        Ok(false)
    }

    /// Content as it is. None: more input is needed.
    fn on_stored(&mut self, input: &mut Input<'_>) -> Result<Option<Bytes>, PackError> {
        let State::Stored { left, .. } = &mut self.state else { return Ok(None) };
        let piece = input.take(usize::from(*left));
        if piece.is_empty() {
            return Ok(None);
        }
        *left = left.saturating_sub(u16::try_from(piece.len()).unwrap_or(u16::MAX));
        self.adler32.write(&piece);
        self.remember(&piece);
        self.note(0, piece.len())?;
        Ok(Some(piece))
    }

    /// Content that was compressed, if some came of the input that was taken.
    fn on_compressed(&mut self, input: &mut Input<'_>) -> Result<Option<Bytes>, PackError> {
        let decompressor = self.decompressor.get_or_insert_default();
        let some = QUIET_MAX.saturating_sub(self.quiet).min(input.rest().len());
        let some = input.rest().get(..some).unwrap_or_default();
        // With this flag a match that leads before the start of the window is an error, as long as there is one.
        let start = if self.wrapped { 0 } else { TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF };
        let flags = TINFL_FLAG_HAS_MORE_INPUT | start;
        let (status, taken, written) =
            decompress_with_limit(decompressor, some, &mut self.window, self.position, INFLATED_MAX, flags);
        input.take(taken);
        let end = self.position.saturating_add(written);
        let piece = Bytes::copy_from_slice(self.window.get(self.position..end).unwrap_or_default());
        self.adler32.write(&piece);
        self.advance(end);
        let flawed = !matches!(status, TINFLStatus::NeedsMoreInput | TINFLStatus::HasMoreOutput);
        if status == TINFLStatus::Done {
            self.state = State::Adler32(Gather::new());
        } else if flawed && piece.is_empty() {
            // What comes before the flaw is handed on first, however the input is cut.
            return Err(PackError::BadDeflate);
        }
        self.note(taken, written)?;
        Ok((!piece.is_empty()).then_some(piece))
    }

    /// Keeps content that a match may refer to.
    fn remember(&mut self, piece: &[u8]) {
        self.allocate();
        let mut rest = piece;
        while !rest.is_empty() {
            let room = self.window.get_mut(self.position..).unwrap_or_default();
            let (now, later) = rest.split_at_checked(room.len()).unwrap_or((rest, &[]));
            if let Some(room) = room.get_mut(..now.len()) {
                room.copy_from_slice(now);
            }
            self.advance(self.position.saturating_add(now.len()));
            rest = later;
        }
    }

    fn allocate(&mut self) {
        if self.window.is_empty() {
            self.window = vec![0; WINDOW];
        }
    }

    const fn advance(&mut self, to: usize) {
        self.wrapped |= to >= WINDOW;
        self.position = if to >= WINDOW { 0 } else { to };
    }

    /// So many bytes, content aside, were taken, and so many came of them. The look is at fixed places of the stream,
    /// or it would depend on how the input is cut.
    const fn note(&mut self, taken: usize, written: usize) -> Result<(), PackError> {
        self.quiet = self.quiet.saturating_add(taken);
        self.fruitful |= written > 0;
        if self.quiet >= QUIET_MAX {
            if !self.fruitful {
                return Err(PackError::Quiet);
            }
            self.quiet = 0;
            self.fruitful = false;
        }
        Ok(())
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater").field("state", &self.state).finish_non_exhaustive()
    }
}

/// Method 8, a window that is not too large, a valid check, no dictionary.
const fn check_head([method, flags]: [u8; 2]) -> Result<(), PackError> {
    let valid = method & 0xf == 8 && method >> 4 <= 7 && flags & 0x20 == 0;
    if valid && u16::from_be_bytes([method, flags]).is_multiple_of(31) {
        Ok(())
    } else {
        Err(PackError::BadZlibHead)
    }
}
