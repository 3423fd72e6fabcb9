use alloc::vec::Vec;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn at(seconds: u64) -> Instant {
    Instant::ORIGIN + SECOND * u32::try_from(seconds).unwrap()
}

#[test]
fn recent_forgets_by_age_and_by_room() {
    let mut recent = Recent::new(2, SECOND * 10);
    assert_eq!(recent.insert(at(0), 'a', 1), None);
    assert_eq!(recent.insert(at(1), 'b', 2), None);
    assert_eq!(recent.insert(at(2), 'c', 3), Some(('a', 1)), "the oldest makes room");
    assert_eq!(recent.get(at(10), &'b'), Some(&2));
    assert_eq!(recent.get(at(11), &'b'), None, "its time is over");
    assert_eq!(recent.expire(at(11)), Some(at(12)), "the next to go");
    assert_eq!(recent.len(), 1);
    assert_eq!(recent.expire(at(12)), None);
    assert!(recent.is_empty() && recent.order.capacity() == 0, "what is empty owns nothing");
}

#[test]
fn recent_counts_age_from_the_last_insertion() {
    let mut recent = Recent::new(8, SECOND * 10);
    recent.insert(at(0), 'a', 1);
    recent.insert(at(5), 'a', 2);
    assert_eq!(recent.get(at(12), &'a'), Some(&2));
    let newest: Vec<_> = recent.newest_first(at(12)).collect();
    assert_eq!(newest, [(&'a', &2)]);
}

#[test]
fn recent_leaves_little_behind_when_keys_are_replaced_or_removed() {
    let mut recent = Recent::new(4, SECOND);
    for round in 0..1000u64 {
        recent.insert(at(0), round % 3, ());
        recent.remove(&(round % 3));
    }
    assert!(recent.is_empty() && recent.order.capacity() == 0);
    recent.insert(at(0), 9, ());
    for round in 0..1000u64 {
        recent.insert(at(0), round % 3, ());
        recent.remove(&(round % 3));
    }
    assert!(recent.len() == 1 && recent.order.len() <= 10, "{}", recent.order.len());
}

#[test]
fn recent_without_room_keeps_nothing() {
    let mut recent = Recent::new(0, SECOND);
    assert_eq!(recent.insert(at(0), 'a', 1), Some(('a', 1)));
    assert!(recent.is_empty());
}

#[test]
fn bucket_allows_a_burst_and_then_its_rate() {
    let mut bucket = Bucket::new(3, SECOND);
    assert_eq!((0..5).filter(|_| bucket.take(at(0))).count(), 3);
    assert!(bucket.take(at(1)) && !bucket.take(at(1)));
    assert!(!bucket.is_full(at(2)));
    assert!(bucket.is_full(at(9)));
}

#[test]
fn bucket_ignores_time_that_goes_back() {
    let mut bucket = Bucket::new(1, SECOND);
    assert!(bucket.take(at(10)));
    assert!(!bucket.take(at(0)));
    assert!(bucket.take(at(11)));
}

#[test]
fn a_keyed_queue_keeps_the_newest_value_in_the_oldest_place() {
    let mut queue = Keyed::new(8);
    assert_eq!(queue.push("a", 1), None);
    assert_eq!(queue.push("b", 2), None);
    assert_eq!(queue.push("a", 3), Some(("a", 1)));
    assert_eq!((queue.len(), queue.get(&"a")), (2, Some(&3)));
    assert_eq!(queue.pop(), Some(("a", 3)));
    assert_eq!(queue.push("a", 4), None);
    assert_eq!(queue.remove(&"b"), Some(2));
    assert_eq!((queue.pop(), queue.pop(), queue.is_empty()), (Some(("a", 4)), None, true));
}

#[test]
fn a_full_keyed_queue_sheds_its_head() {
    let mut queue = Keyed::new(2);
    queue.push(1, ());
    queue.push(2, ());
    assert_eq!(queue.push(1, ()), Some((1, ())), "a replacement needs no room");
    assert_eq!(queue.push(3, ()), Some((1, ())));
    assert_eq!(queue.len(), 2);
    assert_eq!(Keyed::new(0).push(1, ()), Some((1, ())));
}
