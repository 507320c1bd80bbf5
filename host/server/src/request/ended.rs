//! Facts of a request that is over, for the metrics and the access log.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::http::{Method, StatusCode};

use crate::request::context::Notes;
use crate::request::family::Family;

/// The address at the other end of a connection, as an extension of its requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// The end that a request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The whole answer was handed to the connection.
    Finished,
    /// The connection ended before the answer did.
    ClientGone,
    /// The answer was an error, or its stream ended with one.
    Error,
}

/// A request that is over.
#[derive(Debug)]
pub(crate) struct Ended<'e> {
    pub(crate) family: Family,
    /// The method; `None` where the head could not be read.
    pub(crate) method: Option<&'e Method>,
    /// Pattern of the route.
    pub(crate) route: &'e str,
    pub(crate) peer: Option<SocketAddr>,
    /// The client's address, as proxies tell it.
    pub(crate) client: Option<IpAddr>,
    /// Version of the connection's TLS.
    pub(crate) tls: Option<&'static str>,
    /// The status; `None` where the client went away before there was one.
    pub(crate) status: Option<StatusCode>,
    pub(crate) outcome: Outcome,
    /// Bytes of the answer's body that were handed to the connection.
    pub(crate) bytes: u64,
    pub(crate) took: Duration,
    pub(crate) notes: &'e Notes,
    pub(crate) id: &'e str,
    /// Id of the request's trace, if it is traced.
    pub(crate) trace_id: Option<String>,
}

impl Ended<'_> {
    /// Returns the client's address where it is not that of the connection.
    pub(crate) fn forwarded_client(&self) -> Option<IpAddr> {
        let peer = self.peer.map(|peer| peer.ip().to_canonical());
        self.client
            .filter(|client| Some(client.to_canonical()) != peer)
    }

    /// Returns a number of the sandboxes' and of kept answers' if there was one of either.
    pub(crate) fn answered(&self, number: u64) -> Option<u64> {
        (self.notes.sandboxes + self.notes.hits > 0).then_some(number)
    }

    /// Returns a number of the sandboxes' if there was one.
    pub(crate) fn sandboxed(&self, number: u64) -> Option<u64> {
        (self.notes.sandboxes > 0).then_some(number)
    }
}

impl Outcome {
    /// Returns the name in metrics and logs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::ClientGone => "client-gone",
            Self::Error => "error",
        }
    }
}
