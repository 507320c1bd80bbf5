//! Every task of the contract, from a typed call to a typed answer, through a real guest.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use ampoule::{
    Answer, ByteSize, Chunk, Chunks, Content, ErrorReport, Fuel, GenerationRequest, Image,
    LoadOptions, Message, Model, RequestLimits, SandboxReport, Stream as _, Task, TextEmbeddings,
};
use ampoule_tests::{Publisher, block_on, host_trusting, test_guest};
use serde_json::json;

fn model() -> Model {
    let acme = Publisher::new("acme");
    let bundle = acme.every_task().write();
    block_on(host_trusting(&acme).load(bundle.path())).unwrap()
}

fn red(width: u32, height: u32) -> Image {
    let pixels = [255, 0, 0].repeat((width * height) as usize);
    Image::Rgb8 {
        width,
        height,
        pixels,
    }
}

#[test]
fn a_model_tells_what_it_is_and_what_it_can_do() {
    let model = model();
    assert_eq!(model.tasks(), Task::ALL);
    assert_eq!(model.manifest().publisher(), "acme");
    assert_eq!(model.signers().len(), 1);
    assert!(!model.info().architecture.is_empty());
}

#[test]
fn text_is_tokenized() {
    let answer = block_on(model().tokenize(&["abc", ""])).unwrap();
    let ids: Vec<_> = answer.output.iter().map(|tokens| &tokens.ids[..]).collect();
    assert_eq!(ids, [&[97, 98, 99][..], &[]]);
}

#[test]
fn text_is_embedded_and_the_cost_is_told() {
    let answer = block_on(model().embed_text(&["abc", "xyz"])).unwrap();
    assert_eq!(answer.output.vectors().len(), 2);
    assert_eq!(answer.output.truncated, [false, false]);
    assert!(answer.sandbox.fuel.get() > 0);
    assert!(answer.sandbox.peak_memory.bytes() >= 64 * 1024);
}

#[test]
fn a_load_may_ask_for_less_than_the_manifest_does_and_changes_no_other() {
    let acme = Publisher::new("acme");
    // More than a host with the default limits gives anybody.
    let large = serde_json::json!(1_u64 << 30);
    let bundle = acme.every_task().set("/limits/memory_bytes", large).write();
    let host = host_trusting(&acme);
    let load = |memory, fuel| {
        let at_most = RequestLimits {
            memory: Some(ByteSize::from_mib(memory)),
            fuel,
            ..RequestLimits::default()
        };
        let options = LoadOptions {
            at_most,
            ..LoadOptions::default()
        };
        block_on(host.load_with(bundle.path(), options))
    };
    let ask = |model: &Model| block_on(model.embed_text(&["abc"]));
    let refused = block_on(host.load(bundle.path())).err().unwrap();
    assert_eq!(refused.code(), "admission.limit");

    let model = load(64, None).unwrap();
    let cost = ask(&model).unwrap().sandbox;
    let starved = load(64, Some(Fuel::new(cost.fuel.get() / 2)));
    let stopped = starved.and_then(|model| ask(&model)).unwrap_err();
    assert_eq!(stopped.code(), "limit.fuel");
    let cramped = load(1, None).and_then(|model| ask(&model)).unwrap_err();
    assert_eq!(cramped.code(), "limit.memory");
    // More than the manifest asks for is not given.
    let rich = load(512, Some(Fuel::new(u64::MAX))).unwrap();
    assert_eq!(ask(&rich).unwrap().sandbox.fuel, cost.fuel);
    assert_eq!(ask(&model).unwrap().sandbox.fuel, cost.fuel);
}

#[test]
fn no_texts_at_all_are_a_fine_request() {
    let answer = block_on(model().embed_text::<&str>(&[])).unwrap();
    assert_eq!(answer.output.vectors().len(), 0);
}

#[test]
fn images_are_classified_and_embedded() {
    let model = model();
    let labels = block_on(model.classify_image(red(4, 2), 2)).unwrap().output;
    assert_eq!(labels[0].name, "red");
    assert!(labels.len() <= 2);
    let answer = block_on(model.embed_images(vec![red(1, 1), red(3, 3)])).unwrap();
    assert_eq!(answer.output.vectors().len(), 2);
}

