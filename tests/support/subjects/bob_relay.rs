//! Drives the Bob [`Relay`] between honest servers and clients, which react to what they hear and go to their rooms, and
//! hostile ones, with all that a driver may say, bad order included.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use pleach_core::bob::Identity;
use pleach_core::bob::packet::{Body, Decoder, PUBLIC_LEN, RelayFailure, SpokeFailure, Uid};
use pleach_core::bob::relay::{Command, Config, Departure, Event, Input, Output, Port, Relay, Role};
use pleach_core::link::{Address, Answer, Cause, How, LinkId, ListenerId, MessageKind, QueryId, Via};
use pleach_core::{Context, Machine};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::bob_peer::{START, any, encode};
use crate::choices::Choices;
use crate::laws::Subject;
use crate::{link_inputs, variants};

const LINKS_MAX: usize = 12;
const UNREGISTERED_MAX: usize = 6;
const ROOM_WINDOW: usize = 40;
const ROOMS_MAX: usize = 3;
/// Bytes of the smallest packet.
const PACKET_MIN: usize = 6;
/// Sends whose writing was not reported, at most.
const UNWRITTEN_MAX: usize = 64;

/// A peer at one of the ports, as it sees itself.
#[derive(Debug)]
struct Guest {
    port: Port,
    remote: SocketAddr,
    decoder: Decoder,
    is_server: bool,
    /// Of peers that spoke to it or were announced.
    known: Vec<Uid>,
    paused: bool,
}

/// What surrounds one relay.
#[derive(Debug, Default)]
pub struct Guests {
    links: BTreeMap<LinkId, Guest>,
    next: u64,
    /// What the relay will hear, in order.
    coming: VecDeque<Input>,
    unwritten: VecDeque<(LinkId, usize)>,
    sends: usize,
    /// Names under which somebody was seen.
    names: Vec<Identity>,
    registered: BTreeMap<Uid, (Role, Identity)>,
    copying: BTreeSet<(Uid, Uid)>,
    stopping: bool,
    stopped: bool,
}

fn config(choices: &mut Choices<'_>) -> Config {
    let mut config = Config::new(any(), any());
    config.admission.links_max = LINKS_MAX;
    config.admission.unauthenticated_max = UNREGISTERED_MAX;
    config.admission.unauthenticated_per_subscriber = UNREGISTERED_MAX;
    config.admission.unauthenticated_loopback_max = UNREGISTERED_MAX;
    config.admission.incoming_addresses_max = 4;
    config.per_address_max = 8;
    config.hello_repeats_max = 2;
    config.queued_bytes_max = 300;
    config.announced_bytes_max = 200;
    config.rooms_max = ROOMS_MAX;
    config.rooms_per_address_max = 2;
    config.room_window = ROOM_WINDOW;
    config.room_bytes_max = 2000;
    config.early_bytes_max = choices.pick(&[0, 20]).unwrap_or(0);
    config.room_from_own_address_only = choices.once_in(4);
    config.tell_losers = choices.once_in(2);
    config.own_identity_only = !choices.once_in(4);
    config.guessing.failures_max = 3;
    config.guessing.pairs_max = 4;
    config.guessing.parallel_max = 2;
    config.guessing.waiting_max = 2;
    config.guessing.burst = 5;
    config.guessing.addresses_max = 2;
    config.timeout = Duration::from_secs(choices.pick(&[3600, 3600, 60]).unwrap_or(60));
    config
}

impl Guests {
    fn open(&mut self, port: Port, ip: IpAddr) -> LinkId {
        let link = LinkId(LinkId::ACCEPTED + self.next);
        let number = u16::try_from(self.next % 50_000).unwrap_or(0);
        self.next += 1;
        let remote = SocketAddr::new(ip, 1000 + number);
        let guest = Guest {
            port,
            remote,
            decoder: Decoder::new(),
            is_server: false,
            known: Vec::new(),
            paused: false,
        };
        self.links.insert(link, guest);
        let via = Via::Accepted { listener: ListenerId(u32::from(port == Port::Room)) };
        self.coming.push_back(Input::Opened { link, via, local: any(), remote: Address::Socket(remote) });
        link
    }

