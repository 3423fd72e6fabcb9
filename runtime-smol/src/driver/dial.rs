//! Dials: name lookup, then the addresses in their order, each with a head start, until one connects.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_io::{Async, Timer};
use pleach_core::link::{Address, Cause};
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};

use super::cause::cause_of;
use super::descriptors::{Descriptors, Permit};
use super::questions::{self, Lookup};

/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;
/// An address that has not answered by then shares the race with the next one (RFC 8305, section 5): one that drops what is
/// sent to it would use up all the time that the machine gives the dial.
const HEAD_START: Duration = Duration::from_millis(250);

/// A link on its way.
#[derive(Debug)]
pub(super) struct Dial {
    lookup: Option<Lookup>,
    targets: VecDeque<SocketAddr>,
    /// Under way, the oldest first.
    attempts: Vec<Attempt>,
    /// Of the newest attempt; none once it is over.
    head_start: Option<Timer>,
    /// The local end, where it was chosen: the address of a listener, shared with it.
    local: Option<SocketAddr>,
    failure: Cause,
    waker: Waker,
    descriptors: Descriptors,
    /// A descriptor for the next attempt: of one that has failed, or none was made yet.
    permit: Option<Permit>,
}

#[derive(Debug)]
struct Attempt {
    stream: Async<TcpStream>,
    permit: Permit,
}

/// What a dial leads to.
pub(super) struct Connected {
    pub(super) stream: Async<TcpStream>,
    pub(super) permit: Permit,
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
}

impl Dial {
    /// Starts a dial; `waker` is woken when [`Dial::poll`] may go on.
    pub(super) fn start(
        address: Address,
        local: Option<SocketAddr>,
        waker: Waker,
        descriptors: &Descriptors,
    ) -> Result<Self, Cause> {
        let (lookup, targets) = match address {
            Address::Socket(target) => (None, VecDeque::from([target])),
            Address::Name { host, port } => (Some(questions::lookup(host, port)), VecDeque::new()),
            Address::WebSocket { .. } | Address::Onion { .. } => return Err(Cause::Unsupported),
        };
        let permit = Some(descriptors.for_own().ok_or(Cause::Exhausted)?);
        waker.wake_by_ref();
        Ok(Self {
            lookup,
            targets,
            attempts: Vec::new(),
            head_start: None,
            local,
            failure: Cause::Unreachable,
            waker,
            descriptors: descriptors.clone(),
            permit,
        })
    }

    /// Goes as far as it can. Not to be called again after it was ready.
    pub(super) fn poll(&mut self) -> Poll<Result<Connected, Cause>> {
        let waker = self.waker.clone();
        let cx = &mut Context::from_waker(&waker);
        if let Some(lookup) = &mut self.lookup {
            let Poll::Ready(found) = Pin::new(lookup).poll(cx) else { return Poll::Pending };
            self.lookup = None;
            match found {
                Ok(addresses) => self.targets.extend(addresses.into_iter().take(ADDRESSES_MAX)),
                Err(error) => tracing::debug!(%error, "name lookup failed"),
            }
        }
        loop {
            if let Some(connected) = self.poll_attempts(cx) {
                return Poll::Ready(Ok(connected));
            }
            match (self.targets.is_empty(), self.attempts.is_empty()) {
                (true, true) => return Poll::Ready(Err(self.failure)),
                (true, false) => return Poll::Pending,
                (false, false) if self.has_head_start(cx) => return Poll::Pending,
                (false, _) => {}
            }
            // Without a descriptor, the next address waits until one of those under way has failed.
            let Some(permit) = self.permit.take().or_else(|| self.descriptors.for_own()) else {
                return Poll::Pending;
            };
            self.try_next(permit);
        }
    }

    /// Looks at what is under way; drops what has failed.
    fn poll_attempts(&mut self, cx: &mut Context<'_>) -> Option<Connected> {
        let mut at = 0;
        while let Some(Attempt { stream, .. }) = self.attempts.get(at) {
            match stream.poll_writable(cx).map(|ready| ready.and_then(|()| established(stream.get_ref()))) {
                Poll::Pending => at += 1,
                // Woken too early.
                Poll::Ready(Ok(None)) => {}
                Poll::Ready(Ok(Some((local, remote)))) => {
                    let Attempt { stream, permit } = self.attempts.swap_remove(at);
                    return Some(Connected { stream, permit, local, remote });
                }
                Poll::Ready(Err(error)) => {
                    self.failure = cause_of(&error);
                    self.permit = Some(self.attempts.remove(at).permit);
                }
            }
        }
        None
    }

