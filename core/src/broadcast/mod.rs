//! Plumtree: epidemic broadcast trees over the links of an overlay (`broadcast.md`). One instance per topic.
//!
//! A payload is pushed over *eager* links and announced over *lazy* ones. All links start eager, so the first message
//! floods; whoever gets a copy too many makes its link lazy with PRUNE, and what remains is a tree of the fastest
//! ways. A node that hears of a payload and does not get it asks for it with GRAFT, which makes the link eager again.
//!
//! # The contract with the parent
//!
//! - [`Input::NeighborUp`] and [`Input::NeighborDown`] follow the overlay of the same topic at once, before any further
//!   message of that peer (8.15). Every send goes to a neighbour.
//! - [`Output::Stranger`]: the overlay answers with DISCONNECT. For 2 s after a `NeighborDown` the peer's link should
//!   stay readable: answers to open GRAFTs are still taken (8.9).
//! - [`Output::Violation`]: the parent bans or counts as `mesh` 4 says, and feeds the `NeighborDown` that follows.
//!   Nothing else is sent on behalf of a violation.
//! - [`Output::Validate`], where the configuration asks for it: answer with [`Input::Verdict`] at once, later or never.
//!   Never counts as `Ignore` after 10 s.
//! - Queues of outgoing bytes are the parent's. What it cannot send to a slow peer it drops, announcements first, and
//!   hands dropped payloads back as [`Input::Shed`]: they are announced instead (8.10).
//!
//! # Limits
//!
//! One call emits at most one output for each neighbour and id of its input, and a constant number beyond; a timer call
//! at most one for each neighbour and thousand queued ids, and one for each payload that is lost. Every table has its
//! limit in [`Config`] and counts in [`Stats`] what it shed.

mod config;
mod control;
mod index;
mod machine;
mod message;
mod missing;
mod payload;
mod peers;
mod stats;
mod store;
mod timers;
mod validation;

use alloc::vec::Vec;

use bytes::Bytes;

pub use config::{Config, Ids};
pub use machine::Broadcast;
pub use message::{Announcement, Id, Message};
pub use stats::Stats;

/// What an instance hears.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Input<P> {
    /// Publish a payload; answered by `Event::Published` with the same token.
    Publish {
        /// Returned with the outcome.
        token: u64,
        /// The content.
        payload: Bytes,
        /// How far it goes.
        scope: Scope,
    },
    /// A message of this topic came.
    Message {
        /// From this linked peer.
        from: P,
        /// What.
        message: Message,
    },
    /// A neighbour was won.
    NeighborUp {
        /// Who.
        peer: P,
        /// Whether it has shown a field of `overlay` 3.2.
        extended: bool,
    },
    /// A neighbour was lost.
    NeighborDown {
        /// Who.
        peer: P,
    },
    /// A neighbour has shown a field of `overlay` 3.2.
    Extended {
        /// Who.
        peer: P,
    },
    /// The answer to `Validate`.
    Verdict {
        /// Of which message.
        id: Id,
        /// What is to become of it.
        verdict: Verdict,
    },
    /// These payloads could not be sent to a slow peer: announce them instead (`broadcast` 8.10).
    Shed {
        /// To whom.
        peer: P,
        /// What was not sent, with the hop it carried.
        announcements: Vec<Announcement>,
    },
}

/// What an instance wants done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output<P> {
    /// Send the same message to each of these neighbours.
    Send {
        /// To whom; never empty.
        peers: Vec<P>,
        /// What.
        message: Message,
    },
    /// Is this payload good? Answered by `Verdict`, at once, later or never.
    Validate {
        /// The id to answer with.
        id: Id,
        /// The content.
        payload: Bytes,
        /// The neighbour that sent it.
        from: P,
    },
    /// A message came from a peer that is not a neighbour: the overlay answers it.
    Stranger {
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

/// What the application wants to know.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event<P> {
    /// A payload arrived for the first time and is valid.
    Delivered {
        /// Its id.
        id: Id,
        /// The neighbour that sent it.
        from: P,
        /// Transmissions behind it.
        hop: u32,
        /// Its content.
        payload: Bytes,
    },
    /// What became of a publication.
    Published {
        /// The token of the input.
        token: u64,
        /// The id of the message.
        id: Id,
        /// What became of it.
        outcome: Outcome,
    },
    /// A payload that was announced could not be had from anybody.
    Lost {
        /// Its id.
        id: Id,
    },
}

/// How far a publication goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scope {
    /// To every node of the topic.
    Swarm,
    /// To the direct neighbours only; never relayed.
    Neighbours,
}

/// What became of a publication.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It is on its way.
    Sent,
    /// There is no neighbour yet: it is kept and announced to the next one.
    NoNeighbours,
    /// The same content was published or received a short while ago; nothing was sent.
    AlreadySeen,
    /// It is larger than a frame may be; nothing was sent.
    TooLarge,
}

/// What is to become of a payload (`broadcast` 5).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Deliver and relay it.
    Accept,
    /// Neither deliver nor relay it, and blame nobody.
    Ignore,
    /// Its signature is wrong: ban whoever sent it.
    Reject,
}

/// A rule that a peer broke.
///
/// Announcements beyond the limits are counted in [`Stats`] and are none of these, though `overlay` 7.3 bans for them at
/// the third time: `mesh` 4 decides, and to it only the promises that they break are an offence.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Violation {
    /// The validator rejected a payload of this peer.
    Rejected,
    /// The id of a message is not the hash of its payload.
    WrongId,
    /// A payload larger than a frame may be.
    Oversize,
    /// A hundred GRAFTs for announcements that led to nothing: to be disconnected with a back-off, and counted (8.6).
    BrokenPromises,
    /// More GRAFT than a neighbour may send.
    RateExceeded,
}

#[cfg(test)]
mod tests;
