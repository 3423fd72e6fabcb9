//! Drives the Bob [`Client`] between a relay, servers with the right and another password, and an application.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use pleach_core::bob::channel::{self, Sealer};
use pleach_core::bob::client::{Client, Command, Config, Derivation, Event};
use pleach_core::bob::pack::Writer;
use pleach_core::bob::packet::{Body, Packet, Uid};
use pleach_core::bob::peer::Failure;
use pleach_core::bob::spoke::{Secret, Server, Verifier};
use pleach_core::bob::{Cipher, Compression, Identity, Name, Password, Public};
use pleach_core::link::{Input, Output};
use pleach_core::rng::below;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::bob_peer::{INPUT_MAX, Lines, ROOM, START, Said, name, peer_outputs, relay};
use crate::choices::Choices;
use crate::laws::Subject;
use crate::link_inputs;

/// No eight of its letters stand in a row in the name of anything.
const PASSWORD: &[u8] = b"zqxj-vkwy-7t3m-hb5d";
const CIPHERS: [Cipher; 2] = [Cipher::Aes256Gcm, Cipher::ChaCha20Poly1305];
const CONTENT: [u8; 700] = [7; 700];
const UNTAKEN_MAX: usize = 200;
/// Bytes of a record of the server.
const RECORD: usize = 100;

/// What surrounds one client.
#[derive(Debug)]
pub struct Hosts {
    lines: Lines<Command>,
    rng: ChaCha8Rng,
    us: Identity,
    public: Public,
    /// What the password becomes, and another one.
    verifiers: [Verifier; 2],
    runs: BTreeMap<Uid, Server>,
    /// Of whom was accepted.
    sealer: Option<Sealer>,
    sealers: BTreeMap<Uid, Sealer>,
    untaken: usize,
    ended: bool,
}

fn config(choices: &mut Choices<'_>) -> Config {
    Config {
        servers_max: 4,
        size_max: choices.pick(&[1 << 20, 1 << 20, 1 << 20, 100]).unwrap_or(100),
        untaken_max: UNTAKEN_MAX,
        derivation: Derivation {
            iterations_per_call: 64,
            iterations_max: 2000,
            free: 16,
            ..Derivation::default()
        },
        ..Config::new(relay(choices), Password::new(PASSWORD.to_vec()))
    }
}

impl Hosts {
    fn hear(&mut self, said: Said) {
        match said {
            Said::Packet(Packet { uid, body }) => self.answer(uid, body),
            Said::Line => {
                self.lines.bytes(ROOM, Bytes::from_static(b"00"));
                self.send();
            }
            Said::InRoom => self.lines.coming.push_back(Input::Finished { link: ROOM }),
        }
    }

    #[allow(clippy::wildcard_enum_match_arm)] // Few of the sixteen packets are answered.
    fn answer(&mut self, uid: Uid, body: Body) {
        match body {
            Body::HelloAsClient => {
                // A relay that errs announces servers first.
                if below(&mut self.rng, 32) == 0 {
                    let (server, public, identity) = (Uid(1), self.public.encode(), host(Uid(1)));
                    self.lines.tell(Uid::RELAY, Body::NewServer { server, public, identity });
                }
                self.lines.tell(Uid::RELAY, Body::ClientIdentity { identity: self.us.clone() });
            }
            Body::ClientShare { share, identity } => {
                let [right, wrong] = &self.verifiers;
                let verifier = if uid.0.is_multiple_of(2) { right } else { wrong };
                let (them, us) = (identity.as_bytes(), host(uid));
                if let Ok((response, run)) =
                    Server::respond(verifier, &share, them, us.as_bytes(), &mut self.rng)
                {
                    self.runs.insert(uid, run);
                    let (share, validator) = (response.y, response.validator);
                    self.lines.tell(uid, Body::ServerShare { share, validator });
                }
            }
            Body::ClientValidator { validator } => {
                if let Some(Ok(keys)) = self.runs.remove(&uid).map(|run| run.finish(&validator)) {
                    self.sealers.insert(uid, channel::of_server(&keys, CIPHERS).0);
                    self.lines.tell(uid, Body::Agreement);
                }
            }
            Body::Accepted => {
                self.sealer = self.sealers.remove(&uid);
                self.lines.tell(Uid::RELAY, Body::Done);
            }
            _ => {}
        }
    }

