//! Issuers of tokens: their keys, and what their tokens are worth.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use ampoule_signing::Timestamp;

use crate::error::{Error, Result};
use crate::jwt::algorithm::TokenAlgorithm;
use crate::jwt::claims::Claims;
use crate::jwt::compact::Compact;
use crate::jwt::followed_keys::{FollowedKeys, KeySetFile};
use crate::jwt::header::Header;
use crate::jwt::key_set::KeySet;
use crate::jwt::shared_secret::SharedSecret;
use crate::jwt::strict_json::Json;
use crate::jwt::verifying_key::VerifyingKey;
use crate::key_name::TenantName;
use crate::permission::Role;
use crate::principal::{Principal, PrincipalKind, SubjectHash};
use crate::rates::Rates;
use crate::scope::{NamePattern, Scope};
use crate::token_fault::TokenFault;

/// An issuer as an operator configures it.
#[derive(Clone, Debug)]
pub struct IssuerSettings {
    /// Name of the issuer, exactly as its tokens have it in `iss`.
    pub issuer: String,
    /// Audience of tokens for this server: one of the texts in `aud`.
    pub audience: String,
    /// Keys that check the issuer's signatures.
    pub keys: IssuerKeys,
    /// Role of the issuer's callers.
    pub role: Given<Role>,
    /// Roles that count in the claim. Without a list, all but `admin`: other services use the word, too.
    pub roles: Option<Vec<Role>>,
    /// Tenant of the issuer's callers.
    pub tenant: Given<TenantName>,
    /// Tenants that the claim may name. Without a list, all of them, those of API keys and other issuers too.
    pub tenants: Option<Vec<NamePattern>>,
    /// Claim that lists the models that a caller may know of, as patterns. Without one, all of them.
    pub models_claim: Option<String>,
}

/// Keys of an issuer. Their kind decides on the algorithm, and no token does.
#[derive(Clone, Debug)]
pub enum IssuerKeys {
    /// Public keys in a JWKS file, which is followed.
    File(KeySetFile),
    /// A secret that the issuer shares with this server, for `HS256`.
    Shared(SharedSecret),
}

/// Value for all callers of an issuer, or for each its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given<T> {
    /// One value for all.
    Always(T),
    /// The value in a claim of this name.
    Claim(String),
}

/// An issuer whose tokens are accepted, with its keys.
pub struct TokenIssuer {
    settings: IssuerSettings,
    keys: Keys,
}

enum Keys {
    Followed(FollowedKeys),
    Shared(Arc<KeySet>),
}

impl TokenIssuer {
    /// Reads an issuer's keys.
    ///
    /// # Errors
    ///
    /// `key.jwks` where the file is no set of public keys, `key.jwks-empty` where none is of the algorithm; `trust.owner`
    /// and `trust.permissions` where others may change the file or a directory above it; `file.symlink`, `file.type`,
    /// `io.failed`; `usage.token-settings` for an empty name of an issuer, an audience or a claim, and for bounds of a
    /// claim that no setting names.
    pub fn open(settings: IssuerSettings) -> Result<Self> {
        settings.check()?;
        let keys = match settings.keys.clone() {
            IssuerKeys::File(file) => Keys::Followed(FollowedKeys::open(file)?),
            IssuerKeys::Shared(secret) => {
                let key = VerifyingKey::Shared(secret);
                Keys::Shared(Arc::new(KeySet::of_one(key)))
            }
        };
        Ok(Self { settings, keys })
    }

