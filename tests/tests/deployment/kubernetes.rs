//! The sample manifests for Kubernetes. No cluster is needed: its schemas are those of the pinned validator, and the program
//! runs by the settings in the manifests.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use ampoule_tests::{ampoule, set_mode, workspace_file};
use serde_json::Value;

use super::server::{LOAD_TIME, Server, seconds};

const MANIFESTS: &str = "samples/deployment/kubernetes.yaml";
const CONFIGURATION: &str = "serve.toml";

fn python() -> Command {
    Command::new(workspace_file("target/clients/python/bin/python"))
}

#[track_caller]
fn said(output: std::io::Result<Output>) -> String {
    let output = output.unwrap_or_else(|error| panic!("see `cargo xtask setup`: {error}"));
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Reads the manifests, by kind.
fn manifest(kind: &str) -> Value {
    let script =
        "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))";
    let output = python()
        .args(["-c", script])
        .arg(workspace_file(MANIFESTS))
        .output();
    let all: Vec<Value> = serde_json::from_str(&said(output)).unwrap();
    all.into_iter()
        .find(|manifest| manifest["kind"] == kind)
        .unwrap()
}

#[test]
fn kubernetes_knows_each_field_of_the_manifests() {
    let output = python()
        .args(["-m", "kubernetes_validate", "--strict"])
        .arg(workspace_file(MANIFESTS))
        .output();
    let said = said(output);
    assert_eq!(said.matches(" passed ").count(), 5, "{said}");
}

#[test]
fn the_manifests_give_the_server_the_bounds_of_the_other_samples() {
    let pod = &manifest("Deployment")["spec"]["template"]["spec"];
    assert!(
        pod["terminationGracePeriodSeconds"].as_u64().unwrap()
            > seconds(CONFIGURATION, "drain-timeout") + 1
    );
    let memory = &pod["containers"][0]["resources"]["limits"]["memory"];
    assert_eq!(memory, "4Gi", "MemoryMax= of the unit");
    let sample = fs::read_to_string(workspace_file("samples/deployment/serve.toml")).unwrap();
    let limits = |text: &str| {
        let (_, limits) = text.split_once("[limits]\n").unwrap();
        let (limits, _) = limits.split_once("[[model]]").unwrap();
        let lines = limits
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty());
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let map = manifest("ConfigMap");
    assert_eq!(
        limits(map["data"]["serve.toml"].as_str().unwrap()),
        limits(&sample)
    );
}

/// Returns the status of an answer to a probe of the manifests, as the kubelet asks it.
fn probe(probe: &Value, address: &str) -> u16 {
    let probe = &probe["httpGet"];
    let header = &probe["httpHeaders"][0];
    let request = format!(
        "GET {} HTTP/1.1\r\n{}: {}\r\nConnection: close\r\n\r\n",
        probe["path"].as_str().unwrap(),
        header["name"].as_str().unwrap(),
        header["value"].as_str().unwrap(),
    );
    let mut connection = TcpStream::connect(address).unwrap();
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

/// Runs the init container that makes the key directory's first key.
fn first_key(container: &Value, keys: &str) {
    let [shell, option] = [0, 1].map(|place| container["command"][place].as_str().unwrap());
    let script = container["args"][0].as_str().unwrap();
    let script = script.replace("/var/lib/ampoule-serve/keys", keys);
    let ampoule = ampoule();
    let folder = std::path::Path::new(ampoule.get_program())
        .parent()
        .unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    for _ in 0..2 {
        let mut command = Command::new(shell);
        command.arg(option).arg(&script).env("PATH", &path);
        assert_eq!(said(command.output()), "", "no key is printed");
    }
}

#[test]
fn the_server_starts_by_the_manifests_and_passes_their_probes_and_takes_its_first_key_later() {
    let directory = tempfile::tempdir().unwrap();
    let map = manifest("ConfigMap");
    let text = map["data"]["serve.toml"].as_str().unwrap();
    let here = |name: &str| {
        let path = directory.path().join(name);
        fs::create_dir(&path).unwrap();
        set_mode(&path, 0o700);
        path.to_str().unwrap().to_owned()
    };
    let keys = here("keys");
    let mut text = text.to_owned();
    for (old, new) in [
        ("/etc/ampoule/trust", &here("trust")),
        ("/var/lib/ampoule-serve/state", &here("state")),
        ("/var/lib/ampoule-serve/keys", &keys),
        ("/var/cache/ampoule-serve", &here("cache")),
        // A test listens on this machine's own address only.
        ("0.0.0.0:8080", &"127.0.0.1:0".to_owned()),
    ] {
        assert!(text.contains(old), "{old}");
        text = text.replace(old, new);
    }
    let pod = &manifest("Deployment")["spec"]["template"]["spec"];
    first_key(&pod["initContainers"][2], &keys);
    let configuration = directory.path().join(CONFIGURATION);
    fs::write(&configuration, text).unwrap();
    let server = Server::start(ampoule().arg("serve").arg("--config").arg(&configuration));
    let container = &pod["containers"][0];
    assert_eq!(probe(&container["livenessProbe"], &server.address), 200);
    assert_eq!(probe(&container["startupProbe"], &server.address), 200);
    let begun = Instant::now();
    while probe(&container["readinessProbe"], &server.address) != 200 {
        assert!(begun.elapsed() < LOAD_TIME, "the model does not come up");
        std::thread::sleep(Duration::from_millis(100));
    }
    let mut add = ampoule();
    add.args([
        "keys", "add", "--keys", &keys, "--role", "infer", "--tenant", "acme",
    ]);
    let key = said(add.output());
    let key = key.lines().find_map(|line| {
        line.split_whitespace()
            .find(|word| word.starts_with("amp_"))
    });
    let authorization = format!("Bearer {}", key.unwrap());
    let begun = Instant::now();
    let url = format!("http://{}/v1/models", server.address);
    loop {
        let request = ureq::get(&url).header("authorization", &authorization);
        let request = request.header("x-forwarded-proto", "https");
        match request.header("x-forwarded-for", "192.0.2.1").call() {
            Ok(_) => break,
            Err(error) => assert!(begun.elapsed() < LOAD_TIME, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
