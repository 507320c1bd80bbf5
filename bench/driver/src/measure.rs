//! The measurement: engines get ready, are checked, and have their turns.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::anyhow;
use bench_engine::NoFigure;

use crate::engine::Engine;
use crate::figures::{self, Found, Row, Times};
use crate::inputs::Inputs;
use crate::jobs;
use crate::programs::Programs;
use crate::statistics::cosine;
use crate::together::{self, Together};
use crate::worker::Worker;
use crate::workload::Workload;

/// Rough length of a turn, in seconds, unless [`FEWEST_RUNS`] take longer.
const TURN_SECONDS: f64 = 0.15;

/// Least number of runs of a turn that count.
const FEWEST_RUNS: usize = 2;

/// Greatest number of them, for the quickest engines.
const MOST_RUNS: usize = 50;

/// Runs of a turn that do not count: in the first one, caches hold the data of another engine.
const WARM_UP: usize = 1;

/// A measurement under way.
pub(crate) struct Measurement<'a> {
    programs: &'a Programs,
    inputs: &'a Inputs,
    rounds: u32,
    /// Engines that have been started, with the number of threads that each may use. They are kept for
    /// the next workload.
    workers: BTreeMap<(usize, Engine), Worker>,
    measured: Measured,
}

/// The result of a measurement.
#[derive(Default)]
pub(crate) struct Measured {
    pub(crate) rows: Vec<Row>,
    pub(crate) together: Option<Together>,
    pub(crate) private_bytes: Option<u64>,
    /// Failures, by engine and workload.
    pub(crate) errors: Vec<String>,
}

/// An engine that is ready for the workload.
struct Contender {
    threads: usize,
    engine: Engine,
    /// Runs of a turn that count.
    runs: usize,
    times: Times,
}

impl<'a> Measurement<'a> {
    pub(crate) fn new(programs: &'a Programs, inputs: &'a Inputs, rounds: u32) -> Self {
        Self {
            programs,
            inputs,
            rounds,
            workers: BTreeMap::new(),
            measured: Measured::default(),
        }
    }

    /// Measures a workload with all engines that are wanted.
    pub(crate) fn measure(&mut self, workload: &Workload, is_wanted: impl Fn(Engine) -> bool) {
        let mut found = BTreeMap::new();
        let mut contenders = Vec::new();
        for &threads in workload.threads() {
            for &engine in Engine::all() {
                let takes_part = workload.lists(engine) && Workload::takes_threads(engine, threads);
                if !takes_part || !is_wanted(engine) {
                    continue;
                }
                match self.prepare(workload, engine, threads) {
                    Ok(contender) => contenders.push(contender),
                    Err(NoFigure::Missing(why)) => {
                        found.insert((threads, engine), Found::Missing(why));
                    }
                    Err(NoFigure::Failed(error)) => {
                        self.workers.remove(&(threads, engine));
                        self.fail(workload, engine, &error);
                    }
                }
            }
        }
        self.take_turns(workload, &mut contenders);
        if *workload == Workload::MAIN && is_wanted(Engine::OnnxruntimeNative) {
            self.measure_sandboxes(workload);
        }
        for contender in contenders {
            let key = (contender.threads, contender.engine);
            found.insert(key, Found::Times(contender.times));
        }
        self.measured.rows.extend(figures::rows(workload, &found));
    }

    /// Ends the engines, and returns the result.
    pub(crate) fn finish(self) -> Measured {
        self.measured
    }

    fn fail(&mut self, workload: &Workload, engine: Engine, error: &anyhow::Error) {
        let error = format!("{} of {}: {error:#}", workload.name(), engine.name());
        eprintln!("  {error}");
        self.measured.errors.push(error);
    }

    /// Prepares an engine, and compares its result with the reference.
    fn prepare(
        &mut self,
        workload: &Workload,
        engine: Engine,
        threads: usize,
    ) -> Result<Contender, NoFigure> {
        workload
            .suits(engine)
            .map_err(|why| NoFigure::Missing(why.to_owned()))?;
        let job = jobs::job(workload, threads, self.inputs).map_err(NoFigure::Missing)?;
        let worker = self.worker(engine, threads)?;
        let ready = worker.prepare(&job)?;
        // The first run is never like the others.
        worker.run(WARM_UP)?;
        let began = Instant::now();
        worker.run(1)?;
        let seconds = began.elapsed().as_secs_f64();
        let cosine = match jobs::reference(workload, self.inputs) {
            None => None,
            Some(reference) => Some(checked(&ready.output, &reference, workload)?),
        };
        Ok(Contender {
            threads,
            engine,
            runs: runs_of_a_turn(seconds),
            times: Times {
                ms: Vec::new(),
                cosine,
                about: ready.about,
            },
        })
    }

