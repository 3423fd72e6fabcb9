//! identify: what each side tells the other of itself (`connectivity` 4).
//!
//! Unknown fields are skipped, the last of a scalar wins, addresses that do not decode are left out, and lists are cut
//! at their limits. Written in tag order. Never trusted: the public key is compared with the proven identity, and
//! addresses are candidates.

mod record;

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use bytes::{BufMut, Bytes};

pub use record::{PeerRecord, RecordError};

use crate::identity::PeerId;
use crate::wire::multiaddr::Multiaddr;
use crate::wire::protobuf::{Fields, ProtobufError, put_bytes};
use crate::wire::varint;

/// The stream on which the listener tells.
pub const PROTOCOL: &str = "/ipfs/id/1.0.0";
/// The stream on which the opener tells of changes.
pub const PUSH_PROTOCOL: &str = "/ipfs/id/push/1.0.0";
/// The longest message that is written, in bytes.
pub const WRITE_MAX: usize = 4096;
/// The longest message that is read, in bytes.
pub const READ_MAX: usize = 8192;
/// The most listen addresses that are read.
pub const ADDRESSES_MAX: usize = 32;
/// The most protocols that are read.
pub const PROTOCOLS_MAX: usize = 128;
/// The longest name of a protocol, in bytes; longer ones are left out.
pub const PROTOCOL_LENGTH_MAX: usize = 140;
/// The longest version text that is kept, in bytes; longer ones are left out.
pub const VERSION_LENGTH_MAX: usize = 256;

const PUBLIC_KEY: u32 = 1;
const LISTEN_ADDRESSES: u32 = 2;
const PROTOCOLS: u32 = 3;
const OBSERVED_ADDRESS: u32 = 4;
const PROTOCOL_VERSION: u32 = 5;
const AGENT_VERSION: u32 = 6;
const SIGNED_PEER_RECORD: u32 = 8;

/// What a peer tells of itself.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Info {
    /// The key, in its protobuf form.
    pub public_key: Option<Bytes>,
    /// Where it believes it can be dialled.
    pub listen_addresses: Vec<Multiaddr>,
    /// The protocols it accepts streams of.
    pub protocols: Vec<String>,
    /// The address of this connection's other end, as it sees it.
    pub observed_address: Option<Multiaddr>,
    /// The family of protocols it speaks; a foreign one is no reason to close.
    pub protocol_version: Option<String>,
    /// The program.
    pub agent_version: Option<String>,
    /// A [`PeerRecord`] in its envelope.
    pub signed_peer_record: Option<Bytes>,
}

impl Info {
    /// Reads a message, without its length prefix.
    pub fn decode(bytes: &[u8]) -> Result<Self, ProtobufError> {
        let mut info = Self::default();
        for field in Fields::new(bytes) {
            let (number, value) = field?;
            match number {
                PUBLIC_KEY => info.public_key = Some(Bytes::copy_from_slice(value.bytes()?)),
                LISTEN_ADDRESSES => {
                    let address = Multiaddr::try_from(value.bytes()?);
                    if let Some(address) =
                        address.ok().filter(|_| info.listen_addresses.len() < ADDRESSES_MAX)
                    {
                        info.listen_addresses.push(address);
                    }
                }
                PROTOCOLS => {
                    let name = value.text()?;
                    if name.len() <= PROTOCOL_LENGTH_MAX && info.protocols.len() < PROTOCOLS_MAX {
                        info.protocols.push(name.to_owned());
                    }
                }
                OBSERVED_ADDRESS => info.observed_address = Multiaddr::try_from(value.bytes()?).ok(),
                PROTOCOL_VERSION => info.protocol_version = version(value.text()?),
                AGENT_VERSION => info.agent_version = version(value.text()?),
                SIGNED_PEER_RECORD => info.signed_peer_record = Some(Bytes::copy_from_slice(value.bytes()?)),
                _ => {}
            }
        }
        Ok(info)
    }

