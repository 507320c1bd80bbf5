//! The command line.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;

use ampoule::RequestLimits;
use ampoule_command_line::{CompletionsOptions, JSON_VARIABLE, ManOptions, parse_switch};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::audit_arguments::AuditCommand;
use crate::audit_options::AuditOptions;
use crate::auth_options::AuthOptions;
use crate::host_options::{CacheOptions, HostOptions, OnHost};
use crate::keys_arguments::KeysCommand;
use crate::logging::LogOptions;
use crate::lower_limits::{self, LOWERING};
use crate::model_option::{ExpectOption, ModelOption};
use crate::prompt::{AnswerOptions, PromptOptions};
use crate::server_options::ServerOptions;
use crate::tls_options::TlsOptions;
use crate::trust_arguments::TrustCommand;

/// Runs signed machine-learning models in sandboxes.
#[derive(Debug, Parser)]
#[command(
    name = "ampoule",
    version,
    after_help = "Example:\n  ampoule ask --image photo.jpg \"What is in the picture?\"\n  ampoule trust \
                  add --trust trust --publisher acme acme.pub.pem\n  ampoule embed --model \
                  models/minilm --trust trust \"Where is the library?\""
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Print one JSON document to standard output, also for errors, --help and --version. The variable may be
    /// 1, true, yes or on; 0, false, no, off or empty ask for none.
    #[arg(long, global = true, env = JSON_VARIABLE, value_parser = parse_switch, num_args = 0)]
    pub(crate) json: bool,

    /// Write more on standard error; twice for guests' own messages, three times for each step.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,

    /// Trust directory: the rules that say whose models run.
    #[arg(long, global = true, value_name = "DIR", env = "AMPOULE_TRUST")]
    pub(crate) trust: Option<PathBuf>,

    /// State directory: it remembers the release of each model that was run here. By default it is the trust
    /// directory.
    #[arg(long, global = true, value_name = "DIR", env = "AMPOULE_STATE")]
    pub(crate) state: Option<PathBuf>,

    /// Accept bundles, keys, trust and state that somebody besides you and root could have changed: with a warning,
    /// instead of refusing them. The configuration file cannot set this.
    #[arg(long, global = true, env = "AMPOULE_INSECURE_PERMISSIONS", value_parser = parse_switch, num_args = 0)]
    pub(crate) insecure_permissions: bool,

    /// TOML file with the same settings as these options. Options and variables come first.
    #[arg(long, global = true, value_name = "FILE", env = "AMPOULE_CONFIG")]
    pub(crate) config: Option<PathBuf>,

    /// The options of [`LOWERING`] that stand on the command line itself, and not in a variable.
    #[arg(skip)]
    lowering: Vec<&'static str>,

    /// The options that are given, on the command line or by a variable.
    #[arg(skip)]
    given: BTreeSet<String>,
}

impl Arguments {
    /// Reads the command line of this process.
    pub(crate) fn read() -> Result<Self, clap::Error> {
        Self::read_from(std::env::args_os())
    }

    pub(crate) fn read_from<T: Into<OsString> + Clone>(
        words: impl IntoIterator<Item = T>,
    ) -> Result<Self, clap::Error> {
        let mut command = Self::command();
        let matches = command.try_get_matches_from_mut(words)?;
        let mut arguments =
            Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
        if let Some((_, command)) = matches.subcommand() {
            let is_given = |option: &&str| is_on_command_line(command, option);
            arguments.lowering = LOWERING.into_iter().filter(is_given).collect();
        }
        arguments.given = given(&matches);
        Ok(arguments)
    }

    /// Returns the long names of the options that are given, on the command line or by a variable.
    pub(crate) fn given(&self) -> &BTreeSet<String> {
        &self.given
    }

