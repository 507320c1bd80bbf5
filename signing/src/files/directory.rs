//! One directory, opened once: everything in it is reached through that handle, never by path.
//!
//! Renaming directories above it therefore swaps nothing between two looks, and no symbolic link inside leads out.

use std::io::{self, Read as _, Write as _};
use std::path::Path;

use cap_fs_ext::{DirExt as _, FollowSymlinks, OpenOptionsFollowExt as _, OpenOptionsSyncExt as _};
use cap_std::fs::{
    Dir, File, Metadata, OpenOptions, OpenOptionsExt as _, Permissions, PermissionsExt as _,
};

use crate::files::checked_path::{self, Goal, Missing};
use crate::files::permission_policy::{Location, PermissionPolicy};
use crate::files::permissions::{Guard, Rule};
use crate::files::progress::Progress;
use crate::files::turn::take_or_say;
use crate::values::error::{Error, Result};

/// Decision on a file or a directory while a directory is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Visit {
    /// A file is listed; a directory is looked into.
    Take,
    /// A directory is looked into as far down as directories are; deeper ones are passed.
    LookInto,
    /// Skipped, with everything in it.
    Pass,
}

/// A handle to a directory, with the rule for its files.
#[derive(Debug)]
pub(crate) struct Directory {
    dir: Dir,
    guard: Guard,
    progress: Progress,
}

impl Directory {
    /// Opens the directory that the user named, following links up to it; `what` names it in messages. It and the
    /// directories above it must obey the rule.
    ///
    /// # Errors
    ///
    /// `trust.owner`, `trust.permissions`, `io.failed`.
    pub(crate) fn open(location: &Location<'_>, rule: Rule, what: &str) -> Result<Self> {
        let directory = Self::walk(location, rule, Missing::Refuse, Goal { what, level: 0 })?;
        directory.check(what)?;
        Ok(directory)
    }

    /// Opens a directory as [`Directory::open`] does; `None` where there is none.
    pub(crate) fn open_if_there(
        location: &Location<'_>,
        rule: Rule,
        what: &str,
    ) -> Result<Option<Self>> {
        match Self::open(location, rule, what) {
            Ok(directory) => Ok(Some(directory)),
            Err(error) => match error.io_kind() {
                Some(io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
                _ => Err(error),
            },
        }
    }

    /// Opens a directory as [`Directory::open`] does, and makes it if it is missing, readable by its owner only. The
    /// directory above it has to be there.
    pub(crate) fn make(location: &Location<'_>, rule: Rule, what: &str) -> Result<Self> {
        Self::open_or_make(location, rule, Missing::Make, what)
    }

    /// Opens a directory as [`Directory::make`] does, and makes missing directories above it too.
    pub(crate) fn make_all(location: &Location<'_>, rule: Rule, what: &str) -> Result<Self> {
        Self::open_or_make(location, rule, Missing::MakeAll, what)
    }

    fn open_or_make(
        location: &Location<'_>,
        rule: Rule,
        missing: Missing,
        what: &str,
    ) -> Result<Self> {
        let directory = Self::walk(location, rule, missing, Goal { what, level: 0 })?;
        directory.check(what)?;
        Ok(directory)
    }

    /// Opens the directory of a file that the user named, and returns the file's name in it; `what` names the file in
    /// messages. The directory may be one like `/tmp`: files that others add there belong to them and are refused for
    /// that.
    ///
    /// # Errors
    ///
    /// `usage.arguments` for what cannot be a file's name, and as [`Directory::open`].
    pub(crate) fn open_parent<'p>(
        location: &Location<'p>,
        rule: Rule,
        what: &str,
    ) -> Result<(Self, &'p str)> {
        let (parent, name) = split(location.path)?;
        let parent = location
            .permissions
            .at(parent)
            .with_progress(&location.progress);
        let directory = Self::walk(&parent, rule, Missing::Refuse, Goal { what, level: 1 })?;
        Ok((directory, name))
    }

