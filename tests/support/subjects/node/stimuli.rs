//! What the node is told: in good order and in bad, by peers, the application and the driver.

use std::time::Duration;

use bytes::Bytes;
use pleach_core::broadcast::{Id, Message, Scope, Verdict};
use pleach_core::channel::Role;
use pleach_core::identity::{Keypair, PeerId};
use pleach_core::link::{Address, Answer, Cause, LinkId, ListenerId, MessageKind, QueryId, Via};
use pleach_core::mesh::establishment::Hello;
use pleach_core::mesh::node::Input;
use pleach_core::mesh::rpc::Action;
use pleach_core::mesh::{Command, Config, establishment, heads, rpc};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::super::counterpart::{Counterpart, Oddities};
use super::{End, PAYLOAD_MAX, SEED, TOPICS, World, address, keypair, opened};
use crate::choices::Choices;

impl World {
    fn link(&self, choices: &mut Choices<'_>) -> LinkId {
        let known: Vec<_> = self.links.keys().copied().collect();
        let anything = LinkId(choices.edgy(LinkId::ACCEPTED));
        if choices.once_in(8) { anything } else { choices.pick(&known).unwrap_or(anything) }
    }

    /// What comes next; sometimes it comes twice, or out of order.
    pub(super) fn next(&mut self, choices: &mut Choices<'_>) -> Input {
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
    pub(super) fn attack(&mut self, choices: &mut Choices<'_>) -> Input {
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

    pub(super) fn command(&mut self, choices: &mut Choices<'_>) -> Command {
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
            40..45 => {
                let peer = self.questions.pop().unwrap_or(peer);
                Command::Registered { peer, registered: !choices.once_in(8) }
            }
            45..48 => {
                let peer = self.applicants.pop().unwrap_or(peer);
                Command::Admit { peer, admitted: !choices.once_in(8) }
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
    pub(super) fn oddity(&mut self, choices: &mut Choices<'_>) -> Input {
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
