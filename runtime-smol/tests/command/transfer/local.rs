//! What goes wrong on one's own side, mostly before anybody else is involved.

use std::fs;

use super::{Stage, done, failed};
use crate::process::{Scratch, pleach, run, text, unserved};

/// Fails before a relay is needed: the exit code, the code, and what else is said.
fn fails_alone(scratch: &Scratch, arguments: &[&str], exit: i32, code: &str, hint: &str) {
    let output = run(&scratch.path(""), arguments);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {said}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    let expected = format!("[{code}]\n  hint: ");
    assert!(said.starts_with("error: ") && said.contains(&expected) && said.contains(hint), "{said}");
}

#[test]
fn what_cannot_be_sent_is_named_with_the_way_out() {
    let scratch = Scratch::new("cannot-send");
    let path = |name: &str| scratch.path(name).to_str().unwrap().to_owned();
    for folder in ["folder", "my photos"] {
        fs::create_dir(scratch.path(folder)).unwrap();
    }
    fs::write(scratch.path("file"), "x").unwrap();
    fs::write(scratch.path("a\\b"), "x").unwrap();
    let (folder, file, name, empty) = (path("folder"), path("file"), path("a\\b"), path("empty"));
    fs::write(&empty, "\n").unwrap();
    fails_alone(&scratch, &["send", &folder], 7, "is-a-folder", " folder && pleach send folder.tar.gz");
    fails_alone(&scratch, &["send", "/dev/null"], 7, "is-no-file", "pleach send - --name NAME < /dev/null");
    fails_alone(&scratch, &["send", &file, "--name", "../x"], 2, "bad-name", "--name NAME");
    fails_alone(&scratch, &["send", &name], 2, "bad-name", "--name NAME");
    fails_alone(&scratch, &["send", "-"], 2, "no-name", "--name NAME");
    fails_alone(&scratch, &["send", &path("nothing")], 7, "no-such-file", "check the spelling");
    let no_password = run(&scratch.path(""), &["send", &file, "--password-file", &empty]);
    assert_eq!(no_password.status.code(), Some(2));
    assert!(text(&no_password.stderr).contains("[password-empty]"));
}

#[test]
fn a_password_is_taken_from_no_argument() {
    let scratch = Scratch::new("argument");
    fs::write(scratch.path("file"), "x").unwrap();
    let file = scratch.path("file");
    for arguments in [&["recv", "open sesame"][..], &["send", file.to_str().unwrap(), "open sesame"]] {
        assert_eq!(run(&scratch.path(""), arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn where_nobody_can_be_asked_it_fails_with_the_next_step() {
    let scratch = Scratch::new("no-input");
    let hint = "use --password-file, --password-fd or PLEACH_PASSWORD";
    fails_alone(&scratch, &["recv", "--no-input", "--yes"], 2, "no-password", hint);
    fails_alone(&scratch, &["recv", "--no-input"], 2, "no-input", "--yes receives without asking");
    // Without a terminal, the prompt itself fails. (A session of its own has none.)
    let pleach = pleach(&scratch.path(""));
    let mut alone = std::process::Command::new("setsid");
    alone.arg("--wait").arg(pleach.get_program()).args(["recv", "--yes"]).env_clear();
    let output = alone.stdin(std::process::Stdio::null()).output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("no terminal to ask at") && said.contains("[no-password]") && said.contains(hint),
        "{said}"
    );
}

#[test]
fn a_relay_that_is_not_there_is_named() {
    let scratch = Scratch::new("no-relay");
    fs::write(scratch.path("file"), "x").unwrap();
    let file = scratch.path("file");
    let (_kept, gone) = unserved();
    let gone = gone.to_string();
    let password = ("PLEACH_PASSWORD", "x");
    for arguments in [&["send", file.to_str().unwrap()][..], &["recv", "--yes"]] {
        let mut command = pleach(&scratch.path(""));
        command.args(arguments).args(["--relay", &gone]).env(password.0, password.1);
        let output = command.output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(5), "{said}");
        let expected = format!(
            "error: the relay {gone} refused the connection [relay-unreachable]\n  hint: check --relay"
        );
        assert!(said.contains(&expected), "{said}");
    }
}

#[test]
fn nothing_is_overwritten_unless_asked_for() {
    let stage = Stage::new("overwrite");
    fs::write(stage.scratch.path("in/a file.bin"), "old").unwrap();
    let named = stage.path("in/a file.bin");
    // Where the name is known, before anybody is bothered.
    let scratch = Scratch::new("overwrite-early");
    let mut command = pleach(&scratch.path(""));
    let output = command.args(["recv", "--yes", "-o", &named]).env("PLEACH_PASSWORD", "x").output().unwrap();
    assert_eq!(output.status.code(), Some(7));
    assert!(
        text(&output.stderr).contains("[file-exists]\n  hint: --force overwrites it, --rename keeps both")
    );

    let sender = stage.send(&stage.file(b"new"), &[]);
    failed(stage.recv(), 7, "file-exists");
    failed(sender, 8, "cancelled");
    assert_eq!((stage.content("a file.bin"), stage.received().len()), (b"old".to_vec(), 1));

    let sender = stage.send(&stage.file(b"new"), &[]);
    let receiver = stage.recv_as("password", &["--yes", "--rename"]);
    let (file, end) = (receiver.json("file"), done(receiver));
    let numbered = stage.path("in/a file (1).bin");
    assert_eq!(
        (&file["path"], &end["summary"]["path"]),
        (&numbered.as_str().into(), &numbered.as_str().into())
    );
    done(sender);
    let sender = stage.send(&stage.file(b"newer"), &[]);
    done(stage.recv_as("password", &["--yes", "--force"]));
    done(sender);
    assert_eq!(stage.received(), ["a file (1).bin", "a file.bin"]);
    assert_eq!(
        (stage.content("a file.bin"), stage.content("a file (1).bin")),
        (b"newer".to_vec(), b"new".to_vec())
    );
}

#[test]
fn a_file_that_is_too_large_is_not_taken() {
    let stage = Stage::new("too-large");
    let sender = stage.send(&stage.file(&[0; 11]), &[]);
    failed(stage.recv_as("password", &["--yes", "--max-size", "10B"]), 1, "too-large");
    failed(sender, 8, "cancelled");
    assert!(stage.received().is_empty());
}

#[test]
fn a_folder_that_is_not_there_is_named_before_anybody_is_bothered() {
    let scratch = Scratch::new("no-folder");
    let output = scratch.path("missing/");
    let arguments = ["recv", "--yes", "--output", output.to_str().unwrap()];
    fails_alone(&scratch, &arguments, 7, "no-such-folder", "make it first");
}

#[test]
fn help_shows_two_examples_first() {
    let scratch = Scratch::new("transfer-help");
    for command in ["send", "recv", "relay"] {
        let output = run(&scratch.path(""), &[command, "--help"]);
        let shown = text(&output.stdout);
        let example = format!("  pleach {command} ");
        let (before, _) = shown.split_once("Usage:").unwrap();
        assert!(shown.starts_with("Examples:\n"), "{shown}");
        assert_eq!(before.lines().filter(|line| line.contains(example.trim())).count(), 2, "{shown}");
    }
}
