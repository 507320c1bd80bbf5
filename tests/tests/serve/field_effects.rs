//! Effects of the fields that the manual calls honoured: a status of 200 would also be the answer to a field that is
//! passed over.
//!
//! Most are seen in the words of `every-task`, which repeats the last message of the user, word by word.

use ampoule_tests::Reply;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::field_server::{CUT, EVERY_TASK, FieldServer, NOT_LOADED, SETTINGS, SLOW, TINY_VLM};
use crate::fields::{Row, Table, lasting, set};

/// Finds what is wrong with the treatment of a row; nothing where its field has its effect.
pub(crate) type Check = fn(&Sent<'_>) -> Result<(), String>;

/// A row that was sent.
pub(crate) struct Sent<'t> {
    pub(crate) server: &'t FieldServer,
    pub(crate) table: &'t Table,
    pub(crate) row: &'t Row,
    /// The picture of the manual's requests, in base64.
    pub(crate) picture: &'t str,
    /// The table's request.
    pub(crate) request: &'t Value,
    /// Its answer.
    pub(crate) without: &'t Reply,
    /// The answer to the request with the row's field.
    pub(crate) reply: &'t Reply,
}

/// Returns the check of a field; `None` where nobody has thought of one.
pub(crate) fn check_of(path: &str, field: &str) -> Option<Check> {
    // One route has two addresses.
    let path = if path == "/" { "/embed" } else { path };
    let last = field.rsplit('.').next().unwrap_or_default();
    let is_of_texts = ["/embed", "/tokenize", "/api/embed", "/v1/embeddings"].contains(&path);
    let check: Check = match (path, field) {
        (_, "model") => names_the_model,
        ("/api/show", "name") => names_the_model_by_its_older_name,
        (_, "limits" | "deterministic") if field == "limits" => is_read,
        (_, "deterministic") => is_told_in_the_answer,
        (_, "limits.memory_bytes" | "limits.fuel" | "limits.deadline_ms") => is_a_limit,
        ("/v2/repository/index", "ready") => leaves_out_models_that_are_not_up,
        ("/v2/models/{name}/infer", _) => return infer(field),
        _ if last == "role" => is_a_role,
        ("/v1/embeddings" | "/api/embed" | "/embed", "dimensions") => cuts_vectors,
        ("/v1/embeddings", "truncate_prompt_tokens") => lets_long_texts_be_cut,
        ("/v1/embeddings", "encoding_format") => is_a_form_of_the_same_vectors,
        ("/embed", "normalize") => keeps_vectors_as_they_are,
        ("/embed" | "/api/embed", "truncate") => refuses_long_texts_if_false,
        ("/embed" | "/tokenize", "truncation_direction" | "add_special_tokens") => is_read,
        _ if is_of_texts => is_another_answer,
        ("/api/embeddings", "prompt") => is_another_answer,
        (_, "texts" | "images[0]" | "images[0].pixels" | "image.pixels") => is_another_answer,
        (_, "images" | "image") if path.contains("/{name}/image-") => is_a_picture,
        (_, "top_k") if path.ends_with("/image-classification") => is_the_number_of_labels,
        (_, "stream") => is_streamed,
        (_, "stream_options.include_usage") => adds_the_usage_to_a_stream,
        (_, "n") => is_the_number_of_answers,
        (_, "metadata") => comes_back,
        (_, "instructions" | "system") => is_read_by_the_model_as_well,
        ("/ampoule/v1/models/{name}/text-generation", "options") => reaches_the_model,
        (_, "options" | "sampling") => has_the_effect_of_its_members,
        _ => match last {
            "max_tokens" | "max_completion_tokens" | "max_output_tokens" | "num_predict" => {
                cuts_the_answer
            }
            "temperature" | "top_p" | "top_k" | "seed" => is_a_setting,
            "stop" => ends_the_answer,
            "refusal" => is_the_text_of_a_refusal,
            "type" => is_read,
            "pixels" => is_read,
            "image_url" | "url" if field.contains("content[0]") => is_the_picture_of_a_part,
            "messages" | "content" | "text" | "prompt" | "input" | "image" | "images"
            | "content[0]" => is_said,
            _ => return None,
        },
    };
    Some(check)
}

