//! The side that sends a file: a machine for one file, from the dial to the last word.
//!
//! ```text
//! derive ── dial ── hello ── handshakes, many at once ── accepted ── room ── records of a pack ── end
//!                            └ guessers wait in line ┘               └ Wanted ⇄ Content ┘
//! ```
//!
//! It tells the relay that it is there, runs SPOKE with every client that tries, and survives any number of failures.
//! The first client that accepts gets the file (`bob-relay.md` 5, 7 to 9). It begins with its first input or time-out
//! and ends with [`Event::Ended`].
//!
//! # Limits
//!
//! [`Config`] names them. Guessing addresses wait (T-34), handshakes beyond a number are forgotten, content is asked for
//! with [`Event::Wanted`] as much as may be in flight. What the application gives beyond the announced size is dropped.
//!
//! # Choices
//!
//! - The keys of each client are kept, not only those of the latest: when two clients have the password at once, either
//!   may accept. Upstream loses both.
//! - Packets that are not for a server are dropped and counted, and the link goes on.
//! - A client whose share comes before the relay has said what we are called: the relay breaks the protocol.
//! - A handshake that was answered and led to nothing counts as a guess, also if the client just leaves: with our answer
//!   it has what it needs to check its guess. So it is if nothing follows the answer for `answer_timeout`: a relay need
//!   not say that a client is gone. After an agreement nobody is hurried: a person decides.

mod api;
mod clients;
mod config;
mod guesses;
mod machine;
mod transfer;

pub use api::{Command, Event, Failure, Sent};
pub use config::{Config, ConfigError, Guesses};
pub use machine::{Server, Stats};

#[cfg(test)]
mod tests;