    fn announce(&mut self, choices: &mut Choices<'_>) {
        let server = Uid(u16::from(choices.byte() % 5) + 1);
        let (public, identity) = (self.public.encode(), host(server));
        self.lines.tell(Uid::RELAY, Body::NewServer { server, public, identity });
    }

    /// The file, in records.
    fn send(&mut self) {
        let Some(mut sealer) = self.sealer.take() else { return };
        for record in pack().chunks(RECORD) {
            let mut sealed = BytesMut::new();
            if sealer.seal(record, &mut sealed).is_ok() {
                self.lines.bytes(ROOM, sealed.freeze());
            }
        }
    }

    /// How the server, or the relay, ends it before its time.
    fn end(&mut self, choices: &mut Choices<'_>) {
        let words: [&[u8]; 4] = [&[0xff; 4], &[0xff; 8], &[0x80, 1], &[0x80, 1]];
        let bytes = Bytes::from_static(choices.pick(&words).unwrap_or(&[0xff]));
        let of_room = |input: &Input<Command>| matches!(input, Input::Received { link: ROOM, .. });
        let at = self.lines.coming.iter().position(of_room).unwrap_or(self.lines.coming.len());
        self.lines.coming.insert(at, Input::Received { link: ROOM, bytes });
        self.lines.coming.insert(at + 1, Input::Finished { link: ROOM });
    }

    fn note(&mut self, event: &Event) {
        let answer = match event {
            Event::Offered { server, .. } if server.0 == 4 => Command::Refuse { server: *server },
            Event::Offered { server, .. } => Command::Accept { server: *server },
            Event::Content { bytes } => {
                self.untaken += bytes.len();
                // It is taken in larger pieces than it comes.
                if self.untaken < UNTAKEN_MAX {
                    return;
                }
                Command::Taken { bytes: std::mem::take(&mut self.untaken) }
            }
            Event::Complete { .. } => Command::Kept,
            Event::Ended(_) => {
                self.ended = true;
                return;
            }
            Event::Stage(_)
            | Event::Known { .. }
            | Event::Servers { .. }
            | Event::Withdrawn { .. }
            | Event::File { .. } => return,
        };
        self.lines.coming.push_back(Input::Command(answer));
    }
}

fn host(uid: Uid) -> Identity {
    name(u8::try_from(uid.0 % 256).unwrap_or(0))
}

fn pack() -> BytesMut {
    let mut out = BytesMut::new();
    let size = u64::try_from(CONTENT.len()).unwrap_or(0);
    if let Ok(name) = Name::try_from(b"hedge.txt".as_slice()) {
        let mut writer = Writer::new(&name, size, Compression::None);
        let written = writer.write(&CONTENT, &mut out).and_then(|()| writer.finish(&mut out));
        debug_assert!(written.is_ok());
    }
    out
}

impl Subject for Hosts {
    type Input = Input<Command>;
    type Output = Output<Event>;
    type Machine = Client;

