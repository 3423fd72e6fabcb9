//! Drives the Bob [`Server`] between a relay, clients with the right and another password, and an application.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use pleach_core::bob::packet::{Body, Packet, Uid};
use pleach_core::bob::peer::Failure;
use pleach_core::bob::server::{Command, Config, Event, Guesses, Sent, Server};
use pleach_core::bob::spoke::{Client, Secret};
use pleach_core::bob::{Compression, Identity, Name, Password, Public};
use pleach_core::link::{Input, Output};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::bob_peer::{INPUT_MAX, Lines, ROOM, START, Said, name, peer_outputs, relay};
use crate::choices::Choices;
use crate::laws::Subject;
use crate::link_inputs;

/// No eight of its letters stand in a row in the name of anything.
const PASSWORD: &[u8] = b"zqxj-vkwy-7t3m-hb5d";
const SIZE: u64 = 3000;
const CLIENTS_MAX: usize = 4;

/// What surrounds one server.
#[derive(Debug)]
pub struct Callers {
    lines: Lines<Command>,
    rng: ChaCha8Rng,
    us: Identity,
    /// What the password becomes, with another one: once the server has said hello.
    secrets: Option<[Secret; 2]>,
    runs: BTreeMap<Uid, (Identity, Client)>,
    ended: bool,
}

fn config(choices: &mut Choices<'_>) -> Config {
    let relay = relay(choices);
    // Names of files are a matter of the pack's tests.
    let name = Name::try_from(b"hedge.txt".as_slice()).unwrap_or_else(|error| unreachable!("{error}"));
    let size = choices.pick(&[SIZE, SIZE, 0]).unwrap_or(SIZE);
    let end_timeout = relay.stall_timeout;
    Config {
        compression: Compression::None,
        // More than one call does, in some runs: that takes long.
        iterations: if choices.once_in(64) { 4200 } else { 1 },
        clients_max: CLIENTS_MAX,
        responses_per_call: 2,
        guesses: Guesses {
            failures_max: 3,
            addresses_max: 3,
            delay: Duration::from_secs(1),
            ..Guesses::default()
        },
        flight_max: 1000,
        end_timeout,
        ..Config::new(relay, Password::new(PASSWORD.to_vec()), name, size)
    }
}

impl Callers {
    fn hear(&mut self, said: Said) {
        match said {
            Said::Packet(Packet { uid, body }) => self.answer(uid, body),
            Said::Line => self.lines.bytes(ROOM, Bytes::from_static(b"00")),
            Said::InRoom => {}
        }
    }

    #[allow(clippy::wildcard_enum_match_arm)] // Few of the sixteen packets are answered.
    fn answer(&mut self, uid: Uid, body: Body) {
        match body {
            Body::HelloAsServer { public } => {
                if let Ok(public) = Public::decode(&public) {
                    self.secrets =
                        Some([PASSWORD, b"another"].map(|password| Secret::derive(public, password)));
                }
                self.lines.tell(Uid::RELAY, Body::ServerIdentity { identity: self.us.clone() });
            }
            Body::ServerShare { share, validator } => {
                let Some((name, run)) = self.runs.remove(&uid) else { return };
                let finished = run.finish(&share, &validator, name.as_bytes(), self.us.as_bytes());
                self.lines.tell(
                    uid,
                    match finished {
                        Ok((validator, _)) => Body::ClientValidator { validator },
                        Err(failure) => Body::SpokeFailure(failure),
                    },
                );
            }
            // Some never make up their mind.
            Body::Agreement if uid.0.is_multiple_of(3) => {}
            Body::Agreement => self.lines.tell(uid, Body::Accepted),
            _ => {}
        }
    }

    /// Somebody tries, with the right password or another.
    fn call(&mut self, choices: &mut Choices<'_>) {
        let number = choices.byte() % 5 + 1;
        let (uid, is_right) = (Uid(number.into()), choices.once_in(2));
        let Some([right, wrong]) = &self.secrets else { return };
        let (share, run) = Client::start(if is_right { right } else { wrong }, &mut self.rng);
        let identity = name(number / 2);
        self.runs.insert(uid, (identity.clone(), run));
        self.lines.tell(uid, Body::ClientShare { share, identity });
    }

