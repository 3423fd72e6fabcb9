//! The programs: what each does when a link stands, when a packet comes, and from time to time.

use pleach_core::bob::Identity;
use pleach_core::bob::packet::{Body, RelayFailure, SpokeFailure, Uid};
use pleach_core::bob::public::{Cipher, Public};
use pleach_core::link::{How, LinkId, Output as Link};
use pleach_core::rng::{below, index, pick};

use super::{Cx, Heard, Wire, random, say, send};

/// Names that are used at once.
const FORGED: usize = 16;
/// How often somebody may say hello again.
const HELLOS: u32 = 8;

/// A way to break the protocol.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(in crate::bob) enum Program {
    /// Sends bytes that are no packet.
    Garbage,
    /// Sends good packets, a byte at a time.
    SlowDrip,
    /// Sends a name that never ends.
    EndlessPacket,
    /// Says what only the other role, or the relay, may say.
    WrongRole,
    /// Speaks to everybody whose uid it can guess.
    GuessedUids,
    /// Says hello again and again, on several links.
    HelloFlood,
    /// Is registered, asks much, and never reads.
    NeverReads,
    /// Guesses passwords, on several links at once.
    GuessesPasswords,
    /// Accepts, refuses and fails what nobody offered.
    AcceptsUnasked,
    /// Begins handshakes under the names of others.
    ForgedIdentity,
    /// Goes into the rooms of others, as whom they expect.
    Squatter,
    /// Never ends the line that names a room.
    EndlessLine,
    /// Takes as many links as it gets, and says nothing.
    Crowd,
}

impl Program {
    /// Every one.
    pub(in crate::bob) const ALL: [Self; 13] = [
        Self::Garbage,
        Self::SlowDrip,
        Self::EndlessPacket,
        Self::WrongRole,
        Self::GuessedUids,
        Self::HelloFlood,
        Self::NeverReads,
        Self::GuessesPasswords,
        Self::AcceptsUnasked,
        Self::ForgedIdentity,
        Self::Squatter,
        Self::EndlessLine,
        Self::Crowd,
    ];

    /// The programs in turn.
    #[must_use]
    pub(in crate::bob) fn numbered(number: u32) -> Self {
        let place = number as usize % Self::ALL.len();
        Self::ALL.get(place).copied().unwrap_or(Self::Garbage)
    }

    /// How many links it keeps open to the room port, or to the handshake port.
    pub(super) const fn links(self, is_room: bool) -> usize {
        match (self, is_room) {
            (Self::EndlessLine, false) => 0,
            (Self::EndlessLine, true) => 2,
            (Self::Squatter, true) => 8,
            (_, true) => 0,
            (Self::Crowd, false) => 300,
            (Self::HelloFlood, false) => 6,
            (Self::GuessesPasswords, false) => 4,
            (Self::Squatter | Self::GuessedUids | Self::NeverReads | Self::ForgedIdentity, false) => 2,
            (_, false) => 1,
        }
    }

    /// A link stands.
    pub(super) fn begins(self, link: LinkId, wire: &mut Wire, heard: &Heard, cx: &mut Cx<'_>) {
        if wire.is_room {
            return self.enters(link, heard, cx);
        }
        // Of two links, one is a server's.
        let as_server = link.0.is_multiple_of(2);
        match self {
            Self::Garbage | Self::SlowDrip | Self::EndlessLine | Self::Crowd => {}
            Self::EndlessPacket => {
                let mut bytes = b"000107".to_vec();
                bytes.extend(random::<32>(cx));
                send(link, bytes, cx);
            }
            Self::NeverReads => {
                hello(link, as_server, cx);
                cx.emit(Link::Pause { link });
            }
            Self::GuessedUids | Self::Squatter | Self::ForgedIdentity => hello(link, as_server, cx),
            Self::HelloFlood => hello(link, is_server_of_flood(link), cx),
            Self::WrongRole | Self::GuessesPasswords | Self::AcceptsUnasked => hello(link, false, cx),
        }
    }

