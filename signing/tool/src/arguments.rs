//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use ampoule_command_line::{CompletionsOptions, JSON_VARIABLE, ManOptions, parse_switch};
use ampoule_signing::{ByteSize, FileRules, Fuel, ModelReference, Timestamp, parse_time};
use clap::{Args, Parser, Subcommand};
use semver::Version;

use crate::password::{NewPasswordSource, PasswordSource};
use crate::revocation_arguments::RevocationCommand;
use crate::root_arguments::RootCommand;

/// Makes keys, manifests and signatures for Ampoule model bundles.
#[derive(Parser)]
#[command(
    name = "ampoule-sign",
    version,
    after_help = "Example:\n  ampoule-sign keygen acme.key\n  ampoule-sign init minilm --publisher acme \
                  --name minilm --version 1.0.0 \\\n    --release 1 --task text-embedding\n  ampoule-sign \
                  sign minilm --key acme.key\n  ampoule-sign verify minilm --public-key acme.pub"
)]
pub(crate) struct Arguments {
    /// Answer in one JSON document on standard output, errors, --help and --version too.
    #[arg(long, global = true, env = JSON_VARIABLE, value_parser = parse_switch, num_args = 0)]
    pub(crate) json: bool,
    /// Accept keys, bundles, roots and trust that somebody besides you and root could have changed, and private keys
    /// that others can read: with a warning, instead of refusing them.
    #[arg(long, global = true)]
    pub(crate) insecure_permissions: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a key pair.
    #[command(after_help = "Example:\n  ampoule-sign keygen acme.key")]
    Keygen(Keygen),
    /// Print the public half of a private key.
    #[command(after_help = "Example:\n  ampoule-sign pubkey acme.key > acme.pub.pem")]
    Pubkey(Pubkey),
    /// Print the id of a public key, by which trust and revocation lists name it.
    #[command(after_help = "Example:\n  ampoule-sign key-id acme.pub")]
    KeyId(PublicKeyFile),
    /// Give a private key another password.
    #[command(after_help = "Example:\n  ampoule-sign passwd acme.key")]
    Passwd(Passwd),
    /// Write manifest.json for the files of a directory.
    ///
    /// Files that programs leave in a directory for themselves (version control, caches, files of file managers and
    /// editors) are left out, and named. Files that look like secrets are refused: private keys, passwords, tokens.
    #[command(
        after_help = "Example:\n  ampoule-sign init minilm --publisher acme --name minilm --version \
                      1.0.0 \\\n    --release 1 --task text-embedding --memory 256MiB"
    )]
    Init(Box<Init>),
    /// Check manifest.json against the files and sign it.
    #[command(after_help = "Example:\n  ampoule-sign sign minilm --key acme.key")]
    Sign(Sign),
    /// Add a signature to a bundle that another key has signed.
    ///
    /// Shows the manifest and asks first, or signs only the model that --expect names.
    #[command(
        after_help = "Example:\n  ampoule-sign cosign minilm --key second.key --expect \
                      acme/minilm@1.0.0"
    )]
    Cosign(Cosign),
    /// Verify signatures, manifest and files as a host would.
    #[command(
        after_help = "Example:\n  ampoule-sign verify minilm --public-key acme.pub \
                            --publisher acme"
    )]
    Verify(Verify),
    /// Show a bundle's description of itself, without verifying it.
    #[command(after_help = "Example:\n  ampoule-sign inspect minilm")]
    Inspect(Inspect),
    /// List the SHA-256 of a directory's files, as `sha256sum -c` reads it.
    ///
    /// Files that `init` leaves out by itself are left out here too, and named in remarks. For a manifest that was
    /// made with --exclude or --include, give the same options here.
    #[command(
        after_help = "Example:\n  ampoule-sign digest minilm > minilm.sha256\n  cd minilm && \
                            sha256sum -c ../minilm.sha256"
    )]
    Digest(Digest),
    /// Sign and write keys for those who check with minisign.
    #[command(
        subcommand,
        after_help = "Example:\n  ampoule-sign minisign sign minilm --key acme.key\n  ampoule-sign minisign \
                      pubkey acme.pub > acme.minisign\n  minisign -V -p acme.minisign -m \
                      minilm/ampoule.dsse.json"
    )]
    Minisign(MinisignCommand),
    /// Pack a signed bundle into one file, which hosts run as it is.
    #[command(after_help = "Example:\n  ampoule-sign pack minilm minilm.ampoule")]
    Pack(Pack),
    /// Unpack a packed bundle into a new directory.
    #[command(after_help = "Example:\n  ampoule-sign unpack minilm.ampoule minilm-unpacked")]
    Unpack(Unpack),
    /// Make the rules of trust of a whole fleet, in one document that several people sign.
    #[command(
        subcommand,
        after_help = "Example:\n  ampoule-sign root init root.json --name production --key ann.pub \\\n    \
                      --key bob.pub --threshold 2 --expires 2027-12-31T00:00:00Z\n  ampoule-sign root \
                      delegate root.json 'acme/*' --key acme.pub\n  ampoule-sign root sign root.json \
                      --key ann.key\n  ampoule-sign root cosign 1.root.dsse.json --key bob.key \
                      --digest sha256:4f3c…\n  ampoule trust root install 1.root.dsse.json --trust \
                      trust --digest sha256:4f3c…"
    )]
    Root(RootCommand),
    /// Make the list of keys, bundles and components that are trusted no more, which hosts take.
    #[command(
        subcommand,
        after_help = "Example:\n  ampoule-sign revocations init revocations.json --name production \\\n    --expires \
                      2027-01-31T00:00:00Z\n  ampoule-sign revocations add revocations.json --key-id \
                      4f3c… --reason 'stolen on a train'\n  ampoule-sign revocations sign \
                      revocations.json --key duty.key\n  ampoule trust revocations update \
                      1.revocations.dsse.json --trust trust"
    )]
    Revocations(RevocationCommand),
    /// Print a manual page, or write one for each command.
    #[command(
        after_help = "Example:\n  ampoule-sign man --dir man/man1\n  man --manpath man ampoule-sign-root-sign"
    )]
    Man(ManOptions),
    /// Print the script that completes commands and options in a shell.
    #[command(
        after_help = "Example:\n  ampoule-sign completions bash > ~/.local/share/bash-completion/completions/ampoule-sign\n  \
                      ampoule-sign completions zsh > \"${fpath[1]}/_ampoule-sign\"\n  ampoule-sign \
                      completions fish > ~/.config/fish/completions/ampoule-sign.fish"
    )]
    Completions(CompletionsOptions),
}

