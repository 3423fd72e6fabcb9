//! Establishment of a link between two nodes of the mesh, `/pleach/session/1` (`mesh` 2).
//!
//! Borrowed from the Tezos handshake: announce, then an answer from each side. One [`Establishment`] lives as long as
//! its link.
//!
//! ```text
//! ours                              theirs
//! Opened -> HELLO  ------------->
//!           <-------------  HELLO        within 5 s
//! Decide -> Decision: ACK  ----->
//!           <-------------  ACK          within 10 s after both HELLOs
//! Established
//!           <- BYE from either side ->   when the link is about to be closed
//! ```
//!
//! # The loop
//!
//! - [`Input::Opened`] when the stream stands, on either side; HELLO goes out at once.
//! - [`Input::Frame`] for each frame of the stream, without its prefix: at most [`FRAME_MAX`] bytes, as a
//!   [`Deframer`](crate::wire::frame::Deframer) of that limit cuts them. [`Input::Malformed`] if it cannot.
//! - [`Output::Decide`] asks what only the node knows, in this order: registration (4), privileged only (5), duplicate
//!   (6), quota and priority (7), shutting down (8), the application's verdict (9). [`Input::Decision`] answers, within
//!   the 10 s. Network (2), version (1) and stamp (3) have been checked. Our own key and bans are known before the stream
//!   is opened: the constructor is told.
//! - [`Output::Close`] is the last output. The link is to be closed as it says; for a duplicate the node may let the
//!   other streams end first, 5 s at most (E4).
//!
//! Streams that arrive before [`Output::Established`] are kept in [`Held`].

mod held;
mod machine;
mod message;

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

pub use held::{Held, HeldStats};
pub use machine::Establishment;
pub use message::{
    ADDRESSES_MAX, ALTERNATIVES_MAX, Alternative, Hello, METADATA_MAX, Message, Motive, NETWORK_MAX,
};

use super::Malformed;
use crate::identity::PeerId;
use crate::identity::stamp::Stamp;
use crate::link::How;

/// The protocol id of the stream.
pub const PROTOCOL: &str = "/pleach/session/1";
/// The largest frame, in bytes, its prefix not counted.
pub const FRAME_MAX: usize = 16 * 1024;
/// The version of this page.
pub const VERSION: u64 = 1;
/// Alternatives that are taken from one NACK (E5).
pub const ALTERNATIVES_TAKEN: usize = 10;

/// What a node says of itself and asks of others; one value serves all its links.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Config {
    /// The network's name, 1..64 bytes, compared byte for byte.
    pub network: String,
    /// Our own proof of work, if the network asks for one.
    pub stamp: Option<Stamp>,
    /// For the application of the other side, at most 1024 bytes; what is beyond is cut off. Default empty.
    pub metadata: Bytes,
    /// Leading zero bits that the proof of work of others must have; 0 asks for none. Default 0.
    pub difficulty: u32,
    /// How long the other side's HELLO may take. Default 5 s (E1).
    pub hello_timeout: Duration,
    /// How long both answers may take after both HELLOs. Default 10 s (E1).
    pub answer_timeout: Duration,
    /// How long a peer that refused us may take to close. Default 5 s.
    pub refused_timeout: Duration,
}

impl Config {
    /// The defaults for a network.
    #[must_use]
    pub fn new(network: impl Into<String>) -> Self {
        Self {
            network: network.into(),
            stamp: None,
            metadata: Bytes::new(),
            difficulty: 0,
            hello_timeout: Duration::from_secs(5),
            answer_timeout: Duration::from_secs(10),
            refused_timeout: Duration::from_secs(5),
        }
    }
}

/// What an establishment hears.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Input {
    /// The stream stands.
    Opened,
    /// A frame came, without its prefix.
    Frame(Bytes),
    /// The stream cannot be cut into frames.
    Malformed,
    /// The other side's half of the stream is closed, or the stream was reset.
    Finished,
    /// The answer to `Decide`.
    Decision(Decision),
    /// The link is to be closed: says why, if there is still something to say.
    Bye {
        /// Why.
        motive: Motive,
    },
}

/// Whether the peer may stay.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Decision {
    /// It may.
    Admit,
    /// It may not.
    Refuse {
        /// Why.
        motive: Motive,
        /// Whom it may try instead; what is beyond 99, or a frame, and addresses beyond 8, are cut off.
        alternatives: Vec<Alternative>,
    },
}

/// What an establishment wants done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output {
    /// Send this frame, prefix included, on the stream.
    Send(Bytes),
    /// May this peer stay? Answered by `Decision`.
    Decide {
        /// What the peer says of itself.
        hello: Hello,
        /// The version that would be spoken.
        version: u64,
    },
    /// Both sides have said yes (E4).
    Established {
        /// The version that is spoken.
        version: u64,
    },
    /// The peer said no (E5).
    Refused {
        /// Why.
        motive: Motive,
        /// Whom to try instead: unverified, for the peer book.
        alternatives: Vec<Alternative>,
        /// How long not to dial this peer.
        back_off: Duration,
    },
    /// The peer broke a rule; `Close` follows.
    Violation(Violation),
    /// The last output: close the link.
    Close {
        /// After what was sent has left, or at once.
        how: How,
        /// Why.
        reason: Reason,
    },
}

/// A rule that the peer broke (`mesh` 4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Violation {
    /// A frame that is malformed, oversize or not canonical; the stream is to be reset.
    Malformed(Malformed),
    /// A NACK with more than 99 alternatives.
    TooManyAlternatives,
    /// A second HELLO.
    SecondHello,
    /// An ACK after a NACK.
    AckAfterNack,
    /// An ACK before a HELLO or of a version that was not proposed, or a NACK after establishment.
    OutOfOrder,
}

/// Why a link is to be closed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reason {
    /// The peer did not say HELLO or did not answer in time, or we did not.
    TimedOut,
    /// The peer is we ourselves, or banned.
    Shunned,
    /// We sent a NACK.
    Refused(Motive),
    /// The peer sent a NACK.
    RefusedByPeer(Motive),
    /// We said BYE.
    Bye(Motive),
    /// The peer said BYE.
    ByeByPeer(Motive),
    /// The peer closed the stream without a word.
    Finished,
    /// The peer broke a rule.
    Violation,
}

/// Of two links between the same nodes, which stays (E4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stays {
    /// The one that was there.
    Older,
    /// The one that came.
    Newer,
}

/// Decides between two links to `remote`, given whether we initiated each: of two in opposite directions the one whose
/// initiator has the smaller peer id stays, of two in the same direction the newer. Both ends decide the same.
#[must_use]
pub fn which_stays(local: &PeerId, remote: &PeerId, older_is_ours: bool, newer_is_ours: bool) -> Stays {
    let ours_wins = local < remote;
    if older_is_ours == newer_is_ours || newer_is_ours == ours_wins { Stays::Newer } else { Stays::Older }
}

crate::counters! {
    /// What one link received and ignored.
    pub struct Stats {
        /// Frames received.
        frames,
        /// Messages with an unknown number.
        unknown,
        /// Answers that were given already.
        repeated,
        /// Checks of a proof of work.
        stamps_checked,
    }
}

#[cfg(test)]
mod tests;
