//! Rules of a toy network, and a table with its clocks.

use alloc::vec::Vec;
use core::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::super::*;
use crate::machine::{At, Context, Machine};
use crate::time::{Instant, WallTime};

pub(super) const OWN: u32 = 1000;
pub(super) const DAY_MS: u64 = 24 * 3600 * 1000;
/// Where the wall clock of the tests starts.
pub(super) const EPOCH: u64 = 1_000_000_000_000;

/// A HEAD whose signature says whether it is right.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct ToyHead {
    pub(super) owner: u32,
    pub(super) node: u32,
    pub(super) height: u64,
    pub(super) issued: u64,
    pub(super) salt: u8,
    /// 0 is wrong; others are right and differ.
    pub(super) signature: u8,
}

#[derive(Debug)]
pub(super) struct Toy;

impl Rules for Toy {
    type Peer = u32;
    type Key = (u32, u32);
    type Head = ToyHead;
    type Order = (u64, u64);
    type Own = (u64, u8);

    const STEP_MAX: u32 = 255;

    fn key(&self, head: &ToyHead) -> (u32, u32) {
        (head.owner, head.node)
    }

    fn owner(&self, head: &ToyHead) -> u32 {
        head.owner
    }

    fn order(&self, head: &ToyHead) -> (u64, u64) {
        (head.height, head.issued)
    }

    fn issued(&self, head: &ToyHead) -> u64 {
        head.issued
    }

    fn same(&self, one: &ToyHead, other: &ToyHead) -> bool {
        ToyHead { signature: 0, ..*one } == ToyHead { signature: 0, ..*other }
    }

    fn lifetime(&self, head: &ToyHead, wall: WallTime) -> Result<Duration, Untimely> {
        if head.issued > wall.unix_ms() + 600_000 {
            return Err(Untimely::Early);
        }
        let age = wall.unix_ms().saturating_sub(head.issued);
        DAY_MS.checked_sub(age).map(Duration::from_millis).ok_or(Untimely::Late)
    }

    fn verify(&self, head: &ToyHead) -> bool {
        head.signature != 0
    }

    fn own_key(&self) -> (u32, u32) {
        (OWN, 0)
    }

    fn is_change(&self, before: &(u64, u8), after: &(u64, u8)) -> bool {
        before.0 != after.0
    }

    fn own_head(&self, own: &(u64, u8), previous: Option<&ToyHead>, wall: WallTime) -> ToyHead {
        let issued = previous.map_or(0, |previous| previous.issued + 1).max(wall.unix_ms());
        let height = previous.map_or(0, |previous| previous.height).max(own.0);
        ToyHead { owner: OWN, node: 0, height, issued, salt: own.1, signature: 1 }
    }
}

pub(super) fn head(owner: u32, height: u64, issued: u64) -> ToyHead {
    ToyHead { owner, node: 0, height, issued: EPOCH + issued, salt: 0, signature: 1 }
}

pub(super) fn at_step(head: ToyHead, step: u32) -> Announced<ToyHead> {
    Announced { head, step }
}

pub(super) type Out = Output<u32, (u32, u32), ToyHead>;

/// A table, its clocks, and what it said.
pub(super) struct Table {
    pub(super) heads: Heads<Toy>,
    pub(super) now_ms: u64,
    rng: ChaCha8Rng,
    /// Frames sent: when, to whom, what.
    pub(super) frames: Vec<(u64, u32, Vec<Announced<ToyHead>>)>,
    /// Everything else.
    pub(super) said: Vec<Out>,
    /// Whether frames leave at once.
    pub(super) drains: bool,
}

impl Table {
    pub(super) fn new(config: Config) -> Self {
        Self {
            heads: Heads::new(config, Toy),
            now_ms: 0,
            rng: ChaCha8Rng::seed_from_u64(3),
            frames: Vec::new(),
            said: Vec::new(),
            drains: true,
        }
    }

    /// With links to these peers.
    pub(super) fn linked(config: Config, peers: &[u32]) -> Self {
        let mut table = Self::new(config);
        for peer in peers {
            table.feed(Input::LinkUp { peer: *peer });
        }
        table
    }

    pub(super) fn feed(&mut self, input: Input<u32, ToyHead, (u64, u8)>) {
        self.call(|heads, cx| heads.handle(input, cx));
    }

    pub(super) fn receive(&mut self, from: u32, heads: impl IntoIterator<Item = Announced<ToyHead>>) {
        self.feed(Input::Received { from, heads: heads.into_iter().collect() });
    }

    /// Lets time pass, running what becomes due at its very moment.
    pub(super) fn pass(&mut self, ms: u64) {
        let end = self.now_ms + ms;
        while let Some(due) = self.heads.poll_timeout() {
            let due_ms = due.as_micros().div_ceil(1000).max(self.now_ms);
            if due_ms > end {
                break;
            }
            self.now_ms = due_ms;
            self.call(|heads, cx| heads.handle_timeout(cx));
            let now = Instant::from_micros(self.now_ms * 1000);
            assert!(self.heads.poll_timeout().is_none_or(|next| next > now), "L3");
        }
        self.now_ms = end;
    }

    /// Calls although nothing is due.
    pub(super) fn early_timeout(&mut self) {
        let now = Instant::from_micros(self.now_ms * 1000);
        if self.heads.poll_timeout().is_some_and(|due| due > now) {
            self.call(|heads, cx| heads.handle_timeout(cx));
        }
    }

    /// What was sent to `peer`, frame after frame.
    pub(super) fn sent_to(&self, peer: u32) -> Vec<Announced<ToyHead>> {
        self.frames.iter().filter(|(_, to, _)| *to == peer).flat_map(|(_, _, heads)| heads.clone()).collect()
    }

    fn call(&mut self, run: impl FnOnce(&mut Heads<Toy>, &mut Context<'_, Out>)) {
        let wall = WallTime::from_unix_ms(EPOCH + self.now_ms);
        let at = At { now: Instant::from_micros(self.now_ms * 1000), wall };
        let mut outputs = Vec::new();
        run(&mut self.heads, &mut Context::new(at, &mut self.rng, &mut outputs));
        for output in outputs {
            match output {
                Output::Send { to, heads } => {
                    self.frames.push((self.now_ms, to, heads));
                    if self.drains {
                        self.feed(Input::Drained { peer: to });
                    }
                }
                Output::CheckAdmitted { .. } | Output::Violation { .. } | Output::Event(_) => {
                    self.said.push(output)
                }
            }
        }
    }
}
