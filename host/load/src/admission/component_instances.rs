//! Counts the core instances, memories and tables of one sandbox of a component, as loading counts them: over all
//! nested components, each as often as it is instantiated.

use std::collections::HashMap;

use ampoule_sandbox::CapOwner;
use ampoule_sandbox::limits::{MAX_COMPONENT_PARTS, MAX_INSTANCES, MAX_MEMORIES, MAX_TABLES};
use ampoule_sandbox::{Error, Result};
use wasmtime::wasmparser::{
    BinaryReaderError, CanonicalFunction, ComponentAlias, ComponentExternalKind as Kind,
    ComponentInstance, ComponentOuterAliasKind, Instance, Parser, Payload,
};

use crate::admission::malformed::malformed;

/// Refuses a component that needs more core instances, memories or tables than a sandbox may have.
///
/// The compiler adds adapter modules between nested components that call each other. One is counted; a component that
/// needs more and is over the limit is refused when it is loaded.
///
/// # Errors
///
/// `limit.instances`; `admission.limit` for a component with too many parts to count; `compile.failed` for bytes that
/// are no component.
pub(crate) fn check_instances(component: &[u8]) -> Result<()> {
    let mut count = Count {
        definitions: read(component).map_err(|error| malformed(&error))?,
        ..Count::default()
    };
    count.instantiate(ROOT, None, &Exports::new())?;
    count.check()
}

/// Index of the outermost component among the definitions.
const ROOT: usize = 0;

/// A component as it is written, or a core module.
#[derive(Default)]
struct Definition<'a> {
    /// Entries of the definition's sections, in order. Each can name earlier ones only.
    items: Vec<Item<'a>>,
    memories: usize,
    tables: usize,
}

