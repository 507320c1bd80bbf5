//! Any bytes as the component of a bundle that is signed by somebody trusted: the host says within seconds
//! what it imports and exports and whether it may run. One that may gets in nothing but the contract and
//! the inert base, and does what its manifest says.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use ampoule::{ComponentSurface, Inspection, Limits, Task, TrustStore, inspect_bundle};

use super::{acme, assert_fails_as, assert_harmless};

/// Longest time that a component of a few KiB may keep the host busy, with room for a busy machine and for the
/// fuzzer's instrumentation.
const LONGEST: Duration = Duration::from_secs(10);

/// Beginnings of the interfaces that an admitted component may import.
const BASE: [&str; 8] = [
    "ampoule:model/assets@0.1.",
    "ampoule:model/log@0.1.",
    "ampoule:model/types@0.1.",
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:filesystem/",
    "wasi:io/",
    "wasi:random/",
];

pub(super) fn check(bytes: &[u8]) {
    if bytes.is_empty() {
        // No manifest can say so.
        return;
    }
    let began = Instant::now();
    let surface = ComponentSurface::read(bytes);
    let tasks = match &surface {
        Ok(surface) => exported_tasks(surface),
        Err(_) => Vec::new(),
    };
    let bundle = acme().bundle(bytes.to_vec());
    let bundle = match &*tasks {
        [] => bundle,
        tasks => bundle.tasks(tasks),
    };
    let found = inspect_bundle(bundle.in_memory(), trust(), &Limits::default()).unwrap();
    if let Some(obstacle) = &found.snapshot_obstacle {
        assert_harmless(obstacle, 10_000);
    }
    match (&surface, &found.surface) {
        (Ok(surface), Ok(of_bundle)) => assert_eq!(surface, of_bundle),
        (Err(error), Err(of_bundle)) => assert_eq!(error.to_string(), of_bundle.to_string()),
        surfaces => panic!("{surfaces:?}"),
    }
    match &found.verdict {
        Ok(()) => assert_within_the_contract(&found, &tasks),
        Err(error) => {
            let codes = [
                "admission.",
                "compile.failed",
                "limit.memory",
                "limit.instances",
            ];
            assert_fails_as(error, &codes);
        }
    }
    let took = began.elapsed();
    assert!(took < LONGEST, "{took:?}");
}

fn exported_tasks(surface: &ComponentSurface) -> Vec<&'static str> {
    let names = Task::ALL.map(Task::name).into_iter();
    names
        .filter(|task| {
            let start = format!("ampoule:model/{task}@0.1.");
            surface
                .exports()
                .iter()
                .any(|name| name.starts_with(&start))
        })
        .collect()
}

fn assert_within_the_contract(found: &Inspection, tasks: &[&str]) {
    let surface = found.surface.as_ref().unwrap();
    for import in surface.imports() {
        let is_due = BASE.iter().any(|start| import.starts_with(start));
        let is_old = import.starts_with("wasi:") && !import.contains("@0.2.");
        assert!(is_due && !is_old, "{import}");
    }
    let mut exports = surface.exports().iter();
    assert!(exports.any(|name| name.starts_with("ampoule:model/lifecycle@0.1.")));
    assert_eq!(found.manifest.tasks(), tasks);
    assert!(!tasks.is_empty());
}

fn trust() -> &'static TrustStore {
    static TRUST: OnceLock<TrustStore> = OnceLock::new();
    TRUST.get_or_init(|| acme().trust())
}
