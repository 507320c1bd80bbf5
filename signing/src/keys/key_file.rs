//! Key files: readable by their owner only, and never overwritten.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::files::directory::Directory;
use crate::files::permission_policy::Location;
use crate::files::permissions::{Guard, Rule};
use crate::keys::key::{MAX_KEY_FILE_BYTES, PublicKey, SecretKey};
use crate::values::error::{Error, Result};

/// Names of the files in messages.
const PRIVATE_KEY: &str = "the private key file";
const PUBLIC_KEY: &str = "the public key file";

impl SecretKey {
    /// Reads a private key's file. `password` is asked only when the key is encrypted.
    ///
    /// # Errors
    ///
    /// `trust.owner` and `trust.permissions` when others may read the file, or change it or a directory
    /// above it, `file.symlink`, `file.type`, those of [`SecretKey::from_pem`], what `password`
    /// returns, `io.failed`.
    pub fn read_file<'p>(
        location: impl Into<Location<'p>>,
        password: impl FnOnce() -> Result<Zeroizing<String>>,
    ) -> Result<Self> {
        let file = read_key(&location.into(), Rule::OwnerReads, PRIVATE_KEY)?;
        if Self::is_encrypted_file(&file) {
            // Before anybody is asked for a password: is it a key at all?
            if let Err(error @ Error::UsagePrivateKey { .. }) = Self::from_file(&file, None) {
                return Err(error);
            }
            return Self::from_file(&file, Some(&password()?));
        }
        Self::from_file(&file, None)
    }

    /// Writes a private key to a new file of mode 0600, encrypted if there is a password.
    ///
    /// # Errors
    ///
    /// `io.exists` when there is such a file already, `trust.owner` and `trust.permissions` where it
    /// would not be read again, `io.failed`, and those of [`SecretKey::to_encrypted_pem`].
    pub fn write_file<'p>(
        &self,
        location: impl Into<Location<'p>>,
        password: Option<&str>,
    ) -> Result<()> {
        let pem = self.to_pem(password)?;
        let location = location.into();
        let place = Directory::open_parent(&location, Rule::OwnerReads, PRIVATE_KEY)?;
        create_new(place, 0o600, pem.as_bytes(), PRIVATE_KEY)
    }

    /// Writes a private key in place of its file, atomically, with mode 0600, encrypted if there is a
    /// password.
    ///
    /// # Errors
    ///
    /// As [`SecretKey::read_file`] for the file that is replaced, and what
    /// [`SecretKey::to_encrypted_pem`] refuses. The file is then as it was.
    pub fn replace_file<'p>(
        &self,
        location: impl Into<Location<'p>>,
        password: Option<&str>,
    ) -> Result<()> {
        let pem = self.to_pem(password)?;
        let location = location.into();
        let (directory, name) = Directory::open_parent(&location, Rule::OwnerReads, PRIVATE_KEY)?;
        // Where a link stands for the key, the file behind it would keep the old password.
        open(&directory, name, PRIVATE_KEY)?;
        directory
            .replace(name, pem.as_bytes(), 0o600)
            .map_err(Error::io(format!("write {PRIVATE_KEY}")))
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
    /// `trust.owner` and `trust.permissions` when others may change the file or a directory above it,
    /// `file.symlink`, `file.type`, those of [`PublicKey::from_pem`], `io.failed`.
    pub fn read_file<'p>(location: impl Into<Location<'p>>) -> Result<Self> {
        let file = read_key(&location.into(), Rule::NotWorldWritable, PUBLIC_KEY)?;
        Self::from_file(&file)
    }

    /// Writes a public key to a new file.
    ///
    /// # Errors
    ///
    /// `io.exists` when there is such a file already, `io.failed`.
    pub fn write_file(&self, path: &Path) -> Result<()> {
        let pem = self.to_pem()?;
        let place = Directory::open_parent_unchecked(path, PUBLIC_KEY)?;
        create_new(place, 0o644, pem.as_bytes(), PUBLIC_KEY)
    }
}

