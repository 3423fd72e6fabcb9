//! Who has the password gets the file, if the receiving person wants it.

use std::fs;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};
use rustix::process::Signal;

use super::{Stage, accept, done, failed};
use crate::process::{Process, patiently};

#[test]
fn a_wrong_password_gets_nothing_is_told_so_and_hurts_nobody() {
    let stage = Stage::new("wrong");
    let sender = stage.send(&stage.file(b"secret"), &[]);
    sender.stage("wait-peer");
    let wrong = stage.recv_as("wrong", &["--yes", "--timeout", "10s"]);
    let tried = sender.json("wrong_password");
    assert_eq!(tried["failures"], 1);
    assert!(tried["from"].as_str().unwrap().starts_with("127.0.0.1:"), "{tried}");
    let error = failed(wrong, 4, "auth-failed")["error"].clone();
    assert_eq!(error["hint"], "compare the password, letter by letter");
    assert!(stage.received().is_empty());
    done(stage.recv());
    done(sender);
}

#[test]
fn of_three_receivers_the_one_with_the_password_gets_the_file() {
    let stage = Stage::new("three");
    let wrong = [(); 2].map(|()| stage.recv_as("wrong", &["--yes"]));
    for receiver in &wrong {
        receiver.stage("wait-peer");
    }
    let mut right = stage.recv_as("password", &[]);
    right.stage("wait-peer");
    let sender = stage.send(&stage.file(b"for one"), &[]);
    right.json("offer");
    // Once the sender is taken, a relay tells the others nothing more.
    for receiver in &wrong {
        receiver.json_with(|line| line["type"] == "senders" && line["wrong_password"] == 1);
    }
    right.say(b"y");
    right.json("file");
    right.say(b"y");
    done(right);
    assert_eq!(done(sender)["summary"]["confirmed"], true);
    assert_eq!(
        (stage.received(), stage.content("a file.bin")),
        (vec!["a file.bin".into()], b"for one".to_vec())
    );
    for receiver in wrong {
        receiver.signal(Signal::INT);
        failed(receiver, 130, "called-off");
    }
}

#[test]
fn a_refused_sender_waits_for_another_and_the_receiver_too() {
    let stage = Stage::new("refused");
    let sender = stage.send(&stage.file(b"x"), &[]);
    let mut first = stage.recv_as("password", &["--timeout", "60s"]);
    let offer = first.json("offer");
    assert!(offer["from"].as_str().unwrap().starts_with("127.0.0.1:"), "{offer}");
    sender.stage("confirm");
    first.say(b"n");
    let mut second = stage.recv_as("password", &[]);
    accept(&mut second);
    done(second);
    done(sender);
    // The first one waits on, and takes what comes next.
    let sender = stage.send(&stage.file(b"y"), &["--name", "another"]);
    accept(&mut first);
    done(first);
    done(sender);
    assert_eq!(stage.received(), ["a file.bin", "another"]);
}

#[test]
fn what_comes_is_shown_and_may_be_refused() {
    let stage = Stage::new("shown");
    let sender = stage.send(&stage.file(b"0123456789"), &["--name", "gift\u{202e}gpj.exe"]);
    let mut receiver = stage.recv_as("password", &[]);
    receiver.json("offer");
    receiver.say(b"y");
    receiver.json("file");
    receiver.say(b"n");
    assert_eq!(receiver.json("end")["error"]["code"], "refused");
    assert_eq!(receiver.code(), Some(4));
    let (name, said) = ("gift\\u{202e}gpj.exe", receiver.rest().join("\n"));
    let question = format!("Receive {name} as {}/{name}, 10 B? [y/N] ", stage.path("in"));
    assert!(said.contains(&question), "{question:?} is not in {said:?}");
    failed(sender, 8, "cancelled");
    assert!(stage.received().is_empty(), "{:?}", stage.received());
}

#[test]
fn a_script_answers_once_but_not_for_a_hidden_name() {
    let stage = Stage::new("answers-once");
    let file = stage.file(b"content");
    let answer_once = |name: &str| {
        let sender = stage.send(&file, &["--name", name]);
        let mut receiver = stage.recv_as("password", &[]);
        receiver.json("offer");
        receiver.say(b"y");
        receiver.stdin = None;
        (sender, receiver)
    };
    let (sender, receiver) = answer_once("shown");
    done(receiver);
    done(sender);
    let (sender, receiver) = answer_once(".hidden");
    failed(receiver, 4, "refused");
    failed(sender, 8, "cancelled");
    assert_eq!(stage.received(), ["shown"]);
}

