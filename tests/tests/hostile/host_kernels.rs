//! Abuse of the host's kernels: requests for memory that is not the guest's, or for more work than it may have.

use super::*;

use ampoule::{ByteSize, Capability, HostBuilder};

/// Weights of every layer of these guests: ones, `[256, 256]`.
const SIDE: usize = 256;

fn data() -> Vec<u8> {
    1.0_f32.to_le_bytes().repeat(SIDE * SIDE)
}

/// Makes a model that packs layers by `plan`, and may have the host's kernels.
fn multiplying<'p>(acme: &'p Publisher, plan: &str) -> BundleBuilder<'p> {
    acme.bundle(test_guest("multiplies_on_the_host"))
        .file("plan.txt", plan.into())
        .file("data.bin", data())
        .set("/capabilities", json!(["host-kernels"]))
}

fn allowing(acme: &Publisher) -> HostBuilder {
    Host::builder()
        .trust(acme.trust())
        .allow(Capability::HostKernels)
}

fn refused_with(host: &Host, bundle: BundleBuilder<'_>, text: &str, code: &str) -> Error {
    let error = block_on(ask_with(host, bundle, &[text])).unwrap_err();
    assert!(error.to_string().contains(code), "{text}: {error}");
    error
}

/// The guest hands on errors of the host.
#[test]
fn only_what_was_packed_is_multiplied() {
    let acme = acme();
    let host = allowing(&acme).build().unwrap();
    let plan = "f32 256 256 0\nf32 256 100 0\nf32 1 3 0";
    let errors = [
        ("multiply 3 1 256 1", "kernels.step"),
        ("multiply 4294967295 1 256 1", "kernels.step"),
        ("multiply , 1 256 1", "kernels.step"),
        ("multiply 0,1,0 1 256 1", "kernels.step"),
        ("multiply 0*257 1 256 1", "kernels.step"),
        ("multiply keep 1 256 1", "kernels.step"),
        ("multiply add 1 256 1", "kernels.step"),
        ("multiply 0,add 1 256 1", "kernels.step"),
        ("multiply keep,0,add,add 1 256 1", "kernels.step"),
        ("multiply keep,1,add 1 256 1", "kernels.step"),
        ("multiply keep,h1 1 256 1", "kernels.step"),
        ("multiply n0:0 1 256 1", "kernels.step"),
        ("multiply n256:255 1 256 1", "kernels.step"),
        ("multiply 0,n255:255 1 256 1", "kernels.step"),
        ("multiply n256:256 1 255 1", "kernels.rows"),
        ("multiply h1 1 256 1", "kernels.step"),
        ("multiply 0,h0 1 256 1", "kernels.step"),
        ("multiply 0,h3 1 256 1", "kernels.step"),
        ("multiply 2,h4294967295 1 1 1", "kernels.step"),
        ("multiply 2,h1,h1 1 1 1", "kernels.step"),
        ("multiply 0 1 255 1", "kernels.rows"),
        ("multiply 2,h1 65537 1 1", "kernels.rows"),
        ("pack", "kernels.closed"),
    ]
    .map(|(text, code)| refused_with(&host, multiplying(&acme, plan), text, code));
    assert_serves(&acme, &host);
    assert_codes(errors, &["guest.error"]);
}

#[test]
fn only_layers_within_the_files_are_packed() {
    let acme = acme();
    let host = allowing(&acme).build().unwrap();
    let errors = [
        ("f32 0 1 0", "kernels.layer"),
        ("f32 65537 1 0", "kernels.layer"),
        ("f32 1 0 0", "kernels.layer"),
        ("int4 1 1048577 0", "kernels.layer"),
        ("f32 4294967295 4294967295 0", "kernels.layer"),
        ("f32 256 256 1", "asset.out-of-range"),
        ("int4 65536 1048576 0", "asset.out-of-range"),
        ("f32 1 1 18446744073709551615", "asset.out-of-range"),
        ("f32 1 1 18446744073709551612", "asset.out-of-range"),
        ("multiply", "kernels.closed"),
        // Descriptions take memory of their own.
        ("int4 1 1 0 100000", "kernels.layer"),
    ]
    .map(|(plan, code)| refused_with(&host, multiplying(&acme, plan), "granted", code));
    assert_serves(&acme, &host);
    assert_codes(errors, &["guest.error"]);
}

#[test]
fn what_is_packed_counts_against_the_memory_of_init_and_of_requests() {
    let acme = acme();
    let host = allowing(&acme).build().unwrap();
    // A layer takes a quarter of a MiB; 64 MiB are allowed.
    let in_init = multiplying(&acme, "f32 256 256 0 300");
    // These fit; but not with what a request may have.
    let in_requests =
        multiplying(&acme, "f32 256 256 0 100").set("/limits/memory_bytes", json!(16 << 20));
    // The answer of this one would be 200 MB.
    let of_an_answer = multiplying(&acme, "int4 1 256 0");
    let errors = [
        (in_init, "granted"),
        (in_requests, "granted"),
        (of_an_answer, "multiply 0 200000 1 1"),
    ]
    .map(|(bundle, text)| block_on(ask_with(&host, bundle, &[text])).unwrap_err());
    assert_serves(&acme, &host);
    assert_codes(errors, &["limit.memory"]);
}

