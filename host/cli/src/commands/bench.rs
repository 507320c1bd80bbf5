//! `ampoule bench`: costs of a model on this machine, metered as every request is.

use std::time::{Duration, Instant};

use ampoule::{EngineProfile, GenerationRequest, Model, SandboxCosts, SandboxStart, Task, Times};
use serde::Serialize;

use super::bench_answers::{self, Answers, millis};
use super::bench_metering::{self, Metering, Work};
use crate::arguments::BenchCommand;
use crate::error::Error;
use crate::model_choice::ModelChoice;
use crate::output::{self, ModelName};
use crate::progress;
use crate::settings::Settings;

#[derive(Serialize)]
struct Document {
    model: ModelName,
    /// Verifying, `init`, the snapshot and compiling, in milliseconds.
    load_cold_ms: f64,
    /// Verifying and taking the code out of the cache.
    load_warm_ms: f64,
    /// The memory that sandboxes begin with; `null` for a model whose sandboxes run `init` each.
    snapshot_bytes: Option<u64>,
    /// Bytes of that which the model gives for its weights; `null` where it gives none.
    packed_weight_bytes: Option<u64>,
    /// Number of sandboxes for the following figures.
    rounds: u32,
    /// Making a sandbox. All of these in microseconds.
    instantiate_us: Quantiles,
    /// The first call in it.
    first_call_us: Quantiles,
    /// Making and first call together.
    fresh_call_us: Quantiles,
    /// Emptying it.
    drop_us: Quantiles,
    /// Time of Wasmtime alone to instantiate the same code.
    bare_instantiate_us: Quantiles,
    /// Memory of its own that each of several sandboxes at once has after its first call.
    private_bytes_per_sandbox: u64,
    /// Time of an answer with fuel and deadline, divided by that without; `null` for a model that can answer nothing
    /// without pictures or texts of its own kind.
    metering_ratio: Option<f64>,
    metering: Option<Metering>,
    /// With a prompt.
    #[serde(flatten)]
    answers: Option<Answers>,
}

#[derive(Serialize)]
struct Quantiles {
    p50: f64,
    p99: f64,
}

impl From<&Times> for Quantiles {
    fn from(times: &Times) -> Self {
        let micros = |share| times.quantile(share).as_secs_f64() * 1e6;
        Self {
            p50: micros(0.5),
            p99: micros(0.99),
        }
    }
}

/// The measurements.
struct Measured {
    model: Model,
    cold: Duration,
    warm: Duration,
    costs: SandboxCosts,
    metering: Option<Metering>,
    answers: Option<Answers>,
}

pub(crate) async fn run(
    command: BenchCommand,
    settings: &Settings,
    json: bool,
) -> Result<(), Error> {
    let request = match command.prompt {
        Some(prompt) => Some(command.answer.into_request(prompt, &settings.limits)?),
        None => None,
    };
    let choice = ModelChoice::from(command.bundle);
    if request.is_some() {
        choice.check_offers(Task::TextGeneration)?;
    }
    let (rounds, runs) = (command.rounds, command.runs);
    let measured = measure(choice, settings, request, rounds, runs);
    let measured = progress::show("measuring", measured).await?;
    let document = Document {
        model: measured.model.manifest().into(),
        load_cold_ms: millis(measured.cold),
        load_warm_ms: millis(measured.warm),
        snapshot_bytes: match measured.model.sandbox_start() {
            SandboxStart::Snapshot { memory } => Some(memory.bytes()),
            _ => None,
        },
        packed_weight_bytes: packed_weight_bytes(&measured.model),
        rounds,
        instantiate_us: (&measured.costs.instantiate).into(),
        first_call_us: (&measured.costs.first_call).into(),
        fresh_call_us: (&measured.costs.fresh_call).into(),
        drop_us: (&measured.costs.drop).into(),
        bare_instantiate_us: (&measured.costs.bare_instantiate).into(),
        private_bytes_per_sandbox: measured.costs.private_bytes.bytes(),
        metering_ratio: measured.metering.as_ref().map(Metering::ratio),
        metering: measured.metering,
        answers: measured.answers,
    };
    if json {
        return output::json(&document);
    }
    output::write(&to_text(&document))
}

