//! Vectors by OpenAI's route.

use std::path::Path;
use std::thread;
use std::time::Duration;

use ampoule::Host;
use ampoule_server::ServiceSettings;
use ampoule_tests::{
    BundleBuilder, Operator, Publisher, Reply, Served, ServedHere, SharedServer, block_on,
    png_header, test_guest, wat_guest, workspace_file,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

const PATH: &str = "/v1/embeddings";

/// Asks the shared server's model for texts.
fn ask(fields: &Value) -> Reply {
    let mut body = json!({"model": "every-task", "input": "a text"});
    let fields = fields.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(fields);
    SharedServer::get().post(PATH, &body)
}

#[track_caller]
fn assert_refused(reply: &Reply, param: &str, words: &str) {
    let error = &reply.json()["error"];
    assert_eq!(reply.status, 400, "{error}");
    assert_eq!(error["type"], "invalid_request_error", "{error}");
    assert_eq!(error["param"], param, "{error}");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains(words), "{message}");
}

#[track_caller]
fn vector(item: &Value) -> Vec<f32> {
    let values = item["embedding"].as_array().unwrap();
    let values = values.iter().map(|value| value.as_f64().unwrap() as f32);
    values.collect()
}

#[test]
fn a_text_alone_is_embedded_as_a_list_of_one() {
    let one = ask(&json!({})).json();
    let list = ask(&json!({"input": ["a text"]})).json();
    assert_eq!(one, list);
    assert_eq!(one["object"], "list");
    assert_eq!(one["model"], "every-task");
    assert_eq!(one["usage"], json!({"prompt_tokens": 6, "total_tokens": 6}));
    let item = &one["data"][0];
    assert_eq!(item["object"], "embedding");
    assert_eq!(item["index"], 0);
    assert_eq!(item["embedding"].as_array().unwrap().len(), 8);
    let alias = ask(&json!({"model": "acme/every-task"})).json();
    assert_eq!(alias["model"], "acme/every-task", "as it was asked for");
    assert_eq!(alias["data"], one["data"]);
}

#[test]
fn base64_holds_the_same_numbers_as_the_list() {
    let floats = ask(&json!({"encoding_format": "float"})).json();
    let without = ask(&json!({"encoding_format": null})).json();
    assert_eq!(floats, without);
    let packed = ask(&json!({"encoding_format": "base64"})).json();
    let text = packed["data"][0]["embedding"].as_str().unwrap();
    let bytes = STANDARD.decode(text).unwrap();
    let values: Vec<f32> = bytes
        .chunks_exact(4)
        .map(|four| f32::from_le_bytes(four.try_into().unwrap()))
        .collect();
    assert_eq!(values, vector(&floats["data"][0]));
    for format in ["ubinary", "Float", ""] {
        let refused = ask(&json!({"encoding_format": format}));
        assert_refused(&refused, "encoding_format", "float or base64");
    }
}

#[test]
fn token_ids_are_refused_with_the_setting_that_stops_them() {
    for ids in [json!([15339, 1917]), json!([[15339, 1917], [1]])] {
        let refused = ask(&json!({"input": ids}));
        assert_refused(&refused, "input", "check_embedding_ctx_length=False");
    }
}

#[test]
fn an_input_that_holds_no_texts_is_refused_and_never_an_empty_list() {
    for (input, words) in [
        (json!([]), "the list is empty"),
        (json!(null), "null was found"),
        (json!(1), "a number was found"),
        (json!({"text": "a"}), "an object was found"),
        (json!(["a", null]), "null was found"),
        (json!(["a", {"text": "b"}]), "an object was found"),
        (json!(["a", true]), "a truth value was found"),
        (json!(vec!["a"; 2_049]), "2049 texts found, 2048 allowed"),
    ] {
        assert_refused(&ask(&json!({"input": input})), "input", words);
    }
}

#[test]
fn a_length_is_the_models_own_or_one_that_it_names() {
    assert_eq!(ask(&json!({"dimensions": 8})).status, 200);
    assert_eq!(ask(&json!({"dimensions": null})).status, 200);
    for dimensions in [json!(4), json!(0), json!(9), json!(u64::MAX)] {
        let refused = ask(&json!({"dimensions": dimensions}));
        assert_refused(&refused, "dimensions", "have 8 values and cannot be cut");
    }
    for dimensions in [json!(-1), json!(1.5), json!("8")] {
        let refused = ask(&json!({"dimensions": dimensions}));
        assert_refused(&refused, "dimensions", "`dimensions`");
    }
}

