//! What breaks in the middle fails clearly on both sides, and leaves no half file.

use std::fs;
use std::io::{self, PipeReader, Read};

use rustix::process::Signal;

use super::{Stage, accept, done, failed};
use crate::process::{Process, hears_hang_up};

/// A transfer that stands in the middle: the receiver is stopped, and all buffers on the way are full or filling.
fn in_the_middle(name: &str) -> (Stage, Process, Process) {
    let stage = Stage::new(name);
    let sender = stage.send(&stage.large_file(), &["--no-compress"]);
    let receiver = stage.recv();
    receiver.json("file");
    receiver.signal(Signal::STOP);
    sender.json("progress");
    (stage, sender, receiver)
}

#[test]
fn a_relay_that_dies_in_the_middle_fails_both_and_leaves_no_half_file() {
    let (mut stage, sender, receiver) = in_the_middle("relay-dies");
    stage.relay.kill();
    receiver.signal(Signal::CONT);
    failed(sender, 5, "interrupted");
    failed(receiver, 5, "interrupted");
    assert!(stage.received().is_empty(), "{:?}", stage.received());
}

#[test]
fn a_relay_that_dies_while_both_wait_fails_both() {
    let mut stage = Stage::new("relay-dies-early");
    let sender = stage.send(&stage.file(b"x"), &[]);
    let receiver = stage.recv_as("wrong", &["--yes"]);
    receiver.json_with(|line| line["type"] == "senders" && line["wrong_password"] == 1);
    stage.relay.kill();
    failed(sender, 5, "relay-closed");
    failed(receiver, 5, "relay-closed");
}

#[test]
fn a_sender_that_dies_in_the_middle_fails_the_receiver() {
    let (stage, mut sender, receiver) = in_the_middle("sender-dies");
    sender.kill();
    receiver.signal(Signal::CONT);
    failed(receiver, 5, "interrupted");
    assert!(stage.received().is_empty(), "{:?}", stage.received());
}

#[test]
fn a_receiver_that_dies_in_the_middle_fails_the_sender() {
    let (stage, sender, mut receiver) = in_the_middle("receiver-dies");
    receiver.kill();
    failed(sender, 5, "interrupted");
    // Who is killed cannot clean up; but nothing has the name of the file.
    assert!(stage.received().iter().all(|name| name.starts_with(".pleach-")), "{:?}", stage.received());
}

/// The signals that end a transfer, and their exit codes.
fn endings() -> impl Iterator<Item = (Signal, i32)> {
    let all = [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)];
    all.into_iter().filter(|(signal, _)| *signal != Signal::HUP || hears_hang_up())
}

#[test]
fn a_sender_that_is_called_off_says_so() {
    for (signal, code) in endings() {
        let (stage, sender, receiver) = in_the_middle("sender-called-off");
        sender.signal(signal);
        receiver.signal(Signal::CONT);
        failed(sender, code, "called-off");
        failed(receiver, 8, "cancelled");
        assert!(stage.received().is_empty(), "{:?}", stage.received());
    }
}

#[test]
fn a_receiver_that_is_called_off_says_so() {
    for (signal, code) in endings() {
        let (stage, sender, receiver) = in_the_middle("receiver-called-off");
        receiver.signal(signal);
        receiver.signal(Signal::CONT);
        failed(receiver, code, "called-off");
        failed(sender, 8, "cancelled");
        assert!(stage.received().is_empty(), "{:?}", stage.received());
    }
}

#[test]
fn a_file_that_shrinks_while_it_is_sent_fails_both() {
    let (stage, sender, receiver) = in_the_middle("shrinks");
    fs::File::options().write(true).open(stage.path("a file.bin")).unwrap().set_len(1).unwrap();
    receiver.signal(Signal::CONT);
    failed(sender, 7, "file-changed");
    failed(receiver, 8, "cancelled");
    assert!(stage.received().is_empty(), "{:?}", stage.received());
}

#[test]
fn who_is_told_to_outlive_its_terminal_does() {
    let stage = Stage::new("nohup");
    let (password, folder) = (stage.path("password"), stage.path("in"));
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_pleach")]);
    let first = ["recv", "--json", "--yes", "--password-file", &password, "--output", &folder];
    command.args(stage.arguments(&first, &[])).env_clear();
    let receiver = Process::spawn(&mut command);
    receiver.stage("wait-peer");
    receiver.signal(Signal::HUP);
    let sender = stage.send(&stage.file(b"content"), &[]);
    done(receiver);
    done(sender);
}

