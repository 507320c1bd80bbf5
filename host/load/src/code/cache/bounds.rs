//! Bounds on the cache of compiled models, and the choice of what they evict.

use std::time::{Duration, SystemTime};

use ampoule_signing::{ByteSize, PrivateFile};

/// Size of all entries together. An entry takes the native code of a model and the memory that its `init` has left,
/// weights included: from a few megabytes to some hundreds. This many entries serve a machine with dozens of models,
/// and leave room on a small server's disk.
///
/// Every new release of a model, and every change of the limits of `init`, adds an entry. Without a bound a publisher
/// who is trusted, and releases often, would fill the disk.
///
/// Still open: the bound is soft. A new entry is written before older ones go, so the directory may take the bound
/// and one entry more for each process that adds one. One publisher's models can evict those of another; these are
/// then compiled again, which costs time.
pub(super) const DEFAULT_MAX_SIZE: ByteSize = ByteSize::from_mib(8 * 1024);

/// Time since an entry was last used. Code of an older version of this program, or of limits that are no longer set, is
/// never used again; a model that is asked for once in a season is worth compiling again.
///
/// Still open: time is the system's clock, so a clock that is set forward evicts early. An entry with a time in the
/// future counts as used now.
pub(super) const DEFAULT_MAX_AGE: Duration = Duration::from_hours(90 * 24);

/// Time after which a draft is taken for what a killed process has left. Nobody writes one entry for so long. A draft
/// that is removed too early costs its writer the entry, and nothing else.
const MAX_DRAFT_AGE: Duration = Duration::from_hours(24);

/// Bounds on one cache.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Size of all entries together.
    pub(super) size: ByteSize,
    /// Time since an entry was last used.
    pub(super) age: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            size: DEFAULT_MAX_SIZE,
            age: DEFAULT_MAX_AGE,
        }
    }
}

impl Bounds {
    /// Returns the entries to evict, the least recently used first: those over the age, then as many as are over the
    /// size together. The entry named `kept` is never among them.
    pub(super) fn evicted<'f>(
        &self,
        entries: impl IntoIterator<Item = &'f PrivateFile>,
        kept: Option<&str>,
        now: SystemTime,
    ) -> Vec<&'f PrivateFile> {
        let mut entries: Vec<_> = entries.into_iter().collect();
        // Two processes that evict at the same time choose alike: an entry more is never lost to both.
        entries.sort_by_key(|entry| (entry.modified.min(now), &entry.name));
        let sizes = entries.iter().map(|entry| entry.size.bytes());
        let mut total = sizes.fold(0, u64::saturating_add);
        entries.retain(|entry| {
            let is_over = age(entry, now) > self.age || total > self.size.bytes();
            let is_evicted = is_over && Some(entry.name.as_str()) != kept;
            if is_evicted {
                total = total.saturating_sub(entry.size.bytes());
            }
            is_evicted
        });
        entries
    }
}

/// Tells whether a killed process has left this file before it was put into place.
pub(super) fn is_left_draft(file: &PrivateFile, now: SystemTime) -> bool {
    file.is_draft && age(file, now) > MAX_DRAFT_AGE
}

fn age(file: &PrivateFile, now: SystemTime) -> Duration {
    now.duration_since(file.modified).unwrap_or_default()
}
