//! The page at `/`, in a real browser. `cargo xtask setup` installs the browser and the packages that drive it.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use ampoule_access::Role;
use ampoule_signing::TrustStore;
use ampoule_tests::{Operator, Publisher, Served, ampoule, test_guest, workspace_file};
use serde_json::json;

use crate::guarded::{Guarded, scope};

/// Longest time of the script, in seconds: many times what it takes on a busy machine.
const SCRIPT_TIME: &str = "150";

/// Text of a publisher that would be a picture and a script if the page took it for markup.
const MARKUP: &str = "<img src=x onerror=\"document.title=1\"><b>bold</b>";

const CHECKS: [&str; 18] = [
    "the_page_is_its_own_files_and_nothing_else",
    "the_label_tells_who_signed_a_model_and_what_it_may_do",
    "a_picture_by_the_file_chooser_is_asked_about",
    "pictures_are_dropped_and_pasted_anywhere",
    "an_answer_is_seen_while_it_is_written_and_is_stopped",
    "an_error_is_shown_with_its_code_beside_what_came_before_it",
    "an_error_before_an_answer_is_shown_with_its_code",
    "sentences_are_compared",
    "pictures_are_compared_and_classified",
    "the_keyboard_alone_is_enough",
    "a_model_that_is_not_up_is_said_to_be_so",
    "the_label_is_that_of_the_release_that_answers",
    "an_answer_is_in_view_and_a_long_question_is_not_in_its_way",
    "markup_in_a_models_words_is_text",
    "a_request_is_copied_as_curl_and_as_python_that_work",
    "the_light_page_is_legible_and_fits_a_telephone",
    "the_dark_page_is_legible_and_fits_a_telephone",
    "nothing_moves_for_those_who_ask_for_that",
];

const LOGIN_CHECKS: [&str; 7] = [
    "the_page_asks_for_a_key_when_it_is_refused_and_works_with_one",
    "a_key_is_forgotten_on_reload_and_on_log_out",
    "a_key_is_forgotten_after_half_an_hour_without_a_sign_of_the_visitor",
    "a_login_that_is_cancelled_is_begun_again_by_the_keyboard",
    "copied_requests_name_a_variable_and_not_the_key",
    "the_light_login_is_legible_and_fits_a_telephone",
    "the_dark_login_is_legible_and_fits_a_telephone",
];

