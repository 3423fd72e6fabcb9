use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::broadcast::Message as Broadcast;
use crate::overlay::Message as Overlay;
use crate::wire::frame::{Deframer, Prefix};

const TOPIC: &str = "/solcial/public";

fn peer(seed: u8) -> PeerId {
    let mut bytes = [seed; PeerId::LENGTH];
    bytes[..6].copy_from_slice(&[0x00, 0x24, 0x08, 0x01, 0x12, 0x20]);
    PeerId::from_bytes(&bytes).unwrap()
}

fn contact(seed: u8) -> Contact<PeerId> {
    Contact { peer: peer(seed), addresses: vec![Bytes::from_static(&[4, 127, 0, 0, 1, 6, 0x0f, 0xa0])] }
}

fn id(seed: u8) -> Id {
    Id([seed; 16])
}

/// Every message, with and without the fields of `overlay` 3.2.
fn actions() -> Vec<(Action, bool)> {
    let overlay = [
        (Overlay::Join { ttl: 0, peer: contact(1), nonce: None }, false),
        (Overlay::Join { ttl: 3, peer: contact(1), nonce: Some(u64::MAX) }, true),
        (Overlay::ForwardJoin { ttl: u32::MAX, peer: contact(2), nonce: Some(0) }, true),
        (Overlay::Neighbor { peer: contact(3), priority: Priority::High, epoch: Some(1 << 40) }, true),
        (Overlay::Neighbor { peer: contact(3), priority: Priority::Low, epoch: None }, false),
        (
            Overlay::Shuffle {
                ttl: 4,
                origin: contact(4),
                nodes: vec![contact(5), contact(6)],
                nonce: Some(7),
            },
            true,
        ),
        (Overlay::ShuffleReply { nodes: Vec::new(), nonce: None }, false),
        (Overlay::ShuffleReply { nodes: vec![contact(7)], nonce: Some(8) }, true),
        (Overlay::Disconnect { alive: false, epoch: None, backoff_s: None }, false),
        (Overlay::Disconnect { alive: true, epoch: Some(9), backoff_s: Some(10) }, true),
    ];
    let broadcast = [
        Broadcast::Payload { id: id(1), hop: 0, payload: Bytes::new() },
        Broadcast::Payload { id: id(1), hop: u32::MAX, payload: Bytes::from_static(b"payload") },
        Broadcast::IHave(vec![Announcement { id: id(2), hop: 0 }, Announcement { id: id(3), hop: 300 }]),
        Broadcast::Prune,
        Broadcast::Graft(Vec::new()),
        Broadcast::Graft(vec![id(4), id(5)]),
        Broadcast::NotHave(vec![id(6)]),
    ];
    let overlay = overlay.into_iter().map(|(message, extended)| (Action::Overlay(message), extended));
    overlay.chain(broadcast.into_iter().map(|message| (Action::Broadcast(message), false))).collect()
}

#[test]
fn t9_every_message_survives_a_round_trip() {
    for (action, extended) in actions() {
        let body = encode(TOPIC, &action);
        let rpc = Rpc { topic: TOPIC.into(), action, extended };
        assert_eq!(decode(&body).as_ref(), Ok(&rpc));
        let mut deframer = Deframer::new(Prefix::Varint, FRAME_MAX);
        deframer.push(encode_frame(TOPIC, &rpc.action).unwrap());
        assert_eq!(deframer.next_frame(), Ok(Some(body)));
    }
}

#[test]
fn t2_every_cut_of_every_message_is_refused_or_read_without_panic() {
    for (action, _) in actions() {
        let body = encode(TOPIC, &action);
        for length in 0..body.len() {
            let _ = decode(&body.slice(..length));
        }
    }
}

#[test]
fn payloads_are_views_of_the_frame() {
    let payload = Bytes::from_static(b"zero copies");
    let body = encode(TOPIC, &Action::Broadcast(Broadcast::Payload { id: id(1), hop: 1, payload }));
    let Action::Broadcast(Broadcast::Payload { payload, .. }) = decode(&body).unwrap().action else {
        panic!()
    };
    assert!(body.as_ptr_range().contains(&payload.as_ptr()));
}

#[test]
fn r3_1_required_fields_are_written_when_zero() {
    let disconnect = Action::Overlay(Overlay::Disconnect { alive: false, epoch: None, backoff_s: None });
    assert!(encode("", &disconnect).ends_with(&[0x3a, 0x02, 0x10, 0x00]));
    assert!(encode("", &Action::Broadcast(Broadcast::Prune)).ends_with(&[0x5a, 0x00]));
}

#[test]
fn r3_1_what_cannot_be_acted_on_is_refused() {
    let decode = |bytes: &'static [u8]| decode(&Bytes::from_static(bytes));
    assert_eq!(decode(b""), Err(RpcError::NoAction));
    assert_eq!(decode(&[0x0a, 0x01, b'x']), Err(RpcError::NoAction));
    // JOIN without peer, NEIGHBOR with an empty id.
    assert_eq!(decode(&[0x12, 0x02, 0x08, 0x03]), Err(RpcError::BadPeerId));
    assert_eq!(decode(&[0x22, 0x06, 0x0a, 0x02, 0x0a, 0x00, 0x10, 0x00]), Err(RpcError::BadPeerId));
    // A SHUFFLE_REPLY with one malformed node.
    assert_eq!(decode(&[0x32, 0x05, 0x12, 0x03, 0x0a, 0x01, 0x00]), Err(RpcError::BadPeerId));
    // MESSAGE, IHAVE, GRAFT and NOTHAVE with an id of one byte.
    assert_eq!(decode(&[0x4a, 0x03, 0x0a, 0x01, 0x00]), Err(RpcError::BadMessageId));
    assert_eq!(decode(&[0x52, 0x05, 0x0a, 0x03, 0x12, 0x01, 0x00]), Err(RpcError::BadMessageId));
    assert_eq!(decode(&[0x62, 0x03, 0x12, 0x01, 0x00]), Err(RpcError::BadMessageId));
    assert_eq!(decode(&[0x52, 0x00, 0x6a, 0x03, 0x0a, 0x01, 0x00]), Err(RpcError::BadMessageId));
    assert_eq!(decode(&[0x0a, 0x02, 0xff, 0xfe]), Err(RpcError::Malformed(ProtobufError::NotText)));
}

