//! The newest release of each model that this machine has run. An older one, whose faults are known by now, cannot
//! replace it (rollback, TUF 1.0, section 1.5.2).

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use crate::bundle::manifest::Manifest;
use crate::bundle::model_pattern::ModelPattern;
use crate::files::directory::Directory;
use crate::files::locked_directory::LockedDirectory;
use crate::files::permission_policy::{Location, PermissionPolicy};
use crate::files::permissions::Rule;
use crate::trust::releases_file::{self, Selection};
use crate::trust::seen_release::{SeenRelease, model_of};
use crate::values::digest::Sha256Digest;
use crate::values::error::{Error, Result};
use crate::values::json::MAX_INTEGER;
use crate::values::trust_error::TrustError;

/// The name of the file that earlier versions kept in the state directory, with the models of all
/// publishers in it. It is read for publishers that have no file of their own yet, and never written.
pub const RELEASES_FILE: &str = "releases.json";
/// The file that processes lock, so that neither loses a change of the other's.
const LOCK_FILE: &str = "releases.lock";
/// The most models of one publisher that are remembered. Somebody who may sign for `publisher/*` can make up names
/// without end: they fill their own file, of at most a megabyte, and nobody else's.
pub const MAX_MODELS_OF_A_PUBLISHER: usize = 4_096;

/// The state directory of a machine.
///
/// Every call reads the publisher's file and keeps nothing in memory, so that all processes of the machine see each
/// other's records.
#[derive(Clone, Debug)]
pub struct ReleaseState {
    dir: PathBuf,
    permissions: PermissionPolicy,
}

