//! Parts that the requests and the answers of all tasks share.

use std::time::Duration;

use ampoule::{
    ByteSize, EngineProfile, Fuel, Limit, LogLevel, Model, RequestLimits, SandboxReport, Usage,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::core::limit_fields::LimitFields;
use crate::error::ApiError;
use crate::request::context::Context;
use crate::service::Service;

/// Bytes of guests' logs in one answer. A request with many texts has many sandboxes, each with a log of its own.
const MAX_LOG_BYTES: usize = 64 * 1024;

/// Bytes that a message of a log counts beside its text.
const MESSAGE_BYTES: usize = 64;

/// The fields of [`CallLimits`].
const FIELDS: &LimitFields = &[
    (Limit::Memory, "limits.memory_bytes"),
    (Limit::Fuel, "limits.fuel"),
    (Limit::Deadline, "limits.deadline_ms"),
];

/// Limits of this call, where they are below those of the model.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NativeCallLimits)]
pub(crate) struct CallLimits {
    /// Linear memory and tables of each sandbox.
    #[schema(minimum = 65_536)]
    memory_bytes: Option<u64>,
    /// Fuel of each sandbox.
    #[schema(minimum = 1)]
    fuel: Option<u64>,
    /// Wall-clock time, with the wait for a thread.
    #[schema(minimum = 1)]
    deadline_ms: Option<u64>,
}

impl From<CallLimits> for RequestLimits {
    fn from(limits: CallLimits) -> Self {
        Self {
            memory: limits.memory_bytes.map(ByteSize::from_bytes),
            fuel: limits.fuel.map(Fuel::new),
            deadline: limits.deadline_ms.map(Duration::from_millis),
        }
    }
}

/// Finds the model of a call.
///
/// # Errors
///
/// `input.unsupported` when the caller demands the same bits on every machine, and this host does not give them.
pub(crate) fn model(
    service: &Service,
    context: &Context,
    name: &str,
    limits: Option<CallLimits>,
    deterministic: Option<bool>,
) -> Result<Model, ApiError> {
    let limits = limits.unwrap_or_default().into();
    let model = service.call_within(name, context, limits, FIELDS)?;
    if deterministic == Some(true) && !is_deterministic(&model) {
        let message = "`deterministic`: this host runs its models in another profile; ask a host that was started with the \
                       deterministic profile, or leave it out";
        return Err(ApiError::unsupported("deterministic", message));
    }
    Ok(model)
}

fn is_deterministic(model: &Model) -> bool {
    model.profile() == EngineProfile::Deterministic
}

/// The model that answered, and the cost.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NativeCallReport)]
pub(crate) struct CallReport {
    model: Identity,
    /// True when the same request gives the same answer, to the bit, on every machine.
    is_deterministic: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    usage: Option<TokenCount>,
    /// The cost of each sandbox. Many texts are spread over several, in their order. An answer that was kept from an earlier
    /// request has cost none.
    sandboxes: Vec<SandboxCost>,
}

/// The release that answered, which may be newer than the one before.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NativeIdentity)]
struct Identity {
    publisher: String,
    name: String,
    version: String,
    release: u64,
    /// SHA-256 of the signed manifest, in hexadecimal digits.
    manifest_sha256: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NativeUsage)]
struct TokenCount {
    /// Tokens that the model read, after truncation.
    input_tokens: u32,
    /// Tokens that the model wrote.
    output_tokens: u32,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NativeSandbox)]
struct SandboxCost {
    /// Fuel of the call.
    fuel: u64,
    peak_memory_bytes: u64,
    /// Time of the call, without the wait for a thread.
    wall_ms: f64,
    /// Time to make the sandbox.
    start_wall_ms: f64,
    /// Fuel to make the sandbox.
    start_fuel: u64,
    log: Log,
}

/// The messages of a guest, as far as 64 KiB for the whole answer allow.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NativeLog)]
struct Log {
    messages: Vec<LogLine>,
    /// Bytes that are not here.
    dropped_bytes: u64,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NativeLogLine)]
struct LogLine {
    /// `error`, `warn`, `info` or `debug`.
    level: &'static str,
    text: String,
}

impl CallReport {
    /// Makes the report of a call of this model. Its logs share one bound.
    pub(crate) fn new(model: &Model, usage: Option<Usage>, reports: &[SandboxReport]) -> Self {
        let facts = model.facts();
        let mut left = MAX_LOG_BYTES;
        Self {
            model: Identity {
                publisher: facts.publisher.clone(),
                name: facts.name.clone(),
                version: facts.version.clone(),
                release: facts.release,
                manifest_sha256: facts.manifest.clone(),
            },
            is_deterministic: is_deterministic(model),
            usage: usage.map(|usage| TokenCount {
                input_tokens: usage.input_tokens,
                output_tokens: usage.output_tokens,
            }),
            sandboxes: reports
                .iter()
                .map(|report| SandboxCost::new(report, &mut left))
                .collect(),
        }
    }
}

impl SandboxCost {
    fn new(report: &SandboxReport, left: &mut usize) -> Self {
        let mut log = Log {
            messages: Vec::new(),
            dropped_bytes: report.log.dropped_bytes,
        };
        for message in &report.log.messages {
            match left.checked_sub(message.text.len() + MESSAGE_BYTES) {
                Some(rest) => {
                    *left = rest;
                    log.messages.push(LogLine {
                        level: level(message.level),
                        text: message.text.clone(),
                    });
                }
                None => log.dropped_bytes += message.text.len() as u64,
            }
        }
        Self {
            fuel: report.fuel.get(),
            peak_memory_bytes: report.peak_memory.bytes(),
            wall_ms: milliseconds(report.wall),
            start_wall_ms: milliseconds(report.start_wall),
            start_fuel: report.start_fuel.get(),
            log,
        }
    }
}

fn level(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        _ => "debug",
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
