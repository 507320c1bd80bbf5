//! The Open Inference Protocol in JSON: state, metadata, every task, and refusals.

use ampoule_tests::ampoule;
use ampoule_tests::picture_base64;
use ampoule_tests::{Operator, Served, SharedServer};
use serde_json::{Value, json};

const INFER: &str = "/v2/models/every-task/infer";

fn texts(texts: &[&str]) -> Value {
    json!({"name": "texts", "datatype": "BYTES", "shape": [texts.len()], "data": texts})
}

/// Two pictures of one pixel, red and blue.
fn pixels() -> Value {
    json!({"name": "pixels", "datatype": "UINT8", "shape": [2, 1, 1, 3], "data": [[[[255, 0, 0]]], [[[0, 0, 255]]]]})
}

fn infer(model: &str, request: &Value) -> Value {
    let answer = SharedServer::get().post(&format!("/v2/models/{model}/infer"), request);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("inference-header-content-length"), "");
    answer.json()
}

fn output<'a>(answer: &'a Value, name: &str) -> &'a Value {
    let outputs = answer["outputs"].as_array().unwrap();
    outputs
        .iter()
        .find(|output| output["name"] == name)
        .unwrap_or_else(|| panic!("{answer}"))
}

/// Asserts that a request is refused with a text as the error and never as something to repeat.
#[track_caller]
fn assert_refused(request: &Value, words: &str) {
    let answer = SharedServer::get().post(INFER, request);
    assert_eq!(answer.status, 400, "{request}: {}", answer.text());
    assert_eq!(answer.header("x-should-retry"), "false");
    let error = answer.json()["error"].as_str().unwrap().to_owned();
    assert!(error.contains(words), "{request}: {error}");
}

#[test]
fn health_is_a_status_with_an_empty_body() {
    let server = SharedServer::get();
    for path in [
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models/every-task/ready",
        "/v2/models/every-task/versions/1/ready",
        "/v2/models/every-task/versions/1.0.0/ready",
        "/v2/models/acme/every-task/ready",
    ] {
        let answer = server.get(path);
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{path}");
    }
}

#[test]
fn a_server_whose_model_is_not_up_is_live_and_not_ready() {
    let operator = Operator::new();
    let mut command = ampoule();
    command.arg("--trust").arg(operator.trust());
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent");
    std::fs::create_dir(&absent).unwrap();
    let server = Served::listening(&mut command, &["--model", absent.to_str().unwrap()]);
    assert_eq!(server.get("/v2/health/live").status, 200);
    for path in ["/v2/health/ready", "/v2/models/absent/ready"] {
        let answer = server.get(path);
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.json()["error"].is_string(), "{path}");
    }
    assert_eq!(
        server.get("/v2/models/stats").json(),
        json!({"model_stats": []})
    );
    let index = server.post_bytes("/v2/repository/index", &[], b"").json();
    assert_eq!(index[0]["name"], "absent");
    assert_ne!(index[0]["state"], "READY");
    assert_eq!(server.get("/health").status, 503);
    let embed = server.post("/embed", &json!({"inputs": "a"}));
    assert_eq!(
        embed.status, 503,
        "nobody knows yet whether that model embeds texts"
    );
    assert_eq!(embed.json()["error_type"], "Unhealthy");
}

#[test]
fn a_path_below_a_model_that_is_no_route_is_not_taken_for_a_model() {
    let server = SharedServer::get();
    for path in [
        "/v2/models/every-task/config",
        "/v2/models/acme/every-task/config",
        "/v2/models/every-task/trace/setting",
        "/v2/models/every-task/versions/1/config",
    ] {
        for answer in [server.get(path), server.post(path, &json!({}))] {
            assert_eq!(answer.status, 404, "{path}: {}", answer.text());
            assert!(answer.text().contains("no such route"), "{}", answer.text());
        }
    }
    let unknown = server.get("/v2/models/nobody/config").text();
    assert!(unknown.contains("model was not found"), "{unknown}");
}

#[test]
fn a_refused_version_is_told_each_version_that_is_served() {
    let refused = SharedServer::get().get("/v2/models/every-task/versions/7");
    let text = refused.text();
    assert!(
        text.contains("1.0.0") && text.contains("version 1;"),
        "{text}"
    );
}

