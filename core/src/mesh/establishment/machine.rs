//! The machine.

use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use super::{
    ADDRESSES_MAX, ALTERNATIVES_MAX, ALTERNATIVES_TAKEN, Alternative, Config, Decision, FRAME_MAX, Hello,
    Input, METADATA_MAX, Message, Motive, Output, Reason, Stats, VERSION, Violation,
};
use crate::identity::PeerId;
use crate::link::How;
use crate::machine::{Context, Machine};
use crate::mesh::Malformed;
use crate::stats::count;
use crate::time::Instant;

type Cx<'a, 'b> = &'a mut Context<'b, Output>;

/// The establishment of one link. The module documentation tells the loop.
#[derive(Debug)]
pub struct Establishment {
    config: Arc<Config>,
    peer: PeerId,
    shunned: bool,
    state: State,
    deadline: Option<Instant>,
    /// The latest moment seen (L5).
    latest: Instant,
    stats: Stats,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// The stream does not stand yet.
    Closed,
    /// Our HELLO is out, theirs has not come.
    Greeting,
    /// Both HELLOs are there.
    Answering {
        version: u64,
        ours: bool,
        theirs: bool,
    },
    Established,
    /// They refused us, and are to close.
    Refused(Motive),
    /// `Close` was emitted.
    Over,
}

impl Establishment {
    /// For a link whose channel has proved `peer`. `shunned`: that is our own key or banned, and the link is closed
    /// without a word once it turns out to be of our network (E3).
    #[must_use]
    pub const fn new(config: Arc<Config>, peer: PeerId, shunned: bool) -> Self {
        let (deadline, latest) = (None, Instant::ORIGIN);
        Self { config, peer, shunned, state: State::Closed, deadline, latest, stats: ZERO }
    }

    /// Whether both sides have said yes and neither has said BYE.
    #[must_use]
    pub fn is_established(&self) -> bool {
        self.state == State::Established
    }

    /// What was received and ignored.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.stats
    }
}

const ZERO: Stats = Stats { frames: 0, unknown: 0, repeated: 0, stamps_checked: 0 };

impl Machine for Establishment {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, input: Input, cx: &mut Context<'_, Output>) {
        let cx = &mut cx.not_before(&mut self.latest);
        match input {
            _ if self.state == State::Over => {}
            Input::Opened => self.on_opened(cx),
            Input::Bye { motive } => self.on_bye(motive, cx),
            _ if self.state == State::Closed => {}
            Input::Frame(frame) => self.on_frame(&frame, cx),
            Input::Malformed => self.violation(Violation::Malformed(Malformed::Length), cx),
            Input::Finished => self.end(Reason::Finished, cx),
            Input::Decision(decision) => self.on_decision(decision, cx),
        }
    }

    fn handle_timeout(&mut self, cx: &mut Context<'_, Output>) {
        if self.deadline.is_some_and(|deadline| deadline <= cx.now()) {
            self.end(Reason::TimedOut, cx);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }
}

impl Establishment {
    fn on_opened(&mut self, cx: Cx<'_, '_>) {
        if self.state != State::Closed {
            return;
        }
        self.state = State::Greeting;
        self.deadline = Some(cx.now() + self.config.hello_timeout);
        let metadata = &self.config.metadata;
        let hello = Hello {
            network: self.config.network.clone(),
            lowest: VERSION,
            highest: VERSION,
            stamp: self.config.stamp,
            metadata: metadata.slice(..metadata.len().min(METADATA_MAX)),
        };
        cx.emit(Output::Send(Message::Hello(hello).to_frame()));
    }

    fn on_frame(&mut self, frame: &Bytes, cx: Cx<'_, '_>) {
        count(&mut self.stats.frames);
        match Message::from_frame(frame) {
            Ok(Some(Message::Hello(hello))) => self.on_hello(hello, cx),
            Ok(Some(Message::Ack { version })) => self.on_ack(version, cx),
            Ok(Some(Message::Nack { motive, alternatives })) => self.on_nack(motive, alternatives, cx),
            Ok(Some(Message::Bye { motive })) => self.close(How::Flush, Reason::ByeByPeer(motive), cx),
            Ok(None) => count(&mut self.stats.unknown),
            Err(Malformed::TooManyAlternatives) => self.violation(Violation::TooManyAlternatives, cx),
            Err(malformed) => self.violation(Violation::Malformed(malformed), cx),
        }
    }

    fn on_hello(&mut self, hello: Hello, cx: Cx<'_, '_>) {
        if self.state != State::Greeting {
            return self.violation(Violation::SecondHello, cx);
        }
        if hello.network != self.config.network {
            return self.refuse(Motive::Network, Vec::new(), cx);
        }
        if self.shunned {
            return self.close(How::Abort, Reason::Shunned, cx);
        }
        let version = hello.highest.min(VERSION);
        if version < hello.lowest || version < VERSION {
            return self.refuse(Motive::Version, Vec::new(), cx);
        }
        if !self.has_worked(&hello) {
            return self.refuse(Motive::Stamp, Vec::new(), cx);
        }
        self.state = State::Answering { version, ours: false, theirs: false };
        self.deadline = Some(cx.now() + self.config.answer_timeout);
        cx.emit(Output::Decide { hello, version });
    }

