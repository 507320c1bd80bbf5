//! Demands on vectors that a model cannot meet: each is refused with as little work as can be, by each family's routes.

use ampoule::Limits;
use ampoule_server::ServiceSettings;
use ampoule_tests::{
    Publisher, ServedHere, SharedServer, block_on, host_with_limits, wat_guest, wat_guest_with,
};
use serde_json::{Value, json};

/// The contract of tokenization, for the guest that has its function.
const TOKENIZATION: &str = r#"
  (type $tokens (record (field "ids" (list u32)) (field "truncated" bool)))
  (func $tokenize (param "texts" (list string)) (result (result (list $tokens) (error $error)))
    (canon lift (core func $guest "tokenize") (memory $memory) (realloc $realloc)))
  (instance $text-tokenization
    (export "error" (type $error)) (export "tokens" (type $tokens))
    (export "tokenize" (func $tokenize)))
  (export "ampoule:model/text-tokenization@0.1.0" (instance $text-tokenization))
"#;

/// Requests of each family with texts, which take no cut text where `whole` is true.
fn requests(texts: &Value, is_whole: bool) -> [(&'static str, Value); 3] {
    let truncate = if is_whole { Value::Null } else { json!(-1) };
    [
        (
            "/v1/embeddings",
            json!({"model": "model", "input": texts, "truncate_prompt_tokens": truncate}),
        ),
        (
            "/api/embed",
            json!({"model": "model", "input": texts, "truncate": !is_whole}),
        ),
        ("/embed", json!({"inputs": texts, "truncate": !is_whole})),
    ]
}

/// Serves the guest that cuts each text, with a tokenizer or without one.
fn served(has_tokenizer: bool) -> ServedHere {
    served_within(Limits::default(), has_tokenizer)
}

/// Serves that guest on a host with these limits.
fn served_within(limits: Limits, has_tokenizer: bool) -> ServedHere {
    let acme = Publisher::new("acme");
    let host = host_with_limits(&acme, limits);
    let bundle = if has_tokenizer {
        let component = wat_guest_with("cuts_each_text", TOKENIZATION);
        let tasks = ["text-embedding", "text-tokenization"];
        acme.bundle(component).tasks(&tasks).write()
    } else {
        acme.bundle(wat_guest("cuts_each_text")).write()
    };
    let model = block_on(host.load(bundle.path())).unwrap();
    ServedHere::start(host, ServiceSettings::default(), model)
}

/// Returns the text of a refusal, and checks its status.
#[track_caller]
fn refusal(server: &ServedHere, path: &str, request: &Value, status: u16) -> String {
    let (head, body) = server.post(path, request);
    let line = head.lines().next().unwrap();
    assert!(
        line.contains(&format!(" {status} ")),
        "{path}: {line}: {body}"
    );
    body
}

#[test]
fn a_length_that_no_vector_of_the_model_has_is_refused_before_a_sandbox_is_made() {
    let server = served(false);
    for asked in [0, 4, 99] {
        for (path, mut request) in requests(&json!(["a"]), false) {
            request["dimensions"] = json!(asked);
            let text = refusal(&server, path, &request, 400);
            let words = format!("3 values and can be cut to 1, 2; {asked} were asked for");
            assert!(text.contains(&words), "{text}");
        }
    }
    assert_eq!(server.counters().requests, 0);
    for (path, mut request) in requests(&json!(["a"]), false) {
        request["dimensions"] = json!(2);
        let (head, body) = server.post(path, &request);
        assert!(head.contains(" 200 "), "{body}");
    }
    assert_eq!(server.counters().requests, 3);
}

#[test]
fn a_text_that_would_be_cut_is_refused_by_the_models_tokenizer_before_any_is_embedded() {
    let server = served(true);
    let mut texts = vec!["a"; 200];
    texts[150] = "a longer text";
    for (index, (path, request)) in requests(&json!(texts), true).iter().enumerate() {
        let status = if *path == "/embed" { 422 } else { 400 };
        let text = refusal(&server, path, request, status);
        let words = "[150]`: the input length exceeds the context length of the model, 4 tokens";
        assert!(text.contains(words), "{text}");
        assert_eq!(server.counters().requests, index as u64 + 1);
    }
}

#[test]
fn a_text_that_was_cut_ends_the_work_on_the_others() {
    let server = served(false);
    let texts = json!(vec!["a"; 1_000]);
    for (path, request) in requests(&texts, true) {
        let status = if path == "/embed" { 422 } else { 400 };
        let before = server.counters().requests;
        let text = refusal(&server, path, &request, status);
        assert!(text.contains("[0]`: the input length exceeds"), "{text}");
        let asked = server.counters().requests - before;
        let cores = std::thread::available_parallelism().unwrap().get() as u64;
        assert!((1..=cores).contains(&asked), "{asked} sandboxes");
    }
    for (path, request) in requests(&texts, false) {
        let (head, body) = server.post(path, &request);
        assert!(head.contains(" 200 "), "{path}: {body}");
    }
}

/// Posts texts to each family, which embeds them, and to the native tokenizer; then to the routes that take no cut text.
#[track_caller]
fn assert_texts_are_taken_apart(server: &ServedHere, texts: &Value) {
    let tokenizer = "/ampoule/v1/models/model/text-tokenization";
    let tokenized = (tokenizer, json!({"texts": texts}));
    for (path, request) in requests(texts, false).into_iter().chain([tokenized]) {
        let (head, body) = server.post(path, &request);
        assert!(head.contains(" 200 "), "{path}: {body}");
    }
    for (path, request) in requests(texts, true) {
        let status = if path == "/embed" { 422 } else { 400 };
        let text = refusal(server, path, &request, status);
        assert!(text.contains("[0]`: the input length exceeds"), "{text}");
        assert_eq!(
            text.contains("context_length_exceeded"),
            path == "/v1/embeddings",
            "{text}"
        );
    }
}

#[test]
fn a_request_has_more_texts_than_the_operator_lets_a_sandbox_have() {
    let limits = Limits {
        texts: 1,
        ..Limits::default()
    };
    let server = served_within(limits, true);
    assert_texts_are_taken_apart(&server, &json!(vec!["some words"; 100]));
}

/// The guest has room for 63 KiB of text, as a slow one has time for some of it.
#[test]
fn a_request_has_more_bytes_of_text_than_a_sandbox_could_read() {
    let server = served(true);
    let text = "漢".repeat(1_000);
    assert_texts_are_taken_apart(&server, &json!(vec![text; 64]));
}

#[test]
fn tokens_come_in_the_order_of_the_texts_from_all_sandboxes() {
    let server = SharedServer::get();
    let lengths: Vec<usize> = (0..300).map(|index| 1 + index * 7 % 300).collect();
    let texts: Vec<String> = lengths.iter().map(|length| "x".repeat(*length)).collect();
    let path = "/ampoule/v1/models/every-task/text-tokenization";
    let answer = server.post(path, &json!({"texts": texts})).json();
    let tokens = answer["tokens"].as_array().unwrap().iter();
    let found: Vec<usize> = tokens
        .map(|tokens| tokens["ids"].as_array().unwrap().len())
        .collect();
    assert_eq!(found, lengths);
    assert!(answer["sandboxes"].as_array().unwrap().len() > 1);
}

#[test]
fn too_many_texts_in_a_turn_are_no_prompt_that_is_too_long() {
    let server = SharedServer::get();
    let part = json!({"type": "text", "text": "a"});
    let message = json!({"role": "user", "content": vec![part; 300]});
    let request = json!({"model": "every-task", "messages": [message]});
    let refused = server.post("/v1/chat/completions", &request);
    assert_eq!(refused.status, 400, "{}", refused.text());
    let error = &refused.json()["error"];
    assert_eq!(error["code"], "input.too-large", "{error}");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("299 found, 256 allowed"), "{message}");
    assert!(!message.contains("context length"), "{message}");
}

