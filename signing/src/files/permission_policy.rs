//! A caller's choice about files that somebody else could have changed: refuse them, or take them with a warning. The
//! choice travels with each path; there is no global setting.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::files::progress::Progress;
use crate::values::error::{Error, Result};
use crate::values::trust_error::TrustError;

/// Warnings about one bundle, key or directory. A bundle may have thousands of files, and whoever may change one of
/// them has most likely been given all.
const MAX_WARNINGS: u32 = 8;

/// Treatment of files that somebody else could have changed, and of keys that somebody else can read. They are
/// refused, unless a caller opens them with [`PermissionPolicy::insecure`].
///
/// ```no_run
/// # use ampoule_signing::{Bundle, PermissionPolicy};
/// # fn main() -> ampoule_signing::Result<()> {
/// let refused = Bundle::open("minilm");
/// let permissions = PermissionPolicy::insecure(|problem| eprintln!("warning: {problem}"));
/// let bundle = Bundle::open(permissions.at("minilm"))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct PermissionPolicy {
    /// `None` refuses.
    warnings: Option<Arc<Warnings>>,
}

/// A path on disk, with the treatment of files that somebody else could have changed.
///
/// Anything that is a path converts into a location that refuses such files; [`PermissionPolicy::at`] makes the
/// others.
#[derive(Clone, Debug)]
pub struct Location<'p> {
    pub(crate) path: &'p Path,
    pub(crate) permissions: PermissionPolicy,
    pub(crate) progress: Progress,
}

impl Location<'_> {
    /// Returns the location with `progress` as the counter of bytes read from its files.
    #[must_use]
    pub fn with_progress(mut self, progress: &Progress) -> Self {
        self.progress = progress.clone();
        self
    }
}

impl PermissionPolicy {
    /// Takes files that somebody else could have changed or read, and calls `warn` for each problem, once while
    /// clones of this value exist. Links are followed no further than by the other policy.
    #[must_use]
    pub fn insecure(warn: impl Fn(&TrustError) + Send + Sync + 'static) -> Self {
        let warnings = Warnings {
            warn: Box::new(warn),
            given: Mutex::default(),
        };
        Self {
            warnings: Some(Arc::new(warnings)),
        }
    }

    /// A path with this policy.
    #[must_use]
    pub fn at<'p, P: AsRef<Path> + ?Sized>(&self, path: &'p P) -> Location<'p> {
        Location {
            path: path.as_ref(),
            permissions: self.clone(),
            progress: Progress::default(),
        }
    }

    /// Turns a problem into an error or a warning. `count` is the number of problems that this directory or file had
    /// before.
    pub(crate) fn judge(&self, problem: TrustError, count: &AtomicU32) -> Result<()> {
        let Some(warnings) = &self.warnings else {
            return Err(Error::Trust(problem));
        };
        if count.fetch_add(1, Ordering::Relaxed) < MAX_WARNINGS {
            warnings.give(&problem);
        }
        Ok(())
    }
}

impl<'p, P: AsRef<Path> + ?Sized> From<&'p P> for Location<'p> {
    fn from(path: &'p P) -> Self {
        PermissionPolicy::default().at(path)
    }
}

/// The receiver of warnings, and the warnings that it was given.
struct Warnings {
    warn: Box<dyn Fn(&TrustError) + Send + Sync>,
    given: Mutex<BTreeSet<String>>,
}

impl Warnings {
    fn give(&self, problem: &TrustError) {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        if given.insert(problem.to_string()) {
            (self.warn)(problem);
        }
    }
}

impl fmt::Debug for Warnings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Warnings")
    }
}
