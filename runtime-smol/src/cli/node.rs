//! `pleach node`: a node in the foreground. Lines of stdin are published, what arrives is printed.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use async_channel::Sender;
use bytes::Bytes;
use pleach_core::broadcast::{Outcome, Scope};
use pleach_core::identity::PeerId;
use pleach_core::link::Address;
use pleach_core::mesh::{Command, Done, Event, UsageError};
use pleach_smol::Options;
use pleach_smol::driver::Descriptors;
use pleach_smol::store::FileStore;
use serde_json::{Value, json};
use smol::Executor;
use smol::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use super::config::Settings;
use super::error::{Exit, Failure};
use super::feed::{Feed, Happening};
use super::output::{Output, escape, hex};
use super::peer::{self, Handle};
use super::signals::{self, HangUp};
use super::{address, admin, id};

/// The file of the store in a data directory.
const STORE_FILE: &str = "store.redb";
/// Bytes of a line of stdin; longer ones are cut here, and the rest is a line of its own.
const LINE_MAX: u64 = 1 << 20;
/// The token of publications; subscriptions have the number of their topic.
const PUBLISH: u64 = u64::MAX;

/// Runs a node until a signal.
pub(crate) async fn run(
    settings: Settings,
    output: Output,
    executor: Arc<Executor<'static>>,
) -> Result<Exit, Failure> {
    let signals = signals::watch(HangUp::Reloads, &executor);
    Descriptors::raise_limit();
    let identity = id::load_or_create(&settings.data_dir)?;
    let own_id = identity.peer_id();
    let store = FileStore::open(&settings.data_dir.join(STORE_FILE))?;

    let mut config = peer::config(settings.preset, settings.network.as_deref());
    for place in settings.listen.clone() {
        let found = smol::unblock(move || place.to_bind()).await;
        let found = found.map_err(|error| Failure::new(Exit::Usage, "listen-address", error))?;
        config.listen.extend(found.into_iter().map(Address::Socket));
    }
    output.json("node", node_fields(&settings, &config.network, own_id))?;
    config.bootstrap = settings.peers.iter().map(|place| (place.address.clone(), place.peer)).collect();
    let admin = settings.admin.as_deref().map(admin::bind).transpose()?;

    let (handle, task) = peer::start(config, identity, Arc::new(store), Options::default(), &executor)?;
    if let Some(admin) = admin {
        output.note(&format!("admin on http://{}/", admin.local()));
        executor.spawn(admin.serve(handle.clone(), Arc::clone(&executor))).detach();
    }
    for (token, topic) in (0..).zip(&settings.topics) {
        handle.command(Command::Subscribe { token, topic: topic.clone() }).await?;
    }
    let feed = Feed::new(handle.clone(), signals);
    executor.spawn(forward_lines(feed.sender())).detach();

    let mut node = Running { handle, settings, output, own_id, joined: BTreeSet::new() };
    loop {
        match feed.next().await {
            Happening::Event(Event::Stopped) => break,
            Happening::Event(event) => node.heard(event).await?,
            Happening::Other(line) => node.publish(line).await?,
            Happening::Ended => return Err(pleach_smol::Stopped.into()),
            Happening::Signal(_) => {
                node.output.note("leaving the network");
                node.handle.command(Command::Shutdown).await?;
            }
        }
    }
    feed.close(task).await;
    output.end(Exit::Done, None, Value::Null)?;
    Ok(Exit::Done)
}

