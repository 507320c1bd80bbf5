//! The cache's directory, opened, with its key.

use std::io;
use std::time::{Duration, SystemTime};

use ampoule_sandbox::Result;
use ampoule_sandbox::code::facts::CompiledFacts;
use ampoule_sandbox::code::native_code::{NativeCode, Voucher};
use ampoule_signing::{PrivateDirectory, PrivateFile, PrivateLock};

use crate::code::cache::bounds::{Bounds, is_left_draft};
use crate::code::cache::entry::{self, BadEntry, Header, NewEntry, ReadError};
use crate::code::cache::key::CacheKey;
use crate::code::identity::CodeIdentity;
use crate::refusal::OrRefused as _;

pub(super) const ENTRY_SUFFIX: &str = ".code";
const LOCK_SUFFIX: &str = ".lock";

/// An opened cache.
pub(crate) struct OpenCache {
    pub(super) directory: PrivateDirectory,
    pub(super) key: CacheKey,
    pub(super) bounds: Bounds,
}

/// Outcome of a lookup.
pub(crate) enum Lookup {
    /// Authentic code. The entry is marked as used now.
    Hit(NativeCode, CompiledFacts),
    /// No entry.
    Miss,
    /// An entry that must not be run. It was removed.
    Bad(BadEntry),
    /// An entry that cannot be opened. It stays.
    Unreadable(String),
}

impl OpenCache {
    /// Waits until nobody else makes the entry for this code; `None` when the wait was given up.
    pub(crate) fn lock(
        &self,
        identity: &CodeIdentity,
        patience: Duration,
        is_wanted: impl Fn() -> bool,
    ) -> io::Result<Option<PrivateLock<'_>>> {
        self.directory
            .lock(&format!("{identity}{LOCK_SUFFIX}"), patience, is_wanted)
    }

    /// Looks the code of this identity up.
    pub(crate) fn get(&self, identity: &CodeIdentity) -> Lookup {
        let name = name_of(identity);
        let (mut file, length) = match self.directory.open_file(&name) {
            Ok(None) => return Lookup::Miss,
            Ok(Some(opened)) => opened,
            Err(error) => return Lookup::Unreadable(error.to_string()),
        };
        match entry::read(&self.key, &identity.to_string(), &mut file, length) {
            Ok((header, code)) => {
                // The access time is no help: most systems note it once a day, some never. Where this fails, as on a
                // file system that is read-only, nothing can be evicted either.
                if let Err(error) = file.set_modified(SystemTime::now()) {
                    tracing::debug!(
                        target: "ampoule::cache",
                        %identity, %error,
                        "the use of an entry cannot be marked"
                    );
                }
                Lookup::Hit(
                    NativeCode::vouched_for(Voucher::AuthenticatedCache, code),
                    header.facts,
                )
            }
            Err(ReadError::System(reason)) => Lookup::Unreadable(reason),
            Err(ReadError::Bad(reason)) => {
                // If it cannot be removed, it is replaced, or refused again.
                let _ = self.directory.remove(&name);
                Lookup::Bad(reason)
            }
        }
    }

    /// Adds code that was just compiled.
    ///
    /// # Errors
    ///
    /// The system's, and one for an entry that is over the cache's bound by itself: it would evict all others.
    pub(crate) fn put(
        &self,
        identity: &CodeIdentity,
        model: &str,
        code: &NativeCode,
        facts: &CompiledFacts,
    ) -> io::Result<()> {
        let entry = NewEntry::new(&self.key, identity.to_string(), model, code.file(), facts)?;
        if entry.size() > self.bounds.size {
            return Err(io::Error::other(format!(
                "the entry takes {}, and the cache's bound on all entries is {}: raise the bound",
                entry.size(),
                self.bounds.size
            )));
        }
        self.directory
            .put(&name_of(identity), |file| entry.write(file))
    }

    /// Removes what is over the bounds, but not the entry of `added`, which was just added. A failure is logged.
    pub(crate) fn evict_others(&self, added: &CodeIdentity) {
        let name = name_of(added);
        if let Err(error) = evict(&self.directory, self.bounds, Some(&name)) {
            tracing::warn!(
                target: "ampoule::cache",
                code = error.code(), %error,
                "the cache of compiled models: its size is not bounded now"
            );
        }
    }

    /// Reads an entry, and checks its authentication code.
    pub(super) fn verify(&self, name: &str) -> Result<Header, BadEntry> {
        let (mut file, length) = open_entry(&self.directory, name)?;
        let identity = name.strip_suffix(ENTRY_SUFFIX).unwrap_or(name);
        entry::read(&self.key, identity, &mut file, length)
            .map(|(header, _)| header)
            .map_err(ReadError::into_reason)
    }
}

/// Reads an entry's header, **unverified**.
pub(super) fn read_header(directory: &PrivateDirectory, name: &str) -> Result<Header, BadEntry> {
    let (mut file, length) = open_entry(directory, name)?;
    Header::read_unverified(&mut file, length)
}

/// Removes the entries that are over the bounds, the drafts of killed processes, and the locks that nobody holds.
/// Returns the entries that are gone. A file that cannot be removed is logged and left. It is no error when another
/// process has removed a file first, or reads it: a reader has it open.
pub(super) fn evict(
    directory: &PrivateDirectory,
    bounds: Bounds,
    kept: Option<&str>,
) -> Result<Vec<PrivateFile>> {
    let now = SystemTime::now();
    let files = directory.files().or_refused()?;
    let remove = |file: &PrivateFile| {
        let removed = directory.remove(&file.name);
        if let Err(error) = &removed {
            tracing::warn!(
                target: "ampoule::cache",
                file = file.name, %error,
                "the cache of compiled models: a file cannot be removed"
            );
        }
        removed.is_ok()
    };
    for file in &files {
        if is_left_draft(file, now) {
            remove(file);
        } else if file.name.ends_with(LOCK_SUFFIX) {
            // Dropping a lock removes its file. A lock that somebody holds, and what is none, stays.
            drop(directory.lock(&file.name, Duration::ZERO, || true));
        }
    }
    let entries = files.iter().filter(|file| is_entry(file));
    let mut evicted = bounds.evicted(entries, kept, now);
    evicted.retain(|entry| remove(entry));
    for entry in &evicted {
        tracing::info!(
            target: "ampoule::cache",
            entry = entry.name, size = %entry.size,
            "the cache of compiled models: an entry was evicted"
        );
    }
    Ok(evicted.into_iter().cloned().collect())
}

pub(super) fn is_entry(file: &PrivateFile) -> bool {
    file.name.ends_with(ENTRY_SUFFIX)
}

fn open_entry(directory: &PrivateDirectory, name: &str) -> Result<(std::fs::File, u64), BadEntry> {
    directory
        .open_file(name)
        .map_err(|error| error.to_string())?
        .ok_or_else(|| "it is gone".to_owned())
}

fn name_of(identity: &CodeIdentity) -> String {
    format!("{identity}{ENTRY_SUFFIX}")
}
