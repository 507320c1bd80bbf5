//! Owners and modes of files in tests.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// A user who is neither root nor whoever runs the tests.
pub(crate) const STRANGER: u32 = 54_321;

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

pub(crate) fn write_private(path: &Path, file: &[u8]) {
    fs::write(path, file).unwrap();
    set_mode(path, 0o600);
}
