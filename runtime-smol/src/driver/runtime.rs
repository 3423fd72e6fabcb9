//! The loop: what became ready goes into the machine, what the machine wants goes to the sockets.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use async_channel::Receiver;
use async_io::Async;
use getrandom::SysRng;
use pleach_core::Driver;
use pleach_core::deadline::{Deadlines, earliest};
use pleach_core::link::{Address, Cause, Input, LinkId, ListenerId, Via};
use pleach_core::stats::{count, count_by};
use pleach_core::time::{Clock, Instant};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use smol::stream::Stream;

use super::buffers::Buffers;
use super::cause::cause_of;
use super::dial::{Connected, Dial};
use super::handle::{Channels, Control, connect};
use super::listener::{Accepted, Listener};
use super::questions::Questions;
use super::socket::{Link, Received};
use super::timer::Timer;
use super::wake::{Token, Wakeups};
use super::{Handle, LinkMachine, Options, Stats, View};
use crate::store::Store;

/// Commands taken in a turn.
const COMMANDS_PER_TURN: usize = 64;
/// Links accepted in a round by one listener.
const ACCEPTS_PER_ROUND: usize = 64;
/// Times in a turn that those are served who are ready, before the reactor is asked who else is: asking costs several
/// system calls, and a busy link is ready again at once.
const ROUNDS_PER_TURN: usize = 4;
/// Times that a machine may answer `Written` with more to write, before the others have their turn.
const FLUSHES_PER_ROUND: usize = 4;

/// One machine on real sockets. Made by [`Runtime::new`]; does nothing until [`Runtime::run`] is polled.
pub struct Runtime<N: LinkMachine> {
    pub(super) driver: Driver<N, ChaCha20Rng>,
    clock: Clock,
    timer: Timer,
    pub(super) options: Options,
    pub(super) stats: Stats,
    pub(super) wakeups: Arc<Wakeups>,
    ready: Vec<Token>,
    /// Links that cannot be read while too many events wait.
    held: Vec<Token>,
    pub(super) channels: Channels<N>,
    pub(super) questions: Questions<N::Answer>,
    pub(super) links: BTreeMap<LinkId, Place>,
    pub(super) listeners: BTreeMap<ListenerId, Listener>,
    /// Deadlines of the driver itself: of links that are closing and of listeners that pause.
    pub(super) deadlines: Deadlines<Due>,
    /// Links with something to write.
    pub(super) dirty: BTreeSet<LinkId>,
    /// What the machine is to hear next.
    pub(super) inputs: VecDeque<Input<N::Command, N::Answer>>,
    buffers: Buffers,
    next_accepted: u64,
    state: State,
}

/// A link of the machine, on its way or open.
#[derive(Debug)]
pub(super) enum Place {
    Dialling(Dial),
    Open(Box<Link>),
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Due {
    Accept(ListenerId),
    Close(LinkId),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Running,
    /// All handles are gone: what is being flushed or stored is still done.
    Ending,
    Frozen,
    Over,
}

impl<N: LinkMachine> Runtime<N> {
    /// A runtime for `machine`, and the handle to it. The machine draws from a generator seeded by the system.
    ///
    /// # Errors
    /// The system gives no entropy.
    pub fn new(machine: N, store: Arc<dyn Store>, options: Options) -> io::Result<(Handle<N>, Self)> {
        let rng = ChaCha20Rng::try_from_rng(&mut SysRng).map_err(io::Error::other)?;
        let clock = Clock::start();
        let wakeups = Arc::<Wakeups>::default();
        let (handle, channels) = connect(wakeups.waker(Token::Events), options.questions_max);
        let questions = Questions::new(store, wakeups.waker(Token::Questions), options.questions_max);
        let runtime = Self {
            driver: Driver::new(machine, rng),
            clock,
            timer: Timer::new(clock),
            options,
            stats: Stats::default(),
            wakeups,
            ready: Vec::new(),
            held: Vec::new(),
            channels,
            questions,
            links: BTreeMap::new(),
            listeners: BTreeMap::new(),
            deadlines: Deadlines::new(),
            dirty: BTreeSet::new(),
            inputs: VecDeque::new(),
            buffers: Buffers::default(),
            next_accepted: LinkId::ACCEPTED,
            state: State::Running,
        };
        Ok((handle, runtime))
    }