    /// A link to the room port stands.
    fn enters(self, link: LinkId, heard: &Heard, cx: &mut Cx<'_>) {
        if self == Self::Squatter {
            let Some(name) = pick(cx.rng(), &heard.names) else { return };
            let mut line = name.as_bytes().to_vec();
            line.push(b'\n');
            send(link, line, cx);
        }
    }

    /// A packet came.
    pub(super) fn answers(
        self,
        link: LinkId,
        wire: &mut Wire,
        heard: &Heard,
        uid: Uid,
        body: &Body,
        cx: &mut Cx<'_>,
    ) {
        match (self, body) {
            (Self::AcceptsUnasked, Body::NewServer { server, .. }) => {
                say(link, *server, Body::Accepted, cx);
            }
            (Self::ForgedIdentity, Body::NewServer { server, .. }) => forge(link, *server, heard, cx),
            (Self::GuessesPasswords, Body::ServerShare { share, validator }) => {
                let (Some(us), Some((them, _))) = (wire.us.clone(), heard.servers.get(&uid)) else { return };
                let guess = wire.guesses.entry(uid).or_default();
                guess.answered(link, uid, (share, validator), (&us, them), cx);
            }
            (Self::GuessesPasswords, Body::SpokeFailure(_)) => {
                wire.guesses.entry(uid).or_default().failed();
            }
            _ => {}
        }
    }

    /// It is time to do something.
    pub(super) fn acts(self, link: LinkId, wire: &mut Wire, heard: &Heard, cx: &mut Cx<'_>) {
        match self {
            Self::Garbage => send(link, random::<48>(cx).to_vec(), cx),
            Self::SlowDrip => drip(link, wire.deeds, cx),
            Self::EndlessPacket => send(link, vec![b'1'; 48], cx),
            Self::WrongRole => wrong_role(link, any_server(heard, cx), cx),
            Self::GuessedUids => guessed_uids(link, cx),
            Self::HelloFlood => (0..4).for_each(|_| hello(link, is_server_of_flood(link), cx)),
            Self::NeverReads => {
                let (share, server) = (random(cx), any_server(heard, cx));
                say(link, server, Body::ClientShare { share, identity: name("10.99.99.1:1") }, cx);
                if wire.deeds < HELLOS {
                    hello(link, link.0.is_multiple_of(2), cx);
                }
            }
            Self::GuessesPasswords => guess_on(link, wire, heard, cx),
            Self::AcceptsUnasked => accept_unasked(link, heard, cx),
            Self::ForgedIdentity => forge(link, any_server(heard, cx), heard, cx),
            Self::Squatter if wire.is_room => squat(link, wire.deeds, cx),
            Self::Squatter | Self::Crowd => {}
            Self::EndlessLine => send(link, vec![b'7'; 24], cx),
        }
    }
}

/// One link in six: each of its hellos makes every honest receiver begin a handshake.
const fn is_server_of_flood(link: LinkId) -> bool {
    link.0.is_multiple_of(6)
}

#[allow(clippy::expect_used)] // Only with literals.
fn name(text: &'static str) -> Identity {
    Identity::new(text.into()).expect("a literal")
}

fn hello(link: LinkId, as_server: bool, cx: &mut Cx<'_>) {
    let ciphers = [Cipher::Aes256Gcm, Cipher::ChaCha20Poly1305];
    let body = match Public::new(16, ciphers, random(cx)) {
        Ok(public) if as_server => Body::HelloAsServer { public: public.encode() },
        _ => Body::HelloAsClient,
    };
    say(link, Uid::RELAY, body, cx);
}

/// A server that was announced, or anybody.
fn any_server(heard: &Heard, cx: &mut Cx<'_>) -> Uid {
    let servers: Vec<Uid> = heard.servers.keys().copied().collect();
    pick(cx.rng(), &servers).copied().unwrap_or(Uid(1))
}

