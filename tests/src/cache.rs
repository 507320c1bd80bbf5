//! A directory for the cache of compiled models, and the files in it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A directory for the cache, which the first program that needs it makes.
pub struct CacheDirectory {
    path: PathBuf,
    _above: tempfile::TempDir,
}

impl CacheDirectory {
    /// Chooses a path where nothing is yet.
    ///
    /// # Panics
    ///
    /// If the system refuses to write.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it writes files")]
    pub fn new() -> Self {
        let above = tempfile::tempdir().unwrap();
        Self {
            path: above.path().join("cache"),
            _above: above,
        }
    }

    /// Returns its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Lists the files of its entries.
    ///
    /// # Panics
    ///
    /// If they cannot be listed.
    #[must_use]
    pub fn entries(&self) -> Vec<PathBuf> {
        let Ok(files) = fs::read_dir(&self.path) else {
            return Vec::new();
        };
        files
            .map(|file| file.unwrap().path())
            .filter(|path| path.extension().is_some_and(|suffix| suffix == "code"))
            .collect()
    }

    /// Returns the file of its only entry.
    ///
    /// # Panics
    ///
    /// If there is none, or more than one.
    #[must_use]
    pub fn entry(&self) -> PathBuf {
        let mut entries = self.entries();
        assert_eq!(entries.len(), 1);
        entries.remove(0)
    }
}

/// Offsets of the parts of an entry that follow its magic and the header's length.
pub struct EntryParts {
    /// Offset of the authentication code, at the header's end.
    pub mac: usize,
    /// Offset of the native code, which goes to the end.
    pub code: usize,
}

impl EntryParts {
    /// Reads them from an entry's bytes.
    ///
    /// # Panics
    ///
    /// If they are too few.
    #[must_use]
    pub fn of(entry: &[u8]) -> Self {
        let header: [u8; 4] = entry[8..12].try_into().unwrap();
        let mac = 12 + u32::from_le_bytes(header) as usize;
        Self {
            mac,
            code: mac + 32,
        }
    }
}

/// Sets the permissions of a file or a directory.
///
/// # Panics
///
/// If the system refuses.
pub fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Makes a file look as if it was last used so long ago.
///
/// # Panics
///
/// If the system refuses.
pub fn set_last_use(path: &Path, age: Duration) {
    let file = fs::File::open(path).unwrap();
    file.set_modified(SystemTime::now() - age).unwrap();
}
