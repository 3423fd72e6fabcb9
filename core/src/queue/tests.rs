use alloc::vec;

use super::*;

const NOW: Instant = Instant::ORIGIN;

fn queue(messages: usize, bytes: usize) -> Outgoing<u32> {
    Outgoing::new(Config { messages, bytes })
}

#[test]
fn defaults_are_those_of_broadcast_8_10() {
    assert_eq!(Config::default(), Config { messages: 256, bytes: 4_194_304 });
}

#[test]
fn control_goes_before_gossip_before_bulk_each_in_order() {
    let mut queue = queue(10, 10);
    for (class, message) in
        [(Class::Bulk, 5), (Class::Gossip, 3), (Class::Control, 1), (Class::Gossip, 4), (Class::Control, 2)]
    {
        assert!(queue.push(NOW, class, 1, message).is_empty());
    }
    let order: Vec<_> = core::iter::from_fn(|| queue.pop()).collect();
    assert_eq!(order, [1, 2, 3, 4, 5]);
    assert_eq!((queue.bytes(), queue.is_empty()), (0, true));
}

#[test]
fn what_is_drained_keeps_its_class_and_its_order() {
    let mut queue = queue(3, 10);
    for (class, message) in
        [(Class::Bulk, 3), (Class::Control, 1), (Class::Gossip, 0), (Class::Control, 2), (Class::Bulk, 4)]
    {
        let _ = queue.push(NOW, class, 1, message);
    }
    let drained: Vec<_> = queue.drain().collect();
    assert_eq!(drained, [(Class::Control, 1), (Class::Control, 2), (Class::Bulk, 4)]);
    assert_eq!((queue.len(), queue.bytes(), queue.full_since()), (0, 0, None));
}

#[test]
fn messages_at_limit_minus_one_limit_and_limit_plus_one() {
    let mut queue = queue(3, 100);
    for message in 1..=3 {
        assert!(queue.push(NOW, Class::Bulk, 1, message).is_empty());
        assert_eq!(queue.full_since(), None);
    }
    assert_eq!(queue.push(NOW, Class::Bulk, 1, 4), vec![(Class::Bulk, 1)]);
    assert_eq!((queue.len(), queue.full_since()), (3, Some(NOW)));
}

#[test]
fn bytes_at_limit_minus_one_limit_and_limit_plus_one() {
    let mut queue = queue(100, 10);
    assert!(queue.push(NOW, Class::Bulk, 9, 1).is_empty());
    assert!(queue.push(NOW, Class::Bulk, 1, 2).is_empty());
    assert_eq!(queue.push(NOW, Class::Control, 1, 3), vec![(Class::Bulk, 1)]);
    assert_eq!(queue.bytes(), 2);
    assert_eq!(queue.push(NOW, Class::Bulk, 11, 4), vec![(Class::Bulk, 2), (Class::Bulk, 4)], "never fits");
    assert_eq!(queue.pop(), Some(3), "control outlives bulk");
}

#[test]
fn gossip_is_shed_before_bulk_before_control() {
    let mut queue = queue(3, 100);
    let _ = queue.push(NOW, Class::Control, 1, 1);
    let _ = queue.push(NOW, Class::Bulk, 1, 2);
    let _ = queue.push(NOW, Class::Gossip, 1, 3);
    assert_eq!(queue.push(NOW, Class::Control, 1, 4), vec![(Class::Gossip, 3)]);
    assert_eq!(
        queue.push(NOW, Class::Gossip, 1, 5),
        vec![(Class::Gossip, 5)],
        "nothing below makes room for it"
    );
    assert_eq!(queue.push(NOW, Class::Control, 1, 6), vec![(Class::Bulk, 2)]);
    assert_eq!(queue.push(NOW, Class::Control, 1, 7), vec![(Class::Control, 1)]);
}

#[test]
fn full_since_lasts_until_the_queue_is_half_empty() {
    let later = Instant::from_micros(9);
    let mut queue = queue(4, 100);
    for message in 0..5 {
        let _ = queue.push(NOW, Class::Bulk, 1, message);
    }
    queue.pop();
    let _ = queue.push(later, Class::Bulk, 1, 5);
    let _ = queue.push(later, Class::Bulk, 1, 6);
    assert_eq!(queue.full_since(), Some(NOW), "one message read is no recovery");
    queue.pop();
    assert_eq!(queue.full_since(), Some(NOW));
    queue.pop();
    assert_eq!((queue.len(), queue.full_since()), (2, None));
    for message in 0..3 {
        let _ = queue.push(later, Class::Bulk, 1, message);
    }
    assert_eq!(queue.full_since(), Some(later));
    queue.clear();
    assert_eq!((queue.len(), queue.bytes(), queue.full_since()), (0, 0, None));
}
