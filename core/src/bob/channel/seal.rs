//! Our direction.

use core::fmt;

use bytes::{BufMut, BytesMut};

use super::cipher::RecordCipher;
use super::{CLOSE, HEADER, PLAINTEXT_MAX, TAG};
use crate::bob::public::Cipher;

/// The direction has carried all records that its key allows: 2^64 - 1 (T-31).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Exhausted;

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the counter of a direction is used up")
    }
}

impl core::error::Error for Exhausted {}

/// Turns what the application writes into records.
pub struct Sealer {
    cipher: RecordCipher,
}

impl Sealer {
    /// A direction at its start. `key` is one of the keys of a run.
    #[must_use]
    pub fn new(cipher: Cipher, key: &[u8; 64]) -> Self {
        Self::starting_at(cipher, key, 0)
    }

    /// A direction whose next record is the one of this number: for test vectors only. A number that is used twice
    /// under one key breaks the cipher.
    #[must_use]
    pub fn starting_at(cipher: Cipher, key: &[u8; 64], number: u64) -> Self {
        Self { cipher: RecordCipher::new(cipher, key, number) }
    }

    /// Appends one write of the application: cut into records of [`PLAINTEXT_MAX`] bytes, of which the last is shorter
    /// or not; no record for no bytes, and none shared with another write. Copies the plaintext once, into `out`, and
    /// seals it there. An error leaves `out` as it is.
    pub fn seal(&mut self, plaintext: &[u8], out: &mut BytesMut) -> Result<(), Exhausted> {
        let records = plaintext.len().div_ceil(PLAINTEXT_MAX);
        if u64::try_from(records).is_ok_and(|records| records > self.cipher.left()) {
            return Err(Exhausted);
        }
        out.reserve(plaintext.len().saturating_add(records.saturating_mul(HEADER + TAG)));
        for plaintext in plaintext.chunks(PLAINTEXT_MAX) {
            out.put_u16(u16::try_from(plaintext.len()).unwrap_or_default());
            let start = out.len();
            out.extend_from_slice(plaintext);
            let text = out.get_mut(start..).unwrap_or_default();
            let tag = self.cipher.seal(text).map_err(|_| Exhausted)?;
            out.extend_from_slice(&tag);
        }
        Ok(())
    }

    /// Appends the close marker: nothing follows.
    pub fn close(self, out: &mut BytesMut) {
        out.extend_from_slice(&CLOSE);
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").finish_non_exhaustive()
    }
}
