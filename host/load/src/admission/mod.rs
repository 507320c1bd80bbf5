//! May this trusted bundle run here? Imports, tasks and limits against the operator's policy.

use std::time::Duration;

use ampoule_signing::{
    ByteSize, Caps, Fuel, InitCaps, Manifest, ManifestLimits, TrustStore, VerifiedBundle,
    VerifiedManifest, text,
};

use crate::component_instances::check_instances;
use crate::contract::{CONTRACT, InterfaceName, Task};
use crate::error::{Error, Phase, Result};
use crate::guest_features::{Depth, check_features};
use crate::host_kernels::{Capability, Grants};
use crate::limit_table::Limit;
use crate::limits::{Budget, Limits};
use crate::load_options::RequestLimits;
use crate::surface::ComponentSurface;

/// Whose cap it is, in an [`Error::Cap`]: the host's, for whatever model.
pub(crate) const THIS_HOSTS: &str = "this host's";
/// And that of the trust in whoever signed the model.
pub(crate) const ITS_PUBLISHERS: &str = "its publisher's";

/// A bundle that is trusted and that this host's policy lets run. Only [`admit`] makes one.
#[derive(Debug)]
pub(crate) struct AdmittedModel {
    bundle: VerifiedBundle,
    tasks: Vec<Task>,
    request: Budget,
    init: Budget,
    output: usize,
    host_kernels: bool,
}

impl AdmittedModel {
    pub(crate) fn bundle(&self) -> &VerifiedBundle {
        &self.bundle
    }

    /// Reads the files that `init` needs, unless they were read already.
    pub(crate) fn read_files(&mut self) -> Result<()> {
        Ok(self.bundle.read_files()?)
    }

    /// Lets go of the files: `init` will not run again.
    pub(crate) fn forget_files(&mut self) {
        self.bundle.forget_files();
    }

    /// The tasks that the component exports and its manifest declares: the same set.
    pub(crate) fn tasks(&self) -> &[Task] {
        &self.tasks
    }

    /// Returns the budget of one request: what the manifest asks for, or less where the load asked for less.
    pub(crate) fn request_budget(&self) -> Budget {
        self.request
    }

    /// What `init` may cost: what the manifest asks for.
    pub(crate) fn init_budget(&self) -> Budget {
        self.init
    }

    /// Bytes that the guest may hand to the host in one call.
    pub(crate) fn output_bytes(&self) -> usize {
        self.output
    }

    /// Whether the host computes linear layers for it, if it has a snapshot.
    pub(crate) fn is_granted_host_kernels(&self) -> bool {
        self.host_kernels
    }
}

/// A trusted manifest that asks for nothing that this host does not give. Only [`admit_manifest`] makes one.
#[derive(Debug)]
pub(crate) struct AdmittedManifest {
    verified: VerifiedManifest,
    /// Limits of a sandbox: what the manifest asks for, or less where the load asked for less.
    asked: ManifestLimits,
}

/// Checks all that a trusted manifest says against the host's policy, before any of the files is read: the size
/// of the component is among it. Requests are to get what the manifest asks for, or `at_most` where that is
/// less.
pub(crate) fn admit_manifest(
    verified: VerifiedManifest,
    limits: &Limits,
    at_most: RequestLimits,
) -> Result<AdmittedManifest> {
    let manifest = verified.manifest();
    check_contract(manifest)?;
    let asked = at_most.applied_to(*manifest.limits());
    check_caps(manifest, &asked, limits)?;
    check_publisher(manifest, verified.caps())?;
    declared_tasks(manifest)?;
    Ok(AdmittedManifest { verified, asked })
}

impl AdmittedManifest {
    /// Reads the component. `trust` is what the manifest was verified by.
    pub(crate) fn read_component(self, trust: &TrustStore) -> Result<AdmissibleBundle> {
        Ok(AdmissibleBundle {
            bundle: self.verified.read_component(trust)?,
            asked: self.asked,
        })
    }
}

