//! Pairs of honest people, and peers that break the protocol, on one relay of Bob's.
//!
//! ```text
//! scenario + seed -> plan -> hosts: a relay, people, hostile programs (actor) -> checks, fates -> summary
//! ```
//!
//! People run the machines of [`pleach_core::bob`] and do what their users would: wait, decide, take content as fast as
//! they can. The checks see the bytes on every link and trust no machine.

mod actor;
mod check;
mod hostile;
mod people;
mod plan;
mod summary;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use pleach_core::Instant;
use pleach_core::bob::relay::{self, Relay};
use pleach_core::bob::{client, peer, server};
use pleach_core::link::{Address, ListenerId};

use crate::clock::millis;
use crate::net::{Net, Observer, Stop, Traffic};
use crate::run::{Outcome, Progress, Stage};
use crate::scenario::BobRelay;
use crate::scenario::bob_relay::Conduct;
use actor::{Actor, Liar, Order, Report};
use check::{Broken, Checks, Circumstances, End, Fate, judge, took};
use hostile::Hostile;
use people::{Receiver, Sender};
use plan::{Fault, Part, Plan, Step, Who};

pub use check::{Checked, Ending};
pub use summary::{Summary, Times, Transfer};

/// The host of the relay: the first one.
const RELAY: u32 = 0;
const RELAY_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
/// Its handshake port.
const HANDSHAKE: SocketAddr = SocketAddr::new(RELAY_IP, 9000);
/// Its room port.
const ROOM: SocketAddr = SocketAddr::new(RELAY_IP, 9001);
/// Its listener at the handshake port.
const HANDSHAKE_LISTENER: ListenerId = ListenerId(0);
/// Its listener at the room port.
const ROOM_LISTENER: ListenerId = ListenerId(1);

/// How exactly faults hit the moment that they wait for.
const STRIDE: Duration = Duration::from_millis(10);

/// Links that a handshake passes from the moment that a share is passed on until its end is known there: to the sender,
/// back, to the receiver, back, and once more to the sender.
const LEGS: u32 = 6;

/// Runs a scenario with a seed.
pub fn run(scenario: &BobRelay, seed: u64, watch: &mut dyn FnMut(Progress)) -> Outcome<Summary> {
    let plan = Plan::new(scenario, seed);
    let (summary, broken) = drive(scenario, seed, &plan, relay_config(scenario), watch);
    let missed = scenario.misses(&summary);
    Outcome { summary, broken, expectations: scenario.bounds(), missed }
}

/// Carries out the plan. The figures, and what is broken.
fn drive(
    scenario: &BobRelay,
    seed: u64,
    plan: &Plan,
    relay: relay::Config,
    watch: &mut dyn FnMut(Progress),
) -> (Summary, Vec<String>) {
    let mut drive = Drive::new(scenario, seed, plan, relay);
    for (at, step) in &plan.steps {
        drive.advance(*at, watch);
        drive.step(*step);
    }
    drive.stage = Stage::Drain;
    drive.advance(plan.end, watch);
    drive.finish()
}

/// How the relay is configured.
fn relay_config(scenario: &BobRelay) -> relay::Config {
    let mut config = relay::Config::new(Address::Socket(HANDSHAKE), Address::Socket(ROOM));
    config.timeout = scenario.relay_timeout();
    config.room_from_own_address_only = scenario.own_address_rooms;
    config
}

/// A run under way.
struct Drive<'a> {
    scenario: &'a BobRelay,
    seed: u64,
    plan: &'a Plan,
    net: Net<Actor>,
    ears: Ears,
    stage: Stage,
    /// Hosts that have come, the relay left out: they are numbered from 1.
    joined: usize,
    /// What the relay had counted when it stopped.
    relay_stopped: Option<relay::Stats>,
    crashed: usize,
    frozen: usize,
}

/// Hears what everybody reports.
struct Ears {
    checks: Checks,
    /// By host, without the relay; none for hostile ones.
    fates: Vec<Option<Fate>>,
    wrong_password: u64,
    refused: u64,
    rooms: u64,
    bytes: u64,
    /// Hostile hosts that reached the relay.
    hostile: BTreeSet<u32>,
    /// Hosts that are to stop.
    faults: BTreeMap<usize, Doom>,
}

/// When a host stops.
#[derive(Clone, Copy, Debug)]
enum Doom {
    /// When it has come that far.
    When(Fault),
    /// It has: then.
    At(Instant, Stop),
}

