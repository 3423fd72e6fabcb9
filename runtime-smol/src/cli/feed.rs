//! Running a machine, and what the loop of a command then waits for: events of its machine, a signal, and what its own tasks have to say.

use std::sync::Arc;
use std::time::Duration;

use async_channel::{Receiver, Sender};
use pleach_smol::store::Store;
use pleach_smol::{Handle, LinkMachine, Options, Runtime};
use smol::{Executor, Task};

use super::error::{Exit, Failure};

/// Runs `machine` on `executor`. The task ends when the machine has.
pub(crate) fn launch<N: LinkMachine>(
    machine: N,
    store: Arc<dyn Store>,
    options: Options,
    executor: &Executor<'static>,
) -> Result<(Handle<N>, Task<()>), Failure> {
    let (handle, runtime) = Runtime::new(machine, store, options)
        .map_err(|error| Failure::new(Exit::Local, "no-entropy", format!("no entropy: {error}")))?;
    Ok((handle, executor.spawn(runtime.run())))
}

/// Words of tasks that may wait for the loop.
const WORDS_MAX: usize = 64;

/// One thing that happened. `O` is what the command's own tasks say.
#[derive(Debug)]
pub(crate) enum Happening<E, O> {
    /// The machine has something to say.
    Event(E),
    /// The runtime has stopped.
    Ended,
    /// The first signal, and the code to end with.
    Signal(Exit),
    /// A task of the command.
    Other(O),
}

/// Everything that happens to a command.
pub(crate) struct Feed<N: LinkMachine, O> {
    handle: Handle<N>,
    signal: Receiver<Exit>,
    sender: Sender<O>,
    others: Receiver<O>,
}

impl<N: LinkMachine, O> Feed<N, O> {
    /// The events of `handle` and what comes from `signal` ([`super::signals::watch`]).
    pub(crate) fn new(handle: Handle<N>, signal: Receiver<Exit>) -> Self {
        let (sender, others) = async_channel::bounded(WORDS_MAX);
        Self { handle, signal, sender, others }
    }

    /// Where the command's tasks say what they have to say.
    pub(crate) fn sender(&self) -> Sender<O> {
        self.sender.clone()
    }

    /// Nobody listens any more. Waits for the runtime, which ends once the last bytes have left.
    pub(crate) async fn close(self, runtime: Task<()>) {
        let handle = self.handle.clone();
        // What the tasks still have to say is of no use, and none may wait to say it.
        drop(self);
        handle.end();
        runtime.await;
    }

    /// The next thing that happens. No source can keep the others from being heard.
    pub(crate) async fn next(&self) -> Happening<N::Event, O> {
        let event = async { self.handle.event().await.map_or(Happening::Ended, Happening::Event) };
        let signal = async { Happening::Signal(said(&self.signal).await) };
        let other = async { Happening::Other(said(&self.others).await) };
        smol::future::race(event, smol::future::race(signal, other)).await
    }
}

/// Says `word` now and after each `period`, as long as somebody listens.
pub(crate) async fn every<O>(period: Duration, word: impl Fn() -> O, to: Sender<O>) {
    while to.send(word()).await.is_ok() {
        async_io::Timer::after(period).await;
    }
}

/// What is said next; never, where nobody speaks any more.
async fn said<T>(from: &Receiver<T>) -> T {
    match from.recv().await {
        Ok(word) => word,
        Err(_) => std::future::pending().await,
    }
}