/// A hello, then handshakes that never end, byte by byte.
fn drip(link: LinkId, deed: u32, cx: &mut Cx<'_>) {
    const SCRIPT: &[u8] = b"000001000107abcdefghijklmnopqrstuvwxyz01234510.99.99.2:2\x00000305";
    let place = deed as usize % SCRIPT.len();
    if let Some(byte) = SCRIPT.get(place) {
        send(link, vec![*byte], cx);
    }
}

fn wrong_role(link: LinkId, server: Uid, cx: &mut Cx<'_>) {
    let bodies = [
        Body::ServerShare { share: random(cx), validator: random(cx) },
        Body::Agreement,
        Body::Closed { peer: server },
        Body::Done,
        Body::Timeout,
        Body::ClientIdentity { identity: name("10.99.99.3:3") },
        Body::NewServer { server, public: random(cx), identity: name("10.99.99.3:3") },
        Body::HelloAsServer { public: random(cx) },
    ];
    if let Some(body) = pick(cx.rng(), &bodies).cloned() {
        say(link, server, body, cx);
    }
}

/// As a server to anybody, and as a client to anybody.
fn guessed_uids(link: LinkId, cx: &mut Cx<'_>) {
    let bodies = [
        Body::Agreement,
        Body::ServerShare { share: random(cx), validator: random(cx) },
        Body::ClientValidator { validator: random(cx) },
        Body::Accepted,
        Body::Refused,
        Body::RelayFailure(RelayFailure::InvalidServer(Uid(1))),
    ];
    let places = [0, 0xffff, u16::try_from(below(cx.rng(), 128)).unwrap_or_default()];
    for _ in 0..4 {
        let uid = pick(cx.rng(), &places).copied().unwrap_or_default();
        if let Some(body) = pick(cx.rng(), &bodies).cloned() {
            say(link, Uid(uid), body, cx);
        }
    }
}

/// Begins handshakes under everybody's name.
fn forge(link: LinkId, server: Uid, heard: &Heard, cx: &mut Cx<'_>) {
    for identity in heard.names.iter().rev().take(FORGED).cloned() {
        let share = random(cx);
        say(link, server, Body::ClientShare { share, identity }, cx);
    }
}

fn accept_unasked(link: LinkId, heard: &Heard, cx: &mut Cx<'_>) {
    let bodies = [
        Body::Accepted,
        Body::Refused,
        Body::SpokeFailure(SpokeFailure::InvalidPublic),
        Body::ClientValidator { validator: random(cx) },
    ];
    let server = any_server(heard, cx);
    if let Some(body) = pick(cx.rng(), &bodies).cloned() {
        say(link, server, body, cx);
    }
}

/// Guesses again wherever the last guess was answered.
fn guess_on(link: LinkId, wire: &mut Wire, heard: &Heard, cx: &mut Cx<'_>) {
    let Some(us) = wire.us.clone() else { return };
    wire.guesses.retain(|server, _| heard.servers.contains_key(server));
    let servers: Vec<_> = heard.servers.keys().copied().collect();
    for _ in 0..4 {
        let Some(server) = index(cx.rng(), servers.len()).and_then(|place| servers.get(place)) else {
            return;
        };
        let Some((_, public)) = heard.servers.get(server) else { return };
        let guess = wire.guesses.entry(*server).or_default();
        // Who is not answered in time tries again as well.
        if guess.is_answered() || below(cx.rng(), 16) == 0 {
            guess.again(link, *server, public, &us, cx);
        }
    }
}

/// Waits for somebody for a while, says something, and tries another room.
fn squat(link: LinkId, deed: u32, cx: &mut Cx<'_>) {
    match deed {
        4 => send(link, random::<64>(cx).to_vec(), cx),
        8 => cx.emit(Link::Close { link, how: How::Abort }),
        _ => {}
    }
}
