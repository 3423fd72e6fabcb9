//! The `pleach` command, run as people and programs run it.

// clippy.toml relieves test functions, not their helpers.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod local;
mod mistakes;
mod node;
mod process;
mod relay;
mod transfer;
