//! The relay: it introduces servers and clients to one another, passes on their handshakes, and copies bytes between
//! those who agreed (`bob-relay.md` 6, 7). It never sees a password, a key or a file.
//!
//! ```text
//! handshake port:  hello ─▶ registered ─▶ announced, packets forwarded ─▶ accepted ─▶ closed; a room waits for the pair
//! room port:       a line names the other ─▶ waits ─▶ both are there: 00 ─▶ copying ─▶ ff ff ff ff, closed
//! ```
//!
//! [`Relay`] is a machine that speaks the link vocabulary and listens at two ports. It dials nobody, asks nothing and
//! draws no random number. A peer that breaks the protocol costs its own link only (`threats` T-66).
//!
//! # Where the protocol leaves a choice
//!
//! | rule | here |
//! |---|---|
//! | 6.2 | the public of the last hello counts; a server that says hello again is announced again to all, a client hears of all again |
//! | 6.3 | uids 1 to ffff, those in use are skipped; without a free one the link is closed |
//! | 6.4 | a packet for a peer of the wrong role is dropped; so is a client's share with an identity not its own (option) |
//! | 6.5 | an acceptance counts only after an agreement was forwarded; losers are told as an option |
//! | 6.7 | a link without hello is closed too when its time is over |
//! | 6.8 | end of stream, an error, malformed bytes: unregistered at once, candidates are told |
//! | 6.8 | servers that have a client's share are told too, whatever was said since but a failure: they do not hear 0b |
//! | 6.9 | 64 KiB are queued for a peer, of which 256 bytes come from one other; announcements wait outside the queue |
//! | 7.2 | what comes before both are there is lost, or kept up to a limit (option) |
//! | 7.2 | one who leaves a room alone ends it; a second one in its place is told `02` |
//!
//! # Limits
//!
//! Whatever peers could make grow is bounded by [`Config`] and counted in [`Stats`]. For each packet received (six bytes at
//! least), each link and each room, a call emits at most one output a link, and five more: one hello is announced to
//! every client, one departure told to every candidate.
//!
//! A registered peer costs about 1 KiB, and five bits for each server that a client was told of.

mod announce;
mod api;
mod bits;
mod config;
mod forward;
mod guesses;
mod hall;
mod link;
mod machine;
mod outbox;
mod room;
mod stats;

pub use api::{Command, Departure, Event, Port, Role};
pub use config::{Config, Guessing};
pub use machine::{Occupancy, Relay};
pub use stats::Stats;

/// What a relay hears.
pub type Input = crate::link::Input<Command>;
/// What a relay wants done.
pub type Output = crate::link::Output<Event>;
type Cx<'a> = crate::machine::Context<'a, Output>;

#[cfg(test)]
mod tests;