    const NAME: &'static str = "bob::client";
    const STATES: &'static [&'static str] =
        &["connect", "wait-peer", "authenticate", "confirm", "meet", "transfer", "verify", "finish", "ended"];

    /// Most runs begin in the midst of it: a file would seldom get through between two time-outs.
    fn build(choices: &mut Choices<'_>) -> (Self, Client) {
        let mut machine = Client::new(config(choices));
        let count = choices.pick(&[1, 2, 30]).unwrap_or(1);
        let public = Public::new(count, CIPHERS, [9; 16]).unwrap_or_else(|error| unreachable!("{error}"));
        let mut this = Self {
            lines: Lines::new(),
            rng: ChaCha8Rng::seed_from_u64(choices.byte().into()),
            us: name(200),
            public,
            verifiers: [PASSWORD, b"another"].map(|password| Secret::derive(public, password).verifier()),
            runs: BTreeMap::new(),
            sealer: None,
            sealers: BTreeMap::new(),
            untaken: 0,
            ended: false,
        };
        let mut rng = ChaCha8Rng::seed_from_u64(choices.byte().into());
        let mut now = START.now;
        for step in 0..choices.below(64) {
            match step {
                // Somewhere in the file.
                24.. if choices.once_in(12) => this.end(choices),
                _ if step % 8 == 7 => this.announce(choices),
                _ => {}
            }
            let outputs = this.lines.turn(&mut machine, now, &mut rng, choices);
            now = now.next();
            outputs.iter().for_each(|output| this.observe(output));
        }
        (this, machine)
    }

    fn generate(&mut self, choices: &mut Choices<'_>) -> Input<Command> {
        let server = Uid(u16::from(choices.byte() % 6));
        match choices.byte() % 64 {
            0..6 => self.announce(choices),
            6 => self.end(choices),
            7..14 => return self.lines.oddity(choices),
            14 if choices.once_in(8) => return Input::Command(Command::Cancel),
            15 => return Input::Command(Command::Accept { server }),
            16 => return Input::Command(Command::Refuse { server }),
            17 => return Input::Command(Command::Taken { bytes: choices.below(300) }),
            18 => return Input::Command(Command::Kept),
            _ => {}
        }
        self.lines.next(choices).unwrap_or(Input::AddressesChanged)
    }

    fn observe(&mut self, output: &Output<Event>) {
        for said in self.lines.observe(output) {
            self.hear(said);
        }
        if let Output::Event(event) = output {
            self.note(event);
        }
    }

    link_inputs! { Input<Command>:
        Input::Opened { .. } => "Opened",
        Input::Answer { .. } => "Answer",
        Input::Command(Command::Accept { .. }) => "Command Accept",
        Input::Command(Command::Refuse { .. }) => "Command Refuse",
        Input::Command(Command::Taken { .. }) => "Command Taken",
        Input::Command(Command::Kept) => "Command Kept",
        Input::Command(Command::Cancel) => "Command Cancel",
    }

    peer_outputs! { Event:
        Output::Event(Event::Servers { .. }) => "Servers",
        Output::Event(Event::Offered { .. }) => "Offered",
        Output::Event(Event::Withdrawn { .. }) => "Withdrawn",
        Output::Event(Event::File { .. }) => "File",
        Output::Event(Event::Content { .. }) => "Content",
        Output::Event(Event::Complete { .. }) => "Complete",
        Output::Event(Event::Ended(Ok(()))) => "Ended, kept",
        Output::Event(Event::Ended(Err(Failure::Cancelled))) => "Ended, cancelled",
        Output::Event(Event::Ended(Err(Failure::Other(_)))) => "Ended, no file",
    }

    fn state(&self, machine: &Client) -> &'static str {
        if self.ended { "ended" } else { machine.stage().map_or("connect", |stage| stage.name()) }
    }

    /// An event and an answer for each packet, or pieces of content as long as they may be untaken, one for each six
    /// bytes of a record that was held; and what a step of the way brings about.
    fn outputs_max(&self, _input: Option<&Input<Command>>) -> usize {
        2 * (INPUT_MAX / 6) + UNTAKEN_MAX + 16
    }

    fn memory_max(&self) -> usize {
        256 * 1024
    }

    fn closes(_input: Option<&Input<Command>>, outputs: &[Output<Event>]) -> bool {
        outputs.iter().any(|output| matches!(output, Output::Event(Event::Ended(_))))
    }

    fn secrets(&self) -> Vec<Vec<u8>> {
        vec![PASSWORD.to_vec()]
    }
}
