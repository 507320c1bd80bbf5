//! The good model, loading, and the time that requests have.

use std::time::Duration;

use ampoule::{Host, Model};
use serde_json::json;

use crate::bundle::{BundleBuilder, Publisher};

/// Idle limit of generations: long enough for a caller that a busy machine delays, short enough to be waited for.
pub(super) const IDLE: Duration = Duration::from_secs(2);

/// Deadline of good requests, which no busy machine reaches.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Makes a bundle that offers every task. Each number makes another model of it.
pub(super) fn good_bundle(publisher: &Publisher, number: u8) -> BundleBuilder<'_> {
    publisher
        .every_task()
        .file("number", vec![number])
        .set("/limits/deadline_ms", json!(PATIENCE.as_millis()))
        .set("/limits/init/deadline_ms", json!(PATIENCE.as_millis()))
}

pub(super) async fn load(host: &Host, bundle: BundleBuilder<'_>) -> Model {
    host.load(bundle.write().path()).await.unwrap()
}
