//! The store that every guest runs in, and the call that runs a guest under its limits.

use std::time::Duration;

use ampoule_units::{Budget, Fuel};
use tokio::runtime::Runtime;
use wasmtime::{Engine, Store, UpdateDeadline};

use crate::error::{Error, Phase, Result};
use crate::guest::state::SandboxState;
use crate::guest::stop::{Circumstances, Stop, explain};
use crate::limits::MAX_HANDLES;

/// Time between two checks of whether a running guest may go on. A spinning guest overruns its deadline by about as
/// much.
pub const TICK: Duration = Duration::from_millis(1);

/// Makes a store with all limits of a sandbox but fuel, which each phase sets. `output` is the most bytes that the guest
/// may hand to the host in one call.
pub fn new_store(engine: &Engine, state: SandboxState, output: usize) -> Store<SandboxState> {
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.memory);
    store.set_hostcall_fuel(output);
    store.set_max_component_handles(MAX_HANDLES);
    store.epoch_deadline_callback(|store| {
        store.data().check()?;
        // A computing guest yields here, so that others waiting for the thread get turns.
        Ok(if (store.data().is_turn_over)() {
            UpdateDeadline::Yield(1)
        } else {
            UpdateDeadline::Continue(1)
        })
    });
    store
}

/// Runs guest code until it returns, its deadline passes or it is cancelled.
///
/// Two clocks are needed: the epoch callback stops a guest that computes, the timer here one that waits in a host
/// function.
pub async fn run<T>(
    store: &mut Store<SandboxState>,
    call: impl AsyncFnOnce(&mut Store<SandboxState>) -> wasmtime::Result<T>,
) -> wasmtime::Result<T> {
    let state = store.data();
    state.check()?;
    let deadline = tokio::time::Instant::from_std(state.deadline);
    let cancelled = state.cancelled.clone();
    store.set_epoch_deadline(1);
    tokio::select! {
        biased;
        result = call(store) => result,
        () = cancelled.cancelled() => Err(Stop::Cancelled.into()),
        () = tokio::time::sleep_until(deadline) => Err(Stop::Deadline.into()),
    }
}

/// Makes a runtime for this thread to wait for guests on, with a timer and nothing else.
pub fn thread_runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|error| Error::thread(&error))
}

/// Sets the guest's fuel.
pub fn set_fuel(store: &mut Store<SandboxState>, fuel: Fuel) -> Result<()> {
    if !store.data().profile.is_metered() {
        return Ok(());
    }
    store
        .set_fuel(fuel.get())
        .map_err(|error| Error::internal(format!("fuel is off: {error}")))
}

/// Returns the fuel that the guest has used of `allowed`.
pub fn fuel_used(store: &Store<SandboxState>, given: Fuel) -> Fuel {
    // An engine that does not meter uses none.
    let left = store.get_fuel().unwrap_or(given.get());
    Fuel::new(given.get().saturating_sub(left))
}

/// Names the reason for which the guest of this store stopped. `output` is as in [`new_store`].
pub fn explain_stop(
    store: &Store<SandboxState>,
    phase: Phase,
    budget: Budget,
    output: usize,
    error: &wasmtime::Error,
) -> Error {
    explain(
        error,
        &Circumstances {
            phase,
            budget,
            fuel_left: store.get_fuel().unwrap_or(budget.fuel.get()),
            output,
            denial: store.data().memory.denial(),
        },
    )
}
