//! Data that guests hand to the host: answers, arguments of imports, log messages.

use super::*;

#[test]
fn a_giant_answer_is_refused() {
    let acme = acme();
    let host = host_trusting(&acme);
    // Two mebibytes of floats: room in the sandbox, more than the mebibyte that may leave it.
    let bundle = acme.bundle(test_guest("returns_giant_list"));
    let error = block_on(ask_with(&host, bundle, &["524288"])).unwrap_err();
    assert_codes(
        [
            error,
            stopped(&acme, acme.bundle(test_guest("returns_giant_list"))),
        ],
        &["limit.output", "limit.memory"],
    );
}

#[test]
fn a_small_list_that_claims_to_be_giant_is_refused() {
    let acme = acme();
    let host = host_trusting(&acme);
    let bundle = acme
        .bundle(test_guest("returns_aliased_list"))
        .tasks(&["image-classification"]);
    let pixel = Image::Rgb8 {
        width: 1,
        height: 1,
        pixels: vec![0; 3],
    };
    let error = block_on(async { load(&host, bundle).await.classify_image(pixel, 9).await });
    assert_serves(&acme, &host);
    assert_codes([error.unwrap_err()], &["limit.output"]);
}

#[test]
fn a_giant_argument_to_an_import_is_refused() {
    let acme = acme();
    assert_codes(
        ["giant_import_argument", "giant_asset_name"].map(|guest| {
            let bundle = acme
                .bundle(test_guest(guest))
                .set("/limits/memory_bytes", json!(512 << 20))
                .set("/limits/init/memory_bytes", json!(512 << 20));
            stopped(&acme, bundle)
        }),
        &["limit.output"],
    );
}

#[test]
fn a_giant_request_for_randomness_is_refused() {
    let acme = acme();
    let host = host_trusting(&acme);
    let model = block_on(load(
        &host,
        acme.bundle(test_guest("asks_for_giant_random")),
    ));
    block_on(model.embed_text(&["65536"])).unwrap();
    // One byte more than the limit, and a gibibyte.
    let errors =
        ["65537", "1073741824"].map(|amount| block_on(model.embed_text(&[amount])).unwrap_err());
    assert_serves(&acme, &host);
    assert_codes(errors, &["guest.trap"]);
}

#[test]
fn an_answer_of_the_wrong_shape_is_refused() {
    let acme = acme();
    let host = host_trusting(&acme);
    let model = block_on(load(&host, acme.bundle(test_guest("wrong_shape"))));
    block_on(model.embed_text(&["ordinary"])).unwrap();
    let shapes = [
        "few-values",
        "many-values",
        "few-flags",
        "many-flags",
        "huge-dimensions",
        "other-batch",
    ];
    assert_codes(
        shapes.map(|shape| block_on(model.embed_text(&[shape])).unwrap_err()),
        &["guest.answer"],
    );
}

#[test]
fn an_answer_that_is_no_number_is_refused() {
    let acme = acme();
    assert_codes(
        [stopped(&acme, acme.bundle(test_guest("nan_values")))],
        &["guest.answer"],
    );
}

#[test]
fn an_answer_that_breaks_the_abi_is_a_trap() {
    let acme = acme();
    assert_codes(
        stopped_at_each(&acme, acme.bundle(wat_guest("breaks_the_abi")), 1..=5),
        &["guest.trap"],
    );
}

#[test]
fn empty_answers_are_answers() {
    let acme = acme();
    let host = host_trusting(&acme);
    let model = block_on(load(&host, acme.bundle(test_guest("empty_everything"))));
    for texts in [&[][..], &["a", "b"]] {
        let answer = block_on(model.embed_text(texts)).unwrap();
        assert_eq!(answer.output.values, [] as [f32; 0]);
        assert_eq!(answer.output.vectors().len(), texts.len());
    }
}

#[test]
fn a_guest_that_floods_the_log_is_cut_off_counted_and_answered() {
    let acme = acme();
    // Forty thousand calls of the host take seconds on a busy machine.
    let mut limits = Limits::default();
    limits.deadline = Duration::from_secs(60);
    let host = host_with_limits(&acme, limits);
    for guest in ["floods_the_log", "floods_stdout"] {
        let bundle = acme
            .bundle(test_guest(guest))
            .set("/limits/output_bytes", json!(2 << 20))
            .set("/limits/deadline_ms", json!(60_000));
        let log = block_on(ask(&host, bundle)).unwrap().sandbox.log;
        let kept: usize = log.messages.iter().map(|message| message.text.len()).sum();
        assert!(kept <= 64 * 1024, "{guest} kept {kept}");
        assert!(
            log.dropped_bytes > 19 << 20,
            "{guest} dropped {}",
            log.dropped_bytes
        );
    }
}

#[test]
fn a_guest_cannot_forge_log_lines() {
    let acme = acme();
    let host = host_trusting(&acme);
    let answer = block_on(ask(&host, acme.bundle(test_guest("forges_log_lines")))).unwrap();
    assert!(!answer.sandbox.log.messages.is_empty());
    for message in answer.sandbox.log.messages {
        assert!(
            !message.text.contains(['\n', '\r', '\u{1b}']),
            "{message:?}"
        );
    }
}
