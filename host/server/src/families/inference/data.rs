//! The elements of an input tensor, from JSON.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Texts and pictures of one tensor that are kept. More are refused: each takes several times its bytes in JSON.
const MAX_KEPT_TEXTS: usize = 4_096;

/// The elements of a `data` field, flat. Numbers are kept as bytes, since no input has larger elements.
#[derive(Clone, Debug, Default)]
pub(crate) struct JsonData {
    pub(crate) texts: Vec<String>,
    pub(crate) bytes: Vec<u8>,
    /// Elements of any kind.
    pub(crate) count: usize,
    /// Texts among them.
    pub(crate) text_count: usize,
}

/// Reads a `data` field of at most so many elements, or `null`. With one element more, the rest is not read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AtMost(pub(crate) usize);

impl<'de> DeserializeSeed<'de> for AtMost {
    type Value = Option<JsonData>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for AtMost {
    type Value = Option<JsonData>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of elements, flat or nested")
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        let mut data = JsonData::default();
        let elements = Elements {
            data: &mut data,
            most: self.0,
        };
        elements.visit_seq(list)?;
        Ok(Some(data))
    }
}

/// Takes the next element, or the elements of the next list.
struct Elements<'d> {
    data: &'d mut JsonData,
    most: usize,
}

impl<'de> DeserializeSeed<'de> for Elements<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an element or a list of them")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        loop {
            let next = Elements {
                data: &mut *self.data,
                most: self.most,
            };
            if list.next_element_seed(next)?.is_none() {
                return Ok(());
            }
            if self.data.count > self.most {
                return Err(de::Error::custom(format_args!(
                    "the shape has {} elements, and the data has more",
                    self.most
                )));
            }
            if self.data.text_count > self.data.texts.len() {
                return Err(de::Error::custom(format_args!(
                    "{MAX_KEPT_TEXTS} texts are allowed, and there are more; send them in several requests"
                )));
            }
        }
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.data.count += 1;
        self.data.text_count += 1;
        if self.data.texts.len() < MAX_KEPT_TEXTS {
            self.data.texts.push(value.to_owned());
        }
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.data.count += 1;
        if let Ok(byte) = u8::try_from(value) {
            self.data.bytes.push(byte);
        }
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.data.count += 1;
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.data.count += 1;
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.data.count += 1;
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.data.count += 1;
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.data.count += 1;
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn read(json: &str, most: usize) -> serde_json::Result<JsonData> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        AtMost(most)
            .deserialize(&mut deserializer)
            .map(Option::unwrap)
    }

    #[test]
    fn nested_and_flat_data_are_the_same_elements() {
        for text in ["[1,2,3,255]", "[[1,2],[3,255]]", "[[[1]],[[2,3]],255]"] {
            let data = read(text, 4).unwrap();
            assert_eq!(
                (data.count, &*data.bytes),
                (4, &[1, 2, 3, 255][..]),
                "{text}"
            );
        }
        let data = read(r#"[["a"],["b"]]"#, 2).unwrap();
        assert_eq!(
            (data.count, data.texts),
            (2, vec!["a".to_owned(), "b".to_owned()])
        );
    }

    #[test]
    fn elements_of_other_kinds_are_counted_and_not_kept() {
        let data = read(r#"[256,-1,1.5,true,null,{"a":[1]},"x"]"#, 7).unwrap();
        assert_eq!((data.count, data.bytes.len(), data.text_count), (7, 0, 1));
        for text in ["\"a\"", "1", "{}", "[1", &"[".repeat(100_000)] {
            assert!(read(text, usize::MAX).is_err(), "{text:.20}");
        }
    }

    #[test]
    fn elements_beyond_the_most_are_not_read() {
        // What follows is no JSON, and a reader that came so far would say so.
        for json in ["[1,2,3,!", "[[1,2],[3,!", "[[[1,2,3,!", "[\"\",null,{},!"] {
            let fault = read(json, 2).unwrap_err().to_string();
            assert!(fault.contains("has 2 elements"), "{fault}");
            let fault = read(json, 3).unwrap_err().to_string();
            assert!(fault.contains("expected value"), "{fault}");
        }
        let many = format!("[{}!", "\"\",".repeat(MAX_KEPT_TEXTS + 1));
        let fault = read(&many, usize::MAX).unwrap_err().to_string();
        assert!(fault.contains("4096 texts are allowed"), "{fault}");
        let most = format!("[{}\"\"]", "\"\",".repeat(MAX_KEPT_TEXTS - 1));
        assert_eq!(read(&most, usize::MAX).unwrap().texts.len(), MAX_KEPT_TEXTS);
    }
}