    /// Whether the newest attempt is still given time. A timer that has fired says so only once.
    fn has_head_start(&mut self, cx: &mut Context<'_>) -> bool {
        if self.head_start.as_mut().is_some_and(|timer| Pin::new(timer).poll(cx).is_ready()) {
            self.head_start = None;
        }
        self.head_start.is_some()
    }

    fn try_next(&mut self, permit: Permit) {
        let Some(target) = self.targets.pop_front() else { return };
        match connect(target, self.local) {
            Ok(stream) => {
                self.attempts.push(Attempt { stream, permit });
                self.head_start = Some(Timer::after(HEAD_START));
            }
            Err(error) => {
                self.failure = cause_of(&error);
                self.permit = Some(permit);
            }
        }
    }

    /// The waker, which the open link takes over.
    pub(super) fn into_waker(self) -> Waker {
        self.waker
    }
}

/// Begins to connect.
fn connect(target: SocketAddr, local: Option<SocketAddr>) -> io::Result<Async<TcpStream>> {
    let socket = Socket::new(Domain::for_address(target), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if let Some(local) = local {
        socket.set_reuse_address(true)?;
        #[cfg(unix)]
        socket.set_reuse_port(true)?;
        socket.bind(&local.into())?;
    }
    match socket.connect(&target.into()) {
        Err(error) if !is_under_way(&error) => Err(error),
        Ok(()) | Err(_) => Async::new(socket.into()),
    }
}

fn is_under_way(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::INPROGRESS) || error.kind() == io::ErrorKind::WouldBlock
}

/// Both ends of a connected socket; none if it still connects.
fn established(stream: &TcpStream) -> io::Result<Option<(SocketAddr, SocketAddr)>> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    let remote = match stream.peer_addr() {
        Ok(remote) => remote,
        Err(error) if error.kind() == io::ErrorKind::NotConnected => return Ok(None),
        Err(error) => return Err(error),
    };
    let local = stream.local_addr()?;
    // A dial to a free port of this machine can be given that very port and connect to itself.
    if local == remote { Err(io::ErrorKind::ConnectionRefused.into()) } else { Ok(Some((local, remote))) }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::net::TcpListener;

    use super::*;

    /// A socket that has an address and serves nobody.
    fn bound() -> (SocketAddr, Socket) {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        (socket.local_addr().unwrap().as_socket().unwrap(), socket)
    }

    /// An address that answers nothing: so many wait to be accepted there that the system drops who comes next.
    fn black_hole() -> (SocketAddr, Socket, Vec<TcpStream>) {
        let (address, socket) = bound();
        socket.listen(0).unwrap();
        let mut waiting = Vec::new();
        // Twice, as one that is late may still be let in.
        let mut refused = 0;
        while refused < 2 {
            match TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
                Ok(stream) => waiting.push(stream),
                Err(_) => refused += 1,
            }
        }
        (address, socket, waiting)
    }

    /// Dials these in their order, with so many descriptors.
    fn dial(targets: &[SocketAddr], descriptors: usize) -> Result<Connected, Cause> {
        smol::block_on(async {
            let first = Address::Socket(targets[0]);
            let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
            // All but the reserve are for dials.
            let descriptors = Descriptors::with_limit(32 + descriptors);
            let mut dial = Dial::start(first, None, waker, &descriptors).unwrap();
            dial.targets.extend(&targets[1..]);
            poll_fn(|cx| {
                dial.waker = cx.waker().clone();
                dial.poll()
            })
            .await
        })
    }

    #[test]
    fn an_address_that_never_answers_does_not_hold_up_the_next() {
        let (silent, _socket, _waiting) = black_hole();
        let answering = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = answering.local_addr().unwrap();
        assert_eq!(dial(&[silent, address], 2).unwrap().remote, address);
        assert_eq!(dial(&[silent, silent, address], 3).unwrap().remote, address);
        // Without a zone this one cannot even be tried.
        let unusable = "[fe80::1]:1".parse().unwrap();
        assert_eq!(dial(&[silent, unusable, address], 2).unwrap().remote, address);
    }

    #[test]
    fn an_address_that_refuses_is_followed_by_the_next_also_with_one_descriptor() {
        let (refusing, _kept) = bound();
        let answering = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = answering.local_addr().unwrap();
        assert_eq!(dial(&[refusing, refusing, address], 1).unwrap().remote, address);
        assert_eq!(dial(&[refusing, refusing], 1).err(), Some(Cause::Refused));
    }
}
