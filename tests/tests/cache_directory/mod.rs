//! A cache directory for a test, and the files in it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// One that does not exist before something makes it.
pub(crate) struct CacheDirectory {
    path: PathBuf,
    _above: tempfile::TempDir,
}

impl CacheDirectory {
    pub(crate) fn new() -> Self {
        let above = tempfile::tempdir().unwrap();
        Self {
            path: above.path().join("cache"),
            _above: above,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The files of its entries.
    pub(crate) fn entries(&self) -> Vec<PathBuf> {
        let Ok(files) = fs::read_dir(&self.path) else {
            return Vec::new();
        };
        files
            .map(|file| file.unwrap().path())
            .filter(|path| path.extension().is_some_and(|suffix| suffix == "code"))
            .collect()
    }

    /// The file of its only entry.
    pub(crate) fn entry(&self) -> PathBuf {
        let mut entries = self.entries();
        assert_eq!(entries.len(), 1);
        entries.remove(0)
    }
}

/// Where the parts of an entry begin, the magic and the header's length aside.
pub(crate) struct Parts {
    pub(crate) mac: usize,
    pub(crate) code: usize,
}

impl Parts {
    pub(crate) fn of(entry: &[u8]) -> Self {
        let header: [u8; 4] = entry[8..12].try_into().unwrap();
        let mac = 12 + u32::from_le_bytes(header) as usize;
        Self {
            mac,
            code: mac + 32,
        }
    }
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
