//! Caps on the resources that models may ask for, below the host's own limits.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use ampoule_units::{ByteSize, Fuel, ParseError, time_text};

use crate::bundle::names::check_interface;
use crate::values::json::MAX_INTEGER;

/// Caps on a manifest's limits. The host compares, and refuses a manifest that asks for more; it never lowers a limit
/// to a cap. `None` leaves a limit to the host's own, which hold anyway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caps {
    /// The capabilities that the manifest may name.
    pub capabilities: Option<BTreeSet<String>>,
    /// Memories and tables of one sandbox.
    pub memory: Option<ByteSize>,
    /// Fuel of one request.
    pub fuel: Option<Fuel>,
    /// Time of one request.
    pub deadline: Option<Duration>,
    /// The answer to one request.
    pub output: Option<ByteSize>,
    /// Caps on loading.
    pub init: InitCaps,
}

/// Caps on the limits of `lifecycle.init`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InitCaps {
    /// Memories and tables.
    pub memory: Option<ByteSize>,
    /// Fuel.
    pub fuel: Option<Fuel>,
    /// Time.
    pub deadline: Option<Duration>,
}

impl Caps {
    /// Returns true if nothing is capped.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Reads the name of a capability, as a document may hold it.
    ///
    /// # Errors
    ///
    /// For a name that no interface can have.
    pub fn parse_capability(text: &str) -> Result<String, ParseError> {
        check_interface(text).map_err(ParseError)?;
        Ok(text.to_owned())
    }

    /// Reads a cap on memory or output, as a document may hold it.
    ///
    /// # Errors
    ///
    /// For another text than that of a size above 0.
    pub fn parse_size(text: &str) -> Result<ByteSize, ParseError> {
        match text.parse::<ByteSize>()? {
            size if size.bytes() == 0 => Err(ParseError("expected a size above 0".to_owned())),
            size => Ok(size),
        }
    }

    /// Reads a cap on fuel, as a document may hold it.
    ///
    /// # Errors
    ///
    /// For another text than that of a number from 1 to 2^53 − 1.
    pub fn parse_fuel(text: &str) -> Result<Fuel, ParseError> {
        let fuel: Fuel = text.parse()?;
        if (1..=MAX_INTEGER).contains(&fuel.get()) {
            return Ok(fuel);
        }
        Err(ParseError(format!("expected from 1 to {MAX_INTEGER}")))
    }

    /// Returns the lower of each two caps: the models may ask for no more than both allow.
    #[must_use]
    pub fn lowest(&self, other: &Self) -> Self {
        let capabilities = match (&self.capabilities, &other.capabilities) {
            (Some(own), Some(others)) => Some(own.intersection(others).cloned().collect()),
            (own, others) => own.as_ref().or(others.as_ref()).cloned(),
        };
        Self {
            capabilities,
            memory: lower(self.memory, other.memory),
            fuel: lower(self.fuel, other.fuel),
            deadline: lower(self.deadline, other.deadline),
            output: lower(self.output, other.output),
            init: InitCaps {
                memory: lower(self.init.memory, other.init.memory),
                fuel: lower(self.init.fuel, other.init.fuel),
                deadline: lower(self.init.deadline, other.init.deadline),
            },
        }
    }
}

fn lower<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Lists the caps in one line.
impl fmt::Display for Caps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        let mut part = |what: &str, cap: Option<String>| {
            parts.extend(cap.map(|cap| format!("{what} {cap}")));
        };
        part("memory", self.memory.map(|size| size.to_string()));
        part("fuel", self.fuel.map(|fuel| fuel.to_string()));
        part("time", self.deadline.map(time_text));
        part("output", self.output.map(|size| size.to_string()));
        part(
            "memory for init",
            self.init.memory.map(|size| size.to_string()),
        );
        part("fuel for init", self.init.fuel.map(|fuel| fuel.to_string()));
        part("time for init", self.init.deadline.map(time_text));
        part(
            "capabilities",
            self.capabilities.as_ref().map(|names| {
                if names.is_empty() {
                    return "none".to_owned();
                }
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                names.join(" ")
            }),
        );
        f.write_str(&parts.join(", "))
    }
}
