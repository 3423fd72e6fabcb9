//! What peers report when something went wrong.

use super::Uid;

/// What a peer reports to the relay, which only counts it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RelayFailure {
    /// A packet of a client that the server does not know.
    InvalidClient(Uid),
    /// A packet of a server that the client does not know.
    InvalidServer(Uid),
    /// A step of a handshake that was never begun.
    NoHandshake(Uid),
    /// The relay says that a room is open, though nothing was agreed on. Written with uid 0000, read with any.
    NoAgreement(Uid),
}

impl RelayFailure {
    pub(super) const fn letter(self) -> u8 {
        match self {
            Self::InvalidClient(_) => b'C',
            Self::InvalidServer(_) => b'S',
            Self::NoHandshake(_) => b'H',
            Self::NoAgreement(_) => b'N',
        }
    }

    /// About whom.
    #[must_use]
    pub const fn uid(self) -> Uid {
        match self {
            Self::InvalidClient(uid)
            | Self::InvalidServer(uid)
            | Self::NoHandshake(uid)
            | Self::NoAgreement(uid) => uid,
        }
    }

    pub(super) const fn of(letter: u8, uid: Uid) -> Option<Self> {
        Some(match letter {
            b'C' => Self::InvalidClient(uid),
            b'S' => Self::InvalidServer(uid),
            b'H' => Self::NoHandshake(uid),
            b'N' => Self::NoAgreement(uid),
            _ => return None,
        })
    }
}

/// Why a handshake ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SpokeFailure {
    /// A point is not one of the prime-order subgroup.
    Point,
    /// The client's check of the server's proof failed: another password, or somebody in between.
    ClientValidator,
    /// The server's check of the client's proof failed.
    ServerValidator,
    /// The server's parameters are not acceptable.
    Public,
    /// The secret is not one.
    Secret,
}

impl SpokeFailure {
    /// The byte on the wire.
    #[must_use]
    pub const fn to_byte(self) -> u8 {
        match self {
            Self::Point => 0,
            Self::ClientValidator => 1,
            Self::ServerValidator => 2,
            Self::Public => 3,
            Self::Secret => 4,
        }
    }

    pub(super) const fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::Point,
            1 => Self::ClientValidator,
            2 => Self::ServerValidator,
            3 => Self::Public,
            4 => Self::Secret,
            _ => return None,
        })
    }
}
