//! The embedder's end of a runtime.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use async_channel::{Receiver, Sender};
use pleach_core::link::{Answer, QueryId};

use super::{LinkMachine, Stats};

/// Commands that may wait for a runtime.
const COMMANDS_MAX: usize = 256;

/// What the embedder says to the runtime.
pub(super) enum Control<N: LinkMachine> {
    Command(N::Command),
    Answer(QueryId, Answer<N::Answer>),
    Inspect(Inspection<N>),
    Freeze,
    Abort,
}

pub(super) type Inspection<N> = Box<dyn FnOnce(&View<'_, N>) + Send>;

/// What can be seen of a running machine.
#[derive(Debug)]
pub struct View<'a, N> {
    /// The machine.
    pub machine: &'a N,
    /// What its runtime counted.
    pub stats: Stats,
    /// Open links that it dialled.
    pub links_dialled: usize,
    /// Open links that came in.
    pub links_accepted: usize,
    /// Bytes that wait to be written, on all links.
    pub queued_bytes: usize,
}

/// Commands a runtime and hears its events. Clones share the runtime, and each event goes to one of them.
///
/// When the last handle is dropped the runtime ends: links that are being flushed have their time for it, all others are
/// closed at once.
pub struct Handle<N: LinkMachine> {
    control: Sender<Control<N>>,
    events: Receiver<N::Event>,
    questions: Receiver<(QueryId, N::Question)>,
    backlog: Arc<Backlog>,
}

/// Tells the runtime that the embedder took events.
#[derive(Debug)]
pub(super) struct Backlog {
    pub(super) is_full: AtomicBool,
    pub(super) waker: Waker,
}

/// The runtime's ends of the channels.
pub(super) struct Channels<N: LinkMachine> {
    pub(super) control: Receiver<Control<N>>,
    pub(super) events: Sender<N::Event>,
    pub(super) questions: Sender<(QueryId, N::Question)>,
    pub(super) backlog: Arc<Backlog>,
}

/// Channels between a handle and its runtime; `waker` wakes the latter when events were taken.
pub(super) fn connect<N: LinkMachine>(waker: Waker, questions_max: usize) -> (Handle<N>, Channels<N>) {
    let (control, control_end) = async_channel::bounded(COMMANDS_MAX);
    let (events_end, events) = async_channel::unbounded();
    let (questions_end, questions) = async_channel::bounded(questions_max.max(1));
    let backlog = Arc::new(Backlog { is_full: AtomicBool::new(false), waker });
    let handle = Handle { control, events, questions, backlog: Arc::clone(&backlog) };
    (handle, Channels { control: control_end, events: events_end, questions: questions_end, backlog })
}

impl<N: LinkMachine> Handle<N> {
    /// Tells the machine what the application wants; waits while too many commands are before it.
    ///
    /// # Errors
    /// The runtime has stopped.
    pub async fn command(&self, command: N::Command) -> Result<(), Stopped> {
        self.tell(Control::Command(command)).await
    }

    /// Answers a question of [`Handle::question`].
    ///
    /// # Errors
    /// The runtime has stopped.
    pub async fn answer(&self, query: QueryId, answer: Answer<N::Answer>) -> Result<(), Stopped> {
        self.tell(Control::Answer(query, answer)).await
    }

    /// The next event; none when the runtime has stopped.
    pub async fn event(&self) -> Option<N::Event> {
        let event = self.events.recv().await.ok();
        if self.backlog.is_full.swap(false, Ordering::AcqRel) {
            self.backlog.waker.wake_by_ref();
        }
        event
    }

    /// The next question that only the embedder can answer; none when the runtime has stopped.
    pub async fn question(&self) -> Option<(QueryId, N::Question)> {
        self.questions.recv().await.ok()
    }

    /// Looks at the machine between two of its calls. What `look` does takes the runtime's time: copy, and leave.
    ///
    /// # Errors
    /// The runtime has stopped.
    pub async fn inspect<R: Send + 'static>(
        &self,
        look: impl FnOnce(&View<'_, N>) -> R + Send + 'static,
    ) -> Result<R, Stopped> {
        let (seen, result) = async_channel::bounded(1);
        let inspection: Inspection<N> = Box::new(move |view| {
            // The embedder may have gone away meanwhile.
            drop(seen.try_send(look(view)));
        });
        self.tell(Control::Inspect(inspection)).await?;
        result.recv().await.map_err(|_| Stopped)
    }

    /// Stops reading, answering and minding deadlines, but keeps every socket open: a process that hangs. Only
    /// [`Handle::abort`] and dropping the handle are heard from now on.
    ///
    /// # Errors
    /// The runtime has stopped.
    pub async fn freeze(&self) -> Result<(), Stopped> {
        self.tell(Control::Freeze).await
    }

    /// Ends the runtime without a word: every link is reset, as by a process that was killed.
    ///
    /// # Errors
    /// The runtime has stopped.
    pub async fn abort(&self) -> Result<(), Stopped> {
        self.tell(Control::Abort).await
    }

    /// Ends the runtime as dropping the last handle does, whatever clones there are.
    pub fn end(&self) {
        self.control.close();
    }

    async fn tell(&self, control: Control<N>) -> Result<(), Stopped> {
        self.control.send(control).await.map_err(|_| Stopped)
    }
}

impl<N: LinkMachine> Clone for Handle<N> {
    fn clone(&self) -> Self {
        Self {
            control: self.control.clone(),
            events: self.events.clone(),
            questions: self.questions.clone(),
            backlog: Arc::clone(&self.backlog),
        }
    }
}

impl<N: LinkMachine> fmt::Debug for Handle<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("events", &self.events.len()).finish_non_exhaustive()
    }
}

/// The runtime has stopped; what was asked of it did not happen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the node has stopped")
    }
}

impl std::error::Error for Stopped {}
