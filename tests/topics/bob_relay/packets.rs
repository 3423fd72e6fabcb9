//! `packets.json`: packets and their bytes, odd bytes and what is made of them, and one long stream.

use bytes::{Bytes, BytesMut};
use pleach_core::bob::Identity;
use pleach_core::bob::packet::{
    Body, DecodeError, Decoder, POINT_LEN, PUBLIC_LEN, Packet, RelayFailure, SpokeFailure, Uid,
};

use super::array;
use crate::harness::{Members, Topic};

pub(crate) fn packets(topic: &mut Topic) {
    topic.file("packets.json", |topic, mut file| {
        topic.cases(&mut file, "encodings", encoding);
        topic.cases(&mut file, "decodings", decoding);
        stream(Members::new(format!("{}.stream", file.place()), file.value("stream")));
        topic.count(1);
    });
}

/// Encodes exactly so, and is read as what it was: also `N`, which upstream writes and cannot read.
fn encoding(mut case: Members) {
    let place = case.place().to_owned();
    let (packet, bytes) = (packet(&place, case.value("packet")), case.bytes("bytes"));
    case.remark("upstream_decodes_it");
    case.remark("upstream_error");
    assert_eq!(encode(&packet), bytes, "{place}");
    assert_eq!(decode(&bytes, bytes.len()), (vec![packet], None), "{place}");
}

/// What upstream reads, or by which rule of section 2 we read something else.
fn decoding(mut case: Members) {
    let name = case.text("name");
    let place = format!("{} ({name})", case.place());
    let bytes = case.bytes("bytes");
    let (recorded, error) = (case.values("upstream_packets"), case.value("upstream_error"));
    let is_marked = case.names().contains(&"upstream_defect_or_laxity".to_owned());
    case.remark("upstream_defect_or_laxity");
    let (read, fails) = decode(&bytes, bytes.len());
    assert_eq!((read.clone(), fails), decode(&bytes, 1), "{place}: byte by byte");
    if fails == Some(DecodeError::TooLong) {
        // Upstream's limit is its buffer, in which it then stalls; ours is known before the identity ends.
        let behind: usize = read.iter().map(|packet| encode(packet).len()).sum();
        return assert!(is_too_long(&bytes[behind..]), "{place}: {read:?}");
    }
    let recorded: Vec<_> = recorded.into_iter().map(|value| packet(&place, value)).collect();
    if read == recorded && fails.map(|error| upstreams(error, &bytes)).as_deref() == error.as_str() {
        return;
    }
    // A short identity is delivered at once, and `N` is read. All is read then, and nothing invented.
    assert!(is_marked, "{place}: {read:?}, {fails:?}");
    assert_eq!((read.iter().flat_map(encode).collect::<Vec<_>>(), fails), (bytes, None), "{place}");
    assert!(read.len() > recorded.len(), "{place}");
}

/// Whether this is a packet whose identity has not ended where it has to.
fn is_too_long(packet: &[u8]) -> bool {
    let fixed = match &packet[4..6] {
        b"02" | b"03" => 0,
        b"04" => 4 + PUBLIC_LEN,
        b"07" => POINT_LEN,
        _ => return false,
    };
    let identity = packet.get(6 + fixed..).unwrap_or_default();
    identity.len() > Identity::READ_MAX
        && !identity.iter().take(Identity::READ_MAX + 1).any(|byte| *byte == 0)
}

/// What upstream calls an error. A failure that is none it calls by the kind of its packet.
fn upstreams(error: DecodeError, bytes: &[u8]) -> String {
    match error {
        DecodeError::Header => "Invalid header".into(),
        DecodeError::Kind(kind) => format!("Invalid packet ({kind:02x})"),
        DecodeError::Failure => {
            let kind = bytes.get(4..6).and_then(|kind| std::str::from_utf8(kind).ok());
            format!("Invalid packet ({})", kind.unwrap_or_default())
        }
        DecodeError::Uid => "Invalid UID".into(),
        DecodeError::NewServer => "Invalid new server".into(),
        DecodeError::TooLong => "Packet too long".into(),
    }
}

