//! Forgets answers of releases that do not serve any more, and of models that are not trusted any more.
//!
//! Their answers are not found anyway: a request asks the trust first, and its hash has the release that serves. Here they
//! are removed.

use std::time::Duration;

use tokio::task::spawn_blocking;

use crate::models::Readiness;
use crate::service::Service;

/// Time between two looks, which is that of the looks at the models.
const LOOK_TIME: Duration = Duration::from_secs(1);

/// Looks at the models each second, without end, where answers are kept.
pub(crate) async fn watch(service: Service) {
    let Some(answers) = service.protection().answers().cloned() else {
        return;
    };
    loop {
        tokio::time::sleep(LOOK_TIME).await;
        let entries = service.models().entries().into_iter();
        let trusted = entries.filter(|entry| entry.readiness() == Readiness::Ready);
        let serving = trusted.filter_map(|entry| entry.model());
        let serving = serving.map(|model| *model.manifest_digest().as_bytes());
        let (answers, serving) = (answers.clone(), serving.collect());
        // Their files are removed, which is no work for a thread that answers.
        let forget = move || answers.forget_models_but(&serving);
        if spawn_blocking(forget).await.is_err() {
            return;
        }
    }
}
