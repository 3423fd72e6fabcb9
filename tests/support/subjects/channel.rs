//! Drives [`Channel`] against a [`Counterpart`]: the handshake is real, and so is the sealing of whatever follows it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pleach_core::channel::identify::Info;
use pleach_core::channel::yamux;
use pleach_core::channel::{
    Cause, Channel, Config, Input, Local, OpenError, Output, Role, StreamId, Violation, Waiting,
};
use pleach_core::identity::Keypair;
use pleach_core::link::How;
use pleach_core::{At, Context, Instant, Machine, WallTime};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::counterpart::{Counterpart, Oddities};
use crate::choices::Choices;
use crate::laws::Subject;
use crate::variants;

const SEND_AHEAD: usize = 400;
const CONTROL_AHEAD: usize = 100;
const STREAMS_MAX: usize = 4;
const FRAME_MAX: usize = 64;
/// Bytes of one send, and of all that wait.
const SEND_MAX: usize = 900;
const WAITING_MAX: usize = 32 * 1024;
const PROTOCOLS: [&str; 2] = ["/echo/1", "/other/1"];

/// The seed of our key.
const SEED: [u8; 32] = *b"the seed of a key of these tests";

/// What surrounds one channel.
pub struct Line {
    peer: Counterpart,
    started: bool,
    /// Given to the carrier and not reported as written.
    unwritten: usize,
    /// Given to the channel and not reported as sent.
    waiting: usize,
    streams: Vec<StreamId>,
    /// Received and not consumed.
    unread: Vec<(StreamId, usize)>,
}

fn config(choices: &mut Choices<'_>) -> Config {
    // In most runs a quiet link stays, or few would become old.
    let patience = choices.pick(&[15, 1 << 30, 1 << 30]).map_or(Duration::MAX, Duration::from_secs);
    Config {
        keep_alive_idle: patience,
        keep_alive_answer: patience,
        send_ahead: SEND_AHEAD,
        control_ahead: CONTROL_AHEAD,
        negotiating_max: 3,
        services_max: 2,
        pings_max: 1,
        identify_burst: 2,
        empty_messages_max: 4,
        yamux: yamux::Config {
            streams_max: STREAMS_MAX,
            unacknowledged_max: 4,
            frame_max: FRAME_MAX,
            reset_burst: 4,
            answers_max: 4,
            pongs_max: 2,
            empty_frames_max: 5,
            ..yamux::Config::default()
        },
        ..Config::default()
    }
}

impl Line {
    /// Carries everything in both directions until the channel has no more to say.
    fn carry(&mut self, machine: &mut Channel, rng: &mut ChaCha8Rng) {
        let at = At { now: Instant::from_micros(3_600_000_000), wall: WallTime::from_unix_ms(0) };
        let mut input = Input::Start;
        loop {
            let mut outputs = Vec::new();
            machine.handle(input, &mut Context::new(at, rng, &mut outputs));
            outputs.iter().for_each(|output| self.observe(output));
            if self.peer.is_silent() {
                break;
            }
            input = Input::Received(self.peer.take_all());
        }
        machine.handle(Input::Written(self.unwritten), &mut Context::new(at, rng, &mut Vec::new()));
        (self.unwritten, self.started) = (0, true);
    }

    fn stream(&self, choices: &mut Choices<'_>) -> StreamId {
        let anything = StreamId(choices.edgy32(9));
        if choices.once_in(16) { anything } else { choices.pick(&self.streams).unwrap_or(anything) }
    }

    fn receive(&mut self, choices: &mut Choices<'_>) -> Input {
        if self.peer.is_silent() || choices.once_in(4) {
            self.peer.act(choices);
        }
        // Most of the time nothing is damaged on its way.
        let whole = choices.once_in(2) || self.peer.is_open() && !choices.once_in(8);
        let bytes = if whole { self.peer.take_all() } else { self.peer.take(choices) };
        Input::Received(bytes)
    }

