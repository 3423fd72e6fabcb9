//! Whole networks (`overlay` 10.2, 10.3).

use core::time::Duration;
use std::println;

use super::network::{Dead, Network};
use crate::overlay::Config;

fn config(nodes: u64) -> Config {
    Config { network_size: nodes, ..Config::default() }
}

#[test]
fn r10_2_joins_form_one_symmetric_component() {
    for seed in 0..3 {
        let mut network = Network::grown(config(300), seed, 300, 10);
        network.run(Duration::from_secs(60));
        println!(
            "{:?} {:?} {} msgs {} dials {}",
            network.components(),
            network.degrees(),
            network.asymmetric().len(),
            network.messages,
            network.dials
        );
        assert_eq!(network.components(), [300]);
        assert_eq!(network.asymmetric(), []);
        let capacity = network.overlay(0).capacity();
        let (least, _, most) = network.degrees();
        assert!(least >= capacity.starved && most <= capacity.active, "{least}..{most}");
    }
}

#[test]
fn r10_3_mass_failure_heals() {
    for dead in [Dead::Refuse, Dead::Silent] {
        for percent in [30, 50, 80, 90] {
            let mut network = Network::grown(config(300), 7, 300, 10);
            network.run(Duration::from_secs(60));
            network.dead = dead;
            network.kill_percent(percent);
            for _ in 0..6 {
                network.run(Duration::from_secs(5));
                println!(
                    "{dead:?} {percent} {:?} {:?} {}",
                    network.components(),
                    network.degrees(),
                    network.asymmetric().len()
                );
            }
        }
    }
}
