//! What seals and opens the records of one direction.

use alloc::boxed::Box;

use aes_gcm::AesGcm;
use aes_gcm::aead::consts::{U12, U16, U20};
use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aead::{AeadInOut, Error, KeyInit};
use aes_gcm::aes::Aes256;
use ccm::Ccm;
use chacha20poly1305::ChaCha20Poly1305;
use zeroize::Zeroizing;

use super::TAG;
use crate::bob::public::Cipher;

/// Stands before the length in the associated data: the protocol's version, big endian.
const VERSION: [u8; 2] = [0, 1];

/// Boxed: the states differ by hundreds of bytes.
enum Aead {
    Gcm(Box<AesGcm<Aes256, U20>>),
    Ccm(Box<Ccm<Aes256, U16, U12>>),
    ChaCha(Box<ChaCha20Poly1305>),
}

/// A key and the number of the next record under it. No number is ever used twice (T-31).
pub(super) struct RecordCipher {
    aead: Aead,
    base: Zeroizing<[u8; 12]>,
    number: u64,
}

impl RecordCipher {
    /// Of a shared key the first 32 bytes are the key and the next 12 the base of the nonces.
    pub(super) fn new(cipher: Cipher, shared: &[u8; 64], number: u64) -> Self {
        let (mut key, mut base) = (Zeroizing::new([0; 32]), Zeroizing::new([0; 12]));
        let used = key.iter_mut().chain(base.iter_mut());
        used.zip(shared).for_each(|(to, from)| *to = *from);
        let key = (&*key).into();
        let aead = match cipher {
            Cipher::Aes256Gcm => Aead::Gcm(Box::new(AesGcm::new(key))),
            Cipher::Aes256Ccm => Aead::Ccm(Box::new(Ccm::new(key))),
            Cipher::ChaCha20Poly1305 => Aead::ChaCha(Box::new(ChaCha20Poly1305::new(key))),
        };
        Self { aead, base, number }
    }

    /// How many records can still be sealed or opened. The last number is reserved.
    pub(super) const fn left(&self) -> u64 {
        u64::MAX.saturating_sub(self.number)
    }

    /// Encrypts the plaintext of the next record in place; the tag goes behind.
    pub(super) fn seal(&mut self, text: &mut [u8]) -> Result<[u8; TAG], Error> {
        let (associated, text) = (associated(text)?, InOutBuf::from(text));
        if self.left() == 0 {
            return Err(Error);
        }
        let tag = match &self.aead {
            Aead::Gcm(aead) => aead.encrypt_inout_detached(&self.long_nonce().into(), &associated, text),
            Aead::Ccm(aead) => aead.encrypt_inout_detached(&self.short_nonce().into(), &associated, text),
            Aead::ChaCha(aead) => aead.encrypt_inout_detached(&self.short_nonce().into(), &associated, text),
        }?;
        self.number = self.number.saturating_add(1);
        Ok(tag.into())
    }

    /// Decrypts the next record in place. A failure leaves the number where it is.
    pub(super) fn open(&mut self, text: &mut [u8], tag: &[u8; TAG]) -> Result<(), Error> {
        let (associated, text, tag) = (associated(text)?, InOutBuf::from(text), tag.into());
        if self.left() == 0 {
            return Err(Error);
        }
        match &self.aead {
            Aead::Gcm(aead) => aead.decrypt_inout_detached(&self.long_nonce().into(), &associated, text, tag),
            Aead::Ccm(aead) => {
                aead.decrypt_inout_detached(&self.short_nonce().into(), &associated, text, tag)
            }
            Aead::ChaCha(aead) => {
                aead.decrypt_inout_detached(&self.short_nonce().into(), &associated, text, tag)
            }
        }?;
        self.number = self.number.saturating_add(1);
        Ok(())
    }

    /// The base and behind it the number: AES-256-GCM, as the other implementation has it.
    fn long_nonce(&self) -> [u8; 20] {
        let mut nonce = [0; 20];
        let bytes = self.base.into_iter().chain(self.number.to_be_bytes());
        nonce.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        nonce
    }

    /// The base, and the number XORed into its last eight bytes: the other ciphers.
    fn short_nonce(&self) -> [u8; 12] {
        let mut nonce = *self.base;
        nonce.iter_mut().skip(4).zip(self.number.to_be_bytes()).for_each(|(to, from)| *to ^= from);
        nonce
    }
}

/// The version and the length of the plaintext.
fn associated(text: &[u8]) -> Result<[u8; 4], Error> {
    let [[a, b], [c, d]] = [VERSION, u16::try_from(text.len()).map_err(|_| Error)?.to_be_bytes()];
    Ok([a, b, c, d])
}
