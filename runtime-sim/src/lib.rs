//! A deterministic simulator for the machines of [`pleach_core`]: one seed, one run.
//!
//! ```text
//!   scenario (TOML) + seed -> workload: the plan -> run: carries it out on a Network -> record -> summary
//!                                                        |
//!                                    model: overlay and broadcast, typed messages
//!                                    net:   whole machines, byte streams, hosts, clocks
//! ```
//!
//! That is a [`broadcast`]; [`bob`] is another workload on [`net`], with a plan and checks of its own. Each workload is a
//! kind of [`scenario`].
//!
//! Time is virtual and jumps from event to event ([`queue`]). Randomness is split by purpose ([`rng`]), so that a
//! change in one place shifts nothing elsewhere. Everything that happens is folded into a [`digest`]: two runs of one
//! scenario and seed give the same one.
//!
//! [`net::Net`] drives any machine that speaks the link vocabulary, your own included.
#![forbid(unsafe_code)]

pub mod bob;
pub mod broadcast;
pub mod clock;
pub mod digest;
pub mod graph;
pub mod latency;
pub mod memory;
pub mod mesh;
pub mod model;
pub mod net;
pub mod network;
pub mod queue;
pub mod record;
pub mod rng;
pub mod run;
pub mod scenario;
pub mod summary;
pub mod wire;
pub mod workload;
