//! Detects changes of a trust directory without reading it.

use std::path::Path;

use crate::files::directory_stamp::DirectoryStamp;
use crate::trust::trust_directory::{REVOCATIONS_FILE, ROOT_FILE, TRUST_FILE};

impl DirectoryStamp {
    /// Takes the stamp of a trust directory, as [`DirectoryStamp::of_files`] does.
    #[must_use]
    pub fn of(dir: &Path) -> Self {
        Self::of_files(dir, &[TRUST_FILE, ROOT_FILE, REVOCATIONS_FILE])
    }
}
