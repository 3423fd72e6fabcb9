//! Wake-ups by token: the reactor says which socket became ready, and the driver looks at no other.

use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

use pleach_core::link::{LinkId, ListenerId};

/// What became ready.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Token {
    Link(LinkId),
    Listener(ListenerId),
    Questions,
    /// The embedder took events while reading was held back.
    Events,
}

/// The tokens that became ready, and the task to wake for them.
#[derive(Default)]
pub(super) struct Wakeups {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    ready: Vec<Arc<TokenWaker>>,
    task: Option<Waker>,
}

impl Wakeups {
    /// A waker for one token.
    pub(super) fn waker(self: &Arc<Self>, token: Token) -> Waker {
        let wakeups = Arc::clone(self);
        Waker::from(Arc::new(TokenWaker { token, queued: AtomicBool::new(false), wakeups }))
    }

    /// Remembers the task to wake, and appends what is ready to `tokens`, in the order in which it became so.
    pub(super) fn take(&self, task: &Waker, tokens: &mut Vec<Token>) {
        let ready = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if !state.task.as_ref().is_some_and(|known| known.will_wake(task)) {
                state.task = Some(task.clone());
            }
            mem::take(&mut state.ready)
        };
        tokens.extend(ready.into_iter().map(|waker| {
            waker.queued.store(false, Ordering::Release);
            waker.token
        }));
    }
}

impl fmt::Debug for Wakeups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wakeups").finish_non_exhaustive()
    }
}

struct TokenWaker {
    token: Token,
    /// Whether it stands in the list already: however often it is woken, it stands there once.
    queued: AtomicBool,
    wakeups: Arc<Wakeups>,
}

impl Wake for TokenWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.queued.swap(true, Ordering::AcqRel) {
            return;
        }
        let task = {
            let mut state = self.wakeups.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.ready.push(Arc::clone(self));
            state.task.clone()
        };
        if let Some(task) = task {
            task.wake();
        }
    }
}