#[test]
fn a_text_that_is_too_long_is_named_before_anything_is_computed() {
    let mut texts = vec!["a".to_owned(); 40];
    texts[33] = "x".repeat(40_000);
    let refused = ask(&json!({"input": texts}));
    assert_refused(
        &refused,
        "input[33]",
        "`input[33]`: a text of 40000 characters",
    );
    assert_eq!(refused.json()["error"]["code"], "context_length_exceeded");
}

#[test]
fn pictures_are_embedded_by_models_that_embed_them() {
    let server = SharedServer::get();
    let circle = std::fs::read(workspace_file("tests/pictures/circle.png")).unwrap();
    let one = data_url(&circle);
    let ask = |input: Value| server.post(PATH, &json!({"model": "tiny-vlm", "input": input}));
    let alone = ask(json!(one)).json();
    assert!(vector(&alone["data"][0]).len() > 8, "{alone}");
    let several = ask(json!([one, one, one])).json();
    let data = several["data"].as_array().unwrap();
    assert_eq!(data.len(), 3);
    for (index, item) in data.iter().enumerate() {
        assert_eq!(item["index"], index);
        assert_eq!(item["embedding"], alone["data"][0]["embedding"]);
    }
    let tokens = |answer: &Value| answer["usage"]["prompt_tokens"].as_u64().unwrap();
    assert_eq!(tokens(&several), 3 * tokens(&alone));

    for (input, words) in [
        ("a text", "put data:image/png;base64, before"),
        ("iVBORw0KGgo=", "put data:image/png;base64, before"),
        ("https://example.org/a.png", "nothing is fetched"),
        ("file:///etc/passwd", "nothing is fetched"),
        ("data:image/png;base64,-", "not base64"),
        ("data:image/png;base64,AAAA", "PNG, JPEG or WebP"),
    ] {
        assert_refused(&ask(json!(input)), "input", words);
    }
    let refused = ask(json!([one, data_url(&png_header(60_000, 60_000))]));
    assert_refused(&refused, "input[1]", "`input[1]`: pixels in one image");
    let refused = ask(json!([one, "data:image/png;base64,-"]));
    assert_refused(&refused, "input[1]", "`input[1]`: the data");
    assert_refused(&ask(json!(vec![one.as_str(); 17])), "input", "images");
}

/// A model of both kinds takes either, by the addresses of pictures. This one says that it does not decode pictures.
#[test]
fn a_model_of_texts_and_pictures_takes_either_and_not_both_at_once() {
    let picture = data_url(&png_header(1, 1));
    let got_it = ask(&json!({"input": [picture, picture]}));
    assert!(
        got_it
            .text()
            .contains("does not do what the request asks for"),
        "{}",
        got_it.text()
    );
    let mixed = ask(&json!({"input": [picture, "a text"]}));
    assert_refused(&mixed, "input", "send them in two");
    let text = ask(&json!({"input": ["data: three of four", "image/png"]}));
    assert_eq!(text.status, 200, "{}", text.text());
}

#[test]
fn a_model_without_the_task_says_what_it_does() {
    let operator = Operator::new();
    let bundle = operator.good().tasks(&["text-generation"]);
    let guest = bundle.component(test_guest("endless_generation")).write();
    let served = Served::models(operator.trust(), &[guest.path()]);
    let reply = served.post(PATH, &json!({"model": name(guest.path()), "input": "a"}));
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert!(reply.text().contains("text-generation"), "{}", reply.text());
}

