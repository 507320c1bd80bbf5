//! Addresses of clients, as limits count them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Address of a client, by which callers without a credential are limited: an IPv4 address, or the 64 bits of an IPv6
/// network. Whoever has an IPv6 network has 2^64 addresses in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientAddress(Folded);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Folded {
    V4(Ipv4Addr),
    /// The first four groups.
    V6([u16; 4]),
}

impl From<IpAddr> for ClientAddress {
    fn from(address: IpAddr) -> Self {
        Self(match plain(address) {
            IpAddr::V4(address) => Folded::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Folded::V6([a, b, c, d])
            }
        })
    }
}

/// Writes an address as people know it: `203.0.113.7`, or `2001:db8:1:2::/64` for a network.
impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Folded::V4(address) => address.fmt(f),
            Folded::V6([a, b, c, d]) => {
                write!(f, "{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        }
    }
}

/// Returns the IPv4 address of a client that reached an IPv6 socket by IPv4 (RFC 4291, section 2.5.5.2) or through a
/// translator (RFC 6052, section 2.1). All such clients would otherwise be one network.
pub(crate) fn plain(address: IpAddr) -> IpAddr {
    const TRANSLATED: [u16; 6] = [0x64, 0xff9b, 0, 0, 0, 0];
    let IpAddr::V6(v6) = address.to_canonical() else {
        return address.to_canonical();
    };
    let [a, b, c, d, e, f, high, low] = v6.segments();
    if [a, b, c, d, e, f] != TRANSLATED {
        return IpAddr::V6(v6);
    }
    let [h1, h2] = high.to_be_bytes();
    let [l1, l2] = low.to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(h1, h2, l1, l2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_network_is_one_client_and_an_ipv4_address_is_one() {
        for (address, written) in [
            ("203.0.113.7", "203.0.113.7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("64:ff9b::203.0.113.7", "203.0.113.7"),
            ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
            ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
            ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
            ("::1", "::/64"),
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(ClientAddress::from(address).to_string(), written);
        }
    }
}
