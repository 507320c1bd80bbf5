//! Generated answers and their ends, against the model's own logits.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod tiny_model;

use ampoule_guest::{
    Chunk, Content, Error, Finish, GenerationRequest, Message, TextGeneration as _,
    TextTokenization as _,
};
use ampoule_tiny_vlm::TinyVlm;
use tiny_model::{
    ASSISTANT, END, POSITIONS, TinyModel, USER, VISUAL_TOKENS, VOCABULARY, ask, image,
};

/// Tokens that an answer may have at most: one for the prompt's last row, and one for each position
/// after it.
fn most_tokens(prompt: usize) -> usize {
    POSITIONS - prompt + 1
}

/// A model that writes ASCII: the rest of the vocabulary, but the end, is made unlikely by a direction
/// of its own.
fn writer() -> TinyModel {
    let mut tiny = TinyModel::new();
    // The likeliest tokens are those whose embedding points along the normalised row; a token whose
    // embedding is nought has the logit 0.
    let embedding = &mut tiny.tensors.get_mut("decoder.embedding.weight").unwrap().1;
    let hidden = embedding.len() / VOCABULARY;
    for (id, row) in embedding.chunks_mut(hidden).enumerate() {
        let writes = (4 + 32..4 + 127).contains(&id);
        if !writes {
            row.fill(0.0);
        }
    }
    // What is seen and what was said matter more than what is always added.
    for (name, (_, values)) in &mut tiny.tensors {
        let factor = if name.ends_with("bias") {
            0.05
        } else if name.contains("qkv") || name.starts_with("stem") {
            4.0
        } else {
            1.0
        };
        values.iter_mut().for_each(|value| *value *= factor);
    }
    for name in ["encoder.norm.weight", "decoder.norm.weight"] {
        tiny.tensors.get_mut(name).unwrap().1.fill(1.0);
    }
    tiny
}

fn run(model: &TinyVlm, request: GenerationRequest) -> Result<(Vec<Chunk>, Finish), Error> {
    let mut generation = model.generate(request)?;
    let mut chunks = Vec::new();
    loop {
        let mut chunk = model.next(&mut generation)?.unwrap();
        let finish = chunk.finish.take();
        chunks.push(chunk);
        if let Some(finish) = finish {
            return Ok((chunks, finish));
        }
    }
}

fn text(chunks: &[Chunk]) -> String {
    chunks.iter().map(|chunk| chunk.text.as_str()).collect()
}

fn answer(model: &TinyVlm, request: GenerationRequest) -> (String, Finish) {
    let (chunks, finish) = run(model, request).unwrap();
    (text(&chunks), finish)
}

#[track_caller]
fn refusal(model: &TinyVlm, request: GenerationRequest) -> Error {
    model.generate(request).err().unwrap()
}

#[test]
fn tokens_one_at_a_time_are_those_of_the_whole_text_at_once() {
    let mut tiny = writer();
    // Every byte is a token of its own, so that what was said is tokenized to the same tokens again.
    tiny.tokenizer["pre_tokenizer"]["add_prefix_space"] = false.into();
    tiny.tokenizer["model"]["merges"] = serde_json::json!([]);
    let model = tiny.load().unwrap();
    let mut answers = std::collections::BTreeSet::new();
    for seed in 1..6 {
        let (found, finish) = answer(&model, ask(vec![image(seed)], "Why?"));
        let mut said = String::new();
        for _ in 0..finish.usage.output_tokens {
            let logits = model.logits(&image(seed), "Why?", &said);
            let Ok(logits) = logits else {
                break;
            };
            let last = &logits[logits.len() - VOCABULARY..];
            let likeliest = (0..VOCABULARY).max_by(|&a, &b| last[a].total_cmp(&last[b]));
            said.push(char::from((likeliest.unwrap() - 4) as u8));
        }
        assert_eq!(found, said.trim_start());
        answers.insert(found);
    }
    assert!(answers.len() > 1, "{answers:?}");
}

#[test]
fn a_prompt_is_the_question_between_who_asks_and_who_answers() {
    let model = TinyModel::new().load().unwrap();
    let spelled = |text: &str| {
        text.bytes()
            .map(|byte| 4 + u32::from(byte))
            .collect::<Vec<_>>()
    };
    let prompt = |middle: Vec<u32>| [vec![USER], middle, vec![ASSISTANT]].concat();
    for (text, expected) in [
        ("is it", spelled(" is it")),
        ("  IS \n\t it ", spelled(" is it")),
        ("is ö", spelled(" is ö")),
        ("a red", vec![262, 4 + 32, 261]),
        // Special tokens in a question are its letters.
        ("<end>", spelled(" <end>")),
        ("<user>x", spelled(" <user>x")),
    ] {
        let tokens = model.tokenize(&[text.to_owned()]).unwrap().remove(0);
        assert_eq!(tokens.ids, prompt(expected), "{text:?}");
        assert!(!tokens.truncated);
    }
}

