//! HEADs of the mesh: wire, signature and rules (`mesh` 3). The machine is [`crate::heads::Heads`].
//!
//! A frame of `/pleach/heads/1` is `varint(length) || [0, [[body, signature, step], ..]]`, a body the deterministic CBOR
//! `[1, node id, peer id, height, tip, software, version, free member rooms, free mirror rooms, issued]`; further
//! elements are kept, as bodies travel verbatim. No leniency but that a step beyond 255 is read as 255.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::Malformed;
use crate::heads::{Announced, Rules, Untimely};
use crate::identity::{Keypair, PeerId};
use crate::time::WallTime;
use crate::wire::cbor::{Decoder, encode};
use crate::wire::{frame, varint};

/// The protocol id of the stream.
pub const PROTOCOL: &str = "/pleach/heads/1";
/// The largest frame, in bytes, its prefix not counted.
pub const FRAME_MAX: usize = 64 * 1024;
/// HEADs in a frame.
pub const HEADS_MAX: usize = 64;
/// The largest body, in bytes.
pub const BODY_MAX: usize = 512;
/// The largest tip, in bytes.
pub const TIP_MAX: usize = 64;
/// The longest name of a software, in bytes.
pub const SOFTWARE_MAX: usize = 32;
/// The longest version, in bytes.
pub const VERSION_MAX: usize = 16;

/// What stands before every signed body.
const SIGNED_PREFIX: &[u8] = b"\xffpleach/head/1\0";
/// The form of bodies that this page describes.
const FORM: u64 = 1;
/// How far ahead a HEAD may be dated (H2).
const AHEAD_MAX: Duration = Duration::from_secs(600);
/// How old a HEAD may become (H2, H8).
const LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// The place of a HEAD in the table (H1).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct NodeKey {
    /// The key of the node.
    pub peer: PeerId,
    /// Tells nodes of one key apart.
    pub node: u32,
}

/// At most 64 bytes that name a state: the id of the last message, the hash of a block.
pub type Tip = heapless::Vec<u8, TIP_MAX>;

/// What a HEAD says. Names of no bytes cannot be read back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fields {
    /// Tells nodes of one key apart.
    pub node: u32,
    /// Who says it, and signs it.
    pub peer: PeerId,
    /// How far the node is.
    pub height: u64,
    /// What it is at.
    pub tip: Tip,
    /// The software it runs, 1..32 bytes.
    pub software: heapless::String<SOFTWARE_MAX>,
    /// Its version, 1..16 bytes.
    pub version: heapless::String<VERSION_MAX>,
    /// Free places for incoming links, those held by peers of the lowest priority included.
    pub free_member_rooms: u16,
    /// Free places for incoming links.
    pub free_mirror_rooms: u16,
    /// When it was said.
    pub issued: WallTime,
}

impl Fields {
    /// The body that says this.
    #[must_use]
    pub fn to_body(&self) -> Bytes {
        let body = encode(|out| {
            out.array(10)?.u64(FORM)?.u32(self.node)?.bytes(&self.peer.to_bytes())?.u64(self.height)?;
            out.bytes(&self.tip)?.str(&self.software)?.str(&self.version)?;
            out.u16(self.free_member_rooms)?.u16(self.free_mirror_rooms)?.u64(self.issued.unix_ms())?.ok()
        });
        Bytes::from(body)
    }

    /// Reads a body. Elements behind the known ones are checked for form and otherwise not looked at.
    pub fn from_body(body: &[u8]) -> Result<Self, Malformed> {
        if body.len() > BODY_MAX {
            return Err(Malformed::Length);
        }
        let mut decoder = Decoder::new(body);
        let further = decoder.array_of(10)?;
        if decoder.u64()? != FORM {
            return Err(Malformed::Range);
        }
        let fields = Self {
            node: decoder.u32()?,
            peer: PeerId::from_bytes(decoder.bytes()?).ok_or(Malformed::PeerId)?,
            height: decoder.u64()?,
            tip: Tip::from_slice(decoder.bytes()?).map_err(|_| Malformed::Length)?,
            software: name(decoder.text()?)?,
            version: name(decoder.text()?)?,
            free_member_rooms: decoder.u16()?,
            free_mirror_rooms: decoder.u16()?,
            issued: WallTime::from_unix_ms(decoder.u64()?),
        };
        decoder.skip(further)?;
        decoder.finish()?;
        Ok(fields)
    }
}

