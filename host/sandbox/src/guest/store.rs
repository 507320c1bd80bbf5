//! The store that every guest runs in, and running a guest under its limits.

use std::time::Duration;

use ampoule_units::Fuel;
use tokio::runtime::Runtime;
use wasmtime::{Engine, Store, UpdateDeadline};

use crate::error::{Error, Phase, Result};
use crate::guest::state::SandboxState;
use crate::guest::stop::{Circumstances, Stop, explain};
use crate::limits::{Budget, MAX_HANDLES};

/// How often running guests are asked whether they may go on: a spinning guest overruns its
/// deadline by about this much.
pub const TICK: Duration = Duration::from_millis(1);

/// A store with all of a sandbox's limits, but for the fuel, which each phase sets. `output` is how many
/// bytes the guest may hand to the host in one call.
pub fn new_store(engine: &Engine, state: SandboxState, output: usize) -> Store<SandboxState> {
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.memory);
    store.set_hostcall_fuel(output);
    store.set_max_component_handles(MAX_HANDLES);
    store.epoch_deadline_callback(|store| {
        store.data().check()?;
        // A guest that computes would otherwise keep its thread from those that wait for a moment of it.
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
/// Two things watch the time, because one alone does not see everything: the epoch callback stops
/// a guest that computes, the timer here one that waits inside a host function.
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

/// The runtime that guests are waited for on: of this thread, with a timer and nothing else.
pub fn thread_runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|error| Error::thread(&error))
}

/// Gives the guest this much from now on.
pub fn set_fuel(store: &mut Store<SandboxState>, fuel: Fuel) -> Result<()> {
    if !store.data().profile.is_metered() {
        return Ok(());
    }
    store
        .set_fuel(fuel.get())
        .map_err(|error| Error::internal(format!("fuel is off: {error}")))
}

/// What is gone of what the guest was given.
pub fn fuel_used(store: &Store<SandboxState>, given: Fuel) -> Fuel {
    // Where the engine does not meter, none is used up.
    let left = store.get_fuel().unwrap_or(given.get());
    Fuel::new(given.get().saturating_sub(left))
}

/// Why the guest of this store stopped. `output` is what [`new_store`] was given.
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
