//! `mesh/`: HEADs and the establishment of links. Made by an independent program: its README tells.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use pleach_core::heads::{Announced, Rules};
use pleach_core::identity::stamp::Stamp;
use pleach_core::identity::{Keypair, PeerId};
use pleach_core::mesh::Malformed;
use pleach_core::mesh::establishment::{self, Alternative, Hello, Message, Motive};
use pleach_core::mesh::heads::{self, Fields, Head, Tip};
use pleach_core::time::WallTime;
use pleach_core::wire::frame::{Deframer, Prefix};
use serde_json::Value;

use crate::harness::{Members, topic, unhex};

#[test]
fn mesh() {
    topic("mesh", |topic| {
        topic.file("heads.json", |topic, mut file| {
            let mut known = BTreeMap::new();
            topic.cases(&mut file, "heads", |case| {
                let (name, head) = valid_head(case);
                known.insert(name, head);
            });
            topic.cases(&mut file, "wrong_signatures", wrong_signature);
            topic.cases(&mut file, "refused_bodies", |mut case| {
                let name = case.text("name");
                assert!(Fields::from_body(&case.bytes("body")).is_err(), "{name}");
            });
            topic.cases(&mut file, "frames", |case| heads_frame(case, &known));
            topic.cases(&mut file, "unknown_frames", |mut case| {
                let name = case.text("name");
                assert_eq!(heads::decode_frame(&frame(&mut case, heads::FRAME_MAX)), Ok(None), "{name}");
            });
            topic.cases(&mut file, "refused_frames", |mut case| {
                let name = case.text("name");
                assert!(heads::decode_frame(&frame(&mut case, heads::FRAME_MAX)).is_err(), "{name}");
            });
        });
        topic.file("establishment.json", |topic, mut file| {
            topic.cases(&mut file, "messages", message);
            topic.cases(&mut file, "unknown_frames", |case| refused(case, |read| read == Ok(None)));
            topic.cases(&mut file, "too_many_alternatives", |case| {
                refused(case, |read| read == Err(Malformed::TooManyAlternatives));
            });
            topic.cases(&mut file, "refused_frames", |case| {
                refused(case, |read| read.is_err_and(|error| error != Malformed::TooManyAlternatives));
            });
        });
    });
}

fn valid_head(mut case: Members) -> (String, Head) {
    let (name, network) = (case.text("name"), case.text("network"));
    let key = Keypair::from_seed(&case.bytes("seed").try_into().expect("a seed has 32 bytes"));
    let fields = Fields {
        node: case.number("node").try_into().expect("a node id has 32 bits"),
        peer: PeerId::from_bytes(&case.bytes("peer")).expect("a peer id"),
        height: case.number("height"),
        tip: Tip::from_slice(&case.bytes("tip")).expect("a tip"),
        software: case.text("software").as_str().try_into().expect("a name"),
        version: case.text("version").as_str().try_into().expect("a version"),
        free_member_rooms: case.number("free_member_rooms").try_into().expect("rooms have 16 bits"),
        free_mirror_rooms: case.number("free_mirror_rooms").try_into().expect("rooms have 16 bits"),
        issued: WallTime::from_unix_ms(case.number("issued")),
    };
    assert_eq!(fields.peer, key.peer_id(), "{name}");
    let (body, signature) = (case.bytes("body"), case.bytes("signature"));
    let head = Head::from_parts(&body, signature.as_slice().try_into().expect("a signature")).expect(&name);
    assert_eq!(*head.fields(), fields, "{name}");
    assert!(head.verify(&network), "{name}");
    assert_eq!(key.sign(&heads::signed_bytes(&network, &body)).as_slice(), signature, "{name}");
    if case.value("further") == Value::Bool(false) {
        assert_eq!(Head::sign(fields, &network, &key), head, "{name}");
    }
    (name, head)
}

fn wrong_signature(mut case: Members) {
    let (name, network) = (case.text("name"), case.text("network"));
    let signature = case.bytes("signature").try_into().expect("a signature");
    let head = Head::from_parts(&case.bytes("body"), signature).expect("a body");
    assert!(!head.verify(&network), "{name}");
    let rules = heads::HeadRules::new(&network, Arc::new(Keypair::from_seed(&[9; 32])), 0, "test", "1");
    assert!(!rules.expect("names that fit").verify(&head), "{name}");
}

