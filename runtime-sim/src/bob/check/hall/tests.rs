//! Histories of a relay, good ones and ones with a planted mistake.

use super::*;

const NOW: Instant = Instant::from_micros(7);
/// A server, two clients and a second server, in the order of their uids from 1.
const PEERS: [(u64, &str, bool); 4] = [
    (11, "10.0.1.1:1", true),
    (12, "10.0.2.1:2", false),
    (13, "10.0.2.1:3", false),
    (14, "10.0.3.1:4", true),
];
const PUBLIC: [u8; 34] = [9; 34];

/// On which link which bytes.
type Said = Vec<(u64, Vec<u8>)>;

fn packet(uid: u16, kind: u8, body: &[u8]) -> Vec<u8> {
    [format!("{uid:04x}{kind:02x}").as_bytes(), body].concat()
}

fn named(uid: u16, kind: u8, body: &[u8], name: &str) -> Vec<u8> {
    packet(uid, kind, &[body, name.as_bytes(), b"\0"].concat())
}

/// Everybody has said hello and was told its name.
fn hall() -> Hall {
    let mut hall = Hall::default();
    for (uid, (link, address, is_server)) in (1..).zip(PEERS) {
        let link = LinkId(link);
        hall.opened(link, address.parse().unwrap());
        let hello = if is_server { packet(0, 0, &PUBLIC) } else { packet(0, 1, b"") };
        assert_eq!(hall.received(link, &hello), []);
        hall.registered(uid, is_server, address.as_bytes());
        let kind = if is_server { 2 } else { 3 };
        assert_eq!(hall.sent(NOW, link, &named(0, kind, b"", address)), []);
    }
    hall
}

/// What the checker says of what the relay sent, after what peers have said to it.
fn judged(said: &[(u64, Vec<u8>)], sent: &[(u64, Vec<u8>)]) -> Vec<String> {
    let mut hall = hall();
    for (link, bytes) in said {
        hall.received(LinkId(*link), bytes);
    }
    for (link, bytes) in sent {
        hall.sent(NOW, LinkId(*link), bytes);
    }
    hall.passed(NOW + std::time::Duration::from_micros(1));
    assert!(hall.packets >= 4 && hall.uids_seen == 4);
    hall.broken.into_vec()
}

fn share() -> Vec<u8> {
    named(1, 7, &[5; 32], "10.0.2.1:2")
}

fn shared_by(uid: u16) -> Vec<u8> {
    named(uid, 7, &[5; 32], "10.0.2.1:2")
}

#[test]
fn a_handshake_that_goes_its_way_is_fine() {
    let said = [
        (12, share()),
        (11, packet(2, 6, &[6; 96])),
        (12, packet(1, 5, &[7; 64])),
        (11, packet(2, 8, b"")),
        (12, packet(1, 0x0a, b"")),
        (13, packet(4, 0x0d, b"\x03")),
    ];
    let sent = [
        (12, packet(0, 4, &[b"0001".as_slice(), &PUBLIC, b"10.0.1.1:1\0"].concat())),
        (11, shared_by(2)),
        (12, packet(1, 6, &[6; 96])),
        (11, packet(2, 5, &[7; 64])),
        (12, packet(1, 8, b"")),
        (11, packet(2, 0x0a, b"")),
        (12, packet(0, 0x0e, b"")),
        (14, packet(3, 0x0d, b"\x03")),
        (14, packet(0, 0x0f, b"")),
    ];
    assert_eq!(judged(&said, &sent), [""; 0]);
}

#[test]
fn what_is_passed_on_is_told_to_the_other_checks() {
    let mut hall = hall();
    let passage = Passage { from: LinkId(12), to: LinkId(11), kind: 7 };
    assert_eq!(hall.received(LinkId(12), &share()), std::slice::from_ref(&passage));
    assert_eq!(hall.sent(NOW, LinkId(11), &shared_by(2)), [passage]);
}

#[test]
fn a_packet_that_reaches_somebody_else_is_noticed() {
    // Said to server 1, and delivered to server 4.
    let broken = judged(&[(12, share())], &[(14, shared_by(2))]);
    assert_eq!(broken.len(), 1, "{broken:?}");
    assert!(broken[0].contains("packet 07") && broken[0].contains("10.0.3.1:4"), "{broken:?}");
}