#[test]
fn an_id_of_more_than_256_characters_is_refused() {
    let server = SharedServer::get();
    for (length, status) in [(256, 200), (257, 400)] {
        let task = json!({"task": "text-embedding"});
        let id = "é".repeat(length);
        let body = json!({"id": id, "parameters": task, "inputs": [texts(&["a"])]});
        let answer = server.post(INFER, &body);
        assert_eq!(answer.status, status, "{}", answer.text());
        let is_named = answer.text().contains("`id`: at most 256 characters");
        assert_eq!(is_named, status == 400, "{}", answer.text());
    }
}

#[test]
fn every_refusal_is_json_with_a_text_as_its_error() {
    let server = SharedServer::get();
    let body = json!({"inputs": [texts(&["a"])]});
    for (status, answer) in [
        (404, server.get("/v2/nothing")),
        (404, server.get("/v2/models/nobody")),
        (404, server.get("/v2/models/nobody/ready")),
        (404, server.get("/v2/models/nobody/stats")),
        (404, server.post("/v2/models/nobody/infer", &body)),
        (404, server.get("/v2/models/every-task/versions/2")),
        (404, server.get("/v2/models/every-task/versions/2/ready")),
        (
            404,
            server.post("/v2/models/every-task/versions/2/infer", &body),
        ),
        (404, server.get("/v2/models/%ff/ready")),
        (404, server.get("/v2/models/every-task/%2e%2e/ready")),
        (405, server.get(INFER)),
        (405, server.post("/v2/models/every-task/ready", &body)),
        (405, server.post("/v2", &body)),
        (400, server.post_bytes(INFER, &[], b"{")),
        (400, server.post_bytes(INFER, &[], b"")),
        (400, server.post_bytes(INFER, &[], b"{} {}")),
        (
            415,
            server.post_bytes(INFER, &[("content-encoding", "br")], b"{}"),
        ),
    ] {
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(answer.header("content-type"), "application/json");
        assert!(answer.json()["error"].is_string(), "{}", answer.text());
        assert_eq!(answer.header("allow").is_empty(), status != 405);
    }
    assert_eq!(server.get(INFER).header("allow"), "POST");
}

#[test]
fn the_server_and_each_model_describe_themselves() {
    let server = SharedServer::get();
    let own = server.get("/v2").json();
    assert_eq!(own["name"], "ampoule");
    assert_eq!(
        own["extensions"],
        json!(["binary_tensor_data", "parameters", "statistics"])
    );

    let model = server.get("/v2/models/every-task").json();
    assert_eq!(model["name"], "every-task");
    assert_eq!(model["versions"], json!(["1", "1.0.0"]));
    let named = |tensors: &Value, name: &str| {
        let tensors = tensors.as_array().unwrap();
        let found: Vec<_> = tensors
            .iter()
            .filter(|tensor| tensor["name"] == name)
            .collect();
        assert_eq!(found.len(), 1, "{name}");
        found[0].clone()
    };
    for name in ["texts", "images", "pixels", "image", "prompt", "system"] {
        named(&model["inputs"], name);
    }
    let pixels = named(&model["inputs"], "pixels");
    assert_eq!(pixels["datatype"], "UINT8");
    assert_eq!(pixels["shape"], json!([-1, -1, -1, 3]));
    let texts = named(&model["inputs"], "texts");
    assert_eq!(
        texts["parameters"]["tasks"],
        "text-embedding,text-tokenization"
    );
    for name in [
        "embeddings",
        "truncated",
        "labels",
        "scores",
        "ids",
        "lengths",
        "text",
        "finish_reason",
    ] {
        named(&model["outputs"], name);
    }
    for path in [
        "/v2/models/acme/every-task",
        "/v2/models/acme%2Fevery-task",
        "/v2/models/acme/every-task/versions/1",
    ] {
        assert_eq!(server.get(path).json()["name"], "acme/every-task", "{path}");
    }
    let index = server
        .post("/v2/repository/index", &json!({"ready": true}))
        .json();
    assert_eq!(
        index[0],
        json!({"name": "every-task", "version": "1.0.0", "state": "READY", "reason": ""})
    );
}

