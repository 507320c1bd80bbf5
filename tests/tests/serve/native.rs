//! Ampoule's own routes.

use ampoule_tests::{Operator, Reply, Served, SharedServer, sample_picture};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

#[test]
fn a_model_is_listed_with_its_signers_grants_and_limits() {
    let server = SharedServer::get();
    let list = server.get("/ampoule/v1/models").json();
    let models = list["models"].as_array().unwrap();
    let names: Vec<_> = models.iter().map(|model| &model["name"]).collect();
    assert_eq!(names, ["every-task", "tiny-vlm"]);
    let model = &models[0];
    assert_eq!(model["aliases"], json!(["acme/every-task"]));
    assert_eq!(model["readiness"], "ready");
    let loaded = &model["loaded"];
    assert_eq!(loaded["publisher"], "acme");
    assert_eq!(loaded["model"], "test");
    assert_eq!(loaded["version"], "1.0.0");
    assert_eq!(loaded["release"], 1);
    assert_eq!(loaded["created"], "2026-01-01T00:00:00Z");
    assert_eq!(loaded["manifest_sha256"].as_str().unwrap().len(), 64);
    assert_eq!(loaded["signers"].as_array().unwrap().len(), 1);
    assert_eq!(loaded["tasks"].as_array().unwrap().len(), 5);
    assert_eq!(loaded["limits"]["deadline_ms"], 3_000);
    assert_eq!(loaded["limits"]["memory_bytes"], 64 << 20);
    assert_eq!(loaded["profile"], "metered");
    assert_eq!(loaded["sandbox_start"]["kind"], "snapshot");
    assert_eq!(loaded["properties"]["text.max-tokens"], "512");
}

#[test]
fn a_model_is_described_by_each_of_its_names() {
    let server = SharedServer::get();
    let own = server.get("/ampoule/v1/models/every-task").json();
    let alias = server.get("/ampoule/v1/models/acme%2Fevery-task").json();
    assert_eq!(own, alias);
    let unknown = server.get("/ampoule/v1/models/nobody");
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.json()["error"]["code"], "model.unknown");
}

fn path(task: &str) -> String {
    format!("/ampoule/v1/models/every-task/{task}")
}

/// Raw pixels: two red, one green.
fn pixels() -> Value {
    let bytes = [255, 0, 0, 255, 0, 0, 0, 255, 0];
    json!({"width": 3, "height": 1, "pixels": STANDARD.encode(bytes)})
}

/// A form of a request and picture files.
fn form(request: &Value, files: &[&[u8]]) -> Vec<u8> {
    let mut form =
        format!("--b\r\ncontent-disposition: form-data; name=\"request\"\r\n\r\n{request}\r\n")
            .into_bytes();
    for file in files {
        form.extend(
            b"--b\r\ncontent-disposition: form-data; name=\"image\"; filename=\"a.png\"\r\n\r\n",
        );
        form.extend(*file);
        form.extend(b"\r\n");
    }
    form.extend(b"--b--\r\n");
    form
}

const FORM: [(&str, &str); 1] = [("content-type", "multipart/form-data; boundary=b")];

#[track_caller]
fn assert_refused(reply: &Reply, status: u16, code: &str, param: Option<&str>) {
    assert_eq!(reply.status, status, "{}", reply.text());
    let error = &reply.json()["error"];
    assert_eq!(error["code"], code, "{error}");
    assert_eq!(error["param"].as_str(), param, "{error}");
}

