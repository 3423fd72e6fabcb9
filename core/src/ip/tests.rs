use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn connectivity_1_classes() {
    let classes = [
        (Class::Loopback, &["127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"][..]),
        (Class::LinkLocal, &["169.254.1.1", "fe80::1", "febf::1"]),
        (
            Class::Private,
            &[
                "10.0.0.1",
                "172.16.0.1",
                "172.31.9.9",
                "192.168.1.1",
                "100.64.0.1",
                "100.127.255.255",
                "fc00::1",
                "fdff::1",
                "::ffff:10.0.0.1",
            ],
        ),
        (
            Class::Global,
            &[
                "8.8.8.8",
                "100.63.255.255",
                "100.128.0.0",
                "172.32.0.1",
                "192.0.2.1",
                "2001:db8::1",
                "::ffff:8.8.8.8",
            ],
        ),
        (
            Class::Unusable,
            &[
                "0.0.0.0",
                "0.1.2.3",
                "224.0.0.1",
                "239.1.1.1",
                "255.255.255.255",
                "240.0.0.1",
                "::",
                "ff02::1",
                "64:ff9b::808:808",
            ],
        ),
    ];
    for (class, texts) in classes {
        for text in texts {
            assert_eq!(Class::of(ip(text)), class, "{text}");
        }
    }
}

#[test]
fn prefixes_hold_what_shares_their_bits() {
    assert_eq!(Prefix::range(ip("192.0.2.1")), Prefix::range(ip("::ffff:192.0.2.255")));
    assert_ne!(Prefix::range(ip("192.0.2.1")), Prefix::range(ip("192.0.3.1")));
    assert_ne!(Prefix::subscriber(ip("192.0.2.1")), Prefix::subscriber(ip("192.0.2.2")));
    assert_eq!(Prefix::subscriber(ip("2001:db8::1")), Prefix::subscriber(ip("2001:db8::ffff:1")));
    assert_ne!(Prefix::subscriber(ip("2001:db8::1")), Prefix::subscriber(ip("2001:db8:0:1::1")));
    assert_eq!(Prefix::range(ip("2001:db8::1")), Prefix::range(ip("2001:db8:0:ffff::1")));
    assert_ne!(Prefix::range(ip("2001:db8::1")), Prefix::range(ip("2001:db8:1::1")));
    assert_eq!(Prefix::new(ip("1.2.3.4"), 0, 0), Prefix::new(ip("200.2.3.4"), 0, 0));
}