    /// Returns the options of the host that the command makes, if it makes one.
    pub(crate) fn host(&self) -> Option<&HostOptions> {
        match &self.command {
            Command::Ask(on) => Some(&on.host),
            Command::Classify(on) => Some(&on.host),
            Command::Embed(on) => Some(&on.host),
            Command::Tokenize(on) => Some(&on.host),
            Command::Inspect(on) | Command::Verify(on) => Some(&on.host),
            Command::Bench(on) => Some(&on.host),
            Command::Serve(on) => Some(&on.host),
            Command::Cache(_)
            | Command::Audit(_)
            | Command::Keys(_)
            | Command::Trust(_)
            | Command::Man(_)
            | Command::Completions(_) => None,
        }
    }

    /// Returns the options of the log, if the command is a server.
    pub(crate) fn server_log(&self) -> Option<LogOptions> {
        match &self.command {
            Command::Serve(on) => Some(on.command.log),
            _ => None,
        }
    }

    /// Returns the options that say where compiled models are kept, if the command has them.
    pub(crate) fn cache(&self) -> Option<&CacheOptions> {
        match &self.command {
            Command::Cache(command) => Some(&command.options),
            _ => self.host().map(|host| &host.cache),
        }
    }

    /// Returns the limits that the options of this call set below those of the model. A variable and the
    /// configuration file hold the operator's caps, and so do the options of commands that make no request.
    pub(crate) fn for_this_call(&self) -> RequestLimits {
        match &self.command {
            Command::Ask(_)
            | Command::Classify(_)
            | Command::Embed(_)
            | Command::Tokenize(_)
            | Command::Bench(_) => self.host().map_or_else(RequestLimits::default, |host| {
                lower_limits::of_call(&host.limits, &self.lowering)
            }),
            _ => RequestLimits::default(),
        }
    }
}

/// Tells whether an option that the command has stands on the command line, and not in a variable.
fn is_on_command_line(command: &ArgMatches, id: &str) -> bool {
    command.try_contains_id(id).unwrap_or(false)
        && command.value_source(id) == Some(ValueSource::CommandLine)
}

/// Lists the options of the command and of those above it that have a value which is no default.
fn given(matches: &ArgMatches) -> BTreeSet<String> {
    let mut given = BTreeSet::new();
    let mut at = Some(matches);
    while let Some(matches) = at {
        let is_given = |id: &&clap::Id| {
            // A value that a command passes on to those below it is no option of theirs.
            matches.try_contains_id(id.as_str()).unwrap_or(false)
                && matches.value_source(id.as_str()) != Some(ValueSource::DefaultValue)
        };
        let names = matches.ids().filter(is_given);
        given.extend(names.map(|id| id.as_str().replace('_', "-")));
        at = matches.subcommand().map(|(_, matches)| matches);
    }
    given
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Ask a question, about pictures or without any. The answer is printed as it is written.
    #[command(after_help = "Example:\n  ampoule ask --image photo.jpg \"What is in the picture?\"")]
    Ask(Box<OnHost<PromptOptions>>),
    /// Classify a picture by the model's labels.
    #[command(after_help = "Example:\n  ampoule classify --image photo.jpg --top-k 3")]
    Classify(Box<OnHost<ClassifyCommand>>),
    /// Turn texts, or pictures, into vectors.
    #[command(
        after_help = "Example:\n  ampoule embed --model models/minilm --trust trust \"Where is the library?\""
    )]
    Embed(Box<OnHost<EmbedCommand>>),
    /// Show the tokens of texts.
    #[command(
        after_help = "Example:\n  ampoule tokenize --model models/minilm --trust trust \"Where is the library?\""
    )]
    Tokenize(Box<OnHost<TextCommand>>),
    /// Answer over HTTP, by the routes of OpenAI's, Ollama's, KServe's and text-embeddings-inference's clients.
    #[command(
        after_help = "Example:\n  ampoule serve\n  ampoule serve --built-in --model models/minilm --trust trust --listen 127.0.0.1:8000"
    )]
    Serve(Box<OnHost<ServeCommand>>),
    /// Show a bundle: its model, its signers, the resources that it asks for, and its real imports.
    #[command(after_help = "Example:\n  ampoule inspect models/minilm --trust trust")]
    Inspect(Box<OnHost<BundleCommand>>),
    /// Check that every file of a bundle is as it was signed and that this host would run it. Only then the status is
    /// 0.
    #[command(after_help = "Example:\n  ampoule verify models/minilm --trust trust")]
    Verify(Box<OnHost<BundleCommand>>),
    /// Measure the costs of a model here: loading it, making sandboxes and, with a prompt, answering.
    #[command(
        after_help = "Example:\n  ampoule bench models/minilm --trust trust\n  ampoule bench --image \
                      photo.jpg --prompt \"What is in the picture?\" --runs 20"
    )]
    Bench(Box<OnHost<BenchCommand>>),
    /// List, check or remove the compiled models that are kept on this machine.
    #[command(after_help = "Example:\n  ampoule cache list\n  ampoule cache clear")]
    Cache(CacheCommand),
    /// Make, list, replace and end API keys.
    #[command(
        after_help = "Example:\n  ampoule keys add --keys keys --role infer --tenant acme\n  ampoule keys list --keys \
                      keys"
    )]
    Keys(KeysCommand),
    /// Check and read audit logs.
    #[command(
        after_help = "Example:\n  ampoule audit keygen auditor.key\n  ampoule audit verify log --key audit.pub \
                      --anchor-file anchors"
    )]
    Audit(AuditCommand),
    /// Change and show the rules that say whose models run here.
    #[command(
        subcommand,
        after_help = "Example:\n  ampoule trust add --trust trust --publisher acme acme.pub.pem\n  ampoule \
                      trust list --trust trust"
    )]
    Trust(TrustCommand),
    /// Print a manual page, or write one for each command.
    #[command(
        after_help = "Example:\n  ampoule man --dir man/man1\n  man --manpath man ampoule-trust-add"
    )]
    Man(ManOptions),
    /// Print the script that completes commands and options in a shell.
    #[command(
        after_help = "Example:\n  ampoule completions bash > ~/.local/share/bash-completion/completions/ampoule\n  \
                      ampoule completions zsh > \"${fpath[1]}/_ampoule\"\n  ampoule completions fish > \
                      ~/.config/fish/completions/ampoule.fish"
    )]
    Completions(CompletionsOptions),
}

