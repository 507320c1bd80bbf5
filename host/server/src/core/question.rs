//! Hashes of calls: everything that determines an answer, under the key of the tenant who asks.

use std::sync::Arc;

use ampoule::{Content, GenerationRequest, Image, Model, Task};
use ampoule_answers::{QuestionBuilder, TenantAnswers};
use tokio::task::spawn_blocking;

use crate::core::kept::Lookup;
use crate::request::context::Context;

/// Bytes of inputs that are hashed where their request is served. As many take a fraction of a millisecond.
const SMALL_INPUT: usize = 256 << 10;

/// Form of what is hashed and kept. Raise it with each change that gives one request another answer, or an answer other
/// bytes.
const REVISION: u8 = 1;

/// Hashes the texts of a call; `None` where its caller's answers are not kept.
pub(crate) async fn of_texts(context: &Context, model: &Model, texts: &[String]) -> Option<Lookup> {
    let (answers, question) = begin(context, model, Task::TextEmbedding).await?;
    let question = number(question, texts.len());
    let question = texts
        .iter()
        .fold(question, |question, text| question.part(text.as_bytes()));
    Some(Lookup::new(answers, question, model))
}

/// Hashes the pictures of a call, and a number that goes with them. Returns the pictures again.
pub(crate) async fn of_images(
    context: &Context,
    model: &Model,
    task: Task,
    with: usize,
    images: Vec<Image>,
) -> (Vec<Image>, Option<Lookup>) {
    let Some((answers, question)) = begin(context, model, task).await else {
        return (images, None);
    };
    let bytes = images.iter().map(image_bytes);
    let is_small = bytes.fold(0, usize::saturating_add) <= SMALL_INPUT;
    let hash = move || {
        let question = number(number(question, with), images.len());
        let question = images.iter().fold(question, image);
        (images, question)
    };
    let (images, question) = if is_small {
        hash()
    } else {
        match spawn_blocking(hash).await {
            Ok(hashed) => hashed,
            // A hash does not panic, and without the pictures the call refuses the request.
            Err(_) => return (Vec::new(), None),
        }
    };
    (images, Some(Lookup::new(answers, question, model)))
}

/// Hashes a generation, with this seed in the place of its own; `None` also where the answer is not determined.
pub(crate) async fn of_generation(
    context: &Context,
    model: &Model,
    request: &Arc<GenerationRequest>,
    seed: Option<u64>,
) -> Option<Lookup> {
    if !is_determined(request, seed) {
        return None;
    }
    let (answers, question) = begin(context, model, Task::TextGeneration).await?;
    let request = Arc::clone(request);
    let contents = request.messages.iter().flat_map(|message| &message.content);
    let bytes = contents.map(|content| match content {
        Content::Text(text) => text.len(),
        Content::Image(image) => image_bytes(image),
    });
    let is_small = bytes.fold(0, usize::saturating_add) <= SMALL_INPUT;
    let hash = move || generation(question, &request, seed);
    let question = if is_small {
        hash()
    } else {
        spawn_blocking(hash).await.ok()?
    };
    Some(Lookup::new(answers, question, model))
}

/// Tells whether one request has one answer: each token is the likeliest, or drawn by a seed.
fn is_determined(request: &GenerationRequest, seed: Option<u64>) -> bool {
    request.sampling.temperature == 0.0 || seed.is_some()
}

/// Begins the hash of a call with all that determines its answer beside the inputs; `None` where nothing is kept. A model
/// that is not trusted any more answers nothing from here: the call itself says why.
async fn begin(
    context: &Context,
    model: &Model,
    task: Task,
) -> Option<(TenantAnswers, QuestionBuilder)> {
    let answers = context.answers()?.clone();
    context.check_task(task, model).ok()?;
    model.check_trust().await.ok()?;
    let budget = model.budget();
    let question = answers
        .question(*model.manifest_digest().as_bytes())
        .part(&[REVISION])
        .part(env!("CARGO_PKG_VERSION").as_bytes())
        .part(&model.code_identity())
        // A call with less would have failed.
        .part(&budget.memory.bytes().to_be_bytes())
        .part(&budget.fuel.get().to_be_bytes())
        .part(&budget.deadline.as_nanos().to_be_bytes())
        // Each limit of the operator's, also those that later versions add.
        .part(format!("{:?}", model.limits()).as_bytes())
        .part(task.name().as_bytes());
    Some((answers, question))
}

fn number(question: QuestionBuilder, number: usize) -> QuestionBuilder {
    question.part(&(number as u64).to_be_bytes())
}

fn image_bytes(image: &Image) -> usize {
    match image {
        Image::Encoded(bytes) | Image::Rgb8 { pixels: bytes, .. } => bytes.len(),
    }
}

fn image(question: QuestionBuilder, image: &Image) -> QuestionBuilder {
    match image {
        Image::Encoded(bytes) => question.part(b"encoded").part(bytes),
        Image::Rgb8 {
            width,
            height,
            pixels,
        } => question
            .part(b"rgb8")
            .part(&width.to_be_bytes())
            .part(&height.to_be_bytes())
            .part(pixels),
    }
}

