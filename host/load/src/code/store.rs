//! Compiled code, from the cache or from the compiler.

use std::time::Duration;

use ampoule_sandbox::code::facts::CompiledFacts;
use ampoule_sandbox::code::native_code::NativeCode;
use ampoule_sandbox::{CodeOrigin, Error, Result};
use ampoule_signing::PrivateLock;
use tokio_util::sync::CancellationToken;

use crate::code::cache::code_cache::CodeCache;
use crate::code::cache::open_cache::{Lookup, OpenCache};
use crate::code::identity::CodeIdentity;

/// Request for the code of one model.
pub(crate) struct Wanted<'w> {
    pub(crate) identity: CodeIdentity,
    /// The model's name for messages.
    pub(crate) model: &'w str,
    /// Longest wait for another process that makes the same code.
    pub(crate) patience: Duration,
    pub(crate) cancelled: &'w CancellationToken,
}

/// Returns the cached code, or compiles it and adds it to the cache. Of several processes that want the same code, one
/// compiles it and the others wait.
///
/// # Errors
///
/// Errors of `compile`. A cache that cannot be used costs time, and nothing else.
pub(crate) fn find_or_compile(
    cache: Option<&CodeCache>,
    wanted: &Wanted<'_>,
    compile: impl FnOnce() -> Result<(NativeCode, CompiledFacts)>,
) -> Result<(NativeCode, CompiledFacts, CodeOrigin)> {
    let cache = cache.and_then(open);
    let cached = || look_up(cache.as_ref()?, wanted);
    if let Some((code, facts)) = cached() {
        return Ok((code, facts, CodeOrigin::Cached));
    }
    // Another process may be compiling it. Without the lock it is compiled twice, which costs time only.
    let turn = cache.as_ref().and_then(|cache| take_turn(cache, wanted));
    if wanted.cancelled.is_cancelled() {
        return Err(Error::internal("a cancelled load was waited for"));
    }
    if let Some((code, facts)) = cached() {
        return Ok((code, facts, CodeOrigin::Cached));
    }
    let (code, facts) = compile()?;
    if let Some(cache) = &cache {
        let kept = cache.put(&wanted.identity, wanted.model, &code, &facts);
        // Waiters for this entry need not wait for the eviction of others.
        drop(turn);
        match kept {
            Ok(()) => cache.evict_others(&wanted.identity),
            Err(error) => warn(wanted, "the code cannot be kept", &error),
        }
    }
    Ok((code, facts, CodeOrigin::Compiled))
}

fn open(cache: &CodeCache) -> Option<OpenCache> {
    cache
        .open()
        .inspect_err(|error| {
            tracing::warn!(
                target: "ampoule::cache",
                code = error.code(), %error,
                "the cache of compiled models is not used"
            );
        })
        .ok()
}

/// Waits while another process makes the entry. `None` when the lock cannot be taken, or not in time.
fn take_turn<'c>(cache: &'c OpenCache, wanted: &Wanted<'_>) -> Option<PrivateLock<'c>> {
    let is_wanted = || !wanted.cancelled.is_cancelled();
    match cache.lock(&wanted.identity, wanted.patience, is_wanted) {
        Ok(Some(turn)) => Some(turn),
        Ok(None) => {
            if is_wanted() {
                let waited = format!("gave up after {} s", wanted.patience.as_secs());
                warn(wanted, "another process keeps the entry locked", &waited);
            }
            None
        }
        Err(error) => {
            warn(wanted, "an entry cannot be locked", &error);
            None
        }
    }
}

fn look_up(cache: &OpenCache, wanted: &Wanted<'_>) -> Option<(NativeCode, CompiledFacts)> {
    match cache.get(&wanted.identity) {
        Lookup::Hit(code, facts) => Some((code, facts)),
        Lookup::Miss => None,
        Lookup::Bad(reason) => {
            warn(wanted, "an entry was removed", &reason);
            None
        }
        Lookup::Unreadable(reason) => {
            warn(wanted, "an entry cannot be read", &reason);
            None
        }
    }
}

fn warn(wanted: &Wanted<'_>, what: &str, why: &dyn std::fmt::Display) {
    tracing::warn!(
        target: "ampoule::cache",
        model = wanted.model, %why,
        "the cache of compiled models: {what}"
    );
}
