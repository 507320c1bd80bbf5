//! Native code kept from one run of a program to the next (ahead-of-time compilation).
//!
//! Whoever can write native code that the engine takes can do anything that this process can. So an entry
//! is believed only when its message authentication code (HMAC-SHA-256, RFC 2104) is right, made with a key
//! that lies in the same directory and that only this user can read; and what is authenticated is a sealed
//! copy in memory, which is the one that is then run.
//!
//! An entry is `MAGIC`, the length of the header (4 bytes, little-endian), the header (JSON), the
//! authentication code (32 bytes), and the code to the file's end. What is authenticated is everything
//! before the authentication code, and the SHA-256 digest of every 4 MiB of code, so that all cores can
//! work on it.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::time::Duration;

use ampoule_signing::{
    ByteSize, LOCK_PATIENCE, PermissionPolicy, PrivateDirectory, PrivateLock, Timestamp,
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::code::identity::CodeIdentity;
use crate::refusal::OrRefused as _;
use ampoule_sandbox::code::facts::CompiledFacts;
use ampoule_sandbox::code::native_code::NativeCode;
use ampoule_sandbox::code::sealed_file::SealedFile;
use ampoule_sandbox::{Error, Result};

const MAGIC: &[u8; 8] = b"ampcode1";
/// What a header is at most: some facts, and what a guest has logged.
const MAX_HEADER_BYTES: u32 = 4 << 20;
const MAC_BYTES: usize = 32;
const KEY_FILE: &str = "key";
/// One block of SHA-256, so that HMAC uses all of it as it is.
const KEY_BYTES: usize = 64;
/// What two processes take turns on to make the key.
const KEY_LOCK: &str = "key.lock";
const ENTRY_SUFFIX: &str = ".code";
/// How much code one digest is over.
const CHUNK: usize = 4 << 20;

/// The cache in a directory of this user's. It can be deleted at any time.
#[derive(Clone, Debug)]
pub struct CodeCache {
    directory: PathBuf,
    permissions: PermissionPolicy,
}

/// One entry, as `ampoule cache list` shows it.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct CacheEntry {
    /// The digest over all that the code was made of.
    pub identity: String,
    /// The model that it was made for: `acme/minilm 1.0.0`.
    pub model: String,
    /// When.
    pub created: Timestamp,
    /// The length of the whole file.
    pub size: ByteSize,
    /// Why it would not be run; `None` when it would be.
    pub problem: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    identity: String,
    model: String,
    created: Timestamp,
    facts: CompiledFacts,
    code_bytes: u64,
}

impl CodeCache {
    /// The cache in this directory, which need not be there yet. Nothing is opened before it is needed.
    #[must_use]
    pub fn in_directory(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            permissions: PermissionPolicy::default(),
        }
    }

    /// Says what is done when others may change the directory or what is above it.
    #[must_use]
    pub fn with_permissions(mut self, permissions: PermissionPolicy) -> Self {
        self.permissions = permissions;
        self
    }

    /// What is in it, checked: every entry is read whole.
    ///
    /// # Errors
    ///
    /// `trust.owner`, `trust.permissions`, `io.failed`.
    pub fn verify(&self) -> Result<Vec<CacheEntry>> {
        let opened = self.open()?;
        entries(&opened.directory, |name| {
            let (file, length) = open_entry(&opened.directory, name)?;
            opened.read(name, file, length).map(|(header, _)| header)
        })
    }

    /// What is in it, as the entries say themselves, **unverified**.
    ///
    /// # Errors
    ///
    /// As [`CodeCache::verify`].
    pub fn list(&self) -> Result<Vec<CacheEntry>> {
        let directory = self.directory()?;
        entries(&directory, |name| {
            let (mut file, length) = open_entry(&directory, name)?;
            Ok(Preface::read(&mut file, length)?.header)
        })
    }

    /// Removes every entry and the key, whatever is wrong with them. Returns how many entries there were.
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
        let key = read_key(&directory)?;
        Ok(OpenCache { directory, key })
    }

    fn directory(&self) -> Result<PrivateDirectory> {
        let location = self.permissions.at(&self.directory);
        PrivateDirectory::make(location, "the cache directory").or_refused()
    }
}

