//! Multiaddrs: self-describing network addresses, byte for byte those of libp2p (`connectivity` 1).
//!
//! ```
//! use pleach_core::wire::multiaddr::Multiaddr;
//!
//! let address: Multiaddr = "/ip4/198.51.100.7/tcp/4001".parse()?;
//! assert_eq!(address.as_bytes(), [0x04, 198, 51, 100, 7, 0x06, 0x0f, 0xa1]);
//! assert_eq!(address.socket(), "198.51.100.7:4001".parse().ok());
//! # Ok::<(), pleach_core::wire::multiaddr::MultiaddrError>(())
//! ```

use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::str::FromStr;

use bytes::BufMut;

use super::varint::{self, VarintError};
use super::{Reader, Short};
use crate::identity::PeerId;
use crate::link::Address;

/// The longest binary form that is read, in bytes.
pub const LENGTH_MAX: usize = 1024;
/// The most components of an address that is read.
pub const COMPONENTS_MAX: usize = 16;
/// The longest host name, in bytes.
pub const NAME_MAX: usize = 253;

const IP4: u64 = 4;
const TCP: u64 = 6;
const IP6: u64 = 41;
const DNS: u64 = 53;
const DNS4: u64 = 54;
const DNS6: u64 = 55;
const DNSADDR: u64 = 56;
const UDP: u64 = 273;
const P2P_CIRCUIT: u64 = 290;
const P2P: u64 = 421;
const QUIC_V1: u64 = 461;
const WS: u64 = 477;

/// One part of an address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Component<'a> {
    /// `ip4`.
    Ip4(Ipv4Addr),
    /// `ip6`.
    Ip6(Ipv6Addr),
    /// `tcp`, with its port.
    Tcp(u16),
    /// `udp`, with its port.
    Udp(u16),
    /// `dns`: a name of either family.
    Dns(&'a str),
    /// `dns4`: a name with IPv4 addresses.
    Dns4(&'a str),
    /// `dns6`: a name with IPv6 addresses.
    Dns6(&'a str),
    /// `dnsaddr`: a name whose TXT records are multiaddrs.
    Dnsaddr(&'a str),
    /// `p2p`: the peer that is to be met there.
    P2p(PeerId),
    /// `p2p-circuit`: what stands before is a relay.
    P2pCircuit,
    /// `quic-v1`.
    QuicV1,
    /// `ws`: WebSocket without TLS.
    Ws,
}

/// Why an address was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MultiaddrError {
    /// The bytes end inside a component, or a text lacks a value.
    Short,
    /// A number is malformed.
    BadNumber,
    /// A protocol that is not known; the length of its value is unknown too.
    UnknownProtocol,
    /// A text that does not start with `/`, or ends with one.
    BadSlash,
    /// A malformed IP address.
    BadIp,
    /// A host name that is empty, too long, not UTF-8, or holds a slash, a space or a control character.
    BadName,
    /// A peer id that is not one of an Ed25519 key.
    BadPeer,
    /// More than [`LENGTH_MAX`] bytes or [`COMPONENTS_MAX`] components.
    TooLong,
}

impl fmt::Display for MultiaddrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Short => "a multiaddr ends inside a component",
            Self::BadNumber => "a multiaddr holds a malformed number",
            Self::UnknownProtocol => {
                "a multiaddr holds an unknown protocol (known: ip4, ip6, tcp, udp, dns, dns4, dns6, dnsaddr, p2p, \
                 p2p-circuit, quic-v1, ws)"
            }
            Self::BadSlash => "a multiaddr starts with a slash and does not end with one",
            Self::BadIp => "a multiaddr holds a malformed IP address",
            Self::BadName => "a multiaddr holds a malformed host name",
            Self::BadPeer => "a multiaddr holds a malformed peer id",
            Self::TooLong => "a multiaddr is too long",
        })
    }
}

impl core::error::Error for MultiaddrError {}

impl From<Short> for MultiaddrError {
    fn from(Short: Short) -> Self {
        Self::Short
    }
}

impl From<VarintError> for MultiaddrError {
    fn from(error: VarintError) -> Self {
        match error {
            VarintError::Short => Self::Short,
            VarintError::NotMinimal | VarintError::TooLarge => Self::BadNumber,
        }
    }
}

