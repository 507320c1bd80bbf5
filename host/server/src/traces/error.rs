//! Reasons why there are no traces.

/// The reason why there are no traces.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TracesError {
    /// A variable of OpenTelemetry's has a value that cannot be taken.
    #[error("{name}: {expected} is expected; correct the variable, or do not set it")]
    Variable {
        /// The variable's name.
        name: &'static str,
        /// Values that can be taken.
        expected: &'static str,
    },
    /// The exporter cannot be made.
    #[error("traces cannot be sent: {0}")]
    Exporter(String),
}
