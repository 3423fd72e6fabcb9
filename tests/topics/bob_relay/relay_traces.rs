//! `relay_traces.json`: the handshake port step by step. What follows a step is compared in full, but announcements and
//! notices inside one step come in any order, and a connection that is closed already need not be closed again.
//!
//! Of a trace that is marked as a defect or laxity of upstream, what the [`Model`] of our rules says is expected. All
//! other traces are held against the model too, so that it is known to be right.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use bytes::Bytes;
use pleach_core::bob::Identity;
use pleach_core::link::LinkId;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::bench::{Action, Bench, packets};
use super::model::Model;
use crate::harness::{Members, Topic};

/// How often each trace is run with its reads cut at other places.
const CUTS: u64 = 20;

pub(crate) fn relay_traces(topic: &mut Topic) {
    topic.file("relay_traces.json", |topic, mut file| topic.cases(&mut file, "traces", trace));
}

enum Event {
    Connect,
    Bytes(Vec<u8>),
    Timeout,
}

struct Step {
    place: String,
    event: Event,
    /// The connection it is about; none of a peer that never connected.
    connection: Option<usize>,
    expected: Vec<(usize, Option<Vec<u8>>)>,
    /// Who is promised a room: what client and server are called.
    room: Option<(String, String)>,
}

/// A trace, with connections numbered in the order in which their time is over.
struct Trace {
    place: String,
    is_marked: bool,
    connections: Vec<String>,
    steps: Vec<Step>,
}

fn trace(mut case: Members) {
    let mut place = case.place().to_owned();
    place = format!("{place} ({})", case.text("name"));
    let is_marked = case.names().contains(&"upstream_defect_or_laxity".to_owned());
    case.remark("upstream_defect_or_laxity");
    let trace = read(place, is_marked, case.list("steps"));
    play(&trace, None);
    for seed in 0..CUTS {
        play(&trace, Some(ChaCha8Rng::seed_from_u64(seed)));
    }
}

/// Peers are written as what the relay calls them. One that connects again has a new connection.
fn read(place: String, mut is_marked: bool, list: Vec<Members>) -> Trace {
    let mut connections: Vec<(String, usize)> = Vec::new();
    let mut steps = Vec::new();
    for (number, mut step) in list.into_iter().enumerate() {
        let (kind, peer) = (step.text("event"), step.text("peer"));
        if kind == "connect" {
            connections.push((peer.clone(), usize::MAX));
        }
        let latest = |peer: &str| connections.iter().rposition(|(name, _)| name == peer);
        let connection = latest(&peer);
        let result = if kind == "bytes" { step.value("result") } else { serde_json::Value::Null };
        let mut actions: Vec<(usize, Option<Vec<u8>>)> = Vec::new();
        for mut action in step.list("actions") {
            if action.names().contains(&"exception".to_owned()) {
                assert!(is_marked, "{place}: an exception is a defect");
                action.remark("exception");
                continue;
            }
            let closes = action.names().contains(&"close".to_owned());
            let whom = action.text(if closes { "close" } else { "to" });
            let bytes = if closes { None } else { Some(action.bytes("bytes")) };
            actions.push((latest(&whom).expect("an action is about a connection"), bytes));
        }
        let room = result.get("room_between").map(|pair| {
            let name = |at: usize| pair[at].as_str().expect("a room is between two peers").to_owned();
            (name(0), name(1))
        });
        let event = match kind.as_str() {
            "connect" => Event::Connect,
            "timeout" => {
                let due = connection.and_then(|connection| connections.get_mut(connection));
                due.into_iter().for_each(|(_, due)| *due = (*due).min(number));
                Event::Timeout
            }
            "bytes" => Event::Bytes(step.bytes("bytes")),
            other => panic!("{place}: an unknown event: {other}"),
        };
        // Where upstream only stops reading, the link is to be closed (6.8), marked or not.
        is_marked |= connection.is_some() && result == "stop reading";
        let known = ["continue", "need more bytes", "stop reading"];
        assert!(
            room.is_some() || result.is_null() || result.as_str().is_some_and(|text| known.contains(&text)),
            "{place}: {result}"
        );
        steps.push(Step {
            place: format!("{place}, step {number}"),
            event,
            connection,
            expected: actions,
            room,
        });
    }
    in_order_of_timeouts(place, is_marked, &connections, steps)
}

