//! Deterministic CBOR as peers must send it (RFC 8949, 4.2.1), read strictly.
//!
//! [`Decoder`] accepts one encoding of a value and no other: shortest heads, definite lengths, map keys in ascending
//! order of their bytes and without repetition. It never allocates and never recurses; nesting ends at [`DEPTH_MAX`]
//! levels (T-4). Narrower than the RFC: floats, simple values other than false, true, null and undefined, and map keys
//! that are neither numbers nor strings are refused; no message here has them (T-10). Writing is left to `minicbor`,
//! through [`encode`].
//!
//! ```
//! use pleach_core::wire::cbor::{Decoder, encode};
//!
//! let bytes = encode(|out| out.array(3)?.u8(7)?.str("hedge")?.bool(true)?.ok());
//! let mut decoder = Decoder::new(&bytes);
//! let further = decoder.array_of(2)?;
//! assert_eq!((decoder.u64()?, decoder.text()?), (7, "hedge"));
//! decoder.skip(further)?;
//! decoder.finish()?;
//! # Ok::<(), pleach_core::wire::cbor::CborError>(())
//! ```

use alloc::vec::Vec;
use core::convert::Infallible;
use core::fmt;

pub use minicbor::Encoder;

use super::{Reader, Short};

/// The deepest nesting that is read: arrays, maps and tags inside one another.
pub const DEPTH_MAX: usize = 32;

/// Why bytes are not the deterministic CBOR that was expected.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CborError {
    /// The input ends inside a value.
    Short,
    /// A value of another type, or a number too large for its place.
    WrongType,
    /// A longer form than needed, an indefinite length, or map keys out of order.
    NotCanonical,
    /// Floats, unassigned simple values, reserved heads, and map keys that are neither numbers nor strings.
    Unsupported,
    /// An array with fewer elements than are known.
    TooFew,
    /// A text that is not UTF-8.
    NotUtf8,
    /// More than [`DEPTH_MAX`] levels.
    TooDeep,
    /// Bytes behind the value.
    Trailing,
}

impl fmt::Display for CborError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Short => "the input ends inside a CBOR value",
            Self::WrongType => "a CBOR value has the wrong type",
            Self::NotCanonical => "CBOR that is not deterministic",
            Self::Unsupported => "a CBOR float or simple value",
            Self::TooFew => "a CBOR array has too few elements",
            Self::NotUtf8 => "a CBOR text is not UTF-8",
            Self::TooDeep => "CBOR is nested too deeply",
            Self::Trailing => "bytes behind a CBOR value",
        })
    }
}

impl core::error::Error for CborError {}

impl From<Short> for CborError {
    fn from(Short: Short) -> Self {
        Self::Short
    }
}

const UINT: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const SIMPLE: u8 = 7;
const NULL: u8 = 0xf6;

/// Reads values one after another. After an error its place is undefined: give the input up.
#[derive(Clone, Copy, Debug)]
pub struct Decoder<'a> {
    reader: Reader<'a>,
}