impl<'a> Drive<'a> {
    fn new(scenario: &'a BobRelay, seed: u64, plan: &'a Plan, config: relay::Config) -> Self {
        let mut net = Net::new(seed, scenario.latency(seed), scenario.dead_dials);
        let under_way = scenario.latency_max() * LEGS;
        let patience = people::answer_timeout(scenario);
        let checks = Checks::new(&config.guessing, &server::Guesses::default(), under_way, patience);
        let relay = Relay::new(config);
        let relay = match scenario.relay {
            Conduct::Honest => Actor::Relay(Box::new(relay)),
            Conduct::Lying => Actor::Liar(Box::new(Liar::new(relay))),
        };
        net.add(relay, 0);
        let mut ears = Ears {
            checks,
            fates: Vec::new(),
            wrong_password: 0,
            refused: 0,
            rooms: 0,
            bytes: 0,
            hostile: BTreeSet::new(),
            faults: plan.faults.iter().map(|(host, fault)| (*host, Doom::When(*fault))).collect(),
        };
        for (number, pair) in plan.pairs.iter().enumerate() {
            ears.checks.pair(number, pair);
        }
        Self {
            scenario,
            seed,
            plan,
            net,
            ears,
            stage: Stage::Arrivals(0),
            joined: 0,
            relay_stopped: None,
            crashed: 0,
            frozen: 0,
        }
    }

    /// Runs until `to`, a little at a time, and stops hosts that have come as far as they may.
    fn advance(&mut self, to: Instant, watch: &mut dyn FnMut(Progress)) {
        while self.net.now() < to {
            let stride = if self.ears.faults.is_empty() { Duration::from_secs(1) } else { STRIDE };
            let until = to.min(self.net.now() + stride);
            self.net.run_until(until, &mut self.ears);
            self.stop_due(until);
            let done_ms = millis(Instant::ORIGIN, until);
            let of_ms = millis(Instant::ORIGIN, self.plan.end);
            watch(Progress { stage: self.stage, done_ms, of_ms });
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Join => self.join(),
            Step::Cancel(host) => self.net.command(node_of(host), Order::Cancel),
            Step::Stop(host, how) => self.stop(host, how),
            Step::StopRelay(how) => {
                self.relay_stopped = self.relay_stats();
                self.net.stop(RELAY, how);
                if how == Stop::Freeze {
                    self.ears.checks.relay_freezes();
                }
                self.count(how);
            }
        }
    }

    fn join(&mut self) {
        let number = self.joined;
        let Some(host) = self.plan.hosts.get(number) else { return };
        self.joined += 1;
        let mut fate = None;
        let actor = match &host.who {
            Who::Hostile(program) => Actor::Hostile(Box::new(Hostile::new(*program))),
            Who::Person(person) => {
                let Some(pair) = self.plan.pairs.get(person.pair) else { return };
                self.ears.checks.joins(node_of(number), *person);
                fate = Some(Fate { person: *person, came: host.joins, stopped: false, ended: None });
                match person.part {
                    Part::Sends => Actor::Sender(Box::new(Sender::new(self.scenario, pair))),
                    Part::Receives { .. } => {
                        Actor::Receiver(Box::new(Receiver::new(self.scenario, pair, person)))
                    }
                }
            }
        };
        self.ears.fates.push(fate);
        match host.behind {
            Some(first) => self.net.add_behind(node_of(first), actor, 0),
            None => self.net.add(actor, 0),
        };
        self.stage = Stage::Arrivals(u32::try_from(self.joined).unwrap_or(u32::MAX));
    }

    /// Stops hosts whose fault has come.
    fn stop_due(&mut self, now: Instant) {
        let due = self.ears.faults.iter().filter_map(|(host, doom)| match doom {
            Doom::At(at, how) if *at <= now => Some((*host, *how)),
            Doom::At(..) | Doom::When(_) => None,
        });
        let due: Vec<_> = due.collect();
        for (host, how) in due {
            self.ears.faults.remove(&host);
            self.stop(host, how);
        }
    }

    fn stop(&mut self, host: usize, how: Stop) {
        self.net.stop(node_of(host), how);
        if how == Stop::Freeze {
            self.ears.checks.freezes(node_of(host));
        }
        let Some(Some(fate)) = self.ears.fates.get_mut(host) else { return };
        // Who has ended already is not disturbed.
        if fate.ended.is_none() {
            fate.stopped = true;
            self.count(how);
        }
    }

    const fn count(&mut self, how: Stop) {
        match how {
            Stop::Crash => self.crashed += 1,
            Stop::Freeze => self.frozen += 1,
        }
    }

    /// The figures, and what is broken.
    fn finish(mut self) -> (Summary, Vec<String>) {
        let mut broken = Broken::new();
        let mut summary = self.figures();
        let squatted = self.ears.checks.squatted();
        summary.squatted = squatted.len();
        let tables = match self.net.machine(RELAY).and_then(Actor::relay) {
            Some(relay) => Checks::empty(&relay.occupancy(), &mut broken),
            None => 0,
        };
        let mut people = 0;
        for (number, pair) in self.plan.pairs.iter().enumerate() {
            let fates = self.ears.fates.iter().flatten().filter(|fate| fate.person.pair == number);
            let fates: Vec<Fate> = fates.cloned().collect();
            people += fates.len() as u64;
            let is_touched = squatted.contains(&number) || fates.iter().any(|fate| fate.stopped);
            let lied_to = self.scenario.relay == Conduct::Lying;
            let disturbed = is_touched || lied_to || self.relay_stopped.is_some();
            let circumstances = Circumstances { disturbed, lied_to };
            let end = judge(number, pair, &fates, circumstances, &mut broken);
            summary.add(self.transfer(number, end, !disturbed, &fates));
        }
        let times = summary.transfers.iter().filter_map(|transfer| transfer.took_ms).collect();
        summary.complete_ms = Times::of(times);
        let (checked, of_traffic) = self.ears.checks.finish(self.seed, &self.plan.pairs);
        summary.checked = Checked { people, tables, ..checked };
        let broken = of_traffic.into_iter().chain(broken.into_vec()).collect();
        (summary, broken)
    }

