//! The place of inputs in their request, for errors.

use std::ops::Range;

use crate::error::ApiError;
use crate::said::{Part, Said, said};

/// The name of a field.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Field<'f> {
    Word(&'static str),
    Said(&'f Said),
}

impl From<&'static str> for Field<'_> {
    fn from(word: &'static str) -> Self {
        Self::Word(word)
    }
}

impl<'f> From<&'f Said> for Field<'f> {
    fn from(said: &'f Said) -> Self {
        Self::Said(said)
    }
}

impl From<Field<'_>> for Said {
    fn from(field: Field<'_>) -> Self {
        match field {
            Field::Word(word) => word.into(),
            Field::Said(said) => said.clone(),
        }
    }
}

impl Part for Field<'_> {
    fn add_to(&self, text: &mut String) {
        match self {
            Self::Word(word) => word.add_to(text),
            Self::Said(said) => said.add_to(text),
        }
    }
}

/// A field that holds one input or a list of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'p> {
    field: Field<'p>,
    is_list: bool,
}

impl<'p> Place<'p> {
    /// Makes the place of a list of inputs.
    pub(crate) fn list(field: impl Into<Field<'p>>) -> Self {
        Self {
            field: field.into(),
            is_list: true,
        }
    }

    /// Makes the place of one input that is in no list.
    pub(crate) fn one(field: impl Into<Field<'p>>) -> Self {
        Self {
            field: field.into(),
            is_list: false,
        }
    }

    /// Returns the name of an input, such as `texts[3]`.
    pub(crate) fn item(self, index: usize) -> Said {
        if self.is_list {
            said!("{}[{}]", self.field, index)
        } else {
            self.field.into()
        }
    }

    /// Refuses the inputs as a whole.
    pub(crate) fn invalid(self, fault: &'static str) -> ApiError {
        let message = said!("`{}`: {}", self.field, fault);
        ApiError::invalid(self.field, message)
    }

    /// Names the input or the inputs in an error about some of `count`. The library knows only those that it was given.
    pub(crate) fn name(self, range: &Range<usize>, count: usize, mut error: ApiError) -> ApiError {
        let is_of_inputs = error.code.starts_with("input.") || error.code.starts_with("guest.");
        if !is_of_inputs || error.param.is_some() {
            return error;
        }
        let last = range.end.saturating_sub(1);
        let is_one = range.start == last;
        if is_one {
            error.message = said!("`{}`: {}", self.item(last), error.message);
        } else if range.len() < count {
            let (first, last) = (self.item(range.start), self.item(last));
            error.message = said!("`{}` to `{}`: {}", first, last, error.message);
        }
        match (error.status.is_client_error(), is_one) {
            (true, true) => error.at(self.item(last)),
            (true, false) => error.at(self.field),
            // A model that fails is no fault of a field.
            (false, _) => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_its_inputs_as_far_as_they_are_known() {
        let refused = || ApiError {
            param: None,
            ..ApiError::invalid("", "no")
        };
        let list = Place::list("texts");
        for (place, range, count, param, message) in [
            (list, 3..4, 9, "texts[3]", "`texts[3]`: no"),
            (list, 0..1, 1, "texts[0]", "`texts[0]`: no"),
            (list, 2..4, 9, "texts", "`texts[2]` to `texts[3]`: no"),
            (list, 0..4, 4, "texts", "no"),
            (Place::one("input"), 0..1, 1, "input", "`input`: no"),
        ] {
            let error = place.name(&range, count, refused());
            assert_eq!(error.param.as_deref(), Some(param));
            assert_eq!(&*error.message, message);
        }
        let failed = list.name(&(2..3), 9, ApiError::broken_answer("no"));
        assert_eq!(&*failed.message, "`texts[2]`: no");
        assert_eq!(failed.param, None);
        let named = list.name(&(2..3), 9, ApiError::invalid("model", "no"));
        assert_eq!(named, ApiError::invalid("model", "no"));
    }
}