#[test]
fn an_answer_is_streamed_a_token_a_chunk_and_ends_where_positions_do() {
    let model = writer().load().unwrap();
    let prompt = model.tokenize(&["Why?".to_owned()]).unwrap()[0].ids.len();
    let (chunks, finish) = run(&model, ask(vec![image(1)], "Why?")).unwrap();
    assert_eq!(finish.reason, "length");
    assert_eq!(finish.usage.output_tokens as usize, most_tokens(prompt));
    assert_eq!(finish.usage.input_tokens as usize, VISUAL_TOKENS + prompt);
    assert_eq!(chunks.len(), most_tokens(prompt));
    assert!(chunks.iter().all(|chunk| chunk.text.len() <= 1));
}

#[test]
fn an_answer_ends_where_the_model_ends_it() {
    let mut tiny = writer();
    // Whatever the row, the end is as likely as can be.
    for name in ["decoder.norm.weight", "decoder.norm.bias"] {
        let value = if name.ends_with("bias") { 1.0 } else { 0.0 };
        tiny.tensors.get_mut(name).unwrap().1.fill(value);
    }
    let embedding = &mut tiny.tensors.get_mut("decoder.embedding.weight").unwrap().1;
    let hidden = embedding.len() / VOCABULARY;
    embedding[END as usize * hidden..][..hidden].fill(9.0);
    let model = tiny.load().unwrap();
    let (text, finish) = answer(&model, ask(vec![image(1)], "Why?"));
    assert_eq!((text.as_str(), finish.reason.as_str()), ("", "stop"));
    assert_eq!(finish.usage.output_tokens, 0);
    let (text, finish) = answer(&model, ask(vec![image(1), image(2)], "Why?"));
    assert_eq!(text, "Image 1: \nImage 2: ");
    assert_eq!(finish.reason, "stop");
}

#[test]
fn an_answer_ends_at_as_many_tokens_as_were_asked_for() {
    let model = writer().load().unwrap();
    let (whole, _) = answer(&model, ask(vec![image(1)], "Why?"));
    for most in [0, 1, 2, 7] {
        let mut request = ask(vec![image(1)], "Why?");
        request.max_output_tokens = most;
        let (text, finish) = answer(&model, request);
        assert_eq!(finish.reason, "length");
        assert_eq!(finish.usage.output_tokens, most);
        assert!(
            whole.starts_with(&text) && text.len() <= most as usize,
            "{text:?}"
        );
    }
}

#[test]
fn no_part_of_a_stop_string_comes_out() {
    let model = writer().load().unwrap();
    let (whole, _) = answer(&model, ask(vec![image(1)], "Why?"));
    assert!(whole.len() > 8, "{whole:?}");
    for range in [0..1, 3..4, 3..6, 5..whole.len()] {
        let stop = &whole[range];
        let mut request = ask(vec![image(1)], "Why?");
        request.stop = vec!["never said".to_owned(), stop.to_owned()];
        let (text, finish) = answer(&model, request);
        assert_eq!(finish.reason, "stop-string");
        assert_eq!(text, whole[..whole.find(stop).unwrap()]);
    }
}

#[test]
fn every_picture_gets_an_answer_in_turn() {
    let model = writer().load().unwrap();
    let alone: Vec<String> = (1..4)
        .map(|seed| answer(&model, ask(vec![image(seed)], "Why?")).0)
        .collect();
    let (text, finish) = answer(&model, ask((1..4).map(image).collect(), "Why?"));
    assert!(alone[0] != alone[1] && alone[1] != alone[2], "{alone:?}");
    let expected = format!(
        "Image 1: {}\nImage 2: {}\nImage 3: {}",
        alone[0], alone[1], alone[2]
    );
    assert_eq!(text, expected);
    let prompt = model.tokenize(&["Why?".to_owned()]).unwrap()[0].ids.len();
    assert_eq!(
        finish.usage.input_tokens as usize,
        3 * (VISUAL_TOKENS + prompt)
    );
    assert_eq!(finish.usage.output_tokens as usize, 3 * most_tokens(prompt));
    // One of the answers was cut, so the whole was.
    assert_eq!(finish.reason, "length");
}

#[test]
fn the_pictures_of_all_messages_and_the_text_of_the_last_of_the_user_count() {
    let model = writer().load().unwrap();
    let message = |role: &str, content| Message {
        role: role.to_owned(),
        content,
    };
    let said = |text: &str| Content::Text(text.to_owned());
    let mut request = ask(Vec::new(), "");
    request.messages = vec![
        message("system", vec![said("You are a helpful assistant.")]),
        message(
            "user",
            vec![said("Something else?"), Content::Image(image(1))],
        ),
        message("assistant", vec![said("Yes.")]),
        message(
            "user",
            vec![said("Is"), Content::Image(image(2)), said("it?")],
        ),
        message("assistant", vec![said("It")]),
    ];
    let together = answer(&model, request).0;
    let expected = answer(&model, ask(vec![image(1), image(2)], "Is it?")).0;
    assert_eq!(together, expected);
    let swapped = answer(&model, ask(vec![image(2), image(1)], "Is it?")).0;
    assert_ne!(together, swapped);
}

