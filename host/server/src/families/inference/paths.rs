//! Paths of models: a name, which may have slashes, and the parts after it.

/// A path below `/v2/models/`, read from its end: tritonclient sends the slashes of a name as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ModelPath<'p> {
    pub(crate) name: &'p str,
    pub(crate) version: Option<&'p str>,
    pub(crate) action: Action,
}

/// The last part of a path of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// No part: the model's metadata.
    Metadata,
    Ready,
    Infer,
    Statistics,
}

impl<'p> ModelPath<'p> {
    /// Reads a path. The last part is an action wherever it has an action's name; a model that is called `…/ready`
    /// itself is reached with a version in between.
    pub(crate) fn parse(path: &'p str) -> Self {
        let (rest, action) = match path.rsplit_once('/') {
            Some((rest, "ready")) => (rest, Action::Ready),
            Some((rest, "infer")) => (rest, Action::Infer),
            Some((rest, "stats")) => (rest, Action::Statistics),
            _ => (path, Action::Metadata),
        };
        let versioned = rest
            .rsplit_once('/')
            .and_then(|(before, version)| Some((before.strip_suffix("/versions")?, version)));
        let (name, version) = match versioned {
            Some((name, version)) => (name, Some(version)),
            None => (rest, None),
        };
        Self {
            name,
            version,
            action,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_from_its_end_so_that_names_may_have_slashes() {
        for (path, name, version, action) in [
            ("m", "m", None, Action::Metadata),
            ("m/ready", "m", None, Action::Ready),
            ("org/m/infer", "org/m", None, Action::Infer),
            ("a/b/c/stats", "a/b/c", None, Action::Statistics),
            ("org/m", "org/m", None, Action::Metadata),
            ("m/versions/1", "m", Some("1"), Action::Metadata),
            (
                "org/m/versions/1.0.0/infer",
                "org/m",
                Some("1.0.0"),
                Action::Infer,
            ),
            ("ready", "ready", None, Action::Metadata),
            ("versions/1", "versions/1", None, Action::Metadata),
            ("a/ready/versions/1", "a/ready", Some("1"), Action::Metadata),
            ("", "", None, Action::Metadata),
        ] {
            let expected = ModelPath {
                name,
                version,
                action,
            };
            assert_eq!(ModelPath::parse(path), expected, "{path}");
        }
    }
}
