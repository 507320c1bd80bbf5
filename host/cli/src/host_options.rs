//! The options of commands that make a host, or look at its cache.

use std::path::PathBuf;

use ampoule::{ByteSize, Capability};
use ampoule_command_line::parse_switch;
use clap::Args;

use crate::age::Age;
use crate::limit_options::{LimitOptions, Resolution};

/// A command's own options, and those of the host that it makes.
#[derive(Debug, Args)]
pub(crate) struct OnHost<C: Args> {
    #[command(flatten)]
    pub(crate) command: C,

    #[command(flatten)]
    pub(crate) host: HostOptions,
}

/// The options of a host. Their variables are read by the commands that have these options, and by no other.
#[derive(Debug, Default, Args)]
pub(crate) struct HostOptions {
    /// Give the same request the same bits for the same fuel, on every machine: clocks stand still, random numbers
    /// are always the same, arithmetic is slower.
    #[arg(long, env = "AMPOULE_DETERMINISTIC", value_parser = parse_switch, num_args = 0, help_heading = "Host")]
    pub(crate) deterministic: bool,

    /// Resolution of guests' clocks, from 1us to 1s; by default 1ms. A finer clock tells a guest more about the rest
    /// of this machine.
    #[arg(
        long,
        value_name = "TIME",
        env = "AMPOULE_CLOCK_RESOLUTION",
        help_heading = "Host"
    )]
    pub(crate) clock_resolution: Option<Resolution>,

    /// Capability that models may have if their signed manifest names it; may be repeated. host-kernels: this program
    /// multiplies matrices for them, outside the sandbox, which is faster.
    #[arg(
        long,
        value_name = "NAME",
        env = "AMPOULE_ALLOW",
        value_delimiter = ',',
        help_heading = "Host"
    )]
    pub(crate) allow: Vec<Capability>,

    /// Number of threads that multiply for models with host-kernels, all together [default: each guest's own].
    #[arg(
        long,
        value_name = "N",
        env = "AMPOULE_KERNEL_THREADS",
        help_heading = "Host"
    )]
    pub(crate) kernel_threads: Option<usize>,

    #[command(flatten)]
    pub(crate) cache: CacheOptions,

    #[command(flatten)]
    pub(crate) limits: LimitOptions,
}

/// Options for the place of compiled models.
#[derive(Debug, Default, Args)]
pub(crate) struct CacheOptions {
    /// Directory for compiled models; by default `ampoule` in the user's cache directory.
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "AMPOULE_CACHE",
        help_heading = "Cache"
    )]
    pub(crate) cache: Option<PathBuf>,

    /// Most that the cache may hold [default: 8GiB]. The least recently used models leave it first.
    #[arg(
        long,
        global = true,
        value_name = "SIZE",
        env = "AMPOULE_CACHE_SIZE",
        help_heading = "Cache"
    )]
    pub(crate) cache_size: Option<ByteSize>,

    /// Longest that a model stays in the cache without being used, such as 12h [default: 90d].
    #[arg(
        long,
        global = true,
        value_name = "TIME",
        env = "AMPOULE_CACHE_AGE",
        help_heading = "Cache"
    )]
    pub(crate) cache_age: Option<Age>,

    /// Keep no compiled model, and use none that is kept, whatever directory is named.
    #[arg(long, global = true, env = "AMPOULE_NO_CACHE", value_parser = parse_switch, num_args = 0, help_heading = "Cache")]
    pub(crate) no_cache: bool,
}
