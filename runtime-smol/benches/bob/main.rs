//! What Bob costs on loopback, as ratios against bare code that does the same work in the same run.
//!
//! ```sh
//! cargo bench -p pleach-smol --bench bob                       # everything
//! cargo bench -p pleach-smol --bench bob -- forwarding idle    # some of it
//! ```
//!
//! | part | measures | target |
//! |---|---|---|
//! | `transfer` | a file without compression through the relay, against SHA-1, AES-256-GCM, two socket hops, opening and SHA-1 again, with the same libraries | at least 0.5 |
//! | `forwarding` | bytes through a room of the relay, against a bare copy between two sockets | at least 0.8 |
//! | `idle` | memory of a relay's process for each of 5000 registered peers of both roles, to each of whom everybody was announced | at most 16 KiB |
//!
//! Rounds alternate, and medians are compared. Single figures depend on the machine and its other work; ratios less so.
//! Every thread has a core to itself only where there are three: the bare side has as many threads as ours.
#![forbid(unsafe_code)]
#![allow(clippy::expect_used, clippy::print_stdout)] // A benchmark that cannot go on says so and ends.

mod bare;
mod idle;
mod ours;

use std::time::Duration;

/// Bytes of a transfer.
const TRANSFER: u64 = 1 << 30;
/// Bytes through a room.
const FORWARDED: u64 = 4 << 30;
/// Rounds of each side.
const ROUNDS: usize = 3;

fn main() {
    // Cargo hands on `--bench`.
    let wanted: Vec<_> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wants = |part: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == part);
    if wants("transfer") {
        compare("transfer", TRANSFER, 0.5, || bare::transfer(TRANSFER), || ours::transfer(TRANSFER));
    }
    if wants("forwarding") {
        compare("forwarding", FORWARDED, 0.8, || bare::forward(FORWARDED), || ours::forward(FORWARDED));
    }
    if wants("idle") {
        idle::measure();
    }
}

/// Runs both sides in turn and prints their rates and the ratio of the medians.
fn compare(part: &str, bytes: u64, target: f64, bare: impl Fn() -> Duration, ours: impl Fn() -> Duration) {
    let (mut bares, mut own) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bares.push(bare());
        own.push(ours());
    }
    let (bare, ours) = (median(bares), median(own));
    let rate = |time: Duration| bytes as f64 / time.as_secs_f64() / 1e6;
    println!(
        "{part}: bare {:.0} MB/s, ours {:.0} MB/s, ratio {:.2} (target: at least {target})",
        rate(bare),
        rate(ours),
        bare.as_secs_f64() / ours.as_secs_f64(),
    );
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().expect("there are rounds")
}
