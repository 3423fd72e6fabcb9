//! What a relay has to do at its handshake port, as plainly as it can be said (`bob-relay.md` 6.2 to 6.8 with our
//! choices): sets, full scans, no limits, one peer after the other. Where a recording shows a defect of upstream, this
//! says what is right; where it shows none, the model is held against the recording.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Bytes, BytesMut};
use pleach_core::bob::Identity;
use pleach_core::bob::packet::{Body, Decoder, PUBLIC_LEN, Packet, Uid};
use pleach_core::link::LinkId;

use super::bench::Action;

#[derive(Default)]
pub(crate) struct Model {
    open: BTreeMap<LinkId, (Identity, Decoder)>,
    servers: BTreeMap<Uid, (LinkId, [u8; PUBLIC_LEN])>,
    clients: BTreeMap<Uid, LinkId>,
    last: u16,
    /// Client and server of whom each was announced to the other.
    candidates: BTreeSet<(Uid, Uid)>,
    /// Client and server that has agreed.
    agreed: BTreeSet<(Uid, Uid)>,
    /// Client and server that has its share, with no failure since.
    known: BTreeSet<(Uid, Uid)>,
    actions: Vec<Action>,
    /// What client and server of each pair are called that has a room.
    pub(crate) pairs: Vec<[Identity; 2]>,
    /// Servers that left without a word.
    left: usize,
    /// Where upstream would have done something else.
    pub(crate) corrections: BTreeSet<Correction>,
}

/// A rule by which we do not do what upstream does.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Correction {
    /// 6.5: an acceptance counts only after an agreement.
    Unagreed,
    /// 6.8: one that has left is not announced, and its candidates are told.
    Left,
}

impl Model {
    pub(crate) fn open(&mut self, link: LinkId, identity: Identity) {
        self.open.insert(link, (identity, Decoder::new()));
    }

    pub(crate) fn bytes(&mut self, link: LinkId, bytes: &[u8]) -> Vec<Action> {
        let mut bytes = Bytes::copy_from_slice(bytes);
        while let Some((_, decoder)) = self.open.get_mut(&link) {
            match decoder.next(&mut bytes) {
                Ok(Some(packet)) => self.packet(link, packet),
                Ok(None) => break,
                Err(_) => self.gone(link, None),
            }
        }
        std::mem::take(&mut self.actions)
    }

    /// The one to which `link` sends an acceptance without its agreement, with the agreement that is missing.
    pub(crate) fn missing_agreement(&self, link: LinkId, bytes: &[u8]) -> Option<(LinkId, Vec<u8>)> {
        let (mut decoder, mut rest) = (Decoder::new(), Bytes::copy_from_slice(bytes));
        let packet = decoder.next(&mut rest).ok()??;
        let (client, server) = (self.uid(link)?, packet.uid);
        let (to, _) = self.servers.get(&server)?;
        let is_missing = packet.body == Body::Accepted && !self.agreed.contains(&(client, server));
        let mut agreement = BytesMut::new();
        Packet { uid: client, body: Body::Agreement }.encode(&mut agreement).expect("it has no identity");
        is_missing.then(|| (*to, agreement.to_vec()))
    }

    pub(crate) fn end(&mut self, link: LinkId) -> Vec<Action> {
        self.gone(link, None);
        std::mem::take(&mut self.actions)
    }

    pub(crate) fn expire(&mut self, link: LinkId) -> Vec<Action> {
        self.gone(link, Some(Body::Timeout));
        std::mem::take(&mut self.actions)
    }

    fn uid(&self, link: LinkId) -> Option<Uid> {
        let server = self.servers.iter().find(|(_, (of, _))| *of == link).map(|(uid, _)| *uid);
        server.or_else(|| self.clients.iter().find(|(_, of)| **of == link).map(|(uid, _)| *uid))
    }

    fn send(&mut self, link: LinkId, uid: Uid, body: Body) {
        let mut bytes = BytesMut::new();
        Packet { uid, body }.encode(&mut bytes).expect("recorded identities are short");
        self.actions.push(Action::Send(link, bytes.to_vec()));
    }

    fn close(&mut self, link: LinkId) {
        if self.open.remove(&link).is_some() {
            self.actions.push(Action::Close(link));
        }
    }

