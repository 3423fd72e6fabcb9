//! What comes to the ends of connections.

use std::net::SocketAddr;

use pleach_core::Machine;
use pleach_core::link::{Address, Input, LinkId, Output, Via};

use super::connection::{self, Side};
use super::host::Host;
use super::segment::Segment;
use super::{DeadDials, Net, Observer, Stop, Traffic};

impl<C, A, E, Q, M> Net<M>
where
    M: Machine<Input = Input<C, A>, Output = Output<E, Q>>,
{
    pub(super) fn arrive(&mut self, id: u64, to: Side, what: Segment, observer: &mut impl Observer<E, A, Q>) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let node = connection.end(to).node;
        match self.hosts.get(node as usize).map(|host| host.stopped) {
            Some(None) => {}
            Some(Some(Stop::Freeze)) => return,
            Some(Some(Stop::Crash)) | None => return self.arrive_at_the_dead(id, to, &what),
        }
        if matches!(what, Segment::Open) {
            return self.accept(id, observer);
        }
        let remote = connection.end(to.other()).local;
        let local = connection.end(to).local;
        let peer = connection.end(to.other()).node;
        let end = connection.end_mut(to);
        let Some(link) = end.link else { return };
        self.digest.event(self.now, node, what.kind(), link.0 ^ what.size());
        if let Segment::Bytes(bytes) = &what {
            self.digest.bytes(bytes);
        }
        let reaction = end.take(what);
        if reaction.reset {
            self.transmit(id, to, Segment::Reset);
        }
        if reaction.read > 0 {
            self.totals.pieces += 1;
            self.totals.bytes += reaction.read as u64;
            self.transmit(id, to, Segment::Read(reaction.read));
        }
        if reaction.flush {
            self.flush_end(id, to);
        }
        let input = match reaction.tell {
            connection::Tell::Nothing => return,
            connection::Tell::Opened => {
                let via = Via::Dialled;
                observer.traffic(self.now, node, &Traffic::Opened { link, via, remote, peer });
                Input::Opened { link, via, local: local.into_address(), remote: remote.into_address() }
            }
            connection::Tell::Received(bytes) => {
                observer.traffic(self.now, node, &Traffic::Received { link, bytes: &bytes });
                Input::Received { link, bytes }
            }
            connection::Tell::Finished => Input::Finished { link },
            connection::Tell::Written(count) => Input::Written { link, count },
            connection::Tell::Closed(cause) => {
                self.forget(id, to, node, link);
                observer.traffic(self.now, node, &Traffic::Closed { link });
                Input::Closed { link, cause }
            }
        };
        self.call(node, input, observer);
    }

    /// A host that crashed answers dials and bytes with a reset, or not at all.
    fn arrive_at_the_dead(&mut self, id: u64, to: Side, what: &Segment) {
        let answer = match what {
            Segment::Open => Segment::Refused,
            Segment::Accepted | Segment::Bytes(_) | Segment::Finish => Segment::Reset,
            Segment::Refused
            | Segment::Read(_)
            | Segment::Reset
            | Segment::Written(_)
            | Segment::Resumed
            | Segment::Overdue
            | Segment::Closed(_) => return,
        };
        if self.dead_dials == DeadDials::Refused {
            self.transmit(id, to, answer);
        }
    }

    fn accept(&mut self, id: u64, observer: &mut impl Observer<E, A, Q>) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let (node, wanted) = (connection.end(Side::Acceptor).node, connection.end(Side::Acceptor).local);
        let (peer, remote) = (connection.end(Side::Dialler).node, connection.end(Side::Dialler).local);
        let Some((_, listener)) = self.listeners.get(&wanted).copied() else {
            connection.end_mut(Side::Acceptor).refuse();
            return self.transmit(id, Side::Acceptor, Segment::Refused);
        };
        let link = LinkId(LinkId::ACCEPTED + id);
        connection.end_mut(Side::Acceptor).accept(link);
        if let Some(host) = self.hosts.get_mut(node as usize) {
            host.links.insert(link, (id, Side::Acceptor));
        }
        self.totals.opened += 1;
        self.transmit(id, Side::Acceptor, Segment::Accepted);
        self.digest.event(self.now, node, Segment::Open.kind(), link.0);
        let via = Via::Accepted { listener };
        observer.traffic(self.now, node, &Traffic::Opened { link, via, remote, peer });
        let input = Input::Opened { link, via, local: wanted.into_address(), remote: remote.into_address() };
        self.call(node, input, observer);
    }

    /// Forgets a closed end, and the connection with its second end.
    fn forget(&mut self, id: u64, side: Side, node: u32, link: LinkId) {
        if let Some(host) = self.hosts.get_mut(node as usize) {
            host.links.remove(&link);
        }
        let other = self.connections.get(&id).map(|connection| connection.end(side.other()));
        // The other end may still hear of it; a host that is gone will not.
        let over = other.is_none_or(|end| {
            end.is_closed() || !self.hosts.get(end.node as usize).is_some_and(Host::is_alive)
        });
        if over {
            self.connections.remove(&id);
        }
    }
}

/// Socket addresses as the vocabulary has them.
trait IntoAddress {
    fn into_address(self) -> Address;
}

impl IntoAddress for SocketAddr {
    fn into_address(self) -> Address {
        Address::Socket(self)
    }
}