/// One stream, cut in pieces of every size that upstream was given, and of all others.
fn stream(mut case: Members) {
    case.remark("note");
    let place = case.place().to_owned();
    let (bytes, values) = (case.bytes("bytes"), case.values("packets"));
    let expected: Vec<_> = values.into_iter().map(|value| packet(&place, value)).collect();
    for size in 1..=bytes.len() {
        assert_eq!(decode(&bytes, size), (expected.clone(), None), "{place}, pieces of {size}");
    }
}

fn encode(packet: &Packet) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    packet.encode(&mut bytes).expect("identities of these packets are short");
    bytes.to_vec()
}

fn decode(bytes: &[u8], size: usize) -> (Vec<Packet>, Option<DecodeError>) {
    let (mut decoder, mut packets) = (Decoder::new(), Vec::new());
    for piece in bytes.chunks(size.max(1)) {
        let mut piece = Bytes::copy_from_slice(piece);
        loop {
            match decoder.next(&mut piece) {
                Ok(Some(packet)) => packets.push(packet),
                Ok(None) => break,
                Err(error) => return (packets, Some(error)),
            }
        }
    }
    (packets, None)
}

/// A packet as the file writes it.
fn packet(place: &str, value: serde_json::Value) -> Packet {
    let mut case = Members::new(format!("{place}.packet"), value);
    let uid = |case: &mut Members, name: &str| {
        Uid(u16::try_from(case.number(name)).unwrap_or_else(|_| panic!("{}: {name}", case.place())))
    };
    let identity = |case: &mut Members| {
        Identity::new(case.bytes("identity").into())
            .unwrap_or_else(|error| panic!("{}: {error}", case.place()))
    };
    let of = uid(&mut case, "uid");
    let body = match case.text("name").as_str() {
        "Hello_as_a_server" => Body::HelloAsServer { public: array(&mut case, "public") },
        "Hello_as_a_client" => Body::HelloAsClient,
        "Server_identity" => Body::ServerIdentity { identity: identity(&mut case) },
        "Client_identity" => Body::ClientIdentity { identity: identity(&mut case) },
        "New_server" => Body::NewServer {
            server: uid(&mut case, "server_uid"),
            public: array(&mut case, "public"),
            identity: identity(&mut case),
        },
        "Client_validator" => Body::ClientValidator { validator: array(&mut case, "validator") },
        "Y_and_server_validator" => {
            Body::ServerShare { share: array(&mut case, "Y"), validator: array(&mut case, "validator") }
        }
        "X_and_client_identity" => {
            Body::ClientShare { share: array(&mut case, "X"), identity: identity(&mut case) }
        }
        "Agreement" => Body::Agreement,
        "Closed" => Body::Closed { peer: uid(&mut case, "closed_uid") },
        "Accepted" => Body::Accepted,
        "Refused" => Body::Refused,
        "Relay_failure" => Body::RelayFailure(relay_failure(&mut case, uid)),
        "Spoke_failure" => Body::SpokeFailure(spoke_failure(&mut case)),
        "Done" => Body::Done,
        "Timeout" => Body::Timeout,
        other => panic!("{place}: an unknown packet: {other}"),
    };
    assert_eq!(u64::from(body.kind()), case.number("type"), "{place}");
    Packet { uid: of, body }
}

fn relay_failure(case: &mut Members, uid: impl Fn(&mut Members, &str) -> Uid) -> RelayFailure {
    let about = uid(case, "about_uid");
    match case.text("kind").as_str() {
        "C" => RelayFailure::InvalidClient(about),
        "S" => RelayFailure::InvalidServer(about),
        "H" => RelayFailure::NoHandshake(about),
        "N" => RelayFailure::NoAgreement(about),
        other => panic!("{}: an unknown letter: {other}", case.place()),
    }
}

fn spoke_failure(case: &mut Members) -> SpokeFailure {
    let all = [
        SpokeFailure::NotInSubgroup,
        SpokeFailure::InvalidClientValidator,
        SpokeFailure::InvalidServerValidator,
        SpokeFailure::InvalidPublic,
        SpokeFailure::InvalidSecret,
    ];
    let code = case.number("code");
    let found = all.into_iter().find(|failure| u64::from(failure.to_byte()) == code);
    found.unwrap_or_else(|| panic!("{}: an unknown failure: {code}", case.place()))
}
