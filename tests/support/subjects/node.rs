//! Drives [`Node`] between two honest nodes and a hostile [`Counterpart`], with all that a driver and an application may
//! say, bad order included.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use pleach_core::broadcast::{Id, Scope};
use pleach_core::identity::{Keypair, PeerId};
use pleach_core::link::{Address, Answer, Cause, How, LinkId, QueryId, Question, Via};
use pleach_core::mesh::node::{Input, Node, Output};
use pleach_core::mesh::{Command, Config, Event, Registration, Snapshot, Validation};
use pleach_core::{At, Context, Instant, Machine, WallTime};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::counterpart::Counterpart;
use crate::choices::Choices;
use crate::laws::Subject;
use crate::{link_inputs, variants};

mod honest;
mod stimuli;

use honest::{HONEST, Honest};

const SEED: [u8; 32] = *b"the seed of a key of these tests";
const TOPICS: [&str; 3] = ["/one", "/two", "/three"];
const PAYLOAD_MAX: usize = 300;
const SEND_AHEAD: usize = 1024;
const PATIENCE: Duration = Duration::from_secs(1 << 30);
/// Inputs until a node has joined, at most.
const CARRIED_MAX: usize = 500;
const START: At =
    At { now: Instant::from_micros(3_600_000_000), wall: WallTime::from_unix_ms(1_800_000_000_000) };

/// Who is at the other end of a link.
enum End {
    /// This honest node, which knows the link by this id.
    Honest(usize, LinkId),
    Hostile(Box<Counterpart>),
}

/// What surrounds one node.
pub struct World {
    nodes: Vec<Honest>,
    links: BTreeMap<LinkId, End>,
    /// What the node will hear, in order.
    coming: VecDeque<Input>,
    next_accepted: u64,
    at: At,
    questions: Vec<PeerId>,
    applicants: Vec<PeerId>,
    verdicts: Vec<(String, Id)>,
    queries: Vec<QueryId>,
    /// Sent and not reported as written.
    unwritten: BTreeMap<LinkId, usize>,
    sends: usize,
    joining: bool,
    linked: usize,
    stopping: bool,
    stopped: bool,
}

fn config(address: SocketAddr, solcial: bool) -> Config {
    let base = if solcial { Config::solcial() } else { Config::native() };
    // The topics are those of the test.
    let topics = Vec::new();
    Config { listen: vec![Address::Socket(address)], network_size: 50, topics, topics_max: 2, ..base }
}

fn address(number: usize) -> SocketAddr {
    let last = u8::try_from(number).unwrap_or(u8::MAX);
    SocketAddr::new(IpAddr::from(Ipv4Addr::new(127, 0, 0, last.saturating_add(1))), 7000)
}

fn keypair(number: usize) -> Keypair {
    Keypair::from_seed(&[u8::try_from(number).unwrap_or(u8::MAX); 32])
}

impl World {
    #[expect(clippy::expect_used, reason = "the configuration is a constant")]
    fn new(choices: &mut Choices<'_>) -> (Self, Node) {
        let solcial = choices.once_in(4);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let world = Self {
            nodes: honest::nodes(solcial),
            links: BTreeMap::new(),
            coming: VecDeque::new(),
            next_accepted: LinkId::ACCEPTED,
            at: START,
            questions: Vec::new(),
            applicants: Vec::new(),
            verdicts: Vec::new(),
            queries: Vec::new(),
            unwritten: BTreeMap::new(),
            sends: 0,
            joining: true,
            linked: 0,
            stopping: false,
            stopped: false,
        };
        let bootstrap = (1..=HONEST).map(|number| (Address::Socket(address(number)), None)).collect();
        let mut own = Config { bootstrap, ..config(address(0), solcial) };
        own.channel.send_ahead = SEND_AHEAD;
        // In most runs links have time, or few would be established and become old.
        if !choices.once_in(3) {
            let channel = &mut own.channel;
            (channel.keep_alive_idle, channel.keep_alive_answer) = (PATIENCE, PATIENCE);
            (channel.upgrade_timeout, channel.handshake_timeout) = (PATIENCE, PATIENCE);
            (own.dialling.open, own.dialling.complete) = (PATIENCE, PATIENCE);
        } else {
            // So little that what the upgrade writes pauses reading.
            own.channel.send_ahead = SEND_AHEAD / 8;
        }
        own.channel.control_ahead = 0;
        own.validation = choices.pick(&[Validation::Application, own.validation]).unwrap_or(own.validation);
        if choices.once_in(2) {
            own.registration = Registration::Query;
        }
        own.ask_admission = choices.once_in(2);
        let node = Node::new(own, Keypair::from_seed(&SEED), &Snapshot::default(), START, &mut rng);
        (world.begin(), node.expect("a configuration that is a constant"))
    }
}

