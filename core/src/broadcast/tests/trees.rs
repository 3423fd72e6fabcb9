//! What the trees cost and how fast they are: the definitions are those of `reference-results.md`.

use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

use super::network::{Network, Round};
use crate::broadcast::Config;

const SIZE: u32 = 300;
const DEGREE: u32 = 10;
const SECOND: Duration = Duration::from_secs(1);

/// Thirty messages, one each second, from one source or from many.
fn rounds(network: &mut Network, many: bool) -> Vec<Round> {
    let source = network.random();
    (0..30)
        .map(|number| {
            let node = if many { network.random() } else { source };
            network.publish(node, &format!("message {number}"), SECOND)
        })
        .collect()
}

fn assert_all_delivered(rounds: &[Round]) {
    for round in rounds {
        assert_eq!(round.delivered.len(), SIZE as usize - 1, "{round:?}");
    }
}

#[test]
fn r10_one_source_grows_the_fastest_tree_and_keeps_it() {
    for seed in 0..4 {
        let mut network = Network::new(seed, SIZE, DEGREE, Config::default());
        let rounds = rounds(&mut network, false);
        assert_all_delivered(&rounds);
        for late in &rounds[20..] {
            assert!(late.rmr() <= 0.01, "seed {seed}: {late:?}");
            assert_eq!(late.control("graft"), 0, "seed {seed}: {late:?}");
            assert!(late.last * 2 <= rounds[0].last * 3, "seed {seed}: flood {:?}, {late:?}", rounds[0].last);
        }
        assert_eq!(network.one_sided(), 0);
    }
}

#[test]
fn r10_many_sources_share_one_tree() {
    for seed in 0..4 {
        let mut network = Network::new(seed, SIZE, DEGREE, Config::default());
        let rounds = rounds(&mut network, true);
        assert_all_delivered(&rounds);
        let late: f64 = rounds[20..].iter().map(Round::rmr).sum::<f64>() / 10.0;
        assert!(late <= 0.10, "seed {seed}: {late}");
        assert_eq!(network.one_sided(), 0);
    }
}

#[test]
fn r10_links_that_come_and_go_cost_a_duplicate_each_and_no_message() {
    for seed in 0..4 {
        let mut network = Network::new(seed, SIZE, DEGREE, Config::default());
        let source = network.random();
        let mut missed = 0;
        for number in 0..30 {
            let (one, other) = network.random_link();
            network.cut(one, other);
            let (from, to) = (network.random(), network.random());
            if from != to && !network.links.contains_key(&(from.min(to), from.max(to))) {
                network.link(from, to);
            }
            let round = network.publish(source, &format!("message {number}"), SECOND);
            missed += usize::from(round.delivered.len() < SIZE as usize - 1);
            assert!(number == 0 || round.rmr() <= 0.5, "seed {seed}, {number}: {round:?}");
        }
        // Repaired at once, not after the next announcement.
        assert!(missed <= 4, "seed {seed}: {missed} of 30 rounds needed a GRAFT");
        network.run(SECOND * 5);
        let delivered: u64 = network.nodes.iter().map(|node| node.stats().delivered).sum();
        assert_eq!(delivered, 30 * u64::from(SIZE - 1), "seed {seed}");
    }
}
