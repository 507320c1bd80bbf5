//! The address of a client behind proxies, by the headers that the proxies add: `Forwarded` (RFC 7239), or
//! `X-Forwarded-For` and `X-Forwarded-Proto`.
//!
//! Every proxy adds its peer at the end, so the list is read from its end, and only as far as one proxy after the other
//! is known. All that stands before the first unknown address was written by that client, and is not looked at.

use std::net::{IpAddr, SocketAddr};

use crate::address::plain;
use crate::denial::{Denial, Reason};
use crate::proxies::Proxies;

/// Bytes of these headers together: a dozen proxies.
const MAX_BYTES: usize = 4 * 1024;
/// Addresses that are followed.
const MAX_HOPS: usize = 16;

/// Values of the headers that proxies add, in the order in which they stand in the request.
#[derive(Clone, Copy, Debug, Default)]
pub struct ForwardedHeaders<'h> {
    /// Values of `Forwarded`.
    pub forwarded: &'h [&'h [u8]],
    /// Values of `X-Forwarded-For`.
    pub x_forwarded_for: &'h [&'h [u8]],
    /// Values of `X-Forwarded-Proto`.
    pub x_forwarded_proto: &'h [&'h [u8]],
}

/// Client as a server sees it through its proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// Address, of the proxy itself where it does not tell another.
    pub address: IpAddr,
    /// True if the proxies say that the client came by HTTPS.
    pub came_by_https: bool,
}

impl Proxies {
    /// Finds the client of a request that came from `peer`. The headers of a peer that is no proxy are not looked at.
    ///
    /// # Errors
    ///
    /// [`Reason::Forwarded`] for headers that cannot be read, and for both kinds of them at once: a proxy that sets one
    /// kind hands on the other as the client wrote it, and nothing tells which is which.
    pub fn client(&self, peer: IpAddr, headers: &ForwardedHeaders<'_>) -> Result<Client, Denial> {
        let peer = plain(peer);
        let direct = Client {
            address: peer,
            came_by_https: false,
        };
        if !self.contain(peer) {
            return Ok(direct);
        }
        let of_x = [headers.x_forwarded_for, headers.x_forwarded_proto].concat();
        let all = [headers.forwarded, &of_x].concat();
        let length: usize = all.iter().map(|value| value.len()).sum();
        let is_ambiguous = !headers.forwarded.is_empty() && !of_x.is_empty();
        if length > MAX_BYTES || is_ambiguous {
            return Err(Reason::Forwarded.into());
        }
        let client = if headers.forwarded.is_empty() {
            self.by_x_forwarded(direct, headers)
        } else {
            self.by_forwarded(direct, headers.forwarded)
        };
        client.ok_or_else(|| Reason::Forwarded.into())
    }

    fn by_x_forwarded(&self, direct: Client, headers: &ForwardedHeaders<'_>) -> Option<Client> {
        let hops = headers.x_forwarded_for.iter();
        let hops: Vec<_> = hops
            .flat_map(|value| value.split(|byte| *byte == b','))
            .map(<[u8]>::trim_ascii)
            .filter(|hop| !hop.is_empty())
            .collect();
        let mut address = direct.address;
        for hop in hops.into_iter().rev().take(MAX_HOPS) {
            if !self.contain(address) {
                break;
            }
            match node(std::str::from_utf8(hop).ok()?)? {
                Some(next) => address = next,
                None => break,
            }
        }
        let mut schemes = headers
            .x_forwarded_proto
            .iter()
            .flat_map(|value| value.split(|byte| *byte == b','))
            .map(|scheme| is_https(scheme.trim_ascii()))
            .peekable();
        let has_one = schemes.peek().is_some();
        let are_https = schemes.try_fold(true, |all, scheme| Some(all && scheme?))?;
        Some(Client {
            address,
            came_by_https: has_one && are_https,
        })
    }

    fn by_forwarded(&self, direct: Client, values: &[&[u8]]) -> Option<Client> {
        let mut elements = Vec::new();
        for value in values {
            read_elements(std::str::from_utf8(value).ok()?, &mut elements)?;
        }
        let mut client = direct;
        for element in elements.into_iter().rev().take(MAX_HOPS) {
            if !self.contain(client.address) {
                break;
            }
            let came_by_https = match &element.proto {
                Some(proto) => is_https(proto.as_bytes())?,
                None => false,
            };
            let Some(next) = element.node.as_deref().map_or(Some(None), node)? else {
                client.came_by_https = came_by_https;
                break;
            };
            client = Client {
                address: next,
                came_by_https,
            };
        }
        Some(client)
    }
}

/// Reads a scheme: true for `https`, false for `http`.
fn is_https(scheme: &[u8]) -> Option<bool> {
    if scheme.eq_ignore_ascii_case(b"https") {
        Some(true)
    } else if scheme.eq_ignore_ascii_case(b"http") {
        Some(false)
    } else {
        None
    }
}

