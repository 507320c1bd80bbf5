//! Facts that a model tells of itself, by the keys of the contract.

use std::str::FromStr;

use ampoule::ModelInfo;

/// Tokens of the longest text, special tokens included.
const MAX_TOKENS: &str = "text.max-tokens";

/// Values of one vector.
const DIMENSIONS: &str = "embedding.dimensions";

/// The shorter lengths that the model was trained for too (Kusupati et al. 2022, "Matryoshka Representation Learning"),
/// in decimal, between commas.
const MATRYOSHKA: &str = "embedding.matryoshka-dimensions";

/// Pixels of the picture that the model's encoder sees.
const IMAGE_WIDTH: &str = "image.width";

/// The facts of one model. A fact that is absent, or has not the form of its key, is `None`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Properties<'m>(&'m [(String, String)]);

impl<'m> Properties<'m> {
    pub(crate) fn of(info: &'m ModelInfo) -> Self {
        Self(&info.properties)
    }

    /// Returns the most tokens of a text that the model reads.
    pub(crate) fn max_tokens(self) -> Option<u64> {
        self.number(MAX_TOKENS)
    }

    /// Returns the number of values of a vector.
    pub(crate) fn dimensions(self) -> Option<usize> {
        self.number(DIMENSIONS)
    }

    /// Returns the lengths to which vectors of `own` values may be cut.
    pub(crate) fn shorter_dimensions(self, own: usize) -> Vec<usize> {
        let lengths = self.text(MATRYOSHKA).unwrap_or_default().split(',');
        let lengths = lengths.filter_map(|length| length.trim().parse().ok());
        lengths.filter(|length| (1..own).contains(length)).collect()
    }

    /// Tells whether the model sees pictures.
    pub(crate) fn sees_pictures(self) -> bool {
        self.number::<u64>(IMAGE_WIDTH).is_some()
    }

    fn number<T: FromStr>(self, key: &str) -> Option<T> {
        self.text(key)?.parse().ok()
    }

    fn text(self, key: &str) -> Option<&'m str> {
        let found = self.0.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.as_str())
    }
}
