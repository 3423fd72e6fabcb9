//! What a relay knows of one link.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use super::Role;
use super::bits::Bits;
use super::outbox::Outbox;
use crate::bob::Identity;
use crate::bob::packet::{Decoder, PUBLIC_LEN, Uid};
use crate::ip::Prefix;
use crate::relay::Meeting;

/// One link.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) remote: SocketAddr,
    pub(super) state: State,
}

/// Where it stands.
#[derive(Debug)]
pub(super) enum State {
    /// At the handshake port.
    Hall(Box<Hall>),
    /// At the room port: so much of its line has come.
    Line(Vec<u8>),
    /// In a room, alone; and what it sent too early.
    Waiting { meeting: Meeting, early: Vec<u8> },
    /// In a room with the other.
    Copying(Meeting),
    /// Told to close.
    Closing,
}

/// A link at the handshake port.
#[derive(Debug)]
pub(super) struct Hall {
    pub(super) decoder: Decoder,
    pub(super) peer: Option<Peer>,
}

/// Who said hello.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) uid: Uid,
    pub(super) identity: Identity,
    /// Hellos said again.
    pub(super) repeats: u32,
    pub(super) outbox: Outbox,
    pub(super) part: Part,
}

/// What a peer does.
#[derive(Debug)]
pub(super) enum Part {
    Server(Server),
    Client(Client),
}

/// A server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Server {
    pub(super) public: [u8; PUBLIC_LEN],
    /// Its number in the sets of clients.
    pub(super) slot: usize,
    /// Its place in the table, by its last hello.
    pub(super) sequence: u64,
}

/// A client, and how it stands with each server, by the server's slot.
#[derive(Debug, Default)]
pub(super) struct Client {
    /// The sequence up to which servers were announced to it.
    pub(super) position: u64,
    /// Servers that were announced to it and with which it is not through.
    pub(super) candidates: Bits,
    /// Its share went to the server, and the server has not agreed.
    pub(super) asked: Bits,
    /// Of those, the server has answered.
    pub(super) answered: Bits,
    /// The server has agreed.
    pub(super) agreed: Bits,
    /// The server has its share and may keep something for it: no failure was said since. A refusal changes nothing, as
    /// servers do not hear it (6.6).
    pub(super) known: Bits,
}

impl Link {
    pub(super) const fn new(remote: SocketAddr, state: State) -> Self {
        Self { remote, state }
    }

    /// Who it is as far as limits are concerned.
    pub(super) fn subscriber(&self) -> Prefix {
        Prefix::subscriber(self.remote.ip())
    }

    pub(super) const fn ip(&self) -> IpAddr {
        self.remote.ip().to_canonical()
    }

    pub(super) fn peer(&self) -> Option<&Peer> {
        if let State::Hall(hall) = &self.state { hall.peer.as_ref() } else { None }
    }

    pub(super) fn peer_mut(&mut self) -> Option<&mut Peer> {
        if let State::Hall(hall) = &mut self.state { hall.peer.as_mut() } else { None }
    }
}

impl Peer {
    pub(super) const fn role(&self) -> Role {
        match self.part {
            Part::Server(_) => Role::Server,
            Part::Client(_) => Role::Client,
        }
    }

    pub(super) const fn server(&self) -> Option<&Server> {
        if let Part::Server(server) = &self.part { Some(server) } else { None }
    }

    pub(super) const fn client(&self) -> Option<&Client> {
        if let Part::Client(client) = &self.part { Some(client) } else { None }
    }

    pub(super) const fn client_mut(&mut self) -> Option<&mut Client> {
        if let Part::Client(client) = &mut self.part { Some(client) } else { None }
    }
}

impl Client {
    /// The servers that are told when it goes, by slot.
    pub(super) fn told(&self) -> impl Iterator<Item = usize> + '_ {
        let known = self.known.iter().filter(|slot| !self.candidates.contains(*slot));
        self.candidates.iter().chain(known)
    }

    /// Forgets a server. Whether it has answered and not agreed: the handshake has failed.
    pub(super) fn part_from(&mut self, slot: usize) -> bool {
        self.candidates.remove(slot);
        self.agreed.remove(slot);
        self.end_handshake(slot)
    }

    /// The handshake with a server is over. Whether the server had answered and not agreed.
    pub(super) fn end_handshake(&mut self, slot: usize) -> bool {
        self.asked.remove(slot);
        self.answered.remove(slot)
    }
}
