//! `peer_transcripts.json`: both peers with the recorded draws. Every packet that they say is compared in full, and what
//! they hear is cut anywhere.
//!
//! The keys are compared twice: SPOKE alone gives both; of the peers, K_0 is seen by what it seals and opens. K_1 would
//! protect records of the client, of which there are none.
#![allow(clippy::wildcard_enum_match_arm)] // A recording is searched for a few of many packets and events.

use bytes::{Bytes, BytesMut};
use pleach_core::bob::channel::{self, Opened};
use pleach_core::bob::pack::{Compression, Writer};
use pleach_core::bob::packet::{Body, Decoder};
use pleach_core::bob::spoke::{self, Keys, Secret};
use pleach_core::bob::{Cipher, Name, Public, client, server};
use serde_json::Value;

use super::peers::{self, ClientDesk, HALL, ROOM, ServerDesk};
use super::{Scripted, array};
use crate::harness::{Members, Topic};

/// How often each scenario is run with its reads cut at other places.
const CUTS: u64 = 20;
const FILE: &[u8] = b"beech and oak";
/// Those that the original offers.
pub(crate) const CIPHERS: [Cipher; 2] = [Cipher::Aes256Gcm, Cipher::ChaCha20Poly1305];

pub(crate) fn peer_transcripts(topic: &mut Topic) {
    topic.file("peer_transcripts.json", |topic, mut file| topic.cases(&mut file, "scenarios", scenario));
}

/// What both sides bring along.
struct Setting {
    place: String,
    passwords: [Vec<u8>; 2],
    salt: Vec<u8>,
    count: u32,
    accepts: bool,
}

struct Step {
    place: String,
    action: Action,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Who {
    Server,
    Client,
}

enum Action {
    /// A peer says this.
    Says(Who, Vec<u8>),
    /// A peer hears this, draws that, and this follows.
    Hears(Who, Vec<u8>, Vec<u8>, Outcome),
    /// The relay closes the link of a peer.
    Closes(Who),
    /// The relay does something that peers do not see.
    Nothing,
}

enum Outcome {
    Goes,
    Agrees(String),
    Done(String, [[u8; 64]; 2]),
}

fn scenario(mut case: Members) {
    let name = case.text("name");
    let place = format!("{} ({name})", case.place());
    let (server, client) = (case.bytes("server_password"), case.bytes("client_password"));
    let setting = Setting {
        place,
        passwords: [server, client],
        salt: case.bytes("salt"),
        count: u32::try_from(case.number("count")).expect("a count that is taken"),
        accepts: match case.text("client_decision").as_str() {
            "accept" => true,
            "refuse" => false,
            other => panic!("an unknown decision: {other}"),
        },
    };
    let names = [case.text("server_peer_identity"), case.text("client_peer_identity")];
    let steps: Vec<Step> = case.list("steps").into_iter().map(step).collect();
    for seed in 0..=CUTS {
        Play::new(&setting, seed).run(&steps);
    }
    spoke_alone(&setting, &names, &steps);
}

fn who(name: &str) -> Who {
    match name {
        "server" => Who::Server,
        "client" => Who::Client,
        other => panic!("an unknown peer: {other}"),
    }
}

fn step(mut step: Members) -> Step {
    let place = step.place().to_owned();
    let names = step.names();
    let has = |name: &str| names.iter().any(|other| other == name);
    let action = if has("at") {
        assert_eq!(step.text("at"), "relay");
        if has("close") {
            Action::Closes(who(&step.text("close")))
        } else {
            step.values("room_between");
            Action::Nothing
        }
    } else {
        let (from, to, bytes) = (step.text("from"), step.text("to"), step.bytes("bytes"));
        if to == "relay" {
            Action::Says(who(&from), bytes)
        } else {
            assert_eq!(from, "relay");
            let drawn = format!("random_drawn_by_{to}");
            let drawn = if has(&drawn) { step.bytes(&drawn) } else { Vec::new() };
            Action::Hears(who(&to), bytes, drawn, outcome(step.value("result")))
        }
    };
    Step { place, action }
}

fn outcome(result: Value) -> Outcome {
    if result == "continue" {
        return Outcome::Goes;
    }
    let mut result = Members::new("result".into(), result);
    if result.names().contains(&"agreement_with".to_owned()) {
        return Outcome::Agrees(result.text("agreement_with"));
    }
    let name = result.text("done_with");
    Outcome::Done(name, [array(&mut result, "shared_key_0"), array(&mut result, "shared_key_1")])
}

/// Both peers, and how far they have come.
struct Play<'a> {
    setting: &'a Setting,
    server: ServerDesk,
    client: ClientDesk,
}

