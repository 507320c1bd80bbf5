//! The snapshot: a component that begins with the memory that `init` has left.
//!
//! `init` runs once, in a sandbox of its own and under the budget that the manifest gives it. The content of its
//! memories and globals then becomes the initial state of a new component, which `wasmtime-wizer` writes. Every later
//! sandbox begins where `init` ended, and shares the pages that it does not change with the others.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{io, mem};

use ampoule_sandbox::code::engine::EngineProfile;
use ampoule_sandbox::code::facts::InitReport;
use ampoule_sandbox::guest::link;
use ampoule_sandbox::guest::session::{Session, Setup, Stopped};
use ampoule_sandbox::guest::state::SandboxState;
use ampoule_sandbox::guest::stop::TypeMismatch;
use ampoule_sandbox::guest::store::{run, set_fuel, thread_runtime};
use ampoule_sandbox::guest::system_refusal::{out_of_memory, system_refusal};
use ampoule_sandbox::imports::assets::{AssetFiles, Assets};
use ampoule_sandbox::imports::bindings::exports::ampoule::model::lifecycle;
use ampoule_sandbox::imports::clocks::ClockResolution;
use ampoule_sandbox::imports::guest_log::GuestLog;
use ampoule_sandbox::imports::kernels::{Kernels, LayerSpec, PackList};
use ampoule_sandbox::limits::MAX_MEMORIES;
use ampoule_sandbox::{Budget, Error, Result};
use ampoule_units::{ByteSize, Fuel, text};
use tokio_util::sync::CancellationToken;
use wasmtime::component::{Component, ComponentType, Instance, Lift, WasmList};
use wasmtime::{Engine, Store};
use wasmtime_wizer::{ComponentContext, ComponentInstanceState, Wizer};

/// Inputs and limits of a model's `init`.
pub(crate) struct Init {
    pub(crate) assets: AssetFiles,
    pub(crate) budget: Budget,
    /// Bytes that the guest may hand to the host in one call.
    pub(crate) output: usize,
    /// Bytes of log that are kept.
    pub(crate) log: ByteSize,
    /// Set for a model that is granted `host-kernels`.
    pub(crate) host_kernels: bool,
    /// Receives the guest's log when `init` fails.
    pub(crate) said: LastWords,
}

/// The guest's log at the failure of its `init`. Clones share one log.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastWords(Arc<Mutex<GuestLog>>);

