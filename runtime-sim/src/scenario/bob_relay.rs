//! Scenarios of file transfers through a relay of Bob's.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::expect::bounds;
use super::keys::{Applies, scenario};
use super::{Share, Workload, within};
use crate::bob::Summary;

scenario! {
    Workload::BobRelay;
    /// Pairs of honest people, and peers that break the protocol, on one relay.
    pub struct BobRelay {
        /// Honest pairs, each with a password of its own: 1 to 500. Default 24.
        #[serde(default = "default::pairs")]
        pub pairs: u32,
        /// Hostile peers, each with another program in turn: 0 to 200. Default 13.
        #[serde(default = "default::hostile")]
        pub hostile: u32,
        /// Over what time pairs come. Default 60 000.
        #[serde(default = "default::arrive_ms")]
        pub arrive_ms: u64,
        /// Size of the largest file: 0 to 16 777 216 bytes. Default 300 000.
        #[serde(default = "default::size_max")]
        pub size_max: u32,
        /// How long a peer waits for its partner. Default 600 000.
        #[serde(default = "default::wait_ms")]
        pub wait_ms: u64,
        /// The patience of the relay. Default 900 000.
        #[serde(default = "default::relay_timeout_ms")]
        pub relay_timeout_ms: u64,
        /// Share of the pairs whose receiver has a wrong password first. Default 15%.
        #[serde(default = "default::wrong_first")]
        pub wrong_first: Share,
        /// Share of the pairs whose receiver refuses the first of two senders. Default 10%.
        #[serde(default = "default::refuse_first")]
        pub refuse_first: Share,
        /// Share of the pairs with a second receiver that has the password too. Default 10%.
        #[serde(default = "default::rivals")]
        pub rivals: Share,
        /// Share of the pairs whose receiver is slow to take what comes. Default 15%.
        #[serde(default = "default::slow")]
        pub slow: Share,
        /// Share of the pairs behind one of a few addresses. Default 25%.
        #[serde(default = "default::shared_address")]
        pub shared_address: Share,
        /// Share of the pairs of which one crashes or freezes, soon after it has come to a random stage. Default 30%.
        #[serde(default = "default::faults")]
        pub faults: Share,
        /// Whether the relay is `honest`, or `lying`: it flips a bit of what it copies. Default `honest`.
        #[serde(default)]
        pub relay: Conduct,
        /// Whether the relay crashes or freezes, at a random moment. Default no.
        #[serde(default)]
        pub relay_crash: bool,
        /// Whether the relay admits to a room only from the address that was agreed on. Default no.
        #[serde(default)]
        pub own_address_rooms: bool,
    }
}

/// What a relay does with the bytes that it copies.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Conduct {
    /// It copies them.
    #[default]
    Honest,
    /// It flips one bit in each direction of each room.
    Lying,
}

/// Bounds that apply to some runs only.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// Runs with such a relay; any if absent.
    pub relay: Option<Conduct>,
    /// Runs with a relay that crashes, or with one that does not; any if absent.
    pub relay_crash: Option<bool>,
    /// Their bounds.
    pub expect: Bounds,
}

impl Applies<BobRelay> for Condition {
    fn applies(&self, scenario: &BobRelay) -> bool {
        self.relay.is_none_or(|relay| relay == scenario.relay)
            && self.relay_crash.is_none_or(|crash| crash == scenario.relay_crash)
    }
}

impl BobRelay {
    /// Over what time pairs come.
    #[must_use]
    pub const fn arrive(&self) -> Duration {
        Duration::from_millis(self.arrive_ms)
    }

    /// How long a peer waits for its partner.
    #[must_use]
    pub const fn wait(&self) -> Duration {
        Duration::from_millis(self.wait_ms)
    }

    /// The patience of the relay.
    #[must_use]
    pub const fn relay_timeout(&self) -> Duration {
        Duration::from_millis(self.relay_timeout_ms)
    }

    /// The longest delay of a link.
    #[must_use]
    pub const fn latency_max(&self) -> Duration {
        Duration::from_millis(self.latency_max_ms)
    }

    fn validate(&self) -> Result<(), String> {
        within("pairs", self.pairs.into(), 1, 500)?;
        within("hostile", self.hostile.into(), 0, 200)?;
        within("arrive_ms", self.arrive_ms, 0, 3_600_000)?;
        within("size_max", self.size_max.into(), 0, 1 << 24)?;
        within("wait_ms", self.wait_ms, 1000, 3_600_000)?;
        within("relay_timeout_ms", self.relay_timeout_ms, 1000, 86_400_000)
    }
}

bounds! {
    Summary;

    /// Pairs whose file came over, as both know.
    transfers_complete: |summary| Some(summary.transfers_complete as f64),
    /// Pairs whose file did not.
    transfers_failed: |summary| Some(summary.transfers_failed as f64),
    /// Pairs that no fault and no stranger touched, and whose file did not come over.
    undisturbed_failed: |summary| Some(summary.undisturbed_failed as f64),
    /// Handshakes of senders with somebody who had another password.
    wrong_password: |summary| Some(summary.wrong_password as f64),
    /// Offers that were refused.
    refused: |summary| Some(summary.refused as f64),
    /// Rooms in which two met.
    rooms: |summary| Some(summary.rooms as f64),
    /// Packets whose way was checked.
    packets_checked: |summary| Some(summary.checked.packets as f64),
    /// Uids whose uniqueness was checked.
    uids_checked: |summary| Some(summary.checked.uids as f64),
    /// Bytes that were searched for secrets.
    searched_bytes: |summary| Some(summary.checked.searched_bytes as f64),
    /// Secrets that were looked for.
    secrets: |summary| Some(summary.checked.secrets as f64),
    /// Handshakes of honest people whose delay was checked.
    waits_checked: |summary| Some(summary.checked.waits as f64),
    /// Keys of pairs that were looked for.
    keys: |summary| Some(summary.checked.keys as f64),
    /// Hostile peers that never got as far as the relay.
    hostile_unheard: |summary| Some((summary.hostile - summary.hostile_heard) as f64),
    /// People who crashed or froze.
    stopped: |summary| Some((summary.crashed + summary.frozen) as f64),
}

mod default {
    use super::Share;

    pub(super) const fn pairs() -> u32 {
        24
    }
    pub(super) const fn hostile() -> u32 {
        13
    }
    pub(super) const fn arrive_ms() -> u64 {
        60_000
    }
    pub(super) const fn size_max() -> u32 {
        300_000
    }
    pub(super) const fn wait_ms() -> u64 {
        600_000
    }
    pub(super) const fn relay_timeout_ms() -> u64 {
        900_000
    }
    pub(super) const fn wrong_first() -> Share {
        Share::percent(15)
    }
    pub(super) const fn refuse_first() -> Share {
        Share::percent(10)
    }
    pub(super) const fn rivals() -> Share {
        Share::percent(10)
    }
    pub(super) const fn slow() -> Share {
        Share::percent(15)
    }
    pub(super) const fn shared_address() -> Share {
        Share::percent(25)
    }
    pub(super) const fn faults() -> Share {
        Share::percent(30)
    }
}
