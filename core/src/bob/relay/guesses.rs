//! Who guesses passwords, and how long it has to wait (`threats` T-34).

use crate::bob::packet::Uid;
use crate::bounded::{Bucket, Recent};
use crate::ip::Prefix;
use crate::time::Instant;

use super::config::Guessing;

/// What becomes of a handshake.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// It goes on.
    Free,
    /// It waits; so many have failed.
    Wait { until: Instant, failures: u32 },
    /// It is dropped.
    Cut,
}

/// Failed handshakes, by address and server.
#[derive(Debug)]
pub(super) struct Guesses {
    config: Guessing,
    pairs: Recent<(Prefix, Uid), Failures>,
    addresses: Recent<Prefix, Address>,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    until: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Address {
    bucket: Bucket,
    until: Instant,
}

impl Guesses {
    pub(super) const fn new(config: Guessing) -> Self {
        let pairs = Recent::new(config.pairs_max, config.memory);
        let addresses = Recent::new(config.addresses_max, config.memory);
        Self { config, pairs, addresses }
    }

    /// Whether `who` may try its luck with `server` now; `open` of its handshakes with it are under way.
    pub(super) fn judge(&self, now: Instant, who: Prefix, server: Uid, open: usize) -> Verdict {
        if self.config.pause.is_zero() {
            return Verdict::Free;
        }
        let pair = self.pairs.get(now, &(who, server));
        let failures = pair.map_or(0, |pair| pair.count);
        if failures >= self.config.failures_max {
            return Verdict::Cut;
        }
        let crowd = if open >= self.config.parallel_max.max(1) { now + self.config.pause } else { now };
        let pair = pair.map_or(now, |pair| pair.until);
        let address = self.addresses.get(now, &who).map_or(now, |address| address.until);
        let until = crowd.max(pair).max(address);
        if until > now { Verdict::Wait { until, failures } } else { Verdict::Free }
    }

    /// A handshake has failed. How many failures had to be forgotten for it.
    pub(super) fn failed(&mut self, now: Instant, who: Prefix, server: Uid) -> usize {
        let before = self.pairs.get(now, &(who, server)).map_or(0, |pair| pair.count);
        let doubled = 1_u32.checked_shl(before).unwrap_or(u32::MAX);
        let pause = self.config.pause.saturating_mul(doubled).min(self.config.pause_max);
        let failures = Failures { count: before.saturating_add(1), until: now + pause };
        let of_pair = self.pairs.insert(now, (who, server), failures);

        let fresh = Address { bucket: Bucket::new(self.config.burst, self.config.interval), until: now };
        let mut address = self.addresses.get(now, &who).copied().unwrap_or(fresh);
        if !address.bucket.take(now) {
            address.until = now + self.config.pause;
        }
        let of_address = self.addresses.insert(now, who, address);
        usize::from(of_pair.is_some()).saturating_add(usize::from(of_address.is_some()))
    }

    /// A handshake was agreed to: `who` knows the password.
    pub(super) fn succeeded(&mut self, who: Prefix, server: Uid) {
        self.pairs.remove(&(who, server));
    }

    /// How many pairs and addresses are remembered.
    pub(super) fn len(&self) -> usize {
        self.pairs.len().saturating_add(self.addresses.len())
    }
}
