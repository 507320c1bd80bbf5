//! A key directory: `keys.toml`, and the MAC key that its hashes were made with.
//!
//! `keys.toml` is no secret, and whoever may read the directory may read it. The MAC key is for its owner alone; where a
//! server runs as another user, its service manager hands the MAC key over.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ampoule_signing::{
    DirectoryStamp, GuardedDirectory, PermissionPolicy, Timestamp, read_private_text,
};

use crate::error::{Error, Result};
use crate::key_file::{KeyFile, MAX_FILE_BYTES, MAX_KEYS};
use crate::key_hash::MacKey;
use crate::key_name::{KeyName, TenantName};
use crate::key_record::{KeyRecord, KeySettings};
use crate::key_text::KeyText;

/// Name of the file of keys.
const KEY_FILE: &str = "keys.toml";
/// Name of the MAC key's file.
const MAC_KEY_FILE: &str = "mac-key";
/// The file that commands lock, so that neither loses a change of the other's.
const LOCK_FILE: &str = "keys.lock";
/// Name of the directory in messages.
const WHAT: &str = "the key directory";
/// Bytes of the MAC key's file that are read, which are more than it may have.
const MAX_MAC_KEY_BYTES: u64 = 128;
/// Age of a key's end from which `prune` removes the key. Until then a list and a log still name it.
const PRUNED_AFTER: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A directory of API keys, by its path.
#[derive(Clone, Debug)]
pub struct KeyDirectory {
    path: PathBuf,
    permissions: PermissionPolicy,
}

/// A key that was just made, with its text, which is nowhere else.
#[derive(Debug)]
pub struct NewKey {
    /// Text of the key.
    pub text: KeyText,
    /// Key without its secret.
    pub record: KeyRecord,
}

impl KeyDirectory {
    /// Names a directory. Nothing is read yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, permissions: PermissionPolicy) -> Self {
        Self {
            path: path.into(),
            permissions,
        }
    }

    /// Returns its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Lists the keys, in the order in which they were made.
    ///
    /// # Errors
    ///
    /// `key.missing` where there are none, `key.malformed`; `trust.owner` and `trust.permissions` where others may
    /// change the file, the directory or one above it; `file.symlink`, `file.type`, `io.failed`.
    pub fn list(&self) -> Result<Vec<KeyRecord>> {
        Ok(self.read()?.keys)
    }

    /// Makes a key, and the directory and its MAC key if they are not there.
    ///
    /// # Errors
    ///
    /// `usage.key-settings`, `key.too-many`, `key.mac-key` where the MAC key of other keys is gone, `io.locked`, and as
    /// [`KeyDirectory::list`].
    pub fn add(&self, settings: KeySettings, now: Timestamp) -> Result<NewKey> {
        // First where nothing is made, not even the directory.
        let checked = settings.check();
        checked.map_err(|error| Error::Settings(error.to_string()))?;
        self.change(|file, directory| {
            let mac = self.mac_key_of(file, directory)?;
            add(file, &mac, settings, None, now)
        })
    }

    /// Makes a key in the place of another, with the same settings and for as long. The other ends after `grace`, if it
    /// does not end earlier; without a grace it is revoked at once.
    ///
    /// # Errors
    ///
    /// `usage.no-such-api-key`, `usage.ended-key`, and as [`KeyDirectory::add`].
    pub fn rotate(&self, name: KeyName, grace: Duration, now: Timestamp) -> Result<NewKey> {
        // First where nothing is made, not even the directory.
        self.read()?;
        self.change(|file, directory| {
            let mac = self.mac_key_of(file, directory)?;
            let old = file.keys.iter_mut().find(|key| key.name == name);
            let old = old.ok_or(Error::NoSuchKey(name))?;
            if old.ended(now).is_some() {
                return Err(Error::EndedKey(name));
            }
            let mut settings = old.settings.clone();
            settings.not_after = match old.lifetime() {
                Some(lifetime) => Some(after(now, lifetime)?),
                None => None,
            };
            if grace.is_zero() {
                old.revoked = Some(whole_seconds(now));
            } else {
                let end = after(now, grace)?;
                let earlier = old.settings.not_after.filter(|earlier| *earlier < end);
                old.settings.not_after = Some(earlier.unwrap_or(end));
            }
            add(file, &mac, settings, Some(name), now)
        })
    }

    /// Revokes these keys, all or none. Revoking one that is revoked already changes nothing. Returns the keys.
    ///
    /// # Errors
    ///
    /// `usage.no-such-api-key` for the first that is not there, `io.locked`, and as [`KeyDirectory::list`].
    pub fn revoke(&self, names: &[KeyName], now: Timestamp) -> Result<Vec<KeyRecord>> {
        self.change_present(|file| {
            let known = |name: &KeyName| file.keys.iter().any(|key| key.name == *name);
            if let Some(unknown) = names.iter().find(|name| !known(name)) {
                return Err(Error::NoSuchKey(*unknown));
            }
            Ok(revoke(file, now, |key| names.contains(&key.name)))
        })
    }

    /// Revokes all keys of a tenant, as [`KeyDirectory::revoke`] does. Returns those that were not revoked before.
    ///
    /// # Errors
    ///
    /// `io.locked`, and as [`KeyDirectory::list`].
    pub fn revoke_tenant(&self, tenant: &TenantName, now: Timestamp) -> Result<Vec<KeyRecord>> {
        self.change_present(|file| {
            Ok(revoke(file, now, |key| {
                key.settings.tenant == *tenant && key.revoked.is_none()
            }))
        })
    }

    /// Removes the keys that ended over 30 days ago, and returns their names.
    ///
    /// # Errors
    ///
    /// `io.locked`, and as [`KeyDirectory::list`].
    pub fn prune(&self, now: Timestamp) -> Result<Vec<KeyName>> {
        self.change_present(|file| {
            let is_old = |key: &KeyRecord| {
                key.end().is_some_and(|end| {
                    let age = Duration::try_from(now.duration_since(end)).ok();
                    age.is_some_and(|age| age > PRUNED_AFTER)
                })
            };
            let old: Vec<_> = file.keys.iter().filter(|key| is_old(key)).collect();
            let names = old.into_iter().map(|key| key.name).collect();
            file.keys.retain(|key| !is_old(key));
            Ok(names)
        })
    }

    /// Reads the keys.
    pub(crate) fn read(&self) -> Result<KeyFile> {
        let directory = GuardedDirectory::open(self.permissions.at(&self.path), WHAT)?;
        let directory = directory.ok_or(Error::Missing)?;
        read(&directory)?.ok_or(Error::Missing)
    }

    /// Reads the MAC key in the directory.
    pub(crate) fn read_mac_key(&self) -> Result<MacKey> {
        let text = read_private_text(
            self.permissions.at(&self.path.join(MAC_KEY_FILE)),
            "the MAC key",
            MAX_MAC_KEY_BYTES,
        )?;
        text.parse().map_err(|_| {
            Error::MacKey(
                "the file mac-key in the key directory is damaged: expected 64 digits from 0-9 and a-f; restore it \
                 from a backup, or remove it and keys.toml and make new keys",
            )
        })
    }

    /// Takes a stamp of `keys.toml`, by which a change is seen.
    pub(crate) fn stamp(&self) -> DirectoryStamp {
        DirectoryStamp::of_files(&self.path, &[KEY_FILE])
    }

    /// Changes the file under the directory's lock. When `change` fails, nothing is written.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut KeyFile, &GuardedDirectory) -> Result<T>,
    ) -> Result<T> {
        let directory = GuardedDirectory::make(self.permissions.at(&self.path), WHAT)?;
        let _turn = directory.lock(LOCK_FILE)?;
        let mut file = read(&directory)?.unwrap_or_default();
        let before = file.to_text()?;
        let answer = change(&mut file, &directory)?;
        let after = file.to_text()?;
        if after != before {
            directory.replace(KEY_FILE, after.as_bytes())?;
        }
        Ok(answer)
    }

    /// Changes the file as [`KeyDirectory::change`] does, where there is one.
    fn change_present<T>(&self, change: impl FnOnce(&mut KeyFile) -> Result<T>) -> Result<T> {
        // First where nothing is made: a mistyped path must not become a directory.
        self.read()?;
        self.change(|file, _| change(file))
    }

    /// Returns the MAC key that the hashes of a file were made with. For a file without keys one is made if need be.
    fn mac_key_of(&self, file: &mut KeyFile, directory: &GuardedDirectory) -> Result<MacKey> {
        let is_there = directory.read(MAC_KEY_FILE, MAX_MAC_KEY_BYTES)?.is_some();
        if is_there {
            let mac = self.read_mac_key()?;
            if file.keys.is_empty() {
                file.mac_key = Some(mac.id());
            }
            check_mac_key(file, &mac)?;
            return Ok(mac);
        }
        if !file.keys.is_empty() {
            return Err(Error::MacKey(
                "the file mac-key is missing in the key directory, and without it no key that was made before is \
                 accepted; restore it from a backup, or remove keys.toml and make new keys",
            ));
        }
        let mac = MacKey::generate()?;
        directory.replace_private(MAC_KEY_FILE, mac.to_text().as_bytes())?;
        file.mac_key = Some(mac.id());
        Ok(mac)
    }
}

