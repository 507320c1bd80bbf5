//! Guests that crash, fail, or say that they did.

use super::*;

promises! {
    #[test]
    fn a_guest_that_traps_is_told_as_a_trap() => "guest.trap" {
        let acme = acme();
        ["traps", "panics", "exits", "overflows_shadow_stack"]
            .map(|guest| stopped(&acme, acme.bundle(test_guest(guest))))
    }

    #[test]
    fn a_guest_that_fails_in_init_is_refused_at_load() => "guest.error", "guest.trap" {
        let acme = acme();
        let error = stopped(&acme, acme.bundle(test_guest("fails_in_init")));
        assert!(error.to_string().contains("model.test"), "{error}");
        [error, stopped(&acme, acme.bundle(test_guest("panics_in_init")))]
    }

    #[test]
    fn a_guests_refusal_of_the_input_keeps_its_code() => "input.test" {
        let acme = acme();
        [stopped(&acme, acme.bundle(test_guest("guest_error")))]
    }

    #[test]
    fn a_guests_error_is_made_harmless() => "guest.error" {
        let acme = acme();
        let host = host_trusting(&acme);
        let bundle = acme
            .bundle(test_guest("invalid_error_code"))
            .set("/limits/output_bytes", json!(4 << 20));
        let model = block_on(load(&host, bundle));
        ["escapes", "long", "empty", "host", "else"].map(|way| {
            let error = block_on(model.embed_text(&[way])).unwrap_err();
            let text = error.to_string();
            assert!(text.chars().count() < 2_000, "{way}");
            assert!(!text.chars().any(char::is_control), "{way}: {text}");
            error
        })
    }

    #[test]
    fn a_guest_does_not_choose_the_code_of_its_end() => "guest.trap" {
        let acme = acme();
        let error = stopped(&acme, acme.bundle(wat_guest("poses_as_a_limit")));
        assert!(!error.to_string().contains("too high"), "{error}");
        [error]
    }
}
