//! A name of a server, by the grammar of the `Host` header (RFC 9110, section 7.2).

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// Characters of a name, without the dot at its end: RFC 1035, section 2.3.4.
const MAX_NAME_CHARS: usize = 253;

/// Characters of a name's part between dots: the same section.
const MAX_LABEL_CHARS: usize = 63;

/// A name or an address by which a server lets itself be called, without a port: it counts for every port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostName {
    /// A name in small letters, without a dot at its end.
    Name(String),
    /// An address; one of IPv6 stands in brackets in a `Host`.
    Address(IpAddr),
}

/// A text that no `Host` can be, with the reason and the way out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HostNameError(String);

impl HostName {
    /// Returns true if this is the host of a request or of an origin. An address of IPv6 may be in brackets or not.
    pub(crate) fn is(&self, host: &str) -> bool {
        match self {
            Self::Address(address) => address_of(host).as_ref() == Some(address),
            Self::Name(name) => name.eq_ignore_ascii_case(without_last_dot(host)),
        }
    }
}

impl FromStr for HostName {
    type Err = HostNameError;

    fn from_str(text: &str) -> Result<Self, HostNameError> {
        if let Some(address) = address_of(text) {
            return Ok(Self::Address(address));
        }
        let refused = |reason: &str| {
            Err(HostNameError(format!(
                "a name such as ampoule.example, or an address such as 192.0.2.7 or [2001:db8::7], is expected, found \
                 `{}`: {reason}",
                ampoule::harmless_text(text)
            )))
        };
        if text.contains("://") || text.contains('/') {
            return refused("leave out all but the name");
        }
        if text.contains('*') {
            return refused("there are no patterns; give each name");
        }
        if !text.is_ascii() {
            return refused("write the name as browsers send it, beginning with xn--");
        }
        if let Some((host, port)) = text.rsplit_once(':')
            && port.bytes().all(|byte| byte.is_ascii_digit())
            && (!host.contains(':') || host.ends_with(']'))
        {
            return refused("leave out the port, since a name counts for every port");
        }
        let name = without_last_dot(text);
        if name.len() > MAX_NAME_CHARS || !name.split('.').all(is_label) {
            return refused(
                "parts of letters, digits, - and _ are expected between dots, of 63 characters at most",
            );
        }
        // Browsers take such a name for an address of IPv4, so no request has it.
        let last = name.rsplit('.').next().unwrap_or_default();
        if last.bytes().all(|byte| byte.is_ascii_digit()) {
            return refused("a name does not end in a number, and this is no address");
        }
        Ok(Self::Name(name.to_ascii_lowercase()))
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// Reads an address as a `Host` has it, or one of IPv6 without its brackets.
pub(crate) fn address_of(host: &str) -> Option<IpAddr> {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    match bare {
        Some(bare) => bare.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => host.parse().ok(),
    }
}

pub(crate) fn without_last_dot(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

fn is_label(label: &str) -> bool {
    let is_inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !label.is_empty()
        && label.len() <= MAX_LABEL_CHARS
        && label.bytes().all(is_inside)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_read_as_a_host_has_them() {
        for (text, shown, host) in [
            ("Ampoule.Example", "ampoule.example", "AMPOULE.example"),
            ("ampoule.example.", "ampoule.example", "ampoule.example"),
            ("my_box", "my_box", "my_box."),
            (
                "xn--bcher-kva.example",
                "xn--bcher-kva.example",
                "XN--bcher-kva.example",
            ),
            ("192.0.2.7", "192.0.2.7", "192.0.2.7"),
            ("[2001:DB8::7]", "[2001:db8::7]", "[2001:db8:0::7]"),
            ("2001:db8::7", "[2001:db8::7]", "[2001:db8::7]"),
        ] {
            let name: HostName = text.parse().unwrap();
            assert_eq!(name.to_string(), shown);
            assert!(name.is(host), "{text}");
            assert!(!name.is("another.example"), "{text}");
        }
    }

    #[test]
    fn what_no_host_can_be_is_refused_with_the_way_out() {
        let long_label = format!("{}.example", "a".repeat(64));
        let long_name = "a.".repeat(130);
        for (text, reason) in [
            ("", "parts of letters"),
            (".", "parts of letters"),
            ("a b", "parts of letters"),
            ("a..b", "parts of letters"),
            ("-a.example", "parts of letters"),
            ("user@ampoule.example", "parts of letters"),
            ("[192.0.2.7]", "parts of letters"),
            ("[2001:db8::7", "parts of letters"),
            (&long_label, "63 characters"),
            (&long_name, "63 characters"),
            ("*", "give each name"),
            ("*.example", "give each name"),
            ("https://ampoule.example", "all but the name"),
            ("ampoule.example/page", "all but the name"),
            ("ampoule.example:8080", "leave out the port"),
            ("[2001:db8::7]:8080", "leave out the port"),
            ("bücher.example", "xn--"),
            ("7", "end in a number"),
            ("192.0.2.256", "end in a number"),
        ] {
            let error = text.parse::<HostName>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
