//! Limits at the command line: the option that raises each, options that lower a call's, and the presets.

use std::path::PathBuf;
use std::process::{Command, Output};

use ampoule_tests::{
    Operator, WrittenBundle, ampoule, assert_fails, json_of, png_header, test_guest, wat_guest_with,
};
use serde_json::json;

fn message(output: &Output) -> String {
    json_of(output)["error"]["message"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// An operator, a model and a picture of 2 MiB.
struct Scene {
    operator: Operator,
    bundle: WrittenBundle,
    pictures: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let operator = Operator::new();
        let bundle = operator.good().write();
        let pictures = tempfile::tempdir().unwrap();
        let picture = [png_header(30, 20), vec![0; (2 << 20) - 100]].concat();
        std::fs::write(pictures.path().join("picture.png"), picture).unwrap();
        Self {
            operator,
            bundle,
            pictures,
        }
    }

    fn picture(&self) -> PathBuf {
        self.pictures.path().join("picture.png")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.operator.ampoule(words);
        command.arg("--json").arg("--model").arg(self.bundle.path());
        command
    }

    fn embed(&self, texts: &[&str], options: &[&str]) -> Output {
        let mut command = self.command(&["embed"]);
        command.args(texts).args(options).output().unwrap()
    }

    fn ask_about_pictures(&self, pictures: usize, options: &[&str]) -> Output {
        let mut command = self.command(&["ask", "what is it?"]);
        for _ in 0..pictures {
            command.arg("--image").arg(self.picture());
        }
        command.args(options).output().unwrap()
    }
}

/// Returns the word behind an option's name in a message.
#[track_caller]
fn named_value(message: &str, option: &str) -> String {
    let after = message.split_once(&format!("{option} "));
    let (_, after) = after.unwrap_or_else(|| panic!("{option} is not in: {message}"));
    after.split_whitespace().next().unwrap().to_owned()
}

/// Every refusal by a limit names the option, with a sufficient value: the test tries it.
#[test]
fn a_refusal_by_a_limit_names_the_option_and_a_value_that_lets_it_through() {
    let scene = Scene::new();
    let embed = |options: &[&str]| scene.embed(&["hello", "you"], options);
    let one = |options: &[&str]| scene.ask_about_pictures(1, options);
    let two = |options: &[&str]| scene.ask_about_pictures(2, options);
    type Run<'a> = &'a dyn Fn(&[&str]) -> Output;
    let cases: [(&str, &str, &str, i32, Run<'_>); 12] = [
        ("--texts", "1", "input.too-large", 7, &embed),
        ("--text-chars", "4", "input.too-large", 7, &embed),
        ("--images", "1", "input.too-large", 7, &two),
        ("--image-bytes", "1MiB", "input.too-large", 7, &one),
        ("--image-pixels", "599", "input.too-large", 7, &one),
        ("--component-bytes", "1KiB", "admission.limit", 4, &embed),
        ("--bundle-bytes", "1KiB", "file.too-large", 3, &embed),
        ("--output-bytes", "1KiB", "admission.limit", 4, &embed),
        ("--init-memory", "1MiB", "admission.limit", 4, &embed),
        ("--init-fuel", "7", "admission.limit", 4, &embed),
        ("--init-timeout", "7ms", "admission.limit", 4, &embed),
        // A file of that size is no more than a component may be, so both are named in turn.
        ("--bundle-bytes", "1KiB", "file.too-large", 3, &one),
    ];
    for (option, low, code, status, run) in cases {
        let refused = run(&[option, low]);
        assert_fails(&refused, code, status);
        let message = message(&refused);
        let value = named_value(&message, option);
        let key = format!(
            "({} under [limits] in the configuration file)",
            &option[2..]
        );
        assert!(message.contains(&key), "{message}");
        let answered = run(&[option, &value]);
        assert!(answered.status.success(), "{option} {value}: {answered:?}");
    }
}

#[test]
fn a_cap_of_the_operator_names_the_option_that_raises_it() {
    let scene = Scene::new();
    for (variable, low, option) in [
        ("AMPOULE_MEMORY", "1MiB", "--memory"),
        ("AMPOULE_FUEL", "7", "--fuel"),
        ("AMPOULE_TIMEOUT", "7ms", "--timeout"),
    ] {
        let run = |options: &[&str]| {
            let mut command = scene.command(&["embed", "hello"]);
            command.env(variable, low).args(options).output().unwrap()
        };
        let refused = run(&[]);
        assert_fails(&refused, "admission.limit", 4);
        let value = named_value(&message(&refused), option);
        let answered = run(&[option, &value]);
        assert!(answered.status.success(), "{answered:?}");
    }
}

#[test]
fn a_publishers_cap_names_the_option_of_trust_add() {
    let scene = Scene::new();
    let add = |cap: &[&str]| {
        let mut command = scene
            .operator
            .ampoule(&["trust", "add", "--publisher", "acme"]);
        assert!(command.args(cap).status().unwrap().success());
    };
    for (option, low) in [
        ("--cap-memory", "1MiB"),
        ("--cap-timeout", "7ms"),
        ("--cap-init-fuel", "7"),
    ] {
        add(&[option, low]);
        let refused = scene.embed(&["hello"], &[]);
        assert_fails(&refused, "admission.limit", 4);
        let message = message(&refused);
        assert!(message.contains("`ampoule trust add`"), "{message}");
        add(&[option, &named_value(&message, option)]);
        assert!(scene.embed(&["hello"], &[]).status.success());
    }
}

/// Refusals name the option also where no sufficient value is known.
#[test]
fn limits_of_what_is_not_known_beforehand_are_named_too() {
    let scene = Scene::new();
    let mut ask = scene.command(&["ask", "one two three four", "--chunks", "1"]);
    let output = ask.output().unwrap();
    assert_fails(&output, "limit.output", 5);
    assert!(
        message(&output).contains("--chunks allows more"),
        "{}",
        message(&output)
    );
    // It has the time of `init` besides.
    let quick = scene.operator.good().named("quick");
    let quick = quick.set("/limits/init/deadline_ms", json!(20)).write();
    let mut embed = scene.operator.ampoule(&["embed", "x", "--json"]);
    embed.args(["--no-cache", "--compile-timeout", "1ms", "--model"]);
    // The built-in model is larger.
    let mut ask = ampoule();
    ask.args([
        "ask",
        "x",
        "--json",
        "--no-cache",
        "--compile-memory",
        "64MiB",
    ]);
    for (output, option) in [
        (
            embed.arg(quick.path()).output().unwrap(),
            "--compile-timeout",
        ),
        (ask.output().unwrap(), "--compile-memory"),
    ] {
        assert_fails(&output, "compile.limit", 6);
        let message = message(&output);
        assert!(
            message.contains(&format!("{option} allows more")),
            "{message}"
        );
    }
}

#[test]
fn a_limit_that_cannot_work_names_its_option() {
    for (option, value) in [
        ("--images", "0"),
        ("--init-memory", "1KiB"),
        ("--sandboxes", "100000"),
    ] {
        let mut verify = ampoule();
        let output = verify.args(["verify", "--json", option, value]).output();
        let output = output.unwrap();
        assert_fails(&output, "usage.limits", 2);
        let message = message(&output);
        assert!(message.contains(&format!("{option} sets it")), "{message}");
    }
}

#[test]
fn less_for_a_call_than_anything_could_run_with_names_its_option_before_a_model_is_looked_at() {
    let operator = Operator::new();
    for (option, value) in [("--memory", "0"), ("--memory", "63KiB"), ("--fuel", "0")] {
        let mut embed = operator.ampoule(&["embed", "x", "--json", option, value]);
        let output = embed.args(["--model", "/nowhere"]).output().unwrap();
        assert_fails(&output, "usage.limits", 2);
        let message = message(&output);
        assert!(message.contains(&format!("{option} sets it")), "{message}");
    }
}

/// "Raise the cap" would send somebody looking for a cap that does not exist.
#[test]
fn a_bound_that_no_setting_moves_says_so_and_names_no_option() {
    let operator = Operator::new();
    let publisher = operator.publisher();
    let functions = format!("(core module {})", "(func)".repeat(50_001));
    let instances = format!(
        "(core module $m) {}",
        "(core instance (instantiate $m))".repeat(16)
    );
    for (more, code, status, numbers) in [
        (functions, "admission.limit", 4, ["50001", "50000"]),
        (
            instances,
            "limit.instances",
            5,
            ["17 core instances", "16 allowed"],
        ),
    ] {
        let bundle = publisher
            .bundle(wat_guest_with("grows_page_by_page", &more))
            .write();
        let output = operator.embed(bundle.path(), "x");
        assert_fails(&output, code, status);
        let message = message(&output);
        assert!(message.contains("no setting raises it"), "{message}");
        assert!(!message.contains("--"), "{message}");
        for number in numbers {
            assert!(message.contains(number), "{message}");
        }
    }
}

#[test]
fn an_option_asks_for_less_than_the_model_does_for_one_call() {
    let scene = Scene::new();
    for (option, low, code) in [
        ("--fuel", "1000", "limit.fuel"),
        ("--memory", "64KiB", "limit.memory"),
    ] {
        let lowered = scene.embed(&["hello"], &[option, low]);
        assert_fails(&lowered, code, 5);
        let message = message(&lowered);
        assert!(
            message.contains(&format!("{option} is the limit of this call")),
            "{message}"
        );
        // The call before has changed nothing for this one.
        assert!(scene.embed(&["hello"], &[]).status.success());
    }
    // Enough for the answer, and less than the manifest asks for.
    let answered = scene.embed(
        &["hello"],
        &[
            "--memory",
            "32MiB",
            "--fuel",
            "1000000000",
            "--timeout",
            "2s",
        ],
    );
    assert!(answered.status.success(), "{answered:?}");

    let spins = scene
        .operator
        .publisher()
        .bundle(test_guest("never_returns"));
    let spins = spins
        .named("spins")
        .set("/limits/deadline_ms", json!(5_000))
        .write();
    let began = std::time::Instant::now();
    let mut embed =
        scene
            .operator
            .ampoule(&["embed", "--json", "x", "--timeout", "300ms", "--model"]);
    let output = embed.arg(spins.path()).output().unwrap();
    assert_fails(&output, "limit.deadline", 5);
    assert!(
        message(&output).contains("--timeout is the limit of this call"),
        "{}",
        message(&output)
    );
    assert!(message(&output).contains("300 ms"), "{}", message(&output));
    assert!(began.elapsed() < std::time::Duration::from_secs(60));
}

/// A caller that lowered nothing is told whose limit it was.
#[test]
fn a_limit_of_the_signed_manifest_says_whose_it_is() {
    let operator = Operator::new();
    let greedy = operator.good().set("/limits/fuel", json!(1_000)).write();
    let output = operator.embed(greedy.path(), "x");
    assert_fails(&output, "limit.fuel", 5);
    assert!(
        message(&output).contains("the limit is that of the model's signed manifest"),
        "{}",
        message(&output)
    );
}

#[test]
fn a_model_that_asks_for_more_than_the_cap_can_be_run_with_less() {
    let operator = Operator::new();
    let large = operator
        .good()
        .set("/limits/memory_bytes", json!(1_u64 << 30))
        .write();
    let run = |words: &[&str], options: &[&str]| {
        let mut command = operator.ampoule(words);
        command
            .arg(large.path())
            .arg("--json")
            .args(options)
            .output()
            .unwrap()
    };
    let embed = |options: &[&str]| run(&["embed", "x", "--model"], options);
    assert_fails(&embed(&[]), "admission.limit", 4);
    assert!(embed(&["--memory", "64MiB"]).status.success());
    assert!(embed(&["--memory", "1GiB"]).status.success());

    // Where nothing is asked of a model, the options are the caps of the host that is meant.
    let small = ["--memory", "64MiB"];
    assert_fails(&run(&["verify"], &small), "admission.limit", 4);
    let inspected = json_of(&run(&["inspect"], &small));
    assert_eq!(inspected["verdict"]["code"], "admission.limit");
    assert!(run(&["verify"], &["--memory", "1GiB"]).status.success());
}

#[test]
fn a_value_that_a_variable_holds_is_refused_with_the_name_of_the_variable() {
    let refusal = |words: &[&str], variables: &[(&str, &str)]| {
        let mut command = ampoule();
        command.args(words).arg("--json");
        command.envs(variables.iter().copied());
        let output = command.output().unwrap();
        assert_fails(&output, "usage.arguments", 2);
        message(&output)
    };
    for (variable, value) in [
        ("AMPOULE_TIMEOUT", ""),
        ("AMPOULE_MEMORY", "much"),
        ("AMPOULE_CACHE", ""),
        ("AMPOULE_ALLOW", "everything"),
    ] {
        let message = refusal(&["ask", "x"], &[(variable, value)]);
        assert!(
            message.starts_with(&format!("the variable {variable}: ")),
            "{message}"
        );
    }
    // On the command line it is found without that.
    let variables = [("AMPOULE_TIMEOUT", "5s")];
    let message = refusal(&["ask", "x", "--timeout="], &variables);
    assert!(!message.contains("AMPOULE_"), "{message}");
    // Limits of a host are nothing to the commands that make none.
    let mut list = ampoule();
    list.args(["man", "--json"]).env("AMPOULE_TIMEOUT", "");
    assert!(list.output().unwrap().status.success());
}

#[test]
fn the_strict_preset_comes_from_flag_variable_and_file() {
    let scene = Scene::new();
    let config = scene.operator.trust().join("strict.toml");
    let write = |text: &str| std::fs::write(&config, text).unwrap();
    write("[limits]\npreset = \"strict\"\n");
    let path = config.to_str().unwrap();
    let ask = |options: &[&str]| scene.ask_about_pictures(1, options);
    assert!(
        ask(&[]).status.success(),
        "a picture of 2 MiB is taken by default"
    );
    let mut by_variable = scene.command(&["ask", "x"]);
    by_variable.arg("--image").arg(scene.picture());
    by_variable.env("AMPOULE_LIMITS", "strict");
    for refused in [
        ask(&["--limits", "strict"]),
        ask(&["--config", path]),
        by_variable.output().unwrap(),
    ] {
        assert_fails(&refused, "input.too-large", 7);
        assert_eq!(named_value(&message(&refused), "--image-bytes"), "2MiB");
    }
    // What is said beside the preset holds, wherever it is said.
    assert!(
        ask(&["--limits", "strict", "--image-bytes", "2MiB"])
            .status
            .success()
    );
    assert!(
        ask(&["--config", path, "--limits", "default"])
            .status
            .success()
    );
    write("[limits]\npreset = \"strict\"\nimage-bytes = \"2MiB\"\n");
    assert!(ask(&["--config", path]).status.success());
    write("[limits]\npreset = \"loose\"\n");
    assert_fails(&ask(&["--config", path]), "usage.config", 2);
}

/// Inspecting finds at once a fault that loading finds after minutes of compiling. The verdict tells trust from
/// admission.
#[test]
fn inspect_admits_nothing_that_loading_refuses_for_its_parts_or_its_features() {
    let operator = Operator::new();
    let publisher = operator.publisher();
    let with = |text: &str| wat_guest_with("grows_page_by_page", text);
    let nested = |inner: usize, outer: usize, module: &str| {
        let text = format!(
            "(component $c (core module $m {module}) {}) {}",
            "(core instance (instantiate $m))".repeat(inner),
            "(instance (instantiate $c))".repeat(outer)
        );
        with(&text)
    };
    // One component calls another: the compiler puts a module of its own between them.
    let calling = |others: usize| {
        let others = "(core instance (instantiate $none))".repeat(others);
        with(&format!(
            r#"(component $callee
                (core module $m (func (export "f")))
                (core instance $i (instantiate $m))
                (func (export "f") (canon lift (core func $i "f"))))
            (component $caller
                (import "f" (func $f))
                (core func $g (canon lower (func $f)))
                (core module $m (import "x" "f" (func)))
                (core instance (instantiate $m
                    (with "x" (instance (export "f" (func $g)))))))
            (core module $none)
            {others}
            (instance $callee (instantiate $callee))
            (instance (instantiate $caller (with "f" (func $callee "f"))))"#
        ))
    };
    let switched_off = Some(("compile.failed", "switched off"));
    let cases = [
        (nested(5, 3, ""), None),
        (calling(12), None),
        (
            calling(13),
            Some(("limit.instances", "17 core instances needed, 16 allowed")),
        ),
        (
            nested(4, 4, ""),
            Some(("limit.instances", "17 core instances needed, 16 allowed")),
        ),
        (
            nested(2, 4, "(memory 0)"),
            Some(("limit.instances", "9 memories needed, 8 allowed")),
        ),
        (
            nested(16, 2, "(table 1 funcref)"),
            Some(("limit.instances", "needed")),
        ),
        (
            with(r#"(component (import "f" (func async)))"#),
            switched_off,
        ),
        (
            with("(core module (func $f (return_call $f)))"),
            switched_off,
        ),
        (with("(core module (memory i64 1))"), switched_off),
        (with("(core func (canon backpressure.inc))"), switched_off),
    ];
    for (number, (component, refused)) in cases.into_iter().enumerate() {
        let bundle = publisher
            .bundle(component)
            .named(&format!("case-{number}"))
            .write();
        let run = |words: &[&str]| {
            let mut command = operator.ampoule(words);
            command.arg("--json").arg(bundle.path()).output().unwrap()
        };
        let inspected = json_of(&run(&["inspect"]));
        let verdict = &inspected["verdict"];
        assert_eq!(verdict["trusted"], true, "{number}: {verdict}");
        assert_eq!(
            verdict["admitted"],
            refused.is_none(),
            "{number}: {verdict}"
        );
        let verified = run(&["verify"]);
        match refused {
            None => assert!(verified.status.success(), "{number}: {verified:?}"),
            Some((code, said)) => {
                assert_eq!(verdict["code"], code, "{number}");
                assert!(
                    verdict["message"].to_string().contains(said),
                    "{number}: {verdict}"
                );
                assert_eq!(json_of(&verified)["error"]["code"], code, "{number}");
            }
        }
    }
    let stranger = ampoule_tests::Publisher::new("acme").every_task().write();
    let mut command = operator.ampoule(&["inspect", "--json"]);
    let inspected = json_of(&command.arg(stranger.path()).output().unwrap());
    assert_eq!(inspected["verdict"]["trusted"], false);
    assert_eq!(inspected["verdict"]["admitted"], false);
}

/// "Verified" is said of the files on disk, and not of those that the cached code was made of.
#[test]
fn verify_reads_every_byte_also_where_the_cache_makes_it_needless() {
    let operator = Operator::new();
    let bundle = operator
        .good()
        .file("config.json", b"{\"a\": 1}".to_vec())
        .file("weights.bin", vec![7; 100_000])
        .write();
    let verify = || {
        let mut command = operator.ampoule(&["verify", "--json"]);
        command.arg(bundle.path()).output().unwrap()
    };
    assert!(operator.embed(bundle.path(), "x").status.success());
    assert!(verify().status.success());
    for (name, changed) in [
        ("config.json", b"{\"a\": 2}".to_vec()),
        ("weights.bin", [vec![7; 99_999], vec![8]].concat()),
    ] {
        let path = bundle.path().join(name);
        let signed = std::fs::read(&path).unwrap();
        std::fs::write(&path, changed).unwrap();
        assert_fails(&verify(), "file.digest", 3);
        // The cached code holds the signed bytes, and nothing else is read.
        assert!(operator.embed(bundle.path(), "x").status.success());
        std::fs::remove_file(&path).unwrap();
        assert_fails(&verify(), "file.missing", 3);
        std::fs::write(&path, signed).unwrap();
        assert!(verify().status.success());
    }
}