    /// Returns the running engine. A failed one is started again for the next workload.
    fn worker(&mut self, engine: Engine, threads: usize) -> Result<&mut Worker, NoFigure> {
        let key = (threads, engine);
        if !self.workers.contains_key(&key) {
            let command = self.programs.command(engine, threads);
            let worker = Worker::start(command.map_err(NoFigure::Missing)?)?;
            self.workers.insert(key, worker);
        }
        let worker = self.workers.get_mut(&key);
        worker.ok_or_else(|| anyhow!("the engine is gone").into())
    }

    /// Every engine has a turn in each round; one that fails has no more.
    fn take_turns(&mut self, workload: &Workload, contenders: &mut Vec<Contender>) {
        for _ in 0..self.rounds {
            let mut failed = None;
            for (index, contender) in contenders.iter_mut().enumerate() {
                let turn = self
                    .worker(contender.engine, contender.threads)
                    .and_then(|worker| worker.run(WARM_UP + contender.runs));
                match turn {
                    Ok(ms) => contender.times.ms.extend(ms.into_iter().skip(WARM_UP)),
                    Err(why) => failed = Some((index, why)),
                }
            }
            if let Some((index, why)) = failed {
                let Contender {
                    engine, threads, ..
                } = contenders.remove(index);
                self.workers.remove(&(threads, engine));
                self.fail(workload, engine, &why.into_error());
            }
            // The first engine is the last one now, so that no engine always follows the same one.
            if !contenders.is_empty() {
                contenders.rotate_left(1);
            }
        }
    }

    /// Measures sandboxes at once and the memory of one, which take more than one request.
    fn measure_sandboxes(&mut self, workload: &Workload) {
        let measured = together::measure(self.programs, self.inputs, workload, self.rounds);
        match measured {
            Ok(together) => self.measured.together = Some(together),
            Err(NoFigure::Missing(_)) => {}
            Err(NoFigure::Failed(error)) => self.fail(workload, Engine::Ampoule, &error),
        }
        let private = self
            .worker(Engine::Ampoule, 1)
            .and_then(|worker| worker.private_bytes(together::REQUESTS));
        match private {
            Ok(bytes) => self.measured.private_bytes = Some(bytes),
            Err(NoFigure::Missing(_)) => {}
            Err(NoFigure::Failed(error)) => self.fail(workload, Engine::Ampoule, &error),
        }
    }
}

fn runs_of_a_turn(seconds: f64) -> usize {
    // A small number, and where it is not, the bound is what counts.
    let runs = (TURN_SECONDS / seconds.max(1e-9)).round() as usize;
    runs.clamp(FEWEST_RUNS, MOST_RUNS)
}

/// Returns the cosine of an engine's output with the reference, if it is near enough.
fn checked(output: &[f32], reference: &[f64], workload: &Workload) -> anyhow::Result<f64> {
    let output: Vec<f64> = output.iter().copied().map(f64::from).collect();
    let found = cosine(&output, reference).ok_or_else(|| {
        anyhow!(
            "expected {} numbers, found {}",
            reference.len(),
            output.len()
        )
    })?;
    let least = workload.least_cosine();
    anyhow::ensure!(
        found >= least,
        "computes something else: expected a cosine of {least} and more with the reference, found {found:.4}"
    );
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_that_computes_something_else_has_no_figure() {
        let reference = [1.0, 0.0, 0.0];
        assert!(checked(&[2.0, 0.0, 0.0], &reference, &Workload::MAIN).is_ok());
        let other = checked(&[1.0, 1.0, 0.0], &reference, &Workload::MAIN).unwrap_err();
        assert!(other.to_string().contains("found 0.7071"), "{other}");
        assert!(checked(&[1.0, 0.0], &reference, &Workload::MAIN).is_err());
        assert!(checked(&[f32::NAN; 3], &reference, &Workload::MAIN).is_err());
    }

    #[test]
    fn quick_engines_run_more_often_in_a_turn() {
        assert_eq!(runs_of_a_turn(0.05), 3);
        assert_eq!(runs_of_a_turn(10.0), FEWEST_RUNS);
        assert_eq!(runs_of_a_turn(0.0), MOST_RUNS);
    }
}
