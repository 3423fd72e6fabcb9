//! The limits of the table.

use core::time::Duration;

use super::Level;

/// Limits and policies of a [`Table`](super::Table). Every value is legal; 0 admits nothing of its kind.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Config {
    /// Admitted links in both directions. Default 128.
    pub links_max: usize,
    /// Of those, places that only links we dialled may take (T-25). Default 32: the active views of several topics.
    pub outgoing_reserved: usize,
    /// Admitted links of [`Level::STRANGER`]. Default 32.
    pub strangers_max: usize,
    /// Links whose key is proven and that wait for admission. The oldest of the most represented range goes first.
    /// Default 128.
    pub pending_max: usize,
    /// Incoming links that have not proven a key (T-20). Default 64.
    pub unauthenticated_max: usize,
    /// Of those, from one IPv4 address or IPv6 /64, at least 1. Default 8.
    pub unauthenticated_per_subscriber: usize,
    /// Of those, from one IPv4 /24 or IPv6 /48, at least 1. Default 64.
    pub unauthenticated_per_range: usize,
    /// Incoming loopback links that have not proven a key, unless loopback is enforced. Default 1024.
    pub unauthenticated_loopback_max: usize,
    /// Whether loopback obeys the limits on addresses and ranges like everybody (for attacks in tests). Default no.
    pub enforce_loopback: bool,
    /// Incoming links at once from one IPv4 address or IPv6 /64 (T-23). Default 20.
    pub incoming_burst: u32,
    /// After the burst, one more each. Default 1 s: ten in ten seconds.
    pub incoming_interval: Duration,
    /// Addresses whose rate is remembered; the one that was entered first goes first. Default 4096.
    pub incoming_addresses_max: usize,
    /// Admitted links to one IPv4 /24 or IPv6 /48 (T-25). Default 2; `usize::MAX` permits any number.
    pub per_range_max: usize,
    /// Levels below this are refused: higher than [`Level::STRANGER`] for nodes that serve privileged peers only.
    /// Default [`Level::STRANGER`].
    pub level_min: Level,
    /// What two links to one peer come to. Default [`Duplicates::SmallerInitiator`].
    pub duplicates: Duplicates,
    /// Whether links to our own key are admitted, outside all quotas: networks in which several nodes share a key.
    /// The network itself tells a sibling from its own reflection. Default no.
    pub siblings: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            links_max: 128,
            outgoing_reserved: 32,
            strangers_max: 32,
            pending_max: 128,
            unauthenticated_max: 64,
            unauthenticated_per_subscriber: 8,
            unauthenticated_per_range: 64,
            unauthenticated_loopback_max: 1024,
            enforce_loopback: false,
            incoming_burst: 20,
            incoming_interval: Duration::from_secs(1),
            incoming_addresses_max: 4096,
            per_range_max: 2,
            level_min: Level::STRANGER,
            duplicates: Duplicates::SmallerInitiator,
            siblings: false,
        }
    }
}

/// What two links to one peer come to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Duplicates {
    /// Direct beats relayed; else, in opposite directions, the link whose initiator has the smaller id stays; in the
    /// same direction the one that was opened later. Both ends decide alike (`mesh` E4, `connectivity` 5.2).
    SmallerInitiator,
    /// The new link replaces the old one.
    KeepNew,
    /// The new link is refused.
    KeepOld,
    /// The new link is refused even when the old one is only pending: crossed dials refuse each other.
    RefuseBoth,
    /// Any number of links to a peer.
    Allow,
}
