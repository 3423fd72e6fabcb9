//! Addresses as people write them: multiaddrs, or HOST:PORT.

use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;

use pleach_core::identity::PeerId;
use pleach_core::link::{Address, Cause};
use pleach_core::wire::multiaddr::{Component, Multiaddr};

use super::error::{Exit, Failure};

/// Where somebody is, and who is expected there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Place {
    pub(crate) address: Address,
    pub(crate) peer: Option<PeerId>,
    text: String,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, peer) =
            if text.starts_with('/') { from_multiaddr(text)? } else { (from_pair(text)?, None) };
        Ok(Self { address, peer, text: text.to_owned() })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn from_multiaddr(text: &str) -> Result<(Address, Option<PeerId>), String> {
    let multiaddr: Multiaddr = text.parse().map_err(|error| format!("{error}"))?;
    let address = multiaddr
        .to_address()
        .ok_or("this kind of address cannot be dialled; expected /ip4|ip6|dns/HOST/tcp/PORT[/p2p/PEER]")?;
    Ok((address, multiaddr.peer()))
}

/// HOST or HOST:PORT, where the port is [`Host::PORT`] if none is given; an IPv6 host with or without brackets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Host(Place);

impl Host {
    /// The handshake port of Bob's relays.
    pub(crate) const PORT: u16 = 9000;

    /// The place.
    pub(crate) const fn place(&self) -> &Place {
        &self.0
    }

    /// The address of another port there.
    pub(crate) fn with_port(&self, port: u16) -> Address {
        match &self.0.address {
            Address::Socket(address) => Address::Socket(SocketAddr::new(address.ip(), port)),
            Address::Name { host, .. } => Address::Name { host: host.clone(), port },
            other => other.clone(),
        }
    }
}

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        let full = match bare.parse::<IpAddr>() {
            Ok(ip) => SocketAddr::new(ip, Self::PORT).to_string(),
            Err(_) if text.contains(':') => text.to_owned(),
            Err(_) => format!("{text}:{}", Self::PORT),
        };
        let address = from_pair(&full).map_err(|_| {
            format!(
                "{text:?} is no address; expected HOST or HOST:PORT (an IPv6 host with a port in brackets)"
            )
        })?;
        Ok(Self(Place { address, peer: None, text: full }))
    }
}

fn from_pair(text: &str) -> Result<Address, String> {
    if let Ok(address) = text.parse() {
        return Ok(Address::Socket(address));
    }
    let expected = || {
        format!(
            "{text:?} is no address; expected HOST:PORT (an IPv6 host in brackets) or a multiaddr, /ip4/HOST/tcp/PORT"
        )
    };
    let (host, port) = text.rsplit_once(':').ok_or_else(expected)?;
    let is_name =
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
    let port = port.parse().map_err(|_| expected())?;
    if is_name { Ok(Address::Name { host: host.to_owned(), port }) } else { Err(expected()) }
}

impl Place {
    /// The socket addresses to bind for this place: of a name, those it resolves to. Blocks.
    pub(crate) fn to_bind(&self) -> Result<Vec<SocketAddr>, String> {
        match &self.address {
            Address::Socket(address) => Ok(vec![*address]),
            Address::Name { host, port } => match (host.as_str(), *port).to_socket_addrs() {
                Ok(found) => Ok(found.collect()),
                Err(error) => Err(format!("the name {host} does not resolve: {error}")),
            },
            Address::WebSocket { .. } | Address::Onion { .. } => {
                Err(format!("cannot listen on {self}: only TCP"))
            }
        }
    }
}

/// Why nobody can be heard at `places`.
pub(crate) fn cannot_listen(places: &str, cause: Cause) -> Failure {
    let (code, why, hint) = match cause {
        Cause::AddressInUse => {
            ("address-in-use", "the address is in use", "choose another port; port 0 takes a free one")
        }
        Cause::AddressUnusable => (
            "address-unusable",
            "the address is not of this machine, or not permitted",
            "list the addresses of this machine: ip address",
        ),
        Cause::Unsupported => (
            "address-unsupported",
            "this machine has no addresses of this kind",
            "without IPv6, 0.0.0.0 stands for all addresses",
        ),
        cause => ("listen-failed", cause.name(), "run again with -v"),
    };
    Failure::new(Exit::Failed, code, format!("cannot listen on {places}: {why}")).hint(hint)
}

/// The multiaddr under which others reach `peer` at `address`.
pub(crate) fn reachable(address: &Address, peer: PeerId) -> String {
    match Multiaddr::from_address(address) {
        Some(multiaddr) => multiaddr.with(Component::P2p(peer)).to_string(),
        None => address.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Result<Place, String> {
        text.parse()
    }

    #[test]
    fn both_forms_are_read() {
        let loopback = Address::Socket("127.0.0.1:4001".parse().unwrap());
        assert_eq!(place("127.0.0.1:4001").unwrap().address, loopback);
        assert_eq!(place("/ip4/127.0.0.1/tcp/4001").unwrap().address, loopback);
        assert_eq!(place("[::1]:80").unwrap().address, Address::Socket("[::1]:80".parse().unwrap()));
        let name = Address::Name { host: "a.example".into(), port: 9 };
        assert_eq!(place("a.example:9").unwrap().address, name);
        assert_eq!(place("/dns4/a.example/tcp/9").unwrap().address, name);
    }

    #[test]
    fn the_port_of_a_host_may_be_left_out() {
        let host = |text: &str| text.parse::<Host>();
        for (text, full) in [
            ("localhost", "localhost:9000"),
            ("localhost:80", "localhost:80"),
            ("192.0.2.1", "192.0.2.1:9000"),
            ("192.0.2.1:0", "192.0.2.1:0"),
            ("::1", "[::1]:9000"),
            ("[::1]", "[::1]:9000"),
            ("[::1]:80", "[::1]:80"),
        ] {
            let host = host(text).unwrap();
            assert_eq!(host.place().to_string(), full, "{text}");
            let other = full.rsplit_once(':').unwrap().0;
            assert_eq!(host.with_port(7).to_string(), format!("{other}:7"), "{text}");
        }
        for wrong in ["", "a b", "host:", "host:x", ":9000", "/ip4/127.0.0.1/tcp/1", "[localhost]", "::1:x"] {
            assert!(host(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_printed_address_is_read_back_with_its_peer() {
        let peer = pleach_core::identity::Keypair::from_seed(&[1; 32]).peer_id();
        let text = reachable(&Address::Socket("[::1]:80".parse().unwrap()), peer);
        assert_eq!(text, format!("/ip6/::1/tcp/80/p2p/{peer}"));
        assert_eq!(place(&text).unwrap().peer, Some(peer));
    }

    #[test]
    fn what_is_no_address_is_named_with_what_is_expected() {
        for wrong in
            ["", "host", "host:", "host:70000", ":1", "::1:80", "a b:1", "/ip4/127.0.0.1/udp/1", "/x"]
        {
            assert!(place(wrong).is_err(), "{wrong}");
        }
        assert!(place("host").unwrap_err().contains("HOST:PORT"));
    }
}
