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
