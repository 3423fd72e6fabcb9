//! Peers on the bench: what they hear is written down, what they draw too.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use pleach_core::bob::peer::RelayAccess;
use pleach_core::bob::{Client, Name, Password, Server, client, server};
use pleach_core::link::{Address, Cause, Input, LinkId, Output, Via};
use pleach_core::{At, Context, Instant, Machine};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng, TryCryptoRng, TryRng};

use super::bench::cut;

/// The links of a peer, by the ports that they lead to.
pub(crate) const HALL: u16 = 9000;
pub(crate) const ROOM: u16 = 9001;

/// What a peer draws: what was recorded and nothing more, or anything.
pub(crate) struct Draws {
    pub(crate) recorded: Option<VecDeque<u8>>,
    free: ChaCha8Rng,
}

impl TryRng for Draws {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        panic!("a peer draws bytes only")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        panic!("a peer draws bytes only")
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        match &mut self.recorded {
            Some(recorded) => {
                let drawn = bytes.iter_mut().zip(std::iter::from_fn(|| recorded.pop_front()));
                let count = drawn.map(|(to, from)| *to = from).count();
                assert_eq!(count, bytes.len(), "more is drawn than was recorded");
            }
            None => self.free.fill_bytes(bytes),
        }
        Ok(())
    }
}

impl TryCryptoRng for Draws {}

/// One peer, and all that it has done.
pub(crate) struct Desk<M, E> {
    machine: M,
    now: Instant,
    pub(crate) draws: Draws,
    /// None: reads are whole.
    cuts: Option<ChaCha8Rng>,
    /// By port: what it said and nobody has looked at.
    said: BTreeMap<u16, Vec<u8>>,
    ports: BTreeMap<LinkId, u16>,
    /// Ports whose links it has closed.
    pub(crate) closed: Vec<u16>,
    pub(crate) events: Vec<E>,
}

pub(crate) type ServerDesk = Desk<Server, server::Event>;
pub(crate) type ClientDesk = Desk<Client, client::Event>;

fn relay() -> RelayAccess {
    let port = |number| Address::Socket(([127, 0, 0, 1], number).into());
    RelayAccess::new(port(HALL), port(ROOM))
}

pub(crate) fn server(
    password: &[u8],
    name: &[u8],
    size: usize,
    iterations: u32,
    draws: Option<Vec<u8>>,
    seed: u64,
) -> ServerDesk {
    let name = Name::try_from(name).expect("a name of a file");
    let size = u64::try_from(size).expect("a small file");
    let config = server::Config::new(relay(), Password::new(password.to_vec()), name, size);
    let machine = Server::new(server::Config { iterations, ..config }).expect("a valid count");
    Desk::new(machine, draws, seed)
}

pub(crate) fn client(password: &[u8], draws: Option<Vec<u8>>, seed: u64) -> ClientDesk {
    let config = client::Config::new(relay(), Password::new(password.to_vec()));
    Desk::new(Client::new(config), draws, seed)
}

impl<C, E, M: Machine<Input = Input<C>, Output = Output<E>>> Desk<M, E> {
    /// A peer that has reached the handshake port. With seed 0 it hears whole reads, with others pieces.
    fn new(machine: M, draws: Option<Vec<u8>>, seed: u64) -> Self {
        let mut desk = Self {
            machine,
            now: Instant::from_micros(1),
            draws: Draws {
                recorded: draws.map(VecDeque::from),
                free: ChaCha8Rng::seed_from_u64(seed ^ 0x5eed),
            },
            cuts: (seed > 0).then(|| ChaCha8Rng::seed_from_u64(seed)),
            said: BTreeMap::new(),
            ports: BTreeMap::new(),
            closed: Vec::new(),
            events: Vec::new(),
        };
        desk.call(None);
        desk.patience(Duration::from_secs(1), |desk| desk.ports.values().any(|port| *port == HALL));
        desk
    }

    /// Waits, as long as the machine has something to do and `until` does not hold.
    fn patience(&mut self, most: Duration, until: impl Fn(&Self) -> bool) {
        let end = self.now + most;
        while !until(self) {
            let Some(at) = self.machine.poll_timeout().filter(|at| *at <= end) else { return };
            self.now = self.now.max(at);
            self.call(None);
        }
    }

    pub(crate) fn command(&mut self, command: C) {
        self.call(Some(Input::Command(command)));
    }

    /// Hears bytes, cut anywhere.
    pub(crate) fn hears(&mut self, port: u16, bytes: &[u8]) {
        for piece in cut(bytes, self.cuts.as_mut()) {
            if let Some(link) = self.link(port) {
                self.call(Some(Input::Received { link, bytes: Bytes::copy_from_slice(piece) }));
            }
        }
    }

    /// The stream has ended.
    pub(crate) fn ends(&mut self, port: u16) {
        if let Some(link) = self.link(port) {
            self.call(Some(Input::Finished { link }));
        }
    }

    /// Takes `count` bytes of what it said, or what there is of them after some minutes: it may make others wait.
    pub(crate) fn says(&mut self, port: u16, count: usize) -> Vec<u8> {
        let said = |desk: &Self| desk.said.get(&port).map_or(0, Vec::len);
        self.patience(Duration::from_secs(50), |desk| said(desk) >= count);
        let all = self.said.entry(port).or_default();
        all.drain(..count.min(all.len())).collect()
    }

    /// Takes all that it said.
    pub(crate) fn said(&mut self, port: u16) -> Vec<u8> {
        self.said.remove(&port).unwrap_or_default()
    }

    fn link(&self, port: u16) -> Option<LinkId> {
        let link = self.ports.iter().find(|(_, of)| **of == port && !self.closed.contains(&port));
        link.map(|(link, _)| *link)
    }

    fn call(&mut self, input: Option<Input<C>>) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut outputs = Vec::new();
            let cx = &mut Context::new(At { now: self.now, ..At::default() }, &mut self.draws, &mut outputs);
            match input {
                Some(input) => self.machine.handle(input, cx),
                None => self.machine.handle_timeout(cx),
            }
            for output in outputs {
                inputs.extend(self.carry_out(output).map(Some));
            }
        }
    }

    /// Does what it wants. Links open and close at once, and what is sent leaves at once.
    fn carry_out(&mut self, output: Output<E>) -> Option<Input<C>> {
        match output {
            Output::Dial { link, address, .. } => {
                let Address::Socket(to) = &address else { panic!("not where it was told to dial") };
                self.ports.insert(link, to.port());
                let local = Address::Socket(([127, 0, 0, 1], 1).into());
                Some(Input::Opened { link, via: Via::Dialled, local, remote: address })
            }
            Output::Send { link, bytes } => {
                let port = self.ports[&link];
                assert!(!self.closed.contains(&port), "sent on a closed link");
                self.said.entry(port).or_default().extend_from_slice(&bytes);
                Some(Input::Written { link, count: bytes.len() })
            }
            Output::Close { link, .. } => {
                self.closed.push(self.ports[&link]);
                Some(Input::Closed { link, cause: Cause::Finished })
            }
            Output::Event(event) => {
                self.events.push(event);
                None
            }
            Output::Pause { .. } | Output::Resume { .. } => None,
            Output::Listen { .. }
            | Output::Unlisten { .. }
            | Output::Message { .. }
            | Output::Finish { .. }
            | Output::Datagram { .. }
            | Output::Query { .. } => panic!("a peer does not do that"),
        }
    }
}