/// A bundle whose manifest was admitted, and whose component was not looked into. Only
/// [`AdmittedManifest::read_component`] makes one.
#[derive(Debug)]
pub(crate) struct AdmissibleBundle {
    bundle: VerifiedBundle,
    asked: ManifestLimits,
}

impl AdmissibleBundle {
    pub(crate) fn bundle(&self) -> &VerifiedBundle {
        &self.bundle
    }
}

/// Checks a bundle's component against its manifest and the host's policy, before anything of it is compiled.
pub(crate) fn admit(admissible: AdmissibleBundle, grants: &Grants) -> Result<AdmittedModel> {
    let AdmissibleBundle { bundle, asked } = admissible;
    let manifest = bundle.manifest();
    let surface = ComponentSurface::read(bundle.component())?;
    check_initial_memory(manifest, &surface)?;
    check_imports(&surface)?;
    let tasks = check_tasks(manifest, &surface)?;
    // What loading would find out after minutes of compiling.
    check_features(bundle.component(), Depth::Outline)?;
    check_instances(bundle.component())?;

    Ok(AdmittedModel {
        tasks,
        request: Budget {
            memory: asked.memory,
            fuel: asked.fuel,
            deadline: asked.deadline,
        },
        init: Budget {
            memory: asked.init.memory,
            fuel: asked.init.fuel,
            deadline: asked.init.deadline,
        },
        output: usize::try_from(asked.output.bytes()).unwrap_or(usize::MAX),
        host_kernels: grants.grant(Capability::HostKernels, manifest),
        bundle,
    })
}

fn check_contract(manifest: &Manifest) -> Result<()> {
    if manifest.contract() == CONTRACT {
        return Ok(());
    }
    Err(Error::Contract {
        found: manifest.contract().to_owned(),
        expected: CONTRACT,
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
    // One that is known and not allowed is no reason to refuse: the model does without.
    let unknown = |name: &&String| Capability::from_name(name).is_none();
    match manifest.capabilities().iter().find(unknown) {
        None => Ok(()),
        Some(name) => Err(Error::Capability { name: name.clone() }),
    }
}

/// Refuses with both numbers rather than clip: a clipped model would fail later, and elsewhere.
fn check_cap<T: PartialOrd>(
    whose: &'static str,
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
        what,
        asked: show(&asked),
        cap: show(&cap),
    })
}

/// What the host gives any model at most.
fn check_caps(manifest: &Manifest, asked: &ManifestLimits, limits: &Limits) -> Result<()> {
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
    check_sandbox_caps(THIS_HOSTS, asked, &caps)?;
    check_cap(
        THIS_HOSTS,
        Limit::Component,
        "component bytes",
        manifest.component().size(),
        limits.component,
        ToString::to_string,
    )
}

/// What the trust in whoever signed the model lets it have, where that is less.
pub(crate) fn check_publisher(manifest: &Manifest, caps: &Caps) -> Result<()> {
    check_capabilities(manifest, caps)?;
    check_sandbox_caps(ITS_PUBLISHERS, manifest.limits(), caps)
}

fn check_sandbox_caps(whose: &'static str, asked: &ManifestLimits, caps: &Caps) -> Result<()> {
    fn check<T: PartialOrd>(
        (whose, limit, what): (&'static str, Limit, &'static str),
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
    let request = asked;
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
    check(
        at(Limit::Output, "output"),
        request.output,
        caps.output,
        size,
    )?;
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

/// A memory of a gibibyte is said in a few bytes, and the compiler makes an image of what data begins it
/// with. So this is checked before, and for modules too that no sandbox would have an instance of.
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

/// The tasks that a manifest declares, each of which has to be one of the contract.
fn declared_tasks(manifest: &Manifest) -> Result<Vec<Task>> {
    let task = |declared: &String| {
        Task::from_name(declared).ok_or_else(|| Error::Task {
            reason: format!("the manifest declares the task `{declared}`, which {CONTRACT} lacks"),
        })
    };
    manifest.tasks().iter().map(task).collect()
}

/// The tasks exported must be the tasks declared, both ways: the manifest is what people read.
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
