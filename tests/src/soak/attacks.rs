//! Guests that misbehave, callers who go away, and too many at once.

use std::time::Duration;

use ampoule::{GenerationRequest, Host, Model};
use serde_json::json;

use super::Outcome;
use super::chance::Chance;
use super::requests::{stopped, wrong};
use super::world::{IDLE, World, load};
use crate::bundle::Publisher;
use crate::guests::{test_guest, wat_guest};

/// Guests that are stopped or answer, the text that tells them how, and the code; without one they answer.
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

/// The same for guests in the text format.
const WAT: [(&str, &str); 4] = [
    ("spins_in_realloc", "limit.deadline"),
    ("grows_many_memories", "limit.memory"),
    ("grows_many_tables", "limit.memory"),
    ("breaks_the_abi", "guest.trap"),
];

/// Guests whose generations end badly.
const GENERATIONS: [(&str, &str); 5] = [
    ("endless_generation", "limit.output"),
    ("generation_blocks", "limit.deadline"),
    ("generation_giant_chunk", "limit.output"),
    ("generation_fails_midway", "guest.error"),
    ("generation_ends_without_a_finish", "guest.answer"),
];

/// For guests that run into it.
const SHORT: Duration = Duration::from_millis(40);

/// For guests that are stopped by something else, in a queue of those.
const LONG: Duration = Duration::from_secs(20);

/// More than there is room for.
const STORM: usize = 60;

pub(super) struct HostileModels {
    asked: Vec<Hostile>,
    generations: Vec<Hostile>,
    spinner: Model,
}

struct Hostile {
    name: &'static str,
    text: &'static str,
    code: Option<&'static str>,
    model: Model,
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
        // Nothing but its caller's going away stops this one.
        let spinner = load(component, "never_returns", "", None, "text-embedding").await;
        Self {
            asked,
            generations,
            spinner: spinner.model,
        }
    }
}

impl World {
    /// A model that does not offer what the good one offers.
    pub(super) fn of_one_task(&self) -> &Model {
        &self.hostile.spinner
    }

    /// A request to a guest that misbehaves.
    pub(super) async fn hostile(&self, chance: &mut Chance) -> Outcome {
        if chance.below(4) == 0 {
            return self.hostile_generation(chance).await;
        }
        let hostile = chance.one_of(&self.hostile.asked);
        let ask = async || hostile.model.embed_text(&[hostile.text]).await;
        let result = self.patiently(ask).await;
        let what = format!("hostile: {}", hostile.name);
        match hostile.code {
            Some(code) => stopped(&what, result.err(), &[code]),
            None => result.map(|_| what.clone()).map_err(wrong(&what)),
        }
    }

    async fn hostile_generation(&self, chance: &mut Chance) -> Outcome {
        let hostile = chance.one_of(&self.hostile.generations);
        let what = format!("hostile: {}", hostile.name);
        let code = hostile.code.unwrap_or_default();
        let request = GenerationRequest::question(hostile.text, 1_000_000);
        let ask = async || hostile.model.generate(request.clone()).await;
        let mut generation = match self.patiently(ask).await {
            Ok(generation) => generation,
            // In a long queue its time is up before it has begun.
            Err(error) => return stopped(&what, Some(error), &[code]),
        };
        loop {
            match generation.next().await {
                Ok(Some(_)) => {}
                Ok(None) => return Err(format!("{what}: it ended well")),
                Err(error) => return stopped(&what, Some(error), &[code]),
            }
        }
    }

    /// A request to a guest that spins, given up after a while.
    pub(super) async fn cancelled(&self, chance: &mut Chance) -> Outcome {
        let spinner = &self.hostile.spinner;
        let patience = Duration::from_micros(chance.below(30_000));
        let ask = async || spinner.embed_text(&["x"]).await;
        match tokio::time::timeout(patience, self.patiently(ask)).await {
            Err(_) => Ok("cancelled: a spinning guest".to_owned()),
            Ok(result) => stopped("a spinning guest", result.err(), &["limit.deadline"]),
        }
    }

    /// A generation that its caller loses interest in.
    pub(super) async fn abandoned(&self, chance: &mut Chance) -> Outcome {
        let way = chance.below(9);
        let model = self.model();
        let text = chance.words(20).join(" ");
        let ask = async || {
            model
                .generate(GenerationRequest::question(&text, 100))
                .await
        };
        let generation = self.patiently(ask).await;
        let mut generation = generation.map_err(wrong("a generation to abandon"))?;
        for _ in 0..chance.below(4) {
            generation.next().await.map_err(wrong("a chunk before"))?;
        }
        match way {
            0..3 => Ok("abandoned: between two chunks".to_owned()),
            3..6 => {
                let next = generation.next();
                let patience = Duration::from_micros(chance.below(1_000));
                let _ = tokio::time::timeout(patience, next).await;
                Ok("abandoned: while a chunk is made".to_owned())
            }
            6..8 => {
                let asked = model.embed_text(&["nobody waits"]);
                let patience = Duration::from_micros(chance.below(1_000));
                let _ = tokio::time::timeout(patience, asked).await;
                Ok("abandoned: beside another request".to_owned())
            }
            _ => {
                tokio::time::sleep(IDLE + IDLE / 4).await;
                let error = generation.next().await.err();
                stopped("abandoned: and asked too late", error, &["limit.idle"])
            }
        }
    }

    /// More requests at once than there is room for: each is answered rightly, or told at once that the host
    /// is busy.
    pub(super) async fn storm(&self, chance: &mut Chance) -> Outcome {
        let mut storm = tokio::task::JoinSet::new();
        let word = chance.words(1).remove(0);
        for _ in 0..STORM {
            let (model, word) = (self.model(), word.clone());
            storm.spawn_local(async move { model.tokenize(&[word]).await });
        }
        let mut answers = 0;
        for result in storm.join_all().await {
            match result {
                Ok(answer) if answer.output[0].ids.len() == word.len() => answers += 1,
                Ok(answer) => return Err(format!("in a storm: {:?}", answer.output)),
                Err(error) if error.code() == "limit.busy" => {}
                Err(error) => return Err(wrong("in a storm")(error)),
            }
        }
        Ok(if answers == STORM {
            "storm: all answered".to_owned()
        } else {
            "storm: some told that the host is busy".to_owned()
        })
    }
}
