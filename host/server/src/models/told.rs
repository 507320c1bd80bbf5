//! States of a model's place that its operator was told of, each once.

use std::sync::{Mutex, MutexGuard, PoisonError};

use ampoule::{Error, Refusal, Sha256Digest};

/// The last state that was logged. The next one is logged when it differs.
#[derive(Debug, Default)]
pub(super) struct Told {
    last: Mutex<Last>,
}

#[derive(Debug, Default)]
struct Last {
    /// Code of the error for which the loaded model is not trusted.
    distrust: Option<String>,
    /// Code of the error for which the release in the model's place is refused, with the digest of its manifest.
    candidate: Option<(String, Option<Sha256Digest>)>,
}

impl Told {
    /// Logs that the loaded model is not trusted any more, or is again.
    pub(super) fn trust(&self, model: &str, error: Option<&Error>) {
        let mut last = self.last();
        let code = error.map(Error::code);
        if last.distrust.as_deref() == code {
            return;
        }
        last.distrust = code.map(str::to_owned);
        match error {
            Some(error) => tracing::warn!(
                target: "ampoule::server",
                model, code = error.code(), %error,
                "the model is not trusted any more; requests to it are refused"
            ),
            None => {
                tracing::info!(target: "ampoule::server", model, "the model is trusted again");
            }
        }
    }

    /// Logs that the release in the model's place is refused.
    pub(super) fn candidate(&self, model: &str, refusal: Option<&Refusal>) {
        let candidate =
            refusal.map(|refusal| (refusal.code().to_owned(), refusal.manifest_digest()));
        let mut last = self.last();
        if last.candidate == candidate {
            return;
        }
        last.candidate = candidate;
        if let Some(refusal) = refusal {
            tracing::warn!(
                target: "ampoule::server",
                model, code = refusal.code(), error = %refusal.error(),
                manifest = refusal.manifest_digest().map(tracing::field::display),
                "what lies in the model's place is refused; the release before it serves on"
            );
        }
    }

    /// Returns the code of the error for which the loaded model is not trusted.
    pub(super) fn distrust(&self) -> Option<String> {
        self.last().distrust.clone()
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