/// An address whose components are all known and well-formed. Ordered as its bytes are.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Multiaddr {
    bytes: Vec<u8>,
}

impl Multiaddr {
    /// `/ip4|ip6/ADDRESS/tcp/PORT`.
    #[must_use]
    pub fn tcp(address: SocketAddr) -> Self {
        let ip = match address.ip() {
            IpAddr::V4(ip) => Component::Ip4(ip),
            IpAddr::V6(ip) => Component::Ip6(ip),
        };
        Self::from_components(&[ip, Component::Tcp(address.port())])
    }

    /// The multiaddr of a link's address; none for those that no multiaddr of ours expresses.
    #[must_use]
    pub fn from_address(address: &Address) -> Option<Self> {
        match address {
            Address::Socket(address) => Some(Self::tcp(*address)),
            Address::Name { host, port } => Self::named(host, *port),
            Address::WebSocket { secure: false, host, port, path } if path == "/" => {
                Some(Self::named(host, *port)?.with(Component::Ws))
            }
            Address::WebSocket { .. } | Address::Onion { .. } => None,
        }
    }

    /// The same with one more component. A name that is none, or too much of it, leaves it as it is.
    #[must_use]
    pub fn with(mut self, component: Component<'_>) -> Self {
        let length = self.bytes.len();
        put(component, &mut self.bytes);
        if check(&self.bytes).is_err() {
            self.bytes.truncate(length);
        }
        self
    }

    /// The binary form.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The binary form.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.bytes.clone()
    }

    /// The parts, in order.
    pub fn components(&self) -> impl Iterator<Item = Component<'_>> {
        let mut reader = Reader::new(&self.bytes);
        core::iter::from_fn(move || if reader.is_empty() { None } else { read(&mut reader).ok() })
    }

    /// The peer to be met: of a relayed address the one behind the relay, if it is named.
    #[must_use]
    pub fn peer(&self) -> Option<PeerId> {
        match self.components().last()? {
            Component::P2p(peer) => Some(peer),
            Component::Ip4(_)
            | Component::Ip6(_)
            | Component::Tcp(_)
            | Component::Udp(_)
            | Component::Dns(_)
            | Component::Dns4(_)
            | Component::Dns6(_)
            | Component::Dnsaddr(_)
            | Component::P2pCircuit
            | Component::QuicV1
            | Component::Ws => None,
        }
    }

    /// The IP address it starts with; IPv4-mapped IPv6 counts as IPv4.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match self.components().next()? {
            Component::Ip4(ip) => Some(ip.into()),
            Component::Ip6(ip) => Some(IpAddr::V6(ip).to_canonical()),
            Component::Tcp(_)
            | Component::Udp(_)
            | Component::Dns(_)
            | Component::Dns4(_)
            | Component::Dns6(_)
            | Component::Dnsaddr(_)
            | Component::P2p(_)
            | Component::P2pCircuit
            | Component::QuicV1
            | Component::Ws => None,
        }
    }

    /// The TCP socket address, if this is `/ip4|ip6/../tcp/..` and at most a peer id behind.
    #[must_use]
    pub fn socket(&self) -> Option<SocketAddr> {
        match self.to_address()? {
            Address::Socket(address) => Some(address),
            Address::Name { .. } | Address::WebSocket { .. } | Address::Onion { .. } => None,
        }
    }

    /// Where a driver would dial: TCP or WebSocket, directly. None for relayed, QUIC and `dnsaddr` addresses.
    #[must_use]
    pub fn to_address(&self) -> Option<Address> {
        let mut parts = self.components();
        let (host, socket_ip) = match parts.next()? {
            Component::Ip4(ip) => (ip.to_string(), Some(IpAddr::V4(ip))),
            Component::Ip6(ip) => (ip.to_string(), Some(IpAddr::V6(ip).to_canonical())),
            Component::Dns(name) | Component::Dns4(name) | Component::Dns6(name) => (name.into(), None),
            Component::Tcp(_)
            | Component::Udp(_)
            | Component::Dnsaddr(_)
            | Component::P2p(_)
            | Component::P2pCircuit
            | Component::QuicV1
            | Component::Ws => return None,
        };
        let Some(Component::Tcp(port)) = parts.next() else { return None };
        let (third, fourth) = (parts.next(), parts.next());
        match (third, fourth, parts.next()) {
            (None | Some(Component::P2p(_)), None, None) => Some(
                socket_ip
                    .map_or(Address::Name { host, port }, |ip| Address::Socket(SocketAddr::new(ip, port))),
            ),
            (Some(Component::Ws), None | Some(Component::P2p(_)), None) => {
                Some(Address::WebSocket { secure: false, host, port, path: "/".into() })
            }
            _ => None,
        }
    }

    fn from_components(components: &[Component<'_>]) -> Self {
        let mut bytes = Vec::new();
        for component in components {
            put(*component, &mut bytes);
        }
        Self { bytes }
    }

    fn named(host: &str, port: u16) -> Option<Self> {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Some(Self::tcp((ip, port).into()));
        }
        check_name(host).ok()?;
        Some(Self::from_components(&[Component::Dns(host), Component::Tcp(port)]))
    }
}

