//! The workloads run over the wire driver with a toy: a node that links to its contacts and floods.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use super::*;
use crate::broadcast::drive;
use crate::summary::Summary;
use pleach_core::Context;
use pleach_core::link::{Address, From, LinkId, ListenerId, Role};

/// Frames are a hop count and 64 bytes of payload.
const FRAME: usize = 65;

#[derive(Debug)]
enum Command {
    Publish(Bytes),
    Leave,
}

struct Flooder {
    listen: SocketAddr,
    contacts: Vec<SocketAddr>,
    /// Bytes of each link that are not yet a frame.
    links: BTreeMap<LinkId, Vec<u8>>,
    seen: BTreeSet<Vec<u8>>,
    received: u64,
    sent: Cost,
}

impl Flooder {
    fn flood(&mut self, except: Option<LinkId>, frame: &[u8], cx: &mut Context<'_, Output<(u8, Bytes)>>) {
        for link in self.links.keys().filter(|link| Some(**link) != except) {
            self.sent.add(frame.len());
            cx.emit(Output::Send { link: *link, bytes: Bytes::copy_from_slice(frame) });
        }
    }

    fn read(&mut self, link: LinkId, bytes: &[u8], cx: &mut Context<'_, Output<(u8, Bytes)>>) {
        let Some(buffer) = self.links.get_mut(&link) else { return };
        buffer.extend_from_slice(bytes);
        let whole = buffer.len() / FRAME * FRAME;
        let frames: Vec<u8> = buffer.drain(..whole).collect();
        for frame in frames.chunks(FRAME) {
            self.received += 1;
            if self.seen.insert(frame[1..].to_vec()) {
                cx.emit(Output::Event((frame[0], Bytes::copy_from_slice(&frame[1..]))));
                let mut onward = frame.to_vec();
                onward[0] += 1;
                self.flood(Some(link), &onward, cx);
            }
        }
    }
}

impl Machine for Flooder {
    type Input = Input<Command>;
    type Output = Output<(u8, Bytes)>;

    fn handle(&mut self, input: Self::Input, cx: &mut Context<'_, Self::Output>) {
        if let Input::Opened { link, .. } = input {
            self.links.insert(link, Vec::new());
        } else if let Input::Closed { link, .. } = input {
            self.links.remove(&link);
        } else if let Input::Received { link, bytes } = input {
            self.read(link, &bytes, cx);
        } else if let Input::Command(Command::Publish(payload)) = input {
            self.seen.insert(payload.to_vec());
            let frame = [&[1], payload.as_ref()].concat();
            self.flood(None, &frame, cx);
        }
    }

    /// The first thing it does is to listen and dial.
    fn handle_timeout(&mut self, cx: &mut Context<'_, Self::Output>) {
        let address = Address::Socket(self.listen);
        cx.emit(Output::Listen { listener: ListenerId(0), address });
        for (link, contact) in (0..).zip(std::mem::take(&mut self.contacts)) {
            let address = Address::Socket(contact);
            cx.emit(Output::Dial { link: LinkId(link), address, from: From::Anywhere, role: Role::Dialler });
        }
        self.listen.set_port(0);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        (self.listen.port() != 0).then_some(Instant::ORIGIN)
    }
}

struct Toy;

impl Plug for Toy {
    type Command = Command;
    type Event = (u8, Bytes);
    type Question = Infallible;
    type Answer = Infallible;
    type Node = Flooder;

    fn build(&mut self, _seed: u64, _number: u32, listen: SocketAddr, contacts: &[SocketAddr]) -> Flooder {
        let contacts = contacts.to_vec();
        Flooder {
            listen,
            contacts,
            links: BTreeMap::new(),
            seen: BTreeSet::new(),
            received: 0,
            sent: Cost::default(),
        }
    }

    fn start(&self) -> Vec<Command> {
        Vec::new()
    }

    fn publish(&self, payload: Bytes) -> Command {
        Command::Publish(payload)
    }

    fn leave(&self) -> Command {
        Command::Leave
    }

