//! Labels of the metrics.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::http::StatusCode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

/// Stands for no model: the request named none, or one that is not served here. No model can have this name.
const NO_MODEL: &str = "(none)";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RequestLabels {
    pub(crate) family: &'static str,
    pub(crate) route: String,
    pub(crate) status: Status,
    pub(crate) outcome: &'static str,
    pub(crate) model: ModelLabel,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct DurationLabels {
    pub(crate) family: &'static str,
    pub(crate) route: String,
    pub(crate) model: ModelLabel,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ErrorLabels {
    pub(crate) family: &'static str,
    pub(crate) code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ReasonLabels {
    pub(crate) reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct FamilyLabels {
    pub(crate) family: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ModelLabels {
    pub(crate) model: ModelLabel,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct StepLabels {
    pub(crate) step: &'static str,
    pub(crate) model: ModelLabel,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct StateLabels {
    pub(crate) state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct LoadLabels {
    pub(crate) model: ModelLabel,
    pub(crate) outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct BuildLabels {
    version: &'static str,
}

impl BuildLabels {
    pub(crate) fn of_this_build() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// A model's own name, from the table of models.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ModelLabel(pub(crate) Option<Arc<str>>);

impl EncodeLabelValue for ModelLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        encoder.write_str(self.0.as_deref().unwrap_or(NO_MODEL))
    }
}

/// The status of an answer; `none` where the client went away before there was one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Status(Option<StatusCode>);

impl From<Option<StatusCode>> for Status {
    fn from(status: Option<StatusCode>) -> Self {
        Self(status)
    }
}

impl EncodeLabelValue for Status {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        encoder.write_str(self.0.as_ref().map_or("none", StatusCode::as_str))
    }
}