/// A HEAD: the signed body verbatim, its signature, and what the body says. Not verified by being there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Head {
    body: Bytes,
    signature: [u8; 64],
    fields: Arc<Fields>,
}

impl Head {
    /// Reads a body and puts its signature beside it, unverified.
    pub fn from_parts(body: &[u8], signature: [u8; 64]) -> Result<Self, Malformed> {
        let fields = Arc::new(Fields::from_body(body)?);
        // A copy: a slice would keep the whole frame in memory.
        Ok(Self { body: Bytes::copy_from_slice(body), signature, fields })
    }

    /// Makes and signs a HEAD. `fields.peer` is the peer id of `key`, or nobody will take it.
    #[must_use]
    pub fn sign(fields: Fields, network: &str, key: &Keypair) -> Self {
        let body = fields.to_body();
        let signature = key.sign(&signed_bytes(network, &body));
        Self { body, signature, fields: Arc::new(fields) }
    }

    /// Whether the signature is that of the peer that it names, for this network.
    #[must_use]
    pub fn verify(&self, network: &str) -> bool {
        self.fields.peer.public_key().verify(&signed_bytes(network, &self.body), &self.signature)
    }

    /// The signed body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The signature over it.
    #[must_use]
    pub const fn signature(&self) -> &[u8; 64] {
        &self.signature
    }

    /// What it says.
    #[must_use]
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// Its place in the table.
    #[must_use]
    pub fn key(&self) -> NodeKey {
        NodeKey { peer: self.fields.peer, node: self.fields.node }
    }
}

