//! The routes of text-embeddings-inference.

use ampoule_tests::{Served, SharedServer};
use serde_json::{Value, json};

#[track_caller]
fn embed(request: &Value) -> Vec<Vec<f32>> {
    let answer = SharedServer::get().post("/embed", request);
    assert_eq!(answer.status, 200, "{}", answer.text());
    serde_json::from_value(answer.json()).unwrap()
}

#[track_caller]
fn assert_refused(path: &str, request: &Value, status: u16, kind: &str) {
    let answer = SharedServer::get().post(path, request);
    assert_eq!(answer.status, status, "{request}: {}", answer.text());
    let body = answer.json();
    assert!(body["error"].is_string(), "{body}");
    assert_eq!(body["error_type"], kind, "{body}");
}

#[test]
fn one_text_and_several_are_embedded_into_a_list_of_vectors() {
    let one = embed(&json!({"inputs": "ab"}));
    assert_eq!((one.len(), one[0].len()), (1, 8));
    let several = embed(
        &json!({"inputs": ["b", "ab"], "truncate": null, "prompt_name": null, "dimensions": 8, "truncation_direction": "Right"}),
    );
    assert_eq!(several.len(), 2);
    assert_eq!(several[1], one[0]);
    let length: f32 = one[0].iter().map(|value| value * value).sum();
    assert!((length - 1.0).abs() < 1e-5);
    let many: Vec<String> = (0..1_000).map(|index| index.to_string()).collect();
    assert_eq!(
        embed(&json!({"inputs": many, "normalize": false})).len(),
        1_000
    );
}

#[test]
fn a_text_that_is_too_long_is_cut_unless_the_request_refuses_that() {
    let long = "a".repeat(513);
    assert_eq!(embed(&json!({"inputs": long})).len(), 1);
    assert_eq!(embed(&json!({"inputs": long, "truncate": true})).len(), 1);
    assert_refused(
        "/embed",
        &json!({"inputs": ["a", long], "truncate": false}),
        422,
        "Validation",
    );
    assert_refused("/tokenize", &json!({"inputs": long}), 422, "Validation");
}

/// Clients of hosted models, such as `huggingface_hub`, post to the address itself.
#[test]
fn texts_are_embedded_at_the_address_itself_as_at_embed() {
    let server = SharedServer::get();
    let request = json!({"inputs": ["b", "ab"], "normalize": true});
    let root = server.post("/", &request);
    assert_eq!(root.status, 200, "{}", root.text());
    assert_eq!(root.json(), server.post("/embed", &request).json());
    let named = server.post("/?model=acme%2Fevery-task", &request);
    assert_eq!(named.json(), root.json());
    assert_refused("/", &json!({"inputs": []}), 400, "Empty");
    assert_refused("/", &json!({"input": "a"}), 400, "Validation");
    assert_refused("/invocations", &request, 404, "Validation");
    assert_eq!(server.get("/").text(), "Ollama is running");
}

#[test]
fn tokens_are_a_list_for_each_text() {
    let server = SharedServer::get();
    for (inputs, expected) in [
        (json!("ab"), json!([[{"id": 97}, {"id": 98}]])),
        (json!(["a", ""]), json!([[{"id": 97}], []])),
    ] {
        let answer = server.post(
            "/tokenize",
            &json!({"inputs": inputs, "add_special_tokens": true}),
        );
        assert_eq!(answer.json(), expected);
    }
}

#[test]
fn refusals_have_the_status_and_the_word_of_their_kind() {
    let many = vec!["a"; 2_049];
    for path in ["/embed", "/tokenize"] {
        assert_refused(path, &json!({"inputs": many}), 422, "Validation");
        assert_refused(path, &json!({"inputs": []}), 400, "Empty");
        assert_refused(path, &json!({"inputs": [[1, 2]]}), 400, "Validation");
        assert_refused(path, &json!({"inputs": [1]}), 400, "Validation");
        assert_refused(path, &json!({"inputs": null}), 400, "Validation");
        assert_refused(path, &json!({}), 400, "Validation");
        assert_refused(
            path,
            &json!({"inputs": "a", "prompt_name": "query"}),
            400,
            "Validation",
        );
        assert_refused(
            &format!("{path}?model=nobody"),
            &json!({"inputs": "a"}),
            404,
            "Validation",
        );
    }
    assert_refused(
        "/embed",
        &json!({"inputs": "a", "truncation_direction": "Left"}),
        400,
        "Validation",
    );
    assert_refused(
        "/embed",
        &json!({"inputs": "a", "dimensions": 4}),
        400,
        "Validation",
    );
    assert_refused(
        "/tokenize",
        &json!({"inputs": "a", "add_special_tokens": false}),
        400,
        "Validation",
    );
    assert_refused(
        "/embed?model=tiny-vlm",
        &json!({"inputs": "a"}),
        400,
        "Validation",
    );
    assert_refused(
        "/rerank",
        &json!({"query": "a", "texts": ["b"]}),
        404,
        "Validation",
    );
}

#[test]
fn the_first_model_that_does_the_task_answers_unless_another_is_named() {
    let server = SharedServer::get();
    let info = server.get("/info").json();
    assert_eq!(info["model_id"], "every-task");
    assert_eq!(info["max_input_length"], 512);
    assert_eq!(info["max_client_batch_size"], 2_048);
    assert_eq!(info["model_sha"].as_str().unwrap().len(), 64);
    assert_eq!(server.get("/info?model=acme%2Fevery-task").json(), info);
    assert_eq!(server.get("/info?model=tiny-vlm").status, 400);
    let other = server.post("/tokenize?model=tiny-vlm", &json!({"inputs": "a"}));
    assert_eq!(other.status, 200, "{}", other.text());
    assert_ne!(other.json(), json!([[{"id": 97}]]));
    let health = server.get("/health");
    assert_eq!((health.status, health.body.len()), (200, 0));
}

#[test]
fn a_server_without_a_model_for_the_task_says_so() {
    let server = Served::built_in();
    let answer = server.post("/embed", &json!({"inputs": "a"}));
    assert_eq!(answer.status, 400);
    assert!(
        answer.text().contains("text-embedding"),
        "{}",
        answer.text()
    );
    assert_eq!(
        server.post("/tokenize", &json!({"inputs": "a"})).status,
        200
    );
    assert_eq!(server.get("/health").status, 200);
}