impl TryFrom<&[u8]> for Multiaddr {
    type Error = MultiaddrError;

    fn try_from(bytes: &[u8]) -> Result<Self, MultiaddrError> {
        check(bytes)?;
        Ok(Self { bytes: bytes.into() })
    }
}

impl From<SocketAddr> for Multiaddr {
    fn from(address: SocketAddr) -> Self {
        Self::tcp(address)
    }
}

impl FromStr for Multiaddr {
    type Err = MultiaddrError;

    fn from_str(text: &str) -> Result<Self, MultiaddrError> {
        // In text a component is longer than in bytes, by less than this.
        if text.len() > LENGTH_MAX.saturating_mul(4) {
            return Err(MultiaddrError::TooLong);
        }
        if text.ends_with('/') {
            return Err(MultiaddrError::BadSlash);
        }
        let mut parts = text.strip_prefix('/').ok_or(MultiaddrError::BadSlash)?.split('/');
        let mut bytes = Vec::new();
        while let Some(name) = parts.next() {
            put(parse(name, || parts.next().ok_or(MultiaddrError::Short))?, &mut bytes);
        }
        check(&bytes)?;
        Ok(Self { bytes })
    }
}

impl fmt::Display for Multiaddr {
    /// The text form; of the empty address a single slash, which is no text form of any address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.bytes.is_empty() {
            return f.write_str("/");
        }
        self.components().try_for_each(|component| component.fmt(f))
    }
}

impl fmt::Debug for Multiaddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Component<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip4(ip) => write!(f, "/ip4/{ip}"),
            Self::Ip6(ip) => write!(f, "/ip6/{ip}"),
            Self::Tcp(port) => write!(f, "/tcp/{port}"),
            Self::Udp(port) => write!(f, "/udp/{port}"),
            Self::Dns(name) => write!(f, "/dns/{name}"),
            Self::Dns4(name) => write!(f, "/dns4/{name}"),
            Self::Dns6(name) => write!(f, "/dns6/{name}"),
            Self::Dnsaddr(name) => write!(f, "/dnsaddr/{name}"),
            Self::P2p(peer) => write!(f, "/p2p/{peer}"),
            Self::P2pCircuit => f.write_str("/p2p-circuit"),
            Self::QuicV1 => f.write_str("/quic-v1"),
            Self::Ws => f.write_str("/ws"),
        }
    }
}

/// A component of its text name; `value` gives the next part of the text.
fn parse<'a>(
    name: &str,
    mut value: impl FnMut() -> Result<&'a str, MultiaddrError>,
) -> Result<Component<'a>, MultiaddrError> {
    Ok(match name {
        "ip4" => Component::Ip4(value()?.parse().map_err(|_| MultiaddrError::BadIp)?),
        "ip6" => Component::Ip6(value()?.parse().map_err(|_| MultiaddrError::BadIp)?),
        "tcp" => Component::Tcp(parse_port(value()?)?),
        "udp" => Component::Udp(parse_port(value()?)?),
        "dns" => Component::Dns(value()?),
        "dns4" => Component::Dns4(value()?),
        "dns6" => Component::Dns6(value()?),
        "dnsaddr" => Component::Dnsaddr(value()?),
        "p2p" | "ipfs" => Component::P2p(value()?.parse().map_err(|_| MultiaddrError::BadPeer)?),
        "p2p-circuit" => Component::P2pCircuit,
        "quic-v1" => Component::QuicV1,
        "ws" => Component::Ws,
        _ => return Err(MultiaddrError::UnknownProtocol),
    })
}

