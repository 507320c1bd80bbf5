//! Guests that crash, fail, or report a failure.

use super::*;

#[test]
fn a_guest_that_traps_is_told_as_a_trap() {
    let acme = acme();
    assert_codes(
        ["traps", "panics", "exits", "overflows_shadow_stack"]
            .map(|guest| stopped(&acme, acme.bundle(test_guest(guest)))),
        &["guest.trap"],
    );
}

#[test]
fn a_guest_that_fails_in_init_is_refused_at_load() {
    let acme = acme();
    let error = stopped(&acme, acme.bundle(test_guest("fails_in_init")));
    assert!(error.to_string().contains("model.test"), "{error}");
    assert_codes(
        [
            error,
            stopped(&acme, acme.bundle(test_guest("panics_in_init"))),
        ],
        &["guest.error", "guest.trap"],
    );
}

#[test]
fn a_guests_refusal_of_the_input_keeps_its_code() {
    let acme = acme();
    assert_codes(
        [stopped(&acme, acme.bundle(test_guest("guest_error")))],
        &["input.test"],
    );
}

#[test]
fn a_guests_error_is_made_harmless() {
    let acme = acme();
    let host = host_trusting(&acme);
    let bundle = acme
        .bundle(test_guest("invalid_error_code"))
        .set("/limits/output_bytes", json!(4 << 20));
    let model = block_on(load(&host, bundle));
    assert_codes(
        ["escapes", "long", "empty", "host", "else"].map(|way| {
            let error = block_on(model.embed_text(&[way])).unwrap_err();
            let text = error.to_string();
            assert!(text.chars().count() < 2_000, "{way}");
            assert!(!text.chars().any(char::is_control), "{way}: {text}");
            error
        }),
        &["guest.error"],
    );
}

#[test]
fn a_guest_does_not_choose_the_code_of_its_end() {
    let acme = acme();
    let error = stopped(&acme, acme.bundle(wat_guest("poses_as_a_limit")));
    assert!(!error.to_string().contains("too high"), "{error}");
    assert_codes([error], &["guest.trap"]);
}
