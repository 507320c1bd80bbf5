//! The JSON of a request. Every list in it is bounded while it is read: a body of small values would else take many
//! times its size in memory.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use utoipa::ToSchema;

use crate::families::inference::data::{AtMost, JsonData};

/// Inputs of one request. The task with the most takes four.
const MAX_INPUTS: usize = 16;

/// Outputs that one request may ask for. The task with the most has four.
const MAX_OUTPUTS: usize = 64;

/// Dimensions of one tensor. Pictures have four.
const MAX_DIMENSIONS: usize = 16;

/// Parameters of a request or of a tensor.
const MAX_PARAMETERS: usize = 64;

/// Characters of a request's `id`. Clients count, or send a UUID.
pub(crate) const MAX_ID_CHARS: usize = 256;

/// Texts of one parameter: as many as a generation may have stop strings.
const MAX_PARAMETER_TEXTS: usize = 256;

/// A request for an inference. Fields that are not named here are ignored.
#[derive(Debug, serde::Deserialize, ToSchema)]
#[schema(as = InferenceRequest)]
pub(crate) struct Request {
    /// At most 256 characters. Comes back in the answer.
    pub(crate) id: Option<String>,
    /// `task` chooses the task of a model that has several; the others are the task's own.
    #[schema(value_type = Option<BTreeMap<String, serde_json::Value>>)]
    #[serde(default)]
    pub(crate) parameters: Option<Parameters>,
    #[serde(deserialize_with = "inputs")]
    pub(crate) inputs: Vec<Input>,
    /// The outputs to answer with; all of them where this is absent or empty.
    #[serde(default, deserialize_with = "outputs")]
    pub(crate) outputs: Vec<Output>,
}

/// An input tensor.
#[derive(Debug, ToSchema)]
#[schema(as = InferenceInput)]
pub(crate) struct Input {
    pub(crate) name: String,
    /// `BYTES` or `UINT8`, by the input.
    pub(crate) datatype: String,
    pub(crate) shape: Vec<u64>,
    /// `binary_data_size`: the tensor's bytes after the JSON. Others are ignored.
    #[schema(value_type = Option<BTreeMap<String, serde_json::Value>>)]
    pub(crate) parameters: Option<Parameters>,
    /// The elements in row-major order, flat or nested: texts, pictures in base64, or values of pixels.
    #[schema(value_type = Option<Vec<serde_json::Value>>)]
    pub(crate) data: Option<JsonData>,
}

/// An output that is asked for.
#[derive(Debug, serde::Deserialize, ToSchema)]
#[schema(as = InferenceRequestedOutput)]
pub(crate) struct Output {
    pub(crate) name: String,
    /// `binary_data`: whether the tensor comes after the JSON.
    #[schema(value_type = Option<BTreeMap<String, serde_json::Value>>)]
    #[serde(default)]
    pub(crate) parameters: Option<Parameters>,
}

/// Parameters by name. A `null` is an absent one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Parameters(pub(crate) BTreeMap<String, Parameter>);

/// The value of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Parameter {
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    Texts(Vec<String>),
}

fn inputs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Input>, D::Error> {
    Ok(List::<_, MAX_INPUTS>::deserialize(deserializer)?.0)
}

fn outputs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Output>, D::Error> {
    let list = Option::<List<_, MAX_OUTPUTS>>::deserialize(deserializer)?;
    Ok(list.map_or_else(Vec::new, |list| list.0))
}

/// The fields of an input tensor.
#[derive(serde::Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum InputField {
    Name,
    Datatype,
    Shape,
    Parameters,
    Data,
    #[serde(other)]
    Other,
}

impl<'de> Deserialize<'de> for Input {
    /// Reads an input by hand: a shape that comes before its data, as clients write it, bounds them.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InputVisitor;

        impl<'de> Visitor<'de> for InputVisitor {
            type Value = Input;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object, an input tensor")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Input, A::Error> {
                let (mut name, mut datatype) = (None, None);
                let mut shape: Option<List<u64, MAX_DIMENSIONS>> = None;
                let (mut parameters, mut data) = (None, None);
                while let Some(field) = map.next_key()? {
                    match field {
                        InputField::Name => once(&mut name, "name", map.next_value()?)?,
                        InputField::Datatype => {
                            once(&mut datatype, "datatype", map.next_value()?)?;
                        }
                        InputField::Shape => once(&mut shape, "shape", map.next_value()?)?,
                        InputField::Parameters => {
                            once(&mut parameters, "parameters", map.next_value()?)?;
                        }
                        InputField::Data => {
                            let most = shape
                                .as_ref()
                                .map_or(usize::MAX, |shape| elements(&shape.0));
                            once(&mut data, "data", map.next_value_seed(AtMost(most))?)?;
                        }
                        InputField::Other => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                let missing = <A::Error as de::Error>::missing_field;
                Ok(Input {
                    name: name.ok_or_else(|| missing("name"))?,
                    datatype: datatype.ok_or_else(|| missing("datatype"))?,
                    shape: shape.ok_or_else(|| missing("shape"))?.0,
                    parameters: parameters.flatten(),
                    data: data.flatten(),
                })
            }
        }

