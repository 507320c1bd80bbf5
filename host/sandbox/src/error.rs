//! Everything that can go wrong, with its stable code.

use std::borrow::Cow;
use std::time::Duration;

use ampoule_units::{ByteSize, Fuel};
use serde::{Deserialize, Serialize};

use crate::contract::Task;
use crate::limit_table::{Limit, Remedy};

/// Why a model was not loaded or a request not answered.
///
/// [`Error::code`] is stable; match on it or on the variant, never on the message.
#[derive(Clone, Debug, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Error {
    /// The bundle was refused before anything of it was admitted: it is not trusted, not whole or not readable. Codes
    /// `envelope.*`, `signature.*`, `manifest.*`, `file.*`, `trust.*` and `io.*`.
    #[error("{0}")]
    Bundle(BundleRefusal),
    /// `trust.*` and `io.*`: the trust directory was changed while the host ran, and cannot be read or is
    /// refused, so nobody is trusted until it is put right.
    #[error("the trust directory was changed, and nobody is trusted by it: {0}")]
    TrustUnread(BundleRefusal),

    /// `admission.import`: the component imports what no model may have.
    #[error(
        "the component imports `{name}`, which this host does not give to models; \
         ask the publisher for a build that does not need it"
    )]
    Import {
        /// The import, as the component spells it.
        name: String,
    },

    /// `admission.capability`: the manifest asks for a capability that this host does not know.
    #[error("the manifest asks for the capability `{name}`, which this host does not know")]
    Capability {
        /// The capability, as the manifest spells it.
        name: String,
    },

    /// `admission.capability`: the manifest asks for a capability that the trust in whoever signed the
    /// model does not grant.
    #[error(
        "the manifest asks for the capability `{name}`, and the trust in its publisher grants \
         {granted}; grant it if you trust the model with it"
    )]
    PublisherCapability {
        /// The capability, as the manifest spells it.
        name: String,
        /// Those that are granted.
        granted: String,
    },

    /// `admission.contract`: the manifest names a contract that this host does not speak.
    #[error(
        "the model is built for the contract `{found}`, this host speaks `{expected}`; \
         use a matching version of the host or the model"
    )]
    Contract {
        /// What the manifest names.
        found: String,
        /// What the host speaks.
        expected: Cow<'static, str>,
    },

    /// `admission.task`: the tasks that the component exports are not those that its manifest
    /// declares.
    #[error("{reason}; ask the publisher to sign a manifest that matches the component")]
    Task {
        /// Which task, and which side lacks it.
        reason: String,
    },

    /// `admission.limit`: the manifest asks for more than a cap of the operator's: the host's own, or
    /// that of the trust in whoever signed the model.
    #[error("the model asks for {asked} of {what}, {whose} cap is {cap}; {}", way_out(*limit))]
    Cap {
        /// The limit that the cap is of. `None` for a bound that no setting moves.
        limit: Option<Limit>,
        /// The owner of the cap.
        whose: CapOwner,
        /// Which limit, in words.
        what: Cow<'static, str>,
        /// What the manifest asks for.
        asked: String,
        /// What the operator allows.
        cap: String,
    },

    /// `compile.failed`: the component is not valid WebAssembly, or uses what is switched off.
    #[error("the component cannot be compiled: {reason}")]
    Compile {
        /// The compiler's own words.
        reason: String,
    },

    /// `compile.limit`: making code of the component took more than it may.
    #[error("compiling the component was stopped: {reason}; {}", more_to_compile(*limit))]
    CompileLimit {
        /// The limit that was reached; `None` where the system had no more to give.
        limit: Option<Limit>,
        /// Which limit.
        reason: String,
    },

    /// `limit.fuel`: the guest used up its fuel.
    #[error("{phase} used {used} of fuel, {allowed} are allowed")]
    Fuel {
        /// Which part of the sandbox's life.
        phase: Phase,
        /// Fuel used.
        used: Fuel,
        /// Fuel allowed.
        allowed: Fuel,
    },

    /// `limit.deadline`: the time was up.
    #[error("{phase} took longer than its deadline of {} ms", .allowed.as_millis())]
    Deadline {
        /// Which part of the sandbox's life.
        phase: Phase,
        /// The time allowed, the wait in the queue included.
        allowed: Duration,
    },

    /// `limit.memory`: the guest asked for more memory than it may have.
    #[error("{phase} asked for {asked} of memory in total, {allowed} are allowed")]
    Memory {
        /// Which part of the sandbox's life.
        phase: Phase,
        /// Total bytes that the refused request would have made.
        asked: ByteSize,
        /// Total bytes allowed.
        allowed: ByteSize,
    },

    /// `limit.instances`: the component has more core instances, memories or tables than one
    /// sandbox may have.
    #[error(
        "the component needs more than one sandbox may have: {reason}; no setting raises it, ask the \
         publisher for a component of fewer parts"
    )]
    Instances {
        /// Which count, how much of it the component needs and how much a sandbox may have.
        reason: String,
    },

    /// `limit.stack`: the guest's calls nested too deeply.
    #[error("{phase} used up the guest's call stack of {allowed}")]
    Stack {
        /// Which part of the sandbox's life.
        phase: Phase,
        /// Bytes allowed.
        allowed: ByteSize,
    },

    /// `limit.output`: the guest handed the host more than it may: in one call, or in all chunks of a generation
    /// together.
    #[error(
        "{phase} handed the host more than the {allowed} that the model's manifest allows for one answer"
    )]
    Output {
        /// Which part of the sandbox's life.
        phase: Phase,
        /// Bytes allowed.
        allowed: ByteSize,
    },

    /// `limit.output`: a generation went on for too many chunks.
    #[error("the generation went on for more than the {allowed} chunks of the limit `chunks`")]
    Chunks {
        /// Chunks allowed.
        allowed: u32,
    },

    /// `limit.idle`: nobody asked a generation for its next chunk for so long that its sandbox went.
    #[error(
        "nobody asked for the next chunk for {} ms, which is as long as a generation waits; ask sooner, or \
         raise the limit `idle`", .allowed.as_millis()
    )]
    Idle {
        /// The longest that a generation waits between two chunks.
        allowed: Duration,
    },

    /// `limit.busy`: the queue is full, or as many sandboxes as allowed are alive.
    #[error("the host is busy: {reason}; try again later")]
    Busy {
        /// The limit that was reached; `None` where the system or the engine gave no more.
        limit: Option<Limit>,
        /// Which bound was reached.
        reason: String,
    },

    /// `input.too-large`: the request is over a limit of the host's. No sandbox was made. (A model
    /// may refuse with the same code: that is [`Error::RefusedInput`].)
    #[error("{what}: {found} found, {allowed} allowed{}", by_limit(*limit))]
    TooLarge {
        /// The limit. `None` for a bound that no setting moves.
        limit: Option<Limit>,
        /// Which input.
        what: Cow<'static, str>,
        /// What was found.
        found: String,
        /// What is allowed.
        allowed: String,
    },

    /// `input.invalid`: the request cannot be put to any model.
    #[error("{reason}")]
    InvalidInput {
        /// What is wrong with it, and what would be right.
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

    /// `guest.error`: the model says that it failed.
    #[error("{phase} failed, the model says {guest_code}: {message}")]
    Guest {
        /// Which part of the sandbox's life.
        phase: Phase,
        /// The guest's own code, made harmless.
        guest_code: String,
        /// The guest's message, made harmless.
        message: String,
    },

    /// `guest.trap`: the guest crashed.
    #[error("{phase} crashed: {reason}{}", where_it_speaks(*phase))]
    Trap {
        /// Which part of the sandbox's life.
        phase: Phase,
        /// What kind of trap.
        reason: String,
    },

    /// `guest.answer`: the answer does not have the shape that the contract prescribes.
    #[error("the model's answer breaks its contract: {reason}")]
    Answer {
        /// What was expected and what was found.
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

    /// `usage.host-kernels`: the model was granted `host-kernels`, and this program was built without them.
    #[error(
        "the model was compiled to have the host compute its layers, and this program was built without host \
         kernels; load the model without allowing `host-kernels`, or build with the feature `host-kernels`"
    )]
    NoKernels,

    /// `usage.generation`: a generation was asked for more after it had failed, or after a call of
    /// it was dropped half-way.
    #[error("the generation is over: an earlier call of it failed or was dropped")]
    GenerationOver,

    /// `usage.limits`: a setting of the host with which nothing could run, or which no machine could keep.
    #[error("the setting `{name}` is {found}; from {least} to {most} is expected")]
    LimitRange {
        /// The field of [`Limits`](crate::Limits), or the method of `HostBuilder`.
        name: Cow<'static, str>,
        /// The value that was asked for.
        found: String,
        /// The least that works.
        least: String,
        /// The most.
        most: String,
    },

    /// `usage.limits`: guests' clocks would be finer or coarser than they may be.
    #[error("guests' clocks cannot be rounded to {found:?}; from 1 µs to 1 s is expected")]
    ClockResolution {
        /// What was asked for.
        found: Duration,
    },

    /// `io.thread`: the system gave no thread.
    #[error("the system gave no thread: {reason}")]
    Thread {
        /// The system's own words.
        reason: String,
    },

    /// `io.system`: the system refused something that compiled code needs.
    #[error("the system would not {doing}: {reason}")]
    System {
        /// What was tried.
        doing: Cow<'static, str>,
        /// The system's own words.
        reason: String,
    },

    /// `io.system`: the system reserves no addresses. Each place for a sandbox takes some GiB of them, and no
    /// memory before it is used.
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
        /// What is wrong with it.
        reason: String,
    },

    /// `internal.*`: a bug of ours.
    #[error("internal error, please report it: {reason}")]
    Internal {
        /// What was found.
        reason: String,
    },
}