#[derive(Args)]
pub(crate) struct Keygen {
    /// Private key to write: PKCS#8 PEM, mode 0600. An existing file is never overwritten.
    #[arg(value_name = "KEY")]
    pub(crate) key: PathBuf,
    /// Public key to write: SPKI PEM. By default KEY with the ending `.pub`.
    #[arg(long, value_name = "FILE")]
    pub(crate) public_key: Option<PathBuf>,
    /// Leave the private key unencrypted: whoever can read the file can sign.
    #[arg(long, conflicts_with = "password_file")]
    pub(crate) no_encryption: bool,
    #[command(flatten)]
    pub(crate) password: PasswordSource,
}

#[derive(Args)]
pub(crate) struct Pubkey {
    /// Private key.
    #[arg(value_name = "KEY")]
    pub(crate) key: PathBuf,
    /// File to write it to, instead of printing it. An existing file is never overwritten.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) password: PasswordSource,
}

#[derive(Subcommand)]
pub(crate) enum MinisignCommand {
    /// Sign a bundle's envelope: writes ampoule.dsse.json.minisig beside it.
    #[command(after_help = "Example:\n  ampoule-sign minisign sign minilm --key acme.key")]
    Sign(MinisignSign),
    /// Print a public key as minisign reads it.
    #[command(after_help = "Example:\n  ampoule-sign minisign pubkey acme.pub > acme.minisign")]
    Pubkey(PublicKeyFile),
}

#[derive(Args)]
pub(crate) struct MinisignSign {
    /// Directory of a bundle that the key has signed.
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Private key.
    #[arg(long, value_name = "KEY")]
    pub(crate) key: PathBuf,
    #[command(flatten)]
    pub(crate) password: PasswordSource,
}

