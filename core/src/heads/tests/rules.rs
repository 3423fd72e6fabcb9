//! What is taken and what is not: H1, H2, H3, H6, H8, H9.

use alloc::vec;
use alloc::vec::Vec;

use super::super::*;
use super::support::*;
use crate::machine::Machine;

#[test]
fn h1_nodes_of_one_key_have_a_head_each() {
    let mut table = Table::linked(Config::default(), &[1]);
    let second = ToyHead { node: 7, ..head(5, 1, 0) };
    table.receive(1, [at_step(head(5, 9, 0), 1), at_step(second, 1)]);
    let keys: Vec<_> = table.heads.iter().map(|(key, _)| *key).collect();
    assert_eq!(keys, [(5, 0), (5, 7)]);
}

#[test]
fn h2_a_wrong_signature_is_a_violation_and_ends_the_batch() {
    let mut table = Table::linked(Config::default(), &[1, 2]);
    let forged = ToyHead { signature: 0, ..head(6, 1, 0) };
    table.receive(1, [at_step(head(5, 1, 0), 1), at_step(forged, 1), at_step(head(7, 1, 0), 1)]);
    assert_eq!(table.said.last(), Some(&Output::Violation { peer: 1, violation: Violation::WrongSignature }));
    table.pass(1000);
    assert_eq!(table.sent_to(2), vec![at_step(head(5, 1, 0), 2)]);
    let stats = table.heads.stats();
    assert_eq!((stats.verified, stats.wrong_signature, table.heads.len()), (2, 1, 1));
}

#[test]
fn h2_dates_at_the_limits() {
    let mut table = Table::linked(Config::default(), &[1]);
    table.now_ms = DAY_MS;
    table.receive(1, [at_step(head(5, 1, DAY_MS + 600_000), 1), at_step(head(6, 1, DAY_MS + 600_001), 1)]);
    table.now_ms = DAY_MS + 1;
    table.receive(1, [at_step(head(7, 1, 1), 1), at_step(head(8, 1, 0), 1)]);
    let keys: Vec<_> = table.heads.iter().map(|(key, _)| key.0).collect();
    assert_eq!(keys, [5, 7]);
    let stats = table.heads.stats();
    assert_eq!((stats.early, stats.late, stats.verified), (1, 1, 2), "no signature is looked at");
    assert!(!table.said.iter().any(|output| matches!(output, Output::Violation { .. })));
}

#[test]
fn h3_greater_height_or_later_date_replaces() {
    let mut table = Table::linked(Config::default(), &[1]);
    table.receive(1, [at_step(head(5, 2, 10), 1)]);
    for (height, issued, taken) in
        [(1, 99, false), (2, 9, false), (2, 10, false), (2, 11, true), (3, 0, true)]
    {
        let newer = ToyHead { salt: 1, ..head(5, height, issued) };
        table.receive(1, [at_step(newer, 1)]);
        assert_eq!(table.heads.get(&(5, 0)).unwrap().head == newer, taken, "{height} {issued}");
    }
    assert_eq!(table.heads.stats().known, 3);
}

#[test]
fn h3_the_same_body_with_a_smaller_step_replaces_the_step() {
    let mut table = Table::linked(Config::default(), &[1, 2, 3]);
    table.receive(1, [at_step(head(5, 2, 0), 6)]);
    table.pass(200);
    table.receive(2, [at_step(head(5, 2, 0), 6)]);
    table.receive(2, [at_step(head(5, 2, 0), 4)]);
    let resigned = ToyHead { signature: 2, ..head(5, 2, 0) };
    table.receive(2, [at_step(resigned, 3)]);
    table.receive(2, [at_step(ToyHead { salt: 1, ..head(5, 2, 0) }, 0)]);
    assert_eq!(table.heads.get(&(5, 0)).unwrap().step, 3);
    assert_eq!(table.heads.get(&(5, 0)).unwrap().head, head(5, 2, 0), "the first signature stays");
    table.pass(200);
    assert_eq!(table.sent_to(3), vec![at_step(head(5, 2, 0), 7), at_step(head(5, 2, 0), 4)]);
    let stats = table.heads.stats();
    assert_eq!((stats.shortened, stats.verified, stats.known), (2, 2, 2));
    table.receive(2, [at_step(ToyHead { signature: 0, ..head(5, 2, 0) }, 1)]);
    assert_eq!(table.heads.stats().wrong_signature, 1, "another signature of the same body is looked at");
}

#[test]
fn h3_a_head_that_is_ignored_costs_no_signature() {
    let mut table = Table::linked(Config::default(), &[1, 2]);
    table.receive(1, [at_step(head(5, 2, 0), 1)]);
    let forged = |height| ToyHead { signature: 0, salt: 9, ..head(5, height, 0) };
    table.receive(2, [at_step(head(5, 2, 0), 1), at_step(forged(1), 0), at_step(forged(2), 0)]);
    assert_eq!((table.heads.stats().verified, table.heads.stats().known), (1, 3));
    assert_eq!(table.heads.stats().wrong_signature, 0);
}

