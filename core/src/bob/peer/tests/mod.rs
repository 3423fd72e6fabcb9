//! Both peers together, with a relay in memory.

pub(in crate::bob) mod bench;
pub(in crate::bob) mod world;

mod transfer;
