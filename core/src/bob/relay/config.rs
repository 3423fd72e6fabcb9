//! The limits of a relay.

use core::time::Duration;

use crate::admission;
use crate::link::Address;

/// Where a relay listens, its limits, and its choices where the protocol leaves one. Every value is legal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Config {
    /// The handshake port.
    pub handshake: Address,
    /// The port of the secure rooms.
    pub room: Address,

    /// Who may be linked. Links that have not said hello, or not named a room, are those that have not proven a key;
    /// the others are admitted. Default 256 of the former, of which 128 from one address and 256 from one range; 8192
    /// of the latter; from one address 256 at once and then ten a second.
    pub admission: admission::Config,
    /// Links from one IPv4 address or IPv6 /64, both ports together; further ones are refused. Loopback is exempt,
    /// unless `admission` enforces it. Default 256.
    pub per_address_max: usize,
    /// How long a link may stay at the handshake port, or without naming a room; how long a room stays open for the
    /// first of its pair, and then again for the second. Never renewed by what a peer sends. Default 3600 s.
    pub timeout: Duration,
    /// How long a link that is being closed may take to send the rest. Default 10 s.
    pub linger: Duration,

    /// Further hellos of a registered peer; one more is a violation. Default 8.
    pub hello_repeats_max: u32,
    /// Bytes sent to a peer at the handshake port that have not left; beyond, it is disconnected (`bob-relay.md` 6.9).
    /// Default 64 KiB.
    pub queued_bytes_max: usize,
    /// Of those, how many may be announcements of servers; more of them are written as they leave. Default 32 KiB.
    pub announced_bytes_max: usize,
    /// Of those, how many may come from one other peer; its further packets are dropped. So no peer can have another
    /// one disconnected. Default 256: a whole handshake.
    pub queued_bytes_per_sender_max: usize,
    /// Whether the identity in a client's share must be its own; another is dropped. Default yes.
    pub own_identity_only: bool,
    /// Whether the other candidates of a pair are told that it is gone. Upstream does not. Default no.
    pub tell_losers: bool,
    /// What is done against guessing of passwords.
    pub guessing: Guessing,

    /// Bytes of the line that names a room, newline included. Default 100.
    pub line_max: usize,
    /// Rooms in which the two have not met yet. Beyond, the oldest to which nobody has come is forgotten. Default 4096.
    pub rooms_max: usize,
    /// Of those, rooms of peers from one address; the agreement to a further one is dropped. Default 256.
    pub rooms_per_address_max: usize,
    /// Bytes in flight in each direction of a room before its source is paused. Default 64 KiB.
    pub room_window: usize,
    /// How long a room in which nothing moves stays open. Default 600 s.
    pub room_idle: Duration,
    /// How long a room stays open from the meeting. Default 24 h.
    pub room_lifetime: Duration,
    /// Bytes that are copied in one room, both directions together. Default no limit.
    pub room_bytes_max: u64,
    /// Bytes that a peer sends in a room before both are there, and that are kept for the other; more of them are a
    /// violation. With 0, all of them are lost (upstream loses those of the same read). Default 0.
    pub early_bytes_max: usize,
    /// Whether a room admits each of the two only from the address that it had at the handshake port (T-66). Default no.
    pub room_from_own_address_only: bool,
}

/// What is done against guessing of passwords (T-34). A handshake has failed if a server has answered it and did not
/// agree; failures are counted for each pair of an address (or IPv6 /64) and a server, never against the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Guessing {
    /// How long the next handshake waits after the first failure; doubled by each further one. With zero, nothing is
    /// done against guessing. Default 1 s.
    pub pause: Duration,
    /// The longest pause. Default 60 s.
    pub pause_max: Duration,
    /// Failures after which handshakes are dropped. Default 100: dozens of honest clients behind one address, each with
    /// the password of another server, are not cut off from their own.
    pub failures_max: u32,
    /// How long a pair is remembered after its last failure. Default 3600 s.
    pub memory: Duration,
    /// Pairs that are remembered; beyond, the one that failed longest ago is forgotten. Default 16384.
    pub pairs_max: usize,
    /// Handshakes of one pair that are under way at once; further ones wait until there are fewer, which is
    /// looked at after each `pause`. Default 16.
    pub parallel_max: usize,
    /// Handshakes that wait, in all; further ones are dropped. Default 1024.
    pub waiting_max: usize,
    /// Failures of an address with all servers together before all its handshakes wait. Default 4096: dozens of honest
    /// peers behind one address meet many servers whose passwords they do not know.
    pub burst: u32,
    /// After the burst, one more each. Default 100 ms.
    pub interval: Duration,
    /// Addresses whose failures are counted; beyond, the one that failed longest ago is forgotten. Default 4096.
    pub addresses_max: usize,
}

impl Config {
    /// The defaults, with these ports.
    #[must_use]
    pub fn new(handshake: Address, room: Address) -> Self {
        Self {
            handshake,
            room,
            admission: admission::Config {
                links_max: 8192,
                outgoing_reserved: 0,
                unauthenticated_max: 256,
                unauthenticated_per_subscriber: 128,
                unauthenticated_per_range: 256,
                unauthenticated_loopback_max: 256,
                incoming_burst: 256,
                incoming_interval: Duration::from_millis(100),
                per_range_max: usize::MAX,
                duplicates: admission::Duplicates::Allow,
                ..admission::Config::default()
            },
            per_address_max: 256,
            timeout: Duration::from_secs(3600),
            linger: Duration::from_secs(10),
            hello_repeats_max: 8,
            queued_bytes_max: 64 << 10,
            announced_bytes_max: 32 << 10,
            queued_bytes_per_sender_max: 256,
            own_identity_only: true,
            tell_losers: false,
            guessing: Guessing::default(),
            line_max: 100,
            rooms_max: 4096,
            rooms_per_address_max: 256,
            room_window: 64 << 10,
            room_idle: Duration::from_secs(600),
            room_lifetime: Duration::from_secs(24 * 3600),
            room_bytes_max: u64::MAX,
            early_bytes_max: 0,
            room_from_own_address_only: false,
        }
    }
}

impl Default for Guessing {
    fn default() -> Self {
        Self {
            pause: Duration::from_secs(1),
            pause_max: Duration::from_secs(60),
            failures_max: 100,
            memory: Duration::from_secs(3600),
            pairs_max: 16_384,
            parallel_max: 16,
            waiting_max: 1024,
            burst: 4096,
            interval: Duration::from_millis(100),
            addresses_max: 4096,
        }
    }
}
