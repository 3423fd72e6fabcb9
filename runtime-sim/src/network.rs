//! What a workload needs of a network, whatever its fidelity.

use bytes::Bytes;
use pleach_core::Instant;

use crate::digest::Digest;
use crate::graph::Graph;
use crate::record::Record;

/// A simulated network of nodes in one topic.
///
/// Nodes are numbered from 0 in the order of [`Network::join`]. Everything happens at the present instant, which only
/// [`Network::run_until`] moves.
pub trait Network {
    /// Runs until `until`, which is the present afterwards.
    fn run_until(&mut self, until: Instant);

    /// The next node starts, and joins through these.
    fn join(&mut self, contacts: &[u32]);

    /// A node says goodbye and stops.
    fn leave(&mut self, node: u32);

    /// Nodes stop without a word; their links break.
    fn crash(&mut self, nodes: &[u32]);

    /// A node publishes a payload that starts with the number of the message ([`crate::record::message_of`]).
    fn publish(&mut self, node: u32, payload: Bytes);

    /// Who counts whom as a neighbour.
    fn graph(&self) -> Graph;

    /// What was counted so far.
    fn record(&self) -> &Record;

    /// The same, to note what the network itself does not see.
    fn record_mut(&mut self) -> &mut Record;

    /// What machines and links add to the count: taken once, at the end.
    fn tally(&self) -> Tally;
}

/// Figures of a whole network at the end of a run.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// Calls into nodes: inputs and deadlines.
    pub events: u64,
    /// Channel handshakes that were completed, counted at both ends; none where links are not encrypted.
    pub handshakes: Option<u64>,
    /// Links that stood without a handshake: so many at least.
    pub unprotected: u64,
    /// Whether every live node holds the newest HEAD of every other, unless it is too young to have come; none where
    /// there are no HEADs.
    pub heads_converged: Option<bool>,
    /// The digest of the run.
    pub digest: Digest,
    /// Room in the active view: `Amin` and `A`.
    pub capacity: (usize, usize),
    /// Peers that went over a rate limit; none where nobody counts them.
    pub complaints: Option<u64>,
    /// Peers that were accused of worse. All nodes are honest: there must be none.
    pub accused: u64,
    /// The first of these accusations, in words.
    pub first_accusation: Option<String>,
    /// Messages that a node gave up on.
    pub lost: u64,
    /// Outputs that named a link that was not there; none where a link may close while its node sends, which is no
    /// mistake of the node.
    pub stale: Option<u64>,
}
