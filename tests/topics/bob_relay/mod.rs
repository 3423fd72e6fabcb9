//! `bob-relay/`: packets, and the relay. A member that a test does not know is an error; where the other implementation
//! errs (`upstream_defect_or_laxity`), what ours is to do instead is asserted.

mod bench;
mod model;
mod packets;
mod relay_traces;
mod relay_transcripts;
mod rooms;

use crate::harness::{Members, topic};

#[test]
fn bob_relay() {
    topic("bob-relay", |topic| {
        packets::packets(topic);
        relay_traces::relay_traces(topic);
        relay_transcripts::transcripts(topic);
        relay_transcripts::conversations(topic);
    });
}

/// Bytes of a fixed number.
fn array<const N: usize>(case: &mut Members, name: &str) -> [u8; N] {
    let bytes = case.bytes(name);
    bytes.as_slice().try_into().unwrap_or_else(|_| panic!("{}: `{name}` has not {N} bytes", case.place()))
}
