//! `overlay/`: the messages of the original library, and recorded conversations with running nodes of it.

use std::collections::BTreeMap;

use bytes::Bytes;
use pleach_core::broadcast::{self, Announcement, Id};
use pleach_core::identity::PeerId;
use pleach_core::mesh::rpc::{self, Action, FRAME_MAX, RpcError, raw};
use pleach_core::overlay::{self, Contact, Priority};
use pleach_core::wire::frame::{Deframer, FrameError, Prefix};
use pleach_core::wire::protobuf::ProtobufError;
use serde_json::{Value, json};

use crate::harness::{Members, Topic, topic, unhex};

#[test]
fn overlay() {
    topic("overlay", |topic| {
        topic.file("episub-rpc.json", |topic, mut file| {
            file.remark("schema");
            topic.cases(&mut file, "messages", message);
            topic.cases(&mut file, "decode", decoded);
            topic.cases(&mut file, "frames", frames);
        });
        for name in topic.names("transcripts") {
            topic.file(&name, transcript);
        }
    });
}

/// Encodes exactly so, and is read as what it was.
fn message(mut case: Members) {
    case.remark("name");
    let place = case.place().to_owned();
    let (name, body, frame) = (case.text("topic"), case.bytes("rpc_hex"), case.bytes("frame_hex"));
    let written = case.value("action");
    let action = action(Members::new(format!("{place}.action"), written.clone()));
    assert_eq!(rpc::encode(&name, &action), body, "{place}");
    assert_eq!(rpc::encode_frame(&name, &action).expect("it fits"), frame, "{place}");
    let read = raw::Rpc::decode(&body).unwrap_or_else(|error| panic!("{place}: {error}"));
    assert_eq!((read.topic, read.action.as_ref().map(shown)), (name.as_str(), Some(written)), "{place}");
    let body = Bytes::from(body);
    assert_eq!(rpc::decode(&body), Ok(rpc::Rpc { topic: name, action, extended: false }), "{place}");
}

/// What the original's decoder makes of odd input.
fn decoded(mut case: Members) {
    case.remark("name");
    let place = case.place().to_owned();
    let body = case.bytes("rpc_hex");
    let read = raw::Rpc::decode(&body);
    if !boolean(&mut case, "decodes") {
        case.remark("upstream_error");
        assert!(read.is_err(), "{place}: {read:?}");
        return;
    }
    let read = read.unwrap_or_else(|error| panic!("{place}: {error}"));
    assert_eq!(read.topic, case.text("topic"), "{place}");
    assert_eq!(read.action.as_ref().map_or(Value::Null, shown), case.value("action"), "{place}");
    assert_layer_above(&place, &body, &read);
}

fn frames(mut case: Members) {
    case.remark("name");
    let place = case.place().to_owned();
    let mut deframer = Deframer::new(Prefix::Varint, FRAME_MAX);
    deframer.push(case.bytes("stream_hex").into());
    if case.names().iter().any(|name| name == "error") {
        assert!(boolean(&mut case, "error"), "{place}");
        assert!(deframer.next_frame().is_err(), "{place}");
        return;
    }
    for expected in case.values("rpc_hex") {
        assert_eq!(deframer.next_frame(), Ok(Some(hex(&expected).into())), "{place}");
    }
    assert_eq!((deframer.next_frame(), deframer.buffered()), (Ok(None), 0), "{place}");
}

/// The nodes of a transcript, by label.
struct Nodes(BTreeMap<String, Node>);

struct Node {
    peer_id: Vec<u8>,
    upstream: bool,
}

fn transcript(topic: &mut Topic, mut file: Members) {
    remarks(&mut file, &["name", "about"]);
    // The layers below this one are read where those are tested.
    file.remark("layers");
    let name = file.text("topic");
    let nodes = Nodes(file.list("nodes").into_iter().map(node).collect());
    let steps = file.values("steps");
    let refused: Vec<bool> = (0..steps.len()).map(|at| ends_the_link(&steps, at)).collect();
    let mut refused = refused.into_iter();
    topic.list(file.place(), steps, |step| {
        step_of(step, &name, &nodes, refused.next().expect("one for each step"))
    });
}

