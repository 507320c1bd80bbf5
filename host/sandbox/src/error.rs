//! Every error of loading and serving, with its stable code.

use std::borrow::Cow;
use std::time::Duration;

use ampoule_units::{ByteSize, Fuel};
use serde::{Deserialize, Serialize};

use crate::contract::Task;
use crate::limit_table::{Limit, Remedy};

/// The reason for which a model was not loaded or a request not answered.
///
/// [`Error::code`] is stable; match on it or on the variant, never on the message.
#[derive(Clone, Debug, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Error {
    /// `envelope.*`, `signature.*`, `manifest.*`, `file.*`, `trust.*` and `io.*`: the bundle is not trusted, not whole or
    /// not readable, and was refused before admission.
    #[error("{0}")]
    Bundle(BundleRefusal),
    /// `trust.*` and `io.*`: the trust directory changed while the host ran, and cannot be read or is refused. Nobody is
    /// trusted until it is put right.
    #[error(
        "the trust directory has changed and cannot be used, so nobody is trusted until it is put right: {0}"
    )]
    TrustUnread(BundleRefusal),

    /// `admission.import`: the component imports something that no model may have.
    #[error(
        "the component imports `{name}`, which this host does not give to models; \
         ask the publisher for a build that does not need it"
    )]
    Import {
        /// The import, as the component spells it.
        name: String,
    },

    /// `admission.capability`: the manifest asks for a capability that this host does not know.
    #[error(
        "the manifest asks for the capability `{name}`, which this host does not know; use a newer host, or ask the \
         publisher for a release that does not need it"
    )]
    Capability {
        /// The capability, as the manifest spells it.
        name: String,
    },

    /// `admission.capability`: the manifest asks for a capability that the trust in its publisher does not grant.
    #[error(
        "the manifest asks for the capability `{name}`, and the trust in its publisher grants \
         {granted}; grant `{name}` if you trust the model with it"
    )]
    PublisherCapability {
        /// The capability, as the manifest spells it.
        name: String,
        /// The capabilities that are granted.
        granted: String,
    },

    /// `admission.contract`: the manifest names a contract that this host does not speak.
    #[error(
        "the model is built for the contract `{found}`, and this host speaks `{expected}`; \
         use a matching version of the host or the model"
    )]
    Contract {
        /// The contract in the manifest.
        found: String,
        /// The contract of this host.
        expected: Cow<'static, str>,
    },

    /// `admission.task`: the component exports other tasks than its manifest declares.
    #[error("{reason}; ask the publisher to sign a manifest that matches the component")]
    Task {
        /// The task, and the side that lacks it.
        reason: String,
    },

    /// `admission.limit`: the manifest asks for more than a cap that the operator has set, for the host or for the
    /// model's publisher.
    #[error("the model asks for {asked} of {what}, and {whose} cap is {cap}; {}", way_out(*limit))]
    Cap {
        /// The limit that the cap is of. `None` for a bound that no setting moves.
        limit: Option<Limit>,
        /// The owner of the cap.
        whose: CapOwner,
        /// The limit, in words.
        what: Cow<'static, str>,
        /// The value in the manifest.
        asked: String,
        /// The operator's cap.
        cap: String,
    },

    /// `compile.failed`: the component is not valid WebAssembly, or uses a feature that is switched off.
    #[error("the component cannot be compiled: {reason}; ask the publisher for another build")]
    Compile {
        /// The compiler's own words.
        reason: String,
    },

    /// `compile.limit`: compiling the component took more time or memory than it may.
    #[error("compiling the component was stopped: {reason}; {}", more_to_compile(*limit))]
    CompileLimit {
        /// The limit that was reached; `None` where the system had no more to give.
        limit: Option<Limit>,
        /// The limit, in words.
        reason: String,
    },

    /// `limit.fuel`: the guest used up its fuel.
    #[error("{phase} used {used} of fuel, and {allowed} are allowed")]
    Fuel {
        /// The phase of the sandbox's life.
        phase: Phase,
        /// Fuel used.
        used: Fuel,
        /// Fuel allowed.
        allowed: Fuel,
    },

    /// `limit.deadline`: the deadline passed.
    #[error("{phase} took longer than its deadline of {} ms", .allowed.as_millis())]
    Deadline {
        /// The phase of the sandbox's life.
        phase: Phase,
        /// The time allowed, the wait in the queue included.
        allowed: Duration,
    },

    /// `limit.memory`: the guest asked for more memory than its budget.
    #[error("{phase} asked for {asked} of memory in total, and {allowed} are allowed")]
    Memory {
        /// The phase of the sandbox's life.
        phase: Phase,
        /// The total that the refused request would have made.
        asked: ByteSize,
        /// The total allowed.
        allowed: ByteSize,
    },

    /// `limit.instances`: the component has more core instances, memories or tables than one
    /// sandbox may have.
    #[error(
        "the component needs more than one sandbox may have: {reason}; no setting raises it, ask the \
         publisher for a component of fewer parts"
    )]
    Instances {
        /// The count, with the number needed and the number allowed.
        reason: String,
    },

    /// `limit.stack`: the guest's calls nested too deeply.
    #[error("{phase} used up the guest's call stack of {allowed}")]
    Stack {
        /// The phase of the sandbox's life.
        phase: Phase,
        /// Bytes allowed.
        allowed: ByteSize,
    },

    /// `limit.output`: the guest handed the host too many bytes, in one call or in all chunks of a generation together.
    #[error(
        "{phase} handed the host more than the {allowed} that the model's manifest allows for one answer"
    )]
    Output {
        /// The phase of the sandbox's life.
        phase: Phase,
        /// Bytes allowed.
        allowed: ByteSize,
    },

    /// `limit.output`: a generation had too many chunks.
    #[error("the generation had more chunks than the {allowed} that the limit `chunks` allows")]
    Chunks {
        /// Chunks allowed.
        allowed: u32,
    },

    /// `limit.idle`: nobody asked a generation for its next chunk in time, and its sandbox was dropped.
    #[error(
        "the next chunk was not asked for within {} ms, so the generation has ended; ask sooner, or raise the \
         limit `idle`", .allowed.as_millis()
    )]
    Idle {
        /// The longest that a generation waits between two chunks.
        allowed: Duration,
    },

    /// `limit.busy`: the queue is full, or the most sandboxes are alive. The reason has the host's words and numbers alone.
    #[error("the host is busy: {reason}; try again later")]
    Busy {
        /// The limit that was reached; `None` where the system or the engine gave no more.
        limit: Option<Limit>,
        /// The bound that was reached.
        reason: String,
    },

    /// `input.too-large`: the request is over a limit of the host's, and no sandbox was made. A model that refuses with
    /// the same code is [`Error::RefusedInput`]. All of it is the host's words and numbers, and nothing of the request.
    #[error("{what}: {found} found, {allowed} allowed{}", by_limit(*limit))]
    TooLarge {
        /// The limit. `None` for a bound that no setting moves.
        limit: Option<Limit>,
        /// The input.
        what: Cow<'static, str>,
        /// The value found.
        found: String,
        /// The value allowed.
        allowed: String,
    },

    /// `input.invalid`: the request cannot be put to any model. The reason is the host's words and numbers, and nothing
    /// of the request.
    #[error("{reason}")]
    InvalidInput {
        /// The fault, and the expected form.
        reason: String,
    },

    /// `input.*`: the model refused the request. The code is the guest's own.
    #[error("the model refused the input: {message}")]
    RefusedInput {
        /// The guest's code; begins with `input.`.
        code: String,
        /// The guest's message, made harmless: no control characters, at most 1,024 characters.
        message: String,
    },

    /// `guest.error`: the model reports a failure.
    #[error("{phase} failed with the model's own error {guest_code}: {message}")]
    Guest {
        /// The phase of the sandbox's life.
        phase: Phase,
        /// The guest's own code, made harmless.
        guest_code: String,
        /// The guest's message, made harmless.
        message: String,
    },

    /// `guest.trap`: the guest crashed.
    #[error("{phase} crashed: {reason}{}", where_it_speaks(*phase))]
    Trap {
        /// The phase of the sandbox's life.
        phase: Phase,
        /// The kind of trap.
        reason: String,
    },

    /// `guest.answer`: the answer does not have the shape that the contract prescribes. The reason has the host's words and
    /// numbers alone.
    #[error("the model's answer breaks its contract: {reason}; tell its publisher")]
    Answer {
        /// The expected shape and the shape found.
        reason: String,
    },

    /// `usage.task`: the caller asked for a task that the model does not offer.
    #[error("the model does not offer `{asked}`; it offers {offered}")]
    NoSuchTask {
        /// The task asked for.
        asked: Task,
        /// The tasks that the model offers.
        offered: String,
    },

    /// `usage.host-kernels`: the model was granted `host-kernels`, and this program is built without them.
    #[error(
        "the model was compiled to have the host compute its layers, and this program was built without host \
         kernels; load the model without allowing `host-kernels`, or build with the feature `host-kernels`"
    )]
    NoKernels,

    /// `usage.generation`: a generation was asked for a chunk after a call of it had failed or was dropped.
    #[error(
        "the generation is over, since an earlier call of it failed or was dropped; start another"
    )]
    GenerationOver,

    /// `usage.limits`: a setting of the host is out of bounds.
    #[error("the setting `{name}` is {found}; from {least} to {most} is expected")]
    LimitRange {
        /// The field of [`Limits`](crate::Limits), or the method of `HostBuilder`.
        name: Cow<'static, str>,
        /// The value found.
        found: String,
        /// The least value.
        least: String,
        /// The most.
        most: String,
    },

    /// `usage.limits`: the resolution of guests' clocks is out of bounds.
    #[error("the resolution of guests' clocks is {found:?}; from 1 µs to 1 s is expected")]
    ClockResolution {
        /// The resolution asked for.
        found: Duration,
    },

    /// `io.thread`: the system gave no thread.
    #[error("the system gave no thread: {reason}")]
    Thread {
        /// The system's own words.
        reason: String,
    },

    /// `io.system`: the system refused a call.
    #[error("the system would not {doing}: {reason}")]
    System {
        /// The attempt: "would not DOING".
        doing: Cow<'static, str>,
        /// The system's own words.
        reason: String,
    },

    /// `io.system`: the system reserves no addresses. Each slot for a sandbox takes some GiB of addresses, and no memory
    /// before it is used.
    #[error(
        "the system would not reserve addresses for sandboxes: {reason}; limit the memory that is used, \
         such as by MemoryMax= or a container's memory, and not addresses or data (ulimit -v, ulimit -d, \
         LimitAS=, LimitDATA=), or allow fewer sandboxes"
    )]
    Addresses {
        /// The system's own words.
        reason: String,
    },

    /// `io.system`: the system lets no memory become executable.
    #[error(
        "the system would not make compiled code executable: {reason}; models are compiled on this \
         machine, so run Ampoule without a setting that forbids that, such as \
         MemoryDenyWriteExecute= of systemd"
    )]
    Executable {
        /// The system's own words.
        reason: String,
    },

    /// `io.message`: the process that loads models has sent something else than a model of this version and within
    /// the limits of this process.
    #[error(
        "the process that loads models has sent no model that this one can take: {reason}; start both from the same \
         build of Ampoule, with the same limits"
    )]
    Message {
        /// The fault.
        reason: String,
    },

    /// `internal.*`: a bug of Ampoule.
    #[error("internal error, please report it: {reason}")]
    Internal {
        /// The broken expectation.
        reason: String,
    },
}

