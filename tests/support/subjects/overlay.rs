//! Drives [`Overlay`]: a dozen peers that are dialled, connect, answer, refuse, fail and lie.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use pleach_core::WallTime;
use pleach_core::overlay::{
    Config, Contact, DownReason, Event, Input, Message, Output, Overlay, Priority, Violation,
};

use super::{PEERS, Peer};
use crate::choices::Choices;
use crate::laws::Subject;
use crate::variants;

const ME: Peer = 0;

/// What surrounds one instance.
#[derive(Debug)]
pub struct Neighbourhood {
    /// Connected peers.
    links: BTreeSet<Peer>,
    /// Dials without an outcome.
    dials: Vec<Peer>,
    /// Registrations asked for.
    questions: Vec<Peer>,
    /// The epoch and nonce that the instance last told a peer.
    told: BTreeMap<Peer, (Option<u64>, Option<u64>)>,
    joined: bool,
    left: bool,
}

fn config(choices: &mut Choices<'_>) -> Config {
    Config {
        active_capacity: choices.pick(&[None, Some(1), Some(2), Some(4)]).flatten(),
        passive_capacity: choices.pick(&[None, Some(0), Some(3), Some(6)]).flatten(),
        check_registration: choices.once_in(2),
        plain_peers: choices.once_in(2),
        join_memory_max: 8,
        bootstrap_max: 4,
        paths_max: 4,
        conduct_max: 8,
        parked_max: 4,
        temporary_max: 2,
        unasked_replies_max: 2,
        lost_lifetime: Duration::from_secs(300),
        ..Config::default()
    }
}

impl Neighbourhood {
    /// A connected peer, or rarely anybody.
    fn peer(&self, choices: &mut Choices<'_>) -> Peer {
        let links: Vec<_> = self.links.iter().copied().collect();
        let anybody = choices.byte() % PEERS;
        if choices.once_in(16) { anybody } else { choices.pick(&links).unwrap_or(anybody) }
    }

    fn contact(peer: Peer, choices: &mut Choices<'_>) -> Contact<Peer> {
        let address = |choices: &mut Choices<'_>| match choices.byte() % 16 {
            0 => Bytes::from(vec![peer; 300]),
            length => Bytes::from(vec![peer; usize::from(length)]),
        };
        Contact { peer, addresses: (0..choices.below(10)).map(|_| address(choices)).collect() }
    }

    fn contacts(choices: &mut Choices<'_>) -> Vec<Contact<Peer>> {
        (0..choices.below(16)).map(|_| Self::contact(choices.byte() % PEERS, choices)).collect()
    }

    /// None, or near what the instance said itself: current, stale, absurd.
    fn number(known: Option<u64>, choices: &mut Choices<'_>) -> Option<u64> {
        match choices.byte() % 8 {
            0..2 => None,
            2..6 => known.or_else(|| Some(choices.edgy(8))),
            _ => Some(choices.edgy(known.unwrap_or(8))),
        }
    }

    fn message(&self, from: Peer, choices: &mut Choices<'_>) -> Message<Peer> {
        let (epoch, nonce) = self.told.get(&from).copied().unwrap_or_default();
        // Almost always a peer speaks of itself.
        let subject = if choices.once_in(24) { choices.byte() % PEERS } else { from };
        let ttl = choices.edgy32(3);
        match choices.byte() % 16 {
            0..3 => Message::Join {
                ttl,
                peer: Self::contact(subject, choices),
                nonce: Self::number(nonce, choices),
            },
            3..5 => Message::ForwardJoin {
                ttl,
                peer: Self::contact(choices.byte() % PEERS, choices),
                nonce: Self::number(nonce, choices),
            },
            5..11 => Message::Neighbor {
                peer: Self::contact(subject, choices),
                priority: if choices.once_in(3) { Priority::High } else { Priority::Low },
                epoch: Self::number(epoch, choices),
            },
            11 | 12 => Message::Disconnect {
                alive: choices.once_in(2),
                epoch: Self::number(epoch, choices),
                backoff_s: Self::number(Some(3600), choices).map(|s| u32::try_from(s).unwrap_or(u32::MAX)),
            },
            13 | 14 => Message::Shuffle {
                ttl,
                origin: Self::contact(choices.byte() % PEERS, choices),
                nodes: Self::contacts(choices),
                nonce: Self::number(nonce, choices),
            },
            _ => {
                Message::ShuffleReply { nodes: Self::contacts(choices), nonce: Self::number(nonce, choices) }
            }
        }
    }

    fn connected(&mut self, choices: &mut Choices<'_>) -> Input<Peer> {
        let dialled = !self.dials.is_empty() && !choices.once_in(4);
        let peer = if dialled {
            self.dials.swap_remove(choices.below(self.dials.len()))
        } else {
            choices.byte() % PEERS
        };
        if dialled && choices.once_in(4) {
            return Input::DialFailed { peer };
        }
        self.links.insert(peer);
        Input::Connected { peer, dialled }
    }

    fn rare(&mut self, choices: &mut Choices<'_>) -> Input<Peer> {
        let peer = self.peer(choices);
        match choices.byte() % 16 {
            0..4 => Input::NetworkSize(choices.edgy(10_000)),
            4..6 => Input::Unresponsive { peer },
            6 => Input::Misbehaved { peer },
            7..9 => Input::Banned { peer },
            9..11 => Input::Stranger { peer },
            11 => Input::Extended { peer },
            12 | 13 => Input::DialFailed { peer },
            14 => Input::Addresses((0..choices.below(10)).map(|_| choices.content(300)).collect()),
            _ => {
                self.left = true;
                Input::Leave
            }
        }
    }
}

