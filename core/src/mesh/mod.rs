//! The mesh: our own network, and Solcial's (`mesh.md`).
//!
//! [`Node`] composes the capabilities and speaks the link vocabulary: overlay and broadcast trees by topic, HEADs, over
//! secured and multiplexed links. What only this network knows lies beside it: the wire of the overlay and broadcast
//! stream ([`rpc`]), of HEADs ([`heads`]), of the establishment of links ([`establishment`]), and of signed payloads
//! ([`signed`]).

mod api;
mod config;
pub mod establishment;
pub mod heads;
mod malformed;
pub mod node;
pub mod rpc;
pub mod signed;

pub use api::{Command, Done, Event, Snapshot, UsageError};
pub use config::{Config, ConfigError, Registration, Validation};
pub use malformed::Malformed;
pub use node::Node;
