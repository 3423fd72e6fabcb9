//! What a failed transfer means to a person, and with which code it ends.

use pleach_core::bob::pack::PackError;
use pleach_core::bob::peer::Failure as Cause;
use pleach_core::link;

use super::Flags;
use crate::cli::error::{Exit, Failure};

/// Explains a failure that both sides can meet; `other` explains the rest.
pub(crate) fn explain<C>(cause: Cause<C>, flags: &Flags, other: impl FnOnce(C) -> Failure) -> Failure {
    let relay = flags.relay.place();
    let room = flags.relay.with_port(flags.secure_port);
    let unreachable = |code, what: String| Failure::new(Exit::Unreachable, code, what);
    match cause {
        Cause::Relay(cause) => {
            unreachable("relay-unreachable", format!("the relay {relay} {}", happened(cause)))
                .hint("check --relay; to run a relay: pleach relay")
        }
        Cause::Room(cause) => {
            unreachable("room-unreachable", format!("the relay's secure port {room} {}", happened(cause)))
                .hint("check --secure-port: the relay prints it when it starts")
        }
        Cause::RelayClosed => unreachable("relay-closed", format!("the relay {relay} closed the connection"))
            .hint("it may be shutting down, or have too many connections: try again later"),
        Cause::TimedOut => unreachable("timed-out", "nobody with this password came in time".into())
            .hint("start both sides at about the same time, with the same relay and password"),
        Cause::Malformed(error) => Failure::new(
            Exit::Failed,
            "relay-protocol",
            format!("what answers at {relay} is no relay: {error}"),
        )
        .hint("check the port of --relay: it is not the secure port"),
        Cause::RelayProtocol => {
            Failure::new(Exit::Failed, "relay-protocol", format!("the relay {relay} broke the protocol"))
        }
        Cause::RoomTimedOut => unreachable("room-timed-out", "the other side did not come in time".into())
            .hint("it may not reach the relay's secure port: try again"),
        Cause::RoomUnknown => {
            unreachable("room-unknown", format!("the relay's secure port {room} does not know this transfer"))
                .hint("check that --secure-port belongs to the same relay as --relay, and try again")
        }
        Cause::Interrupted => {
            unreachable("interrupted", "the connection broke before the end of the file".into())
                .hint("start both sides again")
        }
        Cause::Stalled => unreachable("stalled", "the transfer stood still for too long".into())
            .hint("start both sides again"),
        Cause::Corrupted => Failure::new(Exit::Unverified, "corrupted", "what came was changed on the way")
            .hint("start both sides again; if it happens again, use another relay"),
        Cause::PartnerGaveUp => Failure::new(Exit::Cancelled, "cancelled", "the other side gave up")
            .hint("ask there what happened"),
        Cause::Cancelled => Failure::new(Exit::Failed, "called-off", "called off"),
        Cause::Other(failure) => other(failure),
    }
}

/// What became of a dial, in words.
const fn happened(cause: link::Cause) -> &'static str {
    match cause {
        link::Cause::Refused => "refused the connection",
        link::Cause::TimedOut => "does not answer",
        link::Cause::Unreachable => "cannot be reached: there is no way to it, or its name is not known",
        link::Cause::Reset | link::Cause::Finished => "closed the connection",
        link::Cause::Exhausted => "cannot be dialled: this process has too many files open",
        _ => "cannot be reached",
    }
}

/// Explains what only a receiver can meet.
pub(crate) fn of_content(error: PackError) -> Failure {
    let what = error.to_string();
    match error {
        PackError::TooLarge { .. } => {
            Failure::new(Exit::Failed, "too-large", what).hint("--max-size SIZE takes larger files")
        }
        PackError::Name(_) => Failure::new(Exit::Unverified, "bad-name", what)
            .hint("ask the sender to send it under another name: --name NAME"),
        PackError::Folder(_) => Failure::new(Exit::Unverified, "is-a-folder", what),
        _ => Failure::new(Exit::Unverified, "not-verified", what)
            .hint("nothing was kept; start both sides again"),
    }
}
