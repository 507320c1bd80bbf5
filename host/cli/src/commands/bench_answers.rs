//! Speed of a model's answers: the part of `ampoule bench` that needs a prompt.

use std::time::{Duration, Instant};

use ampoule::{Finish, GenerationRequest, Model};
use serde::Serialize;

use super::ask::each_piece;
use crate::error::Error;

/// Medians over the runs; times in milliseconds.
#[derive(Serialize)]
pub(crate) struct Answers {
    pub(crate) runs: u32,
    /// Making each sandbox, before the request.
    pub(crate) start_ms: f64,
    /// From the request's start in its sandbox to the first text, the sandbox's making not counted.
    pub(crate) first_token_ms: f64,
    /// Steps of the decoder after the first text, by the time that they took; the step that finds
    /// the end of the answer is one of them, though its token is not in `output_tokens`. `null` where
    /// no answer took a call more after its first text.
    pub(crate) tokens_per_second: Option<f64>,
    pub(crate) output_tokens: f64,
    pub(crate) fuel: f64,
    pub(crate) peak_memory_bytes: f64,
}

/// Number of runs.
pub(crate) async fn ask(
    model: &Model,
    request: &GenerationRequest,
    runs: u32,
) -> Result<Answers, Error> {
    let mut measured = Vec::new();
    for _ in 0..runs {
        measured.push(measure(model, request.clone()).await?);
    }
    let median = |of: fn(&Run) -> Option<f64>| median_of(&measured, of).unwrap_or_default();
    Ok(Answers {
        runs,
        start_ms: median(|run| Some(millis(run.start))),
        first_token_ms: median(|run| Some(millis(run.first))),
        tokens_per_second: median_of(&measured, |run| run.tokens_per_second),
        output_tokens: median(|run| Some(run.output_tokens.into())),
        // Numbers to read, far below 2^53.
        fuel: median(|run| Some(run.fuel as f64)),
        peak_memory_bytes: median(|run| Some(run.peak_memory as f64)),
    })
}

/// Costs of one answer.
struct Run {
    start: Duration,
    first: Duration,
    tokens_per_second: Option<f64>,
    output_tokens: u32,
    fuel: u64,
    peak_memory: u64,
}

/// Asks once, in a sandbox of its own, with the usual fuel and deadline.
async fn measure(model: &Model, request: GenerationRequest) -> Result<Run, Error> {
    let begin = Instant::now();
    let mut generation = model.generate(request).await?;
    let start = generation.report().start_wall;
    let mut first = None;
    let mut goes_on = false;
    let finish = each_piece(&mut generation, |piece| {
        goes_on |= first.is_some();
        if first.is_none() && !piece.is_empty() {
            first = Some(Instant::now());
        }
        Ok(())
    });
    let finish = finish.await?;
    let end = Instant::now();
    // An answer without any text is there when it ends.
    let first = first.unwrap_or(end);
    let rest = end.duration_since(first).as_secs_f64();
    let report = generation.report();
    Ok(Run {
        start,
        first: first.duration_since(begin).saturating_sub(start),
        tokens_per_second: (goes_on && rest > 0.0)
            .then(|| f64::from(steps_after_first(&finish)) / rest),
        output_tokens: finish.usage.output_tokens,
        fuel: report.fuel.get(),
        peak_memory: report.peak_memory.bytes(),
    })
}

/// Steps of the decoder after the one that gave the first token. A model that was done computed the
/// end of its answer like any other token; one that was stopped did not.
fn steps_after_first(finish: &Finish) -> u32 {
    let end = u32::from(finish.reason == "stop");
    finish
        .usage
        .output_tokens
        .saturating_add(end)
        .saturating_sub(1)
}

/// Returns the median of a figure of the runs; `None` when no run has it.
fn median_of(runs: &[Run], of: impl Fn(&Run) -> Option<f64>) -> Option<f64> {
    median(runs.iter().filter_map(of).collect())
}

pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    Some((values[middle - 1] + upper) / 2.0)
}

pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use ampoule::{Finish, Usage};

    use super::{median, steps_after_first};

    #[test]
    fn the_end_of_an_answer_is_a_step_where_the_model_found_it() {
        let steps = |reason: &str, output_tokens| {
            steps_after_first(&Finish {
                reason: reason.to_owned(),
                usage: Usage {
                    input_tokens: 9,
                    output_tokens,
                },
            })
        };
        assert_eq!(steps("stop", 5), 5, "four tokens and the end");
        assert_eq!(steps("length", 5), 4);
        assert_eq!(steps("stop-string", 5), 4);
        assert_eq!(steps("stop", 1), 1);
        assert_eq!(steps("stop", 0), 0);
        assert_eq!(steps("length", 0), 0);
        // A model may say what it likes.
        assert_eq!(steps("stop", u32::MAX), u32::MAX - 1);
    }

    #[test]
    fn the_median_is_the_middle_or_between_the_two_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0]), Some(3.0));
        assert_eq!(median(vec![9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 100.0]), Some(3.0));
    }
}
