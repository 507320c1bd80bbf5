//! Sources of a model's files: the host or, in tests, a directory or a map.

use std::collections::BTreeMap;

use crate::Error;
use crate::bindings::model::ampoule::model::assets;

/// A source of a model's files, by name.
pub trait AssetSource {
    /// Returns the size in bytes of the file `name`.
    ///
    /// # Errors
    ///
    /// `asset.not-found`; `asset.closed` outside [`Model::load`](crate::Model::load).
    fn size(&self, name: &str) -> Result<u64, Error>;

    /// Returns up to `len` bytes of the file `name`, starting at byte `offset`. The answer may be shorter
    /// than asked; it is empty only at the end of the file or when `len` is zero.
    ///
    /// # Errors
    ///
    /// `asset.not-found`; `asset.out-of-range` when `offset` is beyond the end; `asset.closed`
    /// outside [`Model::load`](crate::Model::load).
    fn read(&self, name: &str, offset: u64, len: u32) -> Result<Vec<u8>, Error>;
}

/// The files that the signed manifest lists, verified by the host.
///
/// Works only in a guest: on other targets than `wasm32` there is no host to ask, and a call
/// panics.
#[derive(Debug, Clone, Copy)]
pub struct Host;

impl AssetSource for Host {
    fn size(&self, name: &str) -> Result<u64, Error> {
        assets::size(name)
    }

    fn read(&self, name: &str, offset: u64, len: u32) -> Result<Vec<u8>, Error> {
        assets::read(name, offset, len)
    }
}

/// Returns the answer to a read of `len` bytes at `offset` of `file`.
fn slice<'a>(name: &str, file: &'a [u8], offset: u64, len: u32) -> Result<&'a [u8], Error> {
    let rest = usize::try_from(offset)
        .ok()
        .and_then(|offset| file.get(offset..))
        .ok_or_else(|| out_of_range(name, offset, file.len() as u64))?;
    Ok(&rest[..rest.len().min(len as usize)])
}

fn out_of_range(name: &str, offset: u64, size: u64) -> Error {
    Error::new(
        "asset.out-of-range",
        format!("expected an offset of at most {size} into `{name}`, found {offset}"),
    )
}

fn not_found(name: &str) -> Error {
    Error::new("asset.not-found", format!("the model has no file `{name}`"))
}

/// Files held in memory, by name: for tests.
impl AssetSource for BTreeMap<String, Vec<u8>> {
    fn size(&self, name: &str) -> Result<u64, Error> {
        let file = self.get(name).ok_or_else(|| not_found(name))?;
        Ok(file.len() as u64)
    }

    fn read(&self, name: &str, offset: u64, len: u32) -> Result<Vec<u8>, Error> {
        let file = self.get(name).ok_or_else(|| not_found(name))?;
        Ok(slice(name, file, offset, len)?.to_vec())
    }
}

/// The files of a directory: for tests of a model outside a sandbox, on files that the tester
/// trusts.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Debug, Clone)]
pub struct Directory(pub std::path::PathBuf);

#[cfg(not(target_arch = "wasm32"))]
impl AssetSource for Directory {
    fn size(&self, name: &str) -> Result<u64, Error> {
        let file = std::fs::metadata(self.0.join(name)).map_err(|_| not_found(name))?;
        Ok(file.len())
    }

    fn read(&self, name: &str, offset: u64, len: u32) -> Result<Vec<u8>, Error> {
        use std::io::{Read as _, Seek as _, SeekFrom};

        let size = self.size(name)?;
        if offset > size {
            return Err(out_of_range(name, offset, size));
        }
        let unreadable = |found: std::io::Error| {
            Error::new("asset.unreadable", format!("cannot read `{name}`: {found}"))
        };
        let mut file = std::fs::File::open(self.0.join(name)).map_err(|_| not_found(name))?;
        file.seek(SeekFrom::Start(offset)).map_err(unreadable)?;
        let mut bytes = Vec::new();
        file.take(u64::from(len))
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        Ok(bytes)
    }
}