#[test]
fn text_is_generated_a_chunk_at_a_time_until_it_is_finished() {
    let mut request = GenerationRequest::question("one two three", 10);
    request.messages[0].content.push(Content::Image(red(1, 1)));
    request.messages.insert(
        0,
        Message {
            role: "system".to_owned(),
            content: vec![Content::Text("be brief".to_owned())],
        },
    );
    let model = model();
    block_on(async {
        let mut generation = model.generate(request).await.unwrap();
        let mut text = String::new();
        let mut finish = None;
        while let Some(chunk) = generation.next().await.unwrap() {
            assert!(finish.is_none(), "nothing follows the last chunk");
            text.push_str(&chunk.text);
            finish = chunk.finish;
        }
        assert!(text.contains("one") && text.contains("three"), "{text}");
        let finish = finish.unwrap();
        assert_eq!(finish.reason, "stop");
        assert!(finish.usage.output_tokens > 0);
        assert!(generation.report().fuel.get() > 0);
        assert_eq!(generation.next().await.unwrap(), None);
    });
}

/// Waits for the next chunk of a stream.
async fn next(chunks: &mut Chunks) -> Option<ampoule::Result<Chunk>> {
    poll_fn(|context| pin!(&mut *chunks).poll_next(context)).await
}

#[test]
fn a_generation_is_a_stream_that_loses_no_chunk_and_knows_its_cost_at_the_end() {
    let model = model();
    block_on(async {
        let request = || GenerationRequest::question("one two three", 10);
        let mut generation = model.generate(request()).await.unwrap();
        let mut expected = Vec::new();
        while let Some(chunk) = generation.next().await.unwrap() {
            expected.push(chunk);
        }
        let mut chunks = model.generate(request()).await.unwrap().into_stream();
        let mut came = Vec::new();
        loop {
            // The caller gives up at once, and asks again.
            let polled = poll_fn(|context| Poll::Ready(pin!(&mut chunks).poll_next(context)));
            let chunk = match polled.await {
                Poll::Ready(chunk) => chunk,
                Poll::Pending => next(&mut chunks).await,
            };
            let Some(chunk) = chunk else {
                break;
            };
            came.push(chunk.unwrap());
        }
        assert_eq!(came, expected);
        assert_eq!(chunks.report().fuel, generation.report().fuel);
        assert!(next(&mut chunks).await.is_none());
    });
}

#[test]
fn a_stream_ends_with_the_first_error() {
    let acme = Publisher::new("acme");
    let bundle = acme
        .bundle(test_guest("generation_fails_midway"))
        .tasks(&["text-generation"])
        .write();
    block_on(async {
        let model = host_trusting(&acme).load(bundle.path()).await.unwrap();
        let request = GenerationRequest::question("x", 10);
        let mut chunks = model.generate(request).await.unwrap().into_stream();
        for _ in 0..2 {
            next(&mut chunks).await.unwrap().unwrap();
        }
        let error = next(&mut chunks).await.unwrap().unwrap_err();
        assert_eq!(error.code(), "guest.error");
        assert!(next(&mut chunks).await.is_none());
        assert!(chunks.report().fuel.get() > 0);
    });
}

