//! Runs the machines of [`pleach_core`] on real sockets, with smol.
//!
//! A [`driver::Runtime`] owns one machine that speaks the link vocabulary and all its sockets, timers and questions. It
//! is a future: spawn it on any executor. The embedder keeps a [`driver::Handle`], through which it commands, hears
//! events and looks at the machine.
//!
//! - [`driver`]: sockets, timers, write back-pressure, the limits of a process.
//! - [`store`]: records that survive a restart.
//! - [`identity`]: the key file.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod driver;
pub mod identity;
pub mod store;

pub use driver::{Handle, LinkMachine, Options, Runtime, Stopped};
