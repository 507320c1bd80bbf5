//! Continuations of prompts by OpenAI's route. The model repeats its prompt: see `openai_chat`.

use ampoule_tests::{Reply, SharedServer, stream_events};
use serde_json::{Value, json};

const PATH: &str = "/v1/completions";

fn with(fields: &Value) -> Value {
    let mut request = json!({"model": "every-task", "prompt": "one two three"});
    for (name, value) in fields.as_object().unwrap() {
        request[name] = value.clone();
    }
    request
}

#[track_caller]
fn texts(reply: &Reply) -> Vec<String> {
    let document = reply.json();
    assert_eq!(reply.status, 200, "{document}");
    let choices = document["choices"].as_array().unwrap();
    let choices = choices.iter().enumerate().map(|(index, choice)| {
        assert_eq!(choice["index"], index);
        choice["text"].as_str().unwrap().to_owned()
    });
    choices.collect()
}

#[track_caller]
fn refused(reply: &Reply, code: &str, param: &str) {
    let document = reply.json();
    assert_eq!(reply.status, 400, "{document}");
    assert_eq!(document["error"]["code"], code, "{document}");
    assert_eq!(document["error"]["param"], param, "{document}");
}

#[test]
fn a_continuation_has_every_member_that_clients_read() {
    let server = SharedServer::get();
    let document = server.post(PATH, &with(&json!({}))).json();
    assert!(document["id"].as_str().unwrap().starts_with("cmpl-"));
    assert_eq!(document["object"], "text_completion");
    assert!(document["created"].as_u64().unwrap() > 1_700_000_000);
    assert_eq!(document["model"], "every-task");
    let choice =
        json!({"index": 0, "text": "one two three", "logprobs": null, "finish_reason": "stop"});
    assert_eq!(document["choices"], json!([choice]));
    let usage = json!({"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6});
    assert_eq!(document["usage"], usage);
}

#[test]
fn a_prompt_is_a_text_or_several_and_each_prompts_answers_come_together() {
    let server = SharedServer::get();
    let ask = |fields: Value| server.post(PATH, &with(&fields));
    assert_eq!(texts(&ask(json!({"prompt": "a"}))), ["a"]);
    assert_eq!(texts(&ask(json!({"prompt": ["a"]}))), ["a"]);
    assert_eq!(texts(&ask(json!({"prompt": ["a", "b c"]}))), ["a", "b c"]);
    let both = ask(json!({"prompt": ["a", "b c"], "n": 2}));
    assert_eq!(texts(&both), ["a", "a", "b c", "b c"]);
    let usage = json!({"prompt_tokens": 3, "completion_tokens": 6, "total_tokens": 9});
    assert_eq!(both.json()["usage"], usage, "a prompt counts once");
    // Sixteen in all.
    assert_eq!(
        texts(&ask(json!({"prompt": vec!["a"; 4], "n": 4}))).len(),
        16
    );
    refused(
        &ask(json!({"prompt": vec!["a"; 4], "n": 5})),
        "input.invalid",
        "n",
    );
    refused(&ask(json!({"prompt": vec!["a"; 17]})), "input.invalid", "n");
}

#[test]
fn a_prompt_of_token_ids_or_of_nothing_is_refused() {
    let server = SharedServer::get();
    for (prompt, code) in [
        (json!([15339, 1917]), "input.unsupported"),
        (json!([[15339], [1917]]), "input.unsupported"),
        (json!(["a", 5]), "input.unsupported"),
        (json!([]), "input.invalid"),
        (json!([null]), "input.invalid"),
        (json!(5), "input.invalid"),
        (json!(null), "input.invalid"),
    ] {
        refused(
            &server.post(PATH, &with(&json!({ "prompt": prompt }))),
            code,
            "prompt",
        );
    }
    let reply = server.post(PATH, &json!({"model": "every-task"}));
    assert_eq!(reply.status, 400);
    assert!(reply.text().contains("prompt"), "{}", reply.text());
}

#[test]
fn a_field_that_asks_for_what_is_not_done_is_refused_by_name() {
    let server = SharedServer::get();
    for (name, values) in [
        ("suffix", vec![json!("end")]),
        ("echo", vec![json!(true)]),
        ("logprobs", vec![json!(0), json!(5), json!(true)]),
        ("logit_bias", vec![json!({"1": 2})]),
        ("presence_penalty", vec![json!(1)]),
        ("frequency_penalty", vec![json!(-1)]),
        ("best_of", vec![json!(2)]),
        ("tools", vec![json!([{"type": "function"}])]),
        ("response_format", vec![json!({"type": "json_object"})]),
        ("guided_json", vec![json!({"type": "object"})]),
    ] {
        for value in values {
            let reply = server.post(PATH, &with(&json!({ name: value })));
            refused(&reply, "input.unsupported", name);
        }
    }
    let reply = server.post(PATH, &with(&json!({"n": 3, "best_of": 2})));
    refused(&reply, "input.invalid", "best_of");
}

#[test]
fn a_field_that_asks_for_nothing_changes_nothing() {
    let server = SharedServer::get();
    let fields = json!({
        "suffix": "", "echo": false, "logprobs": null, "logit_bias": {}, "presence_penalty": 0, "frequency_penalty": 0,
        "best_of": 1, "n": 1, "user": "ann", "nobody": 5, "stream": false, "stop": null, "max_tokens": null,
    });
    assert_eq!(texts(&server.post(PATH, &with(&fields))), ["one two three"]);
}

#[test]
fn the_output_limit_the_stop_strings_and_the_seed_are_those_of_conversations() {
    let server = SharedServer::get();
    let ask = |fields: Value| texts(&server.post(PATH, &with(&fields))).concat();
    assert_eq!(ask(json!({"max_tokens": 2})), "one two");
    assert_eq!(ask(json!({"max_completion_tokens": 1})), "one");
    assert_eq!(ask(json!({"stop": ["two"]})), "one ");
    let shuffled = json!({"prompt": "a b c d e f g h i j", "temperature": 1, "seed": -5});
    assert_eq!(ask(shuffled.clone()), ask(shuffled));
}

#[test]
fn a_stream_of_several_prompts_says_which_each_part_is_of() {
    let server = SharedServer::get();
    let fields = json!({
        "prompt": ["a b", "c d"], "n": 2, "stream": true, "stream_options": {"include_usage": true},
    });
    let reply = server.post(PATH, &with(&fields));
    assert_eq!(reply.header("content-type"), "text/event-stream");
    let mut events = stream_events(&reply.text());
    assert_eq!(events.pop().unwrap().data, "[DONE]");
    let usage = events.pop().unwrap().json();
    assert_eq!(usage["choices"], json!([]));
    let counts = json!({"prompt_tokens": 4, "completion_tokens": 8, "total_tokens": 12});
    assert_eq!(usage["usage"], counts);
    let mut joined = vec![String::new(); 4];
    let mut reasons = vec![Value::Null; 4];
    for event in &events {
        let chunk = event.json();
        assert_eq!(chunk["object"], "text_completion");
        assert_eq!(chunk["id"], usage["id"]);
        let choice = &chunk["choices"][0];
        let index = usize::try_from(choice["index"].as_u64().unwrap()).unwrap();
        assert!(reasons[index].is_null(), "a part after the end of {index}");
        joined[index].push_str(choice["text"].as_str().unwrap());
        reasons[index] = choice["finish_reason"].clone();
    }
    assert_eq!(joined, ["a b", "a b", "c d", "c d"]);
    assert_eq!(reasons, vec![json!("stop"); 4]);
}
