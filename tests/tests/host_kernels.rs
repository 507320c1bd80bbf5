//! The host's kernels from load to load: the cache, the compiling process, and what commands
//! show.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::path::Path;

use ampoule::{Capability, CodeCache, CodeOrigin, CompileProcess, Host, LoadOptions, Model};
use ampoule_tests::{
    BundleBuilder, CacheDirectory, Operator, Publisher, WrittenBundle, ampoule, assert_fails,
    block_on, json_of, test_guest,
};
use serde_json::{Value, json};

const SIDE: usize = 64;

/// A model with two layers, of ones and of twos.
fn multiplying(publisher: &Publisher) -> BundleBuilder<'_> {
    let data = [1.0_f32, 2.0].map(|weight| weight.to_le_bytes().repeat(SIDE * SIDE));
    publisher
        .bundle(test_guest("multiplies_on_the_host"))
        .file("plan.txt", b"f32 64 64 0\nint4 64 64 16384\n".to_vec())
        .file("data.bin", data.concat())
        .set("/capabilities", json!(["host-kernels"]))
}

fn host(publisher: &Publisher, cache: &Path, allows: bool) -> Host {
    let command = ampoule();
    let worker = CompileProcess::new(command.get_program(), ["compile-worker"]);
    let mut host = Host::builder()
        .trust(publisher.trust())
        .code_cache(CodeCache::in_directory(cache))
        .compile_with(worker);
    if allows {
        host = host.allow(Capability::HostKernels);
    }
    host.build().unwrap()
}

fn load(host: &Host, bundle: &WrittenBundle) -> Model {
    block_on(host.load(bundle.path())).unwrap()
}

/// Both layers multiply rightly.
fn assert_multiplies(model: &Model) {
    for (layer, expected) in [(0, 32.0), (1, 64.0)] {
        let text = format!("multiply {layer} 5 64 0.5");
        let answer = block_on(model.embed_text(&[&text])).unwrap();
        let expected = [1.0, 320.0, 0.0, 0.0, expected, expected];
        assert_eq!(answer.output.values, expected, "{layer}");
    }
}

#[test]
fn layers_come_out_of_the_cache_with_the_code_and_are_packed_anew() {
    let (acme, cache) = (Publisher::new("acme"), CacheDirectory::new());
    let bundle = multiplying(&acme).write();
    for origin in [CodeOrigin::Compiled, CodeOrigin::Cached] {
        let model = load(&host(&acme, cache.path(), true), &bundle);
        assert_eq!(model.code_origin(), origin);
        assert_multiplies(&model);
    }
}

#[test]
fn a_model_loaded_twice_shares_its_layers() {
    let (acme, cache) = (Publisher::new("acme"), CacheDirectory::new());
    let bundle = multiplying(&acme).write();
    let host = host(&acme, cache.path(), true);
    let (first, second) = (load(&host, &bundle), load(&host, &bundle));
    assert_eq!(second.code_origin(), CodeOrigin::Shared);
    drop(first);
    assert_multiplies(&second);
}

/// A snapshot that `init` left with the capability is not used by a host that does not grant it.
#[test]
fn code_is_not_shared_between_hosts_of_which_one_grants_the_kernels() {
    let (acme, cache) = (Publisher::new("acme"), CacheDirectory::new());
    let bundle = multiplying(&acme).write();
    for (allows, origin) in [
        (true, CodeOrigin::Compiled),
        (false, CodeOrigin::Compiled),
        (true, CodeOrigin::Cached),
        (false, CodeOrigin::Cached),
    ] {
        let model = load(&host(&acme, cache.path(), allows), &bundle);
        assert_eq!(model.code_origin(), origin);
        assert_eq!(model.uses_host_kernels(), allows);
    }
    assert_eq!(cache.entries().len(), 2);
}

/// An operator of many models decides for each.
#[test]
fn one_load_may_have_fewer_capabilities_than_its_host_allows() {
    let (acme, cache) = (Publisher::new("acme"), CacheDirectory::new());
    let bundle = multiplying(&acme).write();
    let host = host(&acme, cache.path(), true);
    for (capabilities, uses) in [
        (None, true),
        (Some(vec![Capability::HostKernels]), true),
        (Some(Vec::new()), false),
    ] {
        let options = LoadOptions {
            capabilities,
            ..LoadOptions::default()
        };
        let model = block_on(host.load_with(bundle.path(), options)).unwrap();
        assert_eq!(model.uses_host_kernels(), uses);
    }
}

/// Commands explain a model that asks for the kernels; options, a variable and a file grant them.
#[test]
fn commands_show_what_is_granted_and_grant_what_they_are_told_to() {
    let operator = Operator::new();
    let bundle = multiplying(operator.publisher()).write();
    let bundle = bundle.path().to_str().unwrap();
    let files = tempfile::tempdir().unwrap();
    let config = |name: &str, text: &str| {
        let path = files.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let allowing = config(
        "allowing.toml",
        "allow = [\"host-kernels\"]\nkernel-threads = 2\n",
    );
    let unknown = config("unknown.toml", "allow = [\"everything\"]\n");

    let inspected = |options: &[&str]| {
        let output = operator
            .ampoule(&["inspect", "--json", bundle])
            .args(options)
            .output();
        json_of(&output.unwrap())
    };
    let none = inspected(&[]);
    assert_eq!(none["capabilities"], json!({ "host-kernels": false }));
    assert_eq!(none["verdict"]["trusted"], true);
    assert_eq!(
        inspected(&["--allow", "host-kernels"])["capabilities"]["host-kernels"],
        true
    );
    assert_eq!(
        inspected(&["--config", &allowing])["capabilities"]["host-kernels"],
        true
    );
    let deterministic = inspected(&["--allow", "host-kernels", "--deterministic"]);
    assert_eq!(deterministic["capabilities"]["host-kernels"], false);
    let text = operator.ampoule(&["inspect", bundle]).output().unwrap();
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(
        text.contains("host-kernels (not granted by this host"),
        "{text}"
    );

    let verified = |options: &[&str], variable: Option<(&str, &str)>| {
        let mut command = operator.ampoule(&["verify", "--json", bundle]);
        let output = command.args(options).envs(variable).output();
        json_of(&output.unwrap())
    };
    let refused = verified(&[], None);
    assert_eq!(
        (&refused["verified"], &refused["host_kernels"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(refused["packed_bytes"], 0);
    for granted in [
        verified(&["--allow", "host-kernels"], None),
        verified(
            &["--kernel-threads", "2"],
            Some(("AMPOULE_ALLOW", "host-kernels")),
        ),
        verified(&["--config", &allowing], None),
    ] {
        assert_eq!(granted["host_kernels"], Value::Bool(true), "{granted}");
        assert!(
            granted["packed_bytes"].as_u64().unwrap() >= (64 * 64 * 4),
            "{granted}"
        );
    }
    for options in [["--allow", "everything"], ["--config", &unknown]] {
        let output = operator
            .ampoule(&["verify", "--json", bundle])
            .args(options)
            .output();
        let output = output.unwrap();
        let code = json_of(&output)["error"]["code"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_fails(&output, &code, 2);
    }
}
