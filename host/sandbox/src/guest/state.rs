//! The state of one sandbox on the host's side, and the imports of the contract that reach it.

use std::fmt;
use std::time::Instant;

use ampoule_units::ByteSize;
use tokio_util::sync::CancellationToken;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::code::engine::EngineProfile;
use crate::guest::stop::Stop;
use crate::imports::assets::Assets;
use crate::imports::bindings::ampoule::model::{assets, log, types};
use crate::imports::clocks::ClockResolution;
use crate::imports::guest_log::LogSink;
use crate::imports::kernels::{Kernels, KernelsCtx, KernelsView};
use crate::imports::wasi;
use crate::limits::MAX_HOST_RESOURCES;
use crate::memory::MemoryBudget;

/// The data of one sandbox's store. Nothing in it outlives the sandbox or is shared with another.
pub struct SandboxState {
    resources: ResourceTable,
    wasi: WasiCtx,
    /// The profile of its engine.
    pub profile: EngineProfile,
    /// Its memory, counted.
    pub memory: MemoryBudget,
    /// Its guest's log.
    pub log: LogSink,
    /// The model's files, while `init` runs.
    pub assets: Assets,
    /// Its part of the host's kernels.
    pub kernels: Kernels,
    /// The end of the phase at hand.
    pub deadline: Instant,
    /// Cancelled when nobody waits for the guest any more.
    pub cancelled: CancellationToken,
    /// Asked at every tick: tells whether the guest's turn on its thread is over.
    pub is_turn_over: fn() -> bool,
}

impl fmt::Debug for SandboxState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SandboxState")
            .field("profile", &self.profile)
            .field("memory", &self.memory)
            .field("kernels", &self.kernels)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

impl SandboxState {
    /// Makes the state of a guest that has not run yet.
    #[must_use]
    pub fn new(
        profile: EngineProfile,
        clock: ClockResolution,
        memory: ByteSize,
        log: ByteSize,
        assets: Assets,
    ) -> Self {
        let mut resources = ResourceTable::new();
        resources.set_max_capacity(MAX_HOST_RESOURCES);
        let log = LogSink::new(log);
        Self {
            resources,
            wasi: wasi::new_context(&log, profile, clock),
            profile,
            memory: MemoryBudget::new(memory),
            log,
            assets,
            kernels: Kernels::NotGranted,
            // Every phase sets its own before guest code runs.
            deadline: Instant::now(),
            cancelled: CancellationToken::new(),
            is_turn_over: || false,
        }
    }

    /// Tells whether the guest holds a resource of the host's, such as a stream or a clock to wait for.
    pub fn holds_resources(&self) -> bool {
        !self.resources.is_empty()
    }

    /// Decides at every tick of the epoch whether the guest may go on.
    pub fn check(&self) -> Result<(), Stop> {
        check(self.deadline, &self.cancelled)
    }
}

fn check(deadline: Instant, cancelled: &CancellationToken) -> Result<(), Stop> {
    if cancelled.is_cancelled() {
        Err(Stop::Cancelled)
    } else if Instant::now() >= deadline {
        Err(Stop::Deadline)
    } else {
        Ok(())
    }
}

impl WasiView for SandboxState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.resources,
        }
    }
}

impl types::Host for SandboxState {}

impl log::Host for SandboxState {
    fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        self.log.write(level.into(), &message);
        Ok(())
    }
}

impl assets::Host for SandboxState {
    fn size(&mut self, name: String) -> wasmtime::Result<Result<u64, types::Error>> {
        Ok(self.assets.size(&name))
    }

    fn read(
        &mut self,
        name: String,
        offset: u64,
        len: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, types::Error>> {
        // Long reads would otherwise pass without a check: the epoch interrupts guest code only.
        self.check()?;
        Ok(self.assets.read(&name, offset, len))
    }
}

impl KernelsView for SandboxState {
    fn kernels(&mut self) -> KernelsCtx<'_> {
        KernelsCtx {
            kernels: &mut self.kernels,
            assets: &self.assets,
            memory: &mut self.memory,
        }
    }

    fn stop_check(&self) -> Box<dyn Fn() -> wasmtime::Result<()> + Send + Sync> {
        let (deadline, cancelled) = (self.deadline, self.cancelled.clone());
        Box::new(move || Ok(check(deadline, &cancelled)?))
    }

    fn is_metered(&self) -> bool {
        self.profile.is_metered()
    }
}
