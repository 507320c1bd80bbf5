//! Comparison of a trusted bundle with the operator's policy: limits, contract, capabilities, imports and tasks.

use std::time::Duration;

use ampoule_sandbox::contract::{InterfaceName, is_spoken};
use ampoule_sandbox::{
    CONTRACT, CapOwner, Capability, Error, Limit, Limits, Phase, RequestLimits, Result,
    SandboxBudgets, Task,
};
use ampoule_signing::{Caps, InitCaps, Manifest, TrustStore, VerifiedBundle, VerifiedManifest};
use ampoule_units::{ByteSize, Fuel, text};

use crate::admission::component_instances::check_instances;
use crate::admission::grants::Grants;
use crate::admission::guest_features::{Depth, check_features};
use crate::admission::surface::ComponentSurface;
use crate::refusal::OrRefused as _;

/// A bundle that is trusted and that this host's policy lets run. Only [`admit`] makes one.
#[derive(Debug)]
pub(crate) struct AdmittedModel {
    pub(crate) bundle: VerifiedBundle,
    /// Tasks that the component exports. The manifest declares the same set.
    pub(crate) tasks: Vec<Task>,
    pub(crate) budgets: SandboxBudgets,
    /// Set when the host computes layers for the model, if it has a snapshot.
    pub(crate) is_granted_host_kernels: bool,
}

/// A trusted manifest that is within this host's policy. Only [`admit_manifest`] makes one.
#[derive(Debug)]
pub(crate) struct AdmittedManifest {
    verified: VerifiedManifest,
    budgets: SandboxBudgets,
}

/// Compares a trusted manifest with the host's policy, the component's size included. No file is read before. Requests
/// get the budget that the manifest asks for, or `at_most` where that is lower.
pub(crate) fn admit_manifest(
    verified: VerifiedManifest,
    limits: &Limits,
    at_most: RequestLimits,
) -> Result<AdmittedManifest> {
    let manifest = verified.manifest();
    check_contract(manifest)?;
    let asked = *manifest.limits();
    let budgets = SandboxBudgets {
        request: at_most.applied_to(asked.request),
        ..asked
    };
    check_caps(manifest, &budgets, limits)?;
    check_publisher(manifest, verified.caps())?;
    declared_tasks(manifest)?;
    Ok(AdmittedManifest { verified, budgets })
}

impl AdmittedManifest {
    /// Reads the component. `trust` has to be the store that verified the manifest.
    pub(crate) fn read_component(self, trust: &TrustStore) -> Result<AdmissibleBundle> {
        Ok(AdmissibleBundle {
            bundle: self.verified.read_component(trust).or_refused()?,
            budgets: self.budgets,
        })
    }
}

/// A bundle whose manifest was admitted, and whose component was read but not checked. Only
/// [`AdmittedManifest::read_component`] makes one.
#[derive(Debug)]
pub(crate) struct AdmissibleBundle {
    bundle: VerifiedBundle,
    budgets: SandboxBudgets,
}

impl AdmissibleBundle {
    pub(crate) fn bundle(&self) -> &VerifiedBundle {
        &self.bundle
    }
}

/// Compares a bundle's component with its manifest and the host's policy. Nothing of it is compiled before.
pub(crate) fn admit(admissible: AdmissibleBundle, grants: &Grants) -> Result<AdmittedModel> {
    let AdmissibleBundle { bundle, budgets } = admissible;
    let manifest = bundle.manifest();
    let surface = ComponentSurface::read(bundle.component())?;
    check_initial_memory(manifest, &surface)?;
    check_imports(&surface)?;
    let tasks = check_tasks(manifest, &surface)?;
    // Loading would find these too, after minutes of compiling.
    check_features(bundle.component(), Depth::Outline)?;
    check_instances(bundle.component())?;

    Ok(AdmittedModel {
        tasks,
        budgets,
        is_granted_host_kernels: grants.grant(Capability::HostKernels, manifest),
        bundle,
    })
}

fn check_contract(manifest: &Manifest) -> Result<()> {
    if is_spoken(manifest.contract_version().version()) {
        return Ok(());
    }
    Err(Error::Contract {
        found: manifest.contract().to_owned(),
        expected: CONTRACT.into(),
    })
}

fn check_capabilities(manifest: &Manifest, caps: &Caps) -> Result<()> {
    if let Some(granted) = &caps.capabilities
        && let Some(name) = manifest
            .capabilities()
            .iter()
            .find(|name| !granted.contains(*name))
    {
        let names: Vec<&str> = granted.iter().map(String::as_str).collect();
        return Err(Error::PublisherCapability {
            name: name.clone(),
            granted: if names.is_empty() {
                "none".to_owned()
            } else {
                names.join(", ")
            },
        });
    }
    // A capability that is known and not allowed is not refused: the model runs without it.
    let unknown = |name: &&String| Capability::from_name(name).is_none();
    match manifest.capabilities().iter().find(unknown) {
        None => Ok(()),
        Some(name) => Err(Error::Capability { name: name.clone() }),
    }
}

/// Refuses with both numbers. Lowering the limit instead would make the model fail later.
fn check_cap<T: PartialOrd>(
    whose: CapOwner,
    limit: Limit,
    what: &'static str,
    asked: T,
    cap: T,
    show: impl Fn(&T) -> String,
) -> Result<()> {
    if asked <= cap {
        return Ok(());
    }
    Err(Error::Cap {
        limit: Some(limit),
        whose,
        what: what.into(),
        asked: show(&asked),
        cap: show(&cap),
    })
}

