//! A deterministic simulator for machines of [`pleach_core`].
#![forbid(unsafe_code)]

pub mod clock;
pub mod digest;
pub mod graph;
pub mod latency;
pub mod net;
pub mod queue;
pub mod rng;
