//! Drives [`Establishment`]: a peer that says HELLO, ACK, NACK and BYE in any order, and garbage.

use std::sync::Arc;

use bytes::Bytes;
use pleach_core::identity::{Keypair, PeerId};
use pleach_core::mesh::Malformed;
use pleach_core::mesh::establishment::{
    Alternative, Config, Decision, Establishment, Hello, Input, Message, Motive, Output, Reason, VERSION,
    Violation,
};
use pleach_core::wire::frame::{Deframer, Prefix};

use crate::choices::Choices;
use crate::laws::Subject;
use crate::variants;

const NETWORK: &str = "pleach";

/// What surrounds one establishment.
#[derive(Debug)]
pub struct Stream {
    opened: bool,
    /// Whether the peer has said HELLO.
    greeted: bool,
    /// Whether a decision is awaited.
    asked: bool,
    refused: bool,
    over: bool,
}

fn peer() -> PeerId {
    Keypair::from_seed(&[7; 32]).peer_id()
}

/// The frame of a message, without its prefix.
fn frame(message: &Message) -> Bytes {
    let mut deframer = Deframer::new(Prefix::Varint, usize::MAX);
    deframer.push(message.to_frame());
    deframer.next_frame().ok().flatten().unwrap_or_default()
}

impl Stream {
    fn motive(choices: &mut Choices<'_>) -> Motive {
        Motive::of(choices.edgy(9))
    }

    fn alternatives(choices: &mut Choices<'_>) -> Vec<Alternative> {
        let addresses = (0..choices.below(10)).map(|_| Bytes::from_static(b"there")).collect();
        let alternative = Alternative { peer: peer(), addresses };
        let count = choices.pick(&[0, 0, 1, 10, 11, 99, 100]).unwrap_or(0);
        vec![alternative; count]
    }

    fn hello(choices: &mut Choices<'_>) -> Message {
        let network = if choices.once_in(8) { "another" } else { NETWORK };
        Message::Hello(Hello {
            network: network.into(),
            lowest: if choices.once_in(8) { choices.edgy(2) } else { VERSION },
            highest: if choices.once_in(8) { choices.edgy(2) } else { VERSION },
            stamp: None,
            metadata: choices.content(1024),
        })
    }

    fn message(&mut self, choices: &mut Choices<'_>) -> Message {
        if !self.greeted && !choices.once_in(8) {
            self.greeted = true;
            return Self::hello(choices);
        }
        match choices.byte() % 8 {
            0 => Self::hello(choices),
            1..5 => Message::Ack { version: if choices.once_in(8) { choices.edgy(2) } else { VERSION } },
            5 | 6 => {
                Message::Nack { motive: Self::motive(choices), alternatives: Self::alternatives(choices) }
            }
            _ => Message::Bye { motive: Self::motive(choices) },
        }
    }

    /// A frame with a byte changed, or a number that nobody knows.
    fn garbage(&mut self, choices: &mut Choices<'_>) -> Bytes {
        if choices.once_in(2) {
            return Bytes::from_static(&[0x81, 0x18, 0x63]);
        }
        let mut bytes = frame(&self.message(choices)).to_vec();
        let at = choices.below(bytes.len());
        bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = choices.byte());
        bytes.into()
    }
}

impl Subject for Stream {
    type Input = Input;
    type Output = Output;
    type Machine = Establishment;

    const NAME: &'static str = "establishment";
    const STATES: &'static [&'static str] =
        &["closed", "greeting", "deciding", "agreeing", "refused", "established", "over"];

    fn build(choices: &mut Choices<'_>) -> (Self, Establishment) {
        let mut config = Config::new(NETWORK);
        config.metadata = choices.content(2000);
        config.difficulty = if choices.once_in(8) { 1 } else { 0 };
        let machine = Establishment::new(Arc::new(config), peer(), choices.once_in(16));
        (Self { opened: false, greeted: false, asked: false, refused: false, over: false }, machine)
    }

    fn generate(&mut self, choices: &mut Choices<'_>) -> Input {
        if !self.opened && !choices.once_in(8) {
            self.opened = true;
            return Input::Opened;
        }
        match choices.byte() % 32 {
            0 => Input::Opened,
            1 => Input::Malformed,
            2 => Input::Finished,
            3 => Input::Bye { motive: Self::motive(choices) },
            4 | 5 => Input::Frame(self.garbage(choices)),
            6..14 if choices.once_in(6) => Input::Decision(Decision::Refuse {
                motive: Self::motive(choices),
                alternatives: Self::alternatives(choices),
            }),
            6..14 => Input::Decision(Decision::Admit),
            _ => Input::Frame(frame(&self.message(choices))),
        }
    }

    fn observe(&mut self, output: &Output) {
        match output {
            Output::Decide { .. } => self.asked = true,
            Output::Established { .. } => self.asked = false,
            Output::Refused { .. } => self.refused = true,
            Output::Close { .. } => self.over = true,
            Output::Send(_) | Output::Violation(_) => {}
        }
    }

    variants! { INPUTS, input_name(Input):
        Input::Opened => "Opened",
        Input::Frame(_) => "Frame",
        Input::Malformed => "Malformed",
        Input::Finished => "Finished",
        Input::Decision(Decision::Admit) => "Decision Admit",
        Input::Decision(Decision::Refuse { .. }) => "Decision Refuse",
        Input::Bye { .. } => "Bye",
    }

    variants! { OUTPUTS, output_name(Output):
        Output::Send(_) => "Send",
        Output::Decide { .. } => "Decide",
        Output::Established { .. } => "Established",
        Output::Refused { .. } => "Refused",
        Output::Violation(Violation::Malformed(Malformed::Length)) => "Violation Length",
        Output::Violation(Violation::Malformed(_)) => "Violation Malformed",
        Output::Violation(Violation::TooManyAlternatives) => "Violation TooManyAlternatives",
        Output::Violation(Violation::SecondHello) => "Violation SecondHello",
        Output::Violation(Violation::AckAfterNack) => "Violation AckAfterNack",
        Output::Violation(Violation::OutOfOrder) => "Violation OutOfOrder",
        Output::Close { reason: Reason::TimedOut, .. } => "Close TimedOut",
        Output::Close { reason: Reason::Shunned, .. } => "Close Shunned",
        Output::Close { reason: Reason::Refused(_), .. } => "Close Refused",
        Output::Close { reason: Reason::RefusedByPeer(_), .. } => "Close RefusedByPeer",
        Output::Close { reason: Reason::Bye(_), .. } => "Close Bye",
        Output::Close { reason: Reason::ByeByPeer(_), .. } => "Close ByeByPeer",
        Output::Close { reason: Reason::Finished, .. } => "Close Finished",
        Output::Close { reason: Reason::Violation, .. } => "Close Violation",
    }

    fn state(&self, machine: &Establishment) -> &'static str {
        match () {
            () if self.over => "over",
            () if machine.is_established() => "established",
            () if self.refused => "refused",
            () if self.asked => "deciding",
            () if self.greeted => "agreeing",
            () if self.opened => "greeting",
            () => "closed",
        }
    }

    /// An answer, a report and the close.
    fn outputs_max(&self, _input: Option<&Input>) -> usize {
        3
    }

    fn memory_max(&self) -> usize {
        4096
    }

    fn closes(_input: Option<&Input>, outputs: &[Output]) -> bool {
        outputs.iter().any(|output| matches!(output, Output::Close { .. }))
    }
}
