use std::string::{String, ToString};

use super::*;

fn of(address: &str) -> String {
    Identity::of(address.parse().unwrap()).to_string()
}

#[test]
fn section_2_an_identity_is_address_colon_port_without_brackets() {
    assert_eq!(of("127.0.0.1:47922"), "127.0.0.1:47922");
    assert_eq!(of("[::1]:4000"), "::1:4000");
    assert_eq!(of("[::ffff:192.0.2.7]:9"), "192.0.2.7:9", "one peer, one name, whatever the socket");
}

#[test]
fn section_2_no_identity_of_a_socket_is_longer_than_may_be_written() {
    let longest = "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535";
    assert!(Identity::of(longest.parse().unwrap()).is_writable());
    let written = |length| Identity::new(Bytes::from(std::vec![b'a'; length])).unwrap().is_writable();
    assert_eq!([53, 54].map(written), [true, false]);
}

#[test]
fn section_2_bytes_are_opaque_but_for_nul_and_length() {
    assert!(Identity::new(Bytes::from_static(b"")).is_ok());
    assert!(Identity::new(Bytes::from_static(&[0xff, b':', b'\n'])).is_ok());
    assert_eq!(Identity::new(Bytes::from_static(b"a\0")), Err(IdentityError::Nul));
    assert!(Identity::new(Bytes::from_static(&[1; 255])).is_ok());
    assert_eq!(Identity::new(Bytes::from_static(&[1; 256])), Err(IdentityError::TooLong));
}

#[test]
fn section_2_the_last_colon_separates_the_port() {
    let host = |bytes: &'static [u8]| Identity::new(Bytes::from_static(bytes)).unwrap().host().to_vec();
    assert_eq!(host(b"::1:4000"), b"::1");
    assert_eq!(host(b"192.0.2.7:9"), b"192.0.2.7");
    assert_eq!(host(b"nothing"), b"nothing");
}

#[test]
fn what_a_peer_calls_itself_cannot_act_on_a_terminal() {
    let odd = Identity::new(Bytes::from_static(b"\x1b[2J\n\xff")).unwrap();
    assert_eq!(odd.to_string(), "\\x1b[2J\\n\\xff");
}
