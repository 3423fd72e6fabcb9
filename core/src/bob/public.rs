//! What a server says in the open about the handshake to come (`bob-relay` 3).
//!
//! ```text
//! version(2) kdf(2) count(8) cipher 0(2) cipher 1(2) hash(2) salt(16)        big endian, 34 bytes
//! ```

use core::fmt;

use bytes::BufMut;

use crate::wire::{Reader, Short};

/// Bytes of an encoded [`Public`].
pub const LENGTH: usize = 34;
/// The most iterations of the key derivation: more would hold the processor of a client for a malicious server. Even
/// so many can be spread over many calls: [`super::spoke::Deriving`].
pub const COUNT_MAX: u32 = 1_000_000;
/// The iterations that the usual command line tool asks for.
pub const COUNT_DEFAULT: u32 = 16;

const VERSION: u16 = 1;
/// PBKDF2 with HMAC-SHA-256.
const KDF: u16 = 2;
/// SHA-256.
const HASH: u16 = 4;

/// What encrypts a direction of the channel.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Cipher {
    /// AES-256-GCM: the only one that interoperates.
    Aes256Gcm,
    /// AES-256-CCM with a tag of 16 bytes.
    Aes256Ccm,
    /// ChaCha20-Poly1305.
    ChaCha20Poly1305,
}

impl Cipher {
    /// The cipher of a number on the wire.
    #[must_use]
    pub const fn from_number(number: u16) -> Option<Self> {
        match number {
            0 => Some(Self::Aes256Gcm),
            1 => Some(Self::Aes256Ccm),
            2 => Some(Self::ChaCha20Poly1305),
            _ => None,
        }
    }

    /// Its number on the wire.
    #[must_use]
    pub const fn to_number(self) -> u16 {
        match self {
            Self::Aes256Gcm => 0,
            Self::Aes256Ccm => 1,
            Self::ChaCha20Poly1305 => 2,
        }
    }
}

/// The parameters of a handshake, chosen by the server. What can be constructed can be encoded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Public {
    count: u32,
    ciphers: [Cipher; 2],
    salt: [u8; 16],
}

/// Why a public was refused. The peer is at fault; a client answers each with Spoke_failure 03.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PublicError {
    /// It is not of [`LENGTH`] bytes.
    BadLength,
    /// The version is not 1.
    UnknownVersion,
    /// The key derivation is not PBKDF2 with HMAC-SHA-256.
    UnknownKdf,
    /// The iteration count is 0 or above [`COUNT_MAX`].
    CountOutOfRange,
    /// One of the ciphers has no meaning.
    UnknownCipher,
    /// The hash is not SHA-256.
    UnknownHash,
}

impl fmt::Display for PublicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadLength => "a SPOKE public is not of 34 bytes",
            Self::UnknownVersion => "a SPOKE public has an unknown version",
            Self::UnknownKdf => "a SPOKE public names an unknown key derivation",
            Self::CountOutOfRange => "a SPOKE public asks for no or too many iterations",
            Self::UnknownCipher => "a SPOKE public names an unknown cipher",
            Self::UnknownHash => "a SPOKE public names an unknown hash",
        })
    }
}

impl core::error::Error for PublicError {}

impl From<Short> for PublicError {
    fn from(_: Short) -> Self {
        Self::BadLength
    }
}

impl Public {
    /// Parameters with `count` iterations, `1..=COUNT_MAX`. The salt is to be random. The first cipher protects what
    /// the server sends, the second what the client does. Only with [`Cipher::Aes256Gcm`] first can the other
    /// implementation read the file.
    pub const fn new(count: u32, ciphers: [Cipher; 2], salt: [u8; 16]) -> Result<Self, PublicError> {
        if count == 0 || count > COUNT_MAX {
            return Err(PublicError::CountOutOfRange);
        }
        Ok(Self { count, ciphers, salt })
    }

    /// Reads an encoded public; strict, so that there is one encoding of each.
    pub fn decode(bytes: &[u8]) -> Result<Self, PublicError> {
        if bytes.len() != LENGTH {
            return Err(PublicError::BadLength);
        }
        let mut reader = Reader::new(bytes);
        if reader.u16()? != VERSION {
            return Err(PublicError::UnknownVersion);
        }
        if reader.u16()? != KDF {
            return Err(PublicError::UnknownKdf);
        }
        let count = u32::try_from(reader.u64()?).unwrap_or(u32::MAX);
        let ciphers = [Cipher::from_number(reader.u16()?), Cipher::from_number(reader.u16()?)];
        let [Some(first), Some(second)] = ciphers else { return Err(PublicError::UnknownCipher) };
        if reader.u16()? != HASH {
            return Err(PublicError::UnknownHash);
        }
        Self::new(count, [first, second], reader.array()?)
    }

    /// Writes it.
    #[must_use]
    pub fn encode(&self) -> [u8; LENGTH] {
        let mut encoded = [0; LENGTH];
        let mut out = encoded.as_mut_slice();
        out.put_u16(VERSION);
        out.put_u16(KDF);
        out.put_u64(self.count.into());
        for cipher in self.ciphers {
            out.put_u16(cipher.to_number());
        }
        out.put_u16(HASH);
        out.put_slice(&self.salt);
        encoded
    }

    /// How many times the key derivation iterates: `1..=COUNT_MAX`. It is not to be trusted: a relay can lower it.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// The ciphers: of what the server sends, of what the client sends.
    #[must_use]
    pub const fn ciphers(&self) -> [Cipher; 2] {
        self.ciphers
    }

    /// The salt of the key derivation.
    #[must_use]
    pub const fn salt(&self) -> &[u8; 16] {
        &self.salt
    }
}

#[cfg(test)]
mod tests;
