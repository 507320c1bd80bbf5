//! A key directory in a place of its own.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use ampoule_access::{KeyDirectory, KeySettings, NewKey, Role};
use ampoule_signing::{PermissionPolicy, Timestamp};
use tempfile::TempDir;

pub(crate) struct Desk {
    dir: TempDir,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("keys")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub(crate) fn directory(&self) -> KeyDirectory {
        KeyDirectory::new(self.path(), PermissionPolicy::default())
    }

    pub(crate) fn add(&self, tenant: &str) -> NewKey {
        let settings = settings(tenant);
        self.directory().add(settings, now()).unwrap()
    }
}

pub(crate) fn settings(tenant: &str) -> KeySettings {
    KeySettings::new(Role::Infer, tenant.parse().unwrap())
}

/// The time in whole seconds, as files hold it.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second()).unwrap()
}

/// Waits until something is true that a thread brings about.
#[track_caller]
pub(crate) fn wait_until(what: &str, is_true: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_true() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
