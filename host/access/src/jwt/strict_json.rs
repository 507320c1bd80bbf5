//! JSON as tokens and key sets have it, read so that nobody reads it otherwise.
//!
//! Two readers that each keep another of two members with one name disagree on the caller, so such texts are refused.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Nested lists and objects: a list of roles in an object of services in an object of an issuer has five.
const MAX_DEPTH: u8 = 8;
/// Members of one object. Each one is compared with all before it.
const MAX_MEMBERS: usize = 64;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Bool,
    Number(f64),
    Text(String),
    List(Vec<Self>),
    Object(Object),
}

impl Json {
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn list(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    pub(super) fn object(self) -> Option<Object> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// Returns the texts of a list, or the one text; `None` for anything else.
    pub(super) fn texts(&self) -> Option<Vec<&str>> {
        match self {
            Self::Text(text) => Some(vec![text]),
            Self::List(items) => items.iter().map(Self::text).collect(),
            _ => None,
        }
    }
}

/// An object, no two of whose members have one name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Object(Vec<(String, Json)>);

impl Object {
    pub(super) fn get(&self, name: &str) -> Option<&Json> {
        let member = self.0.iter().find(|(found, _)| found == name);
        member.map(|(_, value)| value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

/// Reads a text as one value; `None` for what is no JSON, goes deeper than eight levels, or has an object with a name
/// twice or over 64 members.
pub(super) fn parse(text: &[u8]) -> Option<Json> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Level(0).deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    Some(value)
}

/// Reader of a value within so many lists and objects.
#[derive(Clone, Copy)]
struct Level(u8);

impl Level {
    fn inner<E: Error>(self) -> Result<Self, E> {
        if self.0 < MAX_DEPTH {
            Ok(Self(self.0 + 1))
        } else {
            Err(E::custom("too deep"))
        }
    }
}

impl<'de> DeserializeSeed<'de> for Level {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Bool)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Number(number as f64))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Number(number as f64))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Json, E> {
        Ok(Json::Number(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json, A::Error> {
        let level = self.inner()?;
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(level)? {
            items.push(item);
        }
        Ok(Json::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let level = self.inner()?;
        let mut object = Object::default();
        while let Some(name) = map.next_key::<String>()? {
            if object.get(&name).is_some() {
                return Err(A::Error::custom("a name twice"));
            }
            if object.0.len() >= MAX_MEMBERS {
                return Err(A::Error::custom("too many members"));
            }
            let value = map.next_value_seed(level)?;
            object.0.push((name, value));
        }
        Ok(Json::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_they_stand() {
        let read = parse(br#" {"a": ["x", 1, -2.5, null, true], "b": {}} "#).unwrap();
        let object = read.object().unwrap();
        let list = object.get("a").unwrap().list().unwrap();
        assert_eq!(list[0].texts(), Some(vec!["x"]));
        assert_eq!(list[1..3], [Json::Number(1.0), Json::Number(-2.5)]);
        assert_eq!(list[3..], [Json::Null, Json::Bool]);
        assert_eq!(object.get("b"), Some(&Json::Object(Object::default())));
        assert_eq!(object.get("c"), None);
        assert_eq!(object.get("a").unwrap().texts(), None);
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let members: Vec<_> = (0..=MAX_MEMBERS).map(|n| format!("\"{n}\":0")).collect();
        let many = format!("{{{}}}", members.join(","));
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse(nested(8).as_bytes()).is_some());
        let most = format!("{{{}}}", members[1..].join(","));
        assert!(parse(most.as_bytes()).is_some());
        for wrong in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"b":{"a":1,"a":2}}"#,
            r#"[{"a":1,"a":2}]"#,
            "{} {}",
            "{}x",
            "{}\0",
            "\u{feff}{}",
            "{'a':1}",
            "{\"a\":1,}",
            "{\"a\":01}",
            "{\"a\":NaN}",
            "{\"a\":1e999}",
            "{\"a\":\"\n\"}",
            r#"{"a":"\ud800"}"#,
            "// {}",
            "",
            &nested(9),
            &nested(100_000),
            &many,
        ] {
            assert_eq!(parse(wrong.as_bytes()), None, "{wrong:.40}");
        }
        for wrong in [
            &b"\xff"[..],
            b"\"\xff\"",
            b"{\"\xc0\x80\":1}",
            b"\xef\xbb\xbf{}",
        ] {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }
}
