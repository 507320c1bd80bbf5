//! The keys that a server accepts, as they are in the key directory now.
//!
//! A thread looks at the directory once a second, so that a key that was made is accepted, and one that was revoked is
//! not, without a restart. A file that cannot be used changes nothing: the keys that were read last stay in force, and
//! [`KeyStore::fault`] tells of it.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::thread;
use std::time::Duration;

use ampoule_signing::{DirectoryStamp, Error as SigningError, Timestamp};

use crate::denial::{Denial, Reason};
use crate::error::{Error, Result};
use crate::key_directory::{KeyDirectory, check_mac_key};
use crate::key_file::KeyFile;
use crate::key_hash::{KeyHash, MacKey};
use crate::key_name::{KeyName, TenantName};
use crate::key_record::KeyRecord;
use crate::key_text::KeyText;
use crate::principal::{Principal, PrincipalKind};

/// Time between two looks at the directory.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Source of the MAC key.
#[derive(Clone, Debug)]
pub enum MacKeySource {
    /// The file `mac-key` of the key directory.
    Directory,
    /// A key that was handed over, by a variable, another file or a service manager.
    Given(MacKey),
}

/// Keys that a server accepts. Dropping it ends the thread that follows the directory.
pub struct KeyStore {
    inner: Arc<Inner>,
    /// Ends the thread when it is dropped.
    _end: Sender<()>,
}

/// Keys that began and ended since the look before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyChanges {
    /// Keys that are accepted from now on.
    pub begun: Vec<KeyName>,
    /// Keys that are no longer accepted: revoked, over their time, or removed.
    pub ended: Vec<KeyName>,
    /// Tenants none of whose keys is accepted any more.
    pub tenants: Vec<TenantName>,
}

type OnChange = Box<dyn Fn(&KeyChanges) + Send + Sync>;

struct Inner {
    directory: KeyDirectory,
    source: MacKeySource,
    current: RwLock<Arc<Snapshot>>,
    fault: Mutex<Option<Error>>,
    callbacks: Mutex<Vec<OnChange>>,
}

/// Keys of one moment.
struct Snapshot {
    mac: MacKey,
    keys: HashMap<KeyName, Entry>,
}

struct Entry {
    record: KeyRecord,
    principal: Principal,
}

/// Keys and tenants that are accepted at one moment.
#[derive(Default)]
struct Live {
    keys: BTreeSet<KeyName>,
    tenants: BTreeSet<TenantName>,
    /// The next time at which one of the keys ends.
    next_end: Option<Timestamp>,
}

impl KeyStore {
    /// Reads a key directory and follows it from now on.
    ///
    /// # Errors
    ///
    /// As [`KeyDirectory::list`], `key.mac-key`, and `io.failed` where the system gives no thread.
    pub fn open(directory: KeyDirectory, source: MacKeySource) -> Result<Self> {
        let (inner, mut follower) = begin(directory, source)?;
        let (end, ended) = channel::<()>();
        let followed = thread::Builder::new()
            .name("ampoule-keys".to_owned())
            .spawn(move || {
                while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(LOOK_EVERY) {
                    // A bug in one look must not be the end of looking: then no key could be revoked.
                    let looked = catch_unwind(AssertUnwindSafe(|| {
                        follower.look(Timestamp::now());
                    }));
                    if looked.is_err() {
                        tracing::error!(
                            target: "ampoule::keys",
                            code = "internal.bug",
                            "a look at the key directory panicked; please report it"
                        );
                    }
                }
            });
        followed.map_err(|error| SigningError::Io {
            doing: "start a thread that follows the key directory".to_owned(),
            source: Arc::new(error),
        })?;
        Ok(Self { inner, _end: end })
    }

    /// Calls `callback` after each look by which a key has begun or ended, on the thread that looks.
    pub fn on_change(&self, callback: impl Fn(&KeyChanges) + Send + Sync + 'static) {
        lock(&self.inner.callbacks).push(Box::new(callback));
    }