fn node(mut node: Members) -> (String, Node) {
    remarks(
        &mut node,
        &["seed", "address", "address_hex", "network_size", "shuffle_ms", "polled_every_ms", "derived"],
    );
    let upstream = match node.text("side").as_str() {
        "upstream" => true,
        "probe" => false,
        other => panic!("{}: a side {other}", node.place()),
    };
    let peer_id = node.bytes("peer_id_hex");
    let parsed: PeerId = node.text("peer_id").parse().expect("a peer id");
    assert_eq!(parsed.to_bytes().as_slice(), peer_id, "{}", node.place());
    (node.text("label"), Node { peer_id, upstream })
}

/// Whether the sender of a `raw` step lost its link before anything else was tried.
fn ends_the_link(steps: &[Value], at: usize) -> bool {
    let sender = steps.get(at).and_then(|step| step.get("from"));
    let after = steps.iter().skip(at + 1).take_while(|step| !is(step, "kind", "note"));
    after.into_iter().any(|step| is(step, "what", "closed") && step.get("node") == sender)
}

/// Checks one step. True if it was a case, not a remark on what else happened.
fn step_of(mut step: Members, name: &str, nodes: &Nodes, ends_the_link: bool) -> bool {
    step.remark("ms");
    let others: &[&str] = match step.text("kind").as_str() {
        "frame" | "lost" => return frame(step, name, nodes),
        "raw" => {
            raw_bytes(step, ends_the_link);
            return true;
        }
        "event" => &["node", "what", "text"],
        "dial_wish" | "close_wish" => &["node", "peer"],
        "views" => &["node", "topics", "banned"],
        "note" => &["text"],
        other => panic!("{}: a step of kind {other}", step.place()),
    };
    remarks(&mut step, others);
    false
}

/// What was written beside well-formed frames: we refuse it where the original ended the link.
fn raw_bytes(mut step: Members, ends_the_link: bool) {
    remarks(&mut step, &["from", "to", "what"]);
    let text = step.text("raw");
    // Long ones are cut.
    let bytes = unhex(text.split('…').next().unwrap_or_default()).expect("hex");
    let mut deframer = Deframer::new(Prefix::Varint, FRAME_MAX);
    deframer.push(bytes.into());
    let refused = loop {
        match deframer.next_frame() {
            Ok(Some(frame)) if rpc::decode(&frame).is_ok() => {}
            Ok(None) => break false,
            Ok(Some(_)) | Err(FrameError::Oversize | FrameError::BadPrefix) => break true,
        }
    };
    assert_eq!(refused, ends_the_link, "{}: {text}", step.place());
}

fn frame(mut step: Members, name: &str, nodes: &Nodes) -> bool {
    let place = step.place().to_owned();
    let upstream = nodes.0.get(&step.text("from")).is_some_and(|node| node.upstream);
    remarks(&mut step, &["to", "connection"]);
    let other = has(&step, "rpc_topic").then(|| step.text("rpc_topic"));
    if has(&step, "rpc_start") {
        // Only the start of a long one is there.
        step.names().iter().for_each(|name| step.remark(name));
        return false;
    }
    let body = step.bytes("rpc");
    let kind = step.value("action");
    // Of a message without an action the recorder kept no topic either.
    let unrecorded = kind.is_null() && other.is_none();
    let topic = other.unwrap_or_else(|| name.to_owned());
    let read = raw::Rpc::decode(&body);
    if kind == "undecodable" {
        assert!(read.is_err(), "{place}: {read:?}");
        assert!(rpc::decode(&body.into()).is_err(), "{place}");
        return true;
    }
    if read == Err(ProtobufError::NotText) && topic.contains(char::REPLACEMENT_CHARACTER) {
        // The recorder replaced what is no UTF-8.
        return true;
    }
    let read = read.unwrap_or_else(|error| panic!("{place}: {error}"));
    assert!(unrecorded || read.topic == topic, "{place}: {}", read.topic);
    assert_eq!(
        read.action.as_ref().and_then(|action| shown(action).get("type").cloned()).unwrap_or_default(),
        kind,
        "{place}"
    );
    if let Some(action) = &read.action {
        recorded(&mut step, action, nodes);
    }
    assert_layer_above(&place, &body, &read);
    let body = Bytes::from(body);
    if let (true, Ok(checked)) = (upstream, rpc::decode(&body)) {
        assert!(!checked.extended, "{place}");
        assert_eq!(rpc::encode(&checked.topic, &checked.action), body, "{place}");
    }
    true
}

