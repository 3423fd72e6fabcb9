use alloc::vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use super::*;
use crate::time::Instant;

const OWN: u32 = 900;
const MEMBER: Level = Level(1);

fn table(config: Config) -> Table<u32> {
    Table::new(config, OWN)
}

fn now() -> Instant {
    Instant::from_micros(1_000_000)
}

/// An address of its own /24 for each number.
fn v4(number: u32) -> IpAddr {
    Ipv4Addr::from_bits((8 << 24) + (number << 8) + 1).into()
}

fn opening(link: u64, remote: IpAddr) -> Opening {
    Opening { link: LinkId(link), remote: Some(remote), relayed: false }
}

fn evicts(link: u64, reason: Reason) -> Decision {
    Decision::Accept { evicted: vec![Evicted { link: LinkId(link), reason }] }
}

/// An incoming link of peer `link`, from a range of its own, up to admission.
fn come(table: &mut Table<u32>, link: u64, level: Level) -> Decision {
    let peer = u32::try_from(link).unwrap();
    assert!(matches!(table.accept(now(), opening(link, v4(peer))), Decision::Accept { .. }));
    assert_eq!(table.authenticated(LinkId(link), peer), Decision::ACCEPT);
    table.admit(LinkId(link), level)
}

/// The same, dialled.
fn go(table: &mut Table<u32>, link: u64, level: Level) -> Decision {
    let peer = u32::try_from(link).unwrap();
    table.dialled(opening(link, v4(peer)));
    assert_eq!(table.authenticated(LinkId(link), peer), Decision::ACCEPT);
    table.admit(LinkId(link), level)
}

#[test]
fn t35_own_key_is_refused_in_both_directions_and_leaves_nothing() {
    let mut table = table(Config::default());
    table.dialled(opening(1, v4(1)));
    table.accept(now(), opening(2, v4(2)));
    for link in [LinkId(1), LinkId(2)] {
        assert_eq!(table.authenticated(link, OWN), Decision::Refuse(Reason::Own));
    }
    assert!(table.is_empty());
    assert_eq!(table.stats().refused_own, 2);
}

#[test]
fn siblings_are_admitted_outside_all_quotas_where_the_network_has_them() {
    let mut table = table(Config { siblings: true, links_max: 0, level_min: Level(9), ..Config::default() });
    for link in 1..=3 {
        table.accept(now(), opening(link, v4(1)));
        assert_eq!(table.authenticated(LinkId(link), OWN), Decision::ACCEPT);
        assert_eq!(table.admit(LinkId(link), MEMBER), Decision::ACCEPT);
    }
    assert_eq!(table.admitted(), 0);
    assert_eq!(table.links_to(OWN).count(), 3);
}

/// What happens at one end: authentication or admission of one of the links.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Act {
    Authenticate(LinkId),
    Admit(LinkId),
}

/// All orders of the acts of `links` in which each link is authenticated before it is admitted.
fn orders(links: &[LinkId]) -> Vec<Vec<Act>> {
    fn extend(done: &[Act], links: &[LinkId], orders: &mut Vec<Vec<Act>>) {
        if done.len() == links.len() * 2 {
            orders.push(done.to_vec());
        }
        for link in links {
            for act in [Act::Authenticate(*link), Act::Admit(*link)] {
                let ready = matches!(act, Act::Authenticate(_)) || done.contains(&Act::Authenticate(*link));
                if ready && !done.contains(&act) {
                    extend(&[done, &[act]].concat(), links, orders);
                }
            }
        }
    }
    let mut all = Vec::new();
    extend(&[], links, &mut all);
    all
}

/// The links that one end keeps. `links` are in order of opening: (initiator, relayed).
fn kept(own: u32, peer: u32, links: &[(u32, bool)], order: &[Act], level: Level) -> Vec<LinkId> {
    let mut table = Table::new(Config { per_range_max: 2, ..Config::default() }, own);
    for (index, (initiator, relayed)) in links.iter().enumerate() {
        let opening = Opening { relayed: *relayed, ..opening(u64::try_from(index).unwrap(), v4(peer)) };
        if *initiator == own {
            table.dialled(opening);
        } else {
            table.accept(now(), opening);
        }
    }
    for act in order {
        match act {
            Act::Authenticate(link) => drop(table.authenticated(*link, peer)),
            Act::Admit(link) => drop(table.admit(*link, level)),
        }
    }
    table.links_to(peer).collect()
}

