//! Models and settings of a server, in the configuration file and on the command line.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use ampoule_access::{KeyDirectory, KeySettings, Role};
use ampoule_signing::{PermissionPolicy, Timestamp, TrustStore};
use ampoule_tests::{
    Delivery, Operator, Place, Publisher, Served, WrittenBundle, ampoule, assert_fails, json_of,
    picture_base64, test_guest,
};
use serde_json::json;

/// Runs `serve` with a configuration file that it refuses, and returns the message.
#[track_caller]
fn refused(text: &str, code: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ampoule.toml");
    fs::write(&file, text).unwrap();
    let mut command = ampoule();
    command.args(["serve", "--json", "--config"]).arg(file);
    if !text.contains("listen =") {
        command.args(["--listen", "127.0.0.1:0"]);
    }
    let output = command.output().unwrap();
    let status = if code.starts_with("trust.") { 3 } else { 2 };
    assert_fails(&output, code, status);
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
    let capability = refused(
        "[[model]]\npath = \"a\"\nallow = [\"sockets\"]\n",
        "usage.config",
    );
    assert!(
        capability.contains("line 3") && capability.contains("sockets"),
        "{capability}"
    );
    refused("[[model]]\npath = \".\"\n", "usage.trust");
    let nowhere = refused("[[model]]\npath = \"/no/such/model\"\n", "usage.setting");
    assert!(nowhere.contains("/no/such/model"), "{nowhere}");
}

/// Values that are only wrong beside others, or for this machine, are found after the file was read.
#[test]
fn an_error_about_a_value_that_was_read_names_its_file_its_key_and_its_line_too() {
    let operator = Operator::new();
    let trust = format!("trust = {:?}\n", operator.trust());
    for (text, code, line, key) in [
        (
            "[server]\nlisten = \"0.0.0.0:0\"\n",
            "usage.setting",
            2,
            "server.listen",
        ),
        (
            "[server]\nbodies-bytes = \"1MiB\"\n",
            "usage.setting",
            2,
            "server.bodies-bytes",
        ),
        (
            "\n[limits]\nsandboxes = 0\n",
            "usage.limits",
            3,
            "limits.sandboxes",
        ),
        ("kernel-threads = 0\n", "usage.limits", 1, "kernel-threads"),
        (
            "clock-resolution = \"5s\"\n",
            "usage.limits",
            1,
            "clock-resolution",
        ),
        (
            "trust = \"nowhere\"\n[[model]]\npath = \".\"\n",
            "trust.missing",
            1,
            "trust",
        ),
        (
            "[[model]]\npath = \"a\"\n[[model]]\npath = \"b/a\"\n",
            "usage.setting",
            4,
            "model[1].path",
        ),
        (
            "[[model]]\npath = \"a\"\naliases = [\n\"b\",\n\"../b\"]\n",
            "usage.setting",
            5,
            "model[0].aliases[1]",
        ),
        (
            "[[model]]\nbuilt-in = true\nname = \"a b\"\n",
            "usage.setting",
            3,
            "model[0].name",
        ),
        ("[[model]]\nname = \"a\"\n", "usage.setting", 1, "model[0]"),
        (
            "[[model]]\nbuilt-in = true\n[model.limits]\nmemory = \"1KiB\"\n",
            "usage.limits",
            4,
            "model[0].limits.memory",
        ),
        (
            "[[model]]\nbuilt-in = true\n[model.limits]\nfuel = 0\n",
            "usage.limits",
            4,
            "model[0].limits.fuel",
        ),
        (
            "trust = \".\"\nstate = \"/no/such/state\"\n[[model]]\npath = \".\"\n",
            "usage.setting",
            2,
            "state",
        ),
        (
            "[[model]]\npath = \"a\"\nbuilt-in = true\n",
            "usage.setting",
            3,
            "model[0].built-in",
        ),
    ] {
        let message = refused(text, code);
        let place = format!("ampoule.toml\\\": line {line}: `{key}`: ");
        assert!(message.contains(&place), "{text}: {message}");
    }
    let nowhere = format!("{trust}[[model]]\npath = \"models/nowhere\"\n");
    let message = refused(&nowhere, "usage.setting");
    assert!(
        message.contains("line 3: `model[0].path`") && message.contains("models/nowhere"),
        "{message}"
    );
}

