//! `broadcast` 2, 4.1, 4.2, 5 and 7.

use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::node::*;
use crate::broadcast::{Config, Id, Ids, Input, Message, Outcome, Output, Scope, Verdict, Violation};

#[test]
fn r4_1_publish_pushes_to_the_eager_and_announces_to_the_lazy() {
    let mut node = Node::new(3);
    node.prune(3);
    assert_eq!(node.publish("a"), [sent(&[1, 2], payload("a", 1)), published("a", Outcome::Sent)]);
    assert_eq!(node.wait(MS(499)), []);
    assert_eq!(node.wait(MS(1)), [announced(&[3], &[("a", 1)])]);
}

#[test]
fn r4_1_without_neighbours_it_is_kept_for_the_next() {
    let mut node = Node::new(0);
    assert_eq!(node.publish("a"), [published("a", Outcome::NoNeighbours)]);
    node.wait(Duration::from_secs(9));
    node.up(1);
    assert_eq!(node.wait(MS(500)), [announced(&[1], &[("a", 1)])]);
}

#[test]
fn r2_the_same_content_twice_is_told() {
    let mut node = Node::new(1);
    node.publish("a");
    assert_eq!(node.publish("a"), [published("a", Outcome::AlreadySeen)]);
    node.payload(1, "b", 1);
    assert_eq!(node.publish("b"), [published("b", Outcome::AlreadySeen)]);
    node.wait(Duration::from_secs(601));
    assert_eq!(node.publish("a").len(), 2);
}

#[test]
fn r8_11_an_oversized_publication_fails() {
    let mut node = Node::with(Config { publish_max: 3, ..Config::default() }, 1);
    assert_eq!(node.publish("abcd"), [published("abcd", Outcome::TooLarge)]);
    assert_eq!(node.publish("abc").len(), 2);
}

#[test]
fn r4_2_1_a_stranger_changes_nothing() {
    let mut node = Node::new(1);
    assert_eq!(node.payload(9, "a", 1), [stranger(9)]);
    assert_eq!(node.ihave(9, "a", 1), [stranger(9)]);
    assert_eq!(node.graft(9, "a"), [stranger(9)]);
    assert_eq!(node.prune(9), []);
    assert_eq!((node.eager(), node.lazy(), node.machine.missing()), (Vec::from([1]), Vec::new(), 0));
    assert_eq!(node.payload(1, "a", 1), [delivered(1, "a", 1)]);
}

#[test]
fn r4_2_2_a_wrong_id_or_size_is_a_violation() {
    let mut node = Node::with(Config { receive_max: 3, ..Config::default() }, 1);
    let forged = Message::Payload { id: id("a"), hop: 1, payload: bytes("b") };
    assert_eq!(node.message(1, forged), [violation(1, Violation::WrongId)]);
    assert_eq!(node.payload(1, "abcd", 1), [violation(1, Violation::Oversize)]);
    // The id is not occupied by the forgery.
    assert_eq!(node.payload(1, "a", 1), [delivered(1, "a", 1)]);
}

#[test]
fn r4_2_3_a_duplicate_makes_its_link_lazy() {
    let mut node = Node::new(3);
    node.payload(1, "a", 1);
    assert_eq!(node.payload(2, "a", 1), [pruned(2)]);
    assert_eq!((node.eager(), node.lazy()), (Vec::from([1, 3]), Vec::from([2])));
    // Crossing messages: a lazy link is pruned once a second at most.
    node.payload(1, "b", 1);
    assert_eq!(node.payload(2, "b", 1), []);
    node.wait(MS(1000));
    assert_eq!(node.payload(2, "b", 1), [pruned(2)]);
}

