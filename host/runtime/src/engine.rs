//! The Wasmtime engine: what guests may use, and what is switched off.

use wasmtime::{Config, Engine, OptLevel, RegallocAlgorithm, Strategy, WasmBacktraceDetails};

use crate::error::{Error, Result};
use crate::limits::{FIBER_STACK, MAX_WASM_STACK};

/// How code is compiled and metered. A profile has an engine of its own: artifacts of one do not
/// run in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum EngineProfile {
    /// Fuel and epochs on.
    #[default]
    Metered,
}

/// Makes the engine of a profile.
pub(crate) fn new_engine(profile: EngineProfile) -> Result<Engine> {
    let EngineProfile::Metered = profile;
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .cranelift_regalloc_algorithm(RegallocAlgorithm::Backtracking)
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(MAX_WASM_STACK)
        .async_stack_size(FIBER_STACK)
        // A fiber's stack goes from one sandbox to the next when stacks are pooled; zeroing keeps
        // one request's data out of the other's.
        .async_stack_zeroing(true)
        .wasm_component_model(true)
        .wasm_simd(true)
        .wasm_relaxed_simd(true)
        .wasm_bulk_memory(true)
        .wasm_multi_value(true)
        .wasm_reference_types(true)
        .wasm_multi_memory(true)
        // What no guest of ours needs is switched off: it could only be attacked.
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
        .memory_init_cow(true);
    Engine::new(&config).map_err(|error| Error::internal(format!("the engine: {error}")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use wasmtime::component::Component;

    use super::*;

    #[test]
    fn what_no_model_needs_is_switched_off() {
        let engine = new_engine(EngineProfile::default()).unwrap();
        for guest in ["exceptions", "gc", "memory64", "shared_memory"] {
            let path = format!(
                "{}/../../tests/guests/wat/uses_{guest}.wat",
                env!("CARGO_MANIFEST_DIR")
            );
            let bytes = wat::parse_file(path).unwrap();
            assert!(Component::from_binary(&engine, &bytes).is_err(), "{guest}");
        }
    }
}
