use alloc::format;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::public;
use crate::bob::spoke::derivation::Derivation;
use crate::bob::spoke::group::Exponent;
use crate::bob::spoke::map::from_uniform;
use crate::bob::spoke::schedule::{MainKey, Transcript};
use crate::bob::spoke::{Client, Deriving, Failure, Keys, Response, Secret, Server};

const CLIENT: &[u8] = b"192.0.2.1:4000";
const SERVER: &[u8] = b"::1:5000";

/// Up to the server's response, with the server's view of the identities.
fn respond(passwords: [&[u8]; 2], client: &[u8], server: &[u8]) -> (Client, Response, Server) {
    let rng = &mut ChaCha8Rng::seed_from_u64(3);
    let [ours, theirs] = passwords.map(|password| Secret::derive(public(1), password));
    let (x, client_side) = Client::start(&ours, rng);
    let (response, server_side) = Server::respond(&theirs.verifier(), &x, client, server, rng).unwrap();
    (client_side, response, server_side)
}

fn honest() -> (Client, Response, Server) {
    respond([b"password"; 2], CLIENT, SERVER)
}

#[test]
fn s4_2_both_sides_get_the_same_keys() {
    let (client, response, server) = honest();
    let (validator, ours) = client.finish(&response.y, &response.validator, CLIENT, SERVER).unwrap();
    let theirs = server.finish(&validator).unwrap();
    assert_eq!([ours.of_server(), ours.of_client()], [theirs.of_server(), theirs.of_client()]);
    assert_ne!(ours.of_server(), ours.of_client());
}

#[test]
fn t34_a_wrong_password_fails_on_the_client_first() {
    let (client, response, server) = respond([b"password", b"Password"], CLIENT, SERVER);
    let finished = client.finish(&response.y, &response.validator, CLIENT, SERVER);
    assert_eq!(finished.unwrap_err(), Failure::InvalidClientValidator);
    // A client that does not care learns nothing that the server takes.
    assert_eq!(server.finish(&response.validator).unwrap_err(), Failure::InvalidServerValidator);
}

#[test]
fn s4_3_what_the_relay_says_of_both_is_bound() {
    for (client, server) in [(&b"192.0.2.1:4001"[..], SERVER), (CLIENT, &b"::1:5001"[..]), (SERVER, CLIENT)] {
        let (ours, response, _) = respond([b"password"; 2], client, server);
        let finished = ours.finish(&response.y, &response.validator, CLIENT, SERVER);
        assert_eq!(finished.unwrap_err(), Failure::InvalidClientValidator);
    }
}

#[test]
fn s4_3_validators_are_compared_whole() {
    for at in [0, 31, 63] {
        let (client, mut response, _) = honest();
        response.validator[at] ^= 1;
        let finished = client.finish(&response.y, &response.validator, CLIENT, SERVER);
        assert_eq!(finished.unwrap_err(), Failure::InvalidClientValidator);
        let (client, response, server) = honest();
        let (mut validator, _) = client.finish(&response.y, &response.validator, CLIENT, SERVER).unwrap();
        validator[at] ^= 0x80;
        assert_eq!(server.finish(&validator).unwrap_err(), Failure::InvalidServerValidator);
    }
    for length in [0, 1, 63, 65] {
        let (client, response, _) = honest();
        let mut validator = response.validator.to_vec();
        validator.resize(length, 0);
        let finished = client.finish(&response.y, &validator, CLIENT, SERVER);
        assert_eq!(finished.unwrap_err(), Failure::InvalidClientValidator, "{length}");
    }
}

#[test]
fn s4_3_a_validator_sent_back_is_not_taken() {
    let (_, response, server) = honest();
    assert_eq!(server.finish(&response.validator).unwrap_err(), Failure::InvalidServerValidator);
}

#[test]
fn s4_3_the_transcript() {
    let [x, y, z, h_k, v] = &[1, 2, 3, 4, 5].map(|byte| [byte; 32]);
    let transcript = Transcript { client_identity: b"c:1", server_identity: b"s", x, y, z, h_k, v };
    let bytes = transcript.to_bytes();
    assert_eq!(bytes[..6], *b"\x01\x00c:1s");
    let points: alloc::vec::Vec<u8> = bytes[6..].iter().copied().step_by(32).collect();
    assert_eq!((points.as_slice(), bytes.len()), (&[1, 2, 3, 4, 5][..], 6 + 5 * 32));
    assert_eq!(bytes.capacity(), bytes.len(), "it has not grown, and left no copies behind");
}

#[test]
fn s2_failures_are_bytes() {
    for byte in 0..=u8::MAX {
        let failure = Failure::from_byte(byte);
        assert_eq!(failure.map(Failure::to_byte), (byte < 5).then_some(byte));
    }
    assert_eq!(Failure::NotInSubgroup.to_byte(), 0);
    assert_eq!(Failure::InvalidClientValidator.to_byte(), 1);
    assert_eq!(Failure::InvalidServerValidator.to_byte(), 2);
    assert_eq!(Failure::InvalidPublic.to_byte(), 3);
    assert_eq!(Failure::InvalidSecret.to_byte(), 4);
}

#[test]
fn t33_debug_shows_no_secret() {
    let (client, _, server) = honest();
    let secret = Secret::derive(public(1), b"password");
    let derivation = Derivation::new(b"password", &[1; 16], core::num::NonZeroU32::MIN, 32);
    let keys = Keys::from_bytes([[0xab; 64], [0xcd; 64]]);
    assert_eq!(format!("{client:?} {server:?} {keys:?}"), "Client { .. } Server { .. } Keys { .. }");
    assert_eq!(format!("{derivation:?}"), "Derivation { index: 1, done: 0, .. }");
    assert_eq!(format!("{:?}", MainKey::from_bytes([0xab; 64])), "MainKey { .. }");
    assert_eq!(format!("{:?}", Exponent::masked([0xab; 32])), "Exponent { .. }");
    assert_eq!(format!("{:?}", from_uniform(&[0xab; 32])), "Element { .. }");
    let public = format!("{:?}", public(1));
    assert_eq!(format!("{secret:?}"), format!("Secret {{ public: {public}, .. }}"));
    assert_eq!(format!("{:?}", secret.verifier()), format!("Verifier {{ public: {public}, .. }}"));
    let deriving = format!("{:?}", Deriving::new(*secret.public(), b"password"));
    assert!(deriving.ends_with("derivation: Derivation { index: 1, done: 0, .. } }"), "{deriving}");
}