/// The members of a recorded message. An absent field was recorded as null, and reads as zero.
fn recorded(step: &mut Members, action: &raw::Action<'_>, nodes: &Nodes) {
    let place = step.place().to_owned();
    match action {
        raw::Action::Join(join) | raw::Action::ForwardJoin(join) => {
            assert_eq!(u64::from(join.ttl), field(step, "ttl"), "{place}");
            recorded_peer(step, &join.peer, nodes);
        }
        raw::Action::Neighbor(neighbor) => {
            assert_eq!(u64::from(neighbor.priority.cast_unsigned()), field(step, "priority"), "{place}");
            recorded_peer(step, &neighbor.peer, nodes);
        }
        raw::Action::Shuffle(shuffle) => {
            assert_eq!(u64::from(shuffle.ttl), field(step, "ttl"), "{place}");
            assert_eq!(shuffle.origin.peer_id, nodes.peer_id(&step.value("origin")), "{place}");
            recorded_nodes(step, &shuffle.nodes, nodes);
        }
        raw::Action::ShuffleReply(reply) => recorded_nodes(step, &reply.nodes, nodes),
        raw::Action::Disconnect(disconnect) => {
            assert_eq!(u64::from(disconnect.alive), field(step, "alive"), "{place}");
        }
        raw::Action::Message(message) => {
            assert_eq!(message.id, step.bytes("id"), "{place}");
            assert_eq!(u64::from(message.hop), field(step, "hop"), "{place}");
            assert_eq!(message.payload.len() as u64, step.number("payload_len"), "{place}");
        }
        raw::Action::IHave(announced) => {
            let read: Vec<Value> = announced.iter().map(|entry| json!([text(entry.id), entry.hop])).collect();
            assert_eq!(read, step.values("ihaves"), "{place}");
        }
        raw::Action::Prune => {}
        raw::Action::Graft(ids) => {
            let read: Vec<Value> = ids.iter().map(|id| Value::String(text(id))).collect();
            assert_eq!(read, step.values("ids"), "{place}");
        }
    }
}

fn recorded_peer(step: &mut Members, peer: &raw::Peer<'_>, nodes: &Nodes) {
    let place = step.place().to_owned();
    assert_eq!(peer.peer_id, nodes.peer_id(&step.value("peer")), "{place}");
    assert_eq!(peer.addresses.len() as u64, step.number("addresses"), "{place}");
}