#[test]
fn limits_that_nobody_would_have_are_errors_with_their_key_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    let directory = KeyDirectory::new(&keys, PermissionPolicy::default());
    let settings = KeySettings::new(Role::Infer, "acme".parse().unwrap());
    directory.add(settings, Timestamp::now()).unwrap();
    let keys = format!("[auth]\nkeys = {keys:?}\n");
    let route = "[[rate-limits.route]]\nroute = ";
    for (text, line, key, says) in [
        (
            format!("{route}\"/v1/embedings\"\nrequests = \"1/1m\"\n"),
            2,
            "rate-limits.route[0].route",
            "`/v1/embedings`; they are /, /ampoule/v1/models, ",
        ),
        // Probes have no limits.
        (
            format!(
                "{route}\"/api/tags\"\nconcurrent = 1\n{route}\"/healthz\"\nrequests = \"1/1m\"\n"
            ),
            5,
            "rate-limits.route[1].route",
            "`/healthz`",
        ),
        (
            format!(
                "{route}\"/api/tags\"\nconcurrent = 1\n{route}\"/api/tags\"\nrequests = \"1/1m\"\n"
            ),
            5,
            "rate-limits.route[1].route",
            "already",
        ),
        (
            format!("{route}\"/api/tags\"\n"),
            1,
            "rate-limits.route[0]",
            "expected a limit",
        ),
        (
            "[rate-limits]\ntenant = { requests = \"1/1m\" }\n".to_owned(),
            2,
            "rate-limits.tenant",
            "`address`",
        ),
        (
            format!("{keys}[rate-limits]\nkey = {{ burst = 3 }}\n"),
            4,
            "rate-limits.key",
            "`requests` beside `burst`",
        ),
        (
            "[auth]\nanonymous-role = \"infer\"\n".to_owned(),
            2,
            "auth.anonymous-role",
            "--keys",
        ),
        (
            format!("{keys}anonymous-role = \"list\"\n"),
            3,
            "auth.anonymous-role",
            "address = {",
        ),
    ] {
        let message = refused(&text, "usage.setting");
        let place = format!("ampoule.toml\\\": line {line}: `{key}`: ");
        assert!(
            message.contains(&place) && message.contains(says),
            "{text}: {message}"
        );
    }
    for (text, key) in [
        (
            "[rate-limits]\nkey = { requests = \"fast\" }\n",
            "rate-limits.key.requests",
        ),
        (
            "[auth]\nanonymous-role = \"admin\"\n",
            "auth.anonymous-role",
        ),
    ] {
        let message = refused(text, "usage.config");
        assert!(
            message.contains("line 2") && message.contains(key),
            "{text}: {message}"
        );
    }
}

/// An option that goes before the file is what the error is about.
#[test]
fn an_error_about_an_option_does_not_blame_the_configuration_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ampoule.toml");
    fs::write(&file, "[server]\nlisten = \"0.0.0.0:1\"\n").unwrap();
    let mut serve = ampoule();
    serve.args(["serve", "--json", "--listen", "0.0.0.0:2", "--config"]);
    let output = serve.arg(&file).output().unwrap();
    assert_fails(&output, "usage.setting", 2);
    let message = json_of(&output)["error"]["message"].to_string();
    assert!(
        message.contains("0.0.0.0:2") && !message.contains("ampoule.toml"),
        "{message}"
    );
}

#[test]
fn a_mistyped_path_is_refused_at_the_start_and_named() {
    let operator = Operator::new();
    for (options, code, status, named) in [
        (
            ["--model", "models/nowhere"],
            "usage.setting",
            2,
            "models/nowhere",
        ),
        (
            ["--config", "nowhere.toml"],
            "usage.config",
            2,
            "nowhere.toml",
        ),
    ] {
        let mut serve = operator.ampoule(&["serve", "--json", "--listen", "127.0.0.1:0"]);
        let output = serve.args(options).output().unwrap();
        assert_fails(&output, code, status);
        let message = json_of(&output)["error"]["message"].to_string();
        assert!(message.contains(named), "{message}");
    }
    let bundle = operator.good().write();
    for words in [&["serve", "--model"][..], &["verify"]] {
        let mut command = ampoule();
        command.args(words).arg(bundle.path());
        command.args(["--json", "--trust", "no/trust"]);
        let output = command.output().unwrap();
        assert_fails(&output, "trust.missing", 3);
        let message = json_of(&output)["error"]["message"].to_string();
        assert!(message.contains("no/trust"), "{message}");
    }
}

#[test]
fn an_address_of_the_wrong_form_is_refused_with_the_right_one() {
    for address in ["8080", ":8080", "localhost:8080", "127.0.0.1"] {
        let output = ampoule()
            .args(["serve", "--json", "--listen", address])
            .output()
            .unwrap();
        assert_fails(&output, "usage.arguments", 2);
        let message = json_of(&output)["error"]["message"].to_string();
        assert!(
            message.contains("ADDRESS:PORT") && message.contains("127.0.0.1:8080"),
            "{message}"
        );
    }
}

#[test]
fn a_name_that_no_request_can_have_is_refused() {
    for name in [
        "http://a.example",
        "a.example:80",
        "*.example",
        "a b",
        "192.0.2.256",
    ] {
        let output = ampoule()
            .args([
                "serve",
                "--json",
                "--listen",
                "127.0.0.1:0",
                "--host-names",
                name,
            ])
            .output()
            .unwrap();
        assert_fails(&output, "usage.arguments", 2);
        let text = format!("[server]\nhost-names = [\"a.example\", \"{name}\"]\n");
        let message = refused(&text, "usage.config");
        assert!(
            message.contains("line 2: `server.host-names`") && message.contains(name),
            "{message}"
        );
    }
}