    /// Runs until [`Handle::abort`] is called, or until the last handle is dropped and the last bytes have left.
    pub async fn run(mut self) {
        let mut control = pin!(self.channels.control.clone());
        poll_fn(|cx| self.turn(control.as_mut(), cx)).await;
    }

    /// One turn. Everything in it is bounded; what remains wakes the task again.
    fn turn(&mut self, control: Pin<&mut Receiver<Control<N>>>, cx: &mut Context<'_>) -> Poll<()> {
        self.take_commands(control, cx);
        match self.state {
            State::Over => return Poll::Ready(()),
            State::Frozen => return Poll::Pending,
            State::Running | State::Ending => {}
        }
        for _ in 0..ROUNDS_PER_TURN {
            self.wakeups.take(cx.waker(), &mut self.ready);
            let is_quiet = self.ready.is_empty();
            let mut ready = std::mem::take(&mut self.ready);
            for token in ready.drain(..) {
                self.serve(token);
            }
            self.ready = ready;
            self.flush_all();
            if is_quiet {
                break;
            }
        }
        // Only now: after a stall of the whole process, what is late has often arrived and only waits to be read.
        self.run_deadlines();
        self.flush_all();
        if !self.dirty.is_empty() {
            cx.waker().wake_by_ref();
        }
        if self.state == State::Ending && self.links.is_empty() && !self.questions.is_storing() {
            return Poll::Ready(());
        }
        self.timer.set(earliest(self.driver.poll_timeout(), self.deadlines.next()), cx);
        Poll::Pending
    }

    fn take_commands(&mut self, mut control: Pin<&mut Receiver<Control<N>>>, cx: &mut Context<'_>) {
        for _ in 0..COMMANDS_PER_TURN {
            if !matches!(self.state, State::Running | State::Frozen) {
                return;
            }
            match control.as_mut().poll_next(cx) {
                Poll::Pending => return,
                Poll::Ready(None) => self.end(),
                Poll::Ready(Some(Control::Abort)) => self.abort(),
                Poll::Ready(Some(_)) if self.state == State::Frozen => {}
                Poll::Ready(Some(Control::Freeze)) => self.state = State::Frozen,
                Poll::Ready(Some(Control::Command(command))) => self.feed(Input::Command(command)),
                Poll::Ready(Some(Control::Answer(query, answer))) => {
                    self.feed(Input::Answer { query, answer })
                }
                Poll::Ready(Some(Control::Inspect(look))) => look(&self.view()),
            }
        }
        cx.waker().wake_by_ref();
    }

    fn view(&self) -> View<'_, N> {
        let (mut links_dialled, mut links_accepted, mut queued_bytes) = (0, 0, 0);
        for (id, place) in &self.links {
            if let Place::Open(link) = place {
                *(if id.0 < LinkId::ACCEPTED { &mut links_dialled } else { &mut links_accepted }) += 1;
                queued_bytes += link.queued();
            }
        }
        let (machine, stats) = (self.driver.machine(), self.stats);
        View { machine, stats, links_dialled, links_accepted, queued_bytes }
    }

    /// The last handle is gone: listeners, dials and links close, except what is being flushed.
    fn end(&mut self) {
        if self.state == State::Frozen {
            return self.abort();
        }
        self.state = State::Ending;
        self.listeners.clear();
        self.links.retain(|_, place| matches!(place, Place::Open(link) if link.is_closing()));
    }

    fn abort(&mut self) {
        for place in self.links.values_mut() {
            if let Place::Open(link) = place {
                link.reset();
            }
        }
        self.links.clear();
        self.listeners.clear();
        self.state = State::Over;
    }

    fn run_deadlines(&mut self) {
        let now = self.clock.at().now;
        while let Some(due) = self.deadlines.pop_due(now) {
            match due {
                Due::Accept(listener) => {
                    if let Some(listener) = self.listeners.get(&listener) {
                        listener.wake();
                    }
                }
                Due::Close(link) => self.give_up_closing(link),
            }
        }
        if self.driver.poll_timeout().is_some_and(|deadline| deadline <= now) {
            self.driver.handle_timeout(self.clock.at());
            self.settle();
        }
    }

