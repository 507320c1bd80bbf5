//! Real clients, unchanged, of the versions that `tests/clients` pins. `cargo xtask setup` installs them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use ampoule_access::{Role, TokenAlgorithm};
use ampoule_tests::{
    Operator, Served, SharedServer, WrittenBundle, ampoule, test_guest, wat_guest, workspace_file,
};
use serde_json::json;
use tempfile::TempDir;

use crate::guarded::{Guarded, requests, scope};
use crate::issuers::Issuer;

/// Longest time of one script, in seconds: many times what it takes on a busy machine.
const SCRIPT_TIME: &str = "120";

/// Silence of a stream, after which it has an empty piece. So short that streams of these tests have such pieces.
const SILENCE: &str = "100ms";

/// Time of random requests, in seconds. By hand they take longer: CONTRIBUTING.md says how.
const FUZZ_SECONDS: &str = "12";

/// Seed of the random requests, so that a change of the server and not of the requests makes the test fail.
const FUZZ_SEED: &str = "1";

static RUNNING: Mutex<Weak<Server>> = Mutex::new(Weak::new());

/// A server of good and bad models, for all tests of this file.
struct Server {
    served: Served,
    _operator: Operator,
    _bundles: Vec<WrittenBundle>,
    _folder: TempDir,
}

impl Server {
    /// Returns the server, and starts it where none runs. The last test that holds it ends it.
    fn get() -> Arc<Self> {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = running.upgrade() {
            return server;
        }
        let server = Arc::new(Self::start());
        *running = Arc::downgrade(&server);
        server
    }

