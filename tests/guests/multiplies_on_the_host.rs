//! `init` packs the layers that `plan.txt` says, one a line: `FORMAT INPUTS OUTPUTS OFFSET [TIMES]`, of
//! binary32 weights in `data.bin`; a line `multiply` multiplies there and then. `embed` does what the first
//! text says: `granted`; `pack`; `multiply STEPS ROWS WIDTH VALUE [TIMES]`, the steps with commas between,
//! layers by their numbers and attention by `h` and the number of heads; and answers with whether it was granted the host's kernels, how many numbers came of it,
//! how many of them are none, how many are infinite, and the first and the last of them.
//!
//! Promise: the host multiplies what was packed and nothing else, within the limits of who asks. Expected: an
//! answer; `guest.error` with the host's own code for what it refuses; `limit.*`.

use ampoule_test_guests::host_kernels::{
    self, Activation, ElementType, Format, Layer, LinearStep, Part, Step, Tensor,
};
use ampoule_test_guests::{Embeddings, Error, assets};
use ampoule_test_guests::{export_lifecycle, export_text_embedding, ordinary};

export_lifecycle!(init);
export_text_embedding!(embed);

fn init() -> Result<(), Error> {
    let size = assets::size("plan.txt")?;
    let plan = assets::read("plan.txt", 0, u32::try_from(size).unwrap_or(u32::MAX))?;
    for line in String::from_utf8_lossy(&plan).lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words == ["multiply"] {
            host_kernels::apply(&[step(0)], &[0.0])?;
            continue;
        }
        if !host_kernels::granted() && words.first() != Some(&"always") {
            continue;
        }
        let words = words.strip_prefix(&["always"]).unwrap_or(&words);
        for _ in 0..number(words, 4).unwrap_or(1) {
            host_kernels::pack(&layer(words)?)?;
        }
    }
    Ok(())
}

fn layer(words: &[&str]) -> Result<Layer, Error> {
    let format = match words.first() {
        Some(&"f16") => Format::F16,
        Some(&"int8") => Format::Int8,
        Some(&"int4") => Format::Int4,
        _ => Format::F32,
    };
    let word =
        |index| number(words, index).ok_or_else(|| ordinary::error("model.test", "no number"));
    let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    Ok(Layer {
        inputs: small(word(1)?),
        parts: vec![Part {
            outputs: small(word(2)?),
            weights: Tensor {
                file: "data.bin".to_owned(),
                offset: word(3)?,
                element: ElementType::F32,
            },
            bias: None,
        }],
        format,
    })
}

fn number(words: &[&str], index: usize) -> Option<u64> {
    words.get(index)?.parse().ok()
}

fn step(layer: u32) -> Step {
    Step::Linear(LinearStep {
        layer,
        activation: Activation::None,
    })
}

fn parsed(word: &str) -> Option<Step> {
    match word.strip_prefix('h') {
        Some(heads) => heads.parse().ok().map(Step::Attention),
        None => word.parse().ok().map(step),
    }
}

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    let text = texts.first().map(String::as_str).unwrap_or_default();
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut numbers = Vec::new();
    match words.first() {
        Some(&"pack") => {
            host_kernels::pack(&layer(&["f32", "1", "1", "0"])?)?;
        }
        Some(&"multiply") => {
            let steps = words.get(1).unwrap_or(&"").split(',');
            let steps: Vec<Step> = steps.filter_map(parsed).collect();
            let count = |index| number(&words, index).unwrap_or(1) as usize;
            let value = words.get(4).and_then(|word| word.parse().ok());
            let x = vec![value.unwrap_or(1.0_f32); count(2) * count(3)];
            for _ in 0..number(&words, 5).unwrap_or(1) {
                numbers = host_kernels::apply(&steps, &x)?;
            }
        }
        _ => {}
    }
    let count = |is: fn(&f32) -> bool| numbers.iter().filter(|number| is(number)).count() as f32;
    let finite = |number: Option<&f32>| number.copied().filter(|n| n.is_finite()).unwrap_or(0.0);
    let row = [
        f32::from(host_kernels::granted()),
        numbers.len() as f32,
        count(|number| number.is_nan()),
        count(|number| number.is_infinite()),
        finite(numbers.first()),
        finite(numbers.last()),
    ];
    Ok(ordinary::embeddings(&texts, &row))
}
