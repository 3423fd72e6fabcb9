//! The driver: one machine, its sockets, its timers and its questions, in one future.
//!
//! ```text
//!            Handle ── commands, answers, inspections ──┐   ┌── events, questions ──► Handle
//!                                                       ▼   │
//!  sockets ── ready tokens ──► Runtime: inputs ──► machine ──► outputs ──► sockets, timer, store
//! ```
//!
//! The runtime is the single owner of everything; nothing is locked and nothing is handed from task to task. The reactor
//! wakes it with a token for each socket that became ready. A turn has a few rounds: in each, every ready link has one piece
//! of at most 64 KiB read, the machine hears it, and what it sent is written once, for all links, at the end of the round.
//!
//! # Limits
//!
//! [`Options`] names them: bytes that wait for a peer that does not read, events that wait for the embedder, questions
//! under way, time for a last flush, and the descriptors of the process. [`Stats`] counts what was shed.

mod buffers;
mod cause;
mod descriptors;
mod dial;
mod handle;
mod listener;
mod outputs;
mod questions;
mod runtime;
mod socket;
mod timer;
mod wake;
mod writer;

use std::time::Duration;

use pleach_core::Machine;
use pleach_core::link;

pub use descriptors::Descriptors;
pub use handle::{Handle, Stopped, View};
pub use runtime::Runtime;

/// A machine that speaks the link vocabulary, as every network node does. Implemented for all that do.
pub trait LinkMachine:
    Machine<
        Input = link::Input<Self::Command, Self::Answer>,
        Output = link::Output<Self::Event, Self::Question>,
    > + Send
    + 'static
{
    /// What the application wants.
    type Command: Send + 'static;
    /// Answers that only the embedder can give.
    type Answer: Send + 'static;
    /// What the application hears.
    type Event: Send + 'static;
    /// Questions that only the embedder can answer.
    type Question: Send + 'static;
}

impl<M, C, A, E, Q> LinkMachine for M
where
    M: Machine<Input = link::Input<C, A>, Output = link::Output<E, Q>> + Send + 'static,
    C: Send + 'static,
    A: Send + 'static,
    E: Send + 'static,
    Q: Send + 'static,
{
    type Command = C;
    type Answer = A;
    type Event = E;
    type Question = Q;
}

/// The limits of a runtime.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bytes that may wait to be written to one link. A peer that reads too slowly for what the machine sends costs this
    /// much; then its link is closed with [`link::Cause::Exhausted`]. Default 4 MiB. Machines are expected to shed
    /// earlier, by what `Written` reports.
    pub queued_bytes_max: usize,
    /// Events that may wait for the embedder before the runtime stops reading from all links. Default 4096.
    pub events_max: usize,
    /// Questions of one kind that may be under way; beyond, they fail with [`link::Cause::Exhausted`]. Default 1024.
    pub questions_max: usize,
    /// How long a link that is closed with [`link::How::Flush`] may take to send the rest. Default 5 s.
    pub flush_timeout: Duration,
    /// How long such a link then waits for the peer to close its half too, so that nothing of the rest is lost.
    /// Default 1 s.
    pub linger_timeout: Duration,
    /// How long accepting pauses when no descriptor is free (T-22). Default 100 ms.
    pub accept_pause: Duration,
    /// Whether a listener at the unspecified IPv6 address, `[::]`, takes IPv4 links too, whose addresses are then shown
    /// as IPv4. Default no: a second listener, at `0.0.0.0`, may have the same port.
    pub dual_stack: bool,
    /// The descriptors of the process. Default a budget of its own; runtimes of one process should share one.
    pub descriptors: Descriptors,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            queued_bytes_max: 4 << 20,
            events_max: 4096,
            questions_max: 1024,
            flush_timeout: Duration::from_secs(5),
            linger_timeout: Duration::from_secs(1),
            accept_pause: Duration::from_millis(100),
            dual_stack: false,
            descriptors: Descriptors::of_process(),
        }
    }
}

pleach_core::counters! {
    /// What a runtime has done, and what it has shed.
    pub struct Stats {
        /// Dials begun.
        dials,
        /// Dials that failed.
        dials_failed,
        /// Links opened by a dial.
        links_dialled,
        /// Links that came in.
        links_accepted,
        /// Links closed.
        links_closed,
        /// Bytes read.
        received_bytes,
        /// Bytes written.
        sent_bytes,
        /// Links closed because too many bytes waited for their peer.
        queue_exceeded,
        /// Closed links that did not send the rest in time.
        flush_expired,
        /// Pauses of accepting because no descriptor was free.
        accept_paused,
        /// Dials and listeners refused because no descriptor was free.
        descriptors_exhausted,
        /// Questions refused because too many were under way.
        questions_refused,
        /// Turns in which reading was held back because too many events waited.
        reading_held,
        /// Outputs about kinds of links that this driver does not serve.
        unsupported,
    }
}
