//! What the original library's decoder makes of the body of a frame. All bytes are views of the input.
//!
//! Lists are cut at limits that no honest sender reaches, so that memory never outgrows the input.

use alloc::vec::Vec;

use crate::wire::protobuf::{Fields, ProtobufError, Value};

use super::NODES_MAX;

/// Field `nonce` of `overlay` 3.2.
pub(super) const NONCE: u32 = 100;
/// Field `epoch` of `overlay` 3.2.
pub(super) const EPOCH: u32 = 101;
/// Field `backoff_s` of `overlay` 3.2.
pub(super) const BACKOFF: u32 = 102;
/// Field NOTHAVE of an `Rpc` (`broadcast` 4.4).
pub(super) const NOT_HAVE: u32 = 13;

/// Addresses read of one peer.
const ADDRESSES_READ: usize = 64;
/// Ids read of one message: more than any receiver looks at.
const IDS_READ: usize = 1024;

/// An `Rpc` as it was written.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rpc<'a> {
    /// Which topic; empty if there is none.
    pub topic: &'a str,
    /// The last action, if there is any.
    pub action: Option<Action<'a>>,
    /// The ids of NOTHAVE, which the original does not know.
    pub not_have: Option<Vec<&'a [u8]>>,
    /// Whether fields of other numbers stood in the `Rpc` itself.
    pub unknown: bool,
    /// Whether a field of `overlay` 3.2 was seen.
    pub extended: bool,
}

/// An action of the original library.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Action<'a> {
    /// Field 2.
    Join(Join<'a>),
    /// Field 3.
    ForwardJoin(Join<'a>),
    /// Field 4.
    Neighbor(Neighbor<'a>),
    /// Field 5.
    Shuffle(Shuffle<'a>),
    /// Field 6.
    ShuffleReply(ShuffleReply<'a>),
    /// Field 7.
    Disconnect(Disconnect),
    /// Field 9.
    Message(Message<'a>),
    /// Field 10.
    IHave(Vec<Announcement<'a>>),
    /// Field 11.
    Prune,
    /// Field 12.
    Graft(Vec<&'a [u8]>),
}

/// A peer with its addresses.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Peer<'a> {
    /// Its id, of whatever form.
    pub peer_id: &'a [u8],
    /// Its addresses, of whatever form.
    pub addresses: Vec<&'a [u8]>,
}

/// JOIN or FORWARD_JOIN.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Join<'a> {
    /// Steps left.
    pub ttl: u32,
    /// The joiner.
    pub peer: Peer<'a>,
    /// Of `overlay` 3.2.
    pub nonce: Option<u64>,
}

/// NEIGHBOR.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Neighbor<'a> {
    /// The sender.
    pub peer: Peer<'a>,
    /// 0 low, 1 high, the rest undefined.
    pub priority: i32,
    /// Of `overlay` 3.2.
    pub epoch: Option<u64>,
}

/// SHUFFLE.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Shuffle<'a> {
    /// Steps left.
    pub ttl: u32,
    /// Who started it.
    pub origin: Peer<'a>,
    /// The sample.
    pub nodes: Vec<Peer<'a>>,
    /// Of `overlay` 3.2.
    pub nonce: Option<u64>,
}

/// SHUFFLE_REPLY.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ShuffleReply<'a> {
    /// The sample.
    pub nodes: Vec<Peer<'a>>,
    /// Of `overlay` 3.2.
    pub nonce: Option<u64>,
}

/// DISCONNECT.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Disconnect {
    /// Whether the sender stays in the topic.
    pub alive: bool,
    /// Of `overlay` 3.2.
    pub epoch: Option<u64>,
    /// Of `overlay` 3.2, in seconds.
    pub backoff_s: Option<u32>,
}

/// MESSAGE.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Message<'a> {
    /// Its id, of whatever length.
    pub id: &'a [u8],
    /// Transmissions so far.
    pub hop: u32,
    /// Its content.
    pub payload: &'a [u8],
}

/// An entry of IHAVE.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Announcement<'a> {
    /// The id, of whatever length.
    pub id: &'a [u8],
    /// As the sender counts.
    pub hop: u32,
}