    fn start() -> Self {
        let operator = Operator::new();
        let publisher = operator.publisher();
        let tiny_vlm = operator.trust_built_in();
        let guest = |name: &str, task: &str| {
            let bundle = publisher.bundle(test_guest(name)).named(name);
            bundle.tasks(&[task])
        };
        let bundles = vec![
            ("every-task", operator.good().write()),
            (
                "fails-midway",
                guest("generation_fails_midway", "text-generation").write(),
            ),
            (
                "blocks",
                guest("generation_blocks", "text-generation")
                    .set("/limits/deadline_ms", json!(800))
                    .write(),
            ),
            (
                "thinks-first",
                publisher
                    .bundle(wat_guest("thinks_first"))
                    .named("thinks_first")
                    .tasks(&["text-generation"])
                    .set("/limits/deadline_ms", json!(5_000))
                    .write(),
            ),
            ("traps", guest("traps", "text-embedding").write()),
            (
                "never-returns",
                guest("never_returns", "text-embedding")
                    .set("/limits/deadline_ms", json!(200))
                    .write(),
            ),
            ("not-numbers", guest("nan_values", "text-embedding").write()),
        ];
        let mut text = format!("trust = {:?}\n", operator.trust());
        for (name, path) in bundles
            .iter()
            .map(|(name, bundle)| (*name, bundle.path().to_owned()))
            .chain([("tiny-vlm", tiny_vlm)])
        {
            let aliases = if name == "every-task" {
                "aliases = [\"acme/every-task\"]\n"
            } else {
                ""
            };
            write!(
                text,
                "[[model]]\npath = {path:?}\nname = \"{name}\"\n{aliases}"
            )
            .unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ampoule.toml");
        std::fs::write(&file, text).unwrap();
        let mut command = ampoule();
        command.arg("--config").arg(file);
        Self {
            served: Served::start(&mut command, &["--stream-silence", SILENCE]),
            _operator: operator,
            _bundles: bundles.into_iter().map(|(_, bundle)| bundle).collect(),
            _folder: folder,
        }
    }
}

/// Returns the folder of the installed clients.
fn installed() -> PathBuf {
    workspace_file("target/clients")
}

/// Runs a script of `tests/clients` with the server's address and these further arguments.
fn script(interpreter: PathBuf, name: &str, server: &Served, arguments: &[&str]) -> Output {
    let mut command = Command::new("timeout");
    command
        .args(["--kill-after=5", SCRIPT_TIME])
        .arg(interpreter)
        .arg(workspace_file("tests/clients").join(name))
        .arg(server.url(""))
        .args(arguments)
        .env("AMPOULE_CLIENTS", installed())
        .env("NO_PROXY", "127.0.0.1")
        .env("PYTHONPYCACHEPREFIX", installed().join("python-cache"));
    command.output().unwrap()
}

/// Runs a script. Each of its checks has to
/// pass, and they have to be these.
#[track_caller]
fn passes(interpreter: PathBuf, script_name: &str, arguments: &[&str], checks: &[&str]) {
    let server = Server::get();
    let output = script(interpreter.clone(), script_name, &server.served, arguments);
    has_passed(&interpreter, script_name, &output, checks);
}

/// Checks that a script has passed these checks, and no others.
#[track_caller]
fn has_passed(interpreter: &Path, script_name: &str, output: &Output, checks: &[&str]) {
    let printed = String::from_utf8_lossy(&output.stdout);
    let told = format!(
        "{script_name}: {}; where {} is missing, run `cargo xtask setup`\n{printed}\n{}",
        output.status,
        interpreter.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    let passed: Vec<_> = printed
        .lines()
        .filter_map(|line| line.strip_prefix("ok "))
        .collect();
    assert!(output.status.success(), "{told}");
    assert_eq!(passed, checks, "{told}");
}

fn python() -> PathBuf {
    installed().join("python/bin/python")
}

#[test]
fn clients_pass_their_keys_on_and_know_the_refusals() {
    let server = Guarded::get();
    let key = |role, models| {
        let key = server.key(role, |key| key.scope = scope(models, None));
        key.replace("Bearer ", "")
    };
    let of_rate = |rate, burst: u32| {
        let key = server.key(Role::List, |key| {
            key.rates = requests(rate);
            key.rates.burst = burst.try_into().ok();
        });
        key.replace("Bearer ", "")
    };
    let keys = [
        key(Role::Infer, None),
        key(Role::Metrics, None),
        key(Role::Infer, Some(&["tiny-vlm"][..])),
        of_rate("1/3s", 1),
        of_rate("1/1h", 1),
    ];
    let token = Issuer::of(TokenAlgorithm::Es256).good();
    let arguments = keys.iter().chain([&token]).map(String::as_str);
    let arguments: Vec<_> = arguments.collect();
    let output = script(python(), "access_python.py", &server.served, &arguments);
    has_passed(
        &python(),
        "access_python.py",
        &output,
        &[
            "openai_is_served_with_a_token_as_its_key",
            "openai_is_served_with_a_key",
            "openai_raises_its_error_of_authentication_at_once",
            "openai_raises_its_error_of_permission_and_knows_no_other_model",
            "openai_waits_as_long_as_it_is_told_and_asks_once_more",
            "openai_raises_its_error_of_rates_at_once_where_the_wait_is_long",
            "langchain_passes_its_key_on",
            "ollama_is_served_with_a_key_and_raises_its_error_without",
            "triton_is_served_with_a_key_and_raises_its_error_without",
        ],
    );
}

#[test]
fn the_python_client_of_openai_embeds_and_understands_errors() {
    passes(
        python(),
        "openai_python.py",
        &[],
        &[
            "vectors_that_are_asked_for_in_base64_are_the_right_ones",
            "a_single_text_and_the_form_of_numbers_work",
            "a_thousand_texts_keep_their_order",
            "no_texts_are_an_error_of_the_caller",
            "token_ids_are_refused_with_the_way_out",
            "a_text_that_is_too_long_is_refused_unless_it_may_be_cut",
            "the_own_number_of_dimensions_is_served_and_others_are_refused",
            "vectors_that_are_not_numbers_are_an_error_and_not_repeated",
            "failures_that_would_fail_again_are_not_repeated",
            "a_refusal_in_the_middle_of_an_upload_is_seen",
            "an_unknown_model_is_a_404_with_all_members_of_an_error",
            "an_unknown_route_is_a_404_with_all_members_of_an_error",
            "models_are_listed_and_found_by_name",
            "a_name_with_a_slash_is_one_name",
            "an_address_that_ends_in_a_slash_and_no_key_work",
        ],
    );
}

#[test]
fn the_javascript_client_of_openai_embeds_and_understands_errors() {
    passes(
        "node".into(),
        "openai_node.mjs",
        &[],
        &[
            "vectors_that_are_asked_for_in_base64_are_the_right_ones",
            "a_thousand_texts_keep_their_order",
            "a_refusal_in_the_middle_of_an_upload_is_seen",
            "no_texts_are_an_error_of_the_caller",
            "errors_have_a_message_a_code_a_type_and_an_id",
            "failures_that_would_fail_again_are_not_repeated",
            "models_are_listed_and_found_by_name",
            "a_name_with_a_slash_is_one_name",
            "an_address_that_ends_in_a_slash_works",
        ],
    );
}

#[test]
fn the_python_client_of_openai_converses() {
    passes(
        python(),
        "openai_python_text.py",
        &[],
        &[
            "an_answer_is_whole",
            "both_names_of_the_token_limit_count",
            "null_means_that_a_field_is_not_there",
            "stop_strings_in_all_their_forms_end_an_answer",
            "unknown_fields_are_ignored_also_in_messages",
            "parts_are_read_in_every_role",
            "pictures_come_as_data_addresses_and_nothing_is_fetched",
            "the_real_model_looks_at_a_picture",
            "each_prompt_has_its_choices_together",
            "probabilities_are_refused_and_not_forgotten",
            "a_seed_repeats_an_answer_streamed_or_not",
            "a_prompt_that_is_too_long_is_recognised",
            "a_stream_has_a_role_texts_and_an_end_in_this_order",
            "the_usage_comes_once_and_last_where_it_is_asked_for",
            "a_stream_is_the_whole_answer",
            "choices_of_a_stream_are_apart",
            "the_packages_own_accumulator_takes_a_stream",
            "a_failure_in_the_middle_of_a_stream_is_raised",
            "what_is_known_before_the_first_token_is_a_status",
            "silence_is_filled_with_parts_that_change_nothing",
            "silence_before_the_first_token_is_no_end",
            "completions_are_streamed",
            "tools_are_refused_and_not_forgotten",
        ],
    );
}

#[test]
fn the_javascript_client_of_openai_converses() {
    passes(
        "node".into(),
        "openai_node_text.mjs",
        &[],
        &[
            "an_answer_is_whole",
            "a_stream_is_the_whole_answer",
            "the_usage_comes_once_and_last_where_it_is_asked_for",
            "the_packages_own_accumulator_takes_a_stream",
            "a_failure_in_the_middle_of_a_stream_is_thrown",
            "what_is_known_before_the_first_token_is_a_status",
            "silence_is_filled_with_parts_that_change_nothing",
            "silence_before_the_first_token_is_no_end",
            "completions_are_whole_and_streamed",
        ],
    );
}

#[test]
fn langchain_embeds_and_converses() {
    passes(
        python(),
        "langchain_python.py",
        &[],
        &[
            "token_ids_are_refused_with_the_setting_that_helps",
            "texts_are_embedded_in_order",
            "a_history_is_continued",
            "the_token_limit_counts",
            "a_streams_parts_add_up",
            "a_picture_is_seen",
            "a_failure_in_the_middle_of_a_stream_is_raised",
            "silence_before_the_first_token_is_no_end",
        ],
    );
}

#[test]
fn the_python_client_of_ollama_is_served() {
    passes(
        python(),
        "ollama_python.py",
        &[],
        &[
            "a_chat_is_whole_or_streamed",
            "a_prompt_is_continued_whole_or_streamed",
            "a_stream_may_hold_what_python_takes_for_the_end_of_a_line",
            "options_count",
            "errors_are_texts_with_a_status",
            "a_failure_in_the_middle_of_a_stream_is_raised",
            "silence_has_no_empty_lines",
            "silence_before_the_first_token_is_no_end",
            "a_refusal_in_the_middle_of_an_upload_is_seen",
            "vectors_have_length_one",
            "the_field_of_the_other_route_is_named",
            "no_texts_are_an_error_of_the_caller",
            "a_text_that_is_too_long_is_cut_unless_that_is_refused",
            "a_name_has_a_tag_or_none",
            "models_are_listed_as_clients_parse_them",
            "pictures_come_as_bytes_base64_or_data_addresses",
            "the_real_model_looks_at_a_picture",
        ],
    );
}

#[test]
fn curl_is_served_as_documents_of_others_use_it() {
    passes(
        python(),
        "curl.py",
        &[],
        &[
            "vectors_are_numbers_unless_base64_is_asked_for",
            "another_form_of_vectors_is_refused",
            "a_body_that_is_sent_as_a_form_is_read_as_json",
            "faults_of_a_request_are_errors_in_json",
            "an_unknown_route_and_method_are_errors_in_json",
            "doubled_slashes_and_an_empty_key_are_no_error",
            "dots_in_a_name_lead_nowhere",
            "a_large_body_does_not_wait_to_be_asked_for",
            "a_body_that_is_too_large_is_refused_and_not_sent",
            "the_documents_of_ollama_work_as_they_stand",
            "watchers_of_ollama_get_and_head",
            "a_foreign_name_for_this_machine_is_refused",
            "a_page_of_another_site_gets_no_leave_to_ask",
            "a_stream_says_that_it_is_not_to_be_kept",
        ],
    );
}

#[test]
fn the_description_of_the_routes_holds_for_requests_at_random() {
    let server = SharedServer::get();
    let output = script(python(), "fuzz.py", &server, &[FUZZ_SECONDS, FUZZ_SEED]);
    let printed = String::from_utf8_lossy(&output.stdout);
    let told = format!("{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}");
    assert!(printed.contains("Fuzzing (in"), "{told}");
}

#[test]
fn the_python_client_of_openai_reads_responses_and_their_streams() {
    passes(
        python(),
        "openai_responses.py",
        &[],
        &[
            "the_text_of_a_response_is_found",
            "an_answer_goes_into_the_next_question",
            "a_picture_is_described",
            "the_events_of_a_stream_are_of_their_own_classes",
            "the_helper_for_streams_finds_the_whole_response",
            "a_response_that_was_cut_short_says_so",
            "an_error_within_a_stream_is_raised",
            "silence_before_the_first_token_is_no_end",
            "a_refusal_is_a_status_also_for_a_stream",
        ],
    );
}

#[test]
fn the_javascript_client_of_openai_reads_responses_and_their_streams() {
    passes(
        "node".into(),
        "openai_responses.mjs",
        &[],
        &[
            "the_text_of_a_response_is_found",
            "an_answer_goes_into_the_next_question",
            "a_stream_has_every_event_in_order",
            "the_helper_for_streams_finds_the_whole_response",
            "a_response_that_was_cut_short_says_so",
            "an_error_within_a_stream_is_raised",
            "silence_before_the_first_token_is_no_end",
            "a_refusal_is_a_status_also_for_a_stream",
        ],
    );
}

#[test]
fn tritons_client_infers_by_every_task() {
    passes(
        python(),
        "triton_python.py",
        &[],
        &[
            "states_are_a_status",
            "the_server_and_models_describe_themselves",
            "texts_come_as_bytes_and_vectors_go_as_bytes",
            "each_output_comes_in_the_form_that_it_is_asked_for",
            "pictures_come_as_pixels",
            "a_prompt_is_continued",
            "the_id_of_a_request_comes_back",
            "a_name_with_slashes_and_versions_are_found",
            "errors_are_texts",
            "a_refusal_in_the_middle_of_an_upload_is_seen",
            "half_floats_are_refused_by_name",
            "compressed_bodies_are_read",
        ],
    );
}