impl ReleaseState {
    /// Uses this directory, which need not exist yet.
    #[must_use]
    pub fn in_directory(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            permissions: PermissionPolicy::default(),
        }
    }

    /// Sets the treatment of a directory or a file that others may change.
    #[must_use]
    pub fn with_permissions(mut self, permissions: PermissionPolicy) -> Self {
        self.permissions = permissions;
        self
    }

    /// Returns the name of the file that a publisher's releases are in: `releases.acme.json`.
    #[must_use]
    pub fn file_of(publisher: &str) -> String {
        format!("releases.{publisher}.json")
    }

    /// Returns the newest release of each model that was run here, by `publisher/name`.
    ///
    /// # Errors
    ///
    /// `trust.owner` and `trust.permissions` when others may change a file, the directory or one above
    /// it, `trust.malformed` when a file is not as [`ReleaseState::record`] writes it, `io.failed`.
    pub fn seen(&self) -> Result<BTreeMap<String, SeenRelease>> {
        let Some(directory) = self.open()? else {
            return Ok(BTreeMap::new());
        };
        let mut seen =
            releases_file::read(&directory, RELEASES_FILE, Selection::All)?.unwrap_or_default();
        for publisher in publishers(&directory)? {
            // The publisher's own file has taken over what the common one says.
            seen.retain(|model, _| !is_of(model, &publisher));
            let own = Self::file_of(&publisher);
            let own = releases_file::read(
                &directory,
                &own,
                Selection::AllOf {
                    publisher: &publisher,
                },
            )?;
            seen.extend(own.unwrap_or_default());
        }
        Ok(seen)
    }

    /// Refuses a bundle that may not follow the one that was run here. Returns true for the very bundle that is
    /// remembered, so that there is nothing to record.
    ///
    /// # Errors
    ///
    /// `trust.rollback` when a newer release was run, `trust.release-reused` when another bundle of the
    /// same release was, `trust.releases-full` when the model is new here and as many of its publisher's are
    /// remembered as may be ([`MAX_MODELS_OF_A_PUBLISHER`]), and as [`ReleaseState::seen`] for the
    /// publisher's file.
    pub fn check(&self, manifest: &Manifest, digest: Sha256Digest) -> Result<bool> {
        let Some(directory) = self.open()? else {
            return Ok(false);
        };
        let (seen, models) = look_up(&directory, manifest.publisher(), &model_of(manifest))?;
        match seen {
            Some(seen) => {
                seen.may_be_followed_by(manifest, digest)?;
                Ok(seen == SeenRelease::of(manifest, digest))
            }
            None => check_room(manifest.publisher(), models).map(|()| false),
        }
    }

    /// Remembers that this bundle was run. Call it once the bundle is known to run, since a release that cannot be
    /// loaded must not shut out the last one that could. Skip it when [`ReleaseState::check`] has found the bundle
    /// recorded, since recording needs the right to write.
    ///
    /// The publisher's file is replaced whole (written, synced, renamed, and the directory synced), under a
    /// lock that all processes take turns on; what is recorded already is never lowered.
    ///
    /// # Errors
    ///
    /// As [`ReleaseState::check`]: another process may have recorded something newer in the meantime.
    /// `io.locked` when another process keeps the lock.
    pub fn record(&self, manifest: &Manifest, digest: Sha256Digest) -> Result<()> {
        let publisher = manifest.publisher();
        let model = model_of(manifest);
        let this = SeenRelease::of(manifest, digest);
        let locked = self.lock()?;
        let mut releases = read_all_of(locked.directory(), publisher)?;
        match releases.get(&model) {
            Some(seen) => {
                seen.may_be_followed_by(manifest, digest)?;
                if *seen == this {
                    return Ok(());
                }
            }
            None => check_room(publisher, releases.len())?,
        }
        releases.insert(model, this);
        write(locked.directory(), publisher, &releases)
    }

    /// Forgets the release of one model, or goes back to the release `to`: that release and every newer one may then
    /// be the next. This undoes a release that was signed by mistake with a number far ahead, after which no right
    /// one would ever run. When `to` is the remembered release itself, only its bundle is forgotten: this undoes a
    /// wrong bundle under a right number. Returns the release that was remembered; `None` when none was, or when `to`
    /// changes nothing.
    ///
    /// # Errors
    ///
    /// `usage.arguments` when no manifest has the number `to` (1 to 2^53 - 1), `io.locked`, and as
    /// [`ReleaseState::seen`] for the publisher's file.
    pub fn forget(
        &self,
        publisher: &str,
        name: &str,
        to: Option<u64>,
    ) -> Result<Option<SeenRelease>> {
        if let Some(to) = to.filter(|to| !(1..=MAX_INTEGER).contains(to)) {
            return Err(Error::UsageArguments(format!(
                "expected a release from 1 to {MAX_INTEGER}, found {to}"
            )));
        }
        if self.open()?.is_none() {
            return Ok(None);
        }
        let locked = self.lock()?;
        let mut releases = read_all_of(locked.directory(), publisher)?;
        let model = format!("{publisher}/{name}");
        let Some(seen) = releases.get(&model).copied() else {
            return Ok(None);
        };
        match to {
            Some(release) => {
                let back = SeenRelease {
                    release,
                    manifest: None,
                };
                if release > seen.release || back == seen {
                    return Ok(None);
                }
                releases.insert(model, back);
            }
            None => {
                releases.remove(&model);
            }
        }
        // Even an empty file: what the common one says of the publisher must not come back.
        write(locked.directory(), publisher, &releases)?;
        Ok(Some(seen))
    }

    fn open(&self) -> Result<Option<Directory>> {
        match Directory::open(&self.location(), Rule::OwnerWrites, "the state directory") {
            Ok(directory) => Ok(Some(directory)),
            Err(error) if error.io_kind() == Some(io::ErrorKind::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn lock(&self) -> Result<LockedDirectory> {
        LockedDirectory::make(&self.location(), LOCK_FILE, "the state directory")
    }

    fn location(&self) -> Location<'_> {
        self.permissions.at(&self.dir)
    }
}

fn is_of(model: &str, publisher: &str) -> bool {
    let rest = model.strip_prefix(publisher);
    rest.is_some_and(|rest| rest.starts_with('/'))
}

fn check_room(publisher: &str, models: usize) -> Result<()> {
    if models < MAX_MODELS_OF_A_PUBLISHER {
        return Ok(());
    }
    Err(Error::Trust(TrustError::ReleasesFull {
        publisher: publisher.to_owned(),
        models,
        allowed: MAX_MODELS_OF_A_PUBLISHER,
    }))
}

/// Returns the remembered release of one model, and the number of its publisher's models that are remembered.
fn look_up(
    directory: &Directory,
    publisher: &str,
    model: &str,
) -> Result<(Option<SeenRelease>, usize)> {
    let own = ReleaseState::file_of(publisher);
    let mut models = 0;
    for (file, publisher_only) in [(own.as_str(), true), (RELEASES_FILE, false)] {
        let selection = Selection::One {
            publisher,
            publisher_only,
            model,
            models: &mut models,
        };
        if let Some(found) = releases_file::read(directory, file, selection)? {
            return Ok((found.into_values().next(), models));
        }
    }
    Ok((None, 0))
}

/// Returns the remembered releases of a publisher: those in its own file, or else those in the common one.
fn read_all_of(directory: &Directory, publisher: &str) -> Result<BTreeMap<String, SeenRelease>> {
    let own = ReleaseState::file_of(publisher);
    if let Some(releases) = releases_file::read(directory, &own, Selection::AllOf { publisher })? {
        return Ok(releases);
    }
    let common = releases_file::read(directory, RELEASES_FILE, Selection::Of { publisher })?;
    Ok(common.unwrap_or_default())
}

fn write(
    directory: &Directory,
    publisher: &str,
    releases: &BTreeMap<String, SeenRelease>,
) -> Result<()> {
    if !releases_file::is_readable(releases)? {
        return Err(Error::Trust(TrustError::ReleasesFull {
            publisher: publisher.to_owned(),
            models: releases.len(),
            allowed: MAX_MODELS_OF_A_PUBLISHER,
        }));
    }
    releases_file::write(directory, &ReleaseState::file_of(publisher), releases)
}

/// Lists the publishers that have a file of their own.
fn publishers(directory: &Directory) -> Result<Vec<String>> {
    const DOING: &str = "list the state directory";
    let mut publishers = Vec::new();
    for entry in directory.handle().entries().map_err(Error::io(DOING))? {
        let name = entry.map_err(Error::io(DOING))?.file_name();
        let publisher = name
            .to_str()
            .and_then(|name| name.strip_prefix("releases.")?.strip_suffix(".json"))
            .filter(|publisher| ModelPattern::new(publisher, None).is_ok());
        publishers.extend(publisher.map(str::to_owned));
    }
    Ok(publishers)
}