#[test]
fn vectors_come_with_truncated_flags_usage_and_the_cost_of_each_sandbox() {
    let server = SharedServer::get();
    let texts = json!(["short", "x".repeat(600)]);
    let answer = server
        .post(&path("text-embedding"), &json!({"texts": texts}))
        .json();
    assert_eq!(answer["dimensions"], 8);
    assert_eq!(answer["vectors"].as_array().unwrap().len(), 2);
    assert_eq!(answer["truncated"], json!([false, true]));
    assert_eq!(answer["usage"]["input_tokens"], 5 + 512);
    assert_eq!(answer["model"]["publisher"], "acme");
    assert_eq!(answer["is_deterministic"], false);
    for sandbox in answer["sandboxes"].as_array().unwrap() {
        assert!(sandbox["fuel"].as_u64().unwrap() > 0);
        assert!(sandbox["peak_memory_bytes"].as_u64().unwrap() > 0);
        assert!(sandbox["wall_ms"].as_f64().unwrap() > 0.0);
        assert!(sandbox["log"]["messages"].is_array());
    }
    let listed = server.get("/ampoule/v1/models/every-task").json();
    assert_eq!(
        answer["model"]["manifest_sha256"],
        listed["loaded"]["manifest_sha256"]
    );
}

#[test]
fn texts_are_tokenized() {
    let server = SharedServer::get();
    let answer = server
        .post(&path("text-tokenization"), &json!({"texts": ["ab", ""]}))
        .json();
    assert_eq!(
        answer["tokens"][0],
        json!({"ids": [97, 98], "is_truncated": false})
    );
    assert_eq!(answer["tokens"][1]["ids"], json!([]));
    let many = json!({ "texts": vec!["ab"; 1_000] });
    let many = server.post(&path("text-tokenization"), &many).json();
    assert_eq!(many["tokens"].as_array().unwrap().len(), 1_000, "{many}");
}

#[test]
fn pictures_are_embedded_and_classified_from_pixels() {
    let server = SharedServer::get();
    let embedded = server.post(
        &path("image-embedding"),
        &json!({"images": [pixels(), pixels()]}),
    );
    let vectors = embedded.json()["vectors"].clone();
    assert_eq!(vectors.as_array().unwrap().len(), 2);
    assert!(vectors[0][0].as_f64().unwrap() > vectors[0][1].as_f64().unwrap());
    let request = json!({"image": pixels(), "top_k": 2});
    let classified = server.post(&path("image-classification"), &request).json();
    let labels = classified["labels"].as_array().unwrap();
    assert_eq!(labels.len(), 2);
    assert_eq!(labels[0]["name"], "red");
}

#[test]
fn a_picture_file_is_the_same_in_json_and_in_a_form() {
    let server = SharedServer::get();
    let file = std::fs::read(sample_picture()).unwrap();
    let classify = "/ampoule/v1/models/tiny-vlm/image-classification";
    let json = server
        .post(
            classify,
            &json!({"image": STANDARD.encode(&file), "top_k": 3}),
        )
        .json();
    assert_eq!(json["labels"].as_array().unwrap().len(), 3);
    let body = form(&json!({"top_k": 3}), &[&file]);
    let formed = server.post_bytes(classify, &FORM, &body);
    assert_eq!(formed.status, 200, "{}", formed.text());
    assert_eq!(formed.json()["labels"], json["labels"]);

    let generate = "/ampoule/v1/models/tiny-vlm/text-generation";
    let body = form(
        &json!({"prompt": "Is there a star?", "max_output_tokens": 5}),
        &[&file],
    );
    let formed = server.post_bytes(generate, &FORM, &body);
    assert_eq!(formed.status, 200, "{}", formed.text());
    let url = format!("data:image/png;base64,{}", STANDARD.encode(&file));
    let content = json!([{"image": url}, {"text": "Is there a star?"}]);
    let messages = json!([{"role": "user", "content": content}]);
    let request = json!({"messages": messages, "max_output_tokens": 5});
    let json = server.post(generate, &request).json();
    assert_eq!(formed.json()["text"], json["text"]);
    assert!(!json["text"].as_str().unwrap().is_empty());

    let embed = "/ampoule/v1/models/tiny-vlm/image-embedding";
    let two = server.post_bytes(embed, &FORM, &form(&json!({}), &[&file, &file]));
    assert_eq!(
        two.json()["vectors"].as_array().unwrap().len(),
        2,
        "{}",
        two.text()
    );
}

