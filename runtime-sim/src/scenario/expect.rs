//! What is expected of a run: bounds on the figures of its summary.

use std::fmt;

use serde::Deserialize;

/// Where a figure must lie, both ends included.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(try_from = "Ends")]
pub struct Range {
    /// At least this.
    pub min: Option<f64>,
    /// At most this.
    pub max: Option<f64>,
}

/// A range as it is written.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ends {
    min: Option<f64>,
    max: Option<f64>,
}

impl TryFrom<Ends> for Range {
    type Error = String;

    /// Refuses what every figure would satisfy, or none.
    fn try_from(Ends { min, max }: Ends) -> Result<Self, String> {
        if min.is_none() && max.is_none() {
            return Err("the bound has neither min nor max".to_owned());
        }
        if min.into_iter().chain(max).any(f64::is_nan) {
            return Err("min or max is not a number".to_owned());
        }
        match min.zip(max) {
            Some((min, max)) if min > max => Err(format!("min = {min} is above max = {max}")),
            Some(_) | None => Ok(Self { min, max }),
        }
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

/// Defines the bounds on a kind of summary, one for each figure, and how each figure is found.
macro_rules! bounds {
    ($of:ty; $($(#[$meta:meta])* $figure:ident: |$summary:ident| $found:expr,)*) => {
        /// Bounds on the figures of a summary, by the figure's name. What has no bound may be anything.
        #[derive(Clone, Debug, Default, serde::Deserialize, PartialEq)]
        #[serde(deny_unknown_fields)]
        pub struct Bounds {
            $($(#[$meta])* pub $figure: Option<$crate::scenario::Range>,)*
        }

        impl Bounds {
            /// How many figures have a bound.
            #[must_use]
            pub fn count(&self) -> usize {
                [$(self.$figure.is_some()),*].into_iter().filter(|has_bound| *has_bound).count()
            }

            /// What lies outside.
            #[must_use]
            pub fn check(&self, summary: &$of) -> Vec<$crate::scenario::Miss> {
                let mut misses = Vec::new();
                $(if let Some(wanted) = self.$figure {
                    let $summary = summary;
                    let found: Option<f64> = $found;
                    let inside = found.is_some_and(|found| {
                        wanted.min.is_none_or(|min| found >= min) && wanted.max.is_none_or(|max| found <= max)
                    });
                    if !inside {
                        misses.push($crate::scenario::Miss { figure: stringify!($figure), found, wanted });
                    }
                })*
                misses
            }
        }
    };
}

pub(super) use bounds;
