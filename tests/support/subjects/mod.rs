//! The machines of core, each with surroundings that make its inputs telling.

pub mod bob_client;
mod bob_peer;
pub mod bob_relay;
pub mod bob_server;
pub mod book;
pub mod broadcast;
pub mod channel;
pub mod counterpart;
pub mod dialler;
pub mod heads;
pub mod node;
pub mod overlay;
pub mod session;

/// Peers are small numbers here; 0 is the machine itself where it has a name.
pub type Peer = u8;

/// So many peers there are, our own number included.
const PEERS: u8 = 12;