#[test]
fn texts_are_embedded_and_the_answer_is_json_without_a_word_about_it() {
    let request = json!({"id": "seven", "inputs": [texts(&["a", "b", "a"])]});
    // No media type, as tritonclient sends none.
    let answer = SharedServer::get().post_bytes(INFER, &[], &serde_json::to_vec(&request).unwrap());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = answer.json();
    assert_eq!(answer["id"], "seven");
    assert_eq!(answer["model_name"], "every-task");
    assert_eq!(answer["model_version"], "1.0.0");
    assert_eq!(
        answer["parameters"],
        json!({"task": "text-embedding", "input_tokens": 3, "output_tokens": 0})
    );
    let embeddings = output(&answer, "embeddings");
    assert_eq!(embeddings["datatype"], "FP32");
    assert_eq!(embeddings["shape"], json!([3, 8]));
    let values = embeddings["data"].as_array().unwrap();
    // The guest counts bytes modulo 8: `a` is 97 and `b` is 98.
    let ones: Vec<usize> = (0..24).filter(|index| values[*index] == 1.0).collect();
    assert_eq!(ones, [1, 10, 17]);
    assert_eq!(
        output(&answer, "truncated")["data"],
        json!([false, false, false])
    );
}

#[test]
fn a_thousand_texts_are_one_request() {
    let many: Vec<String> = (0..1_000).map(|index| "x".repeat(index % 7)).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let answer = infer(
        "every-task",
        &json!({"inputs": [texts(&many)], "outputs": [{"name": "truncated"}]}),
    );
    assert_eq!(answer["outputs"].as_array().unwrap().len(), 1);
    assert_eq!(output(&answer, "truncated")["shape"], json!([1_000]));
    let answer = infer(
        "every-task",
        &json!({"parameters": {"task": "text-tokenization"}, "inputs": [texts(&many)]}),
    );
    assert_eq!(output(&answer, "lengths")["data"][6], 6);
    assert_eq!(output(&answer, "lengths")["data"][999], 999 % 7);
}

#[test]
fn texts_are_tokenized_when_the_task_or_its_outputs_are_asked_for() {
    for request in [
        json!({"parameters": {"task": "text-tokenization"}, "inputs": [texts(&["ab", "", "c"])]}),
        json!({"inputs": [texts(&["ab", "", "c"])], "outputs": [{"name": "ids"}, {"name": "lengths"}]}),
    ] {
        let answer = infer("every-task", &request);
        assert_eq!(answer["parameters"], json!({"task": "text-tokenization"}));
        assert_eq!(output(&answer, "ids")["data"], json!([97, 98, 99]));
        assert_eq!(output(&answer, "lengths")["data"], json!([2, 0, 1]));
    }
}

#[test]
fn pixels_are_embedded_and_classified() {
    let answer = infer("every-task", &json!({"inputs": [pixels()]}));
    assert_eq!(answer["parameters"]["task"], "image-embedding");
    let embeddings = output(&answer, "embeddings");
    assert_eq!(embeddings["shape"], json!([2, 3]));
    assert_eq!(embeddings["data"], json!([1.0, 0.0, 0.0, 0.0, 0.0, 1.0]));

    let green =
        json!({"name": "pixels", "datatype": "UINT8", "shape": [1, 1, 3], "data": [0, 255, 0]});
    let answer = infer(
        "every-task",
        &json!({"inputs": [green], "outputs": [{"name": "scores"}, {"name": "labels"}], "parameters": {"top_k": 2}}),
    );
    assert_eq!(
        answer["outputs"][0]["name"], "scores",
        "in the order in which they are asked for"
    );
    assert_eq!(output(&answer, "labels")["data"][0], "green");
    assert_eq!(output(&answer, "labels")["shape"], json!([2]));
    assert_eq!(output(&answer, "scores")["data"], json!([1.0, 0.0]));
}