/// Reads the address of a hop, with or without a port. The inner `None` is a hop that does not tell its address.
#[expect(
    clippy::option_option,
    reason = "the outer one is text that cannot be read"
)]
fn node(text: &str) -> Option<Option<IpAddr>> {
    if text.eq_ignore_ascii_case("unknown") || text.starts_with('_') {
        return Some(None);
    }
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let address = match bare {
        Some(v6) => IpAddr::V6(v6.parse().ok()?),
        None => text
            .parse()
            .ok()
            .or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()))?,
    };
    Some(Some(plain(address)))
}

/// One element of `Forwarded`, as far as it is used.
#[derive(Default)]
struct Element {
    node: Option<String>,
    proto: Option<String>,
}

/// Reads the elements of one value (RFC 7239, section 4): pairs separated by `;`, elements by `,`.
fn read_elements(value: &str, elements: &mut Vec<Element>) -> Option<()> {
    let mut rest = value.trim_matches([' ', '\t']);
    if rest.is_empty() {
        return Some(());
    }
    let mut element = Element::default();
    loop {
        let (name, after) = rest.split_once('=')?;
        let is_token =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_token) {
            return None;
        }
        let (text, after) = read_value(after)?;
        let slot = match name {
            _ if name.eq_ignore_ascii_case("for") => Some(&mut element.node),
            _ if name.eq_ignore_ascii_case("proto") => Some(&mut element.proto),
            _ => None,
        };
        if let Some(slot) = slot
            && slot.replace(text).is_some()
        {
            return None;
        }
        let after = after.trim_start_matches([' ', '\t']);
        rest = match after.chars().next() {
            None => {
                elements.push(element);
                return Some(());
            }
            Some(';') => after.get(1..)?,
            Some(',') => {
                elements.push(std::mem::take(&mut element));
                after.get(1..)?
            }
            Some(_) => return None,
        };
        rest = rest.trim_start_matches([' ', '\t']);
    }
}

