//! Files arrive as they were sent.

use std::fs;
use std::io::Write;

use super::{Stage, done};
use crate::process::{Process, pleach, text};

/// Bytes that do not repeat within a file, of so many bits each: the fewer, the better they can be compressed.
fn content_of(bits: u32, size: usize) -> Vec<u8> {
    let mut state = 1u32;
    let next = |state: &mut u32| {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state.to_le_bytes()[3]) >> (8 - bits)
    };
    (0..size).map(|_| next(&mut state)).collect()
}

fn content(size: usize) -> Vec<u8> {
    content_of(8, size)
}

#[test]
fn files_around_the_sizes_of_records_arrive_identical() {
    let stage = Stage::new("sizes");
    for size in [0, 1, 32_767, 32_768, 70_000] {
        for (bits, form) in [(8, &[][..]), (3, &[]), (3, &["--no-compress"])] {
            let sent = content_of(bits, size);
            let sender = stage.send(&stage.file(&sent), form);
            let receiver = stage.recv();
            let file = receiver.json("file");
            assert_eq!((&file["name"], &file["bytes"]), (&"a file.bin".into(), &size.into()));
            assert_eq!(done(receiver)["summary"]["bytes"], size);
            assert_eq!(done(sender)["summary"]["confirmed"], true);
            assert_eq!(stage.content("a file.bin"), sent, "{size} {bits} {form:?}");
            assert_eq!(stage.received(), ["a file.bin"]);
            fs::remove_file(stage.scratch.path("in/a file.bin")).unwrap();
        }
    }
}

#[test]
fn programs_hear_of_every_stage_and_of_the_end_of_progress() {
    let stage = Stage::new("json");
    let sender = stage.send(&stage.file(&content(70_000)), &[]);
    let offer = sender.json("offer");
    assert_eq!((&offer["name"], &offer["bytes"]), (&"a file.bin".into(), &70_000.into()));
    let receiver = stage.recv();
    for process in [sender, receiver] {
        let mut stages: Vec<String> = Vec::new();
        let mut last_progress = serde_json::Value::Null;
        loop {
            let line = process.json_with(|_| true);
            match line["type"].as_str().unwrap() {
                "stage" => stages.push(line["stage"].as_str().unwrap().to_owned()),
                "progress" => last_progress = line,
                "end" => break,
                _ => {}
            }
        }
        stages.retain(|stage| stage != "wait-peer" && stage != "authenticate");
        assert_eq!(stages, ["connect", "confirm", "meet", "transfer", "verify", "finish"]);
        let (bytes, total) = (&last_progress["bytes"], &last_progress["total_bytes"]);
        assert_eq!((bytes, total), (&70_000.into(), &70_000.into()));
    }
}

#[test]
fn a_pipe_is_sent_and_received_as_a_pipe() {
    let stage = Stage::new("pipe");
    let home = stage.scratch.path("");
    let password = stage.path("password");
    let first = ["send", "-", "--name", "pipe", "--password-file", &password, "--json"];
    let mut sender = Process::start(&home, &stage.arguments(&first, &[]));
    let sent = content(300_000);
    let mut stdin = sender.stdin.take().unwrap();
    stdin.write_all(&sent).unwrap();
    drop(stdin);
    let mut receiver = pleach(&home);
    let first = ["recv", "--output", "-", "--yes", "--password-file", &password];
    let output = receiver.args(stage.arguments(&first, &[])).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(output.stdout == sent);
    assert_eq!(done(sender)["summary"]["name"], "pipe");
}

