//! What a run of SPOKE gives.

use core::fmt;

use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::schedule::MainKey;

/// The shared keys, of 64 bytes each. Both sides hold the same.
pub struct Keys {
    keys: [Zeroizing<[u8; 64]>; 2],
}

impl Keys {
    /// The keys of these bytes: K_0, which protects what the server of the run sends, and K_1, for what the client
    /// sends.
    #[must_use]
    pub fn from_bytes(keys: [[u8; 64]; 2]) -> Self {
        let [first, second] = keys;
        Self { keys: [Zeroizing::new(first), Zeroizing::new(second)] }
    }

    pub(super) fn of(main: &MainKey) -> Self {
        Self { keys: [main.subkey(0), main.subkey(1)] }
    }

    /// K_0: protects what the server sends, the file.
    #[must_use]
    pub fn of_server(&self) -> &[u8; 64] {
        let [key, _] = &self.keys;
        key
    }

    /// K_1: protects what the client sends.
    #[must_use]
    pub fn of_client(&self) -> &[u8; 64] {
        let [_, key] = &self.keys;
        key
    }
}

impl ZeroizeOnDrop for Keys {}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}
