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
const LINK: u8 = 39;

/// Adds an input that its host's own driver made. Of commands, and of answers of the network's own kind, it is only said
/// that they came: what they say shows in what the machine does.
pub(super) fn input<C, A>(digest: &mut Digest, at: Instant, node: u32, input: &Input<C, A>) {
    let (kind, detail) = match input {
        Input::Command(_) => (COMMAND, 0),
        Input::Listening { listener, local: _ } => (LISTENING, listener.0.into()),
        Input::ListenFailed { listener, cause: _ } => (LISTEN_FAILED, listener.0.into()),
        Input::Answer { query, answer: _ } => (ANSWER, query.0),
        // These come by segments, which are in the digest already.
        Input::Opened { link, .. }
        | Input::Received { link, .. }
        | Input::Message { link, .. }
        | Input::Written { link, .. }
        | Input::Finished { link }
        | Input::Closed { link, .. } => (LINK, link.0),
        Input::Datagram { .. } | Input::AddressesChanged => (LINK, 0),
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
