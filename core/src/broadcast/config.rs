//! The configuration of broadcast (`broadcast.md` 1).

use core::time::Duration;

use crate::rng;

/// Where message ids come from (`broadcast` 2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ids {
    /// An id is the hash of its payload; anything else is a violation.
    Content,
    /// An id is any 16 bytes that the publisher drew, to live with publishers of the original library. Payloads are
    /// remembered by their hash as well, so that a replay under a new id is not delivered twice.
    Opaque,
}

/// One topic's broadcast. All nodes of a network should share the timers.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where message ids come from. Default [`Ids::Content`]: only a verifiable id cannot be occupied by an attacker
    /// to suppress the real message.
    pub ids: Ids,

    /// Whether each payload waits for a `Verdict` before it is delivered and relayed. Default false.
    pub validate: bool,

    /// The largest payload that may be published, in bytes. Default 1 023 488: a frame of 1 024 000 less the headers of
    /// the longest topic. A network that knows its topic may give the exact figure.
    pub publish_max: usize,

    /// A larger received payload is a violation, in bytes. Default 1 024 000, the frame limit itself: headers differ by
    /// topic and by hop, and no honest relay may be blamed for a few bytes of them.
    pub receive_max: usize,

    /// How long announcements are collected before they are sent. Default 500 ms: an announcement then normally comes
    /// after its payload, which makes it cheap, and never the start of a duplicate.
    pub batch: Duration,

    /// From the first announcement of a payload to the first GRAFT (T1). Default 1000 ms: above one batch period plus
    /// a few hops, since a GRAFT for a payload that is on its way makes a duplicate, and a duplicate a PRUNE.
    pub graft_delay: Duration,

    /// Random change of `graft_delay`, in percent either way. Default 10: the children of a dead node must not all
    /// graft in one instant.
    pub graft_jitter_percent: u32,

    /// From one GRAFT to the next for the same payload (T2), doubling. Default 500 ms: several round trips.
    pub graft_retry: Duration,

    /// The most that `graft_retry` doubles to. Default 4 s.
    pub graft_retry_max: Duration,

    /// GRAFTs for one payload before it counts as lost. Default 8: about 24 s in all, within the 30 s for which
    /// neighbours keep it.
    pub graft_attempts: u8,

    /// An announcement must promise at least this many hops less than the delivery for its link to replace the one
    /// that delivered. Default 4; smaller values oscillate when there are many sources.
    pub optimise_threshold: u32,

    /// From one replacement of a link to the next. Default 1 s.
    pub optimise_interval: Duration,

    /// How long a replaced pair of links is left alone. Default 30 s.
    pub optimise_pair_rest: Duration,

    /// How long payloads are kept for GRAFTs. Default 30 s.
    pub cache_lifetime: Duration,

    /// How many payloads are kept. Default 8192.
    pub cache_entries: usize,

    /// How many bytes of payloads are kept. Default 16 MiB.
    pub cache_bytes: usize,

    /// How long ids are remembered. Default 10 min; never shorter than `cache_lifetime`, or neighbours could feed a
    /// message back.
    pub seen_lifetime: Duration,

    /// How many ids are remembered. Default 65 536; never fewer than `cache_entries`.
    pub seen_entries: usize,

    /// A new neighbour is told of payloads not older than this. Default 10 s: it gets the recent past, and churn does
    /// not announce the whole cache over and over.
    pub recent: Duration,

    /// Ids in one IHAVE, sent or read. Default 1000.
    pub ihave_ids: usize,

    /// Ids in one GRAFT, sent or read. Default 100.
    pub graft_ids: usize,

    /// Payloads that are announced and not here. Default 4096.
    pub missing: usize,

    /// The same, of one announcing neighbour. Default 1024: no neighbour can fill the table alone.
    pub missing_per_peer: usize,

    /// Ids that one neighbour may graft a second. Default 100.
    pub grafts_per_second: u32,

    /// How often one neighbour is sent the same payload for its GRAFTs. Default 2: once more than needed, as the first
    /// may have been lost with a link.
    pub serve_times: u8,

    /// GRAFTs of one neighbour's announcements that led to nothing, within `promise_window`, before it is reported.
    /// Default 100.
    pub broken_promises: u32,

    /// See `broken_promises`. Default 10 min.
    pub promise_window: Duration,

    /// From one PRUNE to the next on a link that is lazy already. Default 1 s: a second one is needed only when the
    /// first was lost, and duplicates that are still under way must not each cause one.
    pub prune_interval: Duration,

    /// How long a former neighbour's answers to open GRAFTs are accepted. Default 2 s.
    pub farewell: Duration,

    /// Payloads waiting for a verdict. Default 256.
    pub validations: usize,

    /// Their bytes. Default 4 MiB.
    pub validation_bytes: usize,

    /// Those of one sender. Default 64.
    pub validations_per_peer: usize,

    /// How long a verdict is awaited; then it is `Ignore`. Default 10 s.
    pub validation_timeout: Duration,

    /// How long a rejected payload is remembered. Default 10 min.
    pub reject_lifetime: Duration,

    /// How many rejected payloads are remembered. Default 4096.
    pub rejects: usize,

    /// Neighbours whose GRAFTs of this second and broken promises are remembered, also beyond their stay, and pairs of
    /// neighbours that changed roles. Default 256.
    pub peers_remembered: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ids: Ids::Content,
            validate: false,
            publish_max: 1_023_488,
            receive_max: 1_024_000,
            batch: Duration::from_millis(500),
            graft_delay: Duration::from_millis(1000),
            graft_jitter_percent: 10,
            graft_retry: Duration::from_millis(500),
            graft_retry_max: Duration::from_secs(4),
            graft_attempts: 8,
            optimise_threshold: 4,
            optimise_interval: Duration::from_secs(1),
            optimise_pair_rest: Duration::from_secs(30),
            cache_lifetime: Duration::from_secs(30),
            cache_entries: 8192,
            cache_bytes: 16 << 20,
            seen_lifetime: Duration::from_secs(600),
            seen_entries: 65_536,
            recent: Duration::from_secs(10),
            ihave_ids: 1000,
            graft_ids: 100,
            missing: 4096,
            missing_per_peer: 1024,
            grafts_per_second: 100,
            serve_times: 2,
            broken_promises: 100,
            promise_window: Duration::from_secs(600),
            prune_interval: Duration::from_secs(1),
            farewell: Duration::from_secs(2),
            validations: 256,
            validation_bytes: 4 << 20,
            validations_per_peer: 64,
            validation_timeout: Duration::from_secs(10),
            reject_lifetime: Duration::from_secs(600),
            rejects: 4096,
            peers_remembered: 256,
        }
    }
}

impl Config {
    /// T1, jittered.
    pub(super) fn first_graft(&self, rng: &mut dyn rand_core::CryptoRng) -> Duration {
        rng::jitter(rng, self.graft_delay, self.graft_jitter_percent)
    }

    /// T2 after this many GRAFTs. Never zero, so that a timer always lies ahead.
    pub(super) fn next_graft(&self, attempts: u8) -> Duration {
        let doublings = u32::from(attempts.saturating_sub(1)).min(31);
        let delay = self.graft_retry.saturating_mul(1u32 << doublings);
        delay.min(self.graft_retry_max).max(Duration::from_micros(1))
    }

    /// How long ids are remembered, never shorter than payloads.
    pub(super) fn seen_for(&self) -> Duration {
        self.seen_lifetime.max(self.cache_lifetime)
    }

    /// How many ids are remembered, never fewer than payloads.
    pub(super) fn seen_max(&self) -> usize {
        self.seen_entries.max(self.cache_entries).max(1)
    }
}
