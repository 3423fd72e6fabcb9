//! The two state objects of the Noise specification: a cipher with its counter, and the running hash with its chain.

use bytes::BytesMut;
use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, Nonce, Tag};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{NAME, NoiseError, TAG};

/// A key and the number of the next message under it. No number is ever used twice (T-31).
pub(super) struct CipherState {
    cipher: ChaCha20Poly1305,
    counter: u64,
}

impl CipherState {
    fn new(key: &[u8; 32]) -> Self {
        Self { cipher: ChaCha20Poly1305::new(key.into()), counter: 0 }
    }

    /// Encrypts in place; the tag goes behind.
    pub(super) fn seal(&mut self, associated: &[u8], buffer: &mut [u8]) -> Result<[u8; TAG], NoiseError> {
        let nonce = self.nonce()?;
        let tag = self.cipher.encrypt_inout_detached(&nonce, associated, buffer.into());
        let tag = tag.map_err(|_| NoiseError::BadLength)?;
        self.counter = self.counter.saturating_add(1);
        Ok(tag.into())
    }

    /// Decrypts in place and cuts the tag off. A failure leaves the counter where it is.
    pub(super) fn open(&mut self, associated: &[u8], buffer: &mut BytesMut) -> Result<(), NoiseError> {
        let nonce = self.nonce()?;
        let length = buffer.len().checked_sub(TAG).ok_or(NoiseError::BadLength)?;
        let (text, tag) = buffer.split_at_mut_checked(length).ok_or(NoiseError::BadLength)?;
        let tag = Tag::try_from(&*tag).map_err(|_| NoiseError::BadLength)?;
        let opened = self.cipher.decrypt_inout_detached(&nonce, associated, text.into(), &tag);
        opened.map_err(|_| NoiseError::BadTag)?;
        buffer.truncate(length);
        self.counter = self.counter.saturating_add(1);
        Ok(())
    }

    /// Four zero bytes and the counter, little endian. The last number is reserved, so nothing is sealed under it.
    fn nonce(&self) -> Result<Nonce, NoiseError> {
        if self.counter == u64::MAX {
            return Err(NoiseError::Exhausted);
        }
        let mut nonce = [0; 12];
        let (_, counter) = nonce.split_at_mut(4);
        counter.copy_from_slice(&self.counter.to_le_bytes());
        Ok(nonce.into())
    }

    #[cfg(test)]
    pub(super) const fn set_counter(&mut self, counter: u64) {
        self.counter = counter;
    }
}

/// The transcript hash, the chaining key, and the key of the moment, if there is one yet.
pub(super) struct SymmetricState {
    hash: [u8; 32],
    chain: [u8; 32],
    cipher: Option<CipherState>,
}

impl SymmetricState {
    /// The name is as long as the hash, so it is the hash.
    pub(super) fn new(prologue: &[u8]) -> Self {
        let mut state = Self { hash: *NAME, chain: *NAME, cipher: None };
        state.mix_hash(prologue);
        state
    }

    pub(super) fn mix_hash(&mut self, bytes: &[u8]) {
        self.hash = Sha256::new().chain_update(self.hash).chain_update(bytes).finalize().into();
    }

    pub(super) fn mix_key(&mut self, secret: &[u8]) -> Result<(), NoiseError> {
        let (chain, key) = expand(&self.chain, secret)?;
        self.chain.copy_from_slice(chain.as_slice());
        self.cipher = Some(CipherState::new(&key));
        Ok(())
    }

    /// Encrypts `plaintext` once there is a key, and appends it to `out`.
    pub(super) fn encrypt_and_hash(
        &mut self,
        plaintext: &[u8],
        out: &mut BytesMut,
    ) -> Result<(), NoiseError> {
        let start = out.len();
        out.extend_from_slice(plaintext);
        if let Some(cipher) = &mut self.cipher {
            let tag = cipher.seal(&self.hash, out.get_mut(start..).unwrap_or_default())?;
            out.extend_from_slice(&tag);
        }
        self.mix_hash(out.get(start..).unwrap_or_default());
        Ok(())
    }

    /// The opposite, in place.
    pub(super) fn decrypt_and_hash(&mut self, part: &mut BytesMut) -> Result<(), NoiseError> {
        let hash = self.hash;
        self.mix_hash(part);
        match &mut self.cipher {
            Some(cipher) => cipher.open(&hash, part),
            None => Ok(()),
        }
    }

    /// The ciphers of the transport: first the one from initiator to responder.
    pub(super) fn split(&self) -> Result<(CipherState, CipherState), NoiseError> {
        let (first, second) = expand(&self.chain, &[])?;
        Ok((CipherState::new(&first), CipherState::new(&second)))
    }

    pub(super) const fn hash(&self) -> &[u8; 32] {
        &self.hash
    }
}

impl Drop for SymmetricState {
    fn drop(&mut self) {
        self.chain.zeroize();
        self.hash.zeroize();
    }
}

impl ZeroizeOnDrop for SymmetricState {}

type Key = Zeroizing<[u8; 32]>;

/// The two-output HKDF of Noise: that of RFC 5869 with the chaining key as salt and no info.
fn expand(chain: &[u8; 32], secret: &[u8]) -> Result<(Key, Key), NoiseError> {
    let mut both = Zeroizing::new([0; 64]);
    Hkdf::<Sha256>::new(Some(chain), secret)
        .expand(&[], both.as_mut_slice())
        .map_err(|_| NoiseError::BadLength)?;
    let (mut first, mut second) = (Key::default(), Key::default());
    let (left, right) = both.split_at(32);
    first.copy_from_slice(left);
    second.copy_from_slice(right);
    Ok((first, second))
}
