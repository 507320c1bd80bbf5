//! The key that entries of a cache are authenticated with. It lies in the cache's directory.

use std::io::{self, Read as _, Write as _};

use ampoule_sandbox::{Error, Result};
use ampoule_signing::{LOCK_PATIENCE, PrivateDirectory};
use hmac::{Hmac, KeyInit as _};
use sha2::Sha256;

use crate::refusal::OrRefused as _;

const KEY_FILE: &str = "key";

/// Lock of the processes that make the key at the same time.
const KEY_LOCK: &str = "key.lock";

/// One block of SHA-256: HMAC uses a key of this length unchanged.
const KEY_BYTES: usize = 64;

/// Key of one cache.
pub(super) struct CacheKey([u8; KEY_BYTES]);

impl CacheKey {
    /// Reads the key, or makes one if there is none.
    pub(super) fn read_or_make(directory: &PrivateDirectory) -> Result<Self> {
        if let Some(key) = Self::read(directory)? {
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
        // Another process may have made one during the wait.
        if let Some(key) = Self::read(directory)? {
            return Ok(key);
        }
        let mut key = [0; KEY_BYTES];
        getrandom::fill(&mut key).map_err(|_| Error::internal("no random numbers"))?;
        directory
            .put(KEY_FILE, |file| file.write_all(&key))
            .map_err(failed)?;
        Ok(Self(key))
    }

    /// Reads the key. A file of another length counts as none: the entries that were made with it are made again.
    fn read(directory: &PrivateDirectory) -> Result<Option<Self>> {
        let Some((mut file, length)) = directory.open_file(KEY_FILE).or_refused()? else {
            return Ok(None);
        };
        let mut key = [0; KEY_BYTES];
        if length != KEY_BYTES as u64 || file.read_exact(&mut key).is_err() {
            return Ok(None);
        }
        Ok(Some(Self(key)))
    }

    /// Begins an authentication code (HMAC-SHA-256, RFC 2104) under this key.
    pub(super) fn begin_mac(&self) -> Hmac<Sha256> {
        <Hmac<Sha256>>::new(&self.0.into())
    }
}