    /// Accepts a key and returns its principal, or refuses it. The work is the same for a name that no key has.
    ///
    /// # Errors
    ///
    /// [`Reason::Unknown`], [`Reason::Secret`], [`Reason::Revoked`], [`Reason::Expired`].
    pub fn check(&self, key: &KeyText, now: Timestamp) -> Result<Principal, Denial> {
        self.inner.snapshot().check(key, now)
    }

    /// Returns the principal of somebody who is known by a certificate that stands for a key.
    ///
    /// # Errors
    ///
    /// [`Reason::Unknown`], [`Reason::Revoked`], [`Reason::Expired`].
    pub fn certified(&self, name: KeyName, now: Timestamp) -> Result<Principal, Denial> {
        let snapshot = self.inner.snapshot();
        let entry = snapshot.keys.get(&name).ok_or(Reason::Unknown)?;
        match entry.record.ended(now) {
            Some(reason) => Err(reason.into()),
            None => Ok(entry.record.principal(PrincipalKind::Certificate(name))),
        }
    }

    /// Returns the reason why the keys in force are not those of the directory, if there is one.
    #[must_use]
    pub fn fault(&self) -> Option<Error> {
        lock(&self.inner.fault).clone()
    }

    /// Returns the number of keys that are accepted at `now`.
    #[must_use]
    pub fn live(&self, now: Timestamp) -> usize {
        let snapshot = self.inner.snapshot();
        let entries = snapshot.keys.values();
        entries
            .filter(|entry| entry.record.ended(now).is_none())
            .count()
    }
}

/// Reads a key directory, and makes the follower that looks at it from then on.
fn begin(directory: KeyDirectory, source: MacKeySource) -> Result<(Arc<Inner>, Follower)> {
    let stamp = directory.stamp();
    let snapshot = Snapshot::read(&directory, &source)?;
    let live = snapshot.live(Timestamp::now());
    let inner = Arc::new(Inner {
        directory,
        source,
        current: RwLock::new(Arc::new(snapshot)),
        fault: Mutex::default(),
        callbacks: Mutex::default(),
    });
    let follower = Follower {
        inner: Arc::downgrade(&inner),
        stamp: Some(stamp),
        live,
    };
    Ok((inner, follower))
}

impl fmt::Debug for KeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyStore")
            .field("keys", &self.inner.snapshot().keys.len())
            .finish_non_exhaustive()
    }
}

impl Inner {
    fn snapshot(&self) -> Arc<Snapshot> {
        let current = self.current.read();
        Arc::clone(&current.unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, snapshot: Snapshot) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(snapshot);
    }
}

impl Snapshot {
    fn read(directory: &KeyDirectory, source: &MacKeySource) -> Result<Self> {
        let file = directory.read()?;
        let mac = match source {
            MacKeySource::Directory => directory.read_mac_key()?,
            MacKeySource::Given(mac) => mac.clone(),
        };
        check_mac_key(&file, &mac)?;
        Ok(Self::new(file, mac))
    }

    fn new(file: KeyFile, mac: MacKey) -> Self {
        let entry = |record: KeyRecord| {
            let principal = record.principal(PrincipalKind::Key(record.name));
            (record.name, Entry { record, principal })
        };
        Self {
            mac,
            keys: file.keys.into_iter().map(entry).collect(),
        }
    }

    fn check(&self, key: &KeyText, now: Timestamp) -> Result<Principal, Denial> {
        let entry = self.keys.get(&key.name());
        let nobody = KeyHash::of_nobody();
        let hash = entry.map_or(&nobody, |entry| &entry.record.hash);
        // Also where there is nothing to compare with: the time must not tell which names there are.
        let is_right = self.mac.matches(key, hash);
        let Some(entry) = entry else {
            return Err(Reason::Unknown.into());
        };
        if !is_right {
            return Err(Reason::Secret.into());
        }
        match entry.record.ended(now) {
            Some(reason) => Err(reason.into()),
            None => Ok(entry.principal.clone()),
        }
    }

