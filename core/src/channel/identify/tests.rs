use alloc::format;
use alloc::vec;

use super::*;
use crate::identity::Keypair;

fn info() -> Info {
    Info {
        public_key: Some(Bytes::copy_from_slice(&Keypair::from_seed(&[1; 32]).public().to_protobuf())),
        listen_addresses: vec!["/ip4/127.0.0.1/tcp/4001".parse().unwrap()],
        protocols: vec![PROTOCOL.into(), "/x".into()],
        observed_address: Some("/ip4/198.51.100.7/tcp/9".parse().unwrap()),
        protocol_version: Some("solcial/1.0.0".into()),
        agent_version: Some("pleach/0.1.0".into()),
        signed_peer_record: None,
    }
}

fn encoded(info: &Info) -> Vec<u8> {
    let mut out = Vec::new();
    info.encode(&mut out);
    out
}

#[test]
fn s4_what_is_written_is_read() {
    for info in [info(), Info::default()] {
        assert_eq!(Info::decode(&encoded(&info)), Ok(info));
    }
}

#[test]
fn s4_addresses_that_do_not_decode_are_skipped() {
    let mut bytes = encoded(&info());
    put_bytes(LISTEN_ADDRESSES, &[0xff, 0x7f], &mut bytes);
    put_bytes(77, b"unknown", &mut bytes);
    assert_eq!(Info::decode(&bytes), Ok(info()));
}

#[test]
fn s4_lists_and_texts_are_cut_at_their_limits() {
    for (count, kept) in [(127, 127), (128, 128), (129, 128)] {
        let many = Info { protocols: vec!["/p".into(); count], ..Info::default() };
        assert_eq!(Info::decode(&encoded(&many)).unwrap().protocols.len(), kept);
    }
    for (count, kept) in [(31, 31), (32, 32), (33, 32)] {
        let many = Info { listen_addresses: vec!["/tcp/1".parse().unwrap(); count], ..Info::default() };
        assert_eq!(Info::decode(&encoded(&many)).unwrap().listen_addresses.len(), kept);
    }
    for (length, kept) in [(139, true), (140, true), (141, false)] {
        let long = Info { protocols: vec!["p".repeat(length)], ..Info::default() };
        assert_eq!(Info::decode(&encoded(&long)).unwrap().protocols.len() == 1, kept);
    }
    for (length, kept) in [(255, true), (256, true), (257, false)] {
        let long = Info { agent_version: Some("a".repeat(length)), ..Info::default() };
        assert_eq!(Info::decode(&encoded(&long)).unwrap().agent_version.is_some(), kept);
    }
}

#[test]
fn s4_at_most_4096_bytes_are_written() {
    let many = Info {
        protocols: (0..128).map(|number| format!("/protocol/{number:0>120}")).collect(),
        signed_peer_record: Some(vec![0; 3000].into()),
        ..info()
    };
    let frame = many.to_frame();
    assert!((WRITE_MAX - 200..=WRITE_MAX + 2).contains(&frame.len()), "{}", frame.len());
    let read = Info::decode(&frame[2..]).unwrap();
    assert_eq!(read.public_key, many.public_key);
    assert!(!read.protocols.is_empty());
}

#[test]
fn s4_in_a_push_missing_fields_mean_unchanged() {
    let mut known = info();
    let addresses: Vec<Multiaddr> = vec!["/ip4/1.2.3.4/tcp/5".parse().unwrap()];
    known.merge(Info { listen_addresses: addresses.clone(), ..Info::default() });
    assert_eq!(known, Info { listen_addresses: addresses, ..info() });
    known.merge(Info { agent_version: Some("new".into()), protocols: vec!["/y".into()], ..Info::default() });
    assert_eq!((known.agent_version.as_deref(), known.protocols.len()), (Some("new"), 1));
}

#[test]
fn s4_the_key_must_be_the_peers() {
    let (own, other) = (Keypair::from_seed(&[1; 32]).peer_id(), Keypair::from_seed(&[2; 32]).peer_id());
    assert!(info().may_be_of(&own));
    assert!(!info().may_be_of(&other));
    assert!(Info::default().may_be_of(&other));
}

#[test]
fn s4_a_valid_record_replaces_the_addresses_and_no_other_does() {
    let (own, other) = (Keypair::from_seed(&[1; 32]), Keypair::from_seed(&[2; 32]));
    let addresses: Vec<Multiaddr> = vec!["/ip4/9.9.9.9/tcp/9".parse().unwrap()];
    let record = PeerRecord { peer: own.peer_id(), sequence: 7, addresses: addresses.clone() };
    let sealed = record.seal(&own);
    assert_eq!(PeerRecord::open(&sealed), Ok(record.clone()));
    let applied = |envelope: &[u8], peer: &PeerId| {
        let mut info = Info { signed_peer_record: Some(Bytes::copy_from_slice(envelope)), ..info() };
        info.apply_record(peer);
        info.listen_addresses
    };
    assert_eq!(applied(&sealed, &own.peer_id()), addresses);
    assert_eq!(applied(&sealed, &other.peer_id()), info().listen_addresses);
    // Signed by another than the peer it is about.
    assert_eq!(PeerRecord::open(&record.seal(&other)), Err(RecordError::WrongPeer));
    for position in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[position] ^= 1;
        assert!(PeerRecord::open(&changed).is_err(), "byte {position}");
    }
    assert_eq!(PeerRecord::open(&[]), Err(RecordError::WrongType));
}
