//! Answers in progress: one for each picture of the request, in turn, a token at a time.

use ampoule_guest::{Chunk, Error, Finish, GenerationRequest, Usage};
use ampoule_picture::name_picture;
use ampoule_text::Detokenizer;

use crate::decoder::DecoderState;
use crate::network::Network;
use crate::request::Question;
use crate::transformer::LayerWorkspace;

/// A generation in progress.
pub struct Generation {
    question: Question,
    /// Pictures that were answered for.
    answered: usize,
    /// The answer for the next of them, once it has begun.
    answer: Option<Answer>,
    /// True once an answer ended because there was no position left for it.
    cut: bool,
    usage: Usage,
    workspace: LayerWorkspace,
}

/// The answer for one picture.
struct Answer {
    state: DecoderState,
    /// The last row, which tells the next token, `[hidden]`; none when the last token was not read yet.
    row: Option<Vec<f32>>,
    /// The tokens so far, without the one that ends it.
    tokens: Detokenizer,
}

/// Reasons for the end of a generation, in the contract's words.
#[derive(Clone, Copy)]
enum Reason {
    Stop,
    StopString,
    Length,
}

impl Generation {
    /// Checks the request and begins. No picture is decoded yet.
    ///
    /// # Errors
    ///
    /// Those of [`Question::new`].
    pub(crate) fn new(request: GenerationRequest, model: &Network) -> Result<Self, Error> {
        Ok(Generation {
            question: Question::new(request, &model.tokenization)?,
            answered: 0,
            answer: None,
            cut: false,
            usage: Usage {
                input_tokens: 0,
                output_tokens: 0,
            },
            workspace: LayerWorkspace::default(),
        })
    }

    /// Generates one more token, or the end of an answer. The first of each answer includes the work of seeing the
    /// picture.
    ///
    /// # Errors
    ///
    /// `input.image` and `input.too-large` when the next picture cannot be decoded; `model.*`.
    pub(crate) fn next(&mut self, model: &Network) -> Result<Chunk, Error> {
        if self.usage.output_tokens >= self.question.max_output_tokens {
            return Ok(self.finish(String::new(), Reason::Length));
        }
        let mut text = String::new();
        let answer = match &mut self.answer {
            Some(answer) => answer,
            none => {
                text = self.question.heading(self.answered);
                let answer = begin(
                    model,
                    &self.question,
                    self.answered,
                    &mut self.usage,
                    &mut self.workspace,
                )?;
                none.insert(answer)
            }
        };
        let token = answer.next_token(model, &mut self.question, &mut self.workspace)?;
        let is_end = token == model.tokenization.end();
        let mut has_room = true;
        if !is_end {
            answer.tokens.push(token);
            self.usage.output_tokens = self.usage.output_tokens.saturating_add(1);
            has_room = model.decoder.has_room(&answer.state);
        }
        let is_last_token = self.usage.output_tokens >= self.question.max_output_tokens;
        let over = is_end || !has_room;
        let tokenizer = model.tokenization.plain();
        text.push_str(&answer.tokens.text(tokenizer, over || is_last_token)?);

        let (text, stopped) = self.question.stop_strings.push(&text);
        if stopped {
            return Ok(self.finish(text, Reason::StopString));
        }
        if over {
            self.cut |= !is_end;
            self.answered += 1;
            self.answer = None;
            if self.answered == self.question.images.len() {
                let reason = if self.cut {
                    Reason::Length
                } else {
                    Reason::Stop
                };
                return Ok(self.finish(text, reason));
            }
        }
        if is_last_token {
            return Ok(self.finish(text, Reason::Length));
        }
        Ok(Chunk { text, finish: None })
    }

    /// Makes the last chunk: `text`, and the text that was held back and did not become a stop string.
    fn finish(&mut self, mut text: String, reason: Reason) -> Chunk {
        text.push_str(&self.question.stop_strings.finish());
        let reason = match reason {
            Reason::Stop => "stop",
            Reason::StopString => "stop-string",
            Reason::Length => "length",
        };
        Chunk {
            text,
            finish: Some(Finish {
                reason: reason.to_owned(),
                usage: self.usage,
            }),
        }
    }
}

impl Question {
    /// Returns the heading of the answer for a picture, where there are several.
    fn heading(&self, index: usize) -> String {
        let line = if index == 0 { "" } else { "\n" };
        match self.images.len() {
            1 => String::new(),
            _ => format!("{line}Image {}: ", index + 1),
        }
    }
}

/// Sees a picture and reads the question about it.
fn begin(
    model: &Network,
    question: &Question,
    index: usize,
    usage: &mut Usage,
    workspace: &mut LayerWorkspace,
) -> Result<Answer, Error> {
    let features = model
        .see(&question.images[index], workspace)
        .map_err(|error| name_picture(error, index, question.images.len()))?;
    let (state, row) = model
        .decoder
        .prefill(&features, &question.prompt, 1, workspace)?;
    let tokens = model.visual_tokens() + question.prompt.len();
    usage.input_tokens = usage.input_tokens.saturating_add(tokens as u32);
    Ok(Answer {
        state,
        row: Some(row),
        tokens: Detokenizer::default(),
    })
}

impl Answer {
    fn next_token(
        &mut self,
        model: &Network,
        question: &mut Question,
        workspace: &mut LayerWorkspace,
    ) -> Result<u32, Error> {
        let row = match (self.row.take(), self.tokens.last()) {
            (None, Some(last)) => model.decoder.step(last, &mut self.state, workspace)?,
            (row, _) => row.unwrap_or_default(),
        };
        let logits = model.decoder.logits(row, workspace)?;
        Ok(question.sampler.choose(&logits))
    }
}
