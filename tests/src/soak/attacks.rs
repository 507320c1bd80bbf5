//! Requests to misbehaving guests, callers that go away, and too many requests at once.

use std::time::Duration;

use ampoule::{GenerationRequest, Model};

use super::chance::Chance;
use super::models::IDLE;
use super::outcome::{Outcome, stopped, wrong};
use super::world::World;

/// Requests at once: more than the host has room for.
const STORM: usize = 60;

impl World {
    /// Returns a model that offers one task only.
    pub(super) fn of_one_task(&self) -> &Model {
        &self.hostile.spinner
    }

    /// Asks a misbehaving guest.
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

    /// Asks a guest that spins, and gives up after a while.
    pub(super) async fn cancelled(&self, chance: &mut Chance) -> Outcome {
        let spinner = &self.hostile.spinner;
        let patience = Duration::from_micros(chance.below(30_000));
        let ask = async || spinner.embed_text(&["x"]).await;
        match tokio::time::timeout(patience, self.patiently(ask)).await {
            Err(_) => Ok("cancelled: a spinning guest".to_owned()),
            Ok(result) => stopped("a spinning guest", result.err(), &["limit.deadline"]),
        }
    }

    /// Begins a generation and abandons it.
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

    /// Sends more requests at once than there is room for: each is answered rightly, or refused at once because
    /// the host is busy.
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
