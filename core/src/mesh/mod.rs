//! The mesh: our own network, and Solcial's (`mesh.md`).

mod api;
mod config;
pub mod establishment;
pub mod heads;
mod malformed;
pub mod rpc;

pub use api::{Command, Done, Event, Snapshot, UsageError};
pub use config::{Config, Registration, Validation};
pub use malformed::Malformed;
