//! Nobody honest is cut off or made to wait because of hostile guesses: each handshake is passed on, and answered, within
//! what the failures of its own address explain.
//!
//! # The bound
//!
//! The turn of who waits comes a pause after the latest handshake of its address has begun or failed. The pause after n
//! of them is the n-th at most: with each of the others one pause passes. A failure begins the pause anew, which costs no
//! more than the time from the beginning of its handshake or from the failure before it: no more than it was under way.
//! So each of the others costs a pause and the time that it is under way.
//!
//! Among people that is the time of some packets. Of somebody who has fallen silent no end is heard: its handshake is
//! under way until it is given up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pleach_core::Instant;

use super::Broken;
use crate::clock::millis;

/// What may make a handshake wait at one kind of place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Without any failure.
    pub(super) slack: Duration,
    /// How long a handshake may be under way: it counts as one that fails until it has ended.
    pub(super) under_way: Duration,
    /// After how long one is given up if nothing is heard of it.
    pub(super) given_up: Duration,
    /// The pause after the first failure, which doubles with each.
    pub(super) pause: Duration,
    /// The longest pause.
    pub(super) pause_max: Duration,
}

/// The checker of one kind of place: where a `W` asks a `P`, from some address.
#[derive(Debug)]
pub(super) struct Waits<P, W> {
    what: &'static str,
    rules: Rules,
    /// All that have asked there.
    tries: BTreeMap<P, Vec<Try<W>>>,
    open: BTreeMap<(P, W), (Instant, Vec<u8>)>,
    /// Those that answer nobody any more, and are not said to be gone.
    silent: BTreeSet<W>,
    /// Nobody can be answered any more.
    is_over: bool,
    /// Handshakes whose delay was looked at.
    pub(super) checked: u64,
    pub(super) broken: Broken,
}

/// Somebody has asked.
#[derive(Debug)]
struct Try<W> {
    who: W,
    address: Vec<u8>,
    /// It was heard there how that ended.
    has_ended: bool,
}

impl<P: Copy + Ord, W: Copy + Ord> Waits<P, W> {
    pub(super) const fn new(what: &'static str, rules: Rules) -> Self {
        Self {
            what,
            rules,
            tries: BTreeMap::new(),
            open: BTreeMap::new(),
            silent: BTreeSet::new(),
            is_over: false,
            checked: 0,
            broken: Broken::new(),
        }
    }

    /// Somebody honest, from that address, asks.
    pub(super) fn asked(&mut self, at: Instant, place: P, who: W, address: &[u8]) {
        if self.is_over {
            return;
        }
        let address = address.to_vec();
        self.open.entry((place, who)).or_insert_with(|| (at, address.clone()));
        self.tries.entry(place).or_default().push(Try { who, address, has_ended: false });
    }

    /// It is passed on, or answered.
    pub(super) fn answered(&mut self, at: Instant, place: P, who: W) {
        if let Some((since, address)) = self.open.remove(&(place, who)) {
            self.check(at, since, place, who, &address);
        }
    }

    /// It is heard there that the handshakes of somebody have led to something, or to nothing.
    pub(super) fn ended(&mut self, place: P, who: W) {
        let tries = self.tries.get_mut(&place).into_iter().flatten();
        tries.filter(|tried| tried.who == who).for_each(|tried| tried.has_ended = true);
    }

    /// Nothing more is heard of somebody, nor that it is gone.
    pub(super) fn falls_silent(&mut self, who: W) {
        self.silent.insert(who);
    }

    /// One of the two is gone: it must not have waited for too long by then.
    pub(super) fn left(&mut self, at: Instant, is_gone: impl Fn(P, W) -> bool) {
        let gone: Vec<_> = self.open.keys().copied().filter(|(place, who)| is_gone(*place, *who)).collect();
        for (place, who) in gone {
            self.answered(at, place, who);
        }
    }

    /// What passes everything on is silent from now on: none of those who wait is answered, through no fault of anybody's
    /// guesses.
    pub(super) fn over(&mut self) {
        self.open.clear();
        self.is_over = true;
    }