/// A sender and a receiver of whom neither has the password of the other.
fn strangers(name: &str) -> (Stage, Process, Process) {
    let stage = Stage::new(name);
    let sender = stage.send(&stage.file(b"first"), &[]);
    let receiver = stage.recv_as("wrong", &["--yes"]);
    receiver.json_with(|line| line["type"] == "senders" && line["wrong_password"] == 1);
    (stage, sender, receiver)
}

#[test]
fn a_sender_that_dies_while_it_waits_is_forgotten() {
    let (stage, mut sender, receiver) = strangers("sender-dies-waiting");
    sender.kill();
    let wrong = stage.path("wrong");
    let file = stage.file(b"second");
    let first = ["send", "--json", file.to_str().unwrap(), "--password-file", &wrong];
    let next = Process::start(&stage.scratch.path(""), &stage.arguments(&first, &[]));
    done(receiver);
    done(next);
    assert_eq!(stage.content("a file.bin"), b"second");
}

#[test]
fn a_receiver_that_dies_while_it_waits_is_forgotten() {
    let (stage, sender, mut receiver) = strangers("receiver-dies-waiting");
    receiver.kill();
    done(stage.recv());
    done(sender);
}

/// A sender and a receiver with the same password; the person at the receiver is asked.
fn asked(name: &str) -> (Stage, Process, Process) {
    let stage = Stage::new(name);
    let sender = stage.send(&stage.file(b"first"), &[]);
    let receiver = stage.recv_as("password", &[]);
    receiver.json("offer");
    sender.stage("confirm");
    (stage, sender, receiver)
}

#[test]
fn a_sender_that_dies_while_the_person_thinks_is_forgotten() {
    let (stage, mut sender, mut receiver) = asked("sender-dies-asked");
    sender.kill();
    receiver.note("this sender is gone");
    let sender = stage.send(&stage.file(b"second"), &[]);
    // The first answer is to the question that is void.
    receiver.say(b"y");
    accept(&mut receiver);
    done(receiver);
    done(sender);
    assert_eq!(stage.content("a file.bin"), b"second");
}

#[test]
fn a_receiver_that_dies_while_the_person_thinks_is_forgotten() {
    let (stage, sender, mut receiver) = asked("receiver-dies-asked");
    receiver.kill();
    sender.stage("wait-peer");
    done(stage.recv());
    done(sender);
}

#[test]
fn who_waits_in_the_room_for_one_that_died_can_be_called_off() {
    let (stage, mut sender, mut receiver) = asked("sender-dies-meeting");
    sender.signal(Signal::STOP);
    receiver.say(b"y");
    receiver.stage("meet");
    sender.kill();
    receiver.signal(Signal::INT);
    failed(receiver, 130, "called-off");
    assert!(stage.received().is_empty());
}

/// A sender, and a receiver that writes the whole file to a stdout that is full: of this pipe, the first byte is read.
fn everything_sent(name: &str) -> (Stage, Process, Process, PipeReader) {
    let stage = Stage::new(name);
    let sender = stage.send(&stage.file(&[b'x'; SIZE]), &[]);
    let password = stage.path("password");
    let (mut content, stdout) = io::pipe().unwrap();
    let first = ["recv", "--output", "-", "--yes", "--password-file", &password];
    let receiver = Process::start_into(stdout, &stage.scratch.path(""), &stage.arguments(&first, &[]));
    content.read_exact(&mut [0]).unwrap();
    sender.stage("verify");
    (stage, sender, receiver, content)
}

/// More than a pipe holds.
const SIZE: usize = 1 << 20;

#[test]
fn a_receiver_that_dies_with_everything_sent_has_confirmed_nothing() {
    let (_stage, sender, mut receiver, _content) = everything_sent("receiver-dies-verifying");
    receiver.kill();
    assert_eq!(done(sender)["summary"]["confirmed"], false);
}

#[test]
fn a_file_that_is_being_kept_cannot_be_called_off() {
    let (_stage, sender, mut receiver, mut content) = everything_sent("interrupted-keeping");
    receiver.signal(Signal::INT);
    receiver.note("all of it is here; ");
    assert_eq!(content.read_to_end(&mut Vec::new()).unwrap(), SIZE - 1);
    assert_eq!(receiver.code(), Some(0));
    assert_eq!(done(sender)["summary"]["confirmed"], true);
}