    fn live(&self, now: Timestamp) -> Live {
        let mut live = Live::default();
        for entry in self.keys.values() {
            if entry.record.ended(now).is_none() {
                live.keys.insert(entry.record.name);
                live.tenants.insert(entry.record.settings.tenant.clone());
                let ends = live.next_end.into_iter().chain(entry.record.end());
                live.next_end = ends.min();
            }
        }
        live
    }
}

/// Looks at the directory, on a thread of its own.
struct Follower {
    inner: Weak<Inner>,
    /// Stamp of the file that was read last; `None` after one that could not be read.
    stamp: Option<DirectoryStamp>,
    live: Live,
}

impl Follower {
    fn look(&mut self, now: Timestamp) {
        let Some(inner) = self.inner.upgrade() else {
            return;
        };
        let stamp = inner.directory.stamp();
        let is_changed = self.stamp.as_ref() != Some(&stamp);
        if is_changed {
            self.stamp = self.read(&inner).then_some(stamp);
        }
        if is_changed || self.live.next_end.is_some_and(|end| now >= end) {
            self.tell(&inner, now);
        }
    }

    /// Tells of the keys that have begun and ended since the look before.
    fn tell(&mut self, inner: &Inner, now: Timestamp) {
        let live = inner.snapshot().live(now);
        let is_same = live.keys == self.live.keys;
        let changes = KeyChanges {
            begun: live.keys.difference(&self.live.keys).copied().collect(),
            ended: self.live.keys.difference(&live.keys).copied().collect(),
            tenants: self
                .live
                .tenants
                .difference(&live.tenants)
                .cloned()
                .collect(),
        };
        if !is_same {
            tracing::info!(
                target: "ampoule::keys",
                accepted = live.keys.len(), begun = changes.begun.len(), ended = changes.ended.len(),
                "the API keys that are accepted have changed"
            );
        }
        self.live = live;
        if changes != KeyChanges::default() {
            for callback in lock(&inner.callbacks).iter() {
                callback(&changes);
            }
        }
    }