#[test]
fn every_false_packet_is_noticed() {
    let announcement = |uid: &[u8], public: &[u8], name: &[u8]| packet(0, 4, &[uid, public, name].concat());
    let cases: Vec<(&str, Said, Said)> = vec![
        ("in the name of another client", vec![(12, share())], vec![(11, shared_by(3))]),
        ("in the name of nobody", vec![(12, share())], vec![(11, shared_by(9))]),
        ("never said", vec![], vec![(11, shared_by(2))]),
        ("said once, passed on twice", vec![(12, share())], vec![(11, shared_by(2)), (11, shared_by(2))]),
        ("changed on the way", vec![(12, packet(1, 5, &[7; 64]))], vec![(11, packet(2, 5, &[8; 64]))]),
        ("from client to client", vec![(12, packet(3, 7, b""))], vec![(13, packet(2, 8, b""))]),
        ("said by the wrong role", vec![(12, packet(1, 8, b""))], vec![(11, packet(2, 8, b""))]),
        (
            "a refusal, which stops at the relay",
            vec![(12, packet(1, 0x0b, b""))],
            vec![(11, packet(2, 0x0b, b""))],
        ),
        ("no packet", vec![], vec![(12, b"no packet".to_vec())]),
        ("another's name", vec![], vec![(12, named(0, 3, b"", "10.0.2.1:3"))]),
        ("a server's name for a client", vec![], vec![(12, named(0, 2, b"", "10.0.2.1:2"))]),
        ("announces a client", vec![], vec![(12, announcement(b"0003", &PUBLIC, b"10.0.2.1:3\0"))]),
        ("announces nobody", vec![], vec![(12, announcement(b"0009", &PUBLIC, b"10.0.1.1:1\0"))]),
        ("announces other parameters", vec![], vec![(12, announcement(b"0001", &[8; 34], b"10.0.1.1:1\0"))]),
        ("announces another name", vec![], vec![(12, announcement(b"0001", &PUBLIC, b"10.0.3.1:4\0"))]),
        ("announces to a server", vec![], vec![(11, announcement(b"0004", &PUBLIC, b"10.0.3.1:4\0"))]),
        ("done, and nothing was accepted", vec![], vec![(12, packet(0, 0x0e, b""))]),
        ("gone, and still there", vec![], vec![(12, packet(0, 9, b"0001"))]),
        ("the relay's own agreement", vec![], vec![(12, packet(0, 8, b""))]),
    ];
    for (what, said, sent) in cases {
        assert_eq!(judged(&said, &sent).len(), 1, "{what}: {:?}", judged(&said, &sent));
    }
}

#[test]
fn a_peer_that_is_gone_may_be_said_to_be_gone() {
    let mut hall = hall();
    hall.sent(NOW, LinkId(12), &packet(0, 9, b"0001"));
    hall.departed(1);
    hall.closed(LinkId(11));
    hall.passed(NOW + std::time::Duration::from_micros(1));
    // Its uid may be given again.
    hall.opened(LinkId(15), "10.0.4.1:5".parse().unwrap());
    hall.received(LinkId(15), &packet(0, 1, b""));
    hall.registered(1, false, b"10.0.4.1:5");
    assert_eq!(hall.broken.into_vec(), [""; 0]);
}

#[test]
fn a_server_is_announced_with_its_last_parameters() {
    let announcement =
        |public: u8| packet(0, 4, &[b"0001".as_slice(), &[public; 34], b"10.0.1.1:1\0"].concat());
    let hello = |public: u8| packet(0, 0, &[public; 34]);
    let mut hall = hall();
    // Two in one piece are announced one after the other.
    hall.received(LinkId(11), &[hello(2), hello(3)].concat());
    hall.sent(NOW, LinkId(12), &announcement(2));
    hall.sent(NOW, LinkId(12), &announcement(3));
    hall.received(LinkId(11), &hello(4));
    hall.sent(NOW, LinkId(12), &announcement(4));
    assert!(hall.broken.clone().into_vec().is_empty());
    hall.sent(NOW, LinkId(12), &announcement(2));
    assert_eq!(hall.broken.into_vec().len(), 1);
}

#[test]
fn what_was_said_to_one_does_not_reach_its_successor() {
    let mut hall = hall();
    hall.received(LinkId(12), &share());
    hall.departed(1);
    hall.opened(LinkId(15), "10.0.4.1:5".parse().unwrap());
    hall.received(LinkId(15), &packet(0, 0, &PUBLIC));
    hall.registered(1, true, b"10.0.4.1:5");
    hall.sent(NOW, LinkId(15), &shared_by(2));
    assert_eq!(hall.broken.into_vec().len(), 1);
}

#[test]
fn uids_that_are_not_unique_or_given_falsely_are_noticed() {
    for (what, uid, is_server, name) in [
        ("twice", 2, true, "10.0.4.1:5"),
        ("the relay's own", 0, true, "10.0.4.1:5"),
        ("to nobody", 5, true, "10.0.4.1:6"),
        ("to somebody who has said another hello", 5, false, "10.0.4.1:5"),
        ("a second one", 5, true, "10.0.1.1:1"),
    ] {
        let mut hall = hall();
        hall.opened(LinkId(15), "10.0.4.1:5".parse().unwrap());
        hall.received(LinkId(15), &packet(0, 0, &PUBLIC));
        hall.registered(uid, is_server, name.as_bytes());
        assert_eq!(hall.broken.into_vec().len(), 1, "{what}");
    }
}
