//! Values of the configuration file, which are written as on the command line.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};

/// Reads a value as it is written on the command line; a bare number need not be quoted.
pub(crate) fn from_text<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: FromStr<Err: fmt::Display>,
    D: Deserializer<'de>,
{
    struct Text<T>(PhantomData<T>);

    impl<T: FromStr<Err: fmt::Display>> de::Visitor<'_> for Text<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a number, or text such as \"256MiB\" or \"5s\"")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
            self.visit_str(&number.to_string())
        }
    }

    deserializer.deserialize_any(Text(PhantomData)).map(Some)
}

/// Reads a value that has to be there, as [`from_text`] does.
pub(crate) fn required<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: FromStr<Err: fmt::Display>,
    D: Deserializer<'de>,
{
    let value: Option<T> = from_text(deserializer)?;
    value.ok_or_else(|| de::Error::custom("a value is expected"))
}

/// Reads a list of values, each as it is written on the command line.
pub(crate) fn from_texts<'de, T, D>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    T: FromStr<Err: fmt::Display>,
    D: Deserializer<'de>,
{
    let texts = list_of_texts(deserializer)?;
    let values = texts
        .iter()
        .map(|text| text.parse().map_err(de::Error::custom));
    values.collect::<Result<_, _>>().map(Some)
}

/// Reads a list of texts that may be left out.
pub(crate) fn texts<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Vec<String>>, D::Error> {
    list_of_texts(d).map(Some)
}

/// Reads a list of texts.
pub(crate) fn list_of_texts<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<String>, D::Error> {
    d.deserialize_seq(List("a list of texts, such as [\"a\", \"b\"]", PhantomData))
}

/// Reads tables that are written with two brackets each.
pub(crate) fn tables<'de, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    let expected = "a list of tables; write each with two brackets, as in `[[model]]`";
    deserializer.deserialize_seq(List(expected, PhantomData))
}

/// A list, which is described by these words where something else is found.
struct List<T>(&'static str, PhantomData<T>);

impl<'de, T: Deserialize<'de>> de::Visitor<'de> for List<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, list: A) -> Result<Vec<T>, A::Error> {
        Vec::deserialize(de::value::SeqAccessDeserializer::new(list))
    }
}