#[test]
fn picture_files_are_read_from_base64() {
    let images =
        json!({"name": "images", "datatype": "BYTES", "shape": [1], "data": [picture_base64()]});
    let answer = infer("tiny-vlm", &json!({"inputs": [images]}));
    assert_eq!(answer["parameters"]["task"], "image-embedding");
    assert_eq!(output(&answer, "embeddings")["shape"][0], 1);

    let image = json!({"name": "image", "datatype": "BYTES", "shape": [1], "data": [format!("data:image/png;base64,{}", picture_base64())]});
    let answer = infer(
        "tiny-vlm",
        &json!({"inputs": [image], "parameters": {"top_k": 1}}),
    );
    assert_eq!(answer["parameters"]["task"], "image-classification");
    assert_eq!(output(&answer, "labels")["shape"], json!([1]));

    let images =
        json!({"name": "images", "datatype": "BYTES", "shape": [1], "data": [picture_base64()]});
    let prompt =
        json!({"name": "prompt", "datatype": "BYTES", "shape": [1], "data": ["what is this?"]});
    let answer = infer(
        "tiny-vlm",
        &json!({"inputs": [prompt, images], "parameters": {"max_tokens": 4}}),
    );
    assert_eq!(answer["parameters"]["task"], "text-generation");
    assert!(
        output(&answer, "output_tokens")["data"][0]
            .as_u64()
            .unwrap()
            <= 4
    );
}

#[test]
fn prompts_are_continued_with_the_parameters_of_the_request() {
    let prompts = |prompts: &[&str]| json!({"name": "prompt", "datatype": "BYTES", "shape": [prompts.len(), 1], "data": prompts});
    let answer = infer(
        "every-task",
        &json!({"inputs": [prompts(&["one two three", "four"])], "parameters": {"max_tokens": 2}}),
    );
    assert_eq!(output(&answer, "text")["data"], json!(["one two", "four"]));
    assert_eq!(
        output(&answer, "finish_reason")["data"],
        json!(["length", "stop"])
    );
    assert_eq!(output(&answer, "input_tokens")["data"], json!([3, 1]));
    assert_eq!(output(&answer, "output_tokens")["data"], json!([2, 1]));
    assert_eq!(answer["parameters"]["output_tokens"], 3);

    for stop in [json!("three"), json!(["three"])] {
        let answer = infer(
            "every-task",
            &json!({"inputs": [prompts(&["one two three"])], "parameters": {"stop": stop}}),
        );
        assert_eq!(
            output(&answer, "finish_reason")["data"],
            json!(["stop-string"])
        );
    }
    let seeded = |seed: i64| {
        let parameters = json!({"temperature": 1, "top_p": 0.9, "top_k": 0, "seed": seed});
        let answer = infer(
            "every-task",
            &json!({"inputs": [prompts(&["a b c d e f g h"])], "parameters": parameters}),
        );
        output(&answer, "text")["data"][0].clone()
    };
    assert_eq!(seeded(-1), seeded(-1));
    assert_ne!(seeded(-1), seeded(1));
    let system = json!({"name": "system", "datatype": "BYTES", "shape": [1], "data": ["be brief"]});
    let answer = infer(
        "every-task",
        &json!({"inputs": [prompts(&["hello"]), system]}),
    );
    assert_eq!(output(&answer, "input_tokens")["data"], json!([3]));
}

#[test]
fn a_parameter_that_the_task_has_not_is_refused_by_its_name() {
    let with = |name: &str| {
        let parameters = serde_json::Map::from_iter([(name.to_owned(), json!(1))]);
        json!({"inputs": [texts(&["a"])], "parameters": parameters})
    };
    for (name, words) in [
        (
            "top_k",
            "`parameters.top_k`: text-embedding has no such parameter; it knows task, ",
        ),
        ("sequence_id", "`parameters.sequence_id`: "),
    ] {
        assert_refused(&with(name), words);
    }
    let long = with(&"\u{202e}\n".repeat(9_999));
    let refused = SharedServer::get().post(INFER, &long).text();
    assert!(refused.len() < 1_000, "{refused}");
    assert!(!refused.contains('\u{202e}'), "{refused}");
}

