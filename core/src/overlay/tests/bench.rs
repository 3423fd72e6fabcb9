//! One instance by itself, with named peers, to check rule after rule.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::network::{Peer, check_views, contact};
use crate::machine::{At, Context, Machine};
use crate::overlay::{Config, DownReason, Event, Input, Message, Output, Overlay, Priority};
use crate::time::{Instant, WallTime};

pub(super) const ME: Peer = 0;

/// An instance, its clock, and what it said in the last call.
pub(super) struct Bench {
    pub(super) overlay: Overlay<Peer>,
    pub(super) now: Instant,
    rng: ChaCha8Rng,
}

impl Bench {
    /// Started, without bootstrap nodes; A = `active`, P = `passive`.
    pub(super) fn new(active: usize, passive: usize) -> Self {
        Self::with(Config {
            active_capacity: Some(active),
            passive_capacity: Some(passive),
            ..Config::default()
        })
    }

    pub(super) fn with(config: Config) -> Self {
        let mut bench = Self::raw(config);
        bench.give(Input::Addresses(contact(ME).addresses));
        bench.give(Input::Join { bootstrap: Vec::new() });
        bench
    }

    /// Nothing was said to it yet.
    pub(super) fn raw(config: Config) -> Self {
        let overlay = Overlay::new(Arc::new(config), ME, WallTime::from_unix_ms(1_800_000_000_000));
        Self { overlay, now: Instant::from_micros(1_000_000), rng: ChaCha8Rng::seed_from_u64(1) }
    }

    pub(super) fn give(&mut self, input: Input<Peer>) -> Vec<Output<Peer>> {
        self.call(Some(input))
    }

    pub(super) fn hear(&mut self, from: Peer, message: Message<Peer>) -> Vec<Output<Peer>> {
        self.give(Input::Message { from, message })
    }

    /// Lets time pass, through every deadline on the way.
    pub(super) fn wait(&mut self, time: Duration) -> Vec<Output<Peer>> {
        let end = self.now + time;
        let mut outputs = Vec::new();
        while let Some(at) = self.overlay.poll_timeout().filter(|at| *at <= end) {
            self.now = at;
            outputs.extend(self.call(None));
            assert!(self.overlay.poll_timeout().is_none_or(|next| next > at));
        }
        self.now = end;
        outputs
    }

    pub(super) fn connect(&mut self, peer: Peer) -> Vec<Output<Peer>> {
        self.give(Input::Connected { peer, dialled: false })
    }

    /// Makes it a neighbour that asked for the link itself.
    pub(super) fn befriend(&mut self, peer: Peer) {
        self.connect(peer);
        self.hear(peer, neighbor(peer, Priority::Low, 1));
        assert!(self.overlay.is_active(&peer));
    }

    /// Puts it into the passive view, through a refused request.
    pub(super) fn remember(&mut self, by: Peer, peers: impl IntoIterator<Item = Peer>) {
        let nodes = peers.into_iter().map(contact).collect();
        let origin = contact(by);
        self.hear(by, Message::Shuffle { ttl: 1, origin, nodes, nonce: Some(u64::from(by)) });
    }

    pub(super) fn active(&self) -> Vec<Peer> {
        self.overlay.active().collect()
    }

    pub(super) fn passive(&self) -> Vec<Peer> {
        self.overlay.passive().collect()
    }

    pub(super) fn pending(&self) -> Vec<Peer> {
        self.overlay.pending().collect()
    }

    /// Calls the timeout handler before anything is due.
    pub(super) fn time_out_early(&mut self) -> Vec<Output<Peer>> {
        if self.overlay.poll_timeout().is_some_and(|at| at <= self.now) {
            Vec::new()
        } else {
            self.call(None)
        }
    }

    fn call(&mut self, input: Option<Input<Peer>>) -> Vec<Output<Peer>> {
        let mut outputs = Vec::new();
        let at = At { now: self.now, wall: WallTime::default() };
        let mut cx = Context::new(at, &mut self.rng, &mut outputs);
        match input {
            Some(input) => self.overlay.handle(input, &mut cx),
            None => self.overlay.handle_timeout(&mut cx),
        }
        if self.overlay.active().count() <= self.overlay.active_capacity() {
            check_views(&self.overlay, ME);
        }
        outputs
    }
}

