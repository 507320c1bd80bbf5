//! Refusals, with reasons that only the operator reads.

use std::time::Duration;

use crate::token_fault::TokenFault;

/// Refusal of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The reason, for logs. A client must not learn more of it than its group, [`Reason::kind`].
    pub reason: Reason,
    /// Time after which the request may be made again, where time is what it lacks.
    pub wait: Option<Duration>,
}

impl Denial {
    pub(crate) const fn new(reason: Reason) -> Self {
        Self { reason, wait: None }
    }

    pub(crate) const fn until(reason: Reason, wait: Duration) -> Self {
        Self {
            reason,
            wait: Some(wait),
        }
    }
}

impl From<Reason> for Denial {
    fn from(reason: Reason) -> Self {
        Self::new(reason)
    }
}

/// Group of reasons that a client is told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DenialKind {
    /// There is no credential.
    Missing,
    /// The credential is not accepted. All reasons of this group look alike to a client: otherwise a guesser would
    /// learn that half of a guess is right.
    Invalid,
    /// The caller is known and may not do this.
    Forbidden,
    /// The headers of proxies contradict each other or cannot be read.
    Forwarded,
    /// The credential came in the clear.
    PlainHttp,
    /// A rate is used up.
    Rate,
    /// As many requests of the caller are being answered as may be at one time.
    Concurrent,
    /// The address has failed too often, or has used up what callers without a credential may take.
    Address,
}

/// Limits' holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LimitScope {
    /// One key or one token's subject.
    Key,
    /// One tenant, over all of its keys.
    Tenant,
    /// One route, for one tenant.
    Route,
    /// One address, for callers without a credential.
    Address,
}

impl LimitScope {
    /// Returns its name, as headers and messages spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Tenant => "tenant",
            Self::Route => "route",
            Self::Address => "address",
        }
    }
}

/// Unit of a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LimitUnit {
    /// Requests.
    Requests,
    /// Tokens.
    Tokens,
    /// Fuel.
    Fuel,
}

impl LimitUnit {
    /// Returns its name, as headers and messages spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::Fuel => "fuel",
        }
    }
}

/// Reason of a refusal. [`Reason::code`] is stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// There is no `Authorization` header, or an empty one.
    Missing,
    /// There is more than one `Authorization` header.
    Several,
    /// The header is longer than any credential.
    TooLong,
    /// The scheme is not `Bearer`.
    Scheme,
    /// The credential is neither a key nor a token.
    Malformed,
    /// No key has this name.
    Unknown,
    /// A key has this name and another secret.
    Secret,
    /// The key was revoked.
    Revoked,
    /// The key is over its time.
    Expired,
    /// A token is not accepted.
    Token(TokenFault),
    /// The role lacks the permission.
    Role,
    /// The headers of proxies contradict each other or cannot be read.
    Forwarded,
    /// The credential came in the clear, by what a proxy says.
    PlainHttp,
    /// A rate is used up.
    Rate(LimitScope, LimitUnit),
    /// As many requests are being answered as may be at one time.
    Concurrent(LimitScope),
    /// Too many credentials from this address were not accepted.
    Failures,
}

impl Reason {
    /// Returns the group that a client may be told.
    #[must_use]
    pub const fn kind(self) -> DenialKind {
        match self {
            Self::Missing => DenialKind::Missing,
            Self::Several
            | Self::TooLong
            | Self::Scheme
            | Self::Malformed
            | Self::Unknown
            | Self::Secret
            | Self::Revoked
            | Self::Expired
            | Self::Token(_) => DenialKind::Invalid,
            Self::Role => DenialKind::Forbidden,
            Self::Forwarded => DenialKind::Forwarded,
            Self::PlainHttp => DenialKind::PlainHttp,
            Self::Rate(LimitScope::Address, _)
            | Self::Concurrent(LimitScope::Address)
            | Self::Failures => DenialKind::Address,
            Self::Rate(..) => DenialKind::Rate,
            Self::Concurrent(_) => DenialKind::Concurrent,
        }
    }

    /// Returns the reason's name for logs, metrics and the audit log.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Several => "several",
            Self::TooLong => "too-long",
            Self::Scheme => "scheme",
            Self::Malformed => "malformed",
            Self::Unknown => "unknown",
            Self::Secret => "secret",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Token(fault) => fault.code(),
            Self::Role => "role",
            Self::Forwarded => "forwarded",
            Self::PlainHttp => "plain-http",
            Self::Failures => "failures",
            Self::Concurrent(scope) => match scope {
                LimitScope::Key => "concurrent.key",
                LimitScope::Tenant => "concurrent.tenant",
                LimitScope::Route => "concurrent.route",
                LimitScope::Address => "concurrent.address",
            },
            Self::Rate(scope, unit) => match (scope, unit) {
                (LimitScope::Key, LimitUnit::Requests) => "rate.key.requests",
                (LimitScope::Key, LimitUnit::Tokens) => "rate.key.tokens",
                (LimitScope::Key, LimitUnit::Fuel) => "rate.key.fuel",
                (LimitScope::Tenant, LimitUnit::Requests) => "rate.tenant.requests",
                (LimitScope::Tenant, LimitUnit::Tokens) => "rate.tenant.tokens",
                (LimitScope::Tenant, LimitUnit::Fuel) => "rate.tenant.fuel",
                (LimitScope::Route, LimitUnit::Requests) => "rate.route.requests",
                (LimitScope::Route, LimitUnit::Tokens) => "rate.route.tokens",
                (LimitScope::Route, LimitUnit::Fuel) => "rate.route.fuel",
                (LimitScope::Address, LimitUnit::Requests) => "rate.address.requests",
                (LimitScope::Address, LimitUnit::Tokens) => "rate.address.tokens",
                (LimitScope::Address, LimitUnit::Fuel) => "rate.address.fuel",
            },
        }
    }
}
