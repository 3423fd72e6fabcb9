//! What broadcast instances say to one another (`broadcast` 4). The wire form belongs to the network.

use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

/// The id of a message: the first 16 bytes of a BLAKE3 hash of its payload, unless the network has opaque ids.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Id(pub [u8; 16]);

impl Id {
    /// The id of this content.
    #[must_use]
    pub fn of(payload: &[u8]) -> Self {
        let mut id = [0; 16];
        let hash = blake3::hash(payload);
        for (to, from) in id.iter_mut().zip(hash.as_bytes()) {
            *to = *from;
        }
        Self(id)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An id and the hop count that its payload would carry on this link.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Announcement {
    /// Of which payload.
    pub id: Id,
    /// Transmissions it would have behind it on arrival.
    pub hop: u32,
}

/// A message of one topic.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Message {
    /// A payload.
    Payload {
        /// Its id.
        id: Id,
        /// Transmissions so far, this one included; 0 means for neighbours only.
        hop: u32,
        /// Its content.
        payload: Bytes,
    },
    /// Payloads that the sender holds and did not send.
    IHave(Vec<Announcement>),
    /// Announce to me, do not push.
    Prune,
    /// Push to me from now on, and send these payloads.
    Graft(Vec<Id>),
    /// The payloads that were asked for are not held any more.
    NotHave(Vec<Id>),
}
