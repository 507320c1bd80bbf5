//! Options of single calls.

use std::sync::Arc;

use ampoule_sandbox::limits::MAX_NAME_CHARS;
use ampoule_sandbox::{Error, RequestLimits, Result};

/// Options of the calls that are made of one [`Model`](crate::Model): see
/// [`Model::with_options`](crate::Model::with_options).
///
/// ```
/// use ampoule_serve::CallOptions;
///
/// let options = CallOptions {
///     tenant: Some("acme".into()),
///     request_id: Some("7f3a".into()),
///     ..CallOptions::default()
/// };
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallOptions {
    /// Limits below those of the model. Calls that need more end with `limit.memory`, `limit.fuel` or
    /// `limit.deadline`.
    pub at_most: RequestLimits,
    /// The name of the request in logs and for an [`Observer`](crate::Observer): at most 64 characters.
    pub request_id: Option<Arc<str>>,
    /// The caller that a request counts for: at most 64 characters. Where requests wait, each tenant has its turn,
    /// however much another has asked for. Callers without a name are one tenant together.
    pub tenant: Option<Arc<str>>,
    /// The name under which a service serves the model, for an [`Observer`](crate::Observer). A service may serve one
    /// bundle under two names.
    pub served_as: Option<Arc<str>>,
}

impl CallOptions {
    /// Refuses options with which no call could be made.
    ///
    /// # Errors
    ///
    /// `usage.limits`.
    pub(crate) fn check(&self) -> Result<()> {
        self.at_most.check()?;
        check_name("request_id", self.request_id.as_deref())?;
        check_name("tenant", self.tenant.as_deref())
    }
}

fn check_name(name: &'static str, text: Option<&str>) -> Result<()> {
    let chars = text.map_or(1, |text| text.chars().take(MAX_NAME_CHARS + 1).count());
    if (1..=MAX_NAME_CHARS).contains(&chars) {
        return Ok(());
    }
    Err(Error::LimitRange {
        name: name.into(),
        found: format!("{chars} characters or more"),
        least: "1 character".to_owned(),
        most: format!("{MAX_NAME_CHARS} characters"),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn options_that_no_call_could_keep_are_refused_by_name() {
        CallOptions::default().check().unwrap();
        let named = |text: &str| CallOptions {
            tenant: Some(text.into()),
            ..CallOptions::default()
        };
        named(&"é".repeat(MAX_NAME_CHARS)).check().unwrap();
        for text in [String::new(), "x".repeat(MAX_NAME_CHARS + 1)] {
            let error = named(&text).check().unwrap_err();
            assert_eq!(error.code(), "usage.limits");
            assert!(error.to_string().contains("tenant"), "{error}");
        }
        let mut none = CallOptions::default();
        none.at_most.deadline = Some(Duration::ZERO);
        assert_eq!(none.check().unwrap_err().code(), "usage.limits");
    }
}
