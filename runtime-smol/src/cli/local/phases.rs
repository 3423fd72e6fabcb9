//! The course of a run: form, publish, kill, heal, publish again, and let links settle. Every wait has a deadline.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use pleach_core::link::Address;
use pleach_core::mesh::Event;
use pleach_core::rng;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use serde_json::json;
use smol::Executor;

use super::display::{Display, Frame, Row};
use super::ledger::{Era, Ledger};
use super::network::{Happening, Network};
use super::report::Report;
use crate::cli::error::{Exit, Failure};
use crate::cli::output::Output;
use crate::cli::peer;

/// The longest that a listener may take to open.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(10);
const FORM_TIMEOUT: Duration = Duration::from_secs(240);
const DELIVER_TIMEOUT: Duration = Duration::from_secs(120);
/// Several rounds of joining, each later than the one before. The run goes on after it: whether the overlay is good
/// enough, the deliveries tell.
const HEAL_TIMEOUT: Duration = Duration::from_secs(180);
/// Links that are being made when the last message has arrived show on one side only.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the nodes are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long every look must find the overlay whole.
const WHOLE_FOR: Duration = Duration::from_millis(500);
/// Messages that each node publishes in a phase, and the pause between them.
const ROUNDS: usize = 2;
const ROUND_PAUSE: Duration = Duration::from_millis(300);

/// Runs the network through its phases.
pub(super) struct Controller {
    network: Network,
    ledger: Ledger,
    output: Output,
    display: Display,
    nodes: usize,
    bootstrap: Option<Address>,
    begun: Instant,
    phase: &'static str,
    looked: Instant,
    /// Since when every look found the overlay whole.
    whole_since: Option<Instant>,
    refused: u64,
    forming: Option<Duration>,
    healing: Option<Duration>,
    heads_spread: bool,
}

impl Controller {
    pub(super) fn new(nodes: usize, output: Output, executor: Arc<Executor<'static>>) -> Self {
        let now = Instant::now();
        Self {
            network: Network::new(nodes, executor),
            ledger: Ledger::default(),
            output,
            display: Display::new(output),
            nodes,
            bootstrap: None,
            begun: now,
            phase: "start",
            looked: now,
            whole_since: None,
            refused: 0,
            forming: None,
            healing: None,
            heads_spread: false,
        }
    }

    /// All phases. Missing deliveries are no error here: the report judges them.
    pub(super) async fn run(&mut self, kill: usize, freeze: bool, seed: u64) -> Result<(), Failure> {
        self.form().await?;
        self.publish("publish", Era::BeforeKill).await?;
        if kill > 0 {
            self.kill(kill, freeze, seed).await?;
        }
        self.publish("publish-again", Era::AfterHealing).await?;
        // A network that is never whole is no failure: the figures of the report show it.
        self.until(SETTLE_TIMEOUT, |controller| controller.network.topology().is_whole()).await?;
        Ok(())
    }

    /// Ends the live table.
    pub(super) fn finish(&mut self) {
        let frame = self.frame();
        self.display.finish(&frame);
    }

    /// What came of it.
    pub(super) fn report(&self) -> Report {
        let live = self.network.live();
        Report {
            nodes: self.nodes,
            topology: self.network.topology(),
            active_capacity: self.network.active_capacity(),
            tally: self.ledger.tally(&live),
            lacking: self.ledger.lacking(&live),
            duplicates: self.ledger.duplicates,
            forged: self.ledger.forged,
            refused: self.refused,
            latencies: self.ledger.latencies(),
            heads_converged: self.heads_spread && self.network.heads_converged(&live),
            forming: self.forming,
            healing: self.healing,
            killed: self.nodes - live.len(),
            handshakes: self.network.handshakes(),
            redundant: self.network.redundant(),
            took: self.begun.elapsed(),
            live,
        }
    }

    async fn form(&mut self) -> Result<(), Failure> {
        self.begin("form");
        self.network.add(None).await?;
        if !self.until(LISTEN_TIMEOUT, |controller| controller.bootstrap.is_some()).await? {
            return Err(Failure::new(Exit::Failed, "not-listening", "the bootstrap node does not listen"));
        }
        for _ in 1..self.nodes {
            self.network.add(self.bootstrap.clone()).await?;
        }
        let all: BTreeSet<usize> = (0..self.nodes).collect();
        let formed = |controller: &Self| controller.is_whole() && controller.network.heads_converged(&all);
        self.heads_spread = self.until(FORM_TIMEOUT, formed).await?;
        if self.heads_spread {
            self.forming = Some(self.begun.elapsed());
        }
        self.ended(self.heads_spread)
    }

