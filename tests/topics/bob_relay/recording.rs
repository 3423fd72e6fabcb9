//! `transcripts/`, read once for those who hold peers and those who hold a relay against it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::array;
use crate::harness::{Members, unhex};

/// A recording of the wire.
pub(crate) struct Recording {
    pub(crate) place: String,
    pub(crate) connections: BTreeMap<u64, Connection>,
    pub(crate) events: Vec<Event>,
    pub(crate) secrets: Option<Secrets>,
}

#[derive(Clone, Debug)]
pub(crate) struct Connection {
    /// What the relay calls it.
    pub(crate) identity: String,
    pub(crate) is_room: bool,
    /// What the real tool did on it; a hand-made peer has no role.
    pub(crate) role: Option<Role>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Role {
    Sender,
    Receiver {
        /// Whether the recorded draws are its.
        is_plain: bool,
    },
}

pub(crate) struct Event {
    pub(crate) connection: u64,
    pub(crate) by_relay: bool,
    /// None: the end of the stream.
    pub(crate) bytes: Option<Vec<u8>>,
}

/// What was recorded besides the wire.
pub(crate) struct Secrets {
    pub(crate) password: Vec<u8>,
    /// What the sender drew: the salt, then each y.
    pub(crate) sender_draws: Vec<u8>,
    pub(crate) receiver_draws: Vec<u8>,
    pub(crate) keys: [[u8; 64]; 2],
    /// Each write of the sender.
    pub(crate) writes: Vec<Vec<u8>>,
    pub(crate) after_last_record: Vec<u8>,
    pub(crate) is_whole: bool,
    pub(crate) file: Vec<u8>,
    pub(crate) file_name: String,
}

pub(crate) fn read(file: &mut Members) -> Recording {
    file.text("title");
    let connections = file.list("connections").into_iter().map(connection).collect();
    let events = file.list("events").into_iter().filter_map(event).collect();
    let secrets = file.names().contains(&"password".to_owned()).then(|| secrets(file));
    Recording { place: file.place().to_owned(), connections, events, secrets }
}

fn connection(mut connection: Members) -> (u64, Connection) {
    let role = connection.names().contains(&"role".to_owned()).then(|| connection.text("role"));
    let is_room = match connection.text("port").as_str() {
        "relay" => false,
        "secure room" => true,
        other => panic!("an unknown port: {other}"),
    };
    let role = role.map(|role| match role.as_str() {
        sender if sender.starts_with("sender") => Role::Sender,
        receiver if receiver.starts_with("receiver") => Role::Receiver { is_plain: receiver == "receiver" },
        other => panic!("an unknown role: {other}"),
    });
    (connection.number("id"), Connection { identity: connection.text("identity"), is_room, role })
}

fn event(mut event: Members) -> Option<Event> {
    let connection = event.number("connection");
    let kind = event.text("event");
    if kind == "connect" {
        return None;
    }
    event.number("at_ms");
    let by_relay = match event.text("sent_by").as_str() {
        "relay" => true,
        "peer" => false,
        other => panic!("sent by an unknown side: {other}"),
    };
    let bytes = match kind.as_str() {
        "bytes" => Some(event.bytes("bytes")),
        "end of stream" => None,
        other => panic!("an unknown event: {other}"),
    };
    Some(Event { connection, by_relay, bytes })
}

fn secrets(file: &mut Members) -> Secrets {
    let mut sender = Members::new("sender_random".into(), file.value("sender_random"));
    let mut receiver = Members::new("receiver_random".into(), file.value("receiver_random"));
    let sender_draws = [sender.bytes("salt"), strings(&mut sender, "y").concat()].concat();
    let Value::Bool(is_whole) = file.value("payload_sha1_trailer_matches") else { panic!("not a truth") };
    Secrets {
        password: file.bytes("password"),
        sender_draws,
        receiver_draws: strings(&mut receiver, "x").concat(),
        keys: [array(file, "shared_key_0"), array(file, "shared_key_1")],
        writes: strings(file, "records_from_sender_decrypted"),
        after_last_record: file.bytes("after_last_record"),
        is_whole,
        file: file.bytes("file"),
        file_name: file.text("file_name"),
    }
}

/// A list of bytes.
fn strings(members: &mut Members, name: &str) -> Vec<Vec<u8>> {
    let bytes = |value: Value| value.as_str().and_then(unhex).expect("bytes in hex");
    members.values(name).into_iter().map(bytes).collect()
}
