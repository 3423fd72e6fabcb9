//! Drives [`Node`] between two honest nodes and a hostile [`Counterpart`], with all that a driver and an application may
//! say, bad order included.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use pleach_core::broadcast::{Id, Message, Scope, Verdict};
use pleach_core::channel::Role;
use pleach_core::identity::{Keypair, PeerId};
use pleach_core::link::{
    Address, Answer, Cause, How, LinkId, ListenerId, MessageKind, QueryId, Question, Via,
};
use pleach_core::mesh::establishment::Hello;
use pleach_core::mesh::node::{Input, Node, Output};
use pleach_core::mesh::rpc::Action;
use pleach_core::mesh::{
    Command, Config, Event, Registration, Snapshot, Validation, establishment, heads, rpc,
};
use pleach_core::{At, Context, Instant, Machine, WallTime};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::counterpart::{Counterpart, Oddities};
use crate::choices::Choices;
use crate::laws::Subject;
use crate::variants;

const SEED: [u8; 32] = *b"the seed of a key of these tests";
/// Honest nodes around the one that is checked.
const HONEST: usize = 2;
const TOPICS: [&str; 3] = ["/one", "/two", "/three"];
const PAYLOAD_MAX: usize = 300;
const SEND_AHEAD: usize = 1024;
const PATIENCE: Duration = Duration::from_secs(1 << 30);
/// Inputs until a node has joined, at most.
const CARRIED_MAX: usize = 500;
const START: At =
    At { now: Instant::from_micros(3_600_000_000), wall: WallTime::from_unix_ms(1_800_000_000_000) };
/// What a call of [`World::generate`] takes, for the honest nodes.
const STEP: Duration = Duration::from_millis(100);

/// Who is at the other end of a link.
enum End {
    /// This honest node, which knows the link by this id.
    Honest(usize, LinkId),
    Hostile(Box<Counterpart>),
}

