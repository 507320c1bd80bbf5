//! Conversations by OpenAI's route. The model `every-task` repeats the last message of the user, in order when greedy and
//! shuffled by the seed otherwise; a picture is the word `[WIDTHxHEIGHT]`.

use std::sync::LazyLock;

use ampoule_tests::{Reply, SharedServer, png_header, stream_events, workspace_file};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

const PATH: &str = "/v1/chat/completions";

/// A `data:` address of a picture of 3 by 2 pixels.
static PICTURE: LazyLock<String> = LazyLock::new(|| {
    let picture = STANDARD.encode(png_header(3, 2));
    format!("data:image/png;base64,{picture}")
});

fn request() -> Value {
    json!({"model": "every-task", "messages": [{"role": "user", "content": "one two three"}]})
}

fn with(fields: &Value) -> Value {
    let mut request = request();
    for (name, value) in fields.as_object().unwrap() {
        request[name] = value.clone();
    }
    request
}

#[track_caller]
fn content(reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{}", reply.text());
    let content = reply.json()["choices"][0]["message"]["content"].clone();
    content.as_str().unwrap().to_owned()
}

#[track_caller]
fn said(server: &SharedServer, messages: &Value) -> String {
    let reply = server.post(PATH, &json!({"model": "every-task", "messages": messages}));
    content(&reply)
}

/// Checks that a request is refused with this code and field, and returns the message.
#[track_caller]
fn refused(reply: &Reply, code: &str, param: &str) -> String {
    let document = reply.json();
    assert_eq!(reply.status, 400, "{document}");
    let error = &document["error"];
    assert_eq!(error["code"], code, "{document}");
    assert_eq!(error["param"], param, "{document}");
    assert_eq!(error["type"], "invalid_request_error");
    assert_eq!(reply.header("x-should-retry"), "false");
    error["message"].as_str().unwrap().to_owned()
}