    fn serve(&mut self, token: Token) {
        match token {
            Token::Link(id) => self.serve_link(id),
            Token::Listener(id) => self.accept(id),
            Token::Questions => {
                let mut answers = Vec::new();
                self.questions.poll(&mut answers);
                for (query, answer) in answers {
                    self.feed(Input::Answer { query, answer });
                }
            }
            Token::Events => {
                for token in std::mem::take(&mut self.held) {
                    self.serve(token);
                }
            }
        }
    }

    fn serve_link(&mut self, id: LinkId) {
        match self.links.get_mut(&id) {
            None => {}
            Some(Place::Dialling(dial)) => {
                if let Poll::Ready(result) = dial.poll() {
                    self.dialled(id, result);
                }
            }
            Some(Place::Open(_)) => {
                self.dirty.insert(id);
                if self.must_hold() {
                    self.held.push(Token::Link(id));
                    count(&mut self.stats.reading_held);
                } else {
                    self.read(id);
                }
            }
        }
    }

    /// Whether so many events wait for the embedder that nothing more may be read.
    fn must_hold(&self) -> bool {
        let is_full = || self.channels.events.len() >= self.options.events_max;
        if !is_full() {
            return false;
        }
        self.channels.backlog.is_full.store(true, Ordering::Release);
        // The embedder may have taken the last event just before it was told to report that.
        is_full() || !self.channels.backlog.is_full.swap(false, Ordering::AcqRel)
    }

    fn read(&mut self, id: LinkId) {
        let Some(Place::Open(link)) = self.links.get_mut(&id) else { return };
        let received = link.read(self.buffers.next());
        let (closing, over) = (link.is_closing(), link.is_over());
        match received {
            Received::Nothing => {}
            Received::Bytes(count) => {
                count_by(&mut self.stats.received_bytes, count);
                if !closing {
                    let bytes = self.buffers.piece(count);
                    self.feed(Input::Received { link: id, bytes });
                }
            }
            Received::End if closing => {
                if over {
                    self.close(id, Cause::Finished);
                }
            }
            Received::End => {
                self.feed(Input::Finished { link: id });
                self.close_if_over(id);
            }
            Received::Failed(error) => self.close(id, cause_of(&error)),
        }
    }

    fn dialled(&mut self, id: LinkId, result: Result<Connected, Cause>) {
        let Some(Place::Dialling(dial)) = self.links.remove(&id) else { return };
        match result {
            Ok(Connected { stream, permit, local, remote }) => {
                count(&mut self.stats.links_dialled);
                let waker = dial.into_waker();
                waker.wake_by_ref();
                self.links.insert(id, Place::Open(Box::new(Link::new(stream, waker, permit))));
                let (local, remote) = (Address::Socket(local), Address::Socket(remote));
                self.feed(Input::Opened { link: id, via: Via::Dialled, local, remote });
            }
            Err(cause) => {
                count(&mut self.stats.dials_failed);
                self.feed(Input::Closed { link: id, cause });
            }
        }
    }

    fn accept(&mut self, id: ListenerId) {
        if self.deadlines.get(&Due::Accept(id)).is_some() {
            return;
        }
        for _ in 0..ACCEPTS_PER_ROUND {
            let Some(listener) = self.listeners.get(&id) else { return };
            match listener.accept(&self.options.descriptors) {
                Accepted::Nobody => return,
                Accepted::Exhausted => {
                    count(&mut self.stats.accept_paused);
                    let resume = self.now() + self.options.accept_pause;
                    self.deadlines.set(Due::Accept(id), Some(resume));
                    return;
                }
                Accepted::Link(stream, remote, permit) => match prepare(stream) {
                    Ok((stream, local)) => {
                        count(&mut self.stats.links_accepted);
                        let link = LinkId(self.next_accepted);
                        self.next_accepted = self.next_accepted.saturating_add(1);
                        let waker = self.wakeups.waker(Token::Link(link));
                        waker.wake_by_ref();
                        self.links.insert(link, Place::Open(Box::new(Link::new(stream, waker, permit))));
                        let (local, remote) = (Address::Socket(plain(local)), Address::Socket(plain(remote)));
                        self.feed(Input::Opened { link, via: Via::Accepted { listener: id }, local, remote });
                    }
                    // It was gone before we looked at it.
                    Err(error) => tracing::debug!(%error, "an incoming link is lost"),
                },
            }
        }
        if let Some(listener) = self.listeners.get(&id) {
            listener.wake();
        }
    }

