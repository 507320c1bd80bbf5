//! Effects of fields on vectors and labels.

use ampoule_tests::Reply;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::manual::lasting;
use super::sent::{Sent, ensure, is_another_answer, is_read};
use super::server::CUT;

/// The example is the table's picture in another form, so the answer is the same.
pub(super) fn is_a_picture(sent: &Sent<'_>) -> Result<(), String> {
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

pub(super) fn is_the_number_of_labels(sent: &Sent<'_>) -> Result<(), String> {
    let labels = |reply: &Reply| reply.json()["labels"].as_array().map(Vec::len);
    let asked = sent
        .example()
        .as_u64()
        .and_then(|number| usize::try_from(number).ok());
    let is_right = asked.is_some() && labels(sent.reply) == asked && labels(sent.without) != asked;
    ensure(is_right, "as many labels", sent.reply)
}

pub(super) fn is_a_form_of_the_same_vectors(sent: &Sent<'_>) -> Result<(), String> {
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
pub(super) fn vector_of(reply: &Reply) -> Vec<f32> {
    let answer = reply.json();
    let vectors = ["/data/0/embedding", "/embeddings/0", "/0"];
    let vector = vectors.iter().find_map(|pointer| answer.pointer(pointer));
    let vector = vector.map(|vector| serde_json::from_value(vector.clone()).unwrap());
    vector.unwrap_or_default()
}

pub(super) fn cuts_vectors(sent: &Sent<'_>) -> Result<(), String> {
    let texts = sent.texts();
    let cut = sent.ask_model(CUT, &[(texts, json!("a")), ("dimensions", json!(2))]);
    ensure(vector_of(&cut) == [0.6, 0.8], "[0.6, 0.8]", &cut)?;
    ensure(
        lasting(sent.reply) == lasting(sent.without),
        "vectors of the model's own length",
        sent.reply,
    )
}

pub(super) fn keeps_vectors_as_they_are(sent: &Sent<'_>) -> Result<(), String> {
    let own = sent.ask_model(
        CUT,
        &[("inputs", json!("a")), ("normalize", sent.example())],
    );
    ensure(vector_of(&own) == [3.0, 4.0, 12.0], "[3, 4, 12]", &own)
}

pub(super) fn refuses_long_texts_if_false(sent: &Sent<'_>) -> Result<(), String> {
    let texts = sent.texts();
    for (truncate, is_refused) in [(true, false), (false, true)] {
        let long = json!("a".repeat(513));
        let reply = sent.ask(&[(texts, long), ("truncate", json!(truncate))]);
        let is_right = (400..500).contains(&reply.status) == is_refused;
        ensure(is_right, &format!("a refusal if false: {truncate}"), &reply)?;
    }
    Ok(())
}

pub(super) fn lets_long_texts_be_cut(sent: &Sent<'_>) -> Result<(), String> {
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
