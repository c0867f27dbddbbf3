//! Client addresses, as limits and failure counters tell them apart.

use std::net::{IpAddr, Ipv6Addr};

/// A client's address as limits count it: IPv6 by /64, since a client that has one address has the whole /64.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Address {
    /// The four bytes of an IPv4 address.
    V4([u8; 4]),
    /// The first eight bytes of an IPv6 address: its /64 network.
    V6([u8; 8]),
}

impl Address {
    /// The form in which `address` is counted; an IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2) counts as IPv4.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => {
                let mut network = [0; 8];
                network.copy_from_slice(&address.octets()[..8]);
                Self::V6(network)
            }
        }
    }

    /// Four bytes for IPv4 and eight for IPv6, in network order.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::V4(bytes) => bytes,
            Self::V6(bytes) => bytes,
        }
    }
}

/// An address, perhaps with a port, as proxies write them.
pub fn parse_address(text: &str) -> Option<IpAddr> {
    let inner = text.strip_prefix('[').and_then(|rest| rest.split(']').next());
    match inner {
        Some(inner) => inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => text.parse().ok().or_else(|| text.parse().ok().map(|address: std::net::SocketAddr| address.ip())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_counts_by_network() {
        let bytes = |text: &str| Address::of(text.parse().expect("an address")).bytes().to_vec();
        assert_eq!(bytes("2001:db8:1:2:3:4:5:6"), bytes("2001:db8:1:2::"));
        assert_ne!(bytes("2001:db8:1:2::1"), bytes("2001:db8:1:3::1"));
        assert_eq!(bytes("::ffff:192.0.2.1"), bytes("192.0.2.1"));
        assert_ne!(bytes("192.0.2.1"), bytes("192.0.2.2"));
    }
}
