//! Joining, delivering, and links between nodes.

use core::time::Duration;

use super::network::*;
use crate::mesh::{Command, Event};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn two_nodes_join_by_address_alone_and_deliver_once() {
    let mut network = Network::of_members(1, 2);
    network
        .until(5 * SECOND, |network| (0..2).all(|host| network.node(host).neighbors("t").eq([id(1 - host)])));
    network.publish(0, "t", b"hello");
    network.run(5 * SECOND);
    assert_eq!(network.delivered(1, b"hello"), 1);
    assert_eq!(network.delivered(0, b"hello"), 0);
    let author = |event: &Event| matches!(event, Event::Message { author, .. } if *author == Some(id(0)));
    assert_eq!(network.count(1, author), 1);
}

#[test]
fn a_message_is_relayed_by_a_third() {
    let mut network = Network::new(2);
    for host in 0..3 {
        network.add(crate::mesh::Config {
            overlay: crate::overlay::Config { ..crate::overlay::Config::default() },
            ..native(host, if host == 0 { &[] } else { &[0] })
        });
        network.subscribe(host, "t");
    }
    network.until(10 * SECOND, |network| (0..3).all(|host| network.node(host).neighbors("t").count() == 2));
    // 1 and 2 lose sight of each other; what 1 says reaches 2 over 0, once.
    network.command(1, Command::Ban { token: 9, peer: id(2), lifetime: None });
    network.run(SECOND);
    network.publish(1, "t", b"relayed");
    network.run(5 * SECOND);
    assert_eq!(network.delivered(0, b"relayed"), 1);
    assert_eq!(network.delivered(2, b"relayed"), 1);
}
