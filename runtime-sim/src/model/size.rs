//! What messages would weigh on the wire (`overlay` 3.1, 3.2), without encoding them.
//!
//! Model nodes have a number instead of a key and no addresses. Here each counts with a peer id of 38 bytes, one
//! address of 8, and a topic of 12.

use pleach_core::{broadcast, overlay};

const TOPIC: usize = 12;
const PEER_ID: usize = 38;
const ADDRESS: usize = 8;
/// `nonce`: a fixed64 behind a tag of two bytes.
const NONCE: usize = 10;
/// The tag and the value of a small number.
const NUMBER: usize = 2;
const ID: usize = 16;

/// Bytes of an overlay message, framed.
pub(super) fn of_overlay(message: &overlay::Message<u32>) -> usize {
    use overlay::Message as M;
    let peer = field(contact());
    framed(match message {
        M::Join { nonce, .. } | M::ForwardJoin { nonce, .. } => NUMBER + peer + nonce.map_or(0, |_| NONCE),
        M::Neighbor { epoch, .. } => peer + NUMBER + epoch.map_or(0, numbered),
        M::Disconnect { epoch, backoff_s, .. } => {
            NUMBER + epoch.map_or(0, numbered) + backoff_s.map_or(0, |seconds| numbered(seconds.into()))
        }
        M::Shuffle { nodes, nonce, .. } => NUMBER + peer * (nodes.len() + 1) + nonce.map_or(0, |_| NONCE),
        M::ShuffleReply { nodes, nonce } => peer * nodes.len() + nonce.map_or(0, |_| NONCE),
    })
}

/// Bytes of a broadcast message, framed.
pub(super) fn of_broadcast(message: &broadcast::Message) -> usize {
    use broadcast::Message as M;
    framed(match message {
        M::Payload { payload, hop, .. } => field(ID) + 1 + varint((*hop).into()) + field(payload.len()),
        M::IHave(announced) => {
            let each = |hop: u32| field(1 + varint(hop.into()) + field(ID));
            announced.iter().map(|announcement| each(announcement.hop)).sum()
        }
        M::Prune => 0,
        M::Graft(ids) => field(ID) * ids.len(),
        // An empty IHAVE stands beside it.
        M::NotHave(ids) => field(ID) * ids.len() + 2,
    })
}

fn contact() -> usize {
    field(PEER_ID) + field(ADDRESS)
}

/// A length-delimited member with a tag of one byte.
fn field(length: usize) -> usize {
    1 + varint(length as u64) + length
}

/// A number behind a tag of two bytes.
fn numbered(value: u64) -> usize {
    2 + varint(value)
}

/// The topic, the action, and the length in front.
fn framed(action: usize) -> usize {
    let message = field(TOPIC) + field(action);
    varint(message as u64) + message
}

/// Bytes of a LEB128 number.
fn varint(value: u64) -> usize {
    (64 - value.leading_zeros()).div_ceil(7).max(1) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use pleach_core::broadcast::{Announcement, Id};

    #[test]
    fn numbers_grow_with_seven_bits() {
        assert_eq!([0, 127, 128, 16_383, 16_384, u64::MAX].map(varint), [1, 1, 2, 2, 3, 10]);
    }

    #[test]
    fn messages_weigh_what_their_members_do() {
        // Length, topic (2 + 12), then 5a 00.
        assert_eq!(of_broadcast(&broadcast::Message::Prune), 17);
        // 0a 10 id, 10 01, 1a 40 payload: 86 bytes behind a tag and a length.
        let payload = Bytes::from_static(&[0; 64]);
        assert_eq!(
            of_broadcast(&broadcast::Message::Payload { id: Id([0; 16]), hop: 1, payload }),
            1 + 14 + 2 + 86
        );
        // Each: 0a 14, 08 01, 12 10 id.
        let announced = vec![Announcement { id: Id([0; 16]), hop: 1 }; 2];
        assert_eq!(of_broadcast(&broadcast::Message::IHave(announced)), 1 + 14 + 2 + 44);
        let refusal = overlay::Message::Disconnect { alive: true, epoch: None, backoff_s: None };
        assert_eq!(of_overlay(&refusal), 1 + 14 + 2 + 2);
    }
}