#[test]
fn r7_3_an_unknown_action_is_not_a_missing_one() {
    let unknown = |bytes: &'static [u8]| decode(&Bytes::from_static(bytes)).map(|rpc| rpc.action);
    assert_eq!(unknown(&[0x0a, 0x01, b'x', 0x42, 0x00]), Ok(Action::Unknown));
    assert_eq!(unknown(&[0x7b, 0x7c]), Ok(Action::Unknown));
    assert_eq!(unknown(&[0x42, 0x00, 0x5a, 0x00]), Ok(Action::Broadcast(Broadcast::Prune)));
}

#[test]
fn r3_1_the_last_action_wins_and_equal_ones_add_up() {
    let prune_then_graft = Bytes::from_static(&[0x5a, 0x00, 0x62, 0x00]);
    assert_eq!(decode(&prune_then_graft).unwrap().action, Action::Broadcast(Broadcast::Graft(Vec::new())));
    let one = encode("", &Action::Broadcast(Broadcast::Graft(vec![id(1)])));
    let other = encode("", &Action::Broadcast(Broadcast::Graft(vec![id(2)])));
    let both = Bytes::from([one, other].concat());
    assert_eq!(decode(&both).unwrap().action, Action::Broadcast(Broadcast::Graft(vec![id(1), id(2)])));
}

#[test]
fn r3_2_fields_of_another_wire_type_are_unknown() {
    // DISCONNECT { alive, 101: "x" } and JOIN { 100: varint }.
    let disconnect = Bytes::from_static(&[0x3a, 0x06, 0x10, 0x01, 0xaa, 0x06, 0x01, b'x']);
    let rpc = decode(&disconnect).unwrap();
    assert!(!rpc.extended);
    assert_eq!(
        rpc.action,
        Action::Overlay(Overlay::Disconnect { alive: true, epoch: None, backoff_s: None })
    );
}

#[test]
fn b4_4_not_have_travels_beside_an_empty_ihave() {
    let not_have = Action::Broadcast(Broadcast::NotHave(vec![id(1)]));
    let body = encode("", &not_have);
    assert_eq!(body[2..6], [0x52, 0x00, 0x6a, 0x12]);
    // What the original makes of it.
    assert_eq!(raw::Rpc::decode(&body).unwrap().action, Some(raw::Action::IHave(Vec::new())));
    // Alone it means the same to us; beside another action that one counts.
    assert_eq!(decode(&body.slice(4..)).unwrap().action, not_have);
    let with_prune = Bytes::from([&body[4..], &[0x5a, 0x00]].concat());
    assert_eq!(decode(&with_prune).unwrap().action, Action::Broadcast(Broadcast::Prune));
}

#[test]
fn r4_4_an_undefined_priority_is_low() {
    let mut body = Vec::from(encode(
        "",
        &Action::Overlay(Overlay::Neighbor { peer: contact(1), priority: Priority::High, epoch: None }),
    ));
    *body.last_mut().unwrap() = 2;
    let rpc = decode(&Bytes::from(body)).unwrap();
    let Action::Overlay(Overlay::Neighbor { priority, .. }) = rpc.action else { panic!() };
    assert_eq!(priority, Priority::Low);
}

#[test]
fn t2_lists_are_cut_at_their_limits() {
    let mut crowded = contact(1);
    crowded.addresses = (0..20u8).map(|byte| Bytes::from(vec![byte; 250 + usize::from(byte)])).collect();
    crowded.addresses.insert(0, Bytes::new());
    let nodes = vec![crowded; 100];
    let body = encode("", &Action::Overlay(Overlay::ShuffleReply { nodes, nonce: None }));
    let Action::Overlay(Overlay::ShuffleReply { nodes, .. }) = decode(&body).unwrap().action else {
        panic!()
    };
    assert_eq!(nodes.len(), NODES_MAX);
    // The empty one and those of more than 256 bytes are dropped one by one.
    assert!(nodes.iter().all(|node| node.addresses.iter().map(Bytes::len).eq(250..=256)));
    // A frame full of the smallest elements keeps a few of them.
    let tiny = [0x0a, 0x00].repeat(500_000);
    let mut body = vec![0x52, 0xc0, 0x84, 0x3d];
    body.extend(&tiny);
    let raw = raw::Rpc::decode(&body).unwrap();
    let Some(raw::Action::IHave(announced)) = raw.action else { panic!() };
    assert_eq!(announced.len(), 1024);
}

#[test]
fn b8_11_the_largest_payload_fits_its_frame_exactly() {
    for topic in [TOPIC, &"t".repeat(256)] {
        let payload = Bytes::from(vec![0; payload_max(topic)]);
        let message = |hop, payload| Action::Broadcast(Broadcast::Payload { id: id(1), hop, payload });
        let body = encode(topic, &message(u32::MAX, payload.clone()));
        assert!((FRAME_MAX - 1..=FRAME_MAX).contains(&body.len()), "{}", body.len());
        assert!(encode_frame(topic, &message(u32::MAX, payload)).is_some());
        assert!(encode_frame(topic, &message(1, Bytes::from(vec![0; FRAME_MAX]))).is_none());
    }
}
