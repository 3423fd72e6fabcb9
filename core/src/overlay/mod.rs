//! HyParView with topics: who is linked to whom (`overlay.md`). One instance per topic.

mod active;
mod capacity;
mod conduct;
mod config;
mod join;
mod links;
mod message;
mod neighbor;
mod passive;
mod plain;
mod registration;
mod repair;
mod shuffle;
mod state;
mod stats;
mod table;
mod timers;

use alloc::vec::Vec;

use bytes::Bytes;

pub use capacity::Capacity;
pub use config::Config;
pub use message::{Contact, Message, Priority};
pub use state::Overlay;
pub use stats::Stats;

/// What an instance hears.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Input<P> {
    /// Join the topic through one of these; later calls are hints for repair.
    Join {
        /// Nodes known from elsewhere.
        bootstrap: Vec<Contact<P>>,
    },
    /// Leave the topic: says goodbye, then the instance is closed.
    Leave,
    /// The addresses to advertise for ourselves; before the first there is no JOIN.
    Addresses(Vec<Bytes>),
    /// A message of this topic came.
    Message {
        /// From this connected peer.
        from: P,
        /// What.
        message: Message<P>,
    },
    /// A link to this peer is established.
    Connected {
        /// Who.
        peer: P,
        /// Whether we dialled it.
        dialled: bool,
    },
    /// The last link to this peer is gone.
    Disconnected {
        /// Who.
        peer: P,
    },
    /// A dial that was asked for failed.
    DialFailed {
        /// To whom.
        peer: P,
    },
    /// A neighbour does not read, or does not answer: it counts as failed (`overlay` 5.5).
    Unresponsive {
        /// Who.
        peer: P,
    },
    /// The estimated size of the network.
    NetworkSize(u64),
    /// The answer to `CheckRegistered`.
    Registered {
        /// Who.
        peer: P,
        /// Whether it may take part.
        registered: bool,
    },
    /// This peer is banned: it goes from all views without a word.
    Banned {
        /// Who.
        peer: P,
    },
    /// A message of the broadcast layer came from a peer that is not a neighbour (`overlay` 6.2, 3.3 c).
    Stranger {
        /// Who.
        peer: P,
    },
}

/// What an instance wants done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output<P> {
    /// Send this to a connected peer.
    Send {
        /// To whom.
        to: P,
        /// What.
        message: Message<P>,
    },
    /// The link to this peer is needed from now on. Each is matched by one `Release`.
    Hold {
        /// To whom.
        peer: P,
    },
    /// Open a link to a held peer that is not connected; answered by `Connected` or `DialFailed`.
    Dial {
        /// To whom.
        peer: P,
        /// Where it may be reached.
        addresses: Vec<Bytes>,
    },
    /// The link is not needed any more by this topic.
    Release {
        /// To whom.
        peer: P,
    },
    /// May this peer take part? Answered by `Registered`.
    CheckRegistered {
        /// Who.
        peer: P,
    },
    /// The peer broke a rule.
    Violation {
        /// Who.
        peer: P,
        /// Which rule.
        violation: Violation,
    },
    /// For the parent.
    Event(Event<P>),
}

/// What became of the active view.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event<P> {
    /// A neighbour was won.
    NeighborUp {
        /// Who.
        peer: P,
    },
    /// A neighbour was lost.
    NeighborDown {
        /// Who.
        peer: P,
        /// Why.
        reason: DownReason,
    },
}

/// Why a neighbour was lost (`overlay` 6.7).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DownReason {
    /// One of the two ends needed the place.
    Evicted,
    /// It left the topic.
    Left,
    /// Its link broke, or it did not answer.
    Lost,
    /// It was banned.
    Banned,
    /// We left.
    Local,
}

/// A rule that a peer broke.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Violation {
    /// A message in another peer's name.
    Impersonation,
    /// More than ten unasked SHUFFLE_REPLY a minute.
    UnaskedReplies,
    /// More than its share of JOIN, HIGH or other requests.
    RateExceeded,
}

#[cfg(test)]
mod tests;
