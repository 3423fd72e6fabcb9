//! Scenarios of broadcasts over an overlay.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::expect::bounds;
use super::keys::{Applies, scenario};
use super::{Fidelity, Share, Sources, Workload, within};
use crate::summary::Summary;

scenario! {
    Workload::Broadcast;
    /// Nodes in one topic: some publish, some stop and join.
    pub struct Broadcast {
        /// How closely the network is modelled. Default `model`.
        #[serde(default)]
        pub fidelity: Fidelity,
        /// Nodes that join at the start: 2 to 1 000 000.
        pub nodes: u32,
        /// Broadcasts: 1 to 100 000.
        pub messages: u32,
        /// Who publishes: `one`, `many` (a random live node each time), or a number of nodes that take turns. Default `one`.
        #[serde(default)]
        pub sources: Sources,
        /// Share of the nodes that stop without a word after the warm-up, as `0.3` or `"30%"`. Default 0.
        #[serde(default)]
        pub kill: Share,
        /// Size of a payload: 8 to 60 000 bytes. Default 64.
        #[serde(default = "default::payload_bytes")]
        pub payload_bytes: u32,
        /// Time between two broadcasts. Default 1000.
        #[serde(default = "default::pace_ms")]
        pub pace_ms: u64,
        /// The first nodes, through which all others join. Default 10.
        #[serde(default = "default::contacts")]
        pub contacts: u32,
        /// Time between two joins. Default 1.
        #[serde(default = "default::join_ms")]
        pub join_ms: u64,
        /// Time from the last join to the first broadcast, or to the kill. Default 60 000.
        #[serde(default = "default::warm_up_ms")]
        pub warm_up_ms: u64,
        /// Time from the last broadcast to the end. Default 30 000.
        #[serde(default = "default::drain_ms")]
        pub drain_ms: u64,
        /// Nodes that come and go during the broadcasts. Default none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub churn: Option<Churn>,
    }
}

/// Nodes that come and go.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Churn {
    /// Each time a random node that is no fixed source stops, and a new one joins. Where all are sources nothing happens.
    pub every_ms: u64,
    /// Of those that stop, how many percent say goodbye. Default 50.
    #[serde(default = "default::polite_percent")]
    pub polite_percent: u8,
}

/// Bounds that apply to some runs only.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// Runs with these sources; any if absent.
    pub sources: Option<Sources>,
    /// Runs that kill more than this share.
    pub kill_above: Option<Share>,
    /// Runs that kill at most this share.
    pub kill_up_to: Option<Share>,
    /// Their bounds.
    pub expect: Bounds,
}

impl Applies<Broadcast> for Condition {
    fn applies(&self, scenario: &Broadcast) -> bool {
        self.sources.is_none_or(|sources| sources == scenario.sources)
            && self.kill_above.is_none_or(|share| scenario.kill > share)
            && self.kill_up_to.is_none_or(|share| scenario.kill <= share)
    }
}

impl Broadcast {
    /// Nodes that are killed after the warm-up; at least two are left.
    #[must_use]
    pub fn victims(&self) -> u32 {
        self.kill.of(self.nodes).min(self.nodes.saturating_sub(2))
    }

    /// When the first broadcast is due, or the kill if there is one.
    #[must_use]
    pub fn warm(&self) -> Duration {
        let joins = Duration::from_millis(self.join_ms).saturating_mul(self.nodes.saturating_sub(1));
        joins + Duration::from_millis(self.warm_up_ms)
    }

    fn validate(&self) -> Result<(), String> {
        let most = match self.fidelity {
            Fidelity::Model => 1_000_000,
            Fidelity::Wire => 20_000,
        };
        within("nodes", self.nodes.into(), 2, most)?;
        within("messages", self.messages.into(), 1, 100_000)?;
        within("payload_bytes", self.payload_bytes.into(), 8, 60_000)?;
        within("pace_ms", self.pace_ms, 1, 3_600_000)?;
        within("contacts", self.contacts.into(), 1, 1000)?;
        within("join_ms", self.join_ms, 0, 60_000)?;
        within("warm_up_ms", self.warm_up_ms, 0, 86_400_000)?;
        within("drain_ms", self.drain_ms, 0, 86_400_000)?;
        if let Some(churn) = &self.churn {
            within("churn.every_ms", churn.every_ms, 1, 3_600_000)?;
            within("churn.polite_percent", churn.polite_percent.into(), 0, 100)?;
        }
        Ok(())
    }
}

bounds! {
    Summary;

    /// Components of the overlay at the end.
    components: |summary| Some(summary.components as f64),
    /// One-sided links at the end.
    asymmetric_links: |summary| Some(summary.asymmetric_links as f64),
    /// Fewest neighbours of a node, less `Amin`.
    active_min_margin: |summary| Some(summary.active_min as f64 - summary.active_wanted as f64),
    /// Free places of the node with most neighbours.
    active_max_margin: |summary| Some(summary.active_capacity as f64 - summary.active_max as f64),
    /// Share of all deliveries that came about.
    reliability: |summary| Some(summary.reliability),
    /// The same for broadcasts 11 to 20 after the kill.
    reliability_11_20: |summary| summary.reliability_11_20,
    /// The same for broadcasts 11 and later after the kill.
    reliability_from_11: |summary| summary.reliability_from_11,
    /// The same for broadcasts 51 to 60 after the kill.
    reliability_51_60: |summary| summary.reliability_51_60,
    /// Relative message redundancy of the last ten broadcasts.
    rmr_last10: |summary| summary.rmr_last10,
    /// Slowest delivery of the last ten broadcasts, as a multiple of the flood time of the first.
    last10_per_flood: |summary| summary.per_flood(summary.last10_ms),
    /// Slowest delivery of all broadcasts, as a multiple of the flood time of the first.
    delivery_per_flood: |summary| summary.per_flood(summary.delivery_ms.max),
    /// Time from the kill until the live nodes are one component again.
    healing_ms: |summary| summary.healing_ms.map(|ms| ms as f64),
}

mod default {
    pub(super) const fn payload_bytes() -> u32 {
        64
    }
    pub(super) const fn pace_ms() -> u64 {
        1000
    }
    pub(super) const fn contacts() -> u32 {
        10
    }
    pub(super) const fn join_ms() -> u64 {
        1
    }
    pub(super) const fn warm_up_ms() -> u64 {
        60_000
    }
    pub(super) const fn drain_ms() -> u64 {
        30_000
    }
    pub(super) const fn polite_percent() -> u8 {
        50
    }
}
