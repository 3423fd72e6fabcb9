//! The encrypted channel of two peers, over whatever copies bytes between them (`bob-relay` 8).
//!
//! ```text
//! record = length(2, big endian) || ciphertext(length) || tag(16)        length 0..=7fff
//! close  = ff ff ff ff                                                   not encrypted
//! ```
//!
//! Each direction has a key, a cipher and a counter of its own: [`of_server`] and [`of_client`] say which, so that
//! nobody else needs to. Reads may be cut anywhere; a reader holds back one record at most.
//!
//! **What it does not promise.** Neither the close marker nor the end of the stream is authenticated: whoever carries
//! the bytes can cut them between two records, and only the payload can tell.
//!
//! **Ciphers.** AES-256-GCM has a nonce of 20 bytes, base and counter one after the other, as the other implementation
//! writes it. That one fails at the other two ciphers: here they have their usual 12 bytes, base XOR counter, and work
//! between two of ours only. So a server is to offer AES-256-GCM for its own direction, and a client, whose direction
//! mostly is of ChaCha20-Poly1305, sends nothing but the close marker.

mod cipher;
mod open;
mod seal;

pub use open::{Opened, Opener};
pub use seal::{Exhausted, Sealer};

use super::public::Cipher;
use super::spoke::Keys;

/// The most plaintext of a record that is written or accepted, in bytes.
pub const PLAINTEXT_MAX: usize = 0x7fff;
/// What ends a direction. A reader answers it with the same, and goes by its first two bytes.
pub const CLOSE: [u8; 4] = [0xff; 4];

/// Bytes of the length.
const HEADER: usize = 2;
/// Bytes of the tag.
const TAG: usize = 16;

/// Both halves of the channel on the server's side, which sends the file. `ciphers` are those of the public.
#[must_use]
pub fn of_server(keys: &Keys, [ours, theirs]: [Cipher; 2]) -> (Sealer, Opener) {
    (Sealer::new(ours, keys.of_server()), Opener::new(theirs, keys.of_client()))
}

/// Both halves on the client's side, which receives the file.
#[must_use]
pub fn of_client(keys: &Keys, [theirs, ours]: [Cipher; 2]) -> (Sealer, Opener) {
    (Sealer::new(ours, keys.of_client()), Opener::new(theirs, keys.of_server()))
}

#[cfg(test)]
mod tests;
