//! What the digest of a run holds, besides what arrives on connections.

use pleach_core::Instant;
use pleach_core::link::{Answer, Input};

use crate::digest::Digest;

/// Kinds of what happens to a host; those of segments lie between.
pub(super) const WOKEN: u8 = 1;
pub(super) const REPORTED: u8 = 32;
pub(super) const STARTED: u8 = 33;
pub(super) const STOPPED: u8 = 34;
const COMMAND: u8 = 35;
const LISTENING: u8 = 36;
const LISTEN_FAILED: u8 = 37;
const ANSWER: u8 = 38;

/// Adds an input that its host's own driver made. Of commands, and of answers of the network's own kind, it is only said
/// that they came: what they say shows in what the machine does.
pub(super) fn input<C, A>(digest: &mut Digest, at: Instant, node: u32, input: &Input<C, A>) {
    let (kind, detail) = match input {
        Input::Command(_) => (COMMAND, 0),
        Input::Listening { listener, local: _ } => (LISTENING, listener.0.into()),
        Input::ListenFailed { listener, cause: _ } => (LISTEN_FAILED, listener.0.into()),
        Input::Answer { query, answer: _ } => (ANSWER, query.0),
        // Never queued: what links have to say comes by segments, which are in the digest already, and the rest this
        // driver does not make.
        Input::Opened { .. }
        | Input::Received { .. }
        | Input::Message { .. }
        | Input::Written { .. }
        | Input::Finished { .. }
        | Input::Closed { .. }
        | Input::Datagram { .. }
        | Input::AddressesChanged => return,
    };
    digest.event(at, node, kind, detail);
    if let Input::Answer { query: _, answer: told } = input {
        answer(digest, told);
    }
}

fn answer<A>(digest: &mut Digest, answer: &Answer<A>) {
    match answer {
        Answer::Loaded(Some(record)) => digest.bytes(record),
        Answer::Stored(yes) | Answer::Verified(yes) => digest.word(u64::from(*yes)),
        Answer::Resolved(addresses) => digest.word(addresses.len() as u64),
        Answer::Loaded(None) | Answer::Failed(_) | Answer::Other(_) => {}
    }
}
