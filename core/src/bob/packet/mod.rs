//! Packets of the handshake port: sixteen kinds, with neither a length nor a separator between them (`bob-relay.md` 2).
//!
//! ```text
//! packet = uid, 4 hex digits | kind, 2 hex digits | body: a fixed part, and for some kinds an identity that ends with NUL
//! ```
//!
//! [`Packet::encode`] writes hex digits in lower case; [`Decoder`] takes both cases, any cut of the stream, and holds at
//! most one packet. No other leniency.

mod decode;
mod failure;

use core::fmt;

use bytes::BufMut;

pub use super::spoke::Failure as SpokeFailure;
use super::{Identity, IdentityError};
pub use decode::{DecodeError, Decoder};
pub use failure::RelayFailure;

/// A peer of a relay. Towards the relay it names the destination, from the relay the source.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Uid(pub u16);

impl Uid {
    /// The relay itself.
    pub const RELAY: Self = Self(0);
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}", self.0)
    }
}

/// Bytes of the parameters that a server shows: passed on verbatim by the relay, judged by clients.
pub const PUBLIC_LEN: usize = 34;
/// Bytes of a point of the curve.
pub const POINT_LEN: usize = 32;
/// Bytes of a validator.
pub const VALIDATOR_LEN: usize = 64;

/// One packet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Packet {
    /// Destination or source, by direction.
    pub uid: Uid,
    /// What it says.
    pub body: Body,
}

/// What a packet says. In the order of their kinds, 00 to 0f.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Body {
    /// A server registers.
    HelloAsServer {
        /// Its parameters.
        public: [u8; PUBLIC_LEN],
    },
    /// A client registers.
    HelloAsClient,
    /// The relay tells a server what it is called.
    ServerIdentity {
        /// Its name.
        identity: Identity,
    },
    /// The relay tells a client what it is called.
    ClientIdentity {
        /// Its name.
        identity: Identity,
    },
    /// The relay announces a server to a client.
    NewServer {
        /// Its uid.
        server: Uid,
        /// Its parameters.
        public: [u8; PUBLIC_LEN],
        /// Its name.
        identity: Identity,
    },
    /// A client shows that it has the key: K_3 of SPOKE.
    ClientValidator {
        /// The validator.
        validator: [u8; VALIDATOR_LEN],
    },
    /// A server's share, and the proof that it has the key: K_2 of SPOKE.
    ServerShare {
        /// Y.
        share: [u8; POINT_LEN],
        /// The validator.
        validator: [u8; VALIDATOR_LEN],
    },
    /// A client's share.
    ClientShare {
        /// X.
        share: [u8; POINT_LEN],
        /// What the relay calls the client.
        identity: Identity,
    },
    /// A server agrees: the password is the same.
    Agreement,
    /// The relay says that a peer is gone.
    Closed {
        /// Which; [`Uid::RELAY`] is the relay itself.
        peer: Uid,
    },
    /// A client's user accepts.
    Accepted,
    /// A client's user declines.
    Refused,
    /// A peer reports to the relay what it could not make sense of.
    RelayFailure(RelayFailure),
    /// A peer ends a handshake.
    SpokeFailure(SpokeFailure),
    /// The relay has opened the room.
    Done,
    /// The relay's patience is over.
    Timeout,
}

impl Body {
    /// The number of its kind.
    #[must_use]
    pub const fn kind(&self) -> u8 {
        match self {
            Self::HelloAsServer { .. } => 0x00,
            Self::HelloAsClient => 0x01,
            Self::ServerIdentity { .. } => 0x02,
            Self::ClientIdentity { .. } => 0x03,
            Self::NewServer { .. } => 0x04,
            Self::ClientValidator { .. } => 0x05,
            Self::ServerShare { .. } => 0x06,
            Self::ClientShare { .. } => 0x07,
            Self::Agreement => 0x08,
            Self::Closed { .. } => 0x09,
            Self::Accepted => 0x0a,
            Self::Refused => 0x0b,
            Self::RelayFailure(_) => 0x0c,
            Self::SpokeFailure(_) => 0x0d,
            Self::Done => 0x0e,
            Self::Timeout => 0x0f,
        }
    }

    const fn identity(&self) -> Option<&Identity> {
        match self {
            Self::ServerIdentity { identity }
            | Self::ClientIdentity { identity }
            | Self::NewServer { identity, .. }
            | Self::ClientShare { identity, .. } => Some(identity),
            Self::HelloAsServer { .. }
            | Self::HelloAsClient
            | Self::ClientValidator { .. }
            | Self::ServerShare { .. }
            | Self::Agreement
            | Self::Closed { .. }
            | Self::Accepted
            | Self::Refused
            | Self::RelayFailure(_)
            | Self::SpokeFailure(_)
            | Self::Done
            | Self::Timeout => None,
        }
    }
}

impl Packet {
    /// Bytes of the longest packet that is written.
    pub const WRITTEN_MAX: usize = HEADER_LEN + POINT_LEN + VALIDATOR_LEN;

    /// A packet to or from the relay.
    #[must_use]
    pub const fn of_relay(body: Body) -> Self {
        Self { uid: Uid::RELAY, body }
    }

    /// Appends the packet to `out`.
    ///
    /// # Errors
    /// Its identity is longer than [`Identity::WRITTEN_MAX`]; nothing is written.
    pub fn encode(&self, out: &mut impl BufMut) -> Result<(), IdentityError> {
        let identity = self.body.identity();
        if identity.is_some_and(|identity| !identity.is_writable()) {
            return Err(IdentityError::TooLong);
        }
        put_hex(out, &self.uid.0.to_be_bytes());
        put_hex(out, &[self.body.kind()]);
        match &self.body {
            Body::HelloAsServer { public } => out.put_slice(public),
            Body::NewServer { server, public, .. } => {
                put_hex(out, &server.0.to_be_bytes());
                out.put_slice(public);
            }
            Body::ClientValidator { validator } => out.put_slice(validator),
            Body::ServerShare { share, validator } => {
                out.put_slice(share);
                out.put_slice(validator);
            }
            Body::ClientShare { share, .. } => out.put_slice(share),
            Body::Closed { peer } => put_hex(out, &peer.0.to_be_bytes()),
            Body::RelayFailure(failure) => {
                out.put_u8(failure.letter());
                put_hex(out, &failure.uid().0.to_be_bytes());
            }
            Body::SpokeFailure(failure) => out.put_u8(failure.to_byte()),
            Body::HelloAsClient
            | Body::ServerIdentity { .. }
            | Body::ClientIdentity { .. }
            | Body::Agreement
            | Body::Accepted
            | Body::Refused
            | Body::Done
            | Body::Timeout => {}
        }
        if let Some(identity) = identity {
            out.put_slice(identity.as_bytes());
            out.put_u8(0);
        }
        Ok(())
    }
}

/// Bytes of uid and kind.
const HEADER_LEN: usize = 6;
/// Hex digits of a uid.
const UID_LEN: usize = 4;

fn put_hex(out: &mut impl BufMut, bytes: &[u8]) {
    for byte in bytes {
        for digit in [byte >> 4, byte & 0x0f] {
            out.put_u8(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 });
        }
    }
}

#[cfg(test)]
mod tests;
