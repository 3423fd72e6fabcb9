//! What is expected of a run: bounds on the figures of its summary.

use std::fmt;

use serde::Deserialize;

/// Where a figure must lie, both ends included.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(try_from = "Ends")]
pub struct Range(Limits);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Limits {
    AtLeast(f64),
    AtMost(f64),
    Between(f64, f64),
}

/// A range as it is written.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ends {
    min: Option<f64>,
    max: Option<f64>,
}

impl Range {
    /// At least `min` and at most `max`.
    ///
    /// # Errors
    /// Says why every figure would satisfy that, or none.
    pub fn new(min: Option<f64>, max: Option<f64>) -> Result<Self, String> {
        if min.into_iter().chain(max).any(f64::is_nan) {
            return Err("min or max is not a number".to_owned());
        }
        Ok(Self(match (min, max) {
            (None, None) => return Err("the bound has neither min nor max".to_owned()),
            (Some(min), Some(max)) if min > max => return Err(format!("min = {min} is above max = {max}")),
            (Some(min), Some(max)) => Limits::Between(min, max),
            (Some(min), None) => Limits::AtLeast(min),
            (None, Some(max)) => Limits::AtMost(max),
        }))
    }

    /// Whether a figure lies there.
    #[must_use]
    pub fn contains(&self, found: f64) -> bool {
        match self.0 {
            Limits::AtLeast(min) => found >= min,
            Limits::AtMost(max) => found <= max,
            Limits::Between(min, max) => found >= min && found <= max,
        }
    }
}

impl TryFrom<Ends> for Range {
    type Error = String;

    fn try_from(Ends { min, max }: Ends) -> Result<Self, String> {
        Self::new(min, max)
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
        match self.0 {
            Limits::AtLeast(min) => write!(f, "at least {min}"),
            Limits::AtMost(max) => write!(f, "at most {max}"),
            Limits::Between(min, max) if min == max => write!(f, "{min}"),
            Limits::Between(min, max) => write!(f, "{min} to {max}"),
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
                    if !found.is_some_and(|found| wanted.contains(found)) {
                        misses.push($crate::scenario::Miss { figure: stringify!($figure), found, wanted });
                    }
                })*
                misses
            }
        }
    };
}

pub(super) use bounds;
