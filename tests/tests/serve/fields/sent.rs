//! A row of the manual that was sent, and all that its check may ask beside.

use ampoule_tests::Reply;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::manual::{Row, Table, lasting, set};
use super::server::FieldServer;

/// A row that was sent.
pub(super) struct Sent<'t> {
    pub(super) server: &'t FieldServer,
    pub(super) table: &'t Table,
    pub(super) row: &'t Row,
    /// The picture of the manual's requests, in base64.
    pub(super) picture: &'t str,
    /// The table's request.
    pub(super) request: &'t Value,
    /// Its answer.
    pub(super) without: &'t Reply,
    /// The answer to the request with the row's field.
    pub(super) reply: &'t Reply,
}

impl Sent<'_> {
    pub(super) fn example(&self) -> Value {
        self.table.json(&self.row.example, self.picture)
    }

    /// Sends the table's request with these fields to the table's model.
    pub(super) fn ask(&self, fields: &[(&str, Value)]) -> Reply {
        self.ask_model(self.table.model(), fields)
    }

    /// Sends the table's request with these fields to a model.
    pub(super) fn ask_model(&self, model: &str, fields: &[(&str, Value)]) -> Reply {
        let mut request = self.request.clone();
        if request.get("model").is_some() {
            request["model"] = json!(model);
        }
        for (field, value) in fields {
            set(&mut request, field, value.clone());
        }
        self.table.send_to(self.server, model, &request)
    }

    /// Sends the row to a model.
    pub(super) fn row_to(&self, model: &str) -> Reply {
        self.ask_model(model, &[(&self.row.field, self.example())])
    }

    /// Returns the name of the field that has the texts.
    pub(super) fn texts(&self) -> &'static str {
        ["inputs", "input"]
            .into_iter()
            .find(|name| self.request.get(name).is_some())
            .unwrap()
    }

    /// Returns the words that `every-task` makes of a value of the manual.
    pub(super) fn words(&self, value: &Value) -> String {
        let mut words = Vec::new();
        self.collect_words(value, &mut words);
        words.join(" ")
    }

    pub(super) fn collect_words(&self, value: &Value, words: &mut Vec<String>) {
        match value {
            Value::String(text) if text.ends_with(self.picture) => words.push(self.picture_word()),
            Value::String(text) => words.extend(text.split_whitespace().map(str::to_owned)),
            Value::Array(items) => {
                let of_the_user = items.iter().rfind(|item| item["role"] == "user");
                match of_the_user {
                    Some(message) => self.collect_words(message, words),
                    None => items
                        .iter()
                        .for_each(|item| self.collect_words(item, words)),
                }
            }
            Value::Object(members) => {
                if let (Some(width), Some(height)) = (members.get("width"), members.get("height")) {
                    words.push(format!("[{width}x{height}]"));
                }
                let held = [
                    "content",
                    "text",
                    "refusal",
                    "image_url",
                    "url",
                    "image",
                    "data",
                ];
                held.iter()
                    .filter_map(|name| members.get(*name))
                    .for_each(|part| self.collect_words(part, words));
            }
            _ => {}
        }
    }

    /// Returns the word that `every-task` makes of the manual's picture: its size, as the file's head says it.
    pub(super) fn picture_word(&self) -> String {
        let file = STANDARD.decode(self.picture).unwrap();
        let number = |at: usize| u32::from_be_bytes(file[at..at + 4].try_into().unwrap());
        format!("[{}x{}]", number(16), number(20))
    }
}

/// Fails a check with what was found.
pub(super) fn ensure(is_so: bool, expected: &str, found: &Reply) -> Result<(), String> {
    if is_so {
        return Ok(());
    }
    let text: String = found.text().chars().take(300).collect();
    Err(format!("{expected} is expected; {}: {text}", found.status))
}

/// Returns the text of a generation by any route; several answers with spaces between them.
pub(super) fn text_of(reply: &Reply) -> String {
    let answer = reply.json();
    let of = |list: &Value, pointer: &str| -> Vec<String> {
        let items = list.as_array().into_iter().flatten();
        let texts = items.filter_map(|item| item.pointer(pointer).and_then(Value::as_str));
        texts.map(str::to_owned).collect()
    };
    let mut texts = of(&answer["choices"], "/message/content");
    texts.extend(of(&answer["choices"], "/text"));
    texts.extend(of(&answer["output"], "/content/0/text"));
    for output in answer["outputs"].as_array().into_iter().flatten() {
        if output["name"] == "text" {
            texts.extend(of(&output["data"], ""));
        }
    }
    for pointer in ["/message/content", "/response", "/text"] {
        let text = answer.pointer(pointer).and_then(Value::as_str);
        texts.extend(text.map(str::to_owned));
    }
    texts.join(" ")
}

/// Returns the first of these numbers that an answer has.
pub(super) fn number_of(reply: &Reply, pointers: &[&str]) -> Option<u64> {
    let answer = reply.json();
    let mut numbers = pointers
        .iter()
        .filter_map(|pointer| answer.pointer(pointer)?.as_u64());
    numbers.next()
}

pub(super) fn input_tokens(reply: &Reply) -> Option<u64> {
    number_of(
        reply,
        &[
            "/usage/prompt_tokens",
            "/usage/input_tokens",
            "/prompt_eval_count",
        ],
    )
}

pub(super) fn output_tokens(reply: &Reply) -> Option<u64> {
    number_of(
        reply,
        &[
            "/usage/completion_tokens",
            "/usage/output_tokens",
            "/eval_count",
            "/parameters/output_tokens",
        ],
    )
}

/// A value of no type that a field has is refused, so the field is read.
pub(super) fn is_read(sent: &Sent<'_>) -> Result<(), String> {
    let refused = sent.ask(&[(&sent.row.field, json!(false))]);
    ensure(refused.status == 400, "a refusal of `false`", &refused)
}

pub(super) fn is_another_answer(sent: &Sent<'_>) -> Result<(), String> {
    let is_other = lasting(sent.reply) != lasting(sent.without);
    ensure(
        is_other,
        "another answer than without the field",
        sent.reply,
    )
}