    /// Puts the keys of the directory in force. Returns false when they cannot be used, so that the next look tries
    /// again; each fault is told once.
    fn read(&self, inner: &Inner) -> bool {
        match Snapshot::read(&inner.directory, &inner.source) {
            Ok(snapshot) => {
                inner.replace(snapshot);
                *lock(&inner.fault) = None;
                true
            }
            Err(error) => {
                let mut fault = lock(&inner.fault);
                let is_told = fault
                    .as_ref()
                    .is_some_and(|told| told.to_string() == error.to_string());
                if !is_told {
                    tracing::warn!(
                        target: "ampoule::keys",
                        code = error.code(), %error,
                        "the key directory cannot be used, and the keys that were read last stay in force"
                    );
                }
                *fault = Some(error);
                false
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use ampoule_signing::PermissionPolicy;

    use super::*;
    use crate::key_directory::NewKey;
    use crate::key_record::KeySettings;
    use crate::permission::Role;

    /// A key directory with one key, and a follower of it that looks when it is told to.
    struct Followed {
        dir: tempfile::TempDir,
        directory: KeyDirectory,
        key: NewKey,
        inner: Arc<Inner>,
        follower: Follower,
    }

    fn settings(tenant: &str, not_after: Option<Timestamp>) -> KeySettings {
        KeySettings {
            not_after,
            ..KeySettings::new(Role::Infer, tenant.parse().unwrap())
        }
    }

    impl Followed {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let directory = KeyDirectory::new(dir.path(), PermissionPolicy::default());
            let key = directory.add(settings("acme", None), Timestamp::now());
            let (inner, follower) = begin(directory.clone(), MacKeySource::Directory)
                .ok()
                .unwrap();
            Self {
                dir,
                directory,
                key: key.unwrap(),
                inner,
                follower,
            }
        }

        /// Looks, and returns the code of the fault.
        fn look(&mut self) -> Option<&'static str> {
            self.follower.look(Timestamp::now());
            let fault = lock(&self.inner.fault);
            fault.as_ref().map(Error::code)
        }

        fn refusal(&self, key: &KeyText) -> Option<Reason> {
            let checked = self.inner.snapshot().check(key, Timestamp::now());
            checked.err().map(|denial| denial.reason)
        }
    }

    #[test]
    fn a_file_that_cannot_be_used_leaves_the_last_keys_in_force_and_is_a_fault_until_mended() {
        let mut followed = Followed::new();
        let file = followed.dir.path().join("keys.toml");
        let good = fs::read(&file).unwrap();
        let text = String::from_utf8(good.clone()).unwrap();
        let other_mac = text.replace("mac_key = \"", "mac_key = \"0000000000000000\" # ");
        for (content, code) in [
            (&b"schema = 1\n[[key]]\n"[..], "key.malformed"),
            (&good[..good.len() / 2], "key.malformed"),
            (other_mac.as_bytes(), "key.mac-key"),
        ] {
            fs::write(&file, content).unwrap();
            for _ in 0..2 {
                assert_eq!(followed.look(), Some(code));
                assert_eq!(followed.refusal(&followed.key.text), None);
            }
            fs::write(&file, &good).unwrap();
            assert_eq!(followed.look(), None);
        }
        fs::remove_file(&file).unwrap();
        assert_eq!(followed.look(), Some("key.missing"));
        fs::write(&file, &good).unwrap();
        let set_mode = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        set_mode(0o666);
        assert_eq!(followed.look(), Some("trust.permissions"));
        assert_eq!(followed.refusal(&followed.key.text), None);
        set_mode(0o600);
        assert_eq!(followed.look(), None);
    }

    #[test]
    fn keys_that_begin_and_the_end_of_keys_and_of_tenants_are_told_once_by_change_and_by_time() {
        let mut followed = Followed::new();
        let told: Arc<Mutex<Vec<KeyChanges>>> = Arc::default();
        let tell = Arc::clone(&told);
        let callback = move |changes: &KeyChanges| lock(&tell).push(changes.clone());
        lock(&followed.inner.callbacks).push(Box::new(callback));
        let now = Timestamp::now();
        let end = Timestamp::from_second(now.as_second() + 100).unwrap();
        let add = |settings| followed.directory.add(settings, now).unwrap().record;
        let brief = add(settings("brief", Some(end)));
        let second = add(settings("acme", None));
        let removed = add(settings("gone", None));
        let told_at = |follower: &mut Follower, now| {
            follower.look(now);
            std::mem::take(&mut *lock(&told))
        };
        let follower = &mut followed.follower;
        let mut begun = vec![brief.name, second.name, removed.name];
        begun.sort_unstable();
        let new = KeyChanges {
            begun,
            ..KeyChanges::default()
        };
        assert_eq!(told_at(follower, now), [new]);

        let first = followed.key.record.name;
        followed.directory.revoke(&[first], now).unwrap();
        let expected = |name, tenants: &[&str]| KeyChanges {
            begun: Vec::new(),
            ended: vec![name],
            tenants: tenants.iter().map(|name| name.parse().unwrap()).collect(),
        };
        assert_eq!(told_at(follower, now), [expected(first, &[])]);
        assert!(told_at(follower, now).is_empty());
        // By time alone, without a change of the file.
        assert_eq!(told_at(follower, end), [expected(brief.name, &["brief"])]);
        assert!(told_at(follower, end).is_empty());

        let file = followed.dir.path().join("keys.toml");
        let text = fs::read_to_string(&file).unwrap();
        let place = text.find(&removed.name.to_string()).unwrap();
        let kept = text[..place].rfind("[[key]]").unwrap();
        fs::write(&file, &text[..kept]).unwrap();
        assert_eq!(told_at(follower, end), [expected(removed.name, &["gone"])]);
        followed.directory.revoke(&[second.name], now).unwrap();
        assert_eq!(told_at(follower, end), [expected(second.name, &["acme"])]);
    }
}
