//! `ampoule bench`: how fast a model answers on this machine, metered as every request is.

use std::time::{Duration, Instant};

use ampoule::{Finish, GenerationRequest, Model, Task};
use serde::Serialize;

use super::ask::each_piece;
use crate::arguments::BenchCommand;
use crate::error::Error;
use crate::model_choice::ModelChoice;
use crate::output::{self, ModelName};
use crate::progress;
use crate::settings::Settings;

/// Medians over the runs; times in milliseconds.
#[derive(Serialize)]
struct Document {
    model: ModelName,
    runs: u32,
    /// Once: verifying, compiling, and the first initialisation.
    load_ms: f64,
    /// In each sandbox, before the request.
    init_ms: f64,
    /// From the request's start in its sandbox to the first text, initialisation not counted.
    first_token_ms: f64,
    /// Steps of the decoder after the first text, by the time that they took; the step that finds
    /// the end of the answer is one of them, though its token is not in `output_tokens`. `null` where
    /// no answer took a call more after its first text.
    tokens_per_second: Option<f64>,
    output_tokens: f64,
    fuel: f64,
    peak_memory_bytes: f64,
}

/// What one answer took.
struct Run {
    init: Duration,
    first: Duration,
    tokens_per_second: Option<f64>,
    output_tokens: u32,
    fuel: u64,
    peak_memory: u64,
}

pub(crate) async fn run(
    command: BenchCommand,
    settings: &Settings,
    json: bool,
) -> Result<(), Error> {
    let (model, request) = command.prompt.into_request(&settings.limits)?;
    let begin = Instant::now();
    let model = ModelChoice::from(model)
        .load_for(Task::TextGeneration, settings)
        .await?;
    let load = begin.elapsed();
    let measured = async {
        let mut runs = Vec::new();
        for _ in 0..command.runs {
            runs.push(measure(&model, request.clone()).await?);
        }
        Ok::<_, Error>(runs)
    };
    let runs = progress::show("measuring", measured).await?;
    let document = Document {
        model: model.manifest().into(),
        runs: command.runs,
        load_ms: millis(load),
        init_ms: median_of(&runs, |run| Some(millis(run.init))).unwrap_or_default(),
        first_token_ms: median_of(&runs, |run| Some(millis(run.first))).unwrap_or_default(),
        tokens_per_second: median_of(&runs, |run| run.tokens_per_second),
        output_tokens: median_of(&runs, |run| Some(run.output_tokens.into())).unwrap_or_default(),
        // Numbers to read, far below 2^53.
        fuel: median_of(&runs, |run| Some(run.fuel as f64)).unwrap_or_default(),
        peak_memory_bytes: median_of(&runs, |run| Some(run.peak_memory as f64)).unwrap_or_default(),
    };
    if json {
        return output::json(&document);
    }
    output::write(&to_text(&document))
}

/// Asks once, in a sandbox of its own, with fuel and deadline as for anybody.
async fn measure(model: &Model, request: GenerationRequest) -> Result<Run, Error> {
    let begin = Instant::now();
    let mut generation = model.generate(request).await?;
    let init = generation.report().start_wall;
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
        init,
        first: first.duration_since(begin).saturating_sub(init),
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

/// The median of what the runs have of something; `None` when none has any.
fn median_of(runs: &[Run], of: impl Fn(&Run) -> Option<f64>) -> Option<f64> {
    median(runs.iter().filter_map(of).collect())
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    Some((values[middle - 1] + upper) / 2.0)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn to_text(document: &Document) -> String {
    let rate = match document.tokens_per_second {
        Some(rate) => format!("{rate:.1}"),
        None => "-".to_owned(),
    };
    format!(
        "medians of {} runs, fuel and deadline on\n\
         load         {:.0} ms, once\n\
         init         {:.1} ms a sandbox\n\
         first token  {:.1} ms\n\
         tokens/s     {rate}\n\
         tokens       {}\n\
         fuel         {}\n\
         peak memory  {:.1} MiB\n",
        document.runs,
        document.load_ms,
        document.init_ms,
        document.first_token_ms,
        document.output_tokens,
        document.fuel,
        document.peak_memory_bytes / f64::from(1 << 20),
    )
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
