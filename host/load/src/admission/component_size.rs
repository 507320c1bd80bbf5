//! Counts of a component's parts, taken from its bytes: a few KiB can describe so much that compiling it takes the
//! host's memory.

use ampoule_sandbox::CapOwner;
use ampoule_sandbox::limits::{
    MAX_COMPONENT_CORE_INSTANTIATIONS, MAX_COMPONENT_DEPTH, MAX_COMPONENT_FUNCTIONS,
    MAX_COMPONENT_INSTANTIATIONS, MAX_COMPONENT_NAMES, MAX_MODULE_FUNCTIONS, MAX_MODULE_GLOBALS,
};
use ampoule_sandbox::{Error, Result};
use ampoule_units::ByteSize;
use wasmtime::wasmparser::{ComponentInstance, Instance, MemorySectionReader, Payload};

use crate::admission::malformed::malformed;

/// Bytes of a page of linear memory.
const PAGE: u64 = 64 * 1024;

/// Counts over all nested components and core modules.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ComponentSize {
    functions: u32,
    names: u32,
    instantiations: u32,
    core_instantiations: u32,
    /// Initial size in bytes of the memories that core modules define.
    memory: u64,
}

impl ComponentSize {
    /// Returns the initial size of all memories that core modules define, instantiated or not.
    pub(crate) fn initial_memory(&self) -> ByteSize {
        ByteSize::from_bytes(self.memory)
    }

    /// Counts one payload, which lies inside of `depth` modules and components.
    ///
    /// # Errors
    ///
    /// `admission.limit`, or `compile.failed` for bytes that cannot be read.
    pub(crate) fn add(&mut self, payload: &Payload<'_>, depth: usize) -> Result<()> {
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => check(
                "levels of components inside of each other",
                u32::try_from(depth).unwrap_or(u32::MAX),
                MAX_COMPONENT_DEPTH,
            ),
            Payload::FunctionSection(section) => {
                let found = section.count();
                check("functions in one core module", found, MAX_MODULE_FUNCTIONS)?;
                self.functions = self.functions.saturating_add(found);
                check(
                    "functions in all core modules",
                    self.functions,
                    MAX_COMPONENT_FUNCTIONS,
                )
            }
            Payload::GlobalSection(section) => check(
                "globals in one core module",
                section.count(),
                MAX_MODULE_GLOBALS,
            ),
            Payload::MemorySection(section) => self.add_memories(section.clone()),
            Payload::ComponentImportSection(section) => self.add_names(section.count()),
            Payload::ComponentExportSection(section) => self.add_names(section.count()),
            Payload::ComponentInstanceSection(section) => {
                for instance in section.clone() {
                    if let ComponentInstance::Instantiate { .. } =
                        instance.map_err(|error| malformed(&error))?
                    {
                        self.instantiations = self.instantiations.saturating_add(1);
                    }
                }
                check(
                    "components that are instantiated",
                    self.instantiations,
                    MAX_COMPONENT_INSTANTIATIONS,
                )
            }
            Payload::InstanceSection(section) => {
                for instance in section.clone() {
                    if let Instance::Instantiate { .. } =
                        instance.map_err(|error| malformed(&error))?
                    {
                        self.core_instantiations = self.core_instantiations.saturating_add(1);
                    }
                }
                check(
                    "core modules that are instantiated",
                    self.core_instantiations,
                    MAX_COMPONENT_CORE_INSTANTIATIONS,
                )
            }
            _ => Ok(()),
        }
    }

    fn add_names(&mut self, found: u32) -> Result<()> {
        self.names = self.names.saturating_add(found);
        check("imports and exports", self.names, MAX_COMPONENT_NAMES)
    }

    fn add_memories(&mut self, section: MemorySectionReader<'_>) -> Result<()> {
        for memory in section {
            let memory = memory.map_err(|error| malformed(&error))?;
            let bytes = memory.initial.saturating_mul(PAGE);
            self.memory = self.memory.saturating_add(bytes);
        }
        Ok(())
    }
}

fn check(what: &'static str, found: u32, allowed: u32) -> Result<()> {
    if found <= allowed {
        return Ok(());
    }
    Err(Error::Cap {
        limit: None,
        whose: CapOwner::Host,
        what: what.into(),
        asked: found.to_string(),
        cap: allowed.to_string(),
    })
}