impl Error {
    /// The stable, dotted code.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Bundle(refusal) | Self::TrustUnread(refusal) => &refusal.code,
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
            Self::RefusedInput { code, .. } => code,
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
        }
    }

    /// Tells whether a caller has made this happen and can make it happen again and again: by what was asked, by
    /// asking for so much that a request uses up a limit, by asking when others do as well, or by not reading on.
    /// An operator's log is no place for such an error.
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

    /// The setting that lets through what was refused, if there is one.
    ///
    /// ```
    /// use ampoule_sandbox::{Limit, Limits, Remedy};
    ///
    /// let mut limits = Limits::default();
    /// limits.texts = 2;
    /// let refused = limits.check_text_count(3).unwrap_err();
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

    /// Makes `io.system`. `doing` is what the system would not do: "would not DOING".
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

/// What the signing library said of a bundle or of a trust directory that it refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{message}")]
#[non_exhaustive]
pub struct BundleRefusal {
    /// The stable code, such as `trust.unknown-key`.
    pub code: String,
    /// The message for people.
    pub message: String,
    /// The setting that lets through what was refused, if there is one.
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

    /// Adds that a higher limit on the bytes of a bundle, of at least `size`, would let it through.
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

/// The family of an error: what a service decides by, such as an HTTP status.
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
    /// A bug of ours: `internal.*`.
    Internal,
}

