//! Exports of a model as a host sees them, without a host.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::cell::OnceCell;

use ampoule_guest::__exports::TextGeneration::exports::ampoule::model::text_generation;
use ampoule_guest::__exports::TextTokenization::exports::ampoule::model::text_tokenization;
use ampoule_guest::__private::Instance;
use ampoule_guest::__private::model::exports::ampoule::model::lifecycle;
use ampoule_guest::{
    Assets, Chunk, Error, Finish, GenerationRequest, GenerationResource, Model, ModelInfo,
    TextGeneration, TextTokenization, Tokens, Usage,
};
use lifecycle::Guest as _;
use text_generation::GuestGeneration as _;
use text_tokenization::Guest as _;

/// Counts down from five, one chunk a number; fails at `fails_at`.
struct Countdown;

struct Count {
    left: u32,
    fails_at: u32,
}

impl Model for Countdown {
    fn load(_: &Assets) -> Result<Self, Error> {
        Ok(Countdown)
    }

    fn describe(&self) -> ModelInfo {
        ModelInfo {
            architecture: "countdown".to_owned(),
            properties: Vec::new(),
        }
    }
}

impl TextTokenization for Countdown {
    fn tokenize(&self, texts: &[String]) -> Result<Vec<Tokens>, Error> {
        let tokens = |text: &String| Tokens {
            ids: vec![text.len() as u32],
            truncated: false,
        };
        Ok(texts.iter().map(tokens).collect())
    }
}

impl TextGeneration for Countdown {
    type Generation = Count;

    fn generate(&self, request: GenerationRequest) -> Result<Count, Error> {
        Ok(Count {
            left: 5,
            fails_at: request.max_output_tokens,
        })
    }

    fn next(&self, count: &mut Count) -> Result<Option<Chunk>, Error> {
        if count.left == count.fails_at {
            return Err(Error::new("model.countdown", "lost count"));
        }
        count.left -= 1;
        let usage = Usage {
            input_tokens: 0,
            output_tokens: 5,
        };
        Ok(Some(Chunk {
            text: count.left.to_string(),
            finish: (count.left == 0).then(|| Finish {
                reason: "stop".to_owned(),
                usage,
            }),
        }))
    }
}

ampoule_guest::export_model!(Countdown: TextTokenization, TextGeneration);

thread_local! {
    static MODEL: OnceCell<Countdown> = const { OnceCell::new() };
}

/// A component like that of the macro, with a name to call it by. Each test runs on a thread of its own, and so has a
/// model of its own.
struct Component;

impl Instance for Component {
    type Model = Countdown;

    fn with_cell<R>(use_it: impl FnOnce(&OnceCell<Countdown>) -> R) -> R {
        MODEL.with(use_it)
    }
}

fn code<T>(result: Result<T, Error>) -> Option<String> {
    result.err().map(|error| error.code)
}

fn generation(fails_at: u32) -> GenerationResource<Component> {
    GenerationResource::new(Count { left: 5, fails_at })
}

#[test]
fn a_task_before_init_is_refused() {
    assert_eq!(
        code(Component::tokenize(vec![])).unwrap(),
        "model.not-initialised"
    );
    Component::init().unwrap();
    assert_eq!(
        Component::tokenize(vec!["four".to_owned()]).unwrap()[0].ids,
        [4]
    );
    assert_eq!(Component::describe().architecture, "countdown");
}

#[test]
fn a_second_init_is_refused_and_leaves_the_model_as_it_was() {
    Component::init().unwrap();
    assert_eq!(code(Component::init()).unwrap(), "model.initialised");
    assert_eq!(
        Component::tokenize(vec!["four".to_owned()]).unwrap()[0].ids,
        [4]
    );
}

#[test]
fn a_generation_is_over_after_the_chunk_that_says_so() {
    Component::init().unwrap();
    let generation = generation(99);
    let mut text = String::new();
    while let Some(chunk) = generation.next().unwrap() {
        text.push_str(&chunk.text);
    }
    assert_eq!(text, "43210");
    assert!(generation.next().unwrap().is_none());
}

#[test]
fn a_generation_is_over_after_an_error() {
    Component::init().unwrap();
    let generation = generation(4);
    assert_eq!(generation.next().unwrap().unwrap().text, "4");
    assert_eq!(code(generation.next()).unwrap(), "model.countdown");
    assert!(generation.next().unwrap().is_none());
}
