//! What overlay instances say to one another (`overlay` 3). The wire form belongs to the network.

use alloc::vec::Vec;

use bytes::Bytes;

/// A peer and where it may be reached. Addresses are opaque here.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Contact<P> {
    /// Who.
    pub peer: P,
    /// At most 8 addresses of at most 256 bytes; what is beyond is dropped.
    pub addresses: Vec<Bytes>,
}

/// How urgently a link is asked for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Priority {
    /// Accept it if there is room.
    Low,
    /// Accept it always: the sender has no neighbour at all.
    High,
}

/// A message of one topic. The optional members are the protections of `overlay` 3.2, which plain peers lack.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Message<P> {
    /// The sender wants to join.
    Join {
        /// Steps that the walk has left.
        ttl: u32,
        /// The joiner: the sender itself.
        peer: Contact<P>,
        /// Tells this join from others.
        nonce: Option<u64>,
    },
    /// A join on its walk.
    ForwardJoin {
        /// Steps that the walk has left.
        ttl: u32,
        /// The joiner.
        peer: Contact<P>,
        /// The nonce of the join.
        nonce: Option<u64>,
    },
    /// Asks for a symmetric link, or confirms one.
    Neighbor {
        /// The sender.
        peer: Contact<P>,
        /// How urgently.
        priority: Priority,
        /// The sender's link counter.
        epoch: Option<u64>,
    },
    /// Ends a link, or refuses one.
    Disconnect {
        /// Whether the sender stays in the topic.
        alive: bool,
        /// The sender's link counter.
        epoch: Option<u64>,
        /// Do not ask again before so many seconds.
        backoff_s: Option<u32>,
    },
    /// A random walk that carries a sample of the origin's views.
    Shuffle {
        /// Steps that the walk has left.
        ttl: u32,
        /// Who started it.
        origin: Contact<P>,
        /// The sample.
        nodes: Vec<Contact<P>>,
        /// Matches the reply to it.
        nonce: Option<u64>,
    },
    /// A sample in return, from the last hop to the origin.
    ShuffleReply {
        /// The sample.
        nodes: Vec<Contact<P>>,
        /// The nonce of the walk.
        nonce: Option<u64>,
    },
}
