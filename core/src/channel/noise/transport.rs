//! Messages after the handshake: framing, sealing, opening.

use core::fmt;

use bytes::{Buf, Bytes, BytesMut};

use super::symmetric::CipherState;
use super::{MESSAGE_MAX, NoiseError, TAG};

/// The most plaintext of one message, in bytes.
pub const PLAINTEXT_MAX: usize = MESSAGE_MAX - TAG;
/// Bytes of the length prefix.
const PREFIX: usize = 2;
/// A frame that has only begun reserves no more than this ahead of its bytes.
const RESERVE_AHEAD: usize = 4096;

/// Cuts the stream into Noise messages: `u16 big endian length || message`.
///
/// Unlike [`crate::wire::frame::Deframer`] it gathers each message in a buffer of its own, so that it can be decrypted
/// in place. (A session copies small pieces once more: T-17.)
#[derive(Debug, Default)]
pub struct Frames {
    first_byte: Option<u8>,
    announced: Option<usize>,
    message: BytesMut,
}

impl Frames {
    /// At the start of a message.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes off the front of `piece` until a message is whole. What stays in `piece` belongs to what follows.
    pub fn next_frame(&mut self, piece: &mut Bytes) -> Option<BytesMut> {
        let announced = self.announce(piece)?;
        let wanted = announced.saturating_sub(self.message.len()).min(piece.len());
        let ahead = self.message.len().saturating_add(wanted).saturating_mul(2).saturating_add(RESERVE_AHEAD);
        if self.message.capacity() < announced {
            self.message.reserve(announced.min(ahead).saturating_sub(self.message.len()));
        }
        self.message.extend_from_slice(&piece.split_to(wanted));
        if self.message.len() < announced {
            return None;
        }
        self.announced = None;
        Some(core::mem::take(&mut self.message))
    }

    /// The same, for messages of at most `max` bytes: more is refused on its prefix, and nothing of it is kept (T-3).
    pub fn next_frame_within(
        &mut self,
        max: usize,
        piece: &mut Bytes,
    ) -> Result<Option<BytesMut>, NoiseError> {
        if self.announce(piece).is_some_and(|announced| announced > max) {
            return Err(NoiseError::BadLength);
        }
        Ok(self.next_frame(piece))
    }

    /// Whether a message has begun and not ended.
    #[must_use]
    pub const fn is_partial(&self) -> bool {
        self.first_byte.is_some() || self.announced.is_some()
    }

    #[cfg(test)]
    pub(super) fn reserved(&self) -> usize {
        self.message.capacity()
    }

    fn announce(&mut self, piece: &mut Bytes) -> Option<usize> {
        if let Some(announced) = self.announced {
            return Some(announced);
        }
        let high = match self.first_byte.take() {
            Some(high) => high,
            None => piece.try_get_u8().ok()?,
        };
        let Ok(low) = piece.try_get_u8() else {
            self.first_byte = Some(high);
            return None;
        };
        self.announced = Some(usize::from(u16::from_be_bytes([high, low])));
        self.announced
    }
}

/// Our direction: gathers plaintext into messages and seals each in place.
///
/// What is put between two flushes shares messages where it fits: many small frames cost one tag.
pub struct Sealer {
    cipher: CipherState,
    out: BytesMut,
    /// Where the message begins that is being gathered, prefix included.
    open: Option<usize>,
}

impl Sealer {
    pub(super) fn new(cipher: CipherState) -> Self {
        Self { cipher, out: BytesMut::new(), open: None }
    }

    /// Makes room for `count` bytes of plaintext that are about to be put.
    pub fn reserve(&mut self, count: usize) {
        let messages = count.div_ceil(PLAINTEXT_MAX).saturating_add(1);
        self.out.reserve(count.saturating_add(messages.saturating_mul(PREFIX + TAG)));
    }

    /// Gathers plaintext.
    pub fn put(&mut self, mut plaintext: &[u8]) -> Result<(), NoiseError> {
        while !plaintext.is_empty() {
            let gathered = self.gathered();
            let room = PLAINTEXT_MAX.saturating_sub(gathered);
            if room == 0 {
                self.seal()?;
                continue;
            }
            if self.open.is_none() {
                self.open = Some(self.out.len());
                self.out.extend_from_slice(&[0; PREFIX]);
            }
            let (now, later) = plaintext.split_at(room.min(plaintext.len()));
            self.out.extend_from_slice(now);
            plaintext = later;
        }
        Ok(())
    }

    /// Seals a message with no plaintext, which is legal and means nothing.
    pub fn put_empty(&mut self) -> Result<(), NoiseError> {
        self.seal()?;
        self.open = Some(self.out.len());
        self.out.extend_from_slice(&[0; PREFIX]);
        self.seal()
    }

    /// Seals what was gathered and hands all messages out; empty if there are none.
    pub fn flush(&mut self) -> Result<Bytes, NoiseError> {
        self.seal()?;
        Ok(core::mem::take(&mut self.out).freeze())
    }

    /// How many bytes wait for the next flush.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.out.len()
    }

    fn gathered(&self) -> usize {
        self.open.map_or(0, |start| self.out.len().saturating_sub(start).saturating_sub(PREFIX))
    }

    fn seal(&mut self) -> Result<(), NoiseError> {
        let Some(start) = self.open.take() else { return Ok(()) };
        let message = self.out.get_mut(start..).unwrap_or_default();
        let (prefix, plaintext) = message.split_at_mut_checked(PREFIX).ok_or(NoiseError::BadLength)?;
        let length = plaintext.len().saturating_add(TAG);
        prefix.copy_from_slice(&u16::try_from(length).map_err(|_| NoiseError::BadLength)?.to_be_bytes());
        let tag = self.cipher.seal(&[], plaintext)?;
        self.out.extend_from_slice(&tag);
        Ok(())
    }

    #[cfg(test)]
    pub(super) const fn set_counter(&mut self, counter: u64) {
        self.cipher.set_counter(counter);
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").finish_non_exhaustive()
    }
}

/// The peer's direction.
pub struct Opener {
    cipher: CipherState,
}

impl Opener {
    pub(super) const fn new(cipher: CipherState) -> Self {
        Self { cipher }
    }

    /// Decrypts one message, prefix removed, in place. After a failure the link is to be closed (T-32).
    pub fn open(&mut self, mut message: BytesMut) -> Result<Bytes, NoiseError> {
        self.cipher.open(&[], &mut message)?;
        Ok(message.freeze())
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").finish_non_exhaustive()
    }
}