/// Returns the check of a field of the Open Inference Protocol's requests.
fn infer(field: &str) -> Option<Check> {
    let check: Check = match field {
        "id" => comes_back,
        "inputs" | "inputs[0].data" => is_said,
        "inputs[0].name" | "inputs[0].datatype" | "inputs[0].shape" | "inputs[0].parameters" => {
            is_read
        }
        "outputs" | "outputs[0].name" => names_the_outputs,
        "outputs[0].parameters" => asks_for_bytes,
        "parameters" => has_the_effect_of_its_members,
        _ => return None,
    };
    Some(check)
}

/// Fails a check with what was found.
fn ensure(is_so: bool, expected: &str, found: &Reply) -> Result<(), String> {
    if is_so {
        return Ok(());
    }
    let text: String = found.text().chars().take(300).collect();
    Err(format!("{expected} is expected; {}: {text}", found.status))
}

impl Sent<'_> {
    fn example(&self) -> Value {
        self.table.json(&self.row.example, self.picture)
    }

    /// Sends the table's request with these fields to the table's model.
    fn ask(&self, fields: &[(&str, Value)]) -> Reply {
        self.ask_model(self.table.model(), fields)
    }

    /// Sends the table's request with these fields to a model.
    fn ask_model(&self, model: &str, fields: &[(&str, Value)]) -> Reply {
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
    fn row_to(&self, model: &str) -> Reply {
        self.ask_model(model, &[(&self.row.field, self.example())])
    }

    /// Returns the name of the field that has the texts.
    fn texts(&self) -> &'static str {
        ["inputs", "input"]
            .into_iter()
            .find(|name| self.request.get(name).is_some())
            .unwrap()
    }

    /// Returns the words that `every-task` makes of a value of the manual.
    fn words(&self, value: &Value) -> String {
        let mut words = Vec::new();
        self.collect_words(value, &mut words);
        words.join(" ")
    }

    fn collect_words(&self, value: &Value, words: &mut Vec<String>) {
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
    fn picture_word(&self) -> String {
        let file = STANDARD.decode(self.picture).unwrap();
        let number = |at: usize| u32::from_be_bytes(file[at..at + 4].try_into().unwrap());
        format!("[{}x{}]", number(16), number(20))
    }
}

