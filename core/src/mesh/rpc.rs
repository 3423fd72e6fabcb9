//! The wire of overlay and broadcast messages (`overlay` 3.1, 3.2; NOTHAVE of `broadcast` 4.4): one protobuf `Rpc` in
//! each frame of the stream [`PROTOCOL`].
//!
//! Two levels. [`raw::Rpc`] accepts exactly what the original library's decoder accepts: missing fields read as zero or
//! empty, the last of several actions wins, unknown fields are skipped. [`decode`] stands above it and refuses what
//! cannot be acted on.
//!
//! Leniencies, all of the original: overlong varints, any order of fields, required fields missing; a priority that is
//! not defined counts as low. A field of `overlay` 3.2 of another wire type than its own counts as unknown.

pub mod raw;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use bytes::{BufMut, Bytes, BytesMut};

use crate::broadcast::{self, Announcement, Id};
use crate::identity::PeerId;
use crate::overlay::{self, Contact, Priority};
use crate::wire::protobuf::{ProtobufError, put_bytes, put_fixed64, put_tag, put_varint};
use crate::wire::varint;

/// The name of the stream protocol.
pub const PROTOCOL: &str = "/beta/episub/1.0.0";
/// The largest frame, prefix not counted, in bytes.
pub const FRAME_MAX: usize = 1_024_000;
/// Addresses kept of a peer.
pub const ADDRESSES_MAX: usize = 8;
/// The longest address kept, in bytes.
pub const ADDRESS_MAX: usize = 256;
/// Peers kept of a SHUFFLE or its reply.
pub const NODES_MAX: usize = 64;

/// A message of one topic.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rpc {
    /// Which topic; empty if the sender wrote none.
    pub topic: String,
    /// What is said.
    pub action: Action,
    /// Whether a field of `overlay` 3.2 was seen: the sender is not of the original library.
    pub extended: bool,
}

/// What is said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Action {
    /// Between overlay instances.
    Overlay(overlay::Message<PeerId>),
    /// Between broadcast instances.
    Broadcast(broadcast::Message),
    /// Only fields of unknown numbers, perhaps of a newer version: to be ignored and counted.
    Unknown,
}

/// Why a message was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RpcError {
    /// The bytes are no `Rpc`; the original ends the connection for it.
    Malformed(ProtobufError),
    /// Nothing but a topic, or nothing at all.
    NoAction,
    /// A peer id is missing, or is not that of an Ed25519 key.
    BadPeerId,
    /// A message id of another length than 16 bytes.
    BadMessageId,
}

impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => write!(f, "not an overlay message: {error}"),
            Self::NoAction => f.write_str("an overlay message without an action"),
            Self::BadPeerId => f.write_str("a malformed peer id in an overlay message"),
            Self::BadMessageId => f.write_str("a message id that is not 16 bytes long"),
        }
    }
}

impl core::error::Error for RpcError {}

impl From<ProtobufError> for RpcError {
    fn from(error: ProtobufError) -> Self {
        Self::Malformed(error)
    }
}

/// The largest payload that fits a frame of this topic, whatever its hop grows to.
#[must_use]
pub const fn payload_max(topic: &str) -> usize {
    // A field's tag and its length: 1 + 2 bytes suffice for a topic, 1 + 3 for message and payload; id 2 + 16; hop 1 + 5.
    let headers = topic.len().saturating_add(3 + 4 + 18 + 6 + 4);
    FRAME_MAX.saturating_sub(headers)
}

/// Reads the body of a frame. Payloads are views of `body`, not copies.
pub fn decode(body: &Bytes) -> Result<Rpc, RpcError> {
    let raw = raw::Rpc::decode(body)?;
    let not_have = match (&raw.action, &raw.not_have) {
        (None, Some(ids)) => Some(ids),
        // It travels beside an empty IHAVE, for the sake of peers that do not know it.
        (Some(raw::Action::IHave(announced)), Some(ids)) if announced.is_empty() => Some(ids),
        _ => None,
    };
    let action = match (raw.action, not_have) {
        (_, Some(ids)) => Action::Broadcast(broadcast::Message::NotHave(message_ids(ids)?)),
        (Some(action), None) => checked(action, body)?,
        (None, None) if raw.unknown => Action::Unknown,
        (None, None) => return Err(RpcError::NoAction),
    };
    Ok(Rpc { topic: String::from(raw.topic), action, extended: raw.extended })
}