impl Subject for Neighbourhood {
    type Input = Input<Peer>;
    type Output = Output<Peer>;
    type Machine = Overlay<Peer>;

    const NAME: &'static str = "overlay";
    const STATES: &'static [&'static str] = &["silent", "asking", "linked", "full", "left"];

    fn build(choices: &mut Choices<'_>) -> (Self, Overlay<Peer>) {
        let machine = Overlay::new(config(choices), ME, WallTime::from_unix_ms(1_800_000_000_000));
        let surroundings = Self {
            links: BTreeSet::new(),
            dials: Vec::new(),
            questions: Vec::new(),
            told: BTreeMap::new(),
            joined: false,
            left: false,
        };
        (surroundings, machine)
    }

    fn generate(&mut self, choices: &mut Choices<'_>) -> Input<Peer> {
        if !self.joined && !choices.once_in(8) {
            self.joined = choices.once_in(2);
            return if self.joined {
                Input::Join { bootstrap: Self::contacts(choices) }
            } else {
                Input::Addresses(vec![Bytes::from_static(b"here")])
            };
        }
        match choices.byte() % 32 {
            0 if choices.once_in(2) => Input::Known { contacts: Self::contacts(choices) },
            0 => Input::Join { bootstrap: Self::contacts(choices) },
            1..8 => self.connected(choices),
            8 => {
                let peer = self.peer(choices);
                self.links.remove(&peer);
                Input::Disconnected { peer }
            }
            9..13 => match self.questions.pop() {
                Some(peer) => Input::Registered { peer, registered: !choices.once_in(4) },
                None => Input::Registered { peer: choices.byte() % PEERS, registered: choices.once_in(2) },
            },
            13 => self.rare(choices),
            _ => {
                let from = self.peer(choices);
                Input::Message { from, message: self.message(from, choices) }
            }
        }
    }

    fn observe(&mut self, output: &Output<Peer>) {
        match output {
            Output::Dial { peer, .. } => self.dials.push(*peer),
            Output::CheckRegistered { peer } => self.questions.push(*peer),
            Output::Send { to, message } => {
                let told = self.told.entry(*to).or_default();
                match message {
                    Message::Neighbor { epoch, .. } | Message::Disconnect { epoch, .. } => told.0 = *epoch,
                    Message::Join { nonce, .. }
                    | Message::ForwardJoin { nonce, .. }
                    | Message::Shuffle { nonce, .. }
                    | Message::ShuffleReply { nonce, .. } => told.1 = *nonce,
                }
            }
            Output::Hold { .. } | Output::Release { .. } | Output::Violation { .. } | Output::Event(_) => {}
        }
        // Some dials and questions never come to an end.
        self.dials.truncate(8);
        self.questions.truncate(8);
    }

    variants! { INPUTS, input_name(Input<Peer>):
        Input::Join { .. } => "Join",
        Input::Known { .. } => "Known",
        Input::Leave => "Leave",
        Input::Addresses(_) => "Addresses",
        Input::Message { message: Message::Join { .. }, .. } => "Message Join",
        Input::Message { message: Message::ForwardJoin { .. }, .. } => "Message ForwardJoin",
        Input::Message { message: Message::Neighbor { priority: Priority::Low, .. }, .. } => "Message Neighbor Low",
        Input::Message { message: Message::Neighbor { priority: Priority::High, .. }, .. } => "Message Neighbor High",
        Input::Message { message: Message::Disconnect { .. }, .. } => "Message Disconnect",
        Input::Message { message: Message::Shuffle { .. }, .. } => "Message Shuffle",
        Input::Message { message: Message::ShuffleReply { .. }, .. } => "Message ShuffleReply",
        Input::Connected { .. } => "Connected",
        Input::Extended { .. } => "Extended",
        Input::Disconnected { .. } => "Disconnected",
        Input::DialFailed { .. } => "DialFailed",
        Input::Unresponsive { .. } => "Unresponsive",
        Input::Misbehaved { .. } => "Misbehaved",
        Input::NetworkSize(_) => "NetworkSize",
        Input::Registered { .. } => "Registered",
        Input::Banned { .. } => "Banned",
        Input::Stranger { .. } => "Stranger",
    }

    variants! { OUTPUTS, output_name(Output<Peer>):
        Output::Send { message: Message::Join { .. }, .. } => "Send Join",
        Output::Send { message: Message::ForwardJoin { .. }, .. } => "Send ForwardJoin",
        Output::Send { message: Message::Neighbor { priority: Priority::Low, .. }, .. } => "Send Neighbor Low",
        Output::Send { message: Message::Neighbor { priority: Priority::High, .. }, .. } => "Send Neighbor High",
        Output::Send { message: Message::Disconnect { .. }, .. } => "Send Disconnect",
        Output::Send { message: Message::Shuffle { .. }, .. } => "Send Shuffle",
        Output::Send { message: Message::ShuffleReply { .. }, .. } => "Send ShuffleReply",
        Output::Hold { .. } => "Hold",
        Output::Dial { .. } => "Dial",
        Output::Release { .. } => "Release",
        Output::CheckRegistered { .. } => "CheckRegistered",
        Output::Violation { violation: Violation::Impersonation, .. } => "Violation Impersonation",
        Output::Violation { violation: Violation::UnaskedReplies, .. } => "Violation UnaskedReplies",
        Output::Violation { violation: Violation::RateExceeded, .. } => "Violation RateExceeded",
        Output::Event(Event::Stranded) => "Stranded",
        Output::Event(Event::NeighborUp { .. }) => "NeighborUp",
        Output::Event(Event::NeighborDown { reason: DownReason::Evicted, .. }) => "NeighborDown Evicted",
        Output::Event(Event::NeighborDown { reason: DownReason::Left, .. }) => "NeighborDown Left",
        Output::Event(Event::NeighborDown { reason: DownReason::Lost, .. }) => "NeighborDown Lost",
        Output::Event(Event::NeighborDown { reason: DownReason::Banned, .. }) => "NeighborDown Banned",
        Output::Event(Event::NeighborDown { reason: DownReason::Local, .. }) => "NeighborDown Local",
    }

    fn state(&self, machine: &Overlay<Peer>) -> &'static str {
        let active = machine.active().count();
        match (self.left, active) {
            (true, _) => "left",
            (_, 0) if machine.pending().next().is_some() => "asking",
            (_, 0) => "silent",
            _ if active >= machine.active_capacity() => "full",
            _ => "linked",
        }
    }

    /// One for each peer of the views and of the message, four times over: hold, dial, send, report.
    fn outputs_max(&self, input: Option<&Input<Peer>>) -> usize {
        let named = match input {
            Some(Input::Message { message: Message::Shuffle { nodes, .. }, .. })
            | Some(Input::Message { message: Message::ShuffleReply { nodes, .. }, .. }) => nodes.len(),
            Some(Input::Join { bootstrap }) => bootstrap.len(),
            Some(Input::Known { contacts }) => contacts.len(),
            _ => 0,
        };
        4 * (usize::from(PEERS) + named) + 4
    }

    fn memory_max(&self) -> usize {
        128 * 1024
    }

    fn closes(input: Option<&Input<Peer>>, _outputs: &[Output<Peer>]) -> bool {
        input == Some(&Input::Leave)
    }
}