    fn on_decision(&mut self, decision: Decision, cx: Cx<'_, '_>) {
        let State::Answering { version, ours: false, theirs } = self.state else { return };
        match decision {
            Decision::Admit => {
                cx.emit(Output::Send(Message::Ack { version }.to_frame()));
                self.state = State::Answering { version, ours: true, theirs };
                self.establish_if_agreed(cx);
            }
            Decision::Refuse { motive, alternatives } => self.refuse(motive, alternatives, cx),
        }
    }

    fn on_ack(&mut self, accepted: u64, cx: Cx<'_, '_>) {
        match self.state {
            State::Answering { version, ours, theirs: false } if accepted == version => {
                self.state = State::Answering { version, ours, theirs: true };
                self.establish_if_agreed(cx);
            }
            State::Answering { theirs: true, .. } | State::Established => count(&mut self.stats.repeated),
            State::Refused(_) => self.violation(Violation::AckAfterNack, cx),
            State::Answering { .. } | State::Closed | State::Greeting | State::Over => {
                self.violation(Violation::OutOfOrder, cx);
            }
        }
    }

    fn on_nack(&mut self, motive: Motive, mut alternatives: Vec<Alternative>, cx: Cx<'_, '_>) {
        match self.state {
            State::Greeting | State::Answering { .. } => {
                alternatives.truncate(ALTERNATIVES_TAKEN);
                self.state = State::Refused(motive);
                self.deadline = Some(cx.now() + self.config.refused_timeout);
                cx.emit(Output::Refused { motive, alternatives, back_off: motive.back_off() });
            }
            State::Refused(_) => count(&mut self.stats.repeated),
            State::Closed | State::Established | State::Over => self.violation(Violation::OutOfOrder, cx),
        }
    }

    /// Our side closes: NACK if we have not answered, BYE if we have, nothing to a peer that has refused us.
    fn on_bye(&mut self, motive: Motive, cx: Cx<'_, '_>) {
        match self.state {
            State::Greeting | State::Answering { ours: false, .. } => self.refuse(motive, Vec::new(), cx),
            State::Answering { ours: true, .. } | State::Established => {
                cx.emit(Output::Send(Message::Bye { motive }.to_frame()));
                self.close(How::Flush, Reason::Bye(motive), cx);
            }
            State::Refused(theirs) => self.close(How::Flush, Reason::RefusedByPeer(theirs), cx),
            State::Closed | State::Over => self.close(How::Flush, Reason::Bye(motive), cx),
        }
    }

    fn establish_if_agreed(&mut self, cx: Cx<'_, '_>) {
        if let State::Answering { version, ours: true, theirs: true } = self.state {
            self.state = State::Established;
            self.deadline = None;
            cx.emit(Output::Established { version });
        }
    }

    fn refuse(&mut self, motive: Motive, mut alternatives: Vec<Alternative>, cx: Cx<'_, '_>) {
        fit(&mut alternatives);
        cx.emit(Output::Send(Message::Nack { motive, alternatives }.to_frame()));
        self.close(How::Flush, Reason::Refused(motive), cx);
    }

    fn violation(&mut self, violation: Violation, cx: Cx<'_, '_>) {
        cx.emit(Output::Violation(violation));
        self.close(How::Abort, Reason::Violation, cx);
    }

    /// The stream came to its end: as we were told, if the peer has refused us.
    fn end(&mut self, reason: Reason, cx: Cx<'_, '_>) {
        let reason =
            if let State::Refused(motive) = self.state { Reason::RefusedByPeer(motive) } else { reason };
        self.close(How::Flush, reason, cx);
    }

    fn close(&mut self, how: How, reason: Reason, cx: Cx<'_, '_>) {
        self.state = State::Over;
        self.deadline = None;
        cx.emit(Output::Close { how, reason });
    }

    fn has_worked(&mut self, hello: &Hello) -> bool {
        if self.config.difficulty == 0 {
            return true;
        }
        count(&mut self.stats.stamps_checked);
        hello.stamp.is_some_and(|stamp| stamp.proves(&self.peer.public_key().0, self.config.difficulty))
    }
}

/// Cuts alternatives to what a NACK may hold, the frame limit included.
fn fit(alternatives: &mut Vec<Alternative>) {
    /// Heads of the frame, and of an alternative or an address: more than they ever take.
    const HEADS: usize = 8;
    let mut room = FRAME_MAX.saturating_sub(HEADS);
    let mut count = 0usize;
    for alternative in alternatives.iter_mut().take(ALTERNATIVES_MAX) {
        alternative.addresses.truncate(ADDRESSES_MAX);
        let addresses = alternative.addresses.iter();
        let size = addresses.fold(PeerId::LENGTH + HEADS, |sum, address| sum + address.len() + HEADS);
        let Some(rest) = room.checked_sub(size) else { break };
        room = rest;
        count += 1;
    }
    alternatives.truncate(count);
}