/// Returns the text of a generation by any route; several answers with spaces between them.
fn text_of(reply: &Reply) -> String {
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
fn number_of(reply: &Reply, pointers: &[&str]) -> Option<u64> {
    let answer = reply.json();
    let mut numbers = pointers
        .iter()
        .filter_map(|pointer| answer.pointer(pointer)?.as_u64());
    numbers.next()
}

fn input_tokens(reply: &Reply) -> Option<u64> {
    number_of(
        reply,
        &[
            "/usage/prompt_tokens",
            "/usage/input_tokens",
            "/prompt_eval_count",
        ],
    )
}

fn output_tokens(reply: &Reply) -> Option<u64> {
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
fn is_read(sent: &Sent<'_>) -> Result<(), String> {
    let refused = sent.ask(&[(&sent.row.field, json!(false))]);
    ensure(refused.status == 400, "a refusal of `false`", &refused)
}

fn is_another_answer(sent: &Sent<'_>) -> Result<(), String> {
    let is_other = lasting(sent.reply) != lasting(sent.without);
    ensure(
        is_other,
        "another answer than without the field",
        sent.reply,
    )
}

fn names_the_model(sent: &Sent<'_>) -> Result<(), String> {
    let unknown = sent.ask(&[("model", json!("nobody"))]);
    ensure(unknown.status == 404, "404 for another name", &unknown)
}

fn names_the_model_by_its_older_name(sent: &Sent<'_>) -> Result<(), String> {
    let by_name = |name: Value| {
        sent.table
            .send_to(sent.server, EVERY_TASK, &json!({"name": name}))
    };
    let known = by_name(sent.example());
    ensure(
        lasting(&known) == lasting(sent.without),
        "the answer by `model`",
        &known,
    )?;
    let unknown = by_name(json!("nobody"));
    ensure(unknown.status == 404, "404 for another name", &unknown)
}

fn is_said(sent: &Sent<'_>) -> Result<(), String> {
    let words = sent.words(&sent.example());
    let said = sent.row_to(EVERY_TASK);
    let is_said = !words.is_empty() && text_of(&said).contains(&words);
    ensure(is_said, &format!("an answer with {words:?}"), &said)?;
    let without = sent.ask_model(EVERY_TASK, &[]);
    if text_of(&without).contains(&words) {
        is_read(sent)?;
    }
    Ok(())
}

/// The system's words are not repeated, and counted.
fn is_read_by_the_model_as_well(sent: &Sent<'_>) -> Result<(), String> {
    let words = sent.words(&sent.example()).split(' ').count() as u64;
    let expected = input_tokens(sent.without).map(|tokens| tokens + words);
    ensure(
        input_tokens(sent.reply) == expected,
        &format!("{words} more tokens of input"),
        sent.reply,
    )
}

fn is_a_role(sent: &Sent<'_>) -> Result<(), String> {
    let example = sent.example();
    let said = sent.row_to(EVERY_TASK);
    // Only a user's words are repeated.
    let is_right = text_of(&said).is_empty() == (example != "user");
    ensure(is_right, "words for a user and none for others", &said)?;
    let other = sent.ask_model(EVERY_TASK, &[(&sent.row.field, json!("assistant"))]);
    ensure(
        text_of(&other).is_empty(),
        "no words for an assistant",
        &other,
    )?;
    let unknown = sent.ask_model(EVERY_TASK, &[(&sent.row.field, json!("nobody"))]);
    ensure(unknown.status == 400, "a refusal of another role", &unknown)
}

fn is_the_text_of_a_refusal(sent: &Sent<'_>) -> Result<(), String> {
    let part = sent.row.field.strip_suffix(".refusal").unwrap_or_default();
    let said = sent.ask(&[(part, json!({"type": "refusal", "refusal": sent.example()}))]);
    ensure(
        text_of(&said) == sent.words(&sent.example()),
        "the refusal's words",
        &said,
    )
}

fn is_the_picture_of_a_part(sent: &Sent<'_>) -> Result<(), String> {
    let place = sent.row.field.find("content[0]").unwrap_or_default() + "content[0]".len();
    let (part, rest) = sent.row.field.split_at(place);
    let kind = if sent.table.path == "/v1/responses" {
        "input_image"
    } else {
        "image_url"
    };
    let mut value = json!({"type": kind});
    set(&mut value, rest.trim_start_matches('.'), sent.example());
    let said = sent.ask(&[(part, value)]);
    ensure(
        text_of(&said) == sent.picture_word(),
        "the picture's size",
        &said,
    )
}

/// The example is the table's picture in another form, so the answer is the same.
fn is_a_picture(sent: &Sent<'_>) -> Result<(), String> {
    if sent.words(&sent.example()) == sent.picture_word() {
        ensure(
            lasting(sent.reply) == lasting(sent.without),
            "the same answer",
            sent.reply,
        )?;
        is_read(sent)
    } else {
        is_another_answer(sent)
    }
}

fn is_the_number_of_labels(sent: &Sent<'_>) -> Result<(), String> {
    let labels = |reply: &Reply| reply.json()["labels"].as_array().map(Vec::len);
    let asked = sent
        .example()
        .as_u64()
        .and_then(|number| usize::try_from(number).ok());
    let is_right = asked.is_some() && labels(sent.reply) == asked && labels(sent.without) != asked;
    ensure(is_right, "as many labels", sent.reply)
}

fn cuts_the_answer(sent: &Sent<'_>) -> Result<(), String> {
    let limit = sent.example().as_u64().unwrap_or_default();
    let (whole, cut) = (sent.ask_model(EVERY_TASK, &[]), sent.row_to(EVERY_TASK));
    let words: Vec<String> = text_of(&whole).split(' ').map(str::to_owned).collect();
    let first = words[..usize::try_from(limit).unwrap().min(words.len())].join(" ");
    let is_cut = text_of(&cut).trim_end() == first && first != text_of(&whole);
    ensure(is_cut, &format!("{first:?}"), &cut)?;
    ensure(
        output_tokens(&cut) == Some(limit),
        "a usage of as many tokens",
        &cut,
    )?;
    let says_so = ["\"length\"", "\"incomplete\""]
        .iter()
        .any(|word| cut.text().contains(word));
    ensure(says_so, "`length` as the reason of the end", &cut)
}

fn ends_the_answer(sent: &Sent<'_>) -> Result<(), String> {
    let example = sent.example();
    let stop = example.as_str().or(example[0].as_str()).unwrap_or_default();
    let (whole, cut) = (
        text_of(&sent.ask_model(EVERY_TASK, &[])),
        sent.row_to(EVERY_TASK),
    );
    let expected = whole.split_once(stop).map(|(before, _)| before);
    ensure(
        expected == Some(&*text_of(&cut)),
        &format!("an answer before {stop:?}"),
        &cut,
    )
}

/// The settings that reach a model: its name here, and its words in the answer of [`SETTINGS`].
fn setting(name: &str, value: &Value) -> Vec<(usize, u64)> {
    #[allow(
        clippy::cast_possible_truncation,
        reason = "a setting is a number of 32 bits"
    )]
    let bits = |value: &Value| u64::from((value.as_f64().unwrap() as f32).to_bits());
    match name {
        "temperature" => vec![(0, bits(value))],
        "top_p" => vec![(1, bits(value))],
        "top_k" => vec![(2, value.as_u64().unwrap())],
        "seed" => {
            let seed = value.as_i64().unwrap().cast_unsigned();
            vec![(3, 1), (4, seed >> 32), (5, seed & 0xffff_ffff)]
        }
        "max_tokens" | "num_predict" => vec![(6, value.as_u64().unwrap())],
        "stop" => vec![(8, value.as_array().map_or(1, Vec::len) as u64)],
        _ => Vec::new(),
    }
}

