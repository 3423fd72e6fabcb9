//! The link to the secure room: who it is for, the answer, and then the partner (`bob-relay.md` 7).

use bytes::{Buf, Bytes, BytesMut};

use super::Failure;
use super::carrier::Carrier;
use crate::bob::Identity;
use crate::link::LinkId;

/// One place in a room.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) carrier: Carrier,
    /// The first byte of the answer, when it came alone.
    answer: Option<u8>,
    /// What came behind the answer: the partner is quick.
    unread: Bytes,
}

impl Room {
    pub(super) const fn new(link: LinkId) -> Self {
        Self { carrier: Carrier::new(link), answer: None, unread: Bytes::new() }
    }

    /// Whether the answer has come and is good. What follows it is kept.
    pub(super) fn answered<C>(&mut self, mut bytes: Bytes) -> Result<bool, Failure<C>> {
        let first = match self.answer {
            Some(first) => first,
            None if bytes.is_empty() => return Ok(false),
            None => bytes.get_u8(),
        };
        if bytes.is_empty() {
            self.answer = Some(first);
            return Ok(false);
        }
        match [first, bytes.get_u8()] {
            [b'0', b'0'] => {
                self.unread = bytes;
                Ok(true)
            }
            [b'0', b'1'] => Err(Failure::RoomTimedOut),
            [b'0', b'2'] => Err(Failure::RoomUnknown),
            _ => Err(Failure::RelayProtocol),
        }
    }

    /// What came behind the answer.
    pub(super) fn take_unread(&mut self) -> Bytes {
        core::mem::take(&mut self.unread)
    }
}

/// Whether a room can be asked for in this name: it is short enough, and the line that names it has one end.
pub(in crate::bob) fn is_routable(identity: &Identity) -> bool {
    identity.is_writable() && !identity.as_bytes().contains(&b'\n')
}

/// What names the room: the identity of the other peer.
pub(super) fn line(partner: &Identity) -> Bytes {
    let mut line = BytesMut::from(partner.as_bytes().as_ref());
    line.extend_from_slice(b"\n");
    line.freeze()
}
