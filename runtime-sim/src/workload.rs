//! What happens in a run, planned in full before it starts: who joins, stops and publishes when.

use std::time::Duration;

use pleach_core::Instant;
use pleach_core::rng::{choose_to_front, index};
use rand_chacha::ChaCha8Rng;

use crate::rng::{Domain, stream};
use crate::scenario::broadcast::Churn;
use crate::scenario::{Broadcast, Sources};

/// A node that joins during the broadcasts counts for messages published so long after its join. It gets earlier ones
/// too, if its neighbours remember them: that is no matter of reliability or delay.
pub const SETTLED: Duration = Duration::from_secs(10);

/// One thing that happens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    /// The next node joins through these.
    Join {
        /// Nodes that started earlier.
        contacts: Vec<u32>,
    },
    /// These stop without a word, at once.
    Crash {
        /// Who.
        nodes: Vec<u32>,
    },
    /// One stops with a word.
    Leave {
        /// Who.
        node: u32,
    },
    /// One publishes the next message.
    Publish {
        /// Who.
        node: u32,
    },
}

/// Everything that happens, in order.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Plan {
    /// When, and what.
    pub steps: Vec<(Instant, Step)>,
    /// From when on each node counts: the first ones always, later ones when they have settled.
    pub counts_from: Vec<Instant>,
    /// Which nodes are alive at the end.
    pub alive: Vec<bool>,
    /// When the mass kill happens, if there is one.
    pub killed_at: Option<Instant>,
    /// When the run is over.
    pub end: Instant,
}

impl Plan {
    /// The plan of a scenario for one seed.
    #[must_use]
    pub fn new(scenario: &Broadcast, seed: u64) -> Self {
        let mut plan = Planner::new(seed);
        plan.joins(scenario);
        let warm = Instant::ORIGIN + scenario.warm();
        let pace = Duration::from_millis(scenario.pace_ms);
        let mut first = warm;
        if scenario.victims() > 0 {
            plan.kill(warm, scenario.victims());
            first = warm + pace;
        }
        plan.publish(scenario, first, pace);
        plan.finish(first + pace * (scenario.messages - 1) + Duration::from_millis(scenario.drain_ms))
    }
}

struct Planner {
    plan: Plan,
    /// Nodes that are alive at the point that planning has reached.
    live: Vec<u32>,
    topology: ChaCha8Rng,
    workload: ChaCha8Rng,
    churn: ChaCha8Rng,
}

impl Planner {
    fn new(seed: u64) -> Self {
        Self {
            plan: Plan::default(),
            live: Vec::new(),
            topology: stream(seed, Domain::Topology, 0),
            workload: stream(seed, Domain::Workload, 0),
            churn: stream(seed, Domain::Churn, 0),
        }
    }

    fn joins(&mut self, scenario: &Broadcast) {
        for node in 0..scenario.nodes {
            let at = Instant::ORIGIN + Duration::from_millis(scenario.join_ms) * node;
            self.join(at, Instant::ORIGIN, (0..node.min(scenario.contacts)).collect());
        }
    }

    fn join(&mut self, at: Instant, counts_from: Instant, contacts: Vec<u32>) {
        let node = u32::try_from(self.plan.counts_from.len()).unwrap_or(u32::MAX);
        self.plan.counts_from.push(counts_from);
        self.plan.alive.push(true);
        self.live.push(node);
        self.plan.steps.push((at, Step::Join { contacts }));
    }

    fn kill(&mut self, at: Instant, victims: u32) {
        let victims = victims as usize;
        choose_to_front(&mut self.churn, &mut self.live, victims);
        let survivors = self.live.split_off(victims.min(self.live.len()));
        let mut nodes = std::mem::replace(&mut self.live, survivors);
        nodes.sort_unstable();
        self.live.sort_unstable();
        for node in &nodes {
            self.mark_dead(*node);
        }
        self.plan.killed_at = Some(at);
        self.plan.steps.push((at, Step::Crash { nodes }));
    }

    fn publish(&mut self, scenario: &Broadcast, first: Instant, pace: Duration) {
        let sources = match scenario.sources {
            Sources::Many => Vec::new(),
            Sources::Some(count) => {
                let mut candidates = self.live.clone();
                choose_to_front(&mut self.workload, &mut candidates, count as usize);
                candidates.truncate(count as usize);
                candidates
            }
        };
        let mut next_churn = first;
        for number in 0..scenario.messages {
            let at = first + pace * number;
            if let Some(churn) = &scenario.churn {
                while next_churn <= at {
                    self.replace_one(next_churn, scenario, churn, &sources);
                    next_churn += Duration::from_millis(churn.every_ms);
                }
            }
            let turn = number as usize % sources.len().max(1);
            let random = index(&mut self.workload, self.live.len()).and_then(|index| self.live.get(index));
            if let Some(node) = sources.get(turn).or(random).copied() {
                self.plan.steps.push((at, Step::Publish { node }));
            }
        }
    }