/// All links have the same time, from when they are opened. So they are opened in the order in which their time is to be
/// over; opening has no other effect.
fn in_order_of_timeouts(
    place: String,
    is_marked: bool,
    connections: &[(String, usize)],
    mut steps: Vec<Step>,
) -> Trace {
    let mut order: Vec<usize> = (0..connections.len()).collect();
    order.sort_by_key(|at| connections[*at].1);
    let new: BTreeMap<usize, usize> = order.iter().enumerate().map(|(new, old)| (*old, new)).collect();
    for step in &mut steps {
        step.connection = step.connection.map(|old| new[&old]);
        step.expected.iter_mut().for_each(|(of, _)| *of = new[of]);
    }
    Trace {
        place,
        is_marked,
        connections: order.iter().map(|at| connections[*at].0.clone()).collect(),
        steps,
    }
}

fn play(trace: &Trace, mut cuts: Option<ChaCha8Rng>) {
    let (mut bench, mut model) = (Bench::new(), Model::default());
    let mut links = Vec::new();
    for name in &trace.connections {
        let address: SocketAddr = name.parse().expect("a peer is written as its address");
        let link = bench.open(address, 0);
        model.open(link, Identity::new(Bytes::from(name.clone())).expect("an address is short"));
        links.push(link);
    }
    let mut closed = BTreeSet::new();
    for step in &trace.steps {
        let place = &step.place;
        let agreed_before = bench.agreed.len();
        let Some(link) = step.connection.map(|connection| links[connection]) else {
            assert!(step.expected.is_empty(), "{place}: nobody is there to be answered");
            continue;
        };
        let (actual, corrected) = match &step.event {
            Event::Connect => (Vec::new(), Vec::new()),
            Event::Bytes(bytes) => (bench.bytes(link, bytes, cuts.as_mut()), model.bytes(link, bytes)),
            Event::Timeout => (bench.expire(link), model.expire(link)),
        };
        let recorded = step.expected.iter().map(|(of, bytes)| match bytes {
            Some(bytes) => Action::Send(links[*of], bytes.clone()),
            None => Action::Close(links[*of]),
        });
        let recorded = Compared::new(recorded.collect(), &closed);
        let corrected = Compared::new(corrected, &closed);
        let actual = Compared::new(actual, &closed);
        assert_eq!(actual, corrected, "{place}: as the rules say");
        if !trace.is_marked {
            assert_eq!(actual, recorded, "{place}: as recorded");
            let agreed = bench.agreed.get(agreed_before..).unwrap_or_default();
            assert_eq!(agreed, step.room.clone().into_iter().collect::<Vec<_>>(), "{place}");
        }
        closed.extend(actual.closes);
    }
    assert!(!trace.steps.is_empty(), "{}: no step", trace.place);
}

/// What was done in one step, in a form in which order that does not matter is gone.
#[derive(Debug, Default, Eq, PartialEq)]
struct Compared {
    /// All but announcements and notices, in order.
    ordered: Vec<Action>,
    /// What each link was sent, runs of announcements and notices sorted.
    streams: BTreeMap<LinkId, Vec<Vec<u8>>>,
    closes: BTreeSet<LinkId>,
}

impl Compared {
    fn new(actions: Vec<Action>, closed: &BTreeSet<LinkId>) -> Self {
        let mut compared = Self::default();
        for action in actions {
            match action {
                Action::Send(link, bytes) => {
                    for packet in packets(&bytes) {
                        if !is_notice(&packet) {
                            compared.ordered.push(Action::Send(link, packet.clone()));
                        }
                        compared.streams.entry(link).or_default().push(packet);
                    }
                }
                Action::Close(link) if closed.contains(&link) => {}
                Action::Close(link) => {
                    compared.closes.insert(link);
                    compared.ordered.push(Action::Close(link));
                }
            }
        }
        for stream in compared.streams.values_mut() {
            let runs = stream.chunk_by_mut(|one, other| is_notice(one) && is_notice(other));
            runs.for_each(<[Vec<u8>]>::sort);
        }
        compared
    }
}

/// An announcement of a server (04), or that a peer is gone (09).
fn is_notice(packet: &[u8]) -> bool {
    matches!(packet.get(4..6), Some(b"04" | b"09"))
}
