//! What is wrong with a frame of the mesh's own streams.

use core::fmt;

use crate::wire::cbor::CborError;

/// A frame that ends its stream with a reset and counts against its sender (`mesh` 4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Malformed {
    /// Not deterministic CBOR, or a known element of another type.
    Cbor(CborError),
    /// A string, list or body shorter or longer than it may be.
    Length,
    /// A number out of its range.
    Range,
    /// Not the id of an Ed25519 peer.
    PeerId,
    /// More than 99 alternatives: an offence of its own, not a malformed frame.
    TooManyAlternatives,
}

impl From<CborError> for Malformed {
    fn from(error: CborError) -> Self {
        Self::Cbor(error)
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cbor(error) => error.fmt(f),
            Self::Length => f.write_str("a member has a length that is not allowed"),
            Self::Range => f.write_str("a number is out of its range"),
            Self::PeerId => f.write_str("not a peer id of an Ed25519 key"),
            Self::TooManyAlternatives => f.write_str("more than 99 alternatives"),
        }
    }
}

impl core::error::Error for Malformed {}
