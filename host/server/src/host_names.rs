//! The names by which a server lets itself be called: a guard against pages of other sites, and against DNS rebinding.
//!
//! A page on a foreign site can have its own name lead to a loopback address. A browser then sends the page's requests
//! here, and lets the page read the answers. Such requests carry the foreign name as their `Host`.

use axum::extract::Request;
use axum::http::header::{HOST, HeaderName, HeaderValue, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{Method, Uri};

use crate::error::ApiError;
use crate::host_name::{HostName, address_of, without_last_dot};

/// Tells where a browser's request comes from: Fetch Metadata Request Headers, W3C.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The names of a server, for the check of each request's `Host`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostNames {
    /// Loopback addresses, `localhost`, names under `.localhost`, and these names, whatever the port is.
    Local(Vec<HostName>),
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

impl HostNames {
    /// Refuses a request that a page of another site makes. A browser sends such a page's POST of plain text without
    /// asking first, and only keeps the answer from the page: the model would have run.
    ///
    /// Programs that are no browsers send neither header. A link that leads here is only followed.
    pub(crate) fn check_origin(&self, request: &Request) -> Result<(), ApiError> {
        let Self::Local(names) = self else {
            return Ok(());
        };
        if matches!(*request.method(), Method::GET | Method::HEAD) {
            return Ok(());
        }
        let is_own = |origin: &HeaderValue| {
            let origin: Option<Uri> = origin.to_str().ok().and_then(|origin| origin.parse().ok());
            origin.is_some_and(|origin| origin.host().is_some_and(|host| is_local(host, names)))
        };
        let headers = request.headers();
        let is_cross_site = headers
            .get(FETCH_SITE)
            .is_some_and(|site| site == "cross-site");
        if is_cross_site || !headers.get_all(ORIGIN).iter().all(is_own) {
            return Err(ApiError::foreign_origin());
        }
        Ok(())
    }
}

fn is_local(host: &str, names: &[HostName]) -> bool {
    is_of_this_machine(host) || names.iter().any(|name| name.is(host))
}

/// Tells whether a name is one that each machine has for itself.
pub(crate) fn is_of_this_machine(host: &str) -> bool {
    match address_of(host) {
        Some(address) => address.to_canonical().is_loopback(),
        None => {
            let name = without_last_dot(host).to_ascii_lowercase();
            name == "localhost" || name.ends_with(".localhost")
        }
    }
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
    fn a_page_of_another_site_is_refused_and_own_pages_and_programs_pass() {
        let names = HostNames::Local(vec!["ampoule.example".parse().unwrap()]);
        let is_let_in = |method: &str, headers: &[(&str, &str)]| {
            let request = Request::builder().method(method);
            let add = |request: axum::http::request::Builder, (name, value): &(&str, &str)| {
                request.header(*name, *value)
            };
            let request = headers.iter().fold(request, add).body(Body::empty());
            names.check_origin(&request.unwrap()).is_ok()
        };
        for headers in [
            &[][..],
            &[
                ("origin", "http://127.0.0.1:8080"),
                ("sec-fetch-site", "same-origin"),
            ],
            &[
                ("origin", "http://localhost:3000"),
                ("sec-fetch-site", "same-site"),
            ],
            &[("origin", "https://ampoule.example")],
            &[("sec-fetch-site", "none")],
        ] {
            assert!(is_let_in("POST", headers), "{headers:?}");
        }
        for headers in [
            &[("origin", "https://evil.example")][..],
            &[("origin", "null")],
            &[
                ("origin", "http://localhost:80"),
                ("origin", "https://evil.example"),
            ],
            &[("sec-fetch-site", "cross-site")],
        ] {
            assert!(!is_let_in("POST", headers), "{headers:?}");
            assert!(is_let_in("GET", headers), "a link is followed");
        }
    }

    #[test]
    fn a_foreign_name_is_refused_and_local_and_configured_names_pass() {
        let names = ["ampoule.example", "192.0.2.7", "[2001:db8::7]"];
        let names = HostNames::Local(names.map(|name| name.parse().unwrap()).to_vec());
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
            "[2001:db8::7]:80",
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
