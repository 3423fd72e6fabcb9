//! Where a relay is, and how patient a peer is.

use core::time::Duration;

use crate::link::Address;

/// Where a relay is, and how long each step may take. Every value is legal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RelayAccess {
    /// Its handshake port; the original's is 9000.
    pub handshake: Address,
    /// Its secure-room port, on the same host; the original's is 9001.
    pub room: Address,
    /// How long a dial may take. Default 30 s.
    pub dial_timeout: Duration,
    /// How long the relay may take to answer a hello, and to admit to the room. The partner may need as long to come,
    /// and to go on with a handshake. Default 60 s.
    pub answer_timeout: Duration,
    /// How long to wait for a partner, from the relay's answer to the agreement of both people. Default none: the
    /// relay's own patience, an hour as a rule, decides.
    pub wait_timeout: Option<Duration>,
    /// How long the transfer may stand still: nothing comes, or nothing leaves. Default 120 s.
    pub stall_timeout: Duration,
    /// How long the last words may take to leave. Default 5 s.
    pub leave_timeout: Duration,
    /// Bytes of packets that may wait to leave; beyond, nothing is read from the relay (T-12). Default 64 KiB.
    pub answers_max: usize,
}

impl RelayAccess {
    /// A relay with the default patience.
    #[must_use]
    pub const fn new(handshake: Address, room: Address) -> Self {
        Self {
            handshake,
            room,
            dial_timeout: Duration::from_secs(30),
            answer_timeout: Duration::from_secs(60),
            wait_timeout: None,
            stall_timeout: Duration::from_secs(120),
            leave_timeout: Duration::from_secs(5),
            answers_max: 64 << 10,
        }
    }
}
