//! Both peers together, with a relay in memory.

pub(crate) mod bench;
pub(crate) mod world;

mod transfer;
