//! One test per section of `bob-relay` 4 and per threat; the published vectors are read elsewhere.

mod derivation;
mod field;
mod points;
mod runs;

use core::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};

use crate::bob::public::{Cipher, Public};

fn public(count: u32) -> Public {
    Public::new(count, [Cipher::Aes256Gcm, Cipher::ChaCha20Poly1305], [0x5a; 16]).unwrap()
}

/// Hands out given bytes.
struct Scripted<'a>(&'a [u8]);

impl TryRng for Scripted<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        panic!("only bytes are drawn")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        panic!("only bytes are drawn")
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        let (now, later) = self.0.split_at(bytes.len());
        bytes.copy_from_slice(now);
        self.0 = later;
        Ok(())
    }
}

impl TryCryptoRng for Scripted<'_> {}
