//! One machine alone: the test is the relay, the partner and the application.

use alloc::vec::Vec;
use core::time::Duration;

use bytes::{Bytes, BytesMut};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::super::way::{HALL, ROOM};
use super::world::port;
use crate::bob::Identity;
use crate::bob::packet::{Body, Decoder, Packet, Uid};
use crate::link::{Cause, How, Input, LinkId, Output, Via};
use crate::machine::{At, Context, Machine};
use crate::time::Instant;

/// What a peer does with one of its links.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::bob) enum Act {
    Dial(LinkId),
    Send(LinkId, Bytes),
    Close(LinkId, How),
    Pause(LinkId),
    Resume(LinkId),
}

pub(in crate::bob) struct Bench<M, E> {
    pub(in crate::bob) machine: M,
    pub(in crate::bob) now: Instant,
    pub(in crate::bob) rng: ChaCha8Rng,
    acts: Vec<Act>,
    events: Vec<E>,
}

impl<C, E: core::fmt::Debug, M: Machine<Input = Input<C>, Output = Output<E>>> Bench<M, E> {
    /// The machine has begun: it dials the handshake port.
    pub(in crate::bob) fn new(machine: M) -> Self {
        let (now, rng) = (Instant::from_micros(1_000_000), ChaCha8Rng::seed_from_u64(7));
        let mut bench = Self { machine, now, rng, acts: Vec::new(), events: Vec::new() };
        bench.wake();
        bench
    }

    pub(in crate::bob) fn call(&mut self, input: Option<Input<C>>) {
        let mut outputs = Vec::new();
        let at = At { now: self.now, ..At::default() };
        let cx = &mut Context::new(at, &mut self.rng, &mut outputs);
        match input {
            Some(input) => self.machine.handle(input, cx),
            None => self.machine.handle_timeout(cx),
        }
        for output in outputs {
            match output {
                Output::Event(event) => self.events.push(event),
                Output::Dial { link, .. } => self.acts.push(Act::Dial(link)),
                Output::Send { link, bytes } => self.acts.push(Act::Send(link, bytes)),
                Output::Close { link, how } => self.acts.push(Act::Close(link, how)),
                Output::Pause { link } => self.acts.push(Act::Pause(link)),
                Output::Resume { link } => self.acts.push(Act::Resume(link)),
                other => panic!("a peer does not want {other:?}"),
            }
        }
    }

    pub(in crate::bob) fn wake(&mut self) {
        self.call(None);
    }

    /// Time passes, and the machine acts each time it wants to.
    pub(in crate::bob) fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        while let Some(at) = self.machine.poll_timeout().filter(|at| *at <= end) {
            self.now = at;
            self.wake();
        }
        self.now = end;
    }

    pub(in crate::bob) fn command(&mut self, command: C) {
        self.call(Some(Input::Command(command)));
    }

    pub(in crate::bob) fn opens(&mut self, link: LinkId) {
        self.call(Some(Input::Opened { link, via: Via::Dialled, local: port(1), remote: port(2) }));
    }

    pub(in crate::bob) fn hears(&mut self, link: LinkId, bytes: &[u8]) {
        self.call(Some(Input::Received { link, bytes: Bytes::copy_from_slice(bytes) }));
    }

    pub(in crate::bob) fn written(&mut self, link: LinkId, count: usize) {
        self.call(Some(Input::Written { link, count }));
    }

    pub(in crate::bob) fn finished(&mut self, link: LinkId) {
        self.call(Some(Input::Finished { link }));
    }

    pub(in crate::bob) fn closed(&mut self, link: LinkId, cause: Cause) {
        self.call(Some(Input::Closed { link, cause }));
    }

    /// Hears packets, and what it says to them; all of that leaves.
    pub(in crate::bob) fn packets(&mut self, packets: &[Packet]) -> Vec<Packet> {
        let mut bytes = BytesMut::new();
        packets.iter().for_each(|packet| packet.encode(&mut bytes).unwrap());
        self.hears(HALL, &bytes);
        self.said()
    }

    pub(in crate::bob) fn packet(&mut self, uid: u16, body: Body) -> Vec<Packet> {
        self.packets(&[Packet { uid: Uid(uid), body }])
    }

    /// What it has said at the handshake port.
    pub(in crate::bob) fn said(&mut self) -> Vec<Packet> {
        let mut bytes = Bytes::from(self.sent(HALL));
        self.written(HALL, bytes.len());
        let (mut decoder, mut packets) = (Decoder::new(), Vec::new());
        while let Some(packet) = decoder.next(&mut bytes).unwrap() {
            packets.push(packet);
        }
        assert!(!decoder.is_inside_packet());
        packets
    }

    /// What it has sent on a link.
    pub(in crate::bob) fn sent(&mut self, link: LinkId) -> Vec<u8> {
        let mut sent = Vec::new();
        self.acts.retain(|act| match act {
            Act::Send(on, bytes) if *on == link => {
                sent.extend_from_slice(bytes);
                false
            }
            _ => true,
        });
        sent
    }

    pub(in crate::bob) fn acts(&mut self) -> Vec<Act> {
        core::mem::take(&mut self.acts)
    }

    pub(in crate::bob) fn events(&mut self) -> Vec<E> {
        core::mem::take(&mut self.events)
    }

    /// The hall is reached; what it says there.
    pub(in crate::bob) fn enters(&mut self) -> Vec<Packet> {
        // What it has to do before goes on as soon as it can.
        self.advance(Duration::from_millis(1));
        assert_eq!(self.acts(), [Act::Dial(HALL)]);
        self.opens(HALL);
        self.said()
    }

    /// It leaves the hall and names a room; what line it sends.
    pub(in crate::bob) fn goes_to_room(&mut self) -> Vec<u8> {
        assert_eq!(self.acts(), [Act::Close(HALL, How::Flush), Act::Dial(ROOM)]);
        self.closed(HALL, Cause::Finished);
        self.opens(ROOM);
        let line = self.sent(ROOM);
        self.written(ROOM, line.len());
        line
    }
}

pub(in crate::bob) fn identity(text: &str) -> Identity {
    Identity::new(Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

pub(in crate::bob) fn packet(uid: u16, body: Body) -> Packet {
    Packet { uid: Uid(uid), body }
}