    /// A random node stops, none of the spared ones, and a new one joins through random live ones.
    fn replace_one(&mut self, at: Instant, scenario: &Broadcast, churn: &Churn, spared: &[u32]) {
        let polite =
            index(&mut self.churn, 100).is_some_and(|drawn| drawn < usize::from(churn.polite_percent));
        let may_stop: Vec<u32> = self.live.iter().copied().filter(|node| !spared.contains(node)).collect();
        let drawn = index(&mut self.churn, may_stop.len()).and_then(|place| may_stop.get(place));
        let Some(node) = drawn.copied() else { return };
        self.live.retain(|live| *live != node);
        self.mark_dead(node);
        let step = if polite { Step::Leave { node } } else { Step::Crash { nodes: vec![node] } };
        self.plan.steps.push((at, step));
        let mut contacts = self.live.clone();
        choose_to_front(&mut self.topology, &mut contacts, scenario.contacts as usize);
        contacts.truncate(scenario.contacts as usize);
        self.join(at, at + SETTLED, contacts);
    }

    fn mark_dead(&mut self, node: u32) {
        if let Some(alive) = self.plan.alive.get_mut(node as usize) {
            *alive = false;
        }
    }

    fn finish(mut self, end: Instant) -> Plan {
        self.plan.end = end;
        self.plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(settings: &[&str]) -> Plan {
        let settings: Vec<_> = settings.iter().map(|setting| (*setting).to_owned()).collect();
        Plan::new(&Broadcast::parse("test.toml", "nodes = 100\nmessages = 20", &settings).unwrap(), 0)
    }

    fn publishers(plan: &Plan) -> Vec<u32> {
        let of = |(_, step): &(Instant, Step)| match step {
            Step::Publish { node } => Some(*node),
            Step::Join { .. } | Step::Crash { .. } | Step::Leave { .. } => None,
        };
        plan.steps.iter().filter_map(of).collect()
    }

    #[test]
    fn joins_are_a_millisecond_apart_through_ten_contacts_then_a_minute_of_quiet() {
        let plan = plan(&[]);
        assert_eq!(plan.steps[99].0, Instant::from_micros(99_000));
        assert!(plan.counts_from.iter().all(|from| *from == Instant::ORIGIN));
        assert_eq!(plan.steps[0].1, Step::Join { contacts: vec![] });
        assert_eq!(plan.steps[3].1, Step::Join { contacts: vec![0, 1, 2] });
        assert_eq!(plan.steps[99].1, Step::Join { contacts: (0..10).collect() });
        assert_eq!(plan.steps[100].0, Instant::from_micros(60_099_000));
        assert_eq!(plan.steps[101].0, Instant::from_micros(61_099_000));
        assert_eq!(plan.end, Instant::from_micros(60_099_000 + 19_000_000 + 30_000_000));
    }

    #[test]
    fn sources_are_one_some_or_many() {
        let distinct = |setting| {
            let mut publishers = publishers(&plan(&[setting]));
            assert_eq!(publishers.len(), 20);
            publishers.sort_unstable();
            publishers.dedup();
            publishers.len()
        };
        assert_eq!(distinct("sources=one"), 1);
        assert_eq!(distinct("sources=3"), 3);
        assert!(distinct("sources=many") > 10);
    }

    #[test]
    fn a_kill_takes_its_share_and_the_dead_do_not_publish() {
        let plan = plan(&["kill=90%", "sources=many"]);
        assert_eq!(plan.alive.iter().filter(|alive| **alive).count(), 10);
        assert!(publishers(&plan).iter().all(|node| plan.alive[*node as usize]));
        assert_eq!(plan.killed_at, Some(Instant::from_micros(60_099_000)));
        assert_eq!(plan.steps[101].0, Instant::from_micros(61_099_000));
    }

    #[test]
    fn churn_replaces_nodes_and_spares_the_source() {
        let plan = plan(&["churn.every_ms=100", "sources=one"]);
        assert!(plan.counts_from.len() > 250);
        assert_eq!(plan.counts_from[100], Instant::from_micros(70_099_000));
        let live = plan.alive.iter().filter(|alive| **alive).count();
        assert!((100..110).contains(&live), "{live}");
        assert!(plan.alive[publishers(&plan)[0] as usize]);
        assert!(plan.steps.iter().any(|(_, step)| matches!(step, Step::Leave { .. })));
        assert!(plan.steps.is_sorted_by_key(|(at, _)| *at));
    }

    #[test]
    fn churn_stops_one_for_each_that_joins_however_many_are_spared() {
        let plan = plan(&["churn.every_ms=100", "sources=60"]);
        assert!(plan.counts_from.len() > 250);
        assert_eq!(plan.alive.iter().filter(|alive| **alive).count(), 100);
        assert!(publishers(&plan).iter().all(|node| plan.alive[*node as usize]));
    }

    #[test]
    fn a_draw_in_one_place_shifts_nothing_elsewhere() {
        assert_eq!(publishers(&plan(&["payload_bytes=9", "pace_ms=7"])), publishers(&plan(&[])));
        let scenario = Broadcast::parse("test.toml", "nodes = 100\nmessages = 20", &[]).unwrap();
        assert_ne!(Plan::new(&scenario, 1), Plan::new(&scenario, 2));
    }
}