/// Compares the manifest with the caps that hold for every model.
fn check_caps(manifest: &Manifest, asked: &SandboxBudgets, limits: &Limits) -> Result<()> {
    let caps = Caps {
        capabilities: None,
        memory: Some(limits.memory),
        fuel: Some(limits.fuel),
        deadline: Some(limits.deadline),
        output: Some(limits.output),
        init: InitCaps {
            memory: Some(limits.init.memory),
            fuel: Some(limits.init.fuel),
            deadline: Some(limits.init.deadline),
        },
    };
    check_sandbox_caps(CapOwner::Host, asked, &caps)?;
    check_cap(
        CapOwner::Host,
        Limit::Component,
        "component bytes",
        manifest.component().size(),
        limits.component,
        ToString::to_string,
    )
}

/// Compares the manifest with the caps that the trust store sets for its signers.
pub(crate) fn check_publisher(manifest: &Manifest, caps: &Caps) -> Result<()> {
    check_capabilities(manifest, caps)?;
    check_sandbox_caps(CapOwner::Publisher, manifest.limits(), caps)
}

fn check_sandbox_caps(whose: CapOwner, asked: &SandboxBudgets, caps: &Caps) -> Result<()> {
    fn check<T: PartialOrd>(
        (whose, limit, what): (CapOwner, Limit, &'static str),
        asked: T,
        cap: Option<T>,
        show: impl Fn(&T) -> String,
    ) -> Result<()> {
        cap.map_or(Ok(()), |cap| {
            check_cap(whose, limit, what, asked, cap, show)
        })
    }
    let size = |size: &ByteSize| size.to_string();
    let fuel = |fuel: &Fuel| fuel.to_string();
    let millis = |time: &Duration| format!("{} ms", time.as_millis());

    let at = |limit, what| (whose, limit, what);
    let request = &asked.request;
    check(
        at(Limit::Memory, "memory"),
        request.memory,
        caps.memory,
        size,
    )?;
    check(at(Limit::Fuel, "fuel"), request.fuel, caps.fuel, fuel)?;
    check(
        at(Limit::Deadline, "time"),
        request.deadline,
        caps.deadline,
        millis,
    )?;
    check(at(Limit::Output, "output"), asked.output, caps.output, size)?;
    let (init, caps) = (&asked.init, &caps.init);
    check(
        at(Limit::InitMemory, "memory for init"),
        init.memory,
        caps.memory,
        size,
    )?;
    check(
        at(Limit::InitFuel, "fuel for init"),
        init.fuel,
        caps.fuel,
        fuel,
    )?;
    check(
        at(Limit::InitDeadline, "time for init"),
        init.deadline,
        caps.deadline,
        millis,
    )
}

/// Checks the memories' initial sizes. A few bytes can declare a memory of a gibibyte, for which the compiler makes an
/// image. All modules count, since the compiler also does so for those that are never instantiated.
fn check_initial_memory(manifest: &Manifest, surface: &ComponentSurface) -> Result<()> {
    let (asked, allowed) = (surface.initial_memory(), manifest.limits().init.memory);
    if asked <= allowed {
        return Ok(());
    }
    Err(Error::Memory {
        phase: Phase::Init,
        asked,
        allowed,
    })
}

fn check_imports(surface: &ComponentSurface) -> Result<()> {
    for name in surface.imports() {
        if !InterfaceName::parse(name).is_some_and(|interface| interface.is_in_base()) {
            return Err(Error::Import {
                name: text::name(name),
            });
        }
    }
    Ok(())
}

/// Returns the declared tasks. Each has to be one of the contract.
fn declared_tasks(manifest: &Manifest) -> Result<Vec<Task>> {
    let task = |declared: &String| {
        Task::from_name(declared).ok_or_else(|| Error::Task {
            reason: format!("the manifest declares the task `{declared}`, which {CONTRACT} lacks"),
        })
    };
    manifest.tasks().iter().map(task).collect()
}

/// Checks that the component exports exactly the declared tasks: people read the manifest, not the component.
fn check_tasks(manifest: &Manifest, surface: &ComponentSurface) -> Result<Vec<Task>> {
    let exported: Vec<&str> = surface
        .exports()
        .iter()
        .filter_map(|name| InterfaceName::parse(name)?.in_contract())
        .collect();
    if !exported.contains(&"lifecycle") {
        return Err(Error::Task {
            reason: format!("the component does not export `lifecycle` of {CONTRACT}"),
        });
    }

    let tasks = declared_tasks(manifest)?;
    for task in &tasks {
        if !exported.contains(&task.name()) {
            return Err(Error::Task {
                reason: format!(
                    "the manifest declares the task `{task}`, the component does not export it"
                ),
            });
        }
    }
    for task in Task::ALL {
        if exported.contains(&task.name()) && !tasks.contains(&task) {
            return Err(Error::Task {
                reason: format!(
                    "the component exports the task `{task}`, the manifest does not declare it"
                ),
            });
        }
    }
    Ok(tasks)
}

#[cfg(test)]
mod tests {
    #[test]
    fn manifests_are_made_for_the_contract_that_hosts_speak() {
        assert_eq!(ampoule_signing::CONTRACT, ampoule_sandbox::CONTRACT);
    }
}
