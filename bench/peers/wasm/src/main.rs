//! Runs a peer that is compiled to WebAssembly as Ampoule runs its guests: the same Wasmtime, the same
//! settings, fuel and epochs on.
//!
//! ```text
//! bench-wasm COMPONENT DIRECTORY CACHE
//! ```
//!
//! The component is a command. It has this process's standard input and output and may read the
//! directory, under the same path. Its native code is kept in the directory CACHE, which need not exist: the
//! largest takes minutes to compile.
#![forbid(unsafe_code)]

use std::time::Duration;

use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{
    Cache, CacheConfig, Config, Engine, OptLevel, RegallocAlgorithm, Result, Store, Strategy,
    UpdateDeadline, bail,
};
use wasmtime_wasi::p2::bindings::Command;
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxView, WasiView};

/// Interval of epochs, as in Ampoule.
const TICK: Duration = Duration::from_millis(1);

/// More fuel than peers need.
const WASM_STACK: usize = 1 << 20;

struct State {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [component, directory, cache] = arguments.as_slice() else {
        bail!("usage: bench-wasm COMPONENT DIRECTORY CACHE");
    };
    let mut kept = CacheConfig::new();
    kept.with_directory(cache);
    let mut config = config();
    config.cache(Some(Cache::new(kept)?));
    let engine = Engine::new(&config)?;
    let component = Component::from_file(&engine, component)?;
    let ticking = engine.clone();
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(TICK);
            ticking.increment_epoch();
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    runtime.block_on(run(&engine, &component, directory))
}

/// Makes the settings that decide the native code, as in the metered profile of `host/sandbox/src/code/engine.rs`.
fn config() -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .cranelift_regalloc_algorithm(RegallocAlgorithm::Backtracking)
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(2 * WASM_STACK)
        .wasm_component_model(true)
        .wasm_simd(true)
        .wasm_relaxed_simd(true)
        .wasm_threads(false)
        .concurrency_support(false)
        .gc_support(false)
        .signals_based_traps(true)
        .memory_init_cow(true);
    config
}

async fn run(engine: &Engine, component: &Component, directory: &str) -> Result<()> {
    let mut linker = Linker::<State>::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    let mut wasi = WasiCtx::builder();
    wasi.inherit_stdio()
        .preopened_dir(directory, directory, FsPerms::ReadOnly)?;
    let state = State {
        wasi: wasi.build(),
        table: ResourceTable::new(),
    };
    let mut store = Store::new(engine, state);
    // Counted like a request's, only that it is never used up.
    store.set_fuel(u64::MAX)?;
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Continue(1)));
    let command = Command::instantiate_async(&mut store, component, &linker).await?;
    match command.wasi_cli_run().call_run(&mut store).await? {
        Ok(()) => Ok(()),
        Err(()) => bail!("the component failed"),
    }
}
