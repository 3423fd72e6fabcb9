//! Dialling: in which order, and how many at once (`connectivity` 5.1, 5.2; T-27).
//!
//! [`plan`] is the order, a pure function. [`Dialler`] is a machine that runs the plans of many peers within common
//! limits. An attempt is a link that is being dialled and upgraded:
//!
//! ```text
//! Output::Start ──▶ Input::Opened ──▶ Input::Completed ──▶ Output::Won, and Output::Abort for all other attempts
//!            └──────────┴──▶ Input::Failed, or our deadline ──▶ Output::Lost; after the last one Output::Exhausted
//! ```
//!
//! The keys `K` are peers, or whatever the node dials for (a bootstrap address whose peer is not known). One dial per key
//! runs at a time; asking again joins it. The dialler keeps no back-off: ask [`Book::candidates`](super::Book::candidates)
//! for places, and report each [`Output::Lost`] back to the book.

mod dialler;
mod plan;

use alloc::vec::Vec;
use core::time::Duration;

use super::place::{Place, Surroundings};

pub use dialler::{Dialler, Stats};
pub use plan::{Delays, plan};

/// Limits of a [`Dialler`]. Every value is legal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Config {
    /// The delays of the plan.
    pub delays: Delays,
    /// Attempts at once for one key, at least 1. Default 8.
    pub attempts_per_key: usize,
    /// Attempts at once in all, at least 1; more keys wait for their turn. Default 64.
    pub attempts_max: usize,
    /// Keys that are dialled or wait; further ones fail at once. Default 1024.
    pub keys_max: usize,
    /// Places of one key; further ones are dropped. Default 16.
    pub places_max: usize,
    /// Until the carrier stands. Default 5 s.
    pub open: Duration,
    /// Until the upgrade is complete, from the start. Default 15 s.
    pub complete: Duration,
    /// Dials of one target (an IP address, whatever the port) at once; loopback is exempt. Default 10.
    pub target_burst: u32,
    /// After the burst, one more each. Default 6 s: ten a minute.
    pub target_interval: Duration,
    /// Targets whose dials are counted; the one that was dialled first goes first. Default 4096.
    pub targets_max: usize,
    /// Whether the limit on targets counts for loopback too (for attacks in tests). Default no.
    pub enforce_loopback: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            delays: Delays::default(),
            attempts_per_key: 8,
            attempts_max: 64,
            keys_max: 1024,
            places_max: 16,
            open: Duration::from_secs(5),
            complete: Duration::from_secs(15),
            target_burst: 10,
            target_interval: Duration::from_secs(6),
            targets_max: 4096,
            enforce_loopback: false,
        }
    }
}

/// One try of one place. Ids count up from 0 and are never reused: a node may use them as ids of its dialled links.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Attempt(pub u64);

/// What the dialler hears.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Input<K> {
    /// Open a link. Joins the dial of this key that is under way, if there is one.
    Dial {
        /// For whom.
        key: K,
        /// Where it may be reached.
        places: Vec<Place>,
    },
    /// No link is needed any more (one came in): all attempts are aborted.
    Cancel {
        /// For whom.
        key: K,
    },
    /// The carrier of an attempt stands; the upgrade begins.
    Opened {
        /// Which.
        attempt: Attempt,
    },
    /// The upgrade is complete: the peer's key is proven and the expected one.
    Completed {
        /// Which.
        attempt: Attempt,
    },
    /// The carrier or the upgrade failed.
    Failed {
        /// Which.
        attempt: Attempt,
    },
    /// What we can dial changed. Concerns later dials.
    Surroundings(Surroundings),
}

/// What the dialler wants done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output<K> {
    /// Open a link and upgrade it.
    Start {
        /// The id to report with.
        attempt: Attempt,
        /// For whom.
        key: K,
        /// Where.
        place: Place,
    },
    /// Close this link at once: another was faster, it took too long, or nobody needs it. Nothing is to be reported.
    Abort {
        /// Which.
        attempt: Attempt,
    },
    /// The attempt failed or took too long (then [`Output::Abort`] came before): for the book.
    Lost {
        /// For whom.
        key: K,
        /// Where.
        place: Place,
    },
    /// The link is there; the dial is over.
    Won {
        /// For whom.
        key: K,
        /// Which attempt.
        attempt: Attempt,
        /// Where.
        place: Place,
    },
    /// No place is left, or there was none; the dial is over.
    Exhausted {
        /// For whom.
        key: K,
    },
}

#[cfg(test)]
mod tests;
