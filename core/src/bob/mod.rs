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
//! [`public`] and [`spoke`] are the handshake, [`channel`] are the records, [`pack`] is the form in
//! which the file travels in them. [`server`] and [`client`] are the two peers, [`peer`] what they have in common;
//! [`relay`] introduces them to one another.

pub mod channel;
pub mod client;
mod identity;
pub mod pack;
pub mod packet;
mod password;
pub mod peer;
pub mod public;
pub mod relay;
pub mod server;
pub mod spoke;

pub use client::Client;
pub use identity::{Identity, IdentityError};
pub use pack::{Compression, Name};
pub use password::Password;
pub use server::Server;
