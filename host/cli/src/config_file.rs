//! The configuration file.

use std::path::{Path, PathBuf};

use ampoule::{ByteSize, Capability, PermissionPolicy};
use ampoule_command_line::{about, shown_path};
use ampoule_signing::read_trusted_text;
use serde::Deserialize;

use crate::age::Age;
use crate::answer_cache_options::AnswerCacheOptions;
use crate::audit_options::AuditOptions;
use crate::auth_options::AuthOptions;
use crate::config_place::{ConfigText, Place};
use crate::config_value::{from_text, from_texts, tables};
use crate::error::Error;
use crate::limit_options::{LimitOptions, Resolution};
use crate::rate_limit_options::RateLimitOptions;
use crate::server_options::{ModelOptions, ServerOptions};
use crate::tls_options::TlsOptions;
use crate::token_options::TokenOptions;
use crate::unknown_key;

/// The largest configuration file that is read: a person writes a few lines.
const MAX_CONFIG_BYTES: u64 = 64 * 1024;

/// The values of the configuration file. Every key is an option's name.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ConfigFile {
    pub(crate) trust: Option<PathBuf>,
    pub(crate) state: Option<PathBuf>,
    pub(crate) cache: Option<PathBuf>,
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) cache_size: Option<ByteSize>,
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) cache_age: Option<Age>,
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) clock_resolution: Option<Resolution>,
    #[serde(default, deserialize_with = "from_texts")]
    pub(crate) allow: Option<Vec<Capability>>,
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) kernel_threads: Option<usize>,
    #[serde(default)]
    pub(crate) limits: LimitOptions,
    #[serde(default)]
    pub(crate) server: ServerOptions,
    #[serde(default)]
    pub(crate) auth: AuthOptions,
    /// Absent where no answers are kept.
    pub(crate) answer_cache: Option<AnswerCacheOptions>,
    #[serde(default)]
    pub(crate) audit: AuditOptions,
    #[serde(default)]
    pub(crate) rate_limits: RateLimitOptions,
    #[serde(default, rename = "model", deserialize_with = "tables")]
    pub(crate) models: Vec<ModelOptions>,
}

/// Returns the parser's message, with what helps to put an unknown key right.
fn explained(message: &str) -> String {
    let tables = [
        (
            "at the top, before the first table",
            unknown_key::keys_of::<ConfigFile>(),
        ),
        ("under `[server]`", unknown_key::keys_of::<ServerOptions>()),
        ("under `[server.tls]`", unknown_key::keys_of::<TlsOptions>()),
        ("under `[auth]`", unknown_key::keys_of::<AuthOptions>()),
        (
            "under `[[auth.jwt]]`",
            unknown_key::keys_of::<TokenOptions>(),
        ),
        (
            "under `[answer-cache]`",
            unknown_key::keys_of::<AnswerCacheOptions>(),
        ),
        ("under `[audit]`", unknown_key::keys_of::<AuditOptions>()),
        (
            "under `[rate-limits]`",
            unknown_key::keys_of::<RateLimitOptions>(),
        ),
        ("under `[limits]`", unknown_key::keys_of::<LimitOptions>()),
        ("under `[[model]]`", unknown_key::keys_of::<ModelOptions>()),
    ];
    unknown_key::explained(message, &tables)
}

/// Reads the configuration file.
pub(crate) fn read(
    path: &Path,
    permissions: &PermissionPolicy,
) -> Result<(ConfigFile, ConfigText), Error> {
    let file = shown_path(path);
    let text = read_trusted_text(
        permissions.at(path),
        "the configuration file",
        MAX_CONFIG_BYTES,
    );
    let text = text.map_err(|error| match error {
        ampoule_signing::Error::Io { source, .. } => {
            let place = Place {
                file: file.clone(),
                line: None,
                key: None,
            };
            Error::Config(place, format!("it cannot be read: {}", source.kind()))
        }
        refused => about(path)(refused).into(),
    })?;
    let config = ConfigText {
        file,
        text: text.to_string(),
    };
    // The message alone: with it comes the whole line that it is about, however long that is.
    let fault = |key: Option<&str>, error: &toml::de::Error| {
        Error::Config(config.place_of(error, key), explained(error.message()))
    };
    let parsed = toml::Deserializer::parse(&config.text).map_err(|error| fault(None, &error))?;
    let values = serde_path_to_error::deserialize(parsed).map_err(|error| {
        let key = error.path().to_string();
        fault((key != ".").then_some(&key), error.inner())
    })?;
    Ok((values, config))
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;

    use super::*;

    fn explained_by<T: DeserializeOwned>(line: &str) -> String {
        let refused = toml::from_str::<T>(line).err();
        explained(
            refused
                .map(|error| error.message().to_owned())
                .unwrap_or_default()
                .as_str(),
        )
    }

    #[test]
    fn an_unknown_key_is_told_where_it_belongs_or_which_one_is_meant() {
        for (told, expected) in [
            (
                explained_by::<ConfigFile>("[[models]]"),
                "; write `[[model]]`",
            ),
            (explained_by::<ConfigFile>("[model]"), "as in `[[model]]`"),
            (
                explained_by::<ServerOptions>("lissten = 1"),
                "; did you mean `listen`?",
            ),
            (
                explained_by::<ServerOptions>("memory = 1"),
                "; `memory` belongs under `[limits]`",
            ),
            (
                explained_by::<LimitOptions>("listen = 1"),
                "; `listen` belongs under `[server]`",
            ),
            (
                explained_by::<ServerOptions>("log-format = 1"),
                "--log-format",
            ),
            (
                explained_by::<ModelOptions>("aliases = 'a'"),
                "a list of texts, such as [\"a\", \"b\"]",
            ),
        ] {
            assert!(told.contains(expected), "{told}");
        }
        let strange = explained_by::<ServerOptions>("quite-different = 1");
        assert!(!strange.contains("; "), "{strange}");
    }
}
