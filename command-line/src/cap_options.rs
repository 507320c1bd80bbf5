//! Options for caps, the same for `trust.toml` and for a root.

use std::time::Duration;

use ampoule_signing::{ByteSize, Caps, Fuel, parse_time};
use clap::{Args, ValueEnum};

/// Changes of [`Caps`]. Caps that are not given stay as they were.
///
/// All of the options begin with `--cap-`: without it, `ampoule` has options of the same names for the host's own
/// limits.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Caps on the models, below the host's own limits")]
pub struct CapOptions {
    /// Capability that the models may ask for; may be repeated. Given once, all others are refused.
    #[arg(long = "cap-capability", value_name = "NAME", value_parser = Caps::parse_capability)]
    capabilities: Vec<String>,
    /// No capability at all.
    #[arg(long, conflicts_with = "capabilities")]
    cap_no_capability: bool,
    /// Memory of one sandbox, such as 256MiB.
    #[arg(long, value_name = "SIZE", value_parser = Caps::parse_size)]
    cap_memory: Option<ByteSize>,
    /// Fuel of one request.
    #[arg(long, value_name = "N", value_parser = Caps::parse_fuel)]
    cap_fuel: Option<Fuel>,
    /// Time of one request, such as 5s or 500ms.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    cap_timeout: Option<Duration>,
    /// Output of one call.
    #[arg(long, value_name = "SIZE", value_parser = Caps::parse_size)]
    cap_output: Option<ByteSize>,
    /// Memory while loading.
    #[arg(long, value_name = "SIZE", value_parser = Caps::parse_size)]
    cap_init_memory: Option<ByteSize>,
    /// Fuel of loading.
    #[arg(long, value_name = "N", value_parser = Caps::parse_fuel)]
    cap_init_fuel: Option<Fuel>,
    /// Time of loading.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    cap_init_timeout: Option<Duration>,
    /// Cap to take away; may be repeated. The host's own limit still holds.
    #[arg(long = "no-cap", value_name = "CAP")]
    taken_away: Vec<Cap>,
}

/// A cap, as `--no-cap` names it.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Cap {
    Capability,
    Memory,
    Fuel,
    Timeout,
    Output,
    InitMemory,
    InitFuel,
    InitTimeout,
}

impl CapOptions {
    /// Applies the changes to these caps.
    #[must_use]
    pub fn apply(&self, mut caps: Caps) -> Caps {
        for cap in &self.taken_away {
            match cap {
                Cap::Capability => caps.capabilities = None,
                Cap::Memory => caps.memory = None,
                Cap::Fuel => caps.fuel = None,
                Cap::Timeout => caps.deadline = None,
                Cap::Output => caps.output = None,
                Cap::InitMemory => caps.init.memory = None,
                Cap::InitFuel => caps.init.fuel = None,
                Cap::InitTimeout => caps.init.deadline = None,
            }
        }
        if self.cap_no_capability || !self.capabilities.is_empty() {
            caps.capabilities = Some(self.capabilities.iter().cloned().collect());
        }
        set(&mut caps.memory, self.cap_memory);
        set(&mut caps.fuel, self.cap_fuel);
        set(&mut caps.deadline, self.cap_timeout);
        set(&mut caps.output, self.cap_output);
        set(&mut caps.init.memory, self.cap_init_memory);
        set(&mut caps.init.fuel, self.cap_init_fuel);
        set(&mut caps.init.deadline, self.cap_init_timeout);
        caps
    }
}

fn set<T>(cap: &mut Option<T>, given: Option<T>) {
    if given.is_some() {
        *cap = given;
    }
}
