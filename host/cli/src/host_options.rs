//! The options of commands that make a host, or look at its cache.

use std::path::PathBuf;

use ampoule::Capability;
use ampoule_command_line::parse_switch;
use clap::Args;

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
    #[command(flatten)]
    pub(crate) cache: CacheOptions,

    /// Let the same request give the same bits for the same fuel, on every machine: clocks stand still,
    /// random numbers are always the same, arithmetic is slower.
    #[arg(long, env = "AMPOULE_DETERMINISTIC", value_parser = parse_switch, num_args = 0)]
    pub(crate) deterministic: bool,

    /// What guests' clocks are rounded down to, from 1us to 1s; by default 1ms. A finer clock tells a guest
    /// more about what else this machine does.
    #[arg(long, value_name = "TIME", env = "AMPOULE_CLOCK_RESOLUTION")]
    pub(crate) clock_resolution: Option<Resolution>,

    /// Let models have a capability that name it in their signed manifest; may be repeated. host-kernels:
    /// this program multiplies matrices for them, outside the sandbox, which is faster.
    #[arg(
        long,
        value_name = "NAME",
        env = "AMPOULE_ALLOW",
        value_delimiter = ','
    )]
    pub(crate) allow: Vec<Capability>,

    /// How many threads multiply for models that have host-kernels, all together [default: each guest's
    /// own].
    #[arg(long, value_name = "N", env = "AMPOULE_KERNEL_THREADS")]
    pub(crate) kernel_threads: Option<usize>,

    #[command(flatten)]
    pub(crate) limits: LimitOptions,
}

/// The options that say where compiled models are kept.
#[derive(Debug, Default, Args)]
pub(crate) struct CacheOptions {
    /// The directory that keeps compiled models; by default `ampoule` in the user's cache directory.
    #[arg(long, global = true, value_name = "DIR", env = "AMPOULE_CACHE")]
    pub(crate) cache: Option<PathBuf>,

    /// Keep no compiled model, and take none that is kept, whatever directory is named.
    #[arg(long, global = true, env = "AMPOULE_NO_CACHE", value_parser = parse_switch, num_args = 0)]
    pub(crate) no_cache: bool,
}
