//! What the application says to a node and hears from it.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use crate::broadcast::{Id, Outcome, Scope, Verdict};
use crate::identity::PeerId;
use crate::link::Address;
use crate::overlay::DownReason;

/// What the application wants. A token comes back in the [`Event::Done`] that tells the outcome.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    /// Take part in a topic.
    Subscribe {
        /// Returned with the outcome.
        token: u64,
        /// 1..256 bytes of UTF-8.
        topic: String,
    },
    /// Leave a topic, with a word to the neighbours.
    Leave {
        /// Returned with the outcome.
        token: u64,
        /// A topic that is subscribed.
        topic: String,
    },
    /// Publish to a topic.
    Publish {
        /// Returned with the outcome.
        token: u64,
        /// A topic that is subscribed.
        topic: String,
        /// The content.
        payload: Bytes,
        /// To everybody, or to neighbours only.
        scope: Scope,
    },
    /// The answer to [`Event::Validate`].
    Verdict {
        /// The topic of the message.
        topic: String,
        /// The message.
        id: Id,
        /// What is to become of it.
        verdict: Verdict,
    },
    /// The answer to [`Event::Registration`].
    Registered {
        /// Who.
        peer: PeerId,
        /// Whether it may take part.
        registered: bool,
    },
    /// The answer to [`Event::Admission`]. Ignored when nobody waits for it.
    Admit {
        /// Who.
        peer: PeerId,
        /// Whether it may be linked.
        admitted: bool,
    },
    /// Ban a peer, for a while or for good.
    Ban {
        /// Returned with the outcome.
        token: u64,
        /// Who.
        peer: PeerId,
        /// How long; for good if none.
        lifetime: Option<Duration>,
    },
    /// Lift a ban.
    Unban {
        /// Returned with the outcome.
        token: u64,
        /// Who.
        peer: PeerId,
    },
    /// The estimated size of the network.
    NetworkSize(u64),
    /// What our own HEAD says from now on.
    OwnHead {
        /// Never decreasing.
        height: u64,
        /// At most 64 bytes.
        tip: Bytes,
    },
    /// Another place to join through; its peer id is learned by dialling if it is not known.
    Bootstrap {
        /// Where.
        address: Address,
        /// Who is expected there.
        peer: Option<PeerId>,
    },
    /// Say goodbye to everybody, flush, close; `Event::Stopped` follows.
    Shutdown,
}

/// What the application hears.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// A listener is open.
    Listening {
        /// Where, with the port that was bound.
        address: Address,
    },
    /// A listener could not be opened; the node goes on without it.
    ListenFailed {
        /// Why.
        cause: crate::link::Cause,
    },
    /// The outcome of a command.
    Done {
        /// Its token.
        token: u64,
        /// What became of it.
        result: Result<Done, UsageError>,
    },
    /// A message arrived, valid, for the first time.
    Message {
        /// Its topic.
        topic: String,
        /// Its id.
        id: Id,
        /// Who wrote and signed it; none where the network's payloads are not signed.
        author: Option<PeerId>,
        /// The neighbour that handed it over.
        from: PeerId,
        /// Transmissions behind it.
        hop: u32,
        /// Its content.
        payload: Bytes,
    },
    /// Is this payload good? Only where the application validates; answer with [`Command::Verdict`] within 10 s.
    Validate {
        /// Its topic.
        topic: String,
        /// Its id.
        id: Id,
        /// The neighbour that handed it over.
        from: PeerId,
        /// Its content.
        payload: Bytes,
    },
    /// May this peer take part? Only where registration is asked for; answer with [`Command::Registered`] within 5 s, and
    /// not at all if that cannot be known now: it is asked again.
    Registration {
        /// Who.
        peer: PeerId,
    },
    /// May this peer be linked, for what it says of itself? Only where the configuration has the application asked;
    /// answer with [`Command::Admit`] within 10 s, or the link closes.
    Admission {
        /// Who.
        peer: PeerId,
        /// What it says: at most 1024 bytes, and nobody's word but its own.
        metadata: Bytes,
    },
    /// A link to this peer is established.
    PeerUp {
        /// Who.
        peer: PeerId,
    },
    /// The last link to this peer is gone.
    PeerDown {
        /// Who.
        peer: PeerId,
    },
    /// A neighbour was won in a topic.
    NeighborUp {
        /// The topic.
        topic: String,
        /// Who.
        peer: PeerId,
    },
    /// A neighbour was lost in a topic.
    NeighborDown {
        /// The topic.
        topic: String,
        /// Who.
        peer: PeerId,
        /// Why.
        reason: DownReason,
    },
    /// A newer HEAD of a node is known.
    Head {
        /// Whose.
        peer: PeerId,
        /// Which of its nodes.
        node: u32,
        /// Its height.
        height: u64,
        /// Its distance when it came: shown only.
        step: u8,
    },
    /// A peer is banned.
    Banned {
        /// Who.
        peer: PeerId,
        /// For good.
        permanent: bool,
    },
    /// The node has said goodbye and is closed.
    Stopped,
}

/// The outcome of a command that was carried out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Done {
    /// It was done.
    Ok,
    /// It was published, or why not.
    Published {
        /// The id of the message.
        id: Id,
        /// What became of it.
        outcome: Outcome,
    },
}

/// A command that cannot be carried out; nothing changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UsageError {
    /// The topic is not subscribed.
    NotSubscribed,
    /// The topic is subscribed already.
    AlreadySubscribed,
    /// A topic name of no bytes or more than 256.
    BadTopic,
    /// As many topics as the configuration allows are subscribed.
    TooManyTopics,
    /// The peer is this node itself.
    OwnId,
    /// The node is shutting down.
    ShuttingDown,
}

/// What a node restarts with: bans and known peers, as the application stored them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Snapshot {
    /// Records by key, as they were handed out in `Question::Store`.
    pub records: Vec<(String, Bytes)>,
}

impl core::fmt::Display for UsageError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::NotSubscribed => "the topic is not subscribed",
            Self::AlreadySubscribed => "the topic is subscribed already",
            Self::BadTopic => "a topic name has 1 to 256 bytes",
            Self::TooManyTopics => "no more topics can be subscribed",
            Self::OwnId => "the peer is this node itself",
            Self::ShuttingDown => "the node is shutting down",
        })
    }
}

impl core::error::Error for UsageError {}
