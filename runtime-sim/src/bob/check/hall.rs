//! A packet reaches only its addressee, and uids are unique among those who are there: seen from the bytes on every link
//! of the relay's handshake port.
//!
//! Whatever a peer sends is a licence for the relay to say the same once to the one who then has that uid, in the
//! sender's name. The relay may say in its own name only what is true. The relay reports who has which uid; what it
//! sends must agree with its report, and the report with the addresses of the links.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use pleach_core::Instant;
use pleach_core::link::LinkId;

use super::Broken;
use super::packet::{Packet, Parser};
use crate::clock::millis;

/// What a peer is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Role {
    Server,
    Client,
}

/// The checker.
#[derive(Debug, Default)]
pub(super) struct Hall {
    links: BTreeMap<LinkId, Line>,
    /// Who has which uid at present, by the relay's own account.
    uids: BTreeMap<u16, LinkId>,
    /// Peers that were said to be gone, and must be by the end of that instant.
    said_gone: Vec<(Instant, u16)>,
    /// Packets that were sent by the relay, and looked at.
    pub(super) packets: u64,
    /// Uids that were given, and looked at.
    pub(super) uids_seen: u64,
    pub(super) broken: Broken,
}

#[derive(Debug)]
struct Line {
    remote: SocketAddr,
    from_peer: Parser,
    to_peer: Parser,
    /// What it has said hello as.
    role: Option<Role>,
    /// The parameters of its last hello, and of those that came with it in one piece.
    publics: Vec<Vec<u8>>,
    uid: Option<u16>,
    /// What may be passed on: to which link, of which kind, which body, and how often.
    licences: BTreeMap<(LinkId, u8, Vec<u8>), u64>,
    /// A server was told that this client accepts it.
    has_accepted: bool,
}

/// Something that was said to another peer, or passed on to it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Passage {
    /// Who said it.
    pub(super) from: LinkId,
    /// To whom.
    pub(super) to: LinkId,
    /// The kind of packet.
    pub(super) kind: u8,
}

impl Hall {
    /// Somebody came to the handshake port.
    pub(super) fn opened(&mut self, link: LinkId, remote: SocketAddr) {
        let line = Line {
            remote,
            from_peer: Parser::default(),
            to_peer: Parser::default(),
            role: None,
            publics: Vec::new(),
            uid: None,
            licences: BTreeMap::new(),
            has_accepted: false,
        };
        self.links.insert(link, line);
    }

    /// Somebody is gone.
    pub(super) fn closed(&mut self, link: LinkId) {
        self.links.remove(&link);
    }

    /// The relay received bytes. What was said to whom.
    pub(super) fn received(&mut self, link: LinkId, bytes: &[u8]) -> Vec<Passage> {
        let Some(line) = self.links.get_mut(&link) else { return Vec::new() };
        let mut said = Vec::new();
        let before = line.publics.len().saturating_sub(1);
        line.publics.drain(..before);
        for packet in line.from_peer.push(bytes) {
            let Packet { uid, kind, body } = packet;
            match kind {
                0x00 if line.role != Some(Role::Client) => {
                    line.role = Some(Role::Server);
                    line.publics.push(body);
                }
                0x01 if line.role.is_none() => line.role = Some(Role::Client),
                _ => {
                    if let Some(to) = self.uids.get(&uid).copied() {
                        *line.licences.entry((to, kind, body)).or_default() += 1;
                        said.push(Passage { from: link, to, kind });
                    }
                }
            }
        }
        said
    }

    /// The relay reports that a peer is registered.
    pub(super) fn registered(&mut self, uid: u16, is_server: bool, identity: &[u8]) {
        self.uids_seen += 1;
        if uid == 0 {
            self.broken.note(|| "a peer has the uid of the relay".to_owned());
        }
        if self.uids.contains_key(&uid) {
            self.broken.note(|| format!("uid {uid:04x} was given to a second peer"));
        }
        let mut lines = self.links.iter_mut();
        let Some((link, line)) = lines.find(|(_, line)| line.remote.to_string().as_bytes() == identity)
        else {
            let name = identity.escape_ascii();
            return self.broken.note(|| format!("{name} was registered, and nobody has that address"));
        };
        let role = if is_server { Role::Server } else { Role::Client };
        if line.role != Some(role) {
            self.broken.note(|| format!("uid {uid:04x} was registered as a {role:?}, and has not said so"));
        }
        if line.uid.is_some() {
            self.broken.note(|| format!("uid {uid:04x} was given to a peer that has one"));
        }
        line.uid = Some(uid);
        self.uids.insert(uid, *link);
    }

    /// Who has that uid.
    pub(super) fn link_of(&self, uid: u16) -> Option<LinkId> {
        self.uids.get(&uid).copied()
    }

    /// The relay reports that a peer is registered no more.
    pub(super) fn departed(&mut self, uid: u16) {
        if let Some(line) = self.uids.remove(&uid).and_then(|link| self.links.get_mut(&link)) {
            line.uid = None;
        }
    }

