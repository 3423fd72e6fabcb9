//! `bob-relay/`: SPOKE, the channel, packets, the relay and its peers. A member that a test does not know is an error;
//! where the other implementation errs (`upstream_defect_or_laxity`), what ours is to do instead is asserted.

mod bench;
mod channel;
mod failures;
mod model;
mod packets;
mod peer_transcripts;
mod peers;
mod recording;
mod relay_traces;
mod relay_transcripts;
mod rooms;
mod spoke;
mod transcripts_of_peers;

use std::convert::Infallible;

use pleach_core::bob::spoke::Failure;
use rand_core::{TryCryptoRng, TryRng};

use crate::harness::{Members, topic};

#[test]
fn bob_relay() {
    topic("bob-relay", |topic| {
        spoke::runs(topic);
        spoke::maps(topic);
        spoke::derivations(topic);
        spoke::subkeys(topic);
        spoke::group(topic);
        failures::failures(topic);
        channel::channel(topic);
        packets::packets(topic);
        relay_traces::relay_traces(topic);
        peer_transcripts::peer_transcripts(topic);
        transcripts_of_peers::transcripts(topic);
        relay_transcripts::transcripts(topic);
        relay_transcripts::conversations(topic);
    });
}

/// Bytes of a fixed number.
fn array<const N: usize>(case: &mut Members, name: &str) -> [u8; N] {
    let bytes = case.bytes(name);
    bytes.as_slice().try_into().unwrap_or_else(|_| panic!("{}: `{name}` has not {N} bytes", case.place()))
}

/// Hands out the published draws, and panics when more is drawn.
struct Scripted(Vec<u8>);

impl TryRng for Scripted {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        panic!("only bytes are drawn")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        panic!("only bytes are drawn")
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.copy_from_slice(&self.0.drain(..bytes.len()).collect::<Vec<_>>());
        Ok(())
    }
}

impl TryCryptoRng for Scripted {}

/// The failure that the files call by this name, or none if they call it a success.
fn outcome(name: &str) -> Option<Failure> {
    match name {
        "ok" => None,
        "point_is_not_on_prime_order_subgroup" => Some(Failure::NotInSubgroup),
        "invalid_client_validator" => Some(Failure::InvalidClientValidator),
        "invalid_server_validator" => Some(Failure::InvalidServerValidator),
        "invalid_public_packet" => Some(Failure::InvalidPublic),
        "invalid_secret_packet" => Some(Failure::InvalidSecret),
        other => panic!("an unknown outcome: {other}"),
    }
}
