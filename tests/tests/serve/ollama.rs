//! Ollama's routes.

use ampoule_tests::{Reply, Served, SharedServer, ampoule, picture_base64};
use serde_json::{Value, json};

const TEXT: &str = "one two three four";

/// Reads an answer of lines, each of them JSON.
fn lines(reply: &Reply) -> Vec<Value> {
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("content-type"), "application/x-ndjson");
    let text = reply.text();
    assert!(text.ends_with('\n'));
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn chat(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": TEXT}]})
}

fn with(mut request: Value, field: &str, value: Value) -> Value {
    request[field] = value;
    request
}

#[test]
fn a_chat_streams_lines_by_default_and_the_last_has_the_costs() {
    let server = SharedServer::get();
    let lines = lines(&server.post("/api/chat", &chat("every-task")));
    let (last, pieces) = lines.split_last().unwrap();
    assert_eq!(pieces.len(), 4);
    let mut text = String::new();
    for line in pieces {
        assert_eq!(line["done"], false);
        assert_eq!(line["message"]["role"], "assistant");
        assert_eq!(line.get("total_duration"), None);
        line["created_at"]
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .unwrap();
        text.push_str(line["message"]["content"].as_str().unwrap());
    }
    assert_eq!(last["done"], true);
    assert_eq!(last["done_reason"], "stop");
    assert_eq!(last["message"]["content"], "");
    assert_eq!(last["prompt_eval_count"], 4);
    assert_eq!(last["eval_count"], 4);
    let total = last["total_duration"].as_u64().unwrap();
    let parts = ["load_duration", "prompt_eval_duration", "eval_duration"];
    let parts: u64 = parts.map(|part| last[part].as_u64().unwrap()).iter().sum();
    assert!(0 < parts && parts <= total, "{last}");

    let whole = with(chat("every-task"), "stream", json!(false));
    let whole = server.post("/api/chat", &whole);
    assert_eq!(whole.header("content-type"), "application/json");
    let whole = whole.json();
    assert_eq!(whole["message"]["content"], text.as_str());
    assert_eq!(whole["done"], true);
    assert_eq!(whole["eval_count"], 4);
}

#[test]
fn a_prompt_is_generated_from_as_a_chat_is() {
    let server = SharedServer::get();
    let request = json!({"model": "every-task", "prompt": TEXT, "system": "Be brief."});
    let streamed = lines(&server.post("/api/generate", &request));
    let text = streamed
        .iter()
        .map(|line| line["response"].as_str().unwrap());
    let text: String = text.collect();
    let whole = server.post("/api/generate", &with(request, "stream", json!(false)));
    assert_eq!(whole.json()["response"], text.as_str());
    let chat = with(chat("every-task"), "stream", json!(false));
    assert_eq!(
        server.post("/api/chat", &chat).json()["message"]["content"],
        text.as_str()
    );
}

#[test]
fn an_answer_ends_by_the_options_and_says_so() {
    let server = SharedServer::get();
    let ask = |options: Value| {
        let request =
            json!({"model": "every-task", "prompt": TEXT, "stream": false, "options": options});
        server.post("/api/generate", &request).json()
    };
    let short = ask(json!({"num_predict": 2}));
    assert_eq!(short["done_reason"], "length");
    assert_eq!(short["eval_count"], 2);
    let endless = ask(json!({"num_predict": -1}));
    assert_eq!(endless["eval_count"], 4);
    let stopped = ask(json!({"stop": ["three"]}));
    assert_eq!(stopped["done_reason"], "stop");
    assert!(!stopped["response"].as_str().unwrap().contains("three"));
    let seeded = json!({"temperature": 1.0, "seed": 7});
    assert_eq!(ask(seeded.clone())["response"], ask(seeded)["response"]);
    let negative = ask(json!({"temperature": 1.0, "seed": -1}));
    assert_eq!(negative["done"], true);
}

