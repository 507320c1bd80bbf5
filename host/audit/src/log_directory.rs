//! The segments of a log in a directory, for who reads them. Nothing is believed of the directory, so nobody's
//! permissions matter: the log may be a copy on any machine.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::storage::LogSource;

/// End of a segment's name.
const EXTENSION: &str = ".ampaudit";
/// Digits of a segment's number at least.
const DIGITS: usize = 8;
/// Name of the file of the first segment's public key.
pub const PUBLIC_KEY_FILE: &str = "audit.pub";

/// A directory with the segments of a log.
#[derive(Clone, Debug)]
pub struct LogDirectory(PathBuf);

impl LogDirectory {
    /// Names a directory. Nothing is read yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Returns its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl LogSource for LogDirectory {
    fn segments(&self) -> io::Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            numbers.extend(entry?.file_name().to_str().and_then(segment_of));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn open(&self, segment: u64) -> io::Result<(Box<dyn Read + '_>, u64)> {
        let path = self.0.join(segment_name(segment));
        // A pipe would have the reader wait for ever.
        if !fs::symlink_metadata(&path)?.is_file() {
            return Err(io::Error::other("a segment is not a plain file"));
        }
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok((
            Box::new(io::BufReader::with_capacity(64 << 10, file)),
            length,
        ))
    }
}

/// Returns the name of a segment's file.
pub(crate) fn segment_name(segment: u64) -> String {
    format!("{segment:0DIGITS$}{EXTENSION}")
}

/// Returns the number of a segment by its file's name; `None` for other files.
pub(crate) fn segment_of(name: &str) -> Option<u64> {
    let number = name.strip_suffix(EXTENSION)?.parse().ok()?;
    // One spelling: no `+1`, no `01`, no zero.
    (number > 0 && segment_name(number) == name).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_has_one_name() {
        assert_eq!(segment_name(1), "00000001.ampaudit");
        assert_eq!(segment_of("00000001.ampaudit"), Some(1));
        assert_eq!(segment_of("123456789.ampaudit"), Some(123_456_789));
        for other in [
            "00000000.ampaudit",
            "1.ampaudit",
            "+0000001.ampaudit",
            "00000001.ampaudit.gz",
            "000000001.ampaudit",
        ] {
            assert_eq!(segment_of(other), None, "{other}");
        }
    }
}
