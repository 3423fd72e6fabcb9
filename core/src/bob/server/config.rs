//! What a server sends, to whom, and its limits.

use core::fmt;
use core::time::Duration;

use crate::bob::Password;
use crate::bob::pack::{Compression, Name};
use crate::bob::peer::RelayAccess;
use crate::bob::public::{COUNT_DEFAULT, COUNT_MAX, Cipher};

/// Configuration of a [`Server`](super::Server).
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the relay is.
    pub relay: RelayAccess,
    /// What the two people share.
    pub password: Password,
    /// What the file is called.
    pub name: Name,
    /// How many bytes it has.
    pub size: u64,
    /// Whether it is compressed. Default [`Compression::Level4`], as the original does.
    pub compression: Compression,
    /// Iterations that a guess costs everybody, this side too. Default 16, as the original has it; `1..=1_000_000`.
    pub iterations: u32,
    /// The cipher that the client would use if it sent records, which none does (`bob-relay.md` 8). The file itself
    /// goes under AES-256-GCM, the only cipher that the original can use. Default ChaCha20-Poly1305, as the original.
    pub reverse_cipher: Cipher,
    /// Handshakes and agreements that are kept, a client each. Beyond, the oldest without agreement is forgotten.
    /// Default 1024.
    pub clients_max: usize,
    /// Handshakes that are answered in one call (each costs four multiplications of a point). Default 16, at least 1.
    pub responses_per_call: usize,
    /// How guessing addresses are slowed.
    pub guesses: Guesses,
    /// Bytes that were handed to the link, or asked of the application, and have not left. Default 256 KiB.
    pub flight_max: usize,
    /// How long the client may take to check the file and to end, after the last byte has left. What has left may still
    /// wait in buffers on the way. Default 10 min.
    pub end_timeout: Duration,
}

/// How guessing is slowed (T-34). Addresses are counted apart, by the host part of what clients say they are called, and of
/// IPv6 addresses by their first 64 bits: nobody waits for the guesses of another address. Where the relay does not check
/// what clients say, as the original's does not, a guesser can wear the address of another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Guesses {
    /// Handshakes of one address that may run at once while none of them has failed. Default 4, at least 1.
    pub at_once: u32,
    /// How long the next handshake waits after the first failure. Doubles with each. Default 1 s.
    pub delay: Duration,
    /// How long one waits at most. Default 60 s.
    pub delay_max: Duration,
    /// After so many failures an address gets no more answers, nor do those of it that wait. Default 16.
    pub failures_max: u32,
    /// Failures are forgotten after this time without another. Default 1 h.
    pub forget: Duration,
    /// Addresses that are remembered. Beyond, the one that was quiet for longest is forgotten. Default 4096.
    pub addresses_max: usize,
}

/// Why a configuration was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ConfigError {
    /// Iterations are not `1..=1_000_000`.
    Iterations,
}

impl Config {
    /// A file for whoever knows `password`, with the defaults.
    #[must_use]
    pub fn new(relay: RelayAccess, password: Password, name: Name, size: u64) -> Self {
        Self {
            relay,
            password,
            name,
            size,
            compression: Compression::Level4,
            iterations: COUNT_DEFAULT,
            reverse_cipher: Cipher::ChaCha20Poly1305,
            clients_max: 1024,
            responses_per_call: 16,
            guesses: Guesses::default(),
            flight_max: 256 << 10,
            end_timeout: Duration::from_secs(600),
        }
    }

    pub(super) const fn validate(&self) -> Result<(), ConfigError> {
        if self.iterations == 0 || self.iterations > COUNT_MAX {
            return Err(ConfigError::Iterations);
        }
        Ok(())
    }
}

impl Default for Guesses {
    fn default() -> Self {
        Self {
            at_once: 4,
            delay: Duration::from_secs(1),
            delay_max: Duration::from_secs(60),
            failures_max: 16,
            forget: Duration::from_secs(3600),
            addresses_max: 4096,
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Iterations => write!(f, "the iterations must be 1 to {COUNT_MAX}"),
        }
    }
}

impl core::error::Error for ConfigError {}