#[test]
fn multiplying_uses_up_fuel() {
    let acme = acme();
    let host = allowing(&acme).build().unwrap();
    // 1,000 rows are 65 million multiplications, and so much fuel.
    let bundle = || multiplying(&acme, "f32 256 256 0").set("/limits/fuel", json!(60_000_000));
    let error = block_on(ask_with(&host, bundle(), &["multiply 0 1000 256 1"])).unwrap_err();
    let answer = block_on(ask_with(&host, bundle(), &["multiply 0 500 256 1"])).unwrap();
    let fuel = answer.sandbox.fuel.get();
    assert!((32_768_000..60_000_000).contains(&fuel), "{fuel}");
    // And attention of 2,000 rows to one another 72 million.
    let attending = multiplying(&acme, "f32 1 3 0").set("/limits/fuel", json!(60_000_000));
    let attention = block_on(ask_with(&host, attending, &["multiply 0,h1 2000 1 1"])).unwrap_err();
    assert_serves(&acme, &host);
    assert_codes([error, attention], &["limit.fuel"]);
}

#[test]
fn multiplying_ends_at_the_deadline() {
    let acme = acme();
    let mut limits = Limits::default();
    limits.fuel = ampoule::Fuel::new(1_000_000_000_000_000);
    limits.output = ByteSize::from_mib(32);
    let mut errors = Vec::new();
    for threads in [1, 2] {
        let host = allowing(&acme)
            .limits(limits.clone())
            .kernel_threads(threads);
        let host = host.build().unwrap();
        // One call that takes much longer than the deadline, and many short ones.
        let one = "multiply 0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0 20000 256 0";
        let attention = "multiply 1,h1,2,h1,2,h1,2,h1,2,h1 65536 1 0";
        for text in [one, attention, "multiply 0 1 256 0 1000000000"] {
            let bundle = multiplying(&acme, "f32 256 256 0\nf32 1 3 0\nf32 1 3 0")
                .set("/limits/fuel", json!(1_000_000_000_000_000_u64))
                .set("/limits/output_bytes", json!(32 << 20))
                .set("/limits/deadline_ms", json!(DEADLINE.as_millis()));
            let model = block_on(load(&host, bundle));
            let ask = || block_on(model.embed_text(&[text])).unwrap_err();
            errors.push(stopped_in_time_once(ask));
        }
        assert_serves(&acme, &host);
    }
    assert_codes(errors, &["limit.deadline"]);
}

/// Overrun of a deadline that is allowed to a call that has to be stopped before its end.
const IN_TIME: Duration = Duration::from_millis(300);

/// Asks until an error comes in time, ten times at most. A busy machine delays one now and then; a host that computes a
/// call to its end delays each.
fn stopped_in_time_once(ask: impl Fn() -> Error) -> Error {
    let mut times = Vec::new();
    for _ in 0..10 {
        let began = Instant::now();
        let error = ask();
        let took = began.elapsed();
        if took < DEADLINE + IN_TIME {
            return error;
        }
        times.push(took);
    }
    panic!("no call was stopped in time: {times:?}");
}

#[test]
fn a_call_that_nobody_waits_for_any_more_ends() {
    let acme = acme();
    let mut limits = Limits::default();
    limits.fuel = ampoule::Fuel::new(1_000_000_000_000_000);
    limits.deadline = Duration::from_secs(600);
    let host = allowing(&acme).limits(limits).threads(1).build().unwrap();
    let bundle = multiplying(&acme, "f32 256 256 0")
        .set("/limits/fuel", json!(1_000_000_000_000_000_u64))
        .set("/limits/deadline_ms", json!(600_000));
    let model = block_on(load(&host, bundle));
    block_on(async {
        let call = model.embed_text(&["multiply 0 1000 256 0 1000000000"]);
        let given_up = tokio::time::timeout(Duration::from_millis(200), call).await;
        assert!(given_up.is_err());
        // The one thread is free again for this.
        let began = Instant::now();
        model.embed_text(&["granted"]).await.unwrap();
        assert!(began.elapsed() < SLACK, "{:?}", began.elapsed());
    });
}

