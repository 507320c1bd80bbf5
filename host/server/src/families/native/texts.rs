//! The request of all tasks on texts.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::families::native::call::CallLimits;
use crate::said::said;
use crate::service::Service;

/// The field that holds the texts.
pub(crate) const TEXTS: &str = "texts";

/// Texts for a model. Fields that are not named here are refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NativeTexts)]
pub(crate) struct Texts {
    pub(crate) texts: Vec<String>,
    pub(crate) limits: Option<CallLimits>,
    /// True refuses the request on a host that does not give the same bits on every machine.
    pub(crate) deterministic: Option<bool>,
}

impl Texts {
    /// Checks that there is a text, and that there are no more than one request may have.
    pub(crate) fn check(&self, service: &Service) -> Result<(), ApiError> {
        let most = service.settings().texts;
        let found = self.texts.len();
        if (1..=most).contains(&found) {
            return Ok(());
        }
        let message = said!(
            "`texts`: 1 to {} texts are expected, and {} were found",
            most,
            found
        );
        Err(ApiError::invalid(TEXTS, message))
    }
}