    /// Every live node publishes. The phase ends when everything owed has arrived.
    async fn publish(&mut self, phase: &'static str, era: Era) -> Result<(), Failure> {
        self.begin(phase);
        for round in 0..ROUNDS {
            for node in self.network.live() {
                let payload = Bytes::from(format!("{phase} {round} by node {node}"));
                self.ledger.sent(node, era, payload.clone(), Instant::now());
                self.network.publish(node, payload).await?;
            }
            self.until(ROUND_PAUSE, |_| false).await?;
        }
        let complete = |controller: &Self| controller.ledger.tally(&controller.network.live()).missing == 0;
        let delivered = self.until(DELIVER_TIMEOUT, complete).await?;
        self.ended(delivered)
    }

    async fn kill(&mut self, count: usize, freeze: bool, seed: u64) -> Result<(), Failure> {
        self.begin("heal");
        let mut victims: Vec<usize> = self.network.live().into_iter().collect();
        rng::choose_to_front(&mut ChaCha8Rng::seed_from_u64(seed), &mut victims, count);
        victims.truncate(count);
        let killed = Instant::now();
        for node in &victims {
            self.network.kill(*node, freeze).await?;
        }
        self.output.json("killed", json!({"nodes": victims, "freeze": freeze}))?;
        self.whole_since = None;
        let healed = self.until(HEAL_TIMEOUT, Self::is_whole).await?;
        let whole_after = self.whole_since.map(|since| since.saturating_duration_since(killed));
        self.healing = whole_after.filter(|_| healed);
        self.ended(healed)
    }

    fn is_whole(&self) -> bool {
        self.whole_since.is_some_and(|since| since.elapsed() >= WHOLE_FOR)
    }

    /// Takes in what happens until `done`, or until the time is over. Says whether it was done.
    async fn until(&mut self, timeout: Duration, done: impl Fn(&Self) -> bool) -> Result<bool, Failure> {
        let deadline = Instant::now() + timeout;
        loop {
            let next_look = self.looked + LOOK_EVERY;
            if Instant::now() >= next_look {
                self.look().await;
                if done(self) {
                    return Ok(true);
                }
            }
            if Instant::now() >= deadline {
                // What has happened by now counts, though it waits behind a slow look.
                while let Some(happening) = self.network.waiting() {
                    self.happened(happening).await?;
                }
                self.look().await;
                return Ok(done(self));
            }
            if let Some(happening) = self.network.next(next_look.min(deadline)).await {
                self.happened(happening).await?;
            }
        }
    }

    async fn happened(&mut self, happening: Happening) -> Result<(), Failure> {
        match happening {
            Happening::Event(node, at, event) => self.heard(node, at, event).await,
            Happening::Signal(exit) => {
                Err(Failure::new(exit, "interrupted", format!("interrupted in phase {}", self.phase)))
            }
        }
    }

    async fn look(&mut self) {
        self.network.look().await;
        self.looked = Instant::now();
        let whole = self.network.topology().is_whole();
        self.whole_since = whole.then(|| self.whole_since.unwrap_or(self.looked));
        let frame = self.frame();
        self.display.draw(&frame);
    }

    async fn heard(&mut self, node: usize, at: Instant, event: Event) -> Result<(), Failure> {
        if let Some(answer) = peer::welcome(&event) {
            return self.network.command(node, answer).await;
        }
        match event {
            Event::Message { author, payload, .. } => {
                let author = author.and_then(|author| self.network.number(&author));
                self.ledger.arrived(node, author, &payload, at);
            }
            Event::Listening { address } if node == 0 => self.bootstrap = Some(address),
            Event::ListenFailed { cause } => {
                let what = format!("node {node} cannot listen on loopback: {cause}");
                return Err(Failure::new(Exit::Failed, "listen-failed", what));
            }
            Event::Done { result: Err(error), .. } => {
                self.refused += 1;
                tracing::warn!(node, %error, "a command was refused");
            }
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, phase: &'static str) {
        self.phase = phase;
        let frame = self.frame();
        self.display.begin(&frame);
    }

    fn ended(&mut self, ok: bool) -> Result<(), Failure> {
        let frame = self.frame();
        self.display.end(&frame, ok);
        self.output.json(
            "phase",
            json!({
                "phase": self.phase,
                "ok": ok,
                "at_ms": u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
                "live": frame.live,
                "components": frame.components,
                "asymmetric_links": frame.asymmetric_links,
                "delivered": frame.tally.delivered,
                "expected": frame.tally.expected,
            }),
        )
    }

    fn frame(&self) -> Frame {
        let topology = self.network.topology();
        let live = self.network.live();
        let row = |node| Row {
            fate: self.network.fate(node),
            active: topology.view_size(node),
            heads: self.network.heads(node, &live),
            received: self.ledger.received(node),
        };
        Frame {
            phase: self.phase,
            elapsed: self.begun.elapsed(),
            live: live.len(),
            components: topology.components(),
            asymmetric_links: topology.asymmetric_links(),
            dead_links: topology.dead_links(),
            view_sizes: topology.view_sizes(),
            active_capacity: self.network.active_capacity(),
            tally: self.ledger.tally(&live),
            rows: (0..self.nodes).map(row).collect(),
        }
    }
}
