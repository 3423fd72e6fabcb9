//! The machine around a handshake.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;

use super::{Closing, Config, Ended, Handshake, Input, Output, Step};
use crate::deadline::earliest;
use crate::machine::{Context, Machine};
use crate::stats::count;
use crate::time::Instant;

crate::counters! {
    /// What a session has shed, and how it ended.
    pub struct Stats {
        /// Items held until the link was readable.
        held,
        /// Items shed: too many or too large, or from a stranger.
        shed,
        /// Pieces of input that waited for an answer.
        waited,
        /// Handshakes that took too long.
        timed_out,
        /// Violations that the handshake reported.
        violations,
        /// Malformed frames.
        malformed,
        /// Links closed as too much input came while a question was open.
        overflows,
        /// Links closed as nothing used them.
        idle,
        /// Links closed hard as what was sent did not leave in time.
        flush_timed_out,
    }
}

/// The session of one link, with items `I` for the layers above.
pub struct Session<H: Handshake, I> {
    config: Config,
    handshake: H,
    phase: Phase,
    peer: Option<H::Peer>,
    /// Whether the latest question about `peer` is open.
    asked: bool,
    readable: bool,
    busy: bool,
    waiting: VecDeque<H::Input>,
    waiting_bytes: usize,
    held: VecDeque<I>,
    held_bytes: usize,
    malformed: VecDeque<Instant>,
    timers: Timers,
    /// The latest moment seen (L5).
    latest: Instant,
    stats: Stats,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    Opening,
    Stranger,
    Established,
    Lingering,
    Flushing(Ended),
    Ended,
}

#[derive(Clone, Copy, Debug, Default)]
struct Timers {
    handshake: Option<Instant>,
    stage: Option<Instant>,
    answer: Option<Instant>,
    idle: Option<Instant>,
    /// Lingering or flushing.
    close: Option<Instant>,
}

type Cx<'a, 'b, H, I> = &'a mut Context<'b, Output<I, <H as Handshake>::Output, <H as Handshake>::Peer>>;

impl<H: Handshake, I> Session<H, I> {
    /// A link that is being dialled or was accepted at `now`: from here the deadline runs.
    #[must_use]
    pub fn new(config: Config, handshake: H, now: Instant) -> Self {
        Self {
            timers: Timers { handshake: Some(now + config.handshake), ..Timers::default() },
            config,
            handshake,
            phase: Phase::Opening,
            peer: None,
            asked: false,
            readable: false,
            busy: false,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            held: VecDeque::new(),
            held_bytes: 0,
            malformed: VecDeque::new(),
            latest: now,
            stats: Stats::default(),
        }
    }

    /// Who is at the other end, as far as it has shown.
    #[must_use]
    pub const fn peer(&self) -> Option<H::Peer> {
        self.peer
    }

    /// Whether the handshake is over and the link not closing.
    #[must_use]
    pub fn is_established(&self) -> bool {
        self.phase == Phase::Established
    }

    /// Whether the latest question about the peer is open.
    #[must_use]
    pub const fn is_asking(&self) -> bool {
        self.asked
    }

    /// Whether the session is silent for ever.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// The handshake, for what it has learned.
    pub const fn handshake(&self) -> &H {
        &self.handshake
    }

    /// What was shed.
    #[must_use]
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    const fn is_closing(&self) -> bool {
        matches!(self.phase, Phase::Lingering | Phase::Flushing(_) | Phase::Ended)
    }

