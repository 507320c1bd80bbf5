//! May this trusted bundle run here? Imports, tasks and limits against the operator's policy.

use ampoule_signing::{Manifest, VerifiedBundle};

use crate::contract::{CONTRACT, InterfaceName, Task};
use crate::error::{Error, Result};
use crate::guest_log::harmless;
use crate::limits::{Budget, Limits};
use crate::surface::ComponentSurface;

/// A bundle that is trusted and that this host's policy lets run. Only [`admit`] makes one.
#[derive(Debug)]
pub(crate) struct AdmittedModel {
    bundle: VerifiedBundle,
    tasks: Vec<Task>,
    request: Budget,
    init: Budget,
    output: usize,
}

impl AdmittedModel {
    pub(crate) fn bundle(&self) -> &VerifiedBundle {
        &self.bundle
    }

    /// The tasks that the component exports and its manifest declares: the same set.
    pub(crate) fn tasks(&self) -> &[Task] {
        &self.tasks
    }

    /// What one request may cost: what the manifest asks for.
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
}

/// Checks a trusted bundle against the host's policy, before anything of it is compiled.
pub(crate) fn admit(bundle: VerifiedBundle, limits: &Limits) -> Result<AdmittedModel> {
    let manifest = bundle.manifest();
    check_contract(manifest)?;
    check_capabilities(manifest)?;
    check_caps(manifest, limits)?;
    let surface = ComponentSurface::read(bundle.component())?;
    check_imports(&surface)?;
    let tasks = check_tasks(manifest, &surface)?;

    let asked = manifest.limits();
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

/// Version 1 knows no capability, so asking for any is asking for what cannot be given.
fn check_capabilities(manifest: &Manifest) -> Result<()> {
    match manifest.capabilities().first() {
        None => Ok(()),
        Some(name) => Err(Error::Capability { name: name.clone() }),
    }
}

/// Refuses with both numbers rather than clip: a clipped model would fail later, and elsewhere.
fn check_caps(manifest: &Manifest, limits: &Limits) -> Result<()> {
    fn check<T: PartialOrd>(
        what: &'static str,
        asked: T,
        cap: T,
        show: impl Fn(&T) -> String,
    ) -> Result<()> {
        if asked <= cap {
            return Ok(());
        }
        Err(Error::Cap {
            what,
            asked: show(&asked),
            cap: show(&cap),
        })
    }
    let asked = manifest.limits();
    let millis = |time: &std::time::Duration| format!("{} ms", time.as_millis());

    check("memory", asked.memory, limits.memory, ToString::to_string)?;
    check("fuel", asked.fuel, limits.fuel, ToString::to_string)?;
    check("time", asked.deadline, limits.deadline, millis)?;
    check("output", asked.output, limits.output, ToString::to_string)?;
    check(
        "memory for init",
        asked.init.memory,
        limits.init.memory,
        ToString::to_string,
    )?;
    check(
        "fuel for init",
        asked.init.fuel,
        limits.init.fuel,
        ToString::to_string,
    )?;
    check(
        "time for init",
        asked.init.deadline,
        limits.init.deadline,
        millis,
    )?;
    check(
        "component bytes",
        manifest.component().size(),
        limits.component,
        ToString::to_string,
    )
}

fn check_imports(surface: &ComponentSurface) -> Result<()> {
    for name in surface.imports() {
        if !InterfaceName::parse(name).is_some_and(|interface| interface.is_in_base()) {
            return Err(Error::Import {
                name: harmless(name),
            });
        }
    }
    Ok(())
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

    let mut tasks = Vec::new();
    for declared in manifest.tasks() {
        let task = Task::from_name(declared).ok_or_else(|| Error::Task {
            reason: format!("the manifest declares the task `{declared}`, which {CONTRACT} lacks"),
        })?;
        if !exported.contains(&task.name()) {
            return Err(Error::Task {
                reason: format!(
                    "the manifest declares the task `{task}`, the component does not export it"
                ),
            });
        }
        tasks.push(task);
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