fn node_fields(settings: &Settings, network: &str, own_id: PeerId) -> Value {
    json!({
        "peer": own_id.to_string(),
        "network": network,
        "topics": settings.topics,
        "data_dir": shown(&settings.data_dir),
    })
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// A running node.
struct Running {
    handle: Handle,
    settings: Settings,
    output: Output,
    own_id: PeerId,
    /// Topics in which a neighbour was won: a word on the first of each.
    joined: BTreeSet<String>,
}

impl Running {
    async fn publish(&self, line: Vec<u8>) -> Result<(), Failure> {
        let Some(topic) = self.settings.topics.first().cloned() else { return Ok(()) };
        let payload = Bytes::from(line);
        Ok(self
            .handle
            .command(Command::Publish { token: PUBLISH, topic, payload, scope: Scope::Swarm })
            .await?)
    }

    async fn heard(&mut self, event: Event) -> Result<(), Failure> {
        if let Some(answer) = peer::welcome(&event) {
            return Ok(self.handle.command(answer).await?);
        }
        match event {
            Event::Listening { address } => {
                let address = address::reachable(&address, self.own_id);
                self.output.note(&format!("listening on {address}"));
                self.output.json("listening", json!({"address": address}))
            }
            Event::ListenFailed { cause } => {
                let places: Vec<String> = self.settings.listen.iter().map(ToString::to_string).collect();
                Err(address::cannot_listen(&places.join(" or "), cause))
            }
            Event::Done { token: PUBLISH, result } => self.published(result),
            Event::Done { token, result } => self.subscribed(token, result),
            Event::Message { topic, id, author, from, hop, payload } => {
                if !self.output.json {
                    return self.output.result(&self.line(&topic, &payload));
                }
                let mut fields = json!({
                    "topic": topic,
                    "id": id.to_string(),
                    "author": author.map(|author| author.to_string()),
                    "from": from.to_string(),
                    "hop": hop,
                    "payload": String::from_utf8_lossy(&payload),
                });
                if let (Err(_), Some(fields)) = (std::str::from_utf8(&payload), fields.as_object_mut()) {
                    fields.insert("payload_hex".into(), hex(&payload).into());
                }
                self.output.json("message", fields)
            }
            other => self.noted(&other),
        }
    }

    /// What is of interest to programs, and to people only in the log.
    fn noted(&mut self, event: &Event) -> Result<(), Failure> {
        match event {
            Event::PeerUp { peer } => self.note("peer_up", json!({"peer": peer.to_string()})),
            Event::PeerDown { peer } => self.note("peer_down", json!({"peer": peer.to_string()})),
            Event::NeighborUp { topic, peer } => {
                if self.joined.insert(topic.clone()) {
                    self.output.note(&format!("joined {}", escape(topic.as_bytes())));
                }
                self.note("neighbor_up", json!({"topic": topic, "peer": peer.to_string()}))
            }
            Event::NeighborDown { topic, peer, reason } => {
                let reason = format!("{reason:?}").to_ascii_lowercase();
                self.note(
                    "neighbor_down",
                    json!({"topic": topic, "peer": peer.to_string(), "reason": reason}),
                )
            }
            Event::Head { peer, node, height, step } => {
                let fields =
                    json!({"peer": peer.to_string(), "node_id": node, "height": height, "step": step});
                self.note("head", fields)
            }
            Event::Banned { peer, permanent } => {
                self.note("banned", json!({"peer": peer.to_string(), "permanent": permanent}))
            }
            Event::Listening { .. }
            | Event::ListenFailed { .. }
            | Event::Done { .. }
            | Event::Message { .. }
            | Event::Validate { .. }
            | Event::Registration { .. }
            | Event::Admission { .. }
            | Event::Stopped => Ok(()),
        }
    }

    fn note(&self, kind: &str, fields: Value) -> Result<(), Failure> {
        tracing::debug!(%fields, "{kind}");
        self.output.json(kind, fields)
    }

    /// What is printed of a message: its text, behind the topic where there are several.
    fn line(&self, topic: &str, payload: &[u8]) -> String {
        let text = escape(payload);
        if self.settings.topics.len() > 1 { format!("{}\t{text}", escape(topic.as_bytes())) } else { text }
    }

    fn published(&self, result: Result<Done, UsageError>) -> Result<(), Failure> {
        let outcome = match result {
            Ok(Done::Published { id, outcome }) => {
                let name = match outcome {
                    Outcome::Sent => "sent",
                    Outcome::NoNeighbours => "no-neighbours",
                    Outcome::AlreadySeen => "already-seen",
                    Outcome::TooLarge => "too-large",
                };
                self.output.json("published", json!({"id": id.to_string(), "outcome": name}))?;
                outcome
            }
            Ok(Done::Ok) => return Ok(()),
            Err(error) => {
                self.output.note(&format!("not published: {error}"));
                return self
                    .output
                    .json("published", json!({"outcome": "refused", "message": error.to_string()}));
            }
        };
        match outcome {
            Outcome::Sent => {}
            Outcome::NoNeighbours => self.output.note("nobody is linked yet: kept for the first who comes"),
            Outcome::AlreadySeen => {
                self.output.note("not published: the same was published a short while ago")
            }
            Outcome::TooLarge => self.output.note("not published: too large for a message"),
        }
        Ok(())
    }

    fn subscribed(&self, token: u64, result: Result<Done, UsageError>) -> Result<(), Failure> {
        let Err(error) = result else { return Ok(()) };
        let topic = usize::try_from(token).ok().and_then(|at| self.settings.topics.get(at));
        let what = format!("cannot take part in {:?}: {error}", topic.map_or("", String::as_str));
        Err(Failure::new(Exit::Usage, "topic", what))
    }
}

/// Lines until the end of stdin; the node goes on without it.
async fn forward_lines(to: Sender<Vec<u8>>) {
    let mut stdin = BufReader::new(smol::Unblock::new(std::io::stdin()));
    loop {
        let mut line = Vec::new();
        match (&mut stdin).take(LINE_MAX).read_until(b'\n', &mut line).await {
            Ok(0) => return,
            Ok(_) => {
                let text = line.strip_suffix(b"\n").unwrap_or(&line);
                let text = text.strip_suffix(b"\r").unwrap_or(text).to_vec();
                if !text.is_empty() && to.send(text).await.is_err() {
                    return;
                }
            }
            Err(error) => return tracing::warn!(%error, "stdin is not read any more"),
        }
    }
}
