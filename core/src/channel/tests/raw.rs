//! A hand-made peer that dials a channel: it does the handshake and then sends whatever frames a test wants.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::super::noise::{Frames, Handshake, Opener, Sealer, StaticKey};
use super::super::yamux::{Flags, HEADER_LENGTH, Header, Kind};
use super::super::*;
use super::pair::{LISTENER, keypair, names};
use crate::machine::{At, Context, Machine};
use crate::time::{Instant, WallTime};

pub(super) struct Raw {
    pub(super) channel: Channel,
    pub(super) said: Vec<Output>,
    pub(super) now: Instant,
    /// What the channel sent after the handshake, decrypted.
    pub(super) heard: Vec<u8>,
    sealer: Sealer,
    opener: Opener,
    frames: Frames,
    rng: ChaCha8Rng,
    /// Whether we read: whether the channel's carrier gets rid of its bytes.
    pub(super) reads: bool,
}

impl Raw {
    /// Dials a channel that accepts `/echo/1`.
    pub(super) fn dial() -> Self {
        Self::with(Config::default())
    }

    /// The same, with other limits.
    pub(super) fn with(config: Config) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        let local = Arc::new(Local::new(&keypair(LISTENER), &mut rng));
        let protocols: Arc<[String]> = names(&["/echo/1"]).into();
        let mut channel = Channel::new(Arc::new(config), local, Role::Listener, None, protocols);
        let key = Arc::new(StaticKey::generate(&keypair(5), &[YAMUX], &mut rng));
        let mut handshake = Handshake::new(Role::Dialler, key, &mut rng);
        let now = Instant::from_micros(9_000_000);
        let mut wire = BytesMut::new();
        multistream::encode(multistream::HEADER, &mut wire);
        multistream::encode(NOISE, &mut wire);
        wire.extend_from_slice(&handshake.write().unwrap());
        let mut said = call(&mut channel, now, &mut rng, Input::Start);
        said.extend(call(&mut channel, now, &mut rng, Input::Received(wire.freeze())));
        let mut sent: Bytes = sent(&mut said).split_off(20 + 8).into();
        let mut frames = Frames::new();
        handshake.read(frames.next_frame(&mut sent).unwrap()).unwrap();
        let third = handshake.write().unwrap().freeze();
        let (sealer, opener) = handshake.split().unwrap();
        let mut raw =
            Self { channel, said, now, heard: Vec::new(), sealer, opener, frames, rng, reads: true };
        raw.input(Input::Received(third));
        assert!(raw.said.contains(&Output::Ready));
        raw.said.clear();
        raw
    }

    pub(super) fn input(&mut self, input: Input) {
        let mut said = call(&mut self.channel, self.now, &mut self.rng, input);
        self.hear(&mut said);
    }

    pub(super) fn timeout(&mut self) {
        let mut said = Vec::new();
        let at = At { now: self.now, wall: WallTime::from_unix_ms(0) };
        self.channel.handle_timeout(&mut Context::new(at, &mut self.rng, &mut said));
        self.hear(&mut said);
    }

    fn hear(&mut self, said: &mut Vec<Output>) {
        let mut bytes = Bytes::from(sent(said));
        let written = bytes.len();
        while let Some(message) = self.frames.next_frame(&mut bytes) {
            self.heard.extend_from_slice(&self.opener.open(message).unwrap());
        }
        self.said.append(said);
        if self.reads && written > 0 {
            self.input(Input::Written(written));
        }
    }

    /// Sends plaintext of the multiplexer.
    pub(super) fn plaintext(&mut self, plaintext: &[u8]) {
        self.sealer.put(plaintext).unwrap();
        let sealed = self.sealer.flush().unwrap();
        self.input(Input::Received(sealed));
    }

    pub(super) fn empty_messages(&mut self, count: usize) {
        let sealed = self.sealed_empty(count);
        self.input(Input::Received(sealed));
    }

    /// Messages without content, to be sent by the test.
    pub(super) fn sealed_empty(&mut self, count: usize) -> Bytes {
        for _ in 0..count {
            self.sealer.put_empty().unwrap();
        }
        self.sealer.flush().unwrap()
    }

    /// Lets time pass, with every deadline on the way.
    pub(super) fn pass_until(&mut self, end: Instant) {
        while let Some(at) = self.channel.poll_timeout().filter(|at| *at <= end) {
            self.now = at;
            self.timeout();
        }
        self.now = end;
    }

    /// Opens a stream with these proposals, and data right behind.
    pub(super) fn open(&mut self, id: u32, proposals: &[&str], data: &[u8]) {
        let mut body = BytesMut::new();
        multistream::encode(multistream::HEADER, &mut body);
        for proposal in proposals {
            multistream::encode(proposal, &mut body);
        }
        body.extend_from_slice(data);
        self.plaintext(&frame(Kind::Data, Flags::SYN, id, &body));
    }

    /// The frames that the channel sent since the last time, with their payload.
    pub(super) fn frames(&mut self) -> Vec<(Header, Vec<u8>)> {
        let mut frames = Vec::new();
        let heard = core::mem::take(&mut self.heard);
        let mut rest = &heard[..];
        while let Some((head, body)) = rest.split_first_chunk::<HEADER_LENGTH>() {
            let header = Header::decode(head).unwrap();
            let length = if header.kind == Kind::Data { header.length } else { 0 };
            let (body, later) = body.split_at(usize::try_from(length).unwrap());
            frames.push((header, body.to_vec()));
            rest = later;
        }
        frames
    }

    /// What the channel sent on a stream, and whether it reset it.
    pub(super) fn answers(&mut self, id: u32) -> (Vec<u8>, bool) {
        let frames: Vec<_> = self.frames().into_iter().filter(|(header, _)| header.stream == id).collect();
        let reset = frames.iter().any(|(header, _)| header.flags.contains(Flags::RST));
        (frames.into_iter().flat_map(|(_, body)| body).collect(), reset)
    }

    pub(super) fn closed(&self) -> Option<Cause> {
        if let Some(Output::Closed(cause)) = self.said.last() { Some(*cause) } else { None }
    }
}

pub(super) fn frame(kind: Kind, flags: Flags, stream: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap();
    [&Header { kind, flags, stream, length }.encode()[..], body].concat()
}

pub(super) fn bare(kind: Kind, flags: Flags, stream: u32, length: u32) -> Vec<u8> {
    Header { kind, flags, stream, length }.encode().to_vec()
}

fn call(channel: &mut Channel, now: Instant, rng: &mut ChaCha8Rng, input: Input) -> Vec<Output> {
    let mut said = Vec::new();
    let at = At { now, wall: WallTime::from_unix_ms(0) };
    channel.handle(input, &mut Context::new(at, rng, &mut said));
    said
}

/// Takes what was sent out of what was said.
fn sent(said: &mut Vec<Output>) -> Vec<u8> {
    let mut bytes = Vec::new();
    said.retain(|output| {
        if let Output::Send(piece) = output {
            bytes.extend_from_slice(piece);
            return false;
        }
        true
    });
    bytes
}
