//! Our own HEAD: what it says and when it is made (H7).

use rand_core::CryptoRng;

use super::{Config, Rules};
use crate::deadline::earliest;
use crate::rng::jitter;
use crate::time::Instant;

/// How far the refresh of the own HEAD is scattered, either way, in percent.
const SCATTER: u32 = 10;

#[derive(Debug)]
pub(super) struct Own<O, H> {
    /// What it is to say; none until the parent knows.
    pub(super) says: Option<O>,
    /// The latest that was made, or heard.
    pub(super) latest: Option<H>,
    made: Option<Instant>,
    pub(super) due: Option<Instant>,
    network_size: u64,
}

impl<O, H> Own<O, H> {
    pub(super) const fn new(network_size: u64) -> Self {
        Self { says: None, latest: None, made: None, due: None, network_size }
    }

    pub(super) fn say<R: Rules<Own = O>>(&mut self, rules: &R, says: O, now: Instant, config: &Config) {
        let changed = self.says.as_ref().is_none_or(|before| rules.is_change(before, &says));
        self.says = Some(says);
        if changed {
            self.hasten(now, config);
        }
    }

    /// The network's idea of us is not ours: a HEAD is due as soon as the pace allows.
    pub(super) fn hasten(&mut self, now: Instant, config: &Config) {
        if self.says.is_none() {
            return;
        }
        let interval = config.change_interval(self.network_size);
        let at = self.made.map_or(now, |made| made + interval).max(now);
        self.due = earliest(self.due, Some(at));
    }

    pub(super) const fn resize(&mut self, network_size: u64) {
        self.network_size = network_size;
    }

    pub(super) fn note_made(&mut self, head: H, now: Instant, config: &Config, rng: &mut dyn CryptoRng) {
        self.latest = Some(head);
        self.made = Some(now);
        let interval = jitter(rng, config.refresh_interval(self.network_size), SCATTER);
        self.due = Some((now + interval).max(now.next()));
    }
}
