//! The table of the best HEAD of every node: accept, replace, forward (`mesh` 3, H1 to H9).
//!
//! Every node announces its state in a signed HEAD. A newer one replaces an older one, and what changed is forwarded
//! with its distance increased. The machine is generic over the [`Rules`] of a network; it sees parsed HEADs and
//! verifies, stores and forwards them verbatim.
//!
//! # The loop
//!
//! - [`Input::LinkUp`] and [`Input::LinkDown`] for each peer, once; a new link is sent the whole table.
//! - [`Output::Send`] is one frame for one peer. After it the peer gets nothing more until [`Input::Drained`] says that
//!   the frame has left: the parent says so at once when the link keeps up. What changes in between is merged, so that a
//!   slow link costs one key per node and is sent the newest state, never a backlog.
//! - [`Output::CheckAdmitted`] is answered by [`Input::Admitted`], at once, late or never.
//! - [`Output::Violation`] names the peer at fault; the parent decides what becomes of it.
//!
//! # Order of checks
//!
//! Framing and parsing are the network's and come before. Then: is the sender linked, is the HEAD timely, is it newer
//! than what is held, is there room and a share of new keys for this link, is its owner known as not admitted; then the
//! signature. An owner of whom nothing is known is asked about after that, so that nobody can make us ask about a key
//! that has signed nothing. [`Stats::verified`] counts signatures looked at.
//!
//! # Limits
//!
//! Each is a field of [`Config`], with a counter in [`Stats`] of what it shed. Outputs per call: one `Send` per link,
//! and for each HEAD received at most one event, question or violation.

mod config;
mod link;
mod machine;
mod own;
mod receive;
mod rules;
mod send;
mod table;

pub use config::{Admission, Config};
pub use machine::Heads;
pub use rules::{Rules, Untimely};
pub use table::Entry;

use alloc::vec::Vec;

/// A HEAD as it travels: with its distance.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Announced<H> {
    /// The HEAD, verbatim.
    pub head: H,
    /// Links behind it. Not signed: shown, compared for the same HEAD, and nothing else (H9).
    pub step: u32,
}

/// What the machine hears. `P` is a peer, `H` a HEAD and `O` what the own HEAD says: see [`Rules`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Input<P, H, O> {
    /// A link to this peer takes HEADs.
    LinkUp {
        /// Who.
        peer: P,
    },
    /// It does not any more.
    LinkDown {
        /// Who.
        peer: P,
    },
    /// HEADs came, well-formed and not verified.
    Received {
        /// From this linked peer.
        from: P,
        /// What, in order.
        heads: Vec<Announced<H>>,
    },
    /// The frame of the latest `Send` to this peer has left.
    Drained {
        /// To whom.
        peer: P,
    },
    /// What our own HEAD says from now on; before the first there is none.
    Own(O),
    /// The estimated size of the network: the own HEAD is announced the less often the larger it is.
    NetworkSize(u64),
    /// Whether this peer is admitted: the answer to `CheckAdmitted`, or news.
    Admitted {
        /// Who.
        peer: P,
        /// Whether its HEADs are to be spread.
        admitted: bool,
    },
}

/// What the machine wants done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output<P, K, H> {
    /// Send these in one frame; answered by `Drained`.
    Send {
        /// To whom.
        to: P,
        /// What; never empty, never more than fit a frame.
        heads: Vec<Announced<H>>,
    },
    /// Is this peer admitted? Answered by `Admitted`.
    CheckAdmitted {
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
    Event(Event<K, H>),
}

/// What became of the table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event<K, H> {
    /// The HEAD of a node is new or newer.
    Replaced {
        /// Whose.
        key: K,
        /// The HEAD.
        head: H,
        /// Its distance when it came.
        step: u32,
    },
    /// Our own HEAD came back newer than we knew it: we lost our store, and continue from there (H7).
    Recovered {
        /// The HEAD.
        head: H,
    },
}

/// A rule that a peer broke.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Violation {
    /// A HEAD with a wrong signature: a forwarder verifies before it forwards (H2).
    WrongSignature,
}

crate::counters! {
    /// What was received, sent and shed.
    pub struct Stats {
        /// HEADs received.
        received,
        /// Signatures looked at.
        verified,
        /// Signatures that were wrong.
        wrong_signature,
        /// New or newer HEADs taken into the table, our own not counted.
        replaced,
        /// Same HEADs with a smaller step.
        shortened,
        /// Ignored: not newer than what is held.
        known,
        /// Ignored: dated too far ahead.
        early,
        /// Ignored: too old.
        late,
        /// Ignored: the sender is not linked.
        unlinked,
        /// Ignored: the owner is not admitted, and it is not its own link.
        not_admitted,
        /// Ignored: the link has used up its new keys of this hour.
        new_keys_exceeded,
        /// Ignored: the table is full of younger HEADs.
        older_than_all,
        /// Dropped while they waited for an answer, as too many waited.
        waiting_shed,
        /// Answers about owners forgotten early: more than `answers`.
        answers_shed,
        /// Links whose new keys of this hour were forgotten early: more than `new_keys_peers`.
        new_keys_shed,
        /// Removed from the table for want of room.
        evicted,
        /// Removed from the table by age.
        expired,
        /// Frames sent.
        frames_sent,
        /// HEADs in them.
        heads_sent,
        /// Own HEADs made.
        own_made,
        /// Own HEADs that came back newer than known.
        own_recovered,
    }
}

#[cfg(test)]
mod tests;
