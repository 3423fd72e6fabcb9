use super::*;
use crate::rng::{Domain, stream};
use pleach_core::rng::below;

fn at(micros: u64) -> Instant {
    Instant::from_micros(micros)
}

#[test]
fn events_of_one_instant_come_in_the_order_of_arrival() {
    let mut queue = Calendar::new();
    for name in ["first", "second", "third"] {
        queue.push(at(5_000), name);
    }
    queue.push(at(4_999), "before");
    let order: Vec<_> =
        std::iter::from_fn(|| queue.pop_until(Instant::FAR_FUTURE)).map(|(_, name)| name).collect();
    assert_eq!(order, ["before", "first", "second", "third"]);
}

#[test]
fn nothing_comes_before_it_is_due() {
    let mut queue = Calendar::new();
    queue.push(at(70_000_000), ());
    assert_eq!(queue.pop_until(at(69_999_999)), None);
    assert_eq!(queue.next_at(), Some(at(70_000_000)));
    assert_eq!(queue.pop_until(at(70_000_000)), Some((at(70_000_000), ())));
    assert!(queue.is_empty());
}

#[test]
fn an_event_pushed_into_the_current_millisecond_or_the_past_is_not_lost() {
    let mut queue = Calendar::new();
    queue.push(at(2_100), 1);
    queue.push(at(2_900), 3);
    assert_eq!(queue.pop_until(Instant::FAR_FUTURE), Some((at(2_100), 1)));
    queue.push(at(2_500), 2);
    queue.push(at(100), 0);
    assert_eq!(queue.pop_until(Instant::FAR_FUTURE), Some((at(100), 0)));
    assert_eq!(queue.pop_until(Instant::FAR_FUTURE), Some((at(2_500), 2)));
    assert_eq!(queue.pop_until(Instant::FAR_FUTURE), Some((at(2_900), 3)));
}

#[test]
fn the_order_is_that_of_a_sorted_list() {
    let mut rng = stream(7, Domain::Workload, 0);
    let mut queue = Calendar::new();
    let mut expected = std::collections::BTreeMap::new();
    let mut now = 0;
    let mut serial = 0u64;
    for _ in 0..20_000 {
        if below(&mut rng, 5) < 3 {
            // Within the bucket, within the horizon, far beyond it.
            let span = [900, 40_000, 40_000_000, 900_000_000][usize::try_from(below(&mut rng, 4)).unwrap()];
            let due = now + below(&mut rng, span);
            queue.push(at(due), serial);
            expected.insert((due, serial), ());
            serial += 1;
        } else {
            let popped = queue.pop_until(Instant::FAR_FUTURE).map(|(at, serial)| (at.as_micros(), serial));
            assert_eq!(popped, expected.pop_first().map(|(key, ())| key));
            now = popped.map_or(now, |(at, _)| at);
        }
        assert_eq!(queue.len(), expected.len());
    }
}
