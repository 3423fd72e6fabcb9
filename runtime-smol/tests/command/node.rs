//! `pleach node`: messages, streams, signals, admin pages, secrets.

use std::fs;
use std::io::Write;
use std::net::TcpStream;

use rustix::process::Signal;

use crate::process::{Process, Scratch, get, hears_hang_up};

const LOOPBACK: [&str; 2] = ["--listen", "127.0.0.1:0"];

#[test]
fn a_line_travels_from_stdin_to_the_stdout_of_another_node() {
    let scratch = Scratch::new("line");
    let home = scratch.path("");
    let mut one = Process::node(&home, "one", &LOOPBACK);
    let address = one.note("listening on ");
    assert!(address.starts_with("/ip4/127.0.0.1/tcp/") && address.contains("/p2p/12D3KooW"), "{address}");
    let other = Process::node(&home, "other", &[&LOOPBACK[..], &["--peer", &address, "--json"]].concat());
    let events = std::iter::repeat_with(|| serde_json::from_str::<serde_json::Value>(&other.line()).unwrap());
    let mut events = events.take(100);
    assert_eq!(events.next().unwrap()["type"], "start");
    assert!(events.any(|event| event["type"] == "neighbor_up"));

    one.say(b"first \x1b[2J");
    let message = events.find(|event| event["type"] == "message").unwrap();
    assert_eq!(message["payload"], "first \u{1b}[2J");
    assert_eq!((&message["topic"], &message["hop"]), (&"/pleach/main".into(), &1.into()));
    assert!(address.ends_with(message["author"].as_str().unwrap()));
    one.say(b"second \xff");
    let message = events.find(|event| event["type"] == "message").unwrap();
    assert_eq!(message["payload_hex"], "7365636f6e6420ff");
}

#[test]
fn what_peers_write_is_escaped_and_the_end_of_stdin_stops_publishing_only() {
    let scratch = Scratch::new("escape");
    let home = scratch.path("");
    let mut one = Process::node(&home, "one", &LOOPBACK);
    drop(one.stdin.take());
    let address = one.note("listening on ");
    let mut other = Process::node(&home, "other", &[&LOOPBACK[..], &["--peer", &address]].concat());
    assert_eq!(other.note("joined "), "/pleach/main");
    other.say("hello \x1b[31mred\u{202e}".as_bytes());
    assert_eq!(one.line(), "hello \\u{1b}[31mred\\u{202e}");
}

#[test]
fn term_ends_a_node_gracefully_and_it_comes_back_as_itself() {
    let scratch = Scratch::new("term");
    let home = scratch.path("");
    let mut ids = Vec::new();
    for _ in 0..2 {
        let mut node = Process::node(&home, "data", &LOOPBACK);
        let address = node.note("listening on ");
        ids.push(address.rsplit_once('/').unwrap().1.to_owned());
        assert_eq!(node.terminate(), Some(0));
    }
    assert_eq!(ids[0], ids[1]);
}

#[test]
fn a_node_goes_on_when_nobody_reads_what_arrives() {
    let scratch = Scratch::new("node-unheard");
    let data = scratch.path("data");
    let arguments = [&["node", "--json", "--data-dir", data.to_str().unwrap()], &LOOPBACK[..]].concat();
    let mut node = Process::start_unheard(&scratch.path(""), &arguments);
    node.note("listening on ");
    node.signal(Signal::TERM);
    node.note("leaving the network");
    assert_eq!(node.code(), Some(0));
}

#[test]
fn hup_changes_nothing_for_a_node() {
    if !hears_hang_up() {
        return;
    }
    let scratch = Scratch::new("node-hup");
    let mut node = Process::node(&scratch.path(""), "data", &LOOPBACK);
    node.note("listening on ");
    node.signal(Signal::HUP);
    node.logged("there is nothing to reload");
    assert_eq!(node.terminate(), Some(0));
}

#[test]
fn a_data_directory_belongs_to_one_process() {
    let scratch = Scratch::new("one-process");
    let home = scratch.path("");
    let one = Process::node(&home, "data", &LOOPBACK);
    one.note("listening on ");
    let mut other = Process::node(&home, "data", &LOOPBACK);
    assert!(other.note("error: ").contains("is in use by another process [store-in-use]"));
    assert_eq!(other.child.wait().unwrap().code(), Some(7));
}

#[test]
fn admin_pages_tell_health_metrics_and_heads() {
    let scratch = Scratch::new("admin");
    let mut node = Process::node(&scratch.path(""), "data", &[&LOOPBACK[..], &["--admin", "0"]].concat());
    let address = node.note("admin on http://");
    let address = address.trim_end_matches('/');
    assert!(address.starts_with("127.0.0.1:"), "a bare port is opened on loopback: {address}");
    assert!(get(address, "GET /healthz").starts_with("HTTP/1.1 200 OK"));
    let metrics = get(address, "GET /metrics");
    for name in ["pleach_build_info{version=", "pleach_shed_total{net=\"mesh\",limit=\"queued_bytes_max\"} 0"]
    {
        assert!(metrics.contains(name), "{name}: {metrics}");
    }
    let heads = get(address, "GET /v1/heads");
    let (_, body) = heads.split_once("\r\n\r\n").unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(body).unwrap()["heads"].is_array(), "{heads}");
    assert!(get(address, "GET /nothing").starts_with("HTTP/1.1 404 "));
    assert!(get(address, "POST /healthz").starts_with("HTTP/1.1 405 "));
    assert_eq!(node.terminate(), Some(0));
}

#[test]
fn t_33_no_log_shows_the_secret_key() {
    let scratch = Scratch::new("secret");
    let mut node = Process::node(&scratch.path(""), "data", &[&LOOPBACK[..], &["-vv"]].concat());
    let mut peer = TcpStream::connect(
        node.note("listening on /ip4/127.0.0.1/tcp/")
            .split_once('/')
            .map_or_else(|| panic!("no address"), |(port, _)| format!("127.0.0.1:{port}")),
    )
    .unwrap();
    peer.write_all(&[0; 1000]).unwrap();
    assert_eq!(node.terminate(), Some(0));
    let all = node.rest().join("\n").to_lowercase();
    let key = fs::read(scratch.path("data/identity.key")).unwrap();
    let seed = &key[4..36];
    let hex: String = seed.iter().map(|byte| format!("{byte:02x}")).collect();
    let list = seed.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
    let base58 = pleach_core::wire::base58::encode(seed).to_lowercase();
    for secret in [&hex[..16], &list[..30], &base58[..16]] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
}
