//! `broadcast` 4.3 to 4.7, and the edge cases of 8.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::node::*;
use crate::Machine;
use crate::broadcast::{Announcement, Config, Id, Input, Message, Output, Violation};

const SECOND: Duration = Duration::from_secs(1);

/// Without jitter, so that times are exact.
fn exact() -> Config {
    Config { graft_jitter_percent: 0, ..Config::default() }
}

fn not_have(peer: u32, texts: &[&str]) -> Out {
    sent(&[peer], Message::NotHave(texts.iter().map(|text| id(text)).collect()))
}

/// The times, in ms, of the GRAFTs within a span, and to whom.
fn grafts_within(node: &mut Node, span: u64) -> Vec<(u64, u32)> {
    let mut seen = Vec::new();
    for at in 1..=span {
        for output in node.wait(MS(1)) {
            if let Output::Send { peers, message: Message::Graft(_) } = output {
                seen.push((at, peers[0]));
            }
        }
    }
    seen
}

#[test]
fn r4_3_announcers_are_asked_in_turn_with_doubling_pauses() {
    let mut node = Node::with(exact(), 4);
    for peer in [1, 2, 3] {
        node.prune(peer);
    }
    for peer in [1, 2, 3] {
        node.ihave(peer, "a", 2);
    }
    // Twice over the list, then twice more: eight in all.
    let expected =
        [(1000, 1), (1500, 2), (2500, 3), (4500, 1), (8500, 2), (12_500, 3), (16_500, 1), (20_500, 2)];
    assert_eq!(grafts_within(&mut node, 24_499), expected);
    assert_eq!(node.eager(), [1, 2, 3, 4]);
    assert_eq!(node.wait(MS(1)), [lost("a")]);
    assert_eq!((node.machine.missing(), node.stats().lost), (0, 1));
    assert_eq!(node.wait(SECOND * 60), []);
}

#[test]
fn r4_3_one_timer_per_id() {
    // Probe 6: announcements at 0, 85, 90, 95 and 100 ms.
    let mut node = Node::with(exact(), 5);
    node.ihave(1, "a", 1);
    node.wait(MS(85));
    for peer in [2, 3, 4, 1] {
        node.ihave(peer, "a", 1);
        node.wait(MS(5));
    }
    assert_eq!(grafts_within(&mut node, 2500), [(1000 - 105, 1), (1500 - 105, 2), (2500 - 105, 3)]);
}

#[test]
fn r4_3_ids_that_fall_due_together_share_one_graft() {
    let mut node = Node::with(exact(), 2);
    let ids: Vec<Id> = (0..150).map(|number| id(&format!("{number}"))).collect();
    let announcements = ids.iter().map(|id| Announcement { id: *id, hop: 1 }).collect();
    node.message(1, Message::IHave(announcements));
    let mut asked = Vec::new();
    for output in node.wait(SECOND) {
        let Output::Send { message: Message::Graft(ids), .. } = output else { panic!("{output:?}") };
        asked.push(ids);
    }
    assert_eq!(asked.iter().map(Vec::len).collect::<Vec<_>>(), [100, 50]);
    let mut sorted = ids;
    sorted.sort();
    assert_eq!(asked.concat(), sorted);
}

#[test]
fn r8_3_with_lazy_links_only_it_asks_at_once() {
    let mut node = Node::new(2);
    for peer in [1, 2] {
        node.prune(peer);
    }
    node.ihave(2, "a", 1);
    assert_eq!(node.wait(Duration::ZERO), [grafted(2, &["a"])]);
    assert_eq!(node.eager(), [2]);
}

#[test]
fn r8_1_first_grafts_are_spread_in_time() {
    let mut first: Vec<u64> = Vec::new();
    let mut node = Node::new(2);
    for number in 0..20 {
        node.ihave(1, &format!("{number}"), 1);
        first.extend(grafts_within(&mut node, 1101).first().map(|(at, _)| *at));
        node.payload(1, &format!("{number}"), 1);
    }
    assert_eq!(first.len(), 20);
    assert!(first.iter().all(|at| (900..=1100).contains(at)), "{first:?}");
    first.sort_unstable();
    first.dedup();
    assert!(first.len() > 10, "{first:?}");
}

