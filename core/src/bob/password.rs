//! What two people share.

use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

/// The password: raw bytes, neither trimmed nor normalised (`bob-relay.md` 4.1). Wiped when dropped, never
/// shown, and not compared: how long that takes would tell how much of a guess is right.
#[derive(Clone)]
pub struct Password(Zeroizing<Vec<u8>>);

impl Password {
    /// Takes the bytes; the empty password is one too.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}
