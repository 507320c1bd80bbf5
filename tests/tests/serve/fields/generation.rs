//! Effects of fields on generations. Most are seen in the words of `every-task`, which repeats the last message of the
//! user, word by word; settings are seen in those of a model that tells them.

use ampoule_tests::Reply;
use serde_json::{Value, json};

use super::manual::set;
use super::sent::{Sent, ensure, input_tokens, is_read, output_tokens, text_of};
use super::server::{EVERY_TASK, SETTINGS};

pub(super) fn is_said(sent: &Sent<'_>) -> Result<(), String> {
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
pub(super) fn is_read_by_the_model_as_well(sent: &Sent<'_>) -> Result<(), String> {
    let words = sent.words(&sent.example()).split(' ').count() as u64;
    let expected = input_tokens(sent.without).map(|tokens| tokens + words);
    ensure(
        input_tokens(sent.reply) == expected,
        &format!("{words} more tokens of input"),
        sent.reply,
    )
}

pub(super) fn is_a_role(sent: &Sent<'_>) -> Result<(), String> {
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

pub(super) fn is_the_text_of_a_refusal(sent: &Sent<'_>) -> Result<(), String> {
    let part = sent.row.field.strip_suffix(".refusal").unwrap_or_default();
    let said = sent.ask(&[(part, json!({"type": "refusal", "refusal": sent.example()}))]);
    ensure(
        text_of(&said) == sent.words(&sent.example()),
        "the refusal's words",
        &said,
    )
}

pub(super) fn is_the_picture_of_a_part(sent: &Sent<'_>) -> Result<(), String> {
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

pub(super) fn cuts_the_answer(sent: &Sent<'_>) -> Result<(), String> {
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

pub(super) fn ends_the_answer(sent: &Sent<'_>) -> Result<(), String> {
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
pub(super) fn setting(name: &str, value: &Value) -> Vec<(usize, u64)> {
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

pub(super) fn reaches_as_settings(
    sent: &Sent<'_>,
    expected: &[(usize, u64)],
) -> Result<(), String> {
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

pub(super) fn is_a_setting(sent: &Sent<'_>) -> Result<(), String> {
    let name = sent.row.field.rsplit('.').next().unwrap_or_default();
    reaches_as_settings(sent, &setting(name, &sent.example()))
}

pub(super) fn reaches_the_model(sent: &Sent<'_>) -> Result<(), String> {
    let refused = sent.ask_model(EVERY_TASK, &[("options", json!({"warmth": "7"}))]);
    let is_refused = refused.status == 400 && refused.text().contains("input.option");
    ensure(is_refused, "the model's own refusal of an option", &refused)
}

pub(super) fn is_streamed(sent: &Sent<'_>) -> Result<(), String> {
    let streams = ["text/event-stream", "application/x-ndjson"];
    let is_right = streams.contains(&sent.reply.header("content-type"))
        && sent.without.header("content-type") == "application/json";
    ensure(is_right, "a stream, and none without the field", sent.reply)
}

pub(super) fn adds_the_usage_to_a_stream(sent: &Sent<'_>) -> Result<(), String> {
    for (asked, times) in [(sent.example(), 1), (json!(false), 0)] {
        let reply = sent.ask(&[("stream", json!(true)), (&sent.row.field, asked)]);
        let told = reply.text().matches("\"completion_tokens\"").count();
        ensure(told == times, &format!("the usage {times} times"), &reply)?;
    }
    Ok(())
}

pub(super) fn is_the_number_of_answers(sent: &Sent<'_>) -> Result<(), String> {
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
