//! The gain of a second core: two sandboxes at once beside one, and two processes of a native engine beside
//! one, by turns.

use std::time::Instant;

use bench_engine::NoFigure;
use serde::Serialize;

use crate::engine::Engine;
use crate::inputs::Inputs;
use crate::jobs;
use crate::programs::Programs;
use crate::statistics::median;
use crate::worker::Worker;
use crate::workload::Workload;

/// Requests of a turn, in each sandbox or process.
pub(crate) const REQUESTS: usize = 10;

/// Sandboxes, or processes, at once.
const AT_ONCE: usize = 2;

/// Work of two in the time that one takes for its own, as a multiple: medians over the rounds.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Together {
    pub(crate) sandboxes: f64,
    pub(crate) native_processes: f64,
}

impl Together {
    /// Returns the share of the machine's own gain that sandboxes have.
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
        // Bound to no core, as an engine of two threads; the job says how many threads compute.
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

/// Returns the multiple of work that is done when [`AT_ONCE`] times the work takes `both` and the work once `one`.
fn gain(one: f64, both: f64) -> f64 {
    AT_ONCE as f64 * one / both
}

/// Lets all of them compute at once; returns the milliseconds until the last is done.
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
