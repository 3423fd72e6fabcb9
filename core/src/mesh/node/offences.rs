//! Offences and what follows from them: the one table of the mesh (`mesh` 4).

use crate::{broadcast, overlay};

/// What a peer did wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Offence {
    /// A wrong signature that a relay must have noticed, a wrong content id, or another peer's name.
    Forgery,
    /// A malformed, non-canonical or oversize frame on a stream.
    BadFrame,
    /// Bytes that break the channel itself.
    BadChannel,
    /// More alternatives, HELLO, unkept promises or unasked replies than a peer may send.
    Excess,
    /// A rate limit was exceeded in this second.
    Rate,
}

/// What follows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Consequence {
    /// Banned for good.
    Ban,
    /// So many points; at 100 the peer is banned for a while.
    Points(u32),
    /// One point for each second in which it happens.
    Rate,
}

impl Offence {
    pub(super) const fn consequence(self) -> Consequence {
        match self {
            Self::Forgery => Consequence::Ban,
            Self::BadFrame | Self::BadChannel | Self::Excess => Consequence::Points(10),
            Self::Rate => Consequence::Rate,
        }
    }
}

impl From<overlay::Violation> for Offence {
    fn from(violation: overlay::Violation) -> Self {
        match violation {
            overlay::Violation::Impersonation => Self::Forgery,
            overlay::Violation::UnaskedReplies => Self::Excess,
            overlay::Violation::RateExceeded => Self::Rate,
        }
    }
}

impl From<broadcast::Violation> for Offence {
    fn from(violation: broadcast::Violation) -> Self {
        match violation {
            broadcast::Violation::Rejected | broadcast::Violation::WrongId => Self::Forgery,
            broadcast::Violation::Oversize => Self::BadFrame,
            broadcast::Violation::BrokenPromises => Self::Excess,
            broadcast::Violation::RateExceeded => Self::Rate,
        }
    }
}
