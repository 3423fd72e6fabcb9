//! How a run of SPOKE fails.

use core::fmt;

use crate::bob::public::PublicError;

/// Why a run failed: what a Spoke_failure packet says in one byte (`bob-relay` 2). The peer is at fault, or the
/// passwords differ; which of both nobody can tell.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Failure {
    /// A point is none, or is not in the prime-order subgroup.
    NotInSubgroup,
    /// The validator that the server sent is not what the client computed.
    InvalidClientValidator,
    /// The validator that the client sent is not what the server computed.
    InvalidServerValidator,
    /// The public is malformed, or asks for what the client does not do.
    InvalidPublic,
    /// What the server was given for a password is none.
    InvalidSecret,
}

impl Failure {
    /// The failure of a byte of the wire; none if the packet is invalid.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::NotInSubgroup),
            1 => Some(Self::InvalidClientValidator),
            2 => Some(Self::InvalidServerValidator),
            3 => Some(Self::InvalidPublic),
            4 => Some(Self::InvalidSecret),
            _ => None,
        }
    }

    /// Its byte on the wire.
    #[must_use]
    pub const fn to_byte(self) -> u8 {
        match self {
            Self::NotInSubgroup => 0,
            Self::InvalidClientValidator => 1,
            Self::InvalidServerValidator => 2,
            Self::InvalidPublic => 3,
            Self::InvalidSecret => 4,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotInSubgroup => "a SPOKE point is not in the prime-order subgroup",
            Self::InvalidClientValidator => "the validator from the SPOKE server is wrong",
            Self::InvalidServerValidator => "the validator from the SPOKE client is wrong",
            Self::InvalidPublic => "the SPOKE public is invalid",
            Self::InvalidSecret => "the SPOKE secret is invalid",
        })
    }
}

impl core::error::Error for Failure {}

impl From<PublicError> for Failure {
    fn from(_: PublicError) -> Self {
        Self::InvalidPublic
    }
}
