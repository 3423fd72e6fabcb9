//! Forwarding: H4, H5.

use alloc::vec;
use alloc::vec::Vec;

use super::super::*;
use super::support::*;

#[test]
fn h4_a_replacement_goes_once_to_every_link_but_its_source() {
    let mut table = Table::linked(Config::default(), &[1, 2, 3]);
    table.receive(1, [at_step(head(5, 1, 0), 1)]);
    table.receive(2, [at_step(head(5, 1, 0), 1)]);
    table.pass(99);
    assert!(table.frames.is_empty());
    table.pass(1);
    assert_eq!(table.frames, vec![(100, 3, vec![at_step(head(5, 1, 0), 2)])], "2 has shown that it holds it");
    table.pass(10_000);
    assert_eq!(table.frames.len(), 1);
}

#[test]
fn h4_a_peer_that_holds_it_over_a_longer_way_still_hears_of_the_shorter() {
    let mut table = Table::linked(Config::default(), &[1, 2]);
    table.receive(1, [at_step(head(5, 1, 0), 1)]);
    table.receive(2, [at_step(head(5, 1, 0), 3)]);
    table.pass(100);
    assert_eq!(table.sent_to(2), vec![at_step(head(5, 1, 0), 2)]);
}

#[test]
fn h4_batches_collect_for_100_ms_and_hold_64() {
    let mut table = Table::linked(Config::default(), &[1, 2]);
    for owner in 0..65 {
        table.receive(1, [at_step(head(owner + 10, 1, 0), 1)]);
        table.pass(1);
    }
    table.pass(1000);
    let frames: Vec<_> = table.frames.iter().map(|(at, _, heads)| (*at, heads.len())).collect();
    assert_eq!(frames, [(100, 64), (225, 1)]);
}

#[test]
fn h4_no_second_carries_more_than_512_on_a_link() {
    let mut table = Table::linked(Config::default(), &[1, 2]);
    for round in 0..300 {
        let owners = round * 20..round * 20 + 20;
        table.receive(1, owners.map(|owner| at_step(head(owner + 2000, 1, 0), 1)));
        table.pass(17);
    }
    table.pass(20_000);
    assert_eq!(table.sent_to(2).len(), 6000);
    for (start, _, _) in &table.frames {
        let within = table.frames.iter().filter(|(at, _, _)| (*start..start + 1000).contains(at));
        let count: usize = within.map(|(_, _, heads)| heads.len()).sum();
        assert!(count <= 512, "{count} from {start}");
    }
    let last = table.frames.last().unwrap().0;
    assert!(last < 6000 * 1000 / 512 + 1000, "and the pace is used: {last}");
}

#[test]
fn h4_a_slow_link_gets_the_newest_state_and_no_backlog() {
    let mut table = Table::linked(Config::default(), &[1, 2]);
    table.drains = false;
    for height in 1..=1000 {
        table.receive(1, [at_step(head(5, height, height), 1)]);
        table.pass(50);
    }
    table.pass(1000);
    assert_eq!(table.sent_to(2).len(), 1, "the link is not writable");
    table.feed(Input::Drained { peer: 2 });
    table.pass(1000);
    table.feed(Input::Drained { peer: 2 });
    table.pass(1000);
    assert_eq!(table.sent_to(2).len(), 2);
    assert_eq!(table.sent_to(2)[1], at_step(head(5, 1000, 1000), 2));
}

#[test]
fn h4_a_newer_head_from_the_slow_link_itself_takes_its_queued_one_away() {
    let mut table = Table::linked(Config::default(), &[1, 2, 3]);
    table.receive(1, [at_step(head(5, 1, 0), 1)]);
    table.receive(2, [at_step(head(5, 2, 0), 1)]);
    table.pass(1000);
    assert!(table.sent_to(2).is_empty());
    assert_eq!(table.sent_to(1), vec![at_step(head(5, 2, 0), 2)]);
    assert_eq!(table.sent_to(3), vec![at_step(head(5, 2, 0), 2)]);
}

#[test]
fn h5_a_new_link_is_sent_the_whole_table_once_newest_first_at_the_same_pace() {
    let mut table = Table::linked(Config::default(), &[1]);
    for owner in 10..210 {
        table.receive(1, [at_step(head(owner, 1, u64::from(owner * 7 % 200)), 1)]);
    }
    table.feed(Input::LinkUp { peer: 2 });
    table.pass(10_000);
    let sent = table.sent_to(2);
    assert_eq!(sent.len(), 200);
    assert!(sent.windows(2).all(|pair| pair[0].head.issued >= pair[1].head.issued));
    let frames: Vec<_> = table.frames.iter().map(|(at, _, heads)| (*at, heads.len())).collect();
    assert_eq!(frames, [(100, 64), (225, 64), (350, 64), (475, 8)]);
    assert!(table.sent_to(1).is_empty());
}

#[test]
fn h5_what_changes_during_the_transfer_goes_once_and_newest() {
    let mut table = Table::linked(Config::default(), &[1]);
    table.receive(1, (10..210).map(|owner| at_step(head(owner, 1, u64::from(owner)), 1)));
    table.feed(Input::LinkUp { peer: 2 });
    table.pass(150);
    table.receive(
        1,
        [at_step(head(209, 2, 300), 1), at_step(head(10, 2, 5), 1), at_step(head(11, 2, 301), 1)],
    );
    table.pass(10_000);
    let of = |owner| table.sent_to(2).into_iter().filter(|sent| sent.head.owner == owner).collect::<Vec<_>>();
    assert_eq!(of(209), [at_step(head(209, 1, 209), 2), at_step(head(209, 2, 300), 2)], "was sent before");
    assert_eq!(of(10), [at_step(head(10, 2, 5), 2)], "the transfer had not come to it");
    assert_eq!(of(11), [at_step(head(11, 2, 301), 2)], "it overtook the transfer");
    assert_eq!(table.sent_to(2).len(), 201);
}

#[test]
fn h5_a_peer_that_comes_back_is_sent_everything_again() {
    let mut table = Table::linked(Config::default(), &[1]);
    table.receive(1, [at_step(head(5, 1, 0), 1)]);
    table.feed(Input::LinkDown { peer: 1 });
    table.feed(Input::LinkUp { peer: 1 });
    table.feed(Input::LinkUp { peer: 1 });
    table.pass(1000);
    assert_eq!(table.sent_to(1), vec![at_step(head(5, 1, 0), 2)], "it may have lost its store");
}

#[test]
fn an_evicted_head_is_not_sent_any_more() {
    let config = Config { entries: 1, ..Config::default() };
    let mut table = Table::linked(config, &[1, 2]);
    table.receive(1, [at_step(head(5, 1, 0), 1), at_step(head(6, 1, 1), 1)]);
    table.pass(1000);
    assert_eq!(table.sent_to(2), vec![at_step(head(6, 1, 1), 2)]);
}

#[test]
fn a_link_that_went_down_hears_nothing() {
    let mut table = Table::linked(Config::default(), &[1, 2]);
    table.receive(1, [at_step(head(5, 1, 0), 1)]);
    table.feed(Input::LinkDown { peer: 2 });
    table.feed(Input::Drained { peer: 2 });
    table.pass(1000);
    assert!(table.frames.is_empty());
}
