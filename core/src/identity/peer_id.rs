//! Peer ids: a public key in its libp2p form (`identity-and-content` 2).

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use super::PublicKey;
use crate::wire::base58;

/// What stands before the key: identity multihash of 36 bytes, then the protobuf of an Ed25519 key.
const PREFIX: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];
/// CIDv1, codec libp2p-key.
const CID_PREFIX: [u8; 2] = [0x01, 0x72];

/// The id of a peer: its Ed25519 public key. Ordered as its binary form is.
///
/// Only the form is checked: whether the key is a point of the curve is decided where a signature uses it.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PeerId([u8; 32]);

impl PeerId {
    /// Bytes of the binary form.
    pub const LENGTH: usize = 38;

    /// Reads the binary form: exactly `00 24 08 01 12 20` and 32 bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.strip_prefix(&PREFIX)?.try_into().ok().map(Self)
    }

    /// The binary form.
    #[must_use]
    pub const fn to_bytes(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        let (head, tail) = bytes.split_at_mut(PREFIX.len());
        head.copy_from_slice(&PREFIX);
        tail.copy_from_slice(&self.0);
        bytes
    }

    /// The key that the id is made of.
    #[must_use]
    pub const fn public_key(&self) -> PublicKey {
        PublicKey(self.0)
    }

    /// The text form, base58 without multibase prefix: 52 characters that start with `12D3KooW`.
    #[must_use]
    pub fn to_base58(&self) -> String {
        base58::encode(&self.to_bytes())
    }
}

impl From<PublicKey> for PeerId {
    fn from(key: PublicKey) -> Self {
        Self(key.0)
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_base58())
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not the id of an Ed25519 peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ParsePeerIdError;

impl fmt::Display for ParsePeerIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a peer id of an Ed25519 key (52 base58 characters that start with 12D3KooW)")
    }
}

impl core::error::Error for ParsePeerIdError {}

impl FromStr for PeerId {
    type Err = ParsePeerIdError;

    /// Reads base58, or a CIDv1 of codec libp2p-key in any multibase.
    fn from_str(text: &str) -> Result<Self, ParsePeerIdError> {
        let bare = base58::decode(text).and_then(|bytes| Self::from_bytes(&bytes));
        bare.or_else(|| from_cid(text)).ok_or(ParsePeerIdError)
    }
}

fn from_cid(text: &str) -> Option<PeerId> {
    if text.len() > base58::TEXT_MAX {
        return None;
    }
    let (_, bytes) = multibase::decode(text).ok()?;
    PeerId::from_bytes(bytes.strip_prefix(&CID_PREFIX)?)
}
