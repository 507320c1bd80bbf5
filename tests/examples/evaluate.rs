//! Asks the evaluation's questions through the sandbox and prints the table of the model card.
//!
//! ```text
//! evaluate [EVERY]
//! ```
//!
//! With `EVERY` above 1, only one question in so many of each kind is asked. Otherwise the results are
//! written to `guest/models/tiny-vlm/eval/results.json`, and scores below the bounds are a failure.
//! `cargo xtask eval` runs it.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool talks to its user"
)]

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ampoule_tests::{
    EvaluatedFiles, EvaluationResults, Extent, Question, ScoreTable, built_in, evaluation_sample,
};

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let every = match std::env::args().nth(1) {
        None => 1,
        Some(every) => every.parse()?,
    };
    let evaluated = EvaluatedFiles::now();
    let (host, bundle) = built_in();
    let model = host.load_bundle(bundle).await?;
    let questions: Arc<Vec<Question>> = Arc::new(evaluation_sample(every));

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
    let mut table = ScoreTable::default();
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
    if every > 1 {
        return Ok(ExitCode::SUCCESS);
    }
    let misses = table.misses(Extent::Whole);
    EvaluationResults { evaluated, table }.write()?;
    for miss in &misses {
        eprintln!("below the bound: {miss}");
    }
    Ok(if misses.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