    /// Opens the directory of a file to be written for others, without a check: the file is worth no more than the
    /// signatures in it.
    pub(crate) fn open_parent_unchecked<'p>(path: &'p Path, what: &str) -> Result<(Self, &'p str)> {
        let (parent, name) = split(path)?;
        let dir = Dir::open_ambient_dir(parent, cap_std::ambient_authority())
            .map_err(Error::io(format!("open the directory above {what}")))?;
        Ok((Self::below(dir), name))
    }

    fn walk(location: &Location<'_>, rule: Rule, missing: Missing, goal: Goal<'_>) -> Result<Self> {
        let guard = Guard::new(rule, location.permissions.clone());
        let dir = checked_path::open(location.path, &guard, missing, goal)?;
        Ok(Self {
            dir,
            guard,
            progress: location.progress.clone(),
        })
    }

    /// Wraps a directory that this process has just made.
    fn below(dir: Dir) -> Self {
        let guard = Guard::new(Rule::NotWorldWritable, PermissionPolicy::default());
        Self {
            dir,
            guard,
            progress: Progress::default(),
        }
    }

    /// Returns the counter of bytes read from the directory's files.
    pub(crate) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The handle itself.
    pub(crate) fn handle(&self) -> &Dir {
        &self.dir
    }

    fn check(&self, what: &str) -> Result<()> {
        let found = self.dir.dir_metadata();
        let found = found.map_err(Error::io(format!("look at {what}")))?;
        self.guard.check(&found, || what.to_owned())
    }

    /// Opens a regular file for reading, by its path in the directory. No part of the path may be a link. The file
    /// and the directories on the way must obey the rule.
    ///
    /// # Errors
    ///
    /// `file.missing`, `file.symlink`, `file.type`, `trust.owner`, `trust.permissions`, `io.failed`.
    pub(crate) fn open_file(&self, path: &str) -> Result<(File, Metadata)> {
        let (parents, name) = match path.rsplit_once('/') {
            Some((parents, name)) => (Some(parents), name),
            None => (None, path),
        };
        let mut parent = None;
        for segment in parents.into_iter().flat_map(|parents| parents.split('/')) {
            let dir = parent.as_ref().unwrap_or(&self.dir);
            let next = dir
                .open_dir_nofollow(segment)
                .map_err(|error| explain(dir, segment, path, error))?;
            let metadata = next
                .dir_metadata()
                .map_err(Error::io(format!("look at {path:?}")))?;
            self.guard
                .check(&metadata, || format!("a directory on the way to {path:?}"))?;
            parent = Some(next);
        }
        let dir = parent.as_ref().unwrap_or(&self.dir);
        // `nonblock`: opening a pipe would otherwise wait for a writer that never comes.
        let mut options = OpenOptions::new();
        options.read(true).follow(FollowSymlinks::No).nonblock(true);
        let file = dir
            .open_with(name, &options)
            .map_err(|error| explain(dir, name, path, error))?;
        let metadata = file
            .metadata()
            .map_err(Error::io(format!("look at {path:?}")))?;
        if !metadata.is_file() {
            return Err(Error::FileType {
                path: path.to_owned(),
            });
        }
        self.guard.check(&metadata, || format!("{path:?}"))?;
        Ok((file, metadata))
    }

    /// Reads a file whole. The inner error is the length of a file that is longer than `max_bytes`.
    pub(crate) fn read_bounded(&self, path: &str, max_bytes: u64) -> Result<Result<Vec<u8>, u64>> {
        let (file, metadata) = self.open_file(path)?;
        if metadata.len() > max_bytes {
            return Ok(Err(metadata.len()));
        }
        let mut bytes = Vec::new();
        // The file may grow after the look at its length: the bound is on what is read.
        file.take(max_bytes + 1)
            .read_to_end(&mut bytes)
            .map_err(Error::io(format!("read {path:?}")))?;
        let found = bytes.len() as u64;
        Ok(if found > max_bytes {
            Err(found)
        } else {
            Ok(bytes)
        })
    }

    /// Replaces a file atomically: writes and syncs a temporary file in the same directory, renames it, and syncs the
    /// directory, so that the file also survives a power cut.
    pub(crate) fn replace(&self, name: &str, bytes: &[u8], mode: u32) -> io::Result<()> {
        self.replace_with(name, mode, |file| file.write_all(bytes))
    }

    /// Replaces a file as [`Directory::replace`] does, with a content that is never whole in memory.
    pub(crate) fn replace_with(
        &self,
        name: &str,
        mode: u32,
        write: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut file = cap_tempfile::TempFile::new(&self.dir)?;
        file.as_file()
            .set_permissions(Permissions::from_mode(mode))?;
        write(file.as_file_mut())?;
        file.as_file().sync_all()?;
        file.replace(name)?;
        self.sync()
    }

    /// Replaces a file that is no secret: whoever may read the directory may read the file, and its owner alone may
    /// write to it. With a stricter mode a service could not read a decision that another user makes for it.
    pub(crate) fn replace_for_readers(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let readers = self.dir.dir_metadata()?.permissions().mode() & 0o044;
        self.replace(name, bytes, 0o600 | readers)
    }

    /// Writes a file that must not exist yet.
    pub(crate) fn create(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        // As the user's umask has it.
        self.create_with_mode(name, bytes, 0o666)
    }

    /// Writes a file that must not exist yet, with this mode less the umask.
    pub(crate) fn create_with_mode(&self, name: &str, bytes: &[u8], mode: u32) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(mode);
        let mut file = self.dir.open_with(name, &options)?;
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        if written.is_err() {
            // It is ours: it did not exist before. That removing fails too changes nothing.
            let _ = self.dir.remove_file(name);
        }
        written.and_then(|()| self.sync())
    }

    /// Writes a file that must not exist yet, whole or not at all, and for everybody to read.
    pub(crate) fn create_with(
        &self,
        name: &str,
        what: &'static str,
        write: impl FnOnce(&mut File) -> Result<()>,
    ) -> Result<()> {
        let failed = creating(what);
        self.check_new(name).map_err(&failed)?;
        let mut file = cap_tempfile::TempFile::new(&self.dir).map_err(&failed)?;
        file.as_file()
            .set_permissions(Permissions::from_mode(0o644))
            .map_err(&failed)?;
        write(file.as_file_mut())?;
        file.as_file().sync_all().map_err(&failed)?;
        file.replace(name).map_err(&failed)?;
        self.sync().map_err(&failed)
    }

    /// Makes a directory that must not exist yet, filled by `fill` or not at all.
    pub(crate) fn create_directory(
        &self,
        name: &str,
        what: &'static str,
        fill: impl FnOnce(&Self) -> Result<()>,
    ) -> Result<()> {
        let failed = creating(what);
        self.check_new(name).map_err(&failed)?;
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|_| Error::IoRandom)?;
        let draft = format!(".{name}.{:016x}", u64::from_le_bytes(random));
        self.dir.create_dir(&draft).map_err(&failed)?;
        let filled = self
            .dir
            .open_dir_nofollow(&draft)
            .map_err(&failed)
            .and_then(|dir| {
                let directory = Self::below(dir);
                fill(&directory)?;
                directory.sync().map_err(&failed)
            })
            .and_then(|()| {
                let renamed = self.dir.rename(&draft, &self.dir, name);
                renamed.map_err(&failed)
            });
        if filled.is_err() {
            // It is ours. That removing fails too changes nothing.
            let _ = self.dir.remove_dir_all(&draft);
        }
        filled.and_then(|()| self.sync().map_err(&failed))
    }

    /// Makes a new file below, with the directories on the way to it, for `write` to fill.
    pub(crate) fn create_below(
        &self,
        path: &str,
        what: &'static str,
        write: impl FnOnce(&mut File) -> Result<()>,
    ) -> Result<()> {
        let failed = creating(what);
        let (directories, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut below: Option<Self> = None;
        for name in directories.split('/').filter(|name| !name.is_empty()) {
            let next = below.as_ref().unwrap_or(self).make_below(name);
            below = Some(next.map_err(&failed)?);
        }
        let directory = below.as_ref().unwrap_or(self);
        let mut options = OpenOptions::new();
        // As the user's umask has it.
        options.write(true).create_new(true).mode(0o666);
        let mut file = directory.dir.open_with(name, &options).map_err(&failed)?;
        write(&mut file)?;
        file.sync_all().map_err(&failed)?;
        directory.sync().map_err(&failed)
    }

    fn make_below(&self, name: &str) -> io::Result<Self> {
        match self.dir.create_dir(name) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        Ok(Self::below(self.dir.open_dir_nofollow(name)?))
    }

    fn check_new(&self, name: &str) -> io::Result<()> {
        match self.dir.symlink_metadata(name) {
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Opens a file for locking, making it if need be.
    pub(crate) fn open_lock(&self, name: &str) -> io::Result<std::fs::File> {
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .create(true)
            .mode(0o600)
            .follow(FollowSymlinks::No);
        Ok(self.dir.open_with(name, &options)?.into_std())
    }

    /// Opens a file to write at its end, making it if need be.
    pub(crate) fn open_append(&self, name: &str) -> io::Result<std::fs::File> {
        let mut options = OpenOptions::new();
        options
            .append(true)
            .create(true)
            .mode(0o600)
            .follow(FollowSymlinks::No)
            .nonblock(true);
        let file = self.dir.open_with(name, &options)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("expected a plain file"));
        }
        Ok(file.into_std())
    }

    /// Locks the directory until the value is dropped. The lock is on the directory itself and leaves no file in it.
    /// `what` names the directory in messages.
    ///
    /// # Errors
    ///
    /// `io.locked` when another process keeps the turn, `io.failed`.
    pub(crate) fn lock(&self, what: &str) -> Result<std::fs::File> {
        let lock = self.dir.open(".");
        let lock = lock.map_err(Error::io(format!("lock {what}")))?;
        take_or_say(lock.into_std(), what)
    }

    /// Lists the paths of regular files that `visit` takes, sorted. `visit` gets a path, and true for a directory.
    /// Among the taken ones, anything but a file or a directory is an error, as in [`Directory::open_file`].
    pub(crate) fn list_where(
        &self,
        mut visit: impl FnMut(&str, bool) -> Visit,
    ) -> Result<Vec<String>> {
        let mut paths = Vec::new();
        list_into(&self.dir, "", &mut visit, &mut paths)?;
        paths.sort();
        Ok(paths)
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        // The handle itself may be one that only names the directory (`O_PATH`).
        self.dir.open(".")?.sync_all()
    }
}

