//! `pleach relay`: where senders and receivers of files meet.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pleach_core::bob::relay::{Command, Config, Departure, Event, Port, Relay, Role, Stats};
use pleach_core::link::Address;
use pleach_smol::Options;
use pleach_smol::driver::Descriptors;
use pleach_smol::store::MemoryStore;
use serde_json::{Value, json};
use smol::Executor;

use super::address::{self, Host};
use super::admin;
use super::error::{Exit, Failure};
use super::feed::{self, Feed, Happening};
use super::leave::Temporary;
use super::metrics::{Observed, Page};
use super::output::Output;
use super::signals::{self, HangUp};
use super::transfer::SECURE_PORT;

/// How often it is seen whether peers ran into limits.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// If peers did so this often since the last look, the operator is told.
const WORTH_A_WORD: u64 = 10;

/// The flags of `pleach relay`.
#[derive(Clone, Debug, clap::Args)]
#[command(before_long_help = "Examples:\n  pleach relay --listen '[::]:9000'\n  \
                        pleach relay --listen 192.0.2.1:9000 --secure-port 9001 --admin 127.0.0.1:9100")]
pub(crate) struct Flags {
    /// Where senders and receivers connect. By default only those of this machine can: `[::]:9000` opens it to all. Port 0
    /// takes a free one
    #[arg(long, value_name = "ADDR", env = "PLEACH_RELAY_LISTEN", default_value = "127.0.0.1:9000")]
    listen: Host,
    /// The port, at the same address, where files pass; 0 takes a free one
    #[arg(long, value_name = "PORT", env = "PLEACH_SECURE_PORT", default_value_t = SECURE_PORT)]
    secure_port: u16,
    /// How long somebody may wait for the other side
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// Connections in all; more are refused
    #[arg(long, value_name = "N", default_value_t = 8192)]
    max_connections: usize,
    /// Connections from one IPv4 address or IPv6 /64; more are refused
    #[arg(long, value_name = "N", default_value_t = 256)]
    max_connections_per_address: usize,
    /// Pairs that may wait for their transfer to begin
    #[arg(long, value_name = "N", default_value_t = 4096)]
    max_rooms: usize,
    /// Wrong passwords that one address may try with one sender
    #[arg(long, value_name = "N", default_value_t = 100)]
    max_guesses: u32,
    /// Tell the other receivers when a sender is taken; the original relay does not
    #[arg(long)]
    notify_losers: bool,
    /// Serve health and metrics over HTTP; a bare port is opened on loopback
    #[arg(long, value_name = "ADDR", env = "PLEACH_RELAY_ADMIN")]
    admin: Option<String>,
    /// Write the process id to this file once the ports are open; it is removed at the end
    #[arg(long, value_name = "FILE")]
    pid_file: Option<PathBuf>,
}

impl Flags {
    /// The configuration, once it is known which address is meant.
    fn config(&self, listen: SocketAddr) -> Config {
        let room = SocketAddr::new(listen.ip(), self.secure_port);
        let mut config = Config::new(Address::Socket(listen), Address::Socket(room));
        config.timeout = self.timeout;
        config.admission.links_max = self.max_connections;
        config.per_address_max = self.max_connections_per_address;
        config.rooms_max = self.max_rooms;
        config.guessing.failures_max = self.max_guesses;
        config.tell_losers = self.notify_losers;
        config
    }
}

/// Runs a relay until a signal.
pub(crate) async fn run(
    flags: Flags,
    output: Output,
    executor: Arc<Executor<'static>>,
) -> Result<Exit, Failure> {
    let signal = signals::watch(HangUp::Reloads, &executor);
    Descriptors::raise_limit();
    let place = flags.listen.place().clone();
    let found = smol::unblock(move || place.to_bind()).await;
    let listen = found
        .map_err(|error| Failure::new(Exit::Usage, "listen-address", error))?
        .first()
        .copied()
        .ok_or_else(|| Failure::new(Exit::Usage, "listen-address", "the name has no address"))?;
    if listen.ip().is_loopback() {
        output.note("only this machine can reach this relay; --listen '[::]:9000' opens it to all");
    }
    let admin = flags.admin.as_deref().map(admin::bind).transpose()?;
    let relay = Relay::new(flags.config(listen));
    let options = Options { dual_stack: true, ..Options::default() };
    let (handle, task) = feed::launch(relay, Arc::new(MemoryStore::new()), options, &executor)?;
    if let Some(admin) = admin {
        output.note(&format!("admin on http://{}/", admin.local()));
        executor.spawn(admin.serve(handle.clone(), Arc::clone(&executor))).detach();
    }

    let feed: Feed<Relay, Look> = Feed::new(handle.clone(), signal);
    executor.spawn(feed::every(LOOK_EVERY, || Look, feed.sender())).detach();
    let mut running = Running { flags, output, open: Vec::new(), seen: Stats::default(), pid_file: None };
    loop {
        match feed.next().await {
            Happening::Event(Event::Stopped) => break,
            Happening::Event(event) => running.heard(event)?,
            Happening::Other(Look) => running.look(handle.inspect(|view| *view.machine.stats()).await?),
            Happening::Ended => return Err(pleach_smol::Stopped.into()),
            Happening::Signal(_) => {
                output.note("shutting down");
                handle.command(Command::Shutdown).await?;
            }
        }
    }
    feed.close(task).await;
    output.end(Exit::Done, None, Value::Null)?;
    Ok(Exit::Done)
}

