//! Ten hostile programs against a running node (`threats` 2.3 to 2.6). Each meets its specified end and is counted,
//! while an honest pair publishes before, during and after the attack; every message arrives once, and no honest peer
//! loses its connection.

mod attacker;
mod gossip;
mod raw;
mod streams;
mod upgrade;

use std::cell::Cell;
use std::net::SocketAddr;
use std::time::Duration;

use pleach_core::mesh::{Config, Event};

use crate::peer::{Peer, is_message};

/// The attacked node and its honest neighbours.
struct Scene {
    victim: Peer,
    honest: Vec<Peer>,
    rounds: Cell<u32>,
}

impl Scene {
    /// A node with this configuration and an honest pair.
    async fn start(change: impl FnOnce(&mut Config)) -> Self {
        Self::with(2, change).await
    }

    /// The same with so many honest neighbours.
    async fn with(honest: u8, change: impl FnOnce(&mut Config)) -> Self {
        let victim = Peer::with(1, &[], change).await;
        let mut peers = Vec::new();
        for seed in 2..2 + honest {
            let peer = Peer::start(seed, &[&victim]).await;
            victim.neighbor(peer.id).await;
            peer.neighbor(victim.id).await;
            peers.push(peer);
        }
        let scene = Self { victim, honest: peers, rounds: Cell::new(0) };
        scene.exchange().await;
        scene
    }

    fn everybody(&self) -> impl Iterator<Item = &Peer> {
        self.honest.iter().chain([&self.victim])
    }

    /// Two honest peers publish, and everybody else hears it.
    async fn exchange(&self) {
        self.rounds.set(self.rounds.get() + 1);
        for publisher in self.honest.iter().take(2) {
            let content = format!("round {} of {}", self.rounds.get(), publisher.id);
            publisher.publish(&content).await;
            for hearer in self.everybody().filter(|peer| peer.id != publisher.id) {
                hearer.message(&content).await;
            }
        }
    }

    /// Runs the attack on a thread of its own; the honest peers go on all the while.
    async fn during<T: Send + 'static>(&self, attack: impl FnOnce(SocketAddr) -> T + Send + 'static) -> T {
        let victim = self.victim.address;
        let attack = smol::unblock(move || attack(victim));
        loop {
            self.exchange().await;
            if attack.is_finished() {
                return attack.await;
            }
            async_io::Timer::after(Duration::from_millis(20)).await;
        }
    }

    /// The honest peers heard everything once and nothing else, banned none of their own, and kept their links.
    async fn finish(self) {
        self.exchange().await;
        let lost = self.victims_losses().await;
        assert_eq!(lost, 0, "honest neighbours lost");
        self.finish_with_losses().await;
    }

    /// The same where an attack may cost the victim neighbours, but not their messages.
    async fn finish_with_losses(self) {
        self.exchange().await;
        let rounds = usize::try_from(self.rounds.get()).unwrap();
        let publishers = self.honest.len().min(2);
        for peer in self.everybody() {
            let events = peer.events().await;
            let messages = events.iter().filter(|event| matches!(event, Event::Message { .. })).count();
            let published = self.honest.iter().take(publishers).any(|publisher| publisher.id == peer.id);
            assert_eq!(messages, rounds * (publishers - usize::from(published)), "messages at {}", peer.id);
            for event in &events {
                let Event::Banned { peer: banned, .. } = event else { continue };
                assert!(self.everybody().all(|peer| peer.id != *banned), "{banned} is honest");
            }
        }
    }

    /// How often the victim lost an honest neighbour, or the last link to one.
    async fn victims_losses(&self) -> usize {
        let events = self.victim.events().await;
        let is_loss = |event: &&Event| match event {
            Event::NeighborDown { peer, .. } | Event::PeerDown { peer } => {
                self.honest.iter().any(|honest| honest.id == *peer)
            }
            _ => false,
        };
        events.iter().filter(is_loss).count()
    }

    /// Nobody delivered this.
    async fn nobody_heard(&self, content: &str) {
        for peer in self.everybody() {
            assert!(!peer.events().await.iter().any(|event| is_message(event, content)), "{content}");
        }
    }
}
