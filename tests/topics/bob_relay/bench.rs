//! A relay on the bench: links by hand, every output collected.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use pleach_core::bob::packet::{Decoder, Uid};
use pleach_core::bob::relay::{Config, Event, Guessing, Input, Output, Relay};
use pleach_core::link::{Address, Cause, LinkId, ListenerId, Via};
use pleach_core::{At, Context, Instant, Machine, WallTime};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// Longer than a recording takes, which has no say in it: what is due is brought about by the recording.
const TIMEOUT: Duration = Duration::from_secs(1000);

/// What a relay did.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Action {
    Send(LinkId, Vec<u8>),
    Close(LinkId),
}

/// Takes the limits off that recordings of upstream know nothing of: many hellos, many guesses from one address, floods.
fn like_upstream() -> Config {
    let any = Address::Socket(([127, 0, 0, 1], 0).into());
    let mut config = Config::new(any.clone(), any);
    config.timeout = TIMEOUT;
    config.hello_repeats_max = u32::MAX;
    config.own_identity_only = false;
    config.queued_bytes_per_sender_max = usize::MAX;
    config.guessing = Guessing { pause: Duration::ZERO, ..Guessing::default() };
    config
}

pub(crate) struct Bench {
    relay: Relay,
    now: Instant,
    rng: ChaCha8Rng,
    next: u64,
    open: BTreeSet<LinkId>,
    actions: Vec<Action>,
    /// What every registered peer is called.
    names: BTreeMap<Uid, String>,
    /// Pairs for which a room was promised: what client and server are called.
    pub(crate) agreed: Vec<(String, String)>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let mut bench = Self {
            relay: Relay::new(like_upstream()),
            now: Instant::from_micros(1),
            rng: ChaCha8Rng::seed_from_u64(0),
            next: LinkId::ACCEPTED,
            open: BTreeSet::new(),
            actions: Vec::new(),
            names: BTreeMap::new(),
            agreed: Vec::new(),
        };
        bench.call(None);
        bench
    }

    /// A link comes in, later than all before, so that its time will be over later. The relay says nothing to that.
    pub(crate) fn open(&mut self, from: SocketAddr, port: u32) -> LinkId {
        let link = LinkId(self.next);
        self.next += 1;
        self.now += Duration::from_millis(1);
        self.open.insert(link);
        let via = Via::Accepted { listener: ListenerId(port) };
        let local = Address::Socket(([127, 0, 0, 1], 9000).into());
        self.call(Some(Input::Opened { link, via, local, remote: Address::Socket(from) }));
        assert_eq!(self.actions, [], "a relay waits for the peer to speak");
        link
    }

    /// The peer sends bytes, cut anywhere if `cuts` is given.
    pub(crate) fn bytes(&mut self, link: LinkId, bytes: &[u8], cuts: Option<&mut ChaCha8Rng>) -> Vec<Action> {
        for piece in cut(bytes, cuts) {
            if self.open.contains(&link) {
                self.call(Some(Input::Received { link, bytes: Bytes::copy_from_slice(piece) }));
            }
        }
        std::mem::take(&mut self.actions)
    }

    /// The peer's stream ends.
    pub(crate) fn end(&mut self, link: LinkId) -> Vec<Action> {
        if self.open.contains(&link) {
            self.call(Some(Input::Finished { link }));
        }
        std::mem::take(&mut self.actions)
    }

    /// The time of a link is over, or that of the room in which it waits.
    pub(crate) fn expire(&mut self, link: LinkId) -> Vec<Action> {
        while self.open.contains(&link) {
            self.now = self.relay.poll_timeout().expect("an open link has a deadline");
            self.call(None);
        }
        std::mem::take(&mut self.actions)
    }

    /// One call, and what the driver reports after it: all is written at once, links close at once.
    fn call(&mut self, input: Option<Input>) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut outputs = Vec::new();
            let at = At { now: self.now, wall: WallTime::default() };
            let mut cx = Context::new(at, &mut self.rng, &mut outputs);
            match input {
                Some(input) => self.relay.handle(input, &mut cx),
                None => self.relay.handle_timeout(&mut cx),
            }
            for output in outputs {
                self.carry_out(output, &mut inputs);
            }
        }
    }

    fn carry_out(&mut self, output: Output, inputs: &mut VecDeque<Option<Input>>) {
        match output {
            Output::Send { link, bytes } => {
                assert!(self.open.contains(&link), "sent on a closed link");
                inputs.push_back(Some(Input::Written { link, count: bytes.len() }));
                self.actions.push(Action::Send(link, bytes.to_vec()));
            }
            Output::Close { link, .. } => {
                assert!(self.open.remove(&link), "closed twice");
                inputs.push_back(Some(Input::Closed { link, cause: Cause::Finished }));
                self.actions.push(Action::Close(link));
            }
            Output::Event(Event::Registered { uid, identity, .. }) => {
                self.names.insert(uid, identity.to_string());
            }
            Output::Event(Event::Agreed { client, server }) => {
                let name = |uid| self.names.get(&uid).cloned().unwrap_or_default();
                self.agreed.push((name(client), name(server)));
            }
            Output::Listen { .. } | Output::Event(_) | Output::Pause { .. } | Output::Resume { .. } => {}
            Output::Unlisten { .. }
            | Output::Dial { .. }
            | Output::Message { .. }
            | Output::Finish { .. }
            | Output::Datagram { .. }
            | Output::Query { .. } => panic!("a relay that runs does not do that: {output:?}"),
        }
    }
}

/// The pieces of a read.
pub(crate) fn cut<'a>(mut bytes: &'a [u8], cuts: Option<&mut ChaCha8Rng>) -> Vec<&'a [u8]> {
    let Some(rng) = cuts else { return vec![bytes] };
    let mut pieces = Vec::new();
    while !bytes.is_empty() {
        let most = u32::try_from(bytes.len()).expect("a recording is short");
        let (piece, rest) = bytes.split_at(usize::try_from(1 + rng.next_u32() % most).expect("a short read"));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

/// The packets of a stream, each with its bytes.
pub(crate) fn packets(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (mut decoder, mut rest) = (Decoder::new(), Bytes::copy_from_slice(bytes));
    let mut packets = Vec::new();
    while !rest.is_empty() {
        let before = rest.clone();
        let packet = decoder.next(&mut rest);
        assert!(matches!(packet, Ok(Some(_))), "whole packets: {before:?}");
        packets.push(before.slice(..before.len() - rest.len()).to_vec());
    }
    packets
}
