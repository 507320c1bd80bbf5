//! `init` packs the layers that `plan.txt` says, one a line: `FORMAT INPUTS OUTPUTS OFFSET [TIMES]`, of
//! binary32 weights in `data.bin`; a line `multiply` multiplies there and then. `embed` does what the first
//! text says: `granted`; `pack`; `multiply STEPS ROWS WIDTH VALUE [TIMES]`. Steps have commas between: layers by their
//! numbers, attention by `h` and the number of heads, `keep`, `add`, and a normalisation by `n` and the numbers of its
//! weights and biases, any of them as often as a number behind `*` says. It answers with whether it was granted the
//! host's kernels, how many numbers came of it, how many of them are none, how many are infinite, and the first and
//! the last of them.
//!
//! Promise: the host multiplies what was packed and nothing else, within the limits of who asks. Expected: an
//! answer; `guest.error` with the host's own code for what it refuses; `limit.*`.

use ampoule_test_guests::host_kernels::{
    self, Activation, ElementType, Format, Layer, LinearStep, Normalization, Part, Step, Tensor,
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

fn repeated(word: &str) -> Vec<Step> {
    let (word, times) = word.split_once('*').unwrap_or((word, "1"));
    let times = times.parse().unwrap_or(1);
    (0..times).filter_map(|_| parsed(word)).collect()
}

fn parsed(word: &str) -> Option<Step> {
    let ones = |count: &str| Some(vec![1.0; count.parse().ok()?]);
    match word {
        "keep" => return Some(Step::Keep),
        "add" => return Some(Step::AddKept),
        _ => {}
    }
    if let Some(heads) = word.strip_prefix('h') {
        return heads.parse().ok().map(Step::Attention);
    }
    if let Some((weights, biases)) = word.strip_prefix('n').and_then(|n| n.split_once(':')) {
        return Some(Step::Normalize(Normalization {
            weight: ones(weights)?,
            bias: ones(biases)?,
            epsilon: 1.0,
        }));
    }
    word.parse().ok().map(step)
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
            let steps: Vec<Step> = steps.flat_map(repeated).collect();
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