/// It is time to see whether peers ran into limits.
struct Look;

/// A running relay.
struct Running {
    flags: Flags,
    output: Output,
    /// The ports that are open.
    open: Vec<Port>,
    /// What was counted when limits were last looked at.
    seen: Stats,
    pid_file: Option<Temporary>,
}

impl Running {
    fn heard(&mut self, event: Event) -> Result<(), Failure> {
        let (kind, fields) = match event {
            Event::Listening { port, address } => return self.listening(port, &address),
            Event::ListenFailed { port, cause } => return Err(self.cannot_listen(port, cause)),
            Event::Registered { uid, role, identity } => {
                let fields = json!({"uid": uid.to_string(), "role": role_name(role), "identity": identity.to_string()});
                ("registered", fields)
            }
            Event::Departed { uid, why } => {
                ("departed", json!({"uid": uid.to_string(), "reason": departure_name(why)}))
            }
            Event::Agreed { client, server } => {
                ("agreed", json!({"sender": server.to_string(), "receiver": client.to_string()}))
            }
            Event::RoomOpened { client, server } => {
                ("room_opened", json!({"sender": server.to_string(), "receiver": client.to_string()}))
            }
            Event::RoomClosed { client, server, bytes } => {
                let fields =
                    json!({"sender": server.to_string(), "receiver": client.to_string(), "bytes": bytes});
                ("room_closed", fields)
            }
            Event::Guessing { address, server, failures } => {
                let fields = json!({
                    "address": address.to_string(),
                    "sender": server.to_string(),
                    "failures": failures,
                });
                ("guessing", fields)
            }
            Event::Stopped => return Ok(()),
        };
        tracing::debug!(%fields, "{kind}");
        self.output.json(kind, fields)
    }

    /// What peers do is no more than a debug line each; that they keep doing it is worth a word to the operator.
    fn look(&mut self, now: Stats) {
        if let Some(counts) = abuse(&self.seen, &now) {
            tracing::warn!(counts, "peers run into limits");
        }
        self.seen = now;
    }

    fn listening(&mut self, port: Port, address: &Address) -> Result<(), Failure> {
        let (name, shown) = match port {
            Port::Handshake => ("handshake", "listening on"),
            Port::Room => ("secure", "secure port on"),
        };
        self.open.push(port);
        if let ([_, _], Some(path)) = (&self.open[..], &self.flags.pid_file) {
            self.pid_file = Some(write_pid(path)?);
        }
        self.output.note(&format!("{shown} {address}"));
        self.output.json("listening", json!({"port": name, "address": address.to_string()}))
    }

    fn cannot_listen(&self, port: Port, cause: pleach_core::link::Cause) -> Failure {
        let port = match port {
            Port::Handshake => return address::cannot_listen(&self.flags.listen.place().to_string(), cause),
            Port::Room => self.flags.secure_port,
        };
        address::cannot_listen(&self.flags.listen.with_port(port).to_string(), cause)
            .hint("choose another --secure-port; 0 takes a free one")
    }
}

fn write_pid(path: &Path) -> Result<Temporary, Failure> {
    fs::write(path, format!("{}\n", std::process::id())).map_err(|error| {
        let what = format!("cannot write {}: {error}", path.display());
        Failure::new(Exit::Local, "pid-file", what)
    })?;
    Ok(Temporary::new(path.to_owned()))
}

const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Server => "sender",
        Role::Client => "receiver",
    }
}

const fn departure_name(why: Departure) -> &'static str {
    match why {
        Departure::Paired => "paired",
        Departure::Left => "left",
        Departure::Violation => "violation",
        Departure::Slow => "slow",
        Departure::TimedOut => "timed-out",
        Departure::Shutdown => "shutdown",
    }
}

/// How often peers broke the protocol or ran into limits between two looks, if that is worth a word.
fn abuse(before: &Stats, now: &Stats) -> Option<String> {
    let rises = before.iter().zip(now.iter()).map(|((name, old), (_, new))| (name, new.saturating_sub(old)));
    let abusive = |name: &str| !PATIENCE.contains(&name) && SHED.iter().any(|(shed, _)| *shed == name);
    let abuse: Vec<(&str, u64)> =
        rises.filter(|(name, rise)| *rise > 0 && (*name == "malformed" || abusive(name))).collect();
    let all = abuse.iter().fold(0u64, |all, (_, rise)| all.saturating_add(*rise));
    let counts: Vec<String> = abuse.iter().map(|(name, rise)| format!("{name} {rise}")).collect();
    (all >= WORTH_A_WORD).then(|| counts.join(", "))
}

