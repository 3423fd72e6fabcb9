//! Scenarios: what is simulated, written in TOML, with what is expected of it.
//!
//! The key `workload` says of which kind a scenario is. Each kind is a type of its own, with its keys and those that
//! all have; a key of another kind is an error that names the accepted ones.

pub mod bob_relay;
pub mod broadcast;
mod expect;
mod keys;
mod values;

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use bob_relay::BobRelay;
pub use broadcast::Broadcast;
pub use expect::{Miss, Range};
pub use values::{Fidelity, Share, Sources};

use keys::Keys;

/// The scenarios that come with the program: name and text.
pub const BUILT_IN: [(&str, &str); 5] = [
    ("stable", include_str!("../scenarios/stable.toml")),
    ("many-sources", include_str!("../scenarios/many-sources.toml")),
    ("mass-kill", include_str!("../scenarios/mass-kill.toml")),
    ("churn", include_str!("../scenarios/churn.toml")),
    ("bob-relay", include_str!("../scenarios/bob-relay.toml")),
];

/// What is simulated, by kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Scenario {
    /// Broadcasts over an overlay.
    Broadcast(Box<Broadcast>),
    /// File transfers through a relay of Bob's.
    BobRelay(Box<BobRelay>),
}

/// The kinds of scenarios.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Workload {
    /// [`Broadcast`].
    #[default]
    Broadcast,
    /// [`BobRelay`].
    BobRelay,
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
        let Head { workload } = toml::from_str(text).map_err(|error| invalid(error.to_string()))?;
        Ok(match workload {
            Workload::Broadcast => Self::Broadcast(Box::new(Broadcast::read(file, text, settings)?)),
            Workload::BobRelay => Self::BobRelay(Box::new(BobRelay::read(file, text, settings)?)),
        })
    }

    /// How many bounds its runs must keep; none: nothing is expected of them.
    #[must_use]
    pub fn bounds(&self) -> usize {
        match self {
            Self::Broadcast(scenario) => scenario.bounds(),
            Self::BobRelay(scenario) => scenario.bounds(),
        }
    }

    /// One line about it.
    #[must_use]
    pub fn about(&self) -> &str {
        match self {
            Self::Broadcast(scenario) => &scenario.about,
            Self::BobRelay(scenario) => &scenario.about,
        }
    }
}

/// What decides about the other keys.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    workload: Workload,
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

#[cfg(test)]
mod tests;
