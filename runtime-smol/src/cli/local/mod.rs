//! `pleach local`: a whole network on loopback, of real nodes that share nothing.
//!
//! Every node has its own runtime, listener and key, and knows only the address of the bootstrap node. The controller
//! here sees what the application of each node would see, its events, and looks at its tables; it never tells one node
//! of another.

mod display;
mod ledger;
mod network;
mod phases;
mod report;
mod topology;

use std::str::FromStr;
use std::sync::Arc;

use getrandom::SysRng;
use pleach_smol::driver::Descriptors;
use rand_core::{Rng, UnwrapErr};
use serde_json::json;
use smol::Executor;

use super::error::{Exit, Failure};
use super::output::Output;
use phases::Controller;

/// The flags of `pleach local`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Flags {
    /// How many nodes
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(2..=1000))]
    nodes: u32,
    /// The share of them that is killed without a goodbye: 30% or 0.3
    #[arg(long, value_name = "SHARE", default_value = "30%")]
    kill: Share,
    /// Killed nodes keep their sockets open and are silent, instead of resetting them
    #[arg(long)]
    freeze: bool,
    /// Decides who is killed [default: random]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

/// A share of the nodes, in thousandths; below one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Share(u32);

impl Share {
    /// How many of `all` this is, rounded to the nearest; one is always left.
    fn of(self, all: usize) -> usize {
        let killed = (all.saturating_mul(self.0 as usize) + 500) / 1000;
        killed.min(all.saturating_sub(1))
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("{text:?} is no share below one; expected for example 30% or 0.3");
        let (number, scale) = match text.strip_suffix('%') {
            Some(number) => (number, 10.0),
            None => (text, 1000.0),
        };
        let thousandths = (number.trim().parse::<f64>().map_err(|_| expected())? * scale).round();
        (0..1000).find(|share| f64::from(*share) == thousandths).map(Self).ok_or_else(expected)
    }
}

/// Runs the network and judges it.
pub(crate) async fn run(
    flags: Flags,
    output: Output,
    executor: Arc<Executor<'static>>,
) -> Result<Exit, Failure> {
    let nodes = flags.nodes as usize;
    let kill = flags.kill.of(nodes);
    let seed = flags.seed.unwrap_or_else(|| UnwrapErr(SysRng).next_u64());
    output.json(
        "start",
        json!({"command": "local", "nodes": nodes, "kill": kill, "freeze": flags.freeze, "seed": seed}),
    )?;
    Descriptors::raise_limit();

    let mut controller = Controller::new(nodes, output, executor);
    let verdict = controller.run(kill, flags.freeze, seed).await;
    controller.finish();
    verdict?;

    let report = controller.report();
    let failure = report.failure();
    let exit = failure.as_ref().map_or(Exit::Done, |failure| failure.exit);
    if output.json {
        output.end(exit, failure.as_ref(), report.to_json())?;
    } else {
        for line in report.lines() {
            output.result(&line)?;
        }
    }
    if let Some(failure) = failure {
        output.error(&failure.hint(format!("run it again with --seed {seed}, and -v for the log")));
    }
    Ok(exit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_percentage_or_a_fraction_below_one() {
        for (text, share) in [("30%", 300), ("0.3", 300), ("0", 0), ("0%", 0), ("12.5%", 125), ("99.9%", 999)]
        {
            assert_eq!(text.parse(), Ok(Share(share)), "{text}");
        }
        for wrong in ["", "%", "-1%", "100%", "1", "30", "0.3.1", "nan", "inf%", "half"] {
            assert!(wrong.parse::<Share>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn one_node_is_always_left() {
        assert_eq!(Share(300).of(32), 10);
        assert_eq!(Share(500).of(100), 50);
        assert_eq!(Share(999).of(2), 1);
        assert_eq!(Share(0).of(2), 0);
    }
}