#[test]
fn e4_both_ends_of_crossed_dials_keep_the_same_link_in_every_order() {
    let links: Vec<LinkId> = (0..3).map(LinkId).collect();
    let mut cases = 0;
    for count in 2..=3 {
        let orders = orders(&links[..count]);
        for shape in 0..4_u32.pow(u32::try_from(count).unwrap()) {
            let shapes = (0..count).map(|index| (shape >> (2 * index)) & 3);
            let shapes: Vec<(u32, bool)> = shapes.map(|bits| (1 + (bits & 1), bits & 2 != 0)).collect();
            let expected = kept(1, 2, &shapes, &orders[0], MEMBER);
            assert_eq!(expected.len(), 1, "{shapes:?}");
            for order in &orders {
                assert_eq!(kept(1, 2, &shapes, order, MEMBER), expected, "{shapes:?} {order:?}");
                assert_eq!(kept(2, 1, &shapes, order, MEMBER), expected, "{shapes:?} {order:?}");
                cases += 1;
            }
        }
    }
    assert_eq!(cases, 16 * 6 + 64 * 90);
}

#[test]
fn e4_the_smaller_initiator_stays_and_of_one_direction_the_newer() {
    let order = [0, 1].map(LinkId).map(|link| [Act::Authenticate(link), Act::Admit(link)]).concat();
    let kept = |links: &[(u32, bool)]| kept(1, 2, links, &order, MEMBER);
    assert_eq!(kept(&[(1, false), (2, false)]), [LinkId(0)]);
    assert_eq!(kept(&[(2, false), (1, false)]), [LinkId(1)]);
    assert_eq!(kept(&[(2, false), (2, false)]), [LinkId(1)]);
    assert_eq!(kept(&[(1, true), (2, false)]), [LinkId(1)], "direct beats relayed");
    assert_eq!(kept(&[(2, false), (1, true)]), [LinkId(0)], "direct beats relayed");
}

#[test]
fn e4_duplicates_are_named_as_such_at_both_ends() {
    let mut table = table(Config::default());
    go(&mut table, 7, MEMBER);
    table.accept(now(), opening(8, v4(7)));
    table.authenticated(LinkId(8), 7);
    assert_eq!(table.admit(LinkId(8), MEMBER), evicts(7, Reason::Duplicate), "7 < OWN: their link stays");
    table.dialled(opening(9, v4(7)));
    table.authenticated(LinkId(9), 7);
    assert_eq!(table.admit(LinkId(9), MEMBER), Decision::Refuse(Reason::Duplicate));
    assert_eq!((table.stats().evicted_duplicate, table.stats().refused_duplicate), (1, 1));
}

#[test]
fn duplicates_of_other_networks() {
    let outcome = |duplicates: Duplicates, admit_first: bool| {
        let mut table = table(Config { duplicates, ..Config::default() });
        table.dialled(opening(1, v4(1)));
        table.accept(now(), opening(2, v4(1)));
        table.authenticated(LinkId(1), 7);
        table.authenticated(LinkId(2), 7);
        if admit_first {
            table.admit(LinkId(1), MEMBER);
        }
        table.admit(LinkId(2), MEMBER)
    };
    assert_eq!(outcome(Duplicates::KeepOld, true), Decision::Refuse(Reason::Duplicate));
    assert_eq!(outcome(Duplicates::KeepOld, false), Decision::ACCEPT);
    assert_eq!(outcome(Duplicates::KeepNew, true), evicts(1, Reason::Duplicate));
    assert_eq!(outcome(Duplicates::RefuseBoth, false), Decision::Refuse(Reason::Duplicate));
    assert_eq!(outcome(Duplicates::Allow, true), Decision::ACCEPT);
}

#[test]
fn t20_one_address_evicts_its_own_oldest_link() {
    let mut table = table(Config::default());
    table.accept(now(), opening(0, v4(50)));
    for link in 1..=8 {
        assert_eq!(table.accept(now(), opening(link, v4(1))), Decision::ACCEPT, "{link}");
    }
    assert_eq!(table.accept(now(), opening(9, v4(1))), evicts(1, Reason::Handshake));
    assert_eq!(
        table.accept(now(), opening(10, v4(2))),
        Decision::ACCEPT,
        "another address has its own share"
    );
    assert_eq!(table.stats().evicted_handshake, 1);
    table.authenticated(LinkId(2), 7);
    assert_eq!(
        table.accept(now(), opening(11, v4(1))),
        Decision::ACCEPT,
        "who has proven a key does not count"
    );
}

