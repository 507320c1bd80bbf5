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
    /// Let public keys sign a publisher's models, or change the caps on its models.
    #[command(
        after_help = "Example:\n  ampoule trust add --trust trust --publisher acme acme.pub.pem\n\nTwo of \
                      three have to sign:\n  ampoule trust add --trust trust --publisher acme --threshold \
                      2 \\\n    ann.pub.pem bob.pub.pem eve.pub.pem"
    )]
    Add(Box<TrustAdd>),
    /// Cap the resources that any model may ask for, whoever signed it.
    #[command(after_help = "Example:\n  ampoule trust caps --trust trust --cap-memory 512MiB")]
    Caps(Box<CapOptions>),
    /// List the rules: the keys that may sign models.
    #[command(after_help = "Example:\n  ampoule trust list --trust trust")]
    List,
    /// Show the rule that decides about a model.
    #[command(after_help = "Example:\n  ampoule trust show --trust trust acme/minilm")]
    Show {
        /// Model: PUBLISHER/MODEL, or PUBLISHER/* for those without a rule of their own.
        #[arg(value_name = "PATTERN")]
        pattern: ModelPattern,
    },
    /// Remove a key from all rules, or a rule, or all rules for a publisher's models.
    ///
    /// Rules stay when a key is removed, with their thresholds and caps.
    #[command(after_help = "Example:\n  ampoule trust remove --trust trust 4f3c…")]
    Remove {
        /// Key's id, as `ampoule trust list` shows it; or the models whose rule is removed, PUBLISHER/MODEL or
        /// PUBLISHER/*: a wider rule decides about them from then on.
        #[arg(value_name = "KEYID|PATTERN", required_unless_present = "publisher")]
        what: Option<Removal>,
        /// Instead: publisher all of whose rules are removed, those for single models too.
        #[arg(long, value_name = "PUBLISHER", conflicts_with = "what")]
        publisher: Option<String>,
        /// Remove only the rule for this model of the publisher. The publisher's rule decides about it from then on.
        #[arg(long, value_name = "MODEL", requires = "publisher")]
        name: Option<String>,
    },
    /// Install, update or show a signed root, which holds the rules instead of trust.toml: for fleets.
    #[command(
        subcommand,
        after_help = "Example:\n  ampoule trust root install --trust trust 1.root.dsse.json --digest \
                      sha256:4f3c…\n  ampoule trust root update --trust trust 2.root.dsse.json\n  ampoule \
                      trust root show --trust trust"
    )]
    Root(TrustRootCommand),
    /// Install and show signed lists of keys, bundles and components that are trusted no more.
    #[command(
        subcommand,
        after_help = "Example:\n  ampoule trust revocations update --trust trust 3.revocations.dsse.json\n  \
                      ampoule trust revocations show --trust trust"
    )]
    Revocations(TrustRevocationsCommand),
    /// List or forget the releases that were run here.
    #[command(
        subcommand,
        after_help = "Example:\n  ampoule trust releases list --trust trust\n  ampoule trust releases forget \
                      --trust trust acme/minilm --to 4"
    )]
    Releases(TrustReleasesCommand),
}

/// The thing that `trust remove` removes.
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
    /// Only its digest tells the right root from any other: get the digest from its signers by another way. Without
    /// --digest the root is shown, and you are asked.
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
    /// Show the installed root: its digest, the signers of the next one, and its end.
    #[command(after_help = "Example:\n  ampoule trust root show --trust trust")]
    Show,
    /// Replace the installed root by its successor, or by several. Older ones among them are skipped, so that one
    /// command serves machines at different versions.
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
    /// Set, in trust.toml, the signers of the lists, and the behaviour without a fresh one. A root has this itself.
    #[command(
        after_help = "Example:\n  ampoule trust revocations signers --trust trust --name production \\\n    \
                      --key duty.pub.pem --mode strict"
    )]
    Signers(TrustRevocationsSigners),
    /// Install the newest of these lists in place of an older one. Older ones among them are skipped.
    #[command(
        after_help = "Example:\n  ampoule trust revocations update --trust trust 3.revocations.dsse.json"
    )]
    Update {
        /// The lists, as `ampoule-sign revocations sign` writes them.
        #[arg(value_name = "LIST", required = true)]
        lists: Vec<PathBuf>,
    },
    /// Show the signers of the lists, the behaviour without a fresh one, and the newest list.
    #[command(after_help = "Example:\n  ampoule trust revocations show --trust trust")]
    Show,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TrustReleasesCommand {
    /// List the newest release of each model that was run here. Older ones do not run after it.
    #[command(after_help = "Example:\n  ampoule trust releases list --trust trust")]
    List {
        /// Only the models of this publisher.
        #[arg(value_name = "PUBLISHER")]
        publisher: Option<String>,
    },
    /// Forget the release of one model, so that an older one may be the next.
    ///
    /// This undoes a release that was signed by mistake with a number far ahead, after which no right one would ever
    /// run here. Other models are as protected as before. With --to and the remembered number, it undoes wrong files
    /// under that number.
    #[command(
        after_help = "Example:\n  ampoule trust releases forget --trust trust acme/minilm --to 4"
    )]
    Forget {
        /// The model.
        #[arg(value_name = "PUBLISHER/MODEL")]
        model: ModelPattern,
        /// Go back to this release: it and every newer one may be the next, older ones stay refused. By default any
        /// release may, and the first that runs is remembered.
        #[arg(long, value_name = "RELEASE", value_parser = clap::value_parser!(u64).range(1..))]
        to: Option<u64>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct TrustRevocationsSigners {
    /// Name that the lists bear: a-z, 0-9, and -._ inside.
    #[arg(long, value_name = "NAME", requires = "keys")]
    pub(crate) name: Option<String>,
    /// Public key that may sign them, in place of those that may now; may be repeated.
    #[arg(long = "key", value_name = "KEY.pem", requires = "name")]
    pub(crate) keys: Vec<PathBuf>,
    /// Number of these keys that have to sign.
    #[arg(long, value_name = "N", default_value = "1", requires = "keys", value_parser = parse_threshold)]
    pub(crate) threshold: NonZeroU32,
    /// Behaviour without a fresh list: `strict` trusts no model; `permissive` goes on with the revocations of the
    /// last one.
    #[arg(long, value_name = "MODE", required_unless_present = "name")]
    pub(crate) mode: Option<RevocationMode>,
}

#[derive(Debug, Args)]
pub(crate) struct TrustAdd {
    /// Publisher, as manifests name it.
    #[arg(long, value_name = "PUBLISHER")]
    pub(crate) publisher: String,
    /// Change only this model of the publisher. It then has keys of its own, and those of the publisher's other
    /// models no longer count for it. It starts with their threshold, time and caps.
    #[arg(long, value_name = "MODEL")]
    pub(crate) name: Option<String>,
    /// Public keys: SPKI PEM, as `ampoule-sign pubkey` and `openssl pkey -pubout` write it. Keys that may sign
    /// already stay; without any here, only the rest is changed.
    #[arg(value_name = "KEY.pem")]
    pub(crate) keys: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) rule: DelegationOptions,
}
