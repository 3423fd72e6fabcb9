//! What a relay has to do in its rooms (`bob-relay.md` 7), as plainly as it can be said: the other half of the model.

use std::collections::BTreeMap;

use pleach_core::bob::Identity;
use pleach_core::link::LinkId;

use super::bench::Action;

enum At {
    Line(Vec<u8>),
    Waiting,
    Copying(LinkId),
}

struct Room {
    /// What client and server are called.
    names: [Identity; 2],
    /// Who waits, and what it named.
    waits: Option<(LinkId, usize)>,
}

#[derive(Default)]
pub(crate) struct Rooms {
    links: BTreeMap<LinkId, At>,
    rooms: Vec<Room>,
}

impl Rooms {
    pub(crate) fn open(&mut self, link: LinkId) {
        self.links.insert(link, At::Line(Vec::new()));
    }

    pub(crate) fn promise(&mut self, names: [Identity; 2]) {
        self.rooms.push(Room { names, waits: None });
    }

    /// One read. What stands behind the line in it is lost.
    pub(crate) fn bytes(&mut self, link: LinkId, bytes: &[u8]) -> Vec<Action> {
        match self.links.get_mut(&link) {
            None | Some(At::Waiting) => Vec::new(),
            Some(At::Copying(other)) => vec![Action::Send(*other, bytes.to_vec())],
            Some(At::Line(line)) => {
                line.extend_from_slice(bytes);
                match line.iter().take(100).position(|byte| *byte == b'\n') {
                    Some(end) => {
                        let named = line.get(..end).unwrap_or_default().to_vec();
                        self.named(link, &named)
                    }
                    None if line.len() >= 100 => self.answer(link, b"02"),
                    None => Vec::new(),
                }
            }
        }
    }

    pub(crate) fn end(&mut self, link: LinkId) -> Vec<Action> {
        match self.links.get(&link) {
            None => Vec::new(),
            Some(At::Line(_)) => self.answer(link, b"02"),
            Some(At::Waiting) => self.expire(link),
            Some(At::Copying(other)) => {
                let both = [link, *other];
                let ends = both.map(|link| Action::Send(link, vec![0xff; 4]));
                both.iter().for_each(|link| drop(self.links.remove(link)));
                ends.into_iter().chain(both.map(Action::Close)).collect()
            }
        }
    }

    pub(crate) fn expire(&mut self, link: LinkId) -> Vec<Action> {
        if let Some(At::Line(_)) = self.links.get(&link) {
            return self.answer(link, b"01");
        }
        self.rooms.retain(|room| room.waits.is_none_or(|(waits, _)| waits != link));
        self.links.remove(&link).map(|_| Action::Close(link)).into_iter().collect()
    }

    fn answer(&mut self, link: LinkId, code: &[u8]) -> Vec<Action> {
        self.links.remove(&link);
        vec![Action::Send(link, code.to_vec()), Action::Close(link)]
    }

    fn named(&mut self, link: LinkId, named: &[u8]) -> Vec<Action> {
        let is_named = |name: &Identity| name.as_bytes() == named;
        let Some(at) = self.rooms.iter().position(|room| room.names.iter().any(is_named)) else {
            return self.answer(link, b"02");
        };
        let side = usize::from(!is_named(&self.rooms[at].names[0]));
        match self.rooms[at].waits {
            None => {
                self.rooms[at].waits = Some((link, side));
                self.links.insert(link, At::Waiting);
                Vec::new()
            }
            Some((_, taken)) if taken == side => self.answer(link, b"02"),
            Some((other, _)) => {
                self.rooms.remove(at);
                self.links.insert(link, At::Copying(other));
                self.links.insert(other, At::Copying(link));
                vec![Action::Send(other, b"00".to_vec()), Action::Send(link, b"00".to_vec())]
            }
        }
    }
}
