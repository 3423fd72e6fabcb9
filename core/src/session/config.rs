//! The limits of a session.

use core::time::Duration;

/// Limits of a [`Session`](super::Session). Every value is legal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Config {
    /// The whole handshake, from construction (T-19). Default 25 s: the upgrade of a channel 10 s, then `mesh` E1.
    pub handshake: Duration,
    /// The answer to a question. Default 10 s (`mesh` E1).
    pub answer: Duration,
    /// Input for the handshake that waits while a question is open, in pieces. Beyond, the link closes. Default 64.
    pub waiting_max: usize,
    /// The same in bytes. Default 64 KiB.
    pub waiting_bytes_max: usize,
    /// Items held until the link is readable (`mesh` E4). Beyond, they are shed. Default 4.
    pub held_max: usize,
    /// The same in bytes. Default 64 KiB.
    pub held_bytes_max: usize,
    /// Points for one malformed frame (`mesh` 4). Default 10.
    pub malformed_points: u32,
    /// The malformed frame that closes the link. Default 3, at least 1, at most 16.
    pub malformed_max: usize,
    /// Malformed frames older than this are forgotten. Default 10 min.
    pub malformed_window: Duration,
    /// A link that nothing uses closes after this time; none keeps it. Default 60 s (`connectivity` 10, `mesh` E8).
    pub idle: Option<Duration>,
    /// A link that lingers closes after this time even if it is in use (`mesh` E4). Default 5 s.
    pub linger: Duration,
    /// What was sent before a close has this time to leave. Default 5 s.
    pub flush: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(25),
            answer: Duration::from_secs(10),
            waiting_max: 64,
            waiting_bytes_max: 64 << 10,
            held_max: 4,
            held_bytes_max: 64 << 10,
            malformed_points: 10,
            malformed_max: 3,
            malformed_window: Duration::from_secs(600),
            idle: Some(Duration::from_secs(60)),
            linger: Duration::from_secs(5),
            flush: Duration::from_secs(5),
        }
    }
}
