//! Origins of pages that may read answers.

use std::fmt;
use std::str::FromStr;

use axum::http::uri::Authority;

/// The origin of a page that may ask this server and read its answers, such as `https://app.example`: a scheme, a name
/// and maybe a port, as browsers send it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorsOrigin(String);

impl CorsOrigin {
    /// Returns the origin as browsers send it.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CorsOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for CorsOrigin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = |why: &str| {
            let found = ampoule::harmless_text(text);
            format!("an origin such as https://app.example is expected, found `{found}`{why}")
        };
        if text == "*" {
            return Err(refused("; every page of every site is too many"));
        }
        if text == "null" {
            return Err(refused("; pages of many sites have this origin"));
        }
        let lower = text.to_ascii_lowercase();
        let (scheme, rest) = lower.split_once("://").ok_or_else(|| refused(""))?;
        let default_port = match scheme {
            "https" => 443,
            "http" => 80,
            _ => return Err(refused("")),
        };
        if rest.ends_with('/') {
            return Err(refused("; leave the slash at its end out"));
        }
        if rest.contains(['@', '/', '?', '#', '*']) {
            return Err(refused(""));
        }
        let authority: Authority = rest.parse().map_err(|_| refused(""))?;
        let host = authority.host();
        // An empty or too large port is none to the parser.
        let has_odd_port = rest.len() > host.len() && authority.port_u16().is_none();
        if host.is_empty() || has_odd_port {
            return Err(refused(""));
        }
        Ok(Self(match authority.port_u16() {
            Some(port) if port != default_port => format!("{scheme}://{host}:{port}"),
            _ => format!("{scheme}://{host}"),
        }))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_send_it_and_everybody_is_none() {
        for (text, expected) in [
            ("https://app.example", "https://app.example"),
            ("HTTPS://App.Example:443", "https://app.example"),
            ("http://app.example:80", "http://app.example"),
            ("http://app.example:443", "http://app.example:443"),
            ("http://[::1]:3000", "http://[::1]:3000"),
        ] {
            let origin: CorsOrigin = text.parse().unwrap();
            assert_eq!(origin.as_str(), expected);
        }
        for text in [
            "*",
            "null",
            "",
            "app.example",
            "https://",
            "https://app.example/",
            "https://app.example/a",
            "https://*.app.example",
            "https://user@app.example",
            "https://app.example:",
            "https://app.example:99999",
            "file://app.example",
        ] {
            assert!(text.parse::<CorsOrigin>().is_err(), "{text}");
        }
    }
}
