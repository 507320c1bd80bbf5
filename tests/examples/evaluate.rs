//! Asks the evaluation's questions through the sandbox and prints the table of the model card.
//!
//! ```text
//! evaluate [EVERY]
//! ```
//!
//! With `EVERY`, only one question in so many is asked. `cargo xtask eval` runs it.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool talks to its user"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ampoule_tests::{Question, Table, built_in, evaluation_questions};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let every = match std::env::args().nth(1) {
        None => 1,
        Some(every) => every.parse()?,
    };
    let (host, bundle) = built_in();
    let model = host.load_bundle(bundle).await?;
    let questions: Arc<Vec<Question>> =
        Arc::new(evaluation_questions().into_iter().step_by(every).collect());

    // As many at once as there are cores: each takes the next question until none is left.
    let next = Arc::new(AtomicUsize::new(0));
    let askers: Vec<_> = (0..std::thread::available_parallelism()?.get())
        .map(|_| {
            let (questions, next, model) =
                (Arc::clone(&questions), Arc::clone(&next), model.clone());
            tokio::spawn(async move {
                let mut answers = Vec::new();
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(question) = questions.get(index) else {
                        return Ok::<_, ampoule::Error>(answers);
                    };
                    answers.push((index, question.ask(&model).await?));
                }
            })
        })
        .collect();
    let mut table = Table::default();
    let mut wrong = Vec::new();
    for asker in askers {
        for (index, answer) in asker.await?? {
            let question = &questions[index];
            table.add(question, &answer);
            if question.score(&answer).f1() < 1.0 {
                wrong.push((index, answer));
            }
        }
    }
    wrong.sort();
    for (index, answer) in wrong {
        let Question {
            image,
            question,
            key,
            ..
        } = &questions[index];
        eprintln!("{image}: {question:?} expected {key:?}, found {answer:?}");
    }
    print!("{}", table.to_markdown());
    Ok(())
}