fn heads_frame(mut case: Members, known: &BTreeMap<String, Head>) {
    let name = case.text("name");
    let expected: Vec<_> = case.list("heads").into_iter().map(|head| announced(head, known)).collect();
    if case.value("canonical") == Value::Bool(true) {
        assert_eq!(hex(&heads::encode_frame(&expected)), case.text("frame"), "{name}");
    } else {
        assert_eq!(heads::decode_frame(&frame(&mut case, heads::FRAME_MAX)), Ok(Some(expected)), "{name}");
        return;
    }
    let mut whole = Deframer::new(Prefix::Varint, heads::FRAME_MAX);
    whole.push(heads::encode_frame(&expected));
    let bare = whole.next_frame().expect("a frame").expect("a whole frame");
    assert_eq!(heads::decode_frame(&bare), Ok(Some(expected)), "{name}");
}

fn announced(mut entry: Members, known: &BTreeMap<String, Head>) -> Announced<Head> {
    let name = entry.text("head");
    let head = known.get(&name).unwrap_or_else(|| panic!("no head `{name}`")).clone();
    Announced { head, step: entry.number("step").try_into().expect("a step") }
}

fn message(mut case: Members) {
    let name = case.text("name");
    let place = case.place().to_owned();
    let expected = expected(Members::new(place, case.value("message")));
    if case.value("canonical") == Value::Bool(true) {
        let bytes = unhex(&case.text("frame")).expect("hex");
        assert_eq!(hex(&expected.to_frame()), hex(&bytes), "{name}");
        assert_eq!(Message::from_frame(&cut(bytes, establishment::FRAME_MAX)), Ok(Some(expected)), "{name}");
    } else {
        let frame = frame(&mut case, establishment::FRAME_MAX);
        assert_eq!(Message::from_frame(&frame), Ok(Some(expected)), "{name}");
    }
}

fn expected(mut message: Members) -> Message {
    match message.text("type").as_str() {
        "hello" => Message::Hello(Hello {
            network: message.text("network"),
            lowest: message.number("lowest"),
            highest: message.number("highest"),
            stamp: message.value("stamp").as_str().map(stamp),
            metadata: Bytes::from(message.bytes("metadata")),
        }),
        "ack" => Message::Ack { version: message.number("version") },
        "nack" => Message::Nack {
            motive: Motive::of(message.number("motive")),
            alternatives: message.list("alternatives").into_iter().map(alternative).collect(),
        },
        "bye" => Message::Bye { motive: Motive::of(message.number("motive")) },
        other => panic!("no message is of the type `{other}`"),
    }
}

fn stamp(text: &str) -> Stamp {
    Stamp(unhex(text).and_then(|bytes| bytes.try_into().ok()).expect("a stamp has 24 bytes"))
}

fn alternative(mut entry: Members) -> Alternative {
    let peer = PeerId::from_bytes(&entry.bytes("peer")).expect("a peer id");
    let address = |value: Value| Bytes::from(value.as_str().and_then(unhex).expect("an address in hex"));
    Alternative { peer, addresses: entry.values("addresses").into_iter().map(address).collect() }
}

fn refused(mut case: Members, is_right: impl Fn(Result<Option<Message>, Malformed>) -> bool) {
    let name = case.text("name");
    let read = Message::from_frame(&frame(&mut case, establishment::FRAME_MAX));
    assert!(is_right(read.clone()), "{name}: {read:?}");
}

/// The member `frame`, without its prefix.
fn frame(case: &mut Members, limit: usize) -> Bytes {
    cut(case.bytes("frame"), limit)
}

fn cut(bytes: Vec<u8>, limit: usize) -> Bytes {
    let mut deframer = Deframer::new(Prefix::Varint, limit);
    deframer.push(Bytes::from(bytes));
    let frame = deframer.next_frame().expect("a frame").expect("a whole frame");
    assert!(deframer.into_rest().is_empty(), "one frame and no more");
    frame
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
