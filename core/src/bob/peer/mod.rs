//! What a server and a client have in common: how they reach the relay and each other, what stage they are in, how they
//! fail (`bob-relay.md` 5, 7).
//!
//! ```text
//! dial the handshake port ── hello ── packets ── close ── dial the room ── line, 00 ── bytes ── last words, close
//! └────────────────────────────────────────── Way ──────────────────────────────────────────────────────────────┘
//! ```
//!
//! The way is the same for both; what is said on it is the business of [`server`](super::server) and
//! [`client`](super::client).

mod carrier;
mod config;
mod failure;
mod farewell;
mod hall;
mod room;
mod stage;
mod way;

pub use config::RelayAccess;
pub use failure::Failure;
pub use stage::Stage;

pub(super) use farewell::{FAILING, Farewell, Word};
pub(super) use hall::Hall;
pub(super) use room::is_routable;
#[cfg(test)]
pub(super) use way::{HALL, ROOM};
pub(super) use way::{News, Way};

#[cfg(test)]
pub(super) mod tests;