/// Reads a short text that only its owner may see, such as a password's file. The text is wiped from memory when
/// dropped. `what` names the file in messages.
///
/// # Errors
///
/// `trust.owner` and `trust.permissions` when others may read the file, or change it or a directory above
/// it, `file.symlink`, `file.type`, `io.failed`.
pub fn read_private_text<'p>(
    location: impl Into<Location<'p>>,
    what: &str,
    max_bytes: u64,
) -> Result<Zeroizing<String>> {
    read_checked_text(&location.into(), Rule::OwnerReads, what, max_bytes)
}

/// Reads a short text that only its owner may change, such as a program's settings; otherwise as
/// [`read_private_text`].
///
/// # Errors
///
/// As [`read_private_text`], but others may read the file.
pub fn read_trusted_text<'p>(
    location: impl Into<Location<'p>>,
    what: &str,
    max_bytes: u64,
) -> Result<Zeroizing<String>> {
    read_checked_text(&location.into(), Rule::OwnerWrites, what, max_bytes)
}

fn read_checked_text(
    location: &Location<'_>,
    rule: Rule,
    what: &str,
    max_bytes: u64,
) -> Result<Zeroizing<String>> {
    let bytes = read_checked(location, rule, what, max_bytes)?;
    let reading = || format!("read {what}");
    if bytes.len() as u64 > max_bytes {
        let too_long = io::Error::from(io::ErrorKind::FileTooLarge);
        return Err(Error::io(reading())(too_long));
    }
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| Error::io(reading())(io::ErrorKind::InvalidData.into()))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Reads a key's file. Of a longer file, which is no key, one byte more than the limit is returned.
fn read_key(location: &Location<'_>, rule: Rule, what: &str) -> Result<Zeroizing<Vec<u8>>> {
    read_checked(location, rule, what, MAX_KEY_FILE_BYTES)
}

/// Reads a file, but no more than one byte above `max_bytes`.
fn read_checked(
    location: &Location<'_>,
    rule: Rule,
    what: &str,
    max_bytes: u64,
) -> Result<Zeroizing<Vec<u8>>> {
    let file = if is_descriptor(location.path) {
        open_descriptor(location, rule, what)?
    } else {
        let (directory, name) = Directory::open_parent(location, rule, what)?;
        open(&directory, name, what)?
    };
    // Enough from the start: a buffer that grows leaves copies of the secret behind. One byte more lets the
    // reader see the end without growing.
    let capacity = usize::try_from(max_bytes + 2).map_err(|_| Error::Internal("a bound"))?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
    file.take(max_bytes + 1)
        .read_to_end(&mut bytes)
        .map_err(Error::io(format!("read {what}")))?;
    Ok(bytes)
}

/// Returns true for the path of a file that this process was started with, such as a shell's `<(command)`. Such a
/// file has no directory that anybody could change.
fn is_descriptor(path: &Path) -> bool {
    let of_all = ["/dev/fd", "/proc/self/fd"].map(Path::new);
    path == Path::new("/dev/stdin") || path.parent().is_some_and(|dir| of_all.contains(&dir))
}

fn open_descriptor(location: &Location<'_>, rule: Rule, what: &str) -> Result<File> {
    let file = File::open(location.path).map_err(Error::io(format!("open {what}")))?;
    let file = cap_std::fs::File::from_std(file);
    let found = file
        .metadata()
        .map_err(Error::io(format!("look at {what}")))?;
    Guard::new(rule, location.permissions.clone()).check(&found, || what.to_owned())?;
    Ok(file.into_std())
}

fn open(directory: &Directory, name: &str, what: &str) -> Result<File> {
    match directory.open_file(name) {
        Ok((file, _)) => Ok(file.into_std()),
        Err(Error::FileMissing { .. }) => Err(Error::io(format!("open {what}"))(
            io::ErrorKind::NotFound.into(),
        )),
        Err(error) => Err(error),
    }
}

fn create_new(
    (directory, name): (Directory, &str),
    mode: u32,
    bytes: &[u8],
    what: &'static str,
) -> Result<()> {
    directory
        .create_with_mode(name, bytes, mode)
        .map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Error::IoExists { what: what.into() },
            _ => Error::io(format!("write {what}"))(error),
        })
}
