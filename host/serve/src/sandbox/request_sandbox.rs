//! One sandbox: a store, an instance in it, and the budgets that its guest runs under.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ampoule_sandbox::guest::session::{Session, Setup};
use ampoule_sandbox::guest::state::SandboxState;
use ampoule_sandbox::guest::stop::explain_guest_error;
use ampoule_sandbox::guest::store::{explain_stop, fuel_used, run, set_fuel};
use ampoule_sandbox::imports::assets::Assets;
use ampoule_sandbox::imports::bindings::ampoule::model::types::Error as GuestError;
use ampoule_sandbox::imports::clocks::ClockResolution;
use ampoule_sandbox::imports::guest_log::{GuestLog, LogSink};
use ampoule_sandbox::{Budget, Error, Phase, Result};
use ampoule_units::{ByteSize, Fuel};
use tokio_util::sync::CancellationToken;
use wasmtime::Store;
use wasmtime::component::Instance;

use crate::places::Place;
use crate::sandbox::served_model::ServedModel;
use crate::schedule::worker::is_turn_over;

/// Cost of an answer. Serialized, times are in milliseconds, with their fractions.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct SandboxReport {
    /// Fuel that the request used: see [`Limits::fuel`](ampoule_sandbox::Limits).
    pub fuel: Fuel,
    /// The most linear memory and tables that the sandbox held, from its beginning on, with what the host
    /// has packed for the model.
    #[cfg_attr(feature = "serde", serde(rename = "peak_memory_bytes"))]
    pub peak_memory: ByteSize,
    /// Wall-clock time of the request, the moments included in which others had its thread: without the wait in
    /// the queue, without making the sandbox.
    #[cfg_attr(feature = "serde", serde(rename = "wall_ms", with = "crate::millis"))]
    pub wall: Duration,
    /// Wall-clock time to make the sandbox: microseconds from a snapshot, the time that `init` takes for
    /// a model that starts cold.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "start_wall_ms", with = "crate::millis")
    )]
    pub start_wall: Duration,
    /// Fuel that making it used.
    pub start_fuel: Fuel,
    /// The guest's log.
    pub log: GuestLog,
}

/// A model's instance with memory of its own. It ends with the first thing that goes wrong: every
/// method that runs guest code takes the sandbox and gives it back only on success.
pub(crate) struct Sandbox {
    store: Store<SandboxState>,
    instance: Instance,
    model: Arc<ServedModel>,
    /// When the request at hand must be over. Meaningless before `begin_request`.
    deadline: Instant,
    wall: Duration,
    start_wall: Duration,
    start_fuel: Fuel,
    /// The most that the request may cost.
    request: Budget,
    /// One of the places for sandboxes alive at once; given back on drop at the latest.
    place: Option<Place>,
}

impl Sandbox {
    /// Makes a sandbox for a request that may cost `request`, from the model's snapshot or by running `init` in it.
    pub(crate) async fn start(
        model: Arc<ServedModel>,
        request: Budget,
        log: ByteSize,
        clock: ClockResolution,
        place: Place,
        cancelled: CancellationToken,
    ) -> Result<Self> {
        let began = Instant::now();
        let code = &model.code;
        let is_cold = code.facts().start.is_cold();
        let mut session = Session::open(
            code.instance.engine(),
            Setup {
                profile: model.profile,
                clock,
                log,
                budget: if is_cold { model.budgets.init } else { request },
                output: model.budgets.output_bytes(),
                assets: if is_cold {
                    Assets::open(model.files.clone())
                } else {
                    Assets::closed()
                },
                kernels: code.kernels(),
                cancelled,
                is_turn_over,
                has_accessors: false,
            },
        )?;
        let init = is_cold.then_some(&code.exports.lifecycle);
        let instance = match session.begin(&code.instance, init).await {
            Ok(instance) => instance,
            Err(stopped) => return Err(session.explain(&stopped)),
        };
        let start_fuel = session.fuel_used();
        let mut store = session.store;
        store.data_mut().assets.close();
        Ok(Self {
            store,
            instance,
            deadline: began,
            wall: Duration::ZERO,
            start_wall: began.elapsed(),
            start_fuel,
            request,
            model,
            place: Some(place),
        })
    }

    /// Gives the place back, for a sandbox that runs no more and is about to be dropped.
    pub(crate) fn give_up_place(&mut self) {
        self.place = None;
    }

    /// Returns the time that `start` took.
    pub(crate) fn start_wall(&self) -> Duration {
        self.start_wall
    }

    /// Gives the sandbox the budget of one request, to be over at `deadline`. What follows until
    /// the sandbox is dropped belongs to this request.
    pub(crate) fn begin_request(&mut self, deadline: Instant) -> Result<()> {
        let budget = self.request;
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
                let budget = self.request;
                let output = self.model.budgets.output_bytes();
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
            fuel: fuel_used(&self.store, self.request.fuel),
            peak_memory: state.memory.peak(),
            wall: self.wall,
            start_wall: self.start_wall,
            start_fuel: self.start_fuel,
            log: GuestLog::default(),
        }
    }
}
