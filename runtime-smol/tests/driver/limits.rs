//! What a hostile or a dead peer can cost, and how a runtime ends.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use pleach_core::link::{Address, Cause, From, How, LinkId, Output, Role};
use pleach_smol::Options;
use pleach_smol::driver::Descriptors;
use pleach_smol::store::MemoryStore;

use crate::probe::{Heard, Node, Order, watch};

fn node(change: impl FnOnce(&mut Options)) -> Node {
    let mut options = Options::default();
    change(&mut options);
    Node::with(options, Arc::new(MemoryStore::new()))
}

#[test]
fn t_12_a_peer_that_never_reads_costs_at_most_its_limit() {
    smol::block_on(async {
        let node = node(|options| options.queued_bytes_max = 1 << 20);
        let _peer = TcpStream::connect(node.listen().await).unwrap();
        let link = node.accepted().await;
        // More than any socket buffer holds.
        for _ in 0..1024 {
            node.send(link, vec![0; 64 * 1024]).await;
            let queued = node.handle.inspect(|view| view.queued_bytes).await.unwrap();
            assert!(queued <= 1 << 20, "{queued}");
        }
        assert_eq!(node.event().await, Heard::Closed(link, Cause::Exhausted));
        let stats = node.handle.inspect(|view| view.stats).await.unwrap();
        assert_eq!((stats.queue_exceeded, stats.links_closed), (1, 1));
    });
}

#[test]
fn a_flush_towards_a_peer_that_never_reads_ends() {
    smol::block_on(async {
        let node = node(|options| {
            options.queued_bytes_max = 64 << 20;
            options.flush_timeout = Duration::from_millis(50);
        });
        let _peer = TcpStream::connect(node.listen().await).unwrap();
        let link = node.accepted().await;
        node.send(link, vec![0; 32 << 20]).await;
        node.close(link, How::Flush).await;
        assert_eq!(node.event().await, Heard::Closed(link, Cause::TimedOut));
        assert_eq!(node.handle.inspect(|view| view.stats.flush_expired).await, Ok(1));
    });
}

#[test]
fn t_21_a_peer_that_does_not_close_its_half_is_left_after_the_flush() {
    smol::block_on(async {
        let node = node(|options| options.linger_timeout = Duration::from_millis(20));
        let _peer = TcpStream::connect(node.listen().await).unwrap();
        let link = node.accepted().await;
        node.send(link, "goodbye").await;
        node.close(link, How::Flush).await;
        assert_eq!(node.event().await, Heard::Closed(link, Cause::Finished));
    });
}

