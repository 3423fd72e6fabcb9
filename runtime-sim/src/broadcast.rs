//! Runs broadcasts: builds the network, carries out the plan, computes the figures.

use std::time::Duration;

use pleach_core::Instant;

use crate::clock::millis;
use crate::memory::resident;
use crate::mesh::Mesh;
use crate::model::Model;
use crate::network::Network;
use crate::record::payload;
use crate::rng::{Domain, stream};
use crate::run::{Outcome, Progress, Stage};
use crate::scenario::{Broadcast, Fidelity};
use crate::summary::{Seen, Summary};
use crate::wire::Wire;
use crate::workload::{Plan, Step};

/// Runs a scenario with a seed.
pub fn run(scenario: &Broadcast, seed: u64, watch: &mut dyn FnMut(Progress)) -> Outcome<Summary> {
    let before = resident();
    let latency = scenario.latency(seed);
    let (mut summary, broken, at_peak) = match scenario.fidelity {
        Fidelity::Model => drive(scenario, seed, &mut Model::new(scenario, seed, latency), watch),
        Fidelity::Wire => {
            let nodes = Mesh::new(scenario.nodes.into());
            drive(scenario, seed, &mut Wire::new(nodes, scenario, seed, latency), watch)
        }
    };
    summary.bytes_per_node =
        at_peak.zip(before).map(|(peak, before)| peak.saturating_sub(before) / summary.nodes.max(1) as u64);
    let missed = scenario.misses(&summary);
    Outcome { summary, broken, expectations: scenario.bounds(), missed }
}

/// Carries out the plan. Returns the figures, the broken promises, and the memory in use after the last broadcast.
pub fn drive(
    scenario: &Broadcast,
    seed: u64,
    network: &mut dyn Network,
    watch: &mut dyn FnMut(Progress),
) -> (Summary, Vec<String>, Option<u64>) {
    let plan = Plan::new(scenario, seed);
    let mut drive = Drive::new(&plan, network, watch);
    let mut rng = stream(seed, Domain::Workload, 1);
    let size = scenario.payload_bytes as usize;
    let mut before = None;
    let mut counts_from = plan.counts_from.iter();
    for (at, step) in &plan.steps {
        drive.advance(*at);
        match step {
            Step::Join { contacts } => {
                drive.network.record_mut().joins(counts_from.next().copied().unwrap_or_default());
                drive.network.join(contacts);
            }
            Step::Crash { nodes } => drive.network.crash(nodes),
            Step::Leave { node } => drive.network.leave(*node),
            Step::Publish { node } => {
                let record = drive.network.record_mut();
                before.get_or_insert((record.control, record.payloads));
                let number = u32::try_from(record.messages().len()).unwrap_or(u32::MAX);
                record.published(*at, *node);
                drive.network.publish(*node, payload(number, size, &mut rng));
                drive.stage = Stage::Broadcast(number + 1);
            }
        }
    }
    let last = drive.now + Duration::from_millis(scenario.pace_ms);
    drive.advance(last.min(plan.end));
    let at_peak = resident();
    let record = drive.network.record();
    let (control, payloads) = before.unwrap_or_default();
    let (control, payloads) = (record.control.since(&control), record.payloads.since(&payloads));
    drive.stage = Stage::Drain;
    drive.advance(plan.end);
    let (graph, tally) = (drive.network.graph(), drive.network.tally());
    let seen = Seen { graph, healed_at: drive.healed_at, control, payloads, tally };
    let summary = Summary::new(seed, &plan, drive.network.record(), &seen);
    (summary, broken_promises(drive.network, &seen), at_peak)
}

/// Promises of every run, whatever the scenario expects.
fn broken_promises(network: &dyn Network, seen: &Seen) -> Vec<String> {
    let record = network.record();
    let promises = [
        (record.delivered_twice, "messages were delivered twice at one node"),
        (record.unknown, "deliveries of something that nobody published"),
        (seen.tally.accused, "accusations among honest nodes"),
        (seen.tally.unprotected, "links without a handshake"),
        (seen.tally.stale.unwrap_or_default(), "messages sent where there was no link"),
    ];
    let broken =
        promises.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    broken.chain(seen.tally.first_accusation.clone()).collect()
}

/// A run under way.
struct Drive<'a> {
    network: &'a mut dyn Network,
    watch: &'a mut dyn FnMut(Progress),
    now: Instant,
    end: Instant,
    stage: Stage,
    killed_at: Option<Instant>,
    healed_at: Option<Instant>,
    probe_every: Duration,
}

impl<'a> Drive<'a> {
    fn new(plan: &Plan, network: &'a mut dyn Network, watch: &'a mut dyn FnMut(Progress)) -> Self {
        let thousands = u32::try_from(plan.counts_from.len() / 1000).unwrap_or(u32::MAX).max(1);
        Self {
            network,
            watch,
            now: Instant::ORIGIN,
            end: plan.end,
            stage: Stage::WarmUp,
            killed_at: plan.killed_at,
            healed_at: None,
            // Looking at the whole overlay costs as much as some thousand events.
            probe_every: Duration::from_millis(100) * thousands,
        }
    }

    /// Runs until `to`, in steps of at most a second, looking at the overlay while it is not healed.
    fn advance(&mut self, to: Instant) {
        while self.now < to {
            let probing = self.healed_at.is_none() && self.killed_at.is_some_and(|killed| killed <= self.now);
            let stride = if probing { self.probe_every } else { Duration::from_secs(1) };
            self.now = to.min(self.now + stride);
            self.network.run_until(self.now);
            if probing && self.network.graph().components().len() <= 1 {
                self.healed_at = Some(self.now);
            }
            let (done_ms, of_ms) = (millis(Instant::ORIGIN, self.now), millis(Instant::ORIGIN, self.end));
            (self.watch)(Progress { stage: self.stage, done_ms, of_ms });
        }
        self.network.run_until(to);
    }
}

#[cfg(test)]
mod tests;