#[test]
fn t20_ipv6_counts_by_64_and_48() {
    let v6 = |subnet: u16, host: u16| IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0, subnet, 0, 0, 0, host));
    let config = Config { unauthenticated_per_range: 16, ..Config::default() };
    let mut table = table(config);
    for link in 0..8 {
        assert_eq!(table.accept(now(), opening(link, v6(1, u16::try_from(link).unwrap()))), Decision::ACCEPT);
    }
    assert_eq!(table.accept(now(), opening(8, v6(1, 99))), evicts(0, Reason::Handshake), "the /64 is full");
    for link in 9..17 {
        assert_eq!(table.accept(now(), opening(link, v6(u16::try_from(link).unwrap(), 1))), Decision::ACCEPT);
    }
    assert_eq!(table.accept(now(), opening(17, v6(99, 1))), evicts(1, Reason::Handshake), "the /48 is full");
}

#[test]
fn t20_a_full_table_evicts_from_the_most_represented_range() {
    let mut table = table(Config { unauthenticated_max: 4, ..Config::default() });
    for (link, range) in [(0, 1), (1, 2), (2, 2), (3, 3)] {
        assert_eq!(table.accept(now(), opening(link, v4(range))), Decision::ACCEPT);
    }
    assert_eq!(table.accept(now(), opening(4, v4(4))), evicts(1, Reason::Handshake));
    assert_eq!(table.accept(now(), opening(5, v4(5))), evicts(0, Reason::Handshake), "all alike: the oldest");
    assert_eq!(table.len(), 4);
}

#[test]
fn t20_an_honest_dialler_beside_a_hundred_silent_links() {
    let mut table = table(Config { incoming_burst: 1000, ..Config::default() });
    table.accept(now(), opening(0, v4(1)));
    for link in 1..=100 {
        let decision = table.accept(now(), opening(link, v4(2)));
        assert!(
            !matches!(decision, Decision::Accept { evicted } if evicted.iter().any(|e| e.link == LinkId(0)))
        );
    }
    assert_eq!(table.authenticated(LinkId(0), 7), Decision::ACCEPT);
}

#[test]
fn loopback_is_exempt_unless_enforced() {
    let loopback: IpAddr = Ipv4Addr::LOCALHOST.into();
    let mut free = table(Config { unauthenticated_loopback_max: 50, ..Config::default() });
    let mut bound = table(Config { enforce_loopback: true, ..Config::default() });
    for link in 0..50 {
        assert_eq!(free.accept(now(), opening(link, loopback)), Decision::ACCEPT);
        bound.accept(now(), opening(link, loopback));
    }
    assert_eq!(
        free.accept(now(), opening(50, loopback)),
        evicts(0, Reason::Handshake),
        "but it has a limit of its own"
    );
    assert_eq!(bound.stats().refused_rate, 30);
    assert_eq!(bound.stats().evicted_handshake, 12);
    for link in 1..=5 {
        free.authenticated(LinkId(link), u32::try_from(link).unwrap());
        assert_eq!(free.admit(LinkId(link), MEMBER), Decision::ACCEPT, "no limit on its range");
    }
}

#[test]
fn t23_rate_of_incoming_links_per_address() {
    let mut table = table(Config::default());
    let decide = |table: &mut Table<u32>, link, seconds: u64| {
        let at = now() + Duration::from_secs(seconds);
        table.accept(at, opening(link, v4(1))) != Decision::Refuse(Reason::Rate)
    };
    for link in 0..20 {
        assert!(decide(&mut table, link, 0), "{link}");
    }
    assert!(!decide(&mut table, 20, 0));
    assert_ne!(table.accept(now(), opening(21, v4(2))), Decision::Refuse(Reason::Rate), "another address");
    assert!((22..32).all(|link| decide(&mut table, link, 10)), "ten more in ten seconds");
    assert!(!decide(&mut table, 32, 10));
    assert_eq!(table.stats().refused_rate, 2);
}

#[test]
fn t23_memory_of_rates_is_bounded() {
    let mut table = table(Config { incoming_addresses_max: 3, ..Config::default() });
    for link in 0..10 {
        table.accept(now(), opening(link, v4(u32::try_from(link).unwrap())));
    }
    assert_eq!(table.stats().shed_rates, 7);
}

