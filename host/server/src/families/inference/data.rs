//! The elements of an input tensor, from JSON.

use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

/// Texts and pictures of one tensor that are kept. More are counted and not kept: each takes several times its bytes in
/// JSON.
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

impl<'de> Deserialize<'de> for JsonData {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DataVisitor;

        impl<'de> Visitor<'de> for DataVisitor {
            type Value = JsonData;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of elements, flat or nested")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<JsonData, A::Error> {
                let mut data = JsonData::default();
                Elements(&mut data).visit_seq(list)?;
                Ok(data)
            }
        }

        deserializer.deserialize_seq(DataVisitor)
    }
}

/// Takes the next element, or the elements of the next list.
struct Elements<'d>(&'d mut JsonData);

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
        while list.next_element_seed(Elements(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.0.count += 1;
        self.0.text_count += 1;
        if self.0.texts.len() < MAX_KEPT_TEXTS {
            self.0.texts.push(value.to_owned());
        }
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.0.count += 1;
        if let Ok(byte) = u8::try_from(value) {
            self.0.bytes.push(byte);
        }
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.0.count += 1;
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.0.count += 1;
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.0.count += 1;
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.0.count += 1;
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.0.count += 1;
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn nested_and_flat_data_are_the_same_elements() {
        for text in ["[1,2,3,255]", "[[1,2],[3,255]]", "[[[1]],[[2,3]],255]"] {
            let data: JsonData = serde_json::from_str(text).unwrap();
            assert_eq!(
                (data.count, &*data.bytes),
                (4, &[1, 2, 3, 255][..]),
                "{text}"
            );
        }
        let data: JsonData = serde_json::from_str(r#"[["a"],["b"]]"#).unwrap();
        assert_eq!(
            (data.count, data.texts),
            (2, vec!["a".to_owned(), "b".to_owned()])
        );
    }

    #[test]
    fn elements_of_other_kinds_are_counted_and_not_kept() {
        let data: JsonData =
            serde_json::from_str(r#"[256,-1,1.5,true,null,{"a":[1]},"x"]"#).unwrap();
        assert_eq!((data.count, data.bytes.len(), data.text_count), (7, 0, 1));
        for text in ["\"a\"", "1", "{}", "[1", &"[".repeat(100_000)] {
            assert!(
                serde_json::from_str::<JsonData>(text).is_err(),
                "{text:.20}"
            );
        }
    }

    #[test]
    fn a_list_of_many_texts_takes_bounded_memory() {
        let many = vec![""; 100_000];
        let text = serde_json::to_string(&many).unwrap();
        let data: JsonData = serde_json::from_str(&text).unwrap();
        assert_eq!(data.count, 100_000);
        assert_eq!(data.texts.len(), MAX_KEPT_TEXTS);
    }
}