#[test]
fn openais_route_refuses_long_texts_and_cuts_them_where_it_is_told_to() {
    let server = SharedServer::get();
    let long = "x".repeat(513);
    let ask = |more: Value| {
        let mut request = json!({"model": "every-task", "input": ["a", long]});
        let more = more.as_object().unwrap().clone();
        request.as_object_mut().unwrap().extend(more);
        server.post("/v1/embeddings", &request)
    };
    let refused = ask(json!({}));
    let error = &refused.json()["error"];
    assert_eq!(refused.status, 400, "{error}");
    assert_eq!(error["code"], "context_length_exceeded");
    assert_eq!(error["param"], "input[1]");
    let message = error["message"].as_str().unwrap();
    for words in [
        "This model's maximum context length is 512 tokens.",
        "truncate_prompt_tokens",
    ] {
        assert!(message.contains(words), "{message}");
    }
    for tokens in [-1, 512] {
        let cut = ask(json!({"truncate_prompt_tokens": tokens}));
        assert_eq!(cut.status, 200, "{}", cut.text());
        assert_eq!(cut.json()["usage"]["prompt_tokens"], 513);
    }
    for tokens in [-2, 0, 4, 513] {
        let refused = ask(json!({"truncate_prompt_tokens": tokens}));
        assert_eq!(refused.json()["error"]["param"], "truncate_prompt_tokens");
    }
}

