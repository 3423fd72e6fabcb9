//! The composed node, in a small network of whole nodes and hand-made peers.
#![allow(clippy::wildcard_enum_match_arm)] // Tests look for a few of many outputs.

mod admitting;
mod bans;
mod ending;
mod establishing;
mod half_open;
mod joining;
mod network;
mod plain;
mod raw;
mod registering;
mod replacing;
mod streams;

use core::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
