//! Dials: name lookup, then each address in turn, until one connects.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use async_io::Async;
use pleach_core::link::{Address, Cause};
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};

use super::cause::cause_of;
use super::descriptors::Permit;
use super::questions::{self, Lookup};

/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;

/// A link on its way.
#[derive(Debug)]
pub(super) struct Dial {
    lookup: Option<Lookup>,
    targets: VecDeque<SocketAddr>,
    attempt: Option<Async<TcpStream>>,
    /// The local end, where it was chosen: the address of a listener, shared with it.
    local: Option<SocketAddr>,
    failure: Cause,
    waker: Waker,
    permit: Permit,
}

/// What a dial leads to.
pub(super) struct Connected {
    pub(super) stream: Async<TcpStream>,
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
}

impl Dial {
    /// Starts a dial; `waker` is woken when [`Dial::poll`] may go on.
    pub(super) fn start(
        address: Address,
        local: Option<SocketAddr>,
        waker: Waker,
        permit: Permit,
    ) -> Result<Self, Cause> {
        let (lookup, targets) = match address {
            Address::Socket(target) => (None, VecDeque::from([target])),
            Address::Name { host, port } => (Some(questions::lookup(host, port)), VecDeque::new()),
            Address::WebSocket { .. } | Address::Onion { .. } => return Err(Cause::Unsupported),
        };
        waker.wake_by_ref();
        Ok(Self { lookup, targets, attempt: None, local, failure: Cause::Unreachable, waker, permit })
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
            if let Some(stream) = &self.attempt {
                match stream.poll_writable(cx).map(|ready| ready.and_then(|()| established(stream.get_ref())))
                {
                    Poll::Pending => return Poll::Pending,
                    // Woken too early.
                    Poll::Ready(Ok(None)) => continue,
                    Poll::Ready(Ok(Some((local, remote)))) => {
                        let Some(stream) = self.attempt.take() else { return Poll::Pending };
                        return Poll::Ready(Ok(Connected { stream, local, remote }));
                    }
                    Poll::Ready(Err(error)) => self.failure = cause_of(&error),
                }
                self.attempt = None;
            }
            let Some(target) = self.targets.pop_front() else { return Poll::Ready(Err(self.failure)) };
            match connect(target, self.local) {
                Ok(stream) => self.attempt = Some(stream),
                Err(error) => self.failure = cause_of(&error),
            }
        }
    }

    /// The waker and the descriptor, which the open link takes over.
    pub(super) fn into_parts(self) -> (Waker, Permit) {
        (self.waker, self.permit)
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