/// Vectors that no client could use are errors, in both forms, and those that a model may be cut to are cut.
#[test]
fn answers_are_numbers_of_the_asked_length_or_errors() {
    let operator = Operator::new();
    let model = |name: &str, component: Vec<u8>| {
        let bundle: BundleBuilder<'_> = operator.publisher().bundle(component);
        bundle.named(name).write()
    };
    let broken = model("nan", test_guest("nan_values"));
    let empty = model("empty", test_guest("empty_everything"));
    let cut = model("cut", wat_guest("may_be_cut"));
    let served = Served::models(operator.trust(), &[broken.path(), empty.path(), cut.path()]);
    let ask = |bundle: &Path, fields: Value| {
        let mut body = json!({"model": name(bundle), "input": "a"});
        let fields = fields.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(fields);
        served.post(PATH, &body)
    };

    for format in ["float", "base64"] {
        let alone = ask(broken.path(), json!({"encoding_format": format}));
        assert_eq!(alone.status, 500, "{}", alone.text());
        assert_eq!(alone.header("x-should-retry"), "false");
        let error = &alone.json()["error"];
        assert_eq!(error["code"], "guest.answer");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("vector 0"), "{message}");
        let many = ask(
            broken.path(),
            json!({"encoding_format": format, "input": vec!["a"; 100]}),
        );
        let many = many.text();
        assert!(many.contains("`input[0]` to `input[15]`: "), "{many}");
        let none = ask(empty.path(), json!({"encoding_format": format}));
        assert_eq!(none.status, 500, "{}", none.text());
        assert!(
            none.text().contains("vectors without values"),
            "{}",
            none.text()
        );
    }

    let length = |dimensions: u64| ask(cut.path(), json!({"dimensions": dimensions}));
    let values = |reply: &Reply| vector(&reply.json()["data"][0]);
    assert_eq!(values(&length(3)), [3.0, 4.0, 12.0]);
    assert_eq!(values(&length(2)), [0.6, 0.8]);
    assert_eq!(values(&length(1)), [1.0]);
    let packed = ask(
        cut.path(),
        json!({"dimensions": 2, "encoding_format": "base64"}),
    );
    let bytes: Vec<u8> = [0.6_f32, 0.8]
        .into_iter()
        .flat_map(f32::to_le_bytes)
        .collect();
    assert_eq!(
        packed.json()["data"][0]["embedding"],
        STANDARD.encode(bytes)
    );
    for dimensions in [0, 4, 99] {
        assert_refused(&length(dimensions), "dimensions", "can be cut to 1, 2");
    }
}

#[test]
fn a_thousand_texts_come_back_in_order() {
    let texts: Vec<String> = (0..1_000).map(|index| "x".repeat(index % 50)).collect();
    let answer = ask(&json!({"input": texts}));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let document = answer.json();
    let data = document["data"].as_array().unwrap();
    assert_eq!(data.len(), 1_000);
    for (index, item) in data.iter().enumerate() {
        assert_eq!(item["index"], index);
        let alone = &data[index % 50]["embedding"];
        assert_eq!(&item["embedding"], alone, "{index}");
    }
    let tokens: usize = texts.iter().map(String::len).sum();
    assert_eq!(document["usage"]["prompt_tokens"], tokens);
}

/// The guest works on each text for about as long as a small model does, on two threads however many the machine has: a
/// caller who had to wait for the thousand would have one or two answers by their end.
#[test]
fn others_are_answered_while_a_thousand_texts_are_embedded() {
    let acme = Publisher::new("acme");
    let host = Host::builder().trust(acme.trust()).threads(2).build();
    let host = host.unwrap();
    let bundle = acme.bundle(wat_guest("takes_time_for_each_text")).write();
    let model = block_on(host.load(bundle.path())).unwrap();
    let server = ServedHere::start(host, ServiceSettings::default(), model);
    let ask = |texts: usize| {
        let (head, body) = server.post(PATH, &json!({"model": "model", "input": vec!["a"; texts]}));
        assert!(head.starts_with("HTTP/1.0 200 "), "{head} {body}");
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["data"].as_array().unwrap().len(), texts);
    };
    let answered = thread::scope(|scope| {
        let many = scope.spawn(|| ask(1_000));
        while server.counters().running == 0 {
            assert!(!many.is_finished(), "nothing runs");
            thread::sleep(Duration::from_millis(1));
        }
        let mut answered = 0;
        // Each has an answer, so this ends with the thousand at the latest.
        while !many.is_finished() {
            ask(1);
            answered += 1;
        }
        answered
    });
    assert!(answered >= 5, "{answered} answered");
}

fn data_url(bytes: &[u8]) -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(bytes))
}

/// Returns the name that a bundle is served under by its directory.
fn name(bundle: &Path) -> &str {
    bundle.file_stem().unwrap().to_str().unwrap()
}
