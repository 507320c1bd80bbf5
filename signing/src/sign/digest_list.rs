//! The digests of a directory's files, for tools that know nothing of bundles.

use std::io::Read as _;

use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use sha2::Digest as _;

use crate::bundle::envelope::ENVELOPE_FILE;
use crate::bundle::file_reader::PIECE_BYTES;
use crate::bundle::names::check_path;
use crate::bundle::source::open_directory;
use crate::files::directory::Directory;
use crate::files::permission_policy::Location;
use crate::sign::file_rules::{FileRules, LeftOut};
use crate::values::digest::Sha256Digest;
use crate::values::error::{Error, Result};

/// Digests by the paths of their files.
pub type DigestList = Vec<(String, Sha256Digest)>;

/// Returns the SHA-256 digest of each file below `dir` that the rules take, the envelope's too, by their paths in
/// it, sorted, and what the rules leave out. One file is read by one core, several at the same time.
///
/// # Errors
///
/// `manifest.path` for a path that no bundle may have, `file.symlink`, `file.type`,
/// `trust.owner`, `trust.permissions`, `io.failed`.
pub fn digest_directory<'p>(
    dir: impl Into<Location<'p>>,
    rules: &FileRules,
) -> Result<(DigestList, Vec<LeftOut>)> {
    let directory = open_directory(&dir.into())?;
    let (paths, left_out) = rules.select(&directory, &[])?;
    for path in paths.iter().filter(|path| *path != ENVELOPE_FILE) {
        check_path(path).map_err(|reason| Error::ManifestPath {
            path: path.clone(),
            reason,
        })?;
    }
    let digests = paths
        .into_par_iter()
        .map(|path| {
            let digest = digest_file(&directory, &path)?;
            Ok((path, digest))
        })
        .collect::<Result<_>>()?;
    Ok((digests, left_out))
}

fn digest_file(directory: &Directory, path: &str) -> Result<Sha256Digest> {
    let (mut file, _) = directory.open_file(path)?;
    let mut hasher = sha2::Sha256::new();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok(Sha256Digest::of_hasher(hasher)),
            Ok(read) => hasher.update(&piece[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::io(format!("read {path:?}"))(error)),
        }
    }
}
