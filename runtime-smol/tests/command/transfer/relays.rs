//! Relays that end, lie, or are none: here the test is the relay, or its secure port.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use super::{Stage, failed};
use crate::process::{Process, patiently, unserved};

/// A port where the first who comes is served so, on a thread.
fn port(serve: impl FnOnce(TcpStream) + Send + 'static) -> (String, thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    listener.set_nonblocking(true).unwrap();
    let accept = move || {
        let mut stream = None;
        patiently("a dial", || {
            stream = listener.accept().ok();
            stream.is_some()
        });
        let (stream, _) = stream.unwrap();
        stream.set_nonblocking(false).unwrap();
        serve(stream);
    };
    (address, thread::spawn(accept))
}

/// Says `answer` to whoever comes, and nothing more.
fn says(mut stream: TcpStream, answer: &[u8]) {
    stream.write_all(answer).unwrap();
    // Until the other side has closed too: otherwise what it still sends would reset the answer. It may be gone already.
    let _ = stream.shutdown(Shutdown::Write);
    let _ = stream.read_to_end(&mut Vec::new());
}

#[test]
fn what_is_no_relay_is_told_from_one() {
    let stage = Stage::new("no-relay-there");
    let file = stage.file(b"x");
    let password = stage.path("password");
    for (answer, exit, code) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], 1, "relay-protocol"),
        (b"", 5, "relay-closed"),
        // Named before it has said what we are called.
        (b"000009ffff0000090000", 5, "relay-closed"),
    ] {
        let send = ["send", file.to_str().unwrap()];
        for arguments in [&send[..], &["recv", "--yes"]] {
            let (address, relay) = port(move |stream| says(stream, answer));
            let common = ["--json", "--password-file", &password, "--relay", &address];
            let process = Process::start(&stage.scratch.path(""), &[arguments, &common].concat());
            failed(process, exit, code);
            relay.join().unwrap();
        }
    }
}

/// Whose room the test is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Side {
    Sender,
    Receiver,
}

/// Lets one of the two come to a secure port that says `answer` to its line; how that one fails.
fn fails_in_room(side: Side, answer: &'static [u8], exit: i32, code: &str) {
    let stage = Stage::new(&format!("room-{side:?}-{code}-{}", answer.len()));
    let (address, room) = port(move |mut stream| {
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            line.extend(byte);
        }
        assert!(line.starts_with(b"127.0.0.1:"), "it names the other one");
        says(stream, answer);
    });
    let secure_port = address.rsplit_once(':').unwrap().1;
    let (file, password, folder) = (stage.file(b"content"), stage.path("password"), stage.path("in"));
    let start = |side: Side, arguments: &[&str], own: Side| {
        let port = if side == own { secure_port } else { &stage.secure_port };
        let common =
            ["--json", "--password-file", &password, "--relay", &stage.handshake, "--secure-port", port];
        Process::start(&stage.scratch.path(""), &[arguments, &common].concat())
    };
    let sender = start(side, &["send", file.to_str().unwrap()], Side::Sender);
    let receiver = start(side, &["recv", "--yes", "-o", &folder], Side::Receiver);
    failed(if side == Side::Sender { sender } else { receiver }, exit, code);
    room.join().unwrap();
    assert!(stage.received().is_empty(), "{:?}", stage.received());
}

#[test]
fn a_room_that_does_not_open_is_named() {
    for side in [Side::Sender, Side::Receiver] {
        fails_in_room(side, b"02", 5, "room-unknown");
        fails_in_room(side, b"01", 5, "room-timed-out");
        // What relays do when the other side does not come.
        fails_in_room(side, b"", 5, "room-timed-out");
    }
}

#[test]
fn a_secure_port_that_is_not_there_is_named() {
    let stage = Stage::new("no-room");
    let (_kept, gone) = unserved();
    let (port, password) = (gone.port().to_string(), stage.path("password"));
    let file = stage.file(b"x");
    let send = ["send", "--json", file.to_str().unwrap(), "--password-file", &password];
    let wrong = ["--relay", &stage.handshake, "--secure-port", &port];
    let sender = Process::start(&stage.scratch.path(""), &[&send[..], &wrong].concat());
    let _receiver = stage.recv();
    let end = failed(sender, 5, "room-unreachable");
    let expected = format!("the relay's secure port {gone} refused the connection");
    assert_eq!(end["error"]["message"], expected);
}

#[test]
fn a_receiver_whose_stream_ends_or_was_changed_says_which() {
    fails_in_room(Side::Receiver, b"00", 5, "interrupted");
    fails_in_room(Side::Receiver, b"00\xff\xff\xff\xff", 5, "interrupted");
    fails_in_room(Side::Receiver, b"00\xff\xff\xff\xff\xff\xff\xff\xff", 8, "cancelled");
    fails_in_room(Side::Receiver, b"00\x00\x01012345678901234567", 6, "corrupted");
    fails_in_room(Side::Receiver, b"00\x80\x01", 6, "corrupted");
}

#[test]
fn a_sender_whose_receiver_leaves_or_lies_says_which() {
    fails_in_room(Side::Sender, b"00\x80\x00", 8, "cancelled");
    fails_in_room(Side::Sender, b"00\x00\x01012345678901234567", 6, "corrupted");
}
