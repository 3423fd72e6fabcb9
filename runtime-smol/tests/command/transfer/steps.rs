//! A link that breaks behind each packet of the handshake: whose link it was fails, the other one goes on waiting and is
//! found by the next. The relay is the same throughout.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use bytes::Bytes;
use pleach_core::bob::packet::{Body, Decoder};
use rustix::process::Signal;

use super::{Stage, accept, done, failed};
use crate::process::Process;

/// Picks the packet behind which the link breaks.
type IsLast = fn(&Body) -> bool;

/// Between the two, through the relay.
const HANDSHAKE: [(&str, IsLast); 4] = [
    ("07 share", |body| matches!(body, Body::ClientShare { .. })),
    ("06 share and validator", |body| matches!(body, Body::ServerShare { .. })),
    ("05 validator", |body| matches!(body, Body::ClientValidator { .. })),
    ("08 agreement", |body| matches!(body, Body::Agreement)),
];

/// The address of a line to `relay` for the first who comes, cut right behind the first packet that `is_last` picks.
fn cut_line(relay: &str, is_last: IsLast) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, relay) = (listener.local_addr().unwrap().to_string(), relay.to_owned());
    thread::spawn(move || {
        let near = listener.accept().unwrap().0;
        let far = TcpStream::connect(relay).unwrap();
        let (from, to) = (far.try_clone().unwrap(), near.try_clone().unwrap());
        let is_cut = Arc::<AtomicBool>::default();
        let seen = Arc::clone(&is_cut);
        thread::spawn(move || carry(from, to, is_last, &seen));
        carry(near, far, is_last, &is_cut);
    });
    address
}

/// Carries what comes one way, up to and with the last packet of either way; then closes both.
fn carry(mut from: TcpStream, mut to: TcpStream, is_last: IsLast, is_cut: &AtomicBool) {
    let (mut decoder, mut buffer) = (Decoder::new(), [0; 1024]);
    while let Ok(count @ 1..) = from.read(&mut buffer)
        && !is_cut.load(Ordering::SeqCst)
    {
        let mut rest = Bytes::copy_from_slice(&buffer[..count]);
        while let Some(packet) = decoder.next(&mut rest).unwrap() {
            if is_last(&packet.body) {
                // Before anybody can answer it.
                is_cut.store(true, Ordering::SeqCst);
                break;
            }
        }
        // A peer that is gone has cut the line itself.
        let is_gone = to.write_all(&buffer[..count - rest.len()]).is_err();
        if is_gone || is_cut.load(Ordering::SeqCst) {
            break;
        }
    }
    for end in [from, to] {
        let _ = end.shutdown(Shutdown::Both);
    }
}

impl Stage {
    /// Sends, with a link to the relay that breaks there.
    fn send_until(&self, content: &[u8], is_last: IsLast) -> Process {
        let (file, password) = (self.file(content), self.path("password"));
        self.start_over_cut_line(
            &["send", file.to_str().unwrap(), "--json", "--password-file", &password],
            is_last,
        )
    }

    /// Receives without asking, with a link to the relay that breaks there.
    fn recv_until(&self, is_last: IsLast) -> Process {
        let (folder, password) = (self.path("in"), self.path("password"));
        self.start_over_cut_line(
            &["recv", "--yes", "--json", "--password-file", &password, "--output", &folder, "--force"],
            is_last,
        )
    }

    fn start_over_cut_line(&self, arguments: &[&str], is_last: IsLast) -> Process {
        let relay = ["--relay", &cut_line(&self.handshake, is_last), "--secure-port", &self.secure_port];
        Process::start(&self.scratch.path(""), &[arguments, &relay].concat())
    }
}

#[test]
fn a_receiver_whose_link_breaks_before_it_accepted_fails_and_is_forgotten() {
    let stage = Stage::new("receiver-steps");
    let sender = stage.send(&stage.file(b"content"), &[]);
    sender.stage("wait-peer");
    let before: [(&str, IsLast); 3] = [
        ("01 hello", |body| matches!(body, Body::HelloAsClient)),
        ("03 identity", |body| matches!(body, Body::ClientIdentity { .. })),
        ("04 announcement", |body| matches!(body, Body::NewServer { .. })),
    ];
    for (step, is_last) in before.into_iter().chain(HANDSHAKE) {
        println!("behind {step}");
        failed(stage.recv_until(is_last), 5, "relay-closed");
        assert!(stage.received().is_empty(), "{:?}", stage.received());
    }
    done(stage.recv());
    done(sender);
    assert_eq!(stage.content("a file.bin"), b"content");
}

#[test]
fn a_receiver_whose_link_breaks_behind_its_acceptance_fails_and_the_sender_waits_in_the_room() {
    let stage = Stage::new("receiver-accepts");
    let sender = stage.send(&stage.file(b"content"), &[]);
    sender.stage("wait-peer");
    failed(stage.recv_until(|body| matches!(body, Body::Accepted)), 5, "relay-closed");
    sender.stage("meet");
    sender.signal(Signal::INT);
    failed(sender, 130, "called-off");
    assert!(stage.received().is_empty(), "{:?}", stage.received());
}

#[test]
fn a_sender_whose_link_breaks_before_it_is_accepted_fails_and_is_forgotten() {
    let stage = Stage::new("sender-steps");
    let mut receiver = stage.recv_as("password", &[]);
    receiver.stage("wait-peer");
    let before: [(&str, IsLast); 2] = [
        ("00 hello", |body| matches!(body, Body::HelloAsServer { .. })),
        ("02 identity", |body| matches!(body, Body::ServerIdentity { .. })),
    ];
    for (step, is_last) in before.into_iter().chain(HANDSHAKE) {
        println!("behind {step}");
        failed(stage.send_until(step.as_bytes(), is_last), 5, "relay-closed");
    }
    // Of all these only the last one had agreed.
    receiver.json("offer");
    receiver.note("this sender is gone");
    let sender = stage.send(&stage.file(b"content"), &[]);
    // The first answer is to the question that is void.
    receiver.say(b"y");
    accept(&mut receiver);
    done(receiver);
    done(sender);
    assert_eq!(stage.content("a file.bin"), b"content");
}

#[test]
fn a_link_that_breaks_when_all_is_agreed_harms_nobody() {
    let stage = Stage::new("last-steps");
    let sender = stage.send_until(b"one", |body| matches!(body, Body::Accepted));
    done(stage.recv());
    done(sender);
    let sender = stage.send(&stage.file(b"other"), &[]);
    done(stage.recv_until(|body| matches!(body, Body::Done)));
    done(sender);
    assert_eq!(stage.content("a file.bin"), b"other");
}