#[test]
fn a_text_of_more_characters_than_the_server_takes_is_refused_alike_by_every_family() {
    let server = SharedServer::get();
    let texts = json!(["a", "é".repeat(200_000)]);
    let tensor = json!({"name": "texts", "datatype": "BYTES", "shape": [2], "data": texts});
    for (path, request, place, status) in [
        (
            "/v1/embeddings",
            json!({"model": "every-task", "input": texts}),
            "`input[1]`",
            400,
        ),
        (
            "/api/embed",
            json!({"model": "every-task", "input": texts}),
            "`input[1]`",
            400,
        ),
        (
            "/api/embeddings",
            json!({"model": "every-task", "prompt": texts[1]}),
            "`prompt`",
            400,
        ),
        ("/embed", json!({"inputs": texts}), "`inputs[1]`", 422),
        ("/tokenize", json!({"inputs": texts}), "`inputs[1]`", 422),
        (
            "/v2/models/every-task/infer",
            json!({"inputs": [tensor]}),
            "`inputs[0][1]`",
            400,
        ),
        (
            "/ampoule/v1/models/every-task/text-embedding",
            json!({"texts": texts}),
            "`texts[1]`",
            400,
        ),
        (
            "/ampoule/v1/models/every-task/text-tokenization",
            json!({"texts": texts}),
            "`texts[1]`",
            400,
        ),
    ] {
        let refused = server.post(path, &request);
        assert_eq!(refused.status, status, "{path}: {}", refused.text());
        let words = format!(
            "{place}: a text of 200000 characters was found; a text may have 32768 here, and the model reads 512 tokens"
        );
        assert!(refused.text().contains(&words), "{}", refused.text());
    }
}

#[test]
fn a_model_of_pictures_alone_says_where_it_takes_them() {
    let server = SharedServer::get();
    let texts = json!(["a text"]);
    for (path, request) in [
        (
            "/api/embed",
            json!({"model": "tiny-vlm", "input": texts, "dimensions": 1}),
        ),
        ("/embed?model=tiny-vlm", json!({"inputs": texts})),
        (
            "/ampoule/v1/models/tiny-vlm/text-embedding",
            json!({"texts": texts}),
        ),
    ] {
        let refused = server.post(path, &request);
        assert_eq!(refused.status, 400, "{path}: {}", refused.text());
        for words in [
            "image-embedding",
            "/ampoule/v1/models/{name}/{task}",
            "/v1/embeddings takes pictures as data: URIs",
        ] {
            assert!(refused.text().contains(words), "{}", refused.text());
        }
    }
    let refused = server.post(
        "/v1/embeddings",
        &json!({"model": "tiny-vlm", "input": texts}),
    );
    let words = "`input[0]`: a picture is expected as a data: URI";
    assert!(refused.text().contains(words), "{}", refused.text());
    let words = "this model embeds pictures alone";
    assert!(refused.text().contains(words), "{}", refused.text());
}