#[test]
fn h6_a_key_that_is_not_admitted_counts_on_its_own_link_only_and_is_not_forwarded() {
    let config = Config { admission: Admission::Ask, ..Config::default() };
    let mut table = Table::linked(config, &[1, 2, 3]);
    table.feed(Input::Admitted { peer: 1, admitted: false });
    table.receive(2, [at_step(head(1, 1, 0), 1), at_step(head(1, 1, 0), 0)]);
    assert_eq!((table.heads.len(), table.heads.stats().verified), (0, 0));
    table.receive(1, [at_step(head(1, 1, 0), 1)]);
    assert_eq!(table.heads.len(), 0, "its own link, but not step 0");
    table.receive(1, [at_step(head(1, 1, 0), 0)]);
    assert_eq!(table.heads.len(), 1);
    table.feed(Input::LinkUp { peer: 4 });
    table.pass(1000);
    assert!(table.frames.is_empty());
    assert_eq!(table.heads.stats().not_admitted, 3);
    table.feed(Input::Admitted { peer: 1, admitted: true });
    table.pass(1000);
    assert_eq!(table.sent_to(2), vec![at_step(head(1, 1, 0), 1)]);
    assert!(table.sent_to(1).is_empty());
}

#[test]
fn h6_an_unknown_key_is_asked_about_after_its_signature_and_taken_when_admitted() {
    let config = Config { admission: Admission::Ask, ..Config::default() };
    let mut table = Table::linked(config, &[1, 2]);
    table.receive(1, [at_step(head(5, 1, 0), 1)]);
    table.receive(2, [at_step(head(5, 1, 0), 1)]);
    assert_eq!(table.said, vec![Output::CheckAdmitted { peer: 5 }]);
    assert_eq!((table.heads.len(), table.heads.stats().verified), (0, 1));
    table.feed(Input::Admitted { peer: 5, admitted: true });
    assert!(matches!(table.said.last(), Some(Output::Event(Event::Replaced { key: (5, 0), .. }))));
    table.pass(1000);
    assert_eq!(table.sent_to(2), vec![at_step(head(5, 1, 0), 2)]);
    table.feed(Input::Admitted { peer: 5, admitted: false });
    assert_eq!(table.heads.len(), 0, "admitted no more");
    let forged = ToyHead { signature: 0, ..head(6, 1, 0) };
    table.receive(1, [at_step(forged, 1)]);
    assert!(!table.said.contains(&Output::CheckAdmitted { peer: 6 }));
}

#[test]
fn h6_questions_that_wait_are_bounded() {
    let config = Config { admission: Admission::Ask, waiting: 2, ..Config::default() };
    let mut table = Table::linked(config, &[1]);
    table.receive(1, [5, 6, 7].map(|owner| at_step(head(owner, 1, 0), 1)));
    assert_eq!(table.heads.stats().waiting_shed, 1);
    for peer in [5, 6, 7] {
        table.feed(Input::Admitted { peer, admitted: true });
    }
    assert_eq!(table.heads.len(), 2);
}

#[test]
fn h8_when_full_the_oldest_goes_and_those_of_our_links_last() {
    let config = Config { entries: 3, ..Config::default() };
    let mut table = Table::linked(config, &[1, 2]);
    table.receive(1, [at_step(head(1, 1, 0), 0), at_step(head(5, 1, 10), 1), at_step(head(6, 1, 20), 1)]);
    table.receive(2, [at_step(head(7, 1, 10), 1)]);
    assert_eq!(
        (table.heads.len(), table.heads.stats().older_than_all),
        (3, 1),
        "not older than the oldest stranger"
    );
    table.receive(2, [at_step(head(7, 1, 15), 1)]);
    let keys = |table: &Table| table.heads.iter().map(|(key, _)| key.0).collect::<Vec<_>>();
    assert_eq!(keys(&table), [1, 6, 7], "5 was the oldest that is not of a link");
    table.feed(Input::LinkDown { peer: 1 });
    table.receive(2, [at_step(head(8, 1, 15), 1)]);
    assert_eq!(keys(&table), [6, 7, 8], "1 is a stranger now");
    assert_eq!((table.heads.stats().evicted, table.heads.stats().verified), (2, 5));
}

#[test]
fn h8_a_link_of_many_nodes_protects_only_some() {
    let config = Config { entries: 4, protected_per_link: 1, ..Config::default() };
    let mut table = Table::linked(config, &[1, 2]);
    let node = |node, issued| at_step(ToyHead { node, ..head(1, 1, issued) }, 0);
    table.receive(1, [node(0, 0), node(1, 1), node(2, 2), node(3, 3)]);
    table.receive(2, [at_step(head(5, 1, 5), 1)]);
    let keys: Vec<_> = table.heads.iter().map(|(key, _)| *key).collect();
    assert_eq!(keys, [(1, 0), (1, 2), (1, 3), (5, 0)]);
}