#[test]
fn t46_announcements_are_bounded() {
    let config = Config { ihave_ids: 4, missing_per_peer: 6, missing: 9, ..exact() };
    let mut node = Node::with(config, 3);
    let mut announce = |peer: u32, from: u8, count: u8| {
        let entries = (from..from + count).map(|seed| Announcement { id: Id([seed; 16]), hop: 1 });
        // What is beyond is no offence of its own (`mesh` 4).
        assert_eq!(node.message(peer, Message::IHave(entries.collect())), []);
        node.machine.missing()
    };
    assert_eq!(announce(1, 0, 10), 4);
    assert_eq!(announce(1, 10, 4), 6);
    assert_eq!(announce(2, 20, 4), 9);
    assert_eq!(announce(3, 30, 1), 9);
    // Another announcer of a known one takes no room in the table.
    assert_eq!(announce(3, 0, 1), 9);
    let stats = node.stats();
    assert_eq!((stats.announcements_shed, stats.missing_shed), (6, 4));
    // Room is given back when a neighbour leaves and when the search ends.
    assert_eq!(node.down(1), []);
    node.wait(SECOND * 60);
    assert_eq!(node.machine.missing(), 0);
    assert_eq!(announce_again(&mut node), 4);
}

fn announce_again(node: &mut Node) -> usize {
    let entries = (40..44).map(|seed| Announcement { id: Id([seed; 16]), hop: 1 });
    node.message(2, Message::IHave(entries.collect()));
    node.machine.missing()
}

#[test]
fn r4_4_a_graft_is_answered_with_the_next_hop() {
    let mut node = Node::new(2);
    node.prune(2);
    node.publish("own");
    node.payload(1, "a", 5);
    assert_eq!(node.graft(2, "own"), [sent(&[2], payload("own", 1))]);
    assert_eq!(node.graft(2, "a"), [sent(&[2], payload("a", 6))]);
    assert_eq!(node.eager(), [1, 2]);
    // What was sent is not announced any more.
    assert_eq!(node.wait(MS(500)), []);
    // An empty one only makes the link eager.
    node.prune(2);
    assert_eq!(node.message(2, Message::Graft(Vec::new())), []);
    assert_eq!(node.eager(), [1, 2]);
}

#[test]
fn r8_8_one_graft_may_ask_for_several() {
    let mut node = Node::new(2);
    node.publish("a");
    node.publish("b");
    let outputs = node.message(2, Message::Graft(vec![id("b"), id("x"), id("a")]));
    assert_eq!(outputs, [sent(&[2], payload("b", 1)), sent(&[2], payload("a", 1)), not_have(2, &["x"])]);
}

#[test]
fn r8_4_what_is_gone_is_denied_and_not_announced() {
    let mut node = Node::new(3);
    node.payload(1, "a", 1);
    node.wait(SECOND * 31);
    assert_eq!(node.graft(2, "a"), [not_have(2, &["a"])]);
    // A plain peer would ban us for it.
    node.feed(Input::NeighborUp { peer: 4, extended: false });
    assert_eq!(node.graft(4, "unknown"), []);
    // Neither announced to newcomers, nor denied to those who were never told of it.
    node.up(5);
    assert_eq!(node.wait(SECOND), []);
    assert_eq!(node.graft(5, "a"), []);
}

#[test]
fn r8_4_not_have_moves_on_to_the_next_announcer() {
    let mut node = Node::with(exact(), 4);
    for peer in [1, 2] {
        node.ihave(peer, "a", 1);
    }
    assert_eq!(node.wait(SECOND), [grafted(1, &["a"])]);
    // Not from somebody who was not asked.
    node.message(2, Message::NotHave(vec![id("a")]));
    assert_eq!(node.wait(MS(1)), []);
    node.message(1, Message::NotHave(vec![id("a")]));
    assert_eq!(node.wait(Duration::ZERO), [grafted(2, &["a"])]);
    // With nobody left the search ends, unless somebody announces it again.
    node.message(2, Message::NotHave(vec![id("a")]));
    assert_eq!(node.wait(MS(1999)), []);
    node.ihave(3, "a", 1);
    assert_eq!(node.wait(SECOND), [grafted(3, &["a"])]);
    node.message(3, Message::NotHave(vec![id("a")]));
    assert_eq!(node.wait(SECOND * 2), [lost("a")]);
}

