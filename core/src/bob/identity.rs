//! What a relay calls its peers: the address and port that it sees.

use alloc::format;
use core::fmt;
use core::net::SocketAddr;

use bytes::Bytes;

/// The textual address, a colon, the decimal port; IPv6 without brackets (`bob-relay.md` 2).
///
/// To everybody but the relay that made it, it is an opaque string of bytes: compared and hashed as it came, never
/// written anew. At most [`Identity::READ_MAX`] bytes and without NUL.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Identity(Bytes);

/// The bytes are no identity.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum IdentityError {
    /// More than [`Identity::READ_MAX`] bytes.
    TooLong,
    /// A NUL, which would end it on the wire.
    Nul,
}

impl Identity {
    /// Bytes that are read at most; a longer one is refused before it is kept.
    pub const READ_MAX: usize = 255;
    /// Bytes that are ever written: 47 of an address, a colon, 5 of a port.
    pub const WRITTEN_MAX: usize = 53;

    /// Takes the bytes as they are.
    ///
    /// # Errors
    /// They are too many, or hold a NUL.
    pub fn new(bytes: Bytes) -> Result<Self, IdentityError> {
        if bytes.len() > Self::READ_MAX {
            Err(IdentityError::TooLong)
        } else if bytes.contains(&0) {
            Err(IdentityError::Nul)
        } else {
            Ok(Self(bytes))
        }
    }

    /// What a relay calls a peer that it sees at `address`. Never longer than [`Identity::WRITTEN_MAX`].
    #[must_use]
    pub fn of(address: SocketAddr) -> Self {
        Self(format!("{}:{}", address.ip().to_canonical(), address.port()).into())
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// Whether it may be written to others: it is not longer than [`Identity::WRITTEN_MAX`].
    #[must_use]
    pub const fn is_writable(&self) -> bool {
        self.0.len() <= Self::WRITTEN_MAX
    }

    /// The part in front of the port: who guesses, whatever the port. All of it if there is no colon.
    #[must_use]
    pub fn host(&self) -> &[u8] {
        let colon = self.0.iter().rposition(|byte| *byte == b':');
        colon.and_then(|colon| self.0.get(..colon)).unwrap_or(&self.0)
    }
}

/// As text, with everything that is not printable ASCII escaped: it comes from a peer.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.escape_ascii().fmt(f)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({self})")
    }
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "an identity is too long",
            Self::Nul => "an identity holds a NUL",
        })
    }
}

impl core::error::Error for IdentityError {}

#[cfg(test)]
mod tests;