fn parse_port(text: &str) -> Result<u16, MultiaddrError> {
    // The parser of std takes a plus sign.
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(MultiaddrError::BadNumber);
    }
    text.parse().map_err(|_| MultiaddrError::BadNumber)
}

fn put(component: Component<'_>, out: &mut Vec<u8>) {
    match component {
        Component::Ip4(ip) => put_value(IP4, &ip.octets(), out),
        Component::Ip6(ip) => put_value(IP6, &ip.octets(), out),
        Component::Tcp(port) => put_value(TCP, &port.to_be_bytes(), out),
        Component::Udp(port) => put_value(UDP, &port.to_be_bytes(), out),
        Component::Dns(name) => put_sized(DNS, name.as_bytes(), out),
        Component::Dns4(name) => put_sized(DNS4, name.as_bytes(), out),
        Component::Dns6(name) => put_sized(DNS6, name.as_bytes(), out),
        Component::Dnsaddr(name) => put_sized(DNSADDR, name.as_bytes(), out),
        Component::P2p(peer) => put_sized(P2P, &peer.to_bytes(), out),
        Component::P2pCircuit => put_value(P2P_CIRCUIT, &[], out),
        Component::QuicV1 => put_value(QUIC_V1, &[], out),
        Component::Ws => put_value(WS, &[], out),
    }
}

fn put_value(code: u64, value: &[u8], out: &mut Vec<u8>) {
    varint::write(code, out);
    out.put_slice(value);
}

fn put_sized(code: u64, value: &[u8], out: &mut Vec<u8>) {
    varint::write(code, out);
    varint::write(u64::try_from(value.len()).unwrap_or(u64::MAX), out);
    out.put_slice(value);
}

fn check(bytes: &[u8]) -> Result<(), MultiaddrError> {
    if bytes.len() > LENGTH_MAX {
        return Err(MultiaddrError::TooLong);
    }
    let mut reader = Reader::new(bytes);
    for _ in 0..COMPONENTS_MAX {
        if reader.is_empty() {
            return Ok(());
        }
        read(&mut reader)?;
    }
    if reader.is_empty() { Ok(()) } else { Err(MultiaddrError::TooLong) }
}

fn read<'a>(reader: &mut Reader<'a>) -> Result<Component<'a>, MultiaddrError> {
    Ok(match varint::read(reader)? {
        IP4 => Component::Ip4(reader.array::<4>()?.into()),
        IP6 => Component::Ip6(reader.array::<16>()?.into()),
        TCP => Component::Tcp(reader.u16()?),
        UDP => Component::Udp(reader.u16()?),
        DNS => Component::Dns(read_name(reader)?),
        DNS4 => Component::Dns4(read_name(reader)?),
        DNS6 => Component::Dns6(read_name(reader)?),
        DNSADDR => Component::Dnsaddr(read_name(reader)?),
        P2P => Component::P2p(PeerId::from_bytes(read_sized(reader)?).ok_or(MultiaddrError::BadPeer)?),
        P2P_CIRCUIT => Component::P2pCircuit,
        QUIC_V1 => Component::QuicV1,
        WS => Component::Ws,
        _ => return Err(MultiaddrError::UnknownProtocol),
    })
}

fn read_sized<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], MultiaddrError> {
    let length = varint::read(reader)?;
    Ok(reader.take(usize::try_from(length).unwrap_or(usize::MAX))?)
}

fn read_name<'a>(reader: &mut Reader<'a>) -> Result<&'a str, MultiaddrError> {
    let name = core::str::from_utf8(read_sized(reader)?).map_err(|_| MultiaddrError::BadName)?;
    check_name(name)?;
    Ok(name)
}

/// What could not be told apart in the text form, or would disturb it, is no name.
fn check_name(name: &str) -> Result<(), MultiaddrError> {
    let bad = |char: char| char == '/' || char.is_whitespace() || char.is_control();
    if name.is_empty() || name.len() > NAME_MAX || name.contains(bad) {
        return Err(MultiaddrError::BadName);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