#[test]
fn r4_4_grafts_are_bounded() {
    let config = Config { grafts_per_second: 5, graft_ids: 4, ..Config::default() };
    let mut node = Node::with(config, 2);
    node.publish("a");
    // The same payload twice, not more.
    assert_eq!(node.graft(1, "a").len(), 1);
    assert_eq!(node.graft(1, "a").len(), 1);
    assert_eq!(node.graft(1, "a"), []);
    assert_eq!(node.graft(2, "a").len(), 1);
    // Of one message four are read; of one second five, and what is beyond is told once.
    let many: Vec<Id> = (0..9).map(|seed| Id([seed; 16])).collect();
    let outputs = node.message(1, Message::Graft(many.clone()));
    let denied = sent(&[1], Message::NotHave(many[..2].into()));
    assert_eq!(outputs, [violation(1, Violation::RateExceeded), denied]);
    assert_eq!(node.message(1, Message::Graft(many.clone())), []);
    node.wait(SECOND);
    assert_eq!(
        node.message(1, Message::Graft(many.clone())),
        [sent(&[1], Message::NotHave(many[..4].into()))]
    );
}

#[test]
fn r4_4_prune_makes_lazy_and_is_never_answered() {
    let mut node = Node::new(2);
    assert_eq!(node.prune(1), []);
    assert_eq!(node.prune(1), []);
    assert_eq!((node.eager(), node.lazy()), (vec![2], vec![1]));
}

/// Delivered by 1 at `hop`; 2 is lazy.
fn delivered_by_a_long_way(config: Config, hop: u32) -> Node {
    let mut node = Node::with(config, 3);
    node.prune(2);
    node.payload(1, "a", hop);
    node
}

fn swapped() -> [Out; 2] {
    [sent(&[2], Message::Graft(Vec::new())), pruned(1)]
}

#[test]
fn r4_5_a_way_shorter_by_four_hops_replaces_the_longer_one() {
    let mut node = delivered_by_a_long_way(Config::default(), 6);
    assert_eq!(node.ihave(2, "a", 3), []);
    assert_eq!(node.ihave(2, "a", 2), swapped());
    assert_eq!((node.eager(), node.lazy()), (vec![2, 3], vec![1]));
    // The other way round: the announcement came first.
    let mut node = Node::new(3);
    node.prune(2);
    node.ihave(2, "a", 2);
    let outputs = node.payload(1, "a", 6);
    assert_eq!(outputs[2..], swapped());
}

#[test]
fn r4_5_only_for_a_lazy_announcer_and_an_eager_sender() {
    let mut node = delivered_by_a_long_way(Config::default(), 9);
    assert_eq!(node.ihave(3, "a", 1), []);
    assert_eq!(node.ihave(1, "a", 1), []);
    node.prune(1);
    assert_eq!(node.ihave(2, "a", 1), []);
    // Our own has no way to shorten.
    node.publish("own");
    assert_eq!(node.ihave(2, "own", 1), []);
}

#[test]
fn r4_5_not_where_the_announcement_comes_too_late_to_be_faster() {
    let mut node = delivered_by_a_long_way(Config::default(), 9);
    node.wait(MS(501));
    assert_eq!(node.ihave(2, "a", 1), []);
    let mut node = delivered_by_a_long_way(Config::default(), 9);
    node.wait(MS(500));
    assert_eq!(node.ihave(2, "a", 1), swapped());
}

#[test]
fn r4_5_swaps_are_rare() {
    let mut node = delivered_by_a_long_way(Config::default(), 9);
    node.prune(3);
    assert_eq!(node.ihave(2, "a", 1), swapped());
    // One a second.
    node.payload(2, "b", 9);
    assert_eq!(node.ihave(3, "b", 1), []);
    assert_eq!(node.stats().optimisations_deferred, 1);
    node.wait(SECOND);
    node.payload(2, "c", 9);
    // Not the same pair within 30 s, whichever way round.
    assert_eq!(node.ihave(1, "c", 1), []);
    assert_eq!(node.ihave(3, "c", 1).len(), 2);
}

#[test]
fn r4_5_a_plain_peer_announces_the_hop_of_its_own_copy() {
    let mut node = Node::new(1);
    node.feed(Input::NeighborUp { peer: 2, extended: false });
    node.prune(2);
    node.payload(1, "a", 5);
    assert_eq!(node.ihave(2, "a", 1), []);
    assert_eq!(node.ihave(2, "a", 0), swapped());
}

#[test]
fn r4_6_a_new_neighbour_is_eager_and_told_of_the_recent_past() {
    let mut node = Node::with(Config { ihave_ids: 2, ..Config::default() }, 1);
    node.payload(1, "old", 1);
    node.wait(SECOND * 11);
    for text in ["a", "b", "c"] {
        node.payload(1, text, 1);
    }
    node.up(2);
    assert_eq!(node.eager(), [1, 2]);
    assert_eq!(node.wait(MS(500)), [announced(&[2], &[("c", 2), ("b", 2)])]);
    // A second time it is no news.
    node.up(2);
    assert_eq!(node.wait(SECOND), []);
}

