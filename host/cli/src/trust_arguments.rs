//! The command line of `ampoule trust`.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;

use ampoule_command_line::{CapOptions, DelegationOptions, parse_threshold};
use ampoule_signing::{
    KeyId, ModelPattern, ParseError, RevocationMode, Sha256Digest, parse_digest,
};
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum TrustCommand {
    /// Let public keys sign a publisher's models, or change what its models may ask for.
    #[command(
        after_help = "Example:\n  ampoule trust add --trust trust --publisher acme acme.pub.pem\n\nTwo of \
                      three have to sign:\n  ampoule trust add --trust trust --publisher acme --threshold \
                      2 \\\n    ann.pub.pem bob.pub.pem eve.pub.pem"
    )]
    Add(Box<TrustAdd>),
    /// Cap what any model may ask for, whoever signed it.
    #[command(after_help = "Example:\n  ampoule trust caps --trust trust --cap-memory 512MiB")]
    Caps(Box<CapOptions>),
    /// List who may sign what.
    #[command(after_help = "Example:\n  ampoule trust list --trust trust")]
    List,
    /// Show who decides about a model.
    #[command(after_help = "Example:\n  ampoule trust show --trust trust acme/minilm")]
    Show {
        /// The model, PUBLISHER/MODEL, or PUBLISHER/* for those that have no keys of their own.
        #[arg(value_name = "PATTERN")]
        pattern: ModelPattern,
    },
    /// Stop trusting a key, whatever it may sign, or everybody for a publisher's models.
    ///
    /// What is said about models stays when a key goes: how many have to sign, and what they may ask for.
    #[command(after_help = "Example:\n  ampoule trust remove --trust trust 4f3c…")]
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
    #[command(
        subcommand,
        after_help = "Example:\n  ampoule trust root install --trust trust 1.root.dsse.json --digest \
                      sha256:4f3c…\n  ampoule trust root update --trust trust 2.root.dsse.json\n  ampoule \
                      trust root show --trust trust"
    )]
    Root(TrustRootCommand),
    /// Obey signed lists of what is trusted no more.
    #[command(
        subcommand,
        after_help = "Example:\n  ampoule trust revocations update --trust trust 3.revocations.dsse.json\n  \
                      ampoule trust revocations show --trust trust"
    )]
    Revocations(TrustRevocationsCommand),
    /// Look after what is remembered of the releases that were run here.
    #[command(
        subcommand,
        after_help = "Example:\n  ampoule trust releases list --trust trust\n  ampoule trust releases forget \
                      --trust trust acme/minilm --to 4"
    )]
    Releases(TrustReleasesCommand),
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
    #[command(
        after_help = "Example:\n  ampoule trust root install --trust trust 1.root.dsse.json --digest sha256:4f3c…"
    )]
    Install {
        /// The root, as `ampoule-sign root sign` writes it.
        #[arg(value_name = "ROOT")]
        root: PathBuf,
        /// Install the root with this digest and no other: `sha256:` and 64 digits.
        #[arg(long, value_name = "DIGEST", value_parser = parse_digest)]
        digest: Option<Sha256Digest>,
    },
    /// Show the installed root: its digest, who signs the next one, and until when it holds.
    #[command(after_help = "Example:\n  ampoule trust root show --trust trust")]
    Show,
    /// Replace the installed root by its successor, or by several. Older ones among them are passed over,
    /// so one command serves machines at different versions.
    #[command(
        after_help = "Example:\n  ampoule trust root update --trust trust 2.root.dsse.json 3.root.dsse.json"
    )]
    Update {
        /// The roots.
        #[arg(value_name = "ROOT", required = true)]
        roots: Vec<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TrustRevocationsCommand {
    /// Say in trust.toml who signs the lists, and what is done without a fresh one. A root says it itself.
    #[command(
        after_help = "Example:\n  ampoule trust revocations signers --trust trust --name production \\\n    \
                      --key duty.pub.pem --mode strict"
    )]
    Signers(TrustRevocationsSigners),
    /// Put the newest of these lists in the place of an older one. Older ones among them are passed over.
    #[command(
        after_help = "Example:\n  ampoule trust revocations update --trust trust 3.revocations.dsse.json"
    )]
    Update {
        /// The lists, as `ampoule-sign revocations sign` writes them.
        #[arg(value_name = "LIST", required = true)]
        lists: Vec<PathBuf>,
    },
    /// Show who signs the lists, what is done without a fresh one, and what the newest says.
    #[command(after_help = "Example:\n  ampoule trust revocations show --trust trust")]
    Show,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TrustReleasesCommand {
    /// List the newest release of each model that was run here. No older one runs after it.
    #[command(after_help = "Example:\n  ampoule trust releases list --trust trust")]
    List {
        /// Only the models of this publisher.
        #[arg(value_name = "PUBLISHER")]
        publisher: Option<String>,
    },
    /// Forget which release of one model was run, so that an older one may be the next.
    ///
    /// For a release that was signed by mistake with a number far ahead: without this, no right one would
    /// ever run here again. Other models are as protected as before. With --to and the number that is
    /// remembered, it undoes a release that was signed with the wrong files under that number.
    #[command(
        after_help = "Example:\n  ampoule trust releases forget --trust trust acme/minilm --to 4"
    )]
    Forget {
        /// The model.
        #[arg(value_name = "PUBLISHER/MODEL")]
        model: ModelPattern,
        /// Go back to this release: it and every newer one may be the next, older ones stay refused. Without
        /// it any release may, and the first that runs is remembered.
        #[arg(long, value_name = "RELEASE", value_parser = clap::value_parser!(u64).range(1..))]
        to: Option<u64>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct TrustRevocationsSigners {
    /// The name that the lists bear: a-z, 0-9, and -._ inside.
    #[arg(long, value_name = "NAME", requires = "keys")]
    pub(crate) name: Option<String>,
    /// A public key that may sign them, in place of those that may now; may be repeated.
    #[arg(long = "key", value_name = "KEY.pem", requires = "name")]
    pub(crate) keys: Vec<PathBuf>,
    /// How many of them have to.
    #[arg(long, value_name = "N", default_value = "1", requires = "keys", value_parser = parse_threshold)]
    pub(crate) threshold: NonZeroU32,
    /// Without a fresh list, `strict` trusts nobody; `permissive` goes on with what the last one revoked.
    #[arg(long, value_name = "MODE", required_unless_present = "name")]
    pub(crate) mode: Option<RevocationMode>,
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