fn checked(action: raw::Action<'_>, body: &Bytes) -> Result<Action, RpcError> {
    use broadcast::Message as Broadcast;
    use overlay::Message as Overlay;
    Ok(match action {
        raw::Action::Join(join) => {
            Action::Overlay(Overlay::Join { ttl: join.ttl, peer: contact(&join.peer)?, nonce: join.nonce })
        }
        raw::Action::ForwardJoin(join) => Action::Overlay(Overlay::ForwardJoin {
            ttl: join.ttl,
            peer: contact(&join.peer)?,
            nonce: join.nonce,
        }),
        raw::Action::Neighbor(neighbor) => {
            let priority = if neighbor.priority == 1 { Priority::High } else { Priority::Low };
            Action::Overlay(Overlay::Neighbor {
                peer: contact(&neighbor.peer)?,
                priority,
                epoch: neighbor.epoch,
            })
        }
        raw::Action::Shuffle(shuffle) => Action::Overlay(Overlay::Shuffle {
            ttl: shuffle.ttl,
            origin: contact(&shuffle.origin)?,
            nodes: contacts(&shuffle.nodes)?,
            nonce: shuffle.nonce,
        }),
        raw::Action::ShuffleReply(reply) => {
            Action::Overlay(Overlay::ShuffleReply { nodes: contacts(&reply.nodes)?, nonce: reply.nonce })
        }
        raw::Action::Disconnect(raw::Disconnect { alive, epoch, backoff_s }) => {
            Action::Overlay(Overlay::Disconnect { alive, epoch, backoff_s })
        }
        raw::Action::Message(message) => Action::Broadcast(Broadcast::Payload {
            id: message_id(message.id)?,
            hop: message.hop,
            // An empty slice points nowhere in particular.
            payload: if message.payload.is_empty() { Bytes::new() } else { body.slice_ref(message.payload) },
        }),
        raw::Action::IHave(announced) => {
            let announcement =
                |raw: &raw::Announcement<'_>| Ok(Announcement { id: message_id(raw.id)?, hop: raw.hop });
            let announcements: Result<Vec<Announcement>, RpcError> =
                announced.iter().map(announcement).collect();
            Action::Broadcast(Broadcast::IHave(announcements?))
        }
        raw::Action::Prune => Action::Broadcast(Broadcast::Prune),
        raw::Action::Graft(ids) => Action::Broadcast(Broadcast::Graft(message_ids(&ids)?)),
    })
}

fn contact(raw: &raw::Peer<'_>) -> Result<Contact<PeerId>, RpcError> {
    let peer = PeerId::from_bytes(raw.peer_id).ok_or(RpcError::BadPeerId)?;
    let usable = raw.addresses.iter().filter(|address| (1..=ADDRESS_MAX).contains(&address.len()));
    Ok(Contact {
        peer,
        addresses: usable.take(ADDRESSES_MAX).map(|address| Bytes::copy_from_slice(address)).collect(),
    })
}

fn contacts(raw: &[raw::Peer<'_>]) -> Result<Vec<Contact<PeerId>>, RpcError> {
    raw.iter().take(NODES_MAX).map(contact).collect()
}

fn message_id(raw: &[u8]) -> Result<Id, RpcError> {
    raw.try_into().map(Id).map_err(|_| RpcError::BadMessageId)
}

fn message_ids(raw: &[&[u8]]) -> Result<Vec<Id>, RpcError> {
    raw.iter().map(|id| message_id(id)).collect()
}

/// The body of a frame, fields in the order of their numbers. Empty for [`Action::Unknown`], which cannot be sent.
#[must_use]
pub fn encode(topic: &str, action: &Action) -> Bytes {
    let (mut head, payload) = parts(topic, action);
    head.extend_from_slice(payload);
    head.freeze()
}

/// A whole frame with its length in front, or none if its body would be larger than [`FRAME_MAX`].
#[must_use]
pub fn encode_frame(topic: &str, action: &Action) -> Option<Bytes> {
    let (head, payload) = parts(topic, action);
    let length = head.len().saturating_add(payload.len());
    if length > FRAME_MAX {
        return None;
    }
    let prefix = u64::try_from(length).ok()?;
    let mut frame = BytesMut::with_capacity(varint::length(prefix).saturating_add(length));
    varint::write(prefix, &mut frame);
    frame.extend_from_slice(&head);
    frame.extend_from_slice(payload);
    Some(frame.freeze())
}

/// Everything up to the payload, and the payload, which is always last: so it is copied only once.
fn parts<'a>(topic: &str, action: &'a Action) -> (BytesMut, &'a [u8]) {
    let mut out = BytesMut::new();
    if !matches!(action, Action::Unknown) {
        put_bytes(1, topic.as_bytes(), &mut out);
    }
    let payload = match action {
        Action::Overlay(message) => {
            put_overlay(message, &mut out);
            &[]
        }
        Action::Broadcast(message) => put_broadcast(message, &mut out),
        Action::Unknown => &[],
    };
    (out, payload)
}

