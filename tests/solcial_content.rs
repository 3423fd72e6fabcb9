//! Published vectors of the channel, identities and addresses (`tests/vectors/solcial-content`), read from the directory
//! in `PLEACH_VECTORS` instead when it is set. A member that a test does not know is an error, and so is a file without
//! a case.

// Helpers of tests outside of test functions: a failure is a failed test.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout)]

#[path = "solcial_content/transcript.rs"]
mod transcript;

use std::fmt::Debug;
use std::fs;
use std::path::PathBuf;

use bytes::{Bytes, BytesMut};
use pleach_core::channel::Role;
use pleach_core::channel::identify::{Info, PeerRecord};
use pleach_core::channel::noise::{self, Frames, Handshake, Opener, Payload, Sealer, StaticKey, Step};
use pleach_core::identity::{Keypair, PeerId, PublicKey};
use pleach_core::wire::base58;
use pleach_core::wire::multiaddr::Multiaddr;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Bytes that stand in the files as hex.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(try_from = "String")]
struct Hex(Vec<u8>);

impl TryFrom<String> for Hex {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digit = |pair: &[u8]| {
            let text = std::str::from_utf8(pair).ok().filter(|text| text.len() == 2 && !text.contains('+'));
            text.and_then(|text| u8::from_str_radix(text, 16).ok())
        };
        let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(digit).collect();
        bytes.map(Self).ok_or_else(|| format!("not hex: {text}"))
    }
}

impl Hex {
    fn array<const N: usize>(&self) -> [u8; N] {
        self.0.as_slice().try_into().unwrap_or_else(|_| panic!("{} bytes, not {N}", self.0.len()))
    }
}

/// What our specification demands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Expect {
    Accept,
    Reject,
}

/// What another library answered to an odd input.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    ok: bool,
    error: Option<String>,
    bytes: Option<Hex>,
    text: Option<String>,
    peer: Option<String>,
}