    /// Writes what waits on every link that has something, and tells the machine what left.
    fn flush_all(&mut self) {
        for _ in 0..FLUSHES_PER_ROUND {
            let dirty = std::mem::take(&mut self.dirty);
            if dirty.is_empty() {
                return;
            }
            for id in dirty {
                self.flush(id);
            }
        }
    }

    fn flush(&mut self, id: LinkId) {
        let Some(Place::Open(link)) = self.links.get_mut(&id) else { return };
        let had_said_all = link.has_said_all();
        match link.flush() {
            Err(error) => self.close(id, cause_of(&error)),
            Ok(written) => {
                let (closing, said_all) = (link.is_closing(), link.has_said_all());
                count_by(&mut self.stats.sent_bytes, written);
                if written > 0 && !closing {
                    self.feed(Input::Written { link: id, count: written });
                }
                if said_all && !had_said_all {
                    self.said_all(id);
                }
            }
        }
    }

    /// The last byte has left: now the peer has a moment to close its half.
    fn said_all(&mut self, id: LinkId) {
        self.close_if_over(id);
        if matches!(self.links.get(&id), Some(Place::Open(link)) if link.is_closing()) {
            let linger = self.now() + self.options.linger_timeout;
            let flush = self.deadlines.get(&Due::Close(id)).unwrap_or(linger);
            self.deadlines.set(Due::Close(id), Some(linger.min(flush)));
        }
    }

    fn close_if_over(&mut self, id: LinkId) {
        if matches!(self.links.get(&id), Some(Place::Open(link)) if link.is_over()) {
            self.close(id, Cause::Finished);
        }
    }

    /// A link that was to be flushed has had its time.
    fn give_up_closing(&mut self, id: LinkId) {
        let Some(Place::Open(link)) = self.links.get_mut(&id) else { return };
        if link.has_said_all() {
            self.close(id, Cause::Finished);
        } else {
            link.reset();
            count(&mut self.stats.flush_expired);
            self.close(id, Cause::TimedOut);
        }
    }

    /// Removes a link, dialled or open, and tells the machine: the last word about it.
    pub(super) fn close(&mut self, id: LinkId, cause: Cause) {
        if self.links.remove(&id).is_some() {
            self.deadlines.remove(&Due::Close(id));
            count(&mut self.stats.links_closed);
            tracing::debug!(link = id.0, %cause, "closed");
            self.feed(Input::Closed { link: id, cause });
        }
    }

    /// Hands an input to the machine and does what it wants, and what follows from that.
    fn feed(&mut self, input: Input<N::Command, N::Answer>) {
        self.inputs.push_back(input);
        self.settle();
    }

    fn settle(&mut self) {
        loop {
            while let Some(output) = self.driver.poll_output() {
                self.carry_out(output);
            }
            let Some(input) = self.inputs.pop_front() else { return };
            self.driver.handle(self.clock.at(), input);
        }
    }

    /// Whether the last handle is gone: nobody would hear of anything new.
    pub(super) fn is_ending(&self) -> bool {
        self.state == State::Ending
    }

    pub(super) fn now(&self) -> Instant {
        self.clock.at().now
    }
}

/// The IPv4 address itself, if an IPv6 socket shows one as its own.
const fn plain(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, address.port()),
        // With its scope.
        IpAddr::V6(_) => address,
    }
}

/// An accepted socket as links use it, and its local address.
fn prepare(stream: TcpStream) -> io::Result<(Async<TcpStream>, SocketAddr)> {
    stream.set_nodelay(true)?;
    let local = stream.local_addr()?;
    Ok((Async::new(stream)?, local))
}

impl<N: LinkMachine> std::fmt::Debug for Runtime<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime")
            .field("links", &self.links.len())
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