#[test]
fn r4_6_a_lost_neighbour_is_forgotten_everywhere() {
    let mut node = Node::with(exact(), 4);
    for peer in [1, 2] {
        node.prune(peer);
    }
    node.payload(3, "a", 1);
    for peer in [1, 2] {
        node.ihave(peer, "b", 1);
    }
    node.down(1);
    assert_eq!((node.eager(), node.lazy()), (vec![3, 4], vec![2]));
    assert_eq!(node.wait(MS(500)), [announced(&[2], &[("a", 2)])]);
    // The open GRAFT of a lost neighbour moves on at once.
    assert_eq!(node.wait(MS(500)), [grafted(2, &["b"])]);
    node.ihave(4, "b", 1);
    node.down(2);
    assert_eq!(node.wait(Duration::ZERO), [grafted(4, &["b"])]);
    // Without announcers the entry stays for two graft delays.
    node.down(4);
    assert_eq!(node.wait(MS(1999)), []);
    assert_eq!(node.wait(MS(1)), [lost("b")]);
    assert_eq!(node.down(4), []);
}

#[test]
fn r4_6_the_last_eager_link_is_replaced_at_once() {
    let mut node = Node::new(3);
    for peer in [1, 2] {
        node.prune(peer);
    }
    node.payload(3, "a", 4);
    // The nearer of the two is taken.
    node.ihave(1, "a", 5);
    node.ihave(2, "a", 4);
    assert_eq!(node.down(3), [sent(&[2], Message::Graft(Vec::new()))]);
    assert_eq!((node.eager(), node.lazy()), (vec![2], vec![1]));
}

#[test]
fn r4_6_the_link_that_delivers_is_replaced_too_but_not_by_a_descendant() {
    let lose_supplier = |hop: u32| {
        let mut node = Node::new(4);
        node.prune(1);
        node.payload(3, "a", 4);
        node.ihave(1, "a", hop);
        node.down(3)
    };
    assert_eq!(lose_supplier(6), [sent(&[1], Message::Graft(Vec::new()))]);
    assert_eq!(lose_supplier(7), []);
    // Another eager link is no loss.
    let mut node = Node::new(4);
    node.prune(1);
    node.payload(3, "a", 4);
    node.ihave(1, "a", 4);
    assert_eq!(node.down(4), []);
}

#[test]
fn r4_7_each_id_is_announced_once_and_equal_announcements_are_one_output() {
    let mut node = Node::new(5);
    for peer in [2, 3, 4] {
        node.prune(peer);
    }
    node.payload(1, "a", 1);
    node.wait(MS(100));
    node.payload(2, "b", 1);
    // 2 delivered "b", so it is told of "a" alone.
    assert_eq!(node.wait(MS(400)), [announced(&[2], &[("a", 2)]), announced(&[3, 4], &[("b", 2), ("a", 2)])]);
    assert_eq!(node.wait(SECOND * 20), []);
}

#[test]
fn r4_7_no_announcement_is_empty_or_longer_than_allowed() {
    let mut node = Node::with(Config { ihave_ids: 2, ..Config::default() }, 2);
    node.prune(2);
    for text in ["a", "b", "c"] {
        node.payload(1, text, 1);
    }
    assert_eq!(node.wait(MS(500)), [announced(&[2], &[("c", 2), ("b", 2)]), announced(&[2], &[("a", 2)])]);
    // What the neighbour announces itself is not announced to it.
    node.payload(1, "d", 1);
    node.ihave(2, "d", 3);
    assert_eq!(node.wait(MS(500)), []);
}

#[test]
fn r4_7_what_becomes_eager_is_still_told_of_what_it_was_not_sent() {
    let mut node = Node::new(2);
    node.prune(2);
    node.payload(1, "a", 1);
    node.message(2, Message::Graft(Vec::new()));
    assert_eq!(node.wait(MS(500)), [announced(&[2], &[("a", 2)])]);
}

#[test]
fn r8_2_both_ends_may_prune() {
    let mut node = Node::new(2);
    node.payload(1, "a", 1);
    node.payload(2, "a", 1);
    assert_eq!(node.prune(2), []);
    assert_eq!(node.lazy(), [2]);
    node.payload(1, "b", 1);
    assert_eq!(node.wait(MS(500)), [announced(&[2], &[("b", 2)])]);
}

