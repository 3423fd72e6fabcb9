//! Secured, multiplexed links, byte for byte as libp2p has them (`connectivity` 2 to 4).
//!
//! ```text
//! carrier bytes ── multistream: /noise ── Noise XX ── (multistream: /yamux/1.0.0) ── yamux ──┬─ stream: multistream: a protocol
//!                                                                                            ├─ identify, push, ping: served here
//! ```
//!
//! A [`Channel`] is the machine of one link. Its carrier is whatever moves bytes in order: a socket, or a stream of
//! another channel. The parent says [`Input::Start`] when the carrier stands, passes on what comes and what was
//! written, and does what the outputs say. [`Output::Authenticated`] names the peer, [`Output::Ready`] allows streams,
//! and [`Output::Closed`] is the last word: it ends every stream and every pending open without a further word on them.
//!
//! # Flow
//!
//! - Bytes of a stream are given to the parent as they come and are not kept here. The peer gets credit for more only
//!   when the parent reports them with [`Input::Consumed`]: at most 256 KiB a stream wait for that.
//! - Bytes to be sent wait here without a limit of their own: the parent counts what it sends against
//!   [`Output::Sent`].
//! - What leaves in one call shares Noise messages, and [`Config::send_ahead`] bytes are ahead of the carrier at most,
//!   so that a later stream does not wait behind the bulk of an earlier one.
//!
//! # Work
//!
//! A call takes time, and emits outputs, in proportion to the bytes it is given plus [`Config::send_ahead`]: at most one
//! output for each yamux frame received and each data frame sent, and a constant. A timeout acts once for each stream.
//!
//! # Time
//!
//! The whole upgrade has a deadline that no byte renews. Then an idle link is probed, and one that does not answer is
//! closed.

mod api;
mod config;
pub mod identify;
mod machine;
pub mod multistream;
pub mod noise;
pub mod ping;
mod session;
pub mod yamux;

pub use api::{Cause, Input, OpenError, Output, Stats, StreamId, Violation, Waiting};
pub use config::Config;
pub use machine::{Channel, Local};

pub use crate::link::Role;

/// The security protocol.
pub const NOISE: &str = "/noise";
/// The multiplexer.
pub const YAMUX: &str = "/yamux/1.0.0";

#[cfg(test)]
mod tests;
