//! Where a peer may be reached.

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use crate::ip::Class;

/// One address of a peer, in the network's own encoding, and what the book and the dialler must know of it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Place {
    /// The address. Two places are the same if these bytes are.
    pub address: Bytes,
    /// How it is reached.
    pub route: Route,
}

/// How a place is reached.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Route {
    /// By an IP address.
    Direct(SocketAddr),
    /// By a name that must be resolved first.
    Named {
        /// The port there.
        port: u16,
    },
    /// Through another peer.
    Relayed,
}

/// How far the dialler has to go: the groups of `connectivity` 5.1.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Reach {
    /// This machine or network.
    Private,
    /// Anywhere.
    Global,
    /// Through another peer.
    Relayed,
}

impl Route {
    /// The class of its IP address, if it has one.
    #[must_use]
    pub const fn class(&self) -> Option<Class> {
        match self {
            Self::Direct(address) => Some(Class::of(address.ip())),
            Self::Named { .. } | Self::Relayed => None,
        }
    }

    /// Its group. Names count as global: what they resolve to is the driver's to check.
    #[must_use]
    pub const fn reach(&self) -> Reach {
        match self.class() {
            Some(Class::Loopback | Class::LinkLocal | Class::Private) => Reach::Private,
            Some(Class::Global | Class::Unusable) => Reach::Global,
            None => match self {
                Self::Direct(_) | Self::Named { .. } => Reach::Global,
                Self::Relayed => Reach::Relayed,
            },
        }
    }

    /// Its IP address, if it has one.
    #[must_use]
    pub const fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Direct(address) => Some(address.ip().to_canonical()),
            Self::Named { .. } | Self::Relayed => None,
        }
    }

    /// Its port, 0 where there is none.
    #[must_use]
    pub const fn port(&self) -> u16 {
        match self {
            Self::Direct(address) => address.port(),
            Self::Named { port } => *port,
            Self::Relayed => 0,
        }
    }
}

/// What this node can dial, and what would be itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Surroundings {
    /// The addresses at which our listeners are reached. Their classes are the ones that peers may make us dial.
    pub own: Vec<SocketAddr>,
    /// Whether there is a route for IPv4. Default yes.
    pub ipv4: bool,
    /// Whether there is a route for IPv6. Default yes.
    pub ipv6: bool,
    /// Whether peers may make us dial private, link-local and loopback addresses whatever ours are. Default no.
    pub permit_private: bool,
}

impl Default for Surroundings {
    fn default() -> Self {
        Self { own: Vec::new(), ipv4: true, ipv6: true, permit_private: false }
    }
}

impl Surroundings {
    /// Whether a peer may make us dial this (T-27): never multicast and the like; private, link-local and loopback only
    /// if one of our listeners, or the link over which we were told, is of that class.
    #[must_use]
    pub fn permits(&self, route: &Route, over: Option<Class>) -> bool {
        match route.class() {
            None | Some(Class::Global) => true,
            Some(Class::Unusable) => false,
            Some(class) => {
                let own = self.own.iter().any(|address| Class::of(address.ip()) == class);
                self.permit_private || over == Some(class) || own
            }
        }
    }

    /// Whether it can be dialled at all: not ourselves, a port, and a family with a route.
    #[must_use]
    pub fn can_dial(&self, route: &Route) -> bool {
        match route {
            Route::Direct(address) => {
                let ip = address.ip().to_canonical();
                let family = if ip.is_ipv4() { self.ipv4 } else { self.ipv6 };
                let own =
                    self.own.iter().any(|own| own.ip().to_canonical() == ip && own.port() == address.port());
                family && !own && address.port() != 0 && Class::of(ip) != Class::Unusable
            }
            Route::Named { port } => *port != 0 && (self.ipv4 || self.ipv6),
            Route::Relayed => true,
        }
    }
}