#[test]
fn a_picture_is_read_as_bare_base64_and_as_a_data_address() {
    let server = SharedServer::get();
    let picture = picture_base64();
    let ask = |image: String| {
        let request = json!({
            "model": "tiny-vlm", "prompt": "What is this?", "images": [image], "stream": false,
            "options": {"num_predict": 4},
        });
        let reply = server.post("/api/generate", &request);
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["response"].clone()
    };
    let bare = ask(picture.clone());
    assert_eq!(bare, ask(format!("data:image/png;base64,{picture}")));
    let message = json!({"role": "user", "content": "What is this?", "images": [picture]});
    let request = json!({
        "model": "tiny-vlm", "messages": [message], "stream": false, "options": {"num_predict": 4},
    });
    let chat = server.post("/api/chat", &request).json();
    assert_eq!(chat["message"]["content"], bare);
}

/// The model refuses an empty stop string, since every answer begins with one.
#[test]
fn empty_stop_strings_are_ignored_in_every_family() {
    let server = SharedServer::get();
    let picture = picture_base64();
    let question = "what is in the picture?";
    let url = format!("data:image/png;base64,{picture}");
    let of_ollama = json!({
        "model": "tiny-vlm", "prompt": question, "images": [picture], "stream": false,
        "options": {"stop": ["", "\n"]},
    });
    let of_openai = json!({
        "model": "tiny-vlm", "stop": ["", "\n"],
        "input": [{"role": "user", "content": [
            {"type": "input_text", "text": question}, {"type": "input_image", "image_url": url},
        ]}],
    });
    let native = json!({
        "messages": [{"role": "user", "content": [{"text": question}, {"image": picture}]}],
        "stop": ["", "\n"],
    });
    let tensor = |name: &str, data: &str| json!({"name": name, "datatype": "BYTES", "shape": [1], "data": [data]});
    let of_triton = json!({
        "parameters": {"task": "text-generation", "stop": ["", "\n"]},
        "inputs": [tensor("prompt", question), tensor("images", &picture)],
        "outputs": [{"name": "text"}],
    });
    for (path, request) in [
        ("/api/generate", of_ollama),
        ("/v1/responses", of_openai),
        ("/ampoule/v1/models/tiny-vlm/text-generation", native),
        ("/v2/models/tiny-vlm/infer", of_triton),
    ] {
        let reply = server.post(path, &request);
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    }
}

#[test]
fn a_request_without_a_prompt_says_that_the_model_is_loaded() {
    let server = SharedServer::get();
    for (path, request) in [
        ("/api/generate", json!({"model": "every-task"})),
        (
            "/api/generate",
            json!({"model": "every-task", "prompt": "", "keep_alive": "5m"}),
        ),
        ("/api/chat", json!({"model": "every-task"})),
        ("/api/chat", json!({"model": "every-task", "messages": []})),
    ] {
        let reply = server.post(path, &request);
        assert_eq!(reply.status, 200, "{}", reply.text());
        let answer = reply.json();
        assert_eq!(answer["done"], true);
        assert_eq!(answer["done_reason"], "load");
        assert_eq!(answer.get("total_duration"), None);
    }
    let unknown = server.post("/api/generate", &json!({"model": "nobody"}));
    assert_eq!(unknown.status, 404);
}

#[test]
fn an_error_is_a_text_with_a_real_status_before_the_first_line() {
    let server = SharedServer::get();
    let reply = server.post("/api/chat", &chat("nobody"));
    assert_eq!(reply.status, 404);
    assert_eq!(reply.header("content-type"), "application/json");
    let error = reply.json()["error"].as_str().unwrap().to_owned();
    assert!(error.contains("not found"), "{error}");
    let bad = json!({"model": "every-task", "messages": [{"role": "nobody", "content": "x"}]});
    let refused = server.post("/api/chat", &bad);
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert!(refused.json()["error"].is_string());
    for (path, status) in [("/api/nothing", 404), ("/api/chat", 405)] {
        let reply = server.get(path);
        assert_eq!(reply.status, status);
        assert!(reply.json()["error"].is_string());
    }
}