    /// Writes it in tag order, without length prefix.
    pub fn encode(&self, out: &mut impl BufMut) {
        if let Some(key) = &self.public_key {
            put_bytes(PUBLIC_KEY, key, out);
        }
        for address in &self.listen_addresses {
            put_bytes(LISTEN_ADDRESSES, address.as_bytes(), out);
        }
        for protocol in &self.protocols {
            put_bytes(PROTOCOLS, protocol.as_bytes(), out);
        }
        if let Some(address) = &self.observed_address {
            put_bytes(OBSERVED_ADDRESS, address.as_bytes(), out);
        }
        if let Some(version) = &self.protocol_version {
            put_bytes(PROTOCOL_VERSION, version.as_bytes(), out);
        }
        if let Some(version) = &self.agent_version {
            put_bytes(AGENT_VERSION, version.as_bytes(), out);
        }
        if let Some(record) = &self.signed_peer_record {
            put_bytes(SIGNED_PEER_RECORD, record, out);
        }
    }

    /// The message with its length prefix. What does not fit in [`WRITE_MAX`] is left out: the signed record first,
    /// then addresses and protocols from the end.
    #[must_use]
    pub fn to_frame(&self) -> Bytes {
        let mut body = Vec::new();
        self.encode(&mut body);
        if body.len() > WRITE_MAX {
            let mut fitting = self.clone();
            while body.len() > WRITE_MAX && fitting.shrink() {
                body.clear();
                fitting.encode(&mut body);
            }
        }
        let mut out = Vec::with_capacity(body.len().saturating_add(varint::LENGTH_MAX));
        varint::write(u64::try_from(body.len()).unwrap_or(u64::MAX), &mut out);
        out.extend_from_slice(&body);
        out.into()
    }

    /// Takes what a push tells: a field that is missing, and a list that is empty, means "unchanged".
    pub fn merge(&mut self, push: Self) {
        self.public_key = push.public_key.or(self.public_key.take());
        self.observed_address = push.observed_address.or(self.observed_address.take());
        self.protocol_version = push.protocol_version.or(self.protocol_version.take());
        self.agent_version = push.agent_version.or(self.agent_version.take());
        self.signed_peer_record = push.signed_peer_record.or(self.signed_peer_record.take());
        if !push.listen_addresses.is_empty() {
            self.listen_addresses = push.listen_addresses;
        }
        if !push.protocols.is_empty() {
            self.protocols = push.protocols;
        }
    }

    /// Whether it may be by `peer`: its key, if it tells one, is that peer's.
    #[must_use]
    pub fn may_be_of(&self, peer: &PeerId) -> bool {
        self.public_key.as_ref().is_none_or(|key| key[..] == peer.public_key().to_protobuf())
    }

    /// Puts the addresses of the signed record in place of the listen addresses, if there is a valid record by `peer`.
    pub fn apply_record(&mut self, peer: &PeerId) {
        let record = self.signed_peer_record.as_ref().and_then(|envelope| PeerRecord::open(envelope).ok());
        if let Some(record) = record.filter(|record| record.peer == *peer) {
            self.listen_addresses = record.addresses;
        }
    }

    /// Leaves one thing out; false if there is nothing left to leave out.
    fn shrink(&mut self) -> bool {
        self.signed_peer_record.take().is_some()
            || self.listen_addresses.pop().is_some()
            || self.protocols.pop().is_some()
            || self.agent_version.take().is_some()
            || self.protocol_version.take().is_some()
    }
}

fn version(text: &str) -> Option<String> {
    (text.len() <= VERSION_LENGTH_MAX).then(|| text.to_owned())
}

impl fmt::Display for Info {
    /// One line for logs: agent, version, and how much it listed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} {:?}, {} addresses, {} protocols",
            self.agent_version.as_deref().unwrap_or_default(),
            self.protocol_version.as_deref().unwrap_or_default(),
            self.listen_addresses.len(),
            self.protocols.len()
        )
    }
}

#[cfg(test)]
mod tests;
