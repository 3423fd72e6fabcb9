//! Unsigned varints (LEB128), in the two strictnesses that peers use (`identity-and-content` 1.1).
//!
//! [`read`] is the multiformats form: minimal, at most 9 bytes (below 2^63). [`read_protobuf`] is the one inside
//! protobuf messages: up to ten bytes, overlong forms allowed, as published decoders accept them.

use core::fmt;

use bytes::BufMut;

use super::{Reader, Short};

/// The most bytes of the multiformats form.
pub const LENGTH_MAX: usize = 9;

/// Why a varint was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum VarintError {
    /// The input ended inside it: with more bytes it may become one.
    Short,
    /// A shorter form of the same number exists.
    NotMinimal,
    /// The number is too large.
    TooLarge,
}

impl fmt::Display for VarintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Short => "the input ends inside a varint",
            Self::NotMinimal => "a varint is longer than it needs to be",
            Self::TooLarge => "a varint is too large",
        })
    }
}

impl core::error::Error for VarintError {}

impl From<Short> for VarintError {
    fn from(Short: Short) -> Self {
        Self::Short
    }
}

/// Reads a minimal varint below 2^63; consumes nothing on failure.
pub fn read(reader: &mut Reader<'_>) -> Result<u64, VarintError> {
    let mut ahead = *reader;
    let mut value = 0u64;
    for shift in (0..63u32).step_by(7) {
        let byte = ahead.u8()?;
        value |= u64::from(byte & 0x7f).wrapping_shl(shift);
        if byte < 0x80 {
            if byte == 0 && shift > 0 {
                return Err(VarintError::NotMinimal);
            }
            *reader = ahead;
            return Ok(value);
        }
    }
    Err(VarintError::TooLarge)
}

/// Reads a protobuf varint of at most ten bytes, minimal or not; consumes nothing on failure.
pub fn read_protobuf(reader: &mut Reader<'_>) -> Result<u64, VarintError> {
    let mut ahead = *reader;
    let mut value = 0u64;
    for shift in (0..70u32).step_by(7) {
        let byte = ahead.u8()?;
        if shift == 63 && byte > 1 {
            return Err(VarintError::TooLarge);
        }
        value |= u64::from(byte & 0x7f).wrapping_shl(shift);
        if byte < 0x80 {
            *reader = ahead;
            return Ok(value);
        }
    }
    Err(VarintError::TooLarge)
}

/// Writes the minimal form.
pub fn write(mut value: u64, out: &mut impl BufMut) {
    while value >= 0x80 {
        out.put_u8(low_bits(value) | 0x80);
        value >>= 7;
    }
    out.put_u8(low_bits(value));
}

/// How many bytes [`write()`] writes.
#[must_use]
pub const fn length(value: u64) -> usize {
    let bits = 64u32.saturating_sub(value.leading_zeros());
    let bytes = bits.div_ceil(7);
    if bytes == 0 { 1 } else { bytes as usize }
}

fn low_bits(value: u64) -> u8 {
    u8::try_from(value & 0x7f).unwrap_or(0x7f)
}

#[cfg(test)]
mod tests;