#[derive(Args)]
pub(crate) struct PublicKeyFile {
    /// Public key: SPKI PEM.
    #[arg(value_name = "PUBLIC")]
    pub(crate) public_key: PathBuf,
}

#[derive(Args)]
pub(crate) struct Passwd {
    /// Private key. Its file is replaced whole or not at all.
    #[arg(value_name = "KEY")]
    pub(crate) key: PathBuf,
    /// Leave the private key unencrypted: whoever can read the file can sign.
    #[arg(long, conflicts_with = "new_password_file")]
    pub(crate) no_encryption: bool,
    #[command(flatten)]
    pub(crate) password: PasswordSource,
    #[command(flatten)]
    pub(crate) new_password: NewPasswordSource,
}

#[derive(Args)]
pub(crate) struct Init {
    /// Directory with the component and its files.
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Publisher: a-z, 0-9, and -._ inside.
    #[arg(long)]
    pub(crate) publisher: String,
    /// Name of the model: a-z, 0-9, and -._ inside.
    #[arg(long)]
    pub(crate) name: String,
    /// Version, for people, such as 1.0.0.
    #[arg(long)]
    pub(crate) version: Version,
    /// Release number, for rollback protection: above that of every bundle published before.
    #[arg(long)]
    pub(crate) release: u64,
    /// Task interface that the component exports; may be repeated.
    #[arg(long = "task", value_name = "TASK", required = true)]
    pub(crate) tasks: Vec<String>,
    /// Component, by its path in DIR.
    #[arg(long, default_value = "component.wasm", value_name = "PATH")]
    pub(crate) component: String,
    /// Capability that the component asks for beyond the inert base; may be repeated.
    #[arg(long = "capability", value_name = "NAME")]
    pub(crate) capabilities: Vec<String>,
    /// Signed remark; may be repeated.
    #[arg(long = "annotation", value_name = "KEY=TEXT", value_parser = annotation)]
    pub(crate) annotations: Vec<(String, String)>,
    /// Licence, for people.
    #[arg(long)]
    pub(crate) license: Option<String>,
    /// Origin of the model, for people.
    #[arg(long)]
    pub(crate) source: Option<String>,
    /// Description of the model, for people.
    #[arg(long)]
    pub(crate) description: Option<String>,
    /// Last moment at which hosts load the bundle, such as 2027-12-31T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub(crate) not_after: Option<Timestamp>,
    /// Time of the manifest; by default now.
    #[arg(long, value_name = "TIME")]
    pub(crate) created: Option<Timestamp>,
    #[command(flatten)]
    pub(crate) files: FileOptions,
    #[command(flatten)]
    pub(crate) secrets: AllowedSecrets,
    #[command(flatten)]
    pub(crate) limits: LimitOptions,
}

/// Options of the commands that list the files of a directory.
#[derive(Args)]
pub(crate) struct FileOptions {
    /// Leave out files and directories that this pattern fits; may be repeated. Without a slash it fits names
    /// wherever they are (*.onnx), with one it fits paths from DIR on (onnx/*.onnx); ** goes over several
    /// directories.
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Take files that this pattern fits although programs leave such files for themselves; may be repeated.
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,
}

impl FileOptions {
    /// Adds the patterns to rules.
    pub(crate) fn add_to(&self, mut rules: FileRules) -> ampoule_signing::Result<FileRules> {
        for glob in &self.exclude {
            rules = rules.exclude(glob)?;
        }
        for glob in &self.include {
            rules = rules.include(glob)?;
        }
        Ok(rules)
    }
}

/// The option of every command that publishes files.
#[derive(Args)]
pub(crate) struct AllowedSecrets {
    /// Publish files that this pattern fits although they look like secrets; may be repeated.
    #[arg(long = "allow-secret", value_name = "GLOB")]
    allowed: Vec<String>,
}

impl AllowedSecrets {
    /// Rules that let these pass.
    pub(crate) fn rules(&self) -> ampoule_signing::Result<FileRules> {
        let mut allowed = self.allowed.iter();
        allowed.try_fold(FileRules::new(), |rules, glob| rules.allow_secret(glob))
    }
}

