//! Peer ids, keys and multiaddrs.

use pleach_core::identity::{Keypair, PeerId, PublicKey};
use pleach_core::wire::base58;
use pleach_core::wire::multiaddr::Multiaddr;
use serde::Deserialize;

use super::{Answer, Expect, Hex, equal};
use crate::harness::Topic;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PeerIdFile {
    pub(super) peers: Vec<PeerCase>,
    text_parsing: Vec<PeerTextCase>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PeerCase {
    name: String,
    pub(super) seed: Hex,
    public_key: Hex,
    public_key_protobuf: Hex,
    public_key_solana_base58: String,
    private_key_protobuf: Hex,
    multihash: Hex,
    pub(super) peer_id_base58: String,
    cid_bytes: Hex,
    cid_base32: String,
    cid_base36: String,
    cid_base58btc: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PeerTextCase {
    text: String,
    why: String,
    expect: Expect,
    js_libp2p_peer_id: Answer,
    rust_libp2p_identity_from_str: Answer,
}

pub(super) fn peer_ids(topic: &mut Topic) {
    let Some(file) = topic.read::<PeerIdFile>("peer_id.json") else { return };
    for case in &file.peers {
        let pair = Keypair::from_seed(&case.seed.array());
        let peer = pair.peer_id();
        assert_eq!(pair.public().0, case.public_key.array(), "{}", case.name);
        assert_eq!(pair.public().to_protobuf(), case.public_key_protobuf.array());
        assert_eq!(PublicKey::from_protobuf(&case.public_key_protobuf.0), Some(pair.public()));
        assert_eq!(base58::encode(&pair.public().0), case.public_key_solana_base58);
        assert_eq!(*pair.to_protobuf(), case.private_key_protobuf.0);
        let read = Keypair::from_protobuf(&case.private_key_protobuf.0).map(|pair| pair.public());
        assert_eq!(read, Some(pair.public()));
        assert_eq!(peer.to_bytes(), case.multihash.array());
        assert_eq!(PeerId::from_bytes(&case.multihash.0), Some(peer));
        assert_eq!(peer.to_base58(), case.peer_id_base58);
        assert_eq!(case.cid_bytes.0.strip_prefix(&[0x01, 0x72]), Some(&case.multihash.0[..]));
        for text in [&case.peer_id_base58, &case.cid_base32, &case.cid_base36, &case.cid_base58btc] {
            assert_eq!(text.parse(), Ok(peer), "{text}");
        }
    }
    for case in &file.text_parsing {
        let parsed = case.text.parse::<PeerId>().ok();
        assert_eq!(parsed.is_some(), case.expect == Expect::Accept, "{}: {}", case.why, case.text);
        for answer in [&case.js_libp2p_peer_id, &case.rust_libp2p_identity_from_str] {
            if let (Some(parsed), true, Some(peer)) = (parsed, answer.ok, &answer.peer) {
                equal(&parsed.to_base58(), peer, &case.why);
            }
        }
    }
    topic.count(file.peers.len() + file.text_parsing.len());
}

/// The identities that other files name.
pub(super) fn identity(topic: &Topic, name: &str) -> Keypair {
    let file =
        topic.read::<PeerIdFile>("peer_id.json").expect("peer_id.json names the peers of the other files");
    let case = file.peers.iter().find(|case| case.name == name).unwrap_or_else(|| panic!("no peer {name}"));
    Keypair::from_seed(&case.seed.array())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MultiaddrFile {
    addresses: Vec<AddressCase>,
    decode_cases: Vec<AddressDecodeCase>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AddressCase {
    text: String,
    bytes: Hex,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AddressDecodeCase {
    text: Option<String>,
    bytes: Option<Hex>,
    why: String,
    #[serde(rename = "note")]
    _note: Option<String>,
    expect: Expect,
    js_multiaddr: Answer,
    rust_multiaddr: Answer,
}

pub(super) fn multiaddrs(topic: &mut Topic) {
    let Some(file) = topic.read::<MultiaddrFile>("multiaddr.json") else { return };
    for case in &file.addresses {
        let address: Multiaddr = case.text.parse().unwrap_or_else(|error| panic!("{}: {error}", case.text));
        equal(&address.to_bytes(), &case.bytes.0, &case.text);
        assert_eq!(Multiaddr::try_from(case.bytes.0.as_slice()), Ok(address.clone()));
        equal(&address.to_string(), &case.text, &case.text);
    }
    for case in &file.decode_cases {
        let parsed = match (&case.text, &case.bytes) {
            (Some(text), None) => text.parse::<Multiaddr>(),
            (None, Some(bytes)) => Multiaddr::try_from(bytes.0.as_slice()),
            (text, bytes) => panic!("{}: one of text and bytes, not {text:?} and {bytes:?}", case.why),
        };
        assert_eq!(parsed.is_ok(), case.expect == Expect::Accept, "{}: {parsed:?}", case.why);
        for answer in [&case.js_multiaddr, &case.rust_multiaddr] {
            assert_eq!(answer.ok, answer.error.is_none(), "{}", case.why);
            if let (Ok(address), true, Some(bytes)) = (&parsed, answer.ok, &answer.bytes) {
                equal(&address.to_bytes(), &bytes.0, &case.why);
            }
            if let (Ok(address), Some(text)) = (&parsed, answer.text.as_ref().filter(|text| text.len() > 1)) {
                equal(&address.to_string(), text, &case.why);
            }
        }
    }
    topic.count(file.addresses.len() + file.decode_cases.len());
}