/// Refuses a MAC key that the hashes of a file were not made with.
pub(crate) fn check_mac_key(file: &KeyFile, mac: &MacKey) -> Result<()> {
    if file.keys.is_empty() || file.mac_key == Some(mac.id()) {
        return Ok(());
    }
    Err(Error::MacKey(
        "the MAC key is not the one that the keys in keys.toml were made with; hand over the file mac-key of the same \
         key directory",
    ))
}

fn read(directory: &GuardedDirectory) -> Result<Option<KeyFile>> {
    let bytes = directory.read(KEY_FILE, MAX_FILE_BYTES)?;
    bytes.map(|bytes| KeyFile::parse(&bytes)).transpose()
}

fn add(
    file: &mut KeyFile,
    mac: &MacKey,
    settings: KeySettings,
    replaces: Option<KeyName>,
    now: Timestamp,
) -> Result<NewKey> {
    if file.keys.len() >= MAX_KEYS {
        return Err(Error::TooMany(file.keys.len()));
    }
    let text = KeyText::generate()?;
    let record = KeyRecord {
        name: text.name(),
        hash: mac.hash(&text),
        settings,
        created: whole_seconds(now),
        revoked: None,
        replaces,
    };
    file.keys.push(record.clone());
    Ok(NewKey { text, record })
}

fn revoke(
    file: &mut KeyFile,
    now: Timestamp,
    is_meant: impl Fn(&KeyRecord) -> bool,
) -> Vec<KeyRecord> {
    let meant = file.keys.iter_mut().filter(|key| is_meant(key));
    meant
        .map(|key| {
            key.revoked.get_or_insert(whole_seconds(now));
            key.clone()
        })
        .collect()
}

fn after(now: Timestamp, time: Duration) -> Result<Timestamp> {
    let end = whole_seconds(now).checked_add(time);
    end.map_err(|_| Error::Settings("expected an end before the year 10000".to_owned()))
}

/// Cuts a time to the second: a person reads and compares it.
fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}