#[test]
fn vectors_of_the_new_route_have_length_1_and_those_of_the_old_one_are_the_models_own() {
    let server = SharedServer::get();
    let request = json!({"model": "every-task", "input": ["a", "bcd", ""]});
    let answer = server.post("/api/embed", &request).json();
    let vectors = answer["embeddings"].as_array().unwrap();
    assert_eq!(vectors.len(), 3);
    for vector in &vectors[..2] {
        let values = vector.as_array().unwrap().iter();
        let square: f64 = values.map(|value| value.as_f64().unwrap().powi(2)).sum();
        assert!((square - 1.0).abs() < 1e-5, "{square}");
    }
    assert_eq!(answer["prompt_eval_count"], 4);
    assert!(
        answer["total_duration"].as_u64().unwrap() >= answer["load_duration"].as_u64().unwrap()
    );
    let one = server
        .post("/api/embed", &json!({"model": "every-task", "input": "a"}))
        .json();
    assert_eq!(one["embeddings"], json!([vectors[0]]));
    let old = server
        .post(
            "/api/embeddings",
            &json!({"model": "every-task", "prompt": "a"}),
        )
        .json();
    assert_eq!(old["embedding"].as_array().unwrap().len(), 8);
}

#[test]
fn the_wrong_field_for_a_text_is_refused_and_the_right_one_named() {
    let server = SharedServer::get();
    for (path, wrong, right) in [
        ("/api/embed", "prompt", "`input`"),
        ("/api/embeddings", "input", "`prompt`"),
    ] {
        let reply = server.post(path, &json!({"model": "every-task", wrong: "a"}));
        assert_eq!(reply.status, 400);
        assert!(reply.text().contains(right), "{}", reply.text());
        let empty = server.post(path, &json!({"model": "every-task"}));
        assert_eq!(empty.status, 400);
    }
    let none = server.post("/api/embed", &json!({"model": "every-task", "input": []}));
    assert_eq!(none.status, 400);
    let long = json!({"model": "every-task", "input": "x".repeat(600), "truncate": false});
    let refused = server.post("/api/embed", &long);
    assert_eq!(refused.status, 400);
    assert!(
        refused.text().contains("context length"),
        "{}",
        refused.text()
    );
    assert_eq!(
        server
            .post("/api/embed", &with(long, "truncate", json!(true)))
            .status,
        200
    );
}

#[test]
fn a_model_is_the_same_with_and_without_the_tag_latest() {
    let server = SharedServer::get();
    let plain = server
        .post("/api/show", &json!({"model": "every-task"}))
        .json();
    for name in [
        "every-task:latest",
        "acme/every-task",
        "acme/every-task:latest",
    ] {
        assert_eq!(
            server.post("/api/show", &json!({"model": name})).json(),
            plain,
            "{name}"
        );
        assert_eq!(server.post("/api/chat", &chat(name)).status, 200, "{name}");
    }
    assert_eq!(plain["model_info"]["ampoule.publisher"], "acme");
    assert_eq!(plain["capabilities"], json!(["completion", "embedding"]));
    assert_eq!(plain["details"]["format"], "wasm");
    assert_eq!(
        server
            .post("/api/show", &json!({"model": "every-task:7b"}))
            .status,
        404
    );
    assert_eq!(server.post("/api/show", &json!({})).status, 400);
}

#[test]
fn models_are_listed_with_all_that_clients_read() {
    let server = SharedServer::get();
    for path in ["/api/tags", "/api/ps"] {
        let list = server.get(path).json();
        let models = list["models"].as_array().unwrap();
        let names: Vec<_> = models
            .iter()
            .map(|model| model["name"].as_str().unwrap())
            .collect();
        assert_eq!(
            names,
            [
                "every-task:latest",
                "acme/every-task:latest",
                "tiny-vlm:latest"
            ]
        );
        for model in models {
            assert_eq!(model["name"], model["model"]);
            assert!(model["size"].is_u64(), "{model}");
            assert_eq!(model["digest"].as_str().unwrap().len(), 64);
            assert!(model["details"].is_object());
            let time = model.get("modified_at").or_else(|| model.get("expires_at"));
            time.unwrap()
                .as_str()
                .unwrap()
                .parse::<jiff::Timestamp>()
                .unwrap();
        }
    }
}

