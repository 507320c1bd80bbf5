//! Signs a bundle as its publisher would, with a key that lives no longer, and trusts it as an operator would.

use std::path::Path;

use anyhow::Result;
use bench_engine::Signed;

use crate::process;
use crate::repository::Repository;

/// The name that the throw-away keys speak for.
const PUBLISHER: &str = "bench";

/// The publisher's part of a manifest.
pub(crate) struct Recipe {
    pub(crate) name: &'static str,
    pub(crate) tasks: &'static [&'static str],
    pub(crate) description: &'static str,
    /// Needs of one sandbox, as options of `ampoule-sign init`; the command guesses the others.
    pub(crate) limits: &'static [&'static str],
    /// Capabilities beyond the inert base.
    pub(crate) capabilities: &'static [&'static str],
}

/// Makes a signed bundle of a recipe in the new folder `place`: of what `fill` puts into it, and with a trust
/// directory beside it.
pub(crate) fn make(
    repository: &Repository,
    recipe: &Recipe,
    place: &Path,
    fill: impl FnOnce(&Path) -> Result<()>,
) -> Result<Signed> {
    if place.exists() {
        std::fs::remove_dir_all(place)?;
    }
    let signed = Signed {
        path: place.join("bundle"),
        trust: place.join("trust"),
    };
    std::fs::create_dir_all(&signed.path)?;
    fill(&signed.path)?;

    let mut init = repository.command("ampoule-sign");
    init.arg("init")
        .arg(&signed.path)
        .args(["--publisher", PUBLISHER, "--name", recipe.name])
        .args(["--version", env!("CARGO_PKG_VERSION"), "--release", "1"])
        .args(["--description", recipe.description])
        .args(["--source", "cargo xtask bench"])
        .args(recipe.limits);
    for task in recipe.tasks {
        init.args(["--task", task]);
    }
    for capability in recipe.capabilities {
        init.args(["--capability", capability]);
    }
    process::output(&mut init)?;

    let key = place.join("publisher.pub.pem");
    let mut sign = repository.command("ampoule-sign");
    process::output(
        sign.arg("sign")
            .arg(&signed.path)
            .arg("--one-time-key")
            .arg(&key),
    )?;
    let mut trust = repository.command("ampoule");
    trust.args(["trust", "add", "--publisher", PUBLISHER, "--trust"]);
    process::output(trust.arg(&signed.trust).arg(&key))?;
    Ok(signed)
}
