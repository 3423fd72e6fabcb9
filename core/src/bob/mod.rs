//! Bob: two people who share a password exchange a file through a relay that learns nothing (`bob-relay.md`).
//!
//! ```text
//!   Server ──┐  handshake port: packets, SPOKE through the relay   ┌── Client
//!  (sends)   ├──────────────────── Relay ──────────────────────────┤ (receives)
//!            └──  secure room: one link each, copied blindly      ──┘
//! ```
//!
//! The side that sends the file is called the *server*, the side that receives it the *client*; both dial the relay.
//! Each of the three is a machine that speaks the link vocabulary: [`Server`], [`Client`] and, in [`relay`], what
//! introduces them to one another. What they say on the handshake port is [`packet`]; [`public`] and [`spoke`] are the
//! handshake, [`channel`] the records that carry the file, [`pack`] the form in which it travels.

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
pub use public::{Cipher, Public};
pub use server::Server;
