//! `/readyz` and `/healthz`: reports for those who send requests here or elsewhere.

use std::time::{Duration, Instant};

use ampoule::Host;
use ampoule_server::{Models, ServiceSettings};
use ampoule_signing::TrustStore;
use ampoule_tests::{Operator, Publisher, RawAnswer, Served, ServedHere, ampoule, block_on};
use serde_json::{Value, json};

/// Longest time for a change to be seen: places are looked at each second.
const CHANGE_TIME: Duration = Duration::from_secs(60);

/// Waits until the report says what is expected, and returns it with its status.
#[track_caller]
fn wait_for(served: &Served, is_expected: impl Fn(&Value) -> bool) -> (u16, Value) {
    let begun = Instant::now();
    loop {
        let answer = served.get("/readyz");
        let report = answer.json();
        if is_expected(&report) {
            return (answer.status, report);
        }
        assert!(begun.elapsed() < CHANGE_TIME, "{report}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Returns the report's only model.
fn model(report: &Value) -> &Value {
    let models = report["models"].as_object().unwrap();
    assert_eq!(models.len(), 1);
    models.values().next().unwrap()
}

#[test]
fn a_server_whose_model_cannot_be_loaded_is_healthy_and_not_ready_and_says_why() {
    let operator = Operator::new();
    let bundle = operator.good().write();
    let stranger = Operator::new();
    let mut command = ampoule();
    command.arg("--trust").arg(stranger.trust());
    let path = bundle.path().to_str().unwrap();
    let served = Served::listening(&mut command, &["--model", path]);
    let (status, report) = wait_for(&served, |report| model(report)["state"] == "failed");
    assert_eq!(status, 503);
    assert_eq!(report["is_ready"], false);
    assert_eq!(report["is_draining"], false);
    let code = model(&report)["error"].as_str().unwrap();
    assert!(code.starts_with("trust."), "{report}");
    assert!(
        !report.to_string().contains(path),
        "nothing of this machine"
    );
    assert_eq!(served.get("/healthz").status, 200);
    let listed = served.get("/v1/models").json();
    assert_eq!(
        listed["data"][0]["owned_by"], "unknown",
        "nobody has verified whose model it is"
    );
    let metrics = served.get("/metrics").text();
    assert!(
        metrics.contains("ampoule_models{state=\"failed\"} 1"),
        "{metrics}"
    );
    assert!(metrics.contains("outcome=\"failed\"} "), "{metrics}");
}

#[test]
fn a_server_whose_model_is_not_trusted_any_more_is_not_ready() {
    let operator = Operator::new();
    let bundle = operator.good().write();
    let served = Served::models(operator.trust(), &[bundle.path()]);
    let report = served.get("/readyz").json();
    assert_eq!(report["is_ready"], true);
    assert_eq!(model(&report)["state"], "ready");
    assert!(model(&report)["release"].is_u64(), "{report}");
    TrustStore::update(operator.trust(), |store| {
        *store = TrustStore::new();
        Ok(())
    })
    .unwrap();
    let (status, report) = wait_for(&served, |report| report["is_ready"] == false);
    assert_eq!(status, 503);
    assert_eq!(model(&report)["state"], "untrusted");
    let code = model(&report)["error"].as_str().unwrap();
    assert!(code.starts_with("trust."), "{report}");
    let name = report["models"]
        .as_object()
        .unwrap()
        .keys()
        .next()
        .unwrap()
        .clone();
    let model = format!("/v2/models/{name}/ready");
    for (path, status) in [("/v2/health/ready", 400), (&*model, 400), ("/health", 503)] {
        assert_eq!(served.get(path).status, status, "{path}");
    }
    assert_eq!(served.get("/v2/health/live").status, 200);
}

#[test]
fn a_release_that_is_refused_is_reported_while_the_one_before_it_serves_on() {
    let operator = Operator::new();
    let bundle = operator.good().write();
    let served = Served::models(operator.trust(), &[bundle.path()]);
    std::fs::write(bundle.path().join("ampoule.dsse.json"), b"{}").unwrap();
    let (status, report) = wait_for(&served, |report| {
        model(report)["candidate_error"].is_string()
    });
    assert_eq!(status, 200, "{report}");
    assert_eq!(model(&report)["state"], "ready");
    let metrics = served.get("/metrics").text();
    let refused = metrics
        .lines()
        .find(|line| line.starts_with("ampoule_model_candidate_refused{"));
    assert!(refused.unwrap().ends_with(" 1"), "{metrics}");
}

/// A server in this process, and the answers to those who watch it.
struct Watched(ServedHere);

impl Watched {
    fn get(&self, path: &str) -> RawAnswer {
        self.0.connect().get(path).unwrap()
    }

    /// Checks each route that tells of readiness, and that the server lives whatever its models do.
    #[track_caller]
    fn assert_is(&self, is_ready: bool, models: &Value) {
        let report = self.get("/readyz");
        let expected = json!({"is_ready": is_ready, "is_draining": false, "models": models});
        assert_eq!(report.json(), expected);
        let [of_server, of_protocol] = if is_ready { [200, 200] } else { [503, 400] };
        assert_eq!(report.status, of_server, "{report:?}");
        for (path, status) in [
            ("/health", of_server),
            ("/v2/health/ready", of_protocol),
            ("/v2/models/second/ready", of_protocol),
            ("/v2/models/first/ready", 200),
            ("/healthz", 200),
            ("/v2/health/live", 200),
        ] {
            let answer = self.get(path);
            assert_eq!(answer.status, status, "{path}: {answer:?} as {models}");
        }
    }
}

#[test]
fn readiness_is_that_of_each_model_in_each_state_and_of_the_server() {
    let operator = Operator::new();
    let other = Publisher::new("other");
    TrustStore::update(operator.trust(), |store| {
        store.insert(other.public_key().clone(), ["other"])
    })
    .unwrap();
    let host = Host::builder().trust_directory(operator.trust()).build();
    let host = host.unwrap();
    let [first, second] = [operator.good(), other.every_task()].map(|bundle| {
        let bundle = bundle.write();
        block_on(host.load(bundle.path())).unwrap()
    });
    let up = json!({
        "state": "ready",
        "release": first.facts().release,
        "version": first.facts().version,
    });
    let models = Models::default();
    models.add("first", &[]).unwrap().serve_fixed(first);
    let slot = models.add("second", &[]).unwrap();
    let settings = ServiceSettings::default();
    let mut server = Watched(ServedHere::of_models(
        host.clone(),
        &models,
        settings,
        CHANGE_TIME,
    ));

    server.assert_is(false, &json!({"first": up, "second": {"state": "loading"}}));
    slot.fail("io.read");
    let failed = json!({"state": "failed", "error": "io.read"});
    server.assert_is(false, &json!({"first": up, "second": failed}));
    slot.serve_fixed(second);
    server.assert_is(true, &json!({"first": up, "second": up}));

    TrustStore::update(operator.trust(), |store| {
        store.remove_publisher("other");
        Ok(())
    })
    .unwrap();
    block_on(host.reload_trust()).unwrap();
    let mut untrusted = up.clone();
    untrusted["state"] = "untrusted".into();
    untrusted["error"] = "trust.unknown-key".into();
    server.assert_is(false, &json!({"first": up, "second": untrusted}));

    let mut watchers = [(); 2].map(|()| server.0.connect());
    for watcher in &mut watchers {
        assert_eq!(watcher.get("/healthz").unwrap().status, 200);
    }
    server.0.end();
    let [readiness, liveness] = &mut watchers;
    let report = readiness.get("/readyz").unwrap();
    assert_eq!(report.status, 503);
    assert_eq!(report.json()["is_draining"], true);
    assert_eq!(report.json()["is_ready"], false);
    assert_eq!(liveness.get("/v2/health/live").unwrap().status, 200);
}
