//! `ampoule verify`: would this host run the bundle?

use crate::arguments::BundleCommand;
use crate::error::Error;
use crate::output;
use crate::progress;
use crate::settings::Settings;

pub(crate) async fn run(
    command: BundleCommand,
    settings: &Settings,
    json: bool,
) -> Result<(), Error> {
    let host = settings.host()?;
    progress::show("verifying", host.check(command.bundle)).await?;
    if json {
        return output::json(&serde_json::json!({ "verified": true }));
    }
    output::write("verified: this host would run the bundle\n")
}
