//! Effects of fields that are of no one task: names, limits, and forms of an answer.

use ampoule_tests::Reply;
use serde_json::{Value, json};

use super::generation::{reaches_as_settings, setting};
use super::manual::lasting;
use super::sent::{Sent, ensure, is_read};
use super::server::{EVERY_TASK, NOT_LOADED, SLOW, TINY_VLM};

pub(super) fn names_the_model(sent: &Sent<'_>) -> Result<(), String> {
    let unknown = sent.ask(&[("model", json!("nobody"))]);
    ensure(unknown.status == 404, "404 for another name", &unknown)
}

pub(super) fn names_the_model_by_its_older_name(sent: &Sent<'_>) -> Result<(), String> {
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

pub(super) fn comes_back(sent: &Sent<'_>) -> Result<(), String> {
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

pub(super) fn is_told_in_the_answer(sent: &Sent<'_>) -> Result<(), String> {
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
pub(super) fn is_a_limit(sent: &Sent<'_>) -> Result<(), String> {
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
pub(super) fn ends_early(
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

pub(super) fn has_the_effect_of_its_members(sent: &Sent<'_>) -> Result<(), String> {
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

pub(super) fn names_the_outputs(sent: &Sent<'_>) -> Result<(), String> {
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

pub(super) fn asks_for_bytes(sent: &Sent<'_>) -> Result<(), String> {
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

pub(super) fn leaves_out_models_that_are_not_up(sent: &Sent<'_>) -> Result<(), String> {
    let lists = |reply: &Reply, name: &str| reply.text().contains(&format!("\"{name}\""));
    let is_right = lists(sent.without, NOT_LOADED)
        && !lists(sent.reply, NOT_LOADED)
        && lists(sent.reply, EVERY_TASK);
    ensure(is_right, "the models that are up alone", sent.reply)
}
