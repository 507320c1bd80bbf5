//! The options that name a model.

use std::path::PathBuf;

use ampoule::ModelReference;
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct ModelOption {
    /// Bundle of the model, a directory or a packed file. By default the built-in model answers.
    #[arg(long, value_name = "BUNDLE", env = "AMPOULE_MODEL")]
    pub(crate) model: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) expect: ExpectOption,

    /// Run an older release than one that was run here before, or another bundle of the same release.
    #[arg(long)]
    pub(crate) allow_downgrade: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExpectOption {
    /// Model that is expected; every other one is refused: acme/minilm, acme/minilm@1.2 for any 1.2.x, or
    /// sha256:DIGEST of the manifest.
    #[arg(long, value_name = "MODEL", env = "AMPOULE_EXPECT")]
    pub(crate) expect: Option<ModelReference>,
}