fn reaches_as_settings(sent: &Sent<'_>, expected: &[(usize, u64)]) -> Result<(), String> {
    let told = sent.row_to(SETTINGS);
    let words = |reply: &Reply| -> Vec<u64> {
        let text = text_of(reply);
        let words = text.split_whitespace();
        words
            .map(|word| u64::from_str_radix(word, 16).unwrap())
            .collect()
    };
    let with = words(&told);
    let without = words(&sent.ask_model(SETTINGS, &[]));
    for (place, value) in expected {
        let is_there = with.get(*place) == Some(value);
        ensure(is_there, &format!("{value:x} as word {place}"), &told)?;
    }
    // A setting that is the default says nothing.
    ensure(
        with != without,
        "other settings than without the field",
        &told,
    )
}

fn is_a_setting(sent: &Sent<'_>) -> Result<(), String> {
    let name = sent.row.field.rsplit('.').next().unwrap_or_default();
    reaches_as_settings(sent, &setting(name, &sent.example()))
}

fn has_the_effect_of_its_members(sent: &Sent<'_>) -> Result<(), String> {
    let example = sent.example();
    let members = example.as_object().unwrap();
    if let Some(asked) = members.get("binary_data_output") {
        let header = |reply: &Reply| !reply.header("inference-header-content-length").is_empty();
        ensure(
            header(sent.reply) == *asked,
            "an answer of that form",
            sent.reply,
        )?;
        let binary = sent.ask(&[
            ("parameters", json!({"binary_data_output": true})),
            ("outputs", json!([])),
        ]);
        return ensure(header(&binary), "bytes where they are asked for", &binary);
    }
    if members.contains_key("timeout") {
        let texts =
            json!({"name": "texts", "datatype": "BYTES", "shape": [64], "data": vec!["a"; 64]});
        let fields = [
            ("inputs", json!([texts])),
            ("parameters", json!({"timeout": 1_000})),
            ("outputs", json!([])),
        ];
        return ends_early(sent, SLOW, &fields, |reply| {
            reply.text().contains("deadline")
        });
    }
    let settings: Vec<_> = members
        .iter()
        .flat_map(|(name, value)| setting(name, value))
        .collect();
    ensure(
        !settings.is_empty(),
        "a member whose effect is known",
        sent.reply,
    )?;
    reaches_as_settings(sent, &settings)
}