    /// Runs the handshake and does what it reports.
    fn run(
        &mut self,
        cx: Cx<'_, '_, H, I>,
        call: impl FnOnce(&mut H, &mut Context<'_, Step<H::Peer, H::Output>>),
    ) {
        let mut steps = Vec::new();
        cx.capture(&mut steps, |cx| call(&mut self.handshake, cx));
        for step in steps {
            self.on_step(step, cx);
        }
    }

    fn on_step(&mut self, step: Step<H::Peer, H::Output>, cx: Cx<'_, '_, H, I>) {
        match step {
            _ if self.phase == Phase::Ended => {}
            Step::Violation(points) => self.on_violation(points, cx),
            // The link goes: of what came behind the last word only the offences count.
            _ if matches!(self.phase, Phase::Flushing(_)) => {}
            Step::Emit(output) => cx.emit(Output::Emit(output)),
            Step::Identified(peer) if self.phase == Phase::Opening => {
                self.peer = Some(peer);
                self.asked = true;
                self.timers.answer = Some(cx.now() + self.config.answer);
                cx.emit(Output::Identified { peer });
            }
            Step::Stage(limit) if self.phase == Phase::Opening => self.timers.stage = Some(cx.now() + limit),
            Step::Readable if self.phase == Phase::Opening => self.open(cx),
            Step::Established if self.phase == Phase::Opening => self.on_established(cx),
            Step::Stranger if self.phase == Phase::Opening => self.on_stranger(cx),
            Step::Refused if !self.is_closing() => self.flush(Ended::RefusedByPeer, cx),
            // What the phase has no room for any more.
            Step::Identified(_)
            | Step::Stage(_)
            | Step::Readable
            | Step::Established
            | Step::Stranger
            | Step::Refused => {}
        }
    }

    fn on_violation(&mut self, points: u32, cx: Cx<'_, '_, H, I>) {
        count(&mut self.stats.violations);
        self.blame(points, cx);
        if !matches!(self.phase, Phase::Flushing(_)) {
            self.abort(Ended::Violation, cx);
        }
    }

    fn on_established(&mut self, cx: Cx<'_, '_, H, I>) {
        // A handshake that nobody was identified in has nobody to establish a link to.
        let Some(peer) = self.peer.filter(|_| !self.asked) else { return self.abort(Ended::Violation, cx) };
        self.phase = Phase::Established;
        self.timers = Timers::default();
        self.restart_idle(cx.now());
        cx.emit(Output::Established { peer });
        self.open(cx);
    }

    fn on_stranger(&mut self, cx: Cx<'_, '_, H, I>) {
        self.phase = Phase::Stranger;
        self.asked = false;
        self.timers = Timers::default();
        self.restart_idle(cx.now());
        cx.emit(Output::Stranger { peer: self.peer });
        self.held_bytes = 0;
        for item in core::mem::take(&mut self.held) {
            self.shed(item, cx);
        }
    }

    /// Items go up from now on, first those that were held.
    fn open(&mut self, cx: Cx<'_, '_, H, I>) {
        self.readable = true;
        self.held_bytes = 0;
        for item in core::mem::take(&mut self.held) {
            cx.emit(Output::Item(item));
        }
    }

    fn on_item(&mut self, item: I, size: usize, cx: Cx<'_, '_, H, I>) {
        match self.phase {
            Phase::Flushing(_) | Phase::Ended => {}
            Phase::Stranger => self.shed(item, cx),
            Phase::Opening | Phase::Established | Phase::Lingering if self.readable => {
                cx.emit(Output::Item(item))
            }
            Phase::Opening | Phase::Established | Phase::Lingering => {
                let bytes = self.held_bytes.saturating_add(size);
                if self.held.len() < self.config.held_max && bytes <= self.config.held_bytes_max {
                    self.held_bytes = bytes;
                    self.held.push_back(item);
                    count(&mut self.stats.held);
                } else {
                    self.shed(item, cx);
                }
            }
        }
    }

    fn on_handshake(&mut self, input: H::Input, cx: Cx<'_, '_, H, I>) {
        if self.phase == Phase::Ended {
            return;
        }
        if !self.asked {
            return self.run(cx, |handshake, cx| handshake.handle(input, cx));
        }
        let bytes = self.waiting_bytes.saturating_add(H::size(&input));
        if self.waiting.len() < self.config.waiting_max && bytes <= self.config.waiting_bytes_max {
            self.waiting_bytes = bytes;
            self.waiting.push_back(input);
            count(&mut self.stats.waited);
        } else {
            count(&mut self.stats.overflows);
            self.abort(Ended::Overflow, cx);
        }
    }

    fn on_answer(&mut self, peer: H::Peer, verdict: Result<(), H::Motive>, cx: Cx<'_, '_, H, I>) {
        if !self.asked || self.peer != Some(peer) || self.is_closing() {
            return;
        }
        self.asked = false;
        self.timers.answer = None;
        let refused = verdict.is_err();
        self.run(cx, |handshake, cx| handshake.answer(verdict, cx));
        if refused && self.phase == Phase::Opening {
            return self.flush(Ended::RefusedByUs, cx);
        }
        while !self.asked && !self.is_closing() {
            let Some(input) = self.waiting.pop_front() else { break };
            self.waiting_bytes = self.waiting_bytes.saturating_sub(H::size(&input));
            self.run(cx, |handshake, cx| handshake.handle(input, cx));
        }
    }

    fn on_malformed(&mut self, cx: Cx<'_, '_, H, I>) {
        if matches!(self.phase, Phase::Flushing(_) | Phase::Ended) {
            return;
        }
        count(&mut self.stats.malformed);
        self.blame(self.config.malformed_points, cx);
        let now = cx.now();
        self.malformed.retain(|at| now.since(*at) < self.config.malformed_window);
        self.malformed.push_back(now);
        if self.malformed.len() >= self.config.malformed_max.clamp(1, 16) {
            self.abort(Ended::Malformed, cx);
        }
    }

    fn on_busy(&mut self, busy: bool, cx: Cx<'_, '_, H, I>) {
        self.busy = busy;
        match self.phase {
            Phase::Stranger | Phase::Established => self.restart_idle(cx.now()),
            Phase::Lingering if !busy => self.flush(Ended::Asked, cx),
            Phase::Opening | Phase::Lingering | Phase::Flushing(_) | Phase::Ended => {}
        }
    }

    fn on_close(&mut self, motive: Option<H::Motive>, how: Closing, cx: Cx<'_, '_, H, I>) {
        match self.phase {
            Phase::Ended => return,
            Phase::Flushing(ended) if how == Closing::Abort => return self.abort(ended, cx),
            Phase::Flushing(_) => return,
            Phase::Opening | Phase::Stranger | Phase::Established => {
                if let Some(motive) = motive {
                    self.run(cx, |handshake, cx| handshake.close(motive, cx));
                }
            }
            Phase::Lingering => {}
        }
        match how {
            Closing::Abort => self.abort(Ended::Asked, cx),
            Closing::Linger if self.busy && self.phase == Phase::Lingering => {}
            Closing::Linger if self.busy => {
                self.phase = Phase::Lingering;
                self.asked = false;
                self.timers = Timers { close: Some(cx.now() + self.config.linger), ..Timers::default() };
            }
            Closing::Linger | Closing::Flush => self.flush(Ended::Asked, cx),
        }
    }

    fn on_idle(&mut self, cx: Cx<'_, '_, H, I>) {
        count(&mut self.stats.idle);
        if let Some(motive) = H::idle() {
            self.run(cx, |handshake, cx| handshake.close(motive, cx));
        }
        if !self.is_closing() {
            self.flush(Ended::Idle, cx);
        }
    }

    fn flush(&mut self, ended: Ended, cx: Cx<'_, '_, H, I>) {
        let unheard = core::mem::take(&mut self.waiting);
        self.forget();
        self.phase = Phase::Flushing(ended);
        self.timers.close = Some(cx.now() + self.config.flush);
        cx.emit(Output::Close(ended));
        for input in unheard {
            self.run(cx, |handshake, cx| handshake.handle(input, cx));
        }
    }

    fn abort(&mut self, ended: Ended, cx: Cx<'_, '_, H, I>) {
        self.forget();
        self.phase = Phase::Ended;
        cx.emit(Output::Abort(ended));
    }

    fn forget(&mut self) {
        self.timers = Timers::default();
        self.waiting = VecDeque::new();
        self.waiting_bytes = 0;
        self.held = VecDeque::new();
        self.held_bytes = 0;
        self.asked = false;
    }

    fn blame(&self, points: u32, cx: Cx<'_, '_, H, I>) {
        if let Some(peer) = self.peer.filter(|_| points > 0) {
            cx.emit(Output::Offence { peer, points });
        }
    }

    fn shed(&mut self, item: I, cx: Cx<'_, '_, H, I>) {
        count(&mut self.stats.shed);
        cx.emit(Output::Shed(item));
    }

    fn restart_idle(&mut self, now: Instant) {
        self.timers.idle = self.config.idle.filter(|_| !self.busy).map(|idle| now + idle);
    }
}

impl<H: Handshake, I> Machine for Session<H, I> {
    type Input = Input<I, H::Input, H::Peer, H::Motive>;
    type Output = Output<I, H::Output, H::Peer>;