/// What is in the directory, each entry with the header that `read` gives or the reason why it gives none.
fn entries(
    directory: &PrivateDirectory,
    read: impl Fn(&str) -> Result<Header, BadEntry>,
) -> Result<Vec<CacheEntry>> {
    let mut entries = Vec::new();
    for name in directory.names().or_refused()? {
        let Some(identity) = name.strip_suffix(ENTRY_SUFFIX) else {
            continue;
        };
        // One that cannot be opened is told of by `read`, and the others are shown all the same.
        let size = open_entry(directory, &name).map_or(0, |(_, size)| size);
        let (model, created, problem) = match read(&name) {
            Ok(header) => (header.model, header.created, None),
            Err(reason) => (String::new(), Timestamp::default(), Some(reason)),
        };
        entries.push(CacheEntry {
            identity: identity.to_owned(),
            model,
            created,
            size: ByteSize::from_bytes(size),
            problem,
        });
    }
    Ok(entries)
}

fn open_entry(directory: &PrivateDirectory, name: &str) -> Result<(File, u64), BadEntry> {
    directory
        .open_file(name)
        .map_err(|error| error.to_string())?
        .ok_or_else(|| "it is gone".to_owned())
}

/// The key of this cache, made by whoever needs it first.
fn read_key(directory: &PrivateDirectory) -> Result<[u8; KEY_BYTES]> {
    let unlocked = stored_key(directory)?;
    if let Some(key) = unlocked {
        return Ok(key);
    }
    let failed = |error: io::Error| Error::system("make the cache's key", &error);
    let turn = directory.lock(KEY_LOCK, LOCK_PATIENCE, || true);
    let _turn = turn
        .map_err(failed)?
        .ok_or_else(|| ampoule_signing::Error::Locked {
            what: "the cache of compiled models".to_owned(),
            waited: LOCK_PATIENCE,
        })
        .or_refused()?;
    if let Some(key) = stored_key(directory)? {
        return Ok(key);
    }
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(|_| Error::internal("no random numbers"))?;
    directory
        .put(KEY_FILE, |file| file.write_all(&key))
        .map_err(failed)?;
    Ok(key)
}

/// A key of another length is no key: entries that were made with it, if any, are made again.
fn stored_key(directory: &PrivateDirectory) -> Result<Option<[u8; KEY_BYTES]>> {
    let Some((mut file, length)) = directory.open_file(KEY_FILE).or_refused()? else {
        return Ok(None);
    };
    let mut key = [0; KEY_BYTES];
    if length != KEY_BYTES as u64 || file.read_exact(&mut key).is_err() {
        return Ok(None);
    }
    Ok(Some(key))
}

/// Why an entry is not used. It is removed and made again.
pub(crate) type BadEntry = String;

/// The cache's directory, opened, with its key.
pub(crate) struct OpenCache {
    directory: PrivateDirectory,
    key: [u8; KEY_BYTES],
}

/// What a lookup found.
pub(crate) enum Lookup {
    Hit(NativeCode, CompiledFacts),
    Miss,
    /// There was one that must not be run. It is gone now.
    Bad(BadEntry),
    /// There is one that cannot be opened. It stays.
    Unreadable(String),
}

