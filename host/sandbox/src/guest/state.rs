//! What the host keeps for one sandbox, and the imports of the contract that reach it.

use std::time::Instant;

use ampoule_signing::ByteSize;
use tokio_util::sync::CancellationToken;
use wasmtime::component::{HasData, Linker, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::assets::Assets;
use crate::bindings::ampoule::model::{assets, log, types};
use crate::clocks::ClockResolution;
use crate::engine::EngineProfile;
use crate::guest_log::LogSink;
use crate::host_kernels::{self, Kernels};
use crate::limits::MAX_HOST_RESOURCES;
use crate::memory::MemoryBudget;
use crate::stop::Stop;
use crate::wasi;

/// The data of one sandbox's store. Nothing in it outlives the sandbox or is shared with another.
pub(crate) struct SandboxState {
    resources: ResourceTable,
    wasi: WasiCtx,
    pub(crate) profile: EngineProfile,
    pub(crate) memory: MemoryBudget,
    pub(crate) log: LogSink,
    pub(crate) assets: Assets,
    pub(crate) kernels: Kernels,
    pub(crate) deadline: Instant,
    pub(crate) cancelled: CancellationToken,
}

impl SandboxState {
    pub(crate) fn new(
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
        }
    }

    /// Whether the guest has anything of the host's: a stream, a clock to wait for.
    pub(crate) fn holds_resources(&self) -> bool {
        !self.resources.is_empty()
    }

    /// Whether the guest may go on. Asked at every tick of the epoch.
    pub(crate) fn check(&self) -> Result<(), Stop> {
        check(self.deadline, &self.cancelled)
    }

    /// The same question, to be asked on other threads for as long as one call of the guest takes.
    pub(crate) fn checker(&self) -> impl Fn() -> Result<(), Stop> + Send + Sync + use<> {
        let (deadline, cancelled) = (self.deadline, self.cancelled.clone());
        move || check(deadline, &cancelled)
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
        // A guest that only reads would otherwise be checked no more often than its code is.
        self.check()?;
        Ok(self.assets.read(&name, offset, len))
    }
}

struct State;

impl HasData for State {
    type Data<'a> = &'a mut SandboxState;
}

/// A linker with everything that a model may import, and nothing else.
pub(crate) fn new_linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<SandboxState>> {
    let mut linker = Linker::new(engine);
    wasi::add_to_linker(&mut linker)?;
    types::add_to_linker::<SandboxState, State>(&mut linker, |state| state)?;
    log::add_to_linker::<SandboxState, State>(&mut linker, |state| state)?;
    assets::add_to_linker::<SandboxState, State>(&mut linker, |state| state)?;
    host_kernels::add_to_linker(&mut linker)?;
    Ok(linker)
}
