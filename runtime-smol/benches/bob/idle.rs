//! What registered peers that say nothing cost the relay's process.

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

use pleach_smol::driver::Descriptors;

use crate::ours::{connect, hear_identity, say};

/// Peers of each role.
const EACH: usize = 2500;
/// KiB for each peer, at most.
const TARGET: f64 = 16.0;

/// Prints the growth of the process for each peer.
pub(crate) fn measure() {
    Descriptors::raise_limit();
    let mut relay = Process::start();
    let before = relay.resident_kib();
    let mut clients: Vec<_> = (0..EACH).map(|_| register(relay.handshake, b"000001")).collect();
    let hello = [b"000000".as_slice(), &[0; 34]].concat();
    let mut servers = Vec::new();
    for _ in 0..EACH {
        let (server, name) = register(relay.handshake, &hello);
        servers.push(server);
        // What a client does not read costs the relay memory that an idle one does not.
        for (client, _) in &mut clients {
            hear_announcement(client, &name);
        }
    }
    let growth = relay.resident_kib().saturating_sub(before) as f64;
    println!(
        "idle: {:.1} KiB for each of {} peers (target: at most {TARGET})",
        growth / (2 * EACH) as f64,
        2 * EACH
    );
    drop((clients, servers));
    relay.stop();
}

fn register(relay: SocketAddr, hello: &[u8]) -> (TcpStream, String) {
    let mut stream = connect(relay);
    say(&mut stream, hello);
    let name = hear_identity(&mut stream);
    (stream, name)
}

fn hear_announcement(client: &mut TcpStream, server: &str) {
    let mut announcement = vec![0; 6 + 4 + 34 + server.len() + 1];
    client.read_exact(&mut announcement).expect("the relay announces");
}

/// `pleach relay` as a process of its own.
struct Process {
    child: Child,
    handshake: SocketAddr,
}

impl Process {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_pleach"))
            .args(["relay", "--listen", "127.0.0.1:0", "--secure-port", "0", "--json"])
            .args(["--max-connections", "10000", "--max-connections-per-address", "10000"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let handshake = loop {
            let line = lines.next().expect("it says where it listens").expect("text");
            let line: serde_json::Value = serde_json::from_str(&line).expect("JSON");
            if line.get("type").is_some_and(|kind| kind == "listening")
                && line.get("port").is_some_and(|port| port == "handshake")
            {
                break line.get("address").and_then(|address| address.as_str()?.parse().ok());
            }
        };
        // It goes on writing; somebody has to read.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, handshake: handshake.expect("an address") }
    }

    fn resident_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("a system with /proc");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its size");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    fn stop(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }
}