/// Splits a path into a file's directory and its name in it.
fn split(path: &Path) -> Result<(&Path, &str)> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name =
        name.ok_or_else(|| Error::UsageArguments("expected the name of a file".to_owned()))?;
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => Ok((parent, name)),
        _ => Ok((Path::new("."), name)),
    }
}

/// The deepest directory that is listed. No model nests deeper, and a path could not name it.
const MAX_DEPTH: usize = 16;

fn list_into(
    dir: &Dir,
    prefix: &str,
    visit: &mut impl FnMut(&str, bool) -> Visit,
    paths: &mut Vec<String>,
) -> Result<()> {
    let doing = || format!("list the directory {prefix:?}");
    for entry in dir.entries().map_err(Error::io(doing()))? {
        let entry = entry.map_err(Error::io(doing()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let kind = entry.file_type().map_err(Error::io(doing()))?;
        let is_deepest = prefix.matches('/').count() >= MAX_DEPTH;
        match visit(&path, kind.is_dir()) {
            Visit::Pass => continue,
            Visit::LookInto if is_deepest => continue,
            Visit::LookInto | Visit::Take => {}
        }
        if kind.is_symlink() {
            return Err(Error::FileSymlink { path });
        } else if kind.is_file() {
            paths.push(path);
        } else if kind.is_dir() && !is_deepest {
            let below = dir
                .open_dir_nofollow(&name)
                .map_err(|error| explain(dir, &name, &path, error))?;
            list_into(&below, &format!("{path}/"), visit, paths)?;
        } else {
            return Err(Error::FileType { path });
        }
    }
    Ok(())
}

/// Makes an error of a new file that could not be written, for `map_err`.
fn creating(what: &'static str) -> impl Fn(io::Error) -> Error {
    move |error| match error.kind() {
        io::ErrorKind::AlreadyExists => Error::IoExists { what: what.into() },
        _ => Error::io(format!("write {what}"))(error),
    }
}

/// Explains why the system refused to open `name`. This only words the error; the refusal is decided.
fn explain(dir: &Dir, name: &str, path: &str, error: io::Error) -> Error {
    let path = path.to_owned();
    match dir.symlink_metadata(name) {
        Ok(metadata) if metadata.is_symlink() => Error::FileSymlink { path },
        Ok(metadata) if !metadata.is_file() && !metadata.is_dir() => Error::FileType { path },
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => Error::FileMissing { path },
        _ if error.kind() == io::ErrorKind::NotADirectory => Error::FileMissing { path },
        _ => Error::io(format!("open {path:?}"))(error),
    }
}
