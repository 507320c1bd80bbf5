//! The first phase of a guest: a store under the phase's limits, and an instance in it.
//!
//! Taking the snapshot and serving a request begin a guest in the same way.

use std::fmt;
use std::time::Instant;

use ampoule_units::{Budget, ByteSize, Fuel};
use tokio_util::sync::CancellationToken;
use wasmtime::component::{Instance, InstancePre};
use wasmtime::{Engine, Store};

use crate::code::engine::EngineProfile;
use crate::error::{Error, Phase, Result};
use crate::guest::state::SandboxState;
use crate::guest::stop::{TypeMismatch, explain_guest_error};
use crate::guest::store::{explain_stop, fuel_used, new_store, run, set_fuel};
use crate::imports::assets::Assets;
use crate::imports::bindings::ampoule::model::types::Error as GuestError;
use crate::imports::bindings::exports::ampoule::model::lifecycle;
use crate::imports::clocks::ClockResolution;
use crate::imports::guest_log::LogSink;
use crate::imports::kernels::Kernels;

/// Settings of a guest's store.
pub struct Setup {
    /// The profile of the engine.
    pub profile: EngineProfile,
    /// The resolution of the guest's clocks.
    pub clock: ClockResolution,
    /// Bytes of log that are kept.
    pub log: ByteSize,
    /// The most that the first phase may cost. Its time begins now.
    pub budget: Budget,
    /// Bytes that the guest may hand to the host in one call.
    pub output: usize,
    /// The model's files.
    pub assets: Assets,
    /// The host's kernels.
    pub kernels: Kernels,
    /// Stops the guest when nobody waits for it any more.
    pub cancelled: CancellationToken,
    /// Tells whether the guest's turn on its thread is over.
    pub is_turn_over: fn() -> bool,
    /// One instance more than a model may have, for a snapshot's accessors.
    pub has_accessors: bool,
}

/// A guest's store, with the budget that its first phase has.
pub struct Session {
    /// The store. It is dropped with everything in it.
    pub store: Store<SandboxState>,
    budget: Budget,
    output: usize,
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup")
            .field("profile", &self.profile)
            .field("clock", &self.clock)
            .field("log", &self.log)
            .field("budget", &self.budget)
            .field("output", &self.output)
            .field("kernels", &self.kernels)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("state", self.store.data())
            .field("budget", &self.budget)
            .field("output", &self.output)
            .finish_non_exhaustive()
    }
}

/// The end of a guest that did not return, or that returned an error.
#[derive(Debug)]
pub enum Stopped {
    /// The engine or a host function stopped it.
    ByEngine(wasmtime::Error),
    /// The guest reported a failure.
    ByItself(GuestError),
}

impl Session {
    /// Makes the store.
    ///
    /// # Errors
    ///
    /// `limit.memory` when the host's kernels alone take more than the budget.
    pub fn open(engine: &Engine, setup: Setup) -> Result<Self> {
        let Setup { budget, output, .. } = setup;
        let mut state = SandboxState::new(
            setup.profile,
            setup.clock,
            budget.memory,
            setup.log,
            setup.assets,
        );
        state.cancelled = setup.cancelled;
        state.deadline = Instant::now() + budget.deadline;
        state.is_turn_over = setup.is_turn_over;
        if setup.has_accessors {
            state.memory.allow_one_more_instance();
        }
        // Layers that the host has packed count as the sandbox's memory: without host kernels they would lie in it.
        if let Kernels::Packed(kernels) = &setup.kernels {
            let packed = kernels.bytes();
            if !state.memory.hold(packed) {
                return Err(Error::Memory {
                    phase: Phase::Init,
                    asked: packed,
                    allowed: budget.memory,
                });
            }
        }
        state.kernels = setup.kernels;
        let mut store = new_store(engine, state, output);
        set_fuel(&mut store, budget.fuel)?;
        Ok(Self {
            store,
            budget,
            output,
        })
    }

    /// Makes the instance, and runs its `init` if `init` gives the export.
    ///
    /// # Errors
    ///
    /// The reason for which the guest stopped; [`Session::explain`] names it.
    pub async fn begin(
        &mut self,
        linked: &InstancePre<SandboxState>,
        init: Option<&lifecycle::GuestIndices>,
    ) -> Result<Instance, Stopped> {
        let ran = run(&mut self.store, async |store| {
            let instance = linked.instantiate_async(&mut *store).await?;
            let result = match init {
                Some(lifecycle) => {
                    let guest = lifecycle
                        .load(&mut *store, &instance)
                        .map_err(|error| TypeMismatch::new("lifecycle", &error))?;
                    guest.call_init(store).await?
                }
                None => Ok(()),
            };
            Ok((instance, result))
        });
        match ran.await {
            Ok((instance, Ok(()))) => Ok(instance),
            Ok((_, Err(error))) => Err(Stopped::ByItself(error)),
            Err(error) => Err(Stopped::ByEngine(error)),
        }
    }

    /// Names the reason for which the guest stopped in its first phase.
    #[must_use]
    pub fn explain(&self, stopped: &Stopped) -> Error {
        match stopped {
            Stopped::ByEngine(error) => {
                explain_stop(&self.store, Phase::Init, self.budget, self.output, error)
            }
            Stopped::ByItself(GuestError { code, message }) => {
                explain_guest_error(Phase::Init, code, message)
            }
        }
    }

    /// Returns the fuel that the first phase has used.
    #[must_use]
    pub fn fuel_used(&self) -> Fuel {
        fuel_used(&self.store, self.budget.fuel)
    }

    /// Returns the guest's log.
    #[must_use]
    pub fn log(&self) -> &LogSink {
        &self.store.data().log
    }
}
