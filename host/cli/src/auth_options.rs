//! Options of who may ask the server.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use ampoule_access::{KeyName, Role};
use ampoule_server::Subject;
use clap::Args;
use serde::Deserialize;

use crate::age::Age;
use crate::config_value::{from_text, required, tables};
use crate::error::Error;
use crate::secret_source::SecretSource;
use crate::token_options::TokenOptions;

/// The longest time that a token may count for, by default.
const DEFAULT_SESSION: Duration = Duration::from_secs(2 * 60 * 60);
/// The longest time that may be chosen: nothing ends a token before its own end.
const MAX_SESSION: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Each setting that is given. In the file, under `[auth]`, the names are those of the options.
#[derive(Debug, Default, Clone, Args, Deserialize)]
#[command(next_help_heading = "Callers")]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct AuthOptions {
    /// Key directory, which `ampoule keys` makes. Every caller needs one of its API keys, except for probes. By default
    /// callers need none.
    #[arg(long, value_name = "DIR", env = "AMPOULE_KEYS")]
    keys: Option<PathBuf>,

    /// Role of callers without a key: none, list or infer [default: none]. They need limits of each address, under
    /// `[rate-limits]` in the configuration file.
    #[arg(long, value_name = "ROLE", env = "AMPOULE_ANONYMOUS_ROLE")]
    #[serde(default, deserialize_with = "from_text")]
    anonymous_role: Option<AnonymousRole>,

    /// Variable with the MAC key of the key directory, where the server may not read the file.
    #[arg(skip)]
    mac_key_env: Option<String>,

    /// Another file with the MAC key of the key directory.
    #[arg(skip)]
    mac_key_file: Option<PathBuf>,

    /// Credential of the service manager with the MAC key of the key directory.
    #[arg(skip)]
    mac_key_credential: Option<String>,

    /// The longest time that a token may count for.
    #[arg(skip)]
    #[serde(default, deserialize_with = "from_text")]
    session_timeout: Option<Age>,

    /// Issuers whose tokens are accepted.
    #[arg(skip)]
    #[serde(default, rename = "jwt", deserialize_with = "tables")]
    issuers: Vec<TokenOptions>,

    /// The configuration file's tables `[[auth.certificate]]`.
    #[arg(skip)]
    #[serde(default, rename = "certificate", deserialize_with = "tables")]
    certificates: Vec<CertificateOptions>,
}

/// A key that stands for those who hold a certificate.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct CertificateOptions {
    /// Subject of the certificate.
    #[serde(deserialize_with = "required")]
    pub(crate) subject: Subject,
    /// Name of the key.
    #[serde(deserialize_with = "required")]
    pub(crate) key: KeyName,
}

/// Role of callers without a credential; `None` where they are not let in.
#[derive(Debug, Clone, Copy)]
struct AnonymousRole(Option<Role>);

impl FromStr for AnonymousRole {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self(None)),
            "list" => Ok(Self(Some(Role::List))),
            "infer" => Ok(Self(Some(Role::Infer))),
            _ => {
                let found = ampoule::harmless_text(text);
                Err(format!(
                    "expected a role for callers without a key, none, list or infer, found `{found}`"
                ))
            }
        }
    }
}

impl AuthOptions {
    /// Returns these settings, and those of `file` where these have none. Some are in the file only.
    pub(crate) fn or(self, file: Self) -> Self {
        Self {
            keys: self.keys.or(file.keys),
            anonymous_role: self.anonymous_role.or(file.anonymous_role),
            ..file
        }
    }

    /// Returns the key directory, if there is to be one.
    pub(crate) fn keys(&self) -> Option<&Path> {
        self.keys.as_deref()
    }

    /// Returns the role of callers without a credential, if they are let in.
    pub(crate) fn strangers(&self) -> Option<Role> {
        self.anonymous_role.and_then(|role| role.0)
    }

    /// Returns the place of the MAC key; `None` for the key directory itself.
    pub(crate) fn mac_key(&self) -> Result<Option<SecretSource>, Error> {
        SecretSource::one_of(
            "mac-key",
            self.mac_key_env.as_ref(),
            self.mac_key_file.as_ref(),
            self.mac_key_credential.as_ref(),
        )
    }

    /// Returns the key of the file that names the MAC key's place.
    pub(crate) fn mac_key_setting(&self) -> &'static str {
        match (&self.mac_key_env, &self.mac_key_file) {
            (Some(_), _) => "auth.mac-key-env",
            (None, Some(_)) => "auth.mac-key-file",
            (None, None) => "auth.mac-key-credential",
        }
    }

    /// Returns the issuers whose tokens are accepted.
    pub(crate) fn issuers(&self) -> &[TokenOptions] {
        &self.issuers
    }

    /// Returns the longest time that a token may count for.
    pub(crate) fn session(&self) -> Result<Duration, Error> {
        let Some(Age(session)) = self.session_timeout else {
            return Ok(DEFAULT_SESSION);
        };
        if self.issuers.is_empty() {
            return Err(Error::Setting(
                "session-timeout is for tokens, and no issuer of tokens is named; add a table [[auth.jwt]]".to_owned(),
            ));
        }
        if session > MAX_SESSION {
            return Err(Error::Setting(
                "expected a time of at most 7d: nothing ends a token before its own end".to_owned(),
            ));
        }
        Ok(session)
    }

    /// Returns the keys that stand for certificates.
    pub(crate) fn certificates(&self) -> &[CertificateOptions] {
        &self.certificates
    }
}