#[test]
fn r4_2_3_the_answer_to_our_own_graft_is_not_pruned() {
    let mut node = Node::new(3);
    node.prune(2);
    node.ihave(2, "a", 1);
    assert_eq!(node.wait(MS(1100)), [grafted(2, &["a"])]);
    assert_eq!(node.payload(1, "a", 1)[0], delivered(1, "a", 1));
    assert_eq!(node.payload(2, "a", 1), []);
    assert_eq!(node.eager(), [1, 2, 3]);
    // Until the next duplicate.
    node.payload(1, "b", 1);
    assert_eq!(node.payload(2, "b", 1), [pruned(2)]);
}

#[test]
fn r4_2_4_further_senders_wait_for_the_verdict() {
    let mut node = Node::validating(3);
    assert_eq!(node.payload(1, "a", 1), [asked(1, "a")]);
    assert_eq!(node.payload(2, "a", 1), []);
    assert_eq!(node.payload(2, "a", 1), []);
    let outputs = node.verdict("a", Verdict::Accept);
    assert_eq!(outputs, [delivered(1, "a", 1), pruned(2), sent(&[3], payload("a", 2))]);
    assert_eq!((node.eager(), node.lazy()), (Vec::from([1, 3]), Vec::from([2])));
    // Nothing is announced to those who have it.
    assert_eq!(node.wait(MS(600)), []);
}

#[test]
fn r4_2_5_a_new_payload_makes_its_sender_eager_and_goes_on() {
    let mut node = Node::new(4);
    (1..=2).for_each(|peer| drop(node.prune(peer)));
    assert_eq!(node.payload(1, "a", 5), [delivered(1, "a", 5), sent(&[3, 4], payload("a", 6))]);
    assert_eq!((node.eager(), node.lazy()), (Vec::from([1, 3, 4]), Vec::from([2])));
    assert_eq!(node.wait(MS(500)), [announced(&[2], &[("a", 6)])]);
}

#[test]
fn r4_2_5_those_who_announced_it_are_spared() {
    let mut node = Node::new(4);
    node.prune(4);
    node.ihave(3, "a", 1);
    node.ihave(4, "a", 1);
    assert_eq!(node.payload(1, "a", 1), [delivered(1, "a", 1), sent(&[2], payload("a", 2))]);
    assert_eq!(node.machine.missing(), 0);
    assert_eq!(node.wait(Duration::from_secs(20)), []);
}

#[test]
fn r4_2_5_a_copy_that_joins_one_for_neighbours_ends_the_search_too() {
    let mut node = Node::validating(4);
    node.prune(2);
    node.ihave(2, "a", 1);
    assert_eq!(node.payload(1, "a", 0), [asked(1, "a")]);
    // What is for neighbours only is not the message that was announced.
    assert_eq!(node.machine.missing(), 1);
    assert_eq!(node.payload(3, "a", 1), []);
    assert_eq!(node.machine.missing(), 0);
    let outputs = node.verdict("a", Verdict::Accept);
    assert_eq!(outputs, [delivered(1, "a", 0), delivered(3, "a", 1), sent(&[1, 4], payload("a", 2))]);
    assert_eq!((node.wait(Duration::from_secs(40)), node.lazy()), (Vec::new(), Vec::from([2])));
    assert_eq!((node.stats().broken_promises, node.stats().lost), (0, 0));
}

#[test]
fn r4_probe_3_hops_saturate() {
    let mut node = Node::new(2);
    assert_eq!(node.payload(1, "a", u32::MAX)[1], sent(&[2], payload("a", u32::MAX)));
    assert_eq!(node.machine.deepest_hop(), u32::MAX);
    node.ihave(2, "a", u32::MAX);
    node.graft(2, "a");
}

#[test]
fn r5_1_validation_holds_payloads_back() {
    let mut node = Node::validating(2);
    assert_eq!(node.payload(1, "a", 1), [asked(1, "a")]);
    assert_eq!((node.wait(MS(5000)), node.machine.validating()), (Vec::new(), 1));
    assert_eq!(node.graft(2, "a"), []);
    assert_eq!(node.ihave(2, "b", 1), []);
    assert_eq!(node.verdict("a", Verdict::Accept), [delivered(1, "a", 1), sent(&[2], payload("a", 2))]);
    assert_eq!(node.verdict("a", Verdict::Accept), []);
    assert_eq!(node.stats().verdicts_stray, 1);
}

