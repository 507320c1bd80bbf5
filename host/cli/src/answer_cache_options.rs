//! Settings of the cache of answers.

use std::path::PathBuf;

use ampoule::ByteSize;
use serde::Deserialize;

use crate::age::Age;
use crate::config_value::from_text;

/// Each setting that the file gives under `[answer-cache]`. The table alone turns the cache on.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct AnswerCacheOptions {
    /// Bytes of all answers; 256 MiB by default.
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) bytes: Option<ByteSize>,
    /// Bytes of one tenant's answers; 64 MiB by default, and no more than `bytes`.
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) tenant_bytes: Option<ByteSize>,
    /// Age at which an answer goes; an hour by default.
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) age: Option<Age>,
    /// Directory of the answers, which is made if need be. Without it they are in memory.
    pub(crate) directory: Option<PathBuf>,
    /// File with the key from which each tenant's is derived. With it the answers in the directory outlive the server.
    pub(crate) key_file: Option<PathBuf>,
}
