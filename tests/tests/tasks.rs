//! Every task of the contract, from a typed call to a typed answer, through a real guest.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use ampoule::{
    ByteSize, Content, Fuel, GenerationRequest, Image, LoadOptions, Message, Model, RequestLimits,
    Task,
};
use ampoule_tests::{Publisher, block_on, host_trusting, test_guest};

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
        let mut at_most = RequestLimits::default();
        (at_most.memory, at_most.fuel) = (Some(ByteSize::from_mib(memory)), fuel);
        let options = LoadOptions::new().at_most(at_most);
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
