//! The checks together: a history is fed through the same door as a run's.

use std::time::Duration;

use super::*;
use bytes::Bytes;
use pleach_core::bob::packet::Uid;
use pleach_core::bob::{Compression, Identity};
use pleach_core::link::ListenerId;

fn checks() -> Checks {
    Checks::new(
        &relay::Guessing::default(),
        &server::Guesses::default(),
        Duration::ZERO,
        Duration::from_secs(30),
    )
}

fn pair() -> Pair {
    let content: Vec<u8> = (0..200).collect();
    let name = "file-0123456789.bin".to_owned();
    Pair {
        password: b"a-password-of-theirs".to_vec(),
        name,
        content: content.into(),
        compression: Compression::None,
    }
}

fn opened(link: u64, listener: ListenerId, remote: &str, peer: u32) -> Traffic<'static> {
    let via = Via::Accepted { listener };
    Traffic::Opened { link: LinkId(link), via, remote: remote.parse().unwrap(), peer }
}

fn dialled(link: u64) -> Traffic<'static> {
    Traffic::Opened { link: LinkId(link), via: Via::Dialled, remote: HANDSHAKE, peer: RELAY }
}

/// A host comes to the relay, over a link and with a uid of its own number.
fn registers(checks: &mut Checks, host: u16, role: relay::Role, remote: &str) {
    let link = u64::from(host);
    checks.traffic(Instant::ORIGIN, RELAY, &opened(link, HANDSHAKE_LISTENER, remote, u32::from(host)));
    let hello = match role {
        relay::Role::Client => b"000001".to_vec(),
        relay::Role::Server => [b"000000".as_slice(), &[0; 34]].concat(),
    };
    let hello = Bytes::from(hello);
    checks.traffic(Instant::ORIGIN, RELAY, &Traffic::Received { link: LinkId(link), bytes: &hello });
    let (uid, identity) = (Uid(host), Identity::of(remote.parse().unwrap()));
    checks.report(&Report::Relay(relay::Event::Registered { uid, role, identity }));
}

fn client() -> Person {
    let part = Part::Receives { right: true, refuses: 0, thinks: Duration::ZERO, pause: None };
    Person { pair: 0, part, deadline: Instant::ORIGIN }
}

#[test]
fn a_password_or_a_file_that_reaches_the_relay_is_noticed() {
    let leak = |bytes: Vec<u8>| {
        let mut checks = checks();
        checks.pair(0, &pair());
        checks.traffic(Instant::ORIGIN, RELAY, &opened(1, super::super::ROOM_LISTENER, "10.0.1.1:1", 1));
        let bytes = Bytes::from(bytes);
        checks.traffic(Instant::ORIGIN, RELAY, &Traffic::Received { link: LinkId(1), bytes: &bytes });
        let (checked, broken) = checks.finish(0, &[pair()]);
        assert_eq!((checked.secrets, checked.searched_bytes), (8, bytes.len() as u64));
        broken
    };
    assert_eq!(leak(vec![1; 300]), [""; 0]);
    assert_eq!(leak(pair().password), ["the relay saw the password of pair 0"]);
    assert_eq!(leak(pair().content[170..].to_vec()), ["the relay saw the file of pair 0 at 176"]);
    let mut packed = packed(&pair());
    packed.truncate(40);
    let broken = leak(packed);
    assert!(broken.contains(&"the relay saw the pack of pair 0 at 0".to_owned()), "{broken:?}");
}

#[test]
fn a_packet_that_is_delivered_to_another_is_noticed() {
    for (to, is_fine) in [(1, true), (3, false)] {
        let mut checks = checks();
        checks.joins(2, client());
        for (link, remote) in [(1, "10.0.1.1:1"), (2, "10.0.2.1:2"), (3, "10.0.3.1:3")] {
            let role = if link == 2 { relay::Role::Client } else { relay::Role::Server };
            registers(&mut checks, link, role, remote);
        }
        let said = Bytes::from([b"000107".as_slice(), &[5; 32], b"10.0.2.1:2\0"].concat());
        checks.traffic(Instant::ORIGIN, RELAY, &Traffic::Received { link: LinkId(2), bytes: &said });
        let passed = Bytes::from([b"000207".as_slice(), &[5; 32], b"10.0.2.1:2\0"].concat());
        checks.traffic(Instant::ORIGIN, RELAY, &Traffic::Sent { link: LinkId(to), bytes: &passed });
        let (checked, broken) = checks.finish(0, &[]);
        assert_eq!(broken.is_empty(), is_fine, "{broken:?}");
        assert_eq!((checked.packets, checked.uids, checked.waits), (1, 3, u64::from(is_fine)));
    }
}

