//! The main job on real input: finds the sentence that is nearest to a question.

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::minilm_bundle::{self, Destination};
use crate::workspace::{HostProfile, Workspace};
use crate::{guests, process, setup, signed_bundle, weights};

const QUESTION: &str = "How do I keep bread from going stale?";

const SENTENCES: [&str; 5] = [
    "The library opens at nine and closes at six on weekdays.",
    "Store a loaf in a paper bag inside a closed box, and freeze what you will not eat in two days.",
    "Knead the dough for ten minutes, then let it rise until it has doubled.",
    "Stale jokes are best kept out of a wedding speech.",
    "The train to the coast takes two hours and forty minutes.",
];

/// Output of `ampoule embed --json`, as far as it is shown here.
#[derive(Debug, Deserialize)]
struct Answer {
    embeddings: Vec<Vec<f32>>,
    usage: Usage,
    sandbox: Sandbox,
}

#[derive(Debug, Deserialize)]
struct Usage {
    input_tokens: u32,
}

#[derive(Debug, Deserialize)]
struct Sandbox {
    fuel: u64,
    peak_memory_bytes: u64,
    wall_ms: f64,
}

/// Prepares everything that is missing, and asks.
pub(crate) fn demo(workspace: &Workspace) -> Result<()> {
    setup::for_guests(workspace)?;
    guests::build_model(workspace, &guests::model(workspace, "ampoule-minilm")?)?;
    weights::fetch(workspace)?;
    signed_bundle::build_programs(workspace, HostProfile::Release)?;
    minilm_bundle::demo_if_stale(workspace, HostProfile::Release)?;

    let destination = Destination::demo(workspace);
    let mut ampoule = signed_bundle::program(workspace, HostProfile::Release, "ampoule");
    ampoule
        .args(["embed", "--json", "--model"])
        .arg(&destination.bundle)
        .arg("--trust")
        .arg(&destination.trust);
    let json = process::output(ampoule.arg(QUESTION).args(SENTENCES))?;
    let answer: Answer = serde_json::from_str(&json)
        .context("`ampoule embed --json` printed something unexpected")?;
    print(&answer)?;
    println!(
        "\nAsk yourself:\n  {} embed --model {} --trust {} --json \"{QUESTION}\"",
        workspace.relative(std::path::Path::new(ampoule.get_program())),
        workspace.relative(&destination.bundle),
        workspace.relative(&destination.trust)
    );
    Ok(())
}

fn print(answer: &Answer) -> Result<()> {
    let similarities = similarities(&answer.embeddings)?;
    ensure!(
        similarities.len() == SENTENCES.len(),
        "{} sentences gave {} vectors",
        SENTENCES.len(),
        similarities.len()
    );
    let mut ranked: Vec<_> = similarities.iter().zip(SENTENCES).collect();
    ranked.sort_by(|(left, _), (right, _)| right.total_cmp(left));
    println!("\nQuestion: {QUESTION}\nNearest:  {}\n", ranked[0].1);
    for (similarity, sentence) in ranked {
        println!("  {similarity:6.3}  {sentence}");
    }
    let Answer { usage, sandbox, .. } = answer;
    println!(
        "\nIn one sandbox: {} tokens, {:.0} ms, {} units of fuel, {:.1} MiB of memory at most",
        usage.input_tokens,
        sandbox.wall_ms,
        with_separators(sandbox.fuel),
        // Display only: a memory size is far below 2^53.
        sandbox.peak_memory_bytes as f64 / f64::from(1 << 20),
    );
    Ok(())
}

/// Computes the cosine of the first vector with each of the others.
fn similarities(embeddings: &[Vec<f32>]) -> Result<Vec<f32>> {
    let (question, sentences) = embeddings
        .split_first()
        .context("the model returned no vector")?;
    sentences
        .iter()
        .map(|sentence| cosine(question, sentence))
        .collect()
}

fn cosine(left: &[f32], right: &[f32]) -> Result<f32> {
    ensure!(
        left.len() == right.len(),
        "the model returned vectors of {} and {} numbers",
        left.len(),
        right.len()
    );
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let lengths = (dot(left, left) * dot(right, right)).sqrt();
    ensure!(lengths > 0.0, "the model returned a vector of length zero");
    Ok(dot(left, right) / lengths)
}

/// Writes `1234567` as `1,234,567`.
fn with_separators(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_is_nearest_to_itself() {
        let found = similarities(&[vec![3.0, 4.0], vec![6.0, 8.0], vec![-4.0, 3.0]]).unwrap();
        assert!(
            (found[0] - 1.0).abs() < 1e-6 && found[1].abs() < 1e-6,
            "{found:?}"
        );
    }

    #[test]
    fn vectors_that_cannot_be_compared_are_an_error() {
        assert!(similarities(&[]).is_err());
        assert!(similarities(&[vec![1.0], vec![1.0, 2.0]]).is_err());
        assert!(similarities(&[vec![1.0], vec![0.0]]).is_err());
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let grouped = [7, 999, 1000, 1_234_567].map(with_separators);
        assert_eq!(grouped, ["7", "999", "1,000", "1,234,567"]);
    }
}