#[test]
fn h8_entries_expire_after_24_hours() {
    let mut table = Table::linked(Config::default(), &[1]);
    table.now_ms = 1000;
    table.receive(1, [at_step(head(5, 1, 0), 1)]);
    table.pass(DAY_MS - 1001);
    assert_eq!(table.heads.len(), 1);
    table.pass(1);
    assert_eq!((table.heads.len(), table.heads.stats().expired), (0, 1));
    assert_eq!(table.heads.poll_timeout(), None, "idle");
}

#[test]
fn h8_new_keys_of_a_link_are_limited_by_the_hour_without_blame() {
    let config = Config { new_keys_per_hour: 3, ..Config::default() };
    let mut table = Table::linked(config, &[1, 2]);
    table.receive(1, (10..14).map(|owner| at_step(head(owner, 1, 0), 1)));
    assert_eq!((table.heads.len(), table.heads.stats().new_keys_exceeded), (3, 1));
    assert_eq!(table.heads.stats().verified, 3, "no signature is looked at");
    table.receive(1, [at_step(head(10, 2, 0), 1)]);
    assert_eq!(table.heads.stats().replaced, 4, "known keys are not limited");
    table.receive(2, [at_step(head(13, 1, 0), 1)]);
    assert_eq!(table.heads.len(), 4, "nor other links");
    table.feed(Input::LinkDown { peer: 1 });
    table.feed(Input::LinkUp { peer: 1 });
    table.receive(1, [at_step(head(14, 1, 0), 1)]);
    assert_eq!(table.heads.stats().new_keys_exceeded, 2, "a new link is no new hour");
    table.pass(3_600_000);
    table.receive(1, [at_step(head(14, 1, 0), 1)]);
    assert_eq!(table.heads.len(), 5);
    assert!(!table.said.iter().any(|output| matches!(output, Output::Violation { .. })));
}

#[test]
fn h8_new_keys_that_wait_for_an_answer_are_counted_and_once() {
    let config = Config { admission: Admission::Ask, new_keys_per_hour: 3, ..Config::default() };
    let mut table = Table::linked(config, &[1, 2]);
    table.receive(1, (10..14).map(|owner| at_step(head(owner, 1, 0), 1)));
    let asked =
        |table: &Table| table.said.iter().filter(|said| matches!(said, Output::CheckAdmitted { .. })).count();
    let stats = table.heads.stats();
    assert_eq!((asked(&table), stats.verified, stats.new_keys_exceeded), (3, 3, 1));
    table.receive(1, [at_step(head(10, 2, 0), 1)]);
    assert_eq!(asked(&table), 4, "what waits already is not new");
    table.receive(2, [at_step(head(13, 1, 0), 1)]);
    assert_eq!(asked(&table), 5, "nor are other links limited");
    table.pass(3_600_000);
    table.receive(1, [at_step(head(20, 1, 0), 1), at_step(head(21, 1, 0), 1)]);
    for peer in [20, 21] {
        table.feed(Input::Admitted { peer, admitted: true });
    }
    assert_eq!(table.heads.len(), 2);
    table.receive(1, [at_step(head(22, 1, 0), 1), at_step(head(23, 1, 0), 1)]);
    assert_eq!(asked(&table), 8, "those that were taken have been counted before");
}

#[test]
fn h8_the_default_limits() {
    let config = Config::default();
    assert_eq!(
        (config.entries, config.new_keys_per_hour, config.frame, config.rate),
        (65_536, 16_384, 64, 512)
    );
}

#[test]
fn h9_the_step_decides_nothing_but_itself_and_saturates() {
    let mut table = Table::linked(Config::default(), &[1, 2]);
    table.receive(1, [at_step(head(5, 1, 0), u32::MAX)]);
    assert_eq!(table.heads.get(&(5, 0)).unwrap().step, 255);
    table.pass(200);
    assert_eq!(table.sent_to(2), vec![at_step(head(5, 1, 0), 255)]);
    table.receive(2, [at_step(ToyHead { salt: 1, ..head(5, 1, 0) }, 0)]);
    assert_eq!(table.heads.get(&(5, 0)).unwrap().head.salt, 0, "another body of equal order stays out");
}

#[test]
fn heads_of_a_peer_that_is_not_linked_are_ignored() {
    let mut table = Table::new(Config::default());
    table.receive(1, [at_step(head(5, 1, 0), 1)]);
    assert_eq!((table.heads.len(), table.heads.stats().unlinked), (0, 1));
}
