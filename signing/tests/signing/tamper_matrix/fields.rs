//! Every field of a document, found by walking one in which none is left out, × every mutation: under
//! the old signatures, and signed anew by the right keys.

use std::collections::BTreeSet;

use ampoule_signing::Sha256Digest;
use serde_json::Value;

use super::document::{Document, Form};
use super::mutation::Mutation;
use super::tally::{Outcome, Tally};

/// A place in a document.
pub(super) struct Field {
    /// As a JSON pointer (RFC 6901); the document itself is at the empty one.
    pub(super) pointer: String,
    pub(super) value: Value,
    pub(super) container: Container,
}

/// The container of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Container {
    Nothing,
    Object,
    List,
}

impl Field {
    /// Returns its container, and its name or place there.
    pub(super) fn in_container<'a>(
        &'a self,
        document: &'a mut Value,
    ) -> Option<(&'a mut Value, &'a str)> {
        let (parent, name) = self.pointer.rsplit_once('/')?;
        Some((document.pointer_mut(parent)?, name))
    }
}

/// The facts about a document's format that decide how a change ends. In its patterns `*` is any one name or place.
pub(super) struct Format {
    /// The code for what is not strict JSON.
    pub(super) malformed: &'static str,
    /// The code for a field that is missing, unknown or wrong.
    pub(super) field: &'static str,
    /// Fields that may be left out.
    pub(super) optional: &'static [&'static str],
    /// Objects with names of the author's own choice.
    pub(super) maps: &'static [&'static str],
    /// Changes that end in another way than their kind does in general.
    pub(super) rules: &'static [Rule],
}

/// The end of a change of some fields.
pub(super) struct Rule {
    pub(super) fields: &'static [&'static str],
    pub(super) when: Mutation,
    /// By the name of the form; the empty one is any other.
    pub(super) ends: &'static [(&'static str, Outcome)],
}

impl Format {
    /// Returns the end of a change that the right keys sign.
    fn expected(&self, field: &Field, mutation: Mutation, form: &str) -> Outcome {
        if let Some(place) = self.rule(field, mutation) {
            let mut ends = self.rules[place].ends.iter();
            let end = ends.find(|(name, _)| name.is_empty() || *name == form);
            return end.expect("a rule speaks about each form").1;
        }
        let in_field = Outcome::Refused(self.field);
        let is_map = matches(self.maps, &field.pointer);
        let (parent, _) = field.pointer.rsplit_once('/').unwrap_or_default();
        match mutation {
            Mutation::Nested | Mutation::TooLargeNumber => Outcome::Refused(self.malformed),
            Mutation::Duplicated if field.container == Container::Object => {
                Outcome::Refused(self.malformed)
            }
            Mutation::Changed | Mutation::LargestNumber => Outcome::Accepted,
            Mutation::Removed if matches(self.optional, &field.pointer) => Outcome::Accepted,
            Mutation::Removed if matches(self.maps, parent) => Outcome::Accepted,
            Mutation::HugeObject | Mutation::UnknownMember if is_map => Outcome::Accepted,
            Mutation::WeakKey(_) => Outcome::Refused("trust.weak-key"),
            Mutation::Removed
            | Mutation::Duplicated
            | Mutation::OtherType(_)
            | Mutation::HugeText
            | Mutation::HugeList
            | Mutation::HugeObject
            | Mutation::UnknownMember => in_field,
        }
    }

    fn rule(&self, field: &Field, mutation: Mutation) -> Option<usize> {
        self.rules
            .iter()
            .position(|rule| rule.when == mutation && matches(rule.fields, &field.pointer))
    }
}

fn matches(patterns: &[&str], pointer: &str) -> bool {
    patterns.iter().any(|pattern| {
        let (mut pattern, mut pointer) = (pattern.split('/'), pointer.split('/'));
        loop {
            match (pattern.next(), pointer.next()) {
                (None, None) => return true,
                (Some("*"), Some(_)) => {}
                (one, other) if one == other => {}
                _ => return false,
            }
        }
    })
}

/// All fields, those within others too.
fn walk(value: &Value, pointer: String, container: Container, found: &mut Vec<Field>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                walk(
                    member,
                    format!("{pointer}/{name}"),
                    Container::Object,
                    found,
                );
            }
        }
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                walk(item, format!("{pointer}/{place}"), Container::List, found);
            }
        }
        _ => {}
    }
    found.push(Field {
        pointer,
        value: value.clone(),
        container,
    });
}

pub(super) fn tamper(document: &Document, tally: &mut Tally) {
    let original = document.payload();
    let old_signatures = document.sign(&original);
    let mut fields = Vec::new();
    walk(
        &document.content,
        String::new(),
        Container::Nothing,
        &mut fields,
    );
    check_tables(document, &fields);
    for field in &fields {
        for mutation in Mutation::all() {
            let Some(changed) = mutation.apply(&document.content, field) else {
                continue;
            };
            let payload = changed.into_bytes();
            assert_ne!(payload, original, "{mutation:?} of {}", field.pointer);
            let signed = Sha256Digest::of(&payload);
            let under_old = document.envelope(&payload, &old_signatures);
            let anew = document.envelope(&payload, &document.sign(&payload));
            for form in &document.forms {
                let expected = document.format.expected(field, mutation, form.name);
                let what = || format!("{mutation:?} of {:?}", field.pointer);
                tally.row(
                    document.place(form, "fields, signed anew"),
                    expected,
                    signed,
                    (form.open)(&anew),
                    what,
                );
                tally.row(
                    document.place(form, "fields, under the old signatures"),
                    under_old_signatures(form, expected),
                    signed,
                    (form.open)(&under_old),
                    what,
                );
            }
        }
    }
}

/// The signatures do not fit any more. What brings its own keys has to be read to find them, so what
/// cannot be read at all is refused for that.
fn under_old_signatures(form: &Form, anew: Outcome) -> Outcome {
    match anew {
        Outcome::Refused(_) if form.brings_its_keys => anew,
        _ => Outcome::Refused("signature.invalid"),
    }
}

/// Each line of the tables speaks about something, or the document is not the full one.
fn check_tables(document: &Document, fields: &[Field]) {
    let format = &document.format;
    let rules = format.rules.iter().flat_map(|rule| rule.fields);
    for pattern in rules.chain(format.optional).chain(format.maps) {
        let found = fields
            .iter()
            .any(|field| matches(&[pattern], &field.pointer));
        assert!(found, "{} has no {pattern}", document.name);
    }
    let used: BTreeSet<usize> = fields
        .iter()
        .flat_map(|field| {
            Mutation::all()
                .filter(|mutation| mutation.apply(&document.content, field).is_some())
                .filter_map(|mutation| format.rule(field, mutation))
        })
        .collect();
    for (place, rule) in format.rules.iter().enumerate() {
        let (when, about) = (rule.when, rule.fields);
        assert!(used.contains(&place), "{when:?} of {about:?} never happens");
    }
}
