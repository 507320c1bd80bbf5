//! `/readyz` and `/healthz`: reports for those who send requests here or elsewhere.

use std::time::{Duration, Instant};

use ampoule_signing::TrustStore;
use ampoule_tests::{Operator, Served, ampoule};
use serde_json::Value;

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
