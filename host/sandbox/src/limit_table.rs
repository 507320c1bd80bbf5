//! Names of all limits that an operator sets, and remedies that errors name.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::Limits;

macro_rules! limits {
    ($($(#[doc = $doc:literal])* $name:ident => $($field:ident).+,)*) => {
        /// One of the fields of [`Limits`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum Limit {
            $($(#[doc = $doc])* $name,)*
        }

        impl Limit {
            /// Every limit, in the order of the fields.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Returns the field of [`Limits`], such as `image` or `init.memory`.
            #[must_use]
            pub fn field(self) -> &'static str {
                match self {
                    $(Self::$name => concat_fields!($($field).+),)*
                }
            }

            /// Returns the field's value in `limits`, as `{:?}` shows it.
            #[must_use]
            pub fn shown_in(self, limits: &Limits) -> String {
                match self {
                    $(Self::$name => format!("{:?}", limits.$($field).+),)*
                }
            }
        }
    };
}

macro_rules! concat_fields {
    ($field:ident) => {
        stringify!($field)
    };
    ($outer:ident . $inner:ident) => {
        concat!(stringify!($outer), ".", stringify!($inner))
    };
}

limits! {
    /// Memory of one sandbox.
    Memory => memory,
    /// Fuel of one request.
    Fuel => fuel,
    /// Time of one request.
    Deadline => deadline,
    /// Bytes that a guest hands over in one call.
    Output => output,
    /// Chunks of one generation.
    Chunks => chunks,
    /// Time between two chunks.
    Idle => idle,
    /// Memory of `init`.
    InitMemory => init.memory,
    /// Fuel of `init`.
    InitFuel => init.fuel,
    /// Time of `init`.
    InitDeadline => init.deadline,
    /// Memory of the process that compiles.
    CompileMemory => compile.memory,
    /// Time of the process that compiles.
    CompileTime => compile.time,
    /// Bytes of one sandbox's log.
    Log => log,
    /// Bytes of one image.
    Image => image,
    /// Pixels of one image.
    ImagePixels => image_pixels,
    /// Images of one request.
    Images => images,
    /// Characters of one text.
    TextChars => text_chars,
    /// Texts of one request.
    Texts => texts,
    /// Turns of one conversation.
    Turns => turns,
    /// Bytes of a component.
    Component => component,
    /// Bytes of a bundle.
    Bundle => bundle,
    /// Sandboxes alive at once.
    Sandboxes => sandboxes,
    /// Requests that wait.
    Queue => queue,
    /// Loads at once.
    Loads => loads,
    /// Loads that wait.
    WaitingLoads => waiting_loads,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.field())
    }
}

/// The setting that would have prevented an error; see [`Error::remedy`](crate::Error::remedy).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Remedy {
    /// A higher limit of the host.
    Limit {
        /// The limit.
        limit: Limit,
        /// The least value that suffices, where it is known: a number, or a size such as `3MiB`.
        enough: Option<String>,
    },
    /// A higher cap in the trust in whoever signed the model.
    PublisherCap {
        /// The limit that the cap is of.
        limit: Limit,
        /// The least value that suffices.
        enough: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_the_limits_has_a_name() {
        let limits = Limits::default();
        let shown = format!("{limits:?}");
        for limit in Limit::ALL {
            let field = limit.field().rsplit('.').next().unwrap_or_default();
            let expected = format!("{field}: {}", limit.shown_in(&limits));
            assert!(shown.contains(&expected), "{expected} is not in {shown}");
        }
        // Each field is a name and a colon; those that hold others have a brace besides.
        let fields = shown.matches(": ").count();
        let groups = shown.matches('{').count() - 1;
        assert_eq!(fields - groups, Limit::ALL.len(), "{shown}");
    }
}