#[test]
fn an_answer_has_every_member_that_clients_read() {
    let server = SharedServer::get();
    let reply = server.post(PATH, &request());
    assert_eq!(reply.header("content-type"), "application/json");
    let document = reply.json();
    assert!(document["id"].as_str().unwrap().starts_with("chatcmpl-"));
    assert_eq!(document["object"], "chat.completion");
    assert!(document["created"].as_u64().unwrap() > 1_700_000_000);
    assert_eq!(document["model"], "every-task");
    let choice = json!({
        "index": 0,
        "message": {"role": "assistant", "content": "one two three", "refusal": null},
        "logprobs": null,
        "finish_reason": "stop",
    });
    assert_eq!(document["choices"], json!([choice]));
    let usage = json!({"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6});
    assert_eq!(document["usage"], usage);
}

#[test]
fn an_answer_names_the_model_as_it_was_asked_for() {
    let server = SharedServer::get();
    let reply = server.post(PATH, &with(&json!({"model": "acme/every-task"})));
    assert_eq!(reply.json()["model"], "acme/every-task");
}

#[test]
fn null_is_as_good_as_no_field() {
    let server = SharedServer::get();
    let expected = content(&server.post(PATH, &request()));
    for name in [
        "stream",
        "stream_options",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "top_k",
        "seed",
        "stop",
        "n",
        "tools",
        "tool_choice",
        "functions",
        "function_call",
        "response_format",
        "logprobs",
        "top_logprobs",
        "logit_bias",
        "presence_penalty",
        "frequency_penalty",
        "modalities",
        "audio",
        "web_search_options",
        "user",
        "store",
        "metadata",
    ] {
        let reply = server.post(PATH, &with(&json!({ name: null })));
        assert_eq!(content(&reply), expected, "{name}");
    }
    let messages = json!([
        {"role": "assistant", "content": null, "tool_calls": null, "function_call": null, "audio": null, "name": null},
        {"role": "user", "content": [{"type": "text", "text": "one two three", "image_url": null}]},
    ]);
    assert_eq!(said(&server, &messages), expected);
}

#[test]
fn an_answer_ends_before_the_first_stop_string_in_each_form() {
    let server = SharedServer::get();
    for (stop, expected, reason) in [
        (json!("two"), "one ", "stop"),
        (json!(["three", "e two"]), "on", "stop"),
        (json!([]), "one two three", "stop"),
        (json!(""), "one two three", "stop"),
        (json!(["", "w"]), "one t", "stop"),
        (json!("four"), "one two three", "stop"),
    ] {
        let reply = server.post(PATH, &with(&json!({ "stop": stop })));
        assert_eq!(content(&reply), expected, "{stop}");
        assert_eq!(reply.json()["choices"][0]["finish_reason"], reason);
    }
    for (stop, param) in [
        (json!(5), "stop"),
        (json!(["a", 5]), "stop[1]"),
        (json!({}), "stop"),
    ] {
        refused(
            &server.post(PATH, &with(&json!({ "stop": stop }))),
            "input.invalid",
            param,
        );
    }
    let many: Vec<String> = (0..257).map(|index| index.to_string()).collect();
    let reply = server.post(PATH, &with(&json!({ "stop": many })));
    assert_eq!(reply.status, 400, "{}", reply.text());
}

#[test]
fn both_names_of_the_output_limit_limit_the_output() {
    let server = SharedServer::get();
    for fields in [
        json!({"max_tokens": 2}),
        json!({"max_completion_tokens": 2}),
        json!({"max_tokens": 1, "max_completion_tokens": 2}),
        json!({"max_tokens": null, "max_completion_tokens": 2}),
    ] {
        let reply = server.post(PATH, &with(&fields));
        assert_eq!(content(&reply), "one two", "{fields}");
        assert_eq!(reply.json()["choices"][0]["finish_reason"], "length");
        assert_eq!(reply.json()["usage"]["completion_tokens"], 2);
    }
    for name in ["max_tokens", "max_completion_tokens"] {
        for value in [json!(-1), json!("2"), json!(2.5), json!(1_u64 << 32)] {
            refused(
                &server.post(PATH, &with(&json!({ name: value }))),
                "input.invalid",
                name,
            );
        }
    }
}

#[test]
fn unknown_fields_are_ignored_on_top_and_in_messages_and_parts() {
    let server = SharedServer::get();
    let request = json!({
        "model": "every-task",
        "store": true, "metadata": {"a": "b"}, "service_tier": "auto", "user": "u", "reasoning_effort": "low",
        "parallel_tool_calls": false, "stream_options": {"include_obfuscation": false}, "nobody": [1],
        "messages": [{
            "role": "user", "name": "ann", "id": 7, "metadata": {},
            "content": [{"type": "text", "text": "one", "annotations": [], "cache_control": {"type": "ephemeral"}}],
        }],
    });
    assert_eq!(content(&server.post(PATH, &request)), "one");
}

#[test]
fn content_is_a_text_or_a_list_of_parts_in_every_role() {
    let server = SharedServer::get();
    let parts = json!([{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]);
    let last = json!({"role": "user", "content": parts});
    for role in ["system", "developer", "user", "assistant"] {
        for content in [
            json!("text"),
            json!([{"type": "text", "text": "x"}]),
            json!([]),
        ] {
            let messages = json!([{"role": role, "content": content}, last]);
            assert_eq!(said(&server, &messages), "one two", "{role} {content}");
        }
    }
    for assistant in [
        json!({"role": "assistant"}),
        json!({"role": "assistant", "content": null}),
        json!({"role": "assistant", "content": "", "tool_calls": [], "refusal": null}),
        json!({"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}),
    ] {
        assert_eq!(said(&server, &json!([assistant, last])), "one two");
    }
    for (message, param) in [
        (json!({"role": "user"}), "messages[1].content"),
        (
            json!({"role": "system", "content": null}),
            "messages[1].content",
        ),
        (json!({"role": "user", "content": 5}), "messages[1].content"),
        (
            json!({"role": "user", "content": [5]}),
            "messages[1].content[0]",
        ),
        (
            json!({"role": "user", "content": [{"type": "text"}]}),
            "messages[1].content[0].text",
        ),
        (
            json!({"role": "user", "content": [{"type": "text", "text": 5}]}),
            "messages[1].content[0].text",
        ),
        (
            json!({"role": "user", "content": [{"type": "poem", "text": "x"}]}),
            "messages[1].content[0].type",
        ),
        (json!({"content": "x"}), "messages[1].role"),
    ] {
        let reply = server.post(PATH, &with(&json!({"messages": [last, message]})));
        refused(&reply, "input.invalid", param);
    }
    refused(
        &server.post(PATH, &with(&json!({"messages": []}))),
        "input.invalid",
        "messages",
    );
}

#[test]
fn a_role_that_the_model_does_not_know_is_refused_by_the_model() {
    let server = SharedServer::get();
    let reply = server.post(
        PATH,
        &with(&json!({"messages": [{"role": "tool", "content": "x"}]})),
    );
    assert_eq!(reply.status, 400);
    assert_eq!(reply.json()["error"]["code"], "input.role");
}

#[test]
fn pictures_come_as_data_addresses_and_nothing_is_fetched() {
    let server = SharedServer::get();
    let part = |image: &Value| json!({"type": "image_url", "image_url": image});
    let ask = |image: &Value| {
        let content = json!([{"type": "text", "text": "see"}, part(image)]);
        server.post(
            PATH,
            &with(&json!({"messages": [{"role": "user", "content": content}]})),
        )
    };
    let of_responses = json!([
        {"type": "input_text", "text": "see"}, {"type": "input_image", "image_url": *PICTURE},
    ]);
    let messages = json!([{"role": "user", "content": of_responses}]);
    assert_eq!(said(&server, &messages), "see [3x2]");
    for image in [
        json!({"url": *PICTURE}),
        json!({"url": *PICTURE, "detail": "high"}),
        json!({"url": *PICTURE, "detail": null}),
        json!(*PICTURE),
    ] {
        assert_eq!(content(&ask(&image)), "see [3x2]");
    }
    let bare = PICTURE.split_once(',').unwrap().1;
    for url in [
        bare,
        "http://127.0.0.1:9/a.png",
        "https://example.org/a.png",
        "file:///etc/passwd",
    ] {
        let reply = ask(&json!({ "url": url }));
        let message = refused(
            &reply,
            "input.invalid",
            "messages[0].content[1].image_url.url",
        );
        assert!(message.contains("data:"), "{message}");
        let reply = ask(&json!(url));
        refused(&reply, "input.invalid", "messages[0].content[1].image_url");
    }
    for (image, param) in [
        (json!(null), "messages[0].content[1].image_url"),
        (json!({}), "messages[0].content[1].image_url.url"),
        (json!({"url": 5}), "messages[0].content[1].image_url.url"),
        (json!(5), "messages[0].content[1].image_url"),
    ] {
        refused(&ask(&image), "input.invalid", param);
    }
}

#[test]
fn a_field_that_asks_for_what_is_not_done_is_refused_by_name() {
    let server = SharedServer::get();
    let tool = json!({"type": "function", "function": {"name": "f", "parameters": {}}});
    for (name, values) in [
        ("tools", vec![json!([tool])]),
        (
            "tool_choice",
            vec![json!("required"), json!({"type": "function"})],
        ),
        ("functions", vec![json!([{"name": "f"}])]),
        ("function_call", vec![json!({"name": "f"})]),
        (
            "response_format",
            vec![
                json!({"type": "json_object"}),
                json!({"type": "json_schema"}),
                json!("text"),
            ],
        ),
        ("logprobs", vec![json!(true), json!(0), json!(3)]),
        ("top_logprobs", vec![json!(0), json!(5)]),
        ("logit_bias", vec![json!({"50256": -100})]),
        ("presence_penalty", vec![json!(0.5), json!(-2)]),
        ("frequency_penalty", vec![json!(1)]),
        ("modalities", vec![json!(["text", "audio"])]),
        ("audio", vec![json!({"voice": "x"})]),
        ("web_search_options", vec![json!({})]),
    ] {
        for value in values {
            let reply = server.post(PATH, &with(&json!({ name: value })));
            let message = refused(&reply, "input.unsupported", name);
            assert!(
                message.contains(name) && message.contains("leave it out"),
                "{message}"
            );
        }
    }
    let call =
        json!([{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]);
    for (message, param) in [
        (
            json!({"role": "assistant", "content": null, "tool_calls": call}),
            "messages[0].tool_calls",
        ),
        (
            json!({"role": "assistant", "function_call": {"name": "f"}}),
            "messages[0].function_call",
        ),
        (
            json!({"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}),
            "messages[0].content[0]",
        ),
        (
            json!({"role": "user", "content": [{"type": "file", "file": {}}]}),
            "messages[0].content[0]",
        ),
    ] {
        let reply = server.post(PATH, &with(&json!({"messages": [message]})));
        refused(&reply, "input.unsupported", param);
    }
}

#[test]
fn a_field_that_asks_for_nothing_changes_nothing() {
    let server = SharedServer::get();
    let fields = json!({
        "tools": [], "tool_choice": "auto", "functions": [], "function_call": "none",
        "response_format": {"type": "text"}, "logprobs": false, "logit_bias": {}, "presence_penalty": 0,
        "frequency_penalty": 0.0, "modalities": ["text"],
    });
    assert_eq!(content(&server.post(PATH, &with(&fields))), "one two three");
}

#[test]
fn a_seed_is_any_signed_number_of_64_bits_and_makes_an_answer_repeatable() {
    let server = SharedServer::get();
    let mut answers = Vec::new();
    for seed in [json!(-1), json!(0), json!(i64::MIN), json!(i64::MAX)] {
        let words = json!([{"role": "user", "content": "a b c d e f g h i j k l m n o p q r s t"}]);
        let request = with(&json!({"seed": seed, "temperature": 1, "messages": words}));
        let answer = content(&server.post(PATH, &request));
        assert_eq!(content(&server.post(PATH, &request)), answer, "{seed}");
        answers.push(answer);
    }
    answers.sort();
    answers.dedup();
    assert_eq!(answers.len(), 4, "each seed has an answer of its own");
    for seed in [
        json!(9_223_372_036_854_775_808_u64),
        json!(1.5),
        json!("1"),
        json!(1e30),
    ] {
        refused(
            &server.post(PATH, &with(&json!({ "seed": seed }))),
            "input.invalid",
            "seed",
        );
    }
}

#[test]
fn sampling_is_within_its_bounds_and_greedy_by_default() {
    let server = SharedServer::get();
    for fields in [
        json!({}),
        json!({"temperature": 0}),
        json!({"temperature": 2, "top_k": 1}),
        json!({"top_p": 0.5, "top_k": -1}),
        json!({"seed": 3}),
    ] {
        assert_eq!(
            content(&server.post(PATH, &with(&fields))),
            "one two three",
            "{fields}"
        );
    }
    for (name, value) in [
        ("temperature", json!(-0.1)),
        ("temperature", json!("hot")),
        ("temperature", json!(1e39)),
        ("top_p", json!(1.1)),
        ("top_p", json!(-1)),
        ("top_k", json!(-2)),
        ("top_k", json!(1_u64 << 32)),
        ("n", json!(0)),
        ("n", json!(-1)),
        ("stream", json!("yes")),
        ("stream_options", json!(true)),
    ] {
        refused(
            &server.post(PATH, &with(&json!({ name: value }))),
            "input.invalid",
            name,
        );
    }
}

#[test]
fn several_answers_have_seeds_of_their_own_and_the_first_is_the_only_one_of_a_single_answer() {
    let server = SharedServer::get();
    let words = json!([{"role": "user", "content": "a b c d e f g h i j k l m n o p q r s t"}]);
    let ask = |n: u32| {
        let fields = json!({"n": n, "seed": 7, "temperature": 1, "messages": words});
        server.post(PATH, &with(&fields)).json()
    };
    let (one, four) = (ask(1), ask(4));
    assert_eq!(four["choices"][0], one["choices"][0]);
    let choices = four["choices"].as_array().unwrap();
    let mut texts: Vec<_> = choices
        .iter()
        .map(|choice| choice["message"]["content"].to_string())
        .collect();
    for (index, choice) in choices.iter().enumerate() {
        assert_eq!(choice["index"], index);
    }
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), 4);
    let usage = json!({"prompt_tokens": 20, "completion_tokens": 80, "total_tokens": 100});
    assert_eq!(four["usage"], usage, "a prompt counts once");
    let reply = server.post(PATH, &with(&json!({"n": 17})));
    let message = refused(&reply, "input.invalid", "n");
    assert!(
        message.contains("17") && message.contains("16"),
        "{message}"
    );
}

#[test]
fn several_answers_about_a_large_picture_are_each_right_and_also_streamed() {
    let server = SharedServer::get();
    let mut picture = std::fs::read(workspace_file("samples/shapes.png")).unwrap();
    // Bytes after a PNG's end are of the file, and of no picture.
    picture.resize(3 << 20, 0);
    let url = format!("data:image/png;base64,{}", STANDARD.encode(picture));
    let content = json!([
        {"type": "text", "text": "What do you see in the picture?"},
        {"type": "image_url", "image_url": {"url": url}},
    ]);
    let mut request = json!({
        "model": "tiny-vlm", "n": 3, "temperature": 0, "messages": [{"role": "user", "content": content}],
    });
    let seen = "A blue square, a red circle and a yellow star.";
    let whole = server.post(PATH, &request);
    assert_eq!(whole.status, 200, "{}", whole.text());
    let choices = whole.json()["choices"].as_array().unwrap().clone();
    assert_eq!(choices.len(), 3);
    for (index, choice) in choices.iter().enumerate() {
        assert_eq!(choice["index"], index);
        assert_eq!(choice["message"]["content"], seen);
    }
    request["stream"] = json!(true);
    let events = stream_events(&server.post(PATH, &request).text());
    let (_done, chunks) = events.split_last().unwrap();
    let mut streamed = vec![String::new(); 3];
    for chunk in chunks {
        for choice in chunk.json()["choices"].as_array().unwrap() {
            let index = choice["index"].as_u64().unwrap() as usize;
            streamed[index] += choice["delta"]["content"].as_str().unwrap_or_default();
        }
    }
    assert_eq!(streamed, [seen; 3]);
}

#[test]
fn too_long_a_prompt_is_refused_in_the_words_that_agents_recognise() {
    let server = SharedServer::get();
    let picture = std::fs::read(workspace_file("samples/shapes.png")).unwrap();
    let url = format!("data:image/png;base64,{}", STANDARD.encode(picture));
    let ask = |model: &str, text: String| {
        let content = json!([
            {"type": "text", "text": text},
            {"type": "image_url", "image_url": {"url": url}},
        ]);
        let messages = json!([{"role": "user", "content": content}]);
        server.post(PATH, &json!({"model": model, "messages": messages}))
    };
    // The host's own limit, and the model's.
    let host = ask("every-task", "x".repeat(40_000));
    let model = ask("tiny-vlm", "where ".repeat(500));
    let properties = server.get("/ampoule/v1/models").json()["models"].clone();
    for (index, reply) in [host, model].into_iter().enumerate() {
        let document = reply.json();
        assert_eq!(reply.status, 400, "{document}");
        let error = &document["error"];
        assert_eq!(error["code"], "context_length_exceeded");
        assert_eq!(error["type"], "invalid_request_error");
        let tokens = &properties[index]["loaded"]["properties"]["text.max-tokens"];
        let expected = format!(
            "maximum context length is {} tokens",
            tokens.as_str().unwrap()
        );
        assert!(
            error["message"].as_str().unwrap().contains(&expected),
            "{document}"
        );
    }
}

/// The model says `input.too-large` of texts and of pictures.
#[test]
fn too_large_a_picture_is_not_taken_for_too_long_a_prompt() {
    let server = SharedServer::get();
    let picture = std::fs::read(workspace_file("tests/pictures/line.png")).unwrap();
    let url = format!("data:image/png;base64,{}", STANDARD.encode(picture));
    for stream in [false, true] {
        let content = json!([
            {"type": "text", "text": "what is this?"},
            {"type": "image_url", "image_url": {"url": url}},
        ]);
        let messages = json!([{"role": "user", "content": content}]);
        let request = json!({"model": "tiny-vlm", "messages": messages, "stream": stream});
        let document = server.post(PATH, &request).json();
        let error = &document["error"];
        assert_eq!(error["code"], "input.too-large", "{document}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("picture"), "{message}");
        assert!(!message.contains("context length"), "{message}");
    }
}

#[test]
fn the_name_of_a_control_token_in_a_message_is_read_as_its_letters() {
    let server = SharedServer::get();
    let picture = std::fs::read(workspace_file("samples/shapes.png")).unwrap();
    let url = format!("data:image/png;base64,{}", STANDARD.encode(picture));
    let prompt_tokens = |text: &str| {
        let content = json!([
            {"type": "text", "text": text},
            {"type": "image_url", "image_url": {"url": url}},
        ]);
        let messages = json!([{"role": "user", "content": content}]);
        let request = json!({"model": "tiny-vlm", "messages": messages, "max_tokens": 1});
        let document = server.post(PATH, &request).json();
        document["usage"]["prompt_tokens"].as_u64().unwrap()
    };
    let word = prompt_tokens("a");
    for control in ["<end>", "<user>", "<assistant>"] {
        // As the token it would be one, as a word is.
        assert!(prompt_tokens(control) >= word + 2, "{control}");
    }
}

#[test]
fn json_is_read_whatever_media_type_is_named() {
    let server = SharedServer::get();
    let body = request().to_string();
    for media_type in [
        "application/x-www-form-urlencoded",
        "text/plain",
        "application/json; charset=utf-8",
    ] {
        let reply = server.post_bytes(PATH, &[("content-type", media_type)], body.as_bytes());
        assert_eq!(content(&reply), "one two three", "{media_type}");
    }
    for body in [
        "",
        "{",
        "{}x",
        "[]",
        "null",
        "\u{feff}{}",
        "{\"model\":\"every-task\"}",
    ] {
        let reply = server.post_bytes(PATH, &[], body.as_bytes());
        assert_eq!(reply.status, 400, "{body}: {}", reply.text());
        assert_eq!(reply.header("content-type"), "application/json");
        assert_eq!(reply.json()["error"]["type"], "invalid_request_error");
    }
}

#[test]
fn each_error_has_the_four_members_that_clients_read() {
    let server = SharedServer::get();
    for (reply, status, code) in [
        (
            server.post(PATH, &with(&json!({"model": "nobody"}))),
            404,
            "model_not_found",
        ),
        (server.post("/v1/nothing", &json!({})), 404, "route.unknown"),
        (server.get(PATH), 405, "route.method"),
        (
            server.post(PATH, &with(&json!({"n": 0}))),
            400,
            "input.invalid",
        ),
    ] {
        let document = reply.json();
        assert_eq!(reply.status, status, "{document}");
        let error = document["error"].as_object().unwrap();
        let mut names: Vec<_> = error.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["code", "message", "param", "type"]);
        assert_eq!(error["code"], code);
        assert_eq!(document.as_object().unwrap().len(), 1);
        assert_eq!(reply.header("x-should-retry"), "false");
        assert!(!reply.header("x-request-id").is_empty());
    }
}
