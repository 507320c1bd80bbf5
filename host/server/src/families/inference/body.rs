//! The body of a request: JSON, and with the binary extension the bytes of tensors after it.

use axum::http::{HeaderMap, HeaderName};
use bytes::Bytes;

use crate::error::ApiError;
use crate::families::inference::datatype::Datatype;
use crate::families::inference::input::{Data, InputTensor};
use crate::families::inference::request::{
    Input, MAX_ID_CHARS, Output, Parameter, Parameters, Request,
};
use crate::http::json::read_json_of_numbers;
use crate::said::{Said, said};

/// Bytes of the JSON at the beginning of a body; tensors follow. Bodies without this header are JSON alone.
pub(crate) const JSON_LENGTH: HeaderName =
    HeaderName::from_static("inference-header-content-length");

/// The parameter of an input that says how many bytes of the body are its own.
const BINARY_SIZE: &str = "binary_data_size";

/// A parsed request: its tensors have their data, and each tensor's shape fits its data.
#[derive(Debug)]
pub(crate) struct Inference {
    pub(crate) id: Option<String>,
    pub(crate) parameters: Parameters,
    pub(crate) inputs: Vec<InputTensor>,
    pub(crate) outputs: Vec<Output>,
}

/// A body, by its form.
#[derive(Debug)]
pub(crate) enum Body {
    Inference(Inference),
    /// The one element of a model's only input, and nothing else.
    Raw(Bytes),
}

/// Parses a body.
pub(crate) fn parse(headers: &HeaderMap, body: Bytes) -> Result<Body, ApiError> {
    let (json, mut binary) = match json_length(headers)? {
        None => (body, Bytes::new()),
        Some(0) => return Ok(Body::Raw(body)),
        Some(length) if length <= body.len() => (body.slice(..length), body.slice(length..)),
        Some(length) => {
            return Err(header_error(said!(
                "{} bytes of JSON are announced, and the body has {}",
                length,
                body.len()
            )));
        }
    };
    let request: Request = read_json_of_numbers(&json)?;
    if let Some(id) = &request.id
        && id.chars().nth(MAX_ID_CHARS).is_some()
    {
        return Err(ApiError::invalid(
            "id",
            said!(
                "`id`: at most {} characters are expected, and more were found; send a shorter one, or none",
                MAX_ID_CHARS
            ),
        ));
    }
    let mut inputs = Vec::with_capacity(request.inputs.len());
    for (index, input) in request.inputs.into_iter().enumerate() {
        inputs.push(tensor(index, input, &mut binary)?);
    }
    if !binary.is_empty() {
        return Err(ApiError::invalid(
            "inputs",
            said!(
                "{} bytes follow the last tensor; the sizes of the inputs must add up to the body",
                binary.len()
            ),
        ));
    }
    Ok(Body::Inference(Inference {
        id: request.id,
        parameters: request.parameters.unwrap_or_default(),
        inputs,
        outputs: request.outputs,
    }))
}

/// Reads the length of the JSON from the headers.
fn json_length(headers: &HeaderMap) -> Result<Option<usize>, ApiError> {
    let mut values = headers.get_all(JSON_LENGTH).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let digits = value.to_str().unwrap_or_default().trim();
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match digits.parse() {
        Ok(length) if is_number && values.next().is_none() => Ok(Some(length)),
        _ => Err(header_error("one number of bytes is expected".into())),
    }
}

fn header_error(fault: Said) -> ApiError {
    ApiError::invalid(
        "Inference-Header-Content-Length",
        said!("the header Inference-Header-Content-Length: {}", fault),
    )
}

