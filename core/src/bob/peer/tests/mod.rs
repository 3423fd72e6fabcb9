//! Both peers together, with a relay in memory.

pub(crate) mod relay;
pub(crate) mod world;

mod transfer;
