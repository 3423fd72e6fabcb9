//! Who a peer is: Ed25519 key pairs, peer ids made of public keys, and proof-of-work stamps.

mod keys;
mod peer_id;
pub mod stamp;

pub use keys::{Keypair, PublicKey};
pub use peer_id::{ParsePeerIdError, PeerId};

#[cfg(test)]
mod tests;