impl LastWords {
    fn set(&self, log: GuestLog) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = log;
    }

    /// Takes the log, and leaves an empty one.
    pub(crate) fn take(&self) -> GuestLog {
        mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Outcome of an `init` that returned.
pub(crate) enum Snapshot {
    /// The component in its initialised state.
    Taken {
        component: Vec<u8>,
        /// Size of all its memories.
        memory: ByteSize,
        init: InitReport,
        /// Layers that `init` has asked the host to pack.
        layers: Vec<LayerSpec>,
    },
    /// No snapshot, for this reason: each sandbox of the model runs `init`.
    Impossible { reason: String },
}

/// Fuel for reading the state of an initialised component. That runs code in it that the snapshotter has added, and
/// none of the guest's: a few operators for each global and memory.
const ACCESS_FUEL: Fuel = Fuel::new(1_000_000);

/// Time for reading that state: a memory of 4 GiB is searched for bytes that are not zero.
const ACCESS_DEADLINE: Duration = Duration::from_secs(30);

/// Memory for reading that state. Each memory is read twice, and grows by a page each time, in which the snapshotter's
/// code returns the memory's address and length.
const ACCESS_MEMORY: ByteSize = ByteSize::from_bytes(2 * 64 * 1024 * MAX_MEMORIES as u64);

/// Returns the reason why a component cannot be snapshotted, as far as its bytes tell.
pub(crate) fn obstacle(component: &[u8]) -> Option<String> {
    instrument(component).err()
}

fn wizer() -> Wizer {
    let mut wizer = Wizer::new();
    // The contract wants the export `init`. It is not called again.
    wizer.keep_init_func(true);
    wizer
}

/// Adds accessors to the component's state. The snapshotter's parser may panic on hostile bytes, so the panic is
/// caught.
fn instrument(component: &[u8]) -> Result<(ComponentContext<'_>, Vec<u8>), String> {
    catch_unwind(|| wizer().instrument_component(component))
        .map_err(|_| "the snapshotter panicked".to_owned())?
        .map_err(|error| text::sentence(&format!("{error:#}")))
}

/// Runs `init` and takes the snapshot, on this thread.
///
/// The engine's epoch has to advance meanwhile ([`Ticker`](ampoule_sandbox::code::ticker::Ticker)).
///
/// # Errors
///
/// Those of `init` itself: `limit.*`, `guest.*`, and `admission.*` for a component that is not of the contract's type.
pub(crate) fn take(
    engine: &Engine,
    profile: EngineProfile,
    component: &[u8],
    init: Init,
    cancelled: CancellationToken,
) -> Result<Snapshot> {
    let (context, instrumented) = match instrument(component) {
        Ok(instrumented) => instrumented,
        Err(reason) => return Ok(Snapshot::Impossible { reason }),
    };
    let compiled = Component::from_binary(engine, &instrumented);
    if let Some(no_memory) = compiled.as_ref().err().and_then(out_of_memory) {
        return Err(no_memory);
    }
    let instrumented = match compiled {
        Ok(instrumented) => instrumented,
        // The system forbids executable memory, so no code can run, with a snapshot or without.
        Err(error) if is_forbidden(&error) => {
            return Err(Error::Executable {
                reason: text::sentence(&format!("{error:#}")),
            });
        }
        // Either the component is invalid, or the accessors are. Compiling the component without them will tell.
        Err(error) => {
            let reason = text::sentence(&format!("with accessors to its state: {error:#}"));
            return Ok(Snapshot::Impossible { reason });
        }
    };
    thread_runtime()?.block_on(async {
        let initialised = initialise(engine, profile, &instrumented, &init, cancelled).await?;
        read_state(&context, initialised).await
    })
}

/// Tells whether the system lets no memory become executable.
fn is_forbidden(error: &wasmtime::Error) -> bool {
    system_refusal(error).is_some_and(|refusal| refusal.kind() == io::ErrorKind::PermissionDenied)
}

/// An instance whose `init` has returned.
struct Initialised {
    store: Store<SandboxState>,
    instance: Instance,
    report: InitReport,
}

async fn initialise(
    engine: &Engine,
    profile: EngineProfile,
    component: &Component,
    init: &Init,
    cancelled: CancellationToken,
) -> Result<Initialised> {
    let began = Instant::now();
    let mut session = Session::open(
        engine,
        Setup {
            profile,
            // The snapshot is cached for other hosts too, so it must not depend on this one's resolution.
            clock: ClockResolution::default(),
            log: init.log,
            budget: init.budget,
            output: init.output,
            assets: Assets::open(init.assets.clone()),
            kernels: if init.host_kernels {
                Kernels::Packing(PackList::default())
            } else {
                Kernels::NotGranted
            },
            cancelled,
            is_turn_over: || false,
            // The accessors are one instance more.
            has_accessors: true,
        },
    )?;
    let linked = link(engine, component)?;
    let exports = lifecycle::GuestIndices::new(&linked)
        .map_err(|error| TypeMismatch::new("lifecycle", &error))?;
    let instance = session.begin(&linked, Some(&exports)).await;
    let instance = instance.map_err(|stopped| {
        init.said.set(session.log().snapshot());
        match &stopped {
            Stopped::ByEngine(error) => out_of_memory(error),
            Stopped::ByItself(_) => None,
        }
        .unwrap_or_else(|| session.explain(&stopped))
    })?;
    let report = InitReport::new(
        session.fuel_used(),
        session.store.data().memory.peak(),
        began.elapsed(),
        session.log().snapshot(),
    );
    Ok(Initialised {
        store: session.store,
        instance,
        report,
    })
}

/// Reads the instance's state, and writes the component that begins with it.
async fn read_state(context: &ComponentContext<'_>, initialised: Initialised) -> Result<Snapshot> {
    let Initialised {
        mut store,
        instance,
        report: init,
    } = initialised;
    let impossible = |reason: &str| {
        Ok(Snapshot::Impossible {
            reason: reason.to_owned(),
        })
    };
    // A snapshot holds memory only. Host resources that the guest has open would be missing in later sandboxes.
    if store.data().holds_resources() {
        return impossible("`init` leaves a stream, a clock or another resource of the host open");
    }
    let state = store.data_mut();
    state.assets.close();
    let layers = match mem::take(&mut state.kernels) {
        Kernels::Packing(list) => list.into_layers(),
        Kernels::NotGranted | Kernels::Packed(_) => Vec::new(),
    };
    state.deadline = Instant::now() + ACCESS_DEADLINE;
    state.memory.allow_more(ACCESS_MEMORY);
    set_fuel(&mut store, ACCESS_FUEL)?;
    // A memory is one list to the component model, and hostcall fuel bounds lists.
    store.set_hostcall_fuel(usize::MAX);
    store.set_epoch_deadline(1);

    let mut accessors = Accessors {
        store,
        instance,
        memories: BTreeMap::new(),
        failure: None,
    };
    let written = survive(wizer().snapshot_component(context, &mut accessors)).await;
    if accessors.failure.is_some() {
        return impossible("its state cannot be read");
    }
    match written {
        Some(Ok(component)) => Ok(Snapshot::Taken {
            component,
            memory: ByteSize::from_bytes(accessors.memories.values().sum()),
            init,
            layers,
        }),
        Some(Err(error)) => impossible(&text::sentence(&format!("{error:#}"))),
        None => impossible("the snapshotter panicked"),
    }
}

/// Awaits a future, and catches its panic; `None` when it panicked.
async fn survive<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|context| {
        // Unwind safety: a half-done state is dropped with the future, and not used.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(poll) => poll.map(Some),
            Err(_) => std::task::Poll::Ready(None),
        }
    })
    .await
}

