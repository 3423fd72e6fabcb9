//! The limits and paces of the table.

use core::time::Duration;

/// Whose HEADs are spread (H6).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Admission {
    /// Everybody's.
    #[default]
    Open,
    /// Those of peers that the parent admits: it is asked once for each.
    Ask,
}

/// Limits and paces. Every value is usable: zeros are read as the least that works.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Config {
    /// HEADs in the table, our own included. When it is full the one issued first goes, those of our links last.
    /// Default 65 536 (H8).
    pub entries: usize,
    /// HEADs of one linked peer that count as those of a link when one has to go; a peer of more nodes cannot crowd out
    /// the others. Default 16.
    pub protected_per_link: usize,
    /// HEADs in one frame. Default 64 (H4); at least 1.
    pub frame: usize,
    /// HEADs sent on one link in any second; at least one frame. Default 512 (H4).
    pub rate: usize,
    /// How long a HEAD waits for others to share a frame. Default 100 ms (H4).
    pub batch_delay: Duration,
    /// Keys that are not in the table, taken from one peer in an hour, or kept waiting for an answer about their owner; its
    /// links are counted together. Default 16 384 (H8).
    pub new_keys_per_hour: u32,
    /// Peers whose new keys are counted; the longest known goes first. Default 4096.
    pub new_keys_peers: usize,
    /// Least time between two own HEADs when what they say changes. Default 1 s (H7).
    pub change_interval_min: Duration,
    /// Nodes of the network that lengthen that time by a second. Default 1000 (H7).
    pub nodes_per_change_second: u64,
    /// Least time between two own HEADs when nothing changes; ± 10 %. Default 10 min (H7).
    pub refresh_min: Duration,
    /// Most time between them; ± 10 %. Default 12 h (H7): half of the lifetime of a HEAD.
    pub refresh_max: Duration,
    /// Nodes of the network that lengthen that time by a second. Default 10 (H7).
    pub nodes_per_refresh_second: u64,
    /// Estimated number of nodes until an input says otherwise. Default 10 000.
    pub network_size: u64,
    /// Whose HEADs are spread. Default everybody's.
    pub admission: Admission,
    /// Verified HEADs that wait for an answer about their owner; the longest waiting goes first. Default 1024.
    pub waiting: usize,
    /// How long one waits. Default 10 s.
    pub waiting_lifetime: Duration,
    /// Answers about owners that are remembered; the oldest goes first. Default 65 536.
    pub answers: usize,
    /// How long an answer is remembered. Default 1 h.
    pub answer_lifetime: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            entries: 65_536,
            protected_per_link: 16,
            frame: 64,
            rate: 512,
            batch_delay: Duration::from_millis(100),
            new_keys_per_hour: 16_384,
            new_keys_peers: 4096,
            change_interval_min: Duration::from_secs(1),
            nodes_per_change_second: 1000,
            refresh_min: Duration::from_secs(600),
            refresh_max: Duration::from_secs(12 * 3600),
            nodes_per_refresh_second: 10,
            network_size: 10_000,
            admission: Admission::Open,
            waiting: 1024,
            waiting_lifetime: Duration::from_secs(10),
            answers: 65_536,
            answer_lifetime: Duration::from_secs(3600),
        }
    }
}

impl Config {
    /// The same with the least values that work.
    pub(super) fn made_usable(mut self) -> Self {
        self.entries = self.entries.max(1);
        self.frame = self.frame.max(1);
        self.rate = self.rate.max(self.frame);
        self
    }

    /// Between two full frames on one link.
    pub(super) fn frame_interval(&self) -> Duration {
        let frame = u32::try_from(self.frame).unwrap_or(u32::MAX);
        Duration::from_secs(1).saturating_mul(frame) / u32::try_from(self.rate).unwrap_or(u32::MAX).max(1)
    }

    /// Least time between two own HEADs that differ, in a network of `size` nodes.
    pub(super) fn change_interval(&self, size: u64) -> Duration {
        self.change_interval_min.max(Duration::from_secs(size / self.nodes_per_change_second.max(1)))
    }

    /// Time between two own HEADs that say the same, before it is scattered.
    pub(super) fn refresh_interval(&self, size: u64) -> Duration {
        let grown = Duration::from_secs(size / self.nodes_per_refresh_second.max(1));
        self.refresh_min.max(grown).min(self.refresh_max)
    }
}
