//! Nodes of the mesh on real sockets: what they do for one another, and what hostile peers cannot do to them.

// clippy.toml relieves test functions, not their helpers.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm
)]

mod end_to_end;
mod hostile;
mod peer;
