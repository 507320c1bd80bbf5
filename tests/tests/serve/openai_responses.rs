//! Responses by OpenAI's route, whole and streamed.

use std::time::Duration;

use ampoule::Limits;
use ampoule_server::ServiceSettings;
use ampoule_tests::{
    Publisher, Reply, ServedHere, SharedServer, StreamEvent, block_on, host_with_limits,
    png_header, stream_events, test_guest, workspace_file,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

const PATH: &str = "/v1/responses";

/// Asks the model that repeats the last message of the user.
fn ask(fields: &Value) -> Reply {
    let mut body = json!({"model": "every-task", "input": "one two three"});
    let fields = fields.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(fields);
    SharedServer::get().post(PATH, &body)
}

#[track_caller]
fn answer(fields: &Value) -> Value {
    let reply = ask(fields);
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

/// Returns the text of a response as OpenAI's libraries find it.
#[track_caller]
fn text(response: &Value) -> String {
    assert_eq!(response["object"], "response", "{response}");
    let output = response["output"].as_array().unwrap();
    let messages = output.iter().filter(|item| item["type"] == "message");
    let parts = messages.flat_map(|item| item["content"].as_array().unwrap());
    let texts = parts.filter(|part| part["type"] == "output_text");
    texts.map(|part| part["text"].as_str().unwrap()).collect()
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

/// Checks that a stream is the whole ladder of events, in order and numbered, and returns its pieces of text and the
/// response in its last event.
#[track_caller]
fn climb(reply: &Reply) -> (Vec<String>, Value) {
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("content-type"), "text/event-stream");
    let events = stream_events(&reply.text());
    let documents: Vec<Value> = events.iter().map(StreamEvent::json).collect();
    for (index, (event, document)) in events.iter().zip(&documents).enumerate() {
        assert_eq!(document["sequence_number"], index, "{document}");
        assert_eq!(
            document["type"],
            event.name.as_deref().unwrap(),
            "{document}"
        );
    }
    let (first, rest) = documents.split_at(4);
    let (middle, last) = rest.split_at(rest.len() - 4);
    let types = |documents: &[Value]| -> Vec<String> {
        let types = documents
            .iter()
            .map(|event| event["type"].as_str().unwrap().to_owned());
        types.collect()
    };
    let opening = [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
    ];
    assert_eq!(types(first), opening.map(|name| format!("response.{name}")));
    let response = last[3]["response"].clone();
    let status = response["status"].as_str().unwrap();
    let closing = [
        "output_text.done",
        "content_part.done",
        "output_item.done",
        status,
    ];
    assert_eq!(types(last), closing.map(|name| format!("response.{name}")));
    assert!(
        middle
            .iter()
            .all(|event| event["type"] == "response.output_text.delta")
    );

    for event in &first[..2] {
        let begun = &event["response"];
        assert_eq!(begun["status"], "in_progress");
        assert_eq!(begun["output"], json!([]));
        assert_eq!(begun["usage"], json!(null));
        for name in ["id", "object", "created_at", "model"] {
            assert_eq!(begun[name], response[name]);
        }
    }
    let item = &last[2]["item"];
    assert_eq!(*item, response["output"][0]);
    assert_eq!(first[2]["item"]["id"], item["id"]);
    assert_eq!(first[2]["item"]["content"], json!([]));
    assert_eq!(first[3]["part"]["text"], "");
    assert_eq!(last[1]["part"], item["content"][0]);
    assert_eq!(last[0]["text"], item["content"][0]["text"]);
    for event in middle.iter().chain([&first[3], &last[0], &last[1]]) {
        assert_eq!(event["item_id"], item["id"]);
        assert_eq!(event["content_index"], 0);
        assert_eq!(event["output_index"], 0);
    }
    let pieces = middle
        .iter()
        .map(|event| event["delta"].as_str().unwrap().to_owned());
    (pieces.collect(), response)
}

/// Removes what differs from one response to the next.
fn without_ids(mut response: Value) -> Value {
    response["id"] = json!("");
    response["created_at"] = json!(0);
    response["output"][0]["id"] = json!("");
    response
}

#[test]
fn a_response_has_all_that_clients_read() {
    let response = answer(&json!({"metadata": {"topic": "demo"}, "instructions": "be brief"}));
    assert_eq!(text(&response), "one two three");
    assert!(response["id"].as_str().unwrap().starts_with("resp_"));
    assert!(response["created_at"].is_u64());
    assert!(
        response["output"][0]["id"]
            .as_str()
            .unwrap()
            .starts_with("msg_")
    );
    let expected = json!({
        "id": "", "object": "response", "created_at": 0, "status": "completed", "background": false,
        "error": null, "incomplete_details": null, "instructions": "be brief", "max_output_tokens": null,
        "metadata": {"topic": "demo"}, "model": "every-task", "parallel_tool_calls": false,
        "previous_response_id": null, "store": false, "temperature": 0.0,
        "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [], "top_p": 1.0,
        "truncation": "disabled",
        "output": [{
            "id": "", "type": "message", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": "one two three", "annotations": [], "logprobs": []}],
        }],
        "usage": {
            "input_tokens": 5, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 3, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 8,
        },
    });
    assert_eq!(without_ids(response), expected);
}

#[test]
fn a_stream_is_the_whole_ladder_and_ends_with_the_response_that_is_not_streamed() {
    let (pieces, response) = climb(&ask(&json!({"stream": true})));
    assert_eq!(pieces, ["one ", "two ", "three"]);
    assert_eq!(text(&response), "one two three");
    assert_eq!(without_ids(response), without_ids(answer(&json!({}))));
    let (pieces, response) = climb(&ask(&json!({"stream": true, "stop": "one"})));
    assert_eq!(
        (pieces.len(), text(&response)),
        (0, String::new()),
        "no word is a stream too"
    );
}

#[test]
fn an_answer_that_was_cut_short_is_incomplete_and_says_why() {
    let fields = json!({"max_output_tokens": 2});
    let whole = answer(&fields);
    assert_eq!(whole["status"], "incomplete");
    assert_eq!(
        whole["incomplete_details"],
        json!({"reason": "max_output_tokens"})
    );
    assert_eq!(whole["output"][0]["status"], "incomplete");
    assert_eq!(whole["max_output_tokens"], 2);
    assert_eq!(whole["usage"]["output_tokens"], 2);
    let (pieces, response) = climb(&ask(&json!({"max_output_tokens": 2, "stream": true})));
    assert_eq!(pieces.concat(), text(&whole));
    assert_eq!(without_ids(response), without_ids(whole));
}

/// The model counts the words of all messages and repeats those of the user's last.
#[test]
fn a_conversation_is_put_to_the_model_turn_by_turn() {
    let turns = json!([
        {"role": "developer", "content": "s1 s2"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "u1"}]},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [
            {"type": "output_text", "text": "a1 a2", "annotations": []},
            {"type": "refusal", "refusal": "a3"},
        ]},
        {"role": "assistant", "content": null},
        {"role": "user", "content": [
            {"type": "input_text", "text": "u2"},
            {"type": "input_image", "image_url": data_url(&png_header(3, 4)), "detail": "low"},
            {"type": "image_url", "image_url": {"url": data_url(&png_header(5, 6))}},
            {"type": "text", "text": "u3"},
        ]},
    ]);
    let response = answer(&json!({"input": turns, "instructions": "i1"}));
    assert_eq!(text(&response), "u2 [3x4] [5x6] u3");
    assert_eq!(response["usage"]["input_tokens"], 1 + 2 + 1 + 3 + 4);

    for (item, param, words) in [
        (json!({"role": "user"}), "input[0].content", "missing"),
        (json!({"content": "x"}), "input[0].role", "missing"),
        (
            json!({"type": "item_reference", "id": "x"}),
            "input[0]",
            "nothing is stored",
        ),
        (
            json!({"type": "function_call_output", "call_id": "x"}),
            "input[0].type",
            "call no tools",
        ),
        (
            json!({"role": "user", "content": [{"type": "input_text"}]}),
            "input[0].content[0].text",
            "missing",
        ),
        (
            json!({"role": "user", "content": [{"type": "input_file", "file_id": "x"}]}),
            "input[0].content[0]",
            "texts and pictures",
        ),
        (
            json!({"role": "user", "content": [{"type": "input_image", "file_id": "x"}]}),
            "input[0].content[0].image_url",
            "missing",
        ),
        (
            json!({"role": "user", "content": [{"type": "video"}]}),
            "input[0].content[0].type",
            "input_text, input_image",
        ),
    ] {
        assert_refused(&ask(&json!({"input": [item]})), param, words);
    }
    for input in [json!([]), json!(null), json!([{"type": "reasoning"}])] {
        assert_refused(
            &ask(&json!({"input": input})),
            "input",
            "at least one message",
        );
    }
}