#[test]
fn a_broken_form_is_refused() {
    let server = SharedServer::get();
    let classify = "/ampoule/v1/models/tiny-vlm/image-classification";
    let post = |body: &[u8]| server.post_bytes(classify, &FORM, body);
    assert_refused(&post(b"--b\r\ncontent-dis"), 400, "input.form", None);
    assert_refused(&post(b""), 400, "input.form", None);
    let other = b"--b\r\ncontent-disposition: form-data; name=\"file\"\r\n\r\nx\r\n--b--\r\n";
    assert_refused(&post(other), 400, "input.form", None);
    let two = form(&json!({}), &[b"x", b"x"]);
    assert_refused(&post(&two), 400, "input.invalid", Some("image"));
    let many = form(&json!({}), &[b"x".as_slice(); 40]);
    assert_refused(&post(&many), 400, "input.invalid", Some("image"));
    assert_refused(
        &post(&form(&json!({}), &[])),
        400,
        "input.invalid",
        Some("image"),
    );
    let unknown = form(&json!({"top_q": 1}), &[b"x"]);
    assert_refused(&post(&unknown), 400, "input.invalid", None);
    let none = [("content-type", "multipart/form-data")];
    assert_refused(
        &server.post_bytes(classify, &none, b"x"),
        400,
        "input.form",
        None,
    );
}

#[test]
fn a_generation_is_the_same_streamed_and_whole() {
    let server = SharedServer::get();
    let mut request = json!({"prompt": "one two three four", "max_output_tokens": 3});
    let whole = server.post(&path("text-generation"), &request).json();
    assert_eq!(whole["finish_reason"], "length");
    assert_eq!(
        whole["usage"],
        json!({"input_tokens": 4, "output_tokens": 3})
    );
    request["stream"] = json!(true);
    let streamed = server.post(&path("text-generation"), &request);
    assert_eq!(streamed.header("content-type"), "text/event-stream");
    let text = streamed.text();
    let events = text
        .split_terminator("\n\n")
        .map(|event| serde_json::from_str::<Value>(event.strip_prefix("data: ").unwrap()).unwrap());
    let events: Vec<Value> = events.collect();
    let joined: String = events
        .iter()
        .map(|event| event["text"].as_str().unwrap())
        .collect();
    assert_eq!(joined, whole["text"].as_str().unwrap());
    let (last, pieces) = events.split_last().unwrap();
    assert_eq!(pieces.len(), 3);
    assert_eq!(last["finish_reason"], "length");
    assert_eq!(last["usage"], whole["usage"]);
    assert!(last["sandboxes"][0]["fuel"].as_u64().unwrap() > 0);

    request["prompt"] = Value::Null;
    let refused = server.post(&path("text-generation"), &request);
    assert_refused(&refused, 400, "input.invalid", Some("messages"));
}

#[test]
fn a_picture_at_fault_is_told_by_its_place() {
    let server = SharedServer::get();
    let wrong = json!({"width": 2, "height": 2, "pixels": "AAAA"});
    let right = json!({"width": 1, "height": 1, "pixels": "AAAA"});
    let many = server.post(&path("image-embedding"), &json!({"images": [right, wrong]}));
    assert_refused(&many, 400, "input.invalid", Some("images[1]"));
    let one = server.post(&path("image-classification"), &json!({"image": wrong}));
    assert_refused(&one, 400, "input.invalid", Some("image"));
    let none = server.post(&path("image-embedding"), &json!({"images": []}));
    assert_refused(&none, 400, "input.invalid", Some("images"));
}

