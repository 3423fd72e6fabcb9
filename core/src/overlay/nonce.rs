//! The nonce of walks that came without one, as those of plain peers do (`overlay` 3.2).
//!
//! It is the start of a hash over what a walk carries unchanged, so that all nodes that hear of it find the same one: a
//! join that a plain peer sends to two contacts is one join, and the reply to its shuffle finds the way back. An
//! instance never hears of other topics, so the topic needs no place in the hash.

use core::hash::{Hash, Hasher};

use super::{Contact, Message};

impl<P: Hash> Message<P> {
    /// Gives a nonce to a walk that has none.
    pub(super) fn complete(&mut self) {
        match self {
            Self::Join { peer, nonce, .. } | Self::ForwardJoin { peer, nonce, .. } => {
                nonce.get_or_insert_with(|| derive(peer, &[]));
            }
            Self::Shuffle { origin, nodes, nonce, .. } => {
                nonce.get_or_insert_with(|| derive(origin, nodes));
            }
            Self::Neighbor { .. } | Self::Disconnect { .. } | Self::ShuffleReply { .. } => {}
        }
    }
}

fn derive<P: Hash>(subject: &Contact<P>, nodes: &[Contact<P>]) -> u64 {
    let mut digest = Digest(blake3::Hasher::new());
    (subject, nodes).hash(&mut digest);
    digest.finish()
}

/// The first 8 bytes of a BLAKE3 hash. Numbers are hashed in one form on all platforms.
struct Digest(blake3::Hasher);

impl Hasher for Digest {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn write_u16(&mut self, number: u16) {
        self.write(&number.to_le_bytes());
    }

    fn write_u32(&mut self, number: u32) {
        self.write(&number.to_le_bytes());
    }

    fn write_u64(&mut self, number: u64) {
        self.write(&number.to_le_bytes());
    }

    fn write_u128(&mut self, number: u128) {
        self.write(&number.to_le_bytes());
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(u64::try_from(number).unwrap_or(u64::MAX));
    }

    fn finish(&self) -> u64 {
        let hash = self.0.finalize();
        hash.as_bytes().first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
    }
}