#[test]
fn t_18_a_flood_on_one_link_does_not_silence_the_others() {
    smol::block_on(async {
        let node = node(|options| options.events_max = usize::MAX);
        let to = node.listen().await;
        let mut flood = TcpStream::connect(to).unwrap();
        let flooding = node.accepted().await;
        let mut quiet = TcpStream::connect(to).unwrap();
        let quiet_link = node.accepted().await;
        std::thread::spawn(move || while flood.write_all(&[0; 256 * 1024]).is_ok() {});
        for _ in 0..20 {
            quiet.write_all(b"!").unwrap();
            loop {
                match node.event().await {
                    Heard::Received(link, _) if link == quiet_link => break,
                    Heard::Received(link, bytes) => {
                        assert!(link == flooding && bytes.len() <= 64 * 1024);
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        node.handle.abort().await.unwrap();
    });
}

#[test]
fn events_that_nobody_takes_hold_reading_back() {
    smol::block_on(async {
        let node = node(|options| options.events_max = 8);
        let mut peer = TcpStream::connect(node.listen().await).unwrap();
        let link = node.accepted().await;
        let sent: usize = 16 << 20;
        let writer = std::thread::spawn(move || peer.write_all(&vec![3; sent]).map(|()| peer));
        loop {
            let stats = node.handle.inspect(|view| view.stats).await.unwrap();
            if stats.reading_held > 0 {
                assert!(stats.received_bytes <= 9 * 64 * 1024, "{stats:?}");
                break;
            }
            smol::future::yield_now().await;
        }
        assert_eq!(node.receive(link, sent).await.len(), sent);
        drop(writer.join().unwrap());
    });
}

#[test]
fn t_22_without_descriptors_accepting_pauses_and_goes_on() {
    smol::block_on(async {
        // 40: 32 in reserve, so eight for us; a listener takes one.
        let node = node(|options| {
            options.descriptors = Descriptors::with_limit(40);
            options.accept_pause = Duration::from_millis(10);
        });
        let to = node.listen().await;
        let mut peers: Vec<_> = (0..10).map(|_| TcpStream::connect(to).unwrap()).collect();
        for _ in 0..7 {
            node.accepted().await;
        }
        node.order(Order::Alarm(Duration::from_millis(30))).await;
        assert_eq!(node.event().await, Heard::Alarm(Duration::ZERO), "nobody else was accepted");
        assert!(node.handle.inspect(|view| view.stats.accept_paused).await.unwrap() > 0);
        peers.remove(0);
        let Heard::Finished(link) = node.event().await else { panic!("the first peer has gone") };
        node.close(link, How::Abort).await;
        assert_eq!(node.event().await, Heard::Closed(link, Cause::Finished));
        node.accepted().await;
    });
}

#[test]
fn a_dial_without_a_descriptor_says_so() {
    smol::block_on(async {
        let mut node = node(|options| options.descriptors = Descriptors::with_limit(33));
        let to = node.listen().await;
        let link = node.dial(Address::Socket(to), From::Anywhere).await;
        assert_eq!(node.event().await, Heard::Closed(link, Cause::Exhausted));
    });
}

#[test]
fn the_timer_is_never_early() {
    smol::block_on(async {
        let node = Node::start();
        for micros in [0, 1, 1000, 20_000] {
            node.order(Order::Alarm(Duration::from_micros(micros))).await;
            assert_eq!(node.event().await, Heard::Alarm(Duration::ZERO));
        }
    });
}

#[test]
fn aborting_a_runtime_resets_every_link_and_frees_the_port() {
    smol::block_on(async {
        let node = Node::start();
        let to = node.listen().await;
        let mut peer = TcpStream::connect(to).unwrap();
        node.accepted().await;
        node.handle.abort().await.unwrap();
        watch(node.task).await;
        assert!(node.handle.event().await.is_none());
        assert!(node.handle.command(Order::Echo(true)).await.is_err());
        let error = smol::unblock(move || peer.read(&mut [0; 1])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(TcpStream::connect(to).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn a_frozen_runtime_is_silent_but_keeps_its_sockets() {
    smol::block_on(async {
        let node = Node::start();
        node.order(Order::Echo(true)).await;
        let to = node.listen().await;
        let mut peer = TcpStream::connect(to).unwrap();
        node.accepted().await;
        node.handle.freeze().await.unwrap();
        // What comes behind it is dropped unheard: then it is frozen, and not about to be.
        assert!(node.handle.inspect(|_| ()).await.is_err());
        peer.write_all(b"anybody there?").unwrap();
        peer.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let error = peer.read(&mut [0; 1]).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
        assert!(TcpStream::connect(to).is_ok(), "the kernel still takes dials");
        node.handle.abort().await.unwrap();
        watch(node.task).await;
        peer.set_read_timeout(None).unwrap();
        let error = smol::unblock(move || peer.read(&mut [0; 1])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn dropping_the_handle_lets_flushed_links_finish() {
    smol::block_on(async {
        let node = Node::start();
        let mut peer = TcpStream::connect(node.listen().await).unwrap();
        let link = node.accepted().await;
        node.send(link, vec![9; 3_000_000]).await;
        node.close(link, How::Flush).await;
        let Node { handle, task, .. } = node;
        drop(handle);
        let all = smol::unblock(move || {
            let mut all = Vec::new();
            peer.read_to_end(&mut all).map(|_| all.len())
        });
        assert_eq!(watch(all).await.unwrap(), 3_000_000);
        watch(task).await;
    });
}

#[test]
fn nothing_new_begins_once_the_last_handle_is_gone() {
    smol::block_on(async {
        let node = Node::start();
        let mut peer = TcpStream::connect(node.listen().await).unwrap();
        let link = node.accepted().await;
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Address::Socket(other.local_addr().unwrap());
        let redial = Output::Dial { link: LinkId(1), address, from: From::Anywhere, role: Role::Dialler };
        node.order(Order::WhenClosed(redial)).await;
        node.send(link, vec![9; 3_000_000]).await;
        node.close(link, How::Flush).await;
        let Node { handle, task, .. } = node;
        drop(handle);
        smol::unblock(move || peer.read_to_end(&mut Vec::new())).await.unwrap();
        watch(task).await;
    });
}