pub(super) fn neighbor(peer: Peer, priority: Priority, epoch: u64) -> Message<Peer> {
    Message::Neighbor { peer: contact(peer), priority, epoch: Some(epoch) }
}

pub(super) const fn disconnect(alive: bool, epoch: u64) -> Message<Peer> {
    Message::Disconnect { alive, epoch: Some(epoch), backoff_s: None }
}

pub(super) fn join(peer: Peer, nonce: u64) -> Message<Peer> {
    Message::Join { ttl: 3, peer: contact(peer), nonce: Some(nonce) }
}

pub(super) fn forward_join(ttl: u32, peer: Peer, nonce: u64) -> Message<Peer> {
    Message::ForwardJoin { ttl, peer: contact(peer), nonce: Some(nonce) }
}

/// What was sent, and to whom.
pub(super) fn sent(outputs: &[Output<Peer>]) -> Vec<(Peer, Message<Peer>)> {
    pick(
        outputs,
        |output| if let Output::Send { to, message } = output { Some((*to, message.clone())) } else { None },
    )
}

pub(super) fn dialled(outputs: &[Output<Peer>]) -> Vec<Peer> {
    pick(outputs, |output| if let Output::Dial { peer, .. } = output { Some(*peer) } else { None })
}

pub(super) fn released(outputs: &[Output<Peer>]) -> Vec<Peer> {
    pick(outputs, |output| if let Output::Release { peer } = output { Some(*peer) } else { None })
}

pub(super) fn went_up(outputs: &[Output<Peer>]) -> Vec<Peer> {
    pick(
        outputs,
        |output| if let Output::Event(Event::NeighborUp { peer }) = output { Some(*peer) } else { None },
    )
}

pub(super) fn went_down(outputs: &[Output<Peer>]) -> Vec<(Peer, DownReason)> {
    pick(outputs, |output| {
        if let Output::Event(Event::NeighborDown { peer, reason }) = output {
            Some((*peer, *reason))
        } else {
            None
        }
    })
}

/// The DISCONNECT that were sent: to whom, alive, back-off.
pub(super) fn disconnects(outputs: &[Output<Peer>]) -> Vec<(Peer, bool, Option<u32>)> {
    pick(&sent(outputs), |(to, message)| {
        if let Message::Disconnect { alive, backoff_s, .. } = message {
            Some((*to, *alive, *backoff_s))
        } else {
            None
        }
    })
}

/// The NEIGHBOR that were sent: to whom, priority, epoch.
pub(super) fn neighbors(outputs: &[Output<Peer>]) -> Vec<(Peer, Priority, u64)> {
    pick(&sent(outputs), |(to, message)| {
        if let Message::Neighbor { priority, epoch, .. } = message {
            Some((*to, *priority, epoch.unwrap()))
        } else {
            None
        }
    })
}

/// The FORWARD_JOIN that were sent: to whom, ttl, joiner.
pub(super) fn forward_joins(outputs: &[Output<Peer>]) -> Vec<(Peer, u32, Peer)> {
    pick(&sent(outputs), |(to, message)| {
        if let Message::ForwardJoin { ttl, peer, .. } = message { Some((*to, *ttl, peer.peer)) } else { None }
    })
}

/// The SHUFFLE that were sent: to whom, ttl, the entries, the nonce.
pub(super) fn shuffles(outputs: &[Output<Peer>]) -> Vec<(Peer, u32, Vec<Peer>, Option<u64>)> {
    pick(&sent(outputs), |(to, message)| {
        let Message::Shuffle { ttl, nodes, nonce, .. } = message else { return None };
        Some((*to, *ttl, nodes.iter().map(|node| node.peer).collect(), *nonce))
    })
}

/// The SHUFFLE_REPLY that were sent: to whom, the entries, the nonce.
pub(super) fn replies(outputs: &[Output<Peer>]) -> Vec<(Peer, Vec<Peer>, Option<u64>)> {
    pick(&sent(outputs), |(to, message)| {
        let Message::ShuffleReply { nodes, nonce } = message else { return None };
        Some((*to, nodes.iter().map(|node| node.peer).collect(), *nonce))
    })
}

fn pick<T, U>(from: &[T], choose: impl FnMut(&T) -> Option<U>) -> Vec<U> {
    from.iter().filter_map(choose).collect()
}
