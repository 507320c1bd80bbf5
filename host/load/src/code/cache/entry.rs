//! Format of a cache's entry, and its authentication.
//!
//! An entry is `MAGIC`, the length of the header (4 bytes, little-endian), the header (JSON), the
//! authentication code (32 bytes), and the code to the file's end. The authentication code covers everything
//! before itself, and the SHA-256 digest of every 4 MiB of code, so that all cores can
//! work on it.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::FileExt as _;

use ampoule_sandbox::code::facts::CompiledFacts;
use ampoule_sandbox::code::sealed_file::SealedFile;
use ampoule_signing::{ByteSize, Timestamp};
use hmac::{Hmac, Mac as _};
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::code::cache::key::CacheKey;

const MAGIC: &[u8; 8] = b"ampcode1";

/// Longest header: some facts, and the log of `init`, which
/// [`MAX_INIT_LOG`](ampoule_sandbox::limits::MAX_INIT_LOG) bounds. A file that claims a longer one would make the
/// host allocate it.
const MAX_HEADER_BYTES: u32 = 4 << 20;

const MAC_BYTES: usize = 32;

/// Bytes of code under one digest.
const CHUNK: usize = 4 << 20;

/// Reason why an entry is not used. Such an entry is removed and made again.
pub(super) type BadEntry = String;

/// The reason that an entry is not used this time.
pub(super) enum ReadError {
    /// The entry is wrong, and will be.
    Bad(BadEntry),
    /// The system did not read or copy it; the entry may be right.
    System(String),
}

impl From<BadEntry> for ReadError {
    fn from(reason: BadEntry) -> Self {
        Self::Bad(reason)
    }
}

impl ReadError {
    fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Bad(format!("it is cut short: {error}")),
            _ => Self::System(error.to_string()),
        }
    }

    /// Returns the reason for people.
    pub(super) fn into_reason(self) -> String {
        match self {
            Self::Bad(reason) | Self::System(reason) => reason,
        }
    }
}

/// Header of an entry.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub(super) identity: String,
    pub(super) model: String,
    pub(super) created: Timestamp,
    pub(super) facts: CompiledFacts,
    pub(super) code_bytes: u64,
}

impl Header {
    /// Reads the header of a file that is `length` bytes long. It is **unverified**.
    pub(super) fn read_unverified(file: &mut File, length: u64) -> Result<Self, BadEntry> {
        Ok(Preface::read(file, length)?.header)
    }
}

/// An entry that is about to be written.
pub(super) struct NewEntry<'c> {
    preface: Vec<u8>,
    mac: [u8; MAC_BYTES],
    code: &'c SealedFile,
    code_bytes: u64,
}

impl<'c> NewEntry<'c> {
    /// Authenticates the code and what is known of it.
    pub(super) fn new(
        key: &CacheKey,
        identity: String,
        model: &str,
        code: &'c SealedFile,
        facts: &CompiledFacts,
    ) -> io::Result<Self> {
        let code_bytes = code.file().metadata()?.len();
        let header = Header {
            identity,
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
        let mac = authenticate(key, &preface, &digests).finalize();
        Ok(Self {
            mac: mac.into_bytes().into(),
            preface,
            code,
            code_bytes,
        })
    }

    /// Returns the length of the whole file.
    pub(super) fn size(&self) -> ByteSize {
        let before = (self.preface.len() + MAC_BYTES) as u64;
        ByteSize::from_bytes(self.code_bytes.saturating_add(before))
    }

    pub(super) fn write(&self, file: &mut File) -> io::Result<()> {
        file.write_all(&self.preface)?;
        file.write_all(&self.mac)?;
        io::copy(&mut self.code.reopen()?, file).map(drop)
    }
}

/// Copies an entry's code into a sealed file, and checks the copy: nobody can change it afterwards.
pub(super) fn read(
    key: &CacheKey,
    identity: &str,
    file: &mut File,
    length: u64,
) -> Result<(Header, SealedFile), ReadError> {
    let Preface { bytes, header, mac } = Preface::read(file, length)?;
    let code =
        SealedFile::new(|sealed| io::copy(&mut file.take(header.code_bytes), sealed).map(drop))
            .map_err(|error| ReadError::of(&error))?;
    let digests = digests(&code, header.code_bytes).map_err(|error| ReadError::of(&error))?;
    authenticate(key, &bytes, &digests)
        .verify_slice(&mac)
        .map_err(|_| "its authentication code is wrong".to_owned())?;
    if header.identity != identity {
        return Err(ReadError::Bad("it is the entry of other code".to_owned()));
    }
    Ok((header, code))
}

fn authenticate(key: &CacheKey, preface: &[u8], digests: &[[u8; 32]]) -> Hmac<Sha256> {
    let mut mac = key.begin_mac();
    mac.update(preface);
    for digest in digests {
        mac.update(digest);
    }
    mac
}

/// Returns the digests of a sealed file's chunks.
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
            Ok(Sha256::digest(&chunk).into())
        })
        .collect()
}

/// Everything before the code.
struct Preface {
    /// The authenticated bytes: all but the authentication code.
    bytes: Vec<u8>,
    header: Header,
    mac: [u8; MAC_BYTES],
}

impl Preface {
    /// Reads the beginning of a file that is `length` bytes long.
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