#[test]
fn health_checks_are_answered_by_get_and_by_head() {
    let server = SharedServer::get();
    let root = server.get("/");
    assert_eq!(root.text(), "Ollama is running");
    assert!(root.header("content-type").starts_with("text/plain"));
    for path in ["/", "/api/tags", "/api/version", "/api/ps"] {
        assert_eq!(server.get(path).status, 200, "{path}");
        let head = server.head(path);
        assert_eq!(head.status, 200, "{path}");
        assert!(head.body.is_empty(), "{path}");
    }
    let version = server.get("/api/version").json()["version"].clone();
    assert!(version.as_str().unwrap().contains("+ampoule."), "{version}");
    assert_eq!(server.get("//api//tags").status, 200);
}

#[test]
fn curls_media_type_is_taken_and_bad_json_is_400() {
    let server = SharedServer::get();
    let form = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("authorization", "Bearer "),
    ];
    let body = chat("every-task").to_string();
    assert_eq!(
        server
            .post_bytes("/api/chat", &form, body.as_bytes())
            .status,
        200
    );
    for bad in [
        "{",
        "[]",
        "",
        "{\"model\": 1}",
        "{\"model\": \"every-task\", \"stream\": \"yes\"}",
    ] {
        let reply = server.post_bytes("/api/chat", &form, bad.as_bytes());
        assert_eq!(reply.status, 400, "{bad}");
        assert!(reply.json()["error"].is_string(), "{bad}");
    }
}

#[test]
fn models_are_added_and_removed_by_the_operator_alone() {
    let server = SharedServer::get();
    for path in [
        "/api/pull",
        "/api/push",
        "/api/create",
        "/api/copy",
        "/api/blobs/sha256:00",
    ] {
        let reply = server.post(path, &json!({"model": "every-task"}));
        assert_eq!(reply.status, 403, "{path}");
        let error = reply.json()["error"].as_str().unwrap().to_owned();
        assert!(error.contains("operator"), "{error}");
    }
}

#[test]
fn a_foreign_host_is_refused_on_every_route() {
    let server = SharedServer::get();
    let port = server.address().port();
    let host = |path: &str, host: &str| server.get_with(path, &[("host", host)]);
    for path in [
        "/",
        "/api/tags",
        "/v1/models",
        "/ampoule/v1/models",
        "/nothing",
    ] {
        let reply = host(path, "evil.example");
        assert_eq!(reply.status, 403, "{path}");
        assert!(!reply.json()["error"].is_null(), "{path}");
    }
    for name in [
        format!("localhost:{port}"),
        "127.0.0.1".to_owned(),
        "[::1]:1".to_owned(),
    ] {
        assert_eq!(host("/api/tags", &name).status, 200, "{name}");
    }
}

/// A browser sends such a request for a page without asking first.
#[test]
fn a_page_of_another_site_runs_no_model() {
    let server = SharedServer::get();
    for (path, body) in [
        (
            "/v1/chat/completions",
            r#"{"model": "every-task", "messages": [{"role": "user", "content": "a"}]}"#,
        ),
        (
            "/api/generate",
            r#"{"model": "every-task", "prompt": "a", "stream": false}"#,
        ),
        ("/embed", r#"{"inputs": "a"}"#),
    ] {
        let ask = |origin: &str| {
            let headers = [("content-type", "text/plain"), ("origin", origin)];
            server.post_bytes(path, &headers, body.as_bytes()).status
        };
        assert_eq!(ask("https://evil.example"), 403, "{path}");
        assert_eq!(ask("null"), 403, "{path}");
        assert_eq!(ask(&format!("http://{}", server.address())), 200, "{path}");
    }
}

#[test]
fn the_operator_adds_names_of_the_server() {
    let names = ["--host-names", "ampoule.example,192.0.2.7"];
    let server = Served::listening(&mut ampoule(), &names);
    for (name, status) in [
        ("ampoule.example", 200),
        ("192.0.2.7:80", 200),
        ("localhost", 200),
        ("other.example", 403),
    ] {
        let reply = server.get_with("/api/version", &[("host", name)]);
        assert_eq!(reply.status, status, "{name}");
    }
}
