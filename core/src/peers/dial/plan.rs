//! The order of attempts (`connectivity` 5.1), after RFC 8305.

use alloc::vec::Vec;
use core::time::Duration;

use super::{Place, Surroundings};
use crate::peers::place::{Reach, Route};

/// The delays of a plan.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Delays {
    /// Between attempts at global addresses. Default 250 ms.
    pub global: Duration,
    /// Between attempts at private addresses. Default 30 ms.
    pub private: Duration,
    /// Before the first relayed address if there is a global one. Default 500 ms.
    pub relayed: Duration,
    /// No further attempt begins for this long once a carrier stands. Default 500 ms.
    pub hold: Duration,
}

impl Default for Delays {
    fn default() -> Self {
        Self {
            global: Duration::from_millis(250),
            private: Duration::from_millis(30),
            relayed: Duration::from_millis(500),
            hold: Duration::from_millis(500),
        }
    }
}

/// When to begin each attempt, counted from the start; in order of time. Duplicates, our own addresses and what cannot be
/// dialled are left out.
#[must_use]
pub fn plan(delays: &Delays, surroundings: &Surroundings, places: &[Place]) -> Vec<(Duration, Place)> {
    let mut groups = [Vec::new(), Vec::new(), Vec::new()];
    for (index, place) in places.iter().enumerate() {
        let repeated = places.iter().take(index).any(|earlier| earlier.address == place.address);
        if !repeated && surroundings.can_dial(&place.route) {
            let [private, global, relayed] = &mut groups;
            match place.route.reach() {
                Reach::Private => private.push(place.clone()),
                Reach::Global => global.push(place.clone()),
                Reach::Relayed => relayed.push(place.clone()),
            }
        }
    }
    let [private, global, relayed] = groups;
    let head_start = if global.is_empty() { Duration::ZERO } else { delays.relayed };
    let mut schedule = stagger(private, Duration::ZERO, delays.private);
    schedule.extend(stagger(global, Duration::ZERO, delays.global));
    schedule.extend(stagger(relayed, head_start, delays.global));
    schedule.sort_by_key(|(at, _)| *at);
    schedule
}

/// One group: the first at once; the first IPv4 a step after an IPv6; all others a step later.
fn stagger(mut group: Vec<Place>, start: Duration, step: Duration) -> Vec<(Duration, Place)> {
    group.sort_by_key(|place| (!is_v6(place), place.route.port()));
    if group.first().is_some_and(is_v6)
        && let Some(first_v4) = group.iter().position(is_v4)
        && let Some(moved) = group.get_mut(1..=first_v4)
    {
        moved.rotate_right(1);
    }
    let paired = group.first().is_some_and(is_v6) && group.get(1).is_some_and(is_v4);
    let delay = |index: usize| match index {
        0 => Duration::ZERO,
        1 => step,
        _ if paired => step.saturating_mul(2),
        _ => step,
    };
    group.into_iter().enumerate().map(|(index, place)| (start.saturating_add(delay(index)), place)).collect()
}

fn is_v6(place: &Place) -> bool {
    place.route.ip().is_some_and(|ip| ip.is_ipv6())
}

fn is_v4(place: &Place) -> bool {
    matches!(place.route, Route::Direct(_)) && !is_v6(place)
}
