//! What the application says to a server, which sends a file, and hears from it.

use core::convert::Infallible;

use bytes::Bytes;

use crate::bob::Identity;
use crate::bob::peer::{self, Stage};

/// What the application wants.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    /// The next piece of the file, in order: no more than [`Event::Wanted`] asked for and the announced size allows.
    Content {
        /// The piece.
        bytes: Bytes,
    },
    /// Call it off: the links are closed, and the partner will see that it failed.
    Cancel,
}

/// What the application hears.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// It has come so far. May go back to [`Stage::WaitPeer`] when a handshake failed, or does not go on.
    Stage(Stage),
    /// The relay told us what it calls us.
    Known {
        /// Our name.
        identity: Identity,
    },
    /// A handshake failed: somebody with another password, or who guesses.
    WrongPassword {
        /// What the client says it is called. A relay of ours has checked it, another may not.
        identity: Identity,
        /// Failures of that address so far.
        failures: u32,
    },
    /// A client has the same password and decides now.
    Agreed {
        /// What it is called.
        identity: Identity,
    },
    /// A client accepted: the file goes to it.
    Accepted {
        /// What it is called.
        identity: Identity,
    },
    /// Hand over so many more bytes of the file. Adds to what is still owed; never asks for more than there is.
    Wanted {
        /// How many.
        bytes: usize,
    },
    /// So many more bytes of the file have left towards the relay.
    Sent {
        /// How many.
        bytes: u64,
    },
    /// The last word.
    Ended(Result<Sent, Failure>),
}

impl From<Stage> for Event {
    fn from(stage: Stage) -> Self {
        Self::Stage(stage)
    }
}

/// A file was sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sent {
    /// Whether the client said that it has it whole. Clients of the original never say so: they only close.
    pub confirmed: bool,
}

/// Why a file was not sent.
pub type Failure = peer::Failure<Infallible>;
