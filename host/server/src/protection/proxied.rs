//! Proxies in front of a server, and the clients behind them.

use std::net::{IpAddr, Ipv4Addr};

use ampoule_access::{Client, Denial, ForwardedHeaders, Proxies, Reason};
use axum::extract::Request;
use axum::http::header::FORWARDED;
use axum::http::{HeaderMap, HeaderName};

use crate::request::ended::Peer;
use crate::request::seen::Seen;
use crate::tls::Secured;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Proxies in front of a server.
#[derive(Debug, Default)]
pub(crate) struct InFront {
    proxies: Proxies,
    /// TLS ends at them, so that they alone know how a client came.
    has_their_tls: bool,
}

impl InFront {
    pub(crate) fn new(proxies: Proxies, has_their_tls: bool) -> Self {
        Self {
            proxies,
            has_their_tls,
        }
    }

    /// Returns the client of a request.
    pub(crate) fn seen(&self, request: &Request) -> Seen {
        let peer = request.extensions().get().map(|Peer(peer)| peer.ip());
        // A program that serves the router without this crate's connections tells no address.
        let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let client = self.client(peer, request.headers());
        let address = client.map_or(peer, |client| client.address);
        let fault = match client {
            Err(denial) => Some(denial.reason),
            Ok(client) => {
                let is_encrypted = request.extensions().get::<Secured>().is_some();
                (!self.is_private(peer, client, is_encrypted)).then_some(Reason::PlainHttp)
            }
        };
        Seen { address, fault }
    }

    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Result<Client, Denial> {
        let all = |name| -> Vec<&[u8]> {
            let values = headers.get_all(name).iter();
            values.map(|value| value.as_bytes()).collect()
        };
        let headers = ForwardedHeaders {
            forwarded: &all(FORWARDED),
            x_forwarded_for: &all(FORWARDED_FOR),
            x_forwarded_proto: &all(FORWARDED_PROTO),
        };
        self.proxies.client(peer, &headers)
    }

    /// Tells whether nobody could read what a client sent: it came to a proxy by TLS, or here by TLS or from this machine.
    fn is_private(&self, peer: IpAddr, client: Client, is_encrypted: bool) -> bool {
        if !self.has_their_tls {
            // Other machines do not reach a server without TLS.
            return true;
        }
        // TLS between the proxy and here says nothing about the way before.
        if self.proxies.contain(peer) {
            return client.came_by_https;
        }
        is_encrypted || peer.to_canonical().is_loopback()
    }
}