#[test]
fn r8_6_broken_promises_are_reported() {
    let mut node = Node::with(exact(), 2);
    let promise = |number: u64| {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        Announcement { id: Id(bytes), hop: 1 }
    };
    node.message(1, Message::IHave((0..12).map(promise).collect()));
    // Each is asked for eight times; the hundredth in vain is told.
    let violations = |outputs: Vec<Out>| {
        outputs.into_iter().filter(|output| matches!(output, Output::Violation { .. })).collect::<Vec<_>>()
    };
    let reported = violations(node.wait(SECOND * 30));
    assert_eq!(reported, []);
    assert_eq!(node.stats().broken_promises, 96);
    node.message(1, Message::IHave((12..13).map(promise).collect()));
    assert_eq!(violations(node.wait(SECOND * 30)), [violation(1, Violation::BrokenPromises)]);
    // It counts anew, and what is old does not count.
    node.wait(SECOND * 600);
    node.message(1, Message::IHave((20..32).map(promise).collect()));
    assert_eq!(violations(node.wait(SECOND * 30)), []);
}

#[test]
fn r8_9_a_former_neighbour_may_still_answer() {
    let asked_and_gone = || {
        let mut node = Node::with(exact(), 3);
        node.prune(2);
        node.ihave(2, "a", 1);
        assert_eq!(node.wait(SECOND), [grafted(2, &["a"])]);
        node.down(2);
        node
    };
    let mut node = asked_and_gone();
    node.wait(MS(1900));
    assert_eq!(node.payload(2, "a", 2), [delivered(2, "a", 2), sent(&[1, 3], payload("a", 3))]);
    assert_eq!(node.eager(), [1, 3]);
    // Nothing else, and not later.
    assert_eq!(node.payload(2, "b", 2), [stranger(2)]);
    let mut node = asked_and_gone();
    node.wait(SECOND * 2);
    assert_eq!(node.payload(2, "a", 2), [stranger(2)]);
}

#[test]
fn r8_10_what_a_slow_peer_was_not_sent_is_announced() {
    let mut node = Node::new(2);
    node.payload(1, "a", 1);
    let announcements =
        vec![Announcement { id: id("a"), hop: 2 }, Announcement { id: id("never seen"), hop: 1 }];
    node.feed(Input::Shed { peer: 2, announcements });
    assert_eq!(node.wait(MS(500)), [announced(&[2], &[("a", 2)])]);
    assert_eq!(node.eager(), [1, 2]);
}

#[test]
fn r8_10_queues_of_announcements_are_bounded() {
    let mut node = Node::with(Config { cache_entries: 2, ..Config::default() }, 2);
    node.prune(2);
    for text in ["a", "b", "c"] {
        node.payload(1, text, 1);
    }
    assert_eq!(node.stats().queue_shed, 1);
    assert_eq!(node.wait(MS(500)), [announced(&[2], &[("c", 2), ("b", 2)])]);
}

#[test]
fn r8_13_after_a_restart_old_messages_are_known_elsewhere() {
    let mut node = Node::new(2);
    node.payload(1, "a", 1);
    node.down(2);
    node.up(2);
    assert_eq!(node.payload(2, "a", 1), [pruned(2)]);
}

#[test]
fn r8_14_peers_are_served_in_the_order_of_their_ids() {
    let mut node = Node::new(0);
    for peer in [5, 3, 9, 1] {
        node.up(peer);
    }
    assert_eq!(node.publish("a")[0], sent(&[1, 3, 5, 9], payload("a", 1)));
}

#[test]
fn an_idle_instance_has_no_deadline_and_holds_nothing() {
    let mut node = Node::new(3);
    assert_eq!(node.machine.poll_timeout(), None);
    node.prune(3);
    node.payload(1, "a", 1);
    node.payload(2, "a", 1);
    node.ihave(2, "b", 1);
    node.wait(SECOND * 40);
    assert_eq!((node.machine.cached(), node.machine.missing()), (0, 0));
    node.wait(SECOND * 720);
    assert_eq!(node.machine.poll_timeout(), None);
}

#[test]
fn l4_an_early_timeout_does_nothing() {
    let mut node = Node::new(2);
    node.prune(2);
    node.payload(1, "a", 1);
    let before = format!("{:?}", node.machine);
    assert_eq!(node.early_timeout(), []);
    assert_eq!(format!("{:?}", node.machine), before);
}
