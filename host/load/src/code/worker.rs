//! Body of the process that initialises and compiles one model for a host.

use std::ffi::OsString;
use std::io::{self, BufWriter};
use std::process::ExitCode;
use std::time::Duration;

use ampoule_sandbox::Result;
use ampoule_units::{ByteSize, parse_time};
use rustix::process::{
    Resource, Rlimit, Signal, getrlimit, set_parent_process_death_signal, setrlimit,
};
use tokio_util::sync::CancellationToken;

use crate::code::build_engines::BuildEngines;
use crate::code::compile::{CompiledModel, compile};
use crate::code::message::{CompileRequest, write_answer};

/// Files and sockets that the process may have open at once: its three streams, the images in memory, and the files
/// under /proc that Wasmtime and the system's libraries read.
const MAX_FILES: u64 = 64;

/// Reads a request from standard input, compiles the model, and writes the answer to standard output. A process that
/// `HostBuilder::compile_with` starts does this and nothing else. `arguments` are the last two of its command line,
/// which the host has added: the most memory, and the most processor time.
///
/// Returns the process's exit status.
#[must_use]
pub fn compile_for_host(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let Some((memory, time)) = limits(arguments) else {
        return ExitCode::from(2);
    };
    if confine(memory, time).is_err() {
        return ExitCode::FAILURE;
    }
    let answered = CompileRequest::read(&mut io::stdin().lock()).and_then(|request| {
        let said = request.init.said.clone();
        let answer = answer(request);
        let answer = answer.as_ref().map_err(Clone::clone);
        let answer = answer.map(|made| (made.facts.clone(), made.code.bytes()));
        write_answer(
            &mut BufWriter::new(io::stdout().lock()),
            answer,
            said.take(),
        )
    });
    match answered {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn limits(arguments: impl IntoIterator<Item = OsString>) -> Option<(ByteSize, Duration)> {
    let mut words = arguments.into_iter().map(|word| word.into_string().ok());
    let (memory, time) = (words.next()??, words.next()??);
    Some((memory.parse().ok()?, parse_time(&time).ok()?))
}

/// Limits this process, and ties its life to the thread that started it.
fn confine(memory: ByteSize, time: Duration) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // When memory runs out, the system ends this process rather than the host. Without /proc the system chooses.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    let seconds = time.as_secs().saturating_add(1);
    for (resource, limit) in [
        // Private writable memory. A limit on addresses would not do: each memory of a guest reserves 4 GiB.
        (Resource::Data, memory.bytes()),
        (Resource::Cpu, seconds),
        (Resource::Core, 0),
        (Resource::Nofile, MAX_FILES),
        // Wasmtime keeps images in files in memory, which the limit on data does not count.
        (Resource::Fsize, memory.bytes()),
    ] {
        // A hard limit cannot be raised, so a lower one stays.
        let given = getrlimit(resource).maximum.unwrap_or(u64::MAX);
        let limit = limit.min(given);
        setrlimit(
            resource,
            Rlimit {
                current: Some(limit),
                maximum: Some(limit),
            },
        )?;
    }
    Ok(())
}

fn answer(request: CompileRequest) -> Result<CompiledModel> {
    let engines = BuildEngines::new(request.profile, request.image)?;
    // The host ends the process when nobody waits for the model.
    let never = CancellationToken::new();
    compile(&engines, &request.component, request.init, never)
}
