//! Misbehaving guests, and the error that stops each.

use std::time::Duration;

use ampoule::{Host, Model};
use serde_json::json;

use super::models::load;
use crate::bundle::Publisher;
use crate::guests::{test_guest, wat_guest};

/// Guests, the text that tells them how to misbehave, and the code of the error; without a code they answer.
const KINDS: [(&str, &str, Option<&str>); 19] = [
    ("never_returns", "", Some("limit.deadline")),
    ("sleeps_past_deadline", "", Some("limit.deadline")),
    ("allocates_without_end", "", Some("limit.memory")),
    ("answers_after_denied_memory", "", None),
    ("recurses_without_end", "", Some("limit.stack")),
    ("returns_giant_list", "1048576", Some("limit.output")),
    ("giant_import_argument", "4194304", Some("limit.output")),
    ("wrong_shape", "many-values", Some("guest.answer")),
    ("nan_values", "", Some("guest.answer")),
    ("floods_the_log", "", None),
    ("forges_log_lines", "", None),
    ("traps", "", Some("guest.trap")),
    ("panics", "", Some("guest.trap")),
    ("exits", "", Some("guest.trap")),
    ("guest_error", "", Some("input.test")),
    ("invalid_error_code", "escapes", Some("guest.error")),
    ("opens_files", "", None),
    ("inspects_environment", "", None),
    ("hoards_secrets", "", None),
];

/// Guests in the text format, and the code of the error.
const WAT: [(&str, &str); 4] = [
    ("spins_in_realloc", "limit.deadline"),
    ("grows_many_memories", "limit.memory"),
    ("grows_many_tables", "limit.memory"),
    ("breaks_the_abi", "guest.trap"),
];

/// Guests whose generations fail, and the code of the error.
const GENERATIONS: [(&str, &str); 5] = [
    ("endless_generation", "limit.output"),
    ("generation_blocks", "limit.deadline"),
    ("generation_giant_chunk", "limit.output"),
    ("generation_fails_midway", "guest.error"),
    ("generation_ends_without_a_finish", "guest.answer"),
];

/// Deadline of guests that run into it.
const SHORT: Duration = Duration::from_millis(40);

/// Deadline of guests that are stopped by another limit, and may wait in a queue of the former.
const LONG: Duration = Duration::from_secs(20);

/// The loaded models of misbehaving guests.
pub(super) struct HostileModels {
    /// Asked for the embedding of a text.
    pub(super) asked: Vec<Hostile>,
    pub(super) generations: Vec<Hostile>,
    /// Never returns, and has a deadline that no test waits for.
    pub(super) spinner: Model,
}

/// A model, and the end of a request to it.
pub(super) struct Hostile {
    pub(super) name: &'static str,
    pub(super) text: &'static str,
    /// Code of the error; none for a guest that answers.
    pub(super) code: Option<&'static str>,
    pub(super) model: Model,
}

impl HostileModels {
    pub(super) async fn load(host: &Host, publisher: &Publisher) -> Self {
        let load = async |component: Vec<u8>, name, text, code: Option<&'static str>, task| {
            let deadline = match code {
                Some("limit.deadline") => SHORT,
                _ => LONG,
            };
            let bundle = publisher
                .bundle(component)
                .tasks(&[task])
                .set("/limits/deadline_ms", json!(deadline.as_millis()))
                .set("/limits/init/deadline_ms", json!(LONG.as_millis()))
                .set("/limits/memory_bytes", json!(128 << 20))
                .set("/limits/output_bytes", json!(2 << 20));
            Hostile {
                name,
                text,
                code,
                model: load(host, bundle).await,
            }
        };
        let mut asked = Vec::new();
        for (name, text, code) in KINDS {
            asked.push(load(test_guest(name), name, text, code, "text-embedding").await);
        }
        for (name, code) in WAT {
            asked.push(load(wat_guest(name), name, "", Some(code), "text-embedding").await);
        }
        let mut generations = Vec::new();
        for (name, code) in GENERATIONS {
            generations
                .push(load(test_guest(name), name, "x", Some(code), "text-generation").await);
        }
        let component = test_guest("never_returns");
        // Only a caller that goes away stops this one in time.
        let spinner = load(component, "never_returns", "", None, "text-embedding").await;
        Self {
            asked,
            generations,
            spinner: spinner.model,
        }
    }
}