/// A message that is read field by field into what earlier fields have made of it: a second sub-message of the same
/// number adds to the first, as protobuf has it.
trait Merge<'a>: Sized {
    /// Takes one field. True if it is one of `overlay` 3.2.
    fn field(&mut self, number: u32, value: Value<'a>) -> Result<bool, ProtobufError>;

    fn merge(&mut self, value: Value<'a>) -> Result<bool, ProtobufError> {
        let mut extended = false;
        for field in Fields::new(value.bytes()?) {
            let (number, value) = field?;
            extended |= self.field(number, value)?;
        }
        Ok(extended)
    }
}

impl<'a> Rpc<'a> {
    /// Reads the body of a frame.
    pub fn decode(body: &'a [u8]) -> Result<Self, ProtobufError> {
        let mut rpc = Self::default();
        for field in Fields::new(body) {
            let (number, value) = field?;
            match number {
                1 => rpc.topic = value.text()?,
                2..=7 | 9..=12 => rpc.extended |= rpc.merge_action(number, value)?,
                NOT_HAVE => rpc.merge_not_have(value),
                _ => rpc.unknown = true,
            }
        }
        Ok(rpc)
    }

    /// Adds to the present action if it is of the same kind, and replaces it otherwise.
    fn merge_action(&mut self, number: u32, value: Value<'a>) -> Result<bool, ProtobufError> {
        let mut action = match (self.action.take(), blank(number)) {
            (Some(present), Some(blank))
                if core::mem::discriminant(&present) == core::mem::discriminant(&blank) =>
            {
                present
            }
            (_, Some(blank)) => blank,
            (_, None) => return Ok(false),
        };
        let extended = match &mut action {
            Action::Join(join) => Numbered { ttl: 1, peer: 2, join }.merge(value),
            Action::ForwardJoin(join) => Numbered { ttl: 2, peer: 3, join }.merge(value),
            Action::Neighbor(neighbor) => neighbor.merge(value),
            Action::Shuffle(shuffle) => shuffle.merge(value),
            Action::ShuffleReply(reply) => reply.merge(value),
            Action::Disconnect(disconnect) => disconnect.merge(value),
            Action::Message(message) => message.merge(value),
            Action::IHave(announced) => Announced(announced).merge(value),
            Action::Prune => Nothing.merge(value),
            Action::Graft(ids) => Ids { number: 2, ids }.merge(value),
        }?;
        self.action = Some(action);
        Ok(extended)
    }

    /// The original skips this field whatever it holds, so a malformed one is as good as none.
    fn merge_not_have(&mut self, value: Value<'a>) {
        let mut ids = self.not_have.take().unwrap_or_default();
        match (Ids { number: 1, ids: &mut ids }).merge(value) {
            Ok(_) => self.not_have = Some(ids),
            Err(_) => self.unknown = true,
        }
    }
}

fn blank<'a>(number: u32) -> Option<Action<'a>> {
    Some(match number {
        2 => Action::Join(Join::default()),
        3 => Action::ForwardJoin(Join::default()),
        4 => Action::Neighbor(Neighbor::default()),
        5 => Action::Shuffle(Shuffle::default()),
        6 => Action::ShuffleReply(ShuffleReply::default()),
        7 => Action::Disconnect(Disconnect::default()),
        9 => Action::Message(Message::default()),
        10 => Action::IHave(Vec::new()),
        11 => Action::Prune,
        12 => Action::Graft(Vec::new()),
        _ => return None,
    })
}

impl<'a> Merge<'a> for Peer<'a> {
    fn field(&mut self, number: u32, value: Value<'a>) -> Result<bool, ProtobufError> {
        match number {
            1 => self.peer_id = value.bytes()?,
            2 => push(&mut self.addresses, value.bytes()?, ADDRESSES_READ),
            _ => {}
        }
        Ok(false)
    }
}

/// JOIN and FORWARD_JOIN differ in the numbers of their fields only.
struct Numbered<'m, 'a> {
    ttl: u32,
    peer: u32,
    join: &'m mut Join<'a>,
}

impl<'a> Merge<'a> for Numbered<'_, 'a> {
    fn field(&mut self, number: u32, value: Value<'a>) -> Result<bool, ProtobufError> {
        match number {
            number if number == self.ttl => self.join.ttl = value.uint32()?,
            number if number == self.peer => return self.join.peer.merge(value),
            NONCE => return Ok(set(&mut self.join.nonce, value.fixed64())),
            _ => {}
        }
        Ok(false)
    }
}

