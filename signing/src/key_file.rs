//! Key files: who may read them, and that none is ever overwritten.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::directory::Directory;
use crate::error::{Error, Result};
use crate::key::{MAX_KEY_FILE_BYTES, PublicKey, SecretKey};
use crate::permissions::Rule;

impl SecretKey {
    /// Reads a private key's file. `password` is asked only when the key is encrypted.
    ///
    /// # Errors
    ///
    /// `trust.permissions` when others than the owner may read or change the file, what
    /// [`SecretKey::from_pem`] refuses, what `password` returns, `io.failed`.
    pub fn read_file(
        path: &Path,
        password: impl FnOnce() -> Result<Zeroizing<String>>,
    ) -> Result<Self> {
        let pem = read_private_text(path, "the private key file", MAX_KEY_FILE_BYTES)?;
        if Self::is_encrypted_pem(&pem) {
            // Before anybody is asked for a password: is it a key at all?
            if let Err(error @ Error::UsagePrivateKey { .. }) = Self::from_pem(&pem, None) {
                return Err(error);
            }
            return Self::from_pem(&pem, Some(&password()?));
        }
        Self::from_pem(&pem, None)
    }

    /// Writes a private key to a new file of mode 0600, encrypted if there is a password.
    ///
    /// # Errors
    ///
    /// `io.exists` when there is such a file already, `io.failed`, and what
    /// [`SecretKey::to_encrypted_pem`] refuses.
    pub fn write_file(&self, path: &Path, password: Option<&str>) -> Result<()> {
        create_new(
            path,
            0o600,
            self.to_pem(password)?.as_bytes(),
            "the private key file",
        )
    }

    /// Writes a private key in place of its file, atomically, with mode 0600, encrypted if there is a
    /// password.
    ///
    /// # Errors
    ///
    /// `io.failed`, and what [`SecretKey::to_encrypted_pem`] refuses. The file is then as it was.
    pub fn replace_file(&self, path: &Path, password: Option<&str>) -> Result<()> {
        // Where a link stands for the key, the file behind it is the one with the old password.
        let path = path
            .canonicalize()
            .map_err(Error::io("find the private key file"))?;
        let (directory, name) = Directory::open_parent(&path, "the private key's directory")?;
        directory
            .replace(name, self.to_pem(password)?.as_bytes(), 0o600)
            .map_err(Error::io("write the private key file"))
    }

    fn to_pem(&self, password: Option<&str>) -> Result<Zeroizing<String>> {
        match password {
            Some(password) => self.to_encrypted_pem(password),
            None => self.to_plain_pem(),
        }
    }
}

impl PublicKey {
    /// Reads a public key's file.
    ///
    /// # Errors
    ///
    /// What [`PublicKey::from_pem`] refuses, `io.failed`.
    pub fn read_file(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("open the public key file"))?;
        let pem = read_text(file, "the public key file", MAX_KEY_FILE_BYTES)?;
        Self::from_pem(&pem)
    }

    /// Writes a public key to a new file.
    ///
    /// # Errors
    ///
    /// `io.exists` when there is such a file already, `io.failed`.
    pub fn write_file(&self, path: &Path) -> Result<()> {
        create_new(
            path,
            0o644,
            self.to_pem()?.as_bytes(),
            "the public key file",
        )
    }
}

/// Reads a short text that only its owner may see, a password's file say; it is wiped from memory
/// when dropped. `what` names the file in messages.
///
/// # Errors
///
/// `trust.permissions` when others than the owner may read it, `io.failed`.
pub fn read_private_text(path: &Path, what: &str, max_bytes: u64) -> Result<Zeroizing<String>> {
    let file = File::open(path).map_err(Error::io(format!("open {what}")))?;
    let metadata = file
        .metadata()
        .map_err(Error::io(format!("look at {what}")))?;
    Rule::OwnerReads.check(metadata.mode(), || what.to_owned())?;
    read_text(file, what, max_bytes)
}

fn read_text(file: File, what: &str, max_bytes: u64) -> Result<Zeroizing<String>> {
    // Enough from the start: a buffer that grows leaves copies of the secret behind.
    let capacity = usize::try_from(max_bytes + 1).map_err(|_| Error::Internal("a bound"))?;
    let mut text = Zeroizing::new(String::with_capacity(capacity));
    file.take(max_bytes + 1)
        .read_to_string(&mut text)
        .map_err(Error::io(format!("read {what}")))?;
    if text.len() as u64 > max_bytes {
        let too_long = io::Error::from(io::ErrorKind::FileTooLarge);
        return Err(Error::io(format!("read {what}"))(too_long));
    }
    Ok(text)
}

/// Writes a file that must not exist yet, and leaves none behind when writing fails.
fn create_new(path: &Path, mode: u32, bytes: &[u8], what: &'static str) -> Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Error::IoExists { what },
            _ => Error::io(format!("create {what}"))(error),
        })?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(|error| {
            // It is ours: it did not exist before. That removing fails too changes nothing.
            let _ = fs::remove_file(path);
            Error::io(format!("write {what}"))(error)
        })
}