struct Honest {
    node: Node,
    rng: ChaCha8Rng,
    address: SocketAddr,
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
    Config { listen: vec![Address::Socket(address)], network_size: 50, topics_max: 2, ..base }
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
        let make = |number: usize, config: Config, identity| {
            let mut rng = ChaCha8Rng::seed_from_u64(u64::try_from(number).unwrap_or(0));
            Node::new(config, identity, &Snapshot::default(), START, &mut rng)
        };
        let nodes = (1..=HONEST).filter_map(|number| {
            let node = make(number, config(address(number), solcial), keypair(number)).ok()?;
            let rng = ChaCha8Rng::seed_from_u64(9);
            Some(Honest { node, rng, address: address(number) })
        });
        let world = Self {
            nodes: nodes.collect(),
            links: BTreeMap::new(),
            coming: VecDeque::new(),
            next_accepted: LinkId::ACCEPTED,
            at: START,
            questions: Vec::new(),
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
        }
        own.channel.control_ahead = 16;
        own.validation = choices.pick(&[Validation::Application, own.validation]).unwrap_or(own.validation);
        if choices.once_in(2) {
            own.registration = Registration::Query;
        }
        let node = Node::new(own, Keypair::from_seed(&SEED), &Snapshot::default(), START, &mut rng);
        (world.begin(), node.expect("a configuration that is a constant"))
    }

    /// The honest nodes listen and take part.
    fn begin(mut self) -> Self {
        for number in 0..self.nodes.len() {
            for topic in TOPICS.iter().take(2) {
                let subscribe = Command::Subscribe { token: 0, topic: (*topic).to_owned() };
                self.tell(number, Input::Command(subscribe));
            }
        }
        self
    }

    /// Tells an honest node something, and does what it says.
    fn tell(&mut self, number: usize, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let Some(Honest { node, rng, .. }) = self.nodes.get_mut(number) else { return };
            let mut outputs = Vec::new();
            node.handle(input, &mut Context::new(self.at, rng, &mut outputs));
            outputs.into_iter().for_each(|output| inputs.extend(self.serve(number, output)));
        }
    }

    fn pass_time(&mut self) {
        self.at.now += STEP;
        for number in 0..self.nodes.len() {
            let Some(Honest { node, rng, .. }) = self.nodes.get_mut(number) else { return };
            let mut outputs = Vec::new();
            node.handle_timeout(&mut Context::new(self.at, rng, &mut outputs));
            for output in outputs {
                if let Some(input) = self.serve(number, output) {
                    self.tell(number, input);
                }
            }
        }
    }

    /// What an honest node wants done; the answer is for it.
    fn serve(&mut self, number: usize, output: Output) -> Option<Input> {
        let address_of = self.nodes.get(number)?.address;
        match output {
            Output::Listen { listener, address } => Some(Input::Listening { listener, local: address }),
            Output::Dial { link, address: to, .. } if to == Address::Socket(address(0)) => {
                self.accept(End::Honest(number, link), address_of);
                Some(opened(link, Via::Dialled, address_of, address(0)))
            }
            Output::Dial { link, .. } => Some(Input::Closed { link, cause: Cause::Refused }),
            Output::Send { link, bytes } => {
                let count = bytes.len();
                if let Some(ours) = self.ours(number, link) {
                    self.coming.push_back(Input::Received { link: ours, bytes });
                }
                Some(Input::Written { link, count })
            }
            Output::Close { link, .. } => {
                if let Some(ours) = self.ours(number, link) {
                    self.links.remove(&ours);
                    self.coming.push_back(Input::Closed { link: ours, cause: Cause::Finished });
                }
                Some(Input::Closed { link, cause: Cause::Finished })
            }
            Output::Query { query, .. } => Some(Input::Answer { query, answer: Answer::Stored(true) }),
            Output::Event(Event::Registration { peer }) => {
                Some(Input::Command(Command::Registered { peer, registered: true }))
            }
            Output::Event(Event::Validate { topic, id, .. }) => {
                Some(Input::Command(Command::Verdict { topic, id, verdict: Verdict::Accept }))
            }
            Output::Unlisten { .. }
            | Output::Message { .. }
            | Output::Finish { .. }
            | Output::Pause { .. }
            | Output::Resume { .. }
            | Output::Datagram { .. }
            | Output::Event(_) => None,
        }
    }

    fn ours(&self, number: usize, theirs: LinkId) -> Option<LinkId> {
        let is_it = |end: &End| matches!(end, End::Honest(of, link) if (*of, *link) == (number, theirs));
        self.links.iter().find(|(_, end)| is_it(end)).map(|(link, _)| *link)
    }

    /// A link comes in.
    fn accept(&mut self, end: End, remote: SocketAddr) {
        let link = LinkId(self.next_accepted);
        self.next_accepted += 1;
        self.links.insert(link, end);
        let via = Via::Accepted { listener: ListenerId(0) };
        self.coming.push_back(opened(link, via, address(0), remote));
    }

    fn link(&self, choices: &mut Choices<'_>) -> LinkId {
        let known: Vec<_> = self.links.keys().copied().collect();
        let anything = LinkId(choices.edgy(LinkId::ACCEPTED));
        if choices.once_in(8) { anything } else { choices.pick(&known).unwrap_or(anything) }
    }

    /// What comes next; sometimes it comes twice, or out of order.
    fn next(&mut self, choices: &mut Choices<'_>) -> Input {
        self.pass_time();
        let odd = choices.byte();
        let at = if odd == 0 { choices.below(self.coming.len()) } else { 0 };
        let next = self.coming.remove(at);
        if odd == 1
            && let Some(input) = &next
        {
            self.coming.push_front(input.clone());
        }
        next.unwrap_or(Input::AddressesChanged)
    }

    /// The hostile peer does something on one of its links, or opens another.
    fn attack(&mut self, choices: &mut Choices<'_>) -> Input {
        let hostile = self.links.iter().filter(|(_, end)| matches!(end, End::Hostile(_)));
        let links: Vec<_> = hostile.map(|(link, _)| *link).collect();
        let Some(link) = choices.pick(&links).filter(|_| !choices.once_in(8)) else {
            let rng = ChaCha8Rng::seed_from_u64(u64::from(choices.byte()));
            let identity = keypair(100 + choices.below(3));
            let protocols = [establishment::PROTOCOL, rpc::PROTOCOL, heads::PROTOCOL];
            let peer = Counterpart::new(Role::Dialler, &identity, Oddities::default(), &protocols, rng);
            self.accept(End::Hostile(Box::new(peer)), address(90));
            return self.next(choices);
        };
        let Some(End::Hostile(peer)) = self.links.get_mut(&link) else { return Input::AddressesChanged };
        match choices.byte() % 8 {
            0 | 1 => peer.say(establishment::PROTOCOL, &introduction()),
            2 => {
                let topic = TOPICS.get(choices.below(3)).copied().unwrap_or_default();
                let payload = choices.content(PAYLOAD_MAX);
                let message = match choices.byte() % 4 {
                    0 => Message::Prune,
                    1 => Message::Graft(vec![Id::of(&payload)]),
                    2 => Message::NotHave(vec![Id::of(&payload)]),
                    _ => Message::Payload { id: Id::of(&payload), hop: choices.edgy32(9), payload },
                };
                peer.say(
                    rpc::PROTOCOL,
                    &rpc::encode_frame(topic, &Action::Broadcast(message)).unwrap_or_default(),
                );
            }
            _ if peer.is_silent() => peer.act(choices),
            _ => {}
        }
        let bytes = if choices.once_in(8) { peer.take(choices) } else { peer.take_all() };
        if bytes.is_empty() { self.next(choices) } else { Input::Received { link, bytes } }
    }

    fn peer(&self, choices: &mut Choices<'_>) -> PeerId {
        keypair(choices.pick(&[1, 2, 100, 101, 50]).unwrap_or(1)).peer_id()
    }

    fn command(&mut self, choices: &mut Choices<'_>) -> Command {
        let token = choices.edgy(9);
        let topic = match choices.byte() % 16 {
            0 => String::new(),
            at => TOPICS.get(usize::from(at) % TOPICS.len()).map(ToString::to_string).unwrap_or_default(),
        };
        let peer = self.peer(choices);
        match choices.byte() % 64 {
            0..8 => Command::Subscribe { token, topic },
            8..12 => Command::Leave { token, topic },
            12..32 => Command::Publish {
                token,
                topic,
                payload: choices.content(PAYLOAD_MAX),
                scope: if choices.once_in(4) { Scope::Neighbours } else { Scope::Swarm },
            },
            32..40 => {
                let (topic, id) = self.verdicts.pop().unwrap_or((topic, Id::of(b"nothing")));
                let verdict =
                    choices.pick(&[Verdict::Accept, Verdict::Accept, Verdict::Ignore, Verdict::Reject]);
                Command::Verdict { topic, id, verdict: verdict.unwrap_or(Verdict::Accept) }
            }
            40..48 => {
                let peer = self.questions.pop().unwrap_or(peer);
                Command::Registered { peer, registered: !choices.once_in(8) }
            }
            48 | 49 => Command::Ban {
                token,
                peer: if choices.once_in(4) { Keypair::from_seed(&SEED).peer_id() } else { peer },
                lifetime: choices.pick(&[None, Some(1), Some(60)]).flatten().map(Duration::from_secs),
            },
            50..53 => Command::Unban { token, peer },
            53 | 54 => Command::NetworkSize(choices.edgy(1000)),
            55..58 => Command::OwnHead { height: choices.edgy(9), tip: choices.content(64) },
            58..61 => Command::Bootstrap {
                address: Address::Socket(address(choices.below(4))),
                peer: choices.once_in(2).then_some(peer),
            },
            61 if choices.once_in(4) => Command::Shutdown,
            _ => Command::Subscribe { token, topic },
        }
    }

    /// What the driver of another node, or a broken one, might say.
    fn oddity(&mut self, choices: &mut Choices<'_>) -> Input {
        let link = self.link(choices);
        let query = self.queries.pop().unwrap_or(QueryId(choices.edgy(9)));
        let listener = ListenerId(choices.edgy32(2));
        match choices.byte() % 32 {
            0 => Input::Message { link, kind: MessageKind::Binary, bytes: choices.content(40) },
            1 => Input::Datagram { socket: listener, from: address(90), bytes: choices.content(40) },
            2..6 => {
                let answer = match choices.byte() % 4 {
                    0 => Answer::Stored(false),
                    1 => Answer::Verified(true),
                    2 => Answer::Failed(Cause::Other),
                    _ => Answer::Stored(true),
                };
                Input::Answer { query, answer }
            }
            6 => Input::Answer { query, answer: Answer::Resolved(Vec::new()) },
            7 => Input::Answer { query, answer: Answer::Loaded(None) },
            8 => Input::AddressesChanged,
            9 => Input::Finished { link },
            10 => {
                self.links.remove(&link);
                Input::Closed { link, cause: Cause::Reset }
            }
            11 => Input::ListenFailed { listener, cause: Cause::AddressInUse },
            12 => Input::Listening { listener, local: Address::Socket(address(choices.below(3))) },
            13 => opened(link, Via::Dialled, address(0), address(91)),
            14 => Input::Received { link, bytes: choices.content(40) },
            15 => Input::Written { link, count: choices.below(usize::from(u16::MAX)) },
            _ => match self.unwritten.pop_first() {
                Some((link, count)) => Input::Written { link, count },
                None => self.next(choices),
            },
        }
    }

    fn close(&mut self, link: LinkId) {
        self.unwritten.remove(&link);
        if let Some(End::Honest(number, theirs)) = self.links.remove(&link) {
            self.tell(number, Input::Closed { link: theirs, cause: Cause::Reset });
        }
    }

    fn dialled(&mut self, link: LinkId, to: &Address) {
        let found = self.nodes.iter().position(|honest| Address::Socket(honest.address) == *to);
        let Some(number) = found else {
            return self.coming.push_back(Input::Closed { link, cause: Cause::Refused });
        };
        let theirs = LinkId(self.next_accepted);
        self.next_accepted += 1;
        self.links.insert(link, End::Honest(number, theirs));
        self.coming.push_back(opened(link, Via::Dialled, address(0), address(number + 1)));
        let via = Via::Accepted { listener: ListenerId(0) };
        self.tell(number, opened(theirs, via, address(number + 1), address(0)));
    }
}

/// What makes a hostile peer an established one.
fn introduction() -> Vec<u8> {
    let hello = Hello {
        network: Config::native().network,
        lowest: 1,
        highest: 1,
        stamp: None,
        metadata: Bytes::new(),
    };
    [establishment::Message::Hello(hello).to_frame(), establishment::Message::Ack { version: 1 }.to_frame()]
        .concat()
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
        self.verdicts.truncate(4);
        self.queries.truncate(4);
    }

    variants! { INPUTS, input_name(Input):
        Input::Listening { .. } => "Listening",
        Input::ListenFailed { .. } => "ListenFailed",
        Input::Opened { via: Via::Dialled, .. } => "Opened, dialled",
        Input::Opened { via: Via::Accepted { .. }, .. } => "Opened, accepted",
        Input::Received { .. } => "Received",
        Input::Message { .. } => "Message",
        Input::Written { .. } => "Written",
        Input::Finished { .. } => "Finished",
        Input::Closed { .. } => "Closed",
        Input::Datagram { .. } => "Datagram",
        Input::AddressesChanged => "AddressesChanged",
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
