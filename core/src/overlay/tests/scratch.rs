use super::network::{Dead, Network};
use crate::overlay::{Config, Stats};
use core::time::Duration;
use std::println;
#[test]
fn scratch() {
    let n: u32 = std::env::var("N").ok().and_then(|n| n.parse().ok()).unwrap_or(1000);
    let seeds: u64 = std::env::var("S").ok().and_then(|n| n.parse().ok()).unwrap_or(2);
    for seed in 0..seeds {
        let start = std::time::Instant::now();
        let mut network = Network::grown(Config { network_size: n.into(), ..Config::default() }, seed, n, 10);
        network.run(Duration::from_secs(60));
        println!(
            "seed {seed} {:?} {:?} asym {} msgs {} dials {} changes {} {:?}",
            network.components(),
            network.degrees(),
            network.asymmetric().len(),
            network.messages,
            network.dials,
            network.changes,
            start.elapsed()
        );
        let a = network.overlay(0).capacity().starved;
        for p in network.alive().filter(|p| network.overlay(*p).active().count() < a).take(8) {
            let o = network.overlay(p);
            println!(
                "{p}: act {} pend {} pas {} back {} {:?} {:?}",
                o.active().count(),
                o.pending().count(),
                o.passive().count(),
                o.backoffs.len(),
                o.answers,
                o.timers.tick.is_some()
            );
        }
        if let Some(p) = network.alive().find(|p| network.overlay(*p).active().count() < a) {
            for (k, v) in network.overlay(p).stats().iter().filter(|(_, v)| *v > 0) {
                std::print!("{k}={v} ");
            }
            println!();
        }
        println!("starved {}", network.alive().filter(|p| network.overlay(*p).active().count() < a).count());
        let c = network.changes;
        let m = network.messages;
        let d = network.dials;
        network.run(Duration::from_secs(60));
        println!(
            "  second minute: changes {} msgs {} dials {} {:?}",
            network.changes - c,
            network.messages - m,
            network.dials - d,
            start.elapsed()
        );
        let mut total = Stats::default();
        for p in network.alive() {
            total.add(network.overlay(p).stats());
        }
        for (k, v) in total.iter().filter(|(_, v)| *v > 0) {
            std::print!("{k}={v} ");
        }
        println!();
        if let Ok(k) = std::env::var("K") {
            network.dead = if std::env::var("SILENT").is_ok() { Dead::Silent } else { Dead::Refuse };
            network.kill_percent(k.parse().unwrap());
            for _ in 0..8 {
                network.run(Duration::from_millis(2500));
                let c = network.components();
                println!(
                    "   {:?} of {} in {} {:?} {}",
                    &c[..c.len().min(4)],
                    c.iter().sum::<usize>(),
                    c.len(),
                    network.degrees(),
                    network.asymmetric().len()
                );
            }
        }
    }
}
