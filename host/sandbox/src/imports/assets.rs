//! The `assets` import: a model's verified files, while `init` runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use ampoule_units::text;
use bytes::Bytes;

use crate::imports::bindings::ampoule::model::types::Error as GuestError;
use crate::limits::MAX_ASSET_READ;

/// A model's files by the names in its manifest.
#[derive(Debug, Clone, Default)]
pub struct AssetFiles(Arc<BTreeMap<String, Bytes>>);

impl From<BTreeMap<String, Bytes>> for AssetFiles {
    fn from(files: BTreeMap<String, Bytes>) -> Self {
        Self(Arc::new(files))
    }
}

impl AssetFiles {
    /// Iterates over names and bytes, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Bytes)> {
        self.0.iter().map(|(name, bytes)| (name.as_str(), bytes))
    }

    /// Returns the file of this name. Error: `asset.not-found`.
    pub fn find(&self, name: &str) -> Result<&Bytes, GuestError> {
        self.0.get(name).ok_or_else(|| {
            let name = text::name(name);
            error(
                "asset.not-found",
                format!("the manifest lists no file `{name}`"),
            )
        })
    }

    /// Returns the files whose names `wanted` accepts.
    #[must_use]
    pub fn only(&self, wanted: impl Fn(&str) -> bool) -> Self {
        let files = self.iter().filter(|(name, _)| wanted(name));
        let files = files.map(|(name, bytes)| (name.to_owned(), bytes.clone()));
        Self(Arc::new(files.collect()))
    }
}

/// One sandbox's access to the files: open until `init` returned.
#[derive(Debug)]
pub struct Assets {
    files: Option<AssetFiles>,
}

impl Assets {
    /// Opens access to `files`.
    pub fn open(files: AssetFiles) -> Self {
        Self { files: Some(files) }
    }

    /// Makes access that is closed already, for a guest that is initialised.
    pub fn closed() -> Self {
        Self { files: None }
    }

    /// Closes access: every later call is answered with `asset.closed`.
    pub fn close(&mut self) {
        self.files = None;
    }

    /// Returns the size of a file in bytes. Errors: `asset.closed`, `asset.not-found`.
    pub fn size(&self, name: &str) -> Result<u64, GuestError> {
        Ok(self.find(name)?.len() as u64)
    }

    /// Reads up to `len` bytes from `offset`. Errors: those of [`Self::size`] and `asset.out-of-range`.
    pub fn read(&self, name: &str, offset: u64, len: u32) -> Result<Vec<u8>, GuestError> {
        let bytes = self.find(name)?;
        let rest = usize::try_from(offset)
            .ok()
            .and_then(|offset| bytes.get(offset..))
            .ok_or_else(|| {
                error(
                    "asset.out-of-range",
                    format!(
                        "offset {offset} is beyond the {} bytes there are",
                        bytes.len()
                    ),
                )
            })?;
        let len = (len.min(MAX_ASSET_READ) as usize).min(rest.len());
        Ok(rest[..len].to_vec())
    }

    /// Returns the files while access is open. Error: `asset.closed`.
    pub fn files(&self) -> Result<&AssetFiles, GuestError> {
        self.files.as_ref().ok_or_else(|| {
            error(
                "asset.closed",
                "assets can be read only while `init` runs".to_owned(),
            )
        })
    }

    fn find(&self, name: &str) -> Result<&Bytes, GuestError> {
        self.files()?.find(name)
    }
}

fn error(code: &str, message: String) -> GuestError {
    GuestError {
        code: code.to_owned(),
        message,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn assets() -> Assets {
        let big: Bytes = vec![7; MAX_ASSET_READ as usize + 10].into();
        let small: Bytes = b"hello".to_vec().into();
        Assets::open(AssetFiles(Arc::new(BTreeMap::from([
            ("big".to_owned(), big),
            ("small".to_owned(), small),
        ]))))
    }

    #[test]
    fn reads_are_clamped_to_the_cap_and_to_the_end() {
        let assets = assets();
        assert_eq!(assets.read("small", 1, 3).unwrap(), b"ell");
        assert_eq!(assets.read("small", 3, u32::MAX).unwrap(), b"lo");
        assert_eq!(assets.read("small", 5, 9).unwrap(), b"");
        let read = assets.read("big", 0, u32::MAX).unwrap();
        assert_eq!(read.len(), MAX_ASSET_READ as usize);
    }

    #[test]
    fn reads_beyond_the_end_and_of_unknown_names_are_refused() {
        let assets = assets();
        for offset in [6, u64::from(u32::MAX) + 1, u64::MAX] {
            assert_eq!(
                assets.read("small", offset, 1).unwrap_err().code,
                "asset.out-of-range"
            );
        }
        for name in ["", "/etc/passwd", "../small", "SMALL"] {
            assert_eq!(assets.size(name).unwrap_err().code, "asset.not-found");
        }
    }

    #[test]
    fn nothing_answers_once_closed() {
        let mut assets = assets();
        assets.close();
        assert_eq!(assets.size("small").unwrap_err().code, "asset.closed");
        assert_eq!(assets.read("small", 0, 1).unwrap_err().code, "asset.closed");
    }
}
