//! Says why a guest panicked, before the trap that hides it.

use std::panic::{self, PanicHookInfo};

/// Sends the message of a later panic to the host's log at level `error`.
///
/// Replaces the default hook, which would write to a standard error that a guest should not hold.
pub(crate) fn install() {
    panic::set_hook(Box::new(|panic: &PanicHookInfo<'_>| {
        crate::log::error(panic);
    }));
}
