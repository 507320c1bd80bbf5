//! Walks from the root of the file system to a directory that the user named. Each directory is opened in the one
//! before it, checked, and only then entered.
//!
//! OpenSSH (`safe_path`) and sudo check the names of a resolved path, and then open the path. Here the handles that
//! were checked are the ones that are used. The target of a link is walked in the same way, and the link itself must
//! have a permitted owner. So a directory can be swapped only by somebody who could also change a checked one. The
//! check cannot tell who had opened a file for writing before its mode was put right.

use std::ffi::OsString;
use std::io;
use std::path::{Component, Path};

use cap_fs_ext::DirExt as _;
use cap_std::fs::{Dir, DirBuilder, DirBuilderExt as _};

use crate::files::permissions::Guard;
use crate::values::error::{Error, Result};

/// As many links as Linux follows in one path.
const MAX_LINKS: u32 = 40;

/// Treatment of a directory that is not there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Fails.
    Refuse,
    /// Makes the directory, readable by its owner only. The one above it has to be there: a mistyped path must not
    /// become directories.
    Make,
    /// Makes the directory and those above it, readable by their owner only.
    MakeAll,
}

/// Name of the end of the walk, in messages.
#[derive(Clone, Copy)]
pub(crate) struct Goal<'w> {
    /// The file or directory that the user named.
    pub(crate) what: &'w str,
    /// Levels between it and the directory that is opened: 1 for the directory of a file.
    pub(crate) level: usize,
}

impl Goal<'_> {
    /// Names the directory this many levels above the end. Messages name no path of this machine.
    fn above(self, levels: usize) -> String {
        match self.level + levels {
            0 => self.what.to_owned(),
            1 => format!("the directory above {}", self.what),
            levels => format!("the directory {levels} above {}", self.what),
        }
    }

    fn name(self) -> String {
        self.above(0)
    }
}

/// Opens a directory. It may be one like `/tmp`; the caller checks its mode.
///
/// # Errors
///
/// `trust.owner` and `trust.permissions` for it and for each directory and link on the way, `io.failed`.
pub(crate) fn open(path: &Path, guard: &Guard, missing: Missing, goal: Goal<'_>) -> Result<Dir> {
    let failed = |error| Error::io(format!("open {}", goal.name()))(error);
    if path.as_os_str().is_empty() {
        return Err(failed(io::ErrorKind::NotFound.into()));
    }
    let start = Dir::open_ambient_dir("/", cap_std::ambient_authority()).map_err(failed)?;
    let mut walk = Walk {
        guard,
        goal,
        missing,
        passed: Vec::new(),
        ahead: Vec::new(),
        links: 0,
    };
    walk.put_ahead(path);
    if path.is_relative() {
        walk.put_ahead(&std::env::current_dir().map_err(failed)?);
    }
    walk.pass(start)?;
    walk.finish()
}

struct Walk<'g> {
    guard: &'g Guard,
    goal: Goal<'g>,
    missing: Missing,
    /// The directories from the root to where the walk is, each opened in the one before, and checked.
    passed: Vec<Dir>,
    /// The names still to go, the next one last.
    ahead: Vec<OsString>,
    links: u32,
}

impl Walk<'_> {
    fn finish(mut self) -> Result<Dir> {
        while let Some(name) = self.ahead.pop() {
            if name == ".." {
                // There is nothing above the root.
                if self.passed.len() > 1 {
                    self.passed.pop();
                }
                continue;
            }
            self.go(&name)?;
        }
        self.passed.pop().ok_or(Error::Internal("a path"))
    }

    fn go(&mut self, name: &OsString) -> Result<()> {
        let here = self.passed.last().ok_or(Error::Internal("a path"))?;
        let refused = match here.open_dir_nofollow(name) {
            Ok(next) => return self.pass(next),
            Err(refused) => refused,
        };
        match here.symlink_metadata(name) {
            Ok(found) if found.is_symlink() => {
                self.guard.check_link(&found, || self.above())?;
                let target = here.read_link_contents(name).map_err(self.failed())?;
                self.follow(&target)
            }
            Err(error)
                if error.kind() == io::ErrorKind::NotFound && self.missing != Missing::Refuse =>
            {
                if self.missing == Missing::Make && !self.ahead.is_empty() {
                    let doing = format!("make {}: make {} first", self.goal.name(), self.above());
                    return Err(Error::io(doing)(error));
                }
                match here.create_dir_with(name, DirBuilder::new().mode(0o700)) {
                    // Somebody else may have been faster.
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                        return Err(Error::io(format!("make {}", self.goal.name()))(error));
                    }
                    _ => {}
                }
                let next = here.open_dir_nofollow(name).map_err(self.failed())?;
                self.pass(next)
            }
            _ => Err(self.failed()(refused)),
        }
    }

    fn pass(&mut self, next: Dir) -> Result<()> {
        let found = next.dir_metadata().map_err(self.failed())?;
        self.guard.check_above(&found, || self.above())?;
        self.passed.push(next);
        Ok(())
    }

    fn follow(&mut self, target: &Path) -> Result<()> {
        self.links += 1;
        if self.links > MAX_LINKS {
            let endless = io::Error::other("too many symbolic links");
            return Err(self.failed()(endless));
        }
        if target.is_absolute() {
            self.passed.truncate(1);
        }
        self.put_ahead(target);
        Ok(())
    }

    fn put_ahead(&mut self, path: &Path) {
        let names = path.components().rev();
        self.ahead.extend(names.filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        }));
    }

    /// Names the directory that the walk has reached, counted from its end.
    fn above(&self) -> String {
        self.goal.above(self.ahead.len())
    }

    fn failed(&self) -> impl FnOnce(io::Error) -> Error + use<> {
        Error::io(format!("open {}", self.goal.name()))
    }
}
