//! Sans-IO, `no_std` state machines for peer-to-peer protocols: bring your own event loop.
//!
//! Every protocol here is a [`Machine`]: a plain value that is handed an input, or told that its deadline has passed,
//! and answers with outputs. It owns no socket, thread, clock or entropy. The same machines run on real sockets, in a
//! deterministic simulator, under a fuzzer, and in your loop.
//!
//! # Where things are
//!
//! Three floors; imports go down only, and machines of one floor never hold a reference to one another.
//!
//! - **Foundation**: [`machine`], [`link`], [`time`], [`deadline`], [`rng`], [`bounded`], [`stats`], then [`identity`]
//!   and [`wire`].
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

// Floor 1: foundation.
pub mod bounded;
pub mod deadline;
pub mod identity;
pub mod ip;
pub mod link;
pub mod machine;
pub mod rng;
pub mod stats;
pub mod time;
mod trace;
pub mod wire;

// Floor 2: capabilities.
pub mod admission;
pub mod broadcast;
pub mod channel;
pub mod heads;
pub mod overlay;
pub mod peers;
pub mod queue;
pub mod session;

// Floor 3: networks.
pub mod mesh;

pub use machine::{At, Context, Driver, Machine, Sink};
pub use time::{Instant, WallTime};
