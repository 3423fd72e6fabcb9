//! The book of known peers, the only owner of bans and misbehaviour points, and the dialler.
//!
//! [`Book`] is a machine: bans end and points decay by its deadline, and what must survive a restart leaves it as
//! [`Output::Store`], a record at a time. What the node asks on every message (is this peer banned?) and on every dial
//! (where is it, and may I dial yet?) are plain methods, answered at once.
//!
//! [`dial::Dialler`] is a second machine: it takes the places of a peer and turns them into attempts in the order of
//! [`dial::plan`], within its limits. The parent feeds the outcome of attempts back into the book.
//!
//! **Points** decay by one a minute: all that is kept of an offender is the instant at which it will be clean. At
//! [`Config::ban_points`] the peer is banned for [`Config::ban`], and at the third such ban in a day for good (`mesh` 4).
//!
//! **Known peers** stand in one of three ranks: strangers (somebody told us), verified (it was once at the other end of
//! a link) and connected. A newcomer displaces the oldest of its own or a lower rank, so that strangers, however many,
//! displace strangers only (T-37); and what one source tells displaces what the same source told before, once that is a
//! certain share.
//!
//! **Time.** Everything runs on the monotonic clock. Records carry wall time, since nothing else survives a restart;
//! what is read back is clamped, so that a wrong clock can shorten a ban but never prolong it.

mod ban;
mod book;
mod config;
pub mod dial;
mod known;
mod place;
mod record;

use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

pub use book::{Book, Stats};
pub use config::Config;
pub use place::{Place, Reach, Route, Surroundings};
pub use record::{Kind, RecordError};

/// What the book hears.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Input<P> {
    /// Somebody says that a peer can be reached at these places.
    Learned {
        /// About whom.
        peer: P,
        /// Where. What must not be dialled (T-27) and what is beyond the limits is dropped.
        places: Vec<Place>,
        /// Who says so.
        source: Source<P>,
    },
    /// Our listeners or families changed.
    Surroundings(Surroundings),
    /// A link to the peer is established: its key is proven.
    Connected {
        /// Who.
        peer: P,
        /// The place that we dialled; none if it dialled us. Its back-off is cleared.
        place: Option<Place>,
    },
    /// The last established link to the peer is gone.
    Disconnected {
        /// Who.
        peer: P,
    },
    /// A dial failed: the place is left alone for a while.
    DialFailed {
        /// To whom.
        peer: P,
        /// Where.
        address: Bytes,
    },
    /// The peer, known or not, wishes not to be dialled for a while (a NACK). At most [`Config::refrain_max`], and until
    /// a link to it is established.
    Refrain {
        /// Who.
        peer: P,
        /// How long.
        wait: Duration,
    },
    /// The peer broke a rule.
    Offence {
        /// Who.
        peer: P,
        /// How bad it was.
        offence: Offence,
    },
    /// Ban a peer, for a while or, with none, for good.
    Ban {
        /// Who.
        peer: P,
        /// How long.
        lifetime: Option<Duration>,
    },
    /// Lift a ban, and forget points and earlier bans.
    Unban {
        /// Who.
        peer: P,
    },
}

/// Who tells of a peer.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Source<P> {
    /// The application or its configuration: not subject to the rules on what peers may make us dial.
    Local,
    /// This peer, over a link whose other end is of this class of addresses. Its own record or another's.
    Peer {
        /// Who.
        peer: P,
        /// The class of its address; none if it has none.
        over: Option<crate::ip::Class>,
    },
}

/// How bad an offence is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Offence {
    /// So many points.
    Points(u32),
    /// A rate was exceeded: one point for each second in which that happens.
    Rate,
    /// Beyond doubt, and proven by the peer's own link: a ban for good (T-50).
    Ban,
}

/// What the book wants done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output<P> {
    /// The peer is banned from now on: close its links without a word, drop it everywhere.
    Banned {
        /// Who.
        peer: P,
        /// How long; for good if none.
        lifetime: Option<Duration>,
    },
    /// The ban is over or was lifted.
    Unbanned {
        /// Who.
        peer: P,
    },
    /// Keep this record (none deletes it), to be handed to [`Book::restore`] after a restart. Its key in a store is made
    /// of [`Kind::name`] and the peer: `ban/<peer>`, `peer/<peer>`.
    Store {
        /// About whom.
        peer: P,
        /// What it tells.
        kind: Kind,
        /// The record.
        value: Option<Bytes>,
    },
}

#[cfg(test)]
mod tests;
