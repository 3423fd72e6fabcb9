//! Questions that any driver answers: names, stored records, signatures. All blocking work is done on smol's pool of
//! blocking threads.

use std::future::Future;
use std::io;
use std::mem;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use pleach_core::identity::PublicKey;
use pleach_core::link::{Answer, Cause, QueryId, Verification};
use smol::Task;

use crate::store::{Record, Store};

/// A name lookup under way.
pub(super) type Lookup = Task<io::Result<Vec<SocketAddr>>>;

/// Looks `host` up with the resolver of the system.
pub(super) fn lookup(host: String, port: u16) -> Lookup {
    smol::unblock(move || (host.as_str(), port).to_socket_addrs().map(Iterator::collect))
}

/// Answers, with the questions they belong to.
pub(super) type Answers<A> = Vec<(QueryId, Answer<A>)>;

/// Questions under way. `A` are the answers of the network, which only the embedder gives.
pub(super) struct Questions<A> {
    store: Arc<dyn Store>,
    /// What is asked of the store and not yet begun; all of it goes into its next transaction.
    waiting: Vec<StoreJob>,
    committing: Option<Task<Answers<A>>>,
    others: Vec<(QueryId, Task<Answer<A>>)>,
    waker: Waker,
    max: usize,
}

enum StoreJob {
    Load(QueryId, String),
    Store(QueryId, Record),
}

impl<A: Send + 'static> Questions<A> {
    /// No questions yet; at most `max` at once of each kind, storing or other. `waker` is woken when there are answers.
    pub(super) fn new(store: Arc<dyn Store>, waker: Waker, max: usize) -> Self {
        Self { store, waiting: Vec::new(), committing: None, others: Vec::new(), waker, max }
    }

    /// Asks for the addresses of a name. This and the others below give back an answer where the question is refused.
    pub(super) fn resolve(&mut self, query: QueryId, host: String) -> Option<Answer<A>> {
        self.other(query, move || match (host.as_str(), 0).to_socket_addrs() {
            Ok(found) => Answer::Resolved(found.map(|address| address.ip()).collect::<Vec<IpAddr>>()),
            // Systems tell "no such name" and "no answer" apart in ways of their own.
            Err(error) => {
                tracing::debug!(%error, "name lookup failed");
                Answer::Failed(Cause::Unreachable)
            }
        })
    }

    /// Asks for a signature to be checked.
    pub(super) fn verify(&mut self, query: QueryId, work: Verification) -> Option<Answer<A>> {
        self.other(query, move || {
            Answer::Verified(PublicKey(work.key).verify(&work.message, &work.signature))
        })
    }

    /// Asks for a stored record, as it stands after everything that was to be stored before.
    pub(super) fn load(&mut self, query: QueryId, key: String) -> Option<Answer<A>> {
        self.storage(StoreJob::Load(query, key))
    }

    /// Asks for a record to be kept, or dropped.
    pub(super) fn store(&mut self, query: QueryId, key: String, value: Option<Bytes>) -> Option<Answer<A>> {
        self.storage(StoreJob::Store(query, Record { key, value }))
    }

    /// The answers that are there.
    pub(super) fn poll(&mut self, answers: &mut Answers<A>) {
        let waker = self.waker.clone();
        let cx = &mut Context::from_waker(&waker);
        self.others.retain_mut(|(query, task)| match Pin::new(task).poll(cx) {
            Poll::Pending => true,
            Poll::Ready(answer) => {
                answers.push((*query, answer));
                false
            }
        });
        while let Some(task) = &mut self.committing {
            let Poll::Ready(done) = Pin::new(task).poll(cx) else { return };
            answers.extend(done);
            self.committing = None;
            self.commit();
        }
    }

    /// Whether records are still on their way to the store.
    pub(super) const fn is_storing(&self) -> bool {
        self.committing.is_some()
    }

    fn other(
        &mut self,
        query: QueryId,
        work: impl FnOnce() -> Answer<A> + Send + 'static,
    ) -> Option<Answer<A>> {
        if self.others.len() >= self.max {
            return Some(Answer::Failed(Cause::Exhausted));
        }
        self.others.push((query, smol::unblock(work)));
        self.waker.wake_by_ref();
        None
    }

    fn storage(&mut self, job: StoreJob) -> Option<Answer<A>> {
        if self.waiting.len() >= self.max {
            return Some(Answer::Failed(Cause::Exhausted));
        }
        self.waiting.push(job);
        if self.committing.is_none() {
            self.commit();
        }
        None
    }

    /// Hands everything that waits to the store: while one transaction runs, the next one gathers.
    fn commit(&mut self) {
        let jobs = mem::take(&mut self.waiting);
        if !jobs.is_empty() {
            let store = Arc::clone(&self.store);
            self.committing = Some(smol::unblock(move || run(&*store, jobs)));
            self.waker.wake_by_ref();
        }
    }
}

/// Runs jobs in their order, all stores between two loads in one transaction.
fn run<A>(store: &dyn Store, jobs: Vec<StoreJob>) -> Answers<A> {
    let mut answers = Vec::with_capacity(jobs.len());
    let (mut queries, mut records) = (Vec::new(), Vec::new());
    for job in jobs {
        match job {
            StoreJob::Store(query, record) => {
                queries.push(query);
                records.push(record);
            }
            StoreJob::Load(query, key) => {
                write(store, &mut queries, &mut records, &mut answers);
                let answer = store.load(&key).map_or_else(
                    |error| {
                        tracing::warn!(%error, "cannot read from the store");
                        Answer::Failed(Cause::Other)
                    },
                    Answer::Loaded,
                );
                answers.push((query, answer));
            }
        }
    }
    write(store, &mut queries, &mut records, &mut answers);
    answers
}

fn write<A>(
    store: &dyn Store,
    queries: &mut Vec<QueryId>,
    records: &mut Vec<Record>,
    answers: &mut Answers<A>,
) {
    if records.is_empty() {
        return;
    }
    let kept = store.write(records);
    if let Err(error) = &kept {
        tracing::warn!(%error, count = records.len(), "cannot write to the store");
    }
    answers.extend(queries.drain(..).map(|query| (query, Answer::Stored(kept.is_ok()))));
    records.clear();
}

impl<A> std::fmt::Debug for Questions<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Questions").field("waiting", &self.waiting.len()).finish_non_exhaustive()
    }
}
