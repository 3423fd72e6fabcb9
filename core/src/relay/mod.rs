//! Bringing two together who cannot reach one another: where they meet, and copying between their links.
//!
//! ```text
//! Rendezvous:  open(key, key) ──arrive──▶ one waits ──arrive──▶ they meet: the keys are used up
//!                    │ too long, or too many    │ too long, or it leaves
//!                    └────────▶ ended ◀─────────┘
//! Pipe:        link ──received──▶ copied ──sent──▶ link;  a source whose bytes do not leave is paused
//! ```
//!
//! Neither is a machine: they decide and keep count, and their owner sends. A [`Rendezvous`] holds at most
//! [`Config::meetings_max`] meetings, each for [`Config::patience`]; a [`Pipe`] holds no byte at all.

mod pipe;
mod rendezvous;

pub use pipe::{Copied, Pipe};
pub use rendezvous::{Arrival, Config, Ended, Meeting, Rendezvous, Side};

#[cfg(test)]
mod tests;
