//! `ampoule bench`: how fast a model answers on this machine, metered as every request is.

use std::time::{Duration, Instant};

use ampoule::{GenerationRequest, Model, Task};
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
    /// Tokens after the first by the time after the first text; `null` where no answer had two
    /// pieces of text.
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
    let init = generation.report().init_wall;
    let mut first = None;
    let finish = each_piece(&mut generation, |piece| {
        if first.is_none() && !piece.is_empty() {
            first = Some(Instant::now());
        }
        Ok(())
    });
    let finish = finish.await?;
    let end = Instant::now();
    // An answer without any text is there when it ends.
    let first = first.unwrap_or(end);
    let output_tokens = finish.usage.output_tokens;
    let rest = end.duration_since(first).as_secs_f64();
    let report = generation.report();
    Ok(Run {
        init,
        first: first.duration_since(begin).saturating_sub(init),
        tokens_per_second: (output_tokens > 1 && rest > 0.0)
            .then(|| f64::from(output_tokens - 1) / rest),
        output_tokens,
        fuel: report.fuel.get(),
        peak_memory: report.peak_memory.bytes(),
    })
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
    use super::median;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0]), Some(3.0));
        assert_eq!(median(vec![9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 100.0]), Some(3.0));
    }
}