#[test]
fn a_browser_shows_the_page_and_all_that_it_does() {
    let operator = Operator::new();
    let tiny_vlm = operator.trust_built_in();
    let guest = |name: &str, task: &str| {
        let bundle = operator.publisher().bundle(test_guest(name)).named(name);
        bundle.tasks(&[task])
    };
    let release = |number: u64| {
        let bundle = operator.good().named("changing");
        bundle.set("/release", json!(number)).write()
    };
    let newer = release(2);
    let stranger = Publisher::new("stranger");
    let former = Publisher::new("former");
    let trust = |update: &dyn Fn(&mut TrustStore) -> bool| {
        TrustStore::update(operator.trust(), |store| {
            assert!(update(store));
            Ok(())
        })
        .unwrap();
    };
    trust(&|store| {
        store
            .insert(former.public_key().clone(), ["former"])
            .is_ok()
    });
    let bundles = [
        ("changing", release(1)),
        (
            "org/every-task",
            operator.good().member("description", json!(MARKUP)).write(),
        ),
        (
            "endless",
            guest("endless_generation", "text-generation").write(),
        ),
        (
            "fails-midway",
            guest("generation_fails_midway", "text-generation").write(),
        ),
        ("strange", stranger.every_task().write()),
        ("former", former.every_task().write()),
        (
            "never-returns",
            guest("never_returns", "text-embedding")
                .set("/limits/deadline_ms", json!(200))
                .write(),
        ),
    ];
    let mut text = format!("trust = {:?}\n", operator.trust());
    let paths = bundles.iter().map(|(name, bundle)| (*name, bundle.path()));
    for (name, path) in paths.chain([("tiny-vlm", &*tiny_vlm)]) {
        writeln!(text, "[[model]]\npath = {path:?}\nname = \"{name}\"").unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ampoule.toml");
    std::fs::write(&file, text).unwrap();
    let served = Served::listening(ampoule().arg("--config").arg(file), &[]);
    while served.get("/readyz").text().contains("loading") {
        std::thread::sleep(Duration::from_millis(20));
    }
    trust(&|store| store.remove_publisher("former"));
    while !served.get("/readyz").text().contains("untrusted") {
        std::thread::sleep(Duration::from_millis(20));
    }

    let trap = tempfile::tempdir().unwrap();
    let mut script = script("tests/page/page.mjs", &served);
    script.arg(workspace_file("samples")).arg(python()).args([
        bundles[0].1.path(),
        newer.path(),
        trap.path(),
    ]);
    assert_passes(&mut script, &CHECKS);
}

#[test]
fn a_browser_asks_for_a_key_where_one_is_needed_and_keeps_it_nowhere() {
    let server = Guarded::get();
    let key = server.key(Role::Infer, |key| {
        key.scope = scope(Some(&["every-task"]), None);
    });
    let folder = tempfile::tempdir().unwrap();
    let mut script = script("tests/page/login.mjs", &server.served);
    script
        .arg(key.strip_prefix("Bearer ").unwrap())
        .arg(python())
        .arg(folder.path());
    assert_passes(&mut script, &LOGIN_CHECKS);
}

/// Returns the command that runs a script of checks against a server.
fn script(path: &str, served: &Served) -> Command {
    let mut command = Command::new("timeout");
    command
        .args(["--kill-after=5", SCRIPT_TIME, "node"])
        .arg(workspace_file(path))
        .arg(served.url(""));
    command
}

fn python() -> PathBuf {
    workspace_file("target/clients").join("python/bin/python")
}

/// Runs a script, and asserts that each check passes.
#[track_caller]
fn assert_passes(script: &mut Command, checks: &[&str]) {
    let clients = workspace_file("target/clients");
    let output = script
        .env("AMPOULE_CLIENTS", &clients)
        .env("PYTHONPYCACHEPREFIX", clients.join("python-cache"))
        .env("NO_PROXY", "127.0.0.1")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let passed: Vec<_> = printed
        .lines()
        .filter_map(|line| line.strip_prefix("ok "))
        .collect();
    assert!(
        output.status.success() && passed == checks,
        "{}; where the browser or a package is missing, run `cargo xtask setup`\n{printed}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A browser that has the page asks again with its tag, and is spared the body.
#[test]
fn the_page_is_for_browsers_and_each_file_says_what_a_browser_may_do_with_it() {
    let served = Served::listening(&mut ampoule(), &[]);
    let accept = |path: &str, headers: &[(&str, &str)]| served.get_with(path, headers);
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let page = accept("/", &[("accept", browser)]);
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(page.header("vary"), "accept");
    assert_eq!(served.get("/").text(), "Ollama is running");
    let named: Vec<String> = files_of(&page.text());
    assert!(named.iter().any(|name| name == "page/page.js"), "{named:?}");
    let mut paths = vec!["/".to_owned()];
    paths.extend(named.iter().map(|name| format!("/{name}")));
    for path in paths {
        let answer = accept(&path, &[("accept", browser)]);
        assert_eq!(answer.status, 200, "{path}");
        for (header, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cache-control", "no-cache"),
        ] {
            assert_eq!(answer.header(header), value, "{path}");
        }
        let policy = answer.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none';"),
            "{path}: {policy}"
        );
        let tag = answer.header("etag");
        let again = accept(&path, &[("accept", browser), ("if-none-match", tag)]);
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
        assert_eq!(again.header("etag"), tag);
        let other = [("accept", browser), ("if-none-match", "\"other\"")];
        assert_eq!(accept(&path, &other).body, answer.body, "{path}");
    }
    for path in [
        "/page/",
        "/page/../index.html",
        "/page/%2e%2e%2fmod.rs",
        "/page/mod.rs",
    ] {
        assert_eq!(served.get(path).status, 404, "{path}");
    }
}

/// Returns the addresses of a page's `href` and `src` that lie within `page/`.
fn files_of(html: &str) -> Vec<String> {
    let values = html.split('"').skip(1).step_by(2);
    values
        .filter(|value| value.starts_with("page/"))
        .map(str::to_owned)
        .collect()
}
