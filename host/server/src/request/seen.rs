//! The client of a request, as the server sees it through its proxies.

use std::net::{IpAddr, Ipv4Addr};

use ampoule_access::{Denial, Reason};
use axum::http::header::AUTHORIZATION;
use axum::http::{Extensions, HeaderMap};

use crate::request::ended::Peer;

/// The client of a request, as an extension of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// Address of the client, or of the proxy where that does not tell.
    pub(crate) address: IpAddr,
    /// The reason for which the client's credential is not looked at.
    pub(crate) fault: Option<Reason>,
}

impl Seen {
    /// Returns what the outermost layer has seen. A router that is mounted without that layer has no proxies.
    pub(crate) fn of(extensions: &Extensions) -> Self {
        let peer = extensions.get().map(|Peer(peer)| peer.ip());
        extensions.get().copied().unwrap_or(Self {
            address: peer.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            fault: None,
        })
    }

    /// Refuses a credential that others could have read, and one whose sender the proxies do not tell.
    ///
    /// # Errors
    ///
    /// [`Reason::PlainHttp`], [`Reason::Forwarded`].
    pub(crate) fn check(self, headers: &HeaderMap) -> Result<(), Denial> {
        match self.fault {
            Some(Reason::PlainHttp) if !headers.contains_key(AUTHORIZATION) => Ok(()),
            Some(fault) => Err(fault.into()),
            None => Ok(()),
        }
    }
}
