//! Hosts for tests.

use ampoule::{Host, Limits};

use crate::bundle::Publisher;

/// Makes a host with the default limits that trusts one publisher.
///
/// # Panics
///
/// If the system gives no threads.
#[must_use]
pub fn host_trusting(publisher: &Publisher) -> Host {
    host_with_limits(publisher, Limits::default())
}

/// Makes a host with these limits that trusts one publisher.
///
/// # Panics
///
/// If the system gives no threads.
#[must_use]
pub fn host_with_limits(publisher: &Publisher, limits: Limits) -> Host {
    Host::builder()
        .trust(publisher.trust())
        .limits(limits)
        .build()
        .unwrap()
}

/// Waits for a future on a current-thread runtime, as the smallest embedder would.
///
/// # Panics
///
/// If the runtime cannot be made.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
        .block_on(future)
}
