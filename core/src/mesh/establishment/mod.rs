//! Establishment of a link between two nodes of the mesh, `/pleach/session/1` (`mesh` 2).
//!
//! Borrowed from the Tezos handshake: announce, then an answer from each side. [`Establishment`] is the handshake that
//! [`crate::session::Session`] runs on each link; it lives as long as the link.
//!
//! ```text
//! ours                                   theirs
//! StreamOpen ─▶ HELLO  ───────────▶
//!               ◀───────────────── HELLO        within 5 s
//! Identified ─▶ the node's answer: ACK or NACK
//!               ◀───────────────── ACK          within 10 s after both HELLOs
//! Established
//!               ◀─ BYE from either side ─▶      when the link is about to be closed
//! ```
//!
//! Network (2), version (1) and stamp (3) are checked here. The rest of the order of E3 is the node's: registration (4),
//! privileged only (5), duplicate (6), quota (7), shutting down (8), the application (9); our own key and bans are known
//! before the stream is open.

mod handshake;
mod message;

pub use handshake::{Establishment, Heard, Refusal, Terms, VERSION, Wanted};
pub use message::{
    ADDRESSES_MAX, ALTERNATIVES_MAX, Alternative, Hello, METADATA_MAX, Message, Motive, NETWORK_MAX,
};

/// The protocol id of the stream.
pub const PROTOCOL: &str = "/pleach/session/1";
/// The largest frame, in bytes, its prefix not counted.
pub const FRAME_MAX: usize = 16 * 1024;
/// Alternatives that are taken from one NACK (E5).
pub const ALTERNATIVES_TAKEN: usize = 10;

#[cfg(test)]
mod tests;
