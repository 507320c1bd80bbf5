//! Protection of a service, as the program that serves it chooses.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Instant;

use ampoule::Timestamp;
use ampoule_access::{
    Charge, ClientAddress, Denial, DenialKind, KeyName, KeyStore, Limiter, LimiterSettings,
    Permission, Presented, Principal, Proxies, Rates, Reason, Role, RouteId, Standing, Tokens,
};
use ampoule_answers::Answers;
use axum::extract::{MatchedPath, Request};
use axum::http::header::AUTHORIZATION;
use axum::http::{Extensions, HeaderMap};

use crate::protection::audit::AuditLog;
use crate::protection::certificates::Certificates;
use crate::protection::proxied::InFront;
use crate::request::counted::Counted;
use crate::request::seen::Seen;
use crate::tls::Subject;

/// Protection of a service that nobody protects.
pub(crate) static OFF: LazyLock<Protection> = LazyLock::new(Protection::off);

/// Protection of a [`Service`](crate::Service): API keys or tokens that callers need, and limits on what they take.
#[derive(Debug)]
pub struct Protection {
    /// Keys that are accepted, if there are any. Without keys and tokens everybody who reaches the server may ask for
    /// everything.
    pub(super) keys: Option<KeyStore>,
    /// Tokens that are accepted, if there are any.
    tokens: Option<Tokens>,
    /// Role of callers without a credential, where such callers are let in although there are keys.
    strangers: Option<Role>,
    limiter: Limiter,
    /// Answers that are kept for tenants; `None` where none are.
    pub(super) answers: Option<Answers>,
    /// Keys of callers who are known by their certificates.
    certificates: Certificates,
    /// The audit log, if there is one.
    pub(super) audit: Option<AuditLog>,
    in_front: InFront,
    /// Routes with limits of their own, by their patterns.
    routes: HashMap<String, RouteId>,
}

impl Protection {
    /// Protects by nothing: everybody who reaches the server may ask for everything.
    #[must_use]
    pub fn off() -> Self {
        Self {
            keys: None,
            tokens: None,
            strangers: None,
            limiter: Limiter::new(LimiterSettings::default()),
            answers: None,
            certificates: Certificates::default(),
            audit: None,
            in_front: InFront::default(),
            routes: HashMap::new(),
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

    /// Lets in those, too, who present one of these tokens. Without keys, the holders of tokens alone are let in.
    #[must_use]
    pub fn with_tokens(self, tokens: Tokens) -> Self {
        Self {
            tokens: Some(tokens),
            ..self
        }
    }

    /// Lets in those who connect with a certificate of one of these subjects, as if they presented the key beside it. A
    /// credential in a request goes before the certificate of its connection.
    #[must_use]
    pub fn with_certificates(
        self,
        certificates: impl IntoIterator<Item = (Subject, KeyName)>,
    ) -> Self {
        Self {
            certificates: Certificates::new(certificates),
            ..self
        }
    }

    /// Reads a client's address from the headers of these proxies. Where TLS ends at them, credentials are refused that
    /// came in the clear, by what the proxies say.
    #[must_use]
    pub fn with_proxies(self, proxies: Proxies, has_their_tls: bool) -> Self {
        Self {
            in_front: InFront::new(proxies, has_their_tls),
            ..self
        }
    }

    /// Limits callers by these settings, and by those that their keys name.
    ///
    /// `routes` are limits of routes, by the patterns that [`guarded_routes`](crate::guarded_routes) lists; those of
    /// `settings` are not looked at.
    #[must_use]
    pub fn with_limits(
        self,
        settings: LimiterSettings,
        routes: impl IntoIterator<Item = (String, Rates)>,
    ) -> Self {
        let (patterns, rates): (Vec<_>, Vec<_>) = routes.into_iter().unzip();
        let ids = (0..).map(RouteId);
        Self {
            limiter: Limiter::new(LimiterSettings {
                routes: rates,
                ..settings
            }),
            routes: patterns.into_iter().zip(ids).collect(),
            ..self
        }
    }

    /// Returns the client of a request.
    pub(crate) fn seen(&self, request: &Request) -> Seen {
        self.in_front.seen(request)
    }

    /// Lets callers in who present no credential, as callers of this role. A credential that is not accepted is refused
    /// all the same.
    #[must_use]
    pub fn with_strangers(self, role: Role) -> Self {
        Self {
            strangers: Some(role),
            ..self
        }
    }

    /// Tells whether callers without a credential have a permission.
    pub(crate) fn lets_strangers(&self, permission: Permission) -> bool {
        let role = self.strangers;
        role.is_some_and(|role| role.permissions().contain(permission))
    }

    /// Returns the address and the route by which a request counts, once the router has found its route.
    pub(crate) fn counted(&self, extensions: &Extensions) -> Counted {
        let pattern = extensions.get::<MatchedPath>();
        Counted {
            address: Seen::of(extensions).address.into(),
            route: pattern.and_then(|pattern| self.routes.get(pattern.as_str()).copied()),
        }
    }

    /// Tells whether callers need a credential, or are told apart by theirs.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.keys.is_some() || self.tokens.is_some()
    }

    /// Returns the code of the error for which the API keys in force are not those of the key directory, if there is one.
    pub(crate) fn keys_fault(&self) -> Option<&'static str> {
        let fault = self.keys.as_ref()?.fault()?;
        Some(fault.code())
    }

