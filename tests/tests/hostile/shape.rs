//! Components of few bytes that would take the host much memory or time to unfold.

use super::*;

/// Time in which every component here is refused, since nothing of it is unfolded.
const AT_ONCE: Duration = Duration::from_secs(5);

/// Assembles a component from the text of its items.
fn component(text: &str) -> Vec<u8> {
    wat::parse_str(format!("(component {text})")).unwrap()
}

/// Assembles a model with more items in it.
fn model_with(text: &str) -> Vec<u8> {
    wat_guest_with("grows_page_by_page", text)
}

/// Wraps a component in another, with the items that follow it. No parser of the text format goes so deep.
fn around(inner: &[u8], then: &[u8]) -> Vec<u8> {
    const HEADER: [u8; 8] = *b"\0asm\x0d\0\x01\0";
    const COMPONENT_SECTION: u8 = 4;
    let inner = if inner.is_empty() { &HEADER } else { inner };
    let mut bytes = HEADER.to_vec();
    bytes.push(COMPONENT_SECTION);
    let mut length = inner.len();
    while length >= 0x80 {
        bytes.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend_from_slice(inner);
    bytes.extend_from_slice(then);
    bytes
}

/// Checks that a component is refused at load, and at once.
fn refused(publisher: &Publisher, component: Vec<u8>) -> Error {
    refused_bundle(publisher, publisher.bundle(component))
}

fn refused_bundle(publisher: &Publisher, bundle: BundleBuilder<'_>) -> Error {
    let host = host_trusting(publisher);
    let bundle = bundle.write();
    let began = Instant::now();
    let error = block_on(host.load(bundle.path())).err().unwrap();
    let took = began.elapsed();
    assert!(took < AT_ONCE, "{took:?}: {error}");
    assert_serves(publisher, &host);
    error
}

#[test]
fn a_component_of_100_000_functions_is_refused() {
    let acme = acme();
    let functions = |count| format!("(core module {})", "(func)".repeat(count));
    assert_codes(
        [
            refused(&acme, model_with(&functions(100_000))),
            // In modules that each have as many as they may.
            refused(&acme, model_with(&functions(45_000).repeat(3))),
        ],
        &["admission.limit"],
    );
}

#[test]
fn a_component_of_thousands_of_exports_is_refused() {
    let acme = acme();
    let mut text = r#"(core module $m (func (export "f")))
        (core instance $i (instantiate $m))
        (func $f (canon lift (core func $i "f")))"#
        .to_owned();
    for number in 0..5_000 {
        text += &format!("(export \"f{number}\" (func $f))");
    }
    assert_codes([refused(&acme, model_with(&text))], &["admission.limit"]);
}

#[test]
fn components_deep_inside_of_each_other_are_refused() {
    let acme = acme();
    assert_codes(
        [18, 10_000].map(|levels| {
            let nested = (0..levels).fold(Vec::new(), |inner, _| around(&inner, &[]));
            refused(&acme, nested)
        }),
        &["admission.limit"],
    );
}

/// Ten levels, each with ten instances of the next, make ten thousand million instances.
#[test]
fn components_that_multiply_are_refused_before_they_are_unfolded() {
    let acme = acme();
    // A section of ten instances of the component 0, without arguments.
    let mut ten = vec![5, 31, 10];
    ten.extend([0, 0, 0].repeat(10));
    let bomb = (0..10).fold(Vec::new(), |inner, _| around(&inner, &ten));
    let mut model = model_with("");
    model.extend_from_slice(&bomb[8..]);
    assert_codes([refused(&acme, model)], &["admission.limit"]);
}

#[test]
fn core_modules_instantiated_over_and_over_are_refused() {
    let acme = acme();
    let text = format!(
        "(core module $m) {}",
        "(core instance (instantiate $m))".repeat(65)
    );
    assert_codes([refused(&acme, model_with(&text))], &["admission.limit"]);
}

#[test]
fn more_core_instances_memories_or_tables_than_a_sandbox_may_have_are_refused() {
    let acme = acme();
    let many = |what: &str, count: usize| {
        let instances = "(core instance (instantiate $m))".repeat(count);
        refused(
            &acme,
            model_with(&format!("(core module $m {what}) {instances}")),
        )
    };
    assert_codes(
        [
            many("", 16),
            many("(memory 0) (memory 0)", 4),
            many("(table 0 funcref) (table 0 funcref) (table 0 funcref)", 11),
        ],
        &["limit.instances"],
    );
}

/// Each takes a few bytes, and the compiler would write out everything between its two ends.
#[test]
fn giant_memories_that_data_begins_at_both_ends_are_refused_before_they_are_compiled() {
    let acme = acme();
    let giant = r#"(core module (memory 16000)
        (data (i32.const 0) "a") (data (i32.const 1048575999) "z"))"#;
    let one = acme.bundle(model_with(giant));
    // No module among these has more than the model may have, and none is instantiated.
    let many = acme
        .bundle(model_with(&giant.repeat(64)))
        .set("/limits/init/memory_bytes", json!(1 << 30));
    assert_codes(
        [refused_bundle(&acme, one), refused_bundle(&acme, many)],
        &["limit.memory"],
    );
}

#[test]
fn data_beyond_the_end_of_its_memory_is_a_trap_at_load() {
    let acme = acme();
    let text = r#"(core module $m (memory 1) (data (i32.const 65535) "ab"))
        (core instance (instantiate $m))"#;
    assert_codes([refused(&acme, model_with(text))], &["guest.trap"]);
}

#[test]
fn a_type_that_unfolds_to_a_million_million_is_refused() {
    let acme = acme();
    let mut text = "(type $t0 (tuple u8 u8))".to_owned();
    for number in 1..40 {
        let before = number - 1;
        text += &format!("(type $t{number} (tuple $t{before} $t{before}))");
    }
    assert_codes([refused(&acme, model_with(&text))], &["compile.failed"]);
}

#[test]
fn a_function_of_100_000_locals_is_refused() {
    let acme = acme();
    let text = format!("(core module (func (local {})))", "i64 ".repeat(100_000));
    assert_codes([refused(&acme, model_with(&text))], &["compile.failed"]);
}

#[test]
fn a_component_that_imports_code_is_refused() {
    let acme = acme();
    assert_codes(
        [
            r#"(import "m" (core module))"#,
            r#"(import "c" (component))"#,
            r#"(import "f" (func))"#,
        ]
        .map(|text| refused(&acme, component(text))),
        &["admission.import"],
    );
}

#[test]
fn a_start_function_has_the_limits_of_init() {
    let acme = acme();
    let start = |body: &str| {
        let text = format!(
            "(core module $m (memory 0) (func $f {body}) (start $f)) \
             (core instance (instantiate $m))"
        );
        let bundle = acme.bundle(model_with(&text));
        refused_bundle(&acme, bundle.set("/limits/init/fuel", json!(10_000_000)))
    };
    assert_codes(
        [
            start("(loop $again (br $again))"),
            start("(call $f)"),
            start(
                "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
             unreachable",
            ),
            start("unreachable"),
        ],
        &["limit.fuel", "limit.stack", "limit.memory", "guest.trap"],
    );
}
