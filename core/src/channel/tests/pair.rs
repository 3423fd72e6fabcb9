//! Two channels, or one channel and a hand-made peer, over a carrier that cuts bytes anywhere.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::super::*;
use crate::identity::{Keypair, PeerId};
use crate::link::How;
use crate::machine::{At, Context, Machine};
use crate::time::{Instant, WallTime};

/// The dialler is side 0, the listener side 1.
pub(super) const DIALLER: usize = 0;
pub(super) const LISTENER: usize = 1;

pub(super) struct Side {
    pub(super) channel: Channel,
    /// What it said, but for `Send`.
    pub(super) said: Vec<Output>,
    /// Bytes on their way to the other side.
    pub(super) wire: Vec<u8>,
    pub(super) peer: PeerId,
}

pub(super) struct Pair {
    pub(super) sides: [Side; 2],
    pub(super) now: Instant,
    pub(super) rng: ChaCha8Rng,
    /// Whether the carriers report what they have written.
    pub(super) written: bool,
    /// Whether streams are consumed as they are received.
    pub(super) consume: bool,
}

pub(super) fn keypair(side: usize) -> Keypair {
    Keypair::from_seed(&[u8::try_from(side).unwrap() + 1; 32])
}

pub(super) fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

impl Pair {
    /// Two channels that both accept `/echo/1` and `/other/1`; not started.
    pub(super) fn new(seed: u64) -> Self {
        Self::with(seed, Config::default(), Some(keypair(LISTENER).peer_id()))
    }

