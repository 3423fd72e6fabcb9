//! What happens in a run, planned in full before it starts: who comes when, with what, and who stops.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use pleach_core::Instant;
use pleach_core::bob::Compression;
use pleach_core::bob::peer::Stage;
use pleach_core::rng::{choose_to_front, index, pick, up_to};
use rand_core::Rng;

use super::hostile::Program;
use super::people;
use crate::net::Stop;
use crate::rng::{Domain, stream};
use crate::scenario::{BobRelay, Share};

/// How long hostile peers go on after the last pair has come.
const HOSTILE_AFTER: Duration = Duration::from_secs(120);
/// The two of a pair come within this time of each other.
const APART: Duration = Duration::from_secs(10);
/// A fault comes within this time of the stage that it waits for.
const FAULT_AFTER: Duration = Duration::from_millis(500);
/// The stages that a fault may wait for.
const STAGES: [Stage; 8] = [
    Stage::Connect,
    Stage::WaitPeer,
    Stage::Authenticate,
    Stage::Confirm,
    Stage::Meet,
    Stage::Transfer,
    Stage::Verify,
    Stage::Finish,
];
/// Pairs behind one address, at most.
const PAIRS_PER_ADDRESS: usize = 4;
/// The sizes of the first files: those at which records and buffers begin and end.
const SIZES: [u32; 5] = [0, 1, 32_767, 32_768, 70_000];

/// Everything that happens.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Who wants to exchange what.
    pub(super) pairs: Vec<Pair>,
    /// All hosts but the relay, in the order in which they come.
    pub(super) hosts: Vec<Host>,
    /// When what happens, in order.
    pub(super) steps: Vec<(Instant, Step)>,
    /// Hosts that stop when they have come so far.
    pub(super) faults: BTreeMap<usize, Fault>,
    /// When the run is over: the relay must have forgotten everybody.
    pub(super) end: Instant,
}

/// People who share a password.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Pair {
    /// The password.
    pub(super) password: Vec<u8>,
    /// What the file is called.
    pub(super) name: String,
    /// What is in it.
    pub(super) content: Bytes,
    /// How it travels.
    pub(super) compression: Compression,
}

/// A host that comes.
#[derive(Clone, Debug)]
pub(super) struct Host {
    /// When.
    pub(super) joins: Instant,
    /// The host whose address it shares; it has come earlier.
    pub(super) behind: Option<usize>,
    /// What it does.
    pub(super) who: Who,
}

/// What a host does.
#[derive(Clone, Debug)]
pub(super) enum Who {
    /// Somebody honest.
    Person(Person),
    /// A peer that breaks the protocol.
    Hostile(Program),
}

/// Somebody honest.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Person {
    /// The number of the pair.
    pub(super) pair: usize,
    /// What this person does.
    pub(super) part: Part,
    /// When it must have ended, successful or not.
    pub(super) deadline: Instant,
}

/// A person's part in its pair.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Part {
    /// Sends the file.
    Sends,
    /// Receives it.
    Receives {
        /// Whether with the right password.
        right: bool,
        /// Offers that are refused first.
        refuses: u32,
        /// How long a person takes to answer an offer.
        thinks: Duration,
        /// How long each piece of the file waits to be taken.
        pause: Option<Duration>,
    },
}

/// A host stops.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Fault {
    /// Not before it has come so far; if it never does, it does not stop.
    pub(super) stage: Stage,
    /// How long after.
    pub(super) after: Duration,
    /// How.
    pub(super) how: Stop,
}

/// One thing that happens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// The next host comes.
    Join,
    /// This person calls it off.
    Cancel(usize),
    /// This host stops.
    Stop(usize, Stop),
    /// The relay stops.
    StopRelay(Stop),
}

impl Plan {
    /// The plan of a scenario for one seed.
    #[must_use]
    pub(super) fn new(scenario: &BobRelay, seed: u64) -> Self {
        let mut planner = Planner { scenario, seed, drafts: Vec::new() };
        let traits = Traits::draw(scenario, seed);
        let mut pairs = Vec::new();
        for number in 0..scenario.pairs as usize {
            pairs.push(planner.pair(number, &traits));
        }
        planner.hostile();
        planner.finish(pairs)
    }
}

