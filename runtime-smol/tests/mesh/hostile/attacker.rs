//! A peer that does everything right until a test has it misbehave: a channel of its own on a blocking socket.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use pleach_core::Driver;
use pleach_core::channel::{Channel, Config, Input, Local, Output, Role, StreamId};
use pleach_core::identity::Keypair;
use pleach_core::mesh::establishment::{self, Hello, Message};
use pleach_core::mesh::heads;
use pleach_core::mesh::rpc::{self, Action};
use pleach_core::overlay::{self, Contact, Priority};
use pleach_core::time::Clock;
use pleach_core::wire::frame::{Deframer, Prefix};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::peer::TOPIC;

pub(super) const NETWORK: &str = "pleach";
/// Longer than anything takes that is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Attacker {
    pub(super) key: Keypair,
    socket: TcpStream,
    channel: Driver<Channel, ChaCha20Rng>,
    clock: Clock,
    heard: Vec<Output>,
    is_open: bool,
    /// The stream of the establishment.
    pub(super) session: StreamId,
}

impl Attacker {
    /// Dials, proves the key of this seed, and is admitted to the network; none if the link ends before.
    pub(super) fn establish(address: SocketAddr, seed: u8) -> Option<Self> {
        let mut attacker = Self::dial(address, seed);
        attacker.wait(|output| matches!(output, Output::Ready).then_some(()))?;
        attacker.session = attacker.open(establishment::PROTOCOL)?;
        let hello =
            Hello { network: NETWORK.into(), lowest: 1, highest: 1, stamp: None, metadata: Bytes::new() };
        attacker.send(attacker.session, Message::Hello(hello).to_frame());
        attacker.send(attacker.session, Message::Ack { version: 1 }.to_frame());
        let session = attacker.session;
        let mut frames = Deframer::new(Prefix::Varint, establishment::FRAME_MAX);
        attacker.wait(|output| {
            let Output::Received { stream, bytes } = output else { return None };
            if *stream == session {
                frames.push(bytes.clone());
            }
            while let Some(frame) = frames.next_frame().unwrap() {
                if let Some(Message::Ack { .. }) = Message::from_frame(&frame).unwrap() {
                    return Some(());
                }
            }
            None
        })?;
        Some(attacker)
    }

    fn dial(address: SocketAddr, seed: u8) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let mut rng = ChaCha20Rng::seed_from_u64(u64::from(seed));
        let key = Keypair::from_seed(&[seed; 32]);
        let local = Arc::new(Local::new(&key, &mut rng));
        let protocols = [establishment::PROTOCOL, rpc::PROTOCOL, heads::PROTOCOL].map(String::from);
        let channel =
            Channel::new(Arc::new(Config::default()), local, Role::Dialler, None, Arc::from(protocols));
        let channel = Driver::new(channel, rng);
        let session = StreamId(0);
        let mut attacker =
            Self { key, socket, channel, clock: Clock::start(), heard: Vec::new(), is_open: true, session };
        attacker.input(Input::Start);
        attacker
    }

    /// Opens a stream; none if the link ends before.
    pub(super) fn open(&mut self, protocol: &str) -> Option<StreamId> {
        self.input(Input::Open { token: 1, protocols: vec![protocol.into()] });
        self.wait(|output| match output {
            Output::Opened { stream, .. } => Some(*stream),
            Output::OpenFailed { cause, .. } => panic!("{cause:?}"),
            _ => None,
        })
    }

    pub(super) fn send(&mut self, stream: StreamId, bytes: impl Into<Bytes>) {
        self.input(Input::Send { stream, bytes: bytes.into() });
    }

    pub(super) fn gossip(&mut self, stream: StreamId, action: &Action) {
        self.gossip_at_once(stream, core::slice::from_ref(action));
    }

    /// Says all this in one piece, so that it is heard at one moment.
    pub(super) fn gossip_at_once(&mut self, stream: StreamId, actions: &[Action]) {
        let frames: Vec<_> = actions.iter().map(|action| rpc::encode_frame(TOPIC, action).unwrap()).collect();
        self.send(stream, frames.concat());
    }

    /// Opens the stream of gossip and asks to be a neighbour on it.
    pub(super) fn become_neighbor(&mut self) -> Option<StreamId> {
        let stream = self.open(rpc::PROTOCOL)?;
        let peer = self.contact();
        let request = overlay::Message::Neighbor { peer, priority: Priority::High, epoch: Some(1) };
        self.gossip(stream, &Action::Overlay(request));
        // The answer comes on a stream of the node's own.
        self.wait_for_bytes_on(rpc::PROTOCOL)?;
        Some(stream)
    }

    /// Waits until the node has said something on the stream of this protocol that it opened.
    pub(super) fn wait_for_bytes_on(&mut self, protocol: &str) -> Option<StreamId> {
        let ours = |output: &Output| match output {
            Output::Accepted { stream, protocol: accepted } if accepted == protocol => Some(*stream),
            _ => None,
        };
        let expected = self.wait(ours)?;
        let said = |output: &Output| match output {
            Output::Received { stream, .. } if *stream == expected => Some(expected),
            _ => None,
        };
        self.wait(said)
    }

    pub(super) fn reset(&mut self, stream: StreamId) {
        self.input(Input::Reset { stream });
    }

    pub(super) fn contact(&self) -> Contact<pleach_core::identity::PeerId> {
        Contact { peer: self.key.peer_id(), addresses: Vec::new() }
    }

    /// Waits until the node has reset a stream.
    pub(super) fn wait_for_reset(&mut self, stream: StreamId) -> Option<()> {
        self.wait(|output| (*output == Output::Reset { stream }).then_some(()))
    }

    /// Waits until the node has ended the link.
    pub(super) fn wait_for_end(&mut self) {
        assert_eq!(self.wait(|_| None::<()>), None);
    }

    /// Takes the first output, heard or to come, of which `seen` makes something; none if the link ends before.
    fn wait<T>(&mut self, mut seen: impl FnMut(&Output) -> Option<T>) -> Option<T> {
        let begin = Instant::now();
        let mut looked_at = 0;
        loop {
            while let Some(output) = self.heard.get(looked_at) {
                if let Some(found) = seen(output) {
                    self.heard.remove(looked_at);
                    return Some(found);
                }
                looked_at += 1;
            }
            if !self.is_open {
                return None;
            }
            assert!(begin.elapsed() < PATIENCE, "the node does nothing");
            self.read();
        }
    }

    fn input(&mut self, input: Input) {
        self.channel.handle(self.clock.at(), input);
        self.act();
    }

    /// Reads once, and minds the time.
    fn read(&mut self) {
        let mut buffer = vec![0; 64 * 1024];
        match self.socket.read(&mut buffer) {
            Ok(0) => self.is_open = false,
            Ok(length) => self.input(Input::Received(Bytes::copy_from_slice(&buffer[..length]))),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => self.is_open = false,
        }
        self.channel.handle_timeout(self.clock.at());
        self.act();
    }

    fn act(&mut self) {
        while let Some(output) = self.channel.poll_output() {
            match &output {
                Output::Send(bytes) => {
                    let written = Input::Written(bytes.len());
                    self.is_open &= self.socket.write_all(bytes).is_ok();
                    self.channel.handle(self.clock.at(), written);
                }
                Output::Received { stream, bytes } => {
                    let read = Input::Consumed { stream: *stream, count: bytes.len() };
                    self.channel.handle(self.clock.at(), read);
                    self.heard.push(output);
                }
                Output::Closed(_) => self.is_open = false,
                _ => self.heard.push(output),
            }
        }
    }
}
