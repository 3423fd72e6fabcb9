//! A hand-made peer: it upgrades links as everybody, and then says what a test wants.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::super::{Input, Output};
use super::network::{Kind, Network, id, keypair};
use crate::channel::{self, Channel, StreamId};
use crate::identity::Keypair;
use crate::link::{Address, LinkId, Role, Via};
use crate::machine::{At, Context, Machine};
use crate::mesh::establishment::{self, Hello, Message};
use crate::mesh::heads::{Fields, Head, Tip};
use crate::time::Instant;

pub(super) struct Raw {
    pub(super) outputs: VecDeque<Output>,
    local: Arc<channel::Local>,
    protocols: Arc<[alloc::string::String]>,
    /// Of links to come.
    pub(super) config: Arc<channel::Config>,
    /// Whether credit returns for what it receives on streams.
    pub(super) reads: bool,
    pub(super) links: BTreeMap<LinkId, RawLink>,
    rng: ChaCha8Rng,
    next_link: u64,
}

pub(super) struct RawLink {
    channel: Channel,
    pub(super) said: Vec<channel::Output>,
    pub(super) open: bool,
}

impl Raw {
    pub(super) fn new(pair: Keypair, protocols: &[&str]) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        Self {
            outputs: VecDeque::new(),
            local: Arc::new(channel::Local::new(&pair, &mut rng)),
            protocols: protocols.iter().map(ToString::to_string).collect(),
            config: Arc::default(),
            reads: true,
            links: BTreeMap::new(),
            rng,
            next_link: 0,
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.links.values().filter(|link| link.open).filter_map(|link| link.channel.poll_timeout()).min()
    }

    pub(super) fn handle_timeout(&mut self, at: At) {
        for id in self.links.keys().copied().collect::<Vec<_>>() {
            self.drive(at, id, Machine::handle_timeout);
        }
    }

    pub(super) fn handle(&mut self, at: At, input: Input) {
        match input {
            Input::Opened { link, via, .. } => {
                let role = if matches!(via, Via::Dialled) { Role::Dialler } else { Role::Listener };
                let (config, local) = (Arc::clone(&self.config), Arc::clone(&self.local));
                let channel = Channel::new(config, local, role, None, Arc::clone(&self.protocols));
                self.links.insert(link, RawLink { channel, said: Vec::new(), open: true });
                self.channel(at, link, channel::Input::Start);
            }
            Input::Received { link, bytes } => self.channel(at, link, channel::Input::Received(bytes)),
            Input::Written { link, count } => self.channel(at, link, channel::Input::Written(count)),
            Input::Finished { link } => self.channel(at, link, channel::Input::Finished),
            Input::Closed { link, .. } => {
                self.links.entry(link).and_modify(|link| link.open = false);
            }
            input @ (Input::Listening { .. }
            | Input::ListenFailed { .. }
            | Input::Message { .. }
            | Input::Datagram { .. }
            | Input::AddressesChanged
            | Input::Answer { .. }
            | Input::Command(_)) => panic!("a hand-made peer was told {input:?}"),
        }
    }

    pub(super) fn channel(&mut self, at: At, link: LinkId, input: channel::Input) {
        self.drive(at, link, |channel, cx| channel.handle(input, cx));
    }

    fn drive(
        &mut self,
        at: At,
        id: LinkId,
        run: impl FnOnce(&mut Channel, &mut Context<'_, channel::Output>),
    ) {
        let Some(link) = self.links.get_mut(&id).filter(|link| link.open) else { return };
        let mut said = Vec::new();
        run(&mut link.channel, &mut Context::new(at, &mut self.rng, &mut said));
        for output in said {
            if let channel::Output::Received { stream, bytes } = &output {
                let (stream, count) = (*stream, bytes.len());
                self.links.entry(id).and_modify(|link| link.said.push(output));
                if self.reads {
                    self.channel(at, id, channel::Input::Consumed { stream, count });
                }
            } else if let channel::Output::Send(bytes) = output {
                self.outputs.push_back(Output::Send { link: id, bytes });
            } else if let channel::Output::Closed(cause) = &output {
                self.outputs.push_back(Output::Close { link: id, how: cause.how() });
            } else {
                self.links.entry(id).and_modify(|link| link.said.push(output));
            }
        }
    }
}

impl Network {
    pub(super) fn raw(&mut self, host: usize) -> &mut Raw {
        match &mut self.hosts[host].kind {
            Kind::Raw(raw) => raw,
            Kind::Node(_) => panic!("host {host} is a node"),
        }
    }

