//! The native code of models: each compiled once, however many loads ask for it at the same time.

use std::collections::HashMap;
use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::aot_cache::{CodeCache, Lookup, OpenCache};
use crate::code_identity::CodeIdentity;
use crate::compile::CompiledFacts;
use crate::error::{Error, Result};
use crate::host_kernels::PackedLayers;
use crate::native_code::NativeCode;

/// Code that the engine has, and what is known of it. Models that are loaded twice share it.
pub(crate) struct LoadedCode {
    pub(crate) component: Component,
    pub(crate) facts: CompiledFacts,
    /// What the host has packed for it.
    pub(crate) layers: Arc<PackedLayers>,
}

/// Where a model's code came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CodeOrigin {
    /// It was compiled for this load.
    Compiled,
    /// It was in the cache.
    Cached,
    /// The same model was loaded in this host already.
    Shared,
}

/// One code, or the turn to make it. Loads wait for it without a thread.
type Slot = tokio::sync::Mutex<Weak<LoadedCode>>;

/// The turn to make one code, until it is dropped.
pub(crate) struct CodeTurn(OwnedMutexGuard<Weak<LoadedCode>>);

/// The wait of a load for another process that makes the same code.
pub(crate) struct LockWait<'w> {
    pub(crate) patience: Duration,
    pub(crate) cancelled: &'w CancellationToken,
}

/// The code of the models of one host.
pub(crate) struct CodeStore {
    cache: Option<CodeCache>,
    slots: Mutex<HashMap<CodeIdentity, Arc<Slot>>>,
}

impl CodeStore {
    pub(crate) fn new(cache: Option<CodeCache>) -> Self {
        Self {
            cache,
            slots: Mutex::default(),
        }
    }

    /// Waits for the turn to make, or to find, the code of this identity.
    pub(crate) async fn turn(&self, identity: &CodeIdentity) -> CodeTurn {
        let slot = self.slot(identity);
        CodeTurn(slot.lock_owned().await)
    }

    /// Returns the code of this identity, whose turn it is: what is loaded, what is in the cache, or what
    /// `compile` makes of `source`; with what `pack` makes of it. `model` names it for people.
    #[expect(clippy::too_many_arguments, reason = "the steps of one load")]
    pub(crate) fn get<S>(
        &self,
        turn: &mut CodeTurn,
        engine: &Engine,
        identity: &CodeIdentity,
        model: &str,
        wait: &LockWait<'_>,
        source: &mut S,
        compile: impl FnOnce(&mut S) -> Result<(NativeCode, CompiledFacts)>,
        pack: impl FnOnce(&mut S, &CompiledFacts) -> Result<PackedLayers>,
    ) -> Result<(Arc<LoadedCode>, CodeOrigin)> {
        if let Some(code) = turn.0.upgrade() {
            return Ok((code, CodeOrigin::Shared));
        }
        let made = self.find_or_compile(identity, model, wait, || compile(source));
        let (native, facts, origin) = made?;
        let layers = Arc::new(pack(source, &facts)?);
        let loaded = Arc::new(LoadedCode {
            component: native.load(engine)?,
            facts,
            layers,
        });
        *turn.0 = Arc::downgrade(&loaded);
        Ok((loaded, origin))
    }

    fn slot(&self, identity: &CodeIdentity) -> Arc<Slot> {
        let mut slots = self.lock();
        // Those that nobody has and nobody makes.
        slots.retain(|_, slot| {
            Arc::strong_count(slot) > 1 || slot.try_lock().is_ok_and(|code| code.strong_count() > 0)
        });
        Arc::clone(slots.entry(*identity).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CodeIdentity, Arc<Slot>>> {
        // A map is whole between two calls.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find_or_compile(
        &self,
        identity: &CodeIdentity,
        model: &str,
        wait: &LockWait<'_>,
        compile: impl FnOnce() -> Result<(NativeCode, CompiledFacts)>,
    ) -> Result<(NativeCode, CompiledFacts, CodeOrigin)> {
        let cache = self.open_cache();
        let cached = || look_up(cache.as_ref()?, identity, model);
        if let Some((code, facts)) = cached() {
            return Ok((code, facts, CodeOrigin::Cached));
        }
        // Another process may be making it. Without a turn it is made twice, which costs time only.
        let _turn = cache
            .as_ref()
            .and_then(|cache| take_turn(cache, identity, model, wait));
        if wait.cancelled.is_cancelled() {
            return Err(Error::internal("a cancelled load was waited for"));
        }
        if let Some((code, facts)) = cached() {
            return Ok((code, facts, CodeOrigin::Cached));
        }
        let (code, facts) = compile()?;
        if let Some(cache) = &cache
            && let Err(error) = cache.put(identity, model, &code, &facts)
        {
            warn(model, "the code cannot be kept", &error);
        }
        Ok((code, facts, CodeOrigin::Compiled))
    }

    /// A cache that cannot be used costs time, and nothing else.
    fn open_cache(&self) -> Option<OpenCache> {
        self.cache
            .as_ref()?
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
}

/// Waits while another process makes the entry. `None` when nobody can tell, or it takes too long.
fn take_turn(
    cache: &OpenCache,
    identity: &CodeIdentity,
    model: &str,
    wait: &LockWait<'_>,
) -> Option<File> {
    let is_wanted = || !wait.cancelled.is_cancelled();
    match cache.lock(identity, wait.patience, is_wanted) {
        Ok(Some(turn)) => Some(turn),
        Ok(None) => {
            if is_wanted() {
                let waited = format!("it was waited for {} s", wait.patience.as_secs());
                warn(model, "another process keeps the entry locked", &waited);
            }
            None
        }
        Err(error) => {
            warn(model, "cannot take turns in it", &error);
            None
        }
    }
}

fn look_up(
    cache: &OpenCache,
    identity: &CodeIdentity,
    model: &str,
) -> Option<(NativeCode, CompiledFacts)> {
    match cache.get(identity) {
        Lookup::Hit(code, facts) => Some((code, facts)),
        Lookup::Miss => None,
        Lookup::Bad(reason) => {
            warn(model, "an entry was removed", &reason);
            None
        }
    }
}

fn warn(model: &str, what: &str, why: &dyn std::fmt::Display) {
    tracing::warn!(target: "ampoule::cache", model, %why, "the cache of compiled models: {what}");
}