/// An entry of a component that makes, names or passes on a module, a component or an instance.
enum Item<'a> {
    Module(usize),
    Component(usize),
    Import(Kind, &'a str),
    AliasExport(Kind, u32, &'a str),
    AliasOuter(Kind, u32, u32),
    Export(Kind, u32, &'a str),
    Instantiate(u32, Vec<(Kind, u32, &'a str)>),
    Gather(Vec<(Kind, u32, &'a str)>),
    InstantiateCore(u32),
    /// A function of the component, made of a core function.
    Lift,
    /// A core function, made of a function of a component.
    Lower(u32),
}

/// Reads all components and core modules, the outermost first.
fn read(bytes: &[u8]) -> Result<Vec<Definition<'_>>, BinaryReaderError> {
    let mut definitions = vec![Definition::default()];
    let mut open = Vec::new();
    // The outermost definition exists before its header is read.
    let mut next = ROOT;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        if let Payload::Version { .. } = payload {
            open.push(next);
            continue;
        }
        let nested = definitions.len();
        let Some(current) = open.last().and_then(|index| definitions.get_mut(*index)) else {
            continue;
        };
        let items = &mut current.items;
        match payload {
            Payload::ModuleSection { .. } => {
                items.push(Item::Module(nested));
                definitions.push(Definition::default());
                next = nested;
            }
            Payload::ComponentSection { .. } => {
                items.push(Item::Component(nested));
                definitions.push(Definition::default());
                next = nested;
            }
            Payload::End(_) => {
                open.pop();
            }
            Payload::MemorySection(section) => {
                current.memories = current.memories.saturating_add(section.count() as usize);
            }
            Payload::TableSection(section) => {
                current.tables = current.tables.saturating_add(section.count() as usize);
            }
            Payload::ComponentImportSection(section) => {
                for import in section {
                    let import = import?;
                    items.push(Item::Import(import.ty.kind(), import.name.name));
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section {
                    let export = export?;
                    items.push(Item::Export(export.kind, export.index, export.name.name));
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section {
                    items.extend(aliased(alias?));
                }
            }
            Payload::ComponentInstanceSection(section) => {
                for instance in section {
                    items.push(match instance? {
                        ComponentInstance::Instantiate {
                            component_index,
                            args,
                        } => {
                            let args = args.iter().map(|arg| (arg.kind, arg.index, arg.name));
                            Item::Instantiate(component_index, args.collect())
                        }
                        ComponentInstance::FromExports(exports) => {
                            let exports = exports.iter();
                            let exports = exports.map(|e| (e.kind, e.index, e.name.name));
                            Item::Gather(exports.collect())
                        }
                    });
                }
            }
            Payload::ComponentCanonicalSection(section) => {
                for function in section {
                    match function? {
                        CanonicalFunction::Lift { .. } => items.push(Item::Lift),
                        CanonicalFunction::Lower { func_index, .. } => {
                            items.push(Item::Lower(func_index));
                        }
                        _ => {}
                    }
                }
            }
            Payload::InstanceSection(section) => {
                for instance in section {
                    if let Instance::Instantiate { module_index, .. } = instance? {
                        items.push(Item::InstantiateCore(module_index));
                    }
                }
            }
            _ => {}
        }
    }
    Ok(definitions)
}

fn aliased(alias: ComponentAlias<'_>) -> Option<Item<'_>> {
    match alias {
        ComponentAlias::InstanceExport {
            kind,
            instance_index,
            name,
        } => Some(Item::AliasExport(kind, instance_index, name)),
        ComponentAlias::CoreInstanceExport { .. } => None,
        ComponentAlias::Outer { kind, count, index } => match kind {
            ComponentOuterAliasKind::CoreModule => {
                Some(Item::AliasOuter(Kind::Module, count, index))
            }
            ComponentOuterAliasKind::Component => {
                Some(Item::AliasOuter(Kind::Component, count, index))
            }
            ComponentOuterAliasKind::CoreType | ComponentOuterAliasKind::Type => None,
        },
    }
}

/// A module, a component, an instance or a function while the component is put together.
#[derive(Clone, Copy)]
enum Value {
    /// A definition.
    Module(usize),
    /// A definition, and the scope around it.
    Component(usize, Option<usize>),
    /// An index into the instances.
    Instance(usize),
    /// A function of a nested component.
    Lifted,
    /// A value from outside, which is the host's.
    Foreign,
}

type Exports<'a> = HashMap<&'a str, Value>;

/// The names of one component that is being put together.
#[derive(Default)]
struct Scope {
    parent: Option<usize>,
    modules: Vec<Value>,
    components: Vec<Value>,
    instances: Vec<Value>,
    functions: Vec<Value>,
}

impl Scope {
    fn of(&self, kind: Kind) -> Option<&Vec<Value>> {
        match kind {
            Kind::Module => Some(&self.modules),
            Kind::Component => Some(&self.components),
            Kind::Instance => Some(&self.instances),
            Kind::Func => Some(&self.functions),
            Kind::Value | Kind::Type => None,
        }
    }

    fn get(&self, kind: Kind, index: u32) -> Value {
        let found = self.of(kind).and_then(|all| all.get(index as usize));
        found.copied().unwrap_or(Value::Foreign)
    }

    fn push(&mut self, kind: Kind, value: Value) {
        match kind {
            Kind::Module => self.modules.push(value),
            Kind::Component => self.components.push(value),
            Kind::Instance => self.instances.push(value),
            Kind::Func => self.functions.push(value),
            Kind::Value | Kind::Type => {}
        }
    }
}

/// The component as far as it is instantiated, with the counts. Scopes refer to each other by index.
#[derive(Default)]
struct Count<'a> {
    definitions: Vec<Definition<'a>>,
    scopes: Vec<Scope>,
    instances: Vec<Exports<'a>>,
    parts: usize,
    core_instances: usize,
    /// Set when a nested component calls another.
    has_adapters: bool,
    memories: usize,
    tables: usize,
}

impl<'a> Count<'a> {
    /// Instantiates one component in the scope around its definition, and returns its exports. The recursion is at
    /// most as deep as there are places that instantiate a component, which
    /// [`MAX_COMPONENT_INSTANTIATIONS`](ampoule_sandbox::limits::MAX_COMPONENT_INSTANTIATIONS) bounds.
    fn instantiate(
        &mut self,
        definition: usize,
        parent: Option<usize>,
        args: &Exports<'a>,
    ) -> Result<Exports<'a>> {
        let here = self.scopes.len();
        self.scopes.push(Scope {
            parent,
            ..Scope::default()
        });
        let mut exports = Exports::new();
        let Some(found) = self.definitions.get_mut(definition) else {
            return Ok(exports);
        };
        // Taken out during the walk, and put back. No component instantiates itself, so nobody misses them.
        let items = std::mem::take(&mut found.items);
        for item in &items {
            self.parts = self.parts.saturating_add(1);
            check_parts(self.parts)?;
            match item {
                Item::Module(module) => self.push(here, Kind::Module, Value::Module(*module)),
                Item::Component(component) => {
                    let value = Value::Component(*component, Some(here));
                    self.push(here, Kind::Component, value);
                }
                Item::Import(kind, name) => {
                    let value = args.get(name).copied().unwrap_or(Value::Foreign);
                    self.push(here, *kind, value);
                }
                Item::AliasExport(kind, instance, name) => {
                    let value = match self.get(here, Kind::Instance, *instance) {
                        Value::Instance(index) => self.instances.get(index),
                        _ => None,
                    };
                    let value = value.and_then(|exports| exports.get(name)).copied();
                    self.push(here, *kind, value.unwrap_or(Value::Foreign));
                }
                Item::AliasOuter(kind, levels, index) => {
                    let outer =
                        (0..*levels).try_fold(here, |scope, _| self.scopes.get(scope)?.parent);
                    let value = outer.map(|outer| self.get(outer, *kind, *index));
                    self.push(here, *kind, value.unwrap_or(Value::Foreign));
                }
                Item::Export(kind, index, name) => {
                    let value = self.get(here, *kind, *index);
                    exports.insert(*name, value);
                    // An export also adds a name to the index space.
                    self.push(here, *kind, value);
                }
                Item::Gather(named) => {
                    let gathered = self.gather(here, named)?;
                    self.push_instance(here, gathered);
                }
                Item::Instantiate(component, args) => {
                    let args = self.gather(here, args)?;
                    let made = match self.get(here, Kind::Component, *component) {
                        Value::Component(definition, scope) => {
                            self.instantiate(definition, scope, &args)?
                        }
                        _ => Exports::new(),
                    };
                    self.push_instance(here, made);
                }
                Item::InstantiateCore(module) => {
                    let module = self.get(here, Kind::Module, *module);
                    self.add_core_instance(module);
                }
                Item::Lift => self.push(here, Kind::Func, Value::Lifted),
                Item::Lower(function) => {
                    let function = self.get(here, Kind::Func, *function);
                    self.has_adapters |= matches!(function, Value::Lifted);
                }
            }
        }
        if let Some(found) = self.definitions.get_mut(definition) {
            found.items = items;
        }
        Ok(exports)
    }

    fn gather(&mut self, scope: usize, named: &[(Kind, u32, &'a str)]) -> Result<Exports<'a>> {
        self.parts = self.parts.saturating_add(named.len());
        check_parts(self.parts)?;
        let named = named.iter();
        Ok(named
            .map(|(kind, index, name)| (*name, self.get(scope, *kind, *index)))
            .collect())
    }

    fn get(&self, scope: usize, kind: Kind, index: u32) -> Value {
        let scope = self.scopes.get(scope);
        scope.map_or(Value::Foreign, |scope| scope.get(kind, index))
    }

    fn push(&mut self, scope: usize, kind: Kind, value: Value) {
        if let Some(scope) = self.scopes.get_mut(scope) {
            scope.push(kind, value);
        }
    }

    fn push_instance(&mut self, scope: usize, exports: Exports<'a>) {
        let index = self.instances.len();
        self.instances.push(exports);
        self.push(scope, Kind::Instance, Value::Instance(index));
    }

    fn add_core_instance(&mut self, module: Value) {
        self.core_instances += 1;
        if let Value::Module(definition) = module
            && let Some(module) = self.definitions.get(definition)
        {
            self.memories = self.memories.saturating_add(module.memories);
            self.tables = self.tables.saturating_add(module.tables);
        }
    }

    fn check(&self) -> Result<()> {
        let core_instances = self.core_instances + usize::from(self.has_adapters);
        for (what, found, allowed) in [
            ("core instances", core_instances, MAX_INSTANCES),
            ("memories", self.memories, MAX_MEMORIES),
            ("tables", self.tables, MAX_TABLES),
        ] {
            if found > allowed {
                return Err(Error::Instances {
                    reason: format!("{found} {what} needed, {allowed} allowed"),
                });
            }
        }
        Ok(())
    }
}

fn check_parts(parts: usize) -> Result<()> {
    if parts <= MAX_COMPONENT_PARTS {
        return Ok(());
    }
    Err(Error::Cap {
        limit: None,
        whose: CapOwner::Host,
        what: "parts to be put together".into(),
        asked: format!("more than {MAX_COMPONENT_PARTS}"),
        cap: MAX_COMPONENT_PARTS.to_string(),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<()> {
        check_instances(&wat::parse_str(format!("(component {text})")).unwrap())
    }

    /// A component with `inner` core instances, instantiated `outer` times.
    fn nested(inner: usize, outer: usize, module: &str) -> String {
        format!(
            "(component $c (core module $m {module}) {}) {}",
            "(core instance (instantiate $m))".repeat(inner),
            "(instance (instantiate $c))".repeat(outer)
        )
    }

    #[test]
    fn core_instances_are_counted_over_nested_components() {
        check(&nested(4, 4, "")).unwrap();
        for (text, needed) in [
            (nested(17, 1, ""), "17 core instances needed, 16 allowed"),
            (nested(5, 4, ""), "20 core instances needed, 16 allowed"),
            (nested(3, 3, "(memory 0)"), "9 memories needed, 8 allowed"),
            (
                nested(
                    11,
                    1,
                    "(table 0 funcref) (table 0 funcref) (table 0 funcref)",
                ),
                "33 tables needed, 32 allowed",
            ),
        ] {
            let error = check(&text).unwrap_err();
            assert_eq!(error.code(), "limit.instances");
            assert!(error.to_string().contains(needed), "{error}");
        }
    }

    #[test]
    fn what_is_not_instantiated_does_not_count() {
        check(&format!(
            "{} (core module (memory 0) (memory 0)) {}",
            nested(16, 0, ""),
            "(core module (memory 1))".repeat(20)
        ))
        .unwrap();
    }

    /// Names a component by an import, an outer alias and an export, and a module by an outer alias.
    #[test]
    fn a_component_that_is_passed_on_counts_where_it_is_instantiated() {
        let inner = |times: usize| {
            format!(
                "(component $c (core module $m (memory 0)) {})",
                "(core instance (instantiate $m))".repeat(times)
            )
        };
        let taker = r#"(component $taker (import "c" (component $c)) (instance (instantiate $c)))
            (instance (instantiate $taker (with "c" (component $c))))"#;
        let outer = "(component $o (alias outer 1 $c (component $d)) (instance (instantiate $d)))
            (instance (instantiate $o))";
        let exported = |times| {
            format!(
                r#"(component $e {} (export "c" (component $c)))
                (instance $e (instantiate $e))
                (alias export $e "c" (component $f))
                (instance (instantiate $f))"#,
                inner(times)
            )
        };
        let outer_module = |times: usize| {
            format!(
                "(core module $m (memory 0))
                 (component $o (alias outer 1 $m (core module $n)) {})
                 (instance (instantiate $o))",
                "(core instance (instantiate $n))".repeat(times)
            )
        };
        let taken = |times| format!("{} {taker}", inner(times));
        let outer = |times| format!("{} {outer}", inner(times));
        let ways: [&dyn Fn(usize) -> String; 4] = [&taken, &outer, &exported, &outer_module];
        for make in ways {
            check(&make(8)).unwrap();
            let error = check(&make(9)).unwrap_err();
            assert!(
                error.to_string().contains("9 memories needed, 8 allowed"),
                "{error}"
            );
        }
    }

    #[test]
    fn what_the_compiler_puts_between_components_counts() {
        let calls = |others: usize| {
            format!(
                r#"(component $a
                    (core module $m (func (export "f")))
                    (core instance $i (instantiate $m))
                    (func (export "f") (canon lift (core func $i "f"))))
                (component $b
                    (import "f" (func $f))
                    (core func $g (canon lower (func $f)))
                    (core module $m (import "x" "f" (func)))
                    (core instance (instantiate $m
                        (with "x" (instance (export "f" (func $g)))))))
                (core module $m)
                {}
                (instance $i (instantiate $a))
                (instance (instantiate $b (with "f" (func $i "f"))))"#,
                "(core instance (instantiate $m))".repeat(others)
            )
        };
        check(&calls(13)).unwrap();
        let error = check(&calls(14)).unwrap_err();
        assert!(
            error.to_string().contains("17 core instances needed"),
            "{error}"
        );
    }

    #[test]
    fn counting_ends_where_a_component_is_put_together_of_too_many_parts() {
        let many = "(core module)".repeat(2_000);
        let levels = (0..6).fold(format!("(component $c {many})"), |inner, _| {
            format!(
                "(component $c {inner} {})",
                "(instance (instantiate $c))".repeat(8)
            )
        });
        let error = check(&format!("{levels} (instance (instantiate $c))")).unwrap_err();
        assert_eq!(error.code(), "admission.limit");
    }
}