impl Error {
    /// Returns the family that the code belongs to.
    ///
    /// ```
    /// use ampoule_sandbox::{ErrorKind, Limits};
    ///
    /// let refused = Limits::default().check_text(&"x".repeat(1_000_000)).unwrap_err();
    /// assert_eq!(refused.kind(), ErrorKind::Input);
    /// assert!(!refused.is_retryable());
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

    /// Tells whether the very same request or load may succeed later, with nothing changed by the caller: the host
    /// was busy, the system had no thread to give, or its trust directory could not be read.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Busy { .. } | Self::Thread { .. } | Self::TrustUnread(_)
        )
    }
}

/// The end of an error about a cap.
fn way_out(limit: Option<Limit>) -> String {
    match limit {
        Some(limit) => format!("raise the cap on `{limit}` if you trust the model with it"),
        None => "no setting raises it, ask the publisher for a component of fewer parts".to_owned(),
    }
}

/// The end of an error about compiling.
fn more_to_compile(limit: Option<Limit>) -> String {
    match limit {
        Some(limit) => format!("raise the limit `{limit}` if you trust the model with it"),
        // A higher limit would let it ask for still more of what is not there.
        None => {
            "give the machine or its container more memory, or load fewer models at once".to_owned()
        }
    }
}

/// The limit that a bound of requests comes from.
fn by_limit(limit: Option<Limit>) -> String {
    limit.map_or_else(String::new, |limit| format!(" by the limit `{limit}`"))
}

/// The least value of a limit that lets `found` through, if `found` is a number.
fn enough(limit: Limit, found: &str) -> Option<String> {
    let number: u64 = found.parse().ok()?;
    Some(match limit {
        Limit::Image => rounded_up(ByteSize::from_bytes(number)),
        _ => number.to_string(),
    })
}

/// A size that a person remembers: whole MiB, and no less than what is asked for.
fn rounded_up(size: ByteSize) -> String {
    const MIB: u64 = 1 << 20;
    let mib = size.bytes().div_ceil(MIB).max(1);
    ByteSize::from_bytes(mib.saturating_mul(MIB)).to_string()
}

/// Which part of a sandbox's life something happened in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// `init`, and making what it runs in.
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

/// A request's caller has the log in hand; of a load there is nothing but the error.
fn where_it_speaks(phase: Phase) -> &'static str {
    match phase {
        Phase::Init => "; what the model printed is logged at the level debug",
        Phase::Request => "",
    }
}

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;
