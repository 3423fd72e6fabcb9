//! The other end of a channel: a real handshake, and then frames of its own making, sealed as they should be.

use std::mem;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use pleach_core::channel::identify::{self, Info};
use pleach_core::channel::multistream::{self, Negotiation, Progress};
use pleach_core::channel::noise::{Frames, Handshake, Opener, Sealer, StaticKey, Step};
use pleach_core::channel::yamux::{Flags, GoAway, HEADER_LENGTH, Header, Kind};
use pleach_core::channel::{NOISE, Role, YAMUX, ping};
use pleach_core::identity::Keypair;
use pleach_core::wire::frame::{Deframer, Prefix};
use rand_chacha::ChaCha8Rng;

use crate::choices::Choices;

/// Streams that are remembered.
const STREAMS_MAX: usize = 16;
/// Bytes of one stream that the peer sends at once.
const CONTENT_MAX: usize = 600;

/// Where the link is, seen from here.
enum Stage {
    Securing(Negotiation),
    Shaking(Handshake, Frames),
    Choosing(Ciphers, Negotiation),
    Open(Ciphers),
    /// Nothing that comes can be read any more.
    Lost,
}

struct Ciphers {
    sealer: Sealer,
    opener: Opener,
    frames: Frames,
}

/// What this peer does otherwise than an ordinary one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Oddities {
    /// It knows another security protocol only.
    pub foreign: bool,
    /// It knows another multiplexer only.
    pub foreign_muxer: bool,
    /// It names no muxer in its handshake.
    pub names_no_muxer: bool,
}

/// The other end.
pub struct Counterpart {
    role: Role,
    key: Arc<StaticKey>,
    oddities: Oddities,
    rng: ChaCha8Rng,
    stage: Stage,
    /// On its way to the channel.
    out: BytesMut,
    /// What was decrypted and is not a whole frame yet.
    plain: BytesMut,
    next_id: u32,
    /// The highest id that the channel has opened.
    told: u32,
    /// Streams that were opened, by either side.
    streams: Vec<u32>,
    /// Streams that the channel opened, with what it proposed first, and that were not answered.
    asked: Vec<(u32, String)>,
    /// Probes that were not answered.
    probes: Vec<u32>,
    /// What this peer says to streams it opens and opens them for.
    protocols: Vec<String>,
}

impl Counterpart {
    /// The end that plays `role`, and opens streams of these protocols besides those that every channel serves.
    pub fn new(
        role: Role,
        identity: &Keypair,
        oddities: Oddities,
        protocols: &[&str],
        mut rng: ChaCha8Rng,
    ) -> Self {
        let muxers: &[&str] = if oddities.names_no_muxer { &[] } else { &[YAMUX] };
        let key = Arc::new(StaticKey::generate(identity, muxers, &mut rng));
        let mut out = BytesMut::new();
        let security = if oddities.foreign { "/foreign/1" } else { NOISE };
        let stage = Stage::Securing(negotiation(role, security, &mut out));
        let served = [identify::PROTOCOL, identify::PUSH_PROTOCOL, ping::PROTOCOL, "/unknown/1"];
        Self {
            role,
            key,
            oddities,
            rng,
            stage,
            out,
            plain: BytesMut::new(),
            next_id: if role == Role::Dialler { 1 } else { 2 },
            told: 0,
            streams: Vec::new(),
            asked: Vec::new(),
            probes: Vec::new(),
            protocols: protocols.iter().chain(&served).map(ToString::to_string).collect(),
        }
    }