#[test]
fn people_read_what_happens_and_stdout_has_the_result_only() {
    let stage = Stage::new("people");
    let home = stage.scratch.path("");
    let file = stage.file(&content(70_000));
    let first = ["send", file.to_str().unwrap(), "--progress", "lines", "--no-compress"];
    let mut sender = Process::start(&home, &stage.arguments(&first, &[]));
    let code = sender.line();
    assert_eq!(code.split('-').count(), 4, "{code}");
    let folder = stage.path("in");
    let mut receiver = pleach(&home);
    receiver.env("PLEACH_PASSWORD", &code).args(stage.arguments(&["recv", "-o", &folder, "--yes"], &[]));
    let output = receiver.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), format!("{folder}/a file.bin\n"));
    let said = text(&output.stderr);
    for part in ["connecting to the relay 127.0.0.1:", "receiving a file.bin as ", "it is verified"] {
        assert!(said.contains(part), "{part:?} is missing in {said}");
    }
    assert_eq!(sender.code(), Some(0));
    let said = sender.rest().join("\n");
    let command = format!(
        "on the other side: pleach recv --relay {} --secure-port {}",
        stage.handshake, stage.secure_port
    );
    for part in [
        &command,
        "(4 words of 2048: 44 bits)",
        "waiting for the other side (relay ok, nobody with this password yet, 0 s)",
        "100%  68.36 KiB of 68.36 KiB",
        "the other side has it whole",
    ] {
        assert!(said.contains(part), "{part:?} is missing in {said}");
    }
    assert!(!said.contains(&code), "{said}");
}

#[test]
fn a_transfer_goes_on_when_nobody_reads_of_it() {
    let stage = Stage::new("unheard");
    let (home, file) = (stage.scratch.path(""), stage.file(b"content"));
    let (password, folder) = (stage.path("password"), stage.path("in"));
    let common = ["--json", "--password-file", &password];
    let start =
        |first: &[&str]| Process::start_unheard(&home, &stage.arguments(&[first, &common].concat(), &[]));
    let mut sender = start(&["send", file.to_str().unwrap()]);
    let mut receiver = start(&["recv", "--yes", "--output", &folder]);
    assert_eq!((sender.code(), receiver.code()), (Some(0), Some(0)));
    assert_eq!(stage.content("a file.bin"), b"content");
}

#[test]
fn programs_get_the_path_as_it_is_and_people_what_cannot_deceive_them() {
    // A joiner of letters, as in many words of Persian and many emoji.
    let (name, escaped) = ("a\u{200d}b\u{200c}c", "a\\u{200d}b\\u{200c}c");
    let stage = Stage::new("joiner");
    let sender = stage.send(&stage.file(b"x"), &["--name", name]);
    let receiver = stage.recv();
    let (file, end) = (receiver.json("file"), done(receiver));
    for fields in [&file, &end["summary"]] {
        assert_eq!(
            (&fields["name"], &fields["path"]),
            (&escaped.into(), &stage.path(&format!("in/{name}")).into())
        );
    }
    assert_eq!(stage.received(), [name]);
    done(sender);

    let sender = stage.send(&stage.file(b"x"), &["--name", name]);
    let (password, folder) = (stage.path("password"), stage.path("in"));
    let first = ["recv", "--yes", "--force", "--password-file", &password, "--output", &folder];
    let output = pleach(&stage.scratch.path("")).args(stage.arguments(&first, &[])).output().unwrap();
    assert_eq!(text(&output.stdout), format!("{folder}/{name}\n"));
    assert!(
        text(&output.stderr).contains(&format!("received {folder}/{escaped}: ")),
        "{}",
        text(&output.stderr)
    );
    done(sender);
}

#[test]
fn a_password_may_come_from_an_open_file() {
    let stage = Stage::new("fd");
    let sender = stage.send(&stage.file(b"x"), &[]);
    let folder = stage.path("in");
    let first = ["recv", "--json", "--yes", "--password-fd", "0", "-o", &folder];
    let mut receiver = Process::start(&stage.scratch.path(""), &stage.arguments(&first, &[]));
    receiver.say(b"open sesame");
    drop(receiver.stdin.take());
    done(receiver);
    done(sender);
}

#[test]
fn t_33_no_log_and_no_output_shows_the_password() {
    let mut stage = Stage::new("no-secret");
    let sender = stage.send(&stage.file(b"x"), &["-vv"]);
    let mut receiver = stage.recv_as("password", &["--yes", "-vv"]);
    let mut sender = sender;
    assert_eq!((sender.code(), receiver.code()), (Some(0), Some(0)));
    assert_eq!(stage.relay.terminate(), Some(0));
    let all = [&sender, &receiver, &stage.relay].map(|process| process.rest().join("\n")).concat();
    assert!(all.contains("DEBUG"), "nothing was logged");
    let hex: String = b"open sesame".iter().map(|byte| format!("{byte:02x}")).collect();
    let list = b"open sesame".map(|byte| byte.to_string()).join(", ");
    for secret in ["open sesame", "sesame", &hex, &list] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
}
