//! Drives [`Session`] around a handshake that does whatever its input says.

use std::time::Duration;

use pleach_core::session::{Closing, Config, Ended, Handshake, Input, Output, Session, Step};
use pleach_core::{Context, Instant};

use super::Peer;
use crate::choices::Choices;
use crate::laws::Subject;
use crate::variants;

/// The moment of construction; runs start an hour after the origin.
const BUILT: Instant = Instant::from_micros(3_600_000_000);

/// A handshake that reports what it is fed.
#[derive(Debug)]
pub struct Puppet;

/// A step of a [`Puppet`].
pub type Word = Step<Peer, u8>;

impl Handshake for Puppet {
    type Peer = Peer;
    type Input = Word;
    type Output = u8;
    type Motive = u8;

    fn start(&mut self, cx: &mut Context<'_, Word>) {
        cx.emit(Step::Emit(0));
        cx.emit(Step::Stage(Duration::from_secs(5)));
    }

    fn handle(&mut self, input: Word, cx: &mut Context<'_, Word>) {
        cx.emit(input);
    }

    fn answer(&mut self, verdict: Result<(), u8>, cx: &mut Context<'_, Word>) {
        cx.emit(Step::Emit(u8::from(verdict.is_ok())));
    }

    fn close(&mut self, motive: u8, cx: &mut Context<'_, Word>) {
        cx.emit(Step::Emit(motive));
    }

    fn idle() -> Option<u8> {
        Some(7)
    }

    fn size(_input: &Word) -> usize {
        10
    }
}

/// What surrounds one session.
#[derive(Debug)]
pub struct Link {
    question: Option<Peer>,
    opened: bool,
    closing: bool,
    stranger: bool,
}

fn config(choices: &mut Choices<'_>) -> Config {
    Config {
        waiting_max: 3,
        waiting_bytes_max: 25,
        held_max: 3,
        held_bytes_max: 100,
        idle: if choices.once_in(4) { None } else { Some(Duration::from_secs(60)) },
        ..Config::default()
    }
}

impl Link {
    fn word(choices: &mut Choices<'_>) -> Word {
        match choices.byte() % 16 {
            0..4 => Step::Emit(choices.byte()),
            4..8 => Step::Identified(choices.byte() % 3),
            8 | 9 => Step::Stage(Duration::from_secs(choices.edgy(5).min(1 << 40))),
            10 => Step::Readable,
            11..14 => Step::Established,
            14 if choices.once_in(3) => Step::Stranger,
            14 => Step::Established,
            _ if choices.once_in(2) => Step::Refused,
            _ => Step::Violation(choices.edgy32(100)),
        }
    }
}

impl Subject for Link {
    type Input = Input<u8, Word, Peer, u8>;
    type Output = Output<u8, u8, Peer>;
    type Machine = Session<Puppet, u8>;

    const NAME: &'static str = "session";
    const STATES: &'static [&'static str] = &["opening", "stranger", "established", "closing", "ended"];

    fn build(choices: &mut Choices<'_>) -> (Self, Session<Puppet, u8>) {
        let machine = Session::new(config(choices), Puppet, BUILT);
        (Self { question: None, opened: false, closing: false, stranger: false }, machine)
    }

    fn generate(&mut self, choices: &mut Choices<'_>) -> Self::Input {
        if !self.opened {
            self.opened = true;
            return Input::Opened;
        }
        match choices.byte() % 32 {
            0..12 => Input::Handshake(Self::word(choices)),
            12..18 => Input::Item { item: choices.byte(), size: choices.below(60) },
            18..24 => {
                let peer = self.question.take().unwrap_or_else(|| choices.byte() % 3);
                Input::Answer { peer, verdict: if choices.once_in(8) { Err(9) } else { Ok(()) } }
            }
            24 | 25 => Input::Malformed,
            26 | 27 => Input::Busy(choices.once_in(2)),
            28 => Input::Close {
                motive: choices.pick(&[None, Some(1)]).flatten(),
                how: choices
                    .pick(&[Closing::Linger, Closing::Flush, Closing::Abort])
                    .unwrap_or(Closing::Flush),
            },
            29 if choices.once_in(4) => Input::Closed,
            _ => Input::Opened,
        }
    }

    fn observe(&mut self, output: &Self::Output) {
        match output {
            Output::Identified { peer } => self.question = Some(*peer),
            Output::Stranger { .. } => self.stranger = true,
            Output::Close(_) => self.closing = true,
            Output::Emit(_)
            | Output::Established { .. }
            | Output::Item(_)
            | Output::Shed(_)
            | Output::Offence { .. }
            | Output::Abort(_) => {}
        }
    }

    variants! { INPUTS, input_name(Input<u8, Word, Peer, u8>):
        Input::Opened => "Opened",
        Input::Handshake(_) => "Handshake",
        Input::Item { .. } => "Item",
        Input::Answer { .. } => "Answer",
        Input::Malformed => "Malformed",
        Input::Busy(_) => "Busy",
        Input::Close { how: Closing::Linger, .. } => "Close Linger",
        Input::Close { how: Closing::Flush, .. } => "Close Flush",
        Input::Close { how: Closing::Abort, .. } => "Close Abort",
        Input::Closed => "Closed",
    }

    variants! { OUTPUTS, output_name(Output<u8, u8, Peer>):
        Output::Emit(_) => "Emit",
        Output::Identified { .. } => "Identified",
        Output::Established { .. } => "Established",
        Output::Stranger { .. } => "Stranger",
        Output::Item(_) => "Item",
        Output::Shed(_) => "Shed",
        Output::Offence { .. } => "Offence",
        Output::Close(Ended::Asked) | Output::Abort(Ended::Asked) => "Ended Asked",
        Output::Close(Ended::RefusedByUs) | Output::Abort(Ended::RefusedByUs) => "Ended RefusedByUs",
        Output::Close(Ended::RefusedByPeer) | Output::Abort(Ended::RefusedByPeer) => "Ended RefusedByPeer",
        Output::Close(Ended::TimedOut) | Output::Abort(Ended::TimedOut) => "Ended TimedOut",
        Output::Close(Ended::Violation) | Output::Abort(Ended::Violation) => "Ended Violation",
        Output::Close(Ended::Overflow) | Output::Abort(Ended::Overflow) => "Ended Overflow",
        Output::Close(Ended::Malformed) | Output::Abort(Ended::Malformed) => "Ended Malformed",
        Output::Close(Ended::Idle) | Output::Abort(Ended::Idle) => "Ended Idle",
    }

    fn state(&self, machine: &Session<Puppet, u8>) -> &'static str {
        match () {
            () if machine.is_ended() => "ended",
            () if machine.is_established() => "established",
            () if self.closing => "closing",
            () if self.stranger => "stranger",
            () => "opening",
        }
    }

    /// What the handshake reports, what waited and was held, and three more.
    fn outputs_max(&self, _input: Option<&Self::Input>) -> usize {
        2 + 3 + 3 + 3
    }

    fn memory_max(&self) -> usize {
        4096
    }

    fn closes(input: Option<&Self::Input>, outputs: &[Self::Output]) -> bool {
        matches!(input, Some(Input::Closed))
            || outputs.iter().any(|output| matches!(output, Output::Abort(_)))
    }
}