    /// Returns the code of the error for which an issuer's keys in force are not those of its file, if there is one.
    pub(crate) fn tokens_fault(&self) -> Option<&'static str> {
        let fault = self.tokens.as_ref()?.fault()?;
        Some(fault.code())
    }

    /// Returns the caller who sends these headers.
    ///
    /// # Errors
    ///
    /// A denial where there is no credential, or one that is not accepted.
    fn caller(&self, headers: &HeaderMap) -> Result<Principal, Denial> {
        if !self.is_on() {
            return Ok(Principal::local());
        }
        let headers = headers.get_all(AUTHORIZATION).iter();
        let headers: Vec<&[u8]> = headers.map(|header| header.as_bytes()).collect();
        match Presented::find(&headers)? {
            Presented::Nothing => Err(Reason::Missing.into()),
            Presented::Key(key) => match &self.keys {
                Some(keys) => keys.check(&key, Timestamp::now()),
                None => Err(Reason::Unknown.into()),
            },
            Presented::Token(token) => match &self.tokens {
                Some(tokens) => tokens.check(token, Timestamp::now()),
                None => Err(Reason::Malformed.into()),
            },
        }
    }

    /// Returns the caller who sends these headers on a connection, which may have a certificate. A caller with neither is
    /// let in where strangers are.
    ///
    /// # Errors
    ///
    /// As [`Protection::caller`].
    pub(crate) fn caller_on(
        &self,
        connection: &Extensions,
        headers: &HeaderMap,
    ) -> Result<Principal, Denial> {
        let caller = self.caller(headers);
        let is_missing = matches!(&caller, Err(denial) if denial.reason == Reason::Missing);
        let key = self.certificates.key(connection).filter(|_| is_missing);
        match (&self.keys, key) {
            (Some(keys), Some(key)) => keys.certified(key, Timestamp::now()),
            _ if is_missing => self.strangers.map(Principal::anonymous).map_or(caller, Ok),
            _ => caller,
        }
    }

    /// Counts a request that is not let in for want of a good credential, and returns the denial to answer with.
    pub(crate) fn turn_away(&self, denial: Denial, address: ClientAddress) -> Denial {
        let counted = self.count_stranger(address);
        let failed = match denial.reason.kind() {
            DenialKind::Invalid => self.limiter.fail(address, Instant::now()),
            _ => Ok(()),
        };
        counted.and(failed).err().unwrap_or(denial)
    }

    /// Counts a request of a caller without a good credential.
    ///
    /// # Errors
    ///
    /// A denial where the address has used up its requests.
    pub(crate) fn count_stranger(&self, address: ClientAddress) -> Result<(), Denial> {
        self.limiter.turn_away(address, Instant::now())
    }

    /// Returns what is left of a caller's limits.
    pub(crate) fn standing(&self, caller: &Principal, counted: Counted) -> Standing {
        let asked = counted.asked(caller);
        self.limiter.standing(&asked, Instant::now())
    }

    /// Takes a request's part of the caller's limits.
    ///
    /// # Errors
    ///
    /// A denial where a limit is used up.
    pub(crate) fn charge(&self, caller: &Principal, counted: Counted) -> Result<Charge, Denial> {
        let asked = counted.asked(caller);
        self.limiter.admit(&asked, Instant::now())
    }
}