fn reaches_the_model(sent: &Sent<'_>) -> Result<(), String> {
    let refused = sent.ask_model(EVERY_TASK, &[("options", json!({"warmth": "7"}))]);
    let is_refused = refused.status == 400 && refused.text().contains("no options, found `warmth`");
    ensure(is_refused, "the model's own refusal of an option", &refused)
}

fn is_streamed(sent: &Sent<'_>) -> Result<(), String> {
    let streams = ["text/event-stream", "application/x-ndjson"];
    let is_right = streams.contains(&sent.reply.header("content-type"))
        && sent.without.header("content-type") == "application/json";
    ensure(is_right, "a stream, and none without the field", sent.reply)
}

fn adds_the_usage_to_a_stream(sent: &Sent<'_>) -> Result<(), String> {
    for (asked, times) in [(sent.example(), 1), (json!(false), 0)] {
        let reply = sent.ask(&[("stream", json!(true)), (&sent.row.field, asked)]);
        let told = reply.text().matches("\"completion_tokens\"").count();
        ensure(told == times, &format!("the usage {times} times"), &reply)?;
    }
    Ok(())
}

fn is_the_number_of_answers(sent: &Sent<'_>) -> Result<(), String> {
    let count = |reply: &Reply| {
        reply.json()["choices"]
            .as_array()
            .map(|all| json!(all.len()))
    };
    let is_right =
        count(sent.reply) == Some(sent.example()) && count(sent.without) == Some(json!(1));
    ensure(
        is_right,
        "as many answers, and one without the field",
        sent.reply,
    )
}

fn comes_back(sent: &Sent<'_>) -> Result<(), String> {
    let value = match sent.example() {
        Value::String(_) => json!("another"),
        _ => json!({"another": "value"}),
    };
    for value in [sent.example(), value] {
        let reply = sent.ask(&[(&sent.row.field, value.clone())]);
        ensure(
            reply.json()[&sent.row.field] == value,
            "the value in the answer",
            &reply,
        )?;
    }
    Ok(())
}

fn is_told_in_the_answer(sent: &Sent<'_>) -> Result<(), String> {
    let is_told = sent.reply.json()["is_deterministic"] == sent.example();
    ensure(is_told, "the same word in the answer", sent.reply)?;
    let refused = sent.ask(&[("deterministic", json!(true))]);
    ensure(
        refused.status == 400,
        "a refusal by a host that does not give it",
        &refused,
    )
}

/// As little as there can be of it is too little for any model.
fn is_a_limit(sent: &Sent<'_>) -> Result<(), String> {
    let (least, code) = match &*sent.row.field {
        "limits.memory_bytes" => (65_536, "limit.memory"),
        "limits.fuel" => (1, "limit.fuel"),
        _ => (1, "limit.deadline"),
    };
    let mut fields = vec![(&*sent.row.field, json!(least))];
    let model = match (code, &*sent.table.path) {
        ("limit.deadline", "/ampoule/v1/models/{name}/text-embedding") => {
            fields.push(("texts", json!(vec!["a"; 64])));
            SLOW
        }
        ("limit.deadline", "/ampoule/v1/models/{name}/text-tokenization") => {
            fields.push(("texts", json!(vec!["a b ".repeat(8_000); 64])));
            TINY_VLM
        }
        _ => sent.table.model(),
    };
    ends_early(sent, model, &fields, |reply| {
        reply.json()["error"]["code"] == code
    })
}

/// Asks for what a limit ends. A busy machine sees the end of a millisecond late, and a guest that works for some may be
/// quicker, so the request is repeated.
fn ends_early(
    sent: &Sent<'_>,
    model: &str,
    fields: &[(&str, Value)],
    is_of_the_limit: impl Fn(&Reply) -> bool,
) -> Result<(), String> {
    let mut tries = (0..100).map(|_| sent.ask_model(model, fields));
    match tries.find(|reply| reply.status == 422 && is_of_the_limit(reply)) {
        Some(_) => Ok(()),
        None => Err("the end by a limit is expected".to_owned()),
    }
}