    fn transfer(&self, pair: usize, end: Ending, undisturbed: bool, fates: &[Fate]) -> Transfer {
        let bytes = self.plan.pairs.get(pair).map_or(0, |pair| pair.content.len());
        let took_ms = took(fates).filter(|_| end == Ending::Complete);
        let people = fates.iter().map(ToString::to_string).collect();
        Transfer { pair, bytes, end, undisturbed, took_ms, people }
    }

    /// What the relay has counted, or had when it stopped.
    fn relay_stats(&self) -> Option<relay::Stats> {
        let relay = self.net.machine(RELAY).and_then(Actor::relay);
        relay.map(|relay| *relay.stats()).or(self.relay_stopped)
    }

    /// What everybody has counted.
    fn figures(&self) -> Summary {
        Summary {
            crashed: self.crashed,
            frozen: self.frozen,
            hostile: self.scenario.hostile as usize,
            hostile_heard: self.ears.hostile.len(),
            wrong_password: self.ears.wrong_password,
            refused: self.ears.refused,
            rooms: self.ears.rooms,
            bytes: self.ears.bytes,
            events: self.net.totals().events,
            digest: self.net.digest().to_string(),
            relay: self.relay_stats().iter().flat_map(relay::Stats::iter).collect(),
            ..Summary::default()
        }
    }
}

/// The host's number on the network: the relay has the first one.
fn node_of(host: usize) -> u32 {
    u32::try_from(host).unwrap_or(u32::MAX).saturating_add(1)
}

impl Ears {
    /// Somebody has come so far.
    fn comes_to(&mut self, at: Instant, node: u32, stage: peer::Stage) {
        let doom = (node as usize).checked_sub(1).and_then(|host| self.faults.get_mut(&host));
        if let Some(doom) = doom
            && let Doom::When(fault) = *doom
            && fault.stage == stage
        {
            *doom = Doom::At(at + fault.after, fault.how);
        }
    }

    fn ended(&mut self, at: Instant, node: u32, end: End) {
        let host = (node as usize).checked_sub(1);
        if let Some(Some(fate)) = host.and_then(|host| self.fates.get_mut(host)) {
            fate.ended = Some((at, end));
            // Nothing happens any more to who has ended.
            self.faults.remove(&(node as usize).saturating_sub(1));
        }
    }
}

impl Observer<Report, Infallible, Infallible> for Ears {
    fn event(&mut self, at: Instant, node: u32, report: Report) {
        self.checks.report(&report);
        match report {
            Report::Relay(relay::Event::RoomOpened { .. }) => self.rooms += 1,
            Report::Relay(relay::Event::RoomClosed { bytes, .. }) => self.bytes += bytes,
            Report::Relay(_) => {}
            Report::Sender(server::Event::WrongPassword { .. }) => self.wrong_password += 1,
            Report::Sender(server::Event::Ended(Ok(sent))) => {
                self.ended(at, node, End::Sent { confirmed: sent.confirmed });
            }
            Report::Sender(server::Event::Ended(Err(failure))) => {
                self.ended(at, node, End::Failed(failure.to_string()));
            }
            Report::Sender(server::Event::Stage(stage)) => self.comes_to(at, node, stage),
            Report::Sender(_) => {}
            Report::Receiver(client::Event::Ended(Err(failure))) => {
                self.ended(at, node, End::Failed(failure.to_string()));
            }
            Report::Receiver(client::Event::Stage(stage)) => self.comes_to(at, node, stage),
            Report::Receiver(_) => {}
            Report::Refused => self.refused += 1,
            Report::Kept { name, content } => self.ended(at, node, End::Kept { name, content }),
        }
    }

    fn asked(&mut self, _at: Instant, _node: u32, question: Infallible) -> Option<Infallible> {
        match question {}
    }

    fn traffic(&mut self, at: Instant, node: u32, traffic: &Traffic<'_>) {
        let host = (node as usize).checked_sub(1);
        let is_hostile = host.and_then(|host| self.fates.get(host)).is_some_and(Option::is_none);
        if is_hostile && matches!(traffic, Traffic::Opened { .. }) {
            self.hostile.insert(node);
        }
        self.checks.traffic(at, node, traffic);
    }
}

#[cfg(test)]
mod tests;