    /// Returns the issuer's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.settings.issuer
    }

    /// Returns the keys that are in a file, which may change.
    pub(super) fn followed(&self) -> Option<&FollowedKeys> {
        match &self.keys {
            Keys::Followed(keys) => Some(keys),
            Keys::Shared(_) => None,
        }
    }

    /// Checks a token that names this issuer, and returns its principal.
    ///
    /// # Errors
    ///
    /// The first fault in this order: algorithm, key, signature, audience, times, subject, rights.
    pub(super) fn check(
        &self,
        token: &Compact<'_>,
        header: &Header,
        claims: &Claims,
        now: Timestamp,
        longest: Duration,
    ) -> Result<Principal, TokenFault> {
        let (algorithm, keys, name) = match &self.keys {
            Keys::Followed(keys) => (keys.algorithm(), keys.current(), header.key.as_deref()),
            // There is one secret, whatever a token calls it.
            Keys::Shared(keys) => (TokenAlgorithm::Hs256, Arc::clone(keys), None),
        };
        if !algorithm.is_named(&header.algorithm) {
            return Err(TokenFault::Algorithm);
        }
        if !keys.find(name)?.verifies(token.signed, &token.signature) {
            return Err(TokenFault::Signature);
        }
        claims.check_audience(&self.settings.audience)?;
        claims.check_times(now, longest)?;
        let subject = SubjectHash::of(self.name(), claims.subject()?);
        self.principal(subject, claims).ok_or(TokenFault::Rights)
    }

    fn principal(&self, subject: SubjectHash, claims: &Claims) -> Option<Principal> {
        let settings = &self.settings;
        let models = match &settings.models_claim {
            Some(name) => Some(all(claims.get(name)?)?),
            None => None,
        };
        let scope = Scope {
            models,
            tasks: None,
        };
        scope.check().ok()?;
        let role = match &settings.role {
            Given::Always(role) => *role,
            Given::Claim(name) => settings.only_role(claims.get(name)?)?,
        };
        let tenant = match &settings.tenant {
            Given::Always(tenant) => tenant.clone(),
            Given::Claim(name) => settings.named_tenant(claims.get(name)?)?,
        };
        let (kind, rates) = (PrincipalKind::Token(subject), Rates::default());
        Some(Principal::new(kind, role, Some(tenant), scope, rates))
    }
}

impl fmt::Debug for TokenIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TokenIssuer").field(&self.name()).finish()
    }
}

impl IssuerSettings {
    /// Returns the one role that a claim has and that counts. Issuers list roles of other services beside it.
    fn only_role(&self, claim: &Json) -> Option<Role> {
        let counts = |role: &Role| match &self.roles {
            Some(roles) => roles.contains(role),
            None => *role != Role::Admin,
        };
        let names = claim.texts()?;
        let roles = names.iter().filter_map(|name| name.parse().ok());
        let mut roles = roles.filter(counts);
        let role = roles.next()?;
        roles.next().is_none().then_some(role)
    }

    fn named_tenant(&self, claim: &Json) -> Option<TenantName> {
        let name = claim.text()?;
        let patterns = self.tenants.as_ref();
        patterns
            .is_none_or(|patterns| patterns.iter().any(|pattern| pattern.fits(name)))
            .then(|| name.parse().ok())?
    }

    fn check(&self) -> Result<()> {
        let mut names = vec![&self.issuer, &self.audience];
        names.extend(&self.models_claim);
        names.extend(self.role.claim());
        names.extend(self.tenant.claim());
        if names.into_iter().any(String::is_empty) {
            return Err(Error::TokenSettings(
                "expected names of an issuer, an audience and claims that are not empty".to_owned(),
            ));
        }
        for (list, is_idle) in [
            ("role", self.roles.is_some() && self.role.claim().is_none()),
            (
                "tenant",
                self.tenants.is_some() && self.tenant.claim().is_none(),
            ),
        ] {
            if is_idle {
                return Err(Error::TokenSettings(format!(
                    "`{list}s` bounds the claim that `{list}-claim` names, and there is none; leave `{list}s` out, or \
                     name the claim"
                )));
            }
        }
        Ok(())
    }
}

impl<T> Given<T> {
    /// Returns the claim's name.
    const fn claim(&self) -> Option<&String> {
        match self {
            Self::Always(_) => None,
            Self::Claim(name) => Some(name),
        }
    }
}

/// Reads each text of a claim; `None` where one of them cannot be read.
fn all<T: FromStr>(claim: &Json) -> Option<Vec<T>> {
    let texts = claim.texts()?;
    texts.iter().map(|text| text.parse().ok()).collect()
}