    pub(super) fn with(seed: u64, config: Config, expected: Option<PeerId>) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let config = Arc::new(config);
        let protocols: Arc<[String]> = names(&["/echo/1", "/other/1"]).into();
        let sides = [DIALLER, LISTENER].map(|side| {
            let local = Arc::new(Local::new(&keypair(side), &mut rng));
            let role = if side == DIALLER { Role::Dialler } else { Role::Listener };
            let expected = expected.filter(|_| side == DIALLER);
            let channel = Channel::new(Arc::clone(&config), local, role, expected, Arc::clone(&protocols));
            Side { channel, said: Vec::new(), wire: Vec::new(), peer: keypair(side).peer_id() }
        });
        Self { sides, now: Instant::from_micros(5_000_000), rng, written: true, consume: true }
    }

    /// The same, ready, and with what was said up to there forgotten.
    pub(super) fn ready(seed: u64) -> Self {
        Self::new(seed).start()
    }

    pub(super) fn start(mut self) -> Self {
        for side in [DIALLER, LISTENER] {
            self.input(side, Input::Start);
        }
        self.run();
        for side in &mut self.sides {
            assert!(side.said.contains(&Output::Ready), "{:?}", side.said);
            side.said.clear();
        }
        self
    }

    pub(super) fn input(&mut self, side: usize, input: Input) {
        self.call(side, |channel, cx| channel.handle(input, cx));
    }

    fn call(&mut self, side: usize, run: impl FnOnce(&mut Channel, &mut Context<'_, Output>)) {
        let mut outputs = Vec::new();
        let at = At { now: self.now, wall: WallTime::from_unix_ms(0) };
        let target = &mut self.sides[side];
        run(&mut target.channel, &mut Context::new(at, &mut self.rng, &mut outputs));
        let mut consumed = Vec::new();
        for output in outputs {
            if let Output::Send(bytes) = output {
                target.wire.extend_from_slice(&bytes);
                continue;
            }
            if let (Output::Received { stream, bytes }, true) = (&output, self.consume) {
                consumed.push(Input::Consumed { stream: *stream, count: bytes.len() });
            }
            target.said.push(output);
        }
        for input in consumed {
            self.input(side, input);
        }
    }

    /// Carries bytes, in pieces of random size, until there are none.
    pub(super) fn run(&mut self) {
        while self.sides.iter().any(|side| !side.wire.is_empty()) {
            for from in [DIALLER, LISTENER] {
                self.carry(from);
            }
        }
    }

    /// Carries one piece.
    pub(super) fn carry(&mut self, from: usize) {
        let waiting = self.sides[from].wire.len();
        if waiting == 0 {
            return;
        }
        let size = match self.rng.next_u32() % 4 {
            0 => 1,
            1 => 1 + usize::try_from(self.rng.next_u32() % 40).unwrap(),
            2 => 1 + usize::try_from(self.rng.next_u32() % 70_000).unwrap(),
            _ => waiting,
        };
        let piece: Vec<u8> = self.sides[from].wire.drain(..size.min(waiting)).collect();
        if self.written {
            self.input(from, Input::Written(piece.len()));
        }
        self.input(1 - from, Input::Received(Bytes::from(piece)));
    }

    /// Lets time pass, with every deadline on the way, carrying what is sent.
    pub(super) fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            let next = self.sides.iter().filter_map(|side| side.channel.poll_timeout()).min();
            let Some(at) = next.filter(|at| *at <= end) else { break };
            self.now = self.now.max(at);
            for side in [DIALLER, LISTENER] {
                self.timeout(side);
            }
            self.run();
        }
        self.now = end;
    }

    pub(super) fn timeout(&mut self, side: usize) {
        self.call(side, |channel, cx| channel.handle_timeout(cx));
        let (now, channel) = (self.now, &self.sides[side].channel);
        assert!(channel.poll_timeout().is_none_or(|at| at > now), "L3");
    }

    /// Opens an `/echo/1` stream and returns its id; both sides know it then.
    pub(super) fn open(&mut self, side: usize) -> StreamId {
        self.input(side, Input::Open { token: 7, protocols: names(&["/echo/1"]) });
        self.run();
        let opened = self.take(side, |output| matches!(output, Output::Opened { token: 7, .. }));
        let [Output::Opened { stream, protocol, .. }] = &opened[..] else { panic!("{opened:?}") };
        assert_eq!(protocol, "/echo/1");
        let accepted = self.take(1 - side, |output| matches!(output, Output::Accepted { .. }));
        assert_eq!(accepted, [Output::Accepted { stream: *stream, protocol: "/echo/1".into() }]);
        *stream
    }

    pub(super) fn send(&mut self, side: usize, stream: StreamId, bytes: &[u8]) {
        self.input(side, Input::Send { stream, bytes: Bytes::copy_from_slice(bytes) });
    }

    /// What was received on a stream, put together.
    pub(super) fn received(&mut self, side: usize, stream: StreamId) -> Vec<u8> {
        let pieces =
            self.take(side, |output| matches!(output, Output::Received { stream: of, .. } if *of == stream));
        let bytes = |output| if let Output::Received { bytes, .. } = output { bytes } else { Bytes::new() };
        pieces.into_iter().flat_map(bytes).collect()
    }

    /// Takes what was said that fits.
    pub(super) fn take(&mut self, side: usize, fits: impl Fn(&Output) -> bool) -> Vec<Output> {
        let (taken, left) =
            core::mem::take(&mut self.sides[side].said).into_iter().partition(|output| fits(output));
        self.sides[side].said = left;
        taken
    }

    pub(super) fn closed(&self, side: usize) -> Option<Cause> {
        let cause = |output: &Output| if let Output::Closed(cause) = output { Some(*cause) } else { None };
        let closed = self.sides[side].said.iter().find_map(cause);
        if closed.is_some() {
            assert!(matches!(self.sides[side].said.last(), Some(Output::Closed(_))), "L7");
            assert_eq!(self.sides[side].channel.poll_timeout(), None, "L7");
        }
        closed
    }

    pub(super) fn close(&mut self, side: usize, how: How) {
        self.input(side, Input::Close(how));
    }

    pub(super) fn describe(&mut self, side: usize, agent: &str) {
        let info = identify::Info { agent_version: Some(agent.into()), ..identify::Info::default() };
        self.input(side, Input::Describe(Box::new(info)));
    }
}
