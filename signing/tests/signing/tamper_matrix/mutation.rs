//! Changes of one field of a JSON document.

use ampoule_signing::Timestamp;
use curve25519_dalek::constants::EIGHT_TORSION;
use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use super::fields::{Container, Field};
use super::json_text::text;
use super::signer::Signer;
use crate::weak_key::spki_pem;

/// The first number that a double does not hold exactly, for which a document has no room.
const TOO_LARGE: u64 = 1 << 53;
/// Bytes of a huge text: more than anything but a text for people may have.
const HUGE_TEXT: usize = 20_000;
/// Bytes of a huge list, about, and members of a huge object.
const HUGE_LIST: usize = 40_000;
const HUGE_OBJECT: usize = 1_000;
/// More levels than a document may have.
const LEVELS: usize = 200;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutation {
    Removed,
    /// Another value of the same kind: the next number or moment, another key, another name.
    Changed,
    /// A second time under its name, or a second time in its list.
    Duplicated,
    OtherType(Kind),
    /// 2^53 in place of a number.
    TooLargeNumber,
    /// 2^53 − 1 in place of a number: the largest that there is.
    LargestNumber,
    /// Some 20,000 letters in place of a text.
    HugeText,
    /// Thousands of copies of the first item.
    HugeList,
    /// Thousands of members that nobody knows.
    HugeObject,
    /// Lists in lists in place of whatever is there.
    Nested,
    /// One more member, which nobody knows.
    UnknownMember,
    /// One of the eight points of low order in place of a public key.
    WeakKey(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Bool,
    Number,
    Text,
    List,
    Object,
}

impl Mutation {
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let types = Kind::ALL.map(Self::OtherType);
        let weak = (0..EIGHT_TORSION.len()).map(Self::WeakKey);
        let rest = [
            Self::Removed,
            Self::Changed,
            Self::Duplicated,
            Self::TooLargeNumber,
            Self::LargestNumber,
            Self::HugeText,
            Self::HugeList,
            Self::HugeObject,
            Self::Nested,
            Self::UnknownMember,
        ];
        rest.into_iter().chain(types).chain(weak)
    }

    /// The document's text after the change, where it makes sense for this field.
    pub(super) fn apply(self, document: &Value, field: &Field) -> Option<String> {
        let other = match (self, &field.value) {
            (Self::Removed, _) => return without(document, field),
            (Self::Duplicated, _) => return doubled(document, field),
            (Self::Changed, value) => changed(value)?,
            (Self::OtherType(kind), value) => (Kind::of(value) != kind).then(|| kind.example())?,
            (Self::TooLargeNumber, Value::Number(_)) => json!(TOO_LARGE),
            (Self::LargestNumber, Value::Number(_)) => json!(TOO_LARGE - 1),
            (Self::HugeText, Value::String(_)) => json!("a".repeat(HUGE_TEXT)),
            (Self::HugeList, Value::Array(items)) => {
                let item = items.first()?;
                let copies = HUGE_LIST / item.to_string().len();
                Value::Array(vec![item.clone(); copies])
            }
            (Self::HugeObject, Value::Object(members)) => with_unknown(members, HUGE_OBJECT),
            (Self::UnknownMember, Value::Object(members)) => with_unknown(members, 1),
            (Self::Nested, _) => (0..LEVELS).fold(json!([]), |inner, _| Value::Array(vec![inner])),
            (Self::WeakKey(place), Value::String(pem)) if is_key(pem) => {
                json!(spki_pem(EIGHT_TORSION[place].compress().to_bytes()))
            }
            _ => return None,
        };
        let mut document = document.clone();
        *document.pointer_mut(&field.pointer).unwrap() = other;
        Some(text(&document, None))
    }
}

impl Kind {
    const ALL: [Self; 6] = [
        Self::Null,
        Self::Bool,
        Self::Number,
        Self::Text,
        Self::List,
        Self::Object,
    ];

    fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Bool,
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::Text,
            Value::Array(_) => Self::List,
            Value::Object(_) => Self::Object,
        }
    }

    fn example(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool => json!(true),
            Self::Number => json!(7),
            Self::Text => json!("text"),
            Self::List => json!([]),
            Self::Object => json!({}),
        }
    }
}

fn without(document: &Value, field: &Field) -> Option<String> {
    let mut document = document.clone();
    match (field.container, field.in_container(&mut document)?) {
        (Container::Object, (Value::Object(members), name)) => drop(members.remove(name)),
        (Container::List, (Value::Array(items), place)) => {
            drop(items.remove(place.parse().unwrap()));
        }
        _ => return None,
    }
    Some(text(&document, None))
}

fn doubled(document: &Value, field: &Field) -> Option<String> {
    if field.container == Container::Object {
        return Some(text(document, Some(&field.pointer)));
    }
    let mut document = document.clone();
    let (Value::Array(items), _) = field.in_container(&mut document)? else {
        return None;
    };
    items.push(field.value.clone());
    Some(text(&document, None))
}

fn with_unknown(members: &Map<String, Value>, count: usize) -> Value {
    let unknown = (0..count).map(|number| (format!("unknown-{number}"), json!("")));
    Value::Object(members.clone().into_iter().chain(unknown).collect())
}

/// Another value of the kind that this one shows to be.
fn changed(value: &Value) -> Option<Value> {
    match value {
        Value::Number(number) => Some(json!(number.as_u64()? + 1)),
        Value::String(text) => Some(json!(changed_text(text))),
        // Lists and objects are changed by what is in them.
        _ => None,
    }
}

fn changed_text(text: &str) -> String {
    if let Ok(time) = text.parse::<Timestamp>() {
        return (time + SignedDuration::from_secs(1)).to_string();
    }
    if is_key(text) {
        return Signer::new(99).public_pem();
    }
    if is_digest(text) {
        let last = if text.ends_with('0') { "1" } else { "0" };
        return format!("{}{last}", &text[..63]);
    }
    // A size or a time: 64MiB, 5s.
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    if let Ok(number) = text[..digits].parse::<u64>()
        && !text.contains('.')
    {
        return format!("{}{}", number + 1, &text[digits..]);
    }
    match text.split_once('/') {
        // acme/* and acme/minilm: another publisher's.
        Some((publisher, model)) if !text.contains('.') => format!("{publisher}x/{model}"),
        _ if text.starts_with(|c: char| c.is_ascii_digit()) => format!("2{text}"),
        _ => format!("{text}x"),
    }
}

fn is_key(text: &str) -> bool {
    text.starts_with("-----BEGIN PUBLIC KEY-----")
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