    /// How the client in the room ends it: as the original does, as ours does, badly.
    fn end(&mut self, choices: &mut Choices<'_>) {
        let words: [&[u8]; 5] = [&[0xff; 4], &[0xff; 8], &[0xff; 8], &[0x80, 0], &[0, 1, 9]];
        self.lines.bytes(ROOM, Bytes::from_static(choices.pick(&words).unwrap_or(&[0xff])));
        self.lines.coming.push_back(Input::Finished { link: ROOM });
    }
}

impl Subject for Callers {
    type Input = Input<Command>;
    type Output = Output<Event>;
    type Machine = Server;

    const NAME: &'static str = "bob::server";
    const STATES: &'static [&'static str] =
        &["connect", "wait-peer", "authenticate", "confirm", "meet", "transfer", "verify", "finish", "ended"];

    /// Most runs begin in the midst of it: a file would seldom get through between two time-outs.
    fn build(choices: &mut Choices<'_>) -> (Self, Server) {
        let config = config(choices);
        let mut machine = Server::new(config).unwrap_or_else(|error| unreachable!("{error}"));
        let mut this = Self {
            lines: Lines::new(),
            rng: ChaCha8Rng::seed_from_u64(1),
            us: name(200),
            secrets: None,
            runs: BTreeMap::new(),
            ended: false,
        };
        let mut rng = ChaCha8Rng::seed_from_u64(choices.byte().into());
        let mut now = START.now;
        for step in 0..choices.below(48) {
            match step {
                40 => this.end(choices),
                _ if step % 8 == 7 => this.call(choices),
                _ => {}
            }
            let outputs = this.lines.turn(&mut machine, now, &mut rng, choices);
            now = now.next();
            outputs.iter().for_each(|output| this.observe(output));
        }
        (this, machine)
    }

    fn generate(&mut self, choices: &mut Choices<'_>) -> Input<Command> {
        match choices.byte() % 32 {
            0..4 => self.call(choices),
            4 => self.end(choices),
            5..8 => return self.lines.oddity(choices),
            8 if choices.once_in(16) => return Input::Command(Command::Cancel),
            9 if choices.once_in(4) => {
                return Input::Command(Command::Content { bytes: choices.content(300) });
            }
            _ => {}
        }
        self.lines.next(choices).unwrap_or(Input::AddressesChanged)
    }

    fn observe(&mut self, output: &Output<Event>) {
        for said in self.lines.observe(output) {
            self.hear(said);
        }
        if let Output::Event(Event::Wanted { bytes }) = output {
            let bytes = vec![7; *bytes].into();
            self.lines.coming.push_back(Input::Command(Command::Content { bytes }));
        }
        self.ended |= matches!(output, Output::Event(Event::Ended(_)));
    }

    link_inputs! { Input<Command>:
        Input::Opened { .. } => "Opened",
        Input::Answer { .. } => "Answer",
        Input::Command(Command::Content { .. }) => "Command Content",
        Input::Command(Command::Cancel) => "Command Cancel",
    }

    peer_outputs! { Event:
        Output::Event(Event::WrongPassword { .. }) => "WrongPassword",
        Output::Event(Event::Agreed { .. }) => "Agreed",
        Output::Event(Event::Accepted { .. }) => "Accepted",
        Output::Event(Event::Wanted { .. }) => "Wanted",
        Output::Event(Event::Sent { .. }) => "Sent",
        Output::Event(Event::Ended(Ok(Sent { confirmed: true }))) => "Ended, confirmed",
        Output::Event(Event::Ended(Ok(Sent { confirmed: false }))) => "Ended, not confirmed",
        Output::Event(Event::Ended(Err(Failure::Cancelled | Failure::Other(_)))) => "Ended, cancelled",
    }

    fn state(&self, machine: &Server) -> &'static str {
        if self.ended { "ended" } else { machine.stage().map_or("connect", |stage| stage.name()) }
    }

    /// An event and an answer for each packet, pieces of a file, and what a step of the way brings about.
    fn outputs_max(&self, _input: Option<&Input<Command>>) -> usize {
        2 * (INPUT_MAX / 6 + CLIENTS_MAX) + 16
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
