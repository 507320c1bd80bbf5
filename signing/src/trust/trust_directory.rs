//! A trust directory: the operator's `trust.toml` or an installed root, and the newest revocation list.
//!
//! A directory has one of the two, never both: otherwise somebody who may write the one could trust again a key that
//! the other took back.

use jiff::Timestamp;

use crate::bundle::envelope::MAX_ENVELOPE_BYTES;
use crate::files::directory::Directory;
use crate::files::locked_directory::LockedDirectory;
use crate::files::permission_policy::Location;
use crate::files::permissions::Rule;
use crate::trust::revocation_list::{RevocationList, SignedRevocations};
use crate::trust::revocation_policy::check_list_fresh;
use crate::trust::root::{SignedRoot, VerifiedRoot};
use crate::trust::signed::{Document, Signed};
use crate::trust::store::TrustStore;
use crate::trust::toml_file;
use crate::values::error::{Error, Result};
use crate::values::trust_error::TrustError;
use ampoule_units::ByteSize;

/// The name of the operator's own file in the trust directory.
pub const TRUST_FILE: &str = "trust.toml";
/// The name of the installed root in the trust directory.
pub const ROOT_FILE: &str = "root.dsse.json";
/// The name of the newest revocation list in the trust directory.
pub const REVOCATIONS_FILE: &str = "revocations.dsse.json";
/// The file that commands lock, so that neither loses a change of the other's.
const LOCK_FILE: &str = "trust.lock";
/// The longest `trust.toml`: some thousands of keys.
const MAX_TRUST_BYTES: u64 = 1 << 20;

impl TrustStore {
    /// Reads the trust directory: its `trust.toml` or its root, and its revocation list if there is
    /// one. A root or a list that has expired is read too, so that it can be shown;
    /// [`Bundle::verify`](crate::Bundle::verify) refuses by it.
    ///
    /// # Errors
    ///
    /// `trust.missing` when there is neither, `trust.two-forms` when there are both,
    /// `trust.owner` and `trust.permissions` when others may change a file, the directory or one above it,
    /// `file.symlink` for a link in place of a file,
    /// `trust.malformed`, `trust.malformed-key` and `trust.weak-key` when its content is refused, what
    /// [`SignedRoot::verify_self_signed`] and [`TrustStore::accept_revocations`] refuse. A store is read
    /// whole or not at all.
    pub fn open<'p>(location: impl Into<Location<'p>>) -> Result<Self> {
        let directory = open(&location.into())?.ok_or(Error::Trust(TrustError::Missing))?;
        let mut store = read_store(&directory)?;
        if let Some(list) = read_revocations(&directory)? {
            store.accept_revocations(&list)?;
        }
        Ok(store)
    }

    /// Puts the newest of these revocation lists into the trust directory, in place of an older one.
    ///
    /// The list is put in place even when it has expired, or when another of `lists` is refused: its revocations must
    /// hold at once. Older lists are skipped, so that one command serves machines at different versions. An installed
    /// list that the present signers have not signed binds nobody, and is replaced by one of any version: a thief of
    /// a signing key cannot keep new lists out for ever with a high number (TUF 1.0, section 5.3.11).
    ///
    /// # Errors
    ///
    /// `trust.missing`, and as [`TrustStore::open`] for the trust itself; the first error among `lists`;
    /// those of [`TrustStore::accept_revocations`], `trust.revocations-rollback` when there was
    /// nothing but older ones; `trust.revocations-expired` when the newest has expired;
    /// `trust.owner`, `trust.permissions`, `io.failed`.
    pub fn update_revocations<'p>(
        location: impl Into<Location<'p>>,
        lists: impl IntoIterator<Item = Result<SignedRevocations>>,
        now: Timestamp,
    ) -> Result<RevocationList> {
        let location = location.into();
        if open(&location)?.is_none() {
            return Err(Error::Trust(TrustError::Missing));
        }
        let locked = LockedDirectory::make(&location, LOCK_FILE, "the trust directory")?;
        let mut store = read_store(locked.directory())?;
        // One that cannot be read binds nobody either.
        let installed = read_revocations(locked.directory()).ok().flatten();
        let installed = installed.filter(|list| store.accept_revocations(list).is_ok());
        let (mut refused, mut older, mut is_up_to_date) = (None, None, false);
        for list in lists {
            match list.and_then(|list| store.accept_revocations(&list).map(|()| list)) {
                Ok(list) => {
                    if installed.as_ref() != Some(&list) {
                        write_document(locked.directory(), REVOCATIONS_FILE, &list)?;
                    }
                    is_up_to_date = true;
                }
                Err(error @ Error::Trust(TrustError::RevocationsRollback { .. })) => {
                    older.get_or_insert(error);
                }
                Err(error) => {
                    refused.get_or_insert(error);
                }
            }
        }
        match (refused, older) {
            (Some(error), _) => return Err(error),
            (None, Some(error)) if !is_up_to_date => return Err(error),
            _ => {}
        }
        let list = store
            .revocations()
            .cloned()
            .ok_or(Error::Trust(TrustError::RevocationsMissing))?;
        check_list_fresh(&list, now)?;
        Ok(list)
    }

    /// Changes the `trust.toml` in a directory, which is made if it is not there: reads it
    /// under a lock, applies `change`, and replaces the file atomically (mode 0600 in a directory of
    /// mode 0700). When `change` fails or changes nothing, the file stays as it is.
    ///
    /// # Errors
    ///
    /// As [`TrustStore::open`], `trust.two-forms` where a root is installed, `io.failed`, what
    /// `change` returns, and `trust.malformed` for what could not be read again.
    pub fn update<'p, T>(
        location: impl Into<Location<'p>>,
        change: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let locked = LockedDirectory::make(&location.into(), LOCK_FILE, "the trust directory")?;
        if read_root(locked.directory())?.is_some() {
            return Err(Error::Trust(TrustError::TwoForms));
        }
        let before = read_toml(locked.directory())?.unwrap_or_default();
        let mut store = before.clone();
        let answer = change(&mut store)?;
        if store == before {
            return Ok(answer);
        }
        let text = readable(&store)?;
        locked
            .directory()
            .replace_for_readers(TRUST_FILE, text.as_bytes())
            .map_err(Error::io("write trust.toml"))?;
        Ok(answer)
    }
}