fn generation(
    question: QuestionBuilder,
    request: &GenerationRequest,
    seed: Option<u64>,
) -> QuestionBuilder {
    // A field that is added has to be hashed too, or this does not compile.
    let GenerationRequest {
        messages,
        sampling,
        max_output_tokens,
        stop,
        options,
    } = request;
    let ampoule::Sampling {
        temperature,
        top_p,
        top_k,
        // The choice's own is given.
        seed: _,
    } = *sampling;
    let mut question = question
        .part(&temperature.to_bits().to_be_bytes())
        .part(&top_p.to_bits().to_be_bytes())
        .part(&top_k.to_be_bytes())
        .part(
            seed.map(u64::to_be_bytes)
                .as_ref()
                .map_or(&[], |seed| &seed[..]),
        )
        .part(&max_output_tokens.to_be_bytes());
    question = number(question, stop.len());
    for text in stop {
        question = question.part(text.as_bytes());
    }
    question = number(question, options.len());
    for (name, value) in options {
        question = question.part(name.as_bytes()).part(value.as_bytes());
    }
    question = number(question, messages.len());
    for message in messages {
        question = number(
            question.part(message.role.as_bytes()),
            message.content.len(),
        );
        for content in &message.content {
            question = match content {
                Content::Text(text) => question.part(b"text").part(text.as_bytes()),
                Content::Image(given) => image(question, given),
            };
        }
    }
    question
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use ampoule::{Message, Sampling};
    use ampoule_answers::{Answers, Bounds, Question};

    use super::*;

    fn tenant() -> TenantAnswers {
        let answers = Answers::in_memory(Bounds::default()).unwrap();
        answers.of_tenant("acme").unwrap()
    }

    fn message(role: &str, content: Vec<Content>) -> Message {
        Message {
            role: role.to_owned(),
            content,
        }
    }

    fn request() -> GenerationRequest {
        GenerationRequest {
            stop: vec!["a".to_owned()],
            options: vec![("a".to_owned(), "b".to_owned())],
            ..GenerationRequest::question("text", 9)
        }
    }

    #[test]
    fn generations_that_differ_in_anything_have_different_hashes() {
        let text = |text: &str| Content::Text(text.to_owned());
        let pixels = |width, height, pixels| {
            Content::Image(Image::Rgb8 {
                width,
                height,
                pixels,
            })
        };
        let with = |change: &dyn Fn(&mut GenerationRequest)| {
            let mut changed = request();
            change(&mut changed);
            changed
        };
        let said = |content: Vec<Content>| {
            with(&|request| request.messages = vec![message("user", content.clone())])
        };
        let sampling = |sampling: Sampling| with(&|request| request.sampling = sampling);
        let greedy = Sampling::GREEDY;
        let all = [
            request(),
            said(vec![text("texts")]),
            said(vec![text("te"), text("xt")]),
            said(vec![text("text"), text("")]),
            said(vec![]),
            said(vec![Content::Image(Image::Encoded(b"text".to_vec()))]),
            said(vec![pixels(1, 2, vec![0; 6])]),
            said(vec![pixels(2, 1, vec![0; 6])]),
            said(vec![pixels(2, 1, vec![1; 6])]),
            with(&|request| request.messages.push(message("user", vec![]))),
            with(&|request| request.messages = vec![]),
            with(&|request| request.messages = vec![message("system", vec![text("text")])]),
            with(&|request| request.max_output_tokens += 1),
            with(&|request| request.stop = vec![]),
            with(&|request| request.stop.push("a".to_owned())),
            with(&|request| request.options = vec![]),
            with(&|request| request.options = vec![("ab".to_owned(), String::new())]),
            sampling(Sampling {
                temperature: 0.5,
                ..greedy
            }),
            sampling(Sampling {
                top_p: 0.5,
                ..greedy
            }),
            sampling(Sampling { top_k: 5, ..greedy }),
        ];
        let tenant = tenant();
        let hash = |request: &GenerationRequest, seed| {
            generation(tenant.question([1; 32]), request, seed).finish()
        };
        let mut hashes: Vec<Question> = all.iter().map(|request| hash(request, None)).collect();
        hashes.extend([Some(0), Some(1)].map(|seed| hash(&request(), seed)));
        for (index, question) in hashes.iter().enumerate() {
            for other in &hashes[..index] {
                assert_ne!(question, other, "{index}");
            }
        }
        assert_eq!(hash(&request(), None), hash(&request(), None));
    }

    #[test]
    fn an_answer_that_is_drawn_without_a_seed_is_not_determined() {
        let warm = GenerationRequest {
            sampling: Sampling {
                temperature: 0.7,
                ..Sampling::GREEDY
            },
            ..request()
        };
        assert!(is_determined(&request(), None));
        assert!(is_determined(&warm, Some(1)));
        assert!(!is_determined(&warm, None));
    }
}
