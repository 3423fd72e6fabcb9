//! The peer's direction.

use core::fmt;

use bytes::{Buf, Bytes, BytesMut};

use super::cipher::RecordCipher;
use super::{CLOSE, PLAINTEXT_MAX, TAG};
use crate::bob::public::Cipher;

/// What comes out of the peer's direction.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Opened {
    /// The plaintext of one record; it may be empty.
    Data(Bytes),
    /// The peer, or whoever carries the bytes, has ended the direction. To be answered with [`CLOSE`].
    End,
    /// A record that does not authenticate or cannot be one, or the stream ended inside a record. The connection is to
    /// be closed, without telling why (T-32).
    Corrupted,
}

/// Cuts the stream into records and opens each in place. It holds one record at most.
pub struct Opener {
    /// None once the direction is over.
    cipher: Option<RecordCipher>,
    first_byte: Option<u8>,
    /// How long the record under way is, its tag included.
    announced: Option<usize>,
    /// As much of it as is there: the one copy of this direction.
    record: BytesMut,
}

impl Opener {
    /// A direction at its start. `key` is one of the keys of a run.
    #[must_use]
    pub fn new(cipher: Cipher, key: &[u8; 64]) -> Self {
        Self::starting_at(cipher, key, 0)
    }

    /// A direction whose next record is the one of this number: for test vectors.
    #[must_use]
    pub fn starting_at(cipher: Cipher, key: &[u8; 64], number: u64) -> Self {
        let cipher = Some(RecordCipher::new(cipher, key, number));
        Self { cipher, first_byte: None, announced: None, record: BytesMut::new() }
    }

    /// Takes bytes off the front of `piece` until something comes out of them; to be called until nothing does. After
    /// [`Opened::End`] and [`Opened::Corrupted`] nothing ever comes out, and all bytes are dropped.
    pub fn open(&mut self, piece: &mut Bytes) -> Option<Opened> {
        if self.is_over() {
            piece.clear();
            return None;
        }
        let announced = match self.announce(piece)? {
            Ok(announced) => announced,
            Err(how) => return Some(self.over(how)),
        };
        let missing = announced.saturating_sub(self.record.len());
        self.record.extend_from_slice(&piece.split_to(missing.min(piece.len())));
        if self.record.len() < announced {
            return None;
        }
        self.announced = None;
        let record = core::mem::take(&mut self.record);
        let opened = self.cipher.as_mut().and_then(|cipher| open(cipher, record));
        Some(opened.map_or_else(|| self.over(Opened::Corrupted), Opened::Data))
    }

    /// The stream has ended: [`Opened::End`] after a whole record, otherwise [`Opened::Corrupted`]; nothing if the
    /// direction was over before.
    pub fn end_of_stream(&mut self) -> Option<Opened> {
        if self.is_over() {
            return None;
        }
        let is_whole = self.first_byte.is_none() && self.announced.is_none();
        Some(self.over(if is_whole { Opened::End } else { Opened::Corrupted }))
    }

    /// Whether nothing comes any more.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.cipher.is_none()
    }

    /// How long the record under way is; or what the direction ends with; or nothing, if its length is not there.
    fn announce(&mut self, piece: &mut Bytes) -> Option<Result<usize, Opened>> {
        if let Some(announced) = self.announced {
            return Some(Ok(announced));
        }
        let high = match self.first_byte.take() {
            Some(high) => high,
            None => piece.try_get_u8().ok()?,
        };
        let Ok(low) = piece.try_get_u8() else {
            self.first_byte = Some(high);
            return None;
        };
        if CLOSE.starts_with(&[high, low]) {
            return Some(Err(Opened::End));
        }
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length > PLAINTEXT_MAX {
            return Some(Err(Opened::Corrupted));
        }
        let announced = length.saturating_add(TAG);
        self.record = BytesMut::with_capacity(announced);
        self.announced = Some(announced);
        Some(Ok(announced))
    }

    /// The bytes that the record under way takes.
    #[cfg(test)]
    pub(super) fn buffered(&self) -> usize {
        self.record.capacity()
    }

    fn over(&mut self, how: Opened) -> Opened {
        self.cipher = None;
        self.record = BytesMut::new();
        how
    }
}

/// The plaintext of a whole record, if it authenticates.
fn open(cipher: &mut RecordCipher, mut record: BytesMut) -> Option<Bytes> {
    let length = record.len().checked_sub(TAG)?;
    let (text, tag) = record.split_at_mut_checked(length)?;
    cipher.open(text, tag.first_chunk()?).ok()?;
    record.truncate(length);
    Some(record.freeze())
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").field("is_over", &self.is_over()).finish_non_exhaustive()
    }
}
