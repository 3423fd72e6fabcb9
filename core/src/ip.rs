//! Classes and ranges of IP addresses (`connectivity` 1, `threats` T-20, T-25, T-27).
//!
//! An IPv4 address mapped into IPv6 counts as the IPv4 address everywhere.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far an address reaches.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Class {
    /// This machine.
    Loopback,
    /// This network segment.
    LinkLocal,
    /// A private network: RFC 1918, 100.64/10, fc00::/7.
    Private,
    /// Everything else that can be dialled.
    Global,
    /// Never to be dialled, learned or advertised: unspecified, multicast, broadcast, reserved, NAT64.
    Unusable,
}

impl Class {
    /// The class of an address.
    #[must_use]
    pub const fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::of_v4(ip),
            IpAddr::V6(ip) => Self::of_v6(ip),
        }
    }

    const fn of_v4(ip: Ipv4Addr) -> Self {
        let [first, second, ..] = ip.octets();
        if ip.is_loopback() {
            Self::Loopback
        } else if first == 0 || first >= 224 {
            Self::Unusable
        } else if ip.is_link_local() {
            Self::LinkLocal
        } else if ip.is_private() || (first == 100 && second & 0xc0 == 64) {
            Self::Private
        } else {
            Self::Global
        }
    }

    const fn of_v6(ip: Ipv6Addr) -> Self {
        if ip.is_loopback() {
            Self::Loopback
        } else if ip.is_unspecified() || ip.is_multicast() || is_nat64(ip) {
            Self::Unusable
        } else if ip.is_unicast_link_local() {
            Self::LinkLocal
        } else if ip.is_unique_local() {
            Self::Private
        } else {
            Self::Global
        }
    }
}

/// Addresses that share their first bits.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Prefix {
    first: IpAddr,
    bits: u8,
}

impl Prefix {
    /// The addresses that agree with `ip` in the first `v4_bits` or, for IPv6, `v6_bits`.
    #[must_use]
    pub fn new(ip: IpAddr, v4_bits: u8, v6_bits: u8) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => {
                let bits = v4_bits.min(32);
                let mask = u32::MAX.checked_shl(u32::from(32 - bits)).unwrap_or(0);
                Self { first: Ipv4Addr::from_bits(ip.to_bits() & mask).into(), bits }
            }
            IpAddr::V6(ip) => {
                let bits = v6_bits.min(128);
                let mask = u128::MAX.checked_shl(u32::from(128 - bits)).unwrap_or(0);
                Self { first: Ipv6Addr::from_bits(ip.to_bits() & mask).into(), bits }
            }
        }
    }

    /// What one subscriber surely has to himself: an IPv4 address, an IPv6 /64.
    #[must_use]
    pub fn subscriber(ip: IpAddr) -> Self {
        Self::new(ip, 32, 64)
    }

    /// What one organisation may easily own: an IPv4 /24, an IPv6 /48.
    #[must_use]
    pub fn range(ip: IpAddr) -> Self {
        Self::new(ip, 24, 48)
    }
}

/// 64:ff9b::/96
const fn is_nat64(ip: Ipv6Addr) -> bool {
    ip.to_bits() >> 32 == 0x0064_ff9b_0000_0000_0000_0000
}

#[cfg(test)]
mod tests;
