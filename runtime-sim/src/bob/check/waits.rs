//! Nobody honest is cut off or made to wait because of hostile guesses: each handshake is passed on, and answered, within
//! what the failures of its own address explain.

use std::collections::BTreeMap;
use std::time::Duration;

use pleach_core::Instant;

use super::Broken;
use crate::clock::millis;

/// The checker of one kind of place: where a `W` asks a `P`, from some address.
#[derive(Debug)]
pub(super) struct Waits<P, W> {
    what: &'static str,
    /// Without any failure.
    slack: Duration,
    /// How long a handshake may be under way: it counts as one that fails until it has ended.
    under_way: Duration,
    /// The first pause after a failure, which doubles, and the longest.
    pause: Duration,
    pause_max: Duration,
    /// How often an address has asked there.
    tried: BTreeMap<(P, Vec<u8>), u32>,
    open: BTreeMap<(P, W), (Instant, Vec<u8>)>,
    /// Nobody can be answered any more.
    is_over: bool,
    /// Handshakes whose delay was looked at.
    pub(super) checked: u64,
    pub(super) broken: Broken,
}

impl<P: Copy + Ord, W: Copy + Ord> Waits<P, W> {
    pub(super) const fn new(
        what: &'static str,
        slack: Duration,
        under_way: Duration,
        (pause, pause_max): (Duration, Duration),
    ) -> Self {
        Self {
            what,
            slack,
            under_way,
            pause,
            pause_max,
            tried: BTreeMap::new(),
            open: BTreeMap::new(),
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
        *self.tried.entry((place, address.to_vec())).or_default() += 1;
        self.open.entry((place, who)).or_insert_with(|| (at, address.to_vec()));
    }

    /// It is passed on, or answered.
    pub(super) fn answered(&mut self, at: Instant, place: P, who: W) {
        if let Some((since, address)) = self.open.remove(&(place, who)) {
            self.check(at, since, place, &address);
        }
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

    fn check(&mut self, at: Instant, since: Instant, place: P, address: &[u8]) {
        self.checked += 1;
        let tried = self.tried.get(&(place, address.to_vec())).copied().unwrap_or_default();
        let pauses = (0..tried.saturating_sub(1)).map(|failures| {
            let doubled = self.pause.saturating_mul(1_u32.checked_shl(failures).unwrap_or(u32::MAX));
            doubled.min(self.pause_max) + self.under_way
        });
        let allowed = pauses.fold(self.slack, Duration::saturating_add);
        let waited = at.since(since);
        if waited > allowed {
            let what = self.what;
            let from = address.escape_ascii().to_string();
            self.broken.note(|| {
                let at = millis(Instant::ORIGIN, at);
                format!("{what} of {from}, which has tried {tried} times, waited {waited:?} of {allowed:?}, until {at} ms")
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_micros(ms * 1000)
    }

    fn waits() -> Waits<u8, u8> {
        let pauses = (Duration::from_secs(1), Duration::from_secs(60));
        Waits::new("a handshake", Duration::from_millis(1), Duration::from_millis(200), pauses)
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