fn put_overlay(message: &overlay::Message<PeerId>, out: &mut BytesMut) {
    use overlay::Message;
    let mut inner = BytesMut::new();
    let number = match message {
        Message::Join { ttl, peer, nonce } => {
            put_varint(1, u64::from(*ttl), &mut inner);
            put_contact(2, peer, &mut inner);
            put_nonce(*nonce, &mut inner);
            2
        }
        Message::ForwardJoin { ttl, peer, nonce } => {
            put_varint(2, u64::from(*ttl), &mut inner);
            put_contact(3, peer, &mut inner);
            put_nonce(*nonce, &mut inner);
            3
        }
        Message::Neighbor { peer, priority, epoch } => {
            put_contact(1, peer, &mut inner);
            put_varint(2, u64::from(*priority == Priority::High), &mut inner);
            put_optional(raw::EPOCH, *epoch, &mut inner);
            4
        }
        Message::Shuffle { ttl, origin, nodes, nonce } => {
            put_varint(2, u64::from(*ttl), &mut inner);
            put_contact(3, origin, &mut inner);
            nodes.iter().for_each(|node| put_contact(4, node, &mut inner));
            put_nonce(*nonce, &mut inner);
            5
        }
        Message::ShuffleReply { nodes, nonce } => {
            nodes.iter().for_each(|node| put_contact(2, node, &mut inner));
            put_nonce(*nonce, &mut inner);
            6
        }
        Message::Disconnect { alive, epoch, backoff_s } => {
            put_varint(2, u64::from(*alive), &mut inner);
            put_optional(raw::EPOCH, *epoch, &mut inner);
            put_optional(raw::BACKOFF, backoff_s.map(u64::from), &mut inner);
            7
        }
    };
    put_bytes(number, &inner, out);
}

fn put_payload_head(id: &Id, hop: u32, payload: usize, out: &mut BytesMut) {
    let mut inner = BytesMut::new();
    put_bytes(1, &id.0, &mut inner);
    put_varint(2, u64::from(hop), &mut inner);
    put_length(3, payload, &mut inner);
    put_length(9, inner.len().saturating_add(payload), out);
    out.extend_from_slice(&inner);
}

/// Everything but the payload, which is returned.
fn put_broadcast<'a>(message: &'a broadcast::Message, out: &mut BytesMut) -> &'a [u8] {
    use broadcast::Message;
    match message {
        Message::Payload { id, hop, payload } => {
            put_payload_head(id, *hop, payload.len(), out);
            return payload;
        }
        Message::IHave(announcements) => {
            let mut inner = BytesMut::new();
            for announcement in announcements {
                let mut entry = BytesMut::new();
                put_varint(1, u64::from(announcement.hop), &mut entry);
                put_bytes(2, &announcement.id.0, &mut entry);
                put_bytes(1, &entry, &mut inner);
            }
            put_bytes(10, &inner, out);
        }
        Message::Prune => put_bytes(11, &[], out),
        Message::Graft(ids) => put_ids(12, 2, ids, out),
        Message::NotHave(ids) => {
            put_bytes(10, &[], out);
            put_ids(raw::NOT_HAVE, 1, ids, out);
        }
    }
    &[]
}

fn put_ids(number: u32, field: u32, ids: &[Id], out: &mut BytesMut) {
    let mut inner = BytesMut::new();
    ids.iter().for_each(|id| put_bytes(field, &id.0, &mut inner));
    put_bytes(number, &inner, out);
}

fn put_contact(number: u32, contact: &Contact<PeerId>, out: &mut BytesMut) {
    let mut inner = BytesMut::new();
    put_bytes(1, &contact.peer.to_bytes(), &mut inner);
    contact.addresses.iter().for_each(|address| put_bytes(2, address, &mut inner));
    put_bytes(number, &inner, out);
}

fn put_nonce(nonce: Option<u64>, out: &mut BytesMut) {
    if let Some(nonce) = nonce {
        put_fixed64(raw::NONCE, nonce, out);
    }
}

fn put_optional(number: u32, value: Option<u64>, out: &mut BytesMut) {
    if let Some(value) = value {
        put_varint(number, value, out);
    }
}

fn put_length(number: u32, length: usize, out: &mut impl BufMut) {
    put_tag(number, 2, out);
    varint::write(u64::try_from(length).unwrap_or(u64::MAX), out);
}

#[cfg(test)]
mod tests;
