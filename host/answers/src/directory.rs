//! Entries as files of a private directory, one a file. Whatever lies in there is hostile until it was opened.

use std::io::{self, Read as _, Write as _};

use ampoule_signing::{GuardedDirectory, GuardedLock, Location, PrivateDirectory, PrivateFile};
use ampoule_units::hex;

use crate::entry::{Header, MAX_ANSWER_BYTES, SEAL_BYTES};
use crate::error::Result;
use crate::tenant_key::TenantId;

/// Name of the directory in messages.
const WHAT: &str = "the answers' directory";
/// The file that a server locks for as long as it runs.
const LOCK_FILE: &str = "lock";
/// Bytes of the largest entry. A longer file is no entry.
const MAX_ENTRY_BYTES: u64 = (MAX_ANSWER_BYTES + SEAL_BYTES) as u64;

/// A directory of entries, which no other process uses meanwhile.
#[derive(Debug)]
pub(crate) struct EntryDirectory {
    directory: PrivateDirectory,
    _lock: GuardedLock,
}

/// A file that was found, with its unverified header.
#[derive(Debug)]
pub(crate) struct FoundEntry {
    pub(crate) place: EntryPlace,
    pub(crate) header: Header,
    pub(crate) bytes: u64,
}

/// Place of an entry: its tenant, and the hash of its request.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct EntryPlace {
    pub(crate) tenant: TenantId,
    pub(crate) digest: [u8; 32],
}

impl std::fmt::Debug for EntryPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name())
    }
}

impl EntryPlace {
    /// Returns the name of the entry's file.
    fn name(self) -> String {
        let mut name = format!("{}-", self.tenant);
        // Writing to a text cannot fail.
        let _ = hex::write(&self.digest, &mut name);
        name
    }

    fn read(name: &str) -> Option<Self> {
        let (tenant, digest) = name.split_once('-')?;
        Some(Self {
            tenant: TenantId::read(tenant)?,
            digest: hex::read(digest)?,
        })
    }
}

impl EntryDirectory {
    /// Opens the directory, or makes it, and locks it.
    ///
    /// # Errors
    ///
    /// `trust.owner` and `trust.permissions` where others may change it, `io.locked` where another process uses
    /// it, `io.failed`.
    pub(crate) fn open(location: Location<'_>) -> Result<Self> {
        let directory = PrivateDirectory::make(location.clone(), WHAT)?;
        let lock = GuardedDirectory::make(location, WHAT)?.lock(LOCK_FILE)?;
        Ok(Self {
            directory,
            _lock: lock,
        })
    }

    /// Removes all entries, and the files that a killed process was writing. Other files stay: the operator may have
    /// named a wrong directory.
    pub(crate) fn empty(&self) -> Result<()> {
        for file in self.directory.files()? {
            if file.is_draft || EntryPlace::read(&file.name).is_some() {
                self.remove_file(&file.name);
            }
        }
        Ok(())
    }

    /// Lists the entries, the oldest first, and removes files that cannot be any.
    pub(crate) fn entries(&self) -> Result<Vec<FoundEntry>> {
        let mut files = self.directory.files()?;
        files.sort_by(|a, b| (a.modified, &a.name).cmp(&(b.modified, &b.name)));
        let mut found = Vec::new();
        for file in files {
            let Some(place) = EntryPlace::read(&file.name) else {
                if file.is_draft {
                    self.remove_file(&file.name);
                }
                continue;
            };
            match self.header_of(&file) {
                Some(header) => found.push(FoundEntry {
                    place,
                    header,
                    bytes: file.size.bytes(),
                }),
                None => self.remove_file(&file.name),
            }
        }
        Ok(found)
    }

    fn header_of(&self, file: &PrivateFile) -> Option<Header> {
        if file.size.bytes() > MAX_ENTRY_BYTES {
            return None;
        }
        let (opened, _) = self.directory.open_file(&file.name).ok()??;
        let mut start = Vec::with_capacity(SEAL_BYTES);
        opened
            .take(SEAL_BYTES as u64)
            .read_to_end(&mut start)
            .ok()?;
        Header::read_unverified(&start)
    }

    /// Reads an entry.
    ///
    /// # Errors
    ///
    /// The reason why there is none, for the operator.
    pub(crate) fn read(&self, place: EntryPlace) -> Result<Vec<u8>, String> {
        let opened = self.directory.open_file(&place.name());
        let (file, length) = opened
            .map_err(|error| error.to_string())?
            .ok_or("its file is gone")?;
        if length > MAX_ENTRY_BYTES {
            return Err(format!("its file has {length} bytes, more than any entry"));
        }
        let mut bytes = Vec::new();
        // The file may have grown meanwhile.
        let mut bounded = file.take(MAX_ENTRY_BYTES);
        let read = bounded.read_to_end(&mut bytes);
        read.map_err(|error| error.kind().to_string())?;
        Ok(bytes)
    }

    pub(crate) fn write(&self, place: EntryPlace, sealed: &[u8]) -> io::Result<()> {
        self.directory
            .put(&place.name(), |file| file.write_all(sealed))
    }

    pub(crate) fn remove(&self, place: EntryPlace) {
        self.remove_file(&place.name());
    }

    /// Removes a file. One that stays is no entry any more: nothing in memory tells of it until the next start.
    fn remove_file(&self, name: &str) {
        if let Err(error) = self.directory.remove(name) {
            tracing::warn!(
                target: "ampoule::answers",
                file = name, %error,
                "a file of the cache of answers cannot be removed"
            );
        }
    }
}