    fn say(&mut self, link: LinkId, bytes: Bytes) {
        if !bytes.is_empty() && self.links.contains_key(&link) {
            self.coming.push_back(Input::Received { link, bytes });
        }
    }

    fn arrive(&mut self, choices: &mut Choices<'_>) {
        let ip = Ipv4Addr::new(choices.pick(&[127, 9, 9]).unwrap_or(9), 9, 9, choices.byte() % 4).into();
        match choices.byte() % 8 {
            0 => {
                self.open(Port::Room, ip);
            }
            1 => {
                self.open(Port::Handshake, ip);
            }
            kind => {
                let is_server = kind < 5;
                let link = self.open(Port::Handshake, ip);
                let body = if is_server {
                    Body::HelloAsServer { public: [kind; PUBLIC_LEN] }
                } else {
                    Body::HelloAsClient
                };
                self.links.entry(link).and_modify(|guest| guest.is_server = is_server);
                self.say(link, encode(Uid::RELAY, body));
            }
        }
    }

    fn link(&self, choices: &mut Choices<'_>) -> LinkId {
        let all: Vec<LinkId> = self.links.keys().copied().collect();
        choices.pick(&all).unwrap_or(LinkId(choices.edgy(9)))
    }

    fn name(&self, choices: &mut Choices<'_>) -> Identity {
        let known = self.names.get(choices.below(self.names.len())).cloned();
        known.unwrap_or_else(|| Identity::of(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 1)))
    }

    /// Any packet, mostly to somebody who is there.
    fn packet(&self, choices: &mut Choices<'_>) -> Bytes {
        let all: Vec<Uid> = self.registered.keys().copied().collect();
        let somebody = choices.pick(&all).unwrap_or(Uid::RELAY);
        let to = if choices.once_in(8) { Uid(choices.u16() % 40) } else { somebody };
        let fill = choices.byte();
        let body = match choices.byte() % 18 {
            0 => Body::HelloAsServer { public: [fill; PUBLIC_LEN] },
            1 => Body::HelloAsClient,
            2 => Body::ServerIdentity { identity: self.name(choices) },
            3 => Body::NewServer { server: to, public: [0; PUBLIC_LEN], identity: self.name(choices) },
            4 | 5 => Body::ClientShare { share: [fill; 32], identity: self.name(choices) },
            6 => Body::ServerShare { share: [fill; 32], validator: [fill; 64] },
            7 => Body::ClientValidator { validator: [fill; 64] },
            8 => Body::Agreement,
            9 => Body::Closed { peer: to },
            10 => Body::Accepted,
            11 => Body::Refused,
            12 => Body::RelayFailure(RelayFailure::NoHandshake(to)),
            13..16 => Body::SpokeFailure(SpokeFailure::InvalidClientValidator),
            16 => Body::Done,
            _ => Body::Timeout,
        };
        encode(to, body)
    }

    fn attack(&self, choices: &mut Choices<'_>) -> Input {
        let link = self.link(choices);
        let guest = self.links.get(&link);
        let bytes = match (guest.map(|guest| guest.port), choices.byte() % 8) {
            (_, 0) => choices.content(300),
            (Some(Port::Room), 1..5) => {
                [self.name(choices).as_bytes().as_ref(), b"\n".as_slice()].concat().into()
            }
            (Some(Port::Room), _) => Bytes::from(vec![7; choices.below(90)]),
            (_, 1) => {
                let packet = self.packet(choices);
                packet.slice(..choices.below(packet.len().max(1)))
            }
            (_, 2) => self.packet(choices).repeat(3).into(),
            _ => self.packet(choices),
        };
        match guest.is_some_and(|guest| guest.paused) || bytes.is_empty() {
            true => Input::Written { link, count: choices.below(200) },
            false => Input::Received { link, bytes },
        }
    }

    /// What was to come, or somebody new.
    fn next(&mut self, choices: &mut Choices<'_>) -> Input {
        if self.coming.is_empty() {
            self.arrive(choices);
        }
        let input = self.coming.pop_front().unwrap_or(Input::AddressesChanged);
        if let Input::Closed { link, .. } = &input {
            self.links.remove(link);
        }
        input
    }

    /// What a broken driver might say, or one of another network.
    fn oddity(&mut self, choices: &mut Choices<'_>) -> Input {
        let link = self.link(choices);
        let listener = ListenerId(choices.edgy32(2));
        match choices.byte() % 16 {
            0 => Input::Message { link, kind: MessageKind::Binary, bytes: choices.content(40) },
            1 => {
                let from = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 1);
                Input::Datagram { socket: listener, from, bytes: choices.content(40) }
            }
            2 => Input::Answer { query: QueryId(choices.edgy(3)), answer: Answer::Failed(Cause::Other) },
            3 => Input::AddressesChanged,
            4 => Input::ListenFailed { listener, cause: Cause::AddressInUse },
            5 => Input::Listening { listener, local: any() },
            6 => Input::Opened { link: LinkId(1), via: Via::Dialled, local: any(), remote: any() },
            7 => Input::Written { link, count: choices.below(usize::from(u16::MAX)) },
            8 => {
                self.links.remove(&link);
                Input::Closed { link, cause: Cause::Reset }
            }
            9 => Input::Finished { link },
            10 => {
                // The machine knows the link, if at all, under its first remote.
                let remote = self.links.get(&link).map_or_else(any, |guest| Address::Socket(guest.remote));
                let via = Via::Accepted { listener: ListenerId(0) };
                Input::Opened { link, via, local: any(), remote }
            }
            _ => match self.unwritten.pop_front() {
                Some((link, count)) => Input::Written { link, count },
                None => self.next(choices),
            },
        }
    }

    /// Honest peers answer what they hear.
    fn hear(&mut self, link: LinkId, mut bytes: Bytes) {
        let Some(guest) = self.links.get_mut(&link) else { return };
        if guest.port == Port::Room {
            if bytes.as_ref() == b"00" {
                self.say(link, Bytes::from_static(&[5; ROOM_WINDOW + 9]));
            }
            return;
        }
        let (mut answers, name) = (Vec::new(), Identity::of(guest.remote));
        while let Ok(Some(packet)) = guest.decoder.next(&mut bytes) {
            let from = packet.uid;
            guest.known.push(from);
            answers.extend(match packet.body {
                Body::NewServer { server, .. } => {
                    let share = [1; 32];
                    Some((server, Body::ClientShare { share, identity: name.clone() }))
                }
                Body::ClientShare { .. } if guest.is_server => {
                    Some((from, Body::ServerShare { share: [2; 32], validator: [2; 64] }))
                }
                // Some passwords are wrong.
                Body::ServerShare { .. } if from.0.is_multiple_of(2) => {
                    Some((from, Body::SpokeFailure(SpokeFailure::InvalidClientValidator)))
                }
                Body::ServerShare { .. } => Some((from, Body::ClientValidator { validator: [3; 64] })),
                Body::ClientValidator { .. } => Some((from, Body::Agreement)),
                Body::Agreement => Some((from, Body::Accepted)),
                Body::HelloAsServer { .. }
                | Body::HelloAsClient
                | Body::ServerIdentity { .. }
                | Body::ClientIdentity { .. }
                | Body::ClientShare { .. }
                | Body::Closed { .. }
                | Body::Accepted
                | Body::Refused
                | Body::RelayFailure(_)
                | Body::SpokeFailure(_)
                | Body::Done
                | Body::Timeout => None,
            });
        }
        answers.into_iter().for_each(|(to, body)| self.say(link, encode(to, body)));
    }

    /// Both go to their room.
    fn meet(&mut self, client: Uid, server: Uid) {
        let name = |uid| self.registered.get(&uid).map(|(_, identity): &(Role, Identity)| identity.clone());
        let (Some(client), Some(server)) = (name(client), name(server)) else { return };
        for (own, other) in [(&client, &server), (&server, &client)] {
            let host = std::str::from_utf8(own.host()).ok().and_then(|host| host.parse().ok());
            let link = self.open(Port::Room, host.unwrap_or(Ipv4Addr::LOCALHOST.into()));
            self.say(link, [other.as_bytes().as_ref(), b"\n".as_slice()].concat().into());
        }
    }

    fn note(&mut self, event: &Event) {
        match event {
            Event::Registered { uid, role, identity } => {
                self.registered.insert(*uid, (*role, identity.clone()));
                self.names.push(identity.clone());
                if self.names.len() > 8 {
                    self.names.remove(0);
                }
            }
            Event::Agreed { client, server } => {
                self.meet(*client, *server);
                self.registered.remove(client);
                self.registered.remove(server);
            }
            Event::Departed { why: Departure::Paired, .. } => {}
            Event::Departed { uid, .. } => drop(self.registered.remove(uid)),
            Event::RoomOpened { client, server } => drop(self.copying.insert((*client, *server))),
            Event::RoomClosed { client, server, .. } => drop(self.copying.remove(&(*client, *server))),
            Event::Stopped => self.stopped = true,
            Event::Listening { .. } | Event::ListenFailed { .. } | Event::Guessing { .. } => {}
        }
    }
}

