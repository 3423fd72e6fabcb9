//! `solcial-content/`: identity, multiaddrs, Noise, stream protocols and identify. The files of content, relays and
//! hole punching are read where those are built.

use pleach_core::identity::{Keypair, PeerId, PublicKey};

use crate::harness::{Members, topic};

#[test]
fn solcial_content() {
    topic("solcial-content", |topic| {
        topic.file("peer_id.json", |topic, mut file| {
            topic.cases(&mut file, "peers", peer);
            topic.cases(&mut file, "text_parsing", peer_text);
        });
    });
}

fn peer(mut case: Members) {
    case.remark("name");
    let place = case.place().to_owned();
    let seed = case.bytes("seed").try_into().unwrap_or_else(|_| panic!("{place}: a seed has 32 bytes"));
    let keypair = Keypair::from_seed(&seed);
    let id = keypair.peer_id();
    assert_eq!(keypair.public().0.as_slice(), case.bytes("public_key"), "{place}");
    assert_eq!(keypair.public().to_protobuf().as_slice(), case.bytes("public_key_protobuf"), "{place}");
    let private = case.bytes("private_key_protobuf");
    assert_eq!(keypair.to_protobuf().as_slice(), private, "{place}");
    assert_eq!(Keypair::from_protobuf(&private).map(|pair| pair.peer_id()), Some(id), "{place}");
    assert_eq!(PublicKey::from_protobuf(&keypair.public().to_protobuf()), Some(keypair.public()), "{place}");
    let multihash = case.bytes("multihash");
    assert_eq!(id.to_bytes().as_slice(), multihash, "{place}");
    assert_eq!(PeerId::from_bytes(&multihash), Some(id), "{place}");
    assert_eq!(case.bytes("cid_bytes"), [&[0x01, 0x72], multihash.as_slice()].concat(), "{place}");
    let text = case.text("peer_id_base58");
    assert_eq!(id.to_base58(), text, "{place}");
    for text in [text, case.text("cid_base32"), case.text("cid_base36"), case.text("cid_base58btc")] {
        assert_eq!(text.parse(), Ok(id), "{place}: {text}");
    }
    // A Solana address is the bare key: shown to people, and no peer id.
    let solana = case.text("public_key_solana_base58");
    assert_eq!(pleach_core::wire::base58::encode(&keypair.public().0), solana, "{place}");
    assert!(solana.parse::<PeerId>().is_err(), "{place}");
}

fn peer_text(mut case: Members) {
    let (text, why) = (case.text("text"), case.text("why"));
    // What two libraries answered when run: told for comparison.
    case.remark("js_libp2p_peer_id");
    case.remark("rust_libp2p_identity_from_str");
    let expected = match case.text("expect").as_str() {
        "accept" => true,
        "reject" => false,
        other => panic!("{}: `expect` is {other}", case.place()),
    };
    assert_eq!(text.parse::<PeerId>().is_ok(), expected, "{}: {text} ({why})", case.place());
}
