//! Features of WebAssembly that guests may use, and a check of a component's bytes for any others.

use ampoule_sandbox::{Error, Result};
use ampoule_units::text;
use wasmtime::wasmparser::{
    BinaryReaderError, FuncValidatorAllocations, Parser, ValidPayload, Validator, WasmFeatures,
};

use crate::admission::malformed::malformed;

/// Returns the features that the engine has switched on: WebAssembly 3.0 and components, without those that no model
/// needs. A test compares them with the engine.
fn guest_features() -> WasmFeatures {
    let on = WasmFeatures::WASM3 | WasmFeatures::COMPONENT_MODEL;
    on - (WasmFeatures::GC
        | WasmFeatures::GC_TYPES
        | WasmFeatures::FUNCTION_REFERENCES
        | WasmFeatures::EXCEPTIONS
        | WasmFeatures::THREADS
        | WasmFeatures::TAIL_CALL
        | WasmFeatures::MEMORY64)
}

/// Parts of a component that a check reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Everything but the bodies of functions, in milliseconds.
    Outline,
    /// Everything.
    Bodies,
}

/// Refuses a component that is not valid, or that uses a feature that is switched off.
///
/// # Errors
///
/// `compile.failed`, as compiling it would.
pub(crate) fn check_features(component: &[u8], depth: Depth) -> Result<()> {
    validate(component, depth, guest_features()).map_err(|error| {
        // A component that is valid with all features on uses one that is off.
        match validate(component, depth, WasmFeatures::all()) {
            Ok(()) => Error::Compile {
                reason: text::sentence(&format!(
                    "it uses a feature of WebAssembly that this host has switched off: {error}"
                )),
            },
            Err(_) => malformed(&error),
        }
    })
}

fn validate(
    component: &[u8],
    depth: Depth,
    features: WasmFeatures,
) -> Result<(), BinaryReaderError> {
    let mut parser = Parser::new(0);
    parser.set_features(features);
    let mut validator = Validator::new_with_features(features);
    let mut allocations = FuncValidatorAllocations::default();
    for payload in parser.parse_all(component) {
        let payload = validator.payload(&payload?)?;
        if let (ValidPayload::Func(function, body), Depth::Bodies) = (payload, depth) {
            let mut function = function.into_validator(allocations);
            function.validate(&body)?;
            allocations = function.into_allocations();
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use ampoule_sandbox::code::engine::EngineProfile;
    use ampoule_units::ByteSize;
    use wasmtime::component::Component;

    use super::*;
    use crate::code::BuildEngines;

    /// A small component for each part of WebAssembly that an engine can switch on or off.
    #[test]
    fn components_are_refused_for_their_features_as_the_engine_refuses_them() {
        let engine = BuildEngines::new(EngineProfile::default(), ByteSize::from_mib(1))
            .unwrap()
            .code;
        let (mut taken, mut refused) = (0, 0);
        for text in [
            "(core module (func (result v128) (v128.const i64x2 0 0)))",
            "(core module (func (param v128 v128 v128) (result v128)
                (f32x4.relaxed_madd (local.get 0) (local.get 1) (local.get 2))))",
            "(core module (memory 1) (memory 1))",
            "(core module (func (result i32 i32) (i32.const 1) (i32.const 2)))",
            "(core module (memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0))))",
            "(core module (table 1 externref))",
            "(core module (global i32 (i32.add (i32.const 1) (i32.const 2))))",
            "(core module (func (result i32) (i32.extend8_s (i32.const 1))))",
            "(core module (func (result i32) (i32.trunc_sat_f32_s (f32.const 1))))",
            "(core module (memory i64 1))",
            "(core module (memory 1 1 shared))",
            "(core module (table i64 1 funcref))",
            "(core module (func $f (return_call $f)))",
            "(core module (type (struct (field i32))))",
            "(core module (type $f (func)) (func (param (ref $f))))",
            "(core module (tag))",
            "(core module (memory 1 (pagesize 1)))",
            "(core module (func (result i64 i64)
                (i64.mul_wide_s (i64.const 1) (i64.const 2))))",
            r#"(import "f" (func async))"#,
            r#"(import "f" (func (param "s" (stream u8))))"#,
            r#"(import "f" (func (param "s" (future u8))))"#,
            r#"(import "f" (func (param "e" error-context)))"#,
            r#"(import "f" (func (param "m" (map string u32))))"#,
            r#"(import "f" (func (param "l" (list u8 4))))"#,
            r#"(import "f" (func (param "x" (tuple u8 string)) (result (list u8))))"#,
            r#"(import "r" (type $r (sub resource))) (import "f" (func (param "x" (own $r))))"#,
            "(core func (canon backpressure.inc))",
            "(core func (canon task.cancel))",
            "(core func (canon thread.yield))",
        ] {
            let bytes = wat::parse_str(format!("(component {text})")).unwrap();
            let ours = check_features(&bytes, Depth::Bodies);
            let engines = Component::from_binary(&engine, &bytes);
            if let Err(error) = &ours {
                assert!(
                    error.to_string().contains("switched off"),
                    "{text}: {error}"
                );
            }
            assert_eq!(
                ours.is_ok(),
                engines.is_ok(),
                "{text}: {ours:?}, {:?}",
                engines.err()
            );
            *(if ours.is_ok() {
                &mut taken
            } else {
                &mut refused
            }) += 1;
        }
        assert!(taken >= 10 && refused >= 15, "{taken} {refused}");
    }

    #[test]
    fn what_is_no_component_is_not_called_a_feature() {
        let wrong_type = "(component (core module (func (result i32) (i64.const 1))))";
        for bytes in [
            b"not webassembly at all".to_vec(),
            wat::parse_str(wrong_type).unwrap(),
        ] {
            let error = check_features(&bytes, Depth::Bodies).unwrap_err();
            assert_eq!(error.code(), "compile.failed");
            let message = error.to_string();
            assert!(
                message.contains("not a valid WebAssembly component"),
                "{message}"
            );
            assert!(!message.contains("switched off"), "{message}");
        }
    }

    #[test]
    fn what_only_a_body_uses_is_found_in_bodies() {
        let text = "(component (core module (func $f (return_call $f))))";
        let bytes = wat::parse_str(text).unwrap();
        check_features(&bytes, Depth::Outline).unwrap();
        let error = check_features(&bytes, Depth::Bodies).unwrap_err();
        assert_eq!(error.code(), "compile.failed");
    }
}
