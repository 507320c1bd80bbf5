//! Answers that can be read and break the contract.

use super::*;

/// A picture to be classified.
fn pixel() -> Image {
    Image::Rgb8 {
        width: 1,
        height: 1,
        pixels: vec![0; 3],
    }
}

#[test]
fn scores_beyond_1_labels_out_of_order_and_endless_names_are_refused() {
    let acme = acme();
    let host = host_trusting(&acme);
    let bundle = acme
        .bundle(wat_guest("labels_wildly"))
        .tasks(&["image-classification"]);
    let model = block_on(load(&host, bundle));
    let errors = (3..=7).map(|top_k| block_on(model.classify_image(pixel(), top_k)).unwrap_err());
    let mut errors: Vec<_> = errors.collect();
    // More than were asked for.
    errors.push(block_on(model.classify_image(pixel(), 2)).unwrap_err());
    // Those that are as they should be are handed on.
    let labels = block_on(model.classify_image(pixel(), 9)).unwrap().output;
    let scores: Vec<_> = labels.iter().map(|label| label.score).collect();
    assert_eq!(scores, [1.0, 0.5, 0.5]);
    assert_codes(errors, &["guest.answer"]);
}

/// Each takes twelve bytes of the guest, and thirty-two of the host.
#[test]
fn ten_million_labels_without_a_name_are_refused_before_they_are_made() {
    let acme = acme();
    let host = host_trusting(&acme);
    let bundle = acme
        .bundle(wat_guest("labels_wildly"))
        .tasks(&["image-classification"])
        .set("/limits/memory_bytes", json!(256 << 20));
    let model = block_on(load(&host, bundle));
    let error = block_on(model.classify_image(pixel(), 8)).unwrap_err();
    assert_serves(&acme, &host);
    assert_codes([error], &["limit.output"]);
}

#[test]
fn a_code_that_is_no_dotted_name_is_not_passed_on() {
    let acme = acme();
    let host = host_trusting(&acme);
    let model = block_on(load(&host, acme.bundle(wat_guest("refuses_with_any_code"))));
    let refuse = |texts| block_on(model.embed_text(&vec!["x"; texts])).unwrap_err();
    assert_eq!(refuse(6).code(), "input.image-2");
    assert_codes((1..=5).map(refuse).collect::<Vec<_>>(), &["guest.error"]);
}

#[test]
fn an_embedding_that_says_it_wrote_tokens_is_refused() {
    let acme = acme();
    assert_codes(
        [stopped(
            &acme,
            acme.bundle(wat_guest("writes_tokens_when_embedding")),
        )],
        &["guest.answer"],
    );
}

#[test]
fn a_generation_that_ends_against_its_contract_is_refused() {
    let acme = acme();
    let host = host_trusting(&acme);
    let bundle = acme
        .bundle(wat_guest("streams"))
        .tasks(&["text-generation"]);
    let errors = block_on(async {
        let model = load(&host, bundle).await;
        let mut errors = Vec::new();
        for way in 5..=8 {
            let request = GenerationRequest::question("x", way);
            let mut generation = model.generate(request).await.unwrap();
            errors.push(generation.next().await.unwrap_err());
            errors.push(generation.next().await.unwrap_err());
        }
        let request = GenerationRequest::question("x", 9);
        let mut generation = model.generate(request).await.unwrap();
        let last = generation.next().await.unwrap().unwrap();
        assert_eq!(last.finish.unwrap().reason, "stop");
        assert!(generation.next().await.unwrap().is_none());
        errors
    });
    assert_serves(&acme, &host);
    assert_codes(errors, &["guest.answer", "usage.generation"]);
}

/// The component imports an unknown name that would fill a screen and steer it.
#[test]
fn a_name_of_a_strangers_takes_no_more_of_a_message_than_a_line() {
    let acme = acme();
    let host = host_trusting(&acme);
    let name = format!("a:{}/b", "x".repeat(50_000));
    let text = format!(r#"(component (import "{name}" (instance)))"#);
    let error = block_on(async {
        let bundle = acme.bundle(wat::parse_str(text).unwrap()).write();
        host.load(bundle.path()).await.err().unwrap()
    });
    assert!(error.to_string().chars().count() < 500, "{error}");
    assert_codes([error], &["admission.import"]);
}

#[test]
fn what_a_model_says_of_itself_is_as_long_as_a_person_reads() {
    let acme = acme();
    let mut limits = Limits::default();
    limits.output = ampoule::ByteSize::from_mib(8);
    let host = host_with_limits(&acme, limits);
    let bundle = acme
        .bundle(wat_guest("describes_itself_at_length"))
        .set("/limits/output_bytes", json!(8 << 20));
    let model = block_on(load(&host, bundle));
    let info = model.info();
    assert_eq!(info.architecture.chars().count(), 1_025);
    assert_eq!(info.properties.len(), 64);
    assert_eq!(
        info.properties[63],
        (
            "a-fact-that-is-known".to_owned(),
            "its-value-is-so-long".to_owned()
        )
    );
}

#[test]
fn a_conversation_of_many_turns_is_answered() {
    let acme = acme();
    let host = host_trusting(&acme);
    block_on(async {
        let model = load(&host, acme.every_task()).await;
        for turns in [129, 1_000] {
            let mut request = GenerationRequest::question("a b c", 10);
            request.messages = vec![request.messages.remove(0); turns];
            let mut generation = model.generate(request).await.unwrap();
            assert_eq!(generation.next().await.unwrap().unwrap().text, "a ");
        }
        let mut request = GenerationRequest::question("", 10);
        request.messages = vec![request.messages.remove(0); 10_000];
        let error = model.generate(request).await.err().unwrap();
        assert_eq!(error.code(), "input.too-large");
        assert!(error.to_string().contains("turns"), "{error}");
        let mut request = GenerationRequest::question("a b c", 10);
        request.stop = vec!["z".to_owned(); 255];
        model.generate(request).await.unwrap();
    });
}