impl Error {
    /// Returns the stable, dotted code.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Bundle(refusal) | Self::TrustUnread(refusal) => &refusal.code,
            Self::RefusedInput { code, .. } => code,
            _ => self.own_code().unwrap_or("input.*"),
        }
    }

    /// Returns the code where it is one of the host's own; `None` where the signing library gave it, or a guest.
    #[must_use]
    pub fn own_code(&self) -> Option<&'static str> {
        Some(match self {
            Self::Bundle(_) | Self::TrustUnread(_) | Self::RefusedInput { .. } => return None,
            Self::Import { .. } => "admission.import",
            Self::Capability { .. } | Self::PublisherCapability { .. } => "admission.capability",
            Self::Contract { .. } => "admission.contract",
            Self::Task { .. } => "admission.task",
            Self::Cap { .. } => "admission.limit",
            Self::Compile { .. } => "compile.failed",
            Self::CompileLimit { .. } => "compile.limit",
            Self::Fuel { .. } => "limit.fuel",
            Self::Deadline { .. } => "limit.deadline",
            Self::Memory { .. } => "limit.memory",
            Self::Instances { .. } => "limit.instances",
            Self::Stack { .. } => "limit.stack",
            Self::Output { .. } | Self::Chunks { .. } => "limit.output",
            Self::Idle { .. } => "limit.idle",
            Self::Busy { .. } => "limit.busy",
            Self::TooLarge { .. } => "input.too-large",
            Self::InvalidInput { .. } => "input.invalid",
            Self::Guest { .. } => "guest.error",
            Self::Trap { .. } => "guest.trap",
            Self::Answer { .. } => "guest.answer",
            Self::NoSuchTask { .. } => "usage.task",
            Self::NoKernels => "usage.host-kernels",
            Self::GenerationOver => "usage.generation",
            Self::LimitRange { .. } | Self::ClockResolution { .. } => "usage.limits",
            Self::Thread { .. } => "io.thread",
            Self::System { .. } | Self::Addresses { .. } | Self::Executable { .. } => "io.system",
            Self::Message { .. } => "io.message",
            Self::Internal { .. } => "internal.bug",
        })
    }

    /// Returns the message without a guest's words, which may repeat those of a request: for a log that keeps the
    /// contents of requests out.
    #[must_use]
    pub fn without_guests_words(&self) -> Cow<'static, str> {
        match self {
            Self::RefusedInput { .. } => "the model refused the input".into(),
            Self::Guest { phase, .. } => {
                format!("{phase} failed with an error of the model's own").into()
            }
            Self::Trap { phase, reason } => match crash(reason) {
                Some(crash) => format!("{phase} crashed: {crash}").into(),
                None => format!("{phase} crashed").into(),
            },
            other => other.to_string().into(),
        }
    }

    /// Tells whether a caller can cause this error at will: by a wrong request, by one that uses up a limit, by asking
    /// together with others, or by not reading on. Such errors would let callers flood an operator's log.
    pub fn is_of_the_caller(&self) -> bool {
        matches!(
            self,
            Self::Busy { .. }
                | Self::Idle { .. }
                | Self::Chunks { .. }
                | Self::Deadline {
                    phase: Phase::Request,
                    ..
                }
                | Self::Fuel {
                    phase: Phase::Request,
                    ..
                }
                | Self::Memory {
                    phase: Phase::Request,
                    ..
                }
                | Self::Output {
                    phase: Phase::Request,
                    ..
                }
                | Self::Stack {
                    phase: Phase::Request,
                    ..
                }
                | Self::TooLarge { .. }
                | Self::InvalidInput { .. }
                | Self::RefusedInput { .. }
                | Self::NoSuchTask { .. }
                | Self::GenerationOver
        )
    }

    /// Returns the setting that would have prevented the error, if there is one.
    ///
    /// ```
    /// use ampoule_sandbox::{Error, Limit, Remedy};
    ///
    /// let refused = Error::TooLarge {
    ///     limit: Some(Limit::Texts),
    ///     what: "texts in one request".into(),
    ///     found: "3".to_owned(),
    ///     allowed: "2".to_owned(),
    /// };
    /// let Some(Remedy::Limit { limit, enough, .. }) = refused.remedy() else {
    ///     panic!("there is one");
    /// };
    /// assert_eq!((limit, limit.field()), (Limit::Texts, "texts"));
    /// assert_eq!(enough.as_deref(), Some("3"));
    /// ```
    #[must_use]
    pub fn remedy(&self) -> Option<Remedy> {
        let (limit, enough) = match self {
            Self::Cap {
                limit: Some(limit),
                whose: CapOwner::Publisher,
                asked,
                ..
            } => {
                return Some(Remedy::PublisherCap {
                    limit: *limit,
                    enough: asked.replace(' ', ""),
                });
            }
            Self::Cap { limit, asked, .. } => ((*limit)?, Some(asked.replace(' ', ""))),
            Self::CompileLimit { limit, .. } => ((*limit)?, None),
            Self::Chunks { .. } => (Limit::Chunks, None),
            Self::Idle { .. } => (Limit::Idle, None),
            Self::Busy { limit, .. } => ((*limit)?, None),
            Self::TooLarge { limit, found, .. } => ((*limit)?, enough((*limit)?, found)),
            Self::Bundle(refusal) => return refusal.remedy.clone(),
            _ => return None,
        };
        Some(Remedy::Limit { limit, enough })
    }

    /// Makes `io.system`. `doing` completes "the system would not".
    #[must_use]
    pub fn system(doing: &'static str, error: &std::io::Error) -> Self {
        Self::System {
            doing: doing.into(),
            reason: error.to_string(),
        }
    }

    /// Makes `io.thread`.
    #[must_use]
    pub fn thread(error: &std::io::Error) -> Self {
        Self::Thread {
            reason: error.to_string(),
        }
    }

    /// Makes `internal.bug`.
    pub fn internal(reason: impl Into<String>) -> Self {
        Self::Internal {
            reason: reason.into(),
        }
    }
}

