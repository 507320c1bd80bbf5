//! Models and settings of a server, in the configuration file and on the command line.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use ampoule_signing::TrustStore;
use ampoule_tests::{
    Delivery, Operator, Place, Publisher, Served, WrittenBundle, ampoule, assert_fails, json_of,
    test_guest,
};
use serde_json::json;

/// Runs `serve` with a configuration file that it refuses, and returns the message.
#[track_caller]
fn refused(text: &str, code: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ampoule.toml");
    fs::write(&file, text).unwrap();
    let mut command = ampoule();
    command
        .args(["serve", "--json", "--listen", "127.0.0.1:0", "--config"])
        .arg(file);
    let output = command.output().unwrap();
    assert_fails(&output, code, 2);
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn an_error_in_the_configuration_names_its_key_and_its_line() {
    let wrong_type = refused("[server]\nlisten = 8080\n", "usage.config");
    assert!(
        wrong_type.contains("line 2") && wrong_type.contains("`server.listen`"),
        "{wrong_type}"
    );
    let unknown = refused("\n[server]\nlissten = \"x\"\n", "usage.config");
    assert!(
        unknown.contains("line 3") && unknown.contains("lissten"),
        "{unknown}"
    );
    let deep = refused(
        "[[model]]\npath = \"a\"\n\n[[model]]\npath = \"b\"\n\n[model.limits]\nmemory = \"much\"\n",
        "usage.config",
    );
    assert!(
        deep.contains("line 8") && deep.contains("`model[1].limits.memory`"),
        "{deep}"
    );
    let without_path = refused("[[model]]\nname = \"a\"\n", "usage.config");
    assert!(without_path.contains("path"), "{without_path}");
    let capability = refused(
        "[[model]]\npath = \"a\"\nallow = [\"sockets\"]\n",
        "usage.config",
    );
    assert!(
        capability.contains("line 3") && capability.contains("sockets"),
        "{capability}"
    );
    for (text, code) in [
        ("[[model]]\npath = \"a\"\n", "usage.trust"),
        (
            "trust = \"t\"\n[[model]]\npath = \"a\"\n[[model]]\npath = \"b/a\"\n",
            "usage.setting",
        ),
        (
            "trust = \"t\"\n[[model]]\npath = \"a\"\naliases = [\"../b\"]\n",
            "usage.setting",
        ),
    ] {
        refused(text, code);
    }
}

#[test]
fn a_mistyped_path_is_refused_at_the_start() {
    let operator = Operator::new();
    let mut serve = operator.ampoule(&["serve", "--json", "--listen", "127.0.0.1:0"]);
    let output = serve.args(["--model", "models/nowhere"]).output().unwrap();
    assert_fails(&output, "usage.setting", 2);
    let message = json_of(&output)["error"]["message"].to_string();
    assert!(message.contains("`nowhere`"), "{message}");
}

/// A person who presses Ctrl-C twice does not want to wait.
#[test]
fn a_second_signal_ends_the_server_at_once() {
    let operator = Operator::new();
    let endless = test_guest("generation_blocks");
    let bundle = operator
        .publisher()
        .bundle(endless)
        .tasks(&["text-generation"]);
    let bundle = bundle.set("/limits/deadline_ms", json!(60_000)).write();
    let path = bundle.path().to_str().unwrap();
    let mut command = operator.ampoule(&[]);
    let served = Served::start(
        &mut command,
        &["--model", path, "--timeout", "60s", "--idle-timeout", "60s"],
    );
    let name = served.get("/v1/models").json()["data"][0]["id"].clone();
    let body =
        json!({"model": name, "stream": true, "messages": [{"role": "user", "content": "x"}]});
    let body = body.to_string();
    let mut client = served.connect();
    client
        .begin_post("/v1/chat/completions", body.len(), "")
        .unwrap();
    client.send(&body).unwrap();
    assert!(client.has_bytes_within(Duration::from_secs(30)).unwrap());
    served.terminate();
    std::thread::sleep(Duration::from_millis(200));
    let begun = Instant::now();
    served.terminate();
    assert_eq!(served.wait(), Some(8));
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn an_address_that_others_can_reach_is_refused() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let output = ampoule()
            .args(["serve", "--json", "--listen", address])
            .output()
            .unwrap();
        assert_fails(&output, "usage.setting", 2);
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = ampoule()
        .args(["serve", "--json", "--listen", &address])
        .output()
        .unwrap();
    assert_fails(&output, "io.listen", 8);
}

/// A model has the names of the configuration file, gets no more than the file says, and is the expected one or none.
#[test]
fn models_are_served_by_the_names_and_within_the_limits_of_the_configuration() {
    let operator = Operator::new();
    let bundle = operator.good().named("first").write();
    let stranger = Publisher::new("stranger");
    let unknown = stranger.every_task().write();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ampoule.toml");
    let table = |path: &Path, rest: &str| format!("[[model]]\npath = {path:?}\n{rest}\n");
    let text = [
        format!(
            "trust = {:?}\n[server]\nrequest-texts = 3\n",
            operator.trust()
        ),
        table(
            bundle.path(),
            "name = \"m\"\naliases = [\"org/text-embedding-3-small\"]",
        ),
        table(
            bundle.path(),
            "name = \"little\"\n[model.limits]\nfuel = 20000",
        ),
        table(bundle.path(), "name = \"other\"\nexpect = \"acme/second\""),
        table(unknown.path(), "name = \"strange\""),
    ];
    fs::write(&file, text.concat()).unwrap();
    let served = Served::listening(ampoule().arg("--config").arg(file), &[]);
    let ask = |model: &str, texts: usize| {
        let body = json!({"model": model, "input": vec!["a"; texts]});
        served.post("/v1/embeddings", &body)
    };
    let states = loop {
        let ready = served.get("/readyz");
        let states = ready.json();
        if !ready.text().contains("loading") {
            assert_eq!(ready.status, 503);
            break states;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    let state = |name: &str| {
        states
            .pointer(&format!("/models/{name}"))
            .unwrap()
            .to_string()
    };
    assert!(
        state("m").contains("ready") && state("little").contains("ready"),
        "{states}"
    );
    assert!(
        state("other").contains("failed") && state("strange").contains("failed"),
        "{states}"
    );

    assert_eq!(ask("m", 3).status, 200);
    assert_eq!(ask("org/text-embedding-3-small", 1).status, 200);
    assert_eq!(ask("m", 4).status, 400);
    let little = served.post(
        "/v1/embeddings",
        &json!({"model": "little", "input": vec!["a".repeat(1_000); 3]}),
    );
    assert_eq!(
        (little.status, &*little.json()["error"]["code"].to_string()),
        (422, "\"limit.fuel\"")
    );
    for name in ["other", "strange"] {
        let failed = ask(name, 1);
        assert_eq!(failed.status, 503, "{}", failed.text());
        assert!(
            !failed.text().contains("trust"),
            "a caller learns no reason: {}",
            failed.text()
        );
    }
    assert_eq!(ask("first", 1).status, 404, "names are the operator's");
}

/// Clients send whole documents; strangers are held to the figure of the original policies.
#[test]
fn a_server_takes_long_texts_unless_it_is_told_otherwise() {
    let operator = Operator::new();
    let bundle = operator.good().write();
    for (options, status) in [
        (&[][..], 200),
        (&["--limits", "strict"], 400),
        (&["--text-chars", "4999"], 400),
    ] {
        let mut command = ampoule();
        let command = command.arg("--trust").arg(operator.trust());
        let path = bundle.path().to_str().unwrap();
        let served = Served::start(command, &[&["--model", path], options].concat());
        let name = served.get("/v1/models").json()["data"][0]["id"].clone();
        let text = "a ".repeat(2_500);
        let body = json!({"model": name, "input": text, "truncate_prompt_tokens": -1});
        let answer = served.post("/v1/embeddings", &body);
        assert_eq!(answer.status, status, "{options:?}: {}", answer.text());
    }
}

/// A release that answers every text with its number, the length of its file.
fn release(operator: &Operator, number: u64) -> WrittenBundle {
    let bytes = vec![7; usize::try_from(number).unwrap()];
    let component = test_guest("assets_giant_length");
    let bundle = operator
        .publisher()
        .bundle(component)
        .set("/release", json!(number));
    bundle.file("data.bin", bytes).write()
}

/// Asks until the answer is as expected.
#[track_caller]
fn wait_for(what: &str, ask: impl Fn() -> String) {
    let begun = Instant::now();
    loop {
        let answer = ask();
        if answer == what {
            return;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{answer}, and {what} is expected"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_newer_release_takes_over_while_the_server_runs_and_an_untrusted_model_stops() {
    let operator = Operator::new();
    let mut place = Place::new(Delivery::Rename, &release(&operator, 1));
    let served = Served::models(operator.trust(), &[&place.path()]);
    let name = served.get("/v1/models").json()["data"][0]["id"].clone();
    let ask = || {
        let answer = served.post("/v1/embeddings", &json!({"model": name, "input": "x"}));
        match answer.status {
            200 => answer.json()["data"][0]["embedding"][0].to_string(),
            status => status.to_string(),
        }
    };
    wait_for("1.0", ask);
    place.put(&release(&operator, 2));
    wait_for("2.0", ask);
    let key = operator.publisher().public_key().key_id();
    TrustStore::update(operator.trust(), |store| {
        store.remove(&key);
        Ok(())
    })
    .unwrap();
    wait_for("503", ask);
}