impl<'a> Decoder<'a> {
    /// At the start of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { reader: Reader::new(bytes) }
    }

    /// Enters an array and returns how many elements it announces: a claim, to be met by reading, not by reserving.
    pub fn array(&mut self) -> Result<u64, CborError> {
        self.expect(ARRAY)
    }

    /// Enters an array of at least `known` elements and returns how many follow them, to be given to
    /// [`Decoder::skip`] once those are read.
    pub fn array_of(&mut self, known: u64) -> Result<u64, CborError> {
        self.array()?.checked_sub(known).ok_or(CborError::TooFew)
    }

    /// An unsigned number.
    pub fn u64(&mut self) -> Result<u64, CborError> {
        self.expect(UINT)
    }

    /// An unsigned number below 2^32.
    pub fn u32(&mut self) -> Result<u32, CborError> {
        u32::try_from(self.u64()?).map_err(|_| CborError::WrongType)
    }

    /// An unsigned number below 2^16.
    pub fn u16(&mut self) -> Result<u16, CborError> {
        u16::try_from(self.u64()?).map_err(|_| CborError::WrongType)
    }

    /// An unsigned number below 2^8.
    pub fn u8(&mut self) -> Result<u8, CborError> {
        u8::try_from(self.u64()?).map_err(|_| CborError::WrongType)
    }

    /// A byte string.
    pub fn bytes(&mut self) -> Result<&'a [u8], CborError> {
        let length = self.expect(BYTES)?;
        self.take(length)
    }

    /// A byte string of exactly `N` bytes.
    pub fn byte_array<const N: usize>(&mut self) -> Result<[u8; N], CborError> {
        self.bytes()?.try_into().map_err(|_| CborError::WrongType)
    }

    /// A text.
    pub fn text(&mut self) -> Result<&'a str, CborError> {
        let length = self.expect(TEXT)?;
        core::str::from_utf8(self.take(length)?).map_err(|_| CborError::NotUtf8)
    }

    /// Consumes a null, if the next value is one.
    pub fn null(&mut self) -> bool {
        let found = self.reader.peek() == Some(NULL);
        if found {
            let _ = self.reader.u8();
        }
        found
    }

    /// Reads over `count` values of any kind, with the same strictness.
    pub fn skip(&mut self, count: u64) -> Result<(), CborError> {
        let mut open: heapless::Vec<Level<'a>, { DEPTH_MAX + 1 }> = heapless::Vec::new();
        let mut level = Level { left: count, map: false, key: &[] };
        loop {
            while level.left == 0 {
                let Some(outer) = open.pop() else { return Ok(()) };
                level = outer;
            }
            let is_key = level.takes_key();
            level.left = level.left.saturating_sub(1);
            let before = self.reader.rest();
            let inner = self.skip_head(is_key)?;
            if is_key {
                let length = before.len().saturating_sub(self.reader.len());
                level.accept_key(before.get(..length).unwrap_or_default())?;
            }
            if let Some(inner) = inner {
                if open.len() >= DEPTH_MAX {
                    return Err(CborError::TooDeep);
                }
                let outer = core::mem::replace(&mut level, inner);
                open.push(outer).map_err(|_| CborError::TooDeep)?;
            }
        }
    }

    /// Ends reading: nothing may be left.
    pub const fn finish(self) -> Result<(), CborError> {
        if self.reader.is_empty() { Ok(()) } else { Err(CborError::Trailing) }
    }

    fn expect(&mut self, major: u8) -> Result<u64, CborError> {
        let (found, argument) = self.head()?;
        if found == major { Ok(argument) } else { Err(CborError::WrongType) }
    }

    /// Reads over one value, or over the head of one that holds others, which is returned as a level to enter.
    fn skip_head(&mut self, is_key: bool) -> Result<Option<Level<'a>>, CborError> {
        let (major, argument) = self.head()?;
        let (left, map) = match major {
            UINT | NEGATIVE => return Ok(None),
            BYTES => return self.take(argument).map(|_| None),
            TEXT => {
                core::str::from_utf8(self.take(argument)?).map_err(|_| CborError::NotUtf8)?;
                return Ok(None);
            }
            _ if is_key => return Err(CborError::Unsupported),
            SIMPLE => return Ok(None),
            ARRAY => (argument, false),
            MAP => (argument.checked_mul(2).ok_or(CborError::Short)?, true),
            _ => (1, false),
        };
        Ok(Some(Level { left, map, key: &[] }))
    }

    /// Major type and argument of the next value.
    fn head(&mut self) -> Result<(u8, u64), CborError> {
        let first = self.reader.u8()?;
        let major = first >> 5;
        let (argument, least) = match first & 0x1f {
            small @ 0..24 => (u64::from(small), 0),
            24 if major != SIMPLE => (u64::from(self.reader.u8()?), 24),
            25 if major != SIMPLE => (u64::from(self.reader.u16()?), 1 << 8),
            26 if major != SIMPLE => (u64::from(self.reader.u32()?), 1 << 16),
            27 if major != SIMPLE => (self.reader.u64()?, 1 << 32),
            31 if matches!(major, BYTES | TEXT | ARRAY | MAP) => return Err(CborError::NotCanonical),
            _ => return Err(CborError::Unsupported),
        };
        if major == SIMPLE && !(20..24).contains(&argument) {
            return Err(CborError::Unsupported);
        }
        if argument < least { Err(CborError::NotCanonical) } else { Ok((major, argument)) }
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], CborError> {
        let length = usize::try_from(length).map_err(|_| CborError::Short)?;
        Ok(self.reader.take(length)?)
    }
}

/// An array, map or tag that is being read over.
struct Level<'a> {
    left: u64,
    map: bool,
    /// The bytes of the latest key of a map; none yet if empty.
    key: &'a [u8],
}

impl<'a> Level<'a> {
    const fn takes_key(&self) -> bool {
        self.map && self.left.is_multiple_of(2)
    }

    fn accept_key(&mut self, key: &'a [u8]) -> Result<(), CborError> {
        if self.key >= key {
            return Err(CborError::NotCanonical);
        }
        self.key = key;
        Ok(())
    }
}

/// Checks that `bytes` are exactly one deterministic value, of whatever type.
pub fn validate(bytes: &[u8]) -> Result<(), CborError> {
    let mut decoder = Decoder::new(bytes);
    decoder.skip(1)?;
    decoder.finish()
}

/// What `write` writes. `minicbor` writes shortest heads and definite lengths; the order of map keys is the caller's.
pub fn encode(
    write: impl FnOnce(&mut Encoder<Vec<u8>>) -> Result<(), minicbor::encode::Error<Infallible>>,
) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    let written = write(&mut encoder);
    debug_assert!(written.is_ok(), "a vector takes everything");
    encoder.into_writer()
}

#[cfg(test)]
mod tests;
