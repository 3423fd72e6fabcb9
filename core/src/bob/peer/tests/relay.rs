//! As much of a relay as peers need: it does what `bob-relay.md` 6 and 7 say and checks nothing.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

use crate::bob::Identity;
use crate::bob::packet::{Body, Decoder, PUBLIC_LEN, Packet, Uid};

/// A link of a peer, as the relay sees it.
pub(crate) type Place = (usize, u64);

/// What it does.
#[derive(Debug)]
pub(crate) enum Act {
    Send(Place, Bytes),
    Close(Place),
}

#[derive(Debug, Default)]
pub(crate) struct Relay {
    guests: BTreeMap<Place, Guest>,
    next_uid: u16,
    /// Both identities, and who has come for them.
    rooms: Vec<([Identity; 2], [Option<Place>; 2])>,
    lines: BTreeMap<Place, Vec<u8>>,
    pub(crate) pipes: BTreeMap<Place, Place>,
}

#[derive(Debug)]
struct Guest {
    identity: Identity,
    decoder: Decoder,
    uid: Uid,
    public: Option<[u8; PUBLIC_LEN]>,
}

impl Relay {
    pub(crate) fn opened(&mut self, place: Place, identity: Identity, is_room: bool) {
        if is_room {
            self.lines.insert(place, Vec::new());
        } else {
            let guest = Guest { identity, decoder: Decoder::new(), uid: Uid::RELAY, public: None };
            self.guests.insert(place, guest);
        }
    }

    pub(crate) fn received(&mut self, place: Place, bytes: &Bytes) -> Vec<Act> {
        let mut acts = Vec::new();
        if let Some(line) = self.lines.get_mut(&place) {
            line.extend_from_slice(bytes);
            if line.ends_with(b"\n") {
                self.enter(place, &mut acts);
            }
        } else if let Some(to) = self.pipes.get(&place) {
            acts.push(Act::Send(*to, bytes.clone()));
        } else {
            let mut bytes = bytes.clone();
            while let Some(packet) =
                self.guests.get_mut(&place).and_then(|guest| guest.decoder.next(&mut bytes).unwrap())
            {
                self.on_packet(place, packet, &mut acts);
            }
        }
        acts
    }

    /// The peer has closed, or is gone.
    pub(crate) fn closed(&mut self, place: Place) -> Vec<Act> {
        let mut acts = Vec::new();
        if let Some(guest) = self.guests.remove(&place).filter(|guest| guest.uid != Uid::RELAY) {
            let others =
                self.guests.iter().filter(|(_, other)| other.public.is_some() != guest.public.is_some());
            for (other, _) in others {
                acts.push(say(*other, Uid::RELAY, Body::Closed { peer: guest.uid }));
            }
        }
        self.lines.remove(&place);
        if let Some(other) = self.pipes.remove(&place) {
            self.pipes.remove(&other);
            acts.extend([place, other].map(|end| Act::Send(end, Bytes::from_static(&[0xff; 4]))));
            acts.extend([place, other].map(Act::Close));
        }
        acts
    }

    fn enter(&mut self, place: Place, acts: &mut Vec<Act>) {
        let line = self.lines.remove(&place).unwrap();
        let wanted = line.strip_suffix(b"\n").unwrap();
        let found = self.rooms.iter().position(|(pair, _)| pair.iter().any(|one| one.as_bytes() == wanted));
        let Some(found) = found else {
            acts.push(Act::Send(place, Bytes::from_static(b"02")));
            acts.push(Act::Close(place));
            return;
        };
        let (pair, places) = &mut self.rooms[found];
        // The one that comes for the second is the first.
        places[usize::from(pair[0].as_bytes() == wanted)] = Some(place);
        if let [Some(one), Some(other)] = *places {
            self.rooms.remove(found);
            self.pipes.extend([(one, other), (other, one)]);
            acts.extend([one, other].map(|end| Act::Send(end, Bytes::from_static(b"00"))));
        }
    }

    fn on_packet(&mut self, place: Place, Packet { uid, body }: Packet, acts: &mut Vec<Act>) {
        match body {
            Body::HelloAsServer { public } => {
                let (uid, identity) = self.register(place, Some(public));
                acts.push(say(place, Uid::RELAY, Body::ServerIdentity { identity: identity.clone() }));
                for (client, guest) in &self.guests {
                    if guest.public.is_none() && guest.uid != Uid::RELAY {
                        let identity = identity.clone();
                        acts.push(say(
                            *client,
                            Uid::RELAY,
                            Body::NewServer { server: uid, public, identity },
                        ));
                    }
                }
            }
            Body::HelloAsClient => {
                let (_, identity) = self.register(place, None);
                acts.push(say(place, Uid::RELAY, Body::ClientIdentity { identity }));
                for guest in self.guests.values() {
                    if let Some(public) = guest.public {
                        let (server, identity) = (guest.uid, guest.identity.clone());
                        acts.push(say(place, Uid::RELAY, Body::NewServer { server, public, identity }));
                    }
                }
            }
            Body::Refused | Body::RelayFailure(_) => {}
            Body::Accepted => self.pair(place, uid, acts),
            body => {
                let from = self.guests[&place].uid;
                if let Some(to) = self.find(uid) {
                    acts.push(say(to, from, body));
                }
            }
        }
    }

    fn register(&mut self, place: Place, public: Option<[u8; PUBLIC_LEN]>) -> (Uid, Identity) {
        self.next_uid += 1;
        let guest = self.guests.get_mut(&place).unwrap();
        (guest.uid, guest.public) = (Uid(self.next_uid), public);
        (guest.uid, guest.identity.clone())
    }

    fn pair(&mut self, client: Place, server: Uid, acts: &mut Vec<Act>) {
        if let Some(place) = self.find(server) {
            let (server, client_guest) =
                (self.guests.remove(&place).unwrap(), self.guests.remove(&client).unwrap());
            self.rooms.push(([client_guest.identity, server.identity], [None; 2]));
            acts.push(say(place, client_guest.uid, Body::Accepted));
            acts.push(say(client, Uid::RELAY, Body::Done));
            acts.extend([place, client].map(Act::Close));
        }
    }

    fn find(&self, uid: Uid) -> Option<Place> {
        let found = self.guests.iter().find(|(_, guest)| guest.uid == uid && uid != Uid::RELAY);
        found.map(|(place, _)| *place)
    }
}

fn say(place: Place, uid: Uid, body: Body) -> Act {
    let mut out = BytesMut::new();
    Packet { uid, body }.encode(&mut out).unwrap();
    Act::Send(place, out.freeze())
}
