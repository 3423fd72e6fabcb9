//! The honest nodes around the one that is checked, and the links between them.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use pleach_core::broadcast::Verdict;
use pleach_core::link::{Address, Answer, Cause, LinkId, ListenerId, Via};
use pleach_core::mesh::node::{Input, Node, Output};
use pleach_core::mesh::{Command, Event, Snapshot};
use pleach_core::{Context, Machine};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::{End, START, TOPICS, World, address, config, keypair, opened};

/// So many there are.
pub(super) const HONEST: usize = 2;
/// What a call of [`World::pass_time`] takes.
const STEP: Duration = Duration::from_millis(100);

/// One of them.
pub(super) struct Honest {
    node: Node,
    rng: ChaCha8Rng,
    address: SocketAddr,
}

pub(super) fn nodes(solcial: bool) -> Vec<Honest> {
    let node = |number: usize| {
        let address = address(number);
        let mut rng = ChaCha8Rng::seed_from_u64(u64::try_from(number).unwrap_or(0));
        let (config, identity) = (config(address, solcial), keypair(number));
        let node = Node::new(config, identity, &Snapshot::default(), START, &mut rng).ok()?;
        Some(Honest { node, rng: ChaCha8Rng::seed_from_u64(9), address })
    };
    (1..=HONEST).filter_map(node).collect()
}

impl World {
    /// The honest nodes listen and take part.
    pub(super) fn begin(mut self) -> Self {
        for number in 0..self.nodes.len() {
            for topic in TOPICS.iter().take(2) {
                let subscribe = Command::Subscribe { token: 0, topic: (*topic).to_owned() };
                self.tell(number, Input::Command(subscribe));
            }
        }
        self
    }

    /// Tells an honest node something, and does what it says.
    pub(super) fn tell(&mut self, number: usize, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let Some(Honest { node, rng, .. }) = self.nodes.get_mut(number) else { return };
            let mut outputs = Vec::new();
            node.handle(input, &mut Context::new(self.at, rng, &mut outputs));
            outputs.into_iter().for_each(|output| inputs.extend(self.serve(number, output)));
        }
    }

    pub(super) fn pass_time(&mut self) {
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
    pub(super) fn accept(&mut self, end: End, remote: SocketAddr) {
        let link = LinkId(self.next_accepted);
        self.next_accepted += 1;
        self.links.insert(link, end);
        let via = Via::Accepted { listener: ListenerId(0) };
        self.coming.push_back(opened(link, via, address(0), remote));
    }

    pub(super) fn close(&mut self, link: LinkId) {
        self.unwritten.remove(&link);
        if let Some(End::Honest(number, theirs)) = self.links.remove(&link) {
            self.tell(number, Input::Closed { link: theirs, cause: Cause::Reset });
        }
    }

    pub(super) fn dialled(&mut self, link: LinkId, to: &Address) {
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
