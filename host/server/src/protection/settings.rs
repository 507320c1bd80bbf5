//! Protection of a service, as the program that serves it chooses.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use ampoule::Timestamp;
use ampoule_access::{
    Asked, Charge, ClientAddress, Denial, KeyStore, Limiter, LimiterSettings, Presented, Principal,
    Reason, Standing,
};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

/// Protection of a [`Service`](crate::Service): API keys that callers need, and limits on what they take.
#[derive(Debug)]
pub struct Protection {
    /// Keys that are accepted; `None` where everybody who reaches the server may ask for everything.
    keys: Option<KeyStore>,
    limiter: Limiter,
}

impl Protection {
    /// Protects by nothing: everybody who reaches the server may ask for everything.
    #[must_use]
    pub fn off() -> Self {
        Self {
            keys: None,
            limiter: Limiter::new(LimiterSettings::default()),
        }
    }

    /// Lets in those who present one of these keys, within the limits that the key names.
    #[must_use]
    pub fn by_keys(keys: KeyStore) -> Self {
        Self {
            keys: Some(keys),
            ..Self::off()
        }
    }

    /// Tells whether callers need a credential.
    pub(crate) fn is_on(&self) -> bool {
        self.keys.is_some()
    }

    /// Returns the caller who sends these headers.
    ///
    /// # Errors
    ///
    /// A denial where there is no credential, or one that is not accepted.
    pub(crate) fn caller(&self, headers: &HeaderMap) -> Result<Principal, Denial> {
        let Some(keys) = &self.keys else {
            return Ok(Principal::local());
        };
        let headers = headers.get_all(AUTHORIZATION).iter();
        let headers: Vec<&[u8]> = headers.map(|header| header.as_bytes()).collect();
        match Presented::find(&headers)? {
            Presented::Nothing => Err(Reason::Missing.into()),
            Presented::Key(key) => keys.check(&key, Timestamp::now()),
            // Nobody's tokens are accepted here.
            Presented::Token(_) => Err(Reason::Malformed.into()),
        }
    }

    /// Returns what is left of a caller's limits.
    pub(crate) fn standing(&self, caller: &Principal) -> Standing {
        // Callers with a credential are not limited by their address.
        let asked = Asked {
            who: caller,
            address: ClientAddress::from(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            route: None,
        };
        self.limiter.standing(&asked, Instant::now())
    }

    /// Takes a request's part of the caller's limits.
    ///
    /// # Errors
    ///
    /// A denial where a limit is used up.
    pub(crate) fn charge(&self, caller: &Principal, address: IpAddr) -> Result<Charge, Denial> {
        let asked = Asked {
            who: caller,
            address: ClientAddress::from(address),
            route: None,
        };
        self.limiter.admit(&asked, Instant::now())
    }
}
