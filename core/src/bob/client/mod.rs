//! The side that receives a file: a machine for one file, from the dial to the last word.
//!
//! ```text
//! dial ── hello ── announcements ── handshakes, many at once ── offered, accepted ── room ── records of a pack ── kept
//!                  └ the password, as each server wants it     └ refused: goes on       └ Content ⇄ Taken ┘
//! ```
//!
//! It runs SPOKE with every server that the relay announces and asks the person about each that has the password. The
//! first that is accepted sends its file (`bob-relay.md` 5, 7 to 9). It begins with its first input or time-out and ends
//! with [`Event::Ended`].
//!
//! # Limits
//!
//! [`Config`] names them. What servers cost is bounded, and the cheapest are tried first (T-34). Content is handed over
//! as fast as it is [`Command::Taken`]; beyond a limit nothing is read from the link.
//!
//! # Choices
//!
//! - The keys of each server are kept, and the person is asked about each, not only about the latest.
//! - Packets that are not for a client are dropped and counted, and the link goes on. A server that is announced before
//!   the relay has said what we are called is an error: that name is part of every handshake.
//! - A server that does not go on with a handshake for `answer_timeout` is awaited no more: the stage says so. It may
//!   still go on, as it, or the relay, may let clients wait in a line (T-34).
//! - A stream that ends inside a record is interrupted, as one that ends behind a record is, though section 8 calls it
//!   corrupted: a server or a relay that dies leaves half a record as a rule, and our relay writes its `ff ff ff ff` into
//!   it. A person whose connection broke is not to hear that somebody changed the file. [`Stats`] counts it apart.
//! - What follows the pack is ignored.
//! - When the file is kept, the server is told ([`Command::Kept`]); when not, too. The original's servers take the one
//!   for the ordinary end and fail at the other.

mod api;
mod config;
mod derivation;
mod machine;
mod servers;
mod transfer;

pub use api::{Command, Event, Failure};
pub use config::{Config, Derivation};
pub use machine::{Client, Stats};

#[cfg(test)]
mod tests;
