//! Loads of a server's models: tried again until they work, each with the capabilities that its operator gives it.

use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

use ampoule_tests::{Operator, Served, ampoule, test_guest};
use serde_json::{Value, json};

/// Longest time for anything that has no promise.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks a model for a vector.
fn embed(served: &Served, model: &str, text: &str) -> (u16, Value) {
    let answer = served.post("/v1/embeddings", &json!({"model": model, "input": text}));
    (answer.status, answer.json())
}

/// Returns how often a load of this model came to this end.
fn loads(served: &Served, model: &str, outcome: &str) -> u64 {
    let metrics = served.get("/metrics").text();
    let line = metrics.lines().find(|line| {
        let is_of = |label: &str, value: &str| line.contains(&format!("{label}=\"{value}\""));
        line.starts_with("ampoule_model_loads_total{")
            && is_of("model", model)
            && is_of("outcome", outcome)
    });
    let number = line.and_then(|line| line.rsplit(' ').next());
    number.unwrap_or("0").parse().unwrap()
}

#[track_caller]
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A disk that is mounted late, or a copy that is not complete: the server mends itself, and does not spin meanwhile.
#[test]
fn a_model_whose_bundle_becomes_good_is_served_and_is_tried_less_and_less_often_until_then() {
    let operator = Operator::new();
    let good = operator.good().write();
    let late = operator.good().named("late").write();
    let envelope = late.path().join("ampoule.dsse.json");
    let whole = fs::read(&envelope).unwrap();
    fs::write(&envelope, b"{").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ampoule.toml");
    let mut text = format!("trust = {:?}\n", operator.trust());
    for (name, bundle) in [("good", &good), ("late", &late)] {
        let path = bundle.path();
        writeln!(text, "[[model]]\npath = {path:?}\nname = \"{name}\"").unwrap();
    }
    fs::write(&file, text).unwrap();
    let begun = Instant::now();
    let served = Served::listening(ampoule().arg("--config").arg(file), &[]);
    wait_until("the load is tried a third time", || {
        loads(&served, "late", "failed") == 3
    });
    let took = begun.elapsed();
    assert!(
        took >= Duration::from_secs(3),
        "pauses of 1 s and of 2 s lie between three attempts: {took:?}"
    );
    wait_until("the good model serves", || {
        embed(&served, "good", "a").0 == 200
    });
    assert_eq!(embed(&served, "late", "a").0, 503);
    let beside = late.path().join("beside");
    fs::write(&beside, whole).unwrap();
    fs::rename(beside, envelope).unwrap();
    wait_until("the model is served once its bundle is good", || {
        embed(&served, "late", "a").0 == 200
    });
    assert_eq!(loads(&served, "late", "loaded"), 1);
    assert_eq!(served.get("/readyz").status, 200);
}

#[test]
fn a_capability_is_withheld_from_one_model_and_no_other() {
    let operator = Operator::new();
    let bundle = operator
        .publisher()
        .bundle(test_guest("multiplies_on_the_host"))
        .file("plan.txt", b"f32 8 8 0\n".to_vec())
        .file("data.bin", vec![0; 8 * 8 * 4])
        .set("/capabilities", json!(["host-kernels"]))
        .write();
    let granted = |host: &str| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ampoule.toml");
        let mut text = format!("trust = {:?}\n{host}\n", operator.trust());
        for (name, allow) in [
            ("as-the-host", ""),
            ("by-name", "allow = [\"host-kernels\"]"),
            ("withheld", "allow = []"),
        ] {
            let path = bundle.path();
            writeln!(
                text,
                "[[model]]\npath = {path:?}\nname = \"{name}\"\n{allow}"
            )
            .unwrap();
        }
        fs::write(&file, text).unwrap();
        let served = Served::start(ampoule().arg("--config").arg(file), &[]);
        ["as-the-host", "by-name", "withheld"].map(|name| {
            // The guest's own word for it, and the operator's list.
            let (status, answer) = embed(&served, name, "granted");
            assert_eq!(status, 200, "{name}: {answer}");
            let is_granted = answer["data"][0]["embedding"][0] == 1.0;
            let listed = served.get(&format!("/ampoule/v1/models/{name}")).json();
            let capability = &listed["loaded"]["capabilities"][0];
            assert_eq!(capability["name"], "host-kernels", "{name}: {listed}");
            assert_eq!(capability["is_granted"], is_granted, "{name}: {listed}");
            is_granted
        })
    };
    assert_eq!(granted("allow = [\"host-kernels\"]"), [true, true, false]);
    // A model's list takes away, and adds nothing to what the host allows.
    assert_eq!(granted(""), [false, false, false]);
}
