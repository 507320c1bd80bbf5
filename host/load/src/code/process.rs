//! Compiling in a process of its own: the time and memory that a hostile component takes end with that process, and so
//! does a panic.

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use ampoule_sandbox::Limit;
use ampoule_sandbox::code::facts::CompiledFacts;
use ampoule_sandbox::code::native_code::{NativeCode, Voucher};
use ampoule_sandbox::code::sealed_file::SealedFile;
use ampoule_sandbox::guest::store::thread_runtime;
use ampoule_sandbox::limits::CompileLimits;
use ampoule_sandbox::wasmtime_words::{is_failed_allocation, is_refused_thread};
use ampoule_sandbox::{Error, Result};
use ampoule_units::ByteSize;
use rustix::pipe::fcntl_setpipe_size;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::code::message::{AnswerError, CompileRequest, read_answer};

/// Bytes that are kept of the process's standard error: a panic that a component provokes may be long.
const MAX_WORDS: u64 = 16 * 1024;

/// Time for reading the rest of standard error after the process has ended.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Size of the pipe for the answer: the most that an ordinary user may ask for. With the default, a sixteenth of it, a
/// large model's answer takes a thousand switches between the two processes.
const PIPE_BYTES: usize = 1 << 20;

/// A program that calls [`compile_for_host`](crate::compile_for_host) when it is started with these arguments.
#[derive(Debug, Clone)]
pub struct CompileProcess {
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl CompileProcess {
    /// Starts the program that is running now, with these arguments and two more. The program has to hand the two to
    /// [`compile_for_host`](crate::compile_for_host).
    #[must_use]
    pub fn this_program<A: Into<OsString>>(arguments: impl IntoIterator<Item = A>) -> Self {
        // This is the file that runs now, even after an update has replaced it.
        Self::new("/proc/self/exe", arguments)
    }

    /// Starts another program, with these arguments before the two.
    #[must_use]
    pub fn new<A: Into<OsString>>(
        program: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        Self {
            program: program.into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
        }
    }

    /// Starts the process, and waits for the compiled model.
    ///
    /// # Errors
    ///
    /// `compile.limit` when the process takes more than `limits`, `compile.failed` when it fails, and those of `init`.
    pub(crate) fn compile(
        &self,
        request: &CompileRequest,
        limits: &CompileLimits,
        cancelled: &CancellationToken,
    ) -> Result<(NativeCode, CompiledFacts)> {
        // A file in memory needs no thread that feeds it, as a pipe would.
        let input = SealedFile::new(|file| request.write(file))
            .and_then(|input| input.reopen())
            .map_err(|error| Error::system("keep a model in memory", &error))?;
        // `init` has a deadline of its own, which comes first.
        let time = limits.time.saturating_add(request.init.budget.deadline);
        let mut child = self
            .command(limits.memory, time)
            .stdin(input)
            .spawn()
            .map_err(|error| Error::system("start the process that compiles", &error))?;
        let max_code = max_code(request).min(limits.memory.bytes());
        let ended = wait(&mut child, max_code, time, cancelled);
        // Ends the process and all that it may have started. It fails when they have ended already.
        let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
        let status = child
            .wait()
            .map_err(|error| Error::system("wait for the process that compiles", &error))?;
        match ended? {
            Ended::Answered(answer) => {
                let (code, facts) = answer?;
                // In this process, the log of `init` would have been passed on as it came.
                if let Some(init) = &facts.init {
                    init.log.tell();
                }
                Ok((
                    NativeCode::vouched_for(Voucher::CompileProcess, code),
                    facts,
                ))
            }
            Ended::Silent { words } => {
                // Standard error is closed when the process ends.
                let words = words.recv_timeout(LAST_WORDS).unwrap_or_default();
                Err(explain(status, &words, limits))
            }
        }
    }

    fn command(&self, memory: ByteSize, time: Duration) -> Command {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let processor = time.saturating_mul(u32::try_from(cores).unwrap_or(u32::MAX));
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .arg(memory.to_string())
            .arg(format!("{}s", processor.as_secs().saturating_add(1)))
            .env_clear()
            .process_group(0)
            .current_dir("/")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

/// Returns the most bytes of native code that are accepted. The code holds the image, which `init` makes as large as it
/// may, and the component's own code, which is well under 64 bytes for each byte of WebAssembly.
fn max_code(request: &CompileRequest) -> u64 {
    let component = request.component.len() as u64;
    request
        .image
        .bytes()
        .saturating_add(component.saturating_mul(64))
        .saturating_add(64 << 20)
}

enum Ended {
    Answered(Result<(SealedFile, CompiledFacts)>),
    /// The process ended without an answer. Standard error may hold the reason.
    Silent {
        words: mpsc::Receiver<String>,
    },
}

/// Waits for the answer, the end of the time, or the cancellation.
fn wait(
    child: &mut Child,
    max_code: u64,
    time: Duration,
    cancelled: &CancellationToken,
) -> Result<Ended> {
    let (Some(mut answer), Some(words)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(Error::internal("the process that compiles has no streams"));
    };
    // A smaller pipe works too, with more switches.
    let _ = fcntl_setpipe_size(&answer, PIPE_BYTES);
    let (heard, listened) = mpsc::channel();
    spawn(move || {
        let mut text = Vec::new();
        // Reads to the end, so that the process never blocks on a full pipe.
        let mut words = words;
        let _ = words.by_ref().take(MAX_WORDS).read_to_end(&mut text);
        let _ = io::copy(&mut words, &mut io::sink());
        // The receiver is gone when there was an answer.
        let _ = heard.send(String::from_utf8_lossy(&text).into_owned());
    })?;
    let (sender, receiver) = oneshot::channel();
    spawn(move || {
        let ended = match read_answer(&mut answer, max_code) {
            Ok(answer) => Ended::Answered(answer),
            Err(AnswerError::Unkept(error)) => {
                Ended::Answered(Err(Error::system("keep compiled code in memory", &error)))
            }
            Err(AnswerError::Garbled) => Ended::Answered(Err(Error::Compile {
                reason: "the process that compiles sent something else than an answer".to_owned(),
            })),
            Err(AnswerError::Cut) => Ended::Silent { words: listened },
        };
        // The receiver is gone when the load was cancelled.
        let _ = sender.send(ended);
    })?;
    thread_runtime()?.block_on(async {
        tokio::select! {
            ended = receiver => {
                ended.map_err(|_| Error::internal("the thread that reads the answer panicked"))
            }
            () = cancelled.cancelled() => Err(Error::internal("a cancelled load was waited for")),
            () = tokio::time::sleep(time) => Err(Error::CompileLimit {
                limit: Some(Limit::CompileTime),
                reason: format!("it took longer than {} s", time.as_secs()),
            }),
        }
    })
}

fn spawn(work: impl FnOnce() + Send + 'static) -> Result<()> {
    let named = thread::Builder::new().name("ampoule-compile".to_owned());
    let spawned = named.spawn(work).map(drop);
    spawned.map_err(|error| Error::thread(&error))
}

/// Returns the error for a process that ended without an answer.
fn explain(status: ExitStatus, words: &str, limits: &CompileLimits) -> Error {
    const SIGXCPU: i32 = 24;
    const SIGXFSZ: i32 = 25;
    const SIGKILL: i32 = 9;
    if is_failed_allocation(words) {
        return Error::CompileLimit {
            limit: Some(Limit::CompileMemory),
            reason: format!("it needed more memory than {}", limits.memory),
        };
    }
    if is_refused_thread(words) {
        return Error::Thread {
            reason: "the compiler got none (see TasksMax=, pids limits and ulimit -u)".to_owned(),
        };
    }
    match status.signal() {
        Some(SIGXCPU) => Error::CompileLimit {
            limit: Some(Limit::CompileTime),
            reason: "it needed more processor time than it may have".to_owned(),
        },
        // All of its files are in memory, and the memory limit bounds them.
        Some(SIGXFSZ) => Error::CompileLimit {
            limit: Some(Limit::CompileMemory),
            reason: format!("it needed more memory than {}", limits.memory),
        },
        // Not by its own limits, which raise other signals.
        Some(SIGKILL) => Error::CompileLimit {
            limit: None,
            reason: "the system killed it, as it does when memory runs out".to_owned(),
        },
        Some(signal) => Error::Compile {
            reason: format!("the compiler crashed (signal {signal})"),
        },
        None => Error::Compile {
            reason: format!("the compiler ended without an answer ({status})"),
        },
    }
}