#[test]
fn t25_at_most_two_admitted_links_into_one_range() {
    let mut table = table(Config::default());
    let host = |number: u8| IpAddr::from([9, 9, 9, number]);
    for link in 1..=3 {
        table.dialled(opening(link, host(u8::try_from(link).unwrap())));
        table.authenticated(LinkId(link), u32::try_from(link).unwrap());
    }
    assert_eq!(table.admit(LinkId(1), MEMBER), Decision::ACCEPT);
    assert_eq!(table.admit(LinkId(2), MEMBER), Decision::ACCEPT);
    assert_eq!(table.admit(LinkId(3), MEMBER), Decision::Refuse(Reason::Range));
    table.accept(now(), opening(4, host(4)));
    table.authenticated(LinkId(4), 1);
    assert_eq!(
        table.admit(LinkId(4), MEMBER),
        evicts(1, Reason::Duplicate),
        "a duplicate does not count twice"
    );
    table.closed(LinkId(2));
    table.dialled(opening(5, host(5)));
    table.authenticated(LinkId(5), 5);
    assert_eq!(table.admit(LinkId(5), MEMBER), Decision::ACCEPT);
}

#[test]
fn t25_incoming_never_takes_the_places_of_outgoing() {
    let mut table = table(Config { links_max: 4, outgoing_reserved: 1, ..Config::default() });
    for link in 1..=3 {
        assert_eq!(come(&mut table, link, MEMBER), Decision::ACCEPT);
    }
    assert_eq!(come(&mut table, 4, MEMBER), Decision::Refuse(Reason::Quota));
    assert_eq!(go(&mut table, 5, MEMBER), Decision::ACCEPT);
    assert_eq!(go(&mut table, 6, Level(2)), evicts(1, Reason::Quota), "outgoing may displace incoming");
    assert_eq!(go(&mut table, 7, Level(2)), evicts(2, Reason::Quota));
    assert_eq!(come(&mut table, 8, Level(9)), evicts(3, Reason::Quota));
    assert_eq!(
        come(&mut table, 9, Level(9)),
        Decision::Refuse(Reason::Quota),
        "only outgoing ones are lower"
    );
}

#[test]
fn quota_evicts_the_lowest_level_oldest_first_and_only_for_a_higher_one() {
    let mut table = table(Config { links_max: 3, outgoing_reserved: 0, ..Config::default() });
    come(&mut table, 1, Level(2));
    come(&mut table, 2, Level(1));
    come(&mut table, 3, Level(1));
    assert_eq!(come(&mut table, 4, Level(1)), Decision::Refuse(Reason::Quota));
    assert_eq!(come(&mut table, 5, Level(2)), evicts(2, Reason::Quota));
    table.set_level(LinkId(3), Level(5));
    assert_eq!(come(&mut table, 6, Level(3)), evicts(1, Reason::Quota), "levels may change");
    assert_eq!(table.stats().evicted_quota, 2);
    assert_eq!(table.admitted(), 3);
}

#[test]
fn e8_strangers_have_the_lowest_quota() {
    let mut table = table(Config { strangers_max: 2, ..Config::default() });
    assert_eq!(come(&mut table, 1, Level::STRANGER), Decision::ACCEPT);
    assert_eq!(come(&mut table, 2, Level::STRANGER), Decision::ACCEPT);
    assert_eq!(come(&mut table, 3, Level::STRANGER), Decision::Refuse(Reason::Quota));
    assert_eq!(come(&mut table, 4, MEMBER), Decision::ACCEPT);
    assert_eq!(table.admit(LinkId(1), MEMBER), Decision::ACCEPT, "a stranger may become a member");
    assert_eq!(come(&mut table, 5, Level::STRANGER), Decision::ACCEPT);
}

#[test]
fn h7_free_rooms() {
    let mut table = table(Config { links_max: 4, outgoing_reserved: 1, ..Config::default() });
    assert_eq!((table.free_places(), table.free_places_for_members()), (3, 3));
    come(&mut table, 1, Level::STRANGER);
    come(&mut table, 2, MEMBER);
    assert_eq!((table.free_places(), table.free_places_for_members()), (1, 2));
    go(&mut table, 3, MEMBER);
    go(&mut table, 4, MEMBER);
    assert_eq!((table.free_places(), table.free_places_for_members()), (0, 1));
    table.closed(LinkId(3));
    assert_eq!((table.free_places(), table.free_places_for_members()), (1, 2));
}

