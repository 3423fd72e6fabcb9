//! `pleach relay`: ports, signals, admin pages.

use std::fs;
use std::net::TcpListener;

use rustix::process::Signal;

use crate::process::{Process, Scratch, get, hears_hang_up, run, text};

const FREE: [&str; 5] = ["relay", "--listen", "127.0.0.1:0", "--secure-port", "0"];

#[test]
fn term_ends_a_relay_and_its_pid_file() {
    let scratch = Scratch::new("relay-term");
    let file = scratch.path("pid");
    let arguments = [&FREE[..], &["--pid-file", file.to_str().unwrap()]].concat();
    let mut relay = Process::start(&scratch.path(""), &arguments);
    assert!(relay.note("listening on ").starts_with("127.0.0.1:"));
    assert!(relay.note("secure port on ").starts_with("127.0.0.1:"));
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("{}\n", relay.child.id()));
    assert_eq!(relay.terminate(), Some(0));
    assert!(!file.exists());
}

#[test]
fn a_relay_goes_on_when_nobody_reads_what_it_does() {
    let scratch = Scratch::new("relay-unheard");
    let mut relay = Process::start_unheard(&scratch.path(""), &[&FREE[..], &["--json"]].concat());
    relay.note("secure port on ");
    relay.signal(Signal::TERM);
    relay.note("shutting down");
    assert_eq!(relay.code(), Some(0));
}

#[test]
fn hup_changes_nothing_for_a_relay() {
    if !hears_hang_up() {
        return;
    }
    let scratch = Scratch::new("relay-hup");
    let mut relay = Process::start(&scratch.path(""), &FREE);
    relay.note("secure port on ");
    for _ in 0..2 {
        relay.signal(Signal::HUP);
        relay.logged("there is nothing to reload");
    }
    assert_eq!(relay.terminate(), Some(0));
}

#[test]
fn a_port_in_use_is_one_clear_sentence() {
    let scratch = Scratch::new("relay-port");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let secure = address.port().to_string();
    for arguments in [
        ["relay", "--listen", &address.to_string(), "--secure-port", "0"],
        ["relay", "--listen", "127.0.0.1:0", "--secure-port", &secure],
    ] {
        let output = run(&scratch.path(""), &arguments);
        assert_eq!(output.status.code(), Some(1));
        let said = text(&output.stderr);
        let expected =
            format!("error: cannot listen on {address}: the address is in use [address-in-use]\n  hint: ");
        assert!(said.contains(&expected), "{said}");
    }
}

#[test]
fn a_relay_is_open_to_others_only_when_told() {
    let scratch = Scratch::new("relay-loopback");
    let relay = Process::start(&scratch.path(""), &FREE);
    relay.note("only this machine can reach this relay; ");
    let help = run(&scratch.path(""), &["relay", "--help"]);
    assert!(text(&help.stdout).contains("[default: 127.0.0.1:9000]"));
}

#[test]
fn admin_pages_tell_health_and_metrics() {
    let scratch = Scratch::new("relay-admin");
    let relay = Process::start(&scratch.path(""), &[&FREE[..], &["--admin", "0"]].concat());
    let address = relay.note("admin on http://");
    let address = address.trim_end_matches('/');
    assert!(get(address, "GET /healthz").starts_with("HTTP/1.1 200 OK"));
    let metrics = get(address, "GET /metrics");
    for line in [
        "pleach_relay_peers{net=\"bob\",role=\"sender\"} 0",
        "pleach_relay_bytes_total{net=\"bob\"} 0",
        "pleach_shed_total{net=\"bob\",limit=\"relay.rooms_max\"} 0",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    assert!(get(address, "GET /v1/heads").starts_with("HTTP/1.1 404 "));
}
