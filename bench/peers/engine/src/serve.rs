//! The loop of an engine: reads a line, does the work, answers with a line.

use std::io::{BufRead as _, Write as _};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Engine, Job, NoFigure};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Asked {
    Prepare(Job),
    Run { times: usize },
    Together { times: usize, at_once: usize },
    PrivateBytes { times: usize },
}

/// Serves the driver until it closes standard input.
///
/// # Errors
///
/// When standard input or output fails.
pub fn serve(engine: &mut dyn Engine) -> std::io::Result<()> {
    let mut lines = std::io::stdin().lock().lines();
    while let Some(line) = lines.next().transpose()? {
        let answer = match answer(engine, &line) {
            Ok(answer) => answer,
            Err(NoFigure::Missing(why)) => json!({ "missing": why }),
            Err(NoFigure::Failed(error)) => json!({ "error": format!("{error:#}") }),
        };
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{answer}")?;
        stdout.flush()?;
    }
    Ok(())
}

fn answer(engine: &mut dyn Engine, line: &str) -> Result<Value, NoFigure> {
    Ok(match serde_json::from_str(line)? {
        Asked::Prepare(job) => serde_json::to_value(engine.prepare(job)?)?,
        Asked::Run { times } => json!({ "ms": engine.run(times)? }),
        Asked::Together { times, at_once } => {
            json!({ "wall_ms": engine.together(times, at_once)? })
        }
        Asked::PrivateBytes { times } => json!({ "bytes": engine.private_bytes(times)? }),
    })
}
