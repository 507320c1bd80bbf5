//! One sandbox: a store, an instance in it, and the budgets that its guest runs under.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ampoule_signing::{ByteSize, Fuel};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use wasmtime::component::Instance;
use wasmtime::{Store, UpdateDeadline};

use crate::artifact::Artifact;
use crate::assets::Assets;
use crate::bindings::ampoule::model::types::Error as GuestError;
use crate::error::{Error, Phase, Result};
use crate::guest_log::GuestLog;
use crate::limits::{Budget, MAX_HANDLES};
use crate::state::SandboxState;
use crate::stop::{Circumstances, Stop, explain, explain_guest_error};

/// What an answer cost.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SandboxReport {
    /// WebAssembly operators that the request executed.
    pub fuel: Fuel,
    /// The most linear memory and tables that the sandbox held, loading included.
    pub peak_memory: ByteSize,
    /// Wall-clock time of the request: without the wait in the queue, without loading.
    pub wall: Duration,
    /// Operators executed to load the model into this sandbox.
    pub init_fuel: Fuel,
    /// Wall-clock time to load the model into this sandbox.
    pub init_wall: Duration,
    /// What the guest said.
    pub log: GuestLog,
}

/// A model's instance with memory of its own. It ends with the first thing that goes wrong: every
/// method that runs guest code takes the sandbox and gives it back only on success.
pub(crate) struct Sandbox {
    store: Store<SandboxState>,
    instance: Instance,
    artifact: Arc<Artifact>,
    /// When the request at hand must be over. Meaningless before `begin_request`.
    deadline: Instant,
    wall: Duration,
    init_fuel: Fuel,
    init_wall: Duration,
    /// One of the places for sandboxes alive at once; given back on drop at the latest.
    place: Option<OwnedSemaphorePermit>,
}

impl Sandbox {
    /// Makes a sandbox and runs `init` in it, under the budget of `init`.
    pub(crate) async fn start(
        artifact: Arc<Artifact>,
        log: ByteSize,
        place: OwnedSemaphorePermit,
        cancelled: CancellationToken,
    ) -> Result<Self> {
        let began = Instant::now();
        let budget = artifact.model.init_budget();
        let mut state =
            SandboxState::new(budget.memory, log, Assets::open(artifact.assets.clone()));
        state.cancelled = cancelled;
        state.deadline = began + budget.deadline;

        let mut store = Store::new(artifact.instance.engine(), state);
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(artifact.model.output_bytes());
        store.set_max_component_handles(MAX_HANDLES);
        store.epoch_deadline_callback(|store| {
            store.data().check()?;
            Ok(UpdateDeadline::Continue(1))
        });
        set_fuel(&mut store, budget.fuel)?;

        let run = run(&mut store, async |store| {
            let instance = artifact.instance.instantiate_async(&mut *store).await?;
            let lifecycle = artifact.exports.load_lifecycle(store, &instance)?;
            let result = lifecycle.call_init(store).await?;
            Ok((instance, result))
        });
        let (instance, result) = run
            .await
            .map_err(|error| explain_stop(&store, &artifact, Phase::Init, budget, &error))?;
        result.map_err(|GuestError { code, message }| {
            explain_guest_error(Phase::Init, &code, &message)
        })?;

        store.data_mut().assets.close();
        let init_fuel = fuel_used(&store, budget.fuel);
        Ok(Self {
            store,
            instance,
            deadline: began,
            wall: Duration::ZERO,
            init_fuel,
            init_wall: began.elapsed(),
            artifact,
            place: Some(place),
        })
    }

    /// Gives the place back, for a sandbox that runs no more and is about to be dropped.
    pub(crate) fn give_up_place(&mut self) {
        self.place = None;
    }

    /// How long `start` took.
    pub(crate) fn init_wall(&self) -> Duration {
        self.init_wall
    }

    /// Gives the sandbox the budget of one request, to be over at `deadline`. What follows until
    /// the sandbox is dropped belongs to this request.
    pub(crate) fn begin_request(&mut self, deadline: Instant) -> Result<()> {
        let budget = self.artifact.model.request_budget();
        self.deadline = deadline;
        set_fuel(&mut self.store, budget.fuel)?;
        let memory = &mut self.store.data_mut().memory;
        memory
            .begin_phase(budget.memory)
            .map_err(|denial| Error::Memory {
                phase: Phase::Init,
                asked: denial.asked,
                allowed: denial.allowed,
            })
    }

    /// Runs one call of the request at hand. `cancelled` ends it early.
    pub(crate) async fn call<T>(
        mut self,
        cancelled: CancellationToken,
        call: impl AsyncFnOnce(
            &mut Store<SandboxState>,
            &Instance,
        ) -> wasmtime::Result<Result<T, GuestError>>,
    ) -> Result<(Self, T)> {
        let began = Instant::now();
        let state = self.store.data_mut();
        state.cancelled = cancelled;
        state.deadline = self.deadline;

        let instance = self.instance;
        let result = run(&mut self.store, async |store| call(store, &instance).await).await;
        self.wall += began.elapsed();
        match result {
            Ok(Ok(value)) => Ok((self, value)),
            Ok(Err(GuestError { code, message })) => {
                Err(explain_guest_error(Phase::Request, &code, &message))
            }
            Err(error) => {
                let budget = self.artifact.model.request_budget();
                Err(explain_stop(
                    &self.store,
                    &self.artifact,
                    Phase::Request,
                    budget,
                    &error,
                ))
            }
        }
    }

    /// What the sandbox has cost so far.
    pub(crate) fn report(&self) -> SandboxReport {
        let state = self.store.data();
        SandboxReport {
            fuel: fuel_used(&self.store, self.artifact.model.request_budget().fuel),
            peak_memory: state.memory.peak(),
            wall: self.wall,
            init_fuel: self.init_fuel,
            init_wall: self.init_wall,
            log: state.log.snapshot(),
        }
    }
}

/// Runs guest code until it returns, its deadline passes or it is cancelled.
///
/// Two things watch the time, because one alone does not see everything: the epoch callback stops
/// a guest that computes, the timer here one that waits inside a host function.
async fn run<T>(
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

fn set_fuel(store: &mut Store<SandboxState>, fuel: Fuel) -> Result<()> {
    store
        .set_fuel(fuel.get())
        .map_err(|error| Error::internal(format!("fuel is off: {error}")))
}

fn fuel_used(store: &Store<SandboxState>, given: Fuel) -> Fuel {
    // The engine meters fuel whenever `set_fuel` succeeded, and it did.
    Fuel::new(given.get().saturating_sub(store.get_fuel().unwrap_or(0)))
}

fn explain_stop(
    store: &Store<SandboxState>,
    artifact: &Artifact,
    phase: Phase,
    budget: Budget,
    error: &wasmtime::Error,
) -> Error {
    explain(
        error,
        &Circumstances {
            phase,
            budget,
            fuel_left: store.get_fuel().unwrap_or(0),
            output: artifact.model.output_bytes(),
            denial: store.data().memory.denial(),
        },
    )
}