/// Over its link 7 a sender on host 1 hears that a client asks, or answers one.
fn at_the_sender(checks: &mut Checks, ms: u64, client: u16, is_asked: bool) {
    let (kind, body) =
        if is_asked { ("07", [[5; 32].as_slice(), b"10.0.2.1:2\0"].concat()) } else { ("06", vec![6; 96]) };
    let packet = Bytes::from([format!("{client:04x}{kind}").into_bytes(), body].concat());
    let (link, bytes) = (LinkId(7), &packet);
    let traffic = if is_asked { Traffic::Received { link, bytes } } else { Traffic::Sent { link, bytes } };
    checks.traffic(Instant::from_micros(ms * 1000), 1, &traffic);
}

/// A sender on host 1, and so many clients behind one address, on the hosts from 2 on.
fn with_a_sender(clients: u16, are_honest: bool) -> Checks {
    let mut checks = checks();
    checks.joins(1, Person { part: Part::Sends, ..client() });
    checks.traffic(Instant::ORIGIN, 1, &dialled(7));
    for host in 2..clients + 2 {
        if are_honest {
            checks.joins(host.into(), client());
        }
        registers(&mut checks, host, relay::Role::Client, &format!("10.0.2.1:{host}"));
    }
    checks
}

#[test]
fn nobody_honest_may_wait_for_a_sender_and_others_may() {
    for (is_honest, answered, is_fine) in [(true, 1, true), (true, 3, false), (false, 3, true)] {
        let mut checks = with_a_sender(1, is_honest);
        at_the_sender(&mut checks, 0, 2, true);
        at_the_sender(&mut checks, answered, 2, false);
        let (checked, broken) = checks.finish(0, &[]);
        assert_eq!((checked.waits, broken.is_empty()), (u64::from(is_honest), is_fine), "{broken:?}");
    }
}

/// The first pause, and the sender's patience with the neighbour.
#[test]
fn who_waits_behind_somebody_silent_waits_until_that_one_is_given_up() {
    type Ends = fn(&mut Checks);
    fn departs(checks: &mut Checks, why: relay::Departure) {
        checks.report(&Report::Relay(relay::Event::Departed { uid: Uid(2), why }));
    }
    let cases: [(Ends, u64); 3] = [
        (|checks| checks.freezes(2), 31_001),
        (|checks| departs(checks, relay::Departure::Paired), 31_001),
        (|checks| departs(checks, relay::Departure::Left), 1001),
    ];
    for (ends, longest) in cases {
        for (answered, is_fine) in [(longest, true), (longest + 1, false)] {
            let mut checks = with_a_sender(2, true);
            at_the_sender(&mut checks, 0, 2, true);
            at_the_sender(&mut checks, 0, 2, false);
            ends(&mut checks);
            at_the_sender(&mut checks, 0, 3, true);
            at_the_sender(&mut checks, answered, 3, false);
            let (checked, broken) = checks.finish(0, &[]);
            assert_eq!((checked.waits, broken.is_empty()), (2, is_fine), "{broken:?}");
        }
    }
}

/// Its proof, its failure, or that it is gone.
#[test]
fn nobody_waits_for_somebody_silent_whose_end_was_heard() {
    let ends = [[b"000205".as_slice(), &[1; 64]].concat(), b"00020d\0".to_vec(), b"0000090002".to_vec()];
    for end in ends.map(Bytes::from) {
        let mut checks = with_a_sender(2, true);
        at_the_sender(&mut checks, 0, 2, true);
        at_the_sender(&mut checks, 0, 2, false);
        checks.traffic(Instant::ORIGIN, 1, &Traffic::Received { link: LinkId(7), bytes: &end });
        checks.freezes(2);
        at_the_sender(&mut checks, 0, 3, true);
        at_the_sender(&mut checks, 1002, 3, false);
        assert_eq!(checks.finish(0, &[]).1.len(), 1, "{end:?}");
    }
}

#[test]
fn a_relay_that_keeps_something_of_those_who_left_is_noticed() {
    let mut broken = Broken::new();
    let empty = relay::Occupancy { guesses: 3, ..relay::Occupancy::default() };
    assert_eq!(Checks::empty(&empty, &mut broken), 5);
    assert_eq!(broken.clone().into_vec(), [""; 0]);
    Checks::empty(&relay::Occupancy { rooms: 1, links: 2, ..empty }, &mut broken);
    assert_eq!(broken.into_vec().len(), 2);
}

#[test]
fn the_first_mistakes_are_told_and_the_others_counted() {
    let mut broken = Broken::new();
    (0..8).for_each(|number| broken.note(|| number.to_string()));
    assert_eq!(broken.into_vec(), ["0", "1", "2", "3", "4", "and 3 more of that kind"]);
}
