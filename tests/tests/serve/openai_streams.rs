//! Streams by OpenAI's routes: a state machine of role, texts, finish, usage and end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ampoule::Limits;
use ampoule_server::ServiceSettings;
use ampoule_tests::{
    Publisher, Reply, Served, ServedHere, SharedServer, StreamEvent, ampoule, block_on,
    host_with_limits, read_answer, stream_events, test_guest, workspace_file,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

const PATH: &str = "/v1/chat/completions";

fn question(words: &str) -> Value {
    json!({"model": "every-task", "messages": [{"role": "user", "content": words}]})
}

fn streamed(mut request: Value) -> Value {
    request["stream"] = json!(true);
    request
}

/// A whole stream of one choice, checked to be in order.
struct Streamed {
    parts: Vec<String>,
    finish_reason: String,
}

/// Reads a stream of one choice without usage.
#[track_caller]
fn read(events: &[StreamEvent]) -> Streamed {
    let (done, events) = events.split_last().unwrap();
    assert_eq!((done.name.as_ref(), done.data.as_str()), (None, "[DONE]"));
    let chunks: Vec<Value> = events.iter().map(StreamEvent::json).collect();
    let first = &chunks[0];
    for chunk in &chunks {
        for name in ["id", "object", "created", "model"] {
            assert_eq!(chunk[name], first[name]);
        }
        assert!(chunk.get("usage").is_none(), "{chunk}");
        assert_eq!(chunk["choices"].as_array().unwrap().len(), 1);
        assert_eq!(chunk["choices"][0]["index"], 0);
    }
    assert_eq!(first["object"], "chat.completion.chunk");
    assert!(first["created"].is_u64());
    let choice = |chunk: &Value| chunk["choices"][0].clone();
    let opening =
        json!({"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": null});
    assert_eq!(choice(first), opening);
    let (last, texts) = chunks[1..].split_last().unwrap();
    let last = choice(last);
    assert_eq!(last["delta"], json!({}));
    let parts = texts.iter().map(|chunk| {
        let choice = choice(chunk);
        assert!(choice["finish_reason"].is_null() && choice.get("finish_reason").is_some());
        let delta = choice["delta"].as_object().unwrap();
        assert_eq!(delta.len(), 1, "{delta:?}");
        delta["content"].as_str().unwrap().to_owned()
    });
    Streamed {
        parts: parts.collect(),
        finish_reason: last["finish_reason"].as_str().unwrap().to_owned(),
    }
}

#[track_caller]
fn events_of(reply: &Reply) -> Vec<StreamEvent> {
    assert_eq!(reply.status, 200, "{}", reply.text());
    stream_events(&reply.text())
}

#[test]
fn a_stream_is_a_role_texts_a_finish_and_an_end() {
    let server = SharedServer::get();
    let reply = server.post(PATH, &streamed(question("one two three")));
    assert_eq!(reply.header("content-type"), "text/event-stream");
    assert_eq!(reply.header("cache-control"), "no-cache");
    assert_eq!(reply.header("x-accel-buffering"), "no");
    assert!(!reply.header("x-request-id").is_empty());
    let streamed = read(&events_of(&reply));
    assert_eq!(streamed.parts, ["one ", "two ", "three"]);
    assert_eq!(streamed.finish_reason, "stop");
}

#[test]
fn an_answer_without_a_word_is_a_stream_all_the_same() {
    let server = SharedServer::get();
    for fields in [json!({"max_tokens": 0}), json!({"stop": "one"})] {
        let mut request = streamed(question("one two"));
        for (name, value) in fields.as_object().unwrap() {
            request[name] = value.clone();
        }
        assert!(
            read(&events_of(&server.post(PATH, &request)))
                .parts
                .is_empty()
        );
    }
}

#[test]
fn the_usage_comes_after_the_finish_and_only_for_those_who_ask() {
    let server = SharedServer::get();
    let mut request = streamed(question("one two three"));
    request["stream_options"] = json!({"include_usage": true});
    let mut events = events_of(&server.post(PATH, &request));
    let usage = events.remove(events.len() - 2).json();
    assert_eq!(usage["choices"], json!([]));
    let counts = json!({"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6});
    assert_eq!(usage["usage"], counts);
    assert_eq!(usage["id"], events[0].json()["id"]);
    assert_eq!(read(&events).parts.concat(), "one two three");
    for options in [json!(null), json!({}), json!({"include_usage": false})] {
        request["stream_options"] = options;
        read(&events_of(&server.post(PATH, &request)));
    }
}

#[test]
fn a_refusal_is_a_real_status_also_for_a_stream() {
    let server = SharedServer::get();
    let picture =
        json!([{"type": "image_url", "image_url": {"url": "data:image/png;base64,eHh4"}}]);
    let mut bad_picture = question("");
    bad_picture["messages"][0]["content"] = picture;
    let mut unknown = question("x");
    unknown["model"] = json!("nobody");
    let mut several = question(&"x".repeat(40_000));
    several["n"] = json!(3);
    for (request, status, code) in [
        (unknown, 404, "model_not_found"),
        (several, 400, "context_length_exceeded"),
        (bad_picture, 400, "input.invalid"),
    ] {
        let reply = server.post(PATH, &streamed(request));
        assert_eq!(reply.status, status, "{}", reply.text());
        assert_eq!(reply.header("content-type"), "application/json");
        assert_eq!(reply.json()["error"]["code"], code);
    }
}

#[test]
fn one_seed_gives_the_same_bytes_streamed_or_not() {
    let server = SharedServer::get();
    for seed in [-1, 0, 42] {
        let mut request =
            question("a b c d e f g h i j k l m n o p 🦀 é \u{2028} \"\\ \u{fffd} 日本語");
        request["seed"] = json!(seed);
        request["temperature"] = json!(1);
        let whole = server.post(PATH, &request).json();
        let whole = whole["choices"][0]["message"]["content"].as_str().unwrap();
        let parts = read(&events_of(&server.post(PATH, &streamed(request)))).parts;
        assert_eq!(parts.concat(), whole);
    }
}

/// Asks a real model about a picture, with random seeds, limits and stop strings cut out of its own answers, so that they
/// begin and end within tokens.
#[test]
fn a_streamed_answer_is_the_whole_answer_and_holds_no_part_of_a_stop_string() {
    let server = SharedServer::get();
    let picture = std::fs::read(workspace_file("samples/shapes.png")).unwrap();
    let url = format!("data:image/png;base64,{}", STANDARD.encode(picture));
    let content = json!([
        {"type": "text", "text": "what is in the picture?"},
        {"type": "image_url", "image_url": {"url": url}},
    ]);
    let question = json!({"model": "tiny-vlm", "messages": [{"role": "user", "content": content}], "temperature": 1.2});
    let mut random = ChaCha8Rng::seed_from_u64(22);
    let mut below = |end: usize| usize::try_from(random.next_u64() % end as u64).unwrap();
    let mut stopped = 0;
    for round in 0..12 {
        let mut request = question.clone();
        request["seed"] = json!(round);
        let answer = |request: &Value| {
            let document = server.post(PATH, request).json();
            let choice = &document["choices"][0];
            let text = choice["message"]["content"].as_str().unwrap().to_owned();
            (text, choice["finish_reason"].as_str().unwrap().to_owned())
        };
        let (free, _) = answer(&request);
        let characters: Vec<char> = free.chars().collect();
        let stops: Vec<String> = (0..1 + below(3))
            .map(|_| {
                let start = below(characters.len());
                let length = 1 + below(6);
                characters[start..].iter().take(length).collect()
            })
            .collect();
        request["stop"] = json!(stops);
        // The one that is complete first counts.
        let found = stops.iter().filter_map(|stop| {
            let start = free.find(stop)?;
            Some((start + stop.len(), start))
        });
        let (_, cut) = found.min().unwrap();
        let (whole, reason) = answer(&request);
        assert_eq!(whole, free[..cut], "{free:?} {stops:?}");
        assert_eq!(reason, "stop");
        let parts = read(&events_of(&server.post(PATH, &streamed(request.clone()))));
        assert_eq!(parts.parts.concat(), whole, "{free:?} {stops:?}");
        assert_eq!(parts.finish_reason, reason);
        assert!(parts.parts.iter().all(|part| !part.is_empty()));
        stopped += usize::from(cut > 0);
        request["max_tokens"] = json!(below(8));
        let (whole, reason) = answer(&request);
        let parts = read(&events_of(&server.post(PATH, &streamed(request))));
        assert_eq!((parts.parts.concat(), parts.finish_reason), (whole, reason));
    }
    assert!(
        stopped > 6,
        "most stop strings are within the answer: {stopped}"
    );
}

/// A server here of one hostile model.
fn hostile(guest: &str, limits: Limits, settings: ServiceSettings) -> ServedHere {
    let acme = Publisher::new("acme");
    let host = host_with_limits(&acme, limits);
    let bundle = acme
        .bundle(test_guest(guest))
        .tasks(&["text-generation"])
        .write();
    let model = block_on(host.load(bundle.path())).unwrap();
    ServedHere::start(host, settings, model)
}

fn hostile_question() -> Value {
    json!({"model": "model", "messages": [{"role": "user", "content": "x"}], "stream": true})
}

#[test]
fn an_error_after_the_first_byte_is_an_event_and_the_last_one() {
    let server = hostile(
        "generation_fails_midway",
        Limits::default(),
        ServiceSettings::default(),
    );
    let (head, body) = server.post(PATH, &hostile_question());
    assert!(head.contains("200 OK"), "{head}");
    let events = stream_events(&body);
    let (error, before) = events.split_last().unwrap();
    assert_eq!(error.name.as_deref(), Some("error"));
    let error = error.json()["error"].clone();
    assert_eq!(error["code"], "guest.error");
    assert_eq!(error["type"], "server_error");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("the model failed")
    );
    let texts: Vec<_> = before
        .iter()
        .map(|event| {
            event.json()["choices"][0]["delta"]["content"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(texts, ["", "word ", "word "]);
    assert!(
        before
            .iter()
            .all(|event| event.json()["choices"][0]["finish_reason"].is_null())
    );
}

#[test]
fn the_same_failure_is_a_status_that_is_not_worth_repeating_for_a_whole_answer() {
    let server = hostile(
        "generation_fails_midway",
        Limits::default(),
        ServiceSettings::default(),
    );
    let mut request = hostile_question();
    request["stream"] = json!(false);
    let (head, body) = server.post(PATH, &request);
    assert!(head.starts_with("HTTP/1.0 500"), "{head}");
    assert!(head.contains("x-should-retry: false"), "{head}");
    assert!(body.contains("\"guest.error\""), "{body}");
}

/// Its first piece is late, since all threads are at work, so its answer has begun when the model refuses.
#[test]
fn too_long_a_prompt_is_recognised_also_after_the_answer_has_begun() {
    let server = Served::start(&mut ampoule(), &["--stream-silence", "1ms"]);
    let picture = STANDARD.encode(std::fs::read(workspace_file("samples/shapes.png")).unwrap());
    let ask = |text: &str, n: u32| {
        let url = format!("data:image/png;base64,{picture}");
        let content = json!([
            {"type": "text", "text": text},
            {"type": "image_url", "image_url": {"url": url}},
        ]);
        let messages = json!([{"role": "user", "content": content}]);
        streamed(json!({"model": "tiny-vlm", "messages": messages, "n": n}))
    };
    let others = ask("what is in the picture?", 16);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    events_of(&server.post(PATH, &others));
                }
            });
        }
        let begun = (0..200).find_map(|_| {
            let reply = server.post(PATH, &ask(&"where ".repeat(500), 1));
            (reply.status == 200).then(|| stream_events(&reply.text()))
        });
        is_over.store(true, Ordering::Relaxed);
        let error = begun.unwrap().pop().unwrap();
        assert_eq!(error.name.as_deref(), Some("error"));
        let error = error.json()["error"].clone();
        assert_eq!(error["code"], "context_length_exceeded");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("maximum context length is"), "{message}");
    });
}