/// Calls the accessors. The first failure is kept, and the call returns an empty value; the snapshot is then discarded.
struct Accessors {
    store: Store<SandboxState>,
    instance: Instance,
    /// Length of each memory in bytes when it was first read, by the name of its accessor.
    memories: BTreeMap<String, u64>,
    failure: Option<wasmtime::Error>,
}

impl Accessors {
    async fn call<R: Lift + ComponentType + Send + Sync + 'static>(
        &mut self,
        instance: &str,
        function: &str,
    ) -> Option<R> {
        match self.try_call(instance, function).await {
            Ok(value) => Some(value),
            Err(error) => {
                self.failure.get_or_insert(error);
                None
            }
        }
    }

    async fn try_call<R: Lift + ComponentType + Send + Sync + 'static>(
        &mut self,
        instance: &str,
        function: &str,
    ) -> wasmtime::Result<R> {
        let missing = || wasmtime::Error::msg("an accessor is missing");
        let (_, interface) = self
            .instance
            .get_export(&mut self.store, None, instance)
            .ok_or_else(missing)?;
        let (_, function) = self
            .instance
            .get_export(&mut self.store, Some(&interface), function)
            .ok_or_else(missing)?;
        let function = self
            .instance
            .get_typed_func::<(), (R,)>(&mut self.store, function)?;
        let called = run(&mut self.store, async |store| {
            function.call_async(store, ()).await
        });
        Ok(called.await?.0)
    }
}

impl ComponentInstanceState for Accessors {
    async fn call_func_ret_list_u8(
        &mut self,
        instance: &str,
        function: &str,
        contents: impl FnOnce(&[u8]) + Send,
    ) {
        match self.call::<WasmList<u8>>(instance, function).await {
            Some(list) => {
                let memory = list.as_le_slice(&self.store);
                let name = format!("{instance}#{function}");
                self.memories.entry(name).or_insert(memory.len() as u64);
                contents(memory);
            }
            None => contents(&[]),
        }
    }

    async fn call_func_ret_s32(&mut self, instance: &str, function: &str) -> i32 {
        self.call(instance, function).await.unwrap_or_default()
    }

    async fn call_func_ret_s64(&mut self, instance: &str, function: &str) -> i64 {
        self.call(instance, function).await.unwrap_or_default()
    }

    async fn call_func_ret_f32(&mut self, instance: &str, function: &str) -> u32 {
        self.call::<f32>(instance, function)
            .await
            .unwrap_or_default()
            .to_bits()
    }

    async fn call_func_ret_f64(&mut self, instance: &str, function: &str) -> u64 {
        self.call::<f64>(instance, function)
            .await
            .unwrap_or_default()
            .to_bits()
    }
}
