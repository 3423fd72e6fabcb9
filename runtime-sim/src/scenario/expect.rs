//! What is expected of a run: bounds on the figures of its summary.

use std::fmt;

use serde::Deserialize;

use super::{Scenario, Share, Sources};
use crate::summary::Summary;

/// Where a figure must lie, both ends included.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// At least this.
    pub min: Option<f64>,
    /// At most this.
    pub max: Option<f64>,
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

impl Condition {
    /// Whether it is about this run.
    #[must_use]
    pub fn applies(&self, scenario: &Scenario) -> bool {
        self.sources.is_none_or(|sources| sources == scenario.sources)
            && self.kill_above.is_none_or(|share| scenario.kill > share)
            && self.kill_up_to.is_none_or(|share| scenario.kill <= share)
    }
}

/// A figure outside its bounds, or one that could not be measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Miss {
    /// Which figure.
    pub figure: &'static str,
    /// What it was; none if the run has no such figure.
    pub found: Option<f64>,
    /// Where it should lie.
    pub wanted: Range,
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.found {
            Some(found) => write!(f, "{} is {found}, expected {}", self.figure, self.wanted),
            None => write!(f, "{} could not be measured, expected {}", self.figure, self.wanted),
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.min, self.max) {
            (Some(min), Some(max)) if min == max => write!(f, "{min}"),
            (Some(min), Some(max)) => write!(f, "{min} to {max}"),
            (Some(min), None) => write!(f, "at least {min}"),
            (None, Some(max)) => write!(f, "at most {max}"),
            (None, None) => f.write_str("anything"),
        }
    }
}

/// Defines the bounds, one for each figure, and how each figure is found in a summary.
macro_rules! bounds {
    ($($(#[$meta:meta])* $figure:ident: |$summary:ident| $found:expr,)*) => {
        /// Bounds on the figures of a summary, by the figure's name. What has no bound may be anything.
        #[derive(Clone, Debug, Default, Deserialize, PartialEq)]
        #[serde(deny_unknown_fields)]
        pub struct Bounds {
            $($(#[$meta])* pub $figure: Option<Range>,)*
        }

        impl Bounds {
            /// What lies outside.
            #[must_use]
            pub fn check(&self, summary: &Summary) -> Vec<Miss> {
                let mut misses = Vec::new();
                $(if let Some(wanted) = self.$figure {
                    let $summary = summary;
                    let found: Option<f64> = $found;
                    let inside = found.is_some_and(|found| {
                        wanted.min.is_none_or(|min| found >= min) && wanted.max.is_none_or(|max| found <= max)
                    });
                    if !inside {
                        misses.push(Miss { figure: stringify!($figure), found, wanted });
                    }
                })*
                misses
            }
        }
    };
}

bounds! {
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
