//! Responses: `/v1/responses`. Nothing of a response is stored.

mod events;
mod input;
mod request;
mod response;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::core::generation::Events;
use crate::error::ApiError;
use crate::families::openai::error::ErrorBody;
use crate::families::openai::responses::events::{ResponseEvent, ResponseStream};
use crate::families::openai::responses::request::Request;
use crate::families::openai::responses::response::ResponseObject;
use crate::http::body::Json;
use crate::http::json::json_response;
use crate::http::{sse, stream};
use crate::request::context::Context;
use crate::service::Service;

/// Answers texts and pictures with a text.
#[utoipa::path(
    post,
    path = "/v1/responses",
    tag = "OpenAI",
    operation_id = "openai_responses",
    request_body = Request,
    responses(
        (status = 200, content(
            (ResponseObject = "application/json"),
            (ResponseEvent<'_> = "text/event-stream"),
        )),
        (status = "default", body = ErrorBody),
    ),
)]
pub(crate) async fn create(
    State(service): State<Service>,
    context: Context,
    Json(request): Json<Request>,
) -> Result<Response, ApiError> {
    // The model first: no picture is decoded for one that is not there.
    let model = service.call(&request.model, &context)?;
    let read = service.work_on_body(&context, |service| request.read(service));
    let parsed = read.await?;
    let patience = parsed.is_streamed.then_some(service.settings().silence);
    let events = Events::start(&model, &context, vec![parsed.generation], patience).await?;
    let mut response = parsed.response;
    if parsed.is_streamed {
        let frames = ResponseStream::new(response);
        let media_type = sse::MEDIA_TYPE;
        return Ok(stream::response(
            media_type, &service, context, events, frames,
        ));
    }
    let wholes = events.collect().await?;
    let whole = wholes.into_iter().next();
    let whole = whole.ok_or_else(|| ApiError::internal("a response has no answer"))?;
    response.begin_message();
    response.end(whole.text, &whole.end);
    Ok(json_response(StatusCode::OK, &response))
}
