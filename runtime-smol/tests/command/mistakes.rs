//! What the command says when something is wrong, and with which code it ends.

use std::fs;
use std::net::TcpListener;
use std::process::Stdio;

use crate::process::{Scratch, pleach, run, text};

#[test]
fn help_shows_examples_and_every_exit_code_and_version_the_commit() {
    let scratch = Scratch::new("help");
    let help = run(&scratch.path(""), &["--help"]);
    let shown = text(&help.stdout);
    assert_eq!(help.status.code(), Some(0));
    assert!(shown.contains("pleach local --nodes 32 --kill 30%"), "{shown}");
    for code in
        ["  0  done", "  2  the command line is wrong", "130  ended by SIGINT", "143  ended by SIGTERM"]
    {
        assert!(shown.contains(code), "{code}: {shown}");
    }
    let version = run(&scratch.path(""), &["--version"]);
    assert!(text(&version.stdout).contains(concat!(env!("CARGO_PKG_VERSION"), " (commit ")));
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    let scratch = Scratch::new("usage");
    for arguments in [
        &["nod"][..],
        &["local", "--nodes", "1"],
        &["local", "--kill", "100%"],
        &["node", "--listen", "nowhere"],
        &["node", "--preset", "nativ"],
    ] {
        let output = run(&scratch.path(""), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty() && text(&output.stderr).starts_with("error: "), "{arguments:?}");
    }
}

#[test]
fn a_wrong_command_line_in_json_is_one_start_and_one_end() {
    let scratch = Scratch::new("usage-json");
    for (arguments, command, said) in [
        (&["--json", "nod"][..], None, "unrecognized subcommand 'nod'"),
        (&["send", "--json"], Some("send"), "the following required arguments were not provided: <FILE>"),
        (&["--json", "recv", "--wat"], Some("recv"), "unexpected argument '--wat' found"),
    ] {
        let output = run(&scratch.path(""), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let lines: Vec<serde_json::Value> =
            text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let [start, end] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!((&start["type"], &start["command"]), (&"start".into(), &command.into()));
        assert_eq!((&end["type"], &end["ok"], &end["exit"]), (&"end".into(), &false.into(), &2.into()));
        assert_eq!((&end["error"]["code"], &end["error"]["message"]), (&"usage".into(), &said.into()));
        assert!(end["error"]["hint"].as_str().unwrap().contains("--help"), "{end}");
        assert!(
            text(&output.stderr).starts_with(&format!("error: {}", &said[..20])),
            "{}",
            text(&output.stderr)
        );
    }
    // What follows `--` is no option.
    let output = run(&scratch.path(""), &["send", "a", "--", "--json", "b"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
}

#[test]
fn a_mistake_in_the_configuration_is_named_with_file_line_and_accepted_keys() {
    let scratch = Scratch::new("config");
    let file = scratch.path("config.toml");
    fs::write(&file, "[node]\nnetwork = \"x\"\nlissten = [\"127.0.0.1:0\"]\n").unwrap();
    let output = run(&scratch.path(""), &["node", "--config", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(3));
    let said = text(&output.stderr);
    let expected = format!("error: {}, line 3: unknown field `lissten`", file.display());
    assert!(
        said.starts_with(&expected) && said.contains("`listen`") && said.contains("[config-invalid]"),
        "{said}"
    );
}

#[test]
fn an_error_in_json_is_the_one_last_line() {
    let scratch = Scratch::new("json-error");
    let output = run(&scratch.path(""), &["--json", "id", "show", "--data-dir", "nowhere"]);
    assert_eq!(output.status.code(), Some(7));
    let lines: Vec<serde_json::Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["type"], &lines[0]["v"]), (&"start".into(), &1.into()));
    assert_eq!(
        (&lines[1]["type"], &lines[1]["exit"], &lines[1]["ok"]),
        (&"end".into(), &7.into(), &false.into())
    );
    assert_eq!(lines[1]["error"]["code"], "no-identity");
    assert!(text(&output.stderr).contains("  hint: make one: pleach id new"));
}

#[test]
fn an_identity_is_made_once_and_shown() {
    let scratch = Scratch::new("id");
    let (home, data) = (scratch.path(""), scratch.path("data"));
    let id = |verb| run(&home, &["id", verb, "--data-dir", data.to_str().unwrap()]);
    let made = id("new");
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    assert!(text(&made.stdout).starts_with("12D3KooW"));
    assert_eq!(id("show").stdout, made.stdout);
    let key = fs::read(data.join("identity.key")).unwrap();
    let again = id("new");
    assert_eq!(again.status.code(), Some(7));
    assert!(text(&again.stderr).contains("exists already"));
    assert_eq!(fs::read(data.join("identity.key")).unwrap(), key, "nothing was overwritten");
}

#[test]
fn a_port_in_use_is_one_clear_sentence() {
    let scratch = Scratch::new("port");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data = scratch.path("data");
    let output =
        run(&scratch.path(""), &["-q", "node", "--listen", &address, "--data-dir", data.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    let expected =
        format!("error: cannot listen on {address}: the address is in use [address-in-use]\n  hint: ");
    assert!(said.starts_with(&expected), "{said}");
}

#[test]
fn an_unreadable_store_or_key_is_one_clear_sentence_and_nothing_is_overwritten() {
    let scratch = Scratch::new("store");
    let data = scratch.path("data");
    fs::create_dir_all(&data).unwrap();
    for (file, code) in [("store.redb", "[store-unreadable]"), ("identity.key", "[identity-unreadable]")] {
        fs::write(data.join(file), "somebody's letter").unwrap();
        let output = run(
            &scratch.path(""),
            &["node", "--listen", "127.0.0.1:0", "--data-dir", data.to_str().unwrap()],
        );
        assert_eq!(output.status.code(), Some(7), "{file}");
        let said = text(&output.stderr);
        assert!(said.starts_with("error: ") && said.contains(code) && said.contains("hint: "), "{said}");
        assert_eq!(fs::read(data.join(file)).unwrap(), b"somebody's letter");
    }
}

#[test]
fn a_closed_pipe_ends_the_command_quietly() {
    let scratch = Scratch::new("pipe");
    let mut child = pleach(&scratch.path(""))
        .args(["id", "new", "--data-dir", scratch.path("data").to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
}