    /// 6.7, 6.8.
    fn gone(&mut self, link: LinkId, last_word: Option<Body>) {
        let uid = self.uid(link);
        if let (Some(_), Some(body)) = (uid, &last_word) {
            self.send(link, Uid::RELAY, body.clone());
        }
        self.close(link);
        let Some(uid) = uid else { return };
        let has_left = last_word.is_none();
        self.left += usize::from(has_left && self.servers.contains_key(&uid));
        let of_client = self.known.iter().filter(|(client, _)| *client == uid);
        let candidates: BTreeSet<(Uid, Uid)> = self.candidates.iter().chain(of_client).copied().collect();
        self.forget(uid);
        for (client, server) in candidates {
            let told = if client == uid { self.servers.get(&server).map(|(link, _)| *link) } else { None };
            let told = if server == uid { self.clients.get(&client).copied() } else { told };
            if let Some(told) = told {
                if has_left {
                    self.corrections.insert(Correction::Left);
                }
                self.send(told, Uid::RELAY, Body::Closed { peer: uid });
            }
        }
    }

    fn forget(&mut self, uid: Uid) {
        self.servers.remove(&uid);
        self.clients.remove(&uid);
        self.candidates.retain(|(client, server)| *client != uid && *server != uid);
        self.agreed.retain(|(client, server)| *client != uid && *server != uid);
        self.known.retain(|(client, server)| *client != uid && *server != uid);
    }

    fn packet(&mut self, link: LinkId, packet: Packet) {
        let from = self.uid(link);
        match (packet.body, from) {
            (Body::HelloAsServer { public }, _) => self.server_hello(link, public),
            (Body::HelloAsClient, _) => self.client_hello(link),
            (body, Some(from)) if self.servers.contains_key(&from) => {
                if let Some(to) = self.clients.get(&packet.uid).copied() {
                    self.server_says(from, packet.uid, to, body);
                }
            }
            (body, Some(from)) => {
                if let Some((to, _)) = self.servers.get(&packet.uid).copied() {
                    self.client_says(link, from, packet.uid, to, body);
                }
            }
            (_, None) => {}
        }
    }

    fn identity(&self, link: LinkId) -> Identity {
        self.open[&link].0.clone()
    }

    /// 6.3.
    const fn next_uid(&mut self) -> Uid {
        self.last += 1;
        Uid(self.last)
    }

    /// 6.2.
    fn server_hello(&mut self, link: LinkId, public: [u8; PUBLIC_LEN]) {
        let uid = match self.uid(link) {
            Some(uid) if self.clients.contains_key(&uid) => return,
            Some(uid) => uid,
            None => self.next_uid(),
        };
        self.servers.insert(uid, (link, public));
        let identity = self.identity(link);
        self.send(link, Uid::RELAY, Body::ServerIdentity { identity });
        for client in self.clients.keys().copied().collect::<Vec<_>>() {
            self.announce(client, uid);
        }
    }

    fn client_hello(&mut self, link: LinkId) {
        let uid = match self.uid(link) {
            Some(uid) if self.servers.contains_key(&uid) => return,
            Some(uid) => uid,
            None => self.next_uid(),
        };
        self.clients.insert(uid, link);
        if self.left > 0 {
            self.corrections.insert(Correction::Left);
        }
        let identity = self.identity(link);
        self.send(link, Uid::RELAY, Body::ClientIdentity { identity });
        for server in self.servers.keys().copied().collect::<Vec<_>>() {
            self.announce(uid, server);
        }
    }

    fn announce(&mut self, client: Uid, server: Uid) {
        let (link, public) = self.servers[&server];
        let identity = self.identity(link);
        self.candidates.insert((client, server));
        self.send(self.clients[&client], Uid::RELAY, Body::NewServer { server, public, identity });
    }

    /// 6.4.
    fn server_says(&mut self, server: Uid, client: Uid, to: LinkId, body: Body) {
        match body.kind() {
            0x06 => {}
            0x08 => drop(self.agreed.insert((client, server))),
            0x0d => self.fail(client, server),
            _ => return,
        }
        self.send(to, server, body);
    }

    /// 6.4 to 6.6.
    fn client_says(&mut self, link: LinkId, client: Uid, server: Uid, to: LinkId, body: Body) {
        match body.kind() {
            0x05 => {}
            0x07 => drop(self.known.insert((client, server))),
            0x0a if !self.agreed.contains(&(client, server)) => {
                self.corrections.insert(Correction::Unagreed);
                return;
            }
            0x0a => {
                self.pairs.push([self.identity(link), self.identity(to)]);
                self.forget(client);
                self.forget(server);
                self.send(to, client, body);
                self.close(to);
                self.send(link, Uid::RELAY, Body::Done);
                return self.close(link);
            }
            0x0b => return self.part(client, server),
            0x0d => self.fail(client, server),
            _ => return,
        }
        self.send(to, client, body);
    }

    /// After a failure, which both hear, the server keeps nothing for the client; after a refusal it may (6.6).
    fn fail(&mut self, client: Uid, server: Uid) {
        self.part(client, server);
        self.known.remove(&(client, server));
    }

    fn part(&mut self, client: Uid, server: Uid) {
        self.candidates.remove(&(client, server));
        self.agreed.remove(&(client, server));
    }
}