#[test]
fn pictures_come_as_data_addresses_and_nothing_is_fetched() {
    for (url, words) in [
        ("https://example.org/a.png", "nothing is fetched"),
        ("file:///etc/passwd", "nothing is fetched"),
        ("iVBORw0KGgo=", "put data:image/png;base64, before"),
        ("data:image/png;base64,", "no bytes"),
    ] {
        let part = json!({"type": "input_image", "image_url": url});
        let fields = json!({"input": [{"role": "user", "content": [part]}]});
        assert_refused(&ask(&fields), "input[0].content[0].image_url", words);
    }
}

#[test]
fn a_field_that_asks_for_what_is_not_done_is_refused() {
    let schema = json!({"format": {"type": "json_schema", "name": "x", "schema": {}}});
    for (field, value) in [
        ("previous_response_id", json!("resp_1")),
        ("conversation", json!("conv_1")),
        ("prompt", json!({"id": "pmpt_1"})),
        ("background", json!(true)),
        ("tools", json!([{"type": "web_search"}])),
        ("tool_choice", json!("required")),
        ("include", json!(["message.output_text.logprobs"])),
        ("top_logprobs", json!(5)),
        ("moderation", json!({"model": "x"})),
        ("response_format", json!({"type": "json_object"})),
        ("presence_penalty", json!(0.5)),
        ("guided_json", json!({"type": "object"})),
        ("echo", json!(true)),
        ("text.format", schema),
    ] {
        let name = field.split('.').next().unwrap();
        for stream in [false, true] {
            let reply = ask(&json!({name: value, "stream": stream}));
            assert_refused(&reply, field, "leave it out");
            assert_eq!(reply.json()["error"]["code"], "input.unsupported");
        }
    }
    for (field, value) in [
        ("temperature", json!(-1)),
        ("temperature", json!("warm")),
        ("top_p", json!(1.5)),
        ("top_k", json!(-2)),
        ("max_output_tokens", json!(-1)),
        ("seed", json!(1e30)),
        ("metadata", json!({"key": "x".repeat(3_000)})),
        ("stream", json!("yes")),
    ] {
        assert_refused(&ask(&json!({field: value})), field, field);
    }
}

