//! The mesh: our own network, and Solcial's (`mesh.md`).

mod api;
mod config;
pub mod establishment;
pub mod heads;
mod malformed;
pub mod rpc;
