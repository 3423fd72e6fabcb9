//! Scenarios: what is simulated, written in TOML, with what is expected of it.

mod expect;
mod values;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use expect::{Bounds, Condition, Miss, Range};
pub use values::{DeadDials, Fidelity, Share, Sources};

/// The scenarios that come with the program: name and text.
pub const BUILT_IN: [(&str, &str); 4] = [
    ("stable", include_str!("../scenarios/stable.toml")),
    ("many-sources", include_str!("../scenarios/many-sources.toml")),
    ("mass-kill", include_str!("../scenarios/mass-kill.toml")),
    ("churn", include_str!("../scenarios/churn.toml")),
];

/// What is simulated.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// One line about it.
    #[serde(default)]
    pub about: String,
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
    /// What becomes of dials to nodes that are gone: `refused` or `silent`. Default `refused`.
    #[serde(default)]
    pub dead_dials: DeadDials,
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
    /// Shortest delay of a link. Default 10.
    #[serde(default = "default::latency_min_ms")]
    pub latency_min_ms: u64,
    /// Longest delay of a link. Default 50.
    #[serde(default = "default::latency_max_ms")]
    pub latency_max_ms: u64,
    /// Nodes that come and go during the broadcasts. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub churn: Option<Churn>,
    /// What every run must satisfy.
    #[serde(default, skip_serializing)]
    pub expect: Bounds,
    /// What runs of a certain kind must satisfy in addition.
    #[serde(default, skip_serializing)]
    pub expect_when: Vec<Condition>,
}

/// Nodes that come and go.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Churn {
    /// Each time a random node stops and a new one joins.
    pub every_ms: u64,
    /// Of those that stop, how many percent say goodbye. Default 50.
    #[serde(default = "default::polite_percent")]
    pub polite_percent: u8,
}

/// Why a scenario cannot be run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ScenarioError {
    /// There is neither a scenario nor a file of this name.
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// The file cannot be read.
    Unreadable {
        /// Which.
        file: String,
        /// Why.
        cause: String,
    },
    /// The text is not a scenario.
    Invalid {
        /// Where it stands.
        file: String,
        /// Line and reason.
        cause: String,
    },
    /// An option of the command line does not fit.
    BadSetting {
        /// The option.
        setting: String,
        /// Why.
        cause: String,
    },
}

impl Scenario {
    /// Loads a built-in scenario by name, or a file, and applies `key=value` settings to it.
    ///
    /// # Errors
    /// When there is no such scenario, it is invalid, or a setting does not fit; the text names file, line and the
    /// accepted values.
    pub fn load(name: &str, settings: &[String]) -> Result<Self, ScenarioError> {
        let built_in = BUILT_IN.iter().find(|(known, _)| *known == name);
        let (file, text) = match built_in {
            Some((known, text)) => (format!("{known}.toml"), (*text).to_owned()),
            None if Path::new(name).exists() => (name.to_owned(), read(name)?),
            None => return Err(ScenarioError::Unknown { name: name.to_owned() }),
        };
        Self::parse(&file, &text, settings)
    }

    /// Reads a scenario from `text`, which stands in `file`, and applies `key=value` settings to it.
    ///
    /// # Errors
    /// As [`Scenario::load`].
    pub fn parse(file: &str, text: &str, settings: &[String]) -> Result<Self, ScenarioError> {
        let invalid = |cause: String| ScenarioError::Invalid { file: file.to_owned(), cause };
        let scenario: Self = toml::from_str(text).map_err(|error| invalid(error.to_string()))?;
        scenario.validate().map_err(invalid)?;
        if settings.is_empty() {
            return Ok(scenario);
        }
        let mut table: toml::Table = toml::from_str(text).map_err(|error| invalid(error.to_string()))?;
        let mut scenario = scenario;
        for setting in settings {
            let bad = |cause: String| ScenarioError::BadSetting { setting: setting.clone(), cause };
            values::set(&mut table, setting).map_err(bad)?;
            scenario =
                table.clone().try_into().map_err(|error: toml::de::Error| bad(error.message().to_owned()))?;
            scenario.validate().map_err(bad)?;
        }
        Ok(scenario)
    }

    /// What this run must satisfy.
    #[must_use]
    pub fn expectations(&self) -> Vec<Bounds> {
        let applying = self.expect_when.iter().filter(|condition| condition.applies(self));
        std::iter::once(&self.expect).chain(applying.map(|condition| &condition.expect)).cloned().collect()
    }

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
        within("latency_min_ms", self.latency_min_ms, 0, self.latency_max_ms)?;
        within("latency_max_ms", self.latency_max_ms, 1, 10_000)?;
        if let Some(churn) = &self.churn {
            within("churn.every_ms", churn.every_ms, 1, 3_600_000)?;
            within("churn.polite_percent", churn.polite_percent.into(), 0, 100)?;
        }
        Ok(())
    }
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name } => write!(f, "{name:?} is neither a scenario nor a file"),
            Self::Unreadable { file, cause } => write!(f, "{file} cannot be read: {cause}"),
            Self::Invalid { file, cause } => write!(f, "{file}: {}", cause.trim_end()),
            Self::BadSetting { setting, cause } => write!(f, "--set {setting}: {}", cause.trim_end()),
        }
    }
}

impl std::error::Error for ScenarioError {}

fn read(file: &str) -> Result<String, ScenarioError> {
    std::fs::read_to_string(file)
        .map_err(|error| ScenarioError::Unreadable { file: file.to_owned(), cause: error.to_string() })
}

fn within(key: &str, value: u64, least: u64, most: u64) -> Result<(), String> {
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err(format!("{key} = {value} is not between {least} and {most}"))
    }
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
    pub(super) const fn latency_min_ms() -> u64 {
        10
    }
    pub(super) const fn latency_max_ms() -> u64 {
        50
    }
    pub(super) const fn polite_percent() -> u8 {
        50
    }
}

#[cfg(test)]
mod tests;