fn is_a_form_of_the_same_vectors(sent: &Sent<'_>) -> Result<(), String> {
    let vector = |reply: &Reply| reply.json()["data"][0]["embedding"].clone();
    let numbers: Vec<f32> = serde_json::from_value(vector(sent.without)).unwrap();
    let bytes: Vec<u8> = numbers
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    ensure(
        vector(sent.reply) == json!(STANDARD.encode(bytes)),
        "the same vector's bytes",
        sent.reply,
    )
}

/// Reads the one vector that a route answers with.
fn vector_of(reply: &Reply) -> Vec<f32> {
    let answer = reply.json();
    let vectors = ["/data/0/embedding", "/embeddings/0", "/0"];
    let vector = vectors.iter().find_map(|pointer| answer.pointer(pointer));
    let vector = vector.map(|vector| serde_json::from_value(vector.clone()).unwrap());
    vector.unwrap_or_default()
}

fn cuts_vectors(sent: &Sent<'_>) -> Result<(), String> {
    let texts = sent.texts();
    let cut = sent.ask_model(CUT, &[(texts, json!("a")), ("dimensions", json!(2))]);
    ensure(vector_of(&cut) == [0.6, 0.8], "[0.6, 0.8]", &cut)?;
    ensure(
        lasting(sent.reply) == lasting(sent.without),
        "vectors of the model's own length",
        sent.reply,
    )
}

fn keeps_vectors_as_they_are(sent: &Sent<'_>) -> Result<(), String> {
    let own = sent.ask_model(
        CUT,
        &[("inputs", json!("a")), ("normalize", sent.example())],
    );
    ensure(vector_of(&own) == [3.0, 4.0, 12.0], "[3, 4, 12]", &own)
}

fn refuses_long_texts_if_false(sent: &Sent<'_>) -> Result<(), String> {
    let texts = sent.texts();
    for (truncate, is_refused) in [(true, false), (false, true)] {
        let long = json!("a".repeat(513));
        let reply = sent.ask(&[(texts, long), ("truncate", json!(truncate))]);
        let is_right = (400..500).contains(&reply.status) == is_refused;
        ensure(is_right, &format!("a refusal if false: {truncate}"), &reply)?;
    }
    Ok(())
}

fn lets_long_texts_be_cut(sent: &Sent<'_>) -> Result<(), String> {
    let long = (sent.texts(), json!("a".repeat(513)));
    let refused = sent.ask(std::slice::from_ref(&long));
    ensure(
        refused.status == 400,
        "a refusal without the field",
        &refused,
    )?;
    let cut = sent.ask(&[long, (&sent.row.field, sent.example())]);
    ensure(cut.status == 200, "a vector", &cut)
}

fn names_the_outputs(sent: &Sent<'_>) -> Result<(), String> {
    let names = |reply: &Reply| -> Vec<Value> {
        let outputs = reply.json()["outputs"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        outputs
            .iter()
            .map(|output| output["name"].clone())
            .collect()
    };
    ensure(names(sent.reply) == ["text"], "that output", sent.reply)?;
    let others = json!([{"name": "finish_reason"}, {"name": "text"}]);
    let others = sent.ask(&[("outputs", others)]);
    ensure(
        names(&others) == ["finish_reason", "text"],
        "two outputs in this order",
        &others,
    )?;
    is_read(sent)
}

fn asks_for_bytes(sent: &Sent<'_>) -> Result<(), String> {
    for is_binary in [true, false] {
        let reply = sent.ask(&[("outputs[0].parameters.binary_data", json!(is_binary))]);
        let has_bytes = !reply.header("inference-header-content-length").is_empty();
        ensure(
            has_bytes == is_binary,
            &format!("bytes: {is_binary}"),
            &reply,
        )?;
    }
    Ok(())
}

fn leaves_out_models_that_are_not_up(sent: &Sent<'_>) -> Result<(), String> {
    let lists = |reply: &Reply, name: &str| reply.text().contains(&format!("\"{name}\""));
    let is_right = lists(sent.without, NOT_LOADED)
        && !lists(sent.reply, NOT_LOADED)
        && lists(sent.reply, EVERY_TASK);
    ensure(is_right, "the models that are up alone", sent.reply)
}