#[derive(Debug, Args)]
pub(crate) struct CacheCommand {
    #[command(subcommand)]
    pub(crate) action: CacheAction,

    #[command(flatten)]
    options: CacheOptions,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CacheAction {
    /// List the entries, without checking them.
    #[command(after_help = "Example:\n  ampoule cache list --json")]
    List,
    /// Check every entry. The status is 0 only if each could be used.
    #[command(after_help = "Example:\n  ampoule cache verify")]
    Verify,
    /// Remove the least recently used entries that are over the cache's bounds. Each entry that is added does the
    /// same.
    #[command(
        after_help = "Example:\n  ampoule cache prune\n  ampoule cache prune --cache-size 1GiB --cache-age 30d"
    )]
    Prune,
    /// Remove every entry. Models are compiled again when they are loaded.
    #[command(after_help = "Example:\n  ampoule cache clear")]
    Clear,
}

#[derive(Debug, Args)]
pub(crate) struct TextCommand {
    #[command(flatten)]
    pub(crate) model: ModelOption,

    /// Texts; `-` reads standard input, one text a line.
    // The limit `--texts` has the id that the field would give.
    #[arg(id = "text", required = true, value_name = "TEXT")]
    pub(crate) texts: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct EmbedCommand {
    #[command(flatten)]
    pub(crate) model: ModelOption,

    /// Texts; `-` reads standard input, one text a line.
    #[arg(id = "text", required_unless_present = "image", value_name = "TEXT")]
    pub(crate) texts: Vec<String>,

    /// Picture instead of texts: a PNG, JPEG or WebP file, or `-` for standard input; may be repeated.
    #[arg(
        id = "image",
        long = "image",
        value_name = "FILE",
        conflicts_with = "text"
    )]
    pub(crate) images: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ClassifyCommand {
    #[command(flatten)]
    pub(crate) model: ModelOption,

    /// Picture: a PNG, JPEG or WebP file, or `-` for standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) image: PathBuf,

    /// Number of labels to show, the likeliest first.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) top_k: u32,
}