/// A picture or a text in a tensor is told by the tensor's place and its own, whichever sandbox refuses it.
#[test]
fn an_element_at_fault_is_told_by_its_place() {
    let mut many = vec!["a".to_owned(); 40];
    many[33] = "x".repeat(40_000);
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_refused(
        &json!({"inputs": [texts(&many)]}),
        "`inputs[0][33]`: a text of 40000",
    );
    let files = json!({"name": "images", "datatype": "BYTES", "shape": [2], "data": ["AAAA", "-"]});
    assert_refused(
        &json!({"inputs": [files]}),
        "`inputs[0][1]`: a picture is expected in base64",
    );
}

#[test]
fn a_shape_that_does_not_fit_its_data_is_refused_without_overflow() {
    let shaped = |shape: Value| json!({"inputs": [{"name": "texts", "datatype": "BYTES", "shape": shape, "data": ["a", "b"]}]});
    for (shape, words) in [
        (json!([3]), "has 3 elements, and the data has 2"),
        (json!([1, 1]), "has 1 elements"),
        (json!([]), "has 1 elements"),
        (json!([-1]), "shape"),
        (json!("2"), "shape"),
        (json!(null), "shape"),
        (json!([2.5]), "shape"),
        (json!(["2"]), "shape"),
        (json!([u64::MAX, 2]), "more elements than can be counted"),
        (
            json!([1_u64 << 32, 1_u64 << 32, 2]),
            "more elements than can be counted",
        ),
        (json!([2, 1, 1]), "shape [n] is expected"),
        (json!(vec![1; 17]), "at most 16"),
    ] {
        assert_refused(&shaped(shape), words);
    }
    let pixels = |shape: Value| json!({"inputs": [{"name": "pixels", "datatype": "UINT8", "shape": shape, "data": []}]});
    for (shape, words) in [
        (json!([0, 1, 1, 3]), "0 pictures found"),
        (json!([1, 0, 0, 3]), "of at least one pixel"),
        (
            json!([1_000_000_000_u64, 0, 0, 3]),
            "1000000000 pictures found",
        ),
        (json!([0]), "[pictures, height, width, 3] is expected"),
    ] {
        assert_refused(&pixels(shape), words);
    }
}

#[test]
fn a_tensor_of_the_wrong_kind_is_refused_with_the_kind_that_is_expected() {
    let one = |name: &str, datatype: &str, data: Value| json!({"inputs": [{"name": name, "datatype": datatype, "shape": [1], "data": data}]});
    assert_refused(&one("texts", "FP32", json!([1.5])), "BYTES is expected");
    assert_refused(&one("texts", "FP16", json!([1.5])), "binary extension");
    assert_refused(&one("texts", "BF16", json!([1.5])), "binary extension");
    assert_refused(&one("texts", "STRING", json!(["a"])), "datatype");
    assert_refused(&one("texts", "BYTES", json!([1])), "texts are expected");
    assert_refused(&one("texts", "BYTES", json!("a")), "list");
    assert_refused(&one("texts", "BYTES", json!(null)), "neither");
    assert_refused(
        &one("images", "BYTES", json!(["https://example.com/a.png"])),
        "a picture is expected in base64",
    );
    for value in [
        json!(256),
        json!(-1),
        json!(1.5),
        json!("1"),
        json!(true),
        json!(null),
    ] {
        let pixels = json!({"name": "pixels", "datatype": "UINT8", "shape": [1, 1, 3], "data": [0, 0, value]});
        assert_refused(&json!({"inputs": [pixels]}), "from 0 to 255");
    }
}

