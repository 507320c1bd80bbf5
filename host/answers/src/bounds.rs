//! Bounds of a cache of answers: bytes of all tenants, bytes of one, and the age of an entry.

use std::time::Duration;

use ampoule_units::ByteSize;

use crate::error::{Error, Result};

/// Bytes of all entries by default: some hundred thousand vectors of 384 values.
const DEFAULT_BYTES: ByteSize = ByteSize::from_mib(256);

/// Bytes of one tenant's entries by default, so that no tenant has all of the room.
const DEFAULT_TENANT_BYTES: ByteSize = ByteSize::from_mib(64);

/// Age at which an entry goes, by default. A session of a person or a nightly job is shorter.
const DEFAULT_AGE: Duration = Duration::from_hours(1);

/// The least bytes of a bound: with less, the cache holds nothing of use.
const MIN_BYTES: ByteSize = ByteSize::from_mib(1);

/// The most bytes of a bound: more than machines have memory.
const MAX_BYTES: ByteSize = ByteSize::from_mib(1 << 30);

/// The shortest age.
const MIN_AGE: Duration = Duration::from_secs(1);

/// The longest age: answers are cheap to make again, and what is kept can be stolen.
const MAX_AGE: Duration = Duration::from_hours(30 * 24);

/// Bytes that an entry counts beside its sealed bytes: its places in maps, or its file's.
pub(crate) const ENTRY_OVERHEAD: u64 = 512;

/// Bounds of a cache of answers.
///
/// Later versions may have more fields: write the rest as `..Bounds::default()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of all tenants' entries; 256 MiB by default.
    pub bytes: ByteSize,
    /// Bytes of one tenant's entries; 64 MiB by default.
    pub tenant_bytes: ByteSize,
    /// Age at which an entry goes; an hour by default.
    pub age: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            bytes: DEFAULT_BYTES,
            tenant_bytes: DEFAULT_TENANT_BYTES,
            age: DEFAULT_AGE,
        }
    }
}

impl Bounds {
    /// Refuses bounds with which a cache would be of no use, or none at all.
    ///
    /// # Errors
    ///
    /// `usage.answer-cache`, which names the bound.
    pub fn check(&self) -> Result<()> {
        for (bound, found) in [("bytes", self.bytes), ("tenant-bytes", self.tenant_bytes)] {
            if !(MIN_BYTES..=MAX_BYTES).contains(&found) {
                let fault = format!("it is {found}; from {MIN_BYTES} to {MAX_BYTES} is expected");
                return Err(Error::Bounds { bound, fault });
            }
        }
        if self.tenant_bytes > self.bytes {
            let (found, bytes) = (self.tenant_bytes, self.bytes);
            let fault =
                format!("it is {found}, more than `bytes`, {bytes}; lower it or raise that");
            let bound = "tenant-bytes";
            return Err(Error::Bounds { bound, fault });
        }
        if !(MIN_AGE..=MAX_AGE).contains(&self.age) {
            let found = self.age.as_secs_f64();
            let fault = format!("it is {found} s; from a second to 30 days is expected");
            let bound = "age";
            return Err(Error::Bounds { bound, fault });
        }
        Ok(())
    }

    /// Returns the age in milliseconds.
    pub(crate) fn age_ms(&self) -> u64 {
        u64::try_from(self.age.as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_that_make_no_sense_are_refused_by_name() {
        Bounds::default().check().unwrap();
        let default = Bounds::default;
        let (none, most) = (ByteSize::from_bytes(0), ByteSize::from_bytes(u64::MAX));
        for (bounds, named) in [
            (
                Bounds {
                    bytes: none,
                    ..default()
                },
                "bytes",
            ),
            (
                Bounds {
                    bytes: most,
                    ..default()
                },
                "bytes",
            ),
            (
                Bounds {
                    tenant_bytes: none,
                    ..default()
                },
                "tenant-bytes",
            ),
            (
                Bounds {
                    tenant_bytes: ByteSize::from_mib(257),
                    ..default()
                },
                "tenant-bytes",
            ),
            (
                Bounds {
                    age: Duration::ZERO,
                    ..default()
                },
                "age",
            ),
            (
                Bounds {
                    age: Duration::MAX,
                    ..default()
                },
                "age",
            ),
        ] {
            let Error::Bounds { bound, .. } = bounds.check().unwrap_err() else {
                panic!("{bounds:?}");
            };
            assert_eq!(bound, named);
        }
    }
}