/// The built-in model is one among others, under any name, though the operator's directory does not trust its key.
#[test]
fn the_built_in_model_stands_beside_others_and_has_aliases_and_limits() {
    let operator = Operator::new();
    let bundle = operator.good().named("other").write();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ampoule.toml");
    let text = format!(
        "trust = {:?}\n[[model]]\npath = {:?}\nname = \"other\"\n[[model]]\nbuilt-in = true\naliases = [\"eyes\"]\n\
         expect = \"ampoule/tiny-vlm\"\n[[model]]\nbuilt-in = true\nname = \"slow\"\n[model.limits]\nfuel = 100000\n",
        operator.trust(),
        bundle.path()
    );
    fs::write(&file, text).unwrap();
    let served = Served::start(ampoule().arg("--config").arg(file), &[]);
    let classify = |model: &str| {
        let body = json!({"image": picture_base64()});
        served.post(
            &format!("/ampoule/v1/models/{model}/image-classification"),
            &body,
        )
    };
    for name in ["tiny-vlm", "eyes"] {
        let answer = classify(name);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let slow = classify("slow");
    assert_eq!(
        slow.json()["error"]["code"],
        "limit.fuel",
        "{}",
        slow.text()
    );
    let vectors = served.post("/v1/embeddings", &json!({"model": "other", "input": "a"}));
    assert_eq!(vectors.status, 200, "{}", vectors.text());

    // Its key says nothing about other bundles, and trust in others nothing about it.
    TrustStore::update(operator.trust(), |store| {
        store.remove(&operator.publisher().public_key().key_id());
        Ok(())
    })
    .unwrap();
    wait_for("503", || {
        let body = json!({"model": "other", "input": "a"});
        served.post("/v1/embeddings", &body).status.to_string()
    });
    assert_eq!(classify("eyes").status, 200);

    let mut command = operator.ampoule(&[]);
    let path = bundle.path().to_str().unwrap();
    let untrusted = Served::listening(&mut command, &["--built-in", "--model", path]);
    let models = untrusted.get("/v1/models").json();
    let ids: Vec<_> = models["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| &model["id"])
        .collect();
    assert_eq!(ids.len(), 2, "{models}");
    assert!(ids.contains(&&json!("tiny-vlm")), "{models}");
}

/// A collector of logs parses each line.
#[test]
fn each_line_on_standard_error_is_json_where_the_log_is() {
    let mut serve = ampoule();
    serve.args(["serve", "--log-format", "json", "--listen", "127.0.0.1:0"]);
    let server = serve.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut server = server.spawn().unwrap();
    let mut lines = BufReader::new(server.stderr.take().unwrap()).lines();
    let mut told = Vec::new();
    while !told
        .iter()
        .any(|line: &String| line.contains("the model is ready"))
    {
        told.push(lines.next().unwrap().unwrap());
    }
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(
        told.iter().any(|line| line.contains("a browser shows")),
        "{told:?}"
    );
    let mut refused = ampoule();
    refused.args(["serve", "--log-format", "json", "--listen", "127.0.0.1:0"]);
    let refused = refused.args(["--model", "nowhere"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        said.contains("usage.setting") && said.contains("nowhere"),
        "{said}"
    );
    told.extend(said.lines().map(str::to_owned));
    for line in told {
        let event: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert!(event["level"].is_string(), "{line}");
    }
}

/// Compiling takes seconds, in which a person would think that nothing happens.
#[test]
fn a_server_says_where_it_listens_when_it_compiles_and_when_its_models_are_ready() {
    let mut serve = ampoule();
    serve.args(["serve", "--listen", "127.0.0.1:0", "--no-cache"]);
    let mut server = serve
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    let mut output = BufReader::new(server.stdout.take().unwrap());
    output.read_line(&mut first).unwrap();
    let address = first
        .trim_end()
        .strip_prefix("listening on ")
        .unwrap()
        .to_owned();
    let mut told = String::new();
    for line in BufReader::new(server.stderr.take().unwrap()).lines() {
        told.push_str(&line.unwrap());
        told.push('\n');
        if told.contains("the model is ready") {
            break;
        }
    }
    server.kill().unwrap();
    server.wait().unwrap();
    let at = |words: &str| {
        told.find(words)
            .unwrap_or_else(|| panic!("{words}: {told}"))
    };
    assert!(at(&format!("{address}/v1")) < at("compiling"), "{told}");
    assert!(at("compiling") < at("the model is ready"), "{told}");
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
pub(crate) fn release(operator: &Operator, number: u64) -> WrittenBundle {
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
pub(crate) fn wait_for(what: &str, ask: impl Fn() -> String) {
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