    fn command(&mut self, choices: &mut Choices<'_>) -> Input {
        match choices.byte() % 16 {
            0..4 => {
                let count = if choices.once_in(16) {
                    20
                } else {
                    choices.below(2) + usize::from(!choices.once_in(16))
                };
                let names = PROTOCOLS.iter().cycle().skip(choices.below(2)).take(count);
                Input::Open { token: choices.edgy(9), protocols: names.map(ToString::to_string).collect() }
            }
            4..9 if self.waiting < WAITING_MAX => {
                let much = choices.once_in(3);
                let bytes = if much { vec![7; SEND_MAX].into() } else { choices.content(SEND_MAX) };
                self.waiting += bytes.len();
                Input::Send { stream: self.stream(choices), bytes }
            }
            9 => Input::Finish { stream: self.stream(choices) },
            10 => Input::Reset { stream: self.stream(choices) },
            11..14 => match self.unread.pop() {
                Some((stream, count)) => Input::Consumed { stream, count },
                None => Input::Consumed { stream: self.stream(choices), count: choices.below(99) },
            },
            14 => Input::Describe(Box::new(Info {
                agent_version: Some(format!("agent {}", choices.byte() % 4)),
                ..Info::default()
            })),
            _ => Input::Send { stream: self.stream(choices), bytes: Bytes::new() },
        }
    }
}

impl Subject for Line {
    type Input = Input;
    type Output = Output;
    type Machine = Channel;

