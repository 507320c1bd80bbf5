//! Which release of each model this machine has run, so that an older one, whose faults are known by
//! now, is not put in its place (rollback, TUF 1.0, section 1.5.2).

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use serde::Serialize;

use crate::digest::Sha256Digest;
use crate::directory::Directory;
use crate::error::{Error, Result};
use crate::json::{self, Fields, ReadError, Value, parsed};
use crate::locked_directory::LockedDirectory;
use crate::manifest::Manifest;
use crate::permission_policy::{Location, PermissionPolicy};
use crate::permissions::Rule;
use crate::trust::document::{in_document, schema};
use crate::trust::error::TrustError;
use crate::trust::model_pattern::ModelPattern;
use crate::units::ByteSize;

/// The name of the file in the state directory.
pub const RELEASES_FILE: &str = "releases.json";
/// What two processes at once take turns on, so that neither loses what the other writes.
const LOCK_FILE: &str = "releases.lock";
/// The longest file: some hundred thousand models.
const MAX_RELEASES_BYTES: u64 = 32 << 20;
/// The version of the file's format.
const SCHEMA: u64 = 1;

/// The newest release of a model that this machine has run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SeenRelease {
    /// Its number.
    pub release: u64,
    /// The digest of its manifest: one number is one bundle.
    pub manifest: Sha256Digest,
}

impl SeenRelease {
    /// This bundle's release.
    #[must_use]
    pub fn of(manifest: &Manifest, digest: Sha256Digest) -> Self {
        Self {
            release: manifest.release(),
            manifest: digest,
        }
    }

    /// Whether another bundle of the same model may come after this release: it is newer, or this very
    /// one. The names are not compared.
    ///
    /// # Errors
    ///
    /// `trust.rollback` when it is older, `trust.release-reused` when it is another bundle of the same
    /// release.
    pub fn may_be_followed_by(&self, manifest: &Manifest, digest: Sha256Digest) -> Result<()> {
        let release = manifest.release();
        if release < self.release {
            return Err(Error::Trust(TrustError::Rollback {
                model: model_of(manifest),
                found: release,
                seen: self.release,
            }));
        }
        if release == self.release && digest != self.manifest {
            return Err(Error::Trust(TrustError::ReleaseReused {
                model: model_of(manifest),
                release,
            }));
        }
        Ok(())
    }
}

/// The state directory of a machine.
///
/// Nothing is kept in memory: every question reads the file, so that all processes of the machine see
/// what one of them has recorded.
#[derive(Clone, Debug)]
pub struct ReleaseState {
    dir: PathBuf,
    permissions: PermissionPolicy,
}

/// The file's content.
#[derive(Debug, Serialize)]
struct Releases {
    schema: u64,
    /// By publisher and name: `acme/minilm`.
    releases: BTreeMap<String, SeenRelease>,
}

