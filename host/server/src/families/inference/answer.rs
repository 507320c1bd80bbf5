//! The body of an answer: JSON, and with the binary extension the bytes of tensors after it.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::families::inference::body::JSON_LENGTH;
use crate::families::inference::datatype::Datatype;
use crate::families::inference::output::{OutputTensor, Values};
use crate::families::inference::parameters;
use crate::families::inference::request::{Output, Parameters};
use crate::families::inference::run::Answer;
use crate::http::json::json_response;

/// The head of an answer.
#[derive(Debug)]
pub(crate) struct Head<'a> {
    pub(crate) id: Option<&'a str>,
    /// The name by which the model was asked for.
    pub(crate) model: &'a str,
    pub(crate) version: &'a str,
    pub(crate) task: &'static str,
}

/// An answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InferenceResponse)]
pub(crate) struct ResponseBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    model_name: &'a str,
    model_version: &'a str,
    parameters: ResponseParameters,
    outputs: Vec<OutputBody<'a>>,
}

/// Facts about an answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InferenceResponseParameters)]
pub(crate) struct ResponseParameters {
    /// The task that was done.
    task: &'static str,
    /// Tokens that the model read; absent for tasks that do not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    input_tokens: Option<u32>,
    /// Tokens that the model wrote; absent for tasks that do not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    output_tokens: Option<u32>,
}

/// An output tensor. It has `data`, or `parameters` with `binary_data_size`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InferenceOutput)]
pub(crate) struct OutputBody<'a> {
    name: &'static str,
    #[schema(value_type = String)]
    datatype: Datatype,
    shape: &'a [usize],
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<BTreeMap<&'static str, usize>>,
    #[schema(value_type = Option<Vec<serde_json::Value>>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Values>,
}

/// Tells which outputs are binary: as each says, else as the request says.
#[derive(Debug)]
pub(crate) struct Choice {
    /// By name; all outputs where this is empty.
    asked: Vec<(String, bool)>,
    default: bool,
}

impl Choice {
    /// Reads the choice of a request. An output that is listed without a word about it is JSON, unless the request wants
    /// all of them binary.
    pub(crate) fn of(request: &Parameters, outputs: &[Output]) -> Result<Self, ApiError> {
        let default = parameters::flag(request, "binary_data_output")?.unwrap_or(false);
        let none = Parameters::default();
        let asked = outputs.iter().map(|output| {
            let own = output.parameters.as_ref().unwrap_or(&none);
            let is_binary = parameters::flag(own, "binary_data")?.unwrap_or(default);
            Ok((output.name.clone(), is_binary))
        });
        Ok(Self {
            asked: asked.collect::<Result<_, ApiError>>()?,
            default,
        })
    }

    /// Makes the choice of a raw request: everything in binary.
    pub(crate) fn all_binary() -> Self {
        Self {
            asked: Vec::new(),
            default: true,
        }
    }

    /// Tells whether an output is binary; `None` for one that is not asked for.
    fn is_binary(&self, name: &str) -> Option<bool> {
        if self.asked.is_empty() {
            return Some(self.default);
        }
        let asked = self.asked.iter().find(|(asked, _)| asked == name);
        asked.map(|(_, is_binary)| *is_binary)
    }

    /// Puts the outputs that are asked for in the order in which they are.
    fn arrange<'a>(&self, outputs: &'a [OutputTensor]) -> Vec<&'a OutputTensor> {
        if self.asked.is_empty() {
            return outputs.iter().collect();
        }
        let find = |(name, _): &(String, bool)| outputs.iter().find(|output| output.name == name);
        self.asked.iter().filter_map(find).collect()
    }
}

/// Writes an answer.
pub(crate) fn write(
    head: &Head<'_>,
    answer: &Answer,
    choice: &Choice,
) -> Result<Response, ApiError> {
    let mut binary = Vec::new();
    let mut is_binary = false;
    let mut outputs = Vec::new();
    for output in choice.arrange(&answer.outputs) {
        let in_binary = choice.is_binary(output.name).unwrap_or(false);
        let before = binary.len();
        if in_binary {
            output.values.write(&mut binary)?;
            is_binary = true;
        }
        outputs.push(OutputBody {
            name: output.name,
            datatype: output.values.datatype(),
            shape: &output.shape,
            parameters: in_binary.then(|| [("binary_data_size", binary.len() - before)].into()),
            data: (!in_binary).then_some(&output.values),
        });
    }
    let body = ResponseBody {
        id: head.id,
        model_name: head.model,
        model_version: head.version,
        parameters: ResponseParameters {
            task: head.task,
            input_tokens: answer.usage.map(|usage| usage.input_tokens),
            output_tokens: answer.usage.map(|usage| usage.output_tokens),
        },
        outputs,
    };
    if !is_binary {
        return Ok(json_response(StatusCode::OK, &body));
    }
    let mut bytes = serde_json::to_vec(&body)
        .map_err(|_| ApiError::internal("an answer could not be written"))?;
    let length = bytes.len();
    bytes.append(&mut binary);
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    headers.insert(JSON_LENGTH, HeaderValue::from(length));
    Ok(response)
}
