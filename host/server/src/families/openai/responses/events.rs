//! The stream of a response: the events that open it, its text, and the events that close it.
//!
//! Both of OpenAI's libraries refuse a stream that leaves one out. The errors are a mixture: JavaScript's raises for the
//! name of the event, Python's for the member `error` of its data, and the data has the fields of OpenAI's own event too.

use serde::Serialize;
use utoipa::ToSchema;

use crate::core::generation::End;
use crate::error::ApiError;
use crate::families::openai::error::{self, ErrorObject};
use crate::families::openai::responses::response::{
    OutputMessage, OutputText, ResponseObject, Status,
};
use crate::http::sse;
use crate::http::stream::Dialect;

/// An event of a stream.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpenAiResponseEvent)]
pub(crate) struct ResponseEvent<'r> {
    /// The name of the event.
    r#type: &'static str,
    /// Counts the events of a stream from 0.
    sequence_number: u64,
    #[serde(flatten)]
    fields: Fields<'r>,
}

/// The fields of an event, by its kind.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = OpenAiResponseEventFields)]
enum Fields<'r> {
    /// The response as it is now.
    Response { response: &'r ResponseObject },
    /// The message as it is now.
    Item {
        output_index: u64,
        item: &'r OutputMessage,
    },
    /// The part of the message as it is now.
    Part {
        item_id: &'r str,
        output_index: u64,
        content_index: u64,
        part: &'r OutputText,
    },
    /// The next text.
    Delta {
        item_id: &'r str,
        output_index: u64,
        content_index: u64,
        delta: &'r str,
        /// Always empty.
        #[schema(value_type = Vec<Object>)]
        logprobs: [(); 0],
    },
    /// The whole text.
    Text {
        item_id: &'r str,
        output_index: u64,
        content_index: u64,
        text: &'r str,
        /// Always empty.
        #[schema(value_type = Vec<Object>)]
        logprobs: [(); 0],
    },
    /// The reason for which the stream ends here.
    Error {
        code: &'r str,
        message: &'r str,
        param: Option<&'r str>,
        error: &'r ErrorObject,
    },
}

/// A stream in progress.
#[derive(Debug)]
pub(crate) struct ResponseStream {
    response: ResponseObject,
    /// The id of the message.
    item_id: String,
    text: String,
    sequence_number: u64,
}

impl ResponseStream {
    /// Makes the stream of a response that has not begun.
    pub(crate) fn new(response: ResponseObject) -> Self {
        Self {
            response,
            item_id: String::new(),
            text: String::new(),
            sequence_number: 0,
        }
    }
}

/// Writes an event, and counts it.
fn write(out: &mut Vec<u8>, sequence_number: &mut u64, name: &'static str, fields: Fields<'_>) {
    let event = ResponseEvent {
        r#type: name,
        sequence_number: *sequence_number,
        fields,
    };
    *sequence_number += 1;
    sse::event(out, name, &event);
}

impl Dialect for ResponseStream {
    fn begin(&mut self, out: &mut Vec<u8>) {
        let number = &mut self.sequence_number;
        for name in ["response.created", "response.in_progress"] {
            let response = &self.response;
            write(out, number, name, Fields::Response { response });
        }
        let item = self.response.begin_message();
        let added = Fields::Item {
            output_index: 0,
            item: &item,
        };
        write(out, number, "response.output_item.added", added);
        let added = Fields::Part {
            item_id: &item.id,
            output_index: 0,
            content_index: 0,
            part: &OutputText::new(String::new()),
        };
        write(out, number, "response.content_part.added", added);
        self.item_id = item.id;
    }

    fn text(&mut self, _: usize, text: String, out: &mut Vec<u8>) {
        self.text.push_str(&text);
        let delta = Fields::Delta {
            item_id: &self.item_id,
            output_index: 0,
            content_index: 0,
            delta: &text,
            logprobs: [],
        };
        let number = &mut self.sequence_number;
        write(out, number, "response.output_text.delta", delta);
    }

    fn end(&mut self, end: End, out: &mut Vec<u8>) {
        self.response.end(std::mem::take(&mut self.text), &end);
        let number = &mut self.sequence_number;
        let (item_id, output_index, content_index) = (&*self.item_id, 0, 0);
        if let Some(item) = self.response.message() {
            for part in &item.content {
                let done = Fields::Text {
                    item_id,
                    output_index,
                    content_index,
                    text: &part.text,
                    logprobs: [],
                };
                write(out, number, "response.output_text.done", done);
                let done = Fields::Part {
                    item_id,
                    output_index,
                    content_index,
                    part,
                };
                write(out, number, "response.content_part.done", done);
            }
            let done = Fields::Item { output_index, item };
            write(out, number, "response.output_item.done", done);
        }
        let name = match self.response.status() {
            Status::Incomplete => "response.incomplete",
            Status::InProgress | Status::Completed => "response.completed",
        };
        let response = &self.response;
        write(out, number, name, Fields::Response { response });
    }

    fn close(&mut self, _: &mut Vec<u8>) {}

    fn silence(&mut self, out: &mut Vec<u8>) {
        self.text(0, String::new(), out);
    }

    fn fail(&mut self, error: &ApiError, out: &mut Vec<u8>) {
        let error = error::body(error).error;
        let fields = Fields::Error {
            code: &error.code,
            message: &error.message,
            param: error.param.as_deref(),
            error: &error,
        };
        write(out, &mut self.sequence_number, "error", fields);
    }
}