/// Which pairs are special, and how.
struct Traits {
    wrong_first: Vec<usize>,
    refuse_first: Vec<usize>,
    rivals: Vec<usize>,
    slow: Vec<usize>,
    shared: Vec<usize>,
    faults: Vec<usize>,
}

impl Traits {
    fn draw(scenario: &BobRelay, seed: u64) -> Self {
        let mut rng = stream(seed, Domain::Topology, 0);
        let mut some = |share: Share| {
            let mut pairs: Vec<usize> = (0..scenario.pairs as usize).collect();
            let count = share.of(scenario.pairs) as usize;
            choose_to_front(&mut rng, &mut pairs, count);
            pairs.truncate(count);
            pairs
        };
        // Nobody is two of these three.
        let mut odd = some(Share::percent(100));
        let mut first = |share: Share| {
            let count = share.of(scenario.pairs) as usize;
            let rest = odd.split_off(count.min(odd.len()));
            std::mem::replace(&mut odd, rest)
        };
        let [wrong_first, refuse_first, rivals] =
            [scenario.wrong_first, scenario.refuse_first, scenario.rivals].map(&mut first);
        let [slow, shared, faults] = [scenario.slow, scenario.shared_address, scenario.faults].map(some);
        Self { wrong_first, refuse_first, rivals, slow, shared, faults }
    }
}

/// A host before all are put in the order of their coming.
struct Draft {
    host: Host,
    /// Those with the same number share an address.
    address: Option<usize>,
    then: Option<Then>,
}

/// What happens to a host later.
#[derive(Clone, Copy)]
enum Then {
    Cancel(Instant),
    Stop(Instant, Stop),
    Fault(Fault),
}

struct Planner<'a> {
    scenario: &'a BobRelay,
    seed: u64,
    drafts: Vec<Draft>,
}

