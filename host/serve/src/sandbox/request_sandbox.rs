//! One sandbox: a store, an instance in it, and the budgets that its guest runs under.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ampoule_signing::{ByteSize, Fuel};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use wasmtime::Store;
use wasmtime::component::Instance;

use crate::artifact::Artifact;
use crate::assets::Assets;
use crate::bindings::ampoule::model::types::Error as GuestError;
use crate::clocks::ClockResolution;
use crate::compile::SandboxStart;
use crate::error::{Error, Phase, Result};
use crate::guest_log::{GuestLog, LogSink};
use crate::state::SandboxState;
use crate::stop::explain_guest_error;
use crate::store::{explain_stop, fuel_used, new_store, run, set_fuel};

/// What an answer cost.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SandboxReport {
    /// Fuel that the request used: see [`Limits::fuel`](crate::Limits).
    pub fuel: Fuel,
    /// The most linear memory and tables that the sandbox held, from its beginning on, with what the host
    /// has packed for the model.
    pub peak_memory: ByteSize,
    /// Wall-clock time of the request, the moments included in which others had its thread: without the wait in
    /// the queue, without making the sandbox.
    pub wall: Duration,
    /// Wall-clock time to make the sandbox: microseconds from a snapshot, the time that `init` takes for
    /// a model that starts cold.
    pub start_wall: Duration,
    /// Fuel that making it used.
    pub start_fuel: Fuel,
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
    start_wall: Duration,
    start_fuel: Fuel,
    /// One of the places for sandboxes alive at once; given back on drop at the latest.
    place: Option<OwnedSemaphorePermit>,
}

impl Sandbox {
    /// Makes a sandbox, from the model's snapshot or by running `init` in it.
    pub(crate) async fn start(
        artifact: Arc<Artifact>,
        log: ByteSize,
        clock: ClockResolution,
        place: OwnedSemaphorePermit,
        cancelled: CancellationToken,
    ) -> Result<Self> {
        let began = Instant::now();
        let is_cold = matches!(artifact.code.facts.start, SandboxStart::Cold { .. });
        let (budget, assets) = if is_cold {
            let assets = Assets::open(artifact.assets.clone());
            (artifact.model.init_budget(), assets)
        } else {
            (artifact.model.request_budget(), Assets::closed())
        };
        let mut state = SandboxState::new(artifact.profile, clock, budget.memory, log, assets);
        state.cancelled = cancelled;
        state.deadline = began + budget.deadline;
        state.kernels = artifact.kernels();
        // What the host has packed counts like memory of the sandbox's own, in which it would lie else.
        let packed = artifact.code.layers.bytes();
        if !state.memory.hold(packed) {
            return Err(Error::Memory {
                phase: Phase::Init,
                asked: packed,
                allowed: budget.memory,
            });
        }

        let output = artifact.model.output_bytes();
        let mut store = new_store(artifact.instance.engine(), state, output);
        set_fuel(&mut store, budget.fuel)?;

        let run = run(&mut store, async |store| {
            let instance = artifact.instance.instantiate_async(&mut *store).await?;
            let result = if is_cold {
                let lifecycle = artifact.exports.load_lifecycle(store, &instance)?;
                lifecycle.call_init(store).await?
            } else {
                Ok(())
            };
            Ok((instance, result))
        });
        let (instance, result) = run
            .await
            .map_err(|error| explain_stop(&store, Phase::Init, budget, output, &error))?;
        result.map_err(|GuestError { code, message }| {
            explain_guest_error(Phase::Init, &code, &message)
        })?;

        store.data_mut().assets.close();
        let start_fuel = fuel_used(&store, budget.fuel);
        Ok(Self {
            store,
            instance,
            deadline: began,
            wall: Duration::ZERO,
            start_wall: began.elapsed(),
            start_fuel,
            artifact,
            place: Some(place),
        })
    }

    /// Gives the place back, for a sandbox that runs no more and is about to be dropped.
    pub(crate) fn give_up_place(&mut self) {
        self.place = None;
    }

    /// How long `start` took.
    pub(crate) fn start_wall(&self) -> Duration {
        self.start_wall
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
                let output = self.artifact.model.output_bytes();
                let phase = Phase::Request;
                Err(explain_stop(&self.store, phase, budget, output, &error))
            }
        }
    }

    /// Its guest's log.
    pub(crate) fn log(&self) -> &LogSink {
        &self.store.data().log
    }

    /// Returns what the sandbox has cost, with all that its guest has said.
    pub(crate) fn into_report(self) -> SandboxReport {
        SandboxReport {
            log: self.log().take(),
            ..self.costs()
        }
    }

    /// Returns what the sandbox has cost so far, without its log: that costs as much as the guest has said.
    pub(crate) fn costs(&self) -> SandboxReport {
        let state = self.store.data();
        SandboxReport {
            fuel: fuel_used(&self.store, self.artifact.model.request_budget().fuel),
            peak_memory: state.memory.peak(),
            wall: self.wall,
            start_wall: self.start_wall,
            start_fuel: self.start_fuel,
            log: GuestLog::default(),
        }
    }
}
