//! The composed node, in a small network of whole nodes and hand-made peers.

mod bans;
mod ending;
mod establishing;
mod half_open;
mod joining;
mod network;
mod plain;
mod raw;
mod streams;

use core::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
