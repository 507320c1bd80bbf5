//! The names by which a server lets itself be called: a guard against DNS rebinding.
//!
//! A page on a foreign site can have its own name lead to a loopback address. A browser then sends the page's requests
//! here, and lets the page read the answers. Such requests carry the foreign name as their `Host`.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::header::HOST;
use axum::http::uri::Authority;

use crate::error::ApiError;

/// The names of a server, for the check of each request's `Host`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostNames {
    /// Loopback addresses, `localhost`, names under `.localhost`, and these names, whatever the port is.
    Local(Vec<String>),
    /// Every name: for a server behind something that checks the name, or one that others reach by many names.
    Any,
}

impl Default for HostNames {
    fn default() -> Self {
        Self::Local(Vec::new())
    }
}

impl HostNames {
    /// Refuses a request that calls this server by a foreign name.
    ///
    /// A request without a name passes: browsers send one always.
    pub(crate) fn check(&self, request: &Request) -> Result<(), ApiError> {
        let Self::Local(names) = self else {
            return Ok(());
        };
        let headers = request.headers().get_all(HOST).iter();
        let hosts = headers.map(|value| {
            let host: Option<Authority> = value.to_str().ok()?.parse().ok();
            host
        });
        let target = request.uri().authority().cloned().map(Some);
        let is_known =
            |host: Option<Authority>| host.is_some_and(|host| is_local(host.host(), names));
        if hosts.chain(target).all(is_known) {
            return Ok(());
        }
        Err(ApiError::foreign_host())
    }
}

fn is_local(host: &str, names: &[String]) -> bool {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    if let Ok(address) = bare.unwrap_or(host).parse::<IpAddr>() {
        return address.to_canonical().is_loopback()
            || names.iter().any(|name| name.parse() == Ok(address));
    }
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    host == "localhost"
        || host.ends_with(".localhost")
        || names.iter().any(|name| name.eq_ignore_ascii_case(&host))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use axum::body::Body;

    use super::*;

    fn is_let_in(names: &HostNames, host: &str) -> bool {
        let request = Request::builder().header(HOST, host).body(Body::empty());
        names.check(&request.unwrap()).is_ok()
    }

    #[test]
    fn a_foreign_name_is_refused_and_local_and_configured_names_pass() {
        let names = HostNames::Local(vec!["ampoule.example".to_owned(), "192.0.2.7".to_owned()]);
        for host in [
            "localhost",
            "LocalHost:8080",
            "localhost.:80",
            "a.localhost:1",
            "127.0.0.1:8080",
            "127.9.9.9",
            "[::1]:8080",
            "[::ffff:127.0.0.1]",
            "Ampoule.example:8080",
            "192.0.2.7:80",
        ] {
            assert!(is_let_in(&names, host), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "notlocalhost",
            "192.0.2.8",
            "[::2]",
            "0.0.0.0",
            "",
            "a b",
        ] {
            assert!(!is_let_in(&names, host), "{host}");
            assert!(is_let_in(&HostNames::Any, host), "{host}");
        }
    }

    #[test]
    fn a_request_is_checked_by_each_name_that_it_has() {
        let names = HostNames::default();
        let request = |uri: &str| Request::builder().uri(uri);
        let none = request("/api/tags").body(Body::empty()).unwrap();
        assert!(names.check(&none).is_ok());
        let two = request("/")
            .header(HOST, "localhost")
            .header(HOST, "evil.example");
        assert!(names.check(&two.body(Body::empty()).unwrap()).is_err());
        let whole = request("http://evil.example/api/tags").header(HOST, "localhost");
        assert!(names.check(&whole.body(Body::empty()).unwrap()).is_err());
    }
}
