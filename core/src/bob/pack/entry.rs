//! The head of an entry: its type and size, as Git writes them.

use bytes::BufMut;

use super::error::PackError;
use super::input::Input;

/// A name, in a pack that carries one file.
pub(super) const TAG: u8 = 4;
/// Content.
pub(super) const BLOB: u8 = 3;
/// The first object of a folder.
pub(super) const COMMIT: u8 = 1;

const MORE: u8 = 0x80;

/// Writes the head of an entry.
pub(super) fn encode(kind: u8, size: u64, out: &mut impl BufMut) {
    let [low, ..] = size.to_le_bytes();
    let mut byte = ((kind & 7) << 4) | (low & 0xf);
    let mut rest = size >> 4;
    while rest > 0 {
        out.put_u8(byte | MORE);
        let [low, ..] = rest.to_le_bytes();
        byte = low & !MORE;
        rest >>= 7;
    }
    out.put_u8(byte);
}

/// Type and size.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Head {
    pub(super) kind: u8,
    pub(super) size: u64,
}

/// A head of which some bytes are there.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Partial {
    head: Option<Head>,
    /// Bits of the size that are known.
    known: u32,
}

impl Partial {
    /// Takes what is there of the head. None: more is needed.
    pub(super) fn read(&mut self, input: &mut Input<'_>) -> Result<Option<Head>, PackError> {
        while let Some(byte) = input.take_byte() {
            let head = match self.head {
                None => Head { kind: (byte >> 4) & 7, size: u64::from(byte & 0xf) },
                Some(head) => Head { size: head.size | self.shifted(byte)?, ..head },
            };
            self.known = if self.head.is_none() { 4 } else { self.known.saturating_add(7) };
            self.head = Some(head);
            if byte & MORE == 0 {
                return Ok(Some(head));
            }
        }
        Ok(None)
    }

    /// Seven bits more, at their place.
    fn shifted(&self, byte: u8) -> Result<u64, PackError> {
        if byte == 0 {
            return Err(PackError::BadSize);
        }
        let bits = u64::from(byte & !MORE);
        let shifted = bits.checked_shl(self.known).ok_or(PackError::BadSize)?;
        if shifted.checked_shr(self.known) == Some(bits) { Ok(shifted) } else { Err(PackError::BadSize) }
    }
}