#[derive(Debug, Args)]
pub(crate) struct ServeCommand {
    /// Bundle of a model, a directory or a packed file; may be repeated. It is served under the name of its directory
    /// or file, and newer releases that are put in its place take over. By default the models of the configuration
    /// file are served, and without any the built-in model.
    #[arg(long = "model", value_name = "BUNDLE", env = "AMPOULE_MODEL")]
    pub(crate) models: Vec<PathBuf>,

    /// Serve the built-in model, under the name tiny-vlm, beside those of --model. It is served by default where no
    /// other model is named.
    #[arg(long, env = "AMPOULE_BUILT_IN", value_parser = parse_switch, num_args = 0)]
    pub(crate) built_in: bool,

    #[command(flatten)]
    pub(crate) server: ServerOptions,

    #[command(flatten)]
    pub(crate) tls: TlsOptions,

    #[command(flatten)]
    pub(crate) auth: AuthOptions,

    #[command(flatten)]
    pub(crate) audit: AuditOptions,

    #[command(flatten)]
    pub(crate) log: LogOptions,
}

#[derive(Debug, Args)]
pub(crate) struct BenchCommand {
    #[command(flatten)]
    pub(crate) bundle: BundleCommand,

    /// Question to ask too, and to measure the answers to.
    #[arg(long, value_name = "PROMPT")]
    pub(crate) prompt: Option<String>,

    #[command(flatten)]
    pub(crate) answer: AnswerOptions,

    /// Number of sandboxes to make.
    // The limit `--sandboxes` has the name that this would have.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) rounds: u32,

    /// Number of times to ask, each in a sandbox of its own.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) runs: u32,
}

#[derive(Debug, Args)]
pub(crate) struct BundleCommand {
    /// Bundle: a directory or a packed file. By default the built-in model.
    #[arg(value_name = "BUNDLE")]
    pub(crate) bundle: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) expect: ExpectOption,
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_does_not_contradict_itself() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn each_option_of_a_host_stands_under_a_heading_of_its_own_kind() {
        let mut command = Arguments::command();
        command.build();
        for name in [
            "ask", "bench", "classify", "embed", "inspect", "serve", "tokenize", "verify",
        ] {
            let command = command.find_subcommand(name).unwrap();
            let heading = |option| {
                let argument = command
                    .get_arguments()
                    .find(|a| a.get_long() == Some(option));
                argument.unwrap().get_help_heading()
            };
            for option in ["cache", "cache-size", "cache-age", "no-cache"] {
                assert_eq!(heading(option), Some("Cache"), "{name} --{option}");
            }
            for option in [
                "deterministic",
                "clock-resolution",
                "allow",
                "kernel-threads",
            ] {
                assert_eq!(heading(option), Some("Host"), "{name} --{option}");
            }
            for option in ["memory", "loads"] {
                assert_eq!(heading(option), Some("Limits"), "{name} --{option}");
            }
            assert_eq!(heading("trust"), None, "{name}");
        }
    }

    #[test]
    fn a_limit_of_the_host_is_no_option_of_trust() {
        let add = ["ampoule", "trust", "add", "--publisher", "acme", "acme.pub"];
        let read = |more: &[&str]| Arguments::read_from([&add, more].concat());
        assert!(read(&["--cap-memory", "64MiB"]).is_ok());
        let limits = HostOptions::augment_args(clap::Command::new("host"));
        let options = limits
            .get_arguments()
            .filter_map(|option| option.get_long());
        let mut count = 0;
        for option in options {
            let option = format!("--{option}");
            let message = read(&[&option, "7"]).unwrap_err().to_string();
            assert!(
                message.starts_with(&format!("error: unexpected argument '{option}'")),
                "{message}"
            );
            count += 1;
        }
        assert!(count > 20);
        let message = read(&["--memory", "64MiB"]).unwrap_err().to_string();
        assert!(message.contains("'--cap-memory'"), "{message}");
        assert!(Arguments::read_from(["ampoule", "verify", "--memory", "64MiB"]).is_ok());
    }
}
