//! What a second core gains: two sandboxes at once beside one, and two processes of a native engine beside
//! one, by turns.

use std::time::Instant;

use serde::Serialize;

use super::engine::Engine;
use super::inputs::Inputs;
use super::jobs;
use super::programs::Programs;
use super::statistics::median;
use super::worker::{NoFigure, Worker};
use super::workload::Workload;

/// Requests of a turn, in each sandbox or process.
pub(crate) const REQUESTS: usize = 10;

/// How many at once.
const AT_ONCE: usize = 2;

/// How many times as much two do in the same time as one: medians over the rounds.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Together {
    pub(crate) sandboxes: f64,
    pub(crate) native_processes: f64,
}

impl Together {
    /// What is left of what the machine gives.
    pub(crate) fn normalised(&self) -> f64 {
        self.sandboxes / self.native_processes
    }
}

/// Lets Ampoule and ONNX Runtime do the workload one at a time and two at once. Nothing is bound to a core.
pub(crate) fn measure(
    programs: &Programs,
    inputs: &Inputs,
    workload: &Workload,
    rounds: u32,
) -> Result<Together, NoFigure> {
    let start = |engine, threads| {
        // Bound to no core, as no engine of two threads is; what it computes with, the job says.
        let command = programs
            .command(engine, AT_ONCE)
            .map_err(NoFigure::Missing)?;
        let mut worker = Worker::start(command)?;
        let job = jobs::job(workload, threads, inputs).map_err(NoFigure::Missing)?;
        worker.prepare(&job)?;
        Ok::<_, NoFigure>(worker)
    };
    let mut ampoule = start(Engine::Ampoule, AT_ONCE)?;
    let mut native = [
        start(Engine::OnnxruntimeNative, 1)?,
        start(Engine::OnnxruntimeNative, 1)?,
    ];
    let (mut sandboxes, mut processes) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let one = ampoule.together(REQUESTS, 1)?;
        let both = ampoule.together(REQUESTS, AT_ONCE)?;
        sandboxes.push(gain(one, both));
        let one = side_by_side(&mut native[..1])?;
        let both = side_by_side(&mut native)?;
        processes.push(gain(one, both));
    }
    Ok(Together {
        sandboxes: median(sandboxes).unwrap_or(f64::NAN),
        native_processes: median(processes).unwrap_or(f64::NAN),
    })
}

/// How much more is done when [`AT_ONCE`] times the work takes `both` and the work once takes `one`.
fn gain(one: f64, both: f64) -> f64 {
    AT_ONCE as f64 * one / both
}

/// Lets all of them compute at once; milliseconds until the last is done.
fn side_by_side(workers: &mut [Worker]) -> Result<f64, NoFigure> {
    let began = Instant::now();
    for worker in &mut *workers {
        worker.begin_run(REQUESTS)?;
    }
    for worker in workers {
        worker.end_run()?;
    }
    Ok(began.elapsed().as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gain_is_beside_what_the_machine_gives() {
        let together = Together {
            sandboxes: gain(100.0, 110.0),
            native_processes: gain(40.0, 44.0),
        };
        assert!((together.sandboxes - 1.818).abs() < 1e-3);
        assert!((together.normalised() - 1.0).abs() < 1e-9);
    }
}
