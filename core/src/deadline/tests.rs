use super::*;

fn at(micros: u64) -> Instant {
    Instant::from_micros(micros)
}

#[test]
fn earliest_key_comes_first_and_ties_in_key_order() {
    let mut deadlines = Deadlines::new();
    deadlines.set('b', Some(at(5)));
    deadlines.set('a', Some(at(5)));
    deadlines.set('c', Some(at(3)));
    assert_eq!(deadlines.next(), Some(at(3)));
    assert_eq!(deadlines.pop_due(at(2)), None);
    let order: alloc::vec::Vec<char> = core::iter::from_fn(|| deadlines.pop_due(at(5))).collect();
    assert_eq!(order, ['c', 'a', 'b']);
    assert!(deadlines.is_empty());
}

#[test]
fn moving_a_deadline_leaves_nothing_behind() {
    let mut deadlines = Deadlines::new();
    for micros in 0..1000 {
        deadlines.set(1u32, Some(at(micros)));
    }
    assert_eq!((deadlines.len(), deadlines.by_time.len()), (1, 1));
    deadlines.set(1, None);
    assert_eq!((deadlines.len(), deadlines.by_time.len()), (0, 0));
    assert_eq!(deadlines.next(), None);
}

#[test]
fn earliest_of_optional_deadlines() {
    assert_eq!(earliest(None, Some(at(1))), Some(at(1)));
    assert_eq!(earliest(Some(at(2)), Some(at(1))), Some(at(1)));
    assert_eq!(earliest(None, None), None);
}
