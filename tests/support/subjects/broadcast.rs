//! Drives [`Broadcast`]: a few neighbours, a few contents that meet again and again, and small limits.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pleach_core::broadcast::{
    Announcement, Broadcast, Config, Event, Id, Ids, Input, Message, Outcome, Output, Scope, Verdict,
    Violation,
};

use super::{PEERS, Peer};
use crate::choices::Choices;
use crate::laws::Subject;
use crate::variants;

/// Contents that occur.
const CONTENTS: u8 = 40;
const PUBLISH_MAX: usize = 400;
const RECEIVE_MAX: usize = 500;
const ITEMS_MAX: usize = 12;

/// What surrounds one instance.
#[derive(Debug)]
pub struct Swarm {
    neighbours: BTreeSet<Peer>,
    /// Asked for and not answered.
    verdicts: Vec<Id>,
}

fn config(choices: &mut Choices<'_>) -> Config {
    Config {
        ids: if choices.once_in(3) { Ids::Opaque } else { Ids::Content },
        validate: choices.once_in(2),
        publish_max: PUBLISH_MAX,
        receive_max: RECEIVE_MAX,
        graft_attempts: 2,
        cache_entries: 16,
        cache_bytes: 4000,
        cache_lifetime: Duration::from_secs(10),
        seen_entries: 64,
        ihave_ids: ITEMS_MAX,
        graft_ids: ITEMS_MAX,
        missing: 16,
        missing_per_peer: 8,
        grafts_per_second: 6,
        broken_promises: 2,
        validations: 6,
        validation_bytes: 1500,
        validations_per_peer: 3,
        rejects: 4,
        ..Config::default()
    }
}

/// Every fifth content is beyond one of the two size limits.
fn content(number: u8) -> Bytes {
    let length = match number % 10 {
        4 => PUBLISH_MAX + 1,
        9 => RECEIVE_MAX + 1,
        _ => usize::from(number) * 8,
    };
    Bytes::from(vec![number; length])
}

impl Swarm {
    fn id(choices: &mut Choices<'_>) -> Id {
        Id::of(&content(choices.byte() % CONTENTS))
    }

    fn ids(choices: &mut Choices<'_>) -> Vec<Id> {
        (0..choices.below(ITEMS_MAX + 3)).map(|_| Self::id(choices)).collect()
    }

    fn announcements(choices: &mut Choices<'_>) -> Vec<Announcement> {
        let announce =
            |choices: &mut Choices<'_>| Announcement { id: Self::id(choices), hop: choices.edgy32(20) };
        (0..choices.below(ITEMS_MAX + 3)).map(|_| announce(choices)).collect()
    }

    /// A neighbour, or rarely anybody.
    fn peer(&self, choices: &mut Choices<'_>) -> Peer {
        let neighbours: Vec<_> = self.neighbours.iter().copied().collect();
        let anybody = choices.byte() % PEERS;
        if choices.once_in(16) { anybody } else { choices.pick(&neighbours).unwrap_or(anybody) }
    }

    fn message(choices: &mut Choices<'_>) -> Message {
        match choices.byte() % 16 {
            0..8 => {
                let payload = content(choices.byte() % CONTENTS);
                let id = if choices.once_in(16) { Self::id(choices) } else { Id::of(&payload) };
                Message::Payload { id, hop: choices.edgy32(20), payload }
            }
            8..11 => Message::IHave(Self::announcements(choices)),
            11 | 12 => Message::Prune,
            13 | 14 => Message::Graft(Self::ids(choices)),
            _ => Message::NotHave(Self::ids(choices)),
        }
    }
}

impl Subject for Swarm {
    type Input = Input<Peer>;
    type Output = Output<Peer>;
    type Machine = Broadcast<Peer>;

