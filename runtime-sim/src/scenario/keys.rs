//! What all kinds of scenarios have in common: the shared keys, and how settings are applied.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use super::{ScenarioError, Workload, values};

/// A kind of scenario.
pub(super) trait Keys: DeserializeOwned {
    /// What its key `workload` must say.
    const WORKLOAD: Workload;

    /// What it says.
    fn workload(&self) -> Workload;

    /// Whether every value is in its range.
    fn validate_all(&self) -> Result<(), String>;

    /// Reads a scenario of this kind, and applies `key=value` settings to it.
    fn read(file: &str, text: &str, settings: &[String]) -> Result<Self, ScenarioError> {
        let invalid = |cause: String| ScenarioError::Invalid { file: file.to_owned(), cause };
        let unchanged: Self = toml::from_str(text).map_err(|error| invalid(error.to_string()))?;
        unchanged.check().map_err(invalid)?;
        if settings.is_empty() {
            return Ok(unchanged);
        }
        let table: toml::Table = toml::from_str(text).map_err(|error| invalid(error.to_string()))?;
        // One setting may need another that comes later: they are judged together.
        Self::with(&table, settings).map_err(|cause| Self::blame(&table, settings, cause))
    }

    /// The scenario that stands in `table`, with all of these settings.
    fn with<'a>(table: &toml::Table, settings: impl IntoIterator<Item = &'a String>) -> Result<Self, String> {
        let mut table = table.clone();
        for setting in settings {
            values::set(&mut table, setting)?;
        }
        let scenario: Self = table.try_into().map_err(|error: toml::de::Error| error.message().to_owned())?;
        scenario.check()?;
        Ok(scenario)
    }

    /// The first of these settings that does not fit, even together with all those that do. They do not fit all together,
    /// for this `cause`.
    fn blame(table: &toml::Table, settings: &[String], cause: String) -> ScenarioError {
        let all = ScenarioError::BadSetting { setting: settings.join(" --set "), cause };
        // By their places, to be applied in their order.
        let mut fitting: BTreeMap<usize, &String> = BTreeMap::new();
        loop {
            let before = fitting.len();
            let mut refused = None;
            for (place, setting) in settings.iter().enumerate() {
                let mut tried = fitting.clone();
                tried.insert(place, setting);
                match Self::with(table, tried.values().copied()) {
                    Ok(_) => fitting = tried,
                    Err(cause) => {
                        refused.get_or_insert(ScenarioError::BadSetting { setting: setting.clone(), cause });
                    }
                }
            }
            if fitting.len() == before {
                return refused.unwrap_or(all);
            }
        }
    }

    /// Whether the kind is right, and every value in its range.
    fn check(&self) -> Result<(), String> {
        if self.workload() != Self::WORKLOAD {
            return Err("the workload cannot be set: other kinds of scenarios have other keys".to_owned());
        }
        self.validate_all()
    }
}

/// Bounds that apply to some runs only.
pub(super) trait Applies<S> {
    /// Whether they apply to runs of this scenario.
    fn applies(&self, scenario: &S) -> bool;
}

/// Defines a kind of scenario: its type with its own keys and those that every kind has. In scope must be its `Bounds`,
/// its `Summary` and its `Condition`, which says when more bounds apply.
macro_rules! scenario {
    (
        $workload:expr;
        $(#[$meta:meta])*
        pub struct $name:ident { $($(#[$attribute:meta])* pub $key:ident: $type:ty,)* }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// One line about it.
            #[serde(default)]
            pub about: String,
            /// The kind of scenario. Default `broadcast`.
            #[serde(default)]
            pub workload: $crate::scenario::Workload,
            /// What becomes of dials, bytes and ends that come to nodes that have crashed: `refused` or `silent`.
            /// Default `refused`.
            #[serde(default)]
            pub dead_dials: $crate::net::DeadDials,
            /// Shortest delay of a link. Default 10.
            #[serde(default = "crate::scenario::keys::default::latency_min_ms")]
            pub latency_min_ms: u64,
            /// Longest delay of a link. Default 50.
            #[serde(default = "crate::scenario::keys::default::latency_max_ms")]
            pub latency_max_ms: u64,
            $($(#[$attribute])* pub $key: $type,)*
            /// What every run must satisfy.
            #[serde(default, skip_serializing)]
            pub expect: Bounds,
            /// What runs of a certain kind must satisfy in addition.
            #[serde(default, skip_serializing)]
            pub expect_when: Vec<Condition>,
        }

        impl $name {
            /// Reads a scenario of this kind from `text`, which stands in `file`, and applies `key=value` settings to it.
            ///
            /// # Errors
            /// As [`Scenario::load`](crate::scenario::Scenario::load).
            pub fn parse(
                file: &str,
                text: &str,
                settings: &[String],
            ) -> Result<Self, $crate::scenario::ScenarioError> {
                $crate::scenario::keys::Keys::read(file, text, settings)
            }

            /// What this run must satisfy.
            #[must_use]
            pub fn expectations(&self) -> Vec<Bounds> {
                let applying = self
                    .expect_when
                    .iter()
                    .filter(|condition| $crate::scenario::keys::Applies::applies(*condition, self));
                std::iter::once(&self.expect)
                    .chain(applying.map(|condition| &condition.expect))
                    .cloned()
                    .collect()
            }

            /// How many bounds that makes.
            #[must_use]
            pub fn bounds(&self) -> usize {
                self.expectations().iter().map(Bounds::count).sum()
            }

            /// What this run missed.
            #[must_use]
            pub fn misses(&self, summary: &Summary) -> Vec<$crate::scenario::Miss> {
                self.expectations().iter().flat_map(|bounds| bounds.check(summary)).collect()
            }

            /// The delays of its links.
            #[must_use]
            pub fn latency(&self, seed: u64) -> $crate::latency::Latency {
                let ms = std::time::Duration::from_millis;
                $crate::latency::Latency::new(seed, ms(self.latency_min_ms), ms(self.latency_max_ms))
            }
        }

        impl $crate::scenario::keys::Keys for $name {
            const WORKLOAD: $crate::scenario::Workload = $workload;

            fn workload(&self) -> $crate::scenario::Workload {
                self.workload
            }

            fn validate_all(&self) -> Result<(), String> {
                $crate::scenario::within("latency_min_ms", self.latency_min_ms, 0, self.latency_max_ms)?;
                $crate::scenario::within("latency_max_ms", self.latency_max_ms, 1, 10_000)?;
                self.validate()
            }
        }
    };
}

pub(super) use scenario;

pub(super) mod default {
    pub(in crate::scenario) const fn latency_min_ms() -> u64 {
        10
    }
    pub(in crate::scenario) const fn latency_max_ms() -> u64 {
        50
    }
}