#[test]
fn names_that_no_task_has_are_refused_and_the_tasks_are_listed() {
    assert_refused(
        &json!({"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["a"]}]}),
        "text-embedding (texts",
    );
    assert_refused(&json!({"inputs": []}), "text-embedding (texts");
    assert_refused(
        &json!({"inputs": [texts(&["a"])], "outputs": [{"name": "labels"}]}),
        "image-classification",
    );
    assert_refused(
        &json!({"inputs": [texts(&["a"]), texts(&["b"])]}),
        "already",
    );
    assert_refused(
        &json!({"inputs": [texts(&["a"])], "outputs": [{"name": "embeddings"}, {"name": "embeddings"}]}),
        "already",
    );
    assert_refused(
        &json!({"inputs": [texts(&["a"])], "parameters": {"task": "text-generation"}}),
        "no such input",
    );
    assert_refused(
        &json!({"inputs": [texts(&["a"])], "parameters": {"task": "speech"}}),
        "`task`",
    );
    assert_refused(
        &json!({"inputs": [texts(&["a"])], "parameters": {"max_tokens": 4}}),
        "knows task",
    );
    assert_refused(
        &json!({"inputs": [texts(&["a"])], "parameters": {"sequence_id": 1}}),
        "knows task",
    );
    assert_refused(
        &json!({"inputs": [texts(&["a"])], "outputs": [{"name": "embeddings", "parameters": {"classification": 3}}]}),
        "classes",
    );
    assert_refused(
        &json!({"inputs": [pixels()], "parameters": {"task": "image-classification"}}),
        "one picture",
    );
    let prompt = json!({"name": "prompt", "datatype": "BYTES", "shape": [2], "data": ["a", "b"]});
    assert_refused(&json!({"inputs": [prompt, pixels()]}), "one prompt");
}

#[test]
fn a_timeout_bounds_the_request_and_is_not_worth_repeating() {
    let request =
        json!({"inputs": [texts(&["a"])], "parameters": {"timeout": 5_000_000, "priority": 1}});
    infer("every-task", &request);
    assert_refused(
        &json!({"inputs": [texts(&["a"])], "parameters": {"timeout": "soon"}}),
        "microseconds",
    );
    assert_refused(
        &json!({"inputs": [texts(&["a"])], "parameters": {"timeout": 1}}),
        "`timeout` is 1µs; from 1ms to ",
    );
}

#[test]
fn statistics_count_what_was_inferred_and_how_long_it_took() {
    let operator = Operator::new();
    let bundle = operator.good().write();
    let server = Served::models(operator.trust(), &[bundle.path()]);
    let name = server.get("/v1/models").json()["data"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let statistics = |path: &str| server.get(path).json()["model_stats"][0].clone();
    let path = format!("/v2/models/{name}/stats");
    let before = statistics(&path);
    assert_eq!(
        (&before["inference_count"], &before["last_inference"]),
        (&json!(0), &json!(0))
    );

    let infer = format!("/v2/models/{name}/infer");
    for count in [1, 3, 3] {
        let answer = server.post(&infer, &json!({"inputs": [texts(&vec!["a"; count])]}));
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let refused = server.post(&infer, &json!({"inputs": [texts(&[])]}));
    assert_eq!(refused.status, 400);
    let _ = server.post(
        "/v2/models/nobody/infer",
        &json!({"inputs": [texts(&["a"])]}),
    );

    let after = statistics(&path);
    assert_eq!(after["name"], name.as_str());
    assert_eq!(after["version"], "1.0.0");
    assert_eq!(after["inference_count"], 7);
    assert!(after["execution_count"].as_u64().unwrap() >= 3);
    assert!(after["last_inference"].as_u64().unwrap() > 1_700_000_000_000);
    let stats = &after["inference_stats"];
    for kind in [
        "success",
        "compute_input",
        "compute_infer",
        "compute_output",
        "queue",
    ] {
        assert_eq!(stats[kind]["count"], 3, "{kind}");
    }
    assert_eq!(stats["fail"]["count"], 1);
    for kind in [
        "success",
        "fail",
        "compute_input",
        "compute_infer",
        "compute_output",
    ] {
        assert!(stats[kind]["ns"].as_u64().unwrap() > 0, "{kind}");
    }
    let sizes: Vec<_> = after["batch_stats"]
        .as_array()
        .unwrap()
        .iter()
        .map(|batch| {
            (
                batch["batch_size"].as_u64().unwrap(),
                batch["compute_infer"]["count"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(sizes, [(1, 1), (3, 2)]);
    assert_eq!(
        server.get("/v2/models/stats").json()["model_stats"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(statistics("/v2/models/stats"), after);
    assert_eq!(
        statistics(&format!("/v2/models/{name}/versions/1/stats")),
        after
    );
}