    const NAME: &'static str = "broadcast";
    const STATES: &'static [&'static str] = &["alone", "flooding", "tree", "lazy", "missing", "validating"];

    fn build(choices: &mut Choices<'_>) -> (Self, Broadcast<Peer>) {
        let machine = Broadcast::new(Arc::new(config(choices)));
        (Self { neighbours: BTreeSet::new(), verdicts: Vec::new() }, machine)
    }

    fn generate(&mut self, choices: &mut Choices<'_>) -> Input<Peer> {
        match choices.byte() % 32 {
            0..4 => {
                let peer = choices.byte() % PEERS;
                self.neighbours.insert(peer);
                Input::NeighborUp { peer, extended: choices.once_in(2) }
            }
            4 | 5 => {
                let peer = self.peer(choices);
                self.neighbours.remove(&peer);
                Input::NeighborDown { peer }
            }
            6 => Input::Extended { peer: self.peer(choices) },
            7 | 8 => Input::Publish {
                token: choices.edgy(9),
                payload: content(choices.byte() % CONTENTS),
                scope: if choices.once_in(4) { Scope::Neighbours } else { Scope::Swarm },
            },
            9..14 => {
                let known = choices.below(self.verdicts.len());
                let id = if self.verdicts.is_empty() {
                    Self::id(choices)
                } else {
                    self.verdicts.swap_remove(known)
                };
                let verdicts = [Verdict::Accept, Verdict::Accept, Verdict::Ignore, Verdict::Reject];
                Input::Verdict { id, verdict: choices.pick(&verdicts).unwrap_or(Verdict::Accept) }
            }
            14 => Input::Shed { peer: self.peer(choices), announcements: Self::announcements(choices) },
            _ => Input::Message { from: self.peer(choices), message: Self::message(choices) },
        }
    }

    fn observe(&mut self, output: &Output<Peer>) {
        if let Output::Validate { id, .. } = output {
            self.verdicts.push(*id);
            // Some are never answered.
            self.verdicts.truncate(8);
        }
    }

    variants! { INPUTS, input_name(Input<Peer>):
        Input::Publish { scope: Scope::Swarm, .. } => "Publish Swarm",
        Input::Publish { scope: Scope::Neighbours, .. } => "Publish Neighbours",
        Input::Message { message: Message::Payload { .. }, .. } => "Message Payload",
        Input::Message { message: Message::IHave(_), .. } => "Message IHave",
        Input::Message { message: Message::Prune, .. } => "Message Prune",
        Input::Message { message: Message::Graft(_), .. } => "Message Graft",
        Input::Message { message: Message::NotHave(_), .. } => "Message NotHave",
        Input::NeighborUp { .. } => "NeighborUp",
        Input::NeighborDown { .. } => "NeighborDown",
        Input::Extended { .. } => "Extended",
        Input::Verdict { verdict: Verdict::Accept, .. } => "Verdict Accept",
        Input::Verdict { verdict: Verdict::Ignore, .. } => "Verdict Ignore",
        Input::Verdict { verdict: Verdict::Reject, .. } => "Verdict Reject",
        Input::Shed { .. } => "Shed",
    }

    variants! { OUTPUTS, output_name(Output<Peer>):
        Output::Send { message: Message::Payload { .. }, .. } => "Send Payload",
        Output::Send { message: Message::IHave(_), .. } => "Send IHave",
        Output::Send { message: Message::Prune, .. } => "Send Prune",
        Output::Send { message: Message::Graft(_), .. } => "Send Graft",
        Output::Send { message: Message::NotHave(_), .. } => "Send NotHave",
        Output::Validate { .. } => "Validate",
        Output::Stranger { .. } => "Stranger",
        Output::Violation { violation: Violation::Rejected, .. } => "Violation Rejected",
        Output::Violation { violation: Violation::WrongId, .. } => "Violation WrongId",
        Output::Violation { violation: Violation::Oversize, .. } => "Violation Oversize",
        Output::Violation { violation: Violation::BrokenPromises, .. } => "Violation BrokenPromises",
        Output::Violation { violation: Violation::RateExceeded, .. } => "Violation RateExceeded",
        Output::Event(Event::Delivered { .. }) => "Delivered",
        Output::Event(Event::Published { outcome: Outcome::Sent, .. }) => "Published Sent",
        Output::Event(Event::Published { outcome: Outcome::NoNeighbours, .. }) => "Published NoNeighbours",
        Output::Event(Event::Published { outcome: Outcome::AlreadySeen, .. }) => "Published AlreadySeen",
        Output::Event(Event::Published { outcome: Outcome::TooLarge, .. }) => "Published TooLarge",
        Output::Event(Event::Lost { .. }) => "Lost",
    }

    fn state(&self, machine: &Broadcast<Peer>) -> &'static str {
        let (eager, lazy) = (machine.eager().next(), machine.lazy().next());
        match (machine.validating() > 0, machine.missing() > 0, eager, lazy) {
            (true, ..) => "validating",
            (_, true, ..) => "missing",
            (_, _, Some(_), Some(_)) => "tree",
            (_, _, Some(_), None) => "flooding",
            (_, _, None, Some(_)) => "lazy",
            (_, _, None, None) => "alone",
        }
    }

    /// A message costs at most one output for each id it names and each neighbour, and a few more; a timeout one for
    /// each payload waited for or under validation, and for each neighbour two.
    fn outputs_max(&self, input: Option<&Input<Peer>>) -> usize {
        let neighbours = usize::from(PEERS);
        match input {
            Some(Input::Message { message: Message::IHave(announcements), .. })
            | Some(Input::Shed { announcements, .. }) => neighbours + announcements.len() + 4,
            Some(Input::Message { message: Message::Graft(ids) | Message::NotHave(ids), .. }) => {
                neighbours + ids.len() + 4
            }
            Some(_) => neighbours + 4,
            None => 16 + 6 + 2 * neighbours,
        }
    }

    fn memory_max(&self) -> usize {
        96 * 1024
    }
}
