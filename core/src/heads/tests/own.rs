//! Our own HEAD: H7.

use alloc::vec;
use alloc::vec::Vec;

use super::super::*;
use super::support::*;
use crate::machine::Machine;

fn heights(table: &Table) -> Vec<(u64, u64)> {
    table.frames.iter().flat_map(|(at, _, heads)| heads.iter().map(|sent| (*at, sent.head.height))).collect()
}

#[test]
fn h7_a_change_is_announced_at_once_with_step_0() {
    let mut table = Table::linked(Config::default(), &[1]);
    table.pass(5000);
    table.feed(Input::Own((4, 0)));
    table.pass(100);
    let own = ToyHead { owner: OWN, node: 0, height: 4, issued: EPOCH + 5000, salt: 0, signature: 1 };
    assert_eq!(table.frames, vec![(5100, 1, vec![at_step(own, 0)])]);
    table.feed(Input::LinkUp { peer: 2 });
    table.pass(100);
    assert_eq!(table.sent_to(2), vec![at_step(own, 0)]);
}

#[test]
fn h7_changes_are_paced_by_the_size_of_the_network() {
    let config = Config { network_size: 500, ..Config::default() };
    let mut table = Table::linked(config, &[1]);
    for height in 1..=9 {
        table.feed(Input::Own((height, 0)));
        table.pass(100);
    }
    table.pass(1000);
    assert_eq!(heights(&table), [(100, 1), (1100, 9)], "once a second");
    table.feed(Input::NetworkSize(20_000));
    table.feed(Input::Own((10, 0)));
    table.pass(19_000);
    assert_eq!(heights(&table).len(), 2);
    table.pass(1000);
    assert_eq!(heights(&table).last(), Some(&(21_100, 10)), "20 s after the one before");
}

#[test]
fn h7_without_a_change_it_is_refreshed_with_a_new_date() {
    let minutes = |size, most: u64| {
        let config = Config { network_size: size, ..Config::default() };
        let mut table = Table::linked(config, &[]);
        table.feed(Input::Own((1, 0)));
        let first = table.heads.poll_timeout().unwrap().as_micros() / 60_000_000;
        assert!((most * 9 / 10..=most * 11 / 10).contains(&first), "{size}: {first}");
        let before = table.heads.get(&(OWN, 0)).unwrap().head.issued;
        table.pass(most * 66_000);
        assert!(table.heads.get(&(OWN, 0)).unwrap().head.issued > before);
        table.heads.stats().own_made
    };
    assert_eq!(minutes(10, 10), 2);
    assert_eq!(minutes(60_000, 100), 2);
    assert_eq!(minutes(u64::MAX, 12 * 60), 2);
}

#[test]
fn h7_what_is_no_change_waits_for_the_refresh() {
    let mut table = Table::linked(Config::default(), &[1]);
    table.feed(Input::Own((1, 0)));
    table.feed(Input::Own((1, 9)));
    table.pass(500_000);
    assert_eq!(table.frames.len(), 1);
    table.pass(700_000);
    assert_eq!(table.sent_to(1)[1].head.salt, 9);
}

#[test]
fn h7_after_losing_its_store_a_node_continues_from_its_own_head() {
    let mut table = Table::linked(Config::default(), &[1]);
    table.feed(Input::Own((1, 0)));
    table.pass(10_000);
    let lost = ToyHead { owner: OWN, ..head(0, 50, 300_000) };
    table.receive(1, [at_step(ToyHead { signature: 0, ..lost }, 3)]);
    assert_eq!(table.heads.stats().wrong_signature, 1);
    table.receive(1, [at_step(lost, 3)]);
    assert_eq!(table.said.last(), Some(&Output::Event(Event::Recovered { head: lost })));
    let own = table.heads.get(&(OWN, 0)).unwrap();
    assert_eq!((own.head.height, own.head.issued, own.step), (50, EPOCH + 300_001, 0));
    let verified = table.heads.stats().verified;
    table.receive(1, [at_step(lost, 3), at_step(own_of(&table), 1)]);
    assert_eq!(table.heads.stats().verified, verified, "what is not newer costs no signature");
    assert_eq!(table.heads.stats().own_recovered, 1);
}

#[test]
fn h7_a_head_heard_before_the_first_own_one_is_continued_too() {
    let mut table = Table::linked(Config::default(), &[1]);
    table.receive(1, [at_step(ToyHead { owner: OWN, ..head(0, 50, 0) }, 3)]);
    assert!(table.heads.is_empty() && table.heads.poll_timeout().is_none());
    table.feed(Input::Own((2, 0)));
    assert_eq!(table.heads.get(&(OWN, 0)).unwrap().head.height, 50);
}

#[test]
fn h8_our_own_head_is_never_evicted() {
    let config = Config { entries: 2, ..Config::default() };
    let mut table = Table::linked(config, &[1]);
    table.feed(Input::Own((1, 0)));
    table.receive(1, (5..9).map(|owner| at_step(head(owner, 1, u64::from(owner)), 1)));
    let keys: Vec<_> = table.heads.iter().map(|(key, _)| key.0).collect();
    assert_eq!(keys, [8, OWN]);
}

#[test]
fn l4_an_early_time_out_does_nothing() {
    let mut table = Table::linked(Config::default(), &[1]);
    let mut twin = Table::linked(Config::default(), &[1]);
    table.feed(Input::Own((1, 0)));
    twin.feed(Input::Own((1, 0)));
    for _ in 0..2000 {
        table.early_timeout();
        table.pass(1000);
        twin.pass(1000);
    }
    assert_eq!(table.frames, twin.frames);
    assert!(table.frames.len() > 1);
}

fn own_of(table: &Table) -> ToyHead {
    table.heads.get(&(OWN, 0)).unwrap().head
}
