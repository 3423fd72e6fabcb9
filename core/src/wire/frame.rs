//! Length-prefixed frames out of a byte stream that is cut anywhere.

use core::fmt;

use bytes::{Buf, Bytes, BytesMut};

use super::varint::{self, VarintError};
use super::{Reader, Short};

/// The length in front of a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Prefix {
    /// A minimal unsigned varint.
    Varint,
    /// Two bytes, big endian.
    U16,
    /// Four bytes, big endian.
    U32,
}

/// The most bytes of a length (T-5): 35 bits.
const VARINT_MAX: usize = 5;

/// Why a stream of frames cannot go on. The deframer is then empty and stays in this state.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FrameError {
    /// The prefix announces more than the limit; nothing of the body was kept.
    Oversize,
    /// The prefix is not a minimal varint.
    BadPrefix,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Oversize => "a frame is larger than its limit",
            Self::BadPrefix => "the length of a frame is malformed",
        })
    }
}

impl core::error::Error for FrameError {}

/// Collects pieces and cuts them into frames. Holds at most one frame of the limit plus one piece.
///
/// A frame that lies whole in one piece is a view of that piece: nothing is copied.
#[derive(Clone, Debug)]
pub struct Deframer {
    prefix: Prefix,
    limit: usize,
    piece: Bytes,
    partial: BytesMut,
    error: Option<FrameError>,
}

impl Deframer {
    /// For frames of at most `limit` bytes, prefix not counted.
    #[must_use]
    pub fn new(prefix: Prefix, limit: usize) -> Self {
        Self { prefix, limit, piece: Bytes::new(), partial: BytesMut::new(), error: None }
    }

    /// Takes a piece of the stream. Take all frames with [`Deframer::next_frame`] before the next piece.
    pub fn push(&mut self, piece: Bytes) {
        if self.error.is_some() {
            return;
        }
        if self.piece.is_empty() && self.partial.is_empty() {
            self.piece = piece;
        } else {
            self.partial.extend_from_slice(&self.piece);
            self.piece = Bytes::new();
            self.partial.extend_from_slice(&piece);
        }
    }

    /// The next whole frame, without its prefix.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, FrameError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        self.cut().inspect_err(|error| {
            self.error = Some(*error);
            self.piece = Bytes::new();
            self.partial = BytesMut::new();
        })
    }

    /// What has not been cut into frames: bytes of the next protocol, when this one has ended.
    #[must_use]
    pub fn into_rest(self) -> Bytes {
        if self.partial.is_empty() { self.piece } else { self.partial.freeze() }
    }

    /// How many bytes are held.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.partial.len().saturating_add(self.piece.len())
    }

    fn cut(&mut self) -> Result<Option<Bytes>, FrameError> {
        let whole = self.partial.is_empty();
        let held: &[u8] = if whole { &self.piece } else { &self.partial };
        let Some((header, length)) = self.announced(held)? else {
            self.keep();
            return Ok(None);
        };
        if length > self.limit {
            return Err(FrameError::Oversize);
        }
        let total = header.saturating_add(length);
        if held.len() < total {
            self.keep();
            return Ok(None);
        }
        if whole {
            self.piece.advance(header);
            return Ok(Some(self.piece.split_to(length)));
        }
        self.partial.advance(header);
        let frame = self.partial.split_to(length).freeze();
        if self.partial.is_empty() {
            self.partial = BytesMut::new();
        }
        Ok(Some(frame))
    }

    /// Copies the begin of a frame, which the next piece would make necessary anyway: so that a few bytes that wait do
    /// not hold on to the whole buffer they came in (T-17).
    fn keep(&mut self) {
        self.partial.extend_from_slice(&self.piece);
        self.piece = Bytes::new();
    }

    /// Sizes of the prefix and of the frame behind it.
    fn announced(&self, held: &[u8]) -> Result<Option<(usize, usize)>, FrameError> {
        let mut reader = Reader::new(held);
        let length = match self.prefix {
            Prefix::Varint => match varint::read(&mut reader) {
                Ok(length) => length,
                Err(VarintError::Short) if held.len() < VARINT_MAX => return Ok(None),
                Err(VarintError::Short) => return Err(FrameError::Oversize),
                Err(VarintError::NotMinimal) => return Err(FrameError::BadPrefix),
                Err(VarintError::TooLarge) => return Err(FrameError::Oversize),
            },
            Prefix::U16 => match reader.u16() {
                Ok(length) => u64::from(length),
                Err(Short) => return Ok(None),
            },
            Prefix::U32 => match reader.u32() {
                Ok(length) => u64::from(length),
                Err(Short) => return Ok(None),
            },
        };
        let header = held.len().saturating_sub(reader.len());
        Ok(Some((header, usize::try_from(length).unwrap_or(usize::MAX))))
    }
}

/// `varint(length) || body`.
#[must_use]
pub fn with_varint(body: &[u8]) -> Bytes {
    let length = u64::try_from(body.len()).unwrap_or(u64::MAX);
    let mut out = BytesMut::with_capacity(varint::length(length).saturating_add(body.len()));
    varint::write(length, &mut out);
    out.extend_from_slice(body);
    out.freeze()
}

#[cfg(test)]
mod tests;
