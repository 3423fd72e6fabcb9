//! The nonce of walks that came without one, as those of plain peers do (`overlay` 3.2).
//!
//! It is the start of a hash over what a walk carries unchanged, so that all nodes that hear of it find the same one: a
//! join that a plain peer sends to two contacts is one join, and the reply to its shuffle finds the way back. An
//! instance never hears of other topics, so the topic needs no place in the hash.

use core::fmt::{self, Debug, Write};

use super::{Contact, Message};

impl<P: Debug> Message<P> {
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

/// The first 8 bytes of a BLAKE3 hash over how these are written. A peer id has no other form that is known here; where
/// two nodes write it differently, a walk is taken for two, as if each had drawn a nonce.
fn derive<P: Debug>(subject: &Contact<P>, nodes: &[Contact<P>]) -> u64 {
    let mut digest = Digest(blake3::Hasher::new());
    // Writing to a hash does not fail; a `Debug` that does has been hashed as far as it came.
    let _ = write!(digest, "{subject:?}{nodes:?}");
    let hash = digest.0.finalize();
    hash.as_bytes().first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
}

struct Digest(blake3::Hasher);

impl Write for Digest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}