    /// Dials, and returns once streams can be opened.
    pub(super) fn raw_dial(&mut self, host: usize, to: usize) -> LinkId {
        let address = Address::Socket(self.hosts[to].address);
        let raw = self.raw(host);
        let link = LinkId(raw.next_link);
        raw.next_link += 1;
        let (from, role) = (crate::link::From::Anywhere, Role::Dialler);
        raw.outputs.push_back(Output::Dial { link, address, from, role });
        self.outputs(host);
        self.run(core::time::Duration::from_secs(1));
        link
    }

    pub(super) fn raw_input(&mut self, host: usize, link: LinkId, input: channel::Input) {
        let at = self.at();
        self.raw(host).channel(at, link, input);
        self.outputs(host);
    }

    /// Opens a stream, and returns it once the peer has agreed.
    pub(super) fn raw_open(&mut self, host: usize, link: LinkId, protocol: &str) -> Option<StreamId> {
        let token = u64::try_from(self.raw(host).links[&link].said.len()).unwrap();
        self.raw_input(host, link, channel::Input::Open { token, protocols: alloc::vec![protocol.into()] });
        self.run(core::time::Duration::from_millis(500));
        self.raw(host).links[&link].said.iter().find_map(|output| {
            let channel::Output::Opened { token: other, stream, .. } = output else { return None };
            (*other == token).then_some(*stream)
        })
    }

    pub(super) fn raw_send(&mut self, host: usize, link: LinkId, stream: StreamId, bytes: Bytes) {
        self.raw_input(host, link, channel::Input::Send { stream, bytes });
    }

    /// All bytes of a stream.
    pub(super) fn raw_received(&mut self, host: usize, link: LinkId, stream: StreamId) -> Vec<u8> {
        let bytes = |output: &channel::Output| {
            let channel::Output::Received { stream: of, bytes } = output else { return None };
            (*of == stream).then(|| bytes.to_vec())
        };
        self.raw(host).links[&link].said.iter().filter_map(bytes).flatten().collect()
    }

    /// The streams of a protocol that the peer has opened.
    pub(super) fn raw_accepted(&mut self, host: usize, link: LinkId, protocol: &str) -> Vec<StreamId> {
        let accepted = |output: &channel::Output| {
            let channel::Output::Accepted { stream, protocol: of } = output else { return None };
            (*of == *protocol).then_some(*stream)
        };
        self.raw(host).links[&link].said.iter().filter_map(accepted).collect()
    }

    pub(super) fn raw_was_reset(&mut self, host: usize, link: LinkId, stream: StreamId) -> bool {
        self.raw(host).links[&link].said.contains(&channel::Output::Reset { stream })
    }

    /// Dials a node and establishes the link as a member does; returns it with its session stream.
    pub(super) fn raw_establish(&mut self, host: usize, to: usize) -> (LinkId, StreamId) {
        let link = self.raw_dial(host, to);
        let stream = self.raw_open(host, link, establishment::PROTOCOL).unwrap();
        self.raw_send(host, link, stream, hello("pleach").to_frame());
        self.raw_send(host, link, stream, Message::Ack { version: 1 }.to_frame());
        self.run(core::time::Duration::from_millis(500));
        (link, stream)
    }
}

pub(super) fn hello(network: &str) -> Message {
    Message::Hello(Hello {
        network: network.into(),
        lowest: 1,
        highest: 1,
        stamp: None,
        metadata: Bytes::new(),
    })
}

/// What this host would say of itself now.
pub(super) fn head_of(host: usize, network: &Network, height: u64) -> Head {
    let fields = Fields {
        node: 0,
        peer: id(host),
        height,
        tip: Tip::new(),
        software: "pleach".try_into().unwrap(),
        version: "1".try_into().unwrap(),
        free_member_rooms: 1,
        free_mirror_rooms: 1,
        issued: network.at().wall,
    };
    Head::sign(fields, "pleach", &keypair(host))
}

/// The frames of `/pleach/session/1` in these bytes.
pub(super) fn messages(bytes: &[u8]) -> Vec<Message> {
    let mut deframer =
        crate::wire::frame::Deframer::new(crate::wire::frame::Prefix::Varint, establishment::FRAME_MAX);
    deframer.push(Bytes::copy_from_slice(bytes));
    let mut messages = Vec::new();
    while let Ok(Some(frame)) = deframer.next_frame() {
        messages.extend(Message::from_frame(&frame).unwrap());
    }
    messages
}

/// The frames of the overlay and broadcast stream in these bytes.
pub(super) fn rpcs(bytes: &[u8]) -> Vec<crate::mesh::rpc::Rpc> {
    let mut deframer =
        crate::wire::frame::Deframer::new(crate::wire::frame::Prefix::Varint, crate::mesh::rpc::FRAME_MAX);
    deframer.push(Bytes::copy_from_slice(bytes));
    let mut messages = Vec::new();
    while let Ok(Some(frame)) = deframer.next_frame() {
        messages.push(crate::mesh::rpc::decode(&frame).unwrap());
    }
    messages
}