    /// Time has gone on.
    pub(super) fn passed(&mut self, now: Instant) {
        let uids = &self.uids;
        let broken = &mut self.broken;
        self.said_gone.retain(|(at, uid)| {
            if *at < now && uids.contains_key(uid) {
                broken.note(|| format!("peers were told that uid {uid:04x} is gone, and it is there"));
            }
            *at >= now
        });
    }

    /// The relay sent bytes. What it passed on.
    pub(super) fn sent(&mut self, at: Instant, link: LinkId, bytes: &[u8]) -> Vec<Passage> {
        let Some(line) = self.links.get_mut(&link) else { return Vec::new() };
        let packets = line.to_peer.push(bytes);
        if line.to_peer.is_broken() {
            let to = line.remote;
            self.broken.note(|| format!("the relay sent {to} what is no packet"));
        }
        let mut passed = Vec::new();
        for packet in packets {
            self.packets += 1;
            let wrong = if packet.uid == 0 {
                self.of_relay(at, link, &packet)
            } else {
                match self.of_peer(link, &packet) {
                    Ok(passage) => {
                        passed.push(passage);
                        None
                    }
                    Err(wrong) => Some(wrong),
                }
            };
            if let Some(wrong) = wrong {
                let (kind, to) = (packet.kind, self.links.get(&link).map(|line| line.remote));
                let (at, to) = (millis(Instant::ORIGIN, at), to.map(|to| to.to_string()).unwrap_or_default());
                self.broken.note(|| format!("packet {kind:02x} to {to} at {at} ms: {wrong}"));
            }
        }
        passed
    }

    /// A packet in the name of a peer.
    fn of_peer(&mut self, to: LinkId, packet: &Packet) -> Result<Passage, String> {
        let Packet { uid, kind, body } = packet;
        let from = *self.uids.get(uid).ok_or(format!("nobody has uid {uid:04x}, whose packet it is"))?;
        let addressee = self.links.get(&to).and_then(|line| line.role);
        let sender = self.links.get_mut(&from).ok_or("its sender is gone")?;
        let role = sender.role;
        let is_servers = matches!(kind, 0x06 | 0x08);
        let is_clients = matches!(kind, 0x05 | 0x07 | 0x0a);
        match (role, addressee) {
            (Some(Role::Server), Some(Role::Client)) if is_servers || *kind == 0x0d => {}
            (Some(Role::Client), Some(Role::Server)) if is_clients || *kind == 0x0d => {}
            _ => return Err(format!("a {role:?} may not say that to a {addressee:?}")),
        }
        let key = (to, *kind, body.clone());
        let Some(left) = sender.licences.get_mut(&key) else {
            return Err(format!("uid {uid:04x} has not said that to it"));
        };
        *left -= 1;
        if *left == 0 {
            sender.licences.remove(&key);
        }
        sender.has_accepted |= *kind == 0x0a;
        Ok(Passage { from, to, kind: *kind })
    }

    /// A packet in the relay's own name: what is wrong with it.
    fn of_relay(&mut self, at: Instant, to: LinkId, packet: &Packet) -> Option<String> {
        let line = self.links.get(&to)?;
        let role = line.role;
        match packet.kind {
            0x02 | 0x03 => {
                let wanted = if packet.kind == 0x02 { Role::Server } else { Role::Client };
                let own = line.remote.to_string();
                if role != Some(wanted) {
                    Some(format!("it is for a {wanted:?}"))
                } else if packet.name() != Some(own.as_bytes()) {
                    Some("it has another name".to_owned())
                } else {
                    None
                }
            }
            0x04 if role == Some(Role::Client) => self.announcement(packet),
            0x09 => {
                let gone = packet.uid_at(0)?;
                if gone != 0 {
                    self.said_gone.push((at, gone));
                }
                None
            }
            0x0e if role == Some(Role::Client) => {
                (!line.has_accepted).then(|| "it has accepted nobody".to_owned())
            }
            0x0f => None,
            _ => Some("the relay does not say that".to_owned()),
        }
    }

    /// A server that is announced must be there, with that name and those parameters.
    fn announcement(&self, packet: &Packet) -> Option<String> {
        let server =
            packet.uid_at(0).and_then(|uid| self.uids.get(&uid)).and_then(|link| self.links.get(link));
        let Some(line) = server else { return Some("it announces nobody".to_owned()) };
        if line.role != Some(Role::Server) {
            return Some("it announces a peer that is no server".to_owned());
        }
        let public = packet.body.get(4..38).unwrap_or_default();
        let is_its_public = line.publics.iter().any(|said| said == public);
        let is_its_name = packet.name() == Some(line.remote.to_string().as_bytes());
        (!is_its_public || !is_its_name).then(|| "it announces a server falsely".to_owned())
    }
}

#[cfg(test)]
mod tests;