/// Each of these is sent by clients that want nothing of it; a response is the same with and without.
#[test]
fn a_field_that_changes_nothing_is_ignored() {
    let plain = without_ids(answer(&json!({})));
    for (field, value) in [
        ("store", json!(true)),
        ("previous_response_id", json!(null)),
        ("tools", json!([])),
        ("tool_choice", json!("auto")),
        ("include", json!([])),
        ("include", json!(["reasoning.encrypted_content"])),
        ("background", json!(false)),
        (
            "text",
            json!({"format": {"type": "text"}, "verbosity": "low"}),
        ),
        ("reasoning", json!({"effort": "low", "summary": "auto"})),
        ("truncation", json!("auto")),
        ("top_logprobs", json!(0)),
        ("parallel_tool_calls", json!(true)),
        ("service_tier", json!("flex")),
        ("safety_identifier", json!("me")),
        ("prompt_cache_key", json!("me")),
        ("stream_options", json!({"include_obfuscation": false})),
        ("stream", json!(null)),
        ("temperature", json!(null)),
        ("instructions", json!(null)),
        ("max_output_tokens", json!(null)),
        ("metadata", json!(null)),
        ("unheard_of", json!({"a": [1]})),
    ] {
        let response = without_ids(answer(&json!({field: value})));
        assert_eq!(response, plain, "{field}");
    }
}

#[test]
fn a_refusal_is_a_real_status_also_for_a_stream() {
    for (fields, status, code) in [
        (json!({"model": "nobody"}), 404, "model_not_found"),
        (
            json!({"input": "x".repeat(40_000)}),
            400,
            "context_length_exceeded",
        ),
        (
            json!({"input": [{"role": "singer", "content": "x"}]}),
            400,
            "input.role",
        ),
    ] {
        for stream in [true, false] {
            let mut fields = fields.clone();
            fields["stream"] = json!(stream);
            let reply = ask(&fields);
            assert_eq!(reply.status, status, "{}", reply.text());
            assert_eq!(reply.header("content-type"), "application/json");
            assert_eq!(reply.json()["error"]["code"], code);
        }
    }
}

