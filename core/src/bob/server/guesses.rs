//! Who may try now, and who has to wait (T-34).

use alloc::collections::{BTreeMap, VecDeque};
use core::time::Duration;

use bytes::Bytes;

use super::config;
use crate::bob::Identity;
use crate::bob::packet::Uid;
use crate::deadline::Deadlines;
use crate::ip::Prefix;
use crate::time::Instant;

/// Who tries, whatever its port.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Host {
    /// A subscriber has one IPv4 address, but as many IPv6 addresses as he likes.
    Subscriber(Prefix),
    /// No address: the host part of the identity as it is.
    Other(Bytes),
}

/// The tries of all addresses. Each address has a queue of its own.
#[derive(Debug)]
pub(super) struct Guesses {
    limits: config::Guesses,
    hosts: BTreeMap<Host, Tries>,
    /// Hosts where somebody waits, by when the first of them is answered.
    due: Deadlines<Host>,
}

#[derive(Debug, Default)]
struct Tries {
    failures: u32,
    /// Answered, and neither failed nor agreed.
    running: u32,
    /// When one last began or failed.
    last: Instant,
    waiting: VecDeque<Uid>,
}

/// What a failure leads to.
#[derive(Debug)]
pub(super) struct Failed {
    /// How many tries of that address have failed.
    pub(super) failures: u32,
    /// Of that address, those that waited and are not answered any more.
    pub(super) cut_off: VecDeque<Uid>,
}

impl Guesses {
    pub(super) const fn new(limits: config::Guesses) -> Self {
        Self { limits, hosts: BTreeMap::new(), due: Deadlines::new() }
    }

    /// Somebody wants to try: it waits for its turn, which may be now. False: it has none.
    pub(super) fn arrive(&mut self, identity: &Identity, client: Uid, now: Instant) -> bool {
        let host = host(identity);
        if !self.hosts.contains_key(&host) && !self.make_room() {
            return false;
        }
        let forget = self.limits.forget;
        let tries = self.hosts.entry(host.clone()).or_default();
        if now.since(tries.last) >= forget {
            tries.failures = 0;
        }
        if tries.failures >= self.limits.failures_max {
            return false;
        }
        tries.waiting.push_back(client);
        self.arm(&host);
        true
    }

    /// Whose turn it is. From here on its try runs.
    pub(super) fn next_turn(&mut self, now: Instant) -> Option<Uid> {
        while let Some(host) = self.due.pop_due(now) {
            let Some(tries) = self.hosts.get_mut(&host) else { continue };
            let Some(client) = tries.waiting.pop_front() else { continue };
            tries.running = tries.running.saturating_add(1);
            tries.last = now;
            self.arm(&host);
            return Some(client);
        }
        None
    }

    /// Whether it waits for its turn.
    pub(super) fn waits(&self, identity: &Identity, client: Uid) -> bool {
        self.hosts.get(&host(identity)).is_some_and(|tries| tries.waiting.contains(&client))
    }

    /// Somebody does not wait any more.
    pub(super) fn withdraw(&mut self, identity: &Identity, client: Uid) {
        let host = host(identity);
        if let Some(tries) = self.hosts.get_mut(&host) {
            tries.waiting.retain(|waiting| *waiting != client);
            self.arm(&host);
        }
    }

    /// A try has failed. Who is cut off by it waits no more.
    pub(super) fn failed(&mut self, identity: &Identity, now: Instant) -> Failed {
        let host = host(identity);
        let Some(tries) = self.hosts.get_mut(&host) else {
            return Failed { failures: 1, cut_off: VecDeque::new() };
        };
        tries.running = tries.running.saturating_sub(1);
        tries.failures = tries.failures.saturating_add(1);
        tries.last = now;
        let is_over = tries.failures >= self.limits.failures_max;
        let cut_off = if is_over { core::mem::take(&mut tries.waiting) } else { VecDeque::new() };
        let failed = Failed { failures: tries.failures, cut_off };
        self.arm(&host);
        failed
    }

    /// A try has led to an agreement: it was no guess.
    pub(super) fn agreed(&mut self, identity: &Identity) {
        let host = host(identity);
        if let Some(tries) = self.hosts.get_mut(&host) {
            tries.running = tries.running.saturating_sub(1);
            self.arm(&host);
        }
    }

    /// When it is somebody's turn.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due.next()
    }

    fn arm(&mut self, host: &Host) {
        let Some(tries) = self.hosts.get(host) else { return };
        let due = (!tries.waiting.is_empty()).then(|| tries.last + self.delay(tries));
        self.due.set(host.clone(), due);
    }

    /// How long after the last try the next may begin. One that runs counts as one that fails: its client has what it
    /// needs to check its guess.
    fn delay(&self, tries: &Tries) -> Duration {
        if tries.failures == 0 && tries.running < self.limits.at_once.max(1) {
            return Duration::ZERO;
        }
        let doublings = tries.failures.saturating_add(tries.running).saturating_sub(1);
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        self.limits.delay.saturating_mul(factor).min(self.limits.delay_max)
    }

    /// Forgets the address that was quiet for longest, if there is no room for another.
    fn make_room(&mut self) -> bool {
        if self.hosts.len() < self.limits.addresses_max {
            return true;
        }
        let quiet = self.hosts.iter().filter(|(_, tries)| tries.waiting.is_empty());
        let oldest = quiet.min_by_key(|(_, tries)| tries.last).map(|(host, _)| host.clone());
        oldest.is_some_and(|host| self.hosts.remove(&host).is_some())
    }
}

fn host(identity: &Identity) -> Host {
    let host = identity.host();
    let ip = str::from_utf8(host).ok().and_then(|text| text.parse().ok());
    ip.map_or_else(
        || Host::Other(Bytes::copy_from_slice(host)),
        |ip| Host::Subscriber(Prefix::subscriber(ip)),
    )
}