async fn measure(
    choice: ModelChoice,
    settings: &Settings,
    request: Option<GenerationRequest>,
    rounds: u32,
    runs: u32,
) -> Result<Measured, Error> {
    // A cache of its own, so that the first load is what it is called.
    let cache = tempfile::tempdir().map_err(|error| Error::Write(error.to_string()))?;
    let settings = settings.with_cache(cache.path());
    let (first, cold) = timed(choice.clone().load(&settings)).await?;
    drop(first);
    let (model, warm) = timed(choice.clone().load(&settings)).await?;
    let costs = model.measure(rounds as usize).await?;
    let answers = match &request {
        Some(request) => Some(bench_answers::ask(&model, request, runs).await?),
        None => None,
    };
    // The other profiles differ from the unmetered one in more than metering.
    let is_default = request.is_none();
    let metering = match Work::for_model(&model, request) {
        Some(work) if settings.profile == EngineProfile::Metered => {
            let unmetered = settings.with_profile(EngineProfile::Unmetered);
            let unmetered = choice.load(&unmetered).await?;
            match bench_metering::measure(&work, &model, &unmetered, runs).await {
                Ok(metering) => Some(metering),
                // What was not asked for may well not suit the model, or this host's limits.
                Err(error) if is_default => {
                    tracing::warn!(target: "ampoule::bench", %error, "metering was not measured");
                    None
                }
                Err(error) => return Err(error),
            }
        }
        _ => None,
    };
    Ok(Measured {
        model,
        cold,
        warm,
        costs,
        metering,
        answers,
    })
}

fn packed_weight_bytes(model: &Model) -> Option<u64> {
    let mut properties = model.info().properties.iter();
    let (_, bytes) = properties.find(|(key, _)| key == "weights.bytes")?;
    bytes.parse().ok()
}

async fn timed(
    load: impl Future<Output = Result<Model, Error>>,
) -> Result<(Model, Duration), Error> {
    let began = Instant::now();
    let model = load.await?;
    Ok((model, began.elapsed()))
}

fn to_text(document: &Document) -> String {
    let mib = |bytes: f64| bytes / f64::from(1 << 20);
    let quantiles = |times: &Quantiles| format!("{:.0} / {:.0} µs", times.p50, times.p99);
    let mut text = format!(
        "fuel and deadline on; of {} sandboxes the median and the 99th percentile\n\
         load         {:.0} ms, {:.0} ms out of the cache\n\
         snapshot     {}\n\
         instantiate  {}, of which Wasmtime alone {}\n\
         first call   {}\n\
         drop         {}\n\
         private      {:.1} MiB a sandbox\n\
         metering     {}\n",
        document.rounds,
        document.load_cold_ms,
        document.load_warm_ms,
        match (document.snapshot_bytes, document.packed_weight_bytes) {
            (Some(bytes), Some(weights)) => format!(
                "{:.1} MiB, of which weights {:.1}",
                mib(bytes as f64),
                mib(weights as f64)
            ),
            (Some(bytes), None) => format!("{:.1} MiB", mib(bytes as f64)),
            (None, _) => "none: each sandbox runs `init`".to_owned(),
        },
        quantiles(&document.instantiate_us),
        quantiles(&document.bare_instantiate_us),
        quantiles(&document.first_call_us),
        quantiles(&document.drop_us),
        mib(document.private_bytes_per_sandbox as f64),
        match &document.metering {
            Some(metering) => metering.to_string(),
            None => "not measured".to_owned(),
        },
    );
    if let Some(answers) = &document.answers {
        let rate = match answers.tokens_per_second {
            Some(rate) => format!("{rate:.1}"),
            None => "-".to_owned(),
        };
        text.push_str(&format!(
            "answers      medians of {}\n\
             first token  {:.1} ms\n\
             tokens/s     {rate}\n\
             tokens       {}\n\
             fuel         {}\n\
             peak memory  {:.1} MiB\n",
            answers.runs,
            answers.first_token_ms,
            answers.output_tokens,
            answers.fuel,
            mib(answers.peak_memory_bytes),
        ));
    }
    text
}