#[test]
fn r5_1_no_verdict_is_ignore() {
    let mut node = Node::validating(2);
    node.payload(1, "a", 1);
    assert_eq!(node.wait(Duration::from_secs(10)), []);
    assert_eq!((node.machine.validating(), node.stats().verdicts_missed), (0, 1));
    assert_eq!(node.payload(2, "a", 1), [pruned(2)]);
}

#[test]
fn r5_1_validations_are_bounded() {
    let config = Config { validate: true, validations_per_peer: 2, validations: 3, ..Config::default() };
    let mut node = Node::with(Config { validation_bytes: 10, ..config }, 3);
    assert_eq!(node.payload(1, "a", 1).len(), 1);
    assert_eq!(node.payload(1, "b", 1).len(), 1);
    assert_eq!(node.payload(1, "c", 1), []);
    assert_eq!(node.payload(2, "ten bytes.", 1), []);
    assert_eq!(node.payload(2, "d", 1).len(), 1);
    assert_eq!(node.payload(3, "e", 1), []);
    assert_eq!(node.stats().validations_shed, 3);
    // What was shed is new when it comes again.
    node.verdict("a", Verdict::Ignore);
    assert_eq!(node.payload(3, "e", 1), [asked(3, "e")]);
}

#[test]
fn r5_2_reject_bans_every_sender_then_and_later() {
    let mut node = Node::validating(3);
    node.payload(1, "a", 1);
    node.payload(2, "a", 1);
    let banned = [violation(1, Violation::Rejected), violation(2, Violation::Rejected)];
    assert_eq!(node.verdict("a", Verdict::Reject), banned);
    assert_eq!(node.payload(3, "a", 1), [violation(3, Violation::Rejected)]);
    node.wait(Duration::from_secs(600));
    assert_eq!(node.payload(3, "a", 1), [asked(3, "a")]);
}

#[test]
fn r8_7_a_rejected_payload_is_not_searched_and_its_announcers_are_not_to_blame() {
    // Also where it came for neighbours only.
    for hop in [1, 0] {
        let mut node = Node::validating(2);
        node.ihave(2, "a", 1);
        node.payload(1, "a", hop);
        assert_eq!(node.verdict("a", Verdict::Reject), [violation(1, Violation::Rejected)]);
        assert_eq!(node.machine.missing(), 0);
        assert_eq!(node.wait(Duration::from_secs(40)), []);
        assert_eq!((node.stats().broken_promises, node.stats().lost), (0, 0));
    }
}

#[test]
fn r8_5_a_replay_after_the_seen_window_is_for_the_validator_to_stop() {
    let mut node = Node::validating(2);
    node.payload(1, "a", 1);
    assert_eq!(node.verdict("a", Verdict::Accept).len(), 2);
    node.wait(Duration::from_secs(599));
    assert_eq!(node.payload(2, "a", 1), [pruned(2)]);
    node.wait(Duration::from_secs(1));
    // Its age is a matter of state: it goes no further, nobody is blamed, and for ten minutes nobody looks again.
    assert_eq!(node.payload(2, "a", 1), [asked(2, "a")]);
    assert_eq!(node.verdict("a", Verdict::Ignore), []);
    assert_eq!(node.wait(Duration::from_secs(599)), []);
    assert_eq!(node.payload(1, "a", 1), [pruned(1)]);
}

#[test]
fn r5_3_ignore_blames_nobody_and_fetches_nothing() {
    let mut node = Node::validating(2);
    node.payload(1, "a", 1);
    assert_eq!(node.verdict("a", Verdict::Ignore), []);
    assert_eq!(node.ihave(2, "a", 1), []);
    assert_eq!((node.machine.missing(), node.wait(MS(5000))), (0, Vec::new()));
    // It was never announced by us: a GRAFT for it gets no answer.
    assert_eq!(node.graft(2, "a"), []);
}