/// What is signed: `ff "pleach/head/1" 00 || varint(length of the name) || name || body`.
#[must_use]
pub fn signed_bytes(network: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::from(SIGNED_PREFIX);
    varint::write(u64::try_from(network.len()).unwrap_or(u64::MAX), &mut bytes);
    bytes.extend_from_slice(network.as_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// A frame with its prefix, for 1 to [`HEADS_MAX`] HEADs.
#[must_use]
pub fn encode_frame(heads: &[Announced<Head>]) -> Bytes {
    let bytes = encode(|out| {
        out.array(2)?.u8(0)?.array(u64::try_from(heads.len()).unwrap_or(u64::MAX))?;
        for Announced { head, step } in heads {
            out.array(3)?.bytes(&head.body)?.bytes(&head.signature)?.u32(*step)?;
        }
        Ok(())
    });
    frame::with_varint(&bytes)
}

/// Reads a frame without its prefix. None if its message number is unknown: to be ignored and counted.
pub fn decode_frame(frame: &[u8]) -> Result<Option<Vec<Announced<Head>>>, Malformed> {
    let mut decoder = Decoder::new(frame);
    let elements = decoder.array_of(1)?;
    if decoder.u64()? != 0 {
        decoder.skip(elements)?;
        decoder.finish()?;
        return Ok(None);
    }
    let further = elements.checked_sub(1).ok_or(Malformed::Length)?;
    let count = decoder.array()?;
    if count == 0 || count > u64::try_from(HEADS_MAX).unwrap_or(u64::MAX) {
        return Err(Malformed::Length);
    }
    let mut heads = Vec::new();
    for _ in 0..count {
        heads.push(decode_head(&mut decoder)?);
    }
    decoder.skip(further)?;
    decoder.finish()?;
    Ok(Some(heads))
}

/// What the own HEAD of a node says beside its names and its date.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Own {
    /// How far the node is; never decreasing.
    pub height: u64,
    /// What it is at.
    pub tip: Tip,
    /// Free places for incoming links, those held by peers of the lowest priority included.
    pub free_member_rooms: u16,
    /// Free places for incoming links.
    pub free_mirror_rooms: u16,
}

/// The rules of HEADs in one network of the mesh.
#[derive(Clone, Debug)]
pub struct HeadRules {
    network: Arc<str>,
    key: Arc<Keypair>,
    own_key: NodeKey,
    software: heapless::String<SOFTWARE_MAX>,
    version: heapless::String<VERSION_MAX>,
}

impl HeadRules {
    /// The rules of `network` for a node with this key and id, and the software that its HEAD names: 1 to
    /// [`SOFTWARE_MAX`] and 1 to [`VERSION_MAX`] bytes, or none is returned.
    #[must_use]
    pub fn new(network: &str, key: Arc<Keypair>, node: u32, software: &str, version: &str) -> Option<Self> {
        Some(Self {
            network: Arc::from(network),
            own_key: NodeKey { peer: key.peer_id(), node },
            key,
            software: name(software).ok()?,
            version: name(version).ok()?,
        })
    }
}

impl Rules for HeadRules {
    type Peer = PeerId;
    type Key = NodeKey;
    type Head = Head;
    /// Height, then date (H3).
    type Order = (u64, WallTime);
    type Own = Own;

    const STEP_MAX: u32 = 255;

    fn key(&self, head: &Head) -> NodeKey {
        head.key()
    }

    fn owner(&self, head: &Head) -> PeerId {
        head.fields.peer
    }

    fn order(&self, head: &Head) -> (u64, WallTime) {
        (head.fields.height, head.fields.issued)
    }

    fn issued(&self, head: &Head) -> u64 {
        head.fields.issued.unix_ms()
    }

    fn same(&self, one: &Head, other: &Head) -> bool {
        one.body == other.body
    }

    fn lifetime(&self, head: &Head, wall: WallTime) -> Result<Duration, Untimely> {
        let issued = head.fields.issued;
        if issued > wall + AHEAD_MAX {
            return Err(Untimely::Early);
        }
        LIFETIME.checked_sub(wall.since(issued)).ok_or(Untimely::Late)
    }

    fn verify(&self, head: &Head) -> bool {
        head.verify(&self.network)
    }

    fn own_key(&self) -> NodeKey {
        self.own_key
    }

    fn is_change(&self, before: &Own, after: &Own) -> bool {
        (before.height, &before.tip) != (after.height, &after.tip)
    }

    fn own_head(&self, own: &Own, previous: Option<&Head>, wall: WallTime) -> Head {
        let previous = previous.map(Head::fields);
        let farther = previous.filter(|previous| previous.height > own.height);
        let (height, tip) = farther.map_or((own.height, &own.tip), |farther| (farther.height, &farther.tip));
        let fields = Fields {
            node: self.own_key.node,
            peer: self.own_key.peer,
            height,
            tip: tip.clone(),
            software: self.software.clone(),
            version: self.version.clone(),
            free_member_rooms: own.free_member_rooms,
            free_mirror_rooms: own.free_mirror_rooms,
            issued: issue_date(previous.map(|previous| previous.issued), wall),
        };
        Head::sign(fields, &self.network, &self.key)
    }
}

/// Later than before, unless the clock was wrong by so much then that nobody took that HEAD.
fn issue_date(previous: Option<WallTime>, wall: WallTime) -> WallTime {
    match previous {
        Some(previous) if previous <= wall + AHEAD_MAX => wall.max(previous + Duration::from_millis(1)),
        _ => wall,
    }
}

fn decode_head(decoder: &mut Decoder<'_>) -> Result<Announced<Head>, Malformed> {
    let further = decoder.array_of(3)?;
    let head = Head::from_parts(decoder.bytes()?, decoder.byte_array()?)?;
    let step = decoder.u64()?.min(u64::from(HeadRules::STEP_MAX));
    decoder.skip(further)?;
    Ok(Announced { head, step: u32::try_from(step).unwrap_or(HeadRules::STEP_MAX) })
}

fn name<const N: usize>(text: &str) -> Result<heapless::String<N>, Malformed> {
    if text.is_empty() {
        return Err(Malformed::Length);
    }
    heapless::String::try_from(text).map_err(|_| Malformed::Length)
}

#[cfg(test)]
mod tests;
