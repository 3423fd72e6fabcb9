//! Who waits for whom.

use alloc::collections::BTreeMap;
use core::time::Duration;

use crate::deadline::Deadlines;
use crate::time::Instant;

/// Limits of a [`Rendezvous`]. Every value is legal; with no meetings every one ends as it is opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Config {
    /// Meetings that are open at once. Beyond, the oldest at which nobody waits ends, or else the oldest. Default 4096.
    pub meetings_max: usize,
    /// How long a meeting stays open for the first to come, and then again for the second. Default 3600 s.
    pub patience: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { meetings_max: 4096, patience: Duration::from_secs(3600) }
    }
}

/// A meeting. Ids count up and are never reused.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Meeting(pub u64);

/// One of the two who are to meet.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Side {
    /// The one with the first key.
    First,
    /// The one with the second key.
    Second,
}

/// What becomes of somebody who comes with a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Arrival {
    /// The other is not there yet.
    Waits {
        /// Which meeting.
        meeting: Meeting,
        /// Who came.
        side: Side,
    },
    /// The other waits; both keys are used up.
    Meets {
        /// Which meeting.
        meeting: Meeting,
        /// Who came.
        side: Side,
    },
    /// No meeting has this key, or the place is taken.
    Unknown,
}

/// A meeting that did not come about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ended {
    /// Which.
    pub meeting: Meeting,
    /// Who waits in vain, if anybody came.
    pub waits: Option<Side>,
}

/// Meetings of two who show a key each. A key admits once, and not for ever; nothing is kept for a key that was not
/// opened.
#[derive(Clone, Debug)]
pub struct Rendezvous<K> {
    config: Config,
    next: u64,
    meetings: BTreeMap<Meeting, Appointment<K>>,
    keys: BTreeMap<K, (Meeting, Side)>,
    deadlines: Deadlines<Meeting>,
}

#[derive(Clone, Debug)]
struct Appointment<K> {
    keys: [K; 2],
    waits: Option<Side>,
}

impl<K: Clone + Ord> Rendezvous<K> {
    /// No meetings yet.
    #[must_use]
    pub const fn new(config: Config) -> Self {
        Self {
            config,
            next: 0,
            meetings: BTreeMap::new(),
            keys: BTreeMap::new(),
            deadlines: Deadlines::new(),
        }
    }

    /// Opens a meeting for whoever shows `first` and whoever shows `second`, two different keys. Meetings that used one
    /// of the keys, or for which there is no room any more, are handed to `ended`.
    pub fn open(&mut self, now: Instant, first: K, second: K, mut ended: impl FnMut(Ended)) -> Meeting {
        for key in [&first, &second] {
            if let Some((meeting, _)) = self.find(key) {
                ended(Ended { meeting, waits: self.cancel(meeting) });
            }
        }
        let meeting = Meeting(self.next);
        self.next = self.next.saturating_add(1);
        self.keys.insert(first.clone(), (meeting, Side::First));
        self.keys.insert(second.clone(), (meeting, Side::Second));
        self.meetings.insert(meeting, Appointment { keys: [first, second], waits: None });
        self.deadlines.set(meeting, Some(now + self.config.patience));
        while self.meetings.len() > self.config.meetings_max {
            let Some(meeting) = self.least() else { break };
            ended(Ended { meeting, waits: self.cancel(meeting) });
        }
        meeting
    }

    /// The meeting that `key` opens, and whose key it is.
    #[must_use]
    pub fn find(&self, key: &K) -> Option<(Meeting, Side)> {
        self.keys.get(key).copied()
    }

    /// Somebody shows `key`.
    pub fn arrive(&mut self, now: Instant, key: &K) -> Arrival {
        let Some((meeting, side)) = self.find(key) else { return Arrival::Unknown };
        let Some(appointment) = self.meetings.get_mut(&meeting) else { return Arrival::Unknown };
        if self.deadlines.get(&meeting).is_none_or(|deadline| deadline <= now) {
            return Arrival::Unknown;
        }
        match appointment.waits {
            None => {
                appointment.waits = Some(side);
                self.deadlines.set(meeting, Some(now + self.config.patience));
                Arrival::Waits { meeting, side }
            }
            Some(waits) if waits == side => Arrival::Unknown,
            Some(_) => {
                self.cancel(meeting);
                Arrival::Meets { meeting, side }
            }
        }
    }

    /// Ends a meeting, as when the one who waited has left. Who waits there.
    pub fn cancel(&mut self, meeting: Meeting) -> Option<Side> {
        self.deadlines.remove(&meeting);
        let appointment = self.meetings.remove(&meeting)?;
        for key in &appointment.keys {
            if self.keys.get(key).is_some_and(|(of, _)| *of == meeting) {
                self.keys.remove(key);
            }
        }
        appointment.waits
    }

    /// Ends a meeting whose time is over, if there is one.
    pub fn pop_due(&mut self, now: Instant) -> Option<Ended> {
        let meeting = self.deadlines.pop_due(now)?;
        Some(Ended { meeting, waits: self.cancel(meeting) })
    }

    /// When the next meeting's time is over.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// How many meetings are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.meetings.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.meetings.is_empty()
    }

    /// Which meeting goes first for want of room.
    fn least(&self) -> Option<Meeting> {
        let empty = self.meetings.iter().find(|(_, appointment)| appointment.waits.is_none());
        empty.or_else(|| self.meetings.iter().next()).map(|(meeting, _)| *meeting)
    }
}
