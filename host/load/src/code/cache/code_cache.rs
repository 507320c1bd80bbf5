//! The cache as an embedder sets it up, and as `ampoule cache` looks after it.
//!
//! Whoever can write native code that the engine takes can do anything that this process can. An entry is therefore
//! believed only when its message authentication code is right, made with a key that lies in the same directory and
//! that only this user can read. The code that is authenticated is a sealed copy in memory, which is then run.

use std::path::PathBuf;
use std::time::Duration;

use ampoule_sandbox::{Error, Result};
use ampoule_signing::{ByteSize, PermissionPolicy, PrivateDirectory, PrivateFile, Timestamp};
use serde::Serialize;

use crate::code::cache::bounds::Bounds;
use crate::code::cache::entry::{BadEntry, Header};
use crate::code::cache::key::CacheKey;
use crate::code::cache::open_cache::{ENTRY_SUFFIX, OpenCache, evict, is_entry, read_header};
use crate::refusal::OrRefused as _;

/// Cache of compiled models in a directory of this user's. It can be deleted at any time.
///
/// When an entry is added, the least recently used ones go, until all together are within the bounds: 8 GiB, and 90
/// days since an entry was used, unless set otherwise.
#[derive(Clone, Debug)]
pub struct CodeCache {
    directory: PathBuf,
    makes_those_above: bool,
    permissions: PermissionPolicy,
    bounds: Bounds,
}

/// One entry, as `ampoule cache list` shows it.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct CacheEntry {
    /// Digest of everything that the code was made of.
    pub identity: String,
    /// The model that the entry was made for: `acme/minilm 1.0.0`.
    pub model: String,
    /// Time at which the entry was made.
    pub created: Timestamp,
    /// Time at which a model was last loaded from the entry, or the time at which the entry was made.
    pub used: Timestamp,
    /// Length of the whole file.
    pub size: ByteSize,
    /// Reason why the entry would not be run; `None` for a good one.
    pub problem: Option<String>,
}

impl CodeCache {
    /// Makes a cache in this directory. It need not be there yet, but the directory above it has to be. Nothing is
    /// opened before it is needed.
    #[must_use]
    pub fn in_directory(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            makes_those_above: false,
            permissions: PermissionPolicy::default(),
            bounds: Bounds::default(),
        }
    }

    /// Makes missing directories above the cache's directory too: for a path that nobody typed, such as one below the
    /// user's home.
    #[must_use]
    pub fn making_those_above(mut self) -> Self {
        self.makes_those_above = true;
        self
    }

    /// Sets what is done when others may change the directory or a directory above it.
    #[must_use]
    pub fn with_permissions(mut self, permissions: PermissionPolicy) -> Self {
        self.permissions = permissions;
        self
    }

    /// Bounds the size of all entries together; 8 GiB by default. The bound is soft: a new entry is written before
    /// older ones go. A model whose entry is over the bound by itself is not kept, which is logged at `warn`.
    #[must_use]
    pub fn with_max_size(mut self, size: ByteSize) -> Self {
        self.bounds.size = size;
        self
    }

    /// Bounds the time since an entry was last used; 90 days by default.
    #[must_use]
    pub fn with_max_age(mut self, age: Duration) -> Self {
        self.bounds.age = age;
        self
    }

    /// Reads every entry whole, checks it, and returns what the cache holds. Nothing counts as used.
    ///
    /// # Errors
    ///
    /// `trust.owner`, `trust.permissions`, `io.failed`.
    pub fn verify(&self) -> Result<Vec<CacheEntry>> {
        let opened = self.open()?;
        list(&opened.directory, |name| opened.verify(name))
    }

    /// Returns what the cache holds, as the entries say themselves, **unverified**.
    ///
    /// # Errors
    ///
    /// As [`CodeCache::verify`].
    pub fn list(&self) -> Result<Vec<CacheEntry>> {
        let directory = self.directory()?;
        list(&directory, |name| read_header(&directory, name))
    }

    /// Evicts the least recently used entries until the others are within the bounds. Returns those that are gone, as
    /// they said themselves, **unverified**. An entry that cannot be removed is logged and left.
    ///
    /// # Errors
    ///
    /// As [`CodeCache::verify`].
    pub fn prune(&self) -> Result<Vec<CacheEntry>> {
        let directory = self.directory()?;
        let mut entries = list(&directory, |name| read_header(&directory, name))?;
        let evicted = evict(&directory, self.bounds, None)?;
        entries.retain(|entry| {
            let is_it = |file: &PrivateFile| identity_of(file) == entry.identity;
            evicted.iter().any(is_it)
        });
        Ok(entries)
    }

    /// Removes every entry and the key, damaged ones too. Returns how many entries there were.
    ///
    /// # Errors
    ///
    /// As [`CodeCache::verify`].
    pub fn clear(&self) -> Result<usize> {
        let directory = self.directory()?;
        let mut removed = 0;
        for name in directory.names().or_refused()? {
            removed += usize::from(name.ends_with(ENTRY_SUFFIX));
            let removed = directory.remove(&name);
            removed.map_err(|error| Error::system("clear the cache", &error))?;
        }
        Ok(removed)
    }

    /// Opens the directory and reads the key, making both if need be.
    pub(crate) fn open(&self) -> Result<OpenCache> {
        let directory = self.directory()?;
        let key = CacheKey::read_or_make(&directory)?;
        Ok(OpenCache {
            directory,
            key,
            bounds: self.bounds,
        })
    }

    fn directory(&self) -> Result<PrivateDirectory> {
        let location = self.permissions.at(&self.directory);
        let opened = if self.makes_those_above {
            PrivateDirectory::make_all(location, "the cache directory")
        } else {
            PrivateDirectory::make(location, "the cache directory")
        };
        opened.or_refused()
    }
}

/// Lists the directory's entries, each with the header that `read` returns, or the reason why it returns none.
fn list(
    directory: &PrivateDirectory,
    read: impl Fn(&str) -> Result<Header, BadEntry>,
) -> Result<Vec<CacheEntry>> {
    let files = directory.files().or_refused()?;
    let entries = files.into_iter().filter(is_entry).map(|file| {
        let (model, created, problem) = match read(&file.name) {
            Ok(header) => (header.model, header.created, None),
            Err(reason) => (String::new(), Timestamp::default(), Some(reason)),
        };
        CacheEntry {
            identity: identity_of(&file).to_owned(),
            model,
            created,
            used: Timestamp::try_from(file.modified).unwrap_or_default(),
            size: file.size,
            problem,
        }
    });
    Ok(entries.collect())
}

fn identity_of(entry: &PrivateFile) -> &str {
    let name = entry.name.as_str();
    name.strip_suffix(ENTRY_SUFFIX).unwrap_or(name)
}
