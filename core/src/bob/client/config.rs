//! What a client takes, and its limits.

use crate::bob::Password;
use crate::bob::peer::RelayAccess;
use crate::bob::public::COUNT_MAX;

/// Configuration of a [`Client`](super::Client). Every value is legal.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the relay is.
    pub relay: RelayAccess,
    /// What the two people share.
    pub password: Password,
    /// Bytes of the largest file that is taken. Default none but what 64 bits say.
    pub size_max: u64,
    /// Servers that are remembered at once. Beyond, announcements are left out. Default 4096.
    pub servers_max: usize,
    /// What is spent on the passwords of servers.
    pub derivation: Derivation,
    /// Content that was handed over and not taken; beyond, nothing is read. Default 1 MiB, at least 1.
    pub untaken_max: usize,
}

/// What servers may cost (T-34): each says how many iterations its password takes, and a hostile one says many. The
/// cheapest are tried first, so the cost of one is never the delay of a cheaper one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Derivation {
    /// The fewest iterations that are taken; less is answered like a malformed announcement. The original says 16, and
    /// a relay can lower what its servers say. Default 1.
    pub count_min: u32,
    /// The most, as far as the protocol takes them: 1,000,000. Default 1,000,000.
    pub count_max: u32,
    /// Iterations done in one call, four times the count for each server: some milliseconds. Default 16,384, at least 1.
    pub iterations_per_call: u32,
    /// Iterations of all servers together that cost more than `free` each. Servers beyond are left out. Default
    /// 64,000,000: less than a minute of a processor.
    pub iterations_max: u64,
    /// Up to this count, a server is always tried. Default 1024.
    pub free: u32,
}

impl Config {
    /// A file from whoever knows `password`, with the defaults.
    #[must_use]
    pub fn new(relay: RelayAccess, password: Password) -> Self {
        Self {
            relay,
            password,
            size_max: u64::MAX,
            servers_max: 4096,
            derivation: Derivation::default(),
            untaken_max: 1 << 20,
        }
    }
}

impl Default for Derivation {
    fn default() -> Self {
        Self {
            count_min: 1,
            count_max: COUNT_MAX,
            iterations_per_call: 16_384,
            iterations_max: 64_000_000,
            free: 1024,
        }
    }
}