#[test]
fn nobody_waits_for_a_person_that_thinks() {
    let stage = Stage::new("thinks");
    // More than all buffers on the way hold.
    fs::File::create(stage.path("zeros")).unwrap().set_len(32 << 20).unwrap();
    let sender = stage.send(&stage.scratch.path("zeros"), &["--no-compress"]);
    let mut receiver = stage.recv_as("password", &[]);
    receiver.json("offer");
    receiver.say(b"y");
    receiver.stage("verify");
    sender.stage("verify");
    assert!(stage.received().iter().all(|name| name.starts_with(".pleach-")), "{:?}", stage.received());
    receiver.say(b"y");
    done(receiver);
    assert_eq!(done(sender)["summary"]["confirmed"], true);
    assert_eq!(stage.received(), ["zeros"]);
}

#[test]
fn what_is_here_whole_can_be_kept_although_its_sender_is_gone() {
    let stage = Stage::new("thinks-long");
    let mut sender = stage.send(&stage.file(b"content"), &[]);
    let mut receiver = stage.recv_as("password", &[]);
    receiver.json("offer");
    receiver.say(b"y");
    receiver.note("all of it is here; ");
    sender.kill();
    stage.relay.json("room_closed");
    receiver.say(b"y");
    done(receiver);
    assert_eq!(stage.content("a file.bin"), b"content");
}

#[test]
fn a_hidden_name_is_not_taken_unseen() {
    let stage = Stage::new("hidden");
    let sender = stage.send(&stage.file(b"x"), &["--name", ".profile"]);
    let error = failed(stage.recv(), 4, "hidden-name")["error"].clone();
    assert!(error["hint"].as_str().unwrap().contains("--output"), "{error}");
    failed(sender, 8, "cancelled");
    // Named or seen, it is.
    let named = stage.path("in/.named");
    let sender = stage.send(&stage.file(b"x"), &["--name", ".profile"]);
    let first = ["recv", "--json", "--yes", "--password-file", &stage.path("password"), "--output", &named];
    done(Process::start(&stage.scratch.path(""), &stage.arguments(&first, &[])));
    done(sender);
    let sender = stage.send(&stage.file(b"x"), &["--name", ".seen"]);
    let mut receiver = stage.recv_as("password", &[]);
    accept(&mut receiver);
    done(receiver);
    done(sender);
    assert_eq!(stage.received(), [".named", ".seen"]);
}

#[test]
fn who_cannot_be_asked_refuses() {
    let stage = Stage::new("nobody");
    let _sender = stage.send(&stage.file(b"x"), &[]);
    let mut receiver = stage.recv_as("password", &[]);
    drop(receiver.stdin.take());
    let error = failed(receiver, 4, "refused")["error"].clone();
    assert_eq!(error["hint"], "--yes receives without asking");
}

#[test]
fn who_refused_all_and_waits_no_longer_was_not_unlucky() {
    let stage = Stage::new("refused-all");
    let sender = stage.send(&stage.file(b"x"), &[]);
    sender.stage("wait-peer");
    let mut receiver = stage.recv_as("password", &["--timeout", "10s"]);
    receiver.json("offer");
    receiver.say(b"no");
    failed(receiver, 4, "refused");
}

/// The writing end of a pipe with a name, once somebody reads it.
fn write_end(fifo: &str) -> OwnedFd {
    let mut writer = None;
    patiently("a reader", || {
        writer = rustix::fs::open(fifo, OFlags::WRONLY | OFlags::NONBLOCK, Mode::empty()).ok();
        writer.is_some()
    });
    writer.unwrap()
}

#[test]
fn a_password_that_does_not_come_can_be_called_off() {
    let stage = Stage::new("fifo");
    let (file, fifo) = (stage.file(b"x"), stage.path("fifo"));
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, Mode::RWXU).unwrap();
    for first in [&["send", file.to_str().unwrap()][..], &["recv", "--yes"]] {
        let arguments = [first, &["--json", "--password-file", &fifo]].concat();
        let process = Process::start(&stage.scratch.path(""), &stage.arguments(&arguments, &[]));
        // Opens once the other end is: now it is read.
        let _silent = write_end(&fifo);
        process.signal(Signal::INT);
        failed(process, 130, "called-off");
    }
}

#[test]
fn nobody_comes_in_time() {
    let stage = Stage::new("in-time");
    let file = stage.file(b"x");
    failed(stage.send(&file, &["--timeout", "100ms"]), 5, "timed-out");
    failed(stage.recv_as("password", &["--yes", "--timeout", "100ms"]), 5, "timed-out");
}
