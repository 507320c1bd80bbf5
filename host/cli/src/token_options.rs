//! Issuers whose tokens the server accepts: tables `[[auth.jwt]]` of the configuration file.

use std::path::PathBuf;

use ampoule_access::{
    Given, IssuerKeys, IssuerSettings, KeySetFile, NamePattern, PublicAlgorithm, Role, TenantName,
    TokenAlgorithm, TokenIssuer,
};
use ampoule_signing::{ParseError, PermissionPolicy};
use serde::Deserialize;

use crate::config_place::Place;
use crate::error::Error;
use crate::secret_source::SecretSource;

/// One issuer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct TokenOptions {
    /// Name, as the issuer's tokens have it in `iss`.
    issuer: String,
    /// Audience of tokens for this server, as they have it in `aud`.
    audience: String,
    algorithm: TokenAlgorithm,
    /// File with the issuer's public keys, for all algorithms but HS256.
    jwks: Option<PathBuf>,
    /// Variable with the secret of HS256.
    secret_env: Option<String>,
    /// File with the secret of HS256.
    secret_file: Option<PathBuf>,
    /// Credential of the service manager with the secret of HS256.
    secret_credential: Option<String>,
    role: Option<Role>,
    role_claim: Option<String>,
    /// Roles that count in the claim.
    roles: Option<Vec<Role>>,
    tenant: Option<TenantName>,
    tenant_claim: Option<String>,
    /// Tenants that the claim may name.
    tenants: Option<Vec<NamePattern>>,
    models_claim: Option<String>,
}

impl TokenOptions {
    /// Reads the issuer's keys. `at` returns the place of one of the table's keys.
    pub(crate) fn open(
        &self,
        permissions: &PermissionPolicy,
        at: impl Fn(&str) -> Option<Place>,
    ) -> Result<TokenIssuer, Error> {
        let (keys, key) = self.keys(permissions, &at)?;
        let role = one_of("role", self.role, self.role_claim.as_ref());
        let tenant = one_of("tenant", self.tenant.clone(), self.tenant_claim.as_ref());
        let opened = TokenIssuer::open(IssuerSettings {
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            keys,
            role: role.map_err(|error| error.at(at("role")))?,
            roles: self.roles.clone(),
            tenant: tenant.map_err(|error| error.at(at("tenant")))?,
            tenants: self.tenants.clone(),
            models_claim: self.models_claim.clone(),
        });
        opened.map_err(|error| {
            let key = if error.code() == "usage.token-settings" {
                "issuer"
            } else {
                key
            };
            Error::from(error).at(at(key))
        })
    }

    /// Returns the keys, and the key of the table that names them.
    fn keys(
        &self,
        permissions: &PermissionPolicy,
        at: &dyn Fn(&str) -> Option<Place>,
    ) -> Result<(IssuerKeys, &'static str), Error> {
        let wrong = |key: &str, message: String| Err(Error::Setting(message).at(at(key)));
        let secret = SecretSource::one_of(
            "secret",
            self.secret_env.as_ref(),
            self.secret_file.as_ref(),
            self.secret_credential.as_ref(),
        );
        let secret = secret.map_err(|error| error.at(at(self.secret_key())))?;
        let name = self.algorithm;
        let algorithm = match name {
            TokenAlgorithm::EdDsa => PublicAlgorithm::EdDsa,
            TokenAlgorithm::Es256 => PublicAlgorithm::Es256,
            TokenAlgorithm::Rs256 => PublicAlgorithm::Rs256,
            TokenAlgorithm::Hs256 => return self.shared(secret, permissions, at),
        };
        if secret.is_some() {
            let message =
                format!("{name} has public keys and no secret; name their file with `jwks`");
            return wrong(self.secret_key(), message);
        }
        let Some(path) = self.jwks.clone() else {
            let message =
                format!("{name} needs the issuer's public keys; name their file with `jwks`");
            return wrong("algorithm", message);
        };
        let file = KeySetFile {
            path,
            permissions: permissions.clone(),
            algorithm,
        };
        Ok((IssuerKeys::File(file), "jwks"))
    }

    fn shared(
        &self,
        secret: Option<SecretSource>,
        permissions: &PermissionPolicy,
        at: &dyn Fn(&str) -> Option<Place>,
    ) -> Result<(IssuerKeys, &'static str), Error> {
        let wrong = |key: &str, message: &str| {
            let error = Error::Setting(message.to_owned());
            Err(error.at(at(key)))
        };
        if self.jwks.is_some() {
            return wrong(
                "jwks",
                "HS256 has a secret and no public keys: whoever knew the file could make tokens; leave `jwks` out, and \
                 name the secret with `secret-env`, `secret-file` or `secret-credential`",
            );
        }
        let Some(secret) = secret else {
            return wrong(
                "algorithm",
                "HS256 needs the secret that the issuer shares with this server; name it with `secret-env`, \
                 `secret-file` or `secret-credential`",
            );
        };
        let key = self.secret_key();
        let secret = secret.read("the secret of an issuer of tokens", permissions);
        let secret = secret.map_err(|error| error.at(at(key)))?.parse();
        let secret = secret.map_err(|error: ParseError| {
            let error = Error::Setting(error.to_string());
            error.at(at(key))
        })?;
        Ok((IssuerKeys::Shared(secret), key))
    }

    /// Returns the key of the file that names the secret.
    fn secret_key(&self) -> &'static str {
        match (&self.secret_env, &self.secret_file) {
            (Some(_), _) => "secret-env",
            (None, Some(_)) => "secret-file",
            (None, None) => "secret-credential",
        }
    }
}

/// Returns the value for all callers, or the claim with each caller's own.
fn one_of<T>(name: &str, always: Option<T>, claim: Option<&String>) -> Result<Given<T>, Error> {
    match (always, claim) {
        (Some(value), None) => Ok(Given::Always(value)),
        (None, Some(claim)) => Ok(Given::Claim(claim.clone())),
        _ => Err(Error::Setting(format!(
            "expected either `{name}`, the same for all callers of the issuer, or `{name}-claim`, the claim with each \
             caller's own"
        ))),
    }
}
