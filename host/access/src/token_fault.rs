//! Faults of tokens, for the operator's log.

/// Fault for which a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenFault {
    /// The text is longer than a token may be, has not three parts, or a part is not base64url without padding.
    Form,
    /// The header is no JSON object of a type, an algorithm and a key's name.
    Header,
    /// The claims are no JSON object, or one that is needed is missing or has another type.
    Claims,
    /// The token names an issuer that is not configured.
    Issuer,
    /// The algorithm is not the one that the issuer's keys are for.
    Algorithm,
    /// The issuer has no key of this name.
    Key,
    /// The signature is not the issuer's.
    Signature,
    /// The token is for another audience.
    Audience,
    /// The token is over its time.
    Expired,
    /// The token was issued, or counts from, a time to come.
    Early,
    /// The token counts for longer than a session may last, or ends before it begins.
    Lifetime,
    /// A claim names no role, no tenant or no models as the configuration asks for.
    Rights,
}

impl TokenFault {
    /// Returns the fault's name for logs, metrics and the audit log.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Form => "token.form",
            Self::Header => "token.header",
            Self::Claims => "token.claims",
            Self::Issuer => "token.issuer",
            Self::Algorithm => "token.algorithm",
            Self::Key => "token.key",
            Self::Signature => "token.signature",
            Self::Audience => "token.audience",
            Self::Expired => "token.expired",
            Self::Early => "token.early",
            Self::Lifetime => "token.lifetime",
            Self::Rights => "token.rights",
        }
    }
}
