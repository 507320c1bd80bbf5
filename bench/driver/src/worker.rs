//! A running engine, driven by a line of JSON each way.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, anyhow};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use bench_engine::{Job, NoFigure, Ready};

/// A running engine, which ends when this is dropped.
pub(crate) struct Worker {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Said<T> {
    Missing { missing: String },
    Failed { error: String },
    Answer(T),
}

#[derive(Deserialize)]
struct Times {
    ms: Vec<f64>,
}

#[derive(Deserialize)]
struct Wall {
    wall_ms: f64,
}

#[derive(Deserialize)]
struct Memory {
    bytes: u64,
}

impl Worker {
    /// Starts the engine's program.
    pub(crate) fn start(mut command: Command) -> Result<Self> {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let pipes = process.stdin.take().zip(process.stdout.take());
        let (input, output) = pipes.context("the engine has no pipes")?;
        Ok(Self {
            process,
            input,
            output: BufReader::new(output),
        })
    }

    /// Lets the engine get ready for a job and compute it once.
    pub(crate) fn prepare(&mut self, job: &Job) -> Result<Ready, NoFigure> {
        self.ask(&json!({ "prepare": job }))
    }

    /// Runs so many times; returns the milliseconds of each.
    pub(crate) fn run(&mut self, times: usize) -> Result<Vec<f64>, NoFigure> {
        self.begin_run(times)?;
        self.end_run()
    }

    /// Begins to run so many times.
    pub(crate) fn begin_run(&mut self, times: usize) -> Result<(), NoFigure> {
        self.say(&json!({ "run": { "times": times } }))
    }

    /// Waits for what [`begin_run`](Self::begin_run) has begun.
    pub(crate) fn end_run(&mut self) -> Result<Vec<f64>, NoFigure> {
        Ok(self.hear::<Times>()?.ms)
    }

    /// Asks so many requests in each of so many sandboxes at once; returns the milliseconds in all.
    pub(crate) fn together(&mut self, times: usize, at_once: usize) -> Result<f64, NoFigure> {
        let asked = json!({ "together": { "times": times, "at_once": at_once } });
        Ok(self.ask::<Wall>(&asked)?.wall_ms)
    }

    /// Returns the most memory of its own, in bytes, that a sandbox had during so many requests.
    pub(crate) fn private_bytes(&mut self, times: usize) -> Result<u64, NoFigure> {
        let asked = json!({ "private_bytes": { "times": times } });
        Ok(self.ask::<Memory>(&asked)?.bytes)
    }

    fn ask<T: DeserializeOwned>(&mut self, asked: &Value) -> Result<T, NoFigure> {
        self.say(asked)?;
        self.hear()
    }

    fn say(&mut self, asked: &Value) -> Result<(), NoFigure> {
        writeln!(self.input, "{asked}").context("the engine has ended")?;
        self.input.flush().context("the engine has ended")?;
        Ok(())
    }

    fn hear<T: DeserializeOwned>(&mut self) -> Result<T, NoFigure> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            let status = self.process.wait()?;
            return Err(anyhow!("the engine has ended ({status})").into());
        }
        match serde_json::from_str(&line).context("the engine said something unexpected")? {
            Said::Answer(answer) => Ok(answer),
            Said::Missing { missing } => Err(NoFigure::Missing(missing)),
            Said::Failed { error } => Err(NoFigure::Failed(anyhow!(error))),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // A busy engine would go on to the end of its work.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine_that_says(line: &str) -> Worker {
        let mut command = Command::new("sh");
        command.args(["-c", "read -r asked && printf '%s\\n' \"$1\"", "sh", line]);
        Worker::start(command).unwrap()
    }

    #[test]
    fn what_an_engine_lacks_is_told_from_what_fails() {
        let times = engine_that_says(r#"{"ms": [1.5, 2.0]}"#).run(2).unwrap();
        assert_eq!(times, [1.5, 2.0]);
        let lacks = engine_that_says(r#"{"missing": "no such model"}"#).run(2);
        assert!(matches!(lacks, Err(NoFigure::Missing(why)) if why == "no such model"));
        for failing in [r#"{"error": "broken"}"#, "Traceback", "{}"] {
            let failed = engine_that_says(failing).run(2);
            assert!(matches!(failed, Err(NoFigure::Failed(_))), "{failing}");
        }
    }

    #[test]
    fn an_engine_that_ends_is_a_failure_and_no_wait() {
        let mut worker = Worker::start(Command::new("true")).unwrap();
        assert!(matches!(worker.run(1), Err(NoFigure::Failed(_))));
    }
}
