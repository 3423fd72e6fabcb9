//! Who may be linked: one table a node, in which every link is entered when it opens and leaves when it closes.
//!
//! ```text
//! accept / dialled ──▶ unauthenticated ──authenticated──▶ pending ──admit──▶ admitted ──established──▶ established
//!        │ rate, shutting down   │ evicted by          │ own key    │ level, duplicate,    │ evicted by a better link
//!        ▼                       ▼ a newer link        ▼            ▼ range, quota         ▼ or a duplicate
//!                                            closed: forgotten
//! ```
//!
//! The table decides and keeps count; it sends nothing. Each decision names its [`Reason`], which the network's dialect
//! puts in its own words (a NACK, a BYE, silence). A link that a decision refuses or evicts is forgotten at that moment:
//! the caller closes it, and the later [`Table::closed`] finds nothing to do.
//!
//! **Places.** Of [`Config::links_max`] admitted links, [`Config::outgoing_reserved`] places are kept for links that we
//! dialled, and an incoming link never displaces an outgoing one (T-25). When the places are taken, a link of a strictly
//! higher [`Level`] displaces the incoming link of the lowest level, the oldest among equals. Links that have not proven
//! their key stand in a table of their own that evicts instead of refusing (T-20), so that silent strangers cannot keep
//! honest ones out.
//!
//! **Duplicates.** Both ends of crossed dials must keep the same link. Under [`Duplicates::SmallerInitiator`] they do,
//! whatever the order in which handshakes complete: the decision looks only at what both ends know alike (who dialled,
//! relayed or not, which was opened first).
//!
//! Costs: a decision is logarithmic in the number of links, except that evicting an unauthenticated link looks at all
//! unauthenticated links.

mod config;
mod table;
mod waiting;

use alloc::vec::Vec;

use crate::link::LinkId;

pub use config::{Config, Duplicates};
pub use table::{Opening, Stats, Table};

/// Who dialled.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Direction {
    /// The peer.
    Incoming,
    /// We.
    Outgoing,
}

/// How much a link is worth. The network gives meaning to the levels; they may change while the link stands.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Level(pub u8);

impl Level {
    /// The lowest: peers that take no part in the network. They have a quota of their own.
    pub const STRANGER: Self = Self(0);
}

/// What becomes of a link.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Decision {
    /// It stays; these others must be closed for it.
    Accept {
        /// At most the duplicates of the link, and one more.
        evicted: Vec<Evicted>,
    },
    /// It must be closed.
    Refuse(Reason),
}

impl Decision {
    /// It stays, and nobody goes.
    pub const ACCEPT: Self = Self::Accept { evicted: Vec::new() };
}

/// A link that has to go for another's sake.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Evicted {
    /// Which.
    pub link: LinkId,
    /// Why.
    pub reason: Reason,
}

/// Why a link is refused or evicted.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Reason {
    /// The table does not know the link: it was refused or evicted before.
    Forgotten,
    /// The key is our own.
    Own,
    /// Too many links from this address in a short time.
    Rate,
    /// It has not proven its key, and its place is needed for a newer link.
    Handshake,
    /// Only higher levels are admitted.
    Level,
    /// Another link to the same peer stays.
    Duplicate,
    /// As many links as permitted lead to its range of addresses.
    Range,
    /// All places are taken by links that are worth as much or more.
    Quota,
    /// The node is shutting down.
    ShuttingDown,
}

#[cfg(test)]
mod tests;
