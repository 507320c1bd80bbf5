//! A location on disk where a host looks for a model's newest release, and the ways to put one there.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use ampoule_signing::{ENVELOPE_FILE, pack_directory};
use tempfile::TempDir;

use crate::bundle::WrittenBundle;

/// Way to put a release in its location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// A directory is moved away and another one moved to its place.
    Rename,
    /// Each file is written over, the envelope last.
    Overwrite,
    /// A link is switched from one directory to another.
    Link,
    /// A packed bundle is renamed over another.
    Packed,
    /// A packed bundle is written over.
    PackedOverwrite,
}

impl Delivery {
    /// Lists all ways.
    pub const ALL: [Self; 5] = [
        Self::Rename,
        Self::Overwrite,
        Self::Link,
        Self::Packed,
        Self::PackedOverwrite,
    ];
}

/// A location for one model's releases, which is removed when this is dropped.
pub struct Place {
    dir: TempDir,
    delivery: Delivery,
    releases: usize,
}

impl Place {
    /// Makes one with a first release in it.
    ///
    /// # Panics
    ///
    /// If the system refuses to write.
    #[must_use]
    pub fn new(delivery: Delivery, first: &WrittenBundle) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut place = Self {
            dir,
            delivery,
            releases: 0,
        };
        place.put(first);
        place
    }

    /// Returns the path of the model.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("model")
    }

    /// Puts another release in the place of the one that is there.
    ///
    /// # Panics
    ///
    /// If the system refuses to write.
    pub fn put(&mut self, bundle: &WrittenBundle) {
        let (place, is_first) = (self.path(), self.releases == 0);
        self.releases += 1;
        let beside = self.dir.path().join(format!("release-{}", self.releases));
        match self.delivery {
            Delivery::Rename => {
                copy_bundle(bundle.path(), &beside);
                if !is_first {
                    fs::rename(&place, beside.with_extension("old")).unwrap();
                }
                fs::rename(beside, place).unwrap();
            }
            Delivery::Overwrite => copy_bundle(bundle.path(), &place),
            Delivery::Link => {
                copy_bundle(bundle.path(), &beside);
                let link = beside.with_extension("link");
                symlink(beside.file_name().unwrap(), &link).unwrap();
                fs::rename(link, place).unwrap();
            }
            Delivery::Packed => {
                pack_directory(bundle.path(), &beside).unwrap();
                fs::rename(beside, place).unwrap();
            }
            Delivery::PackedOverwrite => {
                pack_directory(bundle.path(), &beside).unwrap();
                fs::copy(beside, place).unwrap();
            }
        }
    }
}

/// Copies a bundle file by file, its envelope last, into a directory that may be there.
fn copy_bundle(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    let mut names: Vec<_> = fs::read_dir(from)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort_by_key(|name| name == ENVELOPE_FILE);
    for name in names {
        fs::copy(from.join(&name), to.join(&name)).unwrap();
    }
}
