//! The trust lease of a loaded model: new requests begin under it, without a key or a trust directory.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::error::Result;

/// A decision to trust one model, with the time for which the decision holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Lease {
    /// The number of the change of trust that the decision was made under. Any later change ends the lease.
    pub generation: u64,
    /// The moment of the decision. Setting the clock back before it ends the lease.
    pub since: SystemTime,
    /// The last moment of the lease; `None` when nothing that the decision rests on runs out.
    pub until: Option<SystemTime>,
}

impl Lease {
    /// Makes a lease that begins now.
    #[must_use]
    pub fn new(generation: u64, until: Option<SystemTime>) -> Self {
        Self {
            generation,
            since: SystemTime::now(),
            until,
        }
    }

    fn holds_at(&self, now: SystemTime) -> bool {
        now >= self.since && self.until.is_none_or(|until| now <= until)
    }
}

/// The trusting side, as the serving side sees it: in the same process, or at the other end of a socket.
pub trait Lessor: Send + Sync {
    /// Returns the number of the change of trust that is in force.
    fn generation(&self) -> u64;

    /// Decides about the model again.
    ///
    /// # Errors
    ///
    /// The reason for which loading the model would be refused now.
    fn renew(&self) -> Result<Lease>;

    /// Has `tell` called now and after each change of trust, until it returns false: whoever sent the model to another
    /// process has nothing left to tell then. A lessor whose trust never changes need not call it.
    fn on_change(&self, tell: Box<dyn Fn() -> bool + Send + Sync>);
}

/// The lease of one loaded model, with its lessor.
pub struct TrustLease {
    last: Mutex<Lease>,
    lessor: Arc<dyn Lessor>,
}

impl TrustLease {
    /// Makes a lease that `lessor` has granted and renews.
    #[must_use]
    pub fn new(granted: Lease, lessor: Arc<dyn Lessor>) -> Self {
        Self {
            last: Mutex::new(granted),
            lessor,
        }
    }

    /// Returns the lease as it was last granted.
    #[must_use]
    pub fn last(&self) -> Lease {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the lessor, to renew the lease for another process.
    pub(crate) fn lessor(&self) -> &Arc<dyn Lessor> {
        &self.lessor
    }

    /// Tells whether the lease holds, so that nobody need be asked.
    #[must_use]
    pub fn holds(&self) -> bool {
        let last = self.last();
        last.generation == self.lessor.generation() && last.holds_at(SystemTime::now())
    }

    /// Refuses a new request to a model that is not trusted any more. The lessor decides again only when the trust
    /// has changed or the lease has run out.
    ///
    /// # Errors
    ///
    /// Those of [`Lessor::renew`].
    pub fn check(&self) -> Result<()> {
        if self.holds() {
            return Ok(());
        }
        let renewed = self.lessor.renew()?;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = renewed;
        Ok(())
    }
}

impl fmt::Debug for TrustLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustLease")
            .field("last", &self.last())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::error::{BundleRefusal, Error};

    #[derive(Default)]
    struct Trust {
        generation: AtomicU64,
        asked: AtomicU64,
        is_revoked: AtomicBool,
    }

    impl Lessor for Trust {
        fn generation(&self) -> u64 {
            self.generation.load(Ordering::SeqCst)
        }

        fn renew(&self) -> Result<Lease> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            if self.is_revoked.load(Ordering::SeqCst) {
                return Err(Error::Bundle(BundleRefusal::new("trust.revoked", "gone")));
            }
            Ok(Lease::new(self.generation(), None))
        }

        fn on_change(&self, _: Box<dyn Fn() -> bool + Send + Sync>) {}
    }

    #[test]
    fn a_lessor_is_asked_again_only_after_a_change_or_when_the_lease_has_run_out() {
        let trust = Arc::new(Trust::default());
        let asked = || trust.asked.load(Ordering::SeqCst);
        let past = SystemTime::now() - Duration::from_secs(1);
        let lease = TrustLease::new(Lease::new(0, Some(past)), trust.clone());
        lease.check().unwrap();
        assert_eq!(asked(), 1);
        lease.check().unwrap();
        assert_eq!(asked(), 1);
        trust.generation.store(1, Ordering::SeqCst);
        lease.check().unwrap();
        lease.check().unwrap();
        assert_eq!((asked(), lease.last().generation), (2, 1));
    }

    #[test]
    fn a_lease_does_not_hold_before_it_was_granted() {
        let lease = Lease::new(0, None);
        assert!(lease.holds_at(SystemTime::now()));
        assert!(!lease.holds_at(lease.since - Duration::from_secs(1)));
    }

    #[test]
    fn a_refused_lease_stays_refused_until_the_lessor_grants_it() {
        let trust = Arc::new(Trust::default());
        let lease = TrustLease::new(Lease::new(0, None), trust.clone());
        trust.is_revoked.store(true, Ordering::SeqCst);
        lease.check().unwrap();
        trust.generation.store(1, Ordering::SeqCst);
        for _ in 0..2 {
            assert_eq!(lease.check().unwrap_err().code(), "trust.revoked");
        }
        trust.is_revoked.store(false, Ordering::SeqCst);
        lease.check().unwrap();
    }
}