    fn observe(&self, (hop, payload): (u8, Bytes)) -> Observed {
        Observed::Delivered { hop: hop.into(), payload }
    }

    fn answer(&mut self, _node: u32, question: Infallible) -> Option<Infallible> {
        match question {}
    }

    fn neighbours(&self, _node: &Flooder) -> Vec<u32> {
        Vec::new()
    }

    fn figures(&self, node: &Flooder) -> Figures {
        let handshakes = node.links.len() as u64;
        Figures { payloads_received: node.received, payloads: node.sent, handshakes, ..Figures::default() }
    }

    fn capacity(&self, _node: &Flooder) -> (usize, usize) {
        (1, 40)
    }

    fn heads_converged(&self, _nodes: &[&Flooder], _now: Instant) -> Option<bool> {
        None
    }
}

fn run(settings: &[&str], seed: u64) -> (Summary, Vec<String>) {
    let settings: Vec<_> = settings.iter().map(|setting| (*setting).to_owned()).collect();
    let text = "fidelity = \"wire\"\nnodes = 40\nmessages = 12\nsources = \"many\"\nwarm_up_ms = 20_000\ncontacts = 3";
    let scenario = Broadcast::parse("toy.toml", text, &settings).unwrap();
    let mut network = Wire::new(Toy, &scenario, seed, scenario.latency(seed));
    let (summary, broken, _) = drive(&scenario, seed, &mut network, &mut |_| {});
    (summary, broken)
}

#[test]
fn a_workload_runs_over_real_bytes() {
    let (summary, broken) = run(&[], 3);
    assert_eq!(broken, [""; 0]);
    assert!((summary.reliability - 1.0).abs() < 1e-9);
    assert_eq!((summary.delivered, summary.expected), (12 * 39, 12 * 39));
    // Every node but the contacts is linked to three: a link carries each payload at least once, at most twice.
    let links = 37 * 3 + 3;
    assert_eq!(summary.handshakes, Some(2 * links));
    let received = summary.duplicates + summary.delivered;
    assert!((12 * links..=24 * links).contains(&received), "{received}");
    assert!(summary.rmr.unwrap() > 1.0);
    assert!((10..=100).contains(&summary.flood_ms), "{}", summary.flood_ms);
}

#[test]
fn the_same_seed_gives_the_same_digest() {
    assert_eq!(run(&[], 3).0.digest, run(&[], 3).0.digest);
    assert_ne!(run(&[], 3).0.digest, run(&[], 4).0.digest);
}

#[test]
fn those_that_stop_are_expected_to_deliver_nothing() {
    let (summary, broken) = run(&["kill=50%", "messages=20"], 0);
    assert_eq!(broken, [""; 0]);
    assert_eq!((summary.nodes, summary.live), (40, 20));
    assert_eq!(summary.expected, 20 * 19);
    let (summary, _) = run(&["churn.every_ms=1000", "churn.polite_percent=100", "sources=one"], 0);
    assert_eq!((summary.nodes, summary.live), (52, 40));
}

#[test]
fn what_is_not_measured_is_absent() {
    let json = serde_json::to_value(run(&[], 3).0).unwrap();
    assert!(json.get("complaints").is_none(), "{json}");
    assert!(json.get("handshakes").is_some(), "{json}");
}

/// The bytes do not tell which message a copy is of: where messages overlap, only all together have a redundancy.
#[test]
fn messages_that_overlap_have_no_redundancy_of_their_own() {
    let (slow, fast) = (run(&[], 3).0, run(&["pace_ms=20"], 3).0);
    assert!(slow.rounds.iter().all(|round| round.rmr.is_some_and(|rmr| rmr > 0.0)), "{:?}", slow.rounds);
    assert!(fast.rounds.iter().all(|round| round.rmr.is_none()), "{:?}", fast.rounds);
    assert_eq!(fast.rmr_last10, None);
    // Which of two copies comes first may differ, not more.
    assert!((fast.rmr.unwrap() - slow.rmr.unwrap()).abs() < 0.2, "{:?}, {:?}", fast.rmr, slow.rmr);
}