/// Resources that one sandbox needs. Those that are not given are guessed from the size of the files.
#[derive(Args)]
#[command(next_help_heading = "Limits (by default guessed from the size of the files)")]
pub(crate) struct LimitOptions {
    /// Memory of a request, such as 256MiB.
    #[arg(long)]
    pub(crate) memory: Option<ByteSize>,
    /// Fuel of a request.
    #[arg(long)]
    pub(crate) fuel: Option<Fuel>,
    /// Time of a request, such as 5s or 500ms.
    #[arg(long, value_parser = parse_time, value_name = "TIME")]
    pub(crate) timeout: Option<Duration>,
    /// Answer to a request, such as 1MiB.
    #[arg(long, value_name = "SIZE")]
    pub(crate) output: Option<ByteSize>,
    /// Memory of loading.
    #[arg(long, value_name = "MEMORY")]
    pub(crate) init_memory: Option<ByteSize>,
    /// Fuel of loading.
    #[arg(long, value_name = "FUEL")]
    pub(crate) init_fuel: Option<Fuel>,
    /// Time of loading.
    #[arg(long, value_parser = parse_time, value_name = "TIME")]
    pub(crate) init_timeout: Option<Duration>,
}

#[derive(Args)]
pub(crate) struct Sign {
    /// Directory with manifest.json and the files it lists.
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Private key; may be repeated, and then all have the same password.
    #[arg(
        long = "key",
        value_name = "KEY",
        required_unless_present = "one_time_key"
    )]
    pub(crate) keys: Vec<PathBuf>,
    /// Make a key, sign with it and forget it: only its public half is written, to this file. Nobody can sign a next
    /// release with that key.
    #[arg(long, value_name = "FILE", conflicts_with = "keys")]
    pub(crate) one_time_key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) secrets: AllowedSecrets,
    #[command(flatten)]
    pub(crate) password: PasswordSource,
}

#[derive(Args)]
pub(crate) struct Cosign {
    /// Bundle.
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Private key.
    #[arg(long, value_name = "KEY")]
    pub(crate) key: PathBuf,
    /// Sign this model and nothing else, without asking: acme/minilm, acme/minilm@1.2 or acme/minilm@sha256:DIGEST of
    /// the manifest. Only the digest names every byte.
    #[arg(long, value_name = "MODEL")]
    pub(crate) expect: Option<ModelReference>,
    #[command(flatten)]
    pub(crate) password: PasswordSource,
}

#[derive(Args)]
pub(crate) struct Verify {
    /// Bundle: a directory or a packed file.
    #[arg(value_name = "BUNDLE")]
    pub(crate) bundle: PathBuf,
    /// Trust directory, with the keys that may sign models.
    #[arg(
        long,
        value_name = "DIR",
        env = "AMPOULE_TRUST",
        required_unless_present = "public_key"
    )]
    pub(crate) trust: Option<PathBuf>,
    /// Trust this key only, instead of a trust directory.
    #[arg(long, value_name = "FILE")]
    pub(crate) public_key: Option<PathBuf>,
    /// Publisher that the public key may sign for; by default the one that the bundle names.
    #[arg(long, value_name = "NAME", requires = "public_key")]
    pub(crate) publisher: Option<String>,
    /// Model that is expected: acme/minilm, acme/minilm@1.2 or sha256:DIGEST of the manifest.
    #[arg(long, value_name = "MODEL")]
    pub(crate) expect: Option<ModelReference>,
}

#[derive(Args)]
pub(crate) struct Inspect {
    /// Bundle: a directory or a packed file.
    #[arg(value_name = "BUNDLE")]
    pub(crate) bundle: PathBuf,
}

#[derive(Args)]
pub(crate) struct Digest {
    /// Directory. The paths in the list are relative to it.
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) files: FileOptions,
}

#[derive(Args)]
pub(crate) struct Pack {
    /// Directory with the signed bundle.
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// File to write. An existing file is never overwritten.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) secrets: AllowedSecrets,
}

#[derive(Args)]
pub(crate) struct Unpack {
    /// Packed bundle.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Directory to make. An existing one is never written into.
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
}

fn annotation(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .ok_or_else(|| "expected KEY=TEXT".to_owned())
}
