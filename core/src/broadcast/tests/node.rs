//! One instance, fed by hand.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use crate::broadcast::{
    Announcement, Broadcast, Config, Event, Id, Input, Message, Outcome, Output, Scope, Stats, Verdict,
    Violation,
};
use crate::machine::{At, Context, Machine};
use crate::time::{Instant, WallTime};

pub(super) type Out = Output<u32>;

pub(super) struct Node {
    pub(super) machine: Broadcast<u32>,
    now: Instant,
    rng: ChaCha8Rng,
}

pub(super) const MS: fn(u64) -> Duration = Duration::from_millis;

impl Node {
    /// With neighbours 1 to `neighbours`, all eager and of our own kind.
    pub(super) fn new(neighbours: u32) -> Self {
        Self::with(Config::default(), neighbours)
    }

    pub(super) fn with(config: Config, neighbours: u32) -> Self {
        let mut node = Self {
            machine: Broadcast::new(Arc::new(config)),
            now: Instant::from_micros(1_000_000),
            rng: ChaCha8Rng::seed_from_u64(0),
        };
        for peer in 1..=neighbours {
            assert_eq!(node.up(peer), []);
        }
        node
    }

    pub(super) fn validating(neighbours: u32) -> Self {
        Self::with(Config { validate: true, ..Config::default() }, neighbours)
    }

    pub(super) fn feed(&mut self, input: Input<u32>) -> Vec<Out> {
        self.call(|machine, cx| machine.handle(input, cx))
    }

    fn call(&mut self, run: impl FnOnce(&mut Broadcast<u32>, &mut Context<'_, Out>)) -> Vec<Out> {
        let mut outputs = Vec::new();
        let at = At { now: self.now, wall: WallTime::default() };
        run(&mut self.machine, &mut Context::new(at, &mut self.rng, &mut outputs));
        outputs
    }

    /// Lets time pass; whatever became due on the way.
    pub(super) fn wait(&mut self, span: Duration) -> Vec<Out> {
        let end = self.now + span;
        let mut outputs = Vec::new();
        while let Some(due) = self.machine.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            outputs.extend(self.call(|machine, cx| machine.handle_timeout(cx)));
            assert!(self.machine.poll_timeout().is_none_or(|next| next > self.now), "L3");
        }
        self.now = end;
        outputs
    }

    pub(super) fn early_timeout(&mut self) -> Vec<Out> {
        self.call(|machine, cx| machine.handle_timeout(cx))
    }

    pub(super) fn turn_back(&mut self, span: Duration) {
        self.now = self.now - span;
    }

    pub(super) fn up(&mut self, peer: u32) -> Vec<Out> {
        self.feed(Input::NeighborUp { peer, extended: true })
    }

    pub(super) fn down(&mut self, peer: u32) -> Vec<Out> {
        self.feed(Input::NeighborDown { peer })
    }

    pub(super) fn message(&mut self, from: u32, message: Message) -> Vec<Out> {
        self.feed(Input::Message { from, message })
    }

    pub(super) fn payload(&mut self, from: u32, text: &str, hop: u32) -> Vec<Out> {
        self.message(from, payload(text, hop))
    }

    pub(super) fn ihave(&mut self, from: u32, text: &str, hop: u32) -> Vec<Out> {
        self.message(from, Message::IHave(vec![Announcement { id: id(text), hop }]))
    }

    pub(super) fn graft(&mut self, from: u32, text: &str) -> Vec<Out> {
        self.message(from, Message::Graft(vec![id(text)]))
    }

    pub(super) fn prune(&mut self, from: u32) -> Vec<Out> {
        self.message(from, Message::Prune)
    }

    pub(super) fn publish(&mut self, text: &str) -> Vec<Out> {
        self.feed(Input::Publish { token: 7, payload: bytes(text), scope: Scope::Swarm })
    }

    pub(super) fn verdict(&mut self, text: &str, verdict: Verdict) -> Vec<Out> {
        self.feed(Input::Verdict { id: id(text), verdict })
    }

    pub(super) fn eager(&self) -> Vec<u32> {
        self.machine.eager().collect()
    }

    pub(super) fn lazy(&self) -> Vec<u32> {
        self.machine.lazy().collect()
    }

    pub(super) fn stats(&self) -> Stats {
        self.machine.stats()
    }
}

pub(super) fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

pub(super) fn id(text: &str) -> Id {
    Id::of(text.as_bytes())
}

pub(super) fn payload(text: &str, hop: u32) -> Message {
    Message::Payload { id: id(text), hop, payload: bytes(text) }
}

pub(super) fn sent(peers: &[u32], message: Message) -> Out {
    Output::Send { peers: peers.into(), message }
}

pub(super) fn announced(peers: &[u32], entries: &[(&str, u32)]) -> Out {
    let entries = entries.iter().map(|(text, hop)| Announcement { id: id(text), hop: *hop });
    sent(peers, Message::IHave(entries.collect()))
}

pub(super) fn grafted(peer: u32, texts: &[&str]) -> Out {
    sent(&[peer], Message::Graft(texts.iter().map(|text| id(text)).collect()))
}

pub(super) fn pruned(peer: u32) -> Out {
    sent(&[peer], Message::Prune)
}

pub(super) fn delivered(from: u32, text: &str, hop: u32) -> Out {
    Output::Event(Event::Delivered { id: id(text), from, hop, payload: bytes(text) })
}

pub(super) fn published(text: &str, outcome: Outcome) -> Out {
    Output::Event(Event::Published { token: 7, id: id(text), outcome })
}

pub(super) fn lost(text: &str) -> Out {
    Output::Event(Event::Lost { id: id(text) })
}

pub(super) fn asked(from: u32, text: &str) -> Out {
    Output::Validate { id: id(text), payload: bytes(text), from }
}

pub(super) fn violation(peer: u32, violation: Violation) -> Out {
    Output::Violation { peer, violation }
}

pub(super) fn stranger(peer: u32) -> Out {
    Output::Stranger { peer }
}