impl<'a> Play<'a> {
    fn new(setting: &'a Setting, seed: u64) -> Self {
        let [password, other] = &setting.passwords;
        let draws = Some(setting.salt.clone());
        let server = peers::server(password, b"hedge.txt", FILE.len(), setting.count, draws, seed);
        Self { setting, server, client: peers::client(other, Some(Vec::new()), seed) }
    }

    fn run(mut self, steps: &[Step]) {
        for Step { place, action } in steps {
            match action {
                Action::Says(Who::Server, bytes) => {
                    assert_eq!(self.server.says(HALL, bytes.len()), *bytes, "{place}")
                }
                Action::Says(Who::Client, bytes) => {
                    assert_eq!(self.client.says(HALL, bytes.len()), *bytes, "{place}")
                }
                Action::Hears(Who::Server, bytes, drawn, outcome) => {
                    self.server.draws.recorded.get_or_insert_default().extend(drawn);
                    self.server.hears(HALL, bytes);
                    self.of_server(place, outcome);
                }
                Action::Hears(Who::Client, bytes, drawn, outcome) => {
                    self.client.draws.recorded.get_or_insert_default().extend(drawn);
                    self.client.hears(HALL, bytes);
                    self.of_client(place, outcome);
                }
                Action::Closes(Who::Server) => self.server.ends(HALL),
                Action::Closes(Who::Client) => self.client.ends(HALL),
                Action::Nothing => {}
            }
        }
        let place = &self.setting.place;
        assert_eq!((self.server.said(HALL), self.client.said(HALL)), (Vec::new(), Vec::new()), "{place}");
        for draws in [&self.server.draws, &self.client.draws] {
            assert_eq!(draws.recorded.as_ref().map(|rest| rest.len()), Some(0), "{place}: all is drawn");
        }
    }

    fn of_server(&mut self, place: &str, outcome: &Outcome) {
        let accepted = self.server.events.iter().find_map(|event| match event {
            server::Event::Accepted { identity } => Some(identity.to_string()),
            _ => None,
        });
        match outcome {
            Outcome::Goes => assert_eq!(accepted, None, "{place}"),
            Outcome::Agrees(_) => panic!("{place}: a server asks nobody"),
            Outcome::Done(name, keys) => {
                assert_eq!(accepted.as_ref(), Some(name), "{place}");
                self.meet_as_server(place, name, *keys);
            }
        }
    }

    fn of_client(&mut self, place: &str, outcome: &Outcome) {
        let offered = self.client.events.iter().find_map(|event| match event {
            client::Event::Offered { server, identity } => Some((*server, identity.to_string())),
            _ => None,
        });
        match outcome {
            Outcome::Goes => assert!(offered.is_none(), "{place}"),
            Outcome::Agrees(name) => {
                let (server, offered) = offered.expect("it agrees");
                assert_eq!(offered, *name, "{place}");
                self.client.command(match self.setting.accepts {
                    true => client::Command::Accept { server },
                    false => client::Command::Refuse { server },
                });
                self.client.events.clear();
            }
            Outcome::Done(name, keys) => self.meet_as_client(place, name, *keys),
        }
    }

