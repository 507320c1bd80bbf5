//! A generation request, checked: all that it asks for can be served.

use ampoule_guest::{Content, Error, GenerationRequest, Image};
use ampoule_picture::name_picture;
use ampoule_text::{Sampler, StopStrings};

use crate::tokenization::Tokenization;

/// A question about pictures.
pub(crate) struct Question {
    /// At least one, in the order in which they were said.
    pub(crate) images: Vec<Image>,
    /// The question's tokens, special tokens included.
    pub(crate) prompt: Vec<u32>,
    pub(crate) sampler: Sampler,
    pub(crate) stop_strings: StopStrings,
    pub(crate) max_output_tokens: u32,
}

impl Question {
    /// Checks the request. The pictures are those of all messages, and the question is the text of the
    /// last message of the user: the model keeps no more of a conversation. Training had no instructions,
    /// so the text of the system is passed over like that of earlier turns: clients send one unasked.
    ///
    /// # Errors
    ///
    /// `input.option`, `input.role`, `input.empty`, `input.image-missing`, `input.image`,
    /// `input.too-large`, `input.sampling`, `input.stop`.
    pub(crate) fn new(
        request: GenerationRequest,
        tokenization: &Tokenization,
    ) -> Result<Self, Error> {
        if let Some(option) = request.options.first() {
            return Err(Error::new(
                "input.option",
                format!(
                    "expected no options, found `{}`; leave it out",
                    option.key.escape_default()
                ),
            ));
        }
        let (mut images, mut question) = (Vec::new(), String::new());
        for message in request.messages {
            let by_user = match message.role.as_str() {
                "user" => true,
                "assistant" | "system" => false,
                other => {
                    return Err(Error::new(
                        "input.role",
                        format!(
                            "expected messages of `system`, `user` or `assistant`, found one of `{}`",
                            other.escape_default()
                        ),
                    ));
                }
            };
            let mut said = Vec::new();
            for content in message.content {
                match content {
                    Content::Text(text) => said.push(text),
                    Content::Image(image) => images.push(image),
                }
            }
            if by_user {
                question = said.join(" ");
            }
        }
        if question.trim().is_empty() {
            return Err(Error::new(
                "input.empty",
                "expected a question in the last message of the user, found no text; ask something about the \
                 picture, such as \"what do you see?\"",
            ));
        }
        if images.is_empty() {
            return Err(Error::new(
                "input.image-missing",
                "this model answers questions about pictures, and found none in the request; send a PNG, \
                 JPEG or WebP picture beside the question",
            ));
        }
        let count = images.len();
        for (index, image) in images.iter().enumerate() {
            ampoule_picture::check(image).map_err(|error| name_picture(error, index, count))?;
        }
        Ok(Question {
            images,
            prompt: tokenization.prompt(&question)?,
            sampler: Sampler::new(&request.sampling)?,
            stop_strings: StopStrings::new(request.stop)?,
            max_output_tokens: request.max_output_tokens,
        })
    }
}