#[test]
fn e3_order_of_checks_level_before_duplicate_before_quota_before_shutdown() {
    let mut table =
        table(Config { level_min: MEMBER, links_max: 1, outgoing_reserved: 0, ..Config::default() });
    go(&mut table, 7, MEMBER);
    let again = |table: &mut Table<u32>, link, peer, level| {
        table.dialled(opening(link, v4(peer + 50)));
        table.authenticated(LinkId(link), peer);
        table.shut();
        table.admit(LinkId(link), level)
    };
    assert_eq!(again(&mut table, 20, 7, Level::STRANGER), Decision::Refuse(Reason::Level));
    assert_eq!(again(&mut table, 21, 8, MEMBER), Decision::Refuse(Reason::Quota));
    table.closed(LinkId(7));
    assert_eq!(again(&mut table, 22, 8, MEMBER), Decision::Refuse(Reason::ShuttingDown));
    assert_eq!(table.accept(now(), opening(23, v4(1))), Decision::Refuse(Reason::ShuttingDown));
    let stats = table.stats();
    assert_eq!((stats.refused_level, stats.refused_quota, stats.refused_shutting_down), (1, 1, 2));
}

#[test]
fn what_would_be_decided_is_told_without_deciding_it() {
    let mut table = table(Config { links_max: 1, outgoing_reserved: 0, ..Config::default() });
    come(&mut table, 1, Level(1));
    table.dialled(opening(2, v4(2)));
    assert_eq!(table.check(LinkId(2), Level(1)), Err(Reason::Forgotten), "its key is not proven");
    table.authenticated(LinkId(2), 2);
    let before = *table.stats();
    assert_eq!(table.check(LinkId(2), Level(1)), Err(Reason::Quota));
    assert_eq!(table.check(LinkId(2), Level(2)), Ok(()));
    assert_eq!((*table.stats(), table.admitted()), (before, 1));
    assert_eq!(table.admit(LinkId(2), Level(2)), evicts(1, Reason::Quota));
    assert_eq!(table.check(LinkId(2), Level(2)), Ok(()));
}

#[test]
fn pending_links_are_bounded() {
    let mut table = table(Config { pending_max: 2, ..Config::default() });
    for link in 1..=3 {
        table.accept(now(), opening(link, v4(u32::try_from(link).unwrap())));
    }
    assert_eq!(table.authenticated(LinkId(1), 1), Decision::ACCEPT);
    assert_eq!(table.authenticated(LinkId(2), 2), Decision::ACCEPT);
    assert_eq!(table.authenticated(LinkId(3), 3), evicts(1, Reason::Handshake));
    assert_eq!(table.stats().evicted_pending, 1);
    assert_eq!(table.admit(LinkId(1), MEMBER), Decision::Refuse(Reason::Forgotten));
}

#[test]
fn only_established_links_lead_to_a_peer() {
    let mut table = table(Config::default());
    go(&mut table, 7, MEMBER);
    assert_eq!(table.link_to(7), None);
    table.established(LinkId(7));
    assert_eq!(table.link_to(7), Some(LinkId(7)));
    assert_eq!(table.peer(LinkId(7)), Some(7));
    assert_eq!(table.direction(LinkId(7)), Some(Direction::Outgoing));
    table.closed(LinkId(7));
    assert_eq!(table.link_to(7), None);
}

#[test]
fn t14_after_all_links_are_closed_the_table_is_as_at_the_start() {
    let mut table = table(Config { links_max: 40, outgoing_reserved: 10, ..Config::default() });
    for round in 1000..1500_u64 {
        let level = Level(u8::try_from(round % 4).unwrap());
        if round % 3 == 0 {
            go(&mut table, round, level);
        } else {
            come(&mut table, round, level);
        }
        table.set_level(LinkId(round - 5), Level(1));
        table.established(LinkId(round));
    }
    assert!(table.admitted() == 40 && table.stats().evicted_quota > 0);
    (1000..1500).for_each(|link| table.closed(LinkId(link)));
    let empty = alloc::format!("{:?}", Table::new(Config::default(), OWN));
    let left = alloc::format!("{table:?}");
    let tail = |text: &str| {
        let (from, to) = (text.find("unauthenticated: W").unwrap(), text.find("rates").unwrap());
        text[from..to].into()
    };
    let (left, empty): (alloc::string::String, alloc::string::String) = (tail(&left), tail(&empty));
    assert_eq!(left, empty);
    assert!(table.is_empty());
}
