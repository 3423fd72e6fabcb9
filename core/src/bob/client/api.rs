//! What the application says to a client, which receives a file, and hears from it.

use bytes::Bytes;

use crate::bob::Identity;
use crate::bob::pack::{Name, PackError};
use crate::bob::packet::Uid;
use crate::bob::peer::{self, Stage};

/// What the application wants.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Command {
    /// The answer to [`Event::Offered`]: take the file. Ignored if that server is gone.
    Accept {
        /// From whom.
        server: Uid,
    },
    /// The answer to [`Event::Offered`]: not this one; others may still offer.
    Refuse {
        /// From whom.
        server: Uid,
    },
    /// So many bytes of [`Event::Content`] are dealt with: room for as many more.
    Taken {
        /// How many.
        bytes: usize,
    },
    /// The answer to [`Event::Complete`]: the file is kept, which the server is told.
    Kept,
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
    /// How many servers are on the relay, and how many have another password. After each change.
    Servers {
        /// Announced, not gone, and not found to have another password.
        present: usize,
        /// Of all so far, those that have another password.
        failed: u64,
    },
    /// A server has the same password. Answer with [`Command::Accept`] or [`Command::Refuse`].
    Offered {
        /// Which.
        server: Uid,
        /// What it is called.
        identity: Identity,
    },
    /// An offer that is open no more: its server is gone.
    Withdrawn {
        /// Which.
        server: Uid,
    },
    /// What the file is called and how large it is: before its content.
    File {
        /// Its name.
        name: Name,
        /// Its size in bytes.
        size: u64,
    },
    /// The next piece of the file, in order. What has come and was not [`Command::Taken`] is bounded by the
    /// configuration.
    Content {
        /// The piece.
        bytes: Bytes,
    },
    /// All has come, and its checksum is right. Keep the file, then say [`Command::Kept`].
    Complete {
        /// SHA-1 of the whole stream.
        sha1: [u8; 20],
    },
    /// The last word.
    Ended(Result<(), Failure>),
}

impl From<Stage> for Event {
    fn from(stage: Stage) -> Self {
        Self::Stage(stage)
    }
}

/// Why a file was not received; [`peer::Failure::Other`]: what is sent is not one file as we take it.
pub type Failure = peer::Failure<PackError>;
