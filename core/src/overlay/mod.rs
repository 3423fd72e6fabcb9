//! HyParView with topics: who is linked to whom (`overlay.md`). One instance per topic.
//!
//! ```text
//!             request            acceptance (its NEIGHBOR)
//!   passive ----------> pending ---------------------------> active
//!      ^                   |                                   |
//!      |  refused, alive   |     evicted, one of the two full  |
//!      +-------------------+-----------------------------------+
//! ```
//!
//! An [`Overlay`] keeps a small **active view** of neighbours, symmetric and connected, and a larger **passive view**
//! in reserve. Shuffles keep the reserve fresh; a neighbour that is lost is replaced from it at once, one candidate
//! after the other; when nothing is left the node joins again through a bootstrap node.
//!
//! # The parent's part
//!
//! - One instance per topic; every instance hears of every connection. [`Input::Connected`] comes before the first
//!   message of a peer, [`Input::Disconnected`] when the last connection to it is gone, [`Input::DialFailed`] when a
//!   dial that was asked for came to nothing: the first two concern a link, the third a request.
//! - [`Input::Extended`] follows `Connected`, at once or later, for peers that have shown a field of 3.2 on any topic:
//!   those are not plain here either. What comes on this topic the instance sees itself.
//! - [`Output::Hold`] says that the topic needs the link to a peer, [`Output::Release`] that it does not any more; each
//!   `Hold` is matched by one `Release`. A connection is wanted while any topic holds it. After the `Release` that
//!   follows a DISCONNECT it should stay readable for 2 s.
//! - [`Output::Dial`] is said for held peers that are not connected. No answer is fine: our own deadline ends it with a
//!   `Release`, after which no answer is awaited.
//! - [`Input::Addresses`] opens the gate for JOIN; give it when there is something to advertise.
//! - Bans belong to the parent. Banned peers never appear in what it hands in, and [`Input::Banned`] makes one vanish.
//! - Answers to [`Output::CheckRegistered`] may come at once, late or never.
//! - After [`Input::Leave`] the instance is silent for ever.
//!
//! # What we chose where the specification is open
//!
//! - **Joining twice** (6.12): nodes that start together through different bootstrap nodes would form islands. So a
//!   node joins once more, through another bootstrap node, some seconds after it has won its first neighbour. An
//!   unreachable bootstrap node is followed by the next at once, each once a round; rounds are 5 s to 60 s apart.
//! - **Lost walks**: a FORWARD_JOIN that crosses an eviction ends there, and a flood of joins finds every place taken. So
//!   a joiner whom nobody has asked after a second starts a shuffle at its bootstrap node: the sample that comes back
//!   names peers to ask, and the end of the walk names the joiner to others.
//! - **Full views** (6.7): after three LOW refusals in a row a starved node asks HIGH, though it has neighbours: LOW
//!   alone would leave it below Amin for as long as the others are full.
//! - **Cancelling**: a request that is given up after NEIGHBOR was sent is followed by DISCONNECT(alive = true), so that
//!   an acceptance which is lost or late leaves no one-sided link.
//! - **Shuffles across islands** (6.12) come from peers that are not neighbours: one a minute and peer is taken if the
//!   sender is its origin.
//! - **Short samples**: the answer to a shuffle holds at least A entries, for who sends little has little.
//! - **Lost neighbours** (6.13) are asked HIGH, as both halves of a healed partition are full; the first that accepts
//!   empties the list. A node without neighbours and bootstrap nodes tries one a round.
//! - **Eviction** (6.10, T-44) is random among neighbours that asked for the link themselves, before those we asked.
//! - **Registration** (7.1) of a candidate is asked before it is dialled, and not again when it answers.
//! - **Plain peers** (3.3 b, e): a silent dialler is asked only if it was named on this topic or we joined lately.
//!
//! Outputs of one call are bounded by a small multiple of A plus the parked messages that one answer frees. Memory is
//! bounded by [`Config`]; an idle instance owns its two views and the links of its neighbours.

mod active;
mod capacity;
mod conduct;
mod config;
mod join;
mod links;
mod machine;
mod message;
mod neighbor;
mod nonce;
mod passive;
mod plain;
mod registration;
mod repair;
mod shuffle;
mod stats;
mod table;
mod timers;

use alloc::vec::Vec;

use bytes::Bytes;

pub use capacity::Capacity;
pub use config::Config;
pub use machine::Overlay;
pub use message::{Contact, Message, Priority};
pub use stats::Stats;

/// What an instance hears.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Input<P> {
    /// Join the topic through one of these; later calls are hints for repair.
    Join {
        /// Nodes known from elsewhere.
        bootstrap: Vec<Contact<P>>,
    },
    /// Peers that the parent knows from elsewhere, in answer to [`Event::Stranded`]: candidates like those that
    /// neighbours name.
    Known {
        /// At most as many as the passive view holds.
        contacts: Vec<Contact<P>>,
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
    /// This connected peer has shown a field of 3.2, on whatever topic: it is not plain (`overlay` 3.3).
    Extended {
        /// Who.
        peer: P,
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
    /// A neighbour broke its promises to the broadcast layer: its link ends, and neither side is to ask for another
    /// soon (`broadcast` 8.6).
    Misbehaved {
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
    /// There is nobody left to ask (5.4), and the bootstrap nodes are gone or did not help: whoever else is known is
    /// welcome as [`Input::Known`] (T-51). At most once in every round of joining.
    Stranded,
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
    /// We left, or turned it away.
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