/// Of those below, what honest peers run into: nobody came in time.
const PATIENCE: &[&str] = &["silent", "timed_out", "lingered"];

/// Counters that a limit has cost somebody, with the limit.
const SHED: &[(&str, &str)] = &[
    ("refused", "admission"),
    ("evicted", "unauthenticated_max"),
    ("silent", "timeout"),
    ("timed_out", "timeout.registered"),
    ("lingered", "linger"),
    ("uids_exhausted", "uids"),
    ("slow", "queued_bytes_max"),
    ("hellos_excessive", "hello_repeats_max"),
    ("dropped_flooding", "queued_bytes_per_sender_max"),
    ("dropped_rooms", "rooms_per_address_max"),
    ("guesses_delayed", "guessing.pause"),
    ("guesses_cut", "guessing.failures_max"),
    ("guesses_dropped", "guessing.waiting_max"),
    ("guesses_forgotten", "guessing.pairs_max"),
    ("rooms_shed", "rooms_max"),
    ("lines_too_long", "line_max"),
    ("early_excessive", "early_bytes_max"),
    ("rooms_idle", "room_idle"),
    ("rooms_old", "room_lifetime"),
    ("rooms_full", "room_bytes_max"),
];

impl Observed for Relay {
    const NET: &'static str = "bob";
    const PAGES: &'static [&'static str] = &[];

    fn measure(&self, page: &mut Page) {
        let held = self.occupancy();
        for (role, peers) in [("sender", held.servers), ("receiver", held.clients)] {
            page.gauge("pleach_relay_peers", "Registered peers.", Some(("role", role)), peers);
        }
        page.gauge("pleach_relay_circuits", "Rooms, open and in use.", None, held.rooms);
        page.gauge("pleach_relay_waiting_guesses", "Handshakes made to wait.", None, held.delayed);
        for (name, value) in self.stats().iter() {
            match SHED.iter().find(|(shed, _)| *shed == name) {
                Some((_, limit)) => page.shed(&format!("relay.{limit}"), value),
                None if name == "copied" => {
                    page.counter("pleach_relay_bytes_total", "Bytes copied in rooms.", None, value);
                }
                None => page.counter_of("relay", name, value),
            }
        }
    }

    fn page(&self, _path: &str) -> Value {
        Value::Null
    }
}

#[cfg(test)]
mod tests {
    use super::super::metrics::tests::checked;
    use super::*;

    #[test]
    fn every_limit_of_a_relay_is_a_metric_and_none_is_counted_twice() {
        let any = Address::Socket(([127, 0, 0, 1], 0).into());
        let relay = Relay::new(Config::new(any.clone(), any));
        let text = checked("bob", |page| relay.measure(page));
        let counters: Vec<&str> = relay.stats().iter().map(|(name, _)| name).collect();
        for (name, limit) in SHED {
            assert!(counters.contains(name), "{name} is no counter");
            assert_eq!(text.matches(&format!("limit=\"relay.{limit}\"")).count(), 1, "{limit}");
        }
        assert!(text.contains("\npleach_relay_bytes_total{net=\"bob\"} 0\n"), "{text}");
        assert!(text.contains("\npleach_relay_peers{net=\"bob\",role=\"sender\"} 0\n"), "{text}");
    }

    #[test]
    fn repeated_abuse_is_told_with_its_counts_and_a_little_is_not() {
        let before = Stats { refused: 5, malformed: 1, ..Stats::default() };
        let little = Stats { refused: 9, malformed: 6, ..Stats::default() };
        assert_eq!(abuse(&before, &little), None);
        let much = Stats { refused: 9, malformed: 6, guesses_delayed: 1, forwarded: 100, ..Stats::default() };
        assert_eq!(abuse(&before, &much).as_deref(), Some("refused 4, malformed 5, guesses_delayed 1"));
        let patience = Stats { silent: 50, timed_out: 50, ..Stats::default() };
        assert_eq!(abuse(&Stats::default(), &patience), None);
    }

    #[test]
    fn the_flags_name_the_defaults_of_the_machine() {
        #[derive(Debug, clap::Parser)]
        struct Line {
            #[command(flatten)]
            flags: Flags,
        }
        let listen = SocketAddr::from(([127, 0, 0, 1], Host::PORT));
        let room = SocketAddr::from(([127, 0, 0, 1], SECURE_PORT));
        let line = <Line as clap::Parser>::parse_from(["relay"]);
        assert_eq!(line.flags.config(listen), Config::new(Address::Socket(listen), Address::Socket(room)));
    }
}