/// A refusal of a bundle or of a trust directory by the signing library.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{message}")]
#[non_exhaustive]
pub struct BundleRefusal {
    /// The stable code, such as `trust.unknown-key`.
    pub code: String,
    /// The message for people.
    pub message: String,
    /// The setting that would have prevented the refusal, if there is one.
    pub remedy: Option<Remedy>,
}

impl BundleRefusal {
    /// Makes a refusal with this code and this message.
    #[must_use]
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            remedy: None,
        }
    }

    /// Names a higher limit on the bytes of a bundle, of at least `size`, as the remedy.
    #[must_use]
    pub fn of_size(mut self, size: ByteSize) -> Self {
        self.remedy = Some(Remedy::Limit {
            limit: Limit::Bundle,
            enough: Some(rounded_up(size)),
        });
        self
    }
}

/// The owner of a cap that a model is held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum CapOwner {
    /// The host, for any model.
    Host,
    /// The trust in the model's publisher.
    Publisher,
}

impl std::fmt::Display for CapOwner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Host => "this host's",
            Self::Publisher => "its publisher's",
        })
    }
}

/// The family of an error, for a service to choose its answer by, such as an HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bundle or the trust in it was refused: `envelope.*`, `signature.*`, `manifest.*`, `file.*`, `trust.*`.
    Trust,
    /// The host's policy does not let the model run: `admission.*`.
    Admission,
    /// The component could not be made into code: `compile.failed`.
    Compile,
    /// The model or the request used up a limit: `limit.*` but for `limit.busy`, and `compile.limit`.
    Limit,
    /// The host has no room at the moment: `limit.busy`.
    Busy,
    /// The request cannot be answered as it was put: `input.*`.
    Input,
    /// The model failed, crashed or broke its contract: `guest.*`.
    Guest,
    /// The caller used the host in a way that cannot work: `usage.*`.
    Usage,
    /// The system refused something: `io.*`.
    Io,
    /// A bug of Ampoule: `internal.*`.
    Internal,
}

