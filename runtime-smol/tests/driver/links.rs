//! Links: opening, reading, writing, closing.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pleach_core::link::{Address, Cause, From, How, ListenerId, Output};
use pleach_smol::Options;
use pleach_smol::store::MemoryStore;

use crate::probe::{Heard, Node, Order, loopback, unserved, watch};

#[test]
fn bytes_travel_in_order_both_ways() {
    smol::block_on(async {
        let (server, mut client) = (Node::start(), Node::start());
        server.order(Order::Echo(true)).await;
        let link = client.connect(server.listen().await).await;
        let sent: Vec<u8> = (0..3_000_000u32).map(|at| (at % 251) as u8).collect();
        for piece in sent.chunks(70_001) {
            client.send(link, Bytes::copy_from_slice(piece)).await;
        }
        let drain = smol::spawn(async move {
            loop {
                server.event().await;
            }
        });
        assert_eq!(client.receive(link, sent.len()).await, sent);
        drop(drain);
    });
}

#[test]
fn written_reports_add_up_to_what_was_sent() {
    smol::block_on(async {
        let (server, mut client) = (Node::start(), Node::start());
        let link = client.connect(server.listen().await).await;
        let accepted = server.accepted().await;
        for length in [1, 1000, 100_000] {
            client.send(link, vec![7; length]).await;
        }
        server.receive(accepted, 101_001).await;
        let mut written = 0;
        while written < 101_001 {
            match watch(client.handle.event()).await {
                Some(Heard::Written(on, count)) if on == link => written += count,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(written, 101_001);
    });
}

#[test]
fn a_refused_dial_is_closed_with_its_cause() {
    smol::block_on(async {
        let (_kept, nobody) = unserved();
        let mut node = Node::start();
        let link = node.dial(Address::Socket(nobody), From::Anywhere).await;
        assert_eq!(node.event().await, Heard::Closed(link, Cause::Refused));
    });
}

#[test]
fn kinds_of_addresses_that_are_not_served_are_refused() {
    smol::block_on(async {
        let mut node = Node::start();
        let onion = Address::Onion { host: "example.onion".into(), port: 1 };
        let link = node.dial(onion.clone(), From::Anywhere).await;
        assert_eq!(node.event().await, Heard::Closed(link, Cause::Unsupported));
        node.emit(Output::Listen { listener: ListenerId(4), address: onion }).await;
        assert_eq!(node.event().await, Heard::ListenFailed(Cause::Unsupported));
    });
}

#[test]
fn a_name_is_looked_up() {
    smol::block_on(async {
        let (server, mut client) = (Node::start(), Node::start());
        let port = server.listen().await.port();
        let link = client.dial(Address::Name { host: "localhost".into(), port }, From::Anywhere).await;
        assert!(matches!(client.event().await, Heard::Opened { link: opened, .. } if opened == link));
        // Too long a label for a question: this fails also where no server of names answers.
        let nowhere = Address::Name { host: "x".repeat(64), port };
        let link = client.dial(nowhere, From::Anywhere).await;
        assert_eq!(client.event().await, Heard::Closed(link, Cause::Unreachable));
    });
}

#[test]
fn a_port_in_use_is_named() {
    smol::block_on(async {
        let (one, other) = (Node::start(), Node::start());
        let address = Address::Socket(one.listen().await);
        other.emit(Output::Listen { listener: ListenerId(1), address: address.clone() }).await;
        assert_eq!(other.event().await, Heard::ListenFailed(Cause::AddressInUse));
        one.emit(Output::Unlisten { listener: ListenerId(1) }).await;
        one.emit(Output::Listen { listener: ListenerId(2), address }).await;
        assert!(matches!(one.event().await, Heard::Listening(_)), "the port is free again");
    });
}

#[test]
fn a_dial_shares_the_port_of_a_listener_and_a_second_listener_still_may_not() {
    smol::block_on(async {
        let (server, mut client) = (Node::start(), Node::start());
        let to = server.listen().await;
        let own = client.listen().await;
        client.dial(Address::Socket(to), From::Listener(ListenerId(1))).await;
        let Heard::Opened { local, .. } = client.event().await else { panic!("not connected") };
        assert_eq!(local, own);
        assert!(matches!(server.event().await, Heard::Opened { remote, .. } if remote == own));
        server.emit(Output::Listen { listener: ListenerId(9), address: Address::Socket(own) }).await;
        assert_eq!(server.event().await, Heard::ListenFailed(Cause::AddressInUse));
    });
}

#[test]
fn a_half_closed_link_carries_the_other_half() {
    smol::block_on(async {
        let (server, mut client) = (Node::start(), Node::start());
        let link = client.connect(server.listen().await).await;
        let accepted = server.accepted().await;
        client.send(link, "question").await;
        client.emit(Output::Finish { link }).await;
        assert_eq!(server.receive(accepted, 8).await, b"question");
        assert_eq!(server.event().await, Heard::Finished(accepted));
        server.send(accepted, "answer").await;
        server.emit(Output::Finish { link: accepted }).await;
        assert_eq!(client.receive(link, 6).await, b"answer");
        assert_eq!(client.event().await, Heard::Finished(link));
        assert_eq!(client.event().await, Heard::Closed(link, Cause::Finished));
        assert_eq!(server.event().await, Heard::Closed(accepted, Cause::Finished));
    });
}

#[test]
fn flush_loses_nothing_even_if_the_peer_was_still_talking() {
    smol::block_on(async {
        let node = Node::start();
        let mut peer = TcpStream::connect(node.listen().await).unwrap();
        let link = node.accepted().await;
        peer.write_all(b"unread").unwrap();
        node.send(link, vec![5; 2_000_000]).await;
        node.close(link, How::Flush).await;
        // Sent after the close: dropped.
        node.send(link, "late").await;
        let all = smol::unblock(move || {
            let mut all = Vec::new();
            peer.read_to_end(&mut all).map(|_| all)
        });
        assert_eq!(watch(all).await.unwrap(), vec![5; 2_000_000]);
        loop {
            match node.event().await {
                Heard::Received(..) | Heard::Finished(_) => {}
                other => break assert_eq!(other, Heard::Closed(link, Cause::Finished)),
            }
        }
    });
}

#[test]
fn abort_resets_the_link() {
    smol::block_on(async {
        let node = Node::start();
        let mut peer = TcpStream::connect(node.listen().await).unwrap();
        let link = node.accepted().await;
        node.close(link, How::Abort).await;
        assert_eq!(node.event().await, Heard::Closed(link, Cause::Finished));
        let error = smol::unblock(move || peer.read(&mut [0; 1])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn a_reset_by_the_peer_is_told_from_a_close() {
    smol::block_on(async {
        let (server, mut client) = (Node::start(), Node::start());
        let link = client.connect(server.listen().await).await;
        let accepted = server.accepted().await;
        client.close(link, How::Abort).await;
        assert_eq!(server.event().await, Heard::Closed(accepted, Cause::Reset));
    });
}

#[test]
fn a_dial_can_be_called_off() {
    smol::block_on(async {
        let mut node = Node::start();
        // A listener with a full backlog answers nobody; where it does, the dial just succeeds first.
        let link = node.dial(Address::Socket("127.0.0.1:9".parse().unwrap()), From::Anywhere).await;
        node.close(link, How::Flush).await;
        assert!(matches!(node.event().await, Heard::Closed(closed, _) if closed == link));
        node.order(Order::Alarm(Duration::ZERO)).await;
        assert_eq!(node.event().await, Heard::Alarm(Duration::ZERO), "nothing more is said about it");
    });
}

#[test]
fn a_paused_link_is_not_read_until_it_is_resumed() {
    smol::block_on(async {
        let node = Node::start();
        let mut peer = TcpStream::connect(node.listen().await).unwrap();
        let link = node.accepted().await;
        node.emit(Output::Pause { link }).await;
        node.order(Order::Alarm(Duration::ZERO)).await;
        assert_eq!(node.event().await, Heard::Alarm(Duration::ZERO));
        peer.write_all(b"waits").unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        node.order(Order::Alarm(Duration::from_millis(50))).await;
        assert_eq!(node.event().await, Heard::Alarm(Duration::ZERO), "neither bytes nor their end");
        node.emit(Output::Resume { link }).await;
        assert_eq!(node.receive(link, 5).await, b"waits");
        assert_eq!(node.event().await, Heard::Finished(link));
    });
}

#[test]
fn a_listener_on_a_port_that_is_not_ours_is_refused() {
    smol::block_on(async {
        let node = Node::start();
        let address = Address::Socket("192.0.2.1:0".parse().unwrap());
        node.emit(Output::Listen { listener: ListenerId(1), address }).await;
        assert_eq!(node.event().await, Heard::ListenFailed(Cause::AddressUnusable));
        node.emit(Output::Listen { listener: ListenerId(2), address: loopback() }).await;
        assert!(matches!(node.event().await, Heard::Listening(_)), "the node goes on");
    });
}

#[test]
fn one_listener_may_take_both_families() {
    if TcpListener::bind("[::]:0").is_err() {
        return println!("SKIPPED: this machine has no IPv6");
    }
    smol::block_on(async {
        let options = Options { dual_stack: true, ..Options::default() };
        let node = Node::with(options, Arc::new(MemoryStore::new()));
        let listening = node.listen_at(Address::Socket("[::]:0".parse().unwrap())).await;
        let mut peers = Vec::new();
        for host in ["127.0.0.1", "::1"] {
            let ip: IpAddr = host.parse().unwrap();
            let peer = TcpStream::connect((ip, listening.port())).unwrap();
            let Heard::Opened { remote, local, accepted: true, .. } = node.event().await else {
                panic!("{host}")
            };
            assert_eq!((remote, local.ip()), (peer.local_addr().unwrap(), ip));
            peers.push(peer);
        }
    });
}
