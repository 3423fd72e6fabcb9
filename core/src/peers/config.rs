//! The limits of the book.

use core::time::Duration;

/// Limits of a [`Book`](super::Book). Every value is legal; a table of size 0 keeps nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Config {
    /// Known peers (`connectivity` 10). Default 4096.
    pub peers_max: usize,
    /// Known peers that one source told us of and nobody verified. Default 256.
    pub peers_per_source_max: usize,
    /// Places of one peer. Default 16.
    pub places_max: usize,
    /// Bytes of one address; longer ones are dropped. Default 256.
    pub address_bytes_max: usize,
    /// Places that were not heard of for this long are forgotten. Default 24 h.
    pub lifetime: Duration,
    /// The same for peers that were once connected. Default 7 days.
    pub verified_lifetime: Duration,
    /// Verified peers that are kept in the store (T-51); the one seen longest ago goes first. Default 64.
    pub stored_max: usize,
    /// Back-off of a place after its first failure; with more failures n it grows by n² times
    /// [`Config::back_off_step`]. Default 5 s.
    pub back_off: Duration,
    /// See [`Config::back_off`]. Default 1 s.
    pub back_off_step: Duration,
    /// The longest back-off. Default 5 min.
    pub back_off_max: Duration,
    /// The shortest wait: full jitter draws between this and the back-off (T-27). Default 1 s.
    pub back_off_min: Duration,
    /// The longest that a peer can make us wait by its own wish (T-43). Default 1 h.
    pub refrain_max: Duration,
    /// Peers whose wish is remembered. When full, the one that ends first goes first. Default 4096.
    pub refrains_max: usize,
    /// Misbehaviour points decay by one in this time. Default 1 min. Zero: points are not kept.
    pub decay: Duration,
    /// So many points are a ban. Default 100.
    pub ban_points: u32,
    /// How long that ban is. Default 1 h.
    pub ban: Duration,
    /// The ban for points that is for good, of those within [`Config::ban_window`]. Default 3, at least 1, at most 16.
    pub bans_max: usize,
    /// Bans for points older than this are forgotten. Default 24 h.
    pub ban_window: Duration,
    /// Peers with points. When full, the one closest to being clean goes first. Default 4096.
    pub offenders_max: usize,
    /// Peers that are banned or were a while ago. When full, those that are not banned any more go first, then bans for
    /// a while, then bans for good, the oldest first. Default 65 536.
    pub banned_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        const HOUR: u64 = 3600;
        Self {
            peers_max: 4096,
            peers_per_source_max: 256,
            places_max: 16,
            address_bytes_max: 256,
            lifetime: Duration::from_secs(24 * HOUR),
            verified_lifetime: Duration::from_secs(7 * 24 * HOUR),
            stored_max: 64,
            back_off: Duration::from_secs(5),
            back_off_step: Duration::from_secs(1),
            back_off_max: Duration::from_secs(300),
            back_off_min: Duration::from_secs(1),
            refrain_max: Duration::from_secs(HOUR),
            refrains_max: 4096,
            decay: Duration::from_secs(60),
            ban_points: 100,
            ban: Duration::from_secs(HOUR),
            bans_max: 3,
            ban_window: Duration::from_secs(24 * HOUR),
            offenders_max: 4096,
            banned_max: 65_536,
        }
    }
}
