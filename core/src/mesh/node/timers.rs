//! Whatever a node waits for, as one ordered index.

use super::topics::Name;
use crate::identity::PeerId;
use crate::link::LinkId;

/// What is due. The order decides between equal instants.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Timer {
    /// The node has not begun yet.
    Start,
    /// The channel of a link.
    Channel(LinkId),
    /// The session of a link.
    Session(LinkId),
    /// The peer has not begun the establishment (`mesh` E8).
    Silent(LinkId),
    /// No topic needs the link any more.
    Unneeded(LinkId),
    /// The gossip stream of a link is to be opened again.
    Reopen(LinkId),
    /// The gossip queue of a link has been full for too long.
    Congested(LinkId),
    /// The dialler.
    Dialler,
    /// A place to join through is to be dialled (again).
    Bootstrap,
    /// A question about registration was not answered in time. Before the overlays, whose messages wait for it.
    Questions,
    /// The registration of a linked peer is to be asked about again.
    Registered(PeerId),
    /// The overlay of a topic.
    Overlay(Name),
    /// The broadcast instance of a topic.
    Broadcast(Name),
    /// The table of HEADs.
    Heads,
    /// The peer book.
    Book,
    /// The shutdown has taken long enough.
    Stop,
}