/// Asks a real model about a picture, with random seeds, limits and stop strings cut out of its own answers.
#[test]
fn the_pieces_of_a_stream_are_the_text_that_is_not_streamed() {
    let server = SharedServer::get();
    let picture = std::fs::read(workspace_file("samples/shapes.png")).unwrap();
    let content = json!([
        {"type": "input_text", "text": "what is in the picture?"},
        {"type": "input_image", "image_url": data_url(&picture)},
    ]);
    let mut random = ChaCha8Rng::seed_from_u64(63);
    let mut below = |end: usize| usize::try_from(random.next_u64() % end as u64).unwrap();
    let mut texts = Vec::new();
    for seed in 0..4 {
        let mut request = json!({
            "model": "tiny-vlm", "input": [{"role": "user", "content": content}],
            "temperature": 1.2, "seed": seed,
        });
        let free = text(&server.post(PATH, &request).json());
        let start = below(free.chars().count());
        let stop: String = free.chars().skip(start).take(1 + below(4)).collect();
        for fields in [
            json!({}),
            json!({"stop": stop}),
            json!({"max_output_tokens": below(9)}),
        ] {
            let fields = fields.as_object().unwrap().clone();
            request.as_object_mut().unwrap().extend(fields);
            request["stream"] = json!(false);
            let whole = server.post(PATH, &request).json();
            request["stream"] = json!(true);
            let (pieces, response) = climb(&server.post(PATH, &request));
            assert_eq!(pieces.concat(), text(&whole), "{free:?} {stop:?}");
            assert_eq!(without_ids(response), without_ids(whole.clone()));
            texts.push(text(&whole));
        }
    }
    texts.sort();
    texts.dedup();
    assert!(texts.len() > 4, "the answers differ: {texts:?}");
}

/// Asks a server here of one hostile model for a stream, with an empty piece after so long a silence.
fn hostile(guest: &str, silence: Duration) -> Vec<StreamEvent> {
    let acme = Publisher::new("acme");
    let host = host_with_limits(&acme, Limits::default());
    let bundle = acme.bundle(test_guest(guest)).tasks(&["text-generation"]);
    let bundle = bundle.set("/limits/deadline_ms", json!(1_000)).write();
    let model = block_on(host.load(bundle.path())).unwrap();
    let settings = ServiceSettings {
        silence,
        ..ServiceSettings::default()
    };
    let server = ServedHere::start(host, settings, model);
    let request = json!({"model": "model", "input": "x", "stream": true});
    let (head, body) = server.post(PATH, &request);
    assert!(head.contains("200 OK"), "{head}");
    stream_events(&body)
}

fn deltas(events: &[StreamEvent]) -> Vec<String> {
    let deltas = events.iter().map(StreamEvent::json);
    let deltas = deltas.filter(|event| event["type"] == "response.output_text.delta");
    deltas
        .map(|event| event["delta"].as_str().unwrap().to_owned())
        .collect()
}

/// The event has the forms of an error that each of OpenAI's libraries raises, and of OpenAI's own.
#[test]
fn an_error_after_the_first_byte_is_an_event_and_the_last_one() {
    let events = hostile("generation_fails_midway", Duration::from_secs(60));
    let (error, before) = events.split_last().unwrap();
    assert_eq!(deltas(before), ["word ", "word "]);
    assert_eq!(error.name.as_deref(), Some("error"));
    let error = error.json();
    assert_eq!(error["type"], "error");
    assert_eq!(error["sequence_number"], before.len());
    for error in [&error, &error["error"]] {
        assert_eq!(error["code"], "guest.error");
        assert!(
            error["message"]
                .as_str()
                .unwrap()
                .contains("the model failed")
        );
        assert_eq!(error["param"], json!(null));
    }
    assert_eq!(error["error"]["type"], "server_error");
    let is_end = |event: &StreamEvent| event.json()["type"] == "response.completed";
    assert!(!before.iter().any(is_end));
}

#[test]
fn silence_is_broken_by_empty_pieces() {
    let events = hostile("generation_blocks", Duration::from_millis(50));
    let (error, before) = events.split_last().unwrap();
    assert_eq!(error.json()["error"]["code"], "limit.deadline");
    let deltas = deltas(before);
    let silent = deltas.iter().filter(|delta| delta.is_empty()).count();
    assert!((3..=20).contains(&silent), "{deltas:?}");
    assert_eq!(silent + 1, deltas.len(), "one piece had a text");
}

/// Programs that read the description look for the fields of an event, and for the JSON within its data.
#[test]
fn a_stream_is_described_by_its_events() {
    let document = SharedServer::get().get("/openapi.json").json();
    for path in [PATH, "/v1/chat/completions", "/v1/completions"] {
        let content = &document["paths"][path]["post"]["responses"]["200"]["content"];
        let event = &content["text/event-stream"]["schema"]["properties"];
        assert_eq!(event["data"]["type"], "string", "{content}");
        let form = event["data"]["contentSchema"]["$ref"].as_str().unwrap();
        let form = form.strip_prefix('#').unwrap();
        assert!(document.pointer(form).is_some(), "{form}");
    }
}

fn data_url(bytes: &[u8]) -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(bytes))
}