#[test]
fn a_call_has_limits_below_those_of_the_model() {
    let server = SharedServer::get();
    let ask = |limits: Value| {
        server.post(
            &path("text-embedding"),
            &json!({"texts": ["a"], "limits": limits}),
        )
    };
    let fuel = ask(json!({"fuel": 1}));
    assert_refused(&fuel, 422, "limit.fuel", None);
    for whose in ["the request", "this server's configuration", "manifest"] {
        assert!(fuel.text().contains(whose), "{}", fuel.text());
    }
    assert_refused(
        &ask(json!({"memory_bytes": 65_536})),
        422,
        "limit.memory",
        None,
    );
    assert_eq!(
        ask(json!({"deadline_ms": 2_999, "fuel": 50_000_000_000_u64})).status,
        200
    );
    for (field, words) in [
        ("memory_bytes", "is 0"),
        ("fuel", "is 0; from 1 to "),
        ("deadline_ms", "is 0ns; from 1ms to "),
    ] {
        let refused = ask(json!({field: 0}));
        let field = format!("limits.{field}");
        assert_refused(&refused, 400, "usage.limits", Some(&field));
        let words = format!("`{field}` {words}");
        assert!(refused.text().contains(&words), "{}", refused.text());
    }
    assert_refused(
        &ask(json!({"memory": 1})),
        400,
        "input.invalid",
        Some("limits"),
    );
}

#[test]
fn a_demand_for_determinism_is_refused_on_a_host_that_does_not_give_it() {
    let server = SharedServer::get();
    let ask = |deterministic: bool| {
        let request = json!({"texts": ["a"], "deterministic": deterministic});
        server.post(&path("text-embedding"), &request)
    };
    assert_refused(&ask(true), 400, "input.unsupported", Some("deterministic"));
    assert_eq!(ask(false).status, 200);
}

#[test]
fn an_unknown_field_is_refused_and_an_unknown_task_is_no_route() {
    let server = SharedServer::get();
    let request = json!({"texts": ["a"], "textz": []});
    let reply = server.post(&path("text-embedding"), &request);
    assert_refused(&reply, 400, "input.invalid", None);
    assert!(
        reply.text().contains("there are texts, limits"),
        "{}",
        reply.text()
    );
    let reply = server.post(&path("text-summary"), &request);
    assert_refused(&reply, 404, "route.unknown", None);
    let reply = server.post(
        "/ampoule/v1/models/nobody/text-embedding",
        &json!({"texts": ["a"]}),
    );
    assert_refused(&reply, 404, "model.unknown", Some("model"));
    let broken = server.post("/ampoule/v1/models/%ff/text-embedding", &request);
    assert_refused(&broken, 404, "model.unknown", Some("model"));
    let slashed = "/ampoule/v1/models/acme%2Fevery-task/text-embedding";
    assert_eq!(server.post(slashed, &json!({"texts": ["a"]})).status, 200);
    let missing = "/ampoule/v1/models/tiny-vlm/text-embedding";
    let reply = server.post(missing, &json!({"texts": ["a"]}));
    assert_refused(&reply, 400, "usage.task", Some("model"));
}

#[test]
fn a_deterministic_host_keeps_the_demand_and_says_so() {
    let operator = Operator::new();
    let bundle = operator.good().write();
    let model = bundle.path().to_str().unwrap();
    let arguments = ["--deterministic", "--model", model];
    let server = Served::start(&mut operator.ampoule(&[]), &arguments);
    let name = server.get("/ampoule/v1/models").json()["models"][0]["name"].clone();
    let path = format!(
        "/ampoule/v1/models/{}/text-generation",
        name.as_str().unwrap()
    );
    let request =
        json!({"prompt": "one two three", "sampling": {"temperature": 1.0}, "deterministic": true});
    let first = server.post(&path, &request);
    assert_eq!(first.status, 200, "{}", first.text());
    let (first, second) = (first.json(), server.post(&path, &request).json());
    assert_eq!(first["is_deterministic"], true);
    assert_eq!(first["text"], second["text"]);
    assert_eq!(
        first["sandboxes"][0]["fuel"],
        second["sandboxes"][0]["fuel"]
    );
}