#[test]
fn r2_opaque_ids_are_taken_as_they_come() {
    let config = Config { ids: Ids::Opaque, validate: true, ..Config::default() };
    let mut node = Node::with(config, 3);
    let message = |seed, text| Message::Payload { id: Id([seed; 16]), hop: 1, payload: bytes(text) };
    assert_eq!(node.message(1, message(1, "a")).len(), 1);
    // Another content under the same id is not looked at, and its sender not blamed for the first one's.
    assert_eq!(node.message(2, message(1, "b")), []);
    assert_eq!(node.stats().conflicting_ids, 1);
    let rejected = node.feed(Input::Verdict { id: Id([1; 16]), verdict: Verdict::Reject });
    assert_eq!(rejected, [violation(1, Violation::Rejected)]);
    // The id is free for the real message, and the rejected content is known under any other.
    assert_eq!(node.message(2, message(1, "b")).len(), 1);
    assert_eq!(node.feed(Input::Verdict { id: Id([1; 16]), verdict: Verdict::Accept }).len(), 2);
    assert_eq!(node.message(3, message(2, "a")), [violation(3, Violation::Rejected)]);
    // What was delivered is not delivered again under a new id.
    assert_eq!(node.message(3, message(3, "b")), []);
    assert_eq!((node.stats().replayed_contents, node.stats().delivered), (1, 1));
}

#[test]
fn r7_neighbours_only_is_neither_kept_nor_relayed() {
    let mut node = Node::new(2);
    node.feed(Input::NeighborUp { peer: 3, extended: false });
    let scope = Scope::Neighbours;
    let outputs = node.feed(Input::Publish { token: 7, payload: bytes("a"), scope });
    assert_eq!(outputs, [sent(&[1, 2], payload("a", 0)), published("a", Outcome::Sent)]);
    // Not deduplicated, neither here nor against the swarm (probe 9).
    assert_eq!(node.payload(1, "a", 0), [delivered(1, "a", 0)]);
    assert_eq!(node.payload(1, "a", 0), [delivered(1, "a", 0)]);
    assert_eq!(node.payload(2, "a", 1)[0], delivered(2, "a", 1));
    assert_eq!(node.payload(1, "a", 0), [delivered(1, "a", 0)]);
    assert_eq!(node.eager(), [1, 2, 3]);
}

#[test]
fn r7_neighbours_only_is_validated_too() {
    let mut node = Node::validating(2);
    assert_eq!(node.payload(1, "a", 0), [asked(1, "a")]);
    assert_eq!(node.payload(2, "a", 1), []);
    let outputs = node.verdict("a", Verdict::Accept);
    assert_eq!(outputs, [delivered(1, "a", 0), delivered(2, "a", 1), sent(&[1], payload("a", 2))]);
    node.payload(1, "b", 0);
    assert_eq!(node.verdict("b", Verdict::Reject), [violation(1, Violation::Rejected)]);
}

#[test]
fn r4_hop_0_of_a_plain_peer_is_an_ordinary_message() {
    let mut node = Node::new(1);
    node.feed(Input::NeighborUp { peer: 2, extended: false });
    assert_eq!(node.payload(2, "a", 0), [delivered(2, "a", 1), sent(&[1], payload("a", 2))]);
    node.feed(Input::Extended { peer: 2 });
    assert_eq!(node.payload(2, "b", 0), [delivered(2, "b", 0)]);
}

#[test]
fn r7_without_a_neighbour_that_understands_it_nothing_is_sent() {
    let mut node = Node::new(0);
    node.feed(Input::NeighborUp { peer: 2, extended: false });
    let outputs = node.feed(Input::Publish { token: 7, payload: bytes("a"), scope: Scope::Neighbours });
    assert_eq!(outputs, [published("a", Outcome::NoNeighbours)]);
}