impl OpenCache {
    /// Waits until nobody else makes the entry for this code; `None` when that was given up.
    pub(crate) fn lock(
        &self,
        identity: &CodeIdentity,
        patience: Duration,
        is_wanted: impl Fn() -> bool,
    ) -> io::Result<Option<PrivateLock<'_>>> {
        self.directory
            .lock(&format!("{identity}.lock"), patience, is_wanted)
    }

    /// The code of this identity.
    pub(crate) fn get(&self, identity: &CodeIdentity) -> Lookup {
        let name = format!("{identity}{ENTRY_SUFFIX}");
        let (file, length) = match self.directory.open_file(&name) {
            Ok(None) => return Lookup::Miss,
            Ok(Some(opened)) => opened,
            Err(error) => return Lookup::Unreadable(error.to_string()),
        };
        match self.read(&name, file, length) {
            Ok((header, code)) => Lookup::Hit(NativeCode::authenticated(code), header.facts),
            Err(reason) => {
                // If it cannot be removed, it is replaced, or refused again.
                let _ = self.directory.remove(&name);
                Lookup::Bad(reason)
            }
        }
    }

    /// Keeps code that was just compiled.
    pub(crate) fn put(
        &self,
        identity: &CodeIdentity,
        model: &str,
        code: &NativeCode,
        facts: &CompiledFacts,
    ) -> io::Result<()> {
        let code = code.file();
        let code_bytes = code.file().metadata()?.len();
        let header = Header {
            identity: identity.to_string(),
            model: model.to_owned(),
            created: ampoule_signing::now().map_err(io::Error::other)?,
            facts: facts.clone(),
            code_bytes,
        };
        let header = serde_json::to_vec(&header)?;
        let length = u32::try_from(header.len())
            .ok()
            .filter(|length| *length <= MAX_HEADER_BYTES)
            .ok_or_else(|| io::Error::other("the header is too long"))?;
        let preface = [&MAGIC[..], &length.to_le_bytes(), &header].concat();
        let digests = digests(code, code_bytes)?;
        let mac = self.authenticate(&preface, &digests).finalize();
        self.directory
            .put(&format!("{identity}{ENTRY_SUFFIX}"), |file| {
                file.write_all(&preface)?;
                file.write_all(&mac.into_bytes())?;
                io::copy(&mut code.reopen()?, file).map(drop)
            })
    }

    /// Copies an entry's code into a sealed file, and only then looks whether it is authentic.
    fn read(
        &self,
        name: &str,
        mut file: File,
        length: u64,
    ) -> Result<(Header, SealedFile), BadEntry> {
        let Preface { bytes, header, mac } = Preface::read(&mut file, length)?;
        let code =
            SealedFile::new(|sealed| io::copy(&mut file.take(header.code_bytes), sealed).map(drop))
                .map_err(|error| error.to_string())?;
        let digests = digests(&code, header.code_bytes).map_err(|error| error.to_string())?;
        self.authenticate(&bytes, &digests)
            .verify_slice(&mac)
            .map_err(|_| "its authentication code is wrong".to_owned())?;
        let identity = name.strip_suffix(ENTRY_SUFFIX).unwrap_or(name);
        if header.identity != identity {
            return Err("it is the entry of other code".to_owned());
        }
        Ok((header, code))
    }

    fn authenticate(&self, preface: &[u8], digests: &[[u8; 32]]) -> Hmac<Sha256> {
        // HMAC takes a key of any length.
        let mut mac = <Hmac<Sha256>>::new(&self.key.into());
        mac.update(preface);
        for digest in digests {
            mac.update(digest);
        }
        mac
    }
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The digests of a sealed file's chunks.
fn digests(code: &SealedFile, length: u64) -> io::Result<Vec<[u8; 32]>> {
    let file = code.file();
    if file.metadata()?.len() != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    (0..length.div_ceil(CHUNK as u64))
        .into_par_iter()
        .map(|index| {
            let start = index * CHUNK as u64;
            let mut chunk =
                vec![0; usize::try_from((length - start).min(CHUNK as u64)).unwrap_or(0)];
            file.read_exact_at(&mut chunk, start)?;
            Ok(digest(&chunk))
        })
        .collect()
}

/// What stands before the code.
struct Preface {
    /// What is authenticated of it.
    bytes: Vec<u8>,
    header: Header,
    mac: [u8; MAC_BYTES],
}

impl Preface {
    /// Reads it from the beginning of a file that is `length` bytes long.
    fn read(file: &mut File, length: u64) -> Result<Self, BadEntry> {
        let cut = |error: io::Error| format!("it is cut short: {error}");
        let mut bytes = vec![0; MAGIC.len() + 4];
        file.read_exact(&mut bytes).map_err(cut)?;
        let (magic, size) = bytes.split_at(MAGIC.len());
        let size = size.try_into().map_or(0, u32::from_le_bytes);
        if magic != MAGIC || size > MAX_HEADER_BYTES {
            return Err("it is no entry of this format".to_owned());
        }
        let begin = bytes.len();
        bytes.resize(begin + size as usize, 0);
        file.read_exact(&mut bytes[begin..]).map_err(cut)?;
        let mut mac = [0; MAC_BYTES];
        file.read_exact(&mut mac).map_err(cut)?;
        let header: Header = serde_json::from_slice(&bytes[begin..])
            .map_err(|error| format!("its header is malformed: {error}"))?;
        let rest = length.saturating_sub((bytes.len() + MAC_BYTES) as u64);
        if rest != header.code_bytes {
            return Err(format!(
                "it has {rest} bytes of code, and {} are expected",
                header.code_bytes
            ));
        }
        Ok(Self { bytes, header, mac })
    }
}
