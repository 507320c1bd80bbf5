//! Imports and exports of a component, read from its bytes before anything is compiled.

use ampoule_sandbox::{Error, Result};
use ampoule_units::ByteSize;
use wasmtime::wasmparser::{ComponentTypeRef, Encoding, Parser, Payload};

use crate::admission::component_size::ComponentSize;
use crate::admission::malformed::malformed;

/// Names at a component's outermost level. Nested components and core modules can reach nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ComponentSurface {
    imports: Vec<String>,
    exports: Vec<String>,
    size: ComponentSize,
}

impl ComponentSurface {
    /// Reads the outermost level. Compiling the component later checks the rest of the bytes.
    ///
    /// # Errors
    ///
    /// `compile.failed` when the bytes are not a component; `admission.limit` when it has so many functions, nested
    /// components or other parts that compiling or instantiating it would take too much of the host's memory.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let mut surface = Self::default();
        // Number of nested modules and components around this payload, whose names are not the component's own.
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload.map_err(|error| malformed(&error))?;
            surface.size.add(&payload, depth)?;
            match payload {
                Payload::Version {
                    encoding: Encoding::Module,
                    ..
                } if depth == 0 => {
                    return Err(Error::Compile {
                        reason: "a core module was found where a component was expected; \
                                 build the guest for wasm32-wasip2"
                            .to_owned(),
                    });
                }
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(section) if depth == 0 => {
                    for import in section {
                        let import = import.map_err(|error| malformed(&error))?;
                        // An imported type has no behaviour.
                        if !matches!(import.ty, ComponentTypeRef::Type(_)) {
                            surface.imports.push(import.name.name.to_owned());
                        }
                    }
                }
                Payload::ComponentExportSection(section) if depth == 0 => {
                    for export in section {
                        let export = export.map_err(|error| malformed(&error))?;
                        surface.exports.push(export.name.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        Ok(surface)
    }

    /// Returns the names of the imports, in the component's order and spelling.
    #[must_use]
    pub fn imports(&self) -> &[String] {
        &self.imports
    }

    /// Returns the names of the exports, in the component's order and spelling.
    #[must_use]
    pub fn exports(&self) -> &[String] {
        &self.exports
    }

    /// Returns the initial size of all memories together, those of modules that are never instantiated included: the
    /// compiler makes an image for each.
    pub(crate) fn initial_memory(&self) -> ByteSize {
        self.size.initial_memory()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use ampoule_sandbox::limits::{MAX_MODULE_FUNCTIONS, MAX_MODULE_GLOBALS};

    use super::*;

    #[test]
    fn bytes_that_are_no_component_are_refused() {
        for bytes in [
            &b""[..],
            b"\0asm",
            b"\0asm\x01\0\0\0",
            b"not webassembly at all",
        ] {
            assert_eq!(
                ComponentSurface::read(bytes).unwrap_err().code(),
                "compile.failed"
            );
        }
    }

    #[test]
    fn modules_that_cost_much_for_each_instance_are_refused() {
        let module = |what: &str, count| {
            let text = format!("(component (core module {}))", what.repeat(count));
            ComponentSurface::read(&wat::parse_str(text).unwrap())
        };
        for (what, allowed) in [
            ("(global i32 (i32.const 0))", MAX_MODULE_GLOBALS as usize),
            ("(func)", MAX_MODULE_FUNCTIONS as usize),
        ] {
            module(what, allowed).unwrap();
            let error = module(what, allowed + 1).unwrap_err();
            assert_eq!(error.code(), "admission.limit", "{what}");
        }
    }

    #[test]
    fn names_of_nested_components_are_not_the_components_own() {
        let bytes = wat::parse_str(
            r#"(component
                (component (import "wasi:sockets/tcp@0.2.0" (instance)))
                (import "ampoule:model/log@0.1.0" (instance))
                (core module (import "a" "b" (func)))
                (import "bare" (func)))"#,
        )
        .unwrap();
        let surface = ComponentSurface::read(&bytes).unwrap();
        assert_eq!(surface.imports(), ["ampoule:model/log@0.1.0", "bare"]);
    }
}
