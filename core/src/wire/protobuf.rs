//! Protobuf messages of peers, read field by field without allocation, and written in tag order.
//!
//! Reading accepts any field order and overlong varints, as published decoders do. Groups are skipped whole: only an
//! unknown field may be one.

use core::fmt;

use bytes::BufMut;

use super::varint::{self, VarintError};
use super::{Reader, Short};

/// Why a message was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProtobufError {
    /// A field runs past the end.
    Short,
    /// A varint of more than ten bytes or 64 bits.
    BadVarint,
    /// A field number of 0 or above 2^29 - 1, or a wire type that is none.
    BadTag,
    /// A group that does not end, is nested more than 32 deep, or ends without a beginning.
    Group,
    /// A known field of another wire type than its own.
    WrongType,
    /// A text that is not UTF-8.
    NotText,
}

impl fmt::Display for ProtobufError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Short => "a field runs past the end of its message",
            Self::BadVarint => "a varint of a message is malformed",
            Self::BadTag => "the tag of a field is malformed",
            Self::Group => "a group of a message is malformed",
            Self::WrongType => "a field has the wrong wire type",
            Self::NotText => "a text is not UTF-8",
        })
    }
}

impl core::error::Error for ProtobufError {}

impl From<Short> for ProtobufError {
    fn from(Short: Short) -> Self {
        Self::Short
    }
}

impl From<VarintError> for ProtobufError {
    fn from(error: VarintError) -> Self {
        match error {
            VarintError::Short => Self::Short,
            VarintError::NotMinimal | VarintError::TooLarge => Self::BadVarint,
        }
    }
}

/// The value of a field, by wire type.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Value<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1.
    Fixed64(u64),
    /// Wire type 2.
    Bytes(&'a [u8]),
    /// Wire types 3 and 4, with whatever is between them: of another type than any known field.
    Group,
    /// Wire type 5.
    Fixed32(u32),
}

/// How deep groups may be nested (T-4).
const GROUPS_MAX: usize = 32;

impl<'a> Value<'a> {
    /// The number of a varint field.
    pub const fn varint(self) -> Result<u64, ProtobufError> {
        if let Self::Varint(value) = self { Ok(value) } else { Err(ProtobufError::WrongType) }
    }

    /// The low 32 bits of a varint field, as published decoders read a `uint32`.
    pub fn uint32(self) -> Result<u32, ProtobufError> {
        self.varint().map(|value| u32::try_from(value & u64::from(u32::MAX)).unwrap_or(u32::MAX))
    }

    /// The truth of a varint field.
    pub fn bool(self) -> Result<bool, ProtobufError> {
        self.varint().map(|value| value != 0)
    }

    /// The number of a fixed 64-bit field.
    pub const fn fixed64(self) -> Result<u64, ProtobufError> {
        if let Self::Fixed64(value) = self { Ok(value) } else { Err(ProtobufError::WrongType) }
    }

    /// The bytes of a length-delimited field.
    pub const fn bytes(self) -> Result<&'a [u8], ProtobufError> {
        if let Self::Bytes(value) = self { Ok(value) } else { Err(ProtobufError::WrongType) }
    }

    /// The text of a length-delimited field.
    pub fn text(self) -> Result<&'a str, ProtobufError> {
        core::str::from_utf8(self.bytes()?).map_err(|_| ProtobufError::NotText)
    }
}

/// The fields of a message, in the order they stand in. Ends after the first error.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    reader: Reader<'a>,
}

impl<'a> Fields<'a> {
    /// Of the message in `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { reader: Reader::new(bytes) }
    }

    fn field(&mut self) -> Result<(u32, Value<'a>), ProtobufError> {
        let (number, wire_type) = self.tag()?;
        if wire_type == 3 {
            self.skip_group(number)?;
            return Ok((number, Value::Group));
        }
        Ok((number, self.value(wire_type)?))
    }

    fn tag(&mut self) -> Result<(u32, u64), ProtobufError> {
        let tag = varint::read_protobuf(&mut self.reader)?;
        let number = u32::try_from(tag >> 3).ok().filter(|number| (1..=0x1fff_ffff).contains(number));
        Ok((number.ok_or(ProtobufError::BadTag)?, tag & 7))
    }

    /// The value of a field that is no group.
    fn value(&mut self, wire_type: u64) -> Result<Value<'a>, ProtobufError> {
        Ok(match wire_type {
            0 => Value::Varint(varint::read_protobuf(&mut self.reader)?),
            1 => Value::Fixed64(self.reader.array().map(u64::from_le_bytes)?),
            2 => {
                let length = varint::read_protobuf(&mut self.reader)?;
                Value::Bytes(self.reader.take(usize::try_from(length).unwrap_or(usize::MAX))?)
            }
            3 | 4 => return Err(ProtobufError::Group),
            5 => Value::Fixed32(self.reader.array().map(u32::from_le_bytes)?),
            _ => return Err(ProtobufError::BadTag),
        })
    }

    /// Reads on until the group of this number has ended, groups inside it included.
    fn skip_group(&mut self, number: u32) -> Result<(), ProtobufError> {
        let mut open = heapless::Vec::<u32, GROUPS_MAX>::from_array([number]);
        while let Some(innermost) = open.last().copied() {
            match self.tag()? {
                (number, 3) => open.push(number).map_err(|_| ProtobufError::Group)?,
                (number, 4) if number == innermost => drop(open.pop()),
                (_, wire_type) => drop(self.value(wire_type)?),
            }
        }
        Ok(())
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Value<'a>), ProtobufError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.reader = Reader::new(&[]);
        }
        Some(field)
    }
}

/// Writes a varint field, also when its value is 0.
pub fn put_varint(number: u32, value: u64, out: &mut impl BufMut) {
    put_tag(number, 0, out);
    varint::write(value, out);
}

/// Writes a fixed 64-bit field.
pub fn put_fixed64(number: u32, value: u64, out: &mut impl BufMut) {
    put_tag(number, 1, out);
    out.put_u64_le(value);
}

/// Writes a length-delimited field, also when it is empty.
pub fn put_bytes(number: u32, value: &[u8], out: &mut impl BufMut) {
    put_tag(number, 2, out);
    varint::write(u64::try_from(value.len()).unwrap_or(u64::MAX), out);
    out.put_slice(value);
}

/// Writes the tag of a field whose value the caller writes.
pub fn put_tag(number: u32, wire_type: u64, out: &mut impl BufMut) {
    varint::write(u64::from(number).wrapping_shl(3) | wire_type, out);
}

#[cfg(test)]
mod tests;