#[test]
fn half_characters_are_held_back_until_they_are_whole() {
    // A model that writes any bytes at all, at random: most are no UTF-8.
    let model = TinyModel::new().load().unwrap();
    let mut with_more_than_ascii = 0;
    for seed in 0..60 {
        let mut request = ask(vec![image(seed)], "Why?");
        request.sampling.temperature = 3.0;
        request.sampling.seed = Some(seed);
        let (chunks, finish) = run(&model, request.clone()).unwrap();
        let streamed = text(&chunks);
        // Nothing that was said is ever taken back: a stop string that is never met changes nothing.
        request.stop = vec!["\u{10ffff}".to_owned()];
        assert_eq!(text(&run(&model, request).unwrap().0), streamed);
        assert!(finish.usage.output_tokens > 0 || streamed.is_empty());
        assert!(!streamed.starts_with(char::is_whitespace));
        with_more_than_ascii += usize::from(!streamed.is_ascii());
        for chunk in &chunks[..chunks.len() - 1] {
            assert!(!chunk.text.ends_with(char::REPLACEMENT_CHARACTER));
        }
    }
    assert!(with_more_than_ascii > 30);
}

#[test]
fn a_seed_repeats_and_unseeded_requests_differ() {
    let model = TinyModel::new().load().unwrap();
    let sample = |seed| {
        let mut request = ask(vec![image(1)], "Why?");
        request.sampling.temperature = 3.0;
        request.sampling.seed = seed;
        answer(&model, request).0
    };
    assert_eq!(sample(Some(5)), sample(Some(5)));
    assert_ne!(sample(Some(5)), sample(Some(6)));
    assert_ne!(sample(None), sample(None));
}

#[test]
fn a_request_that_cannot_be_served_is_refused_with_the_reason() {
    let model = writer().load().unwrap();
    let good = || ask(vec![image(1)], "Why?");
    let code = |change: &dyn Fn(&mut GenerationRequest)| {
        let mut request = good();
        change(&mut request);
        refusal(&model, request).code
    };
    assert_eq!(
        code(&|r| r.messages[0].role = "tool".to_owned()),
        "input.role"
    );
    assert_eq!(code(&|r| r.messages[0].role = String::new()), "input.role");
    assert_eq!(
        code(&|r| r.messages[0].role = "system".to_owned()),
        "input.empty"
    );
    assert_eq!(
        code(&|r| r.messages[0].role = "assistant".to_owned()),
        "input.empty"
    );
    assert_eq!(code(&|r| r.messages.clear()), "input.empty");
    assert_eq!(code(&|r| *r = ask(vec![image(1)], " \n ")), "input.empty");
    assert_eq!(
        code(&|r| *r = ask(Vec::new(), "Why?")),
        "input.image-missing"
    );
    assert_eq!(
        code(&|r| *r = ask(vec![image(1)], &"why ".repeat(9))),
        "input.too-large"
    );
    assert_eq!(
        code(&|r| r.sampling.temperature = f32::NAN),
        "input.sampling"
    );
    assert_eq!(code(&|r| r.sampling.temperature = -1.0), "input.sampling");
    assert_eq!(code(&|r| r.sampling.top_p = 0.0), "input.sampling");
    assert_eq!(code(&|r| r.sampling.top_p = 2.0), "input.sampling");
    assert_eq!(code(&|r| r.stop.push(String::new())), "input.stop");
    assert_eq!(
        code(&|r| r.options.push(ampoule_guest::Property {
            key: "beams".to_owned(),
            value: "4".to_owned(),
        })),
        "input.option"
    );
    let tokens = model.tokenize(&["why ".repeat(9)]).err().unwrap();
    assert_eq!(tokens.code, "input.too-large");
}

#[test]
fn the_longest_question_is_answered() {
    let model = writer().load().unwrap();
    // A space and the letters, between two special tokens, leave one position of all.
    let question = "x".repeat(POSITIONS - 1 - 3);
    let (_, finish) = answer(&model, ask(vec![image(1)], &question));
    assert_eq!(
        finish.usage.input_tokens as usize,
        VISUAL_TOKENS + POSITIONS - 1
    );
    assert_eq!(finish.usage.output_tokens, 2);
    let error = refusal(&model, ask(vec![image(1)], &format!("{question}x")));
    assert_eq!(error.code, "input.too-large");
}