impl ReleaseState {
    /// The state in this directory, which need not be there yet.
    #[must_use]
    pub fn in_directory(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            permissions: PermissionPolicy::default(),
        }
    }

    /// Says what is done when others may change the directory or the file.
    #[must_use]
    pub fn with_permissions(mut self, permissions: PermissionPolicy) -> Self {
        self.permissions = permissions;
        self
    }

    /// The newest release of each model that was run here, by `publisher/name`.
    ///
    /// # Errors
    ///
    /// `trust.owner` and `trust.permissions` when others may change the file, the directory or one above
    /// it, `trust.malformed` when the file is not as [`ReleaseState::record`] writes it, `io.failed`.
    pub fn seen(&self) -> Result<BTreeMap<String, SeenRelease>> {
        match Directory::open(&self.location(), Rule::OwnerWrites, "the state directory") {
            Ok(directory) => Ok(read(&directory)?.releases),
            Err(error) if error.io_kind() == Some(io::ErrorKind::NotFound) => Ok(BTreeMap::new()),
            Err(error) => Err(error),
        }
    }

    /// Whether this bundle may follow what was run here.
    ///
    /// # Errors
    ///
    /// `trust.rollback` when a newer release was run, `trust.release-reused` when another bundle of the
    /// same release was, and as [`ReleaseState::seen`].
    pub fn check(&self, manifest: &Manifest, digest: Sha256Digest) -> Result<()> {
        match self.seen()?.get(&model_of(manifest)) {
            Some(seen) => seen.may_be_followed_by(manifest, digest),
            None => Ok(()),
        }
    }

    /// Remembers that this bundle was run. To be called when it is known to run: a release that cannot
    /// be loaded must not shut out the last one that could.
    ///
    /// The file is replaced whole (written, synced, renamed, and the directory synced), under a lock that
    /// all processes take turns on; what is recorded already is never lowered.
    ///
    /// # Errors
    ///
    /// As [`ReleaseState::check`]: another process may have recorded something newer in the meantime.
    pub fn record(&self, manifest: &Manifest, digest: Sha256Digest) -> Result<()> {
        let model = model_of(manifest);
        let this = SeenRelease::of(manifest, digest);
        // The usual case, which needs no turn and no right to write.
        if self.seen()?.get(&model) == Some(&this) {
            return Ok(());
        }
        let locked = LockedDirectory::make(&self.location(), LOCK_FILE, "the state directory")?;
        let mut state = read(locked.directory())?;
        if let Some(seen) = state.releases.get(&model) {
            seen.may_be_followed_by(manifest, digest)?;
            if *seen == this {
                return Ok(());
            }
        }
        state.releases.insert(model, this);
        let mut json =
            serde_json::to_vec_pretty(&state).map_err(|_| Error::Internal("the releases"))?;
        json.push(b'\n');
        locked
            .directory()
            .replace(RELEASES_FILE, &json, 0o600)
            .map_err(Error::io("write releases.json"))
    }

    fn location(&self) -> Location<'_> {
        self.permissions.at(&self.dir)
    }
}

fn model_of(manifest: &Manifest) -> String {
    format!("{}/{}", manifest.publisher(), manifest.name())
}

fn read(directory: &Directory) -> Result<Releases> {
    let bytes = match directory.read_bounded(RELEASES_FILE, MAX_RELEASES_BYTES) {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(found)) => {
            return Err(Error::Trust(TrustError::Malformed {
                document: RELEASES_FILE,
                reason: format!(
                    "expected at most {}, found {}",
                    ByteSize::from_bytes(MAX_RELEASES_BYTES),
                    ByteSize::from_bytes(found)
                ),
            }));
        }
        Err(Error::FileMissing { .. }) => {
            return Ok(Releases {
                schema: SCHEMA,
                releases: BTreeMap::new(),
            });
        }
        Err(error) => return Err(error),
    };
    parse(&bytes).map_err(in_document(RELEASES_FILE))
}

fn parse(bytes: &[u8]) -> json::Result<Releases> {
    let mut fields = Fields::of(Value::parse(bytes)?, "")?;
    schema(&mut fields, RELEASES_FILE, SCHEMA)?;
    let releases = fields.required("releases", |value, field| {
        value
            .object(field)?
            .into_iter()
            .map(|(model, value)| {
                let field = format!("{field}.{}", crate::error::printable(&model));
                check_model(&model, &field)?;
                Ok((model, seen_release(value, &field)?))
            })
            .collect::<json::Result<_>>()
    })?;
    fields.finish()?;
    Ok(Releases {
        schema: SCHEMA,
        releases,
    })
}

fn check_model(model: &str, field: &str) -> json::Result<()> {
    let is_model = model
        .parse()
        .is_ok_and(|pattern: ModelPattern| pattern.is_one_model());
    if is_model {
        Ok(())
    } else {
        Err(ReadError::field(field, "expected `publisher/name`"))
    }
}

fn seen_release(value: Value, field: &str) -> json::Result<SeenRelease> {
    let mut fields = Fields::of(value, field)?;
    let release = fields.required("release", Value::positive)?;
    let manifest = fields.required("manifest", parsed)?;
    fields.finish()?;
    Ok(SeenRelease { release, manifest })
}
