//! Bob: two people who share a password exchange a file through a relay that learns nothing (`bob-relay.md`).
//!
//! ```text
//!   Server ──┐  handshake port: packets, SPOKE through the relay   ┌── Client
//!  (sends)   ├──────────────────── Relay ──────────────────────────┤ (receives)
//!            └──  secure room: one link each, copied blindly      ──┘
//! ```
//!
//! The side that sends the file is called the *server*, the side that receives it the *client*; both dial the relay.
//! Each of the three is a machine that speaks the link vocabulary. What they say on the handshake port is [`packet`];
//! [`relay`] introduces them to one another.

mod identity;
pub mod packet;
mod password;
pub mod relay;

pub use identity::{Identity, IdentityError};
pub use password::Password;