impl VerifiedRoot {
    /// Reads the root that is installed in a trust directory.
    ///
    /// # Errors
    ///
    /// `trust.root-missing`, and as [`TrustStore::open`].
    pub fn open<'p>(location: impl Into<Location<'p>>) -> Result<Self> {
        let directory = open(&location.into())?.ok_or(Error::Trust(TrustError::RootMissing))?;
        read_root(&directory)?.ok_or(Error::Trust(TrustError::RootMissing))
    }

    /// Installs a first root in a trust directory, which is made if it is missing. The caller must have the root by a
    /// trusted way: one self-signed root is as good as another here.
    ///
    /// # Errors
    ///
    /// Those of [`SignedRoot::verify_self_signed`], `trust.root-expired`, `trust.root-installed` when there is a root
    /// already, `trust.two-forms` where there is a `trust.toml`, `trust.owner`, `trust.permissions`, `io.failed`.
    /// Nothing is changed then.
    pub fn install<'p>(
        location: impl Into<Location<'p>>,
        first: SignedRoot,
        now: Timestamp,
    ) -> Result<Self> {
        let first = first.verify_self_signed()?;
        first.check_fresh(now)?;
        let locked = LockedDirectory::make(&location.into(), LOCK_FILE, "the trust directory")?;
        if let Some(installed) = read_root(locked.directory())? {
            let version = installed.root().version();
            return Err(Error::Trust(TrustError::RootInstalled { version }));
        }
        if read_toml(locked.directory())?.is_some() {
            return Err(Error::Trust(TrustError::TwoForms));
        }
        write_document(locked.directory(), ROOT_FILE, first.signed())?;
        Ok(first)
    }

    /// Replaces the root in a trust directory by its successors, in order, as far as they are
    /// verified.
    ///
    /// Each successor is put in place as soon as it is verified, even when one after it is refused or
    /// could not be read, and even when it has expired (TUF 1.0, 5.3.8 and 5.3.10): it may take trust
    /// back from keys that were stolen, and then the old root must not be believed a moment longer.
    ///
    /// The installed root itself changes nothing. Older roots are skipped if the installed root or a newer one is
    /// given too, so that one list serves machines at different versions.
    ///
    /// # Errors
    ///
    /// `trust.root-missing`, the first error among `successors`, those of [`VerifiedRoot::follow`],
    /// `trust.root-rollback` when there was nothing but older ones, `trust.root-expired` when the
    /// newest root has expired, `trust.owner`, `trust.permissions`, `io.failed`.
    pub fn update<'p>(
        location: impl Into<Location<'p>>,
        successors: impl IntoIterator<Item = Result<SignedRoot>>,
        now: Timestamp,
    ) -> Result<Self> {
        let location = location.into();
        if open(&location)?.is_none() {
            return Err(Error::Trust(TrustError::RootMissing));
        }
        let locked = LockedDirectory::make(&location, LOCK_FILE, "the trust directory")?;
        let mut installed =
            read_root(locked.directory())?.ok_or(Error::Trust(TrustError::RootMissing))?;
        let (mut unread, mut older) = (None, None);
        let mut is_up_to_date = false;
        for next in successors {
            let next = match next {
                Ok(next) => next,
                Err(error) => {
                    unread.get_or_insert(error);
                    continue;
                }
            };
            if next.digest() == installed.signed().digest() {
                is_up_to_date = true;
            } else if let Some(error) = installed.rollback_by(&next) {
                older.get_or_insert(error);
            } else {
                installed = match installed.follow(next) {
                    Ok(next) => next,
                    // The one that could not be read may be the one that is missing.
                    Err(error) => return Err(unread.unwrap_or(error)),
                };
                write_document(locked.directory(), ROOT_FILE, installed.signed())?;
                is_up_to_date = true;
            }
        }
        match (unread, older) {
            (Some(error), _) => return Err(error),
            (None, Some(error)) if !is_up_to_date => return Err(error),
            _ => {}
        }
        installed.check_fresh(now)?;
        Ok(installed)
    }
}

