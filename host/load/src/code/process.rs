//! Compiling in a process of its own: what compiling a stranger's component takes in time and memory then
//! ends with that process, and so does a panic.

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

/// What is kept of what the process says on standard error.
const MAX_WORDS: u64 = 16 * 1024;

/// How long what a process has said may take to be read once it is gone.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How much of its answer the process can be ahead of us: what an ordinary user may ask for. A sixteenth of it,
/// which a pipe has by itself, makes for a thousand turns with a large model.
const PIPE_BYTES: usize = 1 << 20;

/// A program that calls [`compile_for_host`](crate::compile_for_host) when it is started in this way.
#[derive(Debug, Clone)]
pub struct CompileProcess {
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl CompileProcess {
    /// The program that is running now, with these arguments. Two more follow, which
    /// [`compile_for_host`](crate::compile_for_host) is to be given.
    #[must_use]
    pub fn this_program<A: Into<OsString>>(arguments: impl IntoIterator<Item = A>) -> Self {
        // The very file, even if another was put in its place since.
        Self::new("/proc/self/exe", arguments)
    }

    /// Another program, with these arguments before the two.
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

    /// Has a model compiled, and waits for it. `compile.limit` when that takes more than `limits`,
    /// `compile.failed` when the process fails, and the errors of `init`.
    pub(crate) fn compile(
        &self,
        request: &CompileRequest,
        limits: &CompileLimits,
        cancelled: &CancellationToken,
    ) -> Result<(NativeCode, CompiledFacts)> {
        // In memory rather than through a pipe: nobody has to feed it.
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
        // However it ended: nothing is left behind, and nothing that it may have started itself. One that
        // has ended cannot be killed, which is fine.
        let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
        let status = child
            .wait()
            .map_err(|error| Error::system("wait for the process that compiles", &error))?;
        match ended? {
            Ended::Answered(answer) => {
                let (code, facts) = answer?;
                // What `init` says in this process is told as it is said.
                if let Some(init) = &facts.init {
                    init.log.tell();
                }
                Ok((
                    NativeCode::vouched_for(Voucher::CompileProcess, code),
                    facts,
                ))
            }
            Ended::Silent { words } => {
                // They end with the process.
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

/// Native code holds the image, which is as large as `init` may make it, and the component's own code.
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
    /// It ended without an answer, and perhaps said why on standard error.
    Silent {
        words: mpsc::Receiver<String>,
    },
}

/// Waits for the answer, for the time to be over, or until nobody wants it.
fn wait(
    child: &mut Child,
    max_code: u64,
    time: Duration,
    cancelled: &CancellationToken,
) -> Result<Ended> {
    let (Some(mut answer), Some(words)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(Error::internal("the process that compiles has no streams"));
    };
    // It works with less, in more turns.
    let _ = fcntl_setpipe_size(&answer, PIPE_BYTES);
    let (heard, listened) = mpsc::channel();
    spawn(move || {
        let mut text = Vec::new();
        // Read on to the end, so that the process never waits for us.
        let mut words = words;
        let _ = words.by_ref().take(MAX_WORDS).read_to_end(&mut text);
        let _ = io::copy(&mut words, &mut io::sink());
        // Only where there is no answer does somebody want to know.
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
                reason: "what should compile it answered with something else".to_owned(),
            })),
            Err(AnswerError::Cut) => Ended::Silent { words: listened },
        };
        // Whoever waited may have gone.
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

/// Why a process ended without an answer.
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
        // Its files are all in memory, and may be as large as that.
        Some(SIGXFSZ) => Error::CompileLimit {
            limit: Some(Limit::CompileMemory),
            reason: format!("it needed more memory than {}", limits.memory),
        },
        // It had not reached its own limit.
        Some(SIGKILL) => Error::CompileLimit {
            limit: None,
            reason: "the system killed it, as it does when memory runs out".to_owned(),
        },
        Some(signal) => Error::Compile {
            reason: format!("the compiler crashed (signal {signal})"),
        },
        None => Error::Compile {
            reason: "the compiler gave up".to_owned(),
        },
    }
}