    /// The server's K_0 is the recorded one: what it seals opens.
    fn meet_as_server(&mut self, place: &str, name: &str, keys: [[u8; 64]; 2]) {
        assert_eq!(self.server.closed, [HALL], "{place}");
        assert_eq!(self.server.said(ROOM), format!("{name}\n").into_bytes(), "{place}");
        self.server.hears(ROOM, b"00");
        self.server.command(server::Command::Content { bytes: Bytes::from_static(FILE) });
        let (_, mut opener) = channel::of_client(&Keys::from_bytes(keys), CIPHERS);
        let opened = opener.open(&mut self.server.said(ROOM).into());
        assert!(matches!(opened, Some(Opened::Data(plain)) if plain.starts_with(b"PACK")), "{place}");
    }

    /// The client's K_0 is the recorded one: it opens what is sealed with it.
    fn meet_as_client(&mut self, place: &str, name: &str, keys: [[u8; 64]; 2]) {
        assert_eq!(self.client.closed, [HALL], "{place}");
        assert_eq!(self.client.said(ROOM), format!("{name}\n").into_bytes(), "{place}");
        let (mut sealer, _) = channel::of_server(&Keys::from_bytes(keys), CIPHERS);
        let (mut plain, mut sealed) = (BytesMut::new(), BytesMut::new());
        let name = Name::try_from(b"hedge.txt".as_slice()).expect("a name");
        let size = u64::try_from(FILE.len()).expect("a small file");
        let mut writer = Writer::new(&name, size, Compression::None);
        writer.write(FILE, &mut plain).expect("as long as announced");
        writer.finish(&mut plain).expect("all is there");
        sealer.seal(&plain, &mut sealed).expect("the first record");
        self.client.hears(ROOM, b"00");
        self.client.hears(ROOM, &sealed);
        let complete = self.client.events.iter().any(|event| matches!(event, client::Event::Complete { .. }));
        assert!(complete, "{place}");
    }
}

/// Where it is done, SPOKE alone gives both recorded keys.
fn spoke_alone(setting: &Setting, names: &[String; 2], steps: &[Step]) {
    let done = steps.iter().find_map(|step| match &step.action {
        Action::Hears(_, _, _, Outcome::Done(_, keys)) => Some(keys),
        _ => None,
    });
    let Some(expected) = done else { return };
    let said = |who: Who| {
        let bytes = steps.iter().filter_map(move |step| match &step.action {
            Action::Says(by, bytes) if *by == who => Some(bytes.as_slice()),
            _ => None,
        });
        packets(&bytes.collect::<Vec<_>>().concat())
    };
    let drawn = |who: Who| -> Vec<u8> {
        let drawn = steps.iter().filter_map(|step| match &step.action {
            Action::Hears(by, _, drawn, _) if *by == who => Some(drawn.as_slice()),
            _ => None,
        });
        drawn.collect::<Vec<_>>().concat()
    };
    let public = said(Who::Server).into_iter().find_map(|body| match body {
        Body::HelloAsServer { public } => Public::decode(&public).ok(),
        _ => None,
    });
    let [server_name, client_name] = names.each_ref().map(|name| name.as_bytes());
    let secret = Secret::derive(public.expect("a server says hello"), &setting.passwords[0]);
    let (x, run) = spoke::Client::start(&secret, &mut Scripted(drawn(Who::Client)));
    let drawn = &mut Scripted(drawn(Who::Server));
    let answered = spoke::Server::respond(&secret.verifier(), &x, client_name, server_name, drawn);
    let (response, _) = answered.expect("a good share");
    let finished = run.finish(&response.y, &response.validator, client_name, server_name);
    let (_, keys) = finished.expect("the same password");
    assert_eq!([*keys.of_server(), *keys.of_client()], *expected, "{}", setting.place);
}

fn packets(bytes: &[u8]) -> Vec<Body> {
    let (mut decoder, mut bytes) = (Decoder::new(), Bytes::copy_from_slice(bytes));
    std::iter::from_fn(|| decoder.next(&mut bytes).expect("packets")).map(|packet| packet.body).collect()
}