fn open(location: &Location<'_>) -> Result<Option<Directory>> {
    Directory::open_if_there(location, Rule::OwnerWrites, "the trust directory")
}

/// Writes the store as text that [`TrustStore::open`] reads as the same store. Text that no longer parses would stop
/// every model, and every command that could mend it.
fn readable(store: &TrustStore) -> Result<String> {
    let text = toml_file::write(store)?;
    let reason = if text.len() as u64 > MAX_TRUST_BYTES {
        format!(
            "expected at most {}, found {}",
            ByteSize::from_bytes(MAX_TRUST_BYTES),
            ByteSize::from_bytes(text.len() as u64)
        )
    } else if toml_file::parse(&text)? != *store {
        "it cannot be written without a change; give times in whole milliseconds".to_owned()
    } else {
        return Ok(text);
    };
    Err(Error::Trust(TrustError::Malformed {
        document: TRUST_FILE,
        reason,
    }))
}

fn read(directory: &Directory, name: &'static str, max_bytes: u64) -> Result<Option<Vec<u8>>> {
    match directory.read_bounded(name, max_bytes) {
        Err(Error::FileMissing { .. }) => Ok(None),
        Ok(Err(found)) => Err(Error::Trust(TrustError::Malformed {
            document: name,
            reason: format!(
                "expected at most {}, found {}",
                ByteSize::from_bytes(max_bytes),
                ByteSize::from_bytes(found)
            ),
        })),
        other => other?.map(Some).map_err(|_| Error::Internal("a bound")),
    }
}

fn read_toml(directory: &Directory) -> Result<Option<TrustStore>> {
    let Some(bytes) = read(directory, TRUST_FILE, MAX_TRUST_BYTES)? else {
        return Ok(None);
    };
    let text = String::from_utf8(bytes).map_err(|_| {
        Error::Trust(TrustError::Malformed {
            document: TRUST_FILE,
            reason: "it is not UTF-8".to_owned(),
        })
    })?;
    toml_file::parse(&text).map(Some)
}

fn read_store(directory: &Directory) -> Result<TrustStore> {
    match (read_toml(directory)?, read_root(directory)?) {
        (Some(_), Some(_)) => Err(Error::Trust(TrustError::TwoForms)),
        (Some(store), None) => Ok(store),
        (None, Some(root)) => root.trust(),
        (None, None) => Err(Error::Trust(TrustError::Missing)),
    }
}

fn read_revocations(directory: &Directory) -> Result<Option<SignedRevocations>> {
    read(directory, REVOCATIONS_FILE, MAX_ENVELOPE_BYTES)?
        .map(|bytes| SignedRevocations::parse(&bytes))
        .transpose()
}

fn read_root(directory: &Directory) -> Result<Option<VerifiedRoot>> {
    let Some(bytes) = read(directory, ROOT_FILE, MAX_ENVELOPE_BYTES)? else {
        return Ok(None);
    };
    SignedRoot::parse(&bytes)?.verify_self_signed().map(Some)
}

fn write_document<D: Document>(
    directory: &Directory,
    name: &str,
    document: &Signed<D>,
) -> Result<()> {
    directory
        .replace_for_readers(name, &document.envelope().to_bytes()?)
        .map_err(Error::io(format!("write {name}")))
}