impl Error {
    /// Returns the family that the code belongs to.
    ///
    /// ```
    /// use ampoule_sandbox::{Error, ErrorKind, Limit};
    ///
    /// let busy = Error::Busy {
    ///     limit: Some(Limit::Queue),
    ///     reason: "256 requests are waiting".to_owned(),
    /// };
    /// assert_eq!(busy.kind(), ErrorKind::Busy);
    /// assert!(busy.is_retryable());
    /// ```
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self.code() {
            "limit.busy" => ErrorKind::Busy,
            "compile.limit" => ErrorKind::Limit,
            code => match code.split('.').next() {
                Some("envelope" | "signature" | "manifest" | "file" | "trust" | "key") => {
                    ErrorKind::Trust
                }
                Some("admission") => ErrorKind::Admission,
                Some("compile") => ErrorKind::Compile,
                Some("limit") => ErrorKind::Limit,
                Some("input") => ErrorKind::Input,
                Some("guest") => ErrorKind::Guest,
                Some("usage") => ErrorKind::Usage,
                Some("io") => ErrorKind::Io,
                _ => ErrorKind::Internal,
            },
        }
    }

    /// Tells whether an identical request or load may succeed later: the host was busy, the system had no thread to give,
    /// or the trust directory could not be read.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Busy { .. } | Self::Thread { .. } | Self::TrustUnread(_)
        )
    }
}