#[test]
fn requests_answers_and_reports_pass_through_a_services_own_format() {
    let request = json!({
        "messages": [{ "role": "user", "content": [{ "text": "one two" }] }],
        "max_output_tokens": 10,
    });
    let request: GenerationRequest = serde_json::from_value(request).unwrap();
    assert_eq!(request, GenerationRequest::question("one two", 10));
    let misspelt = json!({ "max_tokens": 10 });
    assert!(serde_json::from_value::<GenerationRequest>(misspelt).is_err());

    let model = model();
    let (chunk, report) = block_on(async {
        let mut generation = model.generate(request).await.unwrap();
        let mut last = None;
        while let Some(chunk) = generation.next().await.unwrap() {
            last = Some(chunk);
        }
        (last.unwrap(), generation.report())
    });
    let finish = chunk.finish.as_ref().unwrap();
    let expected = json!({
        "text": chunk.text,
        "finish": {
            "reason": "stop",
            "usage": {
                "input_tokens": finish.usage.input_tokens,
                "output_tokens": finish.usage.output_tokens,
            },
        },
    });
    let sent = serde_json::to_value(&chunk).unwrap();
    assert_eq!(sent, expected);
    assert_eq!(serde_json::from_value::<Chunk>(sent).unwrap(), chunk);

    let sent = serde_json::to_value(&report).unwrap();
    assert_eq!(sent["fuel"], report.fuel.get());
    assert_eq!(sent["peak_memory_bytes"], report.peak_memory.bytes());
    assert_eq!(sent["wall_ms"], report.wall.as_secs_f64() * 1e3);
    assert_eq!(sent["start_wall_ms"], report.start_wall.as_secs_f64() * 1e3);
    assert_eq!(sent["log"]["dropped_bytes"], 0);
    assert_eq!(
        serde_json::from_value::<SandboxReport>(sent).unwrap(),
        report
    );

    let answer = block_on(model.embed_text(&["x"])).unwrap();
    let sent = serde_json::to_value(&answer).unwrap();
    assert_eq!(sent["output"]["dimensions"], answer.output.dimensions);
    let came: Answer<TextEmbeddings> = serde_json::from_value(sent).unwrap();
    assert_eq!(came, answer);

    let error = block_on(model.embed_text(&["x".repeat(1_001)])).unwrap_err();
    let sent = serde_json::to_value(ErrorReport::from(&error)).unwrap();
    let expected = json!({
        "code": "input.too-large",
        "kind": "input",
        "message": error.to_string(),
        "is_retryable": false,
    });
    assert_eq!(sent, expected);
}

#[test]
fn generation_ends_at_the_most_tokens_and_before_a_stop_string() {
    let model = model();
    let run = |request| {
        block_on(async {
            let mut generation = model.generate(request).await.unwrap();
            let mut text = String::new();
            let mut reason = String::new();
            while let Some(chunk) = generation.next().await.unwrap() {
                text.push_str(&chunk.text);
                if let Some(finish) = chunk.finish {
                    reason = finish.reason;
                }
            }
            (text, reason)
        })
    };
    let (text, reason) = run(GenerationRequest::question("one two three", 2));
    assert!(!text.contains("three"), "{text}");
    assert_eq!(reason, "length");
    let mut request = GenerationRequest::question("one two three", 10);
    request.stop = vec!["two".to_owned()];
    let (text, reason) = run(request);
    assert!(!text.contains("two"), "{text}");
    assert_eq!(reason, "stop-string");
}

#[test]
fn a_task_that_the_model_lacks_is_named_with_those_it_has() {
    let acme = Publisher::new("acme");
    let bundle = acme.bundle(test_guest("guest_error")).write();
    let model = block_on(host_trusting(&acme).load(bundle.path())).unwrap();
    let error = block_on(model.classify_image(red(1, 1), 1)).unwrap_err();
    assert_eq!(error.code(), "usage.task");
    assert!(error.to_string().contains("text-embedding"), "{error}");
}

#[test]
fn input_over_a_limit_is_refused_before_a_sandbox_is_made() {
    let model = model();
    let long = "x".repeat(1_001);
    let many = vec!["x"; 257];
    for error in [
        block_on(model.embed_text(&[&long])).unwrap_err(),
        block_on(model.tokenize(&[&long])).unwrap_err(),
        block_on(model.embed_text(&many)).unwrap_err(),
        block_on(model.embed_images(vec![red(1, 1); 17])).unwrap_err(),
        block_on(model.classify_image(red(4_096, 1_366), 1)).unwrap_err(),
        block_on(model.generate(GenerationRequest::question(&long, 1)))
            .err()
            .unwrap(),
    ] {
        assert_eq!(error.code(), "input.too-large", "{error}");
    }
}
