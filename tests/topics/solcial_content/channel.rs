//! Noise, multistream-select, yamux, identify and ping.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use pleach_core::Instant;
use pleach_core::channel::identify::{Info, PeerRecord};
use pleach_core::channel::multistream::{self, Negotiation, Progress};
use pleach_core::channel::noise::{self, Frames, Handshake, Opener, Payload, Sealer, StaticKey, Step};
use pleach_core::channel::yamux::{self, Event, HEADER_LENGTH, Header, Multiplexer};
use pleach_core::channel::{Role, ping};
use pleach_core::identity::Keypair;
use pleach_core::wire::frame::{Deframer, Prefix};
use pleach_core::wire::multiaddr::Multiaddr;
use serde::Deserialize;

use super::identity::{PeerIdFile, identity};
use super::{Hex, equal};
use crate::harness::Topic;

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

pub(super) fn noise_payloads(topic: &mut Topic) {
    let Some(file) = topic.read::<NoisePayloadFile>("noise_payload.json") else { return };
    for case in &file.payloads {
        let identity = identity(topic, &case.name);
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
    topic.count(2 * file.payloads.len());
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
    fn side(&self, topic: &Topic, role: Role) -> Handshake {
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
        let key = StaticKey::from_secret(&identity(topic, name), &muxers, &secret.array());
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

pub(super) fn noise_handshakes(topic: &mut Topic) {
    let Some(file) = topic.read::<NoiseFile>("noise_xx.json") else { return };
    for run in &file.runs {
        assert_eq!(run.protocol.as_bytes(), noise::NAME);
        assert_eq!(run.handshake.len(), 3, "{}", run.label);
        let (mut dialler, mut listener) = (run.side(topic, Role::Dialler), run.side(topic, Role::Listener));
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
    topic.count(file.runs.len());
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

pub(super) fn identify_messages(topic: &mut Topic) {
    let Some(file) = topic.read::<IdentifyFile>("identify.json") else { return };
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
    topic.count(file.messages.len());
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

pub(super) fn peer_records(topic: &mut Topic) {
    let Some(file) = topic.read::<PeerRecordFile>("peer_record.json") else { return };
    let peers = topic
        .read::<PeerIdFile>("peer_id.json")
        .expect("peer_id.json names the peers of the other files")
        .peers;
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
    topic.count(1);
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TranscriptFile {
    listener: String,
    dialer_identity_seed: Hex,
    listener_identity_seed: Hex,
    streams: BTreeMap<String, String>,
    multistream_lines: BTreeMap<String, Hex>,
    plaintext_transcript: Vec<Piece>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Piece {
    bytes: Hex,
    from: End,
    phase: TranscriptPhase,
    yamux: Option<YamuxFields>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
enum End {
    Dialer,
    Listener,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
enum TranscriptPhase {
    #[serde(rename = "tcp: multistream-select for security")]
    Security,
    #[serde(rename = "noise: multistream-select for the muxer")]
    Muxer,
    #[serde(rename = "yamux")]
    Yamux,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct YamuxFields {
    #[serde(rename = "type")]
    kind: u8,
    flags: u16,
    stream: u32,
    length: u32,
}

impl TranscriptFile {
    fn said(&self, from: End, phase: TranscriptPhase) -> Vec<u8> {
        let pieces =
            self.plaintext_transcript.iter().filter(|piece| piece.from == from && piece.phase == phase);
        pieces.flat_map(|piece| piece.bytes.0.clone()).collect()
    }
}

/// The texts of multistream messages.
fn lines(mut bytes: &[u8]) -> Vec<String> {
    let mut texts = Vec::new();
    while let [length, rest @ ..] = bytes {
        let (line, later) = rest.split_at(usize::from(*length));
        texts.push(multistream::decode(line).expect("a line").to_owned());
        bytes = later;
    }
    texts
}

/// Both roles of our negotiation against what the recorded ends said; returns what was agreed on.
fn negotiate(dialer: &[u8], listener: &[u8]) -> String {
    let mut out = BytesMut::new();
    let mut ours = Negotiation::listener(&mut out);
    let echoed = lines(listener).pop().expect("an answer");
    let heard = Bytes::copy_from_slice(dialer);
    let progress = ours.receive(heard, |name| name == echoed, &mut out);
    assert_eq!(progress, Ok(Progress::Agreed { protocol: echoed.clone(), rest: Bytes::new() }));
    assert_eq!(out, listener);

    let proposals = lines(dialer).split_off(1);
    let mut out = BytesMut::new();
    let mut ours = Negotiation::dialler(proposals, &mut out);
    let progress = ours.receive(Bytes::copy_from_slice(listener), |_| false, &mut out);
    assert_eq!(progress, Ok(Progress::Agreed { protocol: echoed.clone(), rest: Bytes::new() }));
    assert_eq!(out, dialer);
    echoed
}

/// What our multiplexer hears in what one recorded end said, by stream, and what it answers.
fn demultiplex(mut mux: Multiplexer, said: Vec<u8>) -> (BTreeMap<u32, Vec<u8>>, Vec<Header>) {
    let (mut streams, mut answers) = (BTreeMap::<u32, Vec<u8>>::new(), Vec::new());
    let mut bytes = Bytes::from(said);
    while let Some(event) = mux.next_event(Instant::ORIGIN, &mut bytes).expect("a legal transcript") {
        match event {
            Event::Opened(stream) => assert!(streams.insert(stream, Vec::new()).is_none()),
            Event::Received { stream, bytes } => streams.entry(stream).or_default().extend_from_slice(&bytes),
            Event::Finished(_) | Event::Reset(_) | Event::Pong | Event::Answer => {}
            Event::GoneAway(code) => panic!("{code:?}"),
        }
        while let Some(frame) = mux.pull_control() {
            answers.push(Header::decode(&frame).expect("our own frame"));
        }
    }
    (streams, answers)
}

pub(super) fn stream_protocols(topic: &mut Topic) {
    let Some(file) = topic.read::<TranscriptFile>("stream_protocols.json") else { return };
    assert!(!file.listener.is_empty() && !file.streams.is_empty());
    for (name, line) in &file.multistream_lines {
        let mut encoded = Vec::new();
        multistream::encode(name, &mut encoded);
        equal(&encoded, &line.0, name);
    }
    for phase in [TranscriptPhase::Security, TranscriptPhase::Muxer] {
        let agreed = negotiate(&file.said(End::Dialer, phase), &file.said(End::Listener, phase));
        assert!(file.multistream_lines.contains_key(&agreed), "{agreed}");
    }
    let headers = yamux_headers(&file);
    let opened = |from: End, odd: bool| {
        let own =
            move |(end, header): &&(End, Header)| *end == from && header.flags.contains(yamux::Flags::SYN);
        headers
            .iter()
            .filter(own)
            .filter(move |(_, header)| (header.stream % 2 == 1) == odd && header.stream > 0)
    };
    let dialled = opened(End::Dialer, true).count();
    assert_eq!(opened(End::Dialer, false).count() + opened(End::Listener, true).count(), 0);

    let listener = Multiplexer::new(yamux::Config::default(), Role::Listener);
    let (heard, answers) = demultiplex(listener, file.said(End::Dialer, TranscriptPhase::Yamux));
    let mut dialler = Multiplexer::new(yamux::Config::default(), Role::Dialler);
    for _ in 0..dialled {
        dialler.open(Bytes::from_static(b"what the recorded end asked")).expect("room");
    }
    // Only of streams that it was told of can the other end have said something.
    while dialler.pull_data(usize::MAX, &mut |_| {}).is_some() {}
    let (answered, dialler_answers) = demultiplex(dialler, file.said(End::Listener, TranscriptPhase::Yamux));
    assert_eq!(heard.len(), dialled);
    // Every ping of one end was answered by the other as we answer it.
    for (from, ours) in [(End::Listener, &answers), (End::Dialer, &dialler_answers)] {
        for pong in ours {
            assert!(headers.contains(&(from, *pong)), "{pong:?}");
        }
    }
    for (stream, question) in &heard {
        converse(&file, question, answered.get(stream).expect("an answer"));
    }
    topic.count(file.plaintext_transcript.len() + file.multistream_lines.len());
}

/// Every recorded frame is read as its fields say, and written as it was.
fn yamux_headers(file: &TranscriptFile) -> Vec<(End, Header)> {
    let mut headers = Vec::new();
    for piece in &file.plaintext_transcript {
        assert_eq!(piece.yamux.is_some(), piece.phase == TranscriptPhase::Yamux);
        let Some(fields) = &piece.yamux else { continue };
        let (head, body) = piece.bytes.0.split_first_chunk::<HEADER_LENGTH>().expect("a header");
        let header = Header::decode(head).expect("a legal header");
        let flags = header.flags.0;
        let read = (header.kind as u8, flags, header.stream, header.length);
        assert_eq!(read, (fields.kind, fields.flags, fields.stream, fields.length));
        assert_eq!(header.encode(), *head);
        let length = if header.kind == yamux::Kind::Data { header.length } else { 0 };
        assert_eq!(u32::try_from(body.len()), Ok(length));
        headers.push((piece.from, header));
    }
    headers
}

/// One recorded stream: our listener's side of its negotiation, then of the protocol where we serve it.
fn converse(file: &TranscriptFile, question: &[u8], answer: &[u8]) {
    let mut out = BytesMut::new();
    let mut ours = Negotiation::listener(&mut out);
    let progress = ours.receive(Bytes::copy_from_slice(question), |_| true, &mut out);
    let Ok(Progress::Agreed { protocol, rest }) = progress else { panic!("{progress:?}") };
    let reply = answer.strip_prefix(&out[..]).expect("the recorded listener answered as we do");
    match protocol.as_str() {
        pleach_core::channel::identify::PROTOCOL => {
            let mut frames = Deframer::new(Prefix::Varint, pleach_core::channel::identify::READ_MAX);
            frames.push(Bytes::copy_from_slice(reply));
            let message = frames.next_frame().expect("a legal frame").expect("a whole frame");
            let info = Info::decode(&message).expect("a legal message");
            assert!(info.may_be_of(&Keypair::from_seed(&file.listener_identity_seed.array()).peer_id()));
            assert!(!info.may_be_of(&Keypair::from_seed(&file.dialer_identity_seed.array()).peer_id()));
            assert!(!info.listen_addresses.is_empty() && !info.protocols.is_empty());
        }
        ping::PROTOCOL => assert_eq!(ping::Echo::default().receive(&rest), reply),
        _ => {}
    }
}