    fn check(&mut self, at: Instant, since: Instant, place: P, who: W, address: &[u8]) {
        self.checked += 1;
        let tries = self.tries.get(&place).into_iter().flatten().filter(|tried| tried.address == address);
        let tries: Vec<_> = tries.collect();
        let allowed = self.allowed(who, &tries);
        let waited = at.since(since);
        if waited > allowed {
            let (what, tried) = (self.what, tries.len());
            let from = address.escape_ascii().to_string();
            self.broken.note(|| {
                let at = millis(Instant::ORIGIN, at);
                format!("{what} of {from}, which has tried {tried} times, waited {waited:?} of {allowed:?}, until {at} ms")
            });
        }
    }

    /// How long one of these may wait for the others.
    fn allowed(&self, who: W, tries: &[&Try<W>]) -> Duration {
        let Rules { slack, under_way, given_up, pause, pause_max } = self.rules;
        let others = tries.len().saturating_sub(1);
        let pauses = (0..others).map(|failures| {
            let factor = u32::try_from(failures).ok().and_then(|failures| 1_u32.checked_shl(failures));
            pause.saturating_mul(factor.unwrap_or(u32::MAX)).min(pause_max)
        });
        let is_silent = |tried: &Try<W>| !tried.has_ended && self.silent.contains(&tried.who);
        let silent = tries.iter().filter(|tried| tried.who != who && is_silent(tried)).count();
        let under_way = (0..others).map(|other| if other < silent { given_up } else { under_way });
        pauses.chain(under_way).fold(slack, Duration::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_micros(ms * 1000)
    }

    fn waits() -> Waits<u8, u8> {
        let rules = Rules {
            slack: Duration::from_millis(1),
            under_way: Duration::from_millis(200),
            given_up: Duration::from_secs(30),
            pause: Duration::from_secs(1),
            pause_max: Duration::from_secs(60),
        };
        Waits::new("a handshake", rules)
    }

    #[test]
    fn the_first_of_an_address_must_not_wait() {
        let mut waits = waits();
        waits.asked(at(0), 1, 1, b"1.2.3.4");
        waits.answered(at(1), 1, 1);
        // Another server, and another address at the first: first tries again.
        waits.asked(at(0), 2, 1, b"1.2.3.4");
        waits.answered(at(1), 2, 1);
        waits.asked(at(0), 1, 2, b"5.6.7.8");
        waits.answered(at(3), 1, 2);
        assert_eq!(waits.checked, 3);
        let broken = waits.broken.into_vec();
        assert_eq!(
            broken,
            ["a handshake of 5.6.7.8, which has tried 1 times, waited 3ms of 1ms, until 3 ms"]
        );
    }

    #[test]
    fn those_behind_one_address_wait_for_its_failures_and_no_longer() {
        for (ms, fine) in [(3401, true), (3402, false)] {
            let mut waits = waits();
            for who in 0..3 {
                waits.asked(at(0), 1, who, b"1.2.3.4");
            }
            waits.answered(at(ms), 1, 2);
            assert_eq!(waits.broken.into_vec().is_empty(), fine, "{ms}");
        }
    }

    #[test]
    fn those_behind_one_address_wait_until_silent_ones_are_given_up() {
        for (ms, fine) in [(33_201, true), (33_202, false)] {
            let mut waits = waits();
            for who in 0..3 {
                waits.asked(at(0), 1, who, b"1.2.3.4");
            }
            waits.asked(at(0), 1, 3, b"5.6.7.8");
            // Nobody waits for those whose end was heard, or who are elsewhere.
            waits.ended(1, 1);
            (0..4).filter(|who| *who != 2).for_each(|who| waits.falls_silent(who));
            waits.answered(at(ms), 1, 2);
            assert_eq!(waits.broken.into_vec().is_empty(), fine, "{ms}");
        }
    }

    #[test]
    fn who_is_cut_off_is_noticed_when_it_leaves() {
        let mut waits = waits();
        waits.asked(at(0), 1, 1, b"1.2.3.4");
        waits.asked(at(0), 2, 1, b"1.2.3.4");
        waits.left(at(1), |place, _| place == 2);
        waits.left(at(600), |_, who| who == 1);
        assert_eq!((waits.checked, waits.broken.into_vec().len()), (2, 1));
    }

    #[test]
    fn nobody_waits_once_it_is_over() {
        let mut waits = waits();
        waits.asked(at(0), 1, 1, b"1.2.3.4");
        waits.over();
        waits.asked(at(2), 1, 2, b"1.2.3.4");
        waits.left(at(90_000), |_, _| true);
        assert_eq!((waits.checked, waits.broken.into_vec()), (0, vec![]));
    }
}
