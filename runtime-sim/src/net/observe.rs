//! Who watches a run.

use std::net::SocketAddr;

use bytes::Bytes;
use pleach_core::Instant;
use pleach_core::link::{LinkId, Via};

/// Who watches a run: hears events and answers the questions of the network's own kind.
pub trait Observer<E, A, Q> {
    /// A node reported something.
    fn event(&mut self, at: Instant, node: u32, event: E);

    /// A node asked something; `None` never answers.
    fn asked(&mut self, at: Instant, node: u32, question: Q) -> Option<A>;

    /// Something passed between a node's machine and one of its links. What a call makes a machine send and report
    /// comes in that order.
    fn traffic(&mut self, _at: Instant, _node: u32, _traffic: &Traffic<'_>) {}
}

/// What passes between a machine and its links: for checks that trust no machine.
#[derive(Clone, Copy, Debug)]
pub enum Traffic<'a> {
    /// A link stands.
    Opened {
        /// Which.
        link: LinkId,
        /// Who opened it.
        via: Via,
        /// The other end's address.
        remote: SocketAddr,
        /// The host at the other end.
        peer: u32,
    },
    /// Bytes came.
    Received {
        /// From which link.
        link: LinkId,
        /// The bytes.
        bytes: &'a Bytes,
    },
    /// The machine sent bytes.
    Sent {
        /// On which link.
        link: LinkId,
        /// The bytes.
        bytes: &'a Bytes,
    },
    /// A link, or a dial, is gone.
    Closed {
        /// Which.
        link: LinkId,
    },
}
