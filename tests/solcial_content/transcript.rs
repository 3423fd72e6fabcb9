//! The recorded exchange of a minimal client with another implementation: parsers and reactions, not equality.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use pleach_core::Instant;
use pleach_core::channel::identify::{self, Info};
use pleach_core::channel::multistream::{self, Negotiation, Progress};
use pleach_core::channel::yamux::{self, Event, HEADER_LENGTH, Header, Multiplexer};
use pleach_core::channel::{Role, ping};
use pleach_core::identity::Keypair;
use pleach_core::wire::frame::{Deframer, Prefix};
use serde::Deserialize;

use super::{Hex, equal, load, ran};

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
            Event::GoneAway(code) => assert_eq!(code, yamux::GoAway::Normal),
        }
        while let Some(frame) = mux.pull_control() {
            answers.push(Header::decode(&frame).expect("our own frame"));
        }
    }
    (streams, answers)
}

#[test]
fn stream_protocols() {
    let Some(file) = load::<TranscriptFile>("stream_protocols.json") else { return };
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
        dialler.open(Bytes::new()).expect("room");
    }
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
    ran("stream_protocols.json", file.plaintext_transcript.len() + file.multistream_lines.len());
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
    let echoed = |name: &str| {
        let mut line = Vec::new();
        multistream::encode(name, &mut line);
        answer.windows(line.len()).any(|part| part == line)
    };
    let progress =
        ours.receive(Bytes::copy_from_slice(question), echoed, &mut out).expect("a legal negotiation");
    let Progress::Agreed { protocol, rest } = progress else {
        assert_eq!((progress, &out[..]), (Progress::Pending, answer), "everything was declined");
        return;
    };
    let reply = answer.strip_prefix(&out[..]).expect("the recorded listener answered as we do");
    match protocol.as_str() {
        identify::PROTOCOL => {
            let mut frames = Deframer::new(Prefix::Varint, identify::READ_MAX);
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
