//! The machines of core, each with surroundings that make its inputs telling.

pub mod broadcast;
pub mod overlay;
pub mod session;

/// Peers are small numbers here; 0 is the machine itself where it has a name.
pub type Peer = u8;

/// So many peers there are, our own number included.
const PEERS: u8 = 12;
