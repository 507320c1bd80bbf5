//! Engines that compile a model and run its `init`.

use ampoule_sandbox::Result;
use ampoule_sandbox::code::engine::{EngineProfile, config, finish};
use ampoule_units::ByteSize;
use wasmtime::{Engine, InstanceAllocationStrategy, OptLevel};

/// Engines without a pool: one for `init`, one for the code that is kept.
pub(crate) struct BuildEngines {
    /// Runs `init`, once. Its code is not optimised: for most models compiling takes a hundred times as long as running
    /// `init`.
    pub(crate) init: Engine,
    /// Profile of the engine for `init`.
    pub(crate) profile: EngineProfile,
    /// Compiles the snapshot. The code runs on engines of
    /// [`new_engine`](ampoule_sandbox::code::engine::new_engine) with the same profile.
    pub(crate) code: Engine,
}

impl BuildEngines {
    /// Makes both. `image` bounds the memory that is kept as an image, holes included.
    pub(crate) fn new(profile: EngineProfile, image: ByteSize) -> Result<Self> {
        let config_of = |profile| {
            let mut config = config(profile, image);
            config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
            config
        };
        let code = finish(&config_of(profile))?;
        let profile = profile.of_init();
        let mut config = config_of(profile);
        // Cranelift's quicker register allocator would save as much again. It is not used: far fewer programs have
        // tested it.
        config.cranelift_opt_level(OptLevel::None);
        let init = finish(&config)?;
        Ok(Self {
            init,
            profile,
            code,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use wasmtime::component::Component;
    use wasmtime::wasmparser::{Validator, WasmFeatures};

    use super::*;

    #[test]
    fn what_no_model_needs_is_switched_off() {
        let engines = BuildEngines::new(EngineProfile::default(), ByteSize::from_mib(1)).unwrap();
        for guest in [
            "async",
            "custom_page_sizes",
            "exceptions",
            "function_references",
            "gc",
            "memory64",
            "shared_memory",
            "stack_switching",
            "tail_calls",
            "wide_arithmetic",
        ] {
            let path = format!(
                "{}/../../tests/guests/wat/uses_{guest}.wat",
                env!("CARGO_MANIFEST_DIR")
            );
            let bytes = wat::parse_file(path).unwrap();
            // With everything on it would be a component.
            let valid = Validator::new_with_features(WasmFeatures::all()).validate_all(&bytes);
            assert!(valid.is_ok(), "{guest}: {:?}", valid.err());
            for engine in [&engines.init, &engines.code] {
                assert!(Component::from_binary(engine, &bytes).is_err(), "{guest}");
            }
        }
    }

    /// Native code says in its metadata what it was compiled with.
    #[test]
    fn guards_against_speculative_reads_are_compiled_in() {
        // A flag is its name and its value, which is tagged: 2 for a boolean, and 1 for true.
        const ON: &[u8] = &[2, 1];
        let engines = BuildEngines::new(EngineProfile::default(), ByteSize::from_mib(1)).unwrap();
        let component = wat::parse_str("(component)").unwrap();
        for engine in [&engines.init, &engines.code] {
            let code = engine.precompile_component(&component).unwrap();
            for flag in [
                "enable_heap_access_spectre_mitigation",
                "enable_table_access_spectre_mitigation",
            ] {
                let setting = [flag.as_bytes(), ON].concat();
                let is_on = code.windows(setting.len()).any(|bytes| bytes == setting);
                assert!(is_on, "{flag}");
            }
        }
    }
}
