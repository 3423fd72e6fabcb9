//! What the digest holds of messages: a few words that tell each from others of its kind.

use pleach_core::broadcast::{Id, Message as Broadcast};
use pleach_core::overlay::{Contact, Message as Overlay, Priority};

use super::Parcel;
use crate::digest::Digest;

impl Parcel {
    /// The kind of the message, for the digest.
    pub(super) const fn kind(&self) -> u8 {
        match self {
            Self::Broadcast(Broadcast::Payload { .. }) => 17,
            Self::Broadcast(Broadcast::IHave(_)) => 18,
            Self::Broadcast(Broadcast::Prune) => 19,
            Self::Broadcast(Broadcast::Graft(_)) => 20,
            Self::Broadcast(Broadcast::NotHave(_)) => 21,
            Self::Overlay(message) => match &**message {
                Overlay::Join { .. } => 24,
                Overlay::ForwardJoin { .. } => 25,
                Overlay::Neighbor { .. } => 26,
                Overlay::Disconnect { .. } => 27,
                Overlay::Shuffle { .. } => 28,
                Overlay::ShuffleReply { .. } => 29,
            },
        }
    }

    /// Adds what the message says.
    pub(super) fn fold(&self, digest: &mut Digest) {
        match self {
            Self::Overlay(message) => overlay(message, digest),
            Self::Broadcast(message) => broadcast(message, digest),
        }
    }
}

fn overlay(message: &Overlay<u32>, digest: &mut Digest) {
    match message {
        Overlay::Join { ttl, peer, nonce } | Overlay::ForwardJoin { ttl, peer, nonce } => {
            digest.word(pair(*ttl, peer.peer));
            digest.word(optional(*nonce));
        }
        Overlay::Neighbor { peer, priority, epoch } => {
            digest.word(pair(u32::from(*priority == Priority::High), peer.peer));
            digest.word(optional(*epoch));
        }
        Overlay::Disconnect { alive, epoch, backoff_s } => {
            digest.word(pair(u32::from(*alive), backoff_s.unwrap_or(u32::MAX)));
            digest.word(optional(*epoch));
        }
        Overlay::Shuffle { ttl, origin, nodes, nonce } => {
            digest.word(pair(*ttl, origin.peer));
            sample(nodes, *nonce, digest);
        }
        Overlay::ShuffleReply { nodes, nonce } => sample(nodes, *nonce, digest),
    }
}

fn broadcast(message: &Broadcast, digest: &mut Digest) {
    match message {
        // The id is the hash of the content.
        Broadcast::Payload { id, hop, payload: _ } => {
            digest.word(head(id));
            digest.word(u64::from(*hop));
        }
        Broadcast::IHave(announced) => {
            announced
                .iter()
                .for_each(|each| digest.word(head(&each.id).rotate_left(8) ^ u64::from(each.hop)));
        }
        Broadcast::Graft(ids) | Broadcast::NotHave(ids) => ids.iter().for_each(|id| digest.word(head(id))),
        Broadcast::Prune => {}
    }
}

fn sample(nodes: &[Contact<u32>], nonce: Option<u64>, digest: &mut Digest) {
    digest.word(optional(nonce));
    for two in nodes.chunks(2) {
        let number = |place: usize| two.get(place).map_or(u32::MAX, |contact| contact.peer);
        digest.word(pair(number(0), number(1)));
    }
}

const fn pair(one: u32, other: u32) -> u64 {
    (one as u64) << 32 | other as u64
}

/// Nothing is told from every number but the greatest.
fn optional(number: Option<u64>) -> u64 {
    number.unwrap_or(u64::MAX)
}

fn head(id: &Id) -> u64 {
    id.0.first_chunk().map_or(0, |head| u64::from_le_bytes(*head))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use pleach_core::broadcast::Announcement;
    use pleach_core::overlay;
    use std::collections::BTreeSet;

    fn contact(peer: u32) -> Contact<u32> {
        Contact { peer, addresses: Vec::new() }
    }

    fn shuffle(ttl: u32, nodes: &[u32], nonce: Option<u64>) -> Parcel {
        let nodes = nodes.iter().copied().map(contact).collect();
        Parcel::Overlay(Box::new(overlay::Message::Shuffle { ttl, origin: contact(1), nodes, nonce }))
    }

    fn neighbor(peer: u32, priority: Priority, epoch: u64) -> Parcel {
        let (peer, epoch) = (contact(peer), Some(epoch));
        Parcel::Overlay(Box::new(overlay::Message::Neighbor { peer, priority, epoch }))
    }

    fn payload(id: u8, hop: u32) -> Parcel {
        Parcel::Broadcast(Broadcast::Payload { id: Id([id; 16]), hop, payload: Bytes::new() })
    }

    fn announced(id: u8, hop: u32) -> Parcel {
        Parcel::Broadcast(Broadcast::IHave(vec![Announcement { id: Id([id; 16]), hop }]))
    }

    #[test]
    fn messages_of_one_kind_and_size_are_told_apart() {
        let messages = [
            shuffle(1, &[2, 3, 4], Some(5)),
            shuffle(2, &[2, 3, 4], Some(5)),
            shuffle(1, &[2, 3, 5], Some(5)),
            shuffle(1, &[2, 3, 4], Some(6)),
            neighbor(1, Priority::Low, 7),
            neighbor(2, Priority::Low, 7),
            neighbor(1, Priority::High, 7),
            neighbor(1, Priority::Low, 8),
            payload(1, 1),
            payload(2, 1),
            payload(1, 2),
            announced(1, 1),
            announced(2, 1),
            announced(1, 2),
            Parcel::Broadcast(Broadcast::Graft(vec![Id([1; 16])])),
            Parcel::Broadcast(Broadcast::Graft(vec![Id([2; 16])])),
        ];
        let digest = |parcel: &Parcel| {
            let mut digest = Digest::default();
            digest.word(parcel.kind().into());
            parcel.fold(&mut digest);
            digest.to_string()
        };
        let digests: BTreeSet<_> = messages.iter().map(digest).collect();
        assert_eq!(digests.len(), messages.len());
    }
}
