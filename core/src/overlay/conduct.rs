//! How often a peer did what it may do only so often (`overlay` 4.4, 4.7, 6.6, T-47).

use core::fmt::Debug;
use core::time::Duration;

use super::{Config, Output, Overlay, Violation};
use crate::bounded::Bucket;
use crate::machine::Context;
use crate::stats::count;
use crate::time::Instant;

/// When a peer last did what is limited; forgotten when it has done none of it for a minute.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conduct {
    joined: Option<Instant>,
    high: Option<Instant>,
    asked_high: Option<Instant>,
    refused: Option<Instant>,
    refused_high: Option<Instant>,
    turned_away: Option<Instant>,
    probed: Option<Instant>,
    reported: Option<Instant>,
    unasked: Bucket,
}

/// What is limited to once in an interval.
#[derive(Clone, Copy, Debug)]
pub(super) enum Limited {
    /// A JOIN from it.
    Join,
    /// A HIGH request from it.
    High,
    /// A HIGH request to it.
    AskedHigh,
    /// A refusal to it, of anything but HIGH.
    Refusal,
    /// A refusal of HIGH to it. Who was refused LOW may ask HIGH at its next tick, and must hear (6.11).
    RefusalOfHigh,
    /// DISCONNECT to it for what only a neighbour may send.
    TurningAway,
    /// A SHUFFLE from it although it is no neighbour (6.12).
    Probe,
    /// The report of a violation.
    Report,
}

impl Conduct {
    /// How long the record of a peer is kept.
    pub(super) const LIFETIME: Duration = Duration::from_secs(60);

    fn new(config: &Config) -> Self {
        let replies = config.unasked_replies_max;
        let interval = Self::LIFETIME.checked_div(replies).unwrap_or(Self::LIFETIME);
        Self {
            joined: None,
            high: None,
            asked_high: None,
            refused: None,
            refused_high: None,
            turned_away: None,
            probed: None,
            reported: None,
            unasked: Bucket::new(replies, interval),
        }
    }

    const fn mark(&mut self, what: Limited) -> &mut Option<Instant> {
        match what {
            Limited::Join => &mut self.joined,
            Limited::High => &mut self.high,
            Limited::AskedHigh => &mut self.asked_high,
            Limited::Refusal => &mut self.refused,
            Limited::RefusalOfHigh => &mut self.refused_high,
            Limited::TurningAway => &mut self.turned_away,
            Limited::Probe => &mut self.probed,
            Limited::Report => &mut self.reported,
        }
    }
}

impl<P: Copy + Ord + Debug> Overlay<P> {
    /// Whether this is the first time in `interval`; if so it is noted.
    pub(super) fn allow(&mut self, peer: P, what: Limited, interval: Duration, now: Instant) -> bool {
        let mut conduct = self.conduct_of(peer, now);
        let mark = conduct.mark(what);
        if mark.is_some_and(|last| now.since(last) < interval) {
            return false;
        }
        *mark = Some(now);
        self.note_conduct(peer, conduct, now);
        true
    }

    /// Counts a reply that nothing asked for; false beyond the limit.
    pub(super) fn allow_unasked(&mut self, peer: P, now: Instant) -> bool {
        let mut conduct = self.conduct_of(peer, now);
        let allowed = conduct.unasked.take(now);
        self.note_conduct(peer, conduct, now);
        allowed
    }

    /// Reports a violation of rates, at most once a second and peer.
    pub(super) fn report(&mut self, peer: P, violation: Violation, cx: &mut Context<'_, Output<P>>) {
        if self.allow(peer, Limited::Report, Duration::from_secs(1), cx.now()) {
            cx.emit(Output::Violation { peer, violation });
        }
    }

    fn note_conduct(&mut self, peer: P, conduct: Conduct, now: Instant) {
        if self.conduct.insert(now, peer, conduct).is_some() {
            count(&mut self.stats.conduct_shed);
        }
    }

    fn conduct_of(&self, peer: P, now: Instant) -> Conduct {
        self.conduct.get(now, &peer).copied().unwrap_or_else(|| Conduct::new(&self.config))
    }
}
