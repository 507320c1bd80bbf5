//! `ampoule verify`: checks that every file is as it was signed and that this host would run the bundle.

use crate::arguments::BundleCommand;
use crate::error::Error;
use crate::model_choice::ModelChoice;
use crate::output;
use crate::progress;
use crate::settings::Settings;

pub(crate) async fn run(
    command: BundleCommand,
    settings: &Settings,
    json: bool,
) -> Result<(), Error> {
    // Loading is the only honest answer: it compiles the component, checks the types of its exports
    // and initialises it, within the limits. And the cache of compiled models, which would spare reading the
    // files, says nothing about them as they lie there now.
    let loaded = ModelChoice::from(command).checking_files().load(settings);
    let model = progress::show("verifying", loaded).await?;
    if json {
        return output::json(&serde_json::json!({
            "verified": true,
            "host_kernels": model.uses_host_kernels(),
            "packed_bytes": model.packed_bytes().bytes(),
        }));
    }
    output::write("verified: every file is as it was signed, and this host would run the bundle\n")
}