#[test]
fn numbers_that_are_none_are_multiplied_as_is_documented() {
    let acme = acme();
    let host = allowing(&acme).build().unwrap();
    let plan = "f32 256 256 0\nf16 256 256 0\nint8 256 256 0\nint4 256 256 0";
    let model = block_on(load(&host, multiplying(&acme, plan)));
    let ask = |text: String| block_on(model.embed_text(&[&text])).unwrap().output.values;
    for layer in 0..4 {
        // Ones times halves, 256 of them; a byte of 127 steps is off by less than a hundredth.
        let found = ask(format!("multiply {layer} 3 256 0.5"));
        assert_eq!(found[..4], [1.0, 768.0, 0.0, 0.0], "{layer}");
        assert!(
            (found[4] - 128.0).abs() < 1.0 && found[4] == found[5],
            "{found:?}"
        );
        let found = ask(format!("multiply {layer} 3 256 NaN"));
        assert_eq!(found[..4], [1.0, 768.0, 768.0, 0.0], "{layer}");
        let is_int8 = layer == 2;
        let (none, infinite) = if is_int8 { (768.0, 0.0) } else { (0.0, 768.0) };
        let found = ask(format!("multiply {layer} 3 256 inf"));
        assert_eq!(found[..4], [1.0, 768.0, none, infinite], "{layer}");
    }
    // What is no number comes to all that see it.
    let attending = block_on(load(&host, multiplying(&acme, "f32 2 6 0")));
    let ask_attending = |text: &str| {
        block_on(attending.embed_text(&[text]))
            .unwrap()
            .output
            .values
    };
    assert_eq!(
        ask_attending("multiply 0,h2 5 2 0.5"),
        [1.0, 10.0, 0.0, 0.0, 1.0, 1.0]
    );
    assert_eq!(
        ask_attending("multiply 0,h2 5 2 NaN")[..3],
        [1.0, 10.0, 10.0]
    );
    assert_eq!(
        ask_attending("multiply 0,h2 5 2 inf")[..3],
        [1.0, 10.0, 10.0]
    );
    // No rows are none.
    assert_eq!(ask("multiply 0 0 256 1".to_owned())[..2], [1.0, 0.0]);
}

#[test]
fn a_model_has_the_hosts_kernels_only_where_it_asks_for_them_and_the_operator_allows_it() {
    let acme = acme();
    let plan = "f32 256 256 0";
    let asking = || multiplying(&acme, plan);
    let silent = || multiplying(&acme, plan).set("/capabilities", json!([]));
    let refusing = || multiplying(&acme, "always f32 256 256 0");
    let granted = |host: &Host, bundle| {
        let model = block_on(load(host, bundle));
        let answer = block_on(model.embed_text(&["granted"])).unwrap();
        let granted = answer.output.values[0] == 1.0;
        assert_eq!(model.uses_host_kernels(), granted);
        assert_eq!(model.packed_bytes() > ByteSize::default(), granted);
        granted
    };
    let allowing_host = allowing(&acme).build().unwrap();
    let plain = host_trusting(&acme);
    let deterministic = allowing(&acme).profile(ampoule::EngineProfile::Deterministic);
    let deterministic = deterministic.build().unwrap();
    assert!(granted(&allowing_host, asking()));
    assert!(!granted(&allowing_host, silent()));
    assert!(!granted(&plain, asking()));
    assert!(!granted(&deterministic, asking()));
    // Without the capability each function refuses.
    let error = block_on(ask_with(&plain, refusing(), &["granted"])).unwrap_err();
    assert!(error.to_string().contains("kernels.not-granted"), "{error}");
    refused_with(
        &plain,
        asking(),
        "multiply 0 1 256 1",
        "kernels.not-granted",
    );
}

#[test]
fn a_model_that_starts_cold_does_without_the_hosts_kernels() {
    let acme = acme();
    let host = allowing(&acme).build().unwrap();
    let model = block_on(load(
        &host,
        acme.bundle(test_guest("keeps_a_pollable"))
            .file("data.bin", data())
            .set("/capabilities", json!(["host-kernels"])),
    ));
    assert!(matches!(
        model.sandbox_start(),
        ampoule::SandboxStart::Cold { .. }
    ));
    assert!(!model.uses_host_kernels());
}

#[test]
fn a_thousand_sandboxes_at_once_multiply_rightly() {
    let acme = acme();
    for threads in [1, 2] {
        let mut limits = Limits::default();
        limits.queue = 1_000;
        limits.deadline = Duration::from_secs(120);
        let host = allowing(&acme).limits(limits).kernel_threads(threads);
        let host = host.build().unwrap();
        let bundle = multiplying(&acme, "f32 256 256 0\nint8 256 256 0")
            .set("/limits/deadline_ms", json!(120_000));
        let model = block_on(load(&host, bundle));
        let answers: Vec<_> = (0..1_000)
            .map(|number| {
                let model = model.clone();
                std::thread::Builder::new()
                    .stack_size(512 << 10)
                    .spawn(move || {
                        let text = format!("multiply {} {} 256 1", number % 2, number % 7 + 1);
                        block_on(model.embed_text(&[&text])).unwrap().output.values
                    })
                    .unwrap()
            })
            .collect();
        for (number, answer) in answers.into_iter().enumerate() {
            let answer = answer.join().unwrap();
            let count = (number % 7 + 1) * 256;
            assert_eq!(answer[..2], [1.0, count as f32], "{number}");
            assert!((answer[5] - 256.0).abs() < 2.0, "{number}: {answer:?}");
        }
        assert_serves(&acme, &host);
    }
}