#[test]
fn a_busy_host_says_so_by_its_status_also_for_a_stream() {
    let mut limits = Limits::default();
    limits.sandboxes = 1;
    let server = hostile("generation_blocks", limits, ServiceSettings::default());
    let taken = server.ask(PATH, &hostile_question());
    while server.counters().sandboxes == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let (head, body) = server.post(PATH, &hostile_question());
    assert!(head.starts_with("HTTP/1.0 429"), "{head} {body}");
    assert!(head.contains("retry-after: 1"), "{head}");
    assert!(head.contains("x-should-retry: true"), "{head}");
    assert!(body.contains("\"rate_limit_error\""), "{body}");
    drop(taken);
}

#[test]
fn silence_is_broken_by_parts_without_text_until_the_deadline() {
    let settings = ServiceSettings {
        silence: Duration::from_millis(100),
        ..ServiceSettings::default()
    };
    let server = hostile("generation_blocks", Limits::default(), settings);
    let begun = Instant::now();
    let (_, body) = read_answer(server.ask(PATH, &hostile_question()));
    let took = begun.elapsed();
    let events = stream_events(&body);
    let (error, before) = events.split_last().unwrap();
    assert_eq!(error.json()["error"]["code"], "limit.deadline");
    let empty = json!({"index": 0, "delta": {"content": ""}, "finish_reason": null});
    let silent = before
        .iter()
        .skip(2)
        .map(|event| event.json()["choices"][0].clone());
    let silent: Vec<_> = silent.collect();
    assert!(silent.iter().all(|choice| *choice == empty), "{silent:?}");
    // The model's deadline is 3 s, and a busy machine is late: no piece comes before its time.
    let most = took.as_millis() / 100;
    assert!(
        (2..=most).contains(&(silent.len() as u128)),
        "{} in {took:?}",
        silent.len()
    );
}
