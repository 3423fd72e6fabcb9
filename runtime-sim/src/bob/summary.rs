//! The figures of a run.

use std::collections::BTreeMap;

use serde::Serialize;

use super::check::{Checked, Ending};

/// The figures of a run with a relay of Bob's.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Honest pairs.
    pub pairs: usize,
    /// Of those, pairs that no fault and no stranger touched.
    pub undisturbed: usize,
    /// Pairs whose file came over, as both know.
    pub transfers_complete: usize,
    /// Pairs whose file did not come over, or whose sender cannot know.
    pub transfers_failed: usize,
    /// Of those, undisturbed ones.
    pub undisturbed_failed: usize,
    /// Of those that failed, pairs whose receiver has the file, and whose sender cannot know.
    pub unconfirmed: usize,
    /// Hosts that crashed, hostile ones left out.
    pub crashed: usize,
    /// Hosts that froze.
    pub frozen: usize,
    /// Pairs into whose rooms a stranger went.
    pub squatted: usize,
    /// Hostile peers.
    pub hostile: usize,
    /// Of those, hosts that got as far as the relay.
    pub hostile_heard: usize,
    /// Handshakes of senders with somebody who had another password.
    pub wrong_password: u64,
    /// Offers that were refused.
    pub refused: u64,
    /// Rooms in which two met.
    pub rooms: u64,
    /// Bytes copied in rooms.
    pub bytes: u64,
    /// Time from when a sender and the receiver of its file had come until the file was over; only pairs that completed.
    pub complete_ms: Times,
    /// What the relay has counted.
    pub relay: BTreeMap<&'static str, u64>,
    /// How often each check had something to check.
    pub checked: Checked,
    /// Calls into hosts.
    pub events: u64,
    /// The same for each second of real time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events_per_second: Option<u64>,
    /// The digest of the run.
    pub digest: String,
    /// Each pair.
    #[serde(skip)]
    pub transfers: Vec<Transfer>,
}

/// Times in milliseconds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Times {
    /// Half of them took no longer.
    pub p50: u64,
    /// The longest.
    pub max: u64,
}

/// How it went for a pair.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Transfer {
    /// The number of the pair.
    pub pair: usize,
    /// Size of its file.
    pub bytes: usize,
    /// How it ended.
    pub end: Ending,
    /// Whether nothing happened to it that does not happen to everybody.
    pub undisturbed: bool,
    /// From when both its sender and its receiver had come to the end of a complete transfer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
    /// What each person said last.
    pub people: Vec<String>,
}

impl Times {
    /// Of these, in any order.
    #[must_use]
    pub fn of(mut times: Vec<u64>) -> Self {
        times.sort_unstable();
        let p50 = times.get(times.len().saturating_sub(1) / 2).copied().unwrap_or_default();
        Self { p50, max: times.last().copied().unwrap_or_default() }
    }
}

impl Summary {
    /// Adds a pair.
    pub(super) fn add(&mut self, transfer: Transfer) {
        let is_complete = transfer.end == Ending::Complete;
        self.pairs += 1;
        self.undisturbed += usize::from(transfer.undisturbed);
        self.transfers_complete += usize::from(is_complete);
        self.transfers_failed += usize::from(!is_complete);
        self.undisturbed_failed += usize::from(!is_complete && transfer.undisturbed);
        self.unconfirmed += usize::from(transfer.end == Ending::Unconfirmed);
        self.transfers.push(transfer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_that_nobody_confirmed_has_not_completed() {
        let mut summary = Summary::default();
        for (end, undisturbed) in [
            (Ending::Complete, true),
            (Ending::Failed, true),
            (Ending::Complete, false),
            (Ending::Unconfirmed, false),
            (Ending::Lost, false),
        ] {
            let people = Vec::new();
            summary.add(Transfer { pair: 0, bytes: 0, end, undisturbed, took_ms: None, people });
        }
        assert_eq!((summary.pairs, summary.transfers_complete, summary.transfers_failed), (5, 2, 3));
        assert_eq!((summary.unconfirmed, summary.undisturbed), (1, 2));
        assert_eq!(summary.undisturbed_failed, 1);
    }

    #[test]
    fn times_are_the_median_and_the_longest() {
        assert_eq!(Times::of(vec![]), Times { p50: 0, max: 0 });
        assert_eq!(Times::of(vec![9, 1, 5, 3]), Times { p50: 3, max: 9 });
    }
}
