//! Whole networks (`overlay` 10.1 to 10.4, 6.12, 6.13).

use alloc::vec::Vec;
use core::time::Duration;

use super::network::{Dead, Network, Peer, contact};
use crate::overlay::{Config, Input};

fn config(nodes: u64) -> Config {
    Config { network_size: nodes, ..Config::default() }
}

fn assert_sound(network: &Network, seed: u64) {
    assert_eq!(network.components().len(), 1, "seed {seed}: {:?}", network.components());
    assert_eq!(network.asymmetric(), [], "seed {seed}");
    let capacity = network.overlay(network.alive().next().unwrap()).capacity();
    let (least, _, most) = network.degrees();
    assert!(least >= capacity.starved && most <= capacity.active, "seed {seed}: {least}..{most}");
}

#[test]
fn r10_2_joins_form_one_symmetric_component() {
    for seed in 0..3 {
        let mut network = Network::grown(config(200), seed, 200, 10);
        network.run(Duration::from_secs(60));
        assert_sound(&network, seed);
        let changes = network.changes;
        network.run(Duration::from_secs(30));
        assert!(network.changes - changes <= 10, "a stable network keeps its links");
    }
}

#[test]
fn r10_3_mass_failure_heals_refused_and_silent() {
    for (seed, dead) in [(0, Dead::Refuse), (1, Dead::Silent)] {
        for percent in [30, 50, 80, 90] {
            let mut network = Network::grown(config(200), seed, 200, 10);
            network.run(Duration::from_secs(60));
            network.dead = dead;
            network.kill_percent(percent);
            network.run(Duration::from_secs(10));
            let largest = network.components()[0];
            let live = network.alive().count();
            let needed = if percent <= 80 { live } else { live - 1 };
            assert!(largest >= needed, "{dead:?} {percent}: {:?}", network.components());
            network.run(Duration::from_secs(80));
            assert_eq!(
                (network.components().len(), network.asymmetric().len()),
                (1, 0),
                "{dead:?} {percent}"
            );
        }
    }
}

#[test]
fn r10_1_churn_duplicates_and_broken_links_leave_a_sound_network() {
    for seed in 0..6 {
        let mut network = Network::grown(config(60), seed, 60, 4);
        network.duplicates = 10;
        for round in 0..150 {
            network.run(Duration::from_millis(400));
            let one = network.any();
            let links: Vec<Peer> = network.overlay(one).active().collect();
            match round % 10 {
                0 => network.add(60 + round, (0..4).map(contact).collect()),
                3 if one >= 4 => network.input(one, Input::Leave),
                5 if one >= 4 => network.kill(one),
                _ => {
                    if let Some(other) = links.first() {
                        network.break_link(one, *other);
                    }
                }
            }
            network.retire_closed();
        }
        network.duplicates = 0;
        network.run(Duration::from_secs(200));
        assert_sound(&network, seed);
    }
}

#[test]
fn r6_12_simultaneous_starts_through_different_contacts_leave_no_island() {
    for seed in 0..10 {
        let mut network = Network::grown(config(40), seed, 40, 10);
        network.run(Duration::from_secs(30));
        assert_eq!(network.components(), [40], "seed {seed}");
    }
}

#[test]
fn r6_13_a_healed_partition_becomes_one_network_again() {
    let mut network = Network::grown(config(60), 3, 60, 1);
    network.run(Duration::from_secs(60));
    network.split(Some(30));
    network.run(Duration::from_secs(120));
    assert_eq!(network.components(), [30, 30]);
    network.split(None);
    network.run(Duration::from_secs(200));
    assert_sound(&network, 3);
}

#[test]
fn t51_an_abandoned_node_finds_back() {
    let mut network = Network::grown(config(30), 5, 30, 2);
    network.run(Duration::from_secs(60));
    network.split(Some(29));
    network.run(Duration::from_secs(48 * 3600));
    assert_eq!(network.components(), [29, 1]);
    network.split(None);
    network.run(Duration::from_secs(90));
    assert_sound(&network, 5);
}

#[test]
fn t69_nodes_restarted_together_do_not_shuffle_together() {
    let mut network = Network::grown(config(100), 1, 100, 5);
    let mut busiest = 0;
    network.run(Duration::from_secs(15));
    for _ in 0..15 {
        let before = network.shuffles_sent();
        network.run(Duration::from_secs(1));
        busiest = busiest.max(network.shuffles_sent() - before);
    }
    assert!(busiest <= 5 * 100 / 15, "{busiest}");
}

#[test]
fn r10_4_same_seed_same_trace() {
    let trace = |seed| {
        let mut network = Network::grown(config(50), seed, 50, 4);
        network.run(Duration::from_secs(30));
        network.kill_percent(50);
        network.run(Duration::from_secs(30));
        let views: Vec<Vec<Peer>> =
            network.alive().map(|peer| network.overlay(peer).passive().collect()).collect();
        (network.messages, network.dials, views)
    };
    assert_eq!(trace(1), trace(1));
    assert_ne!(trace(1), trace(2));
}
