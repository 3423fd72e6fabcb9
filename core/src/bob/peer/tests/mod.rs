//! Both peers together, with a relay in memory.
#![allow(clippy::wildcard_enum_match_arm)] // Tests look for a few of many outputs.

pub(in crate::bob) mod bench;
pub(in crate::bob) mod world;

mod transfer;
