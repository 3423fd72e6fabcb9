//! The relay, between hand-made peers.
#![allow(clippy::wildcard_enum_match_arm)] // Tests look for a few of many outputs.

mod ending;
mod forwarding;
mod guessing;
mod hello;
mod hostile;
mod limits;
mod parts;
mod rooms;
mod scene;

use core::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
/// The relay's default.
const TIMEOUT: Duration = Duration::from_secs(3600);