impl<'a> Merge<'a> for Neighbor<'a> {
    fn field(&mut self, number: u32, value: Value<'a>) -> Result<bool, ProtobufError> {
        match number {
            1 => return self.peer.merge(value),
            2 => self.priority = value.uint32()?.cast_signed(),
            EPOCH => return Ok(set(&mut self.epoch, value.varint())),
            _ => {}
        }
        Ok(false)
    }
}

impl<'a> Merge<'a> for Shuffle<'a> {
    fn field(&mut self, number: u32, value: Value<'a>) -> Result<bool, ProtobufError> {
        match number {
            2 => self.ttl = value.uint32()?,
            3 => return self.origin.merge(value),
            4 => push_peer(&mut self.nodes, value)?,
            NONCE => return Ok(set(&mut self.nonce, value.fixed64())),
            _ => {}
        }
        Ok(false)
    }
}

impl<'a> Merge<'a> for ShuffleReply<'a> {
    fn field(&mut self, number: u32, value: Value<'a>) -> Result<bool, ProtobufError> {
        match number {
            2 => push_peer(&mut self.nodes, value)?,
            NONCE => return Ok(set(&mut self.nonce, value.fixed64())),
            _ => {}
        }
        Ok(false)
    }
}

impl<'a> Merge<'a> for Disconnect {
    fn field(&mut self, number: u32, value: Value<'a>) -> Result<bool, ProtobufError> {
        match number {
            2 => self.alive = value.bool()?,
            EPOCH => return Ok(set(&mut self.epoch, value.varint())),
            BACKOFF => return Ok(set(&mut self.backoff_s, value.uint32())),
            _ => {}
        }
        Ok(false)
    }
}

impl<'a> Merge<'a> for Message<'a> {
    fn field(&mut self, number: u32, value: Value<'a>) -> Result<bool, ProtobufError> {
        match number {
            1 => self.id = value.bytes()?,
            2 => self.hop = value.uint32()?,
            3 => self.payload = value.bytes()?,
            _ => {}
        }
        Ok(false)
    }
}

impl<'a> Merge<'a> for Announcement<'a> {
    fn field(&mut self, number: u32, value: Value<'a>) -> Result<bool, ProtobufError> {
        match number {
            1 => self.hop = value.uint32()?,
            2 => self.id = value.bytes()?,
            _ => {}
        }
        Ok(false)
    }
}

struct Announced<'m, 'a>(&'m mut Vec<Announcement<'a>>);

impl<'a> Merge<'a> for Announced<'_, 'a> {
    fn field(&mut self, number: u32, value: Value<'a>) -> Result<bool, ProtobufError> {
        if number == 1 {
            let mut announcement = Announcement::default();
            announcement.merge(value)?;
            push(self.0, announcement, IDS_READ);
        }
        Ok(false)
    }
}

/// A list of ids under one field number.
struct Ids<'m, 'a> {
    number: u32,
    ids: &'m mut Vec<&'a [u8]>,
}

impl<'a> Merge<'a> for Ids<'_, 'a> {
    fn field(&mut self, number: u32, value: Value<'a>) -> Result<bool, ProtobufError> {
        if number == self.number {
            push(self.ids, value.bytes()?, IDS_READ);
        }
        Ok(false)
    }
}

struct Nothing;

impl<'a> Merge<'a> for Nothing {
    fn field(&mut self, _: u32, _: Value<'a>) -> Result<bool, ProtobufError> {
        Ok(false)
    }
}

fn push_peer<'a>(peers: &mut Vec<Peer<'a>>, value: Value<'a>) -> Result<(), ProtobufError> {
    let mut peer = Peer::default();
    peer.merge(value)?;
    push(peers, peer, NODES_MAX);
    Ok(())
}

fn push<T>(list: &mut Vec<T>, item: T, limit: usize) {
    if list.len() < limit {
        list.push(item);
    }
}

/// Takes a field of `overlay` 3.2, unless its wire type is another: then it is unknown, and skipped.
fn set<T>(field: &mut Option<T>, value: Result<T, ProtobufError>) -> bool {
    let seen = value.is_ok();
    if let Ok(value) = value {
        *field = Some(value);
    }
    seen
}
