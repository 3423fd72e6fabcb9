use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

const PEER: &str = "12D3KooWCeJdEDcmDiNufJsLBMWcYW6g7XAPtwnV1wwgGsXfBe9f";

fn address(text: &str) -> Multiaddr {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn s1_text_and_bytes_agree() {
    let texts = [
        "/ip4/198.51.100.7/tcp/4001",
        "/ip6/2001:db8::7/udp/4001/quic-v1",
        "/dns4/relay.example.org/tcp/4001",
        "/dns6/relay.example.org/tcp/443/ws",
        "/dnsaddr/boot.example.org",
        "/dns/x/tcp/0",
        "/ip6/::ffff:1.2.3.4/tcp/1",
    ];
    for text in texts {
        let parsed = address(text);
        assert_eq!(parsed.to_string(), text);
        assert_eq!(Multiaddr::try_from(parsed.as_bytes()), Ok(parsed));
    }
    let relayed = address(&format!("/ip4/1.2.3.4/tcp/1/ipfs/{PEER}/p2p-circuit/p2p/{PEER}"));
    assert_eq!(relayed.peer(), Some(PEER.parse().unwrap()));
    assert_eq!(relayed.to_string(), format!("/ip4/1.2.3.4/tcp/1/p2p/{PEER}/p2p-circuit/p2p/{PEER}"));
}

#[test]
fn s1_malformed_texts_are_refused() {
    for (text, error) in [
        ("", MultiaddrError::BadSlash),
        ("/", MultiaddrError::BadSlash),
        ("/ip4/1.2.3.4/", MultiaddrError::BadSlash),
        ("ip4/1.2.3.4", MultiaddrError::BadSlash),
        ("//ip4/1.2.3.4", MultiaddrError::UnknownProtocol),
        ("/ip4/1.2.3.4/tcp/+80", MultiaddrError::BadNumber),
        ("/ip4/1.2.3.4/tcp/65536", MultiaddrError::BadNumber),
        ("/ip4/1.2.3.4/tcp", MultiaddrError::Short),
        ("/ip4/01.2.3.4", MultiaddrError::BadIp),
        ("/ip6/::1%eth0", MultiaddrError::BadIp),
        ("/p2p/12D3", MultiaddrError::BadPeer),
        ("/dns/a b/tcp/1", MultiaddrError::BadName),
        ("/dns//tcp/1", MultiaddrError::BadName),
    ] {
        assert_eq!(text.parse::<Multiaddr>(), Err(error), "{text}");
    }
}

#[test]
fn s1_limits_hold_at_their_edges() {
    let components = |count: usize| Multiaddr::try_from([0xdd, 0x03].repeat(count).as_slice());
    assert!(components(COMPONENTS_MAX - 1).is_ok());
    assert!(components(COMPONENTS_MAX).is_ok());
    assert_eq!(components(COMPONENTS_MAX + 1), Err(MultiaddrError::TooLong));
    let name = |length: usize| format!("/dns/{}", "a".repeat(length)).parse::<Multiaddr>();
    assert!(name(NAME_MAX).is_ok());
    assert_eq!(name(NAME_MAX + 1), Err(MultiaddrError::BadName));
    assert_eq!(Multiaddr::try_from(vec![0; LENGTH_MAX + 1].as_slice()), Err(MultiaddrError::TooLong));
}

#[test]
fn s1_the_empty_address_decodes_but_is_not_dialable() {
    let empty = Multiaddr::try_from(&[][..]).unwrap();
    assert_eq!(empty.components().count(), 0);
    assert_eq!(empty.to_address(), None);
}

#[test]
fn s1_what_a_driver_dials() {
    let dialled = |text: &str| address(text).to_address().map(|address| address.to_string());
    let with_peer = format!("/ip6/::1/tcp/9/p2p/{PEER}");
    for (text, expected) in [
        ("/ip4/1.2.3.4/tcp/80", Some("1.2.3.4:80")),
        (&with_peer, Some("[::1]:9")),
        ("/ip6/::ffff:1.2.3.4/tcp/80", Some("1.2.3.4:80")),
        ("/dns/example.org/tcp/80", Some("example.org:80")),
        ("/dns/example.org/tcp/80/ws", Some("ws://example.org:80/")),
        ("/ip4/1.2.3.4/udp/80/quic-v1", None),
        ("/ip4/1.2.3.4/tcp/80/p2p-circuit", None),
        ("/dnsaddr/example.org", None),
        ("/ip4/1.2.3.4/tcp/80/tcp/81", None),
    ] {
        assert_eq!(dialled(text), expected.map(String::from), "{text}");
    }
}

#[test]
fn s1_links_addresses_become_multiaddrs_where_there_is_one() {
    let socket: SocketAddr = "[2001:db8::1]:4001".parse().unwrap();
    assert_eq!(Multiaddr::from(socket).to_string(), "/ip6/2001:db8::1/tcp/4001");
    assert_eq!(Multiaddr::from(socket).socket(), Some(socket));
    let name = |host: &str| Multiaddr::from_address(&Address::Name { host: host.into(), port: 1 });
    assert_eq!(name("example.org").unwrap().to_string(), "/dns/example.org/tcp/1");
    assert_eq!(name("1.2.3.4").unwrap().to_string(), "/ip4/1.2.3.4/tcp/1");
    assert_eq!(name("a/b"), None);
    assert_eq!(Multiaddr::from_address(&Address::Onion { host: "x.onion".into(), port: 1 }), None);
}

proptest! {
    #[test]
    fn t9_what_decodes_encodes_to_the_same_bytes(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(decoded) = Multiaddr::try_from(bytes.as_slice()) {
            prop_assert_eq!(decoded.as_bytes(), &bytes[..]);
            let components: Vec<Component<'_>> = decoded.components().collect();
            prop_assert_eq!(Multiaddr::from_components(&components), decoded.clone());
            if !bytes.is_empty() {
                prop_assert_eq!(decoded.to_string().parse::<Multiaddr>(), Ok(decoded.clone()));
            }
        }
    }
}