/// Reads a token or a quoted text, and returns what follows it.
fn read_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ',', ' ', '\t', '"']).unwrap_or(text.len());
        let (token, rest) = text.split_at_checked(end)?;
        return (!token.is_empty()).then(|| (token.to_owned(), rest));
    };
    let mut read = String::new();
    let mut characters = quoted.char_indices();
    while let Some((place, c)) = characters.next() {
        match c {
            '"' => return Some((read, quoted.get(place + 1..)?)),
            '\\' => read.push(characters.next()?.1),
            _ => read.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: &str = "10.0.0.1";

    /// Returns the address and `https` or `http`, or `refused`.
    fn client(peer: &str, forwarded: &[&str], x_for: &[&str], x_proto: &[&str]) -> String {
        let proxies =
            Proxies::new(["10.0.0.0/8", "2001:db8:aaaa::/48"].map(|text| text.parse().unwrap()));
        let [forwarded, x_for, x_proto] = [forwarded, x_for, x_proto].map(|values| {
            values
                .iter()
                .map(|value| value.as_bytes())
                .collect::<Vec<_>>()
        });
        let headers = ForwardedHeaders {
            forwarded: &forwarded,
            x_forwarded_for: &x_for,
            x_forwarded_proto: &x_proto,
        };
        match proxies.client(peer.parse().unwrap(), &headers) {
            Ok(client) => {
                let scheme = if client.came_by_https {
                    "https"
                } else {
                    "http"
                };
                format!("{} {scheme}", client.address)
            }
            Err(denial) => {
                assert_eq!(denial.reason, Reason::Forwarded);
                "refused".to_owned()
            }
        }
    }

    #[test]
    fn headers_of_a_peer_that_is_no_proxy_change_nothing() {
        for peer in ["203.0.113.9", "::ffff:203.0.113.9"] {
            let seen = client(
                peer,
                &["for=10.0.0.7;proto=https"],
                &["10.0.0.7"],
                &["https"],
            );
            assert_eq!(seen, "203.0.113.9 http");
        }
    }

    #[test]
    fn x_forwarded_headers_are_read_from_the_end_as_far_as_proxies_are_known() {
        for (x_for, x_proto, expected) in [
            (&[][..], &[][..], "10.0.0.1 http"),
            (&["203.0.113.7"], &["https"], "203.0.113.7 https"),
            (&["203.0.113.7"], &["http"], "203.0.113.7 http"),
            (&["203.0.113.7"], &[], "203.0.113.7 http"),
            // The client wrote the first part, whatever it says.
            (&["1.2.3.4, 203.0.113.7"], &["https"], "203.0.113.7 https"),
            (
                &["nonsense;\"', 203.0.113.7"],
                &["https"],
                "203.0.113.7 https",
            ),
            (&["1.2.3.4", "203.0.113.7"], &["https"], "203.0.113.7 https"),
            (
                &["203.0.113.7, 10.0.0.2"],
                &["https, https"],
                "203.0.113.7 https",
            ),
            (
                &["203.0.113.7, 10.0.0.2"],
                &["https, http"],
                "203.0.113.7 http",
            ),
            (
                &["10.9.9.9, 203.0.113.7, 10.0.0.2"],
                &[],
                "203.0.113.7 http",
            ),
            (&["203.0.113.7:4711"], &[], "203.0.113.7 http"),
            (&["[2001:db8::7]:4711"], &[], "2001:db8::7 http"),
            (&["2001:db8::7"], &[], "2001:db8::7 http"),
            (&["::ffff:203.0.113.7"], &[], "203.0.113.7 http"),
            (&["unknown"], &["https"], "10.0.0.1 https"),
            (&["203.0.113.7, "], &[], "203.0.113.7 http"),
            (&["nonsense"], &[], "refused"),
            (&["203.0.113.7"], &["gopher"], "refused"),
            (&["203.0.113.7"], &[""], "refused"),
        ] {
            assert_eq!(
                client(PROXY, &[], x_for, x_proto),
                expected,
                "{x_for:?} {x_proto:?}"
            );
        }
    }

    #[test]
    fn forwarded_is_read_from_the_end_as_far_as_proxies_are_known() {
        for (forwarded, expected) in [
            (&["for=203.0.113.7;proto=https"][..], "203.0.113.7 https"),
            (
                &["For=203.0.113.7; Proto=HTTPS;by=10.0.0.1"],
                "203.0.113.7 https",
            ),
            (&["for=203.0.113.7"], "203.0.113.7 http"),
            (
                &["for=\"[2001:db8::7]:4711\";proto=https"],
                "2001:db8::7 https",
            ),
            (
                &["for=\"203.0.113.7:80\";host=\"a,b;c=\\\"d\""],
                "203.0.113.7 http",
            ),
            (
                &["for=1.2.3.4;proto=https, for=203.0.113.7"],
                "203.0.113.7 http",
            ),
            (
                &["for=1.2.3.4", "for=203.0.113.7;proto=https"],
                "203.0.113.7 https",
            ),
            (
                &["for=203.0.113.7;proto=https, for=10.0.0.2;proto=http"],
                "203.0.113.7 https",
            ),
            (
                &["for=10.9.9.9, for=203.0.113.7, for=10.0.0.2"],
                "203.0.113.7 http",
            ),
            (&["for=unknown;proto=https"], "10.0.0.1 https"),
            (&["for=_hidden"], "10.0.0.1 http"),
            (&["proto=https"], "10.0.0.1 https"),
            (&[""], "10.0.0.1 http"),
            (&["for=\"x, for=203.0.113.7"], "refused"),
            (&["for=1.2.3.4;for=5.6.7.8"], "refused"),
            (&["for"], "refused"),
            (&["for="], "refused"),
            (&["=1.2.3.4"], "refused"),
            (&["for=nonsense"], "refused"),
            (&["for=203.0.113.7;proto=gopher"], "refused"),
            (&["for=203.0.113.7 proto=https"], "refused"),
            (&["for=203.0.113.7,"], "refused"),
        ] {
            assert_eq!(
                client(PROXY, forwarded, &[], &[]),
                expected,
                "{forwarded:?}"
            );
        }
    }

    /// A proxy that sets one kind hands on the other as the client wrote it.
    #[test]
    fn both_kinds_of_headers_at_once_are_refused() {
        let one = ["for=203.0.113.7"];
        assert_eq!(client(PROXY, &one, &["203.0.113.7"], &[]), "refused");
        assert_eq!(client(PROXY, &one, &[], &["https"]), "refused");
        let seen = client("2001:db8:aaaa::1", &one, &[], &[]);
        assert_eq!(seen, "203.0.113.7 http");
    }

    #[test]
    fn headers_without_end_are_refused_or_followed_for_some_hops() {
        let long = "10.0.0.2,".repeat(1_000);
        assert_eq!(client(PROXY, &[], &[&long], &[]), "refused");
        let hops = format!("203.0.113.7{}", ", 10.0.0.2".repeat(50));
        assert_eq!(client(PROXY, &[], &[&hops], &[]), "10.0.0.2 http");
    }

    #[test]
    fn no_bytes_make_the_reader_panic() {
        let pieces = [
            "for=",
            "\"",
            "\\",
            ",",
            ";",
            "proto=https",
            "10.0.0.2",
            "[",
            "]",
            "ä",
            "=",
            " ",
            "unknown",
        ];
        let mut state: u64 = 7;
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..8 {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                text.push_str(pieces[(state >> 33) as usize % pieces.len()]);
            }
            client(PROXY, &[&text], &[], &[]);
            client(PROXY, &[], &[&text], &[&text]);
        }
    }
}