    fn handle(&mut self, input: Self::Input, cx: &mut Context<'_, Self::Output>) {
        let cx = &mut cx.not_before(&mut self.latest);
        match input {
            Input::Opened if self.phase == Phase::Opening => {
                self.run(cx, |handshake, cx| handshake.start(cx))
            }
            Input::Opened => {}
            Input::Handshake(input) => self.on_handshake(input, cx),
            Input::Item { item, size } => self.on_item(item, size, cx),
            Input::Answer { peer, verdict } => self.on_answer(peer, verdict, cx),
            Input::Malformed => self.on_malformed(cx),
            Input::Busy(busy) => self.on_busy(busy, cx),
            Input::Close { motive, how } => self.on_close(motive, how, cx),
            Input::Closed => {
                self.forget();
                self.phase = Phase::Ended;
            }
        }
    }

    fn handle_timeout(&mut self, cx: &mut Context<'_, Self::Output>) {
        let now = cx.now();
        let due = |timer: Option<Instant>| timer.is_some_and(|at| at <= now);
        if !due(self.poll_timeout()) {
            return;
        }
        let cx = &mut cx.not_before(&mut self.latest);
        let timers = self.timers;
        if due(timers.close) {
            if let Phase::Flushing(ended) = self.phase {
                count(&mut self.stats.flush_timed_out);
                self.abort(ended, cx);
            } else {
                self.flush(Ended::Asked, cx);
            }
        } else if due(timers.handshake) || due(timers.stage) || due(timers.answer) {
            count(&mut self.stats.timed_out);
            self.abort(Ended::TimedOut, cx);
        } else if due(timers.idle) {
            self.on_idle(cx);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let Timers { handshake, stage, answer, idle, close } = self.timers;
        earliest(earliest(handshake, stage), earliest(answer, earliest(idle, close)))
    }
}

impl<H: Handshake + fmt::Debug, I> fmt::Debug for Session<H, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("phase", &self.phase)
            .field("peer", &self.peer)
            .field("handshake", &self.handshake)
            .field("waiting", &self.waiting.len())
            .field("held", &self.held.len())
            .finish_non_exhaustive()
    }
}