    /// Whether it can send frames.
    pub const fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open(_))
    }

    /// Whether nothing is on its way to the channel.
    pub fn is_silent(&self) -> bool {
        self.out.is_empty()
    }

    /// All that is on its way.
    pub fn take_all(&mut self) -> Bytes {
        self.out.split().freeze()
    }

    /// A piece of what is on its way: mostly all of it, mostly as it was sent.
    pub fn take(&mut self, choices: &mut Choices<'_>) -> Bytes {
        let kind = choices.byte();
        let length = if kind.is_multiple_of(4) { choices.below(self.out.len()) + 1 } else { self.out.len() };
        let mut piece = self.out.split_to(length.min(self.out.len()));
        match kind % 32 {
            // A bit flips, a piece comes twice, is lost, or goes on with other bytes.
            1 => {
                let at = choices.below(piece.len());
                piece.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (kind % 8));
            }
            3 => piece.extend_from_slice(&piece.clone()),
            5 => piece.truncate(choices.below(piece.len())),
            7 => piece.extend_from_slice(&choices.content(CONTENT_MAX)),
            _ => {}
        }
        piece.freeze()
    }

    /// Takes bytes that the channel sent.
    pub fn hear(&mut self, mut bytes: Bytes) {
        while !bytes.is_empty() {
            self.stage = match mem::replace(&mut self.stage, Stage::Lost) {
                Stage::Securing(negotiation) => self.secure(negotiation, &mut bytes),
                Stage::Shaking(handshake, frames) => self.shake(handshake, frames, &mut bytes),
                Stage::Choosing(ciphers, negotiation) => self.choose(ciphers, negotiation, &mut bytes),
                Stage::Open(ciphers) => self.open(ciphers, &mut bytes),
                Stage::Lost => return,
            };
        }
    }

    fn secure(&mut self, mut negotiation: Negotiation, bytes: &mut Bytes) -> Stage {
        let foreign = self.oddities.foreign;
        let supported = |name: &str| name == NOISE && !foreign;
        match negotiation.receive(mem::take(bytes), supported, &mut self.out) {
            Ok(Progress::Pending) => Stage::Securing(negotiation),
            Ok(Progress::Agreed { rest, .. }) => {
                *bytes = rest;
                let mut handshake = Handshake::new(self.role, Arc::clone(&self.key), &mut self.rng);
                self.write(&mut handshake);
                Stage::Shaking(handshake, Frames::new())
            }
            Ok(Progress::Declined) | Err(_) => Stage::Lost,
        }
    }

    fn write(&mut self, handshake: &mut Handshake) {
        if handshake.step() == Step::Write
            && let Ok(message) = handshake.write()
        {
            self.out.extend_from_slice(&message);
        }
    }

    fn shake(&mut self, mut handshake: Handshake, mut frames: Frames, bytes: &mut Bytes) -> Stage {
        let Some(message) = frames.next_frame(bytes) else { return Stage::Shaking(handshake, frames) };
        if handshake.read(message).is_err() {
            return Stage::Lost;
        }
        self.write(&mut handshake);
        if handshake.step() != Step::Done {
            return Stage::Shaking(handshake, frames);
        }
        let Ok((sealer, opener)) = handshake.split() else { return Stage::Lost };
        let mut ciphers = Ciphers { sealer, opener, frames };
        if !self.oddities.names_no_muxer {
            return Stage::Open(ciphers);
        }
        let mut plain = BytesMut::new();
        let muxer = if self.oddities.foreign_muxer { "/mplex/6.7.0" } else { YAMUX };
        let negotiation = negotiation(self.role, muxer, &mut plain);
        self.out.extend_from_slice(&ciphers.seal(&plain));
        Stage::Choosing(ciphers, negotiation)
    }

    fn choose(&mut self, mut ciphers: Ciphers, mut negotiation: Negotiation, bytes: &mut Bytes) -> Stage {
        let Some(plain) = ciphers.next(bytes) else { return Stage::Choosing(ciphers, negotiation) };
        let mut answer = BytesMut::new();
        let foreign = self.oddities.foreign_muxer;
        let progress = negotiation.receive(plain, |name| name == YAMUX && !foreign, &mut answer);
        self.out.extend_from_slice(&ciphers.seal(&answer));
        match progress {
            Ok(Progress::Pending) => Stage::Choosing(ciphers, negotiation),
            Ok(Progress::Agreed { rest, .. }) => {
                self.plain.extend_from_slice(&rest);
                Stage::Open(ciphers)
            }
            Ok(Progress::Declined) | Err(_) => Stage::Lost,
        }
    }

    fn open(&mut self, mut ciphers: Ciphers, bytes: &mut Bytes) -> Stage {
        while let Some(plain) = ciphers.next(bytes) {
            self.plain.extend_from_slice(&plain);
        }
        while let Some(head) = self.plain.first_chunk::<HEADER_LENGTH>() {
            let Ok(header) = Header::decode(head) else { return Stage::Lost };
            let length = if header.kind == Kind::Data { header.length } else { 0 };
            let end = HEADER_LENGTH.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
            if self.plain.len() < end {
                break;
            }
            let body = self.plain.split_to(end).split_off(HEADER_LENGTH).freeze();
            self.note(header, body);
        }
        Stage::Open(ciphers)
    }

    /// Takes note of what can be answered.
    fn note(&mut self, header: Header, body: Bytes) {
        if header.kind == Kind::Ping && header.flags.contains(Flags::SYN) {
            self.probes.push(header.length);
        }
        let theirs = header.stream % 2 != self.next_id % 2;
        if header.stream > 0 && header.flags.contains(Flags::SYN) {
            assert!(theirs && header.stream > self.told, "{header:?} is opened after {}", self.told);
            self.told = header.stream;
        }
        if header.kind == Kind::Data && theirs && !body.is_empty() {
            let mut frames = Deframer::new(Prefix::Varint, multistream::MESSAGE_MAX);
            frames.push(body);
            while let Ok(Some(frame)) = frames.next_frame() {
                if let Ok(text) = multistream::decode(&frame)
                    && text != multistream::HEADER
                    && text.starts_with('/')
                {
                    self.asked.push((header.stream, text.to_owned()));
                    self.remember(header.stream);
                }
            }
        }
        // Some are never answered.
        self.asked.truncate(STREAMS_MAX);
        self.probes.truncate(2);
    }

    fn remember(&mut self, stream: u32) {
        self.streams.push(stream);
        self.streams = self.streams.split_off(self.streams.len().saturating_sub(STREAMS_MAX));
    }

    /// Does something, sensible or not: mostly a few frames are on their way after it.
    pub fn act(&mut self, choices: &mut Choices<'_>) {
        let stream = choices.pick(&self.streams).unwrap_or_else(|| choices.edgy32(9));
        let plain = match choices.byte() % 32 {
            0..9 => self.answer(choices),
            9..12 => self.propose(choices),
            12..18 => data(stream, Flags::NONE, &choices.content(CONTENT_MAX)),
            18 | 19 => bare(Kind::WindowUpdate, Flags::NONE, stream, choices.edgy32(u32::MAX)),
            20 => bare(Kind::Data, Flags::FIN, stream, 0),
            21 => bare(Kind::WindowUpdate, Flags::RST, stream, 0),
            22..25 => {
                let probe = self.probes.pop().unwrap_or_else(|| choices.edgy32(9));
                bare(Kind::Ping, Flags::ACK, 0, probe)
            }
            25 => bare(Kind::Ping, Flags::SYN, 0, choices.edgy32(9)),
            26 => {
                let code = if choices.once_in(4) { choices.edgy32(2) } else { GoAway::Normal.code() };
                bare(Kind::GoAway, Flags::NONE, 0, code)
            }
            27 => return self.send_empty(choices.below(8)),
            28 => bare(Kind::Data, Flags::NONE, stream, 0).repeat(choices.below(8)),
            29 => {
                let id = self.fresh_id();
                let all = [bare(Kind::Data, Flags::SYN, id, 0), bare(Kind::Data, Flags::RST, id, 0)].concat();
                if choices.once_in(4) { all.repeat(8) } else { all }
            }
            30 if choices.once_in(4) => choices.content(40).to_vec(),
            // Credit for all: the channel goes on sending.
            _ => {
                self.streams.iter().flat_map(|id| bare(Kind::WindowUpdate, Flags::NONE, *id, 4096)).collect()
            }
        };
        self.send(&plain);
    }

    fn fresh_id(&mut self) -> u32 {
        let id = self.next_id;
        self.next_id = self.next_id.saturating_add(2);
        self.remember(id);
        id
    }

    /// Answers the oldest proposal of the channel: agrees, declines, or talks nonsense.
    fn answer(&mut self, choices: &mut Choices<'_>) -> Vec<u8> {
        if self.asked.is_empty() {
            return Vec::new();
        }
        let (stream, protocol) = self.asked.remove(0);
        let mut body = BytesMut::new();
        multistream::encode(multistream::HEADER, &mut body);
        match choices.byte() % 8 {
            0 => multistream::encode(multistream::NOT_AVAILABLE, &mut body),
            1 => multistream::encode("/nonsense", &mut body),
            2 => return bare(Kind::Data, Flags::RST, stream, 0),
            _ => multistream::encode(&protocol, &mut body),
        }
        if protocol == identify::PROTOCOL {
            body.extend_from_slice(&information(choices).to_frame());
            return data(stream, Flags::FIN, &body);
        }
        data(stream, Flags::ACK, &body)
    }

    /// Opens a stream, with something right behind.
    fn propose(&mut self, choices: &mut Choices<'_>) -> Vec<u8> {
        let id = self.fresh_id();
        let at = choices.below(self.protocols.len());
        let protocol = self.protocols.get(at).cloned().unwrap_or_default();
        let mut body = BytesMut::new();
        multistream::encode(multistream::HEADER, &mut body);
        multistream::encode(&protocol, &mut body);
        match protocol.as_str() {
            identify::PUSH_PROTOCOL => {
                body.extend_from_slice(&information(choices).to_frame());
                return data(id, Flags::SYN | Flags::FIN, &body);
            }
            ping::PROTOCOL => body.extend_from_slice(&[7; ping::LENGTH]),
            _ if choices.once_in(2) => body.extend_from_slice(&choices.content(CONTENT_MAX)),
            _ => {}
        }
        data(id, Flags::SYN, &body)
    }

    /// Opens a stream of this protocol and sends these bytes on it.
    pub fn say(&mut self, protocol: &str, bytes: &[u8]) {
        let id = self.fresh_id();
        let mut body = BytesMut::new();
        multistream::encode(multistream::HEADER, &mut body);
        multistream::encode(protocol, &mut body);
        body.extend_from_slice(bytes);
        self.send(&data(id, Flags::SYN, &body));
    }

    fn send(&mut self, plain: &[u8]) {
        if let Stage::Open(ciphers) = &mut self.stage {
            self.out.extend_from_slice(&ciphers.seal(plain));
        }
    }

    fn send_empty(&mut self, count: usize) {
        if let Stage::Open(ciphers) = &mut self.stage {
            let put = (0..count).all(|_| ciphers.sealer.put_empty().is_ok());
            self.out.extend_from_slice(&ciphers.sealer.flush().ok().filter(|_| put).unwrap_or_default());
        }
    }
}

impl Ciphers {
    fn seal(&mut self, plain: &[u8]) -> Bytes {
        self.sealer.put(plain).and_then(|()| self.sealer.flush()).unwrap_or_default()
    }

    fn next(&mut self, bytes: &mut Bytes) -> Option<Bytes> {
        let message = self.frames.next_frame(bytes)?;
        self.opener.open(message).ok()
    }
}

fn negotiation(role: Role, protocol: &str, out: &mut BytesMut) -> Negotiation {
    match role {
        Role::Dialler => Negotiation::dialler(vec![protocol.to_owned()], out),
        Role::Listener => Negotiation::listener(out),
    }
}

fn information(choices: &mut Choices<'_>) -> Info {
    Info { agent_version: Some(format!("agent {}", choices.byte() % 4)), ..Info::default() }
}

fn data(stream: u32, flags: Flags, body: &[u8]) -> Vec<u8> {
    [&bare(Kind::Data, flags, stream, u32::try_from(body.len()).unwrap_or(u32::MAX)), body].concat()
}

fn bare(kind: Kind, flags: Flags, stream: u32, length: u32) -> Vec<u8> {
    Header { kind, flags, stream, length }.encode().to_vec()
}
