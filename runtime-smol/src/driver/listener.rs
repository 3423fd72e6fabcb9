//! Listeners: a deep backlog, and accepting until nothing waits.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::task::{Context, Poll, Waker};

use async_io::Async;
use pleach_core::link::Address;
use socket2::{Domain, Protocol, Socket, Type};

use super::descriptors::{Descriptors, Permit};

/// Incoming links that may wait in the kernel: with the usual 128, a burst of dials loses SYNs and waits a second.
const BACKLOG: i32 = 4096;

/// An open listener.
#[derive(Debug)]
pub(super) struct Listener {
    socket: Async<TcpListener>,
    local: SocketAddr,
    waker: Waker,
    shares_port: bool,
    _permit: Permit,
}

/// What accepting led to.
pub(super) enum Accepted {
    /// A link.
    Link(TcpStream, SocketAddr, Permit),
    /// Nobody waits; the waker will be woken when somebody does.
    Nobody,
    /// No descriptor is free: to be tried again after a pause.
    Exhausted,
}

impl Listener {
    /// Binds and listens; at the unspecified IPv6 address for IPv4 too, if `dual_stack` is set.
    pub(super) fn open(
        address: &Address,
        dual_stack: bool,
        waker: Waker,
        permit: Permit,
    ) -> io::Result<Self> {
        let Address::Socket(address) = *address else { return Err(ErrorKind::Unsupported.into()) };
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // A restart must not wait for the old links to time out. (On Windows this would share the port.)
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(!(dual_stack && address.ip().is_unspecified()))?;
        }
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let socket = Async::new(TcpListener::from(socket))?;
        let local = socket.get_ref().local_addr()?;
        waker.wake_by_ref();
        Ok(Self { socket, local, waker, shares_port: false, _permit: permit })
    }

    /// Where it is bound.
    pub(super) const fn local(&self) -> SocketAddr {
        self.local
    }

    /// Lets dials go out from this port. Done at the first such dial and not when binding: a second process that wants
    /// to listen here is still told that the address is in use.
    pub(super) fn share_port(&mut self) -> io::Result<SocketAddr> {
        #[cfg(unix)]
        if !self.shares_port {
            socket2::SockRef::from(self.socket.get_ref()).set_reuse_port(true)?;
            self.shares_port = true;
        }
        Ok(self.local)
    }

    /// Takes the next link that waits.
    pub(super) fn accept(&self, descriptors: &Descriptors) -> Accepted {
        loop {
            let Some(permit) = descriptors.for_accepted() else { return Accepted::Exhausted };
            match self.socket.get_ref().accept() {
                Ok((stream, remote)) => return Accepted::Link(stream, remote, permit),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    match self.socket.poll_readable(&mut Context::from_waker(&self.waker)) {
                        Poll::Pending => return Accepted::Nobody,
                        Poll::Ready(Ok(())) => {}
                        Poll::Ready(Err(_)) => return Accepted::Exhausted,
                    }
                }
                // The dialler went away while it waited: that says nothing about the next.
                Err(error)
                    if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
                // Mostly EMFILE. Whatever it is, accepting goes on after a pause and never spins.
                Err(error) => {
                    tracing::debug!(%error, "cannot accept");
                    return Accepted::Exhausted;
                }
            }
        }
    }

    /// Looks again at the next turn.
    pub(super) fn wake(&self) {
        self.waker.wake_by_ref();
    }
}