        deserializer.deserialize_map(InputVisitor)
    }
}

fn once<T, E: de::Error>(field: &mut Option<T>, name: &'static str, value: T) -> Result<(), E> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err(E::duplicate_field(name)),
    }
}

/// Returns the elements of a shape, or the most that can be counted.
fn elements(shape: &[u64]) -> usize {
    let product = shape
        .iter()
        .try_fold(1_u64, |product, size| product.checked_mul(*size));
    let product = product.and_then(|product| usize::try_from(product).ok());
    product.unwrap_or(usize::MAX)
}

/// A list of at most `MOST` items.
struct List<T, const MOST: usize>(Vec<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for List<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ListVisitor(PhantomData))
    }
}

struct ListVisitor<T, const MOST: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for ListVisitor<T, MOST> {
    type Value = List<T, MOST>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {MOST}")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            if items.len() == MOST {
                return Err(de::Error::invalid_length(MOST + 1, &self));
            }
            items.push(item);
        }
        Ok(List(items))
    }
}

impl<'de> Deserialize<'de> for Parameters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ParametersVisitor;

        impl<'de> Visitor<'de> for ParametersVisitor {
            type Value = Parameters;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "an object of at most {MAX_PARAMETERS} parameters")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parameters, A::Error> {
                let mut parameters = BTreeMap::new();
                let mut found = 0;
                while let Some(name) = map.next_key::<String>()? {
                    found += 1;
                    if found > MAX_PARAMETERS {
                        return Err(de::Error::invalid_length(found, &self));
                    }
                    if let Some(value) = map.next_value()? {
                        parameters.insert(name, value);
                    }
                }
                Ok(Parameters(parameters))
            }
        }

        deserializer.deserialize_map(ParametersVisitor)
    }
}

impl<'de> Deserialize<'de> for Parameter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ParameterVisitor;

        impl<'de> Visitor<'de> for ParameterVisitor {
            type Value = Parameter;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false, a number, a text, or a list of texts")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Parameter, E> {
                Ok(Parameter::Bool(value))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Parameter, E> {
                Ok(Parameter::Unsigned(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Parameter, E> {
                Ok(Parameter::Signed(value))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Parameter, E> {
                Ok(Parameter::Float(value))
            }

            fn visit_str<E>(self, value: &str) -> Result<Parameter, E> {
                Ok(Parameter::Text(value.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Parameter, A::Error> {
                let visitor = ListVisitor::<String, MAX_PARAMETER_TEXTS>(PhantomData);
                Ok(Parameter::Texts(visitor.visit_seq(list)?.0))
            }
        }

        deserializer.deserialize_any(ParameterVisitor)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::json;

    use super::*;

    fn input(shape: &serde_json::Value) -> serde_json::Value {
        json!({"name": "texts", "datatype": "BYTES", "shape": shape, "data": ["a"]})
    }

    #[test]
    fn lists_are_bounded_and_a_null_is_an_absent_field() {
        let read = |value: serde_json::Value| serde_json::from_value::<Request>(value);
        let one = input(&json!([1]));
        let request = read(
            json!({"id": null, "parameters": {"task": null, "seed": 1}, "inputs": [one], "outputs": null}),
        );
        let request = request.unwrap();
        assert_eq!(request.parameters.unwrap().0.len(), 1);
        assert!(request.outputs.is_empty());
        let names: BTreeMap<String, u8> =
            (0..=MAX_PARAMETERS).map(|i| (i.to_string(), 0)).collect();
        for bad in [
            json!({"inputs": vec![one.clone(); MAX_INPUTS + 1]}),
            json!({"inputs": [one], "outputs": vec![json!({"name": "a"}); MAX_OUTPUTS + 1]}),
            json!({"inputs": [one], "parameters": names}),
            json!({"inputs": [one], "parameters": {"stop": vec!["a"; MAX_PARAMETER_TEXTS + 1]}}),
            json!({"inputs": [one], "parameters": {"stop": {}}}),
            json!({"inputs": [input(&json!(vec![1; MAX_DIMENSIONS + 1]))]}),
            json!({"inputs": [input(&json!("1"))]}),
            json!({"inputs": [input(&json!([-1]))]}),
            json!({"inputs": [input(&json!([1.5]))]}),
            json!({"inputs": [input(&json!(null))]}),
            json!({"inputs": []}),
            json!({}),
        ] {
            let is_empty = bad == json!({"inputs": []});
            assert_eq!(read(bad.clone()).is_ok(), is_empty, "{bad}");
        }
    }
}
