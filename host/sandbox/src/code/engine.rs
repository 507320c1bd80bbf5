//! The Wasmtime engine, with the WebAssembly features that guests may use and no others.

use ampoule_units::ByteSize;
use serde::{Deserialize, Serialize};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig,
    WasmBacktraceDetails,
};
#[cfg(feature = "compile")]
use wasmtime::{OptLevel, RegallocAlgorithm, Strategy};

use crate::error::{Error, Result};
use crate::guest::system_refusal::system_refusal;
use crate::limits::{
    FIBER_STACK, Limits, MAX_COMPONENT_BYTES, MAX_INSTANCES, MAX_MEMORIES, MAX_MODULE_BYTES,
    MAX_TABLES, MAX_WASM_STACK,
};
use crate::memory::TABLE_ELEMENT_BYTES;

/// A way of compiling and metering code. Each profile has an engine of its own; code of one does not run in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum EngineProfile {
    /// Fuel and epochs on.
    #[default]
    Metered,
    /// As [`Metered`](Self::Metered), and a request gives the same bits for the same fuel on every machine. NaNs are
    /// canonical, relaxed SIMD computes as plain SIMD does, and clocks stand still. Random numbers are those of every
    /// other sandbox, so no secret may rest on them. Slower.
    Deterministic,
    /// Without fuel and without interruption: a guest that does not return keeps its thread for ever, whatever its
    /// deadline. Only for measuring the cost of metering, with a model that is known to behave. `init` is still
    /// metered when the snapshot is taken.
    Unmetered,
}

impl EngineProfile {
    /// Returns the profile in which `init` runs before the snapshot.
    #[must_use]
    pub fn of_init(self) -> Self {
        match self {
            Self::Unmetered => Self::Metered,
            same => same,
        }
    }

    /// Tells whether guests use up fuel and are interrupted.
    pub fn is_metered(self) -> bool {
        self != Self::Unmetered
    }
}

/// Makes the engine that requests run on. Its sandboxes come out of a pool: the next sandbox of a model uses the
/// mappings of an earlier one again, emptied.
///
/// # Errors
///
/// Those of [`finish`].
pub fn new_engine(profile: EngineProfile, limits: &Limits, threads: usize) -> Result<Engine> {
    let mut config = config(profile, limits.init.memory);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(limits, threads)));
    finish(&config)
}

/// Makes an engine of its settings.
///
/// # Errors
///
/// `io.system` when the system reserves no addresses.
pub fn finish(config: &Config) -> Result<Engine> {
    Engine::new(config).map_err(|error| match system_refusal(&error) {
        Some(refusal) => Error::Addresses {
            reason: refusal.to_string(),
        },
        None => Error::internal(format!("the engine: {error:#}")),
    })
}

/// Returns the settings that decide what code a component becomes, and what it may use. `image` is the most memory that
/// is kept as an image, holes included.
#[must_use]
pub fn config(profile: EngineProfile, image: ByteSize) -> Config {
    let is_deterministic = profile == EngineProfile::Deterministic;
    let mut config = Config::new();
    #[cfg(feature = "compile")]
    config
        .cranelift_nan_canonicalization(is_deterministic)
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .cranelift_regalloc_algorithm(RegallocAlgorithm::Backtracking);
    config
        .relaxed_simd_deterministic(is_deterministic)
        .consume_fuel(profile.is_metered())
        .epoch_interruption(profile.is_metered())
        .max_wasm_stack(MAX_WASM_STACK)
        .async_stack_size(FIBER_STACK)
        // A fiber's stack goes from one sandbox to the next. Zeroing keeps one request's data from the next.
        .async_stack_zeroing(true)
        .wasm_component_model(true)
        .wasm_simd(true)
        .wasm_relaxed_simd(true)
        .wasm_bulk_memory(true)
        .wasm_multi_value(true)
        .wasm_reference_types(true)
        .wasm_multi_memory(true)
        // Features that no guest of ours needs would only be attack surface.
        .wasm_memory64(false)
        .wasm_threads(false)
        .wasm_tail_call(false)
        .wasm_gc(false)
        .wasm_function_references(false)
        .wasm_exceptions(false)
        .wasm_wide_arithmetic(false)
        .wasm_custom_page_sizes(false)
        .wasm_component_model_gc(false)
        .concurrency_support(false)
        .gc_support(false)
        // Backtraces would put the guest's own function names and addresses into errors, and the
        // engine's default may parse the guest's debug information in the host.
        .wasm_backtrace_max_frames(None)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .signals_based_traps(true)
        .memory_init_cow(true)
        // A snapshot has holes where the guest has freed memory. Without this, one that is less than
        // half full would be copied into each sandbox instead of being shared by them.
        .memory_guaranteed_dense_image_size(image.bytes());
    config
}

/// Sizes the pool: its number of sandboxes, and the largest sandbox.
fn pool(limits: &Limits, threads: usize) -> PoolingAllocationConfig {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    // A sandbox that was given up keeps its slots until a thread has unmapped it, so there are more
    // of these than places for requests.
    let sandboxes = limits
        .sandboxes
        .saturating_mul(2)
        .saturating_add(threads)
        .min(MAX_POOLED_SANDBOXES);
    // Nearly every component has one memory and two tables; where many have more, what is over is told that the
    // host is busy.
    let memories = sandboxes + MAX_MEMORIES;
    let memory = limits.memory.max(limits.init.memory).bytes();
    let table_elements = usize::try_from(memory / TABLE_ELEMENT_BYTES)
        .unwrap_or(usize::MAX)
        .min(MAX_POOLED_ELEMENTS);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(count(sandboxes))
        .total_core_instances(count(sandboxes * MAX_INSTANCES))
        .total_stacks(count(sandboxes))
        .total_memories(count(memories))
        .total_tables(count(sandboxes * 2 + MAX_TABLES))
        .max_core_instances_per_component(count(MAX_INSTANCES))
        .max_memories_per_component(count(MAX_MEMORIES))
        .max_tables_per_component(count(MAX_TABLES))
        .max_memories_per_module(count(MAX_MEMORIES))
        .max_tables_per_module(count(MAX_TABLES))
        .max_core_instance_size(MAX_MODULE_BYTES)
        .max_component_instance_size(MAX_COMPONENT_BYTES)
        // High enough that the memory budget, which counts tables too, is reached first.
        .table_elements(table_elements)
        .max_unused_warm_slots(count(sandboxes));
    // Without the kernel's help the first bytes would be copied back, even where nothing was written.
    if PoolingAllocationConfig::is_pagemap_scan_available() {
        let kept = (IDLE_MEMORY / memories).min(MAX_IDLE_MEMORY_OF_ONE);
        pool.pagemap_scan(Enabled::Auto)
            .linear_memory_keep_resident(kept);
    }
    pool
}

/// The most sandboxes that the pool reserves addresses for, 4 GiB each: 16 TiB of the 128 TiB that a process has.
pub const MAX_POOLED_SANDBOXES: usize = 4_096;

/// Bytes of written memory that emptied sandboxes keep, all slots together. Such pages are reset by copying; pages that
/// were only read, as weights are, stay mapped. A request to MiniLM meets a thousand page faults fewer.
const IDLE_MEMORY: usize = 128 << 20;

/// The most of [`IDLE_MEMORY`] in one slot, where there are few.
const MAX_IDLE_MEMORY_OF_ONE: usize = 16 << 20;

/// The most elements of a table that the pool reserves addresses for: 1 GiB for each table.
const MAX_POOLED_ELEMENTS: usize = 128 << 20;
