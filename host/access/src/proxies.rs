//! Proxies whose word on a client's address is taken.

use std::net::IpAddr;
use std::str::FromStr;

use ampoule_units::{ParseError, text};
use ipnet::IpNet;

use crate::address::plain;

/// Networks of proxies, in CIDR notation (RFC 4632, section 3.1). By default there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies(Vec<IpNet>);

impl Proxies {
    /// Makes a list of networks.
    #[must_use]
    pub fn new(networks: impl IntoIterator<Item = Network>) -> Self {
        Self(networks.into_iter().map(|network| network.0).collect())
    }

    /// Tells whether an address is that of a proxy.
    #[must_use]
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = plain(address);
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// A network, or one address: `10.0.0.0/8`, `::1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(IpNet);

impl FromStr for Network {
    type Err = ParseError;

    fn from_str(network: &str) -> Result<Self, ParseError> {
        let refused = |why: &str| {
            let found = text::name(network);
            ParseError(format!(
                "expected a network such as 10.0.0.0/8, or one address, found {found:?}{why}"
            ))
        };
        if let Ok(address) = network.parse::<IpAddr>() {
            return Ok(Self(plain(address).into()));
        }
        let parsed: IpNet = network.parse().map_err(|_| refused(""))?;
        // A mistyped length would take in far more than was meant.
        if parsed.trunc() != parsed {
            return Err(refused(&format!("; did you mean {}?", parsed.trunc())));
        }
        Ok(Self(parsed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_known_by_its_network_whatever_socket_it_reached() {
        let networks = ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::1"];
        let proxies = Proxies::new(networks.map(|network| network.parse().unwrap()));
        for (address, expected) in [
            ("10.255.0.1", true),
            ("11.0.0.1", false),
            ("::ffff:10.0.0.1", true),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("2001:db8:ffff::1", true),
            ("2001:db9::1", false),
            ("::1", true),
            ("127.0.0.1", false),
        ] {
            assert_eq!(
                proxies.contain(address.parse().unwrap()),
                expected,
                "{address}"
            );
        }
        assert!(!Proxies::default().contain("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn a_network_with_bits_beyond_its_length_is_taken_for_a_mistake() {
        let refused = "10.0.0.1/8".parse::<Network>().unwrap_err().to_string();
        assert!(refused.contains("did you mean 10.0.0.0/8"), "{refused}");
        for wrong in [
            "",
            "10.0.0.0/33",
            "10.0.0/8",
            "localhost",
            "10.0.0.0/8 ",
            "*",
        ] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong:?}");
        }
    }
}