fn recorded_nodes(step: &mut Members, peers: &[raw::Peer<'_>], nodes: &Nodes) {
    let expected: Vec<Vec<u8>> = step.values("nodes").iter().map(|node| nodes.peer_id(node)).collect();
    let read: Vec<&[u8]> = peers.iter().map(|peer| peer.peer_id).collect();
    assert_eq!(read, expected, "{}", step.place());
}

impl Nodes {
    /// Of a label, or of the id itself where no node has it.
    fn peer_id(&self, shown: &Value) -> Vec<u8> {
        let shown = shown.as_str().expect("a peer");
        self.0.get(shown).map_or_else(|| unhex(shown).expect("a peer id"), |node| node.peer_id.clone())
    }
}

/// A number as recorded, cut to the 32 bits of its field; null where there was none.
fn field(step: &mut Members, name: &str) -> u64 {
    let value = step.value(name);
    if value.is_null() { 0 } else { value.as_u64().expect("a number") & u64::from(u32::MAX) }
}

/// What the original accepts, and its next layer bans for: no action, malformed peer ids, ids of a wrong length.
fn assert_layer_above(place: &str, body: &[u8], read: &raw::Rpc<'_>) {
    let (mut peers, mut ids): (Vec<&[u8]>, Vec<&[u8]>) = (Vec::new(), Vec::new());
    match &read.action {
        Some(raw::Action::Join(join) | raw::Action::ForwardJoin(join)) => peers.push(join.peer.peer_id),
        Some(raw::Action::Neighbor(neighbor)) => peers.push(neighbor.peer.peer_id),
        Some(raw::Action::Shuffle(shuffle)) => {
            peers.push(shuffle.origin.peer_id);
            peers.extend(shuffle.nodes.iter().map(|node| node.peer_id));
        }
        Some(raw::Action::ShuffleReply(reply)) => peers.extend(reply.nodes.iter().map(|node| node.peer_id)),
        Some(raw::Action::Message(message)) => ids.push(message.id),
        Some(raw::Action::IHave(announced)) => ids.extend(announced.iter().map(|entry| entry.id)),
        Some(raw::Action::Graft(grafted)) => ids.extend(grafted),
        Some(raw::Action::Disconnect(_) | raw::Action::Prune) | None => {}
    }
    let expected = if read.action.is_none() && read.not_have.is_none() && !read.unknown {
        Err(RpcError::NoAction)
    } else if peers.iter().any(|peer| PeerId::from_bytes(peer).is_none()) {
        Err(RpcError::BadPeerId)
    } else if ids.iter().any(|id| id.len() != 16) {
        Err(RpcError::BadMessageId)
    } else {
        Ok(read.topic.to_owned())
    };
    let checked = rpc::decode(&Bytes::copy_from_slice(body));
    assert_eq!(checked.map(|rpc| rpc.topic), expected, "{place}");
}

/// An action as the vectors write it.
fn shown(action: &raw::Action<'_>) -> Value {
    let nodes = |nodes: &[raw::Peer<'_>]| nodes.iter().map(shown_peer).collect::<Vec<_>>();
    match action {
        raw::Action::Join(join) => json!({ "type": "join", "ttl": join.ttl, "peer": shown_peer(&join.peer) }),
        raw::Action::ForwardJoin(join) => {
            json!({ "type": "forward_join", "ttl": join.ttl, "peer": shown_peer(&join.peer) })
        }
        raw::Action::Neighbor(neighbor) => {
            json!({ "type": "neighbor", "priority": neighbor.priority, "peer": shown_peer(&neighbor.peer) })
        }
        raw::Action::Shuffle(shuffle) => json!({
            "type": "shuffle",
            "ttl": shuffle.ttl,
            "origin": shown_peer(&shuffle.origin),
            "nodes": nodes(&shuffle.nodes),
        }),
        raw::Action::ShuffleReply(reply) => json!({ "type": "shuffle_reply", "nodes": nodes(&reply.nodes) }),
        raw::Action::Disconnect(disconnect) => json!({ "type": "disconnect", "alive": disconnect.alive }),
        raw::Action::Message(message) => json!({
            "type": "message",
            "id": text(message.id),
            "hop": message.hop,
            "payload": text(message.payload),
        }),
        raw::Action::IHave(announced) => {
            let entry = |entry: &raw::Announcement<'_>| json!({ "hop": entry.hop, "id": text(entry.id) });
            json!({ "type": "ihave", "ihaves": announced.iter().map(entry).collect::<Vec<_>>() })
        }
        raw::Action::Prune => json!({ "type": "prune" }),
        raw::Action::Graft(ids) => {
            json!({ "type": "graft", "ids": ids.iter().map(|id| text(id)).collect::<Vec<_>>() })
        }
    }
}

fn shown_peer(peer: &raw::Peer<'_>) -> Value {
    let addresses: Vec<String> = peer.addresses.iter().map(|address| text(address)).collect();
    json!({ "peer_id": text(peer.peer_id), "addresses": addresses })
}

/// An action from what the vectors write.
fn action(mut members: Members) -> Action {
    use broadcast::Message as Broadcast;
    use overlay::Message as Overlay;
    let ttl = |members: &mut Members| u32::try_from(members.number("ttl")).expect("32 bits");
    let kind = members.text("type");
    let message = match kind.as_str() {
        "join" => Overlay::Join { ttl: ttl(&mut members), peer: contact(&mut members, "peer"), nonce: None },
        "forward_join" => {
            Overlay::ForwardJoin { ttl: ttl(&mut members), peer: contact(&mut members, "peer"), nonce: None }
        }
        "neighbor" => {
            let priority = match members.number("priority") {
                0 => Priority::Low,
                1 => Priority::High,
                other => panic!("{}: no priority {other} can be sent", members.place()),
            };
            Overlay::Neighbor { peer: contact(&mut members, "peer"), priority, epoch: None }
        }
        "shuffle" => Overlay::Shuffle {
            ttl: ttl(&mut members),
            origin: contact(&mut members, "origin"),
            nodes: members.list("nodes").into_iter().map(contact_of).collect(),
            nonce: None,
        },
        "shuffle_reply" => Overlay::ShuffleReply {
            nodes: members.list("nodes").into_iter().map(contact_of).collect(),
            nonce: None,
        },
        "disconnect" => {
            Overlay::Disconnect { alive: boolean(&mut members, "alive"), epoch: None, backoff_s: None }
        }
        _ => {
            return Action::Broadcast(match kind.as_str() {
                "message" => {
                    let hop = u32::try_from(members.number("hop")).expect("32 bits");
                    Broadcast::Payload {
                        id: id(&members.bytes("id")),
                        hop,
                        payload: members.bytes("payload").into(),
                    }
                }
                "ihave" => Broadcast::IHave(members.list("ihaves").into_iter().map(announcement).collect()),
                "prune" => Broadcast::Prune,
                "graft" => {
                    Broadcast::Graft(members.values("ids").iter().map(|value| id(&hex(value))).collect())
                }
                other => panic!("{}: an action {other}", members.place()),
            });
        }
    };
    Action::Overlay(message)
}

fn announcement(mut entry: Members) -> Announcement {
    Announcement { id: id(&entry.bytes("id")), hop: u32::try_from(entry.number("hop")).expect("32 bits") }
}

fn contact(members: &mut Members, name: &str) -> Contact<PeerId> {
    contact_of(Members::new(format!("{}.{name}", members.place()), members.value(name)))
}

fn contact_of(mut members: Members) -> Contact<PeerId> {
    let peer = PeerId::from_bytes(&members.bytes("peer_id")).expect("a peer id");
    let addresses = members.values("addresses").iter().map(|address| hex(address).into()).collect();
    Contact { peer, addresses }
}

fn id(bytes: &[u8]) -> Id {
    Id(bytes.try_into().expect("sixteen bytes"))
}

fn is(step: &Value, name: &str, text: &str) -> bool {
    step.get(name).is_some_and(|value| value == text)
}

fn remarks(members: &mut Members, names: &[&str]) {
    names.iter().for_each(|name| members.remark(name));
}

fn boolean(members: &mut Members, name: &str) -> bool {
    members.value(name).as_bool().expect("a boolean")
}

fn has(members: &Members, name: &str) -> bool {
    members.names().iter().any(|other| other == name)
}

fn hex(value: &Value) -> Vec<u8> {
    unhex(value.as_str().expect("a text")).expect("hex")
}

fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