/// The file of the topic, or none (with a line that says so) if the directory in use lacks it.
fn load<T: DeserializeOwned>(file: &str) -> Option<T> {
    let own = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/vectors"));
    let path =
        std::env::var_os("PLEACH_VECTORS").map_or(own, PathBuf::from).join("solcial-content").join(file);
    let Ok(text) = fs::read_to_string(&path) else {
        println!("solcial-content/{file}: skipped, it is not in this directory");
        return None;
    };
    Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// Counts the cases of a file.
fn ran(file: &str, count: usize) {
    assert!(count > 0, "solcial-content/{file} has no cases");
    println!("solcial-content/{file}: {count} cases");
}

fn equal<T: Debug + PartialEq>(ours: &T, published: &T, what: &str) {
    assert_eq!(ours, published, "{what}");
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PeerIdFile {
    peers: Vec<PeerCase>,
    text_parsing: Vec<PeerTextCase>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PeerCase {
    name: String,
    seed: Hex,
    public_key: Hex,
    public_key_protobuf: Hex,
    public_key_solana_base58: String,
    private_key_protobuf: Hex,
    multihash: Hex,
    peer_id_base58: String,
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

#[test]
fn peer_ids() {
    let Some(file) = load::<PeerIdFile>("peer_id.json") else { return };
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
    ran("peer_id.json", file.peers.len() + file.text_parsing.len());
}

/// The identities that other files name.
fn identity(name: &str) -> Keypair {
    let file = load::<PeerIdFile>("peer_id.json").expect("peer_id.json names the peers of the other files");
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

#[test]
fn multiaddrs() {
    let Some(file) = load::<MultiaddrFile>("multiaddr.json") else { return };
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
    ran("multiaddr.json", file.addresses.len() + file.decode_cases.len());
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoisePayloadFile {
    payloads: Vec<NoisePayloadCase>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoisePayloadCase {
    name: String,
    static_secret: Hex,
    static_public: Hex,
    signed_bytes: Hex,
    signature: Hex,
    payload: Hex,
    payload_with_stream_muxers: Hex,
}

#[test]
fn noise_payloads() {
    let Some(file) = load::<NoisePayloadFile>("noise_payload.json") else { return };
    for case in &file.payloads {
        let identity = identity(&case.name);
        let static_public = case.static_public.array();
        assert_eq!(Payload::signed_bytes(&static_public), case.signed_bytes.array());
        let plain = Payload::decode(&case.payload.0).expect("the plain payload decodes");
        let listed = Payload::decode(&case.payload_with_stream_muxers.0).expect("the other payload decodes");
        assert!(plain.stream_muxers.is_empty() && !listed.stream_muxers.is_empty());
        for (payload, published) in [(plain, &case.payload), (listed, &case.payload_with_stream_muxers)] {
            assert_eq!((payload.identity, payload.signature), (identity.public(), case.signature.array()));
            assert!(payload.vouches_for(&static_public));
            let muxers: Vec<&str> = payload.stream_muxers.iter().map(String::as_str).collect();
            let key = StaticKey::from_secret(&identity, &muxers, &case.static_secret.array());
            assert_eq!(key.public(), &static_public);
            equal(&key.payload().to_vec(), &published.0, &case.name);
        }
    }
    ran("noise_payload.json", 2 * file.payloads.len());
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoiseFile {
    runs: Vec<NoiseRun>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoiseRun {
    label: String,
    protocol: String,
    prologue: Hex,
    initiator: String,
    responder: String,
    initiator_static_secret: Hex,
    responder_static_secret: Hex,
    initiator_ephemeral_secret: Hex,
    responder_ephemeral_secret: Hex,
    handshake: Vec<NoiseMessage>,
    handshake_hash: Hex,
    transport: Vec<TransportMessage>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoiseMessage {
    payload: Hex,
    noise_message: Hex,
    framed: Hex,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TransportMessage {
    direction: Direction,
    plaintext: Hex,
    framed: Hex,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum Direction {
    #[serde(rename = "i->r")]
    Forth,
    #[serde(rename = "r->i")]
    Back,
}

impl NoiseRun {
    /// One side, which names in its payload what the published payload names.
    fn side(&self, role: Role) -> Handshake {
        let (name, secret, ephemeral, message) = match role {
            Role::Dialler => {
                (&self.initiator, &self.initiator_static_secret, &self.initiator_ephemeral_secret, 2)
            }
            Role::Listener => {
                (&self.responder, &self.responder_static_secret, &self.responder_ephemeral_secret, 1)
            }
        };
        let payload =
            Payload::decode(&self.handshake[message].payload.0).expect("the published payload decodes");
        let muxers: Vec<&str> = payload.stream_muxers.iter().map(String::as_str).collect();
        let key = StaticKey::from_secret(&identity(name), &muxers, &secret.array());
        equal(&key.payload().to_vec(), &self.handshake[message].payload.0, &self.label);
        Handshake::with_ephemeral(role, key.into(), &ephemeral.array(), &self.prologue.0)
    }
}

/// The one message in `framed`.
fn unframe(framed: &[u8]) -> BytesMut {
    let (mut frames, mut bytes) = (Frames::new(), Bytes::copy_from_slice(framed));
    let message = frames.next_frame(&mut bytes).expect("a whole frame");
    assert!(bytes.is_empty());
    message
}

fn transport(message: &TransportMessage, sealer: &mut Sealer, opener: &mut Opener, label: &str) {
    if message.plaintext.0.is_empty() {
        sealer.put_empty().expect("sealed");
    } else {
        sealer.put(&message.plaintext.0).expect("sealed");
    }
    equal(&sealer.flush().expect("sealed").to_vec(), &message.framed.0, label);
    let opened = opener.open(unframe(&message.framed.0)).expect("it authenticates");
    equal(&opened.to_vec(), &message.plaintext.0, label);
}

#[test]
fn noise_handshakes() {
    let Some(file) = load::<NoiseFile>("noise_xx.json") else { return };
    for run in &file.runs {
        assert_eq!(run.protocol.as_bytes(), noise::NAME);
        assert_eq!(run.handshake.len(), 3, "{}", run.label);
        let (mut dialler, mut listener) = (run.side(Role::Dialler), run.side(Role::Listener));
        for (number, message) in run.handshake.iter().enumerate() {
            let (writer, reader) =
                if number == 1 { (&mut listener, &mut dialler) } else { (&mut dialler, &mut listener) };
            equal(&writer.write().expect("our turn").to_vec(), &message.framed.0, &run.label);
            let received = unframe(&message.framed.0);
            equal(&received.to_vec(), &message.noise_message.0, &run.label);
            let payload = reader.read(received).expect("their message is accepted");
            let published =
                if message.payload.0.is_empty() { None } else { Payload::decode(&message.payload.0).ok() };
            equal(&payload, &published, &run.label);
        }
        assert_eq!((dialler.step(), listener.step()), (Step::Done, Step::Done));
        assert_eq!(
            (dialler.hash(), listener.hash()),
            (&run.handshake_hash.array(), &run.handshake_hash.array())
        );
        let (mut forth, mut back_open) = dialler.split().expect("done");
        let (mut back, mut forth_open) = listener.split().expect("done");
        for message in &run.transport {
            match message.direction {
                Direction::Forth => transport(message, &mut forth, &mut forth_open, &run.label),
                Direction::Back => transport(message, &mut back, &mut back_open, &run.label),
            }
        }
    }
    ran("noise_xx.json", file.runs.len());
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct IdentifyFile {
    messages: Vec<IdentifyCase>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct IdentifyCase {
    why: String,
    fields: IdentifyFields,
    js_message: Hex,
    message_tag_order: Hex,
    on_wire_tag_order: Hex,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct IdentifyFields {
    protocol_version: Option<String>,
    agent_version: Option<String>,
    public_key: Option<Hex>,
    listen_addrs: Vec<String>,
    observed_addr: Option<String>,
    protocols: Vec<String>,
    signed_peer_record: Option<Hex>,
}

fn parsed(text: &String) -> Multiaddr {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn identify_messages() {
    let Some(file) = load::<IdentifyFile>("identify.json") else { return };
    for case in &file.messages {
        let fields = &case.fields;
        let info = Info {
            public_key: fields.public_key.as_ref().map(|key| key.0.clone().into()),
            listen_addresses: fields.listen_addrs.iter().map(parsed).collect(),
            protocols: fields.protocols.clone(),
            observed_address: fields.observed_addr.as_ref().map(parsed),
            protocol_version: fields.protocol_version.clone(),
            agent_version: fields.agent_version.clone(),
            signed_peer_record: fields.signed_peer_record.as_ref().map(|record| record.0.clone().into()),
        };
        let mut encoded = Vec::new();
        info.encode(&mut encoded);
        equal(&encoded, &case.message_tag_order.0, &case.why);
        equal(&info.to_frame().to_vec(), &case.on_wire_tag_order.0, &case.why);
        for message in [&case.js_message, &case.message_tag_order] {
            equal(&Info::decode(&message.0), &Ok(info.clone()), &case.why);
        }
    }
    ran("identify.json", file.messages.len());
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PeerRecordFile {
    peer: String,
    seq: String,
    addresses: Vec<String>,
    payload: Hex,
    payload_type: Hex,
    domain: String,
    signature: Hex,
    envelope: Hex,
}

#[test]
fn peer_records() {
    let Some(file) = load::<PeerRecordFile>("peer_record.json") else { return };
    let peers =
        load::<PeerIdFile>("peer_id.json").expect("peer_id.json names the peers of the other files").peers;
    let case = peers.iter().find(|case| case.peer_id_base58 == file.peer).expect("a known peer");
    let signer = Keypair::from_seed(&case.seed.array());
    let record = PeerRecord {
        peer: signer.peer_id(),
        sequence: file.seq.parse().expect("a number"),
        addresses: file.addresses.iter().map(parsed).collect(),
    };
    assert_eq!(file.domain.as_bytes(), PeerRecord::DOMAIN);
    assert_eq!(file.payload_type.0, PeerRecord::PAYLOAD_TYPE);
    let mut payload = Vec::new();
    record.encode(&mut payload);
    equal(&payload, &file.payload.0, "payload");
    equal(&record.seal(&signer), &file.envelope.0, "envelope");
    assert!(file.envelope.0.ends_with(&file.signature.0));
    assert_eq!(PeerRecord::open(&file.envelope.0), Ok(record));
    ran("peer_record.json", 1);
}
