//! Any bytes as a manifest that somebody trusted has signed, around files that are in order: the host admits
//! the bundle within its own caps and the publisher's, or refuses it; and what it admits with limits of any
//! size it loads, or says what stopped it.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use ampoule::{
    Bundle, ByteSize, CONTRACT, Fuel, Host, Inspection, Limits, Manifest, Model, Sha256Digest,
    TrustStore, inspect_bundle,
};
use ampoule_signing::{Caps, Delegation, InitCaps, ModelPattern, Validity};
use ampoule_tests::{block_on, wat_guest};

use super::{acme, assert_fails_as};

/// A file of the bundle besides its component.
const FILE: (&str, &[u8]) = ("config.json", b"{}");

/// The model of which the publisher may ask for little.
const CAPPED: &str = "capped";

/// Placeholders in the input for the lengths and digests of the component and of the file: no fuzzer finds a digest.
const PLACES: [&str; 4] = ["@size", "@digest", "@file-size", "@file-digest"];

/// The first byte says which component it is, the others are the manifest.
pub(super) fn check(bytes: &[u8]) {
    let [which, manifest @ ..] = bytes else {
        return;
    };
    let components = components();
    let component = &components[usize::from(*which) % components.len()];
    let manifest = filled(manifest, component);
    let envelope = acme().sign(manifest.clone());
    let bundle = || {
        let files = [
            ("component.wasm", component.clone()),
            (FILE.0, FILE.1.to_vec()),
        ];
        Bundle::from_memory(&envelope, files).unwrap()
    };

    let limits = Limits::default();
    match inspect_bundle(bundle(), trust(), &limits) {
        Ok(found) => {
            assert_eq!(Manifest::parse(&manifest).unwrap(), found.manifest);
            match &found.verdict {
                Ok(()) => assert_within_caps(&found, &limits),
                Err(error) => assert_fails_as(
                    error,
                    &[
                        "file.",
                        "trust.",
                        "admission.",
                        "compile.failed",
                        "limit.memory",
                    ],
                ),
            }
        }
        Err(error) => assert_fails_as(&error, &["manifest."]),
    }
    match block_on(patient_host().load_bundle(bundle())) {
        Ok(model) => keep(model),
        Err(error) => assert_fails_as(
            &error,
            &[
                "manifest.",
                "file.",
                "trust.",
                "admission.",
                "compile.failed",
                "limit.",
                "guest.",
            ],
        ),
    }
}

/// Holds on to the last models: who loads one like them gets their code, where it would have to be compiled.
fn keep(model: Model) {
    const MODELS: usize = 16;
    static LAST: Mutex<VecDeque<Model>> = Mutex::new(VecDeque::new());
    let mut last = LAST.lock().unwrap();
    last.push_back(model);
    if last.len() > MODELS {
        last.pop_front();
    }
}

fn assert_within_caps(found: &Inspection, limits: &Limits) {
    let manifest = &found.manifest;
    assert_eq!(manifest.publisher(), "acme");
    assert_eq!(manifest.contract(), CONTRACT);
    assert!(manifest.capabilities().is_empty());
    assert_eq!(manifest.component().path(), "component.wasm");
    let tasks: BTreeSet<&str> = manifest.tasks().iter().map(String::as_str).collect();
    let exports = found.surface.as_ref().unwrap().exports().iter();
    let exported: BTreeSet<&str> = exports
        .filter_map(|name| name.strip_prefix("ampoule:model/")?.strip_suffix("@0.1.0"))
        .filter(|name| *name != "lifecycle")
        .collect();
    assert_eq!(tasks, exported);

    let caps = if manifest.name() == CAPPED {
        caps()
    } else {
        Caps::default()
    };
    let whole = manifest.limits();
    let asked = whole.request;
    assert!(asked.memory <= limits.memory.min(caps.memory.unwrap_or(limits.memory)));
    assert!(asked.fuel <= limits.fuel.min(caps.fuel.unwrap_or(limits.fuel)));
    assert!(
        asked.deadline
            <= limits
                .deadline
                .min(caps.deadline.unwrap_or(limits.deadline))
    );
    assert!(whole.output <= limits.output.min(caps.output.unwrap_or(limits.output)));
    let (asked, limits, caps) = (whole.init, &limits.init, caps.init);
    assert!(asked.memory <= limits.memory.min(caps.memory.unwrap_or(limits.memory)));
    assert!(asked.fuel <= limits.fuel.min(caps.fuel.unwrap_or(limits.fuel)));
    assert!(
        asked.deadline
            <= limits
                .deadline
                .min(caps.deadline.unwrap_or(limits.deadline))
    );
}

/// Small components: with every task, with one, with one of much memory, and what is none.
fn components() -> &'static [Vec<u8>] {
    static COMPONENTS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    COMPONENTS.get_or_init(|| {
        let guests = ["answers_wildly", "abuses_generations", "imports_http"];
        let mut components: Vec<Vec<u8>> = guests.into_iter().map(wat_guest).collect();
        components.push(b"\0asm".to_vec());
        components
    })
}

/// The manifest with lengths and digests in their places.
fn filled(manifest: &[u8], component: &[u8]) -> Vec<u8> {
    let values = [component, FILE.1]
        .map(|bytes| [bytes.len().to_string(), Sha256Digest::of(bytes).to_string()]);
    let mut filled = Vec::with_capacity(manifest.len());
    let mut rest = manifest;
    while let Some((first, others)) = rest.split_first() {
        let place = PLACES
            .iter()
            .position(|place| rest.starts_with(place.as_bytes()));
        if let Some(place) = place {
            filled.extend_from_slice(values[place / 2][place % 2].as_bytes());
            rest = &rest[PLACES[place].len()..];
        } else {
            filled.push(*first);
            rest = others;
        }
    }
    filled
}

fn trust() -> &'static TrustStore {
    static TRUST: OnceLock<TrustStore> = OnceLock::new();
    TRUST.get_or_init(|| {
        let mut trust = acme().trust();
        let capped = ModelPattern::new("acme", Some(CAPPED)).unwrap();
        let delegation = Delegation::new([capped])
            .with_key(acme().public_key().clone(), Validity::default())
            .with_caps(caps());
        trust.insert_delegation(delegation).unwrap();
        trust
    })
}

fn caps() -> Caps {
    Caps {
        capabilities: Some(BTreeSet::from(["gpu".to_owned()])),
        memory: Some(ByteSize::from_mib(64)),
        fuel: Some(Fuel::new(1_000_000)),
        deadline: Some(Duration::from_millis(2_000)),
        output: Some(ByteSize::from_mib(1)),
        init: InitCaps {
            memory: Some(ByteSize::from_mib(128)),
            fuel: Some(Fuel::new(2_000_000)),
            deadline: Some(Duration::from_millis(4_000)),
        },
    }
}

/// A host that gives models all the time that they ask for.
fn patient_host() -> &'static Host {
    static HOST: OnceLock<Host> = OnceLock::new();
    HOST.get_or_init(|| {
        let mut limits = Limits {
            fuel: Fuel::new(u64::MAX),
            deadline: Duration::from_hours(30 * 24),
            output: ByteSize::from_mib(4 * 1024),
            ..Limits::default()
        };
        limits.init.fuel = limits.fuel;
        limits.init.deadline = limits.deadline;
        Host::builder()
            .trust(trust().clone())
            .limits(limits)
            .threads(1)
            .build()
            .unwrap()
    })
}