#[test]
fn probe_10_ids_are_forgotten_when_their_time_is_over() {
    let mut node = Node::new(1);
    node.payload(1, "a", 1);
    node.wait(Duration::from_secs(599));
    assert_eq!(node.payload(1, "a", 1), [pruned(1)]);
    // No timer needs to have run for it.
    node.wait(Duration::from_secs(1));
    assert_eq!(node.payload(1, "a", 1), [delivered(1, "a", 1)]);
}

#[test]
fn r1_caches_are_bounded() {
    let config = Config { cache_entries: 3, cache_bytes: 9, seen_entries: 5, ..Config::default() };
    let mut node = Node::with(config, 2);
    for number in 0..8 {
        node.payload(1, &format!("id {number}"), 1);
    }
    // The bytes of two payloads; the ids of five.
    assert_eq!(node.machine.cached(), 2);
    assert_eq!(node.graft(2, "id 5"), [sent(&[2], Message::NotHave([id("id 5")].into()))]);
    assert_eq!(node.graft(2, "id 6"), [sent(&[2], payload("id 6", 2))]);
    assert_eq!(node.payload(1, "id 3", 1), [pruned(1)]);
    assert_eq!(node.payload(1, "id 2", 1)[0], delivered(1, "id 2", 1));
}

#[test]
fn r4_2_3_every_id_is_known_however_many_there_are() {
    let mut node = Node::with(Config { seen_entries: 150, cache_entries: 20, ..Config::default() }, 1);
    for newest in 0..400u32 {
        assert_eq!(node.payload(1, &format!("{newest}"), 1).len(), 1);
        for number in newest.saturating_sub(149)..=newest {
            let known = node.publish(&format!("{number}"));
            assert_eq!(
                known,
                [published(&format!("{number}"), Outcome::AlreadySeen)],
                "{number} of {newest}"
            );
        }
    }
    node.wait(Duration::from_secs(800));
    assert_eq!(node.payload(1, "399", 1), [delivered(1, "399", 1)]);
    assert_eq!(node.payload(1, "399", 1), [pruned(1)]);
}

#[test]
fn r2_opaque_ids_that_start_alike_are_told_apart() {
    let config = Config { ids: Ids::Opaque, seen_entries: 300, cache_entries: 20, ..Config::default() };
    let mut node = Node::with(config, 1);
    let message = |number: u16| {
        let mut id = [7; 16];
        id[14..].copy_from_slice(&number.to_be_bytes());
        Message::Payload { id: Id(id), hop: 1, payload: bytes(&format!("{number}")) }
    };
    for number in 0..500 {
        node.message(1, message(number));
    }
    assert_eq!(node.stats().delivered, 500);
    for number in 200..500 {
        node.message(1, message(number));
    }
    assert_eq!((node.stats().duplicates, node.stats().delivered), (300, 500));
}

#[test]
fn r8_12_time_that_goes_back_counts_as_none_passed() {
    let mut node = Node::new(2);
    node.prune(2);
    node.payload(1, "a", 1);
    let due = crate::Machine::poll_timeout(&node.machine);
    node.turn_back(MS(900));
    assert_eq!(node.payload(1, "b", 1), [delivered(1, "b", 1)]);
    assert_eq!(crate::Machine::poll_timeout(&node.machine), due);
    let announced = node.wait(MS(1500));
    assert!(matches!(announced[..], [Output::Send { .. }]), "{announced:?}");
}

#[test]
fn payloads_are_shared_not_copied() {
    let mut node = Node::new(3);
    let content = Bytes::from_static(b"shared");
    let message = Message::Payload { id: Id::of(&content), hop: 1, payload: content.clone() };
    for output in node.message(1, message) {
        if let Output::Send { message: Message::Payload { payload, .. }, .. } = output {
            assert_eq!(payload.as_ptr(), content.as_ptr());
        }
    }
}
