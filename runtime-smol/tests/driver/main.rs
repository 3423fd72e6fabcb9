//! The driver on loopback, with a machine that does what the test says.

// clippy.toml relieves test functions, not their helpers.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, clippy::wildcard_enum_match_arm)]

mod limits;
mod links;
mod probe;
mod questions;
