//! The command line of `ampoule trust`.

use std::path::PathBuf;
use std::str::FromStr;

use ampoule_signing::{
    CapOptions, DelegationOptions, KeyId, ModelPattern, ParseError, Sha256Digest, parse_digest,
};
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum TrustCommand {
    /// Let public keys sign a publisher's models, or change what its models may ask for.
    ///
    /// Example: ampoule trust add --trust trust --publisher acme acme.pub.pem
    ///
    /// Two of three have to sign: ampoule trust add --trust trust --publisher acme --threshold 2
    /// ann.pub.pem bob.pub.pem eve.pub.pem
    Add(Box<TrustAdd>),
    /// Cap what any model may ask for, whoever signed it.
    ///
    /// Example: ampoule trust caps --trust trust --cap-memory 512MiB
    Caps(Box<CapOptions>),
    /// List who may sign what.
    ///
    /// Example: ampoule trust list --trust trust
    List,
    /// Show who decides about a model.
    ///
    /// Example: ampoule trust show --trust trust acme/minilm
    Show {
        /// The model, PUBLISHER/MODEL, or PUBLISHER/* for those that have no keys of their own.
        #[arg(value_name = "PATTERN")]
        pattern: ModelPattern,
    },
    /// Stop trusting a key, whatever it may sign, or everybody for a publisher's models.
    ///
    /// What is said about models stays when a key goes: how many have to sign, and what they may ask for.
    ///
    /// Example: ampoule trust remove --trust trust 4f3c…
    Remove {
        /// A key's id, as `ampoule trust list` shows it; or the models that nothing shall be said about
        /// any more, PUBLISHER/MODEL or PUBLISHER/*: a wider rule decides about them from then on.
        #[arg(value_name = "KEYID|PATTERN", required_unless_present = "publisher")]
        what: Option<Removal>,
        /// Instead: the publisher whose models nobody shall sign any more, those with keys of their own
        /// too.
        #[arg(long, value_name = "PUBLISHER", conflicts_with = "what")]
        publisher: Option<String>,
        /// Only what is said about this model of the publisher; the rest decides about it from then on.
        #[arg(long, value_name = "MODEL", requires = "publisher")]
        name: Option<String>,
    },
    /// Trust whom a signed root says, instead of trust.toml: for fleets.
    #[command(subcommand)]
    Root(TrustRootCommand),
}

/// What `trust remove` is to take out.
#[derive(Debug, Clone)]
pub(crate) enum Removal {
    Key(KeyId),
    Pattern(ModelPattern),
}

impl FromStr for Removal {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text.contains('/') {
            text.parse().map(Self::Pattern)
        } else {
            text.parse().map(Self::Key)
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum TrustRootCommand {
    /// Install a first root.
    ///
    /// Nothing but its digest tells it from any other: get that from its signers by a way of its own.
    /// Without --digest the root is shown, and you are asked.
    ///
    /// Example: ampoule trust root install --trust trust 1.root.dsse.json --digest sha256:4f3c…
    Install {
        /// The root, as `ampoule-sign root sign` writes it.
        #[arg(value_name = "ROOT")]
        root: PathBuf,
        /// Install the root with this digest and no other: `sha256:` and 64 digits.
        #[arg(long, value_name = "DIGEST", value_parser = parse_digest)]
        digest: Option<Sha256Digest>,
    },
    /// Show the installed root: its digest, who signs the next one, and until when it holds.
    ///
    /// Example: ampoule trust root show --trust trust
    Show,
    /// Replace the installed root by its successor, or by several. Older ones among them are passed over,
    /// so one command serves machines at different versions.
    ///
    /// Example: ampoule trust root update --trust trust 2.root.dsse.json 3.root.dsse.json
    Update {
        /// The roots.
        #[arg(value_name = "ROOT", required = true)]
        roots: Vec<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct TrustAdd {
    /// The publisher, as manifests name it.
    #[arg(long, value_name = "PUBLISHER")]
    pub(crate) publisher: String,
    /// Only this model of the publisher. Its keys are then its own: those of the publisher's other
    /// models count for it no more. It begins with their threshold, time and caps.
    #[arg(long, value_name = "MODEL")]
    pub(crate) name: Option<String>,
    /// The public keys: SPKI PEM, as `ampoule-sign pubkey` and `openssl pkey -pubout` write it. Those
    /// that may sign already stay; without any, only the rest is changed.
    #[arg(value_name = "KEY.pem")]
    pub(crate) keys: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) rule: DelegationOptions,
}