const fn opened(link: LinkId, via: Via, local: SocketAddr, remote: SocketAddr) -> Input {
    Input::Opened { link, via, local: Address::Socket(local), remote: Address::Socket(remote) }
}

impl Subject for World {
    type Input = Input;
    type Output = Output;
    type Machine = Node;

    const NAME: &'static str = "mesh::node";
    const STATES: &'static [&'static str] =
        &["alone", "connecting", "linked", "neighbours", "stopping", "stopped"];

    /// Most runs begin with a node that has joined its network.
    fn build(choices: &mut Choices<'_>) -> (Self, Node) {
        let (mut world, mut machine) = Self::new(choices);
        let mut rng = ChaCha8Rng::seed_from_u64(u64::from(choices.byte()));
        if !choices.once_in(4) {
            let subscribe = Command::Subscribe { token: 0, topic: "/one".to_owned() };
            world.coming.push_back(Input::Command(subscribe));
            for _ in 0..CARRIED_MAX {
                let Some(input) = world.coming.pop_front() else { break };
                let mut outputs = Vec::new();
                machine.handle(input, &mut Context::new(START, &mut rng, &mut outputs));
                outputs.iter().for_each(|output| world.observe(output));
                for peer in std::mem::take(&mut world.questions) {
                    let registered = Command::Registered { peer, registered: true };
                    world.coming.push_back(Input::Command(registered));
                }
                for peer in std::mem::take(&mut world.applicants) {
                    world.coming.push_back(Input::Command(Command::Admit { peer, admitted: true }));
                }
            }
        }
        world.joining = false;
        (world, machine)
    }

    fn generate(&mut self, choices: &mut Choices<'_>) -> Input {
        match choices.byte() % 32 {
            0..18 => self.next(choices),
            18..24 => {
                let command = self.command(choices);
                self.stopping |= command == Command::Shutdown;
                Input::Command(command)
            }
            24..28 => self.attack(choices),
            28 | 29 => {
                let topic = TOPICS.get(choices.below(2)).map(ToString::to_string).unwrap_or_default();
                let payload = choices.content(PAYLOAD_MAX);
                let publish = Command::Publish { token: 0, topic, payload, scope: Scope::Swarm };
                self.tell(choices.below(HONEST), Input::Command(publish));
                self.next(choices)
            }
            _ => self.oddity(choices),
        }
    }

    fn observe(&mut self, output: &Output) {
        match output {
            Output::Listen { listener, address } => {
                self.coming.push_back(Input::Listening { listener: *listener, local: address.clone() });
            }
            Output::Dial { link, address, .. } => self.dialled(*link, address),
            Output::Send { link, bytes } => {
                // Every other piece is reported late, if at all.
                self.sends += 1;
                if self.joining || self.sends.is_multiple_of(2) {
                    self.coming.push_back(Input::Written { link: *link, count: bytes.len() });
                } else {
                    *self.unwritten.entry(*link).or_default() += bytes.len();
                }
                match self.links.get_mut(link) {
                    Some(End::Honest(number, theirs)) => {
                        let (number, link) = (*number, *theirs);
                        self.tell(number, Input::Received { link, bytes: bytes.clone() });
                    }
                    Some(End::Hostile(peer)) => peer.hear(bytes.clone()),
                    None => {}
                }
            }
            Output::Close { link, .. } => {
                self.close(*link);
                self.coming.push_back(Input::Closed { link: *link, cause: Cause::Finished });
            }
            Output::Query { query, .. } => self.queries.push(*query),
            Output::Event(Event::Registration { peer }) => self.questions.push(*peer),
            Output::Event(Event::Admission { peer, .. }) => self.applicants.push(*peer),
            Output::Event(Event::Validate { topic, id, .. }) => self.verdicts.push((topic.clone(), *id)),
            Output::Event(Event::PeerUp { .. }) => self.linked += 1,
            Output::Event(Event::PeerDown { .. }) => self.linked = self.linked.saturating_sub(1),
            Output::Event(Event::Stopped) => self.stopped = true,
            Output::Unlisten { .. }
            | Output::Message { .. }
            | Output::Finish { .. }
            | Output::Pause { .. }
            | Output::Resume { .. }
            | Output::Datagram { .. }
            | Output::Event(_) => {}
        }
        // Some questions are never answered.
        self.questions.truncate(4);
        self.applicants.truncate(4);
        self.verdicts.truncate(4);
        self.queries.truncate(4);
    }

    link_inputs! { Input:
        Input::Opened { via: Via::Dialled, .. } => "Opened, dialled",
        Input::Opened { via: Via::Accepted { .. }, .. } => "Opened, accepted",
        Input::Answer { answer: Answer::Resolved(_), .. } => "Answer Resolved",
        Input::Answer { answer: Answer::Loaded(_), .. } => "Answer Loaded",
        Input::Answer { answer: Answer::Stored(_), .. } => "Answer Stored",
        Input::Answer { answer: Answer::Verified(_), .. } => "Answer Verified",
        Input::Answer { answer: Answer::Failed(_) | Answer::Other(_), .. } => "Answer Failed",
        Input::Command(Command::Subscribe { .. }) => "Subscribe",
        Input::Command(Command::Leave { .. }) => "Leave",
        Input::Command(Command::Publish { .. }) => "Publish",
        Input::Command(Command::Verdict { .. }) => "Verdict",
        Input::Command(Command::Registered { .. }) => "Registered",
        Input::Command(Command::Admit { .. }) => "Admit",
        Input::Command(Command::Ban { .. }) => "Ban",
        Input::Command(Command::Unban { .. }) => "Unban",
        Input::Command(Command::NetworkSize(_)) => "NetworkSize",
        Input::Command(Command::OwnHead { .. }) => "OwnHead",
        Input::Command(Command::Bootstrap { .. }) => "Bootstrap",
        Input::Command(Command::Shutdown) => "Shutdown",
    }

    // A node of the mesh has no message links or datagram sockets, closes links as a whole, and asks the outer world to
    // store, nothing else.
    variants! { OUTPUTS, output_name(Output):
        Output::Listen { .. } => "Listen",
        Output::Unlisten { .. } => "Unlisten",
        Output::Dial { .. } => "Dial",
        Output::Send { .. } | Output::Message { .. } | Output::Datagram { .. } => "Send",
        Output::Close { how: How::Flush, .. } | Output::Finish { .. } => "Close Flush",
        Output::Close { how: How::Abort, .. } => "Close Abort",
        Output::Pause { .. } => "Pause",
        Output::Resume { .. } => "Resume",
        Output::Query { question: Question::Store { .. } | Question::Resolve { .. } | Question::Load { .. }
            | Question::Verify(_) | Question::Other(_), .. } => "Store",
        Output::Event(Event::Listening { .. }) => "Listening",
        Output::Event(Event::ListenFailed { .. }) => "ListenFailed",
        Output::Event(Event::Done { result: Ok(_), .. }) => "Done",
        Output::Event(Event::Done { result: Err(_), .. }) => "Done, not",
        Output::Event(Event::Message { .. }) => "Message",
        Output::Event(Event::Validate { .. }) => "Validate",
        Output::Event(Event::Registration { .. }) => "Registration",
        Output::Event(Event::Admission { .. }) => "Admission",
        Output::Event(Event::PeerUp { .. }) => "PeerUp",
        Output::Event(Event::PeerDown { .. }) => "PeerDown",
        Output::Event(Event::NeighborUp { .. }) => "NeighborUp",
        Output::Event(Event::NeighborDown { .. }) => "NeighborDown",
        Output::Event(Event::Head { .. }) => "Head",
        Output::Event(Event::Banned { .. }) => "Banned",
        Output::Event(Event::Stopped) => "Stopped",
    }

    fn state(&self, machine: &Node) -> &'static str {
        match () {
            () if self.stopped => "stopped",
            () if self.stopping => "stopping",
            () if TOPICS.iter().any(|topic| machine.neighbors(topic).next().is_some()) => "neighbours",
            () if self.linked > 0 => "linked",
            () if !self.links.is_empty() => "connecting",
            () => "alone",
        }
    }

    /// A few for every link and topic, and for every few bytes that were received.
    fn outputs_max(&self, input: Option<&Input>) -> usize {
        let received = if let Some(Input::Received { bytes, .. }) = input { bytes.len() } else { 0 };
        400 + received / 4
    }

    fn memory_max(&self) -> usize {
        8 * 1024 * 1024
    }

    fn closes(_input: Option<&Input>, outputs: &[Output]) -> bool {
        outputs.contains(&Output::Event(Event::Stopped))
    }

    fn secrets(&self) -> Vec<Vec<u8>> {
        vec![SEED.to_vec()]
    }
}