/// Makes a tensor of an input, and takes its bytes from the body where it has bytes there.
fn tensor(index: usize, input: Input, binary: &mut Bytes) -> Result<InputTensor, ApiError> {
    let param = said!("inputs[{}]", index);
    let invalid =
        |message: Said| ApiError::invalid(param.clone(), said!("`{}`: {}", param, message));
    let Some(datatype) = Datatype::from_name(&input.datatype) else {
        return Err(invalid(
            "the datatype is none of the protocol's, such as BYTES or UINT8".into(),
        ));
    };
    let parameters = input.parameters.unwrap_or_default().0;
    if parameters.contains_key("shared_memory_region") {
        return Err(ApiError::unsupported(
            param,
            "`inputs`: shared memory is not read; send the data in the body",
        ));
    }
    let data = match (parameters.get(BINARY_SIZE), input.data) {
        (Some(_), Some(_)) => {
            return Err(invalid(said!(
                "either `data` or `{}` is expected, and both were found",
                BINARY_SIZE
            )));
        }
        (None, None) => {
            return Err(invalid(said!(
                "neither `data` nor `{}` was found, and one of them is expected",
                BINARY_SIZE
            )));
        }
        (None, Some(_)) if datatype.is_binary_only() => {
            return Err(invalid(said!(
                "JSON has no form for {}; send it with the binary extension",
                datatype
            )));
        }
        (None, Some(data)) => Data::Json(data),
        (Some(Parameter::Unsigned(size)), None) => match usize::try_from(*size) {
            Ok(size) if size <= binary.len() => Data::Binary(binary.split_to(size)),
            _ => {
                return Err(invalid(said!(
                    "`{}` is {}, and {} bytes of the body are left; the header Inference-Header-Content-Length says \
                     where the JSON ends",
                    BINARY_SIZE,
                    *size,
                    binary.len()
                )));
            }
        },
        (Some(_), None) => {
            return Err(invalid(said!("`{}` is no number of bytes", BINARY_SIZE)));
        }
    };
    let tensor = InputTensor {
        param,
        name: input.name,
        datatype,
        shape: input.shape,
        data,
    };
    tensor.check()?;
    Ok(tensor)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    /// Random numbers (SplitMix64), the same on each run.
    struct Random(u64);

    impl Random {
        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            mixed ^ (mixed >> 31)
        }

        fn below(&mut self, bound: usize) -> usize {
            usize::try_from(self.next() % bound.max(1) as u64).unwrap()
        }
    }

    /// Returns a good body with the length of its JSON.
    fn good() -> (Vec<u8>, usize) {
        let json =
            br#"{"id":"7","parameters":{"task":"text-generation","stop":["a"],"seed":-1},"inputs":[
            {"name":"prompt","datatype":"BYTES","shape":[2,1],"parameters":{"binary_data_size":11}},
            {"name":"pixels","datatype":"UINT8","shape":[1,1,2,3],"data":[[[[1,2,3],[4,5,255]]]]},
            {"name":"other","datatype":"FP16","shape":[2,1],"parameters":{"binary_data_size":4}}],
            "outputs":[{"name":"text","parameters":{"binary_data":true}}]}"#;
        let binary = b"\x02\0\0\0ab\x01\0\0\0c\x01\x02\x03\x04";
        ([&json[..], binary].concat(), json.len())
    }

    fn parsed(body: &[u8], length: &str) -> Result<Body, ApiError> {
        let mut headers = HeaderMap::new();
        headers.insert(JSON_LENGTH, HeaderValue::from_str(length).unwrap());
        parse(&headers, Bytes::copy_from_slice(body))
    }

    #[test]
    fn a_good_body_is_taken_apart() {
        let (body, length) = good();
        let Body::Inference(request) = parsed(&body, &length.to_string()).unwrap() else {
            unreachable!("a length was given");
        };
        assert_eq!(request.inputs.len(), 3);
        assert_eq!(request.inputs[0].clone().texts(2).unwrap(), ["ab", "c"]);
        let half = &request.inputs[2];
        assert!(matches!(&half.data, Data::Binary(bytes) if **bytes == [1, 2, 3, 4]));
    }

    #[test]
    fn mutated_bodies_are_refused_or_have_tensors_that_fit_their_shapes() {
        let (original, length) = good();
        let mut random = Random(22);
        let (mut taken, mut refused) = (0, 0);
        for _ in 0..20_000 {
            let mut body = original.clone();
            let mut length = length;
            for _ in 0..=random.below(3) {
                let at = random.below(body.len());
                match random.below(6) {
                    0 => body[at] ^= 1 << random.below(8),
                    1 => body[at] = b"0123456789-[]{}\",:"[random.below(17)],
                    2 => body.truncate(at.max(1)),
                    3 => body.insert(at, random.next().to_le_bytes()[0]),
                    4 if body.len() > 1 => drop(body.remove(at)),
                    _ => length = random.below(body.len() + 3),
                }
            }
            match parsed(&body, &length.to_string()) {
                Ok(Body::Inference(request)) => {
                    taken += 1;
                    for input in &request.inputs {
                        input.check().unwrap();
                        // None of these may panic, whatever the tensor is.
                        let limits = ampoule::Limits::default();
                        let _ = input.clone().texts(4);
                        let _ = input.clone().picture_files(&limits);
                        let _ = input.clone().pixels(&limits);
                    }
                }
                Ok(Body::Raw(bytes)) => assert_eq!(bytes.len(), body.len()),
                Err(error) => {
                    refused += 1;
                    assert_eq!(error.status, 400, "{error:?}");
                }
            }
        }
        assert!(taken > 100, "{taken} were taken");
        assert!(refused > 10_000, "{refused} were refused");
    }
}
