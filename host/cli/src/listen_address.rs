//! The address that a server listens on.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use ampoule::harmless_text;

/// An address and a port, as `127.0.0.1:8080` or `[::1]:8080`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ListenAddress(pub(crate) SocketAddr);

impl Default for ListenAddress {
    /// Returns the port that this kind of server has on developers' machines.
    fn default() -> Self {
        Self(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080))
    }
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let port = text.rsplit(':').next().unwrap_or_default();
        // A port alone might mean each address of the machine to one person and the loopback address to another.
        let hint = match port.parse::<u16>() {
            Ok(port) => format!("; for this machine alone write 127.0.0.1:{port}"),
            Err(_) => String::new(),
        };
        text.parse().map(Self).map_err(|_| {
            format!(
                "ADDRESS:PORT is expected, such as 127.0.0.1:8080 or [::1]:8080, found `{}`{hint}",
                harmless_text(text)
            )
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_port_or_a_port_without_an_address_is_refused_with_the_form() {
        for text in ["127.0.0.1:0", "[::1]:8080", "0.0.0.0:65535"] {
            assert!(text.parse::<ListenAddress>().is_ok(), "{text}");
        }
        for (text, hint) in [
            ("8080", "write 127.0.0.1:8080"),
            (":8080", "write 127.0.0.1:8080"),
            ("localhost:8080", "write 127.0.0.1:8080"),
            ("http://127.0.0.1:8080", "write 127.0.0.1:8080"),
            ("127.0.0.1", "such as 127.0.0.1:8080"),
            ("127.0.0.1:65536", "such as 127.0.0.1:8080"),
            ("::1", "such as 127.0.0.1:8080"),
            ("", "such as 127.0.0.1:8080"),
        ] {
            let error = text.parse::<ListenAddress>().unwrap_err();
            assert!(
                error.contains(hint) && error.contains("ADDRESS:PORT"),
                "{text}: {error}"
            );
        }
    }
}
