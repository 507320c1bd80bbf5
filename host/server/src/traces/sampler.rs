//! The share of requests that are traced, by OpenTelemetry's variables.

use std::env;

use opentelemetry_sdk::trace::Sampler;

use crate::traces::error::TracesError;

const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";

/// Reads the variables: by default all requests but those whose caller says that it keeps none. The library's own reader
/// traces everything where a name is mistyped.
///
/// # Errors
///
/// A value is unknown.
pub(super) fn from_variables() -> Result<Sampler, TracesError> {
    let parent_based = |sampler| Sampler::ParentBased(Box::new(sampler));
    Ok(match variable(SAMPLER)?.as_deref() {
        None | Some("parentbased_always_on") => parent_based(Sampler::AlwaysOn),
        Some("parentbased_always_off") => parent_based(Sampler::AlwaysOff),
        Some("parentbased_traceidratio") => parent_based(Sampler::TraceIdRatioBased(ratio()?)),
        Some("always_on") => Sampler::AlwaysOn,
        Some("always_off") => Sampler::AlwaysOff,
        Some("traceidratio") => Sampler::TraceIdRatioBased(ratio()?),
        Some(_) => {
            return Err(TracesError::Variable {
                name: SAMPLER,
                expected: "always_on, always_off, traceidratio, or one of them after `parentbased_`",
            });
        }
    })
}

fn ratio() -> Result<f64, TracesError> {
    let Some(text) = variable(ARGUMENT)? else {
        return Ok(1.0);
    };
    let ratio = text
        .parse()
        .ok()
        .filter(|ratio| (0.0..=1.0).contains(ratio));
    ratio.ok_or(TracesError::Variable {
        name: ARGUMENT,
        expected: "a number from 0 to 1",
    })
}

/// Reads a variable. An empty one counts as one that is not set, by OpenTelemetry's specification.
fn variable(name: &'static str) -> Result<Option<String>, TracesError> {
    match env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(TracesError::Variable {
            name,
            expected: "text",
        }),
    }
}