impl Subject for Guests {
    type Input = Input;
    type Output = Output;
    type Machine = Relay;

    const NAME: &'static str = "bob::relay";
    const STATES: &'static [&'static str] =
        &["idle", "strangers", "registered", "delayed", "rooms", "copying", "stopping", "stopped"];

    /// Most runs begin in the midst of what honest peers do: they would seldom come so far between two timeouts.
    fn build(choices: &mut Choices<'_>) -> (Self, Relay) {
        let (mut guests, mut machine) = (Self::default(), Relay::new(config(choices)));
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        for _ in 0..choices.below(9) {
            guests.arrive(choices);
        }
        let steps = choices.pick(&[40, 40, 100]).unwrap_or(0);
        for _ in 0..choices.below(steps) {
            if guests.coming.is_empty() {
                break;
            }
            let (input, mut outputs) = (guests.next(choices), Vec::new());
            machine.handle(input, &mut Context::new(START, &mut rng, &mut outputs));
            outputs.iter().for_each(|output| guests.observe(output));
        }
        (guests, machine)
    }

    fn generate(&mut self, choices: &mut Choices<'_>) -> Input {
        match choices.byte() % 32 {
            0..18 => self.next(choices),
            18..21 => {
                self.arrive(choices);
                self.next(choices)
            }
            21..25 => self.attack(choices),
            25 if choices.once_in(24) => {
                self.stopping = true;
                Input::Command(Command::Shutdown)
            }
            _ => self.oddity(choices),
        }
    }

    fn observe(&mut self, output: &Output) {
        match output {
            Output::Listen { listener, address } => {
                self.coming.push_back(Input::Listening { listener: *listener, local: address.clone() });
            }
            Output::Send { link, bytes } => {
                // Every third piece is reported late, if at all.
                self.sends += 1;
                if link.0 % 7 == 6 {
                    // This peer does not read.
                } else if self.sends.is_multiple_of(3) {
                    self.unwritten.push_back((*link, bytes.len()));
                    self.unwritten.truncate(UNWRITTEN_MAX);
                } else if let Some(Input::Written { count, .. }) = self
                    .coming
                    .iter_mut()
                    .find(|input| matches!(input, Input::Written { link: of, .. } if of == link))
                {
                    *count += bytes.len();
                } else {
                    self.coming.push_back(Input::Written { link: *link, count: bytes.len() });
                }
                self.hear(*link, bytes.clone());
            }
            Output::Close { link, how } => {
                let link = *link;
                // A peer that does not read is not closed in order.
                if *how == How::Abort || link.0 % 7 != 6 {
                    self.coming.push_front(Input::Closed { link, cause: Cause::Finished });
                }
            }
            Output::Pause { link } => drop(self.links.entry(*link).and_modify(|guest| guest.paused = true)),
            Output::Resume { link } => drop(self.links.entry(*link).and_modify(|guest| guest.paused = false)),
            Output::Event(event) => self.note(event),
            Output::Unlisten { .. }
            | Output::Dial { .. }
            | Output::Message { .. }
            | Output::Finish { .. }
            | Output::Datagram { .. }
            | Output::Query { .. } => {}
        }
    }

    link_inputs! { Input:
        Input::Opened { via: Via::Dialled, .. } => "Opened, dialled",
        Input::Opened { via: Via::Accepted { .. }, .. } => "Opened, accepted",
        Input::Answer { .. } => "Answer",
        Input::Command(Command::Shutdown) => "Shutdown",
    }

    // A relay dials nobody, asks nothing, has neither message links nor datagram sockets, and closes links as a whole.
    variants! { OUTPUTS, output_name(Output):
        Output::Listen { .. } => "Listen",
        Output::Unlisten { .. } => "Unlisten",
        Output::Send { .. } | Output::Message { .. } | Output::Datagram { .. } | Output::Dial { .. }
            | Output::Query { .. } => "Send",
        Output::Close { how: How::Flush, .. } | Output::Finish { .. } => "Close Flush",
        Output::Close { how: How::Abort, .. } => "Close Abort",
        Output::Pause { .. } => "Pause",
        Output::Resume { .. } => "Resume",
        Output::Event(Event::Listening { .. }) => "Listening",
        Output::Event(Event::ListenFailed { .. }) => "ListenFailed",
        Output::Event(Event::Registered { .. }) => "Registered",
        Output::Event(Event::Departed { why: Departure::Paired, .. }) => "Departed, paired",
        Output::Event(Event::Departed { why: Departure::Left, .. }) => "Departed, left",
        Output::Event(Event::Departed { why: Departure::Violation, .. }) => "Departed, violation",
        Output::Event(Event::Departed { why: Departure::Slow, .. }) => "Departed, slow",
        Output::Event(Event::Departed { why: Departure::TimedOut, .. }) => "Departed, timed out",
        Output::Event(Event::Departed { why: Departure::Shutdown, .. }) => "Departed, shutdown",
        Output::Event(Event::Agreed { .. }) => "Agreed",
        Output::Event(Event::RoomOpened { .. }) => "RoomOpened",
        Output::Event(Event::RoomClosed { .. }) => "RoomClosed",
        Output::Event(Event::Guessing { .. }) => "Guessing",
        Output::Event(Event::Stopped) => "Stopped",
    }

    fn state(&self, machine: &Relay) -> &'static str {
        let occupancy = machine.occupancy();
        match () {
            () if self.stopped => "stopped",
            () if self.stopping => "stopping",
            () if occupancy.delayed > 0 => "delayed",
            () if !self.copying.is_empty() => "copying",
            () if occupancy.rooms > 0 => "rooms",
            () if occupancy.servers + occupancy.clients > 0 => "registered",
            () if occupancy.links > 0 => "strangers",
            () => "idle",
        }
    }

    /// The bound that the relay documents.
    fn outputs_max(&self, input: Option<&Input>) -> usize {
        let received = if let Some(Input::Received { bytes, .. }) = input { bytes.len() } else { 0 };
        let links = self.links.len();
        (received / PACKET_MIN + links + ROOMS_MAX + 1) * (links + 5)
    }

    fn memory_max(&self) -> usize {
        64 * 1024
    }

    fn closes(_input: Option<&Input>, outputs: &[Output]) -> bool {
        outputs.contains(&Output::Event(Event::Stopped))
    }
}
