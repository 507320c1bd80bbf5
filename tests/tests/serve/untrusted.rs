//! A model whose trust is withdrawn while it is served: it is up nowhere, and its operator is told why.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use ampoule_signing::TrustStore;
use ampoule_tests::{Operator, Publisher, Served, WrittenBundle, ampoule};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Longest time for anything: models, places and trust are looked at each second.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server of one model that logs to a file, without any option.
struct Logged {
    served: Served,
    operator: Operator,
    bundle: WrittenBundle,
    folder: TempDir,
}

impl Logged {
    /// Starts a server, and waits until its model is up.
    fn start() -> Self {
        let operator = Operator::new();
        let bundle = operator.good().write();
        Self::start_with(operator, bundle, Served::start)
    }

    /// Starts a server of a model that its operator does not trust.
    fn of_a_stranger() -> Self {
        let bundle = Publisher::new("stranger").every_task().write();
        Self::start_with(Operator::new(), bundle, Served::listening)
    }

    fn start_with(
        operator: Operator,
        bundle: WrittenBundle,
        serve: fn(&mut Command, &[&str]) -> Served,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ampoule.toml");
        let (trust, path) = (operator.trust(), bundle.path());
        let text = format!("trust = {trust:?}\n[[model]]\npath = {path:?}\nname = \"toy\"\n");
        fs::write(&file, text).unwrap();
        let mut command = ampoule();
        command.arg("--config").arg(file);
        command.stderr(File::create(folder.path().join("log")).unwrap());
        let served = serve(&mut command, &["--log-format", "json"]);
        Self {
            served,
            operator,
            bundle,
            folder,
        }
    }

    fn trust(&self, is_trusted: bool) {
        TrustStore::update(self.operator.trust(), |store| {
            *store = TrustStore::new();
            if is_trusted {
                let publisher = self.operator.publisher();
                store.insert(publisher.public_key().clone(), [publisher.name()])?;
            }
            Ok(())
        })
        .unwrap();
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Returns the lines with this text that name the model as the configuration does.
    fn lines(&self, message: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.log()).unwrap();
        let whole = text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'));
        let lines = whole.map(|line| serde_json::from_str::<Value>(line).unwrap());
        let is_asked_for = |line: &Value| {
            line["model"] == "toy" && line["message"].as_str().unwrap().contains(message)
        };
        lines.filter(is_asked_for).collect()
    }

    #[track_caller]
    fn wait_for_line(&self, message: &str) -> Value {
        let begun = Instant::now();
        loop {
            if let Some(line) = self.lines(message).pop() {
                return line;
            }
            let said = fs::read_to_string(self.log()).unwrap();
            assert!(begun.elapsed() < PATIENCE, "{message}: {said}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn embed(&self) -> (u16, Value) {
        let body = json!({"model": "toy", "input": "a"});
        let answer = self.served.post("/v1/embeddings", &body);
        (answer.status, answer.json())
    }

    /// Checks each route that tells of the model's state.
    #[track_caller]
    fn assert_state(&self, state: &str, is_up: bool) {
        let served = &self.served;
        let metrics = served.get("/metrics").text();
        for known in ["loading", "failed", "ready", "untrusted"] {
            let line = format!(
                "ampoule_models{{state=\"{known}\"}} {}",
                u8::from(known == state)
            );
            assert!(metrics.contains(&line), "{line}: {metrics}");
        }
        let listed = served.get("/ampoule/v1/models").json();
        assert_eq!(listed["models"][0]["readiness"], state, "{listed}");
        let one = served.get("/ampoule/v1/models/toy").json();
        assert_eq!(one["readiness"], state, "{one}");
        assert_eq!(
            served.get("/readyz").json()["models"]["toy"]["state"],
            state
        );
        let index = |body: Value| served.post("/v2/repository/index", &body).json();
        let in_index = if is_up { "READY" } else { "UNAVAILABLE" };
        let all = index(json!({}));
        assert_eq!(all[0]["state"], in_index, "{all}");
        let up = [
            index(json!({"ready": true})),
            served.get("/api/ps").json()["models"].clone(),
            served.get("/api/tags").json()["models"].clone(),
        ];
        for list in up {
            assert_eq!(list.as_array().unwrap().len(), usize::from(is_up), "{list}");
        }
    }
}

#[test]
fn a_model_whose_trust_was_withdrawn_counts_as_up_nowhere_and_its_operator_is_told_once() {
    let server = Logged::start();
    server.assert_state("ready", true);
    server.trust(false);

    // Nobody asks the server anything meanwhile.
    let told = server.wait_for_line("not trusted any more");
    assert_eq!(told["target"], "ampoule::server", "{told}");
    assert_eq!(told["code"], "trust.unknown-key", "{told}");
    server.assert_state("untrusted", false);

    let (status, refused) = server.embed();
    assert_eq!(status, 503, "{refused}");
    assert_eq!(refused["error"]["code"], "model.unavailable", "{refused}");
    assert!(!refused.to_string().contains("trust"), "{refused}");
    let metrics = server.served.get("/metrics").text();
    let errors = metrics.lines().find(|line| {
        line.starts_with("ampoule_http_errors_total{") && line.contains("\"trust.unknown-key\"")
    });
    assert!(errors.unwrap().ends_with(" 1"), "{metrics}");

    server.trust(true);
    server.wait_for_line("trusted again");
    server.assert_state("ready", true);
    assert_eq!(server.embed().0, 200);
    assert_eq!(server.lines("not trusted any more").len(), 1);
}

#[test]
fn a_load_that_fails_is_logged_by_the_name_of_the_configuration_and_not_twice() {
    let server = Logged::of_a_stranger();
    let told = server.wait_for_line("is not served");
    assert_eq!(told["target"], "ampoule::server", "{told}");
    assert_eq!(told["code"], "trust.unknown-key", "{told}");
    let text = fs::read_to_string(server.log()).unwrap();
    assert!(!text.contains("\"message\":\"refused\""), "{text}");
}

#[test]
fn a_release_that_is_refused_is_logged_once_by_the_name_of_the_configuration() {
    let server = Logged::start();
    fs::remove_file(server.bundle.path().join("ampoule.dsse.json")).unwrap();
    let told = server.wait_for_line("the release before it serves on");
    assert_eq!(told["target"], "ampoule::server", "{told}");
    let code = told["code"].as_str().unwrap();
    let text = fs::read_to_string(server.log()).unwrap();
    let times = text.matches(&format!("\"code\":\"{code}\"")).count();
    assert_eq!(times, 1, "{text}");
}