    const NAME: &'static str = "channel";
    const STATES: &'static [&'static str] = &["idle", "securing", "handshake", "choosing", "open", "closed"];

    fn build(choices: &mut Choices<'_>) -> (Self, Channel) {
        let mut rng = ChaCha8Rng::seed_from_u64(u64::from(choices.byte()));
        let (role, theirs) = choices
            .pick(&[(Role::Dialler, Role::Listener), (Role::Listener, Role::Dialler)])
            .unwrap_or((Role::Dialler, Role::Listener));
        let odd = choices.byte() % 32;
        let oddities =
            Oddities { foreign: odd == 1, foreign_muxer: odd == 4, names_no_muxer: odd.is_multiple_of(4) };
        let us = Keypair::from_seed(&SEED);
        let them = if odd == 3 { us.clone() } else { Keypair::from_seed(&[2; 32]) };
        let somebody = Keypair::from_seed(&[3; 32]).peer_id();
        let expected = (role == Role::Dialler).then(|| if odd == 5 { somebody } else { them.peer_id() });
        let local = Arc::new(Local::new(&us, &mut rng));
        let protocols = PROTOCOLS.map(ToString::to_string).to_vec().into();
        let mut machine = Channel::new(Arc::new(config(choices)), local, role, expected, protocols);
        let peer = Counterpart::new(theirs, &them, oddities, &PROTOCOLS, ChaCha8Rng::seed_from_u64(7));
        let mut this =
            Self { peer, started: false, unwritten: 0, waiting: 0, streams: Vec::new(), unread: Vec::new() };
        // Most runs begin with a link that stands: the rest of what there is to see is behind it.
        if odd > 5 && !choices.once_in(3) {
            this.carry(&mut machine, &mut rng);
        }
        (this, machine)
    }

    fn generate(&mut self, choices: &mut Choices<'_>) -> Input {
        if !self.started && !choices.once_in(8) {
            self.started = true;
            return Input::Start;
        }
        match choices.byte() % 64 {
            0..30 => self.receive(choices),
            30..52 => self.command(choices),
            52..61 => {
                let written = if choices.once_in(2) { self.unwritten } else { choices.below(SEND_AHEAD) };
                self.unwritten = self.unwritten.saturating_sub(written);
                Input::Written(written)
            }
            61 => Input::Start,
            62 if choices.once_in(2) => Input::Finished,
            63 if choices.once_in(2) => {
                Input::Close(if choices.once_in(2) { How::Flush } else { How::Abort })
            }
            _ => self.receive(choices),
        }
    }

    fn observe(&mut self, output: &Output) {
        match output {
            Output::Send(bytes) => {
                self.unwritten += bytes.len();
                self.peer.hear(bytes.clone());
            }
            Output::Opened { stream, .. } | Output::Accepted { stream, .. } => self.streams.push(*stream),
            Output::Received { stream, bytes } => self.unread.push((*stream, bytes.len())),
            Output::Sent { count, .. } => self.waiting = self.waiting.saturating_sub(*count),
            Output::Pause
            | Output::Resume
            | Output::Authenticated { .. }
            | Output::Ready
            | Output::OpenFailed { .. }
            | Output::Finished { .. }
            | Output::Reset { .. }
            | Output::Identified(_)
            | Output::RoundTrip(_)
            | Output::Closed(_) => {}
        }
        // Some is never read.
        self.unread.truncate(16);
        self.streams = self.streams.split_off(self.streams.len().saturating_sub(STREAMS_MAX));
    }

    variants! { INPUTS, input_name(Input):
        Input::Start => "Start",
        Input::Received(_) => "Received",
        Input::Written(_) => "Written",
        Input::Finished => "Finished",
        Input::Open { .. } => "Open",
        Input::Send { .. } => "Send",
        Input::Finish { .. } => "Finish",
        Input::Reset { .. } => "Reset",
        Input::Consumed { .. } => "Consumed",
        Input::Describe(_) => "Describe",
        Input::Close(How::Flush) => "Close Flush",
        Input::Close(How::Abort) => "Close Abort",
    }

    // `Exhausted` takes 2^64 messages: it does not occur, and stands beside the other end that is ours.
    variants! { OUTPUTS, output_name(Output):
        Output::Send(_) => "Send",
        Output::Pause => "Pause",
        Output::Resume => "Resume",
        Output::Authenticated { .. } => "Authenticated",
        Output::Ready => "Ready",
        Output::Opened { .. } => "Opened",
        Output::OpenFailed { cause: OpenError::NotReady, .. } => "OpenFailed NotReady",
        Output::OpenFailed { cause: OpenError::TooMany, .. } => "OpenFailed TooMany",
        Output::OpenFailed { cause: OpenError::GoneAway, .. } => "OpenFailed GoneAway",
        Output::OpenFailed { cause: OpenError::Unsupported, .. } => "OpenFailed Unsupported",
        Output::OpenFailed { cause: OpenError::Reset, .. } => "OpenFailed Reset",
        Output::OpenFailed { cause: OpenError::TimedOut, .. } => "OpenFailed TimedOut",
        Output::OpenFailed { cause: OpenError::Violation(_), .. } => "OpenFailed Violation",
        Output::Accepted { .. } => "Accepted",
        Output::Received { .. } => "Received",
        Output::Finished { .. } => "Finished",
        Output::Reset { .. } => "Reset",
        Output::Sent { .. } => "Sent",
        Output::Identified(_) => "Identified",
        Output::RoundTrip(_) => "RoundTrip",
        Output::Closed(Cause::Closed(_) | Cause::Exhausted) => "Closed Closed",
        Output::Closed(Cause::Finished) => "Closed Finished",
        Output::Closed(Cause::Ended) => "Closed Ended",
        Output::Closed(Cause::Unsupported) => "Closed Unsupported",
        Output::Closed(Cause::GoneAway(_)) => "Closed GoneAway",
        Output::Closed(Cause::TimedOut(Waiting::Upgrade)) => "Closed TimedOut Upgrade",
        Output::Closed(Cause::TimedOut(Waiting::Handshake)) => "Closed TimedOut Handshake",
        Output::Closed(Cause::TimedOut(Waiting::Message)) => "Closed TimedOut Message",
        Output::Closed(Cause::TimedOut(Waiting::KeepAlive)) => "Closed TimedOut KeepAlive",
        Output::Closed(Cause::WrongPeer(_)) => "Closed WrongPeer",
        Output::Closed(Cause::Myself) => "Closed Myself",
        Output::Closed(Cause::Violation(Violation::Multistream(_))) => "Closed Violation Multistream",
        Output::Closed(Cause::Violation(Violation::Noise(_))) => "Closed Violation Noise",
        Output::Closed(Cause::Violation(Violation::Yamux(_))) => "Closed Violation Yamux",
        Output::Closed(Cause::Violation(Violation::EmptyMessages)) => "Closed Violation EmptyMessages",
    }

    fn state(&self, machine: &Channel) -> &'static str {
        let text = format!("{machine:?}");
        let phase = |state: &&&str| text.contains(&format!("phase: \"{state}\""));
        Self::STATES.iter().find(phase).copied().unwrap_or("unnamed")
    }

    /// What is received and what is sent, frame by frame; a goodbye sends all that waits.
    fn outputs_max(&self, input: Option<&Input>) -> usize {
        let (received, flushed) = match input {
            Some(Input::Received(bytes)) => (bytes.len(), 0),
            Some(Input::Close(_) | Input::Finished) => (0, WAITING_MAX + SEND_MAX),
            _ => (0, 0),
        };
        // Three for a frame of twelve bytes that opens a stream with all that belongs to it.
        received / 4 + (SEND_AHEAD + CONTROL_AHEAD) / 13 + flushed / 8 + 2 * STREAMS_MAX + 8
    }

    fn memory_max(&self) -> usize {
        512 * 1024
    }

    fn closes(_input: Option<&Input>, outputs: &[Output]) -> bool {
        matches!(outputs.last(), Some(Output::Closed(_)))
    }

    fn secrets(&self) -> Vec<Vec<u8>> {
        vec![SEED.to_vec()]
    }
}