impl Planner<'_> {
    fn pair(&mut self, number: usize, traits: &Traits) -> Pair {
        let stream_number = u32::try_from(number).unwrap_or(u32::MAX).saturating_add(1);
        let mut rng = stream(self.seed, Domain::Workload, stream_number);
        let base = Instant::ORIGIN + up_to(&mut rng, self.scenario.arrive());
        let mut comes = || base + up_to(&mut rng, APART);
        let (sender, receiver, third) = (comes(), comes(), comes() + APART);
        let thinks = Duration::from_millis(200) + up_to(&mut rng, Duration::from_secs(3));
        let is_slow = traits.slow.contains(&number);
        let pause = Duration::from_millis(100) + up_to(&mut rng, Duration::from_millis(900));
        let pause = is_slow.then_some(pause);
        let pair = self.exchange(number, &mut rng);

        let is_shared = traits.shared.iter().position(|shared| *shared == number);
        let refuses = u32::from(traits.refuse_first.contains(&number));
        let receives = Part::Receives { right: true, refuses, thinks, pause };
        let first = self.drafts.len();
        let mut add = |joins: Instant, part: Part, address: Option<usize>| {
            let deadline = joins + people::patience(self.scenario, part, pair.content.len());
            let who = Who::Person(Person { pair: number, part, deadline });
            self.drafts.push(Draft { host: Host { joins, behind: None, who }, address, then: None });
        };
        let address = is_shared.map(|place| place / PAIRS_PER_ADDRESS);
        add(sender, Part::Sends, address);
        if traits.refuse_first.contains(&number) {
            add(third, Part::Sends, address);
        }
        if traits.rivals.contains(&number) {
            add(third, receives, address);
        }
        if traits.wrong_first.contains(&number) {
            // One person, one address: the second try comes from where the first came from.
            let own = address.or(Some(PAIRS_PER_ADDRESS * self.scenario.pairs as usize + number));
            let gives_up = receiver + Duration::from_secs(5) + up_to(&mut rng, Duration::from_secs(5));
            add(receiver, Part::Receives { right: false, refuses: 0, thinks, pause: None }, own);
            add(gives_up + Duration::from_secs(1), receives, own);
            if let Some(wrong) = self.drafts.iter_mut().rev().nth(1) {
                wrong.then = Some(Then::Cancel(gives_up));
            }
        } else {
            add(receiver, receives, address);
        }
        if traits.faults.contains(&number) {
            self.fault(first, stream_number);
        }
        pair
    }

    /// What is exchanged.
    fn exchange(&self, number: usize, workload: &mut impl Rng) -> Pair {
        let mut rng = stream(self.seed, Domain::Identity, u32::try_from(number).unwrap_or(u32::MAX));
        let mut word = || format!("{:016x}", rng.next_u64());
        let (password, name) = (word() + "-" + &word(), format!("file-{}.bin", word()));
        let most = self.scenario.size_max;
        let random = pleach_core::rng::below(workload, u64::from(most) + 1);
        let size = SIZES.get(number).map_or(random, |size| u64::from((*size).min(most)));
        let mut content = vec![0; usize::try_from(size).unwrap_or_default()];
        workload.fill_bytes(&mut content);
        let is_text = workload.next_u32().is_multiple_of(2);
        if is_text {
            // Words of a small alphabet: they compress to half.
            content.iter_mut().for_each(|byte| *byte = b'a' + *byte % 16);
        }
        let compression =
            if workload.next_u32().is_multiple_of(2) { Compression::Level4 } else { Compression::None };
        Pair { password: password.into_bytes(), name, content: content.into(), compression }
    }

    /// One of a pair, whose hosts start at `first`, stops soon after it has come to a random stage.
    fn fault(&mut self, first: usize, stream_number: u32) {
        let mut rng = stream(self.seed, Domain::Churn, stream_number);
        let of_pair = self.drafts.get_mut(first..).unwrap_or_default();
        let Some(victim) = index(&mut rng, of_pair.len()).and_then(|place| of_pair.get_mut(place)) else {
            return;
        };
        let stage = pick(&mut rng, &STAGES).copied().unwrap_or(Stage::Connect);
        let after = up_to(&mut rng, FAULT_AFTER);
        victim.then.get_or_insert(Then::Fault(Fault { stage, after, how: how(&mut rng) }));
    }

    fn hostile(&mut self) {
        let until = Instant::ORIGIN + self.scenario.arrive() + HOSTILE_AFTER;
        let mut rng = stream(self.seed, Domain::Topology, 1);
        for number in 0..self.scenario.hostile {
            let program = Program::numbered(number);
            let joins = Instant::ORIGIN + up_to(&mut rng, self.scenario.arrive() / 2);
            let how = how(&mut rng);
            self.drafts.push(Draft {
                host: Host { joins, behind: None, who: Who::Hostile(program) },
                address: None,
                then: Some(Then::Stop(until, how)),
            });
        }
    }

    fn finish(mut self, pairs: Vec<Pair>) -> Plan {
        self.drafts.sort_by_key(|draft| draft.host.joins);
        let (mut steps, mut faults) = (Vec::new(), BTreeMap::new());
        let mut hosts: Vec<Host> = Vec::new();
        let mut first_of = BTreeMap::new();
        let mut patience = Instant::ORIGIN;
        for Draft { mut host, address, then } in self.drafts {
            let number = hosts.len();
            host.behind = address.and_then(|address| {
                let first = *first_of.entry(address).or_insert(number);
                (first != number).then_some(first)
            });
            steps.push((host.joins, Step::Join));
            match then {
                Some(Then::Cancel(at)) => steps.push((at, Step::Cancel(number))),
                Some(Then::Stop(at, how)) => steps.push((at, Step::Stop(number, how))),
                Some(Then::Fault(fault)) => {
                    faults.insert(number, fault);
                }
                None => {}
            }
            if let Who::Person(person) = &host.who {
                patience = patience.max(person.deadline);
            }
            hosts.push(host);
        }
        if self.scenario.relay_crash {
            let mut rng = stream(self.seed, Domain::Churn, 0);
            let at = Instant::ORIGIN + self.scenario.arrive() / 4 + up_to(&mut rng, self.scenario.arrive());
            steps.push((at, Step::StopRelay(how(&mut rng))));
        }
        steps.sort_by_key(|(at, _)| *at);
        let last = steps.last().map_or(Instant::ORIGIN, |(at, _)| *at).max(patience);
        // A link is given up after the relay's patience; a room waits as long for each of its two.
        let end = last + self.scenario.relay_timeout() * 3 + Duration::from_secs(1200);
        Plan { pairs, hosts, steps, faults, end }
    }
}

fn how(rng: &mut impl Rng) -> Stop {
    if rng.next_u32().is_multiple_of(2) { Stop::Crash } else { Stop::Freeze }
}

#[cfg(test)]
mod tests;