/// Ends the message of an error about a cap.
fn way_out(limit: Option<Limit>) -> String {
    match limit {
        Some(limit) => format!("raise the cap on `{limit}` if you trust the model with it"),
        None => "no setting raises it, ask the publisher for a component of fewer parts".to_owned(),
    }
}

/// Ends the message of an error about compiling.
fn more_to_compile(limit: Option<Limit>) -> String {
    match limit {
        Some(limit) => format!("raise the limit `{limit}` if you trust the model with it"),
        // Where the system has no more memory, a higher limit does not help.
        None => {
            "give the machine or its container more memory, or load fewer models at once".to_owned()
        }
    }
}

/// Ends the message of an error about a bound, with the limit that sets it.
fn by_limit(limit: Option<Limit>) -> String {
    limit.map_or_else(String::new, |limit| format!(" by the limit `{limit}`"))
}

/// Returns the least value of a limit that allows `found`, if `found` is a number.
fn enough(limit: Limit, found: &str) -> Option<String> {
    let number: u64 = found.parse().ok()?;
    Some(match limit {
        Limit::Image => rounded_up(ByteSize::from_bytes(number)),
        _ => number.to_string(),
    })
}

/// Rounds a size up to whole MiB, which a person remembers.
fn rounded_up(size: ByteSize) -> String {
    const MIB: u64 = 1 << 20;
    let mib = size.bytes().div_ceil(MIB).max(1);
    ByteSize::from_bytes(mib.saturating_mul(MIB)).to_string()
}

/// A phase of a sandbox's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// `init`, and making the sandbox for it.
    Init,
    /// A request.
    Request,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Init => "loading the model",
            Self::Request => "the request",
        })
    }
}

/// Returns the kind of a crash, if it is one of WebAssembly's: a guest chooses other words.
fn crash(reason: &str) -> Option<String> {
    let mut kinds = (0..=u8::MAX).filter_map(wasmtime::Trap::from_u8);
    kinds
        .find(|kind| kind.to_string() == reason)
        .map(|kind| kind.to_string())
}

/// Ends the message of a trap with the place of the guest's log. The caller of a request has the log; a load returns
/// only the error.
fn where_it_speaks(phase: Phase) -> &'static str {
    match phase {
        Phase::Init => "; what the model printed is logged at the level debug",
        Phase::Request => "",
    }
}

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;
